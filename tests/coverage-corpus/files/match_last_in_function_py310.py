def f(x):
    match x:
        case 1:
            y = 1
        case 2:
            y = 2


f(1)
f(7)
