def f(*args, **kwargs):
    return args, kwargs


f(
    1,
    2,
    key=f(
        3,
    ),
)
x = f(1)[
    0
]
