import contextlib


@contextlib.contextmanager
def manager(n):
    yield n


def f(items):
    for i in items:
        with manager(i) as n:
            if n == 1:
                continue
            if n == 2:
                break
            if n == 3:
                r = 3
    return 1


f([0, 1, 3, 2, 5])
