def f(
    a,
    b=1,
    *,
    c=2
):
    return a + b + c


def g(a,
      b): return a + b


f(1)
