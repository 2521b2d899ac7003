a = 1
if a:
    b = 1
c = 2
if not a:
    b = 2
d = 3
