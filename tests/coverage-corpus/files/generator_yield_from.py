def inner():
    yield 1
    yield 2


def outer():
    x = yield from inner()
    if x:
        yield 3
    else:
        yield 4


list(outer())
