def f(a, b):
    try:
        if a:
            return 1
    finally:
        if b:
            c = 1
    return 2


f(1, 1)
f(0, 1)
