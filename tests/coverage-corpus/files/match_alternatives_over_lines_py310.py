# Alternatives on lines of their own: what a case puts down belongs to its first line.
def kind(x):
    match x:
        case (1 |
              2):
            found = "small"
        case ((3, n) |
              (n, 3)):
            found = "pair"
        case [5,
              m] if m > 5:
            found = "list"
        case {"a": (1 |
                    2)}:
            found = "a"
    return 0


def in_loop(xs):
    for x in xs:
        match x:
            case ("a" |
                  "b") if xs:
                last = 1


def last(x):
    match x:
        case (1 |
              2):
            return 5


kind(2)
kind((4, 3))
kind((4, 4))
kind([5, 4])
in_loop("bc")
last(3)
