def f(x):
    match (
        x
    ):
        case [
            1,
            2,
        ]:
            return 1
        case (
            3
            | 4
        ):
            return 2


f([1, 2])
f(3)
