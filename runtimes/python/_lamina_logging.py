"""_lamina_logging - the root logger of a function, in text or JSON. Loaded when the function
imports logging."""

import json
import logging
import os
import time
import traceback

import _lamina_runtime as runtime

# Attributes that every record has, or that are ours: the rest are a function's own fields.
_USUAL = frozenset(logging.makeLogRecord({}).__dict__) | {
    "aws_request_id",
    "tenant_id",
    "asctime",
    "message",
    "taskName",
}

_LEVELS = {"TRACE": "DEBUG", "FATAL": "CRITICAL"}


class LambdaLoggerFilter(logging.Filter):
    def filter(self, record):
        record.aws_request_id = runtime.request_id or ""
        record.tenant_id = runtime.tenant_id
        return True


class LambdaLoggerHandler(logging.Handler):
    def __init__(self, frame_base):
        super().__init__()
        self.frame_base = frame_base

    @property
    def log_sink(self):
        return runtime.log_sink

    def emit(self, record):
        # In a frame's type the level is 2 (debug) to 6 (critical), shifted by two.
        level = min(max(record.levelno, 0), 50) // 10
        frame_type = self.frame_base | ((level + 1) << 2 if level else 0)
        text = self.format(record)
        if not runtime.log_sink.framed and not text.endswith("\n"):
            text += "\n"  # behind a traceback
        runtime.log_sink.log(text, frame_type)


class JsonFormatter(logging.Formatter):
    def format(self, record):
        levelno = min(max(record.levelno, 0), 50) // 10 * 10
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry = {
            "timestamp": "{}.{:03d}Z".format(seconds, int(record.created * 1000) % 1000),
            "level": logging.getLevelName(levelno),
            "message": record.getMessage(),
            "logger": record.name,
        }
        if record.exc_info:
            kind, exception, trace = record.exc_info
            entry["stackTrace"] = traceback.format_tb(trace)
            entry["errorType"] = kind.__name__ if kind else None
            entry["errorMessage"] = str(exception)
        entry["requestId"] = getattr(record, "aws_request_id", None)
        if record.exc_info:
            entry["location"] = "{}:{}:{}".format(record.pathname, record.funcName, record.lineno)
        entry["tenantId"] = getattr(record, "tenant_id", None)
        for key, value in record.__dict__.items():
            if key not in _USUAL and key not in entry:
                entry[key] = value
        entry = {key: value for key, value in entry.items() if value is not None}
        return json.dumps(entry, ensure_ascii=False, default=str) + "\n"


def set_up(logging):
    in_json = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    level = _LEVELS.get(level, level)

    logging.Formatter.converter = time.gmtime
    handler = LambdaLoggerHandler(0xA55A0002 if in_json else 0xA55A0003)
    if in_json:
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(
            logging.Formatter(
                "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n",
                "%Y-%m-%dT%H:%M:%S",
            )
        )
    handler.addFilter(LambdaLoggerFilter())
    root = logging.getLogger()
    root.addHandler(handler)
    if level in ("DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL"):
        root.setLevel(level)
