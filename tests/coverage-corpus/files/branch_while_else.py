def f(n):
    while n:
        n -= 1
        if n == 5:
            break
    else:
        n = 10
    return n


f(3)
