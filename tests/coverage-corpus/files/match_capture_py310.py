def f(x):
    match x:
        case 0:
            r = 0
        case other:
            r = other
    return r


f(5)
