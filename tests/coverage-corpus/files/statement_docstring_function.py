def documented():
    """Only this."""


def documented_too():
    """This,

    and more."""
    return 1


documented()
documented_too()
