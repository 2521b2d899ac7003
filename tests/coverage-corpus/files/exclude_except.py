def f(a):
    try:
        return 1 / a
    except ZeroDivisionError:  # pragma: no cover
        b = 1
        return b
    finally:  # pragma: no cover
        c = 1


f(1)
