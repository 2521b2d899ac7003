import contextlib


@contextlib.contextmanager
def manager(n):
    yield n


def f(a):
    with manager(1):
        if a:
            b = 1
    return 2


def g(a):
    with manager(1):
        if a:
            b = 1


f(1)
g(0)
