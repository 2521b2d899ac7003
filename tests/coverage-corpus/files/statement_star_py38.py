def f(a, /, b, *, c):
    return a


f(1, 2, c=3)
x = [*range(2), *range(3)]
y = {**{"a": 1}, "b": 2}
z = {
    **{"a": 1},
    "b": 2,
}
