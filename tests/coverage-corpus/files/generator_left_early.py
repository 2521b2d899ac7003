def g(n):
    for i in range(n):
        yield i
    return 1


for x in g(3):
    break
