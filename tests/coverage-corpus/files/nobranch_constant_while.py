def f(n):
    while True:
        n -= 1
        if n == 1:  # pragma: no branch
            break
    while 1:
        n += 1
        if n > 5:
            return n


f(5)
