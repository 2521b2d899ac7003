def g():
    got = yield 1
    while got:
        if got > 5:
            got = yield 10
        else:
            got = yield 2


it = g()
next(it)
it.send(3)
it.send(9)
