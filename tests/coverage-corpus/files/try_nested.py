def f(a):
    try:
        try:
            r = 1 / a
        except TypeError:
            r = 0
        finally:
            s = 1
    except ZeroDivisionError:
        r = 2
    return r


f(1)
f(0)
