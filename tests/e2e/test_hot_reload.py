"""Saved files are live in the next invocation: `up --mount`."""

import os
import threading
import time

import pytest
from cloud import lamina, unique

ANSWER = "def handler(event, context):\n    return %r\n"


def save(path, text):
    """As editors do: a new file takes the old one's place."""
    with open(str(path) + "~", "w") as f:
        f.write(text)
    os.replace(str(path) + "~", str(path))


@pytest.fixture
def mounted(new_cloud, tmp_path):
    """A cloud with a function whose code is a folder; -> cloud, name, folder."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "app.py").write_text(ANSWER % "first")
    name = unique("fn")
    cloud = new_cloud("--mount", "%s=%s" % (name, source), "--mount", "Logical=%s" % source)
    cloud.function(ANSWER % "package", name=name)
    return cloud, name, source


def test_saved_is_live(mounted):
    cloud, name, source = mounted
    digest = cloud.lambda_.get_function_configuration(FunctionName=name)["CodeSha256"]
    assert cloud.invoke(name).payload == "first"
    for i in range(10):
        save(source / "app.py", ANSWER % i)
        assert cloud.invoke(name).payload == i
    (source / "app.py").write_text(ANSWER % "in place")
    assert cloud.invoke(name).payload == "in place"
    after = cloud.lambda_.get_function_configuration(FunctionName=name)["CodeSha256"]
    assert after == digest
    log = cloud.log_text()
    assert "%s runs from %s (--mount), not from its package" % (name, source) in log
    assert log.count("--mount") == 1


def test_environments_stay_while_nothing_changes(mounted):
    cloud, name, source = mounted
    save(source / "app.py", "n = 0\ndef handler(e, c):\n    global n\n    n += 1\n    return n\n")
    assert [cloud.invoke(name).payload for _ in range(3)] == [1, 2, 3]
    (source / "__pycache__").mkdir()
    (source / "__pycache__" / "x.pyc").write_text("")
    assert cloud.invoke(name).payload == 4


def test_new_folders_and_many_files(mounted):
    cloud, name, source = mounted
    assert cloud.invoke(name).payload == "first"
    for i in range(100):
        (source / ("pkg%d" % i) / "deep").mkdir(parents=True)
        (source / ("pkg%d" % i) / "deep" / "m.py").write_text("v = %d\n" % i)
    save(source / "app.py", "from pkg7.deep.m import v\ndef handler(e, c):\n    return v\n")
    assert cloud.invoke(name).payload == 7
    save(source / "pkg7" / "deep" / "m.py", "v = 'changed deep down'\n")
    assert cloud.invoke(name).payload == "changed deep down"
    os.rename(str(source / "pkg7"), str(source / "moved"))
    assert cloud.invoke(name).error == "Unhandled"
    os.rename(str(source / "moved"), str(source / "pkg7"))
    assert cloud.invoke(name).payload == "changed deep down"


def test_folder_replaced(mounted):
    """As a build does that makes the whole folder anew."""
    cloud, name, source = mounted
    assert cloud.invoke(name).payload == "first"
    fresh = source.parent / "fresh"
    fresh.mkdir()
    (fresh / "app.py").write_text(ANSWER % "second")
    os.rename(str(source), str(source.parent / "old"))
    os.rename(str(fresh), str(source))
    assert cloud.invoke(name).payload == "second"
    save(source / "app.py", ANSWER % "third")
    assert cloud.invoke(name).payload == "third"


def test_running_invocation_ends_on_old_code(mounted, tmp_path):
    cloud, name, source = mounted
    waiting = (
        "import time, urllib.request\n"
        "def handler(event, context):\n"
        "    print('begun', flush=True)\n"
        "    time.sleep(event)\n"
        "    import late\n"
        "    return 'old ' + late.v\n"
    )
    (source / "late.py").write_text("v = 'module'\n")
    save(source / "app.py", waiting)
    got = []
    thread = threading.Thread(target=lambda: got.append(cloud.invoke(name, 1.5)))
    thread.start()
    cloud.log_events(name, until="begun", within=20)
    save(source / "app.py", ANSWER % "new")
    assert cloud.invoke(name).payload == "new"
    thread.join()
    assert got[0].error is None and got[0].payload == "old module"
    assert cloud.invoke(name).payload == "new"


def test_read_only_inside(mounted):
    cloud, name, source = mounted
    save(
        source / "app.py",
        "def handler(e, c):\n"
        "    try:\n"
        "        open('/var/task/x', 'w')\n"
        "    except OSError as error:\n"
        "        return error.strerror\n",
    )
    assert cloud.invoke(name).payload == "Read-only file system"
    assert sorted(os.listdir(str(source))) == ["app.py"]


def test_too_deep_to_watch(new_cloud, tmp_path):
    """What cannot be watched is not taken for unchanged."""
    source = tmp_path / "source"
    deep = source / "/".join("d" * 70)
    deep.mkdir(parents=True)
    (deep / "value").write_text("1")
    path = "/var/task" + str(deep / "value")[len(str(source)):]
    (source / "app.py").write_text("v = open(%r).read()\ndef handler(e, c):\n    return v\n" % path)
    name = unique("fn")
    cloud = new_cloud("--mount", "%s=%s" % (name, source))
    cloud.function(ANSWER % "package", name=name)
    assert "deeper ones, than can be watched" in cloud.log_text()
    for value in "123":
        (deep / "value").write_text(value)
        assert cloud.invoke(name).payload == value


def test_logical_id_of_a_stack(mounted, tmp_path):
    cloud, name, source = mounted
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "app.py").write_text(ANSWER % "package")
    template = tmp_path / "template.yaml"
    template.write_text(
        """
Transform: AWS::Serverless-2016-10-31
Resources:
  Logical:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: empty, Handler: app.handler, Runtime: python%s}
"""
        % cloud.lambda_.get_function_configuration(FunctionName=name)["Runtime"][6:]
    )
    cloud.lamina("deploy", "--stack-name", "hot", "--capabilities", "CAPABILITY_IAM",
                 "-t", str(template))
    physical = cloud.cfn.describe_stack_resource(StackName="hot", LogicalResourceId="Logical")[
        "StackResourceDetail"
    ]["PhysicalResourceId"]
    assert cloud.invoke(physical).payload == "first"


@pytest.mark.parametrize("value", ["no-equals-sign", "f=/no/such/folder", "f=/etc/hostname", "=/tmp"])
def test_wrong_mounts(value):
    r = lamina("up", "--ephemeral", "--port", "0", "--mount", value, check=False)
    assert r.returncode == 2 and "--mount" in r.stderr
