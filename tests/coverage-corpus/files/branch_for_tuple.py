for a, b in [(1, 2), (3, 4)]:
    if a == b:
        c = 1
    else:
        c = 2
