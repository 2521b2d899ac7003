def f(a):
    if (a and
            a > 1):  # pragma: no branch
        b = 1
    while (
        a  # pragma: no branch
    ):
        a -= 1
        if a == 1:
            break
    return 1


f(5)
