type Pair = tuple[int, int]
type Long = (
    int |
    str
)


def first[T](a: list[T]) -> T:
    return a[0]


class Box[T]:
    def __init__(self, value: T):
        self.value = value


first([1])
Box(1)
