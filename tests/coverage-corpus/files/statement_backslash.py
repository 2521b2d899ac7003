a = 1 + \
    2 + \
    3
if a and \
        a > 1:
    b = 1
else:
    b = 2
