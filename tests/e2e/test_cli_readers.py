"""A person at a terminal: output that nobody reads on, options that mean what they say."""

import fcntl
import json
import os
import re
import struct
import subprocess
import termios

import pytest
from cloud import LAMINA, RUNTIME, environ, unique

SOURCE = """
def handler(event, context):
    print("x" * 200)
    return event
"""


@pytest.fixture
def function(cloud):
    return cloud.function(SOURCE)


def first_line(cloud, *args):
    """As `lamina ... | head -1`: the line, stderr, and the exit code."""
    p = subprocess.Popen([LAMINA, *map(str, args)], env=environ(AWS_ENDPOINT_URL=cloud.url),
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    line = p.stdout.readline()
    p.stdout.close()
    err = p.stderr.read()
    p.stderr.close()
    return line, err, p.wait(timeout=60)


def test_head_is_no_error(cloud, function):
    """More than a pipe holds, so that the writer is there when the reader goes."""
    line, err, code = first_line(cloud, "bench", "warm", function, "-n", 2000, "-q", "--csv", "-")
    assert line.startswith("series,outcome,")
    assert (err, code) == ("", 141)
    line, err, code = first_line(cloud, "logs", function, "--since", "1h")
    assert "INIT_START" in line
    assert (err, code) == ("", 141)


def test_a_tail_without_a_reader_ends(cloud, function):
    cloud.invoke(function)
    line, err, code = first_line(cloud, "logs", function, "--since", "1h", "--tail")
    assert "INIT_START" in line
    assert (err, code) == ("", 141)


def test_a_full_disk_is_an_error(cloud):
    with open("/dev/full", "w") as full:
        r = subprocess.run([LAMINA, "list", "functions"], stdout=full, stderr=subprocess.PIPE,
                           env=environ(AWS_ENDPOINT_URL=cloud.url), universal_newlines=True)
    assert r.returncode == 1
    assert "cannot write: No space left on device" in r.stderr


def test_warm_up_is_what_was_asked_for(cloud, function):
    for args, count in [((), 5), (("--warmup", 0), 0), (("--warmup", 2), 2)]:
        report = cloud.lamina("bench", "warm", function, "-n", 3, "--json", *args).stdout
        assert json.loads(report)["run"]["warmup"] == count


def test_cost_names_the_size_of_now(cloud, function):
    """Lines of other sizes, as `bench memory` leaves them, are billed as they were."""
    cloud.lamina("bench", "memory", function, "--memory", "128,256", "-n", 3)
    cloud.invoke(function)
    cloud.invoke("%s:%s" % (function, version(cloud, function, 512)))
    r = cloud.lamina("cost", function)
    assert "x86_64, 128 MB" in r.stdout
    assert "REPORT lines of several memory sizes" in r.stdout
    assert json.loads(cloud.lamina("cost", function, "--json").stdout)["rows"][0]["memoryMb"] == 128


def version(cloud, function, memory):
    """A version of another size; $LATEST is as it was."""
    def set_memory(mb):
        cloud.lambda_.update_function_configuration(FunctionName=function, MemorySize=mb)
        cloud.lambda_.get_waiter("function_updated_v2").wait(
            FunctionName=function, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    set_memory(memory)
    name = cloud.lambda_.publish_version(FunctionName=function)["Version"]
    set_memory(128)
    return name


def test_a_name_that_is_nearly_right(cloud, function):
    for args in (["invoke"], ["inspect"], ["bench", "warm"]):
        r = cloud.lamina(*args, function[:-1], check=False)
        assert r.returncode == 1
        assert "did you mean %s?" % function in r.stderr
    r = cloud.lamina("invoke", function + ":7", check=False)
    assert r.returncode == 1 and "did you mean" not in r.stderr


def test_a_logical_id_with_an_alias(cloud, tmp_path):
    stack = unique("ids")
    resources = {
        "Main": {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "InlineCode": "def handler(event, context): return context.function_version\n",
                "Handler": "index.handler", "Runtime": RUNTIME, "AutoPublishAlias": "live",
            },
        }
    }
    template = {"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}
    cloud.cfn.create_change_set(
        StackName=stack, ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=json.dumps(template),
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"])
    cloud.cfn.get_waiter("change_set_create_complete").wait(
        StackName=stack, ChangeSetName="c", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    cloud.cfn.execute_change_set(StackName=stack, ChangeSetName="c")
    cloud.cfn.get_waiter("stack_create_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    r = cloud.lamina("invoke", "Main:live", "--stack-name", stack)
    assert json.loads(r.stdout) == "1"
    r = cloud.lamina("bench", "warm", "Main:live", "--stack-name", stack, "-n", 1, "--json")
    assert json.loads(r.stdout)["function"]["version"] == "1"
    r = cloud.lamina("invoke", "Mian", "--stack-name", stack, check=False)
    assert "did you mean Main?" in r.stderr
    (tmp_path / "samconfig.toml").write_text(
        'version = 0.1\n[default.global.parameters]\nstack_name = "%s"\n' % stack)
    r = cloud.lamina("layer", "split", "Main", "-o", "split", cwd=tmp_path, check=False)
    assert "has no package that could go to a layer" in r.stderr


def on_terminal(columns, cloud, *args):
    """What a terminal of this width shows."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    p = subprocess.Popen([LAMINA, *args], stdout=theirs, stderr=subprocess.PIPE,
                         env=environ(AWS_ENDPOINT_URL=cloud.url, TERM="xterm"))
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    p.stderr.read()
    p.stderr.close()
    assert p.wait(timeout=60) == 0
    return re.sub(r"\x1b\[[0-9;]*[mK]", "", shown.decode()).replace("\r", "")


def test_a_narrow_terminal(cloud, function):
    """Sentences are folded under themselves; no word is lost."""
    shown = on_terminal(80, cloud, "verify", "--quick", function)
    assert max(map(len, shown.splitlines())) <= 80
    advice = "a log group of the template with RetentionInDays, 14 for instance, keeps logs from"
    assert advice in " ".join(shown.split())
    shown = on_terminal(80, cloud, "bench", "warm", function, "-n", "20")
    assert max(map(len, shown.splitlines())) <= 80
