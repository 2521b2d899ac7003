def f(a):
    if a:  # pragma: no cover
        for i in a:
            if i:
                b = 1
            else:
                b = 2
        c = 3
    d = 4
    return d


f([])
