def f(a, b, c):
    if a:
        x = 1
    if b:
        x = 2
    if c:
        x = 3
    return 4


f(0, 1, 0)
