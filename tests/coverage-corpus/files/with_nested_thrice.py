import contextlib


@contextlib.contextmanager
def manager(n):
    yield n


def f(a):
    with manager(1):
        with manager(2):
            with manager(3):
                if a:
                    b = 1
    return 5


f(0)
