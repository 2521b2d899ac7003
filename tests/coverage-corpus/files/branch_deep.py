def f(a):
    if a > 1:
        if a > 2:
            if a > 3:
                if a > 4:
                    if a > 5:
                        return 5
                    return 4
                return 3
            return 2
        return 1
    return 0


for i in range(4):
    f(i)
