import contextlib


@contextlib.contextmanager
def manager(n):
    yield n


with manager(1) as m:
    a = m
    b = 2
c = 3
