"""The layer's programs for arm64, emulated; and what each of the layer's programs wants of the C library.
CONTRIBUTING.md, "Other processors and interpreters", says what is to be installed."""

import json
import os
import re
import shutil
import subprocess
import zipfile

import pytest
import shipper_world
from cloud import lamina, unique
from conftest import empty_bucket
from coverage_arena import PYTHONS, TRACER, Function, tracer_for
from shipper_world import SHIPPER, bucket, made, source  # noqa: F401 (fixtures)

QEMU = shutil.which("qemu-aarch64-static")
PARTS = os.path.dirname(os.path.dirname(SHIPPER))


@pytest.fixture
def emulated(tmp_path, monkeypatch):
    """The shipper for arm64 takes the place of this machine's."""
    program = SHIPPER + "-arm64"
    if not QEMU:
        pytest.skip("qemu-user-static is not installed")
    if not os.path.exists(program):
        pytest.skip("built without -Darm64=true")
    script = tmp_path / "shipper"
    script.write_text('#!/bin/sh\nexec %s %s "$@"\n' % (QEMU, program))
    script.chmod(0o755)
    monkeypatch.setattr(shipper_world, "SHIPPER", str(script))


@pytest.fixture
def python_arm64():
    for python in filter(None, PYTHONS.split(":")):
        tracer = tracer_for(python)
        if tracer != TRACER and os.path.exists(tracer):
            return python
    pytest.skip("LAMINA_PYTHONS names no Python for arm64, or built without -Darm64=true")


def test_shipper(emulated, made, bucket, source):  # noqa: F811
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    env.invoke("one", arena, (source, [1, 2, 64], [(1, 2), (2, -1)]))
    env.invoke("nothing new", arena, (source, [1]))
    arena.hit(source, [100])
    env.shutdown(seconds=30)
    assert len(bucket.requests) == 2
    o = bucket.object()
    assert o.lines(source) == {1, 2, 64, 100} and set(o.arcs(source)) == {(1, 2), (2, -1)}
    assert "missing" not in o.meta
    assert [line["level"] for line in env.log()] == ["INFO", "INFO"]


APP = """\
def handler(event, context):
    if event.get("n"):
        return 1
    return 2

import json
for n in range(3):
    handler({"n": n}, None)
"""


def test_from_a_function_to_the_report(emulated, python_arm64, made, cloud, tmp_path):  # noqa: F811
    """Python, tracer and shipper for arm64; the store is a cloud's."""
    name = unique("arm64")
    cloud.s3.create_bucket(Bucket=name)
    function = Function(tmp_path, python_arm64)
    function.write("app.py", APP)
    function.dir.mkdir()
    made.directory = function.dir
    env = made.environment(
        AWS_ENDPOINT_URL=cloud.url, COVERAGE_S3_BUCKET=name, LAMBDA_TASK_ROOT=str(function.task),
        AWS_SESSION_TOKEN=None,
    ).start()
    env.begin("one")
    function.run(_HANDLER="app.handler")
    assert function.hits().lines == {1, 2, 3, 4, 6, 7, 8}
    env.shutdown(seconds=30)
    (line,) = env.log()
    assert line["level"] == "INFO" and line["new_lines"] == 7
    out = cloud.lamina(
        "coverage", "json", "--bucket", name, "--source", str(function.task), cwd=tmp_path
    ).stdout
    (file,) = json.loads(out)["files"].values()
    assert file["executed_lines"] == [1, 2, 3, 4, 6, 7, 8]
    assert file["summary"]["covered_branches"] == 4
    empty_bucket(cloud.s3, name)


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_old_systems_can_run_each_program(architecture, tmp_path):
    """Amazon Linux 2 has glibc 2.26, and its loader knows no packed relocations."""
    path = tmp_path / "layer.zip"
    r = lamina("layer", "build", "python-coverage", "-o", path, "--arch", architecture, check=False)
    if r.returncode and architecture == "arm64" and not os.path.exists(SHIPPER + "-arm64"):
        pytest.skip("built without -Darm64=true")
    assert r.returncode == 0, r.stderr
    programs = {}
    with zipfile.ZipFile(path) as z:
        for name in z.namelist():
            if z.read(name)[:4] == b"\x7fELF":
                z.extract(name, tmp_path)
                programs[name] = subprocess.run(
                    ["readelf", "-W", "-h", "-l", "-d", "--dyn-syms", tmp_path / name],
                    capture_output=True, text=True, check=True,
                ).stdout
    assert len(programs) == 2, sorted(programs)
    for name, text in programs.items():
        if name.startswith("extensions/") and "ld-linux" in text and "san" in text:
            continue  # watched builds link it as any other program of this machine
        versions = [(int(a), int(b)) for a, b in re.findall(r"GLIBC_(\d+)\.(\d+)", text)]
        assert max(versions, default=(0, 0)) <= (2, 26), name
        assert not re.search(r"(?<!_)RELR|ABI_DT", text), name
        assert ("AArch64" in text) == (architecture == "arm64"), name
        # arm64 machines have pages of up to 64 KiB.
        if architecture == "arm64":
            assert {int(a, 16) for a in re.findall(r"^ +LOAD .* (0x\w+)$", text, re.M)} == {0x10000}
        wanted = set(re.findall(r"NEEDED.*\[(.*)\]", text))
        assert wanted <= {"libc.so.6", "ld-linux-aarch64.so.1"}, name
