def f(a):
    try:
        return 1 / a
    except ZeroDivisionError:
        b = 1
    else:
        b = 2
    return b


f(0)
