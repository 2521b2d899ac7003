"""`lamina inspect`: what environments have done, and the figures behind it."""

import json
import re
import threading
import time
import urllib.error
import urllib.request

import pytest

from cloud import ID, RUNTIME, error_of

SOURCE = """
import os, time

def handler(event, context):
    if event == "raise":
        raise ValueError("no")
    if event == "exit":
        os._exit(3)
    time.sleep(event or 0)
    return event
"""


def look(cloud, fn, *options):
    return json.loads(cloud.lamina("inspect", fn, "--json", *options).stdout)


def until(cloud, fn, done):
    """The same without a process, until it is as it should be."""
    url = cloud.url + "/_lamina/lambda/inspect?region=us-east-1&function=" + fn
    for _ in range(1000):
        with urllib.request.urlopen(url) as r:
            seen = json.loads(r.read())
        if done(seen):
            return seen
        time.sleep(0.01)
    raise AssertionError(seen)


def test_what_an_environment_does(cloud):
    fn = cloud.function(SOURCE)
    assert look(cloud, fn)["environments"] == []
    first = cloud.invoke(fn, 0.01)
    seen = until(cloud, fn, lambda s: s["environments"][0]["state"] == "frozen")
    cloud.invoke(fn, "raise")
    cloud.invoke(fn, "exit")
    seen = until(cloud, fn, lambda s: s["environments"][0]["state"] == "stopped")
    (env,) = seen["environments"]
    assert seen["function"] == fn and env["version"] == "$LATEST"
    assert env["initializationType"] == "on-demand"
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", env["id"])
    assert (env["invocations"], env["memoryMB"]) == (3, 128)
    assert 0 < env["memoryPeakMB"] <= 128
    events = [e for e in env["events"] if e["kind"] != "frozen"]
    assert [(e["kind"], e["status"], e.get("failed"), e.get("errorType")) for e in events] == [
        ("init", "success", None, None),
        ("invoke", "success", None, None),
        ("invoke", "success", True, None),
        ("invoke", "error", True, "Runtime.ExitError"),
    ]
    assert [e["kind"] for e in env["events"]][2] == "frozen"
    assert events[1]["requestId"] == first.id
    assert events[1]["durationMs"] == pytest.approx(first.report["Duration"], abs=0.006)
    assert abs(events[1]["billedMs"] - first.report["Billed Duration"]) <= 1
    assert events[0]["durationMs"] == pytest.approx(first.report["Init Duration"], abs=0.006)
    starts = [e["startMs"] for e in env["events"]]
    assert starts == sorted(starts) and env["startedMs"] <= starts[0]

    (figures,) = seen["versions"]
    assert figures["version"] == "$LATEST"
    assert (figures["invocations"], figures["errors"], figures["timeouts"]) == (3, 2, 0)
    assert (figures["coldStarts"], figures["maxConcurrent"], figures["concurrent"]) == (1, 1, 0)
    durations = figures["durationMs"]
    assert durations["min"] <= durations["p50"] <= durations["p99"] <= durations["max"]
    assert durations["max"] >= 10


def test_environments_beside_each_other_and_their_end(cloud):
    fn = cloud.function(SOURCE, Timeout=10)
    threads = [threading.Thread(target=cloud.invoke, args=(fn, 1)) for _ in range(3)]
    for t in threads:
        t.start()
    busy = until(
        cloud, fn, lambda s: [e["state"] for e in s["environments"]].count("busy") == 3
    )
    assert busy["environments"][0]["events"][-1]["open"] is True
    for t in threads:
        t.join()
    cloud.configure(fn, Description="new")
    seen = until(cloud, fn, lambda s: all(e["state"] == "ended" for e in s["environments"]))
    assert [e["why"] for e in seen["environments"]] == ["updated"] * 3
    assert seen["versions"][0]["maxConcurrent"] == 3


def test_throttled_ones_are_counted(cloud):
    fn = cloud.function(SOURCE)
    cloud.lambda_.put_function_concurrency(FunctionName=fn, ReservedConcurrentExecutions=0)
    assert error_of(cloud.invoke, fn)[0] == 429
    assert look(cloud, fn)["versions"][0]["throttles"] == 1


def test_the_picture(cloud):
    fn = cloud.function(SOURCE)
    assert cloud.lamina("inspect", fn).stdout == (
        "%s has had no environment since the cloud was started\n" % fn
    )
    r = cloud.invoke(fn, 0.05)
    failed = cloud.invoke(fn, "raise")
    out = cloud.lamina("inspect", fn, "--events", LANG="C").stdout
    lines = out.splitlines()
    assert lines[0].startswith("$LATEST  2 invocations, 1 failed   p50 ")
    (row,) = [line for line in lines if "/128 MB" in line]
    bar = row[19:56]
    assert re.fullmatch(r"[i#!.\-]+", bar) and "i" in bar and "#" in bar and "!" in bar
    assert re.search(r"\s2\s+\d+/128 MB\s+[\d.]+ m?s  error answered$", row)
    assert re.search(r"invoke +\d[\d.]* ms +\d+ ms  %s$" % r.id, out, re.M)
    assert re.search(r"invoke .*%s  error answered$" % failed.id, out, re.M)
    assert "\033" not in out
    assert "█" in cloud.lamina("inspect", fn, LANG="C.UTF-8").stdout
    for line in lines[1:]:
        assert len(line) <= 130


def test_when_it_cannot(cloud):
    r = cloud.lamina("inspect", "nobody", check=False)
    assert (r.returncode, r.stdout) == (1, "")
    assert r.stderr.startswith("lamina: inspect: Function not found: arn:aws:lambda:us-east-1:")
    r = cloud.lamina("inspect", "nobody", "--target", "aws", check=False)
    assert r.returncode == 1
    assert r.stderr == (
        "lamina: inspect: AWS does not show the environments of a function; this needs the "
        "embedded cloud (--target local)\n"
    )
    assert cloud.lamina("inspect", check=False).returncode == 2


def test_who_may_look(cloud):
    """This machine's programs; no web page, and no function."""
    path = "/_lamina/lambda/inspect?region=us-east-1"

    def get(**headers):
        try:
            with urllib.request.urlopen(
                urllib.request.Request(cloud.url + path, headers=headers)
            ) as r:
                return r.status
        except urllib.error.HTTPError as e:
            return e.code

    assert get() == 200
    assert get(Origin="http://example.com") == 403
    assert get(Host="example.com") == 403
    fn = cloud.function(
        "import urllib.request, urllib.error, os\n"
        "def handler(event, context):\n"
        "    try:\n"
        "        urllib.request.urlopen('http://169.254.100.1:4566' + event)\n"
        "    except urllib.error.HTTPError as e:\n"
        "        return e.code\n"
    )
    assert cloud.invoke(fn, path).payload == 403
