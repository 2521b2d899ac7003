def f():  # pragma: no cover
    return 1
