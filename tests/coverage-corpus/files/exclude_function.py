a = 1


def never(x):  # pragma: no cover
    """Documented."""
    # a comment

    if x:
        return 1
    return 2


b = 2
