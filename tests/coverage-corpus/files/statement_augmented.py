a = 1
a += (
    2
)
a, b = 1, 2
(c,
 d) = 3, 4
e = f = g = 5
[h, *i] = range(3)
