"""The shipper of coverage as an extension in the cloud."""

import hashlib
import json
import os
import signal
import time

import pytest
from cloud import ENDPOINT, Cloud, children, unique, zipped
from shipper_world import SHIPPER, Object, eventually, needs_shipper

pytestmark = needs_shipper

# A function that does what the tracer does, in few words: event = lines to hit.
TRACED = r"""
import mmap, os, signal, struct, time

DIRECTORY, PATH, WORDS = "/tmp/.lamina-coverage", b"/var/task/app.py", 20
name = "%s/.arena-%d-%x" % (DIRECTORY, os.getpid(), time.monotonic_ns())
with open(name, "wb+") as f:
    f.truncate(8192)
    m = mmap.mmap(f.fileno(), 8192)
m[0:8] = b"LAMARENA"
struct.pack_into("<IIQQQQ", m, 8, 1, 608, 8192, 1608, 1, 608)
struct.pack_into("<III", m, 72, 1 | 2 | 16, 0x030b02f0, os.getpid())
struct.pack_into("<QIIIIQ", m, 608, 0, 400, 1, len(PATH), WORDS, 0)
m[640 + 16 * WORDS : 640 + 16 * WORDS + len(PATH)] = PATH
m[640] |= 2
os.rename(name, name.replace("/.arena", "/arena"))
done = os.open(DIRECTORY + "/done", os.O_RDWR | os.O_NONBLOCK)

def handler(event, context):
    for line in event:
        at, bit = 640 + line // 8, 1 << line % 8
        if not m[at] & bit:
            m[at] |= bit
            struct.pack_into("<Q", m, 32, struct.unpack_from("<Q", m, 32)[0] + 1)
        if line == 13:
            os.kill(os.getpid(), signal.SIGKILL)
    struct.pack_into("<Q", m, 64, struct.unpack_from("<Q", m, 64)[0] + 1)
    os.write(done, b".")
    return context.aws_request_id
"""


@pytest.fixture(scope="module")
def shipper_zip():
    files = {"extensions/lamina-coverage-shipper*": open(SHIPPER, "rb").read()}
    return zipped(files)


def covered(cloud, bucket_name, shipper_zip, **variables):
    """A function with the shipper's layer."""
    layer = cloud.lambda_.publish_layer_version(
        LayerName=unique("coverage"), Content={"ZipFile": shipper_zip}
    )["LayerVersionArn"]
    variables["COVERAGE_S3_BUCKET"] = bucket_name
    name = cloud.function(TRACED, Layers=[layer], Environment={"Variables": variables})
    # One environment: an event that comes while the extension still sends waits for it.
    cloud.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    return name


def objects(cloud, bucket_name):
    found = cloud.s3.list_objects_v2(Bucket=bucket_name).get("Contents", [])
    keys = [x["Key"] for x in found if x["Key"].endswith(".coverage")]
    return {
        key: Object(cloud.s3.get_object(Bucket=bucket_name, Key=key)["Body"].read())
        for key in keys
    }


def lines(cloud, bucket_name, n):
    """What is covered in all environments together, once these are at least n lines."""

    def enough():
        union = set()
        for o in objects(cloud, bucket_name).values():
            union |= o.lines("/var/task/app.py")
        return len(union) >= n and union

    return eventually(enough)


@pytest.fixture
def store(cloud):
    from conftest import empty_bucket

    name = unique("coverage")
    cloud.s3.create_bucket(Bucket=name)
    yield name
    empty_bucket(cloud.s3, name)
    cloud.s3.delete_bucket(Bucket=name)


def test_in_the_cloud(cloud, store, shipper_zip):
    name = covered(cloud, store, shipper_zip)
    first = cloud.invoke(name, [5, 6]).payload
    assert lines(cloud, store, 3) == {1, 5, 6}
    for _ in range(3):
        cloud.invoke(name, [5])
    last = cloud.invoke(name, [7]).payload
    assert lines(cloud, store, 4) == {1, 5, 6, 7}
    ((key, o),) = objects(cloud, store).items()
    assert key.startswith("coverage/2") and ("/%s/" % name) in key
    assert {c[0] for c in o.contexts} >= {last} and o.contexts[-1][0] == last
    assert {c[0] for c in o.contexts} <= {"init", first, last}
    streams = cloud.logs.describe_log_streams(logGroupName="/aws/lambda/" + name)["logStreams"]
    assert o.meta["log_stream"] in [s["logStreamName"] for s in streams]
    assert o.meta["environment"] == o.meta["log_stream"][-32:] == key[-41:-9]
    with_source = o.files["/var/task/app.py"]["sha256"]
    assert with_source == hashlib.sha256(TRACED.encode()).digest()
    deadline = time.monotonic() + 10
    said = []
    while len(said) < 2 and time.monotonic() < deadline:
        said = [m for m in cloud.log_events(name) if "s3_upload" in m]
    assert len(said) == 2 and json.loads(said[0])["level"] == "INFO"


def test_function_is_killed_in_the_cloud(cloud, store, shipper_zip):
    name = covered(cloud, store, shipper_zip)
    assert cloud.invoke(name, [5, 13]).error
    assert lines(cloud, store, 3) == {1, 5, 13}
    cloud.invoke(name, [8])
    assert lines(cloud, store, 4) == {1, 5, 8, 13}


def shippers(cloud, name):
    found = []
    for pid in children(cloud.process.pid):
        try:
            with open("/proc/%d/environ" % pid, "rb") as f:
                variables = f.read()
            with open("/proc/%d/cmdline" % pid, "rb") as f:
                command = f.read()
        except OSError:
            continue
        if b"AWS_LAMBDA_FUNCTION_NAME=" + name.encode() in variables and b"shipper" in command:
            found.append(pid)
    return found


@pytest.mark.skipif(ENDPOINT is not None, reason="looks at the daemon's processes")
def test_shipper_is_killed_in_the_cloud(cloud, store, shipper_zip):
    name = covered(cloud, store, shipper_zip)
    cloud.invoke(name, [5])
    assert lines(cloud, store, 2) == {1, 5}
    (pid,) = shippers(cloud, name)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: shippers(cloud, name) != [pid])
    for _ in range(2):  # the first one may still meet the environment that has lost its extension
        r = cloud.invoke(name, [6])
    assert not r.error
    assert lines(cloud, store, 3) == {1, 5, 6}


@pytest.mark.skipif(ENDPOINT is not None, reason="kills the daemon")
def test_daemon_is_killed(shipper_zip, tmp_path):
    data = str(tmp_path / "data")
    cloud = Cloud(data=data).start()
    try:
        cloud.s3.create_bucket(Bucket="coverage")
        name = covered(cloud, "coverage", shipper_zip)
        cloud.invoke(name, [5])
        assert lines(cloud, "coverage", 2) == {1, 5}
        left = shippers(cloud, name)
        cloud.kill()
        eventually(lambda: not any(os.path.exists("/proc/%d" % pid) for pid in left))
        cloud = Cloud(data=data).start()
        cloud.invoke(name, [6])
        assert lines(cloud, "coverage", 3) == {1, 5, 6}
    finally:
        if cloud.running():
            cloud.stop()


def test_bucket_that_does_not_exist_in_the_cloud(cloud, shipper_zip):
    name = covered(cloud, unique("none"), shipper_zip)
    for i in (5, 6, 7):
        assert not cloud.invoke(name, [i]).error
    said = [m for m in cloud.log_events(name, 4, until='{"timestamp"') if "s3_upload" in m]
    assert said and all("NoSuchBucket" in m for m in said)
    # Once an environment: a busy machine may have needed a second one.
    keys = [json.loads(m)["key"] for m in said]
    assert len(set(keys)) == len(keys), said
