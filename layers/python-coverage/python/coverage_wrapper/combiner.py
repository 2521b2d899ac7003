"""combiner - the objects of a prefix, joined into one report of coverage.py's JSON.

The union is exact: lines and arcs of every object. What cannot be read is listed with the reason, never
left out in silence. Percentages come from the functions' own sources (lambda:GetFunction) where that is
permitted and they are what was executed, otherwise from the lines that their compiler saw; the result
says which.
"""

import hashlib
import io
import json
import os
import re
import tempfile
import time
import zipfile
from datetime import datetime

from . import _numbers, _object
from .error_handling import CoverageCombineError, S3UploadError
from .logging_utils import log, timed
from .models import CombinerResult
from .s3_uploader import client, put

_KEY = re.compile(r"([^/]+)/\d{6}-([^/]+)\.coverage$")
_PACKAGE_MAX = 260 << 20
_THREADS = 8


# ---- fetched ----


def _listed(s3, bucket, prefix, max_files):
    found = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", ()):
            if not item["Key"].endswith(".coverage"):
                continue
            if max_files is not None and len(found) >= max_files:
                return found
            found.append(item)
    return found


def download_coverage_files(bucket_name, prefix="coverage/", max_files=None):
    """Objects below the prefix as files in /tmp: [{"s3_key", "local_path", "file_size",
    "last_modified", "function_name", "execution_id"}]. What could not be fetched has "error"."""
    if not bucket_name:
        raise ValueError("bucket_name cannot be empty")
    if not prefix.endswith("/"):
        prefix += "/"
    from concurrent.futures import ThreadPoolExecutor

    s3 = client("s3")
    folder = tempfile.mkdtemp(prefix="coverage-")

    def fetch(numbered):
        number, item = numbered
        named = _KEY.search(item["Key"])
        info = {
            "s3_key": item["Key"],
            "local_path": os.path.join(folder, "%06d.coverage" % number),
            "file_size": item["Size"],
            "last_modified": item["LastModified"],
            "function_name": named.group(1) if named else None,
            "execution_id": named.group(2) if named else None,
        }
        try:
            with open(info["local_path"], "wb") as f:
                f.write(s3.get_object(Bucket=bucket_name, Key=item["Key"])["Body"].read())
        except Exception as e:  # this one is told of; the others are combined
            info["error"] = "it cannot be fetched: %s" % e
        return info

    with timed("coverage_files_download", bucket=bucket_name, prefix=prefix):
        items = list(enumerate(_listed(s3, bucket_name, prefix, max_files)))
        with ThreadPoolExecutor(_THREADS) as pool:
            return list(pool.map(fetch, items))


def _clean(infos):
    for info in infos:
        try:
            os.unlink(info["local_path"])
        except OSError:
            pass
    for folder in {os.path.dirname(info["local_path"]) for info in infos}:
        try:
            os.rmdir(folder)
        except OSError:
            pass


# ---- sources ----


class _Sources:
    """Packages of functions, read at most once each."""

    def __init__(self):
        self.packages = {}
        self.refused = {}

    def _package(self, function):
        from urllib.request import urlopen

        try:
            answer = client("lambda").get_function(FunctionName=function)
            with urlopen(answer["Code"]["Location"], timeout=60) as r:
                data = r.read(_PACKAGE_MAX + 1)
            if len(data) > _PACKAGE_MAX:
                raise ValueError("the package is too large")
            return zipfile.ZipFile(io.BytesIO(data))
        except Exception as e:
            self.refused[function] = "%s: %s" % (type(e).__name__, e)
            return None

    def get(self, function, path, sha256):
        """The bytes of a file of /var/task, if they are those that were executed."""
        if not function or not path.startswith("/var/task/"):
            return None
        if function not in self.packages:
            self.packages[function] = self._package(function)
        package = self.packages[function]
        try:
            data = package.read(path[len("/var/task/") :]) if package else None
        except (KeyError, zipfile.BadZipFile, OSError, RuntimeError):
            return None
        if data is None or (sha256 and hashlib.sha256(data).hexdigest() != sha256):
            return None
        return data


# ---- joined ----


def _read_all(file_list):
    """(objects with their infos, errors)"""
    objects, errors = [], []
    for info in file_list:
        if isinstance(info, str):
            info = {"local_path": info}
        name = info.get("s3_key") or info["local_path"]
        try:
            if info.get("error"):
                raise _object.Corrupt(info["error"])
            with open(info["local_path"], "rb") as f:
                objects.append((info, _object.read(f.read())))
        except (_object.Corrupt, OSError) as e:
            errors.append("%s: %s" % (name, e))
    return objects, errors


def _join(objects):
    """{(function, path, sha256): {"raw", "lines", "arcs"}}; one source of several functions is one."""
    joined = {}
    for info, o in objects:
        function = o["meta"].get("function") or info.get("function_name") or ""
        for f in o["files"]:
            if f["kind"] != _object.PYTHON:
                continue
            key = ("" if f["sha256"] else function, f["path"], f["sha256"])
            known = joined.setdefault(
                key,
                {"raw": set(), "lines": set(), "arcs": set(), "functions": set()},
            )
            known["functions"].add(function)
            for part in ("raw", "lines", "arcs"):
                known[part] |= f[part]
    return joined


def _names(joined):
    """A name for each file: its path in the package, with the function in front where two differ."""
    short = {}
    for key in joined:
        path = key[1][len("/var/task/") :] if key[1].startswith("/var/task/") else key[1]
        short.setdefault(path.lstrip("/") or path, []).append(key)
    names = {}
    for path, keys in short.items():
        for key in keys:
            function = min(joined[key]["functions"])
            names[key] = path if len(keys) == 1 else "%s/%s" % (function, path)
        taken = set()
        for key in keys:  # two versions of one function
            if names[key] in taken:
                names[key] += "@" + (key[2][:8] or "unknown")
            taken.add(names[key])
    return names


def merge_coverage_data(file_list):
    """(path of a JSON file in coverage.py's shape, statistics). ValueError when nothing can be
    joined."""
    objects, errors = _read_all(file_list)
    if not objects:
        raise ValueError("; ".join(["there is no coverage object to combine"] + errors[:5]))
    branches = any(o["meta"].get("branch") != "0" for _, o in objects)
    joined, sources = _join(objects), _Sources()
    names, files, ways, errors_of_sources = _names(joined), [], set(), []
    for key in sorted(joined, key=lambda k: names[k]):
        hits, source = joined[key], None
        for function in sorted(hits["functions"]):
            source = source or sources.get(function, key[1], key[2])
        report, counts, way, error = _numbers.file_report(hits, source, branches)
        files.append((names[key], report, counts))
        ways.add(way)
        if error:
            errors_of_sources.append("%s: %s" % (names[key], error))
    out = _numbers.document(files, branches)
    missing = sorted({o["meta"]["missing"] for _, o in objects if o["meta"].get("missing")})
    stats = {
        "files_processed": len(objects),
        "files_skipped": len(errors),
        "errors": errors + errors_of_sources,
        "coverage_percentage": out["totals"]["percent_covered"],
        "functions": sorted({o["meta"].get("function", "") for _, o in objects} - {""}),
        "source_files": len(files),
        "percentages_from": "sources" if ways <= {"sources"} else "+".join(sorted(ways)),
    }
    if sources.refused:
        stats["sources_refused"] = sources.refused
    if missing:
        stats["missing"] = missing
    out["meta"]["lamina"] = {k: v for k, v in stats.items() if k != "coverage_percentage"}
    handle, path = tempfile.mkstemp(prefix="combined-coverage-", suffix=".json")
    with os.fdopen(handle, "w") as f:
        json.dump(out, f)
    return path, stats


def upload_combined_report(combined_file_path, bucket_name, output_key, metadata=None):
    """{"success", "s3_key", "bucket", "file_size"}; S3UploadError when it cannot be written."""
    if not bucket_name or not output_key:
        raise ValueError("bucket_name and output_key cannot be empty")
    if not os.path.exists(combined_file_path):
        raise ValueError("there is no file %s" % combined_file_path)
    with open(combined_file_path, "rb") as f:
        body = f.read()
    text = {k: str(v) for k, v in (metadata or {}).items()}
    with timed("combined_report_upload", s3_key=output_key, file_size=len(body)):
        put(bucket_name, output_key, body, content_type="application/json", metadata=text)
    return {
        "success": True,
        "s3_key": output_key,
        "bucket": bucket_name,
        "file_size": len(body),
    }


def _output_key(prefix):
    below = os.environ.get("COVERAGE_COMBINED_PREFIX") or prefix
    if not below.endswith("/"):
        below += "/"
    return "%scombined-coverage-%s.json" % (below, time.strftime("%Y%m%d-%H%M%S", time.gmtime()))


def _combine(bucket_name, prefix, output_key, infos):
    if not infos:
        raise CoverageCombineError("there are no coverage objects below %s" % prefix)
    path, stats = merge_coverage_data(infos)
    try:
        upload_combined_report(
            path,
            bucket_name,
            output_key,
            {
                "FilesProcessed": stats["files_processed"],
                "FilesSkipped": stats["files_skipped"],
                "CoveragePercentage": "%.2f" % stats["coverage_percentage"],
                "FunctionCount": len(stats["functions"]),
            },
        )
    finally:
        os.unlink(path)
    return stats


def combine_coverage_files(bucket_name, prefix="coverage/", output_key=None, max_files=None):
    """Objects below the prefix into one report in the bucket. A CombinerResult, never an exception but
    for arguments that make no sense."""
    began, infos = time.perf_counter(), []
    output_key = output_key or _output_key(prefix)
    try:
        infos = download_coverage_files(bucket_name, prefix, max_files)
        stats = _combine(bucket_name, prefix, output_key, infos)
    except ValueError as e:
        if not bucket_name:
            raise
        return _failed(output_key, infos, e)
    except (CoverageCombineError, S3UploadError, OSError) as e:
        return _failed(output_key, infos, e)
    except Exception as e:  # botocore's, which is imported when it is needed
        if not type(e).__module__.startswith("botocore"):
            raise
        return _failed(output_key, infos, e)
    finally:
        _clean(infos)
    took = round((time.perf_counter() - began) * 1000)
    log("INFO", "coverage combined", operation="coverage_combine", duration_ms=took, **stats)
    percent = stats.pop("coverage_percentage")
    return CombinerResult(
        success=True,
        combined_file_key=output_key,
        total_coverage_percentage=percent,
        combined_coverage=percent,
        output_location="s3://%s/%s" % (bucket_name, output_key),
        processing_time_ms=took,
        **stats
    )


def _failed(output_key, infos, error):
    log("ERROR", "coverage was not combined: %s" % error, operation="coverage_combine")
    return CombinerResult(
        success=False,
        combined_file_key=output_key,
        files_skipped=len(infos),
        errors=[str(error)],
    )


# ---- the combiner as a function ----


def _jobs(event, bucket):
    """What an event asks for: [(bucket, prefix, output key)]."""
    prefix = event.get("prefix") or os.environ.get("COVERAGE_S3_PREFIX", "coverage/")
    if not prefix.endswith("/"):
        prefix += "/"
    if event.get("source") == "aws.events":
        day = datetime.utcnow().strftime("%Y/%m/%d")
        return [(bucket, prefix + day + "/", None)]
    if "Records" in event:
        from urllib.parse import unquote_plus

        jobs = set()
        for record in event["Records"]:
            s3 = record.get("s3", {})
            key = unquote_plus(s3.get("object", {}).get("key", ""))
            if key.endswith(".coverage"):  # not the reports that are written here
                jobs.add((s3.get("bucket", {}).get("name") or bucket, key.rpartition("/")[0] + "/"))
        return [(b, p, None) for b, p in sorted(jobs)]
    if event.get("date_filter"):
        prefix += event["date_filter"].strip("/") + "/"
    key = event.get("output_key")
    if not key and event.get("combined_prefix"):
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        key = "%s/combined-coverage-%s.json" % (event["combined_prefix"].rstrip("/"), stamp)
    return [(bucket, prefix, key)]


def coverage_combiner_handler(event, context):
    """A handler: by schedule (today's objects), by S3's events (what lies beside the new object), or by
    hand: {"bucket_name", "prefix", "combined_prefix", "output_key", "date_filter", "max_files"}."""
    event = event or {}
    bucket = event.get("bucket_name") or event.get("bucket") or os.environ.get("COVERAGE_S3_BUCKET")
    if not bucket and "Records" not in event:
        return {
            "statusCode": 400,
            "body": json.dumps({"error": "no bucket: COVERAGE_S3_BUCKET is not set"}),
        }
    limit = event.get("max_files")
    results = [combine_coverage_files(b, p, k, limit) for b, p, k in _jobs(event, bucket)]
    if not results:
        return {"statusCode": 200, "body": json.dumps({"message": "nothing to combine"})}
    told = results[0] if len(results) == 1 else {"results": results}
    code = 200 if all(r.success for r in results) else 500
    return dict(told, statusCode=code, body=json.dumps(told))
