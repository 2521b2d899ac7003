class Meta(type):
    def __new__(cls, name, bases, space, **kwargs):
        return super().__new__(cls, name, bases, space)

    def __init__(cls, name, bases, space, **kwargs):
        super().__init__(name, bases, space)


class A(
    metaclass=Meta,
    option=1,
):
    x = 1
