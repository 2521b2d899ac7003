a = 1
b = 0 < a < 2
if 0 < a < 2 and not (a > 5 or
                      a < 0):
    c = 1
