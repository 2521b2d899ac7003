def f():
    try:
        return 1
    finally:
        c = 3


f()
