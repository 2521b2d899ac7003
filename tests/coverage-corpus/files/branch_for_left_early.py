def f(items):
    for i in items:
        return i
    return None


f([1])
