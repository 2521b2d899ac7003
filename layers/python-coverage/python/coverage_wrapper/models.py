"""models - what the layer's functions take and give."""

import os
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Dict, List, Optional

_TRUE = ("1", "true", "yes", "on")


def _patterns(name):
    items = [p.strip() for p in os.environ.get(name, "").split(",")]
    return [p for p in items if p] or None


@dataclass
class CoverageConfig:
    """What the COVERAGE_* variables say."""

    s3_bucket: str
    s3_prefix: str = "coverage/"
    upload_timeout: int = 30
    include_patterns: Optional[List[str]] = None
    exclude_patterns: Optional[List[str]] = None
    branch_coverage: bool = True
    debug: bool = False

    @classmethod
    def from_environment(cls) -> "CoverageConfig":
        """ValueError when a variable is missing or makes no sense."""
        env = os.environ
        bucket = env.get("COVERAGE_S3_BUCKET", "")
        if not bucket:
            raise ValueError("COVERAGE_S3_BUCKET environment variable is required")
        timeout = env.get("COVERAGE_UPLOAD_TIMEOUT") or "30"
        if not timeout.strip().isdigit():
            raise ValueError("COVERAGE_UPLOAD_TIMEOUT is no number of seconds: %r" % timeout)
        return cls(
            s3_bucket=bucket,
            s3_prefix=env.get("COVERAGE_S3_PREFIX", "coverage/"),
            upload_timeout=int(timeout),
            include_patterns=_patterns("COVERAGE_INCLUDE_PATTERNS"),
            exclude_patterns=_patterns("COVERAGE_EXCLUDE_PATTERNS"),
            branch_coverage=env.get("COVERAGE_BRANCH_COVERAGE", "true").strip().lower() in _TRUE,
            debug=env.get("COVERAGE_DEBUG", "").strip().lower() in _TRUE,
        )

    def validate(self) -> None:
        """ValueError when it cannot work; a prefix gets its slash."""
        if not self.s3_bucket:
            raise ValueError("s3_bucket cannot be empty")
        if self.upload_timeout <= 0:
            raise ValueError("upload_timeout must be positive")
        if not self.s3_prefix.endswith("/"):
            self.s3_prefix += "/"


@dataclass
class CoverageReportMetadata:
    """One object in the bucket."""

    function_name: str
    execution_id: str
    timestamp: datetime
    s3_key: str
    file_size: int
    coverage_percentage: Optional[float] = None
    lines_covered: Optional[int] = None
    lines_total: Optional[int] = None
    branches_covered: Optional[int] = None
    branches_total: Optional[int] = None

    def to_dict(self) -> Dict[str, Any]:
        return dict(vars(self), timestamp=self.timestamp.isoformat())


@dataclass
class HealthCheckResponse:
    """Whether coverage works here."""

    status: str  # "healthy" or "unhealthy"
    coverage_enabled: bool
    layer_version: str
    s3_config: Dict[str, Any]
    timestamp: datetime
    errors: Optional[List[str]] = field(default_factory=list)
    warnings: Optional[List[str]] = None

    def to_dict(self) -> Dict[str, Any]:
        return dict(
            vars(self), timestamp=self.timestamp.isoformat(), errors=list(self.errors or [])
        )


class CombinerResult(dict):
    """What became of combining: a dict, so that it goes into JSON; its keys are attributes too."""

    def __init__(
        self,
        success=False,
        combined_file_key="",
        files_processed=0,
        files_skipped=0,
        total_coverage_percentage=0.0,
        errors=None,
        **more
    ):
        super().__init__(
            success=success,
            combined_file_key=combined_file_key,
            files_processed=files_processed,
            files_skipped=files_skipped,
            total_coverage_percentage=total_coverage_percentage,
            errors=list(errors or []),
            **more
        )

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name, value):
        self[name] = value

    def to_dict(self) -> Dict[str, Any]:
        return dict(self)
