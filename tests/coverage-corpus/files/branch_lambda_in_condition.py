f = lambda x: x > 1
if f(1):
    a = 1
else:
    a = 2
for i in filter(lambda n: n, [0, 1]):
    b = i
