import contextlib


@contextlib.contextmanager
def manager(n):
    yield n


with manager(1) as m, manager(2) as n:
    a = m
with manager(1), \
        manager(2):
    b = 1
c = 3
