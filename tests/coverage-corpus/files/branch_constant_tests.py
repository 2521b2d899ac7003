def f(a):
    if not False:
        a += 1
    if True and 1:
        a += 1
    if False or 0:
        a += 1
    if "text":
        a += 1
    if not 1:
        a += 1
    else:
        a += 2
    return a


f(1)
