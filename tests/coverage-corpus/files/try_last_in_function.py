def f(a):
    try:
        b = 1 / a
    except ZeroDivisionError:
        if a:
            b = 2


f(0)
