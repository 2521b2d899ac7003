def f(items):
    r = []
    for i in items:
        if i < 0:
            continue
        if i > 10:
            break
        r.append(i)
    return r


f([1, -1, 11, 5])
