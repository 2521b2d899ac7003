def f(a):
    try:
        if a:
            raise ValueError("no")
        b = 1
    except ValueError:
        b = 2
    return b


f(1)
