def f(a):
    try:
        if a:
            return 1
        b = 2
    finally:
        c = 3
    return b + c


f(1)
f(0)
