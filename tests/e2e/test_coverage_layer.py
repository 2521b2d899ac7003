"""`lamina layer build python-coverage`, `layer validate`, `layer publish`, and the example stack."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
import zipfile

import pytest

from cloud import LAMINA, client, environ, lamina, unique

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    path = tmp_path_factory.mktemp("layer") / "layer.zip"
    lamina("layer", "build", "python-coverage", "-o", path)
    return path


@pytest.fixture(scope="module")
def fine(built, tmp_path_factory):
    """One that could be published. Watched builds link the shipper as any other program of this
    machine, which is rightly refused: another good file takes its place."""
    shipper, manifest = "extensions/lamina-coverage-shipper", "lamina/coverage/manifest.json"
    with zipfile.ZipFile(built) as z:
        if b"/ld-linux" not in z.read(shipper)[:4096]:
            return built
        other = z.read("lamina/coverage/_lamina_coverage.abi3.so")
    path = tmp_path_factory.mktemp("fine") / "layer.zip"
    changes = {
        shipper: lambda d, a: (other, a),
        manifest: lambda d, a: (with_hash(d, shipper, other), a),
    }
    return changed(built, path, **changes)


def changed(built, path, **changes):
    """A copy of the zip: files by name, as (bytes, mode); None leaves one out."""
    with zipfile.ZipFile(built) as old, zipfile.ZipFile(path, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            if info.filename in changes:
                change = changes.pop(info.filename)
                if change is None:
                    continue
                data, info.external_attr = change(data, info.external_attr)
            new.writestr(info, data)
        for name, (data, mode) in changes.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            new.writestr(info, data)
    return path


def validate(path):
    r = lamina("layer", "validate", path, "--json", check=False)
    told = json.loads(r.stdout)
    bad = {(f["what"], f["detail"]) for f in told["findings"] if f["verdict"] == "bad"}
    assert told["valid"] == (not bad) and r.returncode == (1 if bad else 0)
    return bad


def test_the_same_parts_are_the_same_zip(built, tmp_path):
    lamina("layer", "build", "python-coverage", "-o", tmp_path / "again.zip", "--arch", "x86_64")
    assert (tmp_path / "again.zip").read_bytes() == built.read_bytes()
    with zipfile.ZipFile(built) as z:
        manifest = json.loads(z.read("lamina/coverage/manifest.json"))
        names = {i.filename: i for i in z.infolist()}
        assert set(manifest["files"]) == set(names) - {"lamina/coverage/manifest.json"}
        for name, f in manifest["files"].items():
            data = z.read(name)
            assert (f["sha256"], f["bytes"]) == (hashlib.sha256(data).hexdigest(), len(data))
            assert f["executable"] == bool(names[name].external_attr >> 16 & 0o100)
    assert manifest["pythons"][0] == "3.8" and manifest["architecture"] == "x86_64"
    executable = {n for n, f in manifest["files"].items() if f["executable"]}
    assert executable == {"lamina-coverage", "extensions/lamina-coverage-shipper"}
    assert "python/coverage_wrapper/__init__.py" in names
    assert not [n for n in names if n.endswith(".pyc") or "boto" in n]


def test_a_good_one_is_valid(fine):
    assert validate(fine) == set()
    told = lamina("layer", "validate", fine).stdout
    assert re.search(r"ok +imports +python3\.\d+", told) and "as the manifest says" in told


def test_bad_ones_are_told_by_what_is_wrong(fine, tmp_path):
    shipper, wrapper = "extensions/lamina-coverage-shipper", "lamina-coverage"
    tracer = "lamina/coverage/_lamina_coverage.abi3.so"
    package = "python/coverage_wrapper/__init__.py"
    manifest = "lamina/coverage/manifest.json"
    plain = lambda data, attr: (data, 0o644 << 16)
    for changes, found in (
        (
            {
                shipper: plain,
                wrapper: plain,
                package: lambda d, a: (d + b"#", a),
                tracer: lambda d, a: (d[:18] + b"\xb7\0" + d[20:], a),  # e_machine: aarch64
                "python/boto3/__init__.py": (b"", 0o644),
                "python/more.py": (b"", 0o644),
            },
            {
                shipper + " is an extension, but not executable": "permissions",
                "lamina-coverage must be executable": "permissions",
                package + " is not what the manifest says": "content",
                tracer + " is for another processor": "programs",
                "python/boto3/ does not belong": "dependencies",
                "python/more.py is not in the manifest": "content",
            },
        ),
        (
            {
                wrapper: None,
                shipper: lambda d, a: (b"#!/bin/sh\n", a),
                tracer: lambda d, a: (newer(d), a),
            },
            {
                "lamina-coverage is missing": "content",
                shipper + " is no ELF file": "programs",
                tracer + " wants glibc 2.": "programs",
            },
        ),
        (
            {
                package: lambda d, a: (b"1 / 0\n", a),
                manifest: lambda d, a: (with_hash(d, package, b"1 / 0\n"), a),
            },
            {"ZeroDivisionError": "imports"},
        ),
        ({manifest: lambda d, a: (b"[]", a)}, {"is no JSON object": "manifest"}),
    ):
        bad = validate(changed(fine, tmp_path / "bad.zip", **changes))
        for why, what in found.items():
            assert [b for b in bad if b[0] == what and why in b[1]], (what, why, bad)
    (tmp_path / "none.zip").write_bytes(b"PK no zip")
    assert [b for b in validate(tmp_path / "none.zip") if b[0] == "zip"]
    assert lamina("layer", "validate", tmp_path / "nowhere.zip", check=False).returncode == 1


def with_hash(manifest, name, data):
    told = json.loads(manifest)
    told["files"][name]["sha256"] = hashlib.sha256(data).hexdigest()
    return json.dumps(told)


def newer(elf):
    """The names of glibc's versions, each a later one."""
    assert re.search(rb"\0GLIBC_2\.\d+\0", elf)
    return re.sub(rb"\0GLIBC_2\.(\d\d)\0", b"\0GLIBC_2.99\0", elf)


def test_any_layer_is_looked_at(tmp_path):
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as z:
        z.writestr("python/mine.py", "")
    assert validate(tmp_path / "mine.zip") == set()
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as z:
        z.writestr("../evil.py", "")
    assert [b for b in validate(tmp_path / "evil.zip") if b[0] == "zip"]


def test_published_in_regions_once_a_content(cloud, fine, tmp_path):
    name, manifest = unique("coverage"), tmp_path / "deployment.json"
    publish = ["layer", "publish", fine, "--name", name, "--manifest", manifest]
    regions = ["us-east-1", "eu-west-1"]
    out = cloud.lamina(*publish, "--regions", ",".join(regions)).stdout
    told = json.loads(manifest.read_text())
    assert told["layer"] == name and list(told["regions"]) == regions
    assert told["sha256"] == hashlib.sha256(fine.read_bytes()).hexdigest()
    for region in regions:
        arn = told["regions"][region]["arn"]
        assert arn == "arn:aws:lambda:%s:000000000000:layer:%s:1" % (region, name) and arn in out
        there = client(cloud.url, "lambda", region=region)
        version = there.get_layer_version_by_arn(Arn=arn)
        assert version["Content"]["CodeSize"] == len(fine.read_bytes())
        assert "python3.8" in version["CompatibleRuntimes"]
        assert version["CompatibleArchitectures"] == ["x86_64"]
    cloud.lamina(*publish, "--regions", "us-east-1, ap-south-1")
    told = json.loads(manifest.read_text())["regions"]
    assert (told["us-east-1"]["version"], told["us-east-1"]["reused"]) == (1, True)
    assert (told["ap-south-1"]["version"], told["ap-south-1"]["reused"]) == (1, False)
    mine = unique("mine")
    cloud.lamina(
        "layer", "publish", fine, "--name", mine, "--manifest", manifest,
        "--compatible-runtimes", "python3.12,python3.13",
    )
    version = cloud.lambda_.get_layer_version(LayerName=mine, VersionNumber=1)
    assert version["CompatibleRuntimes"] == ["python3.12", "python3.13"]
    assert cloud.lamina(*publish[:3], check=False).returncode == 2  # without a name


def test_the_example(cloud, built, tmp_path):
    """examples/coverage: built, deployed, tested with coverage, combined, and gone again."""
    folder = tmp_path / "example"
    shutil.copytree(os.path.join(ROOT, "examples", "coverage"), folder)
    shutil.copy(built, folder / "layer.zip")
    name = unique("example")
    runs = lambda *args: cloud.lamina(*args, cwd=folder)
    runs("build")
    runs("deploy", "--stack-name", name)
    for _ in range(2):  # a second run tells the same: its environments are new ones
        r = runs("test", "--coverage", "--stack-name", name)
        rows = [l.split() for l in r.stdout.splitlines() if l.startswith("functions/")]
        table = {row[0]: row[1:] for row in rows}
        assert table["functions/orders/shipping.py"][:5] == ["9", "0", "2", "0", "100%"], r.stdout
        assert table["functions/orders/app.py"][:5] == ["16", "2", "6", "2", "82%"], r.stdout
        assert table["functions/batch/app.py"][:3] == ["14", "6", "4"], r.stdout
        assert "6 passed, 0 failed" in r.stdout
    outputs = stack_outputs(cloud, name)
    combined = cloud.invoke(outputs["CombinerFunctionName"], {}).payload
    assert combined["success"] and combined["percentages_from"] == "sources", combined
    bucket = outputs["CoverageBucketName"]
    report = cloud.s3.get_object(Bucket=bucket, Key=combined["combined_file_key"])["Body"].read()
    report = json.loads(report)
    assert report["files"]["shipping.py"]["summary"]["percent_covered"] == 100.0
    assert report["totals"]["num_statements"] == 16 + 12 + 14 + 9
    empty(cloud.s3, bucket)
    runs("delete", "--stack-name", name, "--no-prompts")


def stack_outputs(cloud, name):
    stack = cloud.cfn.describe_stacks(StackName=name)["Stacks"][0]
    return {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}


def empty(s3, bucket):
    for v in s3.list_object_versions(Bucket=bucket).get("Versions", []):
        s3.delete_object(Bucket=bucket, Key=v["Key"], VersionId=v["VersionId"])


def test_tests_switch_on_what_was_off_and_off_again(cloud, tmp_path):
    source = "def handler(event, context):\n    if event:\n        return 1\n    return 2\n"
    name = cloud.function(source)
    get = lambda: {
        k: v
        for k, v in cloud.lambda_.get_function_configuration(FunctionName=name).items()
        if k not in ("ResponseMetadata", "LastModified", "RevisionId")
    }
    before = get()
    (tmp_path / "app.py").write_text(source)
    (tmp_path / "tests.yaml").write_text(
        "cases:\n  - name: two\n    function: %s\n    payload: {}\n    expect: {payload: 2}\n" % name
    )
    r = cloud.lamina("test", "--coverage", cwd=tmp_path)
    assert re.search(r"^app\.py +4 +1 +2 +1 +67% +3$", r.stdout, re.M), r.stdout + r.stderr
    assert get() == before
    assert cloud.lambda_.list_tags(Resource=before["FunctionArn"])["Tags"] == {}


def test_an_interrupted_run_switches_back(cloud, tmp_path):
    """Ctrl-C while a case runs: the function has its own configuration afterwards."""
    name = cloud.function("import time\ndef handler(event, context):\n    time.sleep(60)\n", Timeout=90)
    get = lambda: {
        k: v
        for k, v in cloud.lambda_.get_function_configuration(FunctionName=name).items()
        if k not in ("ResponseMetadata", "LastModified", "RevisionId")
    }
    before = get()
    (tmp_path / "tests.yaml").write_text("cases:\n  - name: slow\n    function: %s\n" % name)
    p = subprocess.Popen(
        [LAMINA, "test", "--coverage"],
        cwd=tmp_path,
        env=environ(AWS_ENDPOINT_URL=cloud.url),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    within = time.monotonic() + 60
    while not cloud.log_events(name, within=0.1, until="START"):
        assert time.monotonic() < within and p.poll() is None, p.communicate()
    assert "AWS_LAMBDA_EXEC_WRAPPER" in get()["Environment"]["Variables"]
    p.send_signal(signal.SIGINT)
    _, said = p.communicate(timeout=60)
    assert p.returncode == 1 and b"interrupted" in said
    assert get() == before
