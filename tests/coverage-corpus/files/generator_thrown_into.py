def g():
    while True:
        try:
            yield 1
        except ValueError:
            break
    yield 2


it = g()
next(it)
it.throw(ValueError())
