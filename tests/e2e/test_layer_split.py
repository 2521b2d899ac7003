"""A bundle split into code and layers, with the same answers."""

import json
import shutil
import subprocess
import zipfile

import pytest
from cloud import LAMINA, RUNTIME, environ, unique, zipped

APP = """
import importlib.metadata, json, os
import greet, solo
from helpers import names
from family.one import ONE
from family.own import OWN

def handler(event, context):
    if event == "fail":
        raise ValueError(greet.hello("you"))
    with open(os.path.join(os.path.dirname(__file__), "data.json")) as f:
        own = json.load(f)
    return {"hello": greet.hello(event), "solo": solo.VALUE, "names": names.NAMES,
            "family": [ONE, OWN], "own": own, "version": importlib.metadata.version("greet"),
            "name": context.function_name, "moment": os.urandom(4).hex()}
"""
BUNDLE = {
    "app.py": APP,
    "data.json": '{"x": 1}',
    "helpers/__init__.py": "",
    "helpers/names.py": "NAMES = ['a', 'b']\n",
    # a package with data beside its code, and a relative import
    "greet/__init__.py": "from .words import hello\n",
    "greet/words.py": "import os\ndef hello(who):\n"
    "    path = os.path.join(os.path.dirname(__file__), 'words.txt')\n"
    "    return open(path).read().strip() + ' ' + str(who)\n",
    "greet/words.txt": "good day\n",
    "greet/unlisted.txt": "by hand\n",
    "greet-1.2.3.dist-info/METADATA": "Metadata-Version: 2.1\nName: greet\nVersion: 1.2.3\n",
    "greet-1.2.3.dist-info/RECORD": "greet/__init__.py,,\ngreet/words.py,,\ngreet/words.txt,,\n"
    "greet-1.2.3.dist-info/METADATA,,\ngreet-1.2.3.dist-info/RECORD,,\n../../bin/greet,,\n",
    # one module
    "solo.py": "VALUE = 7\n",
    "solo-0.1.dist-info/METADATA": "Metadata-Version: 2.1\nName: solo\nVersion: 0.1\n",
    "solo-0.1.dist-info/RECORD": '"solo.py",,\nsolo-0.1.dist-info/METADATA,,\n',
    # a namespace package of which a part is the function's own
    "family/one.py": "ONE = 1\n",
    "family/own.py": "OWN = 'own'\n",
    "family_one-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: family-one\nVersion: 1\n",
    "family_one-1.dist-info/RECORD": "family/one.py,,\nfamily_one-1.dist-info/METADATA,,\n",
}


def node_runtime():
    """nodejs20.x, of the node that is here."""
    node = shutil.which("node")
    if not node:
        pytest.skip("no node here")
    version = subprocess.run([node, "--version"], stdout=subprocess.PIPE, universal_newlines=True)
    return "nodejs%s.x" % version.stdout[1:].partition(".")[0]


def split(cloud, folder, *args, ok=True):
    done = subprocess.run(
        [LAMINA, "layer", "split", *map(str, args), "-o", str(folder / "out"), "--json"],
        cwd=str(folder),
        env=environ(AWS_ENDPOINT_URL=cloud.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    if ok:
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)
    return done


def write(folder, files):
    for path, text in files.items():
        target = folder / "bundle" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return folder / "bundle"


def split_folder(cloud, folder, files, *args, runtime=RUNTIME, handler="app.handler", ok=True):
    bundle = write(folder, files)
    return split(cloud, folder, bundle, "--runtime", runtime, "--handler", handler, *args, ok=ok)


def names(path):
    return set(zipfile.ZipFile(path).namelist())


def kept(report):
    return {p["name"]: p.get("kept") for p in report["packages"]}


def test_packages_go_and_what_is_own_stays(cloud, tmp_path):
    report = split_folder(cloud, tmp_path, BUNDLE)
    assert kept(report) == {"greet": None, "solo": None, "family_one": None}
    code, layer = names(report["code"]["zip"]), names(report["layers"][0]["zip"])
    assert code == {"app.py", "data.json", "helpers/__init__.py", "helpers/names.py",
                    "family/own.py"}  # fmt: skip
    assert {"python/greet/words.txt", "python/greet/unlisted.txt", "python/solo.py"} <= layer
    assert "python/greet-1.2.3.dist-info/METADATA" in layer
    assert len(code) + len(layer) == len(BUNDLE)
    assert report["before"]["unzippedBytes"] == sum(
        p["unzippedBytes"] for p in [report["code"], *report["layers"]]
    )
    first = [report["code"]["sha256"], report["layers"][0]["sha256"]]
    again = split_folder(cloud, tmp_path, BUNDLE)
    assert [again["code"]["sha256"], again["layers"][0]["sha256"]] == first
    assert "python/" not in "".join(code)
    assert report["proven"] is False


def test_answers_are_proven_equal_and_the_split_is_applied_and_taken_back(cloud, tmp_path):
    # the bucket of records
    (tmp_path / "t.yaml").write_text(
        "Resources:\n  L: {Type: 'AWS::Logs::LogGroup', Properties: {LogGroupName: %s}}\n"
        % unique("/g")
    )
    cloud.lamina("deploy", "--stack-name", unique("s"), "-t", "t.yaml", cwd=str(tmp_path))
    name = cloud.function(files=BUNDLE, MemorySize=256)
    before = cloud.lambda_.get_function_configuration(FunctionName=name)
    answer = cloud.invoke(name, "you")
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "you.json").write_text('"you"')
    (tmp_path / "events" / "fail.json").write_text('"fail"')
    functions = {f["FunctionName"] for f in cloud.lambda_.list_functions()["Functions"]}

    report = split(
        cloud, tmp_path, name, "--payloads", "events", "--ignore", "$.moment", "--cold", "2",
        "--apply",
    )  # fmt: skip
    assert report["proven"] is True
    assert [(p["same"], p["error"]) for p in report["proof"]["payloads"]] == [
        (True, True),
        (True, False),
    ]
    for side in ("before", "after"):
        assert report["proof"]["cold_start"][side]["n"] == 2
        assert report["proof"]["cold_start"][side]["median_ms"] > 0
    # nothing temporary is left
    assert {f["FunctionName"] for f in cloud.lambda_.list_functions()["Functions"]} == functions
    layers = [l["LayerName"] for l in cloud.lambda_.list_layers()["Layers"]]
    assert not [l for l in layers if l.startswith("lamina-split")]

    now = cloud.lambda_.get_function_configuration(FunctionName=name)
    assert [l["Arn"] for l in now["Layers"]] == report["applied"]["layers"]
    assert now["CodeSize"] < before["CodeSize"]
    after = cloud.invoke(name, "you")
    drop = lambda a: {k: v for k, v in a.payload.items() if k != "moment"}  # noqa: E731
    assert drop(after) == drop(answer)

    cloud.lamina("rollback", name, "--yes", "--verify", '"you"', cwd=str(tmp_path))
    back = cloud.lambda_.get_function_configuration(FunctionName=name)
    for c in (before, back):
        for moving in ("ResponseMetadata", "RevisionId", "LastModified"):
            c.pop(moving)
    assert back == before


def test_an_answer_that_differs_is_told_and_nothing_is_applied(cloud, tmp_path):
    source = {
        **BUNDLE,
        "app.py": "import os, greet\n"
        "def handler(event, context):\n    return {'where': os.path.dirname(greet.__file__)}\n",
    }
    name = cloud.function(files=source)
    done = split(
        cloud, tmp_path, name, "--payloads", "{}", "--cold", "0", "--apply", ok=False
    )
    assert done.returncode == 1 and "does not answer as" in done.stderr
    (payload,) = json.loads(done.stdout)["proof"]["payloads"]
    assert "/var/task/greet" in payload["before"] and "/opt/python/greet" in payload["after"]
    assert "Layers" not in cloud.lambda_.get_function_configuration(FunctionName=name)
    report = split(
        cloud, tmp_path, name, "--payloads", "{}", "--cold", "0", "--ignore", "$.where"
    )
    assert report["proven"] is True


INFO = "Metadata-Version: 2.1\nName: x\nVersion: 1\n"


def package(name, root="", top=None, files=None):
    """A distribution of a package `top` with these files."""
    top = top or name
    files = files or {top + "/__init__.py": "NAME = %r\n" % name}
    info = "%s-1.dist-info/" % name
    record = "".join("%s,,\n" % f for f in files) + info + "METADATA,,\n"
    all_files = {**files, info + "METADATA": INFO, info + "RECORD": record}
    return {root + path: text for path, text in all_files.items()}


@pytest.mark.parametrize(
    "files, handler, who, why",
    [
        # /var/task comes before /opt/python
        ({**package("greet"), "greet.py": ""}, "app.handler", "greet", "found instead"),
        # a path, not an import
        (
            {**package("certs"), "app.py": "open('/var/task/certs/ca.pem')"},
            "app.handler",
            "certs",
            "names a path",
        ),
        ({**package("certs"), "app.py": 'P = "certs/ca.pem"'}, "app.handler", "certs", "a path"),
        # somebody's files in a folder of the function's own
        (
            {**package("odd", files={"own/x.py": ""}), "own/__init__.py": ""},
            "app.handler",
            "odd",
            "the function's own code",
        ),
        (package("greet"), "greet.main", "greet", "the handler is in it"),
        (
            {**package("boto3", root="vendor/")},
            "app.handler",
            "boto3",
            "the runtime has a boto3",
        ),
        (
            {**package("greet", root="vendor/"), "greet/__init__.py": "", "greet/a.py": ""},
            "app.handler",
            "greet",
            "would be found instead",
        ),
        (
            {**package("greet", root="vendor/"), "app.py": "from vendor import greet\n"},
            "app.handler",
            "greet",
            "imports from vendor",
        ),
    ],
)
def test_what_would_not_be_found_as_before_is_kept(cloud, tmp_path, files, handler, who, why):
    others = package("other")
    files = {"app.py": "", **others, **files}
    if "greet/main.py" not in files and handler == "greet.main":
        files["greet/__init__.py"] = "def main(e, c): pass\n"
    report = split_folder(cloud, tmp_path, files, handler=handler)
    reasons = kept(report)
    assert why in reasons[who], reasons
    assert reasons["other"] is None
    code = names(report["code"]["zip"])
    assert {f for f in files if who + "-1.dist-info" in f} <= code


def test_vendored_folders_and_what_packages_carry_inside(cloud, tmp_path):
    files = {
        "app.py": "import sys\nsys.path.insert(0, 'vendor')\n",
        **package("tool", root="vendor/"),
        # setuptools has whole distributions inside: they are its own
        **package(
            "setup", files={"setup/__init__.py": "", "setup/_vendor/in-1.dist-info/METADATA": INFO}
        ),
    }
    report = split_folder(cloud, tmp_path, files)
    assert kept(report) == {"tool": None, "setup": None}
    layer = names(report["layers"][0]["zip"])
    assert "python/tool/__init__.py" in layer
    assert "python/setup/_vendor/in-1.dist-info/METADATA" in layer
    assert names(report["code"]["zip"]) == {"app.py"}


def test_several_layers_and_names_without_dist_info(cloud, tmp_path):
    files = {"app.py": "", "bare/__init__.py": "x = 1\n" * 200}
    for i in range(4):
        files.update(package("p%d" % i, files={"p%d/__init__.py" % i: "y = 2\n" * 300}))
    files["p0/_native.so"] = "\x7fELF"
    report = split_folder(cloud, tmp_path, files, "--layers", "3", "--packages", "bare")
    layers = {p["name"]: p["layer"] for p in report["packages"]}
    assert set(layers.values()) == {1, 2, 3} and layers["p0"] == 1 and layers["bare"]
    assert len(report["layers"]) == 3
    snippet = (tmp_path / "out" / "template.yaml").read_text()
    assert snippet.count("AWS::Serverless::LayerVersion") == 3


NODE = {
    "package.json": '{"type": "commonjs"}',
    "index.js": "const greet = require('greet');\n"
    "exports.handler = async (event) => greet(event);\n",
    "node_modules/greet/package.json": '{"name": "greet", "version": "2.0.0"}',
    "node_modules/greet/index.js": "const x = require('@a/b');\n"
    "module.exports = (who) => ({hello: who, x});\n",
    "node_modules/@a/b/package.json": '{"name": "@a/b", "version": "3.1.0"}',
    "node_modules/@a/b/index.js": "module.exports = 42;\n",
}


def test_node_modules_go_when_they_are_required(cloud, tmp_path):
    report = split_folder(
        cloud, tmp_path, NODE, "--payloads", '"you"', "--cold", "1",
        runtime=node_runtime(), handler="index.handler",
    )  # fmt: skip
    assert report["proven"] is True
    assert {(p["name"], p["version"]) for p in report["packages"]} == {
        ("greet", "2.0.0"),
        ("@a/b", "3.1.0"),
    }
    assert "nodejs/node_modules/@a/b/index.js" in names(report["layers"][0]["zip"])
    assert names(report["code"]["zip"]) == {"package.json", "index.js"}


@pytest.mark.parametrize(
    "files",
    [
        {"index.mjs": "import greet from 'greet';\nexport const handler = greet;\n"},
        {"package.json": '{"type": "module"}', "index.js": "export * from \"@a/b/sub\";\n"},
        {"index.js": "exports.handler = async () => (await import('greet')).default;\n"},
        {"index.js": "require('fs').readFileSync('node_modules/greet/x');\n"},
    ],
)
def test_what_node_would_not_find_in_a_layer_is_refused(cloud, tmp_path, files):
    done = split_folder(
        cloud, tmp_path, {**NODE, **files}, runtime="nodejs18.x", handler="index.handler", ok=False
    )
    assert done.returncode == 1 and "no package that could go" in done.stderr


def test_silly_input_is_refused(cloud, tmp_path):
    (tmp_path / "bad.zip").write_bytes(b"PK\3\4 no zip")
    (tmp_path / "empty").mkdir()
    both = ["--runtime", RUNTIME, "--handler", "app.handler"]
    for args, status, text in (
        (["bad.zip", *both], 1, "bad.zip"),
        (["empty", *both], 1, "no package"),
        (["empty"], 2, "--runtime"),
        (["empty", "--runtime", "java21", "--handler", "a.b"], 1, "not of java21"),
        (["empty", *both, "--layers", "6"], 2, "--layers"),
        (["empty", *both, "--apply", "--unproven"], 2, "deployed function"),
        ([unique("none"), *both], 1, "no function"),
        (["empty", *both, "--apply"], 2, "proof"),
    ):
        done = split(cloud, tmp_path, *args, ok=False)
        assert done.returncode == status and text in done.stderr, (args, done.stderr)


def test_a_wrong_payload_is_told_before_anything_is_made(cloud, tmp_path):
    name = cloud.function(files=BUNDLE)
    (tmp_path / "p.json").write_text("{")
    (tmp_path / "none").mkdir()
    for wrong in ("p.json", "{", "none"):
        done = split(cloud, tmp_path, name, "--payloads", wrong, ok=False)
        assert done.returncode == 1, done.stderr
        assert "payload" in done.stderr or "not JSON" in done.stderr


def test_a_zip_of_a_folder_is_split_as_the_folder(cloud, tmp_path):
    (tmp_path / "b.zip").write_bytes(zipped(BUNDLE))
    report = split(cloud, tmp_path, "b.zip", "--runtime", RUNTIME, "--handler", "app.handler")
    assert len(names(report["layers"][0]["zip"])) == len(BUNDLE) - 5


def test_what_a_killed_proof_has_left_is_removed_by_the_next(cloud, tmp_path):
    code = "import time, six\n\ndef handler(event, context):\n    time.sleep(event)\n    return event\n"
    folder = write(tmp_path, dict(package("six", files={"six.py": "x = 1\n"}), **{"app.py": code}))

    def left():
        functions = cloud.lambda_.get_paginator("list_functions").paginate().search("Functions[].FunctionName")
        roles = cloud.iam.get_paginator("list_roles").paginate().search("Roles[].RoleName")
        return [n for n in [*functions, *roles] if n.startswith("lamina-split-")]

    args = ("--runtime", RUNTIME, "--handler", "app.handler", "--payloads")
    with subprocess.Popen(
        [LAMINA, "layer", "split", str(folder), *args, "20", "-o", str(tmp_path / "out")],
        cwd=str(tmp_path),
        env=environ(AWS_ENDPOINT_URL=cloud.url),
        stdout=subprocess.DEVNULL,
    ) as process:
        while len(left()) < 2 and process.poll() is None:
            pass
        process.kill()
    assert len(left()) == 2
    split(cloud, tmp_path, folder, *args, "0")
    assert left() == []
