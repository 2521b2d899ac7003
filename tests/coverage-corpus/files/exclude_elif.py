def f(a):
    if a == 1:
        b = 1
    elif a == 2:  # pragma: no cover
        b = 2
    elif a == 3:
        b = 3
    else:
        b = 4
    return b


f(1)
f(5)
