class Never:  # pragma: no cover
    x = 1

    def method(self):
        return 1


class Some:
    def yes(self):
        return 1

    def no(self):  # pragma: no cover
        return 2


Some().yes()
