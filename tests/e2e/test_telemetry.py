"""Telemetry API and Logs API: an extension that listens, and what it hears."""

import datetime
import json
import re

import pytest

from cloud import ID, unique, zipped
from test_runtimes import NODE
from test_streaming import Stream

# /opt/extensions/tap: does what the variable TAP says, and keeps what it gets in /tmp.
TAP = """#!/usr/bin/python3
import http.client, http.server, json, os, socket, sys, threading, time

tap = json.loads(os.environ["TAP"])


def call(method, path, body=None, **headers):
    c = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    c.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
    r = c.getresponse()
    return r.status, r.headers, r.read().decode()


def keep(name, what):
    with open("/tmp/" + name, "a") as f:
        f.write(json.dumps(what) + "\\n")


class Listener(http.server.BaseHTTPRequestHandler):
    protocol_version = tap.get("version", "HTTP/1.1")
    statuses = tap.get("statuses", [])

    def do_POST(self):
        batch = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 0:  # never answers
            time.sleep(1000)
        if status == 200:
            keep("events", [self.path, batch])
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"OK")

    do_PUT = do_POST

    def log_message(self, *args):
        pass


def listen_tcp():
    s = socket.create_server(("0.0.0.0", 8080))
    while True:
        for line in s.accept()[0].makefile():
            keep("events", ["tcp", [json.loads(line)]])


def listen_http():
    http.server.ThreadingHTTPServer.request_queue_size = 50
    http.server.ThreadingHTTPServer.handle_error = lambda *args: None
    http.server.ThreadingHTTPServer(("sandbox.localdomain", 8080), Listener).serve_forever()


_, headers, _ = call("POST", "/2020-01-01/extension/register", json.dumps({"events": ["INVOKE", "SHUTDOWN"]}),
                     Lambda_Extension_Name="tap")
me = headers["Lambda-Extension-Identifier"]
if tap.get("listen", "http") == "http":
    threading.Thread(target=listen_http, daemon=True).start()
elif tap["listen"] == "tcp":
    threading.Thread(target=listen_tcp, daemon=True).start()
while tap.get("listen", "http") != "nothing":
    try:
        socket.create_connection(("169.254.100.1", 8080)).close()
        break
    except OSError:
        time.sleep(0.001)


def subscribe(body, path=tap.get("path", "/2022-07-01/telemetry"), who=me):
    headers = {"Lambda_Extension_Identifier": who} if who else {}
    if not isinstance(body, str):
        body = json.dumps(body)
    status, _, text = call("PUT", path, body, **headers)
    keep("answers", [status, text])


for request in tap.get("requests", []):
    subscribe(*request)
if "say" in tap:
    print(tap["say"], flush=True)
while True:
    _, _, event = call("GET", "/2020-01-01/extension/event/next", Lambda_Extension_Identifier=me)
    event = json.loads(event)
    if event["eventType"] == "INVOKE":
        for request in tap.pop("late", []):
            subscribe(*request)
    else:
        end, heard = time.time() + 1.5, 0
        while heard < tap.get("farewell", 0) and time.time() < end:
            with open("/tmp/events") as f:
                heard = f.read().count('"platform.report"')
        if "farewell" in tap:
            print("%s %s" % (event["shutdownReason"], heard), flush=True)
        sys.exit(0)
"""

# Returns what the extension has got so far, as soon as an event of the wanted types is among it.
SOURCE = """
import json, logging, os, time

def read(name):
    try:
        with open("/tmp/" + name) as f:
            return [json.loads(line) for line in f if line.endswith("\\n")]
    except OSError:
        return []

def handler(event, context):
    for text in event.get("print", []):
        print(text)
    if event.get("exit"):
        os._exit(1)
    if "log" in event:
        logging.getLogger().error(event["log"])
    for _ in range(event.get("flood", 0)):
        print("x" * 1000)
    end = time.time() + 10
    while time.time() < end:
        events = [e for _, batch in read("events") for e in batch]
        have = [e["type"] for e in events]
        if all(have.count(kind) >= n for kind, n in event.get("wait", {}).items()):
            break
        time.sleep(0.002)
    return {"events": events, "answers": read("answers"), "paths": [p for p, _ in read("events")],
            "fds": len(os.listdir("/proc/self/fd"))}
"""

HTTP = {"protocol": "HTTP", "URI": "http://sandbox.localdomain:8080/here"}
QUICK = {"timeoutMs": 25, "maxItems": 1000, "maxBytes": 262144}


def wants(types, schema="2022-12-13", to=HTTP, **more):
    return dict(
        {"schemaVersion": schema, "types": types, "destination": to, "buffering": QUICK}, **more
    )


@pytest.fixture
def layer(cloud):
    r = cloud.lambda_.publish_layer_version(
        LayerName=unique("tap"), Content={"ZipFile": zipped({"extensions/tap*": TAP})}
    )
    return r["LayerVersionArn"]


@pytest.fixture
def tapped(cloud, layer):
    made = []

    def make(tap, **options):
        options.setdefault("Timeout", 15)
        made.append(
            cloud.function(
                SOURCE,
                Layers=[layer],
                Environment={"Variables": {"TAP": json.dumps(tap)}},
                **options,
            )
        )
        return made[-1]

    yield make
    for name in made:  # their environments end one after the other, not all with the cloud
        cloud.lambda_.delete_function(FunctionName=name)


def once(events):
    """What a subscriber has taken before it was ended, but not acknowledged, comes again."""
    return [e for i, e in enumerate(events) if e not in events[:i]]


def of_type(events, kind):
    return [e["record"] for e in events if e["type"] == kind]


def test_two_invocations_from_beginning_to_end(cloud, tapped):
    fn = tapped({"requests": [[wants(["platform", "function", "extension"])]], "say": "I listen"})
    first = cloud.invoke(fn, {"print": ["hello"]})
    second = cloud.invoke(fn, {"wait": {"platform.report": 1, "platform.start": 2}})
    events = second.payload["events"]
    assert second.payload["answers"] == [[200, '"OK"']]
    assert set(second.payload["paths"]) == {"/here"}
    kinds = [e["type"] for e in events if e["type"] != "extension"]
    assert kinds == [
        "platform.initStart",
        "platform.telemetrySubscription",
        "platform.initRuntimeDone",
        "platform.extension",
        "platform.initReport",
        "platform.start",
        "function",
        "platform.runtimeDone",
        "platform.report",
        "platform.start",
    ]
    assert of_type(events, "extension") == ["I listen\n"]
    for e in events:
        assert list(e) == ["time", "type", "record"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", e["time"])

    (init,) = of_type(events, "platform.initStart")
    assert init["initializationType"] == "on-demand" and init["phase"] == "init"
    assert init["functionName"] == fn and init["functionVersion"] == "$LATEST"
    assert init["instanceMaxMemory"] == 128 << 20
    assert init["runtimeVersionArn"].startswith("arn:aws:lambda:us-east-1::runtime:")
    assert of_type(events, "platform.telemetrySubscription") == [
        {"name": "tap", "state": "Subscribed", "types": ["platform", "function", "extension"]}
    ]
    assert of_type(events, "platform.extension") == [
        {"name": "tap", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]}
    ]
    assert of_type(events, "platform.initRuntimeDone") == [
        {"initializationType": "on-demand", "phase": "init", "status": "success"}
    ]
    (init_report,) = of_type(events, "platform.initReport")
    assert init_report["status"] == "success"

    start = of_type(events, "platform.start")[0]
    assert start["requestId"] == first.id and start["version"] == "$LATEST"
    assert start["tracing"]["type"] == "X-Amzn-Trace-Id"
    assert start["tracing"]["value"].startswith("Root=1-")
    assert of_type(events, "function") == ["hello\n"]
    (done,) = of_type(events, "platform.runtimeDone")
    assert (done["requestId"], done["status"]) == (first.id, "success")
    assert done["metrics"]["producedBytes"] == len(first.body)
    spans = {s["name"]: s["durationMs"] for s in done["spans"]}
    assert list(spans) == ["responseLatency", "responseDuration", "runtimeOverhead"]
    assert abs(sum(spans.values()) - done["metrics"]["durationMs"]) < 5
    (report,) = of_type(events, "platform.report")
    assert (report["requestId"], report["status"]) == (first.id, "success")
    figures = report["metrics"]
    shown = first.report
    # Three decimals here, two there.
    assert abs(figures["durationMs"] - shown["Duration"]) < 0.006
    assert abs(figures["billedDurationMs"] - shown["Billed Duration"]) <= 1
    assert abs(figures["initDurationMs"] - init_report["metrics"]["durationMs"]) < 0.002
    assert figures["memorySizeMB"] == 128
    assert figures["maxMemoryUsedMB"] == shown["Max Memory Used"]
    assert [s["name"] for s in report["spans"]] == ["extensionOverhead"]


def test_lines_in_the_log(cloud, tapped):
    fn = tapped({"requests": [[wants(["platform", "function"])]], "say": "one line"})
    r = cloud.invoke(fn, {})
    lines = r.log.splitlines()
    assert "TELEMETRY\tName: tap\tState: Subscribed\tTypes: [Platform, Function]" in lines
    assert "EXTENSION\tName: tap\tState: Ready\tEvents: [INVOKE, SHUTDOWN]" in lines
    assert "one line" in lines
    assert lines.index("EXTENSION\tName: tap\tState: Ready\tEvents: [INVOKE, SHUTDOWN]") < [
        line.startswith("START ") for line in lines
    ].index(True)


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_only_what_was_asked_for(cloud, tapped, version):
    """...by subscribers that keep their connection, and by those that don't."""
    fn = tapped({"requests": [[wants(["function"])]], "say": "not this", "version": version})
    cloud.invoke(fn, {"print": ["a"]})
    cloud.invoke(fn, {"print": ["b"]})
    events = cloud.invoke(fn, {"print": ["c"], "wait": {"function": 3}}).payload["events"]
    assert [(e["type"], e["record"]) for e in events] == [
        ("function", "a\n"),
        ("function", "b\n"),
        ("function", "c\n"),
    ]


def test_over_tcp(cloud, tapped):
    to = {"protocol": "TCP", "port": 8080}
    fn = tapped({"listen": "tcp", "requests": [[wants(["platform", "function"], to=to)]]})
    cloud.invoke(fn, {"print": ["a", "b"]})
    events = cloud.invoke(fn, {"wait": {"platform.report": 1, "platform.start": 2}}).payload["events"]
    assert [e["record"] for e in events if e["type"] == "function"] == ["a\n", "b\n"]
    assert events[0]["type"] == "platform.initStart"


def test_the_logs_api(cloud, tapped):
    body = wants(["platform", "function"], schema="2021-03-18")
    fn = tapped({"path": "/2020-08-15/logs", "requests": [[body]]})
    first = cloud.invoke(fn, {"print": ["hello"]})
    r = cloud.invoke(fn, {"wait": {"platform.report": 1, "platform.start": 2}})
    events = r.payload["events"]
    assert [e["type"] for e in events] == [
        "platform.logsSubscription",
        "platform.extension",
        "platform.start",
        "function",
        "platform.runtimeDone",
        "platform.end",
        "platform.report",
        "platform.start",
    ]
    assert of_type(events, "platform.end") == [{"requestId": first.id}]
    assert of_type(events, "platform.runtimeDone") == [{"requestId": first.id, "status": "success"}]
    assert list(of_type(events, "platform.report")[0]) == ["requestId", "metrics"]
    assert "LOGS\tName: tap\tState: Subscribed\tTypes: [Platform, Function]\n" in first.log


def test_a_failure_is_a_fault_to_the_logs_api(cloud, tapped):
    body = wants(["platform"], schema="2020-08-15")
    fn = tapped({"path": "/2020-08-15/logs", "requests": [[body]]})
    failed = cloud.invoke(fn, {"exit": True})
    wait = {"wait": {"platform.start": 2, "platform.report": 1}}
    events = once(cloud.invoke(fn, wait).payload["events"])
    kinds = [e["type"] for e in events]
    assert kinds[kinds.index("platform.start") :][:4] == [
        "platform.start",
        "platform.fault",
        "platform.end",
        "platform.report",
    ]
    assert of_type(events, "platform.fault") == [
        "RequestId: %s Status: error\tErrorType: Runtime.ExitError" % failed.id
    ]


def test_subscriptions_outlast_a_reset(cloud, tapped):
    fn = tapped({"requests": [[wants(["platform"])]]})
    failed = cloud.invoke(fn, {"exit": True})
    r = cloud.invoke(fn, {"wait": {"platform.start": 2, "platform.report": 1}})
    assert r.payload["answers"] == [[200, '"OK"']] * 2
    assert "TELEMETRY\tName: tap\tState: Already subscribed\tTypes: [Platform]\n" in r.log
    events = once(r.payload["events"])
    (done,) = of_type(events, "platform.runtimeDone")
    assert (done["requestId"], done["status"]) == (failed.id, "error")
    assert done["errorType"] == "Runtime.ExitError"
    # The error is the platform's: the function has sent nothing.
    assert "spans" not in done and done["metrics"]["producedBytes"] == 0
    (report,) = of_type(events, "platform.report")
    assert (report["status"], report["errorType"]) == ("error", "Runtime.ExitError")
    assert [e["phase"] for e in of_type(events, "platform.initStart")] == ["init", "invoke"]
    states = [e["state"] for e in of_type(events, "platform.telemetrySubscription")]
    assert states == ["Subscribed", "Already subscribed"]


# A handler of node's that streams, and that returns what the extension has got so far.
STREAMS = """
const fs = require('fs'), wait = (ms) => new Promise(done => setTimeout(done, ms));
exports.handler = awslambda.streamifyResponse(async (event, out) => {
  out.write('one');
  await wait(event.pause || 0);
  let all = [];
  for (let i = 0; i < 5000 && event.report; i++) {
    try {
      all = fs.readFileSync('/tmp/events', 'utf8').trim().split('\\n').flatMap(l => JSON.parse(l)[1]);
    } catch (e) {}
    if (all.some(e => e.type == 'platform.report')) break;
    await wait(2);
  }
  out.end(JSON.stringify(all));
});
"""


def test_spans_of_a_stream(cloud, layer):
    """A stream's latency ends with its first byte, however the client takes it."""
    fn = cloud.function(
        files={"app.js": STREAMS}, Runtime=NODE, Layers=[layer], Timeout=15,
        Environment={"Variables": {"TAP": json.dumps({"requests": [[wants(["platform"])]]})}},
    )
    payload, _ = Stream(cloud, fn, {"pause": 300}).rest()
    assert payload == b"one[]"
    payload, _ = Stream(cloud, fn, {"report": True}).rest()
    done = of_type(json.loads(payload[3:]), "platform.runtimeDone")[0]
    spans = {s["name"]: s["durationMs"] for s in done["spans"]}
    assert done["metrics"]["producedBytes"] == 5
    assert spans["responseDuration"] >= 250
    assert abs(sum(spans.values()) - done["metrics"]["durationMs"]) < 5
    cloud.lambda_.delete_function(FunctionName=fn)


def test_the_last_report_comes_before_the_end(cloud, tapped):
    fn = tapped({"requests": [[wants(["platform"])]], "farewell": 3})
    for _ in range(3):
        cloud.invoke(fn, {})
    cloud.configure(fn, Description="new")
    assert "spindown 3\n" in cloud.log_events(fn, 10, within=10, until="spindown")


def test_records_of_several_lines_are_one_event(cloud, tapped):
    fn = tapped({"requests": [[wants(["function"])]]})
    r = cloud.invoke(fn, {"print": ["before"], "log": "one\ntwo", "wait": {"function": 2}})
    events = r.payload["events"]
    assert events[0]["record"] == "before\n"
    assert re.fullmatch(r"\[ERROR\]\t\S+Z\t%s\tone\ntwo\n" % ID, events[1]["record"])
    written, told = (
        datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")
        for text in (events[1]["record"].split("\t")[1], events[1]["time"])
    )
    assert abs((told - written).total_seconds()) < 1


@pytest.mark.parametrize("schema", ["2022-07-01", "2022-12-13", "2025-01-29"])
def test_records_in_json_are_objects_since_the_second_schema(cloud, tapped, schema):
    fn = tapped(
        {"requests": [[wants(["platform", "function"], schema=schema)]]},
    )
    cloud.configure(fn, LoggingConfig={"LogFormat": "JSON"})
    r = cloud.invoke(fn, {"log": "boom", "print": ["plain"], "wait": {"function": 2}})
    plain, record = of_type(r.payload["events"], "function")
    assert plain == "plain\n"
    assert isinstance(record, str) == (schema == "2022-07-01")
    record = json.loads(record) if isinstance(record, str) else record
    assert (record["level"], record["message"], record["requestId"]) == ("ERROR", "boom", r.id)
    (init,) = of_type(r.payload["events"], "platform.initStart")
    assert ("functionName" in init) == (schema != "2022-07-01")
    assert ("functionArn" in init) == (schema == "2025-01-29")


def test_requests_that_are_refused(cloud, tapped):
    good = wants(["platform"])
    api = "/2022-07-01/telemetry"
    nobody = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
    fn = tapped(
        {
            "requests": [
                ["{"],
                [dict(good, types=[])],
                [dict(good, types=["metrics"])],
                [dict(good, schemaVersion="2020-01-01")],
                [dict(good, destination={"protocol": "HTTP", "URI": "http://sandbox.localdomain"})],
                [dict(good, destination={"protocol": "HTTP", "URI": "http://example.com:80/"})],
                [dict(good, destination={"protocol": "UDP", "port": 80})],
                [dict(good, destination={"protocol": "TCP", "port": 9001})],
                [dict(good, buffering={"maxItems": 999, "maxBytes": 1, "timeoutMs": 30001})],
                [good, api, ""],
                [good, api, "somebody"],
                [good, api, nobody],
                [good],
                [good],
                [wants(["platform"], schema="2020-08-15"), "/2020-08-15/logs"],
            ],
            "late": [[good], [wants(["platform"], schema="2020-08-15"), "/2020-08-15/logs"]],
        }
    )
    r = cloud.invoke(fn, {})
    answers = []
    for _ in range(100):
        answers = cloud.invoke(fn, {}).payload["answers"]
        if len(answers) == 17:
            break

    def refused(message, status=400, kind="Telemetry.ValidationError"):
        return [status, json.dumps({"errorMessage": message, "errorType": kind}, separators=(",", ":")) + "\n"]

    assert answers == [
        refused("the body is not a JSON object"),
        refused("types should not be empty"),
        refused("type 'metrics' is not one of platform, function, extension"),
        refused("schemaVersion '2020-01-01' is not supported"),
        refused("URI port is not provided"),
        refused("URI host should be sandbox.localdomain"),
        refused("protocol 'UDP' is not one of HTTP, TCP"),
        refused("TCP port should be between 1 and 65535, and not 9001"),
        refused(
            "maxItems should be between 1000 and 10000; maxBytes should be between 262144 and "
            "1048576; timeoutMs should be between 25 and 30000"
        ),
        refused(
            "Missing Lambda-Extension-Identifier header", 403, "Extension.MissingExtensionIdentifier"
        ),
        refused(
            "Invalid Lambda-Extension-Identifier", 403, "Extension.InvalidExtensionIdentifier"
        ),
        refused(
            "Unknown Lambda-Extension-Identifier", 403, "Extension.UnknownExtensionIdentifier"
        ),
        [200, '"OK"'],
        [200, '"OK"'],
        refused(
            "the extension has subscribed to the Telemetry API already",
            kind="Logs.ValidationError",
        ),
        refused(
            "Telemetry API subscription is closed already", 403, "Telemetry.SubscriptionClosed"
        ),
        refused("Logs API subscription is closed already", 403, "Logs.SubscriptionClosed"),
    ]
    states = re.findall(r"^TELEMETRY\t.*State: ([^\t]*)", r.log, re.M)
    assert states == ["Subscribed", "Already subscribed"]


def test_what_a_subscriber_does_not_take_is_counted(cloud, tapped):
    fn = tapped({"requests": [[wants(["platform", "function"])]], "statuses": [500]})
    cloud.invoke(fn, {})
    r = cloud.invoke(fn, {"print": ["a"], "wait": {"platform.logsDropped": 1}})
    (dropped,) = of_type(r.payload["events"], "platform.logsDropped")
    assert dropped["droppedRecords"] > 0 and dropped["droppedBytes"] > 100
    assert dropped["reason"] == "The subscriber answered with status 500."


def test_a_subscriber_that_never_answers_hurts_nobody(cloud, tapped):
    fn = tapped({"requests": [[wants(["function"])]], "statuses": [0]})
    r = cloud.invoke(fn, {"print": ["first"]})
    for _ in range(3):
        r = cloud.invoke(fn, {"flood": 1000})
        assert r.error is None and r.payload["events"] == []
    assert r.report["Duration"] < 3000
    fn = tapped({"requests": [[wants(["function"])]], "listen": "nothing"})
    for _ in range(3):
        assert cloud.invoke(fn, {"flood": 1000}).error is None
