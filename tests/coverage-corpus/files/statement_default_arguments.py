def f(a=1, b=[
    1,
    2,
], c=lambda: 3):
    return a


f()
