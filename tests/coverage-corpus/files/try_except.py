def f(a):
    try:
        r = 1 / a
    except ZeroDivisionError:
        r = 0
    return r


f(1)
