try:
    if len("abc") == 3:
        raise ValueError
    a = 1
except ValueError:
    a = 2
