def plain(f):
    return f


@plain
def never():  # pragma: no cover
    return 1


a = 1
