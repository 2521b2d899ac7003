def never(
    x,
    y,  # pragma: no cover
):
    return x


def neither(
    x,
):  # pragma: no cover
    return x


b = 2
