class Thing:
    """A thing."""

    size = 1

    def method(self):
        """What it does."""
        return self.size


Thing().method()
