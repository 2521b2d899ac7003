def f(n):
    r = []
    while n:
        n -= 1
        if n % 2:
            continue
        r.append(n)
    return r


f(4)
