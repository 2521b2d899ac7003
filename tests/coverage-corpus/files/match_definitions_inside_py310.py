# Functions and classes that only a case defines.
def kind(x):
    match x:
        case 1:
            def inner(y):
                """Its documentation."""
                if y:
                    return 1
                return 2

            return inner
        case _:
            class Other:
                """Its documentation."""

                def go(self, y):
                    for i in range(y):
                        if i:
                            break
                    else:
                        return 1
                    return 2

            return Other().go


kind(1)(0)
kind(2)(1)
