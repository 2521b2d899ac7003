def f(a):
    if a:
        return 1
    return 2


f(0)
f(1)
