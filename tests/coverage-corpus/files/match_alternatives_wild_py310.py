def f(x):
    match x:
        case 1:
            return 1
        case 2 | _:
            return 2


f(1)
f(3)
