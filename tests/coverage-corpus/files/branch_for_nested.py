def f(n):
    r = 0
    for i in range(n):
        for j in range(i):
            if j == 1:
                break
            r += 1
        else:
            r += 10
    return r


f(4)
