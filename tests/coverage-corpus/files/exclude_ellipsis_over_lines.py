def f(
    a,
    b,
): ...


def g(
    a,
) -> int: ...


class C:
    def m(
        self,
        n,
    ): ...


x = 1
