"""coverage_wrapper - what functions import to be covered, to tell of it, and to combine.

Functions need none of it: the layer's exec wrapper counts without any change to their code. Names are
loaded when they are used, so that a cold start pays for what it takes: coverage_handler costs a
millisecond, the combiner brings boto3 along.
"""

__version__ = "0.1.0"

_HOMES = {
    "wrapper": ("coverage_handler", "CoverageContext"),
    "health_check": (
        "health_check_handler",
        "get_coverage_status",
        "get_layer_info",
        "get_health_status",
    ),
    "combiner": (
        "combine_coverage_files",
        "coverage_combiner_handler",
        "download_coverage_files",
        "merge_coverage_data",
        "upload_combined_report",
    ),
    "models": (
        "CoverageConfig",
        "CoverageReportMetadata",
        "HealthCheckResponse",
        "CombinerResult",
    ),
    "error_handling": (
        "CoverageError",
        "CoverageInitializationError",
        "S3UploadError",
        "TimeoutError",
        "CoverageCombineError",
    ),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name):
    home = _HOME.get(name)
    if home is None:
        raise AttributeError("module 'coverage_wrapper' has no attribute %r" % name)
    from importlib import import_module

    value = globals()[name] = getattr(import_module("." + home, __name__), name)
    return value


def __dir__():
    return sorted(set(globals()) | set(_HOME))
