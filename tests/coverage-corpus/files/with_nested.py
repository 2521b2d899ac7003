import contextlib


@contextlib.contextmanager
def manager(n):
    yield n


def f(a):
    with manager(1):
        with manager(2):
            if a:
                b = 1
        c = 2
    with manager(3):
        with manager(4):
            if a:
                b = 3
    return 5


f(0)
f(1)
