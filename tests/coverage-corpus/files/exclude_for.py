def f(items):
    for i in items:  # pragma: no cover
        a = i
        b = i
    else:
        c = 1
    return 1


f([])
