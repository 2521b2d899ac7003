def f(items):
    for i in items:
        if i:
            pass  # pragma: no cover
    return 1


f([0])
f([1])
