"""Functions that go wrong in every way hurt themselves only, and nothing is left of them."""

import base64
import json
import os
import re
import signal
import threading
import time

import pytest

from cloud import alive, children, unique, wait_gone, zipped

# ---- what is there of a cloud ----------------------------------------------------------------------


def spawner_of(cloud):
    for pid in children(cloud.process.pid):
        try:
            with open("/proc/%d/comm" % pid) as f:
                if f.read().strip() == "lamina-spawner":
                    return pid
        except OSError:
            pass
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
        cloud.stop()


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
