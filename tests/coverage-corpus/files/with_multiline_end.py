import contextlib


@contextlib.contextmanager
def manager(n):
    yield n


def f(a):
    with manager(1):
        if a:
            b = 1
        elif (
            a is None
        ):
            b = 2
    return 2


f(0)
f(None)
