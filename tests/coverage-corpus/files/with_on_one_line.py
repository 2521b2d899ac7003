import contextlib


@contextlib.contextmanager
def manager(n):
    yield n


with manager(1): a = 1
if a:
    with manager(2): a = 2
b = 3
