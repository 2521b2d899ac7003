a = 1
"not a docstring"
1
"""nor
is this"""


def f():
    b"bytes are none"
    return 1


def g():
    f"nor is {a}"
    return 1


f()
g()
