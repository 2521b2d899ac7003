"""`lamina bench cold`, and what it asks of the embedded cloud: that environments without work go."""

import json
import signal
import threading
import time
import urllib.error
import urllib.request

import pytest

from bench_proxy import Proxy
from test_bench_memory import bench, journals, state, stopped_at, what_it_is  # noqa: F401

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


# ---- lamina bench cold ----

# Its init takes what it takes: a quarter of a second at least, and the handler nothing.
SLOW_INIT = """
import time
time.sleep(0.25)
def handler(event, context):
    if (event or {}).get("fail"):
        raise ValueError("no")
"""


def slow(cloud):
    return cloud.function(SLOW_INIT, MemorySize=512, Description="ours")


def starts(cloud, fn):
    """Cold starts and invocations, of all versions."""
    versions = json.loads(cloud.lamina("inspect", fn, "--json").stdout)["versions"]
    return sum(v["coldStarts"] for v in versions), sum(v["invocations"] for v in versions)


@pytest.mark.parametrize("method", ["drop", "description", "version"])
def test_every_sample_is_cold(cloud, state, method):  # noqa: F811
    fn = slow(cloud)
    before = what_it_is(cloud, fn)
    r = bench(cloud, "cold", fn, "-n", 4, "--method", method, state=state)
    assert starts(cloud, fn) == (4, 4)
    assert what_it_is(cloud, fn) == before and journals(state) == []
    assert "not counted" not in r.stderr
    if method == "drop":
        assert "nothing of the function was changed" in r.stdout
        config = cloud.lambda_.get_function_configuration(FunctionName=fn)
        assert config["Version"] == "$LATEST" and "lamina" not in config["Description"]


def test_a_lamina_is_asked_to_drop(cloud, state):  # noqa: F811
    """The function is not touched, not even its RevisionId; versions can be measured as well."""
    fn = slow(cloud)
    version = cloud.lambda_.publish_version(FunctionName=fn)["Version"]
    before = cloud.lambda_.get_function_configuration(FunctionName=fn)["RevisionId"]
    with Proxy(cloud) as proxy:
        bench(cloud, "cold", fn, "-n", 2, "--warm", 3, state=state, url=proxy.url)
        assert starts(cloud, fn) == (2, 8)
        bench(cloud, "cold", fn, "-n", 2, "--qualifier", version, state=state, url=proxy.url)
        assert starts(cloud, fn) == (4, 10) and proxy.changes == []
    assert cloud.lambda_.get_function_configuration(FunctionName=fn)["RevisionId"] == before


def test_elsewhere_the_description_is_changed(cloud, state):  # noqa: F811
    fn = slow(cloud)
    before = what_it_is(cloud, fn)
    with Proxy(cloud, plain=True) as proxy:
        r = bench(cloud, "cold", fn, "-n", 2, state=state, url=proxy.url)
        assert [method for method, _ in proxy.changes] == ["PUT"] * 3
        assert "another description" in r.stdout and starts(cloud, fn) == (2, 2)
        r = bench(cloud, "cold", fn, "--method", "drop", state=state, url=proxy.url, check=False)
        assert r.returncode == 1 and "only the embedded cloud" in r.stderr
    assert what_it_is(cloud, fn) == before and journals(state) == []


def test_failures_are_failures(cloud, state):  # noqa: F811
    fn = slow(cloud)
    r = bench(cloud, "cold", fn, "-n", 3, "-p", '{"fail": true}', state=state, check=False)
    assert starts(cloud, fn) == (3, 3) and "ValueError" in r.stdout
    assert r.returncode == 1 and "every request failed" in r.stderr


def test_what_was_not_cold_is_not_counted(cloud, state):  # noqa: F811
    """Two provisioned environments answer: none is cold."""
    fn = slow(cloud)
    version = cloud.lambda_.publish_version(FunctionName=fn)["Version"]
    cloud.lambda_.put_provisioned_concurrency_config(
        FunctionName=fn, Qualifier=version, ProvisionedConcurrentExecutions=2
    )
    for _ in range(1000):
        s = cloud.lambda_.get_provisioned_concurrency_config(FunctionName=fn, Qualifier=version)
        if s["Status"] == "READY":
            break
        time.sleep(0.02)
    r = bench(cloud, "cold", fn, "-n", 3, "--qualifier", version, state=state, check=False)
    assert r.returncode == 1 and "provisioned environments answer" in r.stderr


def test_a_published_version_cannot_be_changed(cloud, state):  # noqa: F811
    fn = slow(cloud)
    version = cloud.lambda_.publish_version(FunctionName=fn)["Version"]
    for method in ("description", "version"):
        r = bench(cloud, "cold", fn, "--qualifier", version, "--method", method, state=state,
                  check=False)
        assert r.returncode == 1 and "published version" in r.stderr
    assert journals(state) == []


@pytest.mark.parametrize("method", ["description", "version"])
def test_killed_or_interrupted_it_is_put_back(cloud, state, method):  # noqa: F811
    fn = slow(cloud)
    before = what_it_is(cloud, fn)
    with Proxy(cloud) as proxy:
        args = ("cold", fn, "-n", 3, "--method", method)
        for n in (1, 3):
            code, _, _ = stopped_at(proxy, state, n, "after", signal.SIGKILL, *args)
            assert code == -signal.SIGKILL and what_it_is(cloud, fn) != before
            bench(cloud, "restore", state=state, url=proxy.url)
            assert what_it_is(cloud, fn) == before and journals(state) == []
        code, _, err = stopped_at(proxy, state, 2, "after", signal.SIGINT, *args)
        assert code == 130 and what_it_is(cloud, fn) == before and journals(state) == [], err


def test_init_and_handler_are_told_apart(cloud, state, tmp_path):  # noqa: F811
    fn = slow(cloud)
    r = bench(cloud, "cold", fn, "-n", 4, "--json", state=state)
    report = json.loads(r.stdout)
    cold = report["all"]["cold"]
    how = report["cold"]
    assert (how["method"], how["counted"], how["not_cold"]) == ("drop", 4, 0)
    assert how["spare"] + how["exec"] == 4
    init, handler = (cold[part]["p50"]["value"] for part in ("init", "handler"))
    assert 250 <= init <= cold["latency"]["p50"]["value"] and handler < 100


def test_spares_and_executed_ones_are_told_apart(new_cloud, state):  # noqa: F811
    cloud = new_cloud("--spares", "0")
    fn = cloud.function("def handler(event, context): pass")
    r = bench(cloud, "cold", fn, "-n", 2, state=state)
    assert "0 begun from a spare interpreter, 2 with a process of their own" in r.stdout
