"""wrapper - counting for functions that ask for it themselves.

Where the exec wrapper has begun already, before the function's module was imported, the decorator has
nothing to do: hits are in shared memory, and the layer's extension sends them after the response.
Without the extension (container images) what is new is sent before the handler returns.
"""

import functools
import os

from . import _tracer
from .logging_utils import log, timed


def _enabled():
    return os.environ.get("COVERAGE_ENABLED", "true").strip().lower() not in (
        "0",
        "false",
        "no",
        "off",
    )


def _begin(options=None):
    """True when this call has begun counting. Nothing that goes wrong reaches the function."""
    if not _enabled():
        return False
    try:
        if _tracer.is_active():
            return False
        began = _tracer.begin(options)
        why = None if began else _tracer.status().get("error")
    except Exception as e:
        log("ERROR", "coverage did not begin: %s" % e, operation="coverage_initialization")
        return False
    if why:
        _tell_once("coverage is off: %s" % why)
    return began


@functools.lru_cache(maxsize=32)
def _tell_once(message):
    log("WARNING", message, operation="coverage_initialization")


def _finish(context=None, config=None):
    """What is new leaves, unless the layer's extension sees to that."""
    if not _enabled() or _tracer.has_shipper():
        return
    try:
        from .s3_uploader import upload_new

        upload_new(context, config)
    except Exception as e:
        log("ERROR", "coverage was not sent: %s" % e, operation="coverage_finalization")


def _prepare():
    """The tracer's memory and its word at each invocation's end, before the first invocation: the
    extension then waits for what a CoverageContext will have counted, and sends it at once instead of
    at its next occasion."""
    if not _enabled() or not _tracer.has_shipper() or _tracer.module() is None:
        return
    try:
        if _tracer.begin():
            _tracer.end()
            if _tracer.tells_done():
                with open(os.path.join(_tracer.directory(), "tells-done"), "w") as f:
                    f.write(str(os.getpid()))
    except Exception as e:
        log("ERROR", "coverage did not begin: %s" % e, operation="coverage_initialization")


def is_coverage_initialized():
    return _tracer.is_active()


def coverage_handler(func):
    """Decorator of a handler: it is covered, and behaves as it did."""
    _begin()

    @functools.wraps(func)
    def covered(*args, **kwargs):
        _begin()
        try:
            return func(*args, **kwargs)
        finally:
            _finish(args[1] if len(args) > 1 else kwargs.get("context"))

    return covered


class CoverageContext:
    """with CoverageContext(): what is within is covered, and nothing else unless it is anyway."""

    def __init__(self, config=None):
        self.config = config
        self._began = False

    def __enter__(self):
        options = None
        if self.config is not None:
            options = {
                "branch": self.config.branch_coverage,
                "include": ",".join(self.config.include_patterns or ()) or None,
                "exclude": ",".join(self.config.exclude_patterns or ()) or None,
            }
        self._began = _begin({k: v for k, v in (options or {}).items() if v is not None})
        return self

    def __exit__(self, kind, error, trace):
        if self._began:
            with timed("coverage_finalization"):
                _tracer.end()
        _finish(None, self.config)
        return None


_prepare()
