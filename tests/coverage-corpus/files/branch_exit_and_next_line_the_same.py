def f(a):
    for i in a:
        if i:
            pass
    while a:
        a = a[1:]
        if a:
            pass


f([0, 1])
