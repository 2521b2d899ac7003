def f(items):
    r = []
    for i in items:
        try:
            if i == 2:
                break
            if i == 1:
                continue
            r.append(i)
        finally:
            r.append("done")
    return r


f([0, 1, 2, 3])
