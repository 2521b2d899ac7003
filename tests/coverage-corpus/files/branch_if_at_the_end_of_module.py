a = 0
if a:
    b = 1
