"""What stands in a function's log: text and JSON, levels, groups, records of several lines."""

import json
import re
import time

import pytest

from cloud import ID, unique

NBSP = "\u00a0"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"

SOURCE = """
import logging, os, sys, time

def handler(event, context):
    for do, what in event:
        if do == "print":
            print(what)
        elif do == "write":
            os.write(1, what.encode("latin-1"))
        elif do == "err":
            print(what, file=sys.stderr)
        elif do == "log":
            logging.getLogger().log(getattr(logging, what[0]), what[1])
        elif do == "exception":
            try:
                raise ValueError(what)
            except ValueError:
                logging.exception("caught")
        elif do == "raise":
            raise ValueError(what)
        elif do == "exit":
            os._exit(3)
    return {k: v for k, v in os.environ.items() if "LOG" in k}
"""


def function(cloud, **logging):
    name = cloud.function(SOURCE)
    if logging:
        status, answer = cloud.configure(name, LoggingConfig=logging)
        assert status == 200, answer
    return name


def events(cloud, name, count, group=None):
    """The events of a function's group, once there are so many."""
    for _ in range(2000):
        try:
            pages = cloud.logs.get_paginator("filter_log_events")
            found = [
                e
                for page in pages.paginate(logGroupName=group or "/aws/lambda/" + name)
                for e in page["events"]
            ]
        except cloud.logs.exceptions.ResourceNotFoundException:
            continue
        if len(found) >= count:
            return found
        time.sleep(0.01)
    raise AssertionError([e["message"][:100] for e in found])


def messages(cloud, name, count, group=None):
    return [e["message"] for e in events(cloud, name, count, group)]


def test_lines_and_records_are_in_order_and_whole(cloud):
    fn = function(cloud)
    r = cloud.invoke(
        fn,
        [
            ["print", "1"],
            ["log", ["ERROR", "2\n3"]],
            ["err", "4"],
            ["log", ["WARNING", "5"]],
            ["print", "6"],
            ["exception", "7"],
            ["write", "8"],
        ],
    )
    init, start, *mine, end, report = messages(cloud, fn, 11)
    assert init.startswith("INIT_START ") and start.startswith("START ")
    assert end.startswith("END ") and report.startswith("REPORT ")
    assert mine[0] == "1\n"
    assert re.fullmatch(r"\[ERROR\]\t%s\t%s\t2\n3\n" % (TIME, r.id), mine[1])
    assert mine[2] == "4\n"
    assert re.fullmatch(r"\[WARNING\]\t%s\t%s\t5\n" % (TIME, r.id), mine[3])
    assert mine[4] == "6\n"
    assert re.fullmatch(
        r"\[ERROR\]\t%s\t%s\tcaught\nTraceback \(most recent call last\):\n(.*\n)+ValueError: 7"
        % (TIME, r.id),
        mine[5],
    )
    assert mine[6:] == ["8"]


def test_a_record_has_the_time_that_the_function_gave_it(cloud):
    fn = function(cloud)
    cloud.invoke(fn, [["log", ["ERROR", "when"]]])
    (e,) = [e for e in events(cloud, fn, 5) if "when" in e["message"]]
    hours, minutes, seconds = re.search(r"T(\d\d):(\d\d):([\d.]+)Z", e["message"]).groups()
    ms = (int(hours) * 60 + int(minutes)) * 60000 + round(float(seconds) * 1000)
    assert abs(e["timestamp"] % 86400000 - ms) < 1000


def test_an_error_is_one_event(cloud):
    fn = function(cloud)
    cloud.invoke(fn, [["raise", "no"]])
    (error,) = [m for m in messages(cloud, fn, 5) if m.startswith("[ERROR]")]
    lines = error.split("\n")
    assert lines[:2] == ["[ERROR] ValueError: no", "Traceback (most recent call last):"]
    assert lines[2].startswith(NBSP * 2 + 'File "/var/task/app.py", line ')
    assert lines[3] == NBSP * 4 + "raise ValueError(what)" and len(lines) == 4


@pytest.mark.parametrize(
    "bytes_",
    ["\u00a5", "\u00a5Z", "\u00a5Z\0", "\u00a5Z\0\x17", "\u00a5Z\0\x17\0\0\0\x02aaaaaaaahi", "\xc3\u00a5\xc3\u00a5"],
)
def test_bytes_that_look_like_a_frame_are_none(cloud, bytes_):
    """...unless they carry the time of day."""
    fn = function(cloud)
    r = cloud.lambda_.invoke(
        FunctionName=fn,
        LogType="Tail",
        Payload=json.dumps([["write", "<" + bytes_ + ">\n"], ["print", "next"]]).encode(),
    )
    import base64

    log = base64.b64decode(r["LogResult"])
    assert b"<" + bytes_.encode("latin-1") + b">\nnext\n" in log


def test_a_record_of_a_megabyte_is_split(cloud):
    fn = function(cloud)
    source = "import logging\ndef handler(e, c):\n    logging.error('x' * 1000000)\n    print('y' * 300000)\n"
    fn = cloud.function(source)
    cloud.invoke(fn)
    sizes = [len(m) for m in messages(cloud, fn, 10) if m[:1] in "[xy"]
    assert sizes[:3] == [262144] * 3 and sum(sizes[:4]) > 1000000
    assert sizes[4:] == [262144, 300001 - 262144]


# ---- JSON ----


def test_json(cloud):
    fn = function(cloud, LogFormat="JSON")
    r = cloud.invoke(fn, [["log", ["ERROR", "a\nb"]], ["print", "plain"], ["raise", "no"]])
    found = messages(cloud, fn, 6)
    assert [m for m in found if not m.startswith("{")] == ["plain\n"]
    records = [json.loads(m) for m in found if m.startswith("{")]
    assert [x.get("type", x.get("level", x.get("log_level"))) for x in records] == [
        "platform.initStart",
        "platform.start",
        "ERROR",
        "ERROR",
        "platform.report",
    ]
    _, start, record, error, report = records
    assert re.fullmatch(TIME, start["time"])
    assert start["record"] == {"requestId": r.id, "version": "$LATEST"}
    assert list(record) == ["timestamp", "level", "message", "logger", "requestId"]
    assert (record["message"], record["requestId"]) == ("a\nb", r.id)
    assert list(error) == [
        "timestamp", "log_level", "errorMessage", "errorType", "requestId", "stackTrace",
    ]
    assert list(report["record"]) == ["requestId", "metrics", "status"]
    assert report["record"]["metrics"]["initDurationMs"] > 0
    # The answer's tail has whole records.
    tail = [json.loads(line) for line in r.log.splitlines() if line.startswith("{")]
    assert tail[-1] == report and tail[-2] == error


def test_the_tail_begins_with_a_whole_record(cloud):
    fn = function(cloud, LogFormat="JSON")
    r = cloud.invoke(fn, [["log", ["ERROR", "x" * 700]]] * 10)
    assert len(r.log) <= 4096 and r.log.startswith('{"timestamp"')
    assert json.loads(r.log.splitlines()[-1])["type"] == "platform.report"


@pytest.mark.parametrize(
    "level, expected",
    [
        ("DEBUG", ["initStart", "initRuntimeDone", "initReport", "start", "runtimeDone", "report"]),
        ("INFO", ["initStart", "start", "report"]),
        ("WARN", []),
    ],
)
def test_system_levels(cloud, level, expected):
    fn = function(cloud, LogFormat="JSON", SystemLogLevel=level)
    r = cloud.invoke(fn, [])
    types = [json.loads(line)["type"] for line in r.log.splitlines()]
    assert types == ["platform." + t for t in expected]


def test_failures_are_told_at_warn(cloud):
    fn = function(cloud, LogFormat="JSON", SystemLogLevel="WARN")
    r = cloud.invoke(fn, [["exit", ""]])
    records = [json.loads(line) for line in r.log.splitlines()]
    assert [x["type"] for x in records] == ["platform.runtimeDone", "platform.report"]
    for x in records:
        assert x["record"]["status"] == "error"
        assert x["record"]["errorType"] == "Runtime.ExitError"


LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


@pytest.mark.parametrize(
    "level, first", [("TRACE", 0), ("DEBUG", 0), ("INFO", 1), ("WARN", 2), ("ERROR", 3), ("FATAL", 4)]
)
def test_application_levels(cloud, level, first):
    fn = function(cloud, LogFormat="JSON", ApplicationLogLevel=level)
    r = cloud.invoke(fn, [["log", [l, "x"]] for l in LEVELS])
    assert r.payload["AWS_LAMBDA_LOG_LEVEL"] == level
    assert r.payload["AWS_LAMBDA_LOG_FORMAT"] == "JSON"
    records = [json.loads(line) for line in r.log.splitlines()]
    assert [x["level"] for x in records if "level" in x] == LEVELS[first:]


def test_lines_that_name_their_level_are_filtered_too(cloud):
    """...when they say when they were written; what has no level is of level INFO."""
    fn = function(cloud, LogFormat="JSON", ApplicationLogLevel="WARN")
    now = '"timestamp": "2026-01-02T03:04:05.678Z"'
    r = cloud.invoke(
        fn,
        [
            ["print", '{"level": "debug", %s, "n": 1}' % now],
            ["print", '{"level": "error", %s, "n": 2}' % now],
            ["print", '{"level": "error", "n": 3}'],
            ["print", '{"n": 4}'],
            ["print", '{"level": "Warning", %s, "n": 5}' % now],
            ["print", "plain text"],
            ["print", "{no JSON"],
        ],
    )
    mine = [line for line in r.log.splitlines() if '"type"' not in line]
    assert [re.findall(r'"n": (.)', m) or m for m in mine] == [
        ["2"], ["5"], "plain text", "{no JSON",
    ]


def test_text_has_no_levels(cloud):
    fn = function(cloud)
    r = cloud.invoke(fn, [["print", '{"level": "debug", "timestamp": "2026-01-02T03:04:05Z"}']])
    assert '{"level": "debug"' in r.log
    assert "AWS_LAMBDA_LOG_FORMAT" not in r.payload and "AWS_LAMBDA_LOG_LEVEL" not in r.payload


# ---- groups ----


def test_a_group_of_ones_own(cloud):
    group = unique("/shared/group")
    fn = function(cloud, LogGroup=group)
    r = cloud.invoke(fn, [["print", "here"]])
    assert r.payload["AWS_LAMBDA_LOG_GROUP_NAME"] == group
    found = events(cloud, fn, 5, group)
    assert "here\n" in [e["message"] for e in found]
    stream = r.payload["AWS_LAMBDA_LOG_STREAM_NAME"]
    assert {e["logStreamName"] for e in found} == {stream}
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/%s\[\$LATEST\][0-9a-f]{32}" % fn, stream)


def test_the_usual_group(cloud):
    fn = function(cloud)
    stream = cloud.invoke(fn, []).payload["AWS_LAMBDA_LOG_STREAM_NAME"]
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream)


# ---- configuration ----


def test_defaults_and_changes(cloud):
    fn = cloud.function(SOURCE)
    group = "/aws/lambda/" + fn

    def logging(**settings):
        status, answer = cloud.configure(fn, LoggingConfig=settings)
        assert status == 200
        return answer["LoggingConfig"]

    assert logging() == {"LogFormat": "Text", "LogGroup": group}
    assert logging(LogFormat="JSON") == {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "INFO",
        "SystemLogLevel": "INFO",
        "LogGroup": group,
    }
    assert logging(LogFormat="JSON", ApplicationLogLevel="ERROR", LogGroup="g") == {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "ERROR",
        "SystemLogLevel": "INFO",
        "LogGroup": "g",
    }
    assert logging(LogFormat="Text") == {"LogFormat": "Text", "LogGroup": "g"}


@pytest.mark.parametrize(
    "settings, code",
    [
        ({"LogFormat": "XML"}, "ValidationException"),
        ({"LogFormat": "JSON", "SystemLogLevel": "ERROR"}, "ValidationException"),
        ({"LogFormat": "JSON", "ApplicationLogLevel": "LOUD"}, "ValidationException"),
        ({"LogGroup": "no spaces please"}, "ValidationException"),
        ({"LogGroup": ""}, "ValidationException"),
        ({"LogFormat": "Text", "ApplicationLogLevel": "INFO"}, "InvalidParameterValueException"),
        ({"SystemLogLevel": "INFO"}, "InvalidParameterValueException"),
    ],
)
def test_settings_that_are_refused(cloud, settings, code):
    fn = cloud.function(SOURCE)
    status, answer = cloud.configure(fn, LoggingConfig=settings)
    assert status == 400
    if code == "InvalidParameterValueException":
        assert answer["message"].startswith('LogLevel is not supported when LogFormat is set to "Text".')
    else:
        assert re.match(r"\d validation errors? detected: ", answer["message"])
    after = cloud.lambda_.get_function_configuration(FunctionName=fn)
    assert after["LastUpdateStatus"] == "Successful"
