a = [1, 2]
del a[0]
assert a, "never said"
assert (
    a
), (
    "never said"
)
del a
