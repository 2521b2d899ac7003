def f(x):
    match x:
        case 1:
            return 1
        case 2:  # pragma: no cover
            return 2
        case _:
            return 3


f(1)
f(5)
