def f(a):
    b = 1 if a else 2
    return b


f(1)
