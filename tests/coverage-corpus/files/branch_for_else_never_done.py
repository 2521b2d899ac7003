def f(items, wanted):
    for i in items:
        if i == wanted:
            break
    else:
        return None
    return i


f([1, 2], 2)
