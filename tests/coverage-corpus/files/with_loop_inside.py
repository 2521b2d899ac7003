import contextlib


@contextlib.contextmanager
def manager(n):
    yield n


with manager([1, 2]) as items:
    for i in items:
        if i == 1:
            x = i
while x:
    with manager(x):
        x -= 1
