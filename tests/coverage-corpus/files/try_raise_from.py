def f():
    try:
        raise ValueError
    except ValueError as e:
        raise KeyError from e


try:
    f()
except KeyError:
    pass
