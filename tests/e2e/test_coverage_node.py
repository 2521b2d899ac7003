"""Coverage of Node.js functions, all the way: turned on, invoked, sent, reported."""

import base64
import json
import os
import shutil
import subprocess
import time
import zlib

import pytest

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


def soon(look, wanted, within=10):
    deadline = time.monotonic() + within
    while look() != wanted and time.monotonic() < deadline:
        time.sleep(0.02)
    assert look() == wanted


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
    found, _ = report(cloud, tmp_path, name, "--by", "function")
    assert set(found["app.js"]["contexts"]) == {str(l) for l in found["app.js"]["executed_lines"]}
    assert found["app.js"]["contexts"]["10"] == [name] and found["lib/unused.js"]["contexts"] == {}


def test_esm_streams_and_other_formats(cloud, covered, tmp_path):
    files = {
        "app.mjs": "import { twice } from './twice.mjs';\n\n"
        "export const handler = awslambda.streamifyResponse(async (event, stream) => {\n"
        "  stream.write(String(twice(event.n)));\n"
        "  if (event.n > 5) {\n    stream.write('!');\n  }\n  stream.end();\n});\n",
        "twice.mjs": "#!/usr/bin/env node\n// é 😀 before it\nexport function twice(n) {\n  return 2 * n;\n}\n"
        "export function thrice(n) { // c8 ignore next 2\n  return 3 * n;\n}\n",
    }
    sources(tmp_path, files)
    name = covered(files)
    cloud.invoke(name, {"n": 1}, tail=False)
    objects(cloud, name, lambda found: found and "2,0" not in str(found) and len(found[0][1]) == 2)
    soon(lambda: report(cloud, tmp_path, name)[0]["app.mjs"]["missing_lines"], [6])
    found, _ = report(cloud, tmp_path, name, "--xml", "c.xml", "--lcov", "c.lcov", "--markdown", "c.md")
    assert found["twice.mjs"]["missing_lines"] == [] and found["twice.mjs"]["excluded_lines"] == [7]
    lcov = (tmp_path / "c.lcov").read_text()
    assert "FNDA:1,twice" in lcov and "FNDA:0,thrice" not in lcov and "BRDA:5,0," in lcov
    assert 'line number="6" hits="0"' in (tmp_path / "c.xml").read_text()
    assert "app.mjs" in (tmp_path / "c.md").read_text()
    cloud.lamina("coverage", "combine", name, "--source", ".", "--to", "all.json", cwd=tmp_path)
    assert "app.mjs" in (tmp_path / "all.json").read_text()
    r = cloud.lamina("coverage", "combine", name, "--source", ".", cwd=tmp_path, check=False)
    assert "is no Python" in r.stderr


def test_exit_is_not_lost_and_a_hang_is_told(cloud, covered, tmp_path):
    files = {"app.js": APP, "lib/half.js": HALF}
    sources(tmp_path, files)
    name = covered(files, Timeout=2)
    assert cloud.invoke(name, {"exit": True}).error
    soon(lambda: 22 in report(cloud, tmp_path, name)[0]["app.js"]["missing_lines"], False)
    assert "did not return" not in report(cloud, tmp_path, name)[1].stderr
    assert cloud.invoke(name, {"hang": True}).error
    soon(lambda: "did not return" in report(cloud, tmp_path, name)[1].stderr, True)


def test_what_the_variables_say(cloud, covered, tmp_path):
    files = {"app.js": APP, "lib/half.js": HALF, "node_modules/x/index.js": "exports.x = 1;\n"}
    files["app.js"] += "require('x');\n"
    sources(tmp_path, files)
    name = covered(files, Environment={"Variables": {
        "COVERAGE_EXCLUDE_PATTERNS": "*/lib/*",
        "COVERAGE_NODE_MODE": "function",
        "NODE_OPTIONS": "--stack-trace-limit=3",
    }})
    cloud.invoke(name, {"n": 1})
    (_, kinds), = objects(cloud, name)
    assert [path for path, _, _ in kinds] == ["/var/task/app.js"]
    soon(lambda: report(cloud, tmp_path, name)[0]["app.js"]["missing_lines"], [16])
    assert report(cloud, tmp_path, name)[0]["app.js"]["summary"]["num_branches"] == 0

    other = covered(files, Environment={"Variables": {"COVERAGE_INCLUDE_PATTERNS": "*/node_modules/*"}})
    cloud.invoke(other, {"n": 1})
    (_, kinds), = objects(cloud, other)
    assert [path for path, _, _ in kinds] == ["/var/task/node_modules/x/index.js"]


def test_a_changed_source_is_left_out(cloud, covered, tmp_path):
    files = {"app.js": APP, "lib/half.js": HALF}
    sources(tmp_path, files)
    name = covered(files)
    cloud.invoke(name, {"n": 1})
    objects(cloud, name)
    (tmp_path / "lib" / "half.js").write_text("// new\n" + HALF)
    found, r = report(cloud, tmp_path, name)
    assert "source changed since" in r.stderr and "half.js" in r.stderr
    found, _ = report(cloud, tmp_path, name, "--ignore-changed")
    assert "lib/half.js" in found


# Sources, and what esbuild 0.28 makes of them: --bundle --platform=node --sourcemap --outdir=out
BUNDLE = os.path.join(os.path.dirname(__file__), "..", "vectors", "coverage-scripts")


@pytest.mark.parametrize("inline", [False, True], ids=["file", "inline"])
def test_a_bundle_is_its_sources(cloud, covered, tmp_path, inline):
    shutil.copytree(os.path.join(BUNDLE, "src"), str(tmp_path / "src"))
    shutil.copytree(os.path.join(BUNDLE, "out"), str(tmp_path / "out"))
    code, where = (tmp_path / "out" / "app.js").read_text(), (tmp_path / "out" / "app.js.map").read_bytes()
    if inline:
        url = "data:application/json;base64," + base64.b64encode(where).decode()
        code = code.replace("sourceMappingURL=app.js.map", "sourceMappingURL=" + url)
        (tmp_path / "out" / "app.js").write_text(code)
        (tmp_path / "out" / "app.js.map").unlink()
    name = covered({"app.js": code})
    assert cloud.invoke(name, {"shape": {"kind": "square", "size": 3}}).payload == 9
    look = lambda: report(cloud, tmp_path, name, "--source", "out")[0]  # noqa: E731
    soon(lambda: look()["src/app.ts"]["missing_lines"], [7])
    found = look()
    assert sorted(found) == ["src/app.ts", "src/shapes.ts"]
    assert found["src/app.ts"]["executed_lines"] == [1, 5, 6, 9]
    # the type and what the bundler has left out are no code of the bundle
    assert found["src/shapes.ts"]["executed_lines"] == [6, 7, 8, 9]
    assert found["src/shapes.ts"]["missing_lines"] == [10, 11]
    (tmp_path / "src" / "shapes.ts").write_text("// other\n")
    found, r = report(cloud, tmp_path, name, "--source", "out")
    assert "source changed since it was bundled" in r.stderr
    assert found.get("src/shapes.ts", {"executed_lines": []})["executed_lines"] == []
