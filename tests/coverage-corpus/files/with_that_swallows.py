import contextlib


def f(a):
    with contextlib.suppress(ValueError):
        if a:
            raise ValueError
        b = 1
    return 2


f(1)
