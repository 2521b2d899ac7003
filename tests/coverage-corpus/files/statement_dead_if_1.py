if 1:
    a = 1
else:
    a = 2
if True:
    b = 1
c = a + b
