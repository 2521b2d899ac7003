def outer(a):
    def inner(b):
        def innermost(c):
            return c
        return innermost(b)
    return inner(a)


def other():
    def never():
        return 1
    return 2


outer(1)
other()
