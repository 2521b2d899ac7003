def f():
    return 1
    a = 2


def g(n):
    while True:
        return n
        n += 1


def h():
    raise ValueError
    return 1


f()
g(1)
try:
    h()
except ValueError:
    pass
