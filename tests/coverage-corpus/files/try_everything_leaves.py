def f(a):
    try:
        if a:
            return 1
        else:
            raise ValueError
    except ValueError:
        return 2
    finally:
        b = 1


f(1)
f(0)
