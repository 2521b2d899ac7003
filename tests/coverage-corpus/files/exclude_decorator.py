def plain(f):
    return f


@plain  # pragma: no cover
def never():
    return 1


@plain
@plain  # pragma: no cover
class Never:
    x = 1


@plain
def called():
    return 2


called()
