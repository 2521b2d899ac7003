def f(a):
    if a:  # pragma: no cover
        b = 1
        if b:
            c = 2
    return a


f(0)
