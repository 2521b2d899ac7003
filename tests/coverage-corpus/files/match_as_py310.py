def f(x):
    match x:
        case [a, b] as pair:
            return pair
        case (1 | 2) as n:
            return n
        case _ as rest:
            return rest


f([1, 2])
f(9)
