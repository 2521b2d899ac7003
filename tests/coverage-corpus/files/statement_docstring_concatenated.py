def f():
    "one " "and " \
        "two"
    return 1


f()
