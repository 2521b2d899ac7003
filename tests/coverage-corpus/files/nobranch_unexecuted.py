def f(a):
    if a:  # pragma: no branch
        b = 1
    return 1
