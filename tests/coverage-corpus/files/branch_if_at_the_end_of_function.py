def f(a):
    if a:
        a = 2


def g(a):
    if a:
        a = 2


def h(a):
    if a:
        a = 2


f(0)
g(1)
h(0)
h(1)
