def f(items):
    for i in items:
        if i:
            continue
        else:
            continue
    while items:
        items = items[1:]
        continue
    return 1


f([0, 1])
