"""s3_uploader - sending from within the function: only where the layer's extension is not.

The object is the same one that the extension would write, under the same key: it is cumulative, and
replaced whenever there is something new.
"""

import hashlib
import os
import sys
import time
import uuid

from . import __version__, _arena, _object, _tracer
from .error_handling import S3UploadError, TimeoutError
from .logging_utils import log, timed

LEAVE_MS = 2000  # less time than that before the function's end: nothing is sent
_STATE = {"sent": 0, "key": None, "environment": None}


def environment_id():
    """32 hexadecimal digits that tell this environment from others."""
    if _STATE["environment"] is None:
        tail = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")[-32:]
        good = len(tail) == 32 and all(c in "0123456789abcdef" for c in tail)
        _STATE["environment"] = tail if good else uuid.uuid4().hex
    return _STATE["environment"]


def generate_s3_key(function_name, execution_id, prefix="coverage/", timestamp=None):
    """{prefix}{YYYY/MM/DD}/{function}/{HHMMSS}-{environment}.coverage, in UTC."""
    when = timestamp.timetuple() if timestamp is not None else time.gmtime()
    return "%s%s/%s/%s-%s.coverage" % (
        prefix,
        time.strftime("%Y/%m/%d", when),
        function_name,
        time.strftime("%H%M%S", when),
        execution_id,
    )


def get_s3_config():
    from .models import CoverageConfig

    c = CoverageConfig.from_environment()
    c.validate()
    return {
        "bucket": c.s3_bucket,
        "prefix": c.s3_prefix,
        "timeout": c.upload_timeout,
        "region": os.environ.get("AWS_REGION", ""),
    }


def client(service="s3", seconds=30.0):
    import boto3
    from botocore.config import Config

    # boto3 reads these variables itself from 1.28 on; runtimes have had older ones.
    endpoint = os.environ.get("AWS_ENDPOINT_URL_" + service.upper())
    return boto3.client(
        service,
        endpoint_url=endpoint or os.environ.get("AWS_ENDPOINT_URL") or None,
        config=Config(
            connect_timeout=seconds,
            read_timeout=seconds,
            retries={"max_attempts": 3, "mode": "standard"},
        ),
    )


def put(bucket, key, body, seconds=30.0, content_type=_object.CONTENT_TYPE, metadata=None):
    """S3UploadError when it could not be written."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client("s3", seconds).put_object(
            Bucket=bucket,
            Key=key,
            Body=body,
            ContentType=content_type,
            ServerSideEncryption="AES256",
            Metadata=dict(metadata or {}),
        )
    except (BotoCoreError, ClientError) as e:
        code = getattr(e, "response", {}).get("Error", {}).get("Code", type(e).__name__)
        raise S3UploadError(str(e), {"bucket": bucket, "s3_key": key, "error_code": code}) from e


def upload_coverage_file(coverage_data, function_name, execution_id, config=None):
    """Bytes of an object to their place; {"success": bool, "s3_key", "bucket", ...}."""
    from .models import CoverageConfig

    config = config or CoverageConfig.from_environment()
    config.validate()
    key = generate_s3_key(function_name, execution_id, config.s3_prefix)
    began = time.perf_counter()
    put(config.s3_bucket, key, coverage_data, float(config.upload_timeout))
    return {
        "success": True,
        "s3_key": key,
        "bucket": config.s3_bucket,
        "file_size": len(coverage_data),
        "upload_time_ms": round((time.perf_counter() - began) * 1000, 3),
    }


def _sha256(path):
    try:
        with open(path, "rb") as f:
            return hashlib.sha256(f.read()).hexdigest()
    except OSError:
        return ""


def _iso(ms):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms / 1000)) + ".%03dZ" % (ms % 1000)


def _meta(head):
    env = os.environ
    meta = {
        "function": env.get("AWS_LAMBDA_FUNCTION_NAME", ""),
        "version": env.get("AWS_LAMBDA_FUNCTION_VERSION", ""),
        "environment": environment_id(),
        "log_group": env.get("AWS_LAMBDA_LOG_GROUP_NAME", ""),
        "log_stream": env.get("AWS_LAMBDA_LOG_STREAM_NAME", ""),
        "region": env.get("AWS_REGION", ""),
        "runtime": "python%d.%d" % sys.version_info[:2],
        "language": "python",
        "architecture": {"aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
        "mechanism": "monitoring" if head["flags"] & _arena.MONITORING else "settrace",
        "branch": "1" if head["flags"] & _arena.BRANCH else "0",
        "started": _iso(head["started_ms"]),
        "updated": _iso(int(time.time() * 1000)),
        "tool": "lamina " + __version__,
    }
    missing = "; ".join(text for text in (head["error"], head["note"]) if text)
    if missing:
        meta["missing"] = missing
    return {k: v for k, v in meta.items() if v}


def snapshot():
    """(news, key's time, bytes) of what this process has executed; None: nothing is counted."""
    path = _arena.find(_tracer.directory(), os.getpid())
    if path is None:
        return None
    with open(path, "rb") as f:
        data = f.read()
    head = _arena.header(data)
    files = _arena.files(data)
    for f in files:
        f["sha256"] = _sha256(f["path"])
    body = _object.write(_meta(head), ("init", head["started_ms"]), files)
    return head["news"], head["started_ms"], body


def _seconds(context, timeout):
    """How long sending may take; TimeoutError when there is no time for it."""
    left = getattr(context, "get_remaining_time_in_millis", None)
    if left is None:
        return float(timeout)
    left = left()
    if left < LEAVE_MS:
        raise TimeoutError("%d ms are left: it is kept for the next time" % left)
    return min(float(timeout), (left - LEAVE_MS / 2) / 1000)


def upload_new(context=None, config=None):
    """Sends what this environment has executed, when that is more than was sent. The key, or None."""
    bucket = config.s3_bucket if config else os.environ.get("COVERAGE_S3_BUCKET", "")
    prefix = config.s3_prefix if config else os.environ.get("COVERAGE_S3_PREFIX", "coverage/")
    if not bucket:
        log("WARNING", "COVERAGE_S3_BUCKET is not set: coverage is not sent", operation="s3_upload")
        return None
    found = snapshot()
    if found is None or found[0] == _STATE["sent"]:
        return None
    news, started_ms, body = found
    timeout = config.upload_timeout if config else os.environ.get("COVERAGE_UPLOAD_TIMEOUT") or 30
    seconds = _seconds(context, timeout)
    if _STATE["key"] is None:
        import datetime

        when = datetime.datetime.utcfromtimestamp(started_ms / 1000)
        function = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "function")
        _STATE["key"] = generate_s3_key(function, environment_id(), prefix, when)
    request_id = getattr(context, "aws_request_id", None)
    with timed("s3_upload", s3_key=_STATE["key"], file_size=len(body), request_id=request_id):
        put(bucket, _STATE["key"], body, seconds)
    _STATE["sent"] = news
    return _STATE["key"]
