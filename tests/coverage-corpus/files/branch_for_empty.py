def f(items):
    for i in items:
        x = i
    return 1


f([])
