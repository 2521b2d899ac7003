from typing import overload


def f(): ...


def g() -> int: ...


async def h(): ...


class P:
    def method(self): ...

    def other(self) -> "P": ...  # what it is

    def third(self):
        ...

    x: int = ...


@overload
def o(a: int) -> int: ...
@overload
def o(a: str) -> str: ...
def o(a):
    return a


o(1)
