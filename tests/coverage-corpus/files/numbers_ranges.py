def f(a):
    if a:
        b = 1

        # a comment
        c = 2
        d = 3
    e = 4
    if a:
        g = 1
    return e
    h = 1


def i():
    j = 1

    k = 2
    return j + k


f(0)
