"""`lamina bench cold`, and what it asks of the embedded cloud: that environments without work go."""

import json
import threading
import time
import urllib.error
import urllib.request

import pytest

from cloud import RUNTIME, zipped

SOURCE = """
import os, time
def handler(event, context):
    time.sleep(event or 0)
    return os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
"""

INSIDE = """
import os, urllib.request, urllib.error
def handler(event, context):
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"] + event, b"", method="POST")
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as e:
        return e.code
"""


def post(cloud, query, method="POST", **headers):
    request = urllib.request.Request(
        cloud.url + "/_lamina/lambda/drop?" + query, data=b"", headers=headers, method=method
    )
    try:
        with urllib.request.urlopen(request) as r:
            return r.status, json.loads(r.read())
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def drop(cloud, fn, version=""):
    """Until the environments have gone."""
    total = 0
    for _ in range(1000):
        status, said = post(cloud, "region=us-east-1&function=%s&version=%s" % (fn, version))
        assert status == 200, said
        total += said["dropped"]
        if not said["ending"]:
            return total, said
        time.sleep(0.005)
    raise AssertionError(said)


def looks(cloud, fn):
    url = cloud.url + "/_lamina/lambda/inspect?region=us-east-1&function=" + fn
    with urllib.request.urlopen(url) as r:
        return json.loads(r.read())["environments"]


def test_idle_environments_are_dropped(cloud):
    fn = cloud.function(SOURCE)
    assert drop(cloud, fn)[0] == 0
    first = cloud.invoke(fn).payload
    assert cloud.invoke(fn).payload == first
    dropped, said = drop(cloud, fn)
    assert dropped == 1 and said == {"dropped": said["dropped"], "busy": 0, "provisioned": 0, "ending": 0}
    again = cloud.invoke(fn)
    assert again.payload != first and "Init Duration" in again.log
    ended = [e for e in looks(cloud, fn) if e["state"] == "ended"]
    assert [e["why"] for e in ended] == ["dropped"]


def test_only_the_version_asked_for_and_none_at_work(cloud):
    fn = cloud.function(SOURCE)
    version = cloud.lambda_.publish_version(FunctionName=fn)["Version"]
    cloud.lambda_.get_waiter("published_version_active").wait(FunctionName=fn, Qualifier=version)
    latest, numbered = cloud.invoke(fn).payload, cloud.invoke(fn, Qualifier=version).payload
    other = cloud.function(SOURCE)
    neighbour = cloud.invoke(other).payload
    assert drop(cloud, fn, version)[0] == 1
    assert cloud.invoke(fn).payload == latest and cloud.invoke(other).payload == neighbour
    assert cloud.invoke(fn, Qualifier=version).payload != numbered
    slow = threading.Thread(target=cloud.invoke, args=(fn, 1))
    slow.start()
    while not any(e["state"] == "busy" for e in looks(cloud, fn)):
        time.sleep(0.005)
    dropped, said = drop(cloud, fn, "$LATEST".replace("$", "%24"))
    assert (dropped, said["busy"]) == (0, 1)
    slow.join()
    assert cloud.invoke(fn).payload == latest  # it was at work, and is still there


def test_dropping_is_for_programs_of_this_machine(cloud):
    fn = cloud.function(SOURCE)
    first = cloud.invoke(fn).payload
    query = "region=us-east-1&function=" + fn
    assert post(cloud, query, "GET")[0] == 405
    assert post(cloud, query, Origin="https://evil.example")[0] == 403
    assert post(cloud, query, Host="evil.example")[0] == 403
    assert post(cloud, query, **{"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert post(cloud, "function=" + fn)[0] == 400
    assert post(cloud, "region=us-east-1")[0] == 400
    assert post(cloud, "region=us-east-1&account=111111111111&function=" + fn)[1]["dropped"] == 0
    inside = cloud.function(INSIDE)
    assert cloud.invoke(inside, "/_lamina/lambda/drop?" + query).payload == 403
    assert cloud.invoke(fn).payload == first
