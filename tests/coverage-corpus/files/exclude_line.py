a = 1
b = 2  # pragma: no cover
c = 3
