"""The end of the daemon: extensions have their two seconds, and all of the cloud meanwhile."""

import signal
import threading
import time

from cloud import children, client, error_of, unique
from test_extensions import PLAIN, eventually, function

# Puts what it has at the end: by a link, which needs no signature to be made.
SHIPPER = PLAIN.replace("sys.exit(0)", r"""
        time.sleep(.5)  # longer than a daemon in a hurry would wait
        to = http.client.HTTPConnection("169.254.100.1:4566")
        to.request("PUT", os.environ["SHIP_TO"], "shipped at the end: " + event["shutdownReason"])
        print("put", to.getresponse().status, flush=True)
        print("seconds left", (event["deadlineMs"] / 1000 - time.time()) // 1, flush=True)
        sys.exit(0)
""")
HANGS = PLAIN.replace("sys.exit(0)", "time.sleep(1000)")
SLEEPS = "import time\ndef handler(event, context):\n    time.sleep(event)\n    return 'slept'\n"


def ship_to(bucket):
    """Path and query of a signed link to an object, as environments reach it."""
    inside = client("http://169.254.100.1:4566", "s3", signature_version="s3v4")
    link = inside.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "last"}, ExpiresIn=600)
    return link.partition(":4566")[2]


def shipping(cloud, source):
    bucket = unique("shipped")
    cloud.s3.create_bucket(Bucket=bucket)
    name = function(cloud, {"shipper": SHIPPER}, source, Timeout=40,
                    Environment={"Variables": {"SHIP_TO": ship_to(bucket)}})
    return name, bucket


def shipped(cloud, bucket):
    return cloud.s3.get_object(Bucket=bucket, Key="last")["Body"].read()


def test_extensions_reach_the_cloud_until_their_end(new_cloud, tmp_path):
    cloud = new_cloud(data=tmp_path)
    name, bucket = shipping(cloud, SLEEPS)
    assert cloud.invoke(name, 0).payload == "slept"
    cloud.stop(within=4.5)
    assert "Traceback" not in cloud.log_text()
    cloud = new_cloud(data=tmp_path)
    assert shipped(cloud, bucket) == b"shipped at the end: spindown"
    log = cloud.log_events(name)
    assert log[-3:-1] == ["shipper got SHUTDOWN spindown\n", "put 200\n"], log
    assert log[-1] in ("seconds left 0.0\n", "seconds left 1.0\n")


def test_an_invocation_that_is_cut_off(new_cloud, tmp_path):
    cloud = new_cloud(data=tmp_path)
    name, bucket = shipping(cloud, SLEEPS)
    heard = []
    waits = threading.Thread(
        target=lambda: heard.append(error_of(cloud.lambda_.invoke, FunctionName=name, Payload=b"30")))
    waits.start()
    cloud.log_events(name, within=20, until="START")
    cloud.stop(within=4.5)
    waits.join()
    assert heard == [(500, "ServiceException", "The cloud is being stopped")]
    cloud = new_cloud(data=tmp_path)
    assert shipped(cloud, bucket) == b"shipped at the end: spindown"


def test_an_event_that_is_cut_off_comes_again(new_cloud, tmp_path):
    source = """
import http.client, os, time, urllib.parse
def handler(event, context):
    to = http.client.HTTPConnection("169.254.100.1:4566")
    to.request("PUT", os.environ["SHIP_TO"], context.aws_request_id)
    print("put", to.getresponse().status)
    time.sleep(30)
"""
    cloud = new_cloud(data=tmp_path)
    bucket = unique("shipped")
    cloud.s3.create_bucket(Bucket=bucket)
    name = cloud.function(source, Timeout=40, Environment={
        "Variables": {"SHIP_TO": ship_to(bucket)}})
    cloud.lambda_.invoke(FunctionName=name, InvocationType="Event")
    eventually(lambda: cloud.s3.list_objects_v2(Bucket=bucket)["KeyCount"])
    first = shipped(cloud, bucket)
    cloud.s3.delete_object(Bucket=bucket, Key="last")
    cloud.stop(within=2.5)
    assert "is given up" not in cloud.log_text()
    assert "the next start carries it out again (%s)" % first.decode() in cloud.log_text()
    cloud = new_cloud(data=tmp_path)
    eventually(lambda: cloud.s3.list_objects_v2(Bucket=bucket)["KeyCount"])
    assert shipped(cloud, bucket) == first


def test_who_does_not_end_is_killed_after_two_seconds(new_cloud):
    cloud = new_cloud()
    cloud.invoke(function(cloud, {"hangs": HANGS}, SLEEPS), 0)
    began = time.monotonic()
    cloud.stop(within=4.5)
    assert time.monotonic() - began > 1.8


def test_a_second_signal_ends_at_once(new_cloud):
    cloud = new_cloud()
    name = function(cloud, {"hangs": HANGS}, SLEEPS)
    cloud.invoke(name, 0)
    family = children(cloud.process.pid)
    cloud.process.send_signal(signal.SIGINT)
    time.sleep(.3)  # the same one twice in a moment is one: it came to a group
    assert cloud.running() and family
    began = time.monotonic()
    cloud.stop(signal.SIGINT)
    assert time.monotonic() - began < 1.4


def test_one_signal_that_comes_twice_counts_once(new_cloud, tmp_path):
    cloud = new_cloud(data=tmp_path)
    name, bucket = shipping(cloud, SLEEPS)
    cloud.invoke(name, 0)
    cloud.process.send_signal(signal.SIGTERM)
    cloud.stop(signal.SIGHUP, within=4.5)
    assert shipped(new_cloud(data=tmp_path), bucket) == b"shipped at the end: spindown"
