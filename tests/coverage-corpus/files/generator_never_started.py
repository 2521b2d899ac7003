def g():
    yield 1
    if True:
        yield 2


g()
