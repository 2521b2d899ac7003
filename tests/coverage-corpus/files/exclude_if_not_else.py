def f(a):
    if a:  # pragma: no cover
        b = 1
    else:
        b = 2
    return b


f(0)
