def f(a):
    try:
        if a:
            raise ValueError
        b = 1
    finally:
        c = 1
    return b + c


f(0)
try:
    f(1)
except ValueError:
    pass
