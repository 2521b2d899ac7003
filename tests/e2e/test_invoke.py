"""Invocations: answers, log lines, errors of each kind, cold and warm, what is billed.

The texts are those that AWS was recorded with.
"""

import json
import math
import os
import re
import urllib.request

import pytest

from cloud import ACCOUNT, ID, REGION, SOON, error_of, free_port, unique, zipped

NBSP = "\u00a0"
REPORT = (
    r"REPORT RequestId: {id}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\t"
    r"Memory Size: {size} MB\tMax Memory Used: \d+ MB\t{init}\n"
)


def report(id, size=128, cold=False):
    return REPORT.format(id=id, size=size, init=r"Init Duration: \d+\.\d\d ms\t" if cold else "")


# One function for many tests; what it does is in the event.
SOURCE = """
import json, logging, os, sys, time
print("loading")
count = 0

def handler(event, context):
    global count
    count += 1
    do = (event or {}).get("do") if isinstance(event, dict) else None
    if do == "print":
        print("one\\ntwo")
        sys.stderr.write("three\\n")
    elif do == "log":
        logging.getLogger().warning("look")
    elif do == "raise":
        raise ValueError("Handler fails")
    elif do == "big":
        return "x" * event["size"]
    elif do == "context":
        return {k: getattr(context, k) for k in (
            "aws_request_id", "log_group_name", "log_stream_name", "function_name",
            "memory_limit_in_mb", "function_version", "invoked_function_arn")}
    elif do == "client":
        return [context.client_context.custom, context.client_context.client.app_title]
    elif do == "time":
        return context.get_remaining_time_in_millis()
    elif do == "trace":
        return os.environ.get("_X_AMZN_TRACE_ID")
    elif do == "count":
        return count
    elif do == "none":
        return None
    return event
"""


@pytest.fixture(scope="module")
def names():
    return {}


@pytest.fixture
def fn(cloud, names):
    """The function above, made once for each daemon."""
    if cloud.url not in names:
        names[cloud.url] = cloud.function(SOURCE)
    return names[cloud.url]


# ---- the request ---------------------------------------------------------------------------


@pytest.mark.parametrize("event", [{}, {"a": [1, 2.5, None, True, "\u00e9\u65e5"]}, [], "text", 7, None])
def test_answers(cloud, fn, event):
    r = cloud.invoke(fn, event)
    assert (r.status, r.error, r.version) == (200, None, "$LATEST")
    assert r.payload == event


def test_answer_is_written_as_python_writes_it(cloud, fn):
    assert cloud.invoke(fn, {"a": [1, 2]}).body == b'{"a": [1, 2]}'


def test_headers(cloud, fn):
    r = cloud.invoke(fn, {})
    assert re.fullmatch(ID, r.headers["x-amzn-requestid"])
    assert r.headers["x-amz-executed-version"] == "$LATEST"
    assert r.headers["content-type"] == "application/json"
    assert re.match(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", r.headers["x-amzn-trace-id"])
    assert "x-amz-function-error" not in r.headers
    assert "x-amz-log-result" not in cloud.invoke(fn, {}, tail=False).headers


def test_no_payload(cloud, fn):
    r = cloud.lambda_.invoke(FunctionName=fn)
    assert json.loads(r["Payload"].read()) == {}


def test_no_return_value(cloud, fn):
    assert cloud.invoke(fn, {"do": "none"}).body == b"null"


@pytest.mark.parametrize(
    "form",
    [
        "{name}",
        "{name}:$LATEST",
        "function:{name}",
        "{account}:function:{name}",
        "arn:aws:lambda:{region}:{account}:function:{name}",
        "arn:aws:lambda:{region}:{account}:function:{name}:$LATEST",
    ],
)
def test_names_of_a_function(cloud, fn, form):
    name = form.format(name=fn, account=ACCOUNT, region=REGION)
    assert cloud.invoke(name, 5).payload == 5


def test_payload_that_is_no_json(cloud, fn):
    status, code, message = error_of(cloud.lambda_.invoke, FunctionName=fn, Payload=b"{nope")
    assert (status, code) == (400, "InvalidRequestContentException")
    assert message.startswith(
        "Could not parse request body into json: Could not parse payload into json: "
    )


def test_payload_that_is_too_large(cloud, fn):
    body = b'"' + b"x" * 6291455 + b'"'
    status, code, message = error_of(cloud.lambda_.invoke, FunctionName=fn, Payload=body)
    assert (status, code) == (413, "RequestTooLargeException")
    assert message == (
        "%d byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)"
        % len(body)
    )


def test_function_that_does_not_exist(cloud):
    arn = "arn:aws:lambda:%s:%s:function:nope" % (REGION, ACCOUNT)
    assert error_of(cloud.lambda_.invoke, FunctionName="nope") == (
        404,
        "ResourceNotFoundException",
        "Function not found: %s:$LATEST" % arn,
    )
    assert error_of(cloud.lambda_.invoke, FunctionName="nope", Qualifier="v") == (
        404,
        "ResourceNotFoundException",
        "Function not found: %s:v" % arn,
    )


def test_dry_run(cloud, fn):
    before = cloud.invoke(fn, {"do": "count"}).payload
    r = cloud.lambda_.invoke(FunctionName=fn, InvocationType="DryRun")
    assert (r["StatusCode"], r["Payload"].read()) == (204, b"")
    assert cloud.invoke(fn, {"do": "count"}).payload == before + 1


def test_event(cloud, fn):
    r = cloud.lambda_.invoke(FunctionName=fn, InvocationType="Event", Payload=b'{"do":"print"}')
    assert (r["StatusCode"], r["Payload"].read()) == (202, b"")
    assert "ExecutedVersion" not in r
    id = r["ResponseMetadata"]["RequestId"]
    report = "REPORT RequestId: " + id
    messages = cloud.log_events(fn, until=report)
    assert [m for m in messages if m.startswith(report)]


# ---- context ---------------------------------------------------------------------------------


def test_context(cloud, fn):
    r = cloud.invoke(fn, {"do": "context"})
    c = r.payload
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", c.pop("log_stream_name"))
    assert c == {
        "aws_request_id": r.id,
        "log_group_name": "/aws/lambda/" + fn,
        "function_name": fn,
        "memory_limit_in_mb": "128",
        "function_version": "$LATEST",
        "invoked_function_arn": "arn:aws:lambda:%s:%s:function:%s" % (REGION, ACCOUNT, fn),
    }


def test_invoked_arn_has_the_qualifier_as_given(cloud, fn):
    r = cloud.invoke(fn, {"do": "context"}, Qualifier="$LATEST")
    assert r.payload["invoked_function_arn"].endswith(":function:%s:$LATEST" % fn)


def test_remaining_time(cloud, fn):
    assert 4000 < cloud.invoke(fn, {"do": "time"}).payload <= 5000


def test_client_context(cloud, fn):
    import base64

    context = {"custom": {"k": "\u00e9"}, "client": {"app_title": "t"}}
    encoded = base64.b64encode(json.dumps(context).encode()).decode()
    r = cloud.invoke(fn, {"do": "client"}, ClientContext=encoded)
    assert r.payload == [{"k": "\u00e9"}, "t"]
    # 3583 bytes of base64 are the most; lines between values do not break the header.
    for size, fits in ((2685, True), (2686, False)):
        text = '{"custom":\n\r {"k": "%s"}, "client": {"app_title": "t"}}'
        encoded = base64.b64encode((text % ("x" * (size - len(text) + 2))).encode()).decode()
        assert (len(encoded) <= 3583) == fits, len(encoded)
        if fits:
            assert cloud.invoke(fn, {"do": "client"}, ClientContext=encoded).payload[1] == "t"
        else:
            assert error_of(cloud.lambda_.invoke, FunctionName=fn, ClientContext=encoded) == (
                400, "InvalidRequestContentException",
                "Client context exceeds the maximum allowed size of 3583 bytes")
    for bad in ("e30", "{}", base64.b64encode(b"[1]").decode(), base64.b64encode(b"{no").decode()):
        assert error_of(cloud.lambda_.invoke, FunctionName=fn, ClientContext=bad) == (
            400, "InvalidRequestContentException",
            "Client context must be a valid Base64-encoded JSON object.")


def test_trace_id(cloud, fn):
    r = cloud.invoke(fn, {"do": "trace"})
    assert re.match(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};", r.payload)
    assert r.headers["x-amzn-trace-id"].split(";")[0] == r.payload.split(";")[0]


# ---- log lines ---------------------------------------------------------------------------------


def test_log_of_a_cold_and_a_warm_start(cloud):
    name = cloud.function("def handler(event, context):\n    return 1\n")
    first = cloud.invoke(name)
    expected = _start(first.id, cold=True) + report(first.id, cold=True)
    assert re.fullmatch(expected, first.log), first.log
    second = cloud.invoke(name)
    assert re.fullmatch(_start(second.id) + report(second.id), second.log), second.log


def _start(id, cold=False):
    init = (
        r"INIT_START Runtime Version: python:\S+\tRuntime Version ARN: "
        r"arn:aws:lambda:%s::runtime:[0-9a-f]{64}\n" % REGION
    )
    return (init if cold else "") + (
        r"START RequestId: %s Version: \$LATEST\nEND RequestId: %s\n" % (id, id)
    )


def test_output_is_between_start_and_end(cloud, fn):
    cloud.invoke(fn)
    r = cloud.invoke(fn, {"do": "print"})
    lines = r.log.splitlines(True)
    assert lines[0] == "START RequestId: %s Version: $LATEST\n" % r.id
    assert lines[1:3] == ["one\n", "two\n"] or sorted(lines[1:4]) == ["one\n", "three\n", "two\n"]
    assert lines[4] == "END RequestId: %s\n" % r.id
    assert re.fullmatch(report(r.id), lines[5])


def test_log_record(cloud, fn):
    r = cloud.invoke(fn, {"do": "log"})
    assert re.search(
        r"\n\[WARNING\]\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t%s\tlook\n" % r.id, r.log
    )


def test_log_result_is_the_last_4_kb(cloud):
    name = cloud.function("def handler(event, context):\n    print('x' * 10000)\n    print('last')\n")
    r = cloud.invoke(name)
    assert len(r.log.encode()) == 4096
    assert r.log.startswith("xxxx") and "\nlast\nEND RequestId" in r.log


def test_output_of_the_import_is_in_the_log_group(cloud):
    name = cloud.function(SOURCE)
    r = cloud.invoke(name, {"do": "print"})
    messages = cloud.log_events(name, 8)
    assert messages[0].startswith("INIT_START Runtime Version: python:")
    assert messages[1:3] == ["loading\n", "START RequestId: %s Version: $LATEST\n" % r.id]
    assert sorted(messages[3:6]) == ["one\n", "three\n", "two\n"]
    assert messages[6] == "END RequestId: %s\n" % r.id
    assert re.fullmatch(report(r.id, cold=True), messages[7])
    streams = cloud.logs.describe_log_streams(logGroupName="/aws/lambda/" + name)["logStreams"]
    assert len(streams) == 1
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", streams[0]["logStreamName"])


def test_memory_size(cloud):
    name = cloud.function("def handler(event, context):\n    pass\n", MemorySize=512)
    r = cloud.invoke(name)
    assert re.search(report(r.id, size=512, cold=True), r.log)


def test_memory_used_is_measured(cloud):
    source = "def handler(event, context):\n    global kept\n    kept = b'x' * (event << 20)\n"
    name = cloud.function(source, MemorySize=512)
    small = cloud.invoke(name, 1).report["Max Memory Used"]
    large = cloud.invoke(name, 200).report["Max Memory Used"]
    assert 5 <= small < 100
    assert 195 <= large - small <= 230


# ---- cold, warm, billed -----------------------------------------------------------------------


def test_first_start_is_cold_and_the_next_ones_warm(cloud):
    name = cloud.function(SOURCE)
    reports = [cloud.invoke(name).report for _ in range(3)]
    assert ["Init Duration" in r for r in reports] == [True, False, False]


def test_billed_duration(cloud):
    name = cloud.function("import time\ntime.sleep(.02)\ndef handler(e, c):\n    time.sleep(.03)\n")
    cold, warm = cloud.invoke(name).report, cloud.invoke(name).report
    assert cold["Init Duration"] > 20 and cold["Duration"] > 30 and warm["Duration"] > 30
    total = round(cold["Duration"] + cold["Init Duration"], 2)
    assert cold["Billed Duration"] == math.ceil(total)
    assert warm["Billed Duration"] == math.ceil(warm["Duration"])


def test_state_is_kept_in_an_environment(cloud):
    source = (
        "import os\nn = 0\ndef handler(event, context):\n    global n\n    n += 1\n"
        "    open('/tmp/f', 'a').write('x')\n    return [n, os.path.getsize('/tmp/f')]\n"
    )
    name = cloud.function(source)
    assert [cloud.invoke(name).payload for _ in range(3)] == [[1, 1], [2, 2], [3, 3]]


def test_invocations_at_the_same_time_have_their_own_environments(cloud):
    import threading

    source = "import os, time\ndef handler(e, c):\n    time.sleep(1.5)\n    return c.log_stream_name\n"
    name = cloud.function(source)
    clients = [cloud.client("lambda", user_agent_extra=str(i)) for i in range(3)]
    streams = []

    def call(client):
        r = client.invoke(FunctionName=name)
        streams.append(r["Payload"].read())

    threads = [threading.Thread(target=call, args=[c]) for c in clients]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len(set(streams)) == 3


def test_new_code_starts_cold(cloud):
    name = cloud.function("def handler(e, c):\n    return 1\n")
    assert cloud.invoke(name).payload == 1
    cloud.lambda_.update_function_code(
        FunctionName=name, ZipFile=zipped({"app.py": "def handler(e, c):\n    return 2\n"})
    )
    cloud.lambda_.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=SOON)
    r = cloud.invoke(name)
    assert r.payload == 2
    assert "Init Duration" in r.report


# ---- errors ------------------------------------------------------------------------------------


def test_exception(cloud, fn):
    cloud.invoke(fn)
    r = cloud.invoke(fn, {"do": "raise"})
    assert (r.status, r.error, r.headers["x-amz-function-error"]) == (200, "Unhandled", "Unhandled")
    line = SOURCE.split("\n").index('        raise ValueError("Handler fails")') + 1
    assert list(r.payload.items()) == [
        ("errorMessage", "Handler fails"),
        ("errorType", "ValueError"),
        ("requestId", r.id),
        (
            "stackTrace",
            [
                '  File "/var/task/app.py", line %d, in handler\n'
                '    raise ValueError("Handler fails")\n' % line
            ],
        ),
    ]
    assert (
        "[ERROR] ValueError: Handler fails\nTraceback (most recent call last):\n"
        + NBSP * 2
        + 'File "/var/task/app.py", line %d, in handler\n' % line
        + NBSP * 4
        + 'raise ValueError("Handler fails")END RequestId: '  # glued, as there
    ) in r.log
    # An exception is no failure of the environment.
    assert re.search("END RequestId: %s\n%s" % (r.id, report(r.id)), r.log)
    assert cloud.invoke(fn, 1).payload == 1


def init_failure(cloud, kind, message, files=None, **options):
    name = cloud.function(files=files or {"app.py": "x = 1\n"}, **options)
    for _ in range(2):  # each invocation tries again
        r = cloud.invoke(name)
        assert (r.status, r.error) == (200, "Unhandled")
        payload = r.payload
        assert (payload["errorType"], payload["errorMessage"]) == (kind, message)
        assert payload["requestId"] == ""
        assert "[ERROR] %s: %s\nTraceback" % (kind, message) in r.log
        assert r.report["Status"] == "error"
        assert r.report["Error Type"] == kind
    return payload


def test_missing_module(cloud):
    init_failure(
        cloud,
        "Runtime.ImportModuleError",
        "Unable to import module 'nope': No module named 'nope'",
        Handler="nope.handler",
    )


def test_missing_handler(cloud):
    init_failure(
        cloud,
        "Runtime.HandlerNotFound",
        "Handler 'handler' missing on module 'app'",
    )


def test_handler_without_a_dot(cloud):
    init_failure(
        cloud,
        "Runtime.MalformedHandlerName",
        "Bad handler 'app': not enough values to unpack (expected 2, got 1)",
        Handler="app",
    )


def test_syntax_error(cloud):
    payload = init_failure(
        cloud,
        "Runtime.UserCodeSyntaxError",
        "Syntax error in module 'app': invalid syntax (app.py, line 1)",
        files={"app.py": "def handler(:\n"},
    )
    assert payload["stackTrace"] == ['  File "/var/task/app.py" Line 1\n    def handler(:\n']


def test_exception_while_importing(cloud):
    name = cloud.function("raise Exception('init fails')\n")
    r = cloud.invoke(name)
    assert (r.error, r.payload["errorType"], r.payload["requestId"]) == ("Unhandled", "Exception", "")
    assert r.payload["stackTrace"][-1] == (
        '  File "/var/task/app.py", line 1, in <module>\n    raise Exception(\'init fails\')\n'
    )


@pytest.mark.parametrize(
    "call, text",
    [
        ("sys.exit(0)", "Runtime exited without providing a reason"),
        ("sys.exit(7)", "Runtime exited with error: exit status 7"),
        ("os._exit(127)", "Runtime exited with error: exit status 127"),
        ("os.kill(os.getpid(), 11)", "Runtime exited with error: signal: segmentation fault"),
        ("os.kill(os.getpid(), 6)", "Runtime exited with error: signal: aborted"),
    ],
)
def test_exit(cloud, call, text):
    name = cloud.function("import os, sys\ndef handler(event, context):\n    if event: %s\n" % call)
    r = cloud.invoke(name, 1)
    assert (r.status, r.error) == (200, "Unhandled")
    assert list(r.payload.items()) == [
        ("errorType", "Runtime.ExitError"),
        ("errorMessage", "RequestId: %s Error: %s" % (r.id, text)),
    ]
    last = r.log.splitlines(True)[-1]
    assert re.fullmatch(
        r"REPORT RequestId: %s\tDuration: .* ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\t"
        r"Max Memory Used: \d+ MB\t(Init Duration: .* ms\t)?Status: error\tError Type: Runtime.ExitError\n"
        % r.id,
        last,
    ), last
    assert cloud.invoke(name, 0).payload is None  # a new process serves the next one


def test_tmp_survives_an_exit_but_globals_do_not(cloud):
    source = (
        "import os\nn = 0\ndef handler(event, context):\n    global n\n    n += 1\n"
        "    open('/tmp/f', 'a').write('x')\n    if event: os._exit(1)\n"
        "    return [n, os.path.getsize('/tmp/f')]\n"
    )
    name = cloud.function(source)
    assert cloud.invoke(name, 0).payload == [1, 1]
    cloud.invoke(name, 1)
    assert cloud.invoke(name, 0).payload == [1, 3]


def test_timeout(cloud):
    source = (
        "import time\ndef handler(event, context):\n    print('waiting')\n"
        "    time.sleep(event)\n    return 'done'\n"
    )
    name = cloud.function(source, Timeout=1)
    r = cloud.invoke(name, 30)
    assert (r.status, r.error) == (200, "Unhandled")
    assert r.payload == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "RequestId: %s Error: Task timed out after 1.00 seconds" % r.id,
    }
    lines = r.log.splitlines(True)
    assert "waiting\n" in lines
    assert re.fullmatch(
        r"REPORT RequestId: %s\tDuration: 1000.00 ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\t"
        r"Max Memory Used: \d+ MB\t(Init Duration: .* ms\t)?Status: timeout\n" % r.id,
        lines[-1],
    ), lines[-1]
    assert cloud.invoke(name, 0).payload == "done"


def test_out_of_memory(cloud):
    source = "def handler(event, context):\n    return len(bytearray(event << 20))\n"
    name = cloud.function(source, MemorySize=128, Timeout=20)
    r = cloud.invoke(name, 400)
    assert r.error == "Unhandled"
    if os.geteuid() != 0 and r.payload["errorType"] == "MemoryError":
        return  # an ordinary user without a memory cgroup: the limit is the process's own
    assert r.payload == {
        "errorType": "Runtime.ExitError",
        "errorMessage": "RequestId: %s Error: Runtime exited with error: signal: killed" % r.id,
    }
    assert r.log.endswith("\tStatus: error\tError Type: Runtime.OutOfMemory\n")
    assert r.report["Max Memory Used"] in (127, 128)
    assert cloud.invoke(name, 1).payload == 1 << 20


def test_answer_that_is_too_large(cloud, fn):
    assert len(cloud.invoke(fn, {"do": "big", "size": 6291554}).body) == 6291556
    r = cloud.invoke(fn, {"do": "big", "size": 6291555})
    assert (r.status, r.error) == (200, "Unhandled")
    assert list(r.payload.items()) == [
        (
            "errorMessage",
            "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        ),
        ("errorType", "Function.ResponseSizeTooLarge"),
    ]


def test_answer_that_is_no_json(cloud):
    name = cloud.function("def handler(event, context):\n    return {1, 2}\n")
    r = cloud.invoke(name)
    assert r.payload == {
        "errorMessage": "Unable to marshal response: Object of type set is not JSON serializable",
        "errorType": "Runtime.MarshalError",
        "requestId": r.id,
        "stackTrace": [],
    }


def test_runtime_that_is_not_on_this_machine(new_cloud):
    cloud = new_cloud("--runtime", "python3.9=/nowhere/python3.9")
    name = cloud.function("def handler(event, context):\n    return 1\n", Runtime="python3.9")
    with pytest.raises(Exception) as e:
        r = cloud.invoke(name)
        raise Exception(r.error and r.body.decode())
    assert "python3.9" in str(e.value)


# ---- provided.al2023 -----------------------------------------------------------------------------

BOOTSTRAP = """#!/bin/sh
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
while :; do
    event=$(curl -sS -D /tmp/head $api/next)
    id=$(sed -n 's/\\r$//; s/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: //p' /tmp/head)
    echo "handler $_HANDLER"
    curl -sS -o /dev/null -d "{\\"got\\":$event}" $api/$id/response
done
"""


def test_own_runtime(cloud):
    name = cloud.function(
        files={"bootstrap*": BOOTSTRAP}, Runtime="provided.al2023", Handler="my.handler"
    )
    r = cloud.invoke(name, {"a": 1})
    assert (r.error, r.body) == (None, b'{"got":{"a": 1}}')
    assert "handler my.handler\n" in r.log
    assert cloud.invoke(name, 2).body == b'{"got":2}'


def test_own_runtime_without_a_bootstrap(cloud):
    name = cloud.function(files={"other": "x"}, Runtime="provided.al2023")
    r = cloud.invoke(name)
    assert r.error == "Unhandled"
    assert r.payload == {
        "errorType": "Runtime.InvalidEntrypoint",
        "errorMessage": "RequestId: %s Error: Couldn't find valid bootstrap(s): "
        "[/var/task/bootstrap /opt/bootstrap]" % r.id,
    }
    end = r"\tStatus: error\tError Type: Runtime\.InvalidEntrypoint\n"
    assert re.fullmatch(
        r"INIT_START .*\nINIT_REPORT Init Duration: \d+\.\d\d ms\tPhase: init" + end
        + r"START .*\nEND .*\nREPORT .*\tMax Memory Used: 0 MB" + end,
        r.log,
    ), r.log


# ---- the emulator's URL -----------------------------------------------------------------------


def test_rie_url(new_cloud):
    port = free_port()
    name = unique("rie")
    cloud = new_cloud("--rie", "%s=%d" % (name, port))
    cloud.function("def handler(event, context):\n    return event['n'] + 1\n", name=name)
    url = "http://127.0.0.1:%d/2015-03-31/functions/function/invocations" % port
    with urllib.request.urlopen(url, data=b'{"n":1}') as r:
        assert (r.status, r.read()) == (200, b"2")
