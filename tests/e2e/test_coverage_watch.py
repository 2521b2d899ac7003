"""`lamina coverage watch` on a terminal and elsewhere; `contexts`: which test has run a line."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest
from cloud import LAMINA, RUNTIME, environ, lamina

SOURCE = """\
def shipping(country):
    if country == "DE":
        return 490
    return 1990


def handler(event, context):
    if "items" in event:
        total = sum(event["items"])
        return total + shipping(event["country"])
    return None
"""
TESTS = """\
cases:
  - {name: within the country, function: %(f)s, payload: {items: [1], country: DE}}
  - {name: far away, function: %(f)s, payload: {items: [1], country: NZ}}
  - {name: nothing ordered, function: %(f)s, payload: {}}
"""
TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  App:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: src/, Handler: app.handler, Runtime: python3.11, FunctionName: %s}
"""


@pytest.fixture(scope="module")
def layer(tmp_path_factory):
    path = tmp_path_factory.mktemp("layer") / "layer.zip"
    r = lamina("layer", "build", "python-coverage", "-o", path, check=False)
    if r.returncode:
        pytest.fail("the coverage layer cannot be built here: " + r.stderr)


@pytest.fixture
def covered(cloud, layer, bucket, tmp_path):
    """A covered function whose source is in a folder here: (name, folder, its options)."""
    name = cloud.function(SOURCE, Runtime=RUNTIME, MemorySize=1769)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text(SOURCE)
    cloud.lamina("coverage", "enable", name, "--bucket", bucket)
    return name, tmp_path, ["--source", "src"]


def order(country):
    return {"items": [1, 2], "country": country}


class Terminal:
    """A program on a terminal of its own; text() is all that it has written."""

    def __init__(self, command, cwd, env, rows=30, columns=100):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.slave, self.before = slave, termios.tcgetattr(slave)
        self.process = subprocess.Popen(
            command, cwd=cwd, env=env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        self.said = b""

    def until(self, pattern, within=30):
        """What was written up to here and since the last call, once it matches."""
        deadline = time.monotonic() + within
        while not re.search(pattern, self.said, re.S):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise AssertionError("%r did not come: %r" % (pattern, self.said))
            self.said += os.read(self.master, 65536)
        said, self.said = self.said, b""
        return said

    def type(self, keys):
        os.write(self.master, keys)

    def end(self):
        """Exit status, and the settings that the terminal has afterwards."""
        rest = self.until(rb"\x1b\[\?1049l")
        status = self.process.wait(20)
        now = termios.tcgetattr(self.slave)
        os.close(self.slave)
        os.close(self.master)
        return status, now, rest


@pytest.mark.parametrize("leave", [b"\x03", b"q"])
def test_a_line_lights_up_and_the_terminal_is_given_back(cloud, covered, leave):
    name, folder, options = covered
    env = environ(AWS_ENDPOINT_URL=cloud.url, TERM="xterm", LANG="C.UTF-8")
    t = Terminal([LAMINA, "coverage", "watch", name, *options], folder, env)
    try:
        seen = t.until(rb"q leave")
        assert seen.startswith(b"\x1b[?1049h\x1b[?25l") and b" 0% of 1 file" in seen
        assert not termios.tcgetattr(t.slave)[3] & (termios.ICANON | termios.ECHO)
        cloud.invoke(name, order("DE"))
        seen = t.until(rb"> ?(\x1b\[[0-9;]*m)*src/app.py.*return 490.*q leave")
        assert re.search(rb" [1-9]\d% of 1 file", seen), seen
        assert re.search(rb"4 .{0,12}! .{0,12}    return 1990", seen), seen
        id = cloud.invoke(name, order("NZ")).id
        seen = t.until(rb"return 1990.*q leave")
        # black on green, with the invocation's id beside it
        lit = re.search(rb"\x1b\[1;7;32m    4 .{0,24}\+     return 1990 +(\w+)", seen)
        assert lit and lit.group(1).decode() == id[:8], seen
        t.type(leave)
        status, now, rest = t.end()
    finally:
        t.process.kill()
    assert status == 0 and now == t.before
    assert rest.endswith(b"\x1b[?7h\x1b[?25h\x1b[0m\x1b[?1049l")


def test_elsewhere_an_event_is_a_line(cloud, covered, bucket):
    name, folder, options = covered
    first = cloud.invoke(name, order("DE"))
    lamina_env = environ(AWS_ENDPOINT_URL=cloud.url, LANG="C.UTF-8")
    watch = [LAMINA, "coverage", "watch", name, *options]
    # what was there before is no event
    while not cloud.s3.list_objects_v2(Bucket=bucket).get("KeyCount"):
        time.sleep(0.02)
    running = [
        subprocess.Popen(
            watch + more, cwd=folder, env=lamina_env, universal_newlines=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for more in ([], ["--json"], ["--json", "--file", "other.py"])
    ]
    try:
        for p in running:
            assert "with 1 object" in p.stderr.readline()
        second = cloud.invoke(name, order("NZ"))
        for _ in range(10):  # what could not be sent on a busy machine is sent after the next one
            if all(select.select([p.stdout], [], [], 5)[0] for p in running[:2]):
                break
            cloud.invoke(name, order("NZ"))
        else:
            raise AssertionError("no event has come: %s" % cloud.log_events(name))
        text = running[0].stdout.readline()
        event = json.loads(running[1].stdout.readline())
        for p in running:
            p.send_signal(signal.SIGINT)
        ends = [p.communicate(timeout=20) for p in running]
    finally:
        for p in running:
            p.kill()
    assert [p.returncode for p in running] == [0, 0, 0], ends
    assert re.search(r"  %s  %s  src/app.py  \d+%%  1 run, 1 new: 4$" % (name, second.id), text), text
    assert event["context"] == second.id and event["function"] == name
    assert event["new"] == event["ran"] == [4] and event["file"] == "src/app.py"
    assert event["total"] == event["percent"] > 60
    assert [e[0] for e in ends] == ["", "", ""] and first.id not in text


def test_which_test_covers_a_line(cloud, covered, tmp_path):
    """Each test is a context by its name: of all that it runs, not only of what was new."""
    name, folder, options = covered
    (folder / "tests.yaml").write_text(TESTS % {"f": name})
    (folder / "template.yaml").write_text(TEMPLATE % name)
    cloud.lamina("coverage", "disable", name)
    r = cloud.lamina("test", "--coverage", cwd=folder)
    assert "3 passed" in r.stdout
    assert "COVERAGE_CONTEXTS" not in str(cloud.lambda_.get_function_configuration(FunctionName=name))

    def contexts(*more, check=True):
        return cloud.lamina("coverage", "contexts", name, *more, cwd=folder, check=check)

    def who(line):
        told = json.loads(contexts("--file", "app.py:%d" % line, "--json").stdout)
        return {c["context"]: c["first"] for c in told}

    assert who(3) == {"within the country": True}
    assert who(4) == {"far away": True}
    assert who(2) == {"within the country": True, "far away": False}
    assert who(8) == {"within the country": True, "far away": False, "nothing ordered": False}
    assert who(7) == {"init": True}
    line = contexts("--file", "src/app.py:4").stdout.splitlines()[1]
    assert re.match(r"far away +[0-9a-f-]{36} +%s +20\S+Z +yes$" % name, line)
    table = contexts("--file", "app.py").stdout
    assert re.search(r"^2 +within the country +.*far away", table, re.M), table
    assert re.search(r"^11 +nothing ordered +nothing ordered$", table, re.M), table
    summary = {c["context"]: c for c in json.loads(contexts("--json").stdout)}
    assert summary["far away"]["lines"] == 5 and summary["far away"]["first"] == 1
    for asked, why in (("app.py:5", "no line that could be run"), ("b.py", "is not in the report")):
        r = contexts("--file", asked, check=False)
        assert r.returncode == 1 and why in r.stderr
    assert contexts("--file", "app.py:x", check=False).returncode == 2
    told = cloud.lamina("coverage", "json", name, "--by", "context", cwd=folder).stdout
    assert json.loads(told)["files"]["src/app.py"]["contexts"]["4"] == ["far away"]
