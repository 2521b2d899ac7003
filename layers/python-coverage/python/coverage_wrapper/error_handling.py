"""error_handling - what can go wrong, by name. None of it ever reaches a covered function."""


class CoverageError(Exception):
    """Anything about coverage; `details` is for the log."""

    def __init__(self, message="", details=None):
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})


class CoverageInitializationError(CoverageError):
    """Counting could not begin."""


class S3UploadError(CoverageError):
    """An object could not be written."""


class TimeoutError(CoverageError):  # the name that the layer's users know
    """There was not enough time left."""


class CoverageCombineError(CoverageError):
    """Objects could not be combined."""
