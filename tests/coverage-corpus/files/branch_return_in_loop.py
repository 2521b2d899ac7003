def f(items):
    for i in items:
        if i:
            return i


f([0, 1])
f([0])
