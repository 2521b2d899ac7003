"""Starts of covered functions: executed by the coverage layer's wrapper, or from an interpreter that was
started ahead and does what the wrapper and its sitecustomize.py would have done. The same function says
the same in both, as in test_starts.py."""

import contextlib
import io
import zipfile

import pytest
from cloud import ENDPOINT, Cloud, lamina, unique
from test_starts import FORKED, LOOK, interpreters, wait_for

pytestmark = pytest.mark.skipif(bool(ENDPOINT), reason="looks at processes of our own daemon")

WRAPPER = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/lamina-coverage", "COVERAGE_S3_BUCKET": "covered"}


@pytest.fixture(scope="module")
def spares():
    with a_cloud("3") as cloud:
        yield cloud


@pytest.fixture(scope="module")
def executed():
    with a_cloud("0") as cloud:
        yield cloud


@contextlib.contextmanager
def a_cloud(spares):
    cloud = Cloud(args=["--spares", spares]).start()
    try:
        cloud.s3.create_bucket(Bucket="covered")
        yield cloud
    finally:
        cloud.stop(within=10)


@pytest.fixture(scope="module")
def coverage_zip(tmp_path_factory):
    zip = tmp_path_factory.mktemp("layer") / "coverage.zip"
    lamina("layer", "build", "python-coverage", "-o", zip)
    return zip.read_bytes()


def publish(cloud, content, known={}):
    key = cloud.url, content
    if key not in known:
        known[key] = publish_anew(cloud, content)
    return known[key]


def publish_anew(cloud, content):
    return cloud.lambda_.publish_layer_version(LayerName=unique("layer"), Content={"ZipFile": content})[
        "LayerVersionArn"
    ]


def cover(cloud, coverage_zip, variables=None):
    """Options of a function; its first start may be from a spare."""
    return {
        "Layers": [publish(cloud, coverage_zip)],
        "Environment": {"Variables": {**WRAPPER, **(variables or {})}},
        "Timeout": 20,
    }


def wait_for_covered_spares(cloud, n=1):
    """Those that have been started with the site module."""

    def found():
        for pid in interpreters(cloud)[1]:
            try:
                with open("/proc/%d/cmdline" % pid, "rb") as f:
                    yield b"-S" not in f.read().split(b"\0")
            except OSError:
                pass

    wait_for(lambda: sum(found()) >= n)


COVERED = """
import gc, site, _lamina_coverage
def covered():
    status = _lamina_coverage.status()
    sizes = "lines", "arcs", "news", "bytes"  # alike, but for what this function does meanwhile
    return {
        "status": {k: str(v).partition("arena-")[0] for k, v in status.items() if k not in sizes},
        "counts": [status[k] > 0 for k in sizes],
        "spec": [_lamina_coverage.__file__, _lamina_coverage.__spec__.cached,
                 repr(type(_lamina_coverage.__loader__)), sorted(vars(_lamina_coverage))],
        "site": [site.ENABLE_USER_SITE, site.USER_BASE, site.USER_SITE, site.PREFIXES],
        "sitecustomize": repr(sys.modules.get("sitecustomize")),
        "usercustomize": repr(sys.modules.get("usercustomize")),
        "importers": sorted(sys.path_importer_cache),
        "environ": {k: v for k, v in os.environ.items()
                    if not k.startswith(("AWS_ACCESS", "AWS_SECRET", "AWS_SESSION", "AWS_LAMBDA_LOG",
                                         "AWS_LAMBDA_FUNCTION_NAME", "_X_AMZN", "AWS_ENDPOINT"))},
        "arenas": len([n for n in os.listdir("/tmp/.lamina-coverage") if n.startswith("arena-")]),
        "builtins": [hasattr(__builtins__, n) for n in ("help", "copyright", "credits", "license")],
        "hooks": [sys.gettrace() is not None, sys.getprofile() is not None, repr(sys.excepthook)],
        "loaded": sorted(sys.modules),
    }
"""


def test_a_covered_function_cannot_tell_either(spares, executed, coverage_zip):
    source = COVERED + LOOK.replace(
        '    at = {"forked": forked()}', '    at = {"forked": forked()}\n    at["covered"] = covered()'
    )
    answers = []
    for cloud in spares, executed:
        name = cloud.function(
            files={"app.py": FORKED + source},
            **cover(cloud, coverage_zip, {"MINE": "a b=c", "COVERAGE_LOG_LEVEL": "WARNING"})
        )
        if cloud is spares:
            wait_for_covered_spares(cloud)
        r = cloud.invoke(name)
        assert r.error is None, r.payload
        answers.append(r.payload)
    one, other = answers
    assert one.pop("forked") and not other.pop("forked")
    # What the program was started with, by the kernel: there was no wrapper to add to it.
    shown = set(other.pop("environ shown")) - set(one.pop("environ shown"))
    assert shown <= {"LAMINA_COVERAGE_PYTHONPATH"}
    one.pop("environ order"), other.pop("environ order")
    one.pop("environ same"), other.pop("environ same")
    for what in one["covered"]:
        assert one["covered"][what] == other["covered"][what], what
    assert one["covered"]["status"]["active"] == "True" and all(one["covered"]["counts"])
    for what in one:
        assert one[what] == other[what], what


# ---- and it counts ----

OBJECTS = """
import os
def handler(event, context):
    if event == "die":
        os._exit(3)
    import _lamina_coverage
    return [forked(), _lamina_coverage.active(), _lamina_coverage.status()["error"]]
"""


def test_the_shipper_comes_first_and_sends_what_a_spare_has_counted(spares, coverage_zip, tmp_path):
    name = spares.function(files={"app.py": FORKED + OBJECTS}, **cover(spares, coverage_zip))
    wait_for_covered_spares(spares)
    assert spares.invoke(name).payload == [True, True, None]

    def sent():
        found = spares.s3.list_objects_v2(Bucket="covered").get("Contents", [])
        return [o["Key"] for o in found if "/%s/" % name in o["Key"]]

    assert len(sent()) == 1  # it was sent before the invocation was over
    (tmp_path / "app.py").write_text(FORKED + OBJECTS)
    out = spares.lamina(
        "coverage", "report", "--bucket", "covered", "--function", name, "--source", tmp_path
    )
    assert "app.py" in out.stdout and "100%" not in out.stdout  # it did not die


def test_after_a_crash_it_is_executed_and_counts_again(spares, coverage_zip):
    name = spares.function(files={"app.py": FORKED + OBJECTS}, **cover(spares, coverage_zip))
    wait_for_covered_spares(spares)
    assert spares.invoke(name).payload == [True, True, None]
    assert "exit status 3" in spares.invoke(name, "die").payload["errorMessage"]
    assert spares.invoke(name).payload == [False, True, None]


def test_settings_are_those_of_the_function(spares, coverage_zip):
    source = FORKED + "import _lamina_coverage as c\ndef handler(e, x): return [forked(), c.status()]\n"
    for variables, what, wanted in (
        ({"COVERAGE_BRANCH_COVERAGE": "false"}, "branch", False),
        ({"COVERAGE_ENABLED": "no"}, "active", False),
        ({"COVERAGE_SAMPLE_RATE": "0"}, "error", "this environment is not in the sample of COVERAGE_SAMPLE_RATE"),
    ):
        name = spares.function(files={"app.py": source}, **cover(spares, coverage_zip, variables))
        wait_for_covered_spares(spares)
        forked, status = spares.invoke(name).payload
        assert forked and status[what] == wanted


# ---- when it must be executed ----

LIBRARY = "lamina/coverage/_lamina_coverage.abi3.so"


def changed(content, path, data=None):
    """The layer with that file in place of its own, or beside; without what takes long to pack."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            if info.filename != path and not info.filename.startswith("extensions/"):
                new.writestr(info, old.read(info))
        if data is not None:
            new.writestr(path, data)
    return out.getvalue()


@pytest.mark.parametrize(
    "variable", ["COVERAGE_SUBPROCESS=true", "HOME=/tmp", "PYTHONPATH=/opt/mine", "PYTHONSTARTUP=/tmp/x",
                 "LAMINA_COVERAGE_DIR=/tmp/other", "LANG=C"]
)
def test_variables_of_a_wrapped_start_are_obeyed(spares, coverage_zip, variable):
    key, _, value = variable.partition("=")
    source = FORKED + "import os\ndef handler(e, c): return forked(), os.environ[%r]\n" % key
    name = spares.function(files={"app.py": source}, **cover(spares, coverage_zip, {key: value}))
    wait_for_covered_spares(spares)
    forked, seen = spares.invoke(name).payload
    assert not forked
    assert seen == value or (key == "PYTHONPATH" and seen.endswith(value)) or key == "COVERAGE_SUBPROCESS"


@pytest.mark.parametrize("how", ["another wrapper", "another site", "a module beside", "two layers"])
def test_what_is_not_ours_is_executed(spares, coverage_zip, how):
    options = cover(spares, coverage_zip)
    site = b"import sys\nsys.mine = True\n"
    script = b'#!/bin/sh\nMINE=1 exec "$@"\n'
    content = {
        "another wrapper": changed(coverage_zip, "lamina-coverage", None),
        "another site": changed(coverage_zip, "lamina/coverage/sitecustomize.py", site),
        "a module beside": changed(coverage_zip, "lamina/coverage/stat.py", site),
        "two layers": changed(coverage_zip, "a", "different"),
    }[how]
    if how == "another wrapper":
        info = zipfile.ZipInfo("lamina-coverage")
        info.external_attr = 0o100755 << 16
        out = io.BytesIO(content)
        with zipfile.ZipFile(out, "a") as z:
            z.writestr(info, script)
        content = out.getvalue()
    if how != "two layers":
        options["Layers"] = []
    options["Layers"].append(publish(spares, content))
    source = "import os, sys\ndef handler(e, c): return [forked(), hasattr(sys, 'mine'), 'MINE' in os.environ]\n"
    name = spares.function(files={"app.py": FORKED + source}, **options)
    wait_for_covered_spares(spares)
    answer = spares.invoke(name).payload
    if how == "a module beside":  # in place of the library's: what becomes of it is python's affair
        assert answer[:1] != [True]
    else:
        assert answer == [False, how == "another site", how == "another wrapper"]


def test_a_tracer_that_cannot_count_says_the_same(spares, executed, coverage_zip):
    """The folder that it writes to is in the way."""
    seen = []
    for cloud in spares, executed:
        name = cloud.function(
            files={"app.py": FORKED + OBJECTS}, **cover(cloud, coverage_zip, {"COVERAGE_ENABLED": "false"})
        )
        if cloud is spares:
            wait_for_covered_spares(cloud)
        r = cloud.invoke(name)
        assert r.payload[0] == (cloud is spares)
        seen.append([r.payload[1:], "coverage is off: COVERAGE_ENABLED is false" in r.log])
    assert seen[0] == seen[1]
