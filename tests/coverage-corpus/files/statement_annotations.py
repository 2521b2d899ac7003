a: int
b: int = 1


class Point:
    x: int
    y: int = 2

    def method(self, z: int) -> int:
        w: int
        v: int = 3
        return v + z


Point().method(1)
