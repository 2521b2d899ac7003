def f(n):
    while n:  # pragma: no branch
        n -= 1
        if n == 1:
            break
    return n


f(5)
