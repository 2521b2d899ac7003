def f(a):
    try:
        r = 1 / a
    except ZeroDivisionError:
        r = 0
    else:
        r = 2
    finally:
        s = 3
    return r + s


f(1)
f(0)
