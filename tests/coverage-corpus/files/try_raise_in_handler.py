def f(a):
    try:
        try:
            raise ValueError
        except ValueError:
            if a:
                raise KeyError
            b = 1
    except KeyError:
        b = 2
    return b


f(1)
f(0)
