def g():
    try:
        yield 1
        yield 2
    except GeneratorExit:
        raise
    finally:
        x = 3


it = g()
next(it)
it.close()
