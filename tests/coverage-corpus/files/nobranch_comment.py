def f(a):
    if a:  # pragma: no branch
        b = 1
    for i in [1]:  # pragma: no branch
        return i
    return 2


f(1)
