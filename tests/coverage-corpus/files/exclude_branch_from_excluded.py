def f(a):
    if a:  # pragma: no cover
        return 1
    for i in range(3):  # pragma: no cover
        a = i
    return 2


f(0)
