"""Functions that go wrong in every way hurt themselves only, and nothing is left of them."""

import json
import os
import re
import signal
import threading
import time

import pytest

from cloud import alive, children, unique, wait_gone

# ---- what is there of a cloud ----------------------------------------------------------------------


def spawner_of(cloud):
    """The daemon's own child; what it has just cloned carries its name, too."""
    for pid in children(cloud.process.pid):
        try:
            with open("/proc/%d/stat" % pid) as f:
                name, _, rest = f.read().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if name == "lamina-spawner" and int(rest.split()[1]) == cloud.process.pid:
            return pid
    return None


def _links(pid):
    """Descriptors of a process, by what they are."""
    found = {}
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            kind = re.sub(r"\d+", "#", os.readlink("/proc/%d/fd/%s" % (pid, fd)))
        except OSError:
            continue
        found[kind] = found.get(kind, 0) + 1
    return found


def _lines(path):
    with open(path) as f:
        return len(f.readlines())


def _cgroups(cloud, spawner):
    """Control groups that the spawner has made: their folders carry its pid."""
    found = 0
    for root, folders, _ in os.walk("/sys/fs/cgroup"):
        depth = root.count("/")
        if depth > 6:
            folders[:] = []
        if re.search(r"/lamina/%d-\d+-\d+/e\d+$" % spawner, root):
            found += 1
    return found


class Inventory:
    """Counts what could leak: processes, descriptors, mounts, control groups, networks."""

    def __init__(self, cloud):
        spawner = spawner_of(cloud)
        family = children(cloud.process.pid)
        networks = set()
        for pid in family:
            try:
                networks.add(os.readlink("/proc/%d/ns/net" % pid))
            except OSError:
                pass
        self.counts = {
            "processes": len([p for p in family if alive(p)]),
            "daemon's descriptors": sum(_links(cloud.process.pid).values()),
            "spawner's descriptors": sum(_links(spawner).values()),
            "spawner's mounts": _lines("/proc/%d/mountinfo" % spawner),
            "control groups": _cgroups(cloud, spawner),
            "networks": len(networks),
        }

    def exceeds(self, before):
        return {k: (before.counts[k], n) for k, n in self.counts.items() if n > before.counts[k]}


def settled(cloud, within=10.0):
    """What is there once nothing changes any more: spares are made behind the answers."""
    deadline = time.monotonic() + within
    seen = [Inventory(cloud)]
    while time.monotonic() < deadline:
        time.sleep(0.1)
        seen.append(Inventory(cloud))
        if len(seen) > 3 and seen[-1].counts == seen[-2].counts == seen[-3].counts:
            break
    return seen[-1]


def wait_for_no_more(cloud, before, within=10.0):
    deadline = time.monotonic() + within
    while True:
        left = Inventory(cloud).exceeds(before)
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.05)


@pytest.fixture(scope="module")
def faulty():
    """A cloud for functions that go wrong."""
    from cloud import Cloud

    cloud = Cloud(["--spares", "0"]).start()
    yield cloud
    if cloud.running():
        cloud.stop(within=5)


# ---- the processes of the cloud itself -------------------------------------------------------------

HELLO = "import os, time\ndef handler(event, context):\n    time.sleep(event or 0)\n    return os.getpid()\n"


def wait_for_new_spawner(cloud, old, within=10.0):
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        new = spawner_of(cloud)
        if new and new != old:
            return new
        time.sleep(0.01)
    raise AssertionError("no new spawner\n" + cloud.log_text())


def test_a_killed_spawner_comes_back_by_itself(new_cloud):
    cloud = new_cloud()
    name = cloud.function(HELLO, Timeout=20)
    cloud.invoke(name)
    old = spawner_of(cloud)
    family = children(old)
    running = []
    thread = threading.Thread(target=lambda: running.append(cloud.invoke(name, 15)))
    thread.start()
    wait_until_running(cloud, name)
    os.kill(old, signal.SIGKILL)

    thread.join(10)
    assert not thread.is_alive(), "whoever waited is told"
    assert running[0].error == "Unhandled"
    assert running[0].payload["errorType"] == "Runtime.ExitError"
    assert "signal: killed" in running[0].payload["errorMessage"]
    assert "\tStatus: error\tError Type: Runtime.ExitError\n" in running[0].log

    new = wait_for_new_spawner(cloud, old)
    assert wait_gone(family) == []
    for _ in range(3):  # and once more, with what runs now
        r = cloud.invoke(name)
        assert r.error is None and r.payload < 100
    os.kill(new, signal.SIGKILL)
    wait_for_new_spawner(cloud, new)
    assert cloud.invoke(name).error is None
    assert "is started again" in cloud.log_text()


def wait_until_running(cloud, name, within=10.0):
    """Until the log tells that an invocation has begun and not ended."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        lines = cloud.log_events(name, count=0, within=0)
        if sum(l.startswith("START") for l in lines) > sum(l.startswith("REPORT") for l in lines):
            return
        time.sleep(0.02)
    raise AssertionError("it never began")


def test_events_survive_the_spawner(new_cloud, tmp_path):
    """Accepted before, carried out after: by the next attempt."""
    cloud = new_cloud(data=tmp_path / "data", env={"LAMINA_TIME_SCALE": "0.001"})
    bucket = unique("bucket")
    cloud.s3.create_bucket(Bucket=bucket)
    name = cloud.function(
        "import time\ndef handler(event, context):\n    print('did', event)\n    time.sleep(.2)\n", Timeout=10
    )
    for i in range(5):
        cloud.lambda_.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps("e%d" % i))
    os.kill(spawner_of(cloud), signal.SIGKILL)
    wait_for_log(cloud, name, {"did e%d\n" % i for i in range(5)})


def wait_for_log(cloud, name, lines, within=20.0):
    deadline = time.monotonic() + within
    seen = set()
    while time.monotonic() < deadline:
        seen = set(cloud.log_events(name, count=0, within=0))
        if lines <= seen:
            return
        time.sleep(0.05)
    raise AssertionError("missing: %s" % (lines - seen))


def test_events_survive_the_daemon(tmp_path):
    from cloud import Cloud

    cloud = Cloud(data=tmp_path / "data").start()
    name = cloud.function(
        "import time\ndef handler(event, context):\n    print('did', event)\n    time.sleep(.2)\n", Timeout=10
    )
    for i in range(5):
        cloud.lambda_.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps("e%d" % i))
    cloud.kill()
    cloud = Cloud(data=tmp_path / "data").start()
    try:
        wait_for_log(cloud, name, {"did e%d\n" % i for i in range(5)})
    finally:
        cloud.stop()


# ---- functions that go wrong -----------------------------------------------------------------------

TIMED_OUT = "Sandbox.Timedout"
EXITED = "Runtime.ExitError"


def python(body, init=""):
    text = "import os, signal, socket, sys, threading, time\n%s\ndef handler(event, context):\n" % init
    return {"app.py": text + "".join("    %s\n" % line for line in body.splitlines())}


# A runtime of its own, for what the ones that we bring would not do.
CLIENT = """#!/usr/bin/env python3
import http.client, os, sys, time
def api():
    return http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def ask(method, path, body=None, c=None):
    c = c or api()
    c.request(method, "/2018-06-01/runtime/" + path, body)
    r = c.getresponse()
    r.body = r.read()
    return r
def next():
    return ask("GET", "invocation/next").getheader("Lambda-Runtime-Aws-Request-Id")
"""


def bootstrap(body):
    return {"bootstrap*": CLIENT + body}


# name: (files, configuration, what the invocation must end with: an error type or a payload)
FAULTS = {
    "fork bomb": (python("while True:\n    try:\n        os.fork()\n    except OSError:\n        pass"),
                  {"Timeout": 2, "MemorySize": 256}, (TIMED_OUT, EXITED)),
    "threads without end": (
        python("n = 0\ntry:\n    while n < 5000:\n        threading.Thread(target=time.sleep, args=(60,), daemon=True)"
               ".start()\n        n += 1\nexcept RuntimeError:\n    pass\nreturn n < 1100 and threading.active_count() > 100"),
        {"Timeout": 10, "MemorySize": 512}, True),
    "memory hog": (python("kept = []\nwhile True:\n    kept.append(b'%d' % len(kept) * (1 << 20))"),
                   {"Timeout": 20, "MemorySize": 512}, EXITED),
    "children that are memory hogs": (
        python("for _ in range(4):\n    if os.fork() == 0:\n        kept = []\n        while True:\n"
               "            kept.append(b'%d' % len(kept) * (1 << 20))\ntime.sleep(30)"),
        {"Timeout": 3, "MemorySize": 512}, (EXITED, TIMED_OUT)),
    "a full /tmp": (
        python("n = 0\nblock = bytes(1 << 20)\ntry:\n    with open('/tmp/big', 'wb', 0) as f:\n"
               "        while n < 1024:\n            n += f.write(block) >> 20\nexcept OSError as e:\n"
               "    return [e.errno, 500 <= n <= 512]\n"),
        {"Timeout": 30, "MemorySize": 1769}, [28, True]),
    "a gigabyte in /tmp": (
        python("n = 0\nblock = bytes(1 << 20)\ntry:\n    with open('/tmp/big', 'wb', 0) as f:\n"
               "        while True:\n            n += f.write(block) >> 20\nexcept OSError as e:\n"
               "    os.remove('/tmp/big')\n    return [e.errno, 1000 <= n <= 1024]\n"),
        {"Timeout": 30, "MemorySize": 1769, "EphemeralStorage": {"Size": 1024}}, [28, True]),
    "many small files": (
        python("n = 0\ntry:\n    while n < 2000000:\n        open('/tmp/%d' % n, 'w').close()\n        n += 1\n"
               "except OSError as e:\n    return e.errno\n"),
        {"Timeout": 3, "MemorySize": 256}, (28, TIMED_OUT)),
    "folders without end": (
        python("os.chdir('/tmp')\ntry:\n    for _ in range(3000):\n        os.makedirs('d', exist_ok=True)\n        os.chdir('d')\n"
               "finally:\n    os.chdir('/var/task')\nreturn 'deep'"),
        {"Timeout": 20}, "deep"),
    "all descriptors": (
        python("kept = []\ntry:\n    while True:\n        kept.append(os.open('/dev/null', 0))\nexcept OSError as e:\n"
               "    n = len(kept)\n[os.close(f) for f in kept]\nreturn 900 < n < 1024"), {}, True),
    "a flood of lines": (
        python("end = time.monotonic() + 1.5\nwhile time.monotonic() < end:\n    os.write(1, b'x\\n' * 30000)\nreturn 1"),
        {"Timeout": 20}, 1),
    "a busy loop": (python("while True:\n    pass"), {"Timeout": 1}, TIMED_OUT),
    "a loop that takes every signal": (
        python("for n in range(1, 65):\n    try:\n        signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError):\n"
               "        pass\nwhile True:\n    time.sleep(1)"), {"Timeout": 1}, TIMED_OUT),
    "stops itself": (python("os.kill(os.getpid(), signal.SIGSTOP)"), {"Timeout": 1}, TIMED_OUT),
    "kills all that it can": (python("try:\n    os.kill(-1, signal.SIGKILL)\nexcept ProcessLookupError:\n"
                                     "    return 'alone'"), {}, "alone"),
    "leaves a daemon behind": (
        python("if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        while True:\n            time.sleep(.01)\n"
               "    os._exit(0)\nos.wait()\nreturn 1"), {}, 1),
    "closes all that it has": (python("os.closerange(0, 1024)"), {}, EXITED),
    "segmentation fault": (python("import ctypes\nctypes.string_at(0)"), {}, EXITED),
    "stack without end": (python("sys.setrecursionlimit(1 << 30)\ndef f():\n    return f() + f()\nf()"),
                          {"Timeout": 20, "MemorySize": 512}, EXITED),
    "never asks for an event": (bootstrap("time.sleep(600)\n"), {"Timeout": 1, "Runtime": "provided.al2023"},
                                TIMED_OUT),
    "ends at once": (bootstrap(""), {"Runtime": "provided.al2023"}, EXITED),
    "no program": ({"bootstrap*": "\x7fELF nonsense"}, {"Runtime": "provided.al2023"}, "Runtime.InvalidEntrypoint"),
    "answers twice": (
        bootstrap("for _ in range(2):\n    i = next()\n    a = ask('POST', 'invocation/%s/response' % i, '1')\n"
                  "    b = ask('POST', 'invocation/%s/response' % i, '2')\n"
                  "    print(a.status, b.status, b.body.decode(), flush=True)\n"
                  "next()\n"),
        {"Runtime": "provided.al2023"}, 1),
    "answers after its deadline": (  # what has stayed behind in a session of its own does
        bootstrap("i = next()\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(1.1)\n"
                  "    ask('POST', 'invocation/%s/response' % i, '1')\n    os._exit(0)\ntime.sleep(600)\n"),
        {"Runtime": "provided.al2023", "Timeout": 1}, TIMED_OUT),
    "answers for another": (
        bootstrap("while True:\n    i = next()\n    r = ask('POST', 'invocation/8476a536-e9f4-11e8-9739-2dfe598c3fcd/response', '1')\n"
                  "    ask('POST', 'invocation/%s/response' % i, str(r.status))\n"),
        {"Runtime": "provided.al2023"}, 400),
    "an answer that never ends": (
        bootstrap("i = next()\nc = api()\nc.putrequest('POST', '/2018-06-01/runtime/invocation/%s/response' % i)\n"
                  "c.putheader('Content-Length', '1000')\nc.endheaders()\nc.send(b'1')\ntime.sleep(600)\n"),
        {"Runtime": "provided.al2023", "Timeout": 1}, TIMED_OUT),
    "connections without end": (
        bootstrap("import socket\nkept = []\ni = next()\ntry:\n    while len(kept) < 1000:\n        s = socket.socket()\n"
                  "        s.setblocking(False)\n        s.connect_ex(('169.254.100.1', 9001))\n        kept.append(s)\n"
                  "except OSError:\n    pass\n[s.close() for s in kept]\n"
                  "while True:\n    ask('POST', 'invocation/%s/response' % i, 'true')\n    i = next()\n"),
        {"Runtime": "provided.al2023", "Timeout": 10}, True),
}


@pytest.fixture(scope="module")
def neighbour(faulty):
    """A well-behaved function that is invoked all the time while others go wrong."""
    name = faulty.function("def handler(event, context):\n    return event\n")

    class Neighbour:
        def __enter__(self):
            self.times, self.errors, self.going = [], [], True
            self.thread = threading.Thread(target=self.run)
            self.thread.start()
            return self

        def run(self):
            client = faulty.client("lambda", user_agent_extra="neighbour")
            n = 0
            while self.going:
                n += 1
                began = time.monotonic()
                r = client.invoke(FunctionName=name, Payload=str(n))
                body = r["Payload"].read().decode()
                self.times.append(time.monotonic() - began)
                if r.get("FunctionError") or body != str(n):
                    self.errors.append(body)

        def __exit__(self, *_):
            while len(self.times) < 2 and self.thread.is_alive():
                time.sleep(0.001)
            self.going = False
            self.thread.join()

    return Neighbour()


@pytest.mark.parametrize("what", FAULTS)
def test_only_itself_is_hurt(faulty, neighbour, what):
    files, configuration, expected = FAULTS[what]
    name = faulty.function(files=files, **configuration)
    with neighbour:
        r = faulty.invoke(name)
    if not isinstance(expected, tuple):
        expected = (expected,)
    seen = r.payload["errorType"] if r.error else r.payload
    assert seen in expected, (r.body, r.log)
    assert neighbour.errors == []
    assert len(neighbour.times) > 0 and max(neighbour.times) < 5
    assert r.log.count("REPORT RequestId: ") == 1

    if r.report["Duration"] < 1500:  # the next invocation gets its chance, too
        again = faulty.invoke(name)
        seen = again.payload["errorType"] if again.error else again.payload
        assert seen in expected, (again.body, again.log)
    faulty.lambda_.delete_function(FunctionName=name)


FLOOD = """
import socket
i = next()
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
many = b"GET /nothing HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" * 20000
ends = [socket.create_connection((host, port)) for _ in range(60)]
sent = [0] * 60
for s in ends:
    s.setblocking(False)
deadline = time.monotonic() + 10
while min(sent) < 1000000 and time.monotonic() < deadline:
    for n, s in enumerate(ends):
        try:
            sent[n] += s.send(many)
        except BlockingIOError:
            pass
ask("POST", "invocation/%s/response" % i, "true")
next()
"""


def test_requests_without_end_whose_answers_nobody_reads(faulty, neighbour):
    """Each turn of the daemon's loop takes some of them: it keeps little, and hears the others."""

    def resident():
        with open("/proc/%d/status" % faulty.process.pid) as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) >> 10

    name = faulty.function(files=bootstrap(FLOOD), Runtime="provided.al2023", Timeout=15, MemorySize=1024)
    before = resident()
    with neighbour:
        assert faulty.invoke(name).payload is True
    assert resident() - before < 350  # it was 540; what a sanitizer keeps back is within
    assert neighbour.errors == []
    faulty.lambda_.delete_function(FunctionName=name)


def test_nothing_leaks(faulty):
    """What was there before is there afterwards: no process, mount, group, descriptor, network more."""
    hello = faulty.function(HELLO)
    faulty.invoke(hello)
    # What environments of one kind share is kept, two descriptors a kind: both kinds have been there before.
    other = faulty.function(files=bootstrap("i = next()\nask('POST', 'invocation/%s/response' % i, '1')\nnext()\n"),
                            Runtime="provided.al2023")
    assert faulty.invoke(other).payload == 1
    names = {}
    before = settled(faulty)
    for what in ("fork bomb", "leaves a daemon behind", "ends at once", "segmentation fault", "stops itself",
                 "answers twice", "answers after its deadline", "no program", "a gigabyte in /tmp"):
        files, configuration, _ = FAULTS[what]
        names[what] = faulty.function(files=files, **configuration)
        faulty.invoke(names[what])
    for name in names.values():
        faulty.lambda_.delete_function(FunctionName=name)
    assert faulty.invoke(hello).error is None
    assert wait_for_no_more(faulty, before) == {}
