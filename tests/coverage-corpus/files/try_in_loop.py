def f(items):
    r = []
    for i in items:
        try:
            r.append(1 / i)
        except ZeroDivisionError:
            continue
        except TypeError:
            break
    return r


f([1, 0, "x", 2])
