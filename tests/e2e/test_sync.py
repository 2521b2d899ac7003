"""`lamina sync`: a stack that follows its sources."""

import os
import queue
import re
import signal
import subprocess
import threading

import pytest
from cloud import LAMINA, RUNTIME, environ, unique
from image import docker_save, layer, program

TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Runtime: %(runtime)s, Handler: app.handler, Timeout: 5}
Resources:
  One:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: one
      Environment: {Variables: {COLOR: %(color)s}}
  Two:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: two
      Layers: [!Ref Shared]
  Shared:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: shared, CompatibleRuntimes: [%(runtime)s]}
    Metadata: {BuildMethod: %(runtime)s}
"""
ANSWER = "import os\ndef handler(event, context):\n    return [%r, os.environ.get('COLOR')]\n"


class Sync:
    """A running `lamina sync --watch`, its lines as they come."""

    def __init__(self, cloud, folder, *args):
        self.lines = queue.Queue()
        self.errors = queue.Queue()
        self.process = subprocess.Popen(
            [LAMINA, "sync", "--watch", *args],
            cwd=str(folder),
            env=environ(AWS_ENDPOINT_URL=cloud.url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
        for stream, to in ((self.process.stdout, self.lines), (self.process.stderr, self.errors)):
            threading.Thread(target=self._read, args=(stream, to), daemon=True).start()

    @staticmethod
    def _read(stream, to):
        for line in stream:
            to.put(line)
        stream.close()

    def line(self, begins):
        """The next line that begins so; others are left behind."""
        return self._wait(self.lines, lambda l: l.startswith(begins))

    def error(self, contains):
        return self._wait(self.errors, lambda l: contains in l)

    def _wait(self, lines, wanted):
        seen = []
        while True:
            try:
                line = lines.get(timeout=60)
            except queue.Empty:
                raise AssertionError("never said; but %r, %r" % (seen, list(self.errors.queue)))
            if wanted(line):
                return line
            seen.append(line)

    def stop(self, number=signal.SIGINT):
        self.process.send_signal(number)
        assert self.process.wait(20) == 0


@pytest.fixture
def project(cloud, tmp_path):
    for name in ("one", "two", "shared"):
        (tmp_path / name).mkdir()
    (tmp_path / "one" / "app.py").write_text(ANSWER % "one")
    (tmp_path / "two" / "app.py").write_text(
        "import lib\ndef handler(event, context):\n    return lib.value\n"
    )
    (tmp_path / "shared" / "lib.py").write_text("value = 'lib'\n")
    (tmp_path / "template.yaml").write_text(TEMPLATE % {"runtime": RUNTIME, "color": "red"})
    stack = unique("sync")
    yield tmp_path, stack
    cloud.cfn.delete_stack(StackName=stack)


@pytest.fixture
def syncing(cloud, project):
    folder, stack = project
    sync = Sync(cloud, folder, "--stack-name", stack)
    sync.line(stack + ": live ")
    sync.error("watching 3 functions and layers")
    yield sync, folder, stack
    if sync.process.poll() is None:
        sync.stop()


def name_of(cloud, stack, logical_id):
    r = cloud.cfn.describe_stack_resource(StackName=stack, LogicalResourceId=logical_id)
    return r["StackResourceDetail"]["PhysicalResourceId"]


def milliseconds(line):
    return float(re.search(r": live ([0-9.]+) ms after it was saved\n", line).group(1))


def test_watch_functions_layers_and_template(cloud, syncing):
    sync, folder, stack = syncing
    one, two = name_of(cloud, stack, "One"), name_of(cloud, stack, "Two")
    assert cloud.invoke(one).payload == ["one", "red"]
    assert cloud.invoke(two).payload == "lib"

    # a function: only that one, and fast
    before = cloud.lambda_.get_function_configuration(FunctionName=two)["RevisionId"]
    took = []
    for i in range(5):
        (folder / "one" / "app.py").write_text(ANSWER % i)
        took.append(milliseconds(sync.line("One: live ")))
        assert cloud.invoke(one).payload == [i, "red"]
    assert min(took) < 2000, took
    assert cloud.lambda_.get_function_configuration(FunctionName=two)["RevisionId"] == before

    # new files and folders, files that go
    (folder / "one" / "pkg").mkdir()
    (folder / "one" / "pkg" / "m.py").write_text("v = 'deep'\n")
    (folder / "one" / "app.py").write_text("from pkg import m\ndef handler(e, c):\n    return m.v\n")
    sync.line("One: live ")
    while cloud.invoke(one).payload != "deep":
        sync.line("One: live ")
    os.remove(str(folder / "one" / "pkg" / "m.py"))
    sync.line("One: live ")
    assert "ImportModuleError" in cloud.invoke(one).payload["errorType"]
    (folder / "one" / "app.py").write_text(ANSWER % "back")
    sync.line("One: live ")

    # a layer: a new version of it, and the functions that have it
    (folder / "shared" / "lib.py").write_text("value = 'new lib'\n")
    line = sync.line("Shared (arn:aws:lambda:")
    assert ":2)" in line and milliseconds(line) > 0
    assert cloud.invoke(two).payload == "new lib"

    # the template: all of it
    (folder / "template.yaml").write_text(TEMPLATE % {"runtime": RUNTIME, "color": "blue"})
    assert "after the template was saved" in sync.line(stack + ": live ")
    assert cloud.invoke(one).payload == ["back", "blue"]
    (folder / "one" / "app.py").write_text(ANSWER % "after")
    sync.line("One: live ")
    assert cloud.invoke(one).payload == ["after", "blue"]
    sync.stop()


def test_an_alias_follows(cloud, project):
    folder, stack = project
    template = (folder / "template.yaml").read_text()
    (folder / "template.yaml").write_text(template.replace("Timeout: 5", "AutoPublishAlias: live"))
    cloud.lamina("sync", "--stack-name", stack, cwd=str(folder))
    one, two = name_of(cloud, stack, "One"), name_of(cloud, stack, "Two")
    assert cloud.invoke(one + ":live").payload == ["one", "red"]
    (folder / "one" / "app.py").write_text(ANSWER % "new")
    (folder / "shared" / "lib.py").write_text("value = 'new lib'\n")
    cloud.lamina("sync", "--code", "--stack-name", stack, cwd=str(folder))
    assert cloud.invoke(one + ":live").payload == ["new", "red"]
    assert cloud.invoke(two + ":live").payload == "new lib"
    # The deployment after it finds the alias, and moves it on.
    (folder / "one" / "app.py").write_text(ANSWER % "newer")
    cloud.lamina("sync", "--stack-name", stack, cwd=str(folder))
    assert cloud.invoke(one + ":live").payload == ["newer", "red"]


def test_errors_keep_watching(cloud, syncing):
    sync, folder, stack = syncing
    one = name_of(cloud, stack, "One")
    (folder / "one" / "requirements.txt").write_text("./no-such-package\n")
    sync.error("One cannot be built")
    assert cloud.invoke(one).payload == ["one", "red"]
    (folder / "one" / "requirements.txt").unlink()
    sync.line("One: unchanged, not sent")
    (folder / "template.yaml").write_text("Resources: [")
    sync.error("template.yaml:")
    (folder / "template.yaml").write_text(TEMPLATE % {"runtime": RUNTIME, "color": "green"})
    sync.line(stack + ": live ")
    assert cloud.invoke(one).payload == ["one", "green"]
    sync.stop(signal.SIGTERM)


def test_saved_but_unchanged_is_not_sent(cloud, syncing):
    sync, folder, stack = syncing
    one = name_of(cloud, stack, "One")
    before = cloud.lambda_.get_function_configuration(FunctionName=one)["RevisionId"]
    (folder / "one" / "app.py").write_text(ANSWER % "one")
    sync.line("One: unchanged, not sent")
    (folder / "one" / ".git").mkdir()
    (folder / "two" / "app.py").write_text("def handler(e, c):\n    return 2\n")
    sync.line("Two: live ")
    assert cloud.lambda_.get_function_configuration(FunctionName=one)["RevisionId"] == before
    sync.stop()
    assert sync.lines.empty()


def test_once_and_code_only(cloud, project):
    folder, stack = project
    cwd = str(folder)
    r = cloud.lamina("sync", "--stack-name", stack, "--code", cwd=cwd, check=False)
    assert r.returncode == 1 and stack in r.stderr
    r = cloud.lamina("sync", "--stack-name", stack, "--dependency-layer", cwd=cwd)
    assert "there is no dependency layer" in r.stderr
    assert r.stdout.startswith(stack + ": live ")
    one, two = name_of(cloud, stack, "One"), name_of(cloud, stack, "Two")
    for name in ("one", "two"):
        (folder / name / "app.py").write_text(ANSWER % ("changed " + name))
    r = cloud.lamina("sync", "--stack-name", stack, "--code", "--resource-id", "Two", cwd=cwd)
    assert r.stdout.startswith("Two: live ") and r.stdout.count("\n") == 1
    assert cloud.invoke(two).payload == ["changed two", None]
    assert cloud.invoke(one).payload == ["one", "red"]
    (folder / "samconfig.toml").write_text(
        "version = 0.1\n[default.sync.parameters]\nstack_name = %r\ncode = true\n" % stack
    )
    r = cloud.lamina("sync", "--resource", "AWS::Serverless::Function", cwd=cwd)
    lines = r.stdout.splitlines()
    assert lines[0].startswith("One: live ") and lines[1:] == ["Two: unchanged, not sent"]
    assert cloud.invoke(one).payload == ["changed one", "red"]


@pytest.mark.parametrize(
    "args, says",
    [
        (["--use-container"], "--use-container is not supported"),
        (["--resource-id", "One"], "go with --code"),
        ([], "--stack-name"),
    ],
)
def test_usage(cloud, project, args, says):
    args = args + ["--stack-name", "x"] if args else args
    r = cloud.lamina("sync", *args, cwd=str(project[0]), check=False)
    assert r.returncode == 2 and says in r.stderr


def test_image_functions(cloud, tmp_path_factory, tmp_path):
    """The image's file is the source of its function."""
    run = program(tmp_path_factory.mktemp("program"))
    docker_save(tmp_path / "image.tar", [layer({"run*": run, "v": "1"})], Cmd=["/run"])
    (tmp_path / "template.yaml").write_text(
        "Transform: AWS::Serverless-2016-10-31\n"
        "Resources:\n"
        "  Img:\n"
        "    Type: AWS::Serverless::Function\n"
        "    Properties: {PackageType: Image, ImageUri: image.tar, Timeout: 5}\n"
    )
    stack = unique("sync")
    sync = Sync(cloud, tmp_path, "--stack-name", stack)
    sync.line(stack + ": live ")
    name = name_of(cloud, stack, "Img")
    assert cloud.invoke(name, "cat:/v").payload == "1"
    docker_save(tmp_path / "new.tar", [layer({"run*": run, "v": "2"})], Cmd=["/run"])
    os.replace(str(tmp_path / "new.tar"), str(tmp_path / "image.tar"))
    sync.line("Img: live ")
    assert cloud.invoke(name, "cat:/v").payload == "2"
    sync.stop()
    cloud.cfn.delete_stack(StackName=stack)
