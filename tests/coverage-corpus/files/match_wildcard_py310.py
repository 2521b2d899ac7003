def f(x):
    match x:
        case 1:
            r = 1
        case _:
            r = 2
    return r


f(1)
