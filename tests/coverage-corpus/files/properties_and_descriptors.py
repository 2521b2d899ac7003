class A:
    def __init__(self):
        self._x = 1

    @property
    def x(self):
        return self._x

    @x.setter
    def x(self, value):
        if value < 0:
            raise ValueError
        self._x = value

    @x.deleter
    def x(self):
        del self._x


a = A()
a.x = a.x + 1
