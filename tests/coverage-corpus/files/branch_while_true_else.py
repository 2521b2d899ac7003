def f(n):
    while True:
        n -= 1
        if n < 0:
            break
    else:
        n = 5
    return n


f(2)
