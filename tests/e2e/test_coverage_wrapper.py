"""coverage_wrapper as functions use it: each way of its documentation, written anew, on the cloud."""

import importlib
import json
import os
import subprocess
import sys
import time

import pytest

from cloud import client, lamina

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PACKAGE = os.path.join(ROOT, "layers", "python-coverage", "python")


def package_module(name):
    """A module of the package in this process, for reading what has arrived."""
    sys.dont_write_bytecode = True
    if PACKAGE not in sys.path:
        sys.path.insert(0, PACKAGE)
    return importlib.import_module("coverage_wrapper." + name)


@pytest.fixture(scope="module")
def layer_zip(tmp_path_factory):
    path = tmp_path_factory.mktemp("layer") / "layer.zip"
    r = lamina("layer", "build", "python-coverage", "-o", path, check=False)
    if r.returncode:
        pytest.fail("the coverage layer cannot be built here: " + r.stderr)
    return path.read_bytes()


@pytest.fixture
def layer(cloud, layer_zip):
    # One version for all tests of this file: the description says which zip it is.
    name = "wrapper-tests"
    try:
        versions = cloud.lambda_.list_layer_versions(LayerName=name)["LayerVersions"]
    except cloud.lambda_.exceptions.ResourceNotFoundException:
        versions = []
    if versions:
        return versions[0]["LayerVersionArn"]
    r = cloud.lambda_.publish_layer_version(LayerName=name, Content={"ZipFile": layer_zip})
    return r["LayerVersionArn"]


@pytest.fixture
def covered(cloud, layer, bucket):
    """A function with the layer; exec_wrapper=False: it only imports coverage_wrapper."""

    def make(source, exec_wrapper=True, **variables):
        env = {"COVERAGE_S3_BUCKET": bucket}
        if exec_wrapper:
            env["AWS_LAMBDA_EXEC_WRAPPER"] = "/opt/lamina-coverage"
        env.update(variables)
        allowed = ["logs:*", "s3:*", "lambda:GetFunction"]
        role = cloud.role([{"Effect": "Allow", "Action": allowed, "Resource": "*"}])
        return cloud.function(
            source,
            Layers=[layer],
            Environment={"Variables": {k: v for k, v in env.items() if v is not None}},
            Timeout=30,
            MemorySize=1769,
            Role=role,
        )

    make.bucket = bucket
    return make


def content(cloud, bucket, key):
    return cloud.s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def objects(cloud, bucket, name, within=10):
    """What has come of a function: [(key, object)]."""
    read = package_module("_object").read
    deadline = time.monotonic() + within
    while True:
        found = cloud.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        keys = [o["Key"] for o in found if "/%s/" % name in o["Key"]]
        if keys or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    return [(key, read(content(cloud, bucket, key))) for key in keys]


def lines(found):
    files = [f for _, o in found for f in o["files"] if f["path"].endswith("app.py")]
    return {n for f in files for n in f["lines"]}


DECORATED = """\
import json
from coverage_wrapper import coverage_handler

CONSTANT = 1

@coverage_handler
def handler(event, context):
    \"\"\"Its docstring.\"\"\"
    if event.get("fail"):
        raise KeyError("fail")
    return {"statusCode": 200, "body": json.dumps({"name": handler.__name__, "doc": handler.__doc__})}
"""


def test_the_decorator_beside_the_exec_wrapper(cloud, covered):
    """Module level counts too, and the handler behaves as before: result, name, exceptions."""
    name = covered(DECORATED)
    r = cloud.invoke(name, {})
    assert json.loads(r.payload["body"]) == {"name": "handler", "doc": "Its docstring."}
    assert {1, 2, 4, 6, 9, 11} <= lines(objects(cloud, covered.bucket, name))
    r = cloud.invoke(name, {"fail": True})
    assert r.error and r.payload["errorType"] == "KeyError"
    assert 10 in lines(objects(cloud, covered.bucket, name))
    (key, o), = objects(cloud, covered.bucket, name)
    assert key.startswith(time.strftime("coverage/%Y/", time.gmtime()))
    assert key.endswith(".coverage")
    assert o["meta"]["function"] == name and o["meta"]["branch"] == "1"


def test_the_decorator_alone(cloud, covered):
    """Without the exec wrapper counting begins where the decorator stands."""
    name = covered(DECORATED, exec_wrapper=False)
    assert cloud.invoke(name, {}).payload["statusCode"] == 200
    found = lines(objects(cloud, covered.bucket, name))
    assert {9, 11} <= found and 10 not in found and 1 not in found


CONTEXT = """\
from coverage_wrapper import CoverageContext

def before():
    return 1

def work(event):
    return event["n"] * 2

def after():
    return 3

def handler(event, context):
    before()
    with CoverageContext():
        result = work(event)
    after()
    return result
"""


def test_a_context_covers_what_is_within(cloud, covered):
    name = covered(CONTEXT, exec_wrapper=False)
    assert cloud.invoke(name, {"n": 21}).payload == 42
    found = lines(objects(cloud, covered.bucket, name))
    assert 7 in found and not found & {4, 10}


HEALTH = """\
import json
from coverage_wrapper import coverage_handler, health_check_handler
from coverage_wrapper import get_coverage_status, get_layer_info, get_health_status

@coverage_handler
def handler(event, context):
    if event.get("path") == "/health":
        return {"statusCode": 200, "body": json.dumps(health_check_handler())}
    if event.get("requestContext"):
        return health_check_handler(event, context)
    return json.loads(json.dumps([get_coverage_status(), get_layer_info(),
                                  get_health_status().to_dict()]))
"""


def test_health_where_it_works(cloud, covered):
    name = covered(HEALTH)
    body = json.loads(cloud.invoke(name, {"path": "/health"}).payload["body"])
    assert body["status"] == "healthy" and body["coverage_enabled"] and body["errors"] == []
    assert body["s3_config"]["bucket"] == covered.bucket
    assert body["details"]["coverage_active"] and body["details"]["function_name"] == name
    assert body["details"]["delivery"] == "extension"
    status, info, whole = cloud.invoke(name, {}).payload
    assert status["active"] and status["config_valid"]
    assert status["mechanism"] in ("settrace", "monitoring")
    assert info["python_version"].startswith("3.") and info["version"] == whole["layer_version"]


def test_health_says_503_and_why(cloud, covered):
    name = covered(HEALTH, COVERAGE_ENABLED="false", COVERAGE_S3_BUCKET=None)
    r = cloud.invoke(name, {"requestContext": {"http": {"method": "GET"}}}).payload
    assert r["statusCode"] == 503 and r["headers"]["Content-Type"] == "application/json"
    body = json.loads(r["body"])
    assert body["status"] == "unhealthy" and not body["details"]["coverage_active"]
    told = " ".join(body["errors"])
    assert "COVERAGE_ENABLED" in told and "COVERAGE_S3_BUCKET" in told


FALLBACK = """\
import os
os.environ["LAMINA_COVERAGE_DIR"] = "/tmp/elsewhere"  # no extension looks there, as in an image
from coverage_wrapper import coverage_handler

@coverage_handler
def handler(event, context):
    return work(event)

def work(event):
    return sorted(event)
"""


def test_without_the_extension_the_handler_sends(cloud, covered, tmp_path):
    name = covered(FALLBACK, exec_wrapper=False, AWS_ENDPOINT_URL=None)
    r = cloud.invoke(name, [2, 1])
    assert r.payload == [1, 2]
    found = objects(cloud, covered.bucket, name)
    assert len(found) == 1 and {7, 10} <= lines(found), r.log
    line = next(json.loads(l) for l in r.log.splitlines() if '"s3_upload"' in l)
    assert line["operation"] == "s3_upload" and line["duration_ms"] > 0
    assert line["s3_key"] == found[0][0]
    assert '"s3_upload"' not in cloud.invoke(name, [3]).log  # nothing new, nothing sent
    # What Python has written is read as what the extension writes.
    (tmp_path / "o.coverage").write_bytes(content(cloud, covered.bucket, found[0][0]))
    (tmp_path / "app.py").write_text(FALLBACK)
    report = lamina("coverage", "report", "--from", "o.coverage", "-m", cwd=tmp_path).stdout
    row = next(l.split() for l in report.splitlines() if l.startswith("app.py"))
    statements = {1, 2, 3, 5, 6, 7, 9, 10}
    assert row[1:3] == ["8", str(len(statements - lines(found)))], report


COMBINER = """\
import json, os
from coverage_wrapper import coverage_combiner_handler, combine_coverage_files

def handler(event, context):
    if "prefix_only" in event:
        result = combine_coverage_files(
            bucket_name=os.environ["COVERAGE_S3_BUCKET"],
            prefix=event["prefix_only"],
            output_key="coverage/combined/daily-report.json",
        )
        return {"statusCode": 200, "body": json.dumps(result)}
    return coverage_combiner_handler(event, context)
"""

BRANCHES = """\
def handler(event, context):
    if event.get("a"):
        x = 1
    else:
        x = 2
    if event.get("never"):
        x = 3
    return x
"""


def test_combining_joins_and_lists_what_is_corrupt(cloud, covered):
    a = covered(BRANCHES)
    cloud.invoke(a, {})
    first = len(objects(cloud, covered.bucket, a))
    assert first == 1
    cloud.configure(a, Description="another environment")
    cloud.lambda_.get_waiter("function_updated_v2").wait(
        FunctionName=a, WaiterConfig={"Delay": 0.02, "MaxAttempts": 1500}
    )
    cloud.invoke(a, {"a": 1})
    day = time.strftime("coverage/%Y/%m/%d/", time.gmtime())
    whole = content(cloud, covered.bucket, objects(cloud, covered.bucket, a)[0][0])
    for key, body in (("cut", whole[:-9]), ("foreign", b"{}" * 50), ("empty", b"")):
        # A client each: botocore 1.29 keeps the answer to an empty object for the next one.
        client(cloud.url, "s3").put_object(
            Bucket=covered.bucket, Key="%s%s/000000-%s.coverage" % (day, a, key), Body=body
        )
    combiner = covered(COMBINER, exec_wrapper=False)
    result = json.loads(cloud.invoke(combiner, {"prefix_only": day}).payload["body"])
    assert result["success"] and result["files_processed"] >= 2 and result["files_skipped"] == 3
    assert result["percentages_from"] == "sources", result
    for key, why in (("cut", "checksum"), ("empty", "empty"), ("foreign", "no coverage object")):
        assert [e for e in result["errors"] if "-%s.coverage" % key in e and why in e], result
    report = json.loads(content(cloud, covered.bucket, result["combined_file_key"]))
    app = report["files"]["app.py"]
    assert app["executed_lines"] == [1, 2, 3, 5, 6, 8] and app["missing_lines"] == [7]
    assert app["executed_branches"] == [[2, 3], [2, 5], [6, 8]]
    assert app["missing_branches"] == [[6, 7]]
    # 6 of 7 statements and 3 of 4 branches
    assert report["totals"]["percent_covered"] == 100.0 * 9 / 11
    assert result["total_coverage_percentage"] == 100.0 * 9 / 11
    assert report["totals"]["percent_covered_display"] == "82"


def test_the_combiner_by_hand_by_schedule_and_by_event(cloud, covered):
    a = covered(BRANCHES)
    cloud.invoke(a, {})
    (key, _), = objects(cloud, covered.bucket, a)
    combiner = covered(COMBINER, exec_wrapper=False)
    s3 = {"bucket": {"name": covered.bucket}, "object": {"key": key}}
    record = {"eventSource": "aws:s3", "s3": s3}
    for event in (
        {"prefix": "coverage/", "combined_prefix": "reports/"},
        {"source": "aws.events", "detail-type": "Scheduled Event"},
        {"Records": [record]},
    ):
        r = cloud.invoke(combiner, event).payload
        assert r["statusCode"] == 200 and r["success"] and r["files_processed"] == 1, (event, r)
        report = json.loads(content(cloud, covered.bucket, r["combined_file_key"]))
        assert report["totals"]["covered_lines"] == 5
    written = dict(record, s3=dict(record["s3"], object={"key": r["combined_file_key"]}))
    assert "nothing to combine" in cloud.invoke(combiner, {"Records": [written]}).payload["body"]
    r = cloud.invoke(combiner, {"prefix": "nothing/"}).payload
    assert r["statusCode"] == 500 and "no coverage objects below nothing/" in r["errors"][0]


def test_without_sources_the_compilers_lines_are_the_statements(cloud, covered):
    """The combiner's role may not read packages: the result says so."""
    a = covered(BRANCHES)
    cloud.invoke(a, {})
    (key, _), = objects(cloud, covered.bucket, a)
    combiner = covered(COMBINER, exec_wrapper=False)
    role = cloud.role([{"Effect": "Allow", "Action": ["s3:*", "logs:*"], "Resource": "*"}])
    cloud.configure(combiner, Role=role)
    cloud.lambda_.get_waiter("function_updated_v2").wait(
        FunctionName=combiner, WaiterConfig={"Delay": 0.02, "MaxAttempts": 1500}
    )
    r = cloud.invoke(combiner, {"prefix": "coverage/"}).payload
    assert r["success"] and r["percentages_from"] == "raw_lines" and a in r["sources_refused"]
    report = json.loads(content(cloud, covered.bucket, r["combined_file_key"]))
    assert report["files"]["app.py"]["missing_lines"] == [3, 7]


NAMES = """
    coverage_handler CoverageContext health_check_handler get_coverage_status get_layer_info
    get_health_status combine_coverage_files coverage_combiner_handler download_coverage_files
    merge_coverage_data upload_combined_report CoverageConfig CoverageReportMetadata
    HealthCheckResponse CombinerResult CoverageError CoverageInitializationError S3UploadError
    TimeoutError CoverageCombineError
""".split()


def test_every_name_is_there_and_costs_nothing_before_it_is_used():
    script = """
import sys
sys.path.insert(0, sys.argv[1])
import coverage_wrapper
names = sys.argv[2:]
assert sorted(names) == sorted(coverage_wrapper.__all__), coverage_wrapper.__all__
from coverage_wrapper import coverage_handler
assert not {"boto3", "botocore", "dataclasses", "datetime"} & set(sys.modules)
for name in names:
    getattr(coverage_wrapper, name)
assert "boto3" not in sys.modules
E = coverage_wrapper
assert issubclass(E.S3UploadError, E.CoverageError) and issubclass(E.CoverageCombineError, E.CoverageError)
e = E.S3UploadError("why", {"s3_key": "k"})
assert str(e) == "why" and e.details == {"s3_key": "k"}
"""
    r = subprocess.run(
        [sys.executable, "-B", "-I", "-S", "-c", script, PACKAGE] + NAMES,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    assert r.returncode == 0, r.stderr


def test_configurations_are_read_and_refused(monkeypatch):
    models = package_module("models")
    monkeypatch.delenv("COVERAGE_S3_BUCKET", raising=False)
    with pytest.raises(ValueError, match="COVERAGE_S3_BUCKET"):
        models.CoverageConfig.from_environment()
    monkeypatch.setenv("COVERAGE_S3_BUCKET", "b")
    monkeypatch.setenv("COVERAGE_S3_PREFIX", "p")
    monkeypatch.setenv("COVERAGE_INCLUDE_PATTERNS", "src/*, lib/*")
    monkeypatch.setenv("COVERAGE_BRANCH_COVERAGE", "False")
    monkeypatch.setenv("COVERAGE_UPLOAD_TIMEOUT", "5")
    c = models.CoverageConfig.from_environment()
    c.validate()
    assert (c.s3_bucket, c.s3_prefix, c.upload_timeout, c.branch_coverage) == ("b", "p/", 5, False)
    assert c.include_patterns == ["src/*", "lib/*"] and c.exclude_patterns is None
    monkeypatch.setenv("COVERAGE_UPLOAD_TIMEOUT", "soon")
    with pytest.raises(ValueError, match="soon"):
        models.CoverageConfig.from_environment()


def test_damaged_objects_are_refused_with_a_reason():
    """Each byte changed, each end cut off: never an exception but Corrupt, never other content."""
    o = package_module("_object")
    f = {"path": "/var/task/a.py", "raw": {1, 2}, "lines": {1}, "arcs": {(-1, 1), (1, -1)}}
    whole = o.write({"function": "f"}, ("init", 1), [f])
    assert o.read(whole)["files"][0]["arcs"] == {(-1, 1), (1, -1)}
    for i in range(len(whole)):
        for damaged in (whole[:i], whole[:i] + bytes([whole[i] ^ 255]) + whole[i + 1 :]):
            with pytest.raises(o.Corrupt):
                o.read(damaged)
