a = 1
if 0:
    a = 2
if False:
    a = 3
else:
    a = 4
if None:
    a = 5
b = a
