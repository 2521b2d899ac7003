"""CloudWatch Logs Insights through boto3 and the aws CLI."""

import json
import time

import pytest

from cloud import ACCOUNT, Cloud, error_of, unique

NOW = int(time.time() * 1000)
REPORT = (
    "REPORT RequestId: 11111111-2222-3333-4444-%012d\tDuration: %.2f ms\tBilled Duration: %d ms\t"
    "Memory Size: 128 MB\tMax Memory Used: %d MB\t"
)


@pytest.fixture
def logs(cloud):
    return cloud.logs


@pytest.fixture
def group(logs):
    name = "/aws/lambda/" + unique()
    logs.create_log_group(logGroupName=name)
    yield name
    logs.delete_log_group(logGroupName=name)


def put(logs, group, stream, messages, at=NOW - 60000, step=1):
    try:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    except logs.exceptions.ResourceAlreadyExistsException:
        pass
    events = [{"timestamp": at + i * step, "message": m} for i, m in enumerate(messages)]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def finish(logs, query_id):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        r = logs.get_query_results(queryId=query_id)
        if r["status"] not in ("Running", "Scheduled"):
            return r
    raise AssertionError("the query does not end")


def start(logs, group, query, since=3600, **more):
    now = int(time.time())
    if group:
        more["logGroupName"] = group
    return logs.start_query(startTime=now - since, endTime=now + 60, queryString=query, **more)["queryId"]


def query(logs, group, text, **more):
    r = finish(logs, start(logs, group, text, **more))
    assert r["status"] == "Complete"
    return [{c["field"]: c["value"] for c in row} for row in r["results"]], r["statistics"]


def test_rows_and_statistics(logs, group):
    put(logs, group, "a", ["one ERROR", "two", "three ERROR"])
    put(logs, group, "b", ["four ERROR"], at=NOW - 59000)
    rows, stats = query(logs, group, "fields @message, @logStream | filter @message like /ERROR/ | limit 2")
    assert [(r["@message"], r["@logStream"]) for r in rows] == [("four ERROR", "b"), ("three ERROR", "a")]
    assert (stats["recordsMatched"], stats["recordsScanned"]) == (3, 4)
    assert stats["bytesScanned"] == len("one ERRORtwothree ERRORfour ERROR")
    record = logs.get_log_record(logRecordPointer=rows[0]["@ptr"])["logRecord"]
    assert record["@message"] == "four ERROR"
    assert record["@log"] == "%s:%s" % (ACCOUNT, group)
    assert record["@timestamp"] == str(NOW - 59000)
    rows, _ = query(logs, group, "", limit=1)
    assert set(rows[0]) == {"@timestamp", "@message", "@ptr"}


def test_lambda_reports(logs, group):
    put(logs, group, "s", [REPORT % (i, i * 10, i * 10, 40 + i) for i in range(1, 11)])
    rows, _ = query(
        logs,
        group,
        'filter @type = "REPORT" | stats count(*) as n, avg(@duration) as mean, pct(@duration, 90) as p90,'
        " max(@maxMemoryUsed / 1000 / 1000) as mb by @memorySize / 1000000 as size",
    )
    assert rows == [{"size": "128", "n": "10", "mean": "55", "p90": "90", "mb": "50"}]


def test_range_is_inclusive(logs, group):
    second = NOW // 1000 - 100
    put(logs, group, "s", ["a", "b", "c"], at=second * 1000, step=1000)
    q = dict(logGroupName=group, queryString="fields @message | sort @timestamp")
    r = finish(logs, logs.start_query(startTime=second, endTime=second + 1, **q)["queryId"])
    assert [row[0]["value"] for row in r["results"]] == ["a", "b"]


def test_several_groups(logs, group):
    other = group + "-other"
    logs.create_log_group(logGroupName=other)
    put(logs, group, "s", ["x"])
    put(logs, other, "s", ["y"])
    arn = logs.describe_log_groups(logGroupNamePrefix=other)["logGroups"][0]["arn"][:-2]
    for more in (
        {"logGroupNames": [group, other]},
        {"logGroupIdentifiers": [group, arn]},
    ):
        rows, stats = query(logs, None, "stats count(*) as n by @log | sort @log", **more)
        assert rows == [{"@log": ACCOUNT + ":" + g, "n": "1"} for g in sorted((group, other))]
    text = 'SOURCE logGroups(namePrefix: ["%s"]) | stats count(*) as n' % group
    assert query(logs, None, text)[0] == [{"n": "2"}]
    logs.delete_log_group(logGroupName=other)


@pytest.mark.parametrize(
    "text, begin, end, message",
    [
        ("fields @message | bogus", 18, 23, "unexpected symbol found bogus at line 1 and position 19"),
        ("filter nope(1) = 2", 7, 11, "unknown function nope"),
        ("unmask @message", 0, 6, "the command unmask is not supported by Lamina"),
    ],
)
def test_queries_that_are_none(logs, group, text, begin, end, message):
    with pytest.raises(logs.exceptions.MalformedQueryException) as e:
        start(logs, group, text)
    r = e.value.response
    assert r["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert r["queryCompileError"] == {
        "location": {"startCharOffset": begin, "endCharOffset": end},
        "message": message,
    }


def test_what_is_refused(logs, group):
    now = int(time.time())
    q = dict(startTime=now - 60, endTime=now, queryString="limit 1")
    assert error_of(logs.start_query, **q)[1] == "InvalidParameterException"
    assert error_of(logs.start_query, logGroupName=group, logGroupNames=[group], **q)[1] == (
        "InvalidParameterException"
    )
    assert error_of(logs.start_query, logGroupName="/none", **q)[:2] == (400, "ResourceNotFoundException")
    q["endTime"] = now - 61
    assert error_of(logs.start_query, logGroupName=group, **q)[1] == "InvalidParameterException"
    for call in (logs.get_query_results, logs.stop_query):
        assert error_of(call, queryId="none")[:2] == (400, "ResourceNotFoundException")
    assert error_of(logs.get_log_record, logRecordPointer="????")[1] == "InvalidParameterException"


def test_stop_and_describe(logs, group):
    put(logs, group, "s", ["x"])
    done = start(logs, group, "limit 1")
    finish(logs, done)
    status, code, _ = error_of(logs.stop_query, queryId=done)
    assert (status, code) == (400, "InvalidParameterException")
    (q,) = logs.describe_queries(logGroupName=group)["queries"]
    assert (q["queryId"], q["status"], q["queryString"]) == (done, "Complete", "limit 1")
    assert logs.describe_queries(logGroupName=group, status="Running")["queries"] == []


def test_definitions(logs, group):
    prefix = unique()
    made = [
        logs.put_query_definition(name=prefix + n, queryString="limit 1", logGroupNames=[group])["queryDefinitionId"]
        for n in ("b", "a")
    ]
    logs.put_query_definition(name=prefix + "c", queryString="limit 2", queryDefinitionId=made[0])
    found = logs.describe_query_definitions(queryDefinitionNamePrefix=prefix)["queryDefinitions"]
    assert [(d["name"][len(prefix) :], d["queryString"]) for d in found] == [("a", "limit 1"), ("c", "limit 2")]
    assert found[0]["logGroupNames"] == [group]
    assert logs.delete_query_definition(queryDefinitionId=made[0])["success"] is True
    assert error_of(logs.delete_query_definition, queryDefinitionId=made[0])[1] == "ResourceNotFoundException"


def test_fields_of_a_group(logs, group):
    put(logs, group, "s", [json.dumps({"level": "INFO", "user": {"name": "a"}}), "plain"])
    fields = {f["name"]: f["percent"] for f in logs.get_log_group_fields(logGroupName=group)["logGroupFields"]}
    assert (fields["@message"], fields["level"], fields["user.name"]) == (100, 50, 50)


def test_results_outlive_the_cloud(tmp_path):
    group = unique("/g/")
    cloud = Cloud(data=tmp_path / "data").start()
    try:
        cloud.logs.create_log_group(logGroupName=group)
        put(cloud.logs, group, "s", ["kept"])
        id = start(cloud.logs, group, "fields @message")
        before = finish(cloud.logs, id)
        cloud.kill()
        cloud.start()
        assert cloud.logs.get_query_results(queryId=id)["results"] == before["results"]
        assert query(cloud.logs, group, "fields @message")[0][0]["@message"] == "kept"
    finally:
        cloud.stop()


def test_aws_cli(cloud, logs, group):
    put(logs, group, "s", ["from the cli"])
    now = int(time.time())
    r = cloud.aws(
        "logs", "start-query", "--log-group-name", group, "--start-time", str(now - 600),
        "--end-time", str(now + 60), "--query-string", "fields @message | limit 5",
    )  # fmt: skip
    id = json.loads(r.stdout)["queryId"]
    finish(logs, id)
    r = json.loads(cloud.aws("logs", "get-query-results", "--query-id", id).stdout)
    assert r["results"][0][0] == {"field": "@message", "value": "from the cli"}


def test_search_pages_lose_nothing(logs, group):
    """Three streams, interleaved, while new events arrive: each found once, in order."""
    for k in range(3):
        put(logs, group, "s%d" % k, ["needle %d-%d" % (k, i) if i % 7 == 0 else "hay" for i in range(900)],
            at=NOW - 600000 + k, step=3)  # fmt: skip
    put(logs, group, "s1", ["needle late"], at=NOW - 599999)  # before what is there already
    found, token = [], None
    while True:
        more = {"nextToken": token} if token else {}
        r = logs.filter_log_events(logGroupName=group, filterPattern="needle", limit=50, **more)
        found += [(e["timestamp"], e["eventId"]) for e in r["events"]]
        token = r.get("nextToken")
        if not token:
            break
        put(logs, group, "s2", ["needle new"], at=NOW + len(found))
    assert found == sorted(found) and len(set(found)) == len(found)
    old = [t for t, _ in found if t < NOW - 60000]
    assert len(old) == 3 * 129 + 1


def ask(cloud, *words, code=0):
    r = cloud.lamina("logs", "query", *words, check=False)
    assert r.returncode == code, r.stderr
    return r


def test_lamina_logs_query(cloud, logs, group):
    put(logs, group, "s", [REPORT % (i, i * 10, i * 10, 40 + i) for i in range(1, 11)] + ["a, \"quoted\" | line"])
    r = ask(cloud, "stats count(*) as n, max(@duration) as ms by @type", group)
    assert [line.split() for line in r.stdout.splitlines()] == [["@type", "n", "ms"], ["-", "1", "-"], ["REPORT", "10", "100"]]
    assert "2 rows; 11 events matched of 11 scanned" in r.stderr
    text = "fields @message | filter @message like /quoted/"
    assert ask(cloud, text, "--log-group", group, "--csv").stdout == '@message\n"a, ""quoted"" | line"\n'
    assert ask(cloud, text, group, "--markdown").stdout == '| @message |\n|---|\n| a, "quoted" \\| line |\n'
    answer = json.loads(ask(cloud, text, group, "--json").stdout)
    assert answer["results"][0]["@message"] == 'a, "quoted" | line'
    assert answer["statistics"]["recordsScanned"] == 11


def test_lamina_logs_query_shows_the_place(cloud, logs, group):
    r = ask(cloud, "stats count(*)\nby nope(@type)", group, code=1)
    assert r.stderr.splitlines()[1:] == ["    by nope(@type)", "       ^^^^"]
    assert ask(cloud, "limit 1", code=2).stderr.startswith("lamina: logs: of which log?")


def test_saved_queries(cloud, logs, group):
    put(logs, group, "s", [REPORT % (i, i * 10, i * 10, 40 + i) for i in range(1, 11)])
    names = [q["name"] for q in json.loads(ask(cloud, "--list", "--json").stdout)]
    assert {"cold-starts", "slowest", "errors", "memory"} <= set(names)
    for name in names:
        ask(cloud, "--saved", name, "--log-group", group)
    (row,) = json.loads(ask(cloud, "--saved", "memory", "--log-group", group, "--json").stdout)["results"]
    assert (row["given_mb"], row["most_mb"], row["unused_mb"]) == ("128", "50", "78")
    rows = json.loads(ask(cloud, "--saved", "slowest", "--log-group", group, "--json").stdout)["results"]
    assert [r["ms"] for r in rows] == ["%.2f" % (i * 10) for i in range(10, 0, -1)]


def test_others_are_answered_while_a_query_runs(logs, group):
    """A query of seconds, of whose expression every event takes milliseconds."""
    for stream in "stuv":
        put(logs, group, stream, ["a" * 100000] * 9)
    query_id = start(logs, group, "filter @message like /a[a-z]*[0-9][A-Z]/")
    assert logs.get_query_results(queryId=query_id)["status"] in ("Scheduled", "Running")
    assert logs.stop_query(queryId=query_id)["success"]
    assert logs.get_query_results(queryId=query_id)["status"] == "Cancelled"


def test_a_group_that_goes_while_it_is_read(logs):
    name = "/aws/lambda/" + unique()
    logs.create_log_group(logGroupName=name)
    put(logs, name, "s", ["a" * 4000] * 40)
    query_id = start(logs, name, "filter @message like /a[a-z]*[0-9][A-Z]/")
    logs.delete_log_group(logGroupName=name)
    assert finish(logs, query_id)["status"] in ("Complete", "Failed")
