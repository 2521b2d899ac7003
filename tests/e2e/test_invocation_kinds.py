"""What holds for every way of invoking a function: API, streams, URLs, events."""

import concurrent.futures
import json
import time

from cloud import ACCOUNT, REGION, error_of
from test_function_url import ask, open_to_all

TRACE = "import os\ndef handler(e, c): return os.environ['_X_AMZN_TRACE_ID']\n"
HEADER = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0"


def url_of(cloud, name, **options):
    qualifier = {k: v for k, v in options.items() if k == "Qualifier"}
    r = cloud.lambda_.create_function_url_config(FunctionName=name, AuthType="NONE", **options)
    open_to_all(cloud, name, **qualifier)
    return r["FunctionUrl"]


def test_loops_through_urls_are_ended(cloud):
    name = cloud.function(TRACE)
    url, header = url_of(cloud, name), HEADER
    for n in range(16):
        r = ask(cloud, url, X_Amzn_Trace_Id=header)
        header = r.body.decode()
        assert header.startswith(HEADER + ";Lineage=1:") and header.endswith(":%d" % n)
        assert r.headers["X-Amzn-Trace-Id"] == header
    r = ask(cloud, url, X_Amzn_Trace_Id=header)
    assert (r.status, r.headers["x-amzn-ErrorType"]) == (400, "RecursiveInvocationException")
    # Who calls without such a header is not meant.
    assert ask(cloud, url).status == 200


def test_throttled_url(cloud):
    name = cloud.function(TRACE)
    url = url_of(cloud, name)
    cloud.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    r = ask(cloud, url)
    assert r.status == 429 and int(r.headers["Retry-After"]) >= 1
    assert r.body == (
        b'{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User",'
        b'"message":"Rate Exceeded."}'
    )
    assert cloud.lambda_.invoke(FunctionName=name, InvocationType="DryRun")["StatusCode"] == 204
    assert cloud.lambda_.invoke(FunctionName=name, InvocationType="Event")["StatusCode"] == 202


def test_functions_of_others(cloud):
    arn = "arn:aws:lambda:%s:111111111111:function:f" % REGION
    status, code, message = error_of(cloud.lambda_.invoke, FunctionName=arn)
    assert (status, code) == (403, "AccessDeniedException")
    assert message == (
        "User: arn:aws:iam::%s:root is not authorized to perform: lambda:InvokeFunction on "
        "resource: %s because no resource-based policy allows the lambda:InvokeFunction action"
        % (ACCOUNT, arn)
    )


def test_where_a_payload_is_wrong(cloud):
    name = cloud.function(TRACE)
    for payload, at in (b"{", (1, 2)), (b'{\n  "a": 1,\n  b\n}', (3, 3)), (b'{"a":\n', (2, 1)):
        for kind in "RequestResponse", "Event", "DryRun":
            status, code, message = error_of(
                cloud.lambda_.invoke, FunctionName=name, InvocationType=kind, Payload=payload
            )
            assert (status, code) == (400, "InvalidRequestContentException")
            assert message.endswith("line: %d, column: %d]" % at)


def test_events_end_with_their_function(new_cloud):
    cloud = new_cloud("--time-scale", "0.015")  # retries after 0.9 and 1.8 s
    source = "def handler(e, c):\n    print('%s', e, flush=True)\n    raise Exception('no')\n"
    name = cloud.function(source % "old")

    def send(event, **options):
        r = cloud.lambda_.invoke(
            FunctionName=name, InvocationType="Event", Payload=json.dumps(event), **options
        )
        assert r["StatusCode"] == 202

    send("one")
    assert "old one\n" in cloud.log_events(name, until="old one")
    cloud.lambda_.delete_function(FunctionName=name)
    cloud.function(source % "new", name=name)
    version = cloud.lambda_.publish_version(FunctionName=name)["Version"]
    cloud.lambda_.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    send("two", Qualifier="live")
    assert "new two\n" in cloud.log_events(name, until="new two")
    cloud.lambda_.delete_alias(FunctionName=name, Name="live")
    send("three")
    deadline, lines = time.monotonic() + 20, []
    while lines.count("new three\n") < 3:  # the others had their tries before
        assert time.monotonic() < deadline, (lines, cloud.log_text())
        time.sleep(0.02)
        lines = [l for l in cloud.log_events(name) if l.startswith(("old", "new"))]
    assert "new one\n" not in lines and "old two\n" not in lines
    assert lines.count("old one\n") < 3 and lines.count("new two\n") < 3


def test_a_name_given_again_is_another_function(cloud):
    source = (
        "import time\ndef handler(e, c):\n    print('begun', flush=True)\n"
        "    time.sleep(e)\n    return '%s'\n"
    )
    name = cloud.function(source % "old")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        running = pool.submit(cloud.invoke, name, 1)
        assert "begun\n" in cloud.log_events(name, until="begun")
        cloud.lambda_.delete_function(FunctionName=name)
        cloud.function(source % "new", name=name)
        assert cloud.invoke(name, 0).payload == "new"
        assert running.result().payload == "old"
    assert cloud.invoke(name, 0).payload == "new"
