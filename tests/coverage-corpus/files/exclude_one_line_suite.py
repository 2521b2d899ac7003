def f(a):
    if a: return 1  # pragma: no cover
    for i in []: pass  # pragma: no cover
    return 2


f(0)
