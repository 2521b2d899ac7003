a = 1
b = 2
if a:
    c = 3
    d = 4
else:
    c = 5
