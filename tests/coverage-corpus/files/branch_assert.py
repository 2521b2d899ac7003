def f(a):
    assert a, "no"
    return a


f(1)
try:
    f(0)
except AssertionError:
    pass
