def f(a):
    try:
        return 1 / a
    except ZeroDivisionError:
        if a is None:
            return 1
        raise


try:
    f(0)
except ZeroDivisionError:
    pass
