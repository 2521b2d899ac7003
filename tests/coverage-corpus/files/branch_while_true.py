def f(n):
    while True:
        n -= 1
        if n < 0:
            break
    return n


def g(n):
    while 1:
        n -= 1
        if n < 0:
            return n


f(3)
g(3)
