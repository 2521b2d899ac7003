def f(a):
    try:
        a.x
    except AttributeError:
        pass


f(1)
