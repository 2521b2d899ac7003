class A:
    if True:
        def f(self):
            return 1
    else:
        def f(self):
            return 2

    try:
        import there_is_no_such_module
    except ImportError:
        x = 1

    for name in ("a", "b"):
        if name == "c":
            y = 1


A().f()
