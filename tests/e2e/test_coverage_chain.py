"""From a line that runs to the report, when things go wrong on the way: what was executed is in it, or
what is missing is told. Through the real layer, on the cloud."""

import importlib
import json
import os
import re
import signal
import sys
import time

import pytest
from cloud import RUNTIME, SOON, children, lamina, unique

from conftest import empty_bucket

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PACKAGE = os.path.join(ROOT, "layers", "python-coverage", "python")
SOURCE = '''\
import os, sys, time

def handler(event, context):
    return globals()[event["way"]](event)

def fine(event):
    return "fine"  # fine

def killed(event):
    pid = os.getpid()  # killed
    os.kill(pid, 9)  # killed

def everybody(event):
    everybody = -1  # everybody
    os.kill(everybody, 9)  # everybody
    os.kill(os.getpid(), 9)

def exits(event):
    status = 3  # exits
    os._exit(status)  # exits

def segfault(event):
    import ctypes  # segfault
    at = 0  # segfault
    ctypes.string_at(at)  # segfault

def timeout(event):
    began = time.time()  # timeout
    while True:  # timeout
        time.sleep(0.02)  # timeout

def memory(event):
    kept = []  # memory
    while True:  # memory
        kept.append(bytearray(b"x") * (16 << 20))  # memory

def raises(event):
    wrong = {}  # raises
    return wrong["nothing"]  # raises

def in_thread(out):
    out.append(1)  # threads

def threads(event):
    import threading  # threads
    out = []
    all = [threading.Thread(target=in_thread, args=(out,)) for _ in range(4)]  # threads
    for t in all:
        t.start()  # threads
    for t in all:
        t.join()
    return len(out)  # threads

def forks(event):
    pid = os.fork()  # forks
    if not pid:
        answer = 0  # forks
        os._exit(answer)  # forks
    os.waitpid(pid, 0)
    return "forked"  # forks

def subprocesses(event):
    import subprocess  # subprocesses
    child = subprocess.run([sys.executable, "/var/task/child.py"])  # subprocesses
    return child.returncode

def starts(event):
    import subprocess
    for file in event["files"]:
        subprocess.run([sys.executable, file], check=True)

def hoards(event):
    global hoard
    import resource  # hoards
    kept = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, kept[1]))
    hoard = kept  # hoards

def frees(event):
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, hoard)  # frees

async def later():
    import asyncio  # coroutines
    await asyncio.sleep(0)
    return 7  # coroutines

def coroutines(event):
    import asyncio
    return asyncio.run(later())  # coroutines

def mine(frame, event, argument):
    return mine

def own_trace(event):
    sys.settrace(mine)  # own_trace
    seen = traced()
    sys.settrace(None)
    return seen

def traced():
    return 5  # own_trace_after

def full(event):
    with open("/tmp/fill", "wb") as f:  # full
        step = 64 << 20
        size = 0
        while step >= 4096:
            try:
                os.posix_fallocate(f.fileno(), size, step)
                size += step
            except OSError:
                step //= 2
    import big
    left = os.statvfs("/tmp").f_bavail  # full
    return [size, big.last()]
'''
LATER = "y = 2\n"
CHILD = "import sys\nx = 1\nsys.exit(3)\n"
BIG = "\n".join("def f%d(x):\n    return x" % i for i in range(3000)) + "\ndef last():\n    return 6\n"
MARKS = [line.rpartition("# ")[2] for line in SOURCE.split("\n")]


def marked(way):
    return {i + 1 for i, mark in enumerate(MARKS) if mark == way}


def read_object(data):
    sys.dont_write_bytecode = True
    if PACKAGE not in sys.path:
        sys.path.insert(0, PACKAGE)
    return importlib.import_module("coverage_wrapper._object").read(data)


class Covered:
    def __init__(self, cloud, bucket, **options):
        self.cloud, self.bucket = cloud, bucket
        options.setdefault("MemorySize", 512)
        self.name = cloud.function(
            files={"app.py": SOURCE, "child.py": CHILD, "later.py": LATER, "big.py": BIG},
            Runtime=RUNTIME,
            **options,
        )
        cloud.lamina("coverage", "enable", self.name, "--bucket", bucket)

    def do(self, way):
        return self.cloud.invoke(self.name, {"way": way})

    def quietly(self, way, **more):
        """The answer as soon as it is there, whatever the environment does afterwards."""
        return self.cloud.invoke(self.name, {"way": way, **more}, tail=False).payload

    def objects(self):
        s3 = self.cloud.s3
        found = s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        keys = [o["Key"] for o in found if "/%s/" % self.name in o["Key"]]
        return [read_object(s3.get_object(Bucket=self.bucket, Key=k)["Body"].read()) for k in keys]

    def lines(self, file="/app.py"):
        files = [f for o in self.objects() for f in o["files"] if f["path"].endswith(file)]
        return {n for f in files for n in f["lines"]}

    def until(self, wanted, file="/app.py", within=30):
        deadline = time.monotonic() + within
        while not wanted <= self.lines(file):
            assert time.monotonic() < deadline, "%s %s" % (wanted - self.lines(file), "".join(self.log()))
            time.sleep(0.02)

    def log(self):
        return self.cloud.log_events(self.name, within=0)[-30:]

    def missing(self):
        return " ".join(o["meta"].get("missing", "") for o in self.objects()).strip()

    def shippers(self):
        """Processes of the extension in this function's environments."""
        found = []
        for pid in children(self.cloud.process.pid):
            try:
                with open("/proc/%d/cmdline" % pid) as f, open("/proc/%d/environ" % pid) as e:
                    if "lamina-coverage-shipper" in f.read() and self.name in e.read():
                        found.append(pid)
            except OSError:
                pass
        return found

    def new_environments(self, **changes):
        self.cloud.lambda_.update_function_configuration(
            FunctionName=self.name, Description=unique(), **changes
        )
        self.cloud.lambda_.get_waiter("function_updated_v2").wait(
            FunctionName=self.name, WaiterConfig=SOON
        )


@pytest.fixture(scope="module")
def layer(tmp_path_factory):
    path = tmp_path_factory.mktemp("layer") / "layer.zip"
    r = lamina("layer", "build", "python-coverage", "-o", path, check=False)
    if r.returncode:
        pytest.fail("the coverage layer cannot be built here: " + r.stderr)


@pytest.mark.parametrize(
    "way, options, error",
    [
        ("killed", {}, "signal: killed"),
        ("exits", {}, "exit"),
        ("segfault", {}, "signal: segmentation fault"),
        ("raises", {}, "KeyError"),
        ("timeout", {"Timeout": 1}, "timed out"),
        ("memory", {"MemorySize": 192, "Timeout": 60}, "signal: killed"),
    ],
)
def test_what_ran_before_the_end(cloud, layer, bucket, way, options, error):
    f = Covered(cloud, bucket, **options)
    r = f.do(way)
    assert r.error and error in json.dumps(r.payload), r.payload
    assert r.payload.get("errorType") != "Extension.Crash"  # it is the function that went wrong
    if way != "memory":  # that may take the shipper along: then it comes with the next object
        f.until(marked(way))
    if way == "timeout":
        f.new_environments(Timeout=30)
    assert f.do("fine").payload == "fine"  # in another environment, or with another runtime
    f.until(marked(way) | marked("fine"))
    assert not (f.lines() & marked("own_trace")) and f.missing() == ""


def test_everybody_is_killed(cloud, layer, bucket):
    """The function and the shipper at once: whoever starts in that environment next sends it."""
    f = Covered(cloud, bucket)
    assert f.do("everybody").error and not f.lines() & marked("everybody")
    assert f.do("fine").payload == "fine"
    f.until(marked("everybody") | marked("fine"))


@pytest.mark.parametrize(
    "way, answer", [("threads", 4), ("forks", "forked"), ("subprocesses", 3), ("coroutines", 7)]
)
def test_wherever_it_runs(cloud, layer, bucket, way, answer):
    f = Covered(cloud, bucket, Environment={"Variables": {"COVERAGE_SUBPROCESS": "true"}})
    assert f.do(way).payload == answer
    f.until(marked(way))
    if way == "subprocesses":
        f.until({1, 2, 3}, file="/child.py")
    assert f.missing() == ""


def test_a_trace_function_of_the_program_s_own(cloud, layer, bucket):
    f = Covered(cloud, bucket)
    assert f.do("own_trace").payload == 5
    f.until(marked("own_trace"))
    if sys.version_info < (3, 12):  # there can be one trace function only
        assert "a trace function of its own" in f.missing()
    else:
        f.until(marked("own_trace_after"))


def test_a_full_tmp(cloud, layer, bucket):
    f = Covered(cloud, bucket)
    size, last = f.do("full").payload
    assert last == 6 and 300 << 20 < size <= 512 << 20
    f.until(marked("full"))
    assert len(f.lines("/big.py")) > 3000 or "big.py" in f.missing() or "room" in f.missing(), (
        f.missing()
    )


def test_the_shipper_is_killed(cloud, layer, bucket):
    f = Covered(cloud, bucket)
    assert f.do("fine").payload == "fine"
    f.until(marked("fine"))
    (pid,) = f.shippers()
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while not marked("fine") | marked("coroutines") <= f.lines():
        f.do("coroutines")  # may end with the environment, as on AWS: Extension.Crash
        assert time.monotonic() < deadline, f.log()


def test_the_bucket_is_emptied_deleted_and_made_again(cloud, layer):
    bucket = unique("gone")
    cloud.s3.create_bucket(Bucket=bucket)
    f = Covered(cloud, bucket)
    f.do("fine")
    f.until(marked("fine"))
    empty_bucket(cloud.s3, bucket)
    f.do("coroutines")  # an object has all that its environment has run
    f.until(marked("fine") | marked("coroutines"))
    empty_bucket(cloud.s3, bucket)
    cloud.s3.delete_bucket(Bucket=bucket)
    f.do("threads")
    deadline = time.monotonic() + 30
    while not any("NoSuchBucket" in m and '"ERROR"' in m for m in f.log()):
        assert time.monotonic() < deadline, f.log()
        time.sleep(0.02)
    cloud.s3.create_bucket(Bucket=bucket)
    f.new_environments()
    f.do("threads")
    f.until(marked("threads"))
    empty_bucket(cloud.s3, bucket)
    cloud.s3.delete_bucket(Bucket=bucket)


def test_the_daemon_is_killed(new_cloud, layer, tmp_path):
    """What S3 has acknowledged is there afterwards; functions go on to be covered."""
    cloud = new_cloud(data=tmp_path / "data")
    cloud.s3.create_bucket(Bucket="kept")
    f = Covered(cloud, "kept")
    f.do("fine")
    f.until(marked("fine"))
    cloud.kill()
    f.cloud = new_cloud(data=tmp_path / "data")
    assert marked("fine") <= f.lines()
    assert f.do("threads").payload == 4
    f.until(marked("fine") | marked("threads"))


def woken(pid):
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"\nvoluntary_ctxt_switches:\s*(\d+)", f.read())[1])


def test_nothing_new_wakes_nobody(cloud, layer, bucket):
    f = Covered(cloud, bucket)
    for _ in range(2):
        f.do("fine")
    f.until(marked("fine"))
    (pid,) = f.shippers()
    deadline, seen = time.monotonic() + 30, []
    while len(seen) < 6 or len(set(seen[-6:])) > 1:  # its own files are news for a moment
        assert time.monotonic() < deadline, seen
        f.do("fine")
        seen.append(woken(pid))
    assert any("Events: [SHUTDOWN]" in m for m in f.log()) or not any("EXTENSION" in m for m in f.log())
    f.do("threads")
    f.until(marked("threads"))
    assert woken(pid) > seen[-1]


def test_the_answer_does_not_wait_for_the_shipper(cloud, layer, bucket):
    f = Covered(cloud, bucket, Timeout=120)
    assert f.do("fine").payload == "fine"
    (pid,) = f.shippers()
    os.kill(pid, signal.SIGSTOP)
    try:
        assert f.quietly("coroutines") == 7
    finally:
        os.kill(pid, signal.SIGCONT)
    f.until(marked("coroutines"))
    assert f.do("fine").payload == "fine"
    assert [p for p in f.shippers()] == [pid]


def test_a_shipper_that_hangs_is_not_waited_for_twice(cloud, layer, bucket):
    """It is said, the environment is there for the next invocation, and what ran is sent later."""
    variables = {"COVERAGE_UPLOAD_TIMEOUT": "1"}
    f = Covered(cloud, bucket, Timeout=120, Environment={"Variables": variables})
    assert f.do("fine").payload == "fine"
    (pid,) = f.shippers()
    os.kill(pid, signal.SIGSTOP)
    try:
        assert f.quietly("coroutines") == 7
        deadline = time.monotonic() + 60
        while not any("has not answered" in m for m in f.log()):
            assert time.monotonic() < deadline, f.log()
            time.sleep(0.02)
        assert f.do("threads").payload == 4
        assert f.shippers() == [pid]
    finally:
        os.kill(pid, signal.SIGCONT)
    deadline = time.monotonic() + 30
    while not marked("coroutines") | marked("threads") <= f.lines():
        f.do("fine")  # between two invocations an environment stands still
        assert time.monotonic() < deadline, f.log()


SILENT = '''\
import socket

kept = []

def handler(event, context):
    with open("/proc/net/unix") as f:
        name = [line.split()[-1] for line in f if "@lamina-coverage-" in line][0]
    for i in range(30):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.connect("\\0" + name[1:])
        if i % 3 == 1:
            s.send(b"?" * (1 << i // 3))
        if i % 3 == 2:
            socket.send_fds(s, [b"\\1\\0\\0\\0\\7\\0\\0\\0"], [0, 1, 2])
        kept.append(s)
    return len(kept)
'''


def test_who_else_talks_to_the_shipper_keeps_nobody_waiting(cloud, layer, bucket):
    name = cloud.function(files={"app.py": SILENT}, Runtime=RUNTIME, Timeout=60)
    cloud.lamina("coverage", "enable", name, "--bucket", bucket)
    f = Covered.__new__(Covered)
    f.cloud, f.bucket, f.name = cloud, bucket, name
    assert cloud.invoke(name, {}).payload == 30
    f.until({15, 16})
    assert f.missing() == ""


def test_a_child_alone_has_something_new(cloud, layer, bucket):
    f = Covered(cloud, bucket, Environment={"Variables": {"COVERAGE_SUBPROCESS": "true"}})
    f.quietly("starts", files=["/var/task/later.py", "/var/task/later.py"])
    f.until({1}, file="/later.py")
    for _ in range(3):
        f.quietly("starts", files=["/var/task/later.py", "/var/task/later.py"])
    f.quietly("starts", files=["/var/task/later.py", "/var/task/big.py"])
    f.until({1, 3}, file="/big.py")


def test_the_shipper_cannot_be_asked(cloud, layer, bucket):
    """Without a descriptor left: what ran comes with a later object."""
    f = Covered(cloud, bucket)
    f.do("fine")
    assert f.quietly("hoards") is None
    assert f.quietly("frees") is None
    f.until(marked("hoards") | marked("frees"))
