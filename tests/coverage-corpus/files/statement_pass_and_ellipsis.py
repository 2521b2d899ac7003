def f():
    pass


def g():
    ...


class Empty:
    pass


class Dots:
    ...


f()
g()
