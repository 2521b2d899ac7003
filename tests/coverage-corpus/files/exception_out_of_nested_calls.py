def a():
    b()
    return 1


def b():
    c()
    return 2


def c():
    for i in range(3):
        if i == 1:
            raise KeyError(i)


try:
    a()
except KeyError:
    d = 1
