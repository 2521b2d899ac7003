"""Extensions: processes beside the runtime, and threads of it, in all phases of an environment."""

import json
import os
import re
import threading
import time

import pytest
from cloud import ACCOUNT, ID, SOON, children, unique, zipped
from test_function_url import api as url_api, ask as ask_url, open_to_all
from test_runtimes import NODE
from test_streaming import Stream

# What extensions of these tests have in common. They note what happens in /tmp, which they share
# with the function, and print it.
COMMON = r"""#!/usr/bin/env python3
import http.client, json, os, signal, sys, time

class Api:
    def __init__(self):
        self.http = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
        self.id = None

    def ask(self, method, path, body=None, id=None, **headers):
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        if id or self.id:
            headers["Lambda-Extension-Identifier"] = id or self.id
        self.http.request(method, "/2020-01-01/extension/" + path, body, headers)
        r = self.http.getresponse()
        return r.status, r.read().decode(), r.headers

    def register(self, name, *events, **headers):
        r = self.ask("POST", "register", json.dumps({"events": events}),
                     Lambda_Extension_Name=name, **headers)
        self.id = r[2]["Lambda-Extension-Identifier"]
        return r

    def next(self):
        return json.loads(self.ask("GET", "event/next")[1])

def note(*what):
    with open("/tmp/notes", "a") as f:
        f.write(json.dumps(what) + "\n")

name = os.path.basename(sys.argv[0])
api = Api()
"""

# An extension that does nothing special.
PLAIN = COMMON + r"""
note(name, "started")
status, body, headers = api.register(name, "INVOKE", "SHUTDOWN")
note(name, "registered", status, json.loads(body))
while True:
    event = api.next()
    note(name, "event", event)
    print(name, "got", event["eventType"], event.get("shutdownReason", ""), flush=True)
    if event["eventType"] == "SHUTDOWN":
        sys.exit(0)
"""

# The function: what has been noted so far.
NOTES = """
import json, time
with open("/tmp/notes", "a") as f:
    f.write('["runtime", "started"]\\n')
def handler(event, context):
    if isinstance(event, (int, float)):
        time.sleep(event)
    return [json.loads(line) for line in open("/tmp/notes")]
"""

OPENING = r"INIT_START Runtime Version: .*\n"


def layer(cloud, extensions):
    """A layer with these files below extensions/; a name that ends with ! is not executable."""
    files = {
        "extensions/" + (name.rstrip("!") if name.endswith("!") else name + "*"): text
        for name, text in extensions.items()
    }
    return cloud.lambda_.publish_layer_version(
        LayerName=unique("ext"), Content={"ZipFile": zipped(files)}
    )["LayerVersionArn"]


def function(cloud, extensions, source=NOTES, **options):
    return cloud.function(source, Layers=[layer(cloud, extensions)], **options)


def eventually(condition, within=15):
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def processes(cloud, name):
    """Command lines of what runs in a function's environments."""
    found = []
    for pid in children(cloud.process.pid):
        try:
            with open("/proc/%d/environ" % pid, "rb") as f:
                if b"AWS_LAMBDA_FUNCTION_NAME=" + name.encode() not in f.read():
                    continue
            with open("/proc/%d/cmdline" % pid, "rb") as f:
                found.append(f.read().replace(b"\0", b" ").decode())
        except OSError:
            pass
    return found


def events_of(notes, name):
    return [n[2] for n in notes if n[:2] == [name, "event"]]


def test_phases_of_two_external_and_an_internal_extension(cloud):
    slow = PLAIN.replace('note(name, "started")', 'note(name, "started"); time.sleep(.3)')
    source = COMMON.split("\n", 1)[1] + (
        "import threading\n"
        "api.register('inside', 'INVOKE')\n"
        "note('inside', 'registered')\n"
        "def loop():\n"
        "    time.sleep(.3)\n"
        "    while True:\n"
        "        note('inside', 'next')\n"
        "        note('inside', 'event', api.next())\n"
        "threading.Thread(target=loop, daemon=True).start()\n"
    ) + NOTES
    name = function(cloud, {"one": PLAIN, "two": slow}, source, Timeout=20)
    r = cloud.invoke(name)
    notes = r.payload
    order = [tuple(n[:2]) for n in notes]
    # The runtime starts when both have registered, and the init ends when all three want an event.
    for external in ("one", "two"):
        assert order.index((external, "started")) < order.index((external, "registered"))
        assert order.index((external, "registered")) < order.index(("runtime", "started"))
    assert r.report["Init Duration"] >= 600
    registered = next(n for n in notes if n[:2] == ["one", "registered"])
    assert registered[2:] == [
        200, {"functionName": name, "functionVersion": "$LATEST", "handler": "app.handler"}
    ]
    assert re.match(
        OPENING
        + r"EXTENSION\tName: one\tState: Ready\tEvents: \[INVOKE, SHUTDOWN\]\n"
        r"EXTENSION\tName: two\tState: Ready\tEvents: \[INVOKE, SHUTDOWN\]\n"
        r"EXTENSION\tName: inside\tState: Ready\tEvents: \[INVOKE\]\n"
        r"START RequestId: " + r.id, r.log
    ), r.log
    # What they print is in the log, inside of the invocation.
    assert "one got INVOKE \n" in r.log.partition("START")[2]
    assert "two got INVOKE \n" in r.log.partition("START")[2]

    second = cloud.invoke(name)
    notes = second.payload
    for extension in ("one", "two", "inside"):
        events = events_of(notes, extension)
        assert [e["requestId"] for e in events] in ([r.id, second.id], [r.id])
        event = events[0]
        assert set(event) == {"eventType", "deadlineMs", "requestId", "invokedFunctionArn", "tracing"}
        assert event["eventType"] == "INVOKE"
        assert 0 < event["deadlineMs"] / 1000 - time.time() < 20
        assert event["invokedFunctionArn"].endswith(":%s:function:%s" % (ACCOUNT, name))
        assert event["tracing"]["type"] == "X-Amzn-Trace-Id"
        assert event["tracing"]["value"].startswith("Root=1-")
    assert "Init Duration" not in second.report

    # Its end is told to those that asked for it, with the time that is left.
    before = time.time()
    cloud.lambda_.update_function_configuration(FunctionName=name, Description="new")
    cloud.lambda_.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=SOON)
    for extension in ("one", "two"):
        end = extension + " got SHUTDOWN spindown\n"
        assert end in cloud.log_events(name, until=end)
    eventually(lambda: not processes(cloud, name))
    assert time.time() - before < 15


def test_the_environment_of_an_extension(cloud):
    source = COMMON + (
        "note(name, dict(os.environ), os.getcwd(), os.getuid())\n"
        "print('a line', file=sys.stderr)\n"
        "status, body, headers = api.register(name, Lambda_Extension_Accept_Feature='x, accountId')\n"
        "note(name, json.loads(body), headers['Content-Type'])\n"
        "api.next()\n"
    )
    name = function(
        cloud, {"env.py": source},
        Environment={"Variables": {"OWN": "1", "NODE_PATH": "/x"}},
    )
    r = cloud.invoke(name)
    env, cwd, uid = r.payload[0][1:]
    assert uid == 993
    assert env["OWN"] == "1" and env["NODE_PATH"] == "/x"
    assert env["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert env["AWS_LAMBDA_RUNTIME_API"] == "169.254.100.1:9001"
    assert env["AWS_REGION"] == "us-east-1" and env["AWS_SESSION_TOKEN"]
    assert not [
        k for k in env
        if k.startswith(("_", "AWS_XRAY_"))
        or k in ("AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
                 "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR", "PYTHONPATH")
    ], env
    assert r.payload[1][1:] == [
        {"functionName": name, "functionVersion": "$LATEST", "handler": "app.handler",
         "accountId": ACCOUNT},
        "application/json",
    ]
    assert "a line\n" in r.log
    assert "EXTENSION\tName: env.py\tState: Ready\tEvents: []\n" in r.log


# Asks for everything that is refused, prints the answers, and fails.
TELLER = COMMON + r"""
UNKNOWN = "6f0f1b1e-0000-4000-8000-000000000000"
ERROR = {"Lambda_Extension_Function_Error_Type": "Extension.Enough"}
def said(key, r):
    print("SAID " + json.dumps([key, r[0], r[1], api.id]), flush=True)
def register(body, who=name):
    return Api().ask("POST", "register", body, Lambda_Extension_Name=who)
said("no name", api.ask("POST", "register", "{}"))
said("no json", register("{"))
said("no list", register('{"events": 1}'))
said("keys", register('{"configurationKeys": ["a"]}'))
said("event", register('{"events": ["SOON"]}'))
said("inner shutdown", register('{"events": ["SHUTDOWN"]}', "in"))
said("method", api.ask("GET", "register"))
said("path", api.ask("POST", "nothing"))
said("no id", api.ask("GET", "event/next"))
said("bad id", api.ask("GET", "event/next", id="x"))
said("unknown", api.ask("GET", "event/next", id=UNKNOWN))
said("unknown error", api.ask("POST", "init/error", id=UNKNOWN, **ERROR))
said("too early", api.ask("GET", "event/next", id=UNKNOWN))
api.register(name, "INVOKE")
said("again", register("{}"))
said("inner", register('{"events": ["INVOKE"]}', "in"))
said("inner again", register("{}", "in"))
for i in range(8):
    register("{}", "more%d" % i)
said("too many", register("{}", "eleven"))
said("no type", api.ask("POST", "init/error"))
said("error", api.ask("POST", "init/error", **ERROR))
said("error again", api.ask("POST", "init/error", Lambda_Extension_Function_Error_Type="Other"))
said("next", api.ask("GET", "event/next"))
said("exit", api.ask("POST", "exit/error", **ERROR))
sys.exit(3)
"""


def refused(kind, message, status=403):
    return [status, '{"errorMessage":%s,"errorType":"%s"}\n' % (json.dumps(message), kind)]


def test_what_the_api_refuses(cloud):
    # While one has not registered the runtime is not started, and registration stays open.
    name = function(cloud, {"gate": "#!/bin/sh\nsleep 1000\n", "teller": TELLER}, Timeout=10)
    r = cloud.invoke(name)
    assert (r.error, r.payload) == (
        "Unhandled",
        {"errorType": "Extension.InitError",
         "errorMessage": "RequestId: %s Error: exit status 3" % r.id},
    )
    end = r"\tStatus: error\tError Type: Extension\.InitError\n"
    assert re.search(r"\nINIT_REPORT Init Duration: \S+ ms\tPhase: invoke" + end, r.log), r.log
    assert re.search(r"\nREPORT .*" + end + "$", r.log), r.log

    log = cloud.log_events(name, 40, until="REPORT")
    assert re.search(r"\nINIT_REPORT Init Duration: \S+ ms\tPhase: init" + end, "".join(log))
    assert (
        "EXTENSION\tName: teller\tState: InitError\tEvents: [INVOKE]\tError Type: Extension.Enough\n"
        in log
    )
    lines = [json.loads(l[5:]) for l in log if l.startswith("SAID ")]
    said = {key: [status, body] for key, status, body, _ in lines}
    id = lines[-1][3]

    closed = "State transition from %s to %s failed for extension %s. Error: State transition is not allowed"
    state = "Extension.InvalidExtensionState"
    missing = "Unknown Lambda-Extension-Identifier"
    assert said["no name"] == refused("Extension.InvalidExtensionName", "Empty extension name")
    for key in ("no json", "no list", "keys"):
        assert said[key][0] == 403 and json.loads(said[key][1])["errorType"] == "InvalidRequestFormat"
    assert said["event"] == refused("Extension.InvalidEventType", "SOON: ErrorInvalidEventType")
    assert said["inner shutdown"] == refused(
        "Extension.InvalidEventType", "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension"
    )
    assert said["method"] == [405, ""]
    assert said["path"] == [404, "404 page not found\n"]
    assert said["no id"] == refused(
        "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header"
    )
    assert said["bad id"] == refused(
        "Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier"
    )
    assert said["unknown"] == refused(
        "Extension.UnknownExtensionIdentifier",
        "Unknown extension 6f0f1b1e-0000-4000-8000-000000000000",
    )
    assert said["unknown error"] == refused("Extension.UnknownExtensionIdentifier", missing)
    assert said["again"] == refused(state, closed % ("Registered", "Registered", "teller"))
    assert said["inner"][0] == 200
    assert said["inner again"] == refused(state, "Extension with this name already registered")
    assert said["too many"] == refused("Extension.TooManyExtensions", "Extension limit (10) reached")
    assert said["no type"] == refused(
        "Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found"
    )
    assert said["error"] == said["error again"] == [202, '{"status":"OK"}\n']
    assert said["next"] == refused(state, closed % ("InitError", "Ready", id))
    assert said["exit"] == refused(state, closed % ("InitError", "Exited", id))


def test_registration_ends_with_the_first_next_of_the_runtime(cloud):
    source = COMMON.split("\n", 1)[1] + (
        "def handler(event, context):\n"
        "    late = Api().ask('POST', 'register', '{}', Lambda_Extension_Name='late')\n"
        "    twice = Api().ask('POST', 'register', '{}', Lambda_Extension_Name='plain')\n"
        "    return [late[:2], twice[:2]]\n"
    )
    name = function(cloud, {"plain": PLAIN}, source)
    late, twice = cloud.invoke(name).payload
    assert late == refused("Extension.RegistrationClosed", "Extension registration closed already")
    assert twice[0] == 403 and "Extension.InvalidExtensionState" in twice[1]


def crash(when):
    """An extension that ends with status 7 at some point."""
    return {
        "start": COMMON + "sys.exit(7)\n",
        "registered": COMMON + "api.register(name)\nsys.exit(7)\n",
        "invoke": COMMON + "api.register(name, 'INVOKE')\napi.next()\ntime.sleep(.2)\nsys.exit(7)\n",
        "cleanly": COMMON + "api.register(name, 'INVOKE')\napi.next()\nsys.exit(0)\n",
        "told": COMMON + "api.register(name, 'INVOKE')\napi.next()\n"
        "api.ask('POST', 'exit/error', Lambda_Extension_Function_Error_Type='Extension.Own')\n"
        "sys.exit(7)\n",
    }[when]


@pytest.mark.parametrize("when", ["start", "registered"])
def test_a_crash_in_the_init(cloud, when):
    name = function(cloud, {"bad": crash(when)})
    r = cloud.invoke(name)
    assert (r.error, r.payload) == (
        "Unhandled",
        {"errorType": "Extension.Crash", "errorMessage": "RequestId: %s Error: exit status 7" % r.id},
    )
    end = r"\tStatus: error\tError Type: Extension\.Crash\n"
    state = {"start": "Started", "registered": "Registered"}[when]
    extension = r"EXTENSION\tName: bad\tState: %s\tEvents: \[\]\n" % state
    assert re.fullmatch(
        OPENING + extension + r"INIT_REPORT Init Duration: \S+ ms\tPhase: init" + end
        + extension + r"INIT_REPORT Init Duration: \S+ ms\tPhase: invoke" + end
        + r"START .*\nEND .*\nREPORT .*" + end, r.log), r.log


@pytest.mark.parametrize(
    "when, kind, text",
    [("invoke", "Crash", "exit status 7"), ("cleanly", "Crash", "exit code 0"),
     ("told", "ExitError", "exit status 7")],
)
def test_a_crash_in_an_invocation(cloud, when, kind, text):
    # The other one is told why, and both are started again by the next invocation.
    name = function(cloud, {"bad": crash(when), "good": PLAIN}, Timeout=10)
    r = cloud.invoke(name, 5)
    assert (r.error, r.payload) == (
        "Unhandled",
        {"errorType": "Extension." + kind, "errorMessage": "RequestId: %s Error: %s" % (r.id, text)},
    )
    assert re.search(
        r"\nREPORT .*\tStatus: error\tError Type: Extension\.%s\n$" % kind, r.log), r.log
    again = cloud.invoke(name, 5)
    assert again.payload["errorType"] == "Extension." + kind
    # Its end was told to the good one, before it was started for the second time.
    log = cloud.log_events(name, until="good got SHUTDOWN failure")
    assert "good got SHUTDOWN failure\n" in log


def test_what_cannot_be_started(cloud):
    for files, text, error in (
        ({"plain!": PLAIN}, "fork/exec /opt/extensions/plain: permission denied", "PermissionDenied"),
        ({"bin": "\0\1"}, "fork/exec /opt/extensions/bin: exec format error", "UnknownError"),
    ):
        name = function(cloud, files)
        r = cloud.invoke(name)
        assert r.payload == {
            "errorType": "Extension.LaunchError",
            "errorMessage": "RequestId: %s Error: %s" % (r.id, text),
        }
        assert "State: LaunchError\tEvents: []\tError Type: %s\n" % error in r.log, r.log
    name = function(cloud, {"e%02d" % i: "#!/bin/sh\nsleep 100\n" for i in range(11)})
    r = cloud.invoke(name)
    assert r.payload["errorType"] == "Extension.LaunchError"
    log = "".join(cloud.log_events(name, 20, until="REPORT"))
    assert "EXTENSION\tName: e10\tState: LaunchError\tEvents: []\tError Type: TooManyExtensions\n" in log


# Works until there is an object, which only who has got the answer makes.
WAITING = PLAIN.replace("    print(name", """
    address, path = os.environ["WAIT_FOR"].split("/", 3)[2:]
    while event["eventType"] == "INVOKE":
        cloud = http.client.HTTPConnection("169.254.100.1:4566")
        cloud.request("GET", "/" + path, headers={"Host": address})
        if cloud.getresponse().status == 200:
            break
        time.sleep(.05)
    print(name""")


def test_work_after_the_answer_is_billed_and_does_not_hold_up_the_client(cloud):
    bucket = unique("ext")
    cloud.s3.create_bucket(Bucket=bucket)
    url = cloud.s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "go"})
    name = function(
        cloud, {"slow": WAITING}, Timeout=30, Environment={"Variables": {"WAIT_FOR": url}}
    )
    assert cloud.invoke(name, tail=False).error is None
    time.sleep(0.3)  # work to be billed
    cloud.s3.put_object(Bucket=bucket, Key="go", Body=b"")
    log = cloud.log_events(name, until="REPORT")
    report = next(l for l in log if l.startswith("REPORT"))
    assert 300 <= float(re.search(r"\tDuration: (\S+) ms", report).group(1)) < 30000
    assert int(re.search(r"\tBilled Duration: (\d+) ms", report).group(1)) >= 300
    assert log.index("slow got INVOKE \n") < log.index(report)
    # Who wants the log waits for its end.
    r = cloud.invoke(name)
    assert r.log.index("slow got INVOKE \n") < r.log.index("REPORT")


def test_an_update_does_not_cut_off_work_after_the_answer(cloud):
    bucket = unique("ext")
    cloud.s3.create_bucket(Bucket=bucket)
    url = cloud.s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "go"})
    name = function(
        cloud, {"slow": WAITING}, Timeout=30, Environment={"Variables": {"WAIT_FOR": url}}
    )
    assert cloud.invoke(name, tail=False).error is None
    cloud.lambda_.update_function_configuration(FunctionName=name, Description="new")
    cloud.lambda_.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=SOON)
    assert [l for l in cloud.log_events(name) if l.startswith("REPORT")] == []
    cloud.s3.put_object(Bucket=bucket, Key="go", Body=b"")
    log = cloud.log_events(name, until="slow got SHUTDOWN spindown")
    assert [l.split()[0] for l in log if l.startswith(("END", "REPORT", "slow got S"))] == [
        "END", "REPORT", "slow"
    ]
    assert "Status" not in next(l for l in log if l.startswith("REPORT"))
    eventually(lambda: not processes(cloud, name))


def test_an_extension_that_hangs_after_the_answer_ends_with_the_time_limit(cloud):
    source = PLAIN.replace("    note(name, \"event\", event)", "    note(name, 'event', event)\n"
                           "    time.sleep(100 if event['eventType'] == 'INVOKE' else 0)")
    name = function(cloud, {"hangs": source, "good": PLAIN}, Timeout=2)
    r = cloud.invoke(name)
    assert r.error is None  # the answer was there
    assert re.search(r"\tStatus: timeout\n$", r.log), r.log
    assert r.report["Duration"] == 2000
    # It is killed; the next invocation starts everything anew, with the same /tmp.
    eventually(lambda: not processes(cloud, name))
    notes = cloud.invoke(name).payload
    assert [n[:2] for n in notes].count(["runtime", "started"]) == 2
    assert events_of(notes, "good")[1]["eventType"] == "SHUTDOWN"
    assert events_of(notes, "good")[1]["shutdownReason"] == "timeout"
    assert set(events_of(notes, "good")[1]) == {"eventType", "deadlineMs", "shutdownReason"}


def test_a_timeout_of_the_function_tells_extensions(cloud):
    name = function(cloud, {"good": PLAIN}, Timeout=2)
    assert cloud.invoke(name, 30).payload["errorType"] == "Sandbox.Timedout"
    r = cloud.invoke(name)
    told = [e for e in events_of(r.payload, "good") if e["eventType"] == "SHUTDOWN"]
    assert [e["shutdownReason"] for e in told] == ["timeout"]
    assert [n[:2] for n in r.payload].count(["good", "started"]) == 2


def test_an_exit_of_the_function_tells_extensions(cloud):
    source = "import os\n" + NOTES.replace("time.sleep(event)", "os._exit(event)")
    name = function(cloud, {"good": PLAIN}, source)
    assert cloud.invoke(name, 1).payload["errorType"] == "Runtime.ExitError"
    told = [e for e in events_of(cloud.invoke(name).payload, "good") if e["eventType"] == "SHUTDOWN"]
    assert [e["shutdownReason"] for e in told] == ["failure"]


def test_the_runtime_is_asked_to_end_when_there_are_extensions(cloud):
    # SIGTERM comes before extensions are told; who ignores it is killed after 30 % of the time.
    source = NOTES + (
        "import signal, sys\n"
        "def on_term(*_):\n"
        "    with open('/tmp/notes', 'a') as f:\n"
        "        f.write('[\"runtime\", \"terminated\"]\\n')\n"
        "    sys.exit(0) if open('/tmp/mode').read() == 'good' else time.sleep(100)\n"
        "signal.signal(signal.SIGTERM, on_term)\n"
        "plain = handler\n"
        "def handler(event, context):\n"
        "    if isinstance(event, str):\n"
        "        open('/tmp/mode', 'w').write(event)\n"
        "        time.sleep(100)\n"
        "    return plain(event, context)\n"
    )
    name = function(cloud, {"good": PLAIN}, source, Timeout=2)
    for mode in ("good", "bad"):
        assert cloud.invoke(name, mode).payload["errorType"] == "Sandbox.Timedout"
    notes = cloud.invoke(name).payload
    order = [n[1] if n[0] == "runtime" else n[2]["eventType"]
             for n in notes if n[0] == "runtime" or n[1] == "event"]
    assert [o for o in order if o != "INVOKE"] == [
        "started", "terminated", "SHUTDOWN", "started", "terminated", "SHUTDOWN", "started"
    ]


@pytest.mark.parametrize("internal", [True, False])
def test_the_runtime_alone_is_killed_at_once(cloud, internal):
    # A thread of it that is an extension gives it half a second instead.
    source = COMMON.split("\n", 1)[1] + (
        "import threading\n"
        "if %r:\n"
        "    api.register('inside')\n"
        "    threading.Thread(target=api.next, daemon=True).start()\n"
        "def on_term(*_):\n"
        "    note('runtime', 'terminated')\n"
        "    time.sleep(100)\n"
        "signal.signal(signal.SIGTERM, on_term)\n" % internal
    ) + NOTES
    name = cloud.function(source, Timeout=2)
    assert cloud.invoke(name, 30).payload["errorType"] == "Sandbox.Timedout"
    eventually(lambda: not processes(cloud, name))
    order = [n[1] for n in cloud.invoke(name).payload if n[0] == "runtime"]
    assert order == (["started", "terminated", "started"] if internal else ["started"] * 2)


def test_one_that_does_not_end_is_killed_after_two_seconds(new_cloud):
    hangs = PLAIN.replace("sys.exit(0)", "time.sleep(1000)").replace(
        'note(name, "started")', "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    deaf = COMMON + "api.register(name, 'INVOKE')\nwhile True:\n    api.next()\n"
    cloud = new_cloud("--spares", "0")  # whose processes show what they were started with
    name = function(cloud, {"hangs": hangs, "deaf": deaf})
    cloud.invoke(name)
    assert len(processes(cloud, name)) == 3
    began = time.monotonic()
    cloud.lambda_.delete_function(FunctionName=name)
    # The one that does not want to hear of it is killed before.
    eventually(lambda: not [p for p in processes(cloud, name) if "deaf" in p])
    eventually(lambda: not processes(cloud, name))
    assert time.monotonic() - began >= 1.5


def test_the_daemon_does_not_wait_for_long(new_cloud, tmp_path):
    cloud = new_cloud(data=tmp_path)
    names = [function(cloud, {"good": PLAIN, "hangs": PLAIN.replace("sys.exit(0)", "time.sleep(1000)")})
             for _ in range(3)]
    [cloud.invoke(name) for name in names]
    cloud.stop(within=4.5)  # and leaves no process behind
    # Extensions have been told nevertheless, and what they said is in the log.
    cloud = new_cloud(data=tmp_path)
    for name in names:
        log = cloud.log_events(name)
        assert "good got SHUTDOWN spindown\n" in log and "hangs got SHUTDOWN spindown\n" in log, log


# ---- together with all the rest ----

# A handler of node's that streams: two pieces, and a time between them.
STREAMS = """
exports.handler = awslambda.streamifyResponse(async (event, out) => {
  out.write('one ');
  await new Promise(done => setTimeout(done, event));
  out.end('two');
});
"""


def test_work_after_a_stream(cloud):
    """Who has the whole stream does not wait for extensions; one that crashes cuts it off."""
    bucket = unique("ext")
    cloud.s3.create_bucket(Bucket=bucket)
    url = cloud.s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "go"})
    slow = layer(cloud, {"slow": WAITING})
    name = cloud.function(
        files={"app.js": STREAMS}, Runtime=NODE, Layers=[slow], Timeout=30,
        Environment={"Variables": {"WAIT_FOR": url}},
    )
    assert Stream(cloud, name, 0).rest() == (b"one two", {})
    cloud.s3.put_object(Bucket=bucket, Key="go", Body=b"")
    log = cloud.log_events(name, until="REPORT", within=15)
    assert [l.split()[0] for l in log][-4:] == ["START", "slow", "END", "REPORT"]
    assert "Status" not in log[-1]
    bad = layer(cloud, {"bad": crash("invoke")})
    name = cloud.function(files={"app.js": STREAMS}, Runtime=NODE, Layers=[bad], Timeout=20)
    s = Stream(cloud, name, 15000)
    payload, complete = s.rest()
    assert (payload, complete["ErrorCode"]) == (b"one ", "Unhandled")
    assert json.loads(complete["ErrorDetails"])["errorType"] == "Extension.Crash"


def test_behind_a_function_url(cloud):
    name = function(cloud, {"good": PLAIN}, "import time\ndef handler(e, c): time.sleep(60)\n",
                    Timeout=1)
    url = url_api(cloud, "POST", "/2021-10-31/functions/%s/url" % name,
                  {"AuthType": "NONE", "InvokeMode": "RESPONSE_STREAM"}).json["FunctionUrl"]
    open_to_all(cloud, name)
    r = ask_url(cloud, url)
    assert (r.status, r.body) == (502, b"Internal Server Error")
    log = cloud.log_events(name, until="good got SHUTDOWN timeout")
    assert log[-1] == "good got SHUTDOWN timeout\n"
    assert re.search(r"\tStatus: timeout\n$", log[-2]), log


def test_of_a_provisioned_environment(cloud):
    name = function(cloud, {"good": PLAIN})
    version = cloud.lambda_.publish_version(FunctionName=name)["Version"]
    key = {"FunctionName": name, "Qualifier": version}
    cloud.lambda_.put_provisioned_concurrency_config(**key, ProvisionedConcurrentExecutions=1)
    eventually(
        lambda: cloud.lambda_.get_provisioned_concurrency_config(**key)["Status"] == "READY")
    # Extensions were waiting before anybody called.
    log = cloud.log_events(name, until="INIT_REPORT")
    assert re.fullmatch(
        OPENING + r"EXTENSION\tName: good\tState: Ready\tEvents: \[INVOKE, SHUTDOWN\]\n"
        r"INIT_REPORT Init Duration: \S+ ms\tPhase: init\tStatus: success\n", "".join(log)), log
    r = cloud.invoke(name, Qualifier=version)
    assert "Init Duration" not in r.report
    assert [e["requestId"] for e in events_of(r.payload, "good")] in ([], [r.id])
    cloud.lambda_.delete_provisioned_concurrency_config(**key)
    log = cloud.log_events(name, until="good got SHUTDOWN")
    assert log[-1] == "good got SHUTDOWN spindown\n"


def test_of_an_event_that_is_tried_again(new_cloud):
    """An extension's crash is a failure of the event; each try has the same id."""
    cloud = new_cloud("--time-scale", "0.001")
    name = function(cloud, {"bad": crash("cleanly")}, Timeout=30)
    r = cloud.lambda_.invoke(FunctionName=name, InvocationType="Event", Payload=b"20")
    id = r["ResponseMetadata"]["RequestId"]
    reports = lambda: [l for l in cloud.log_events(name, 0) if l.startswith("REPORT")]
    eventually(lambda: len(reports()) == 3)
    for report in reports():
        assert report.startswith("REPORT RequestId: %s\t" % id), report
        assert report.endswith("\tStatus: error\tError Type: Extension.Crash\n"), report


def test_who_comes_next_does_not_wait_for_a_long_end(cloud):
    """The runtime ends after its answer, and its extension takes all of its two seconds."""
    slow = PLAIN.replace("print(name", "time.sleep(60)\n    print(name")
    source = (
        "import os, threading\n"
        "def handler(event, context):\n"
        "    if event: threading.Timer(event, os._exit, [1]).start()\n"
        "    return context.log_stream_name\n"
    )
    name = function(cloud, {"slow": slow}, source)
    first = cloud.invoke(name, 0.05, tail=False)
    second = cloud.invoke(name, 0, tail=False)
    assert first.error is None and second.error is None
    assert first.payload != second.payload


def test_work_after_the_answer_is_within_the_reserved_concurrency(cloud):
    """The environment is not free before its extensions are, and there may be only one."""
    bucket = unique("ext")
    cloud.s3.create_bucket(Bucket=bucket)
    url = cloud.s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "go"})
    name = function(
        cloud, {"slow": WAITING}, "def handler(event, context): return context.log_stream_name",
        Timeout=30, Environment={"Variables": {"WAIT_FOR": url}},
    )
    cloud.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    first, second = cloud.invoke(name, tail=False), []
    thread = threading.Thread(target=lambda: second.append(cloud.invoke(name, tail=False)))
    thread.start()
    time.sleep(0.5)  # it would have gone to another environment by now
    cloud.s3.put_object(Bucket=bucket, Key="go", Body=b"")
    thread.join()
    assert second[0].payload == first.payload
