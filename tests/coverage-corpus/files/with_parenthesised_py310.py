import contextlib


@contextlib.contextmanager
def manager(n):
    yield n


with (
    manager(1) as m,
    manager(2) as n,
):
    if m:
        a = n
c = 3
