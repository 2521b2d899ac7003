"""Spans for functions: what ran, how long, with what outcome.

    tracer = Tracer(project="shop", api_key=key)

    @tracer.traced
    def price(order): ...

    with tracer.span("checkout", order=7):
        price(order)

    tracer.flush()      # one JSON line a span, to the tracer's output
"""

import contextvars
import functools
import json
import sys
import time
from contextlib import contextmanager

import sortid

__version__ = "1.2.0"
__all__ = ["Span", "Tracer"]

_current = contextvars.ContextVar("tracekit_span", default=None)


class Span:
    """One piece of work. Times are milliseconds."""

    def __init__(self, name, trace_id, parent_id, attributes):
        self.name = name
        self.id = sortid.new()
        self.trace_id = trace_id
        self.parent_id = parent_id
        self.attributes = dict(attributes)
        self.error = None
        self.start_ms = time.time() * 1000
        self.duration_ms = None
        self._started = time.perf_counter()

    def set(self, **attributes):
        self.attributes.update(attributes)

    def end(self, error=None):
        self.duration_ms = (time.perf_counter() - self._started) * 1000
        if error is not None:
            self.error = "{}: {}".format(type(error).__name__, error)

    def as_dict(self):
        return {
            "trace_id": self.trace_id,
            "span_id": self.id,
            "parent_id": self.parent_id,
            "name": self.name,
            "start_ms": round(self.start_ms, 3),
            "duration_ms": round(self.duration_ms, 3),
            "status": "error" if self.error else "ok",
            "error": self.error,
            "attributes": self.attributes,
        }


class Tracer:
    """Collects spans and writes them out when told to."""

    def __init__(self, project, api_key, source="local", output=None):
        if not api_key:
            raise ValueError("tracekit needs an API key")
        self.project = project
        self.source = source
        self.output = output or sys.stdout
        self.spans = []
        # Never the key itself: spans end up in logs.
        self.key_hint = "..." + api_key[-4:]

    @contextmanager
    def span(self, name, **attributes):
        parent = _current.get()
        span = Span(
            name,
            parent.trace_id if parent else sortid.new(),
            parent.id if parent else None,
            attributes,
        )
        token = _current.set(span)
        try:
            yield span
        except BaseException as e:
            span.end(e)
            raise
        else:
            span.end()
        finally:
            _current.reset(token)
            self.spans.append(span)

    def traced(self, function):
        """A decorator: each call becomes a span named after the function."""

        @functools.wraps(function)
        def call(*args, **kwargs):
            with self.span(function.__qualname__):
                return function(*args, **kwargs)

        return call

    def flush(self):
        """Writes the spans collected so far; their number."""
        spans, self.spans = self.spans, []
        for span in spans:
            record = dict(span.as_dict(), project=self.project, source=self.source)
            self.output.write("SPAN " + json.dumps(record) + "\n")
        return len(spans)
