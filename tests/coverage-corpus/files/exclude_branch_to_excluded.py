def f(a):
    if a:
        b = 1  # pragma: no cover
    c = 2
    if c:
        d = 1
    else:
        d = 2  # pragma: no cover
    return d


f(0)
f(1)
