def f(a):
    try:
        r = int(a)
    except ValueError:
        r = 0
    else:
        r += 1
    return r


f("1")
f("x")
