def f(items):
    return sum(
        i
        for i in items
        if i
    )


f([1, 0])
f([])
