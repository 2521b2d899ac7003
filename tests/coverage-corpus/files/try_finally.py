def f(a):
    r = []
    try:
        r.append(1 / a)
    finally:
        r.append(2)
    return r


f(1)
try:
    f(0)
except ZeroDivisionError:
    pass
