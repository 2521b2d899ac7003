while 0:
    a = 1
while False:
    b = 2
else:
    c = 3
d = 4
