"""_lamina_errors - what becomes of an exception: the error that the caller gets, its log
record and its cause for X-Ray. Loaded with the first failure."""

import os
import time
import traceback

import _lamina_json as json
from _lamina_runtime import HERE, Fault

NO_BREAK_SPACE = "\u00a0"


def describe(exception, request_id):
    """(error, cause) of an exception: the payload, and X-Ray's view of it."""
    if isinstance(exception, Fault):
        error = _error(exception.message, exception.kind, request_id, exception.trace)
        return error, _cause("LambdaValidationError", exception.message, [])

    frames = [
        (frame.filename, frame.lineno, frame.name, frame.line)
        for frame in traceback.extract_tb(exception.__traceback__)
    ]
    # Our own frames at the top are of no use to anybody.
    while len(frames) > 1 and os.path.dirname(os.path.abspath(frames[0][0])) == HERE:
        del frames[0]
    kind = type(exception).__name__
    message = str(exception)
    error = _error(message, kind, request_id, traceback.format_list(frames))
    return error, _cause(kind, message, frames)


def _error(message, kind, request_id, trace):
    return {
        "errorMessage": message,
        "errorType": kind,
        "requestId": request_id,
        "stackTrace": trace,
    }


def _cause(kind, message, frames):
    stack = [{"label": name, "path": path, "line": line} for path, line, name, _ in frames]
    return {
        "working_directory": os.getcwd(),
        "exceptions": [{"message": message, "type": kind, "stack": stack}],
        "paths": sorted({path for path, _, _, _ in frames}),
    }


def log(error, sink):
    """The log record of an error, in the function's log format."""
    if os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON":
        record = {"timestamp": _now(), "log_level": "ERROR"}
        record.update(error)
        sink.log_error([json.dumps(record)], 0xA55A0016)
        return

    lines = ["[ERROR] " + error["errorType"]]
    if error["errorMessage"]:
        lines[0] += ": " + error["errorMessage"]
    lines.append("Traceback (most recent call last):")
    for entry in error["stackTrace"]:
        lines += [_indent(line) for line in entry.splitlines()]
    sink.log_error(lines)


def _indent(line):
    # Log viewers cut spaces at the beginning of a line.
    text = line.lstrip(" ")
    return NO_BREAK_SPACE * (len(line) - len(text)) + text


def _now():
    now = time.time_ns() // 1000000
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 1000)) + ".%03dZ" % (now % 1000)
