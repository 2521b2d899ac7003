"""Coverage of Node.js functions, all the way: turned on, invoked, sent, reported."""

import json
import os
import re
import shutil
import subprocess
import time
import zlib

import pytest
from cloud import lamina, unique

NODE = shutil.which("node")
MAJOR = int(subprocess.check_output([NODE, "--version"], text=True).lstrip("v").split(".")[0]) if NODE else 0
pytestmark = pytest.mark.skipif(MAJOR not in (18, 20, 22, 24), reason="no node that Lambda has")
RUNTIME = "nodejs%d.x" % MAJOR

APP = """\
'use strict';
const { half } = require('./lib/half');

// Sizes of things.
function classify(n) {
  if (n < 0) {
    throw new Error('negative');
  }
  if (n > 10) {
    return 'big';
  }
  return n > 5 ? 'middle' : 'small';
}

const never = () => {
  return 1;
};

exports.handler = async (event) => {
  await new Promise((resolve) => setTimeout(resolve, 1));
  if (event.exit) {
    process.exit(1);
  }
  if (event.hang) {
    for (;;) {}
  }
  return { size: classify(event.n), half: half(event.n) };
};
"""
HALF = "exports.half = (n) => n / 2;\nexports.third = (n) => {\n  return n / 3;\n};\n"
UNUSED = "/* Nobody\n   requires it. */\nfunction f() {\n  return 1;\n}\n\nmodule.exports = f;\n"


def number(data, at):
    n = shift = 0
    while True:
        n |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return n, at


def text(data, at):
    n, at = number(data, at)
    return data[at : at + n], at + n


def read_object(data):
    """(meta, [(path, kind, payload)]) of an object whose files have payloads."""
    assert data[:8] == b"LAMCOV1\n"
    body = zlib.decompress(data[16:])
    n, at = number(body, 0)
    meta = {}
    for _ in range(n):
        k, at = text(body, at)
        v, at = text(body, at)
        meta[k.decode()] = v.decode()
    n, at = number(body, at)
    for _ in range(n):
        _, at = text(body, at)
        _, at = number(body, at)
    n, at = number(body, at)
    files = []
    for _ in range(n):
        record, at = text(body, at)
        path, i = text(record, 0)
        sha, i = text(record, i)
        kind, i = number(record, i)
        assert len(sha) in (0, 32)
        files.append((path.decode(), kind, text(record, i)[0]))
    return meta, files


def objects(cloud, name, until=lambda found: found, within=10):
    bucket = "lamina-coverage-000000000000-us-east-1"
    deadline = time.monotonic() + within
    while True:
        listed = cloud.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        keys = [o["Key"] for o in listed if "/%s/" % name in o["Key"]]
        found = [read_object(cloud.s3.get_object(Bucket=bucket, Key=k)["Body"].read()) for k in keys]
        if until(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def sources(tmp_path, files):
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


@pytest.fixture
def covered(cloud):
    """Makes a node function whose coverage is on."""

    def make(files, handler="app.handler", **options):
        name = cloud.function(files=files, Runtime=RUNTIME, Handler=handler, MemorySize=1024, **options)
        cloud.lamina("coverage", "enable", name)
        return name

    return make


def report(cloud, cwd, name, *args):
    r = cloud.lamina("coverage", "json", name, "--source", ".", *args, cwd=cwd)
    return json.loads(r.stdout)["files"], r


def test_what_ran_is_reported(cloud, covered, tmp_path):
    files = {"app.js": APP, "lib/half.js": HALF, "lib/unused.js": UNUSED, "node_modules/x/index.js": "1;"}
    sources(tmp_path, files)
    name = covered(files)
    assert cloud.invoke(name, {"n": 7}).payload == {"size": "middle", "half": 3.5}
    objects(cloud, name)
    found, _ = report(cloud, tmp_path, name)
    assert set(found) == {"app.js", "lib/half.js", "lib/unused.js"}
    assert found["app.js"]["missing_lines"] == [7, 10, 16, 22, 25]
    assert found["lib/half.js"]["missing_lines"] == [3]
    assert found["lib/unused.js"]["executed_lines"] == []
    assert found["lib/unused.js"]["missing_lines"] == [3, 4, 7]
    assert cloud.invoke(name, {"n": 70}).payload["size"] == "big"
    objects(cloud, name, lambda found: '"classify"' in str(found))
    deadline = time.monotonic() + 10
    while 10 in found["app.js"]["missing_lines"] and time.monotonic() < deadline:
        found, _ = report(cloud, tmp_path, name)
    assert found["app.js"]["missing_lines"] == [7, 16, 22, 25]
