def f(n):
    while n:  # pragma: no cover
        n -= 1
    with open("/dev/null"):  # pragma: no cover
        a = 1
    try:  # pragma: no cover
        b = 1
    except ValueError:
        b = 2
    return 3


f(0)
