class A:
    x = 0
    if x:
        y = 1
