class A:
    x = 1
    if x:
        y = 2
    else:
        y = 3
    for z in range(2):
        w = z


class B(A):
    v = A.y
