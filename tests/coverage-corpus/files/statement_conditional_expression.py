a = 1 if True else 2
b = (
    1
    if a
    else 2
)
c = a and b or 0
d = (a or
     b)
