f = lambda x: x  # pragma: no cover
a: int = 1  # pragma: no cover
b = 2
c = {1: 2}  # pragma: no cover
d = [1, 2][0:1]  # pragma: no cover
e = 3
