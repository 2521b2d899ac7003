f = lambda: 1
g = lambda x: (
    x +
    1
)
h = sorted([3, 1], key=lambda n:
           -n)
f()
