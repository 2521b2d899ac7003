def f(a, b):
    if (
        a
        and b
    ):
        c = 1
    elif (a or
          b):
        c = 2
    else:
        c = 3
    return c


f(1, 1)
f(0, 1)
