"""health_check - whether coverage works in this environment, and why not."""

import json
import os
import sys
from datetime import datetime

from . import __version__, _tracer
from .models import CoverageConfig, HealthCheckResponse

_VARIABLES = (
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_REGION",
    "COVERAGE_S3_BUCKET",
    "COVERAGE_S3_PREFIX",
    "COVERAGE_UPLOAD_TIMEOUT",
    "COVERAGE_BRANCH_COVERAGE",
)


def get_coverage_status():
    """{"enabled", "active", "config_valid", "errors", "initialized", "config", ...}"""
    status = {"enabled": False, "active": False, "config_valid": False, "errors": []}
    try:
        config = CoverageConfig.from_environment()
        config.validate()
        status["config_valid"] = status["enabled"] = True
        status["config"] = dict(vars(config))
    except ValueError as e:
        status["config"] = {}
        status["errors"].append("Configuration error: %s" % e)
    if os.environ.get("COVERAGE_ENABLED", "true").strip().lower() in ("0", "false", "no", "off"):
        status["enabled"] = False
        status["errors"].append("COVERAGE_ENABLED turns it off")
    told = _tracer.status()
    status["active"] = status["initialized"] = bool(told["active"])
    for name in ("mechanism", "branch"):
        if name in told:
            status[name] = told[name]
    if not told["active"]:
        status["errors"].append(told.get("error") or "nothing is counted here")
    status["delivery"] = "extension" if _tracer.has_shipper() else "handler"
    return status


def _hidden(name, value):
    if "BUCKET" not in name:
        return value
    return "%s...%s" % (value[:3], value[-3:]) if len(value) > 6 else "***"


def get_layer_info():
    """{"version", "python_version", "function_name", "s3_config", "environment_vars", ...}"""
    info = {
        "version": __version__,
        "python_version": "%d.%d.%d" % sys.version_info[:3],
        "coverage_version": __version__,
        "dependencies": {},
        "function_name": os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "unknown"),
        "environment_vars": {n: _hidden(n, os.environ[n]) for n in _VARIABLES if n in os.environ},
    }
    try:
        c = CoverageConfig.from_environment()
        info["s3_config"] = {
            "bucket": c.s3_bucket,
            "prefix": c.s3_prefix,
            "upload_timeout": c.upload_timeout,
            "branch_coverage": c.branch_coverage,
            "has_include_patterns": c.include_patterns is not None,
            "has_exclude_patterns": c.exclude_patterns is not None,
        }
    except ValueError:
        info["s3_config"] = {"error": "Configuration not available"}
    return info


def _health():
    status, info = get_coverage_status(), get_layer_info()
    healthy = status["active"] and status["config_valid"] and not status["errors"]
    response = HealthCheckResponse(
        status="healthy" if healthy else "unhealthy",
        coverage_enabled=status["enabled"],
        layer_version=info["version"],
        s3_config=info["s3_config"],
        timestamp=datetime.utcnow(),
        errors=status["errors"],
    )
    details = {
        "coverage_active": status["active"],
        "delivery": status["delivery"],
        "mechanism": status.get("mechanism"),
        "python_version": info["python_version"],
        "function_name": info["function_name"],
        "environment_vars": info["environment_vars"],
    }
    return response, details


def get_health_status():
    """The same as an object."""
    return _health()[0]


def health_check_handler(event=None, context=None):
    """The health as a dict; statusCode is 503 where coverage is not active. An HTTP request (a
    function URL, an API) gets a whole response."""
    response, details = _health()
    told = response.to_dict()
    told["details"] = details
    code = 200 if response.status == "healthy" else 503
    if isinstance(event, dict) and ("httpMethod" in event or "requestContext" in event):
        return {
            "statusCode": code,
            "headers": {"Content-Type": "application/json", "Cache-Control": "no-store"},
            "body": json.dumps(told),
        }
    told["statusCode"] = code
    return told
