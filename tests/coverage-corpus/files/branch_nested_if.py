def f(a, b):
    if a:
        if b:
            return 1
        else:
            return 2
    elif b:
        if a is None:
            return 3
    return 4


f(1, 1)
f(0, 1)
