"""CloudWatch Logs through boto3."""

import time

import pytest

from cloud import ACCOUNT, REGION, error_of, unique


@pytest.fixture
def logs(cloud):
    return cloud.logs


@pytest.fixture
def group(logs):
    name = "/test/" + unique()
    logs.create_log_group(logGroupName=name)
    yield name
    logs.delete_log_group(logGroupName=name)


@pytest.fixture
def stream(logs, group):
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    return {"logGroupName": group, "logStreamName": "s"}


NOW = int(time.time() * 1000)


def put(logs, stream, *messages, at=NOW, step=1):
    events = [{"timestamp": at + i * step, "message": m} for i, m in enumerate(messages)]
    return logs.put_log_events(logEvents=events, **stream)


def test_groups(logs):
    names = [unique("/g/a") for _ in range(3)]
    prefix = "/g/"
    for n in names:
        logs.create_log_group(logGroupName=n, tags={"t": "v"})
    assert error_of(logs.create_log_group, logGroupName=names[0]) == (
        400,
        "ResourceAlreadyExistsException",
        "The specified log group already exists",
    )
    pages = logs.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix=prefix, PaginationConfig={"PageSize": 2}
    )
    found = [g for p in pages for g in p["logGroups"] if g["logGroupName"] in names]
    assert [g["logGroupName"] for g in found] == sorted(names)
    assert found[0]["arn"] == "arn:aws:logs:%s:%s:log-group:%s:*" % (REGION, ACCOUNT, sorted(names)[0])
    assert (found[0]["storedBytes"], "retentionInDays" in found[0]) == (0, False)
    assert logs.list_tags_log_group(logGroupName=names[0])["tags"] == {"t": "v"}
    for n in names:
        logs.delete_log_group(logGroupName=n)
    assert error_of(logs.delete_log_group, logGroupName=names[0]) == (
        400,
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )


def test_retention(logs, group):
    logs.put_retention_policy(logGroupName=group, retentionInDays=14)
    (g,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert g["retentionInDays"] == 14
    logs.delete_retention_policy(logGroupName=group)
    (g,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert "retentionInDays" not in g
    status, code, _ = error_of(logs.put_retention_policy, logGroupName=group, retentionInDays=2)
    assert (status, code) == (400, "InvalidParameterException")


def test_streams(logs, group):
    for n in ("b", "a", "c"):
        logs.create_log_stream(logGroupName=group, logStreamName=n)
    assert error_of(logs.create_log_stream, logGroupName=group, logStreamName="a") == (
        400,
        "ResourceAlreadyExistsException",
        "The specified log stream already exists",
    )
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert [s["logStreamName"] for s in streams] == ["a", "b", "c"]
    put(logs, {"logGroupName": group, "logStreamName": "a"}, "x", at=NOW - 5000)
    put(logs, {"logGroupName": group, "logStreamName": "b"}, "x", at=NOW - 9000)
    put(logs, {"logGroupName": group, "logStreamName": "c"}, "x", at=NOW)
    streams = logs.describe_log_streams(
        logGroupName=group, orderBy="LastEventTime", descending=True, limit=2
    )["logStreams"]
    assert [s["logStreamName"] for s in streams] == ["c", "a"]
    assert streams[0]["firstEventTimestamp"] == streams[0]["lastEventTimestamp"] == NOW
    logs.delete_log_stream(logGroupName=group, logStreamName="a")
    assert error_of(logs.delete_log_stream, logGroupName=group, logStreamName="a") == (
        400,
        "ResourceNotFoundException",
        "The specified log stream does not exist.",
    )


def test_events(logs, stream):
    assert put(logs, stream, "one", "two", "three")["nextSequenceToken"]
    r = logs.get_log_events(startFromHead=True, **stream)
    assert [(e["timestamp"] - NOW, e["message"]) for e in r["events"]] == [
        (0, "one"),
        (1, "two"),
        (2, "three"),
    ]
    assert r["events"][0]["ingestionTime"] >= NOW
    assert r["nextForwardToken"].startswith("f/") and r["nextBackwardToken"].startswith("b/")
    # The end: the same token comes back.
    again = logs.get_log_events(nextToken=r["nextForwardToken"], **stream)
    assert (again["events"], again["nextForwardToken"]) == ([], r["nextForwardToken"])
    put(logs, stream, "four", at=NOW + 10)
    again = logs.get_log_events(nextToken=r["nextForwardToken"], **stream)
    assert [e["message"] for e in again["events"]] == ["four"]


def test_events_by_time_and_limit(logs, stream):
    put(logs, stream, *["m%d" % i for i in range(10)])
    r = logs.get_log_events(startTime=NOW + 2, endTime=NOW + 5, startFromHead=True, **stream)
    assert [e["message"] for e in r["events"]] == ["m2", "m3", "m4"]  # the end is not included
    r = logs.get_log_events(limit=3, **stream)
    assert [e["message"] for e in r["events"]] == ["m7", "m8", "m9"]  # the newest, unless told
    r = logs.get_log_events(limit=3, nextToken=r["nextBackwardToken"], **stream)
    assert [e["message"] for e in r["events"]] == ["m4", "m5", "m6"]


def test_events_must_be_in_order(logs, stream):
    events = [{"timestamp": NOW, "message": "a"}, {"timestamp": NOW - 1, "message": "b"}]
    assert error_of(logs.put_log_events, logEvents=events, **stream) == (
        400,
        "InvalidParameterException",
        "Log events in a single PutLogEvents request must be in chronological order.",
    )


HOUR = 3600 * 1000


def test_events_that_are_too_old(logs, stream):
    events = [
        {"timestamp": NOW - 14 * 24 * HOUR - 2 * HOUR, "message": "old"},
        {"timestamp": NOW - 14 * 24 * HOUR + 2 * HOUR, "message": "good"},
    ]
    r = logs.put_log_events(logEvents=events, **stream)
    assert r["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}
    assert [e["message"] for e in logs.get_log_events(**stream)["events"]] == ["good"]


def test_events_of_the_future(logs, stream):
    events = [{"timestamp": NOW + h * HOUR, "message": str(h)} for h in (0, 1, 3, 4)]
    r = logs.put_log_events(logEvents=events, **stream)
    assert r["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 2}
    assert [e["message"] for e in logs.get_log_events(**stream)["events"]] == ["0", "1"]


def test_events_of_more_than_a_day(logs, stream):
    events = [{"timestamp": NOW - 25 * HOUR, "message": "a"}, {"timestamp": NOW, "message": "b"}]
    assert error_of(logs.put_log_events, logEvents=events, **stream) == (
        400,
        "InvalidParameterException",
        "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
    )


def test_put_where_nothing_is(logs, group):
    stream = {"logGroupName": group, "logStreamName": "nope"}
    assert error_of(put, logs, stream, "x") == (
        400,
        "ResourceNotFoundException",
        "The specified log stream does not exist.",
    )
    assert error_of(logs.get_log_events, logGroupName="nope", logStreamName="s")[1:] == (
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )


LINES = [
    "START RequestId: 1 Version: $LATEST",
    "[ERROR] something broke",
    "plain error text",
    '{"level": "WARN", "latency": 120, "user": {"name": "ann"}}',
    '{"level": "INFO", "latency": 20, "user": {"name": "bob"}}',
    "127.0.0.1 - frank [10/Oct/2000] GET /index.html 404 1534",
]


@pytest.mark.parametrize(
    "pattern, expected",
    [
        ("", [0, 1, 2, 3, 4, 5]),
        ("ERROR", [1]),
        ("error", [2]),
        ('"something broke"', [1]),
        ('"[ERROR]"', [1]),
        ("plain text", [2]),
        ("?ERROR ?plain", [1, 2]),
        ("error -plain", []),
        ("-RequestId -error -level", [1, 5]),
        ("%[Ee][Rr][Rr]or%", [2]),
        ('{ $.level = "WARN" }', [3]),
        ("{ $.latency > 10 && $.latency < 100 }", [4]),
        ('{ $.user.name = "a*" || $.latency = 20 }', [3, 4]),
        ("{ $.user.name = %^b% }", [4]),
        ("{ $.missing NOT EXISTS }", [3, 4]),
        ("[ip, dash, user, time, method, path, status = 4*, size > 1000]", [5]),
    ],
)
def test_filter_patterns(logs, stream, pattern, expected):
    put(logs, stream, *LINES)
    r = logs.filter_log_events(logGroupName=stream["logGroupName"], filterPattern=pattern)
    assert [LINES.index(e["message"]) for e in r["events"]] == expected


def test_filter_over_streams(logs, group):
    for s, at in (("x-1", NOW), ("x-2", NOW + 1), ("y", NOW + 2)):
        stream = {"logGroupName": group, "logStreamName": s}
        logs.create_log_stream(**stream)
        put(logs, stream, s, s, at=at, step=10)
    messages = lambda r: [e["message"] for e in r["events"]]  # noqa: E731
    r = logs.filter_log_events(logGroupName=group)
    assert messages(r) == ["x-1", "x-2", "y"] * 2
    assert len({e["eventId"] for e in r["events"]}) == 6
    r = logs.filter_log_events(logGroupName=group, logStreamNamePrefix="x-")
    assert messages(r) == ["x-1", "x-2"] * 2
    r = logs.filter_log_events(logGroupName=group, logStreamNames=["y"], startTime=NOW + 5)
    assert messages(r) == ["y"]
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, PaginationConfig={"PageSize": 2}
    )
    assert [m for p in pages for m in messages(p)] == ["x-1", "x-2", "y"] * 2


def test_filter_where_nothing_is(logs):
    assert error_of(logs.filter_log_events, logGroupName="/no/group") == (
        400,
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )


def test_cli_tail(cloud, logs, stream):
    put(logs, stream, "first line", "second line", at=int(time.time() * 1000) - 1000)
    r = cloud.aws("logs", "tail", stream["logGroupName"], "--format", "short", "--since", "1h")
    assert [line.split(" ", 1)[1] for line in r.stdout.splitlines()] == ["first line", "second line"]
