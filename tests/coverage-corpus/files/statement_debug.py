if __debug__:
    a = 1
else:
    a = 2
if not __debug__:
    b = 1
assert a == 1
