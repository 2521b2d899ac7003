"""Limits that bite, as AWS states them: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

import json
import os
import resource

import pytest

from cloud import error_of

SOURCE = """
import os, sys, time
def handler(event, context):
    scope = {"context": context}
    exec(event, scope)
    return scope.get("result")
"""


@pytest.fixture(scope="module")
def names():
    return {}


@pytest.fixture
def fn(cloud, names):
    if cloud.url not in names:
        names[cloud.url] = cloud.function(SOURCE, MemorySize=128, Timeout=30)
    return names[cloud.url]


BUSY = """
import time
began, cpu = time.monotonic(), time.process_time()
while time.monotonic() - began < %s: pass
result = (time.process_time() - cpu) / (time.monotonic() - began)
"""


def test_share_of_a_processor(cloud, fn):
    """128 MB are 7.2 % of a processor: 1769 MB are a whole one."""
    share = cloud.invoke(fn, BUSY % 1.2).payload
    assert 0.01 < share < 0.0724 * 1.4
    large = cloud.function(SOURCE, MemorySize=1769, Timeout=30)
    assert cloud.invoke(large, BUSY % 0.5).payload > 0.0724 * 1.4  # others are at work here, too


def test_an_init_is_not_slowed_down(cloud):
    name = cloud.function(
        "import time\nbegan, cpu = time.monotonic(), time.process_time()\n"
        "while time.process_time() - cpu < .2: pass\nshare = .2 / (time.monotonic() - began)\n"
        "def handler(event, context):\n    return share\n",
        MemorySize=128,
        Timeout=30,
    )
    assert cloud.invoke(name).payload > 0.11


def test_a_long_line_becomes_several_events(cloud):
    """An event of CloudWatch Logs has at most 256 KB."""
    name = cloud.function(
        "def handler(event, context):\n    print('x' * 600000)\n    print('behind')\n", MemorySize=512
    )
    cloud.invoke(name)
    lines = cloud.log_events(name, count=7, until="REPORT")
    parts = [l for l in lines if l.startswith("x")]
    assert "".join(parts).count("x") == 600000
    assert len(parts) == 3 and max(len(p) for p in parts) <= 262144
    assert "behind\n" in lines


@pytest.mark.parametrize("kind, limit", [("RequestResponse", 6291456), ("Event", 1048576)])
def test_size_of_a_payload(cloud, fn, kind, limit):
    payload = json.dumps("result = len('%s')" % ("x" * (limit - 18)))
    assert len(payload) == limit
    r = cloud.lambda_.invoke(FunctionName=fn, InvocationType=kind, Payload=payload)
    assert r["StatusCode"] == (200 if kind == "RequestResponse" else 202)
    if kind == "RequestResponse":
        assert json.loads(r["Payload"].read()) == limit - 18
    assert error_of(cloud.lambda_.invoke, FunctionName=fn, InvocationType=kind, Payload=payload + " ") == (
        413,
        "RequestTooLargeException",
        "%d byte payload is too large for the %s invocation type (limit %d bytes)" % (limit + 1, kind, limit),
    )


def test_variables_of_4_kb(cloud):
    name = cloud.function(SOURCE, Environment={"Variables": {"AA": "x" * 4000}})
    assert cloud.invoke(name, "import os\nresult = len(os.environ['AA'])").payload == 4000


def test_layers(cloud):
    from cloud import unique, zipped

    arns = [
        cloud.lambda_.publish_layer_version(
            LayerName=unique("layer"), Content={"ZipFile": zipped({"file%d" % i: "x"})}
        )["LayerVersionArn"]
        for i in range(6)
    ]
    name = cloud.function(SOURCE, Layers=arns[:5])
    assert cloud.invoke(name, "import os\nresult = sorted(os.listdir('/opt'))").payload == [
        "file%d" % i for i in range(5)
    ]
    status, code, _ = error_of(cloud.lambda_.update_function_configuration, FunctionName=name, Layers=arns)
    assert (status, code) == (400, "InvalidParameterValueException")


def test_descriptors_and_processes(cloud, fn):
    assert cloud.invoke(
        fn, "import resource as r\nresult = [r.getrlimit(r.RLIMIT_NOFILE), r.getrlimit(r.RLIMIT_MEMLOCK)]"
    ).payload == [[1024, 1024], [65536, 65536]]


def test_other_resource_limits(cloud, fn):
    def limit(name):
        return cloud.invoke(fn, "import resource as r\nresult = list(r.getrlimit(r.RLIMIT_%s))" % name).payload

    with open("/proc/sys/kernel/core_pattern") as f:
        piped = f.read(1) == "|"  # this machine would take the dumps: it is told not to
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    core = 0 if piped else 10 << 30
    if os.geteuid() != 0 and hard != -1:
        core = min(core, hard)
    assert limit("CORE") == [core, core]
    assert limit("STACK")[0] == 8 << 20
    for name in ("CPU", "FSIZE", "AS"):
        assert limit(name) == [-1, -1]
