"""logging_utils - one JSON line for each thing worth telling, to stderr."""

import json
import os
import sys
import time

LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}


def _threshold():
    if os.environ.get("COVERAGE_DEBUG", "").strip().lower() in ("1", "true", "yes", "on"):
        return 10
    return LEVELS.get(os.environ.get("COVERAGE_LOG_LEVEL", "").strip().upper(), 20)


def log(level, message, **fields):
    """A line, unless COVERAGE_LOG_LEVEL keeps it back. Never raises."""
    if LEVELS[level] < _threshold():
        return
    now = time.time()
    line = {
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
        + ".%03dZ" % (now * 1000 % 1000),
        "level": level,
        "logger": "coverage_wrapper",
        "message": message,
        "function_name": os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
        "function_version": os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", ""),
    }
    line.update(fields)
    try:
        sys.stderr.write(json.dumps(line, default=str) + "\n")
        sys.stderr.flush()
    except (OSError, ValueError, TypeError):
        pass


class timed:
    """with timed("operation", bucket=...) as t: one line at the end, with duration_ms."""

    def __init__(self, operation, **fields):
        self.operation, self.fields = operation, fields

    def __enter__(self):
        self.began = time.perf_counter()
        return self

    def duration_ms(self):
        return round((time.perf_counter() - self.began) * 1000, 3)

    def __exit__(self, kind, error, trace):
        fields = dict(self.fields, operation=self.operation, duration_ms=self.duration_ms())
        if error is None:
            log("INFO", "Performance: %s completed" % self.operation, **fields)
        else:
            log(
                "ERROR",
                "%s failed: %s" % (self.operation, error),
                error_type=kind.__name__,
                **fields
            )
        return False
