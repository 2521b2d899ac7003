def f(n):
    if n == 0:
        r = 0
    elif n == 1:
        r = 1
    elif n == 2:
        r = 2


f(1)
