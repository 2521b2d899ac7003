class Point:
    __match_args__ = ("x", "y")

    def __init__(self, x, y):
        self.x = x
        self.y = y


def f(p):
    match p:
        case Point(0, 0):
            return "origin"
        case Point(x=0):
            return "axis"
        case {"k": v, **rest}:
            return v
        case [first, *others]:
            return first
        case None | True | False:
            return "constant"


f(Point(0, 0))
f(Point(0, 5))
f({"k": 1})
f([1, 2, 3])
f("nothing")
