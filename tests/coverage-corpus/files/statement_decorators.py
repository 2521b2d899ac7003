def plain(f):
    return f


def made(*args):
    return plain


@plain
def one():
    return 1


@plain
@made(1,
      2)
@made()
def two():
    return 2


@plain
class Three:
    @staticmethod
    def four():
        return 4


one()
Three.four()
