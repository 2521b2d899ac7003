def f(a):
    try:
        b = 1
    finally:
        if a:
            raise ValueError
    return b


f(0)
try:
    f(1)
except ValueError:
    pass
