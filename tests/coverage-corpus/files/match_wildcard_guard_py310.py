def f(x, y):
    match x:
        case 1:
            r = 1
        case _ if y:
            r = 2
    return 3


f(2, 0)
f(2, 1)
