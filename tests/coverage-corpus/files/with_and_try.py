import contextlib


@contextlib.contextmanager
def manager(n):
    try:
        yield n
    finally:
        done = 1


def f(a):
    try:
        with manager(1):
            r = 1 / a
            if r > 1:
                r = 2
    except ZeroDivisionError:
        r = 0
    return r


f(1)
f(0)
