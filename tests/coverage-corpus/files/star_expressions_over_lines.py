def f(*a, **k):
    return a


args = [1]
f(
    *args,
    **{
        "x": 1,
    }
)
first, *rest = (
    1,
    2,
    3,
)
