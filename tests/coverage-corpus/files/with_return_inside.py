import contextlib


@contextlib.contextmanager
def manager(n):
    yield n


def f(a):
    with manager(1):
        if a:
            return 1
        b = 1
    return b


f(1)
f(0)
