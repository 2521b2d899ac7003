"""A function that goes wrong is not noticed by the callers of another one, and what it prints is bounded."""

import glob
import os
import re
import threading
import time

import pytest

from cloud import ENDPOINT, Cloud
from test_faults import settled, spawner_of, wait_for_no_more

pytestmark = pytest.mark.skipif(bool(ENDPOINT), reason="looks at processes of our own daemon")

ECHO = "def handler(event, context):\n    return event\n"
UNTIL = "import os, time\ndef handler(event, context):\n    end = time.monotonic() + event\n    while time.monotonic() < end:\n"

# What it does until it is told to end, over and over; none of it needs its memory limit.
FAULTS = {
    "fork bomb": "        try:\n            pid = os.fork()\n        except OSError:\n            continue\n"
                 "        if pid == 0:\n            os._exit(0)\n",
    "memory": "        kept = [b'x' * (1 << 20) for n in range(150)]\n",
    "lines": "        os.write(1, b'a line of a flood\\n' * 3000)\n",
    "/tmp": "        try:\n            with open('/tmp/big', 'wb', 0) as f:\n                while time.monotonic() < end:\n"
            "                    f.write(bytes(1 << 20))\n        except OSError:\n            pass\n",
    "busy loop": "        pass\n",
}
ASKED = 40
FLOOD = 5400  # lines of 200,000 bytes
# What the daemon may grow by; a sanitizer keeps what has been freed for a while.
GROWTH_MB = 96 if "ASAN_OPTIONS" not in os.environ else 768


@pytest.fixture(scope="module")
def cloud():
    cloud = Cloud(["--spares", "0"]).start()
    yield cloud
    if cloud.running():
        cloud.stop(within=10)


def resident_mb(cloud):
    with open("/proc/%d/status" % cloud.process.pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) // 1024


def wait_until(what, within=30):
    deadline = time.monotonic() + within
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def asked(cloud, name):
    """How long each of a number of invocations took, sorted."""
    times = []
    for n in range(ASKED):
        began = time.monotonic()
        assert cloud.invoke(name, n).payload == n
        times.append(time.monotonic() - began)
    return sorted(times)


@pytest.mark.parametrize("what", FAULTS)
def test_callers_of_others_do_not_notice(cloud, what):
    name = cloud.function(ECHO)
    fault = cloud.function(UNTIL + FAULTS[what], MemorySize=512, Timeout=60)
    both = [threading.Thread(target=cloud.invoke, args=a) for a in ((name, 0), (fault, 0.1))]
    [t.start() for t in both]
    [t.join() for t in both]
    before, memory = settled(cloud), resident_mb(cloud)
    alone = asked(cloud, name)
    seen = []
    thread = threading.Thread(target=lambda: seen.append(cloud.invoke(fault, 1)))
    thread.start()
    beside = asked(cloud, name)
    thread.join()
    assert seen[0].error is None
    # Of a machine that may be busy itself: the slowest of each is left out.
    assert beside[-2] < 0.25 + 4 * alone[-2], (alone, beside)
    assert resident_mb(cloud) < memory + GROWTH_MB
    # What it has started may be frozen in its environment, and goes with that.
    cloud.client("lambda").delete_function(FunctionName=fault)
    assert wait_for_no_more(cloud, before) == {}


def test_a_long_invocation_lets_others_come_first(cloud):
    where = "/sys/fs/cgroup/**/lamina/%d-*/e*/" % spawner_of(cloud)
    name = cloud.function(UNTIL + FAULTS["busy loop"])

    def shares():
        """Of environments, by their folder."""
        found = {}
        for usual, file in ((1024, "cpu.shares"), (100, "cpu.weight")):
            for path in glob.glob(where + file, recursive=True):
                with open(path) as f:
                    found[os.path.dirname(path)] = int(f.read()) / usual
        return found

    before = shares()
    assert cloud.invoke(name, 0).error is None
    mine = [g for g in shares() if g not in before]
    if not mine:
        pytest.skip("no cpu cgroup")
    assert [shares()[g] for g in mine] == [1]
    thread = threading.Thread(target=cloud.invoke, args=(name, 2))
    thread.start()
    wait_until(lambda: shares()[mine[0]] < 0.1)
    thread.join()
    assert cloud.invoke(name, 0).error is None
    assert shares()[mine[0]] == 1


def test_what_is_printed_is_bounded_and_what_is_lost_is_told(cloud):
    name = cloud.function(
        "import os\ndef handler(event, context):\n"
        "    line = b'x' * 199999 + b'\\n'\n"
        "    for n in range(event):\n"
        "        view = memoryview(line)\n"
        "        while view:\n"
        "            view = view[os.write(1, view):]\n",
        Timeout=120, MemorySize=1769)
    assert cloud.invoke(name, 1).error is None
    logs = cloud.client("logs")

    def told():
        """The last lines of its only environment that are Lamina's own."""
        group = "/aws/lambda/" + name
        streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
        events = logs.get_log_events(logGroupName=group, logStreamName=streams[0]["logStreamName"],
                                     startFromHead=False, limit=8)["events"]
        return [e["message"] for e in events if e["message"].startswith("LAMINA: ")]

    wait_until(lambda: logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/" + name)["logGroups"])
    before, memory = settled(cloud), resident_mb(cloud)
    assert cloud.invoke(name, FLOOD).error is None  # a gigabyte; 128 MiB of an environment are kept
    assert cloud.invoke(name, 0).error is None
    assert resident_mb(cloud) < memory + GROWTH_MB
    wait_until(told)
    lost = re.match(r"LAMINA: (\d+) log events \((\d+) bytes\) are missing here: this environment has printed all",
                    told()[0])
    assert int(lost[1]) * 200000 == int(lost[2])
    kept = (FLOOD + 1) * 200000 - int(lost[2])
    assert kept <= 128 << 20 < kept + 200000
    assert wait_for_no_more(cloud, before) == {}
