total = 0


def add():
    global total
    total += 1
    count = 0

    def inner():
        nonlocal count
        count += 1
        return count

    return inner()


add()
