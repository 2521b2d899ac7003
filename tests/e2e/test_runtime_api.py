"""The Runtime API, asked by a runtime of our own: statuses and bodies, also of what it refuses."""

import json

import pytest

BOOTSTRAP = """#!/usr/bin/python3
import http.client, json, os
host = os.environ["AWS_LAMBDA_RUNTIME_API"]
api = http.client.HTTPConnection(host)
BASE = "/2018-06-01/runtime/"

def ask(method, path, body=None, **headers):
    api.request(method, path, body=body, headers={k.replace("_", "-"): v for k, v in headers.items()})
    r = api.getresponse()
    return [r.status, r.read().decode()], dict(r.getheaders())

said = []
while True:
    (status, event), headers = ask("GET", BASE + "invocation/next")
    id = headers["Lambda-Runtime-Aws-Request-Id"]
    mine = BASE + "invocation/" + id
    event = json.loads(event)
    if event == "tell":
        ask("POST", mine + "/response", json.dumps(said))
        said = []
    elif event == "wrong":
        said = [
            ask("GET", "/2018-06-01/ping")[0],
            ask("GET", "/2018-06-01/nope")[0],
            ask("GET", "/elsewhere")[0],
            ask("POST", BASE + "invocation/nope/response", "1")[0],
            ask("POST", BASE + "invocation/nope/error", "{}")[0],
            ask("POST", BASE + "init/error", "{}")[0],
            ask("POST", BASE + "invocation/next", "")[0],
            ask("GET", mine + "/response")[0],
            ask("GET", BASE + "init/error")[0],
            ask("GET", BASE + "restore/next")[0],
            ask("POST", BASE + "restore/error", "{}")[0],
            ask("GET", "/2021-04-23/credentials")[0],
            ask("POST", BASE + "invocation//response", "1")[0],
            ask("POST", BASE + "invocation/response", "1")[0],
            ask("GET", BASE + "invocation/next")[0],
        ]
        said.append(ask("POST", mine + "/response", "7")[0])
        said.append(ask("POST", mine + "/response", "8")[0])
    elif event == "odd":
        said = [ask("POST", mine + "/response", "1", Lambda_Runtime_Function_Response_Mode="odd")[0]]
    elif event in ("cut", "chunks", "nonsense"):
        other = http.client.HTTPConnection(host)
        other.putrequest("POST", mine + "/response")
        if event == "cut":
            other.putheader("Content-Length", "100")
        else:
            other.putheader("Transfer-Encoding", "chunked")
        other.endheaders({"cut": b"half", "chunks": b"5\\r\\nab", "nonsense": b"zz\\r\\n"}[event])
        if event == "nonsense":
            said = [other.getresponse().status]
        other.close()
    elif isinstance(event, dict):
        said = [ask("POST", mine + "/error", event["body"], Content_Type="application/vnd.aws.lambda.error.cause+json",
                    Lambda_Runtime_Function_XRay_Error_Cause="no json")[0]]
    elif event == "large":
        said = [ask("POST", mine + "/response", "x" * 6291557)[0]]
    elif event == "error":
        body = json.dumps({"errorMessage": "m", "errorType": "T"})
        said = [ask("POST", mine + "/error", body, Lambda_Runtime_Function_Error_Type="Own.Kind")[0]]
    elif event == "nothing":
        said = [ask("POST", mine + "/response")[0]]
    elif event == "headers":
        ask("POST", mine + "/response", json.dumps({k.lower(): v for k, v in headers.items()}))
"""

OK = [202, '{"status":"OK"}\n']


def refused(status, kind, message):
    return [status, '{"errorMessage":"%s","errorType":"%s"}\n' % (message, kind)]


def test_runtime_api(cloud):
    name = cloud.function(files={"bootstrap*": BOOTSTRAP}, Runtime="provided.al2023")

    assert cloud.invoke(name, "wrong").body == b"7"
    said = cloud.invoke(name, "tell").payload
    assert said[0] == [200, "pong"]
    assert said[1] == said[2] == [404, "404 page not found\n"]
    assert said[3] == said[4] == refused(400, "InvalidRequestID", "Invalid request ID")
    assert said[5] == refused(
        403,
        "InvalidStateTransition",
        "State transition from Running to InitError failed for runtime. "
        "Error: State transition is not allowed",
    )
    assert said[6] == said[7] == said[8] == [405, ""]
    # What is for SnapStart only is not there.
    assert said[9] == said[10] == said[11] == [404, "404 page not found\n"]
    assert said[12] == refused(400, "InvalidRequestID", "Invalid request ID")
    assert said[13] == [404, "404 page not found\n"]
    assert said[14] == [200, '"wrong"']  # asked again, the same event
    assert said[15] == OK
    assert (said[16][0], json.loads(said[16][1])["errorType"]) == (403, "InvalidStateTransition")

    r = cloud.invoke(name, "odd")
    assert (r.error, r.payload["errorType"]) == ("Unhandled", "Runtime.InvalidResponseModeHeader")
    assert r.log.endswith("\tStatus: error\tError Type: Runtime.InvalidResponseModeHeader\n")
    assert cloud.invoke(name, "tell").payload == [
        refused(400, "InvalidFunctionResponseMode", "Invalid function response mode")
    ]

    for event, said in (("cut", []), ("chunks", []), ("nonsense", [400])):
        r = cloud.invoke(name, event)
        assert (r.error, r.payload["errorType"]) == ("Unhandled", "Runtime.TruncatedResponse")
        assert cloud.invoke(name, "tell").payload == said

    body = {"errorMessage": "m", "errorType": "T", "stackTrace": ["a"], "errorCause": {"paths": []}}
    r = cloud.invoke(name, {"body": json.dumps(body)})
    del body["errorCause"]
    assert (r.error, r.payload) == ("Unhandled", body)
    assert cloud.invoke(name, {"body": "{"}).payload == "Invalid error body"
    assert cloud.invoke(name, "tell").payload == [OK]

    assert cloud.invoke(name, "large").payload["errorType"] == "Function.ResponseSizeTooLarge"
    assert cloud.invoke(name, "tell").payload == [
        refused(
            413, "RequestEntityTooLarge", "Exceeded maximum allowed payload size (6291556 bytes)."
        )
    ]

    r = cloud.invoke(name, "error")
    assert (r.error, r.payload) == ("Unhandled", {"errorMessage": "m", "errorType": "T"})
    assert cloud.invoke(name, "tell").payload == [OK]

    r = cloud.invoke(name, "nothing")
    assert (r.error, r.body) == (None, b"")
    assert cloud.invoke(name, "tell").payload == [OK]

    r = cloud.invoke(name, "headers")
    headers = r.payload
    assert headers["content-type"] == "application/json"
    assert headers["lambda-runtime-aws-request-id"] == r.id
    assert headers["lambda-runtime-deadline-ms"].isdigit()
    assert headers["lambda-runtime-invoked-function-arn"].endswith(":function:" + name)
    assert headers["lambda-runtime-trace-id"].startswith("Root=1-")
    assert "lambda-runtime-client-context" not in headers


def test_two_layers_merge_and_the_last_one_wins(cloud):
    from cloud import unique, zipped

    arns = []
    for files in ({"python/m.py": "x = 1\n", "python/one.py": "y = 1\n"}, {"python/m.py": "x = 2\n"}):
        arns.append(
            cloud.lambda_.publish_layer_version(
                LayerName=unique("layer"), Content={"ZipFile": zipped(files)}
            )["LayerVersionArn"]
        )
    source = "import m, one\ndef handler(event, context):\n    return [m.x, one.y]\n"
    assert cloud.invoke(cloud.function(source, Layers=arns)).payload == [2, 1]
    assert cloud.invoke(cloud.function(source, Layers=arns[::-1])).payload == [1, 1]


def test_an_alias_shares_its_calls_between_two_versions(cloud):
    name = cloud.function("def handler(event, context):\n    return context.function_version\n")
    lam = cloud.lambda_
    assert lam.publish_version(FunctionName=name)["Version"] == "1"
    assert lam.publish_version(FunctionName=name)["Version"] == "1"  # nothing has changed
    lam.update_function_configuration(FunctionName=name, Description="second")
    assert lam.publish_version(FunctionName=name)["Version"] == "2"
    lam.create_alias(
        FunctionName=name, Name="live", FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}},
    )
    answers = [cloud.invoke(name, Qualifier="live") for _ in range(40)]
    assert {(r.version, r.payload) for r in answers} == {("1", "1"), ("2", "2")}
    lam.update_alias(FunctionName=name, Name="live", RoutingConfig={"AdditionalVersionWeights": {}})
    assert {cloud.invoke(name, Qualifier="live").version for _ in range(10)} == {"1"}


def test_a_deleted_function_answers_who_is_waiting(cloud):
    import threading

    source = "import time\ndef handler(event, context):\n    time.sleep(.5)\n    return 1\n"
    name = cloud.function(source)
    cloud.invoke(name)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(cloud.invoke(name).payload))
    thread.start()
    while not answers and thread.is_alive():
        if cloud.log_events(name, 5)[-1].startswith("START"):
            break
    cloud.lambda_.delete_function(FunctionName=name)
    thread.join()
    assert answers == [1]


def test_a_bootstrap_that_is_no_program(cloud):
    name = cloud.function(files={"bootstrap*": "\x00\x01 no program"}, Runtime="provided.al2023")
    r = cloud.invoke(name)
    assert (r.error, r.payload) == (
        "Unhandled",
        {
            "errorType": "Runtime.InvalidEntrypoint",
            "errorMessage": "RequestId: %s Error: fork/exec /var/task/bootstrap: exec format error"
            % r.id,
        },
    )


FAILING = """#!/usr/bin/python3
import http.client, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
api.request("POST", "/2018-06-01/runtime/init/error", '{"errorMessage":"m","errorType":"T"}',
            {"Lambda-Runtime-Function-Error-Type": os.environ["KIND"]})
api.getresponse().read()
"""


@pytest.mark.parametrize(
    "kind, kept",
    [
        ("Runtime.NoConfig", "Runtime.NoConfig"),
        ("Function.Odd", "Function.Odd"),
        ("Function.odd", "Function.Unknown"),
        ("Runtime.With1", "Runtime.Unknown"),
        ("TypeError", "Runtime.Unknown"),
    ],
)
def test_kinds_of_errors_that_are_kept(cloud, kind, kept):
    """In reports; what the client gets is the runtime's own."""
    name = cloud.function(
        files={"bootstrap*": FAILING}, Runtime="provided.al2023",
        Environment={"Variables": {"KIND": kind}},
    )
    r = cloud.invoke(name)
    assert (r.error, r.payload) == ("Unhandled", {"errorMessage": "m", "errorType": "T"})
    for line in r.log.splitlines():
        if line.startswith(("INIT_REPORT", "REPORT")):
            assert line.endswith("\tStatus: error\tError Type: " + kept), line
