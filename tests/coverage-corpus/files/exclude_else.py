def f(a):
    if a:
        b = 1
    else:  # pragma: no cover
        b = 2
    return b


f(1)
