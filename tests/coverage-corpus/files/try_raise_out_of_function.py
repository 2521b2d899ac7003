def f(a):
    if a:
        raise ValueError
    return 1


f(0)
try:
    f(1)
except ValueError:
    pass
