"""`lamina local start-api`: the HTTP events of a template on a port, with the template's code and
nobody's cloud touched."""

import contextlib
import http.client
import json
import os
import signal
import subprocess

from cloud import LAMINA, RUNTIME, children, environ, free_port, wait_gone

APP = """
import json
def handler(event, context):
    print("asked")
    path = event.get("rawPath") or event["path"]
    if path.endswith("/raise"):
        raise ValueError("no")
    if path.endswith("/odd"):
        return {"statusCode": "odd"}
    return {"statusCode": 201, "headers": {"X-A": "b"}, "cookies": ["c=d"], "body": json.dumps(event)}
"""
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Greeting: {Type: String}
Globals:
  Function: {Runtime: %s, Handler: app.handler, CodeUri: src/, Timeout: 10}
  HttpApi: {CorsConfiguration: true}
Resources:
  Items:
    Type: AWS::Serverless::Function
    Properties:
      Environment: {Variables: {GREETING: !Ref Greeting}}
      Events:
        One: {Type: HttpApi, Properties: {Path: "/items/{id}", Method: get}}
        Own: {Type: HttpApi, Properties: {Path: /items/own, Method: get}}
        Any: {Type: HttpApi, Properties: {Path: "/any/{proxy+}", Method: ANY}}
        Old: {Type: Api, Properties: {Path: "/old/{id}", Method: post}}
  Hook:
    Type: AWS::Serverless::Function
    Properties:
      FunctionUrlConfig: {AuthType: NONE}
Outputs:
  Url: {Value: !GetAtt HookUrl.FunctionUrl}
"""


@contextlib.contextmanager
def start_api(folder, *args):
    port = free_port()
    process = subprocess.Popen(
        [LAMINA, "local", "start-api", "--port", str(port), *args],
        cwd=folder,
        env=environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("ready "):
            break
    family = children(process.pid)
    try:
        yield port, lines, process
    finally:
        process.send_signal(signal.SIGINT)
        process.out, process.err = process.communicate(timeout=30)
        assert not wait_gone(family)


def project(folder, template=TEMPLATE % RUNTIME):
    os.makedirs(os.path.join(folder, "src"))
    with open(os.path.join(folder, "src", "app.py"), "w") as f:
        f.write(APP)
    with open(os.path.join(folder, "template.yaml"), "w") as f:
        f.write(template)
    return folder


def ask(port, method, path, body=None, **headers):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {k.replace("_", "-"): v for k, v in headers.items()}
    c.request(method, path, body, headers)
    r = c.getresponse()
    return r.status, r.headers, r.read()


def event_of(answer):
    status, headers, body = answer
    assert (status, headers["X-A"]) == (201, "b")
    return json.loads(body)


def test_routes(tmp_path):
    folder = project(str(tmp_path / "app"))
    with start_api(folder, "--parameter-overrides", "Greeting=hi") as (port, lines, process):
        at = "http://127.0.0.1:%d" % port
        assert lines == [
            "Mounting Items at %s/items/{id} [GET]\n" % at,
            "Mounting Items at %s/items/own [GET]\n" % at,
            "Mounting Items at %s/any/{proxy+} [ANY]\n" % at,
            "Mounting Items at %s/old/{id} [POST]\n" % at,
            "Mounting Hook at http://hook.localhost:%d/ and %s/_url/Hook/ [function URL]\n"
            % (port, at),
            "ready %s\n" % at,
        ]
        e = event_of(ask(port, "GET", "/items/a%20b?x=1&x=2", Cookie="k=v"))
        assert (e["version"], e["routeKey"]) == ("2.0", "GET /items/{id}")
        assert (e["rawPath"], e["pathParameters"]) == ("/items/a%20b", {"id": "a b"})
        assert (e["queryStringParameters"], e["cookies"]) == ({"x": "1,2"}, ["k=v"])
        e = event_of(ask(port, "GET", "/items/own"))
        assert e["routeKey"] == "GET /items/own" and "pathParameters" not in e
        e = event_of(ask(port, "PUT", "/any/a/b", b"\0\1"))
        assert (e["routeKey"], e["pathParameters"]) == ("ANY /any/{proxy+}", {"proxy": "a/b"})
        assert (e["body"], e["isBase64Encoded"]) == ("AAE=", True)

        e = event_of(ask(port, "POST", "/old/7?q=1&q=2", "text", Content_Type="text/plain"))
        assert "version" not in e
        assert (e["resource"], e["path"], e["httpMethod"]) == ("/old/{id}", "/old/7", "POST")
        assert e["multiValueQueryStringParameters"] == {"q": ["1", "2"]}
        assert e["queryStringParameters"] == {"q": "2"} and e["pathParameters"] == {"id": "7"}
        assert (e["body"], e["isBase64Encoded"], e["stageVariables"]) == ("text", False, None)
        assert e["headers"]["Content-Type"] == "text/plain"
        assert e["requestContext"]["resourcePath"] == "/old/{id}"

        e = event_of(ask(port, "GET", "/_url/Hook/x/y"))
        assert (e["routeKey"], e["rawPath"]) == ("$default", "/x/y")
        e = event_of(ask(port, "GET", "/_url", Host="hook.localhost:%d" % port))
        assert e["rawPath"] == "/_url" and e["requestContext"]["accountId"] == "anonymous"

        for method, path in ("GET", "/"), ("POST", "/items/1"), ("GET", "/items/1/2"), ("GET", "/any/"):
            status, _, body = ask(port, method, path)
            assert (status, json.loads(body)) == (404, {"message": "Not Found"})
        internal = {"message": "Internal Server Error"}
        for path in "/any/raise", "/any/odd":
            status, _, body = ask(port, "GET", path)
            assert (status, json.loads(body)) == (500, internal)
        assert ask(port, "POST", "/old/raise")[0] == 502
        assert ask(port, "GET", "/_url/Hook/raise")[2] == b"Internal Server Error"
        assert ask(port, "GET", "/items/1", Host="evil.example")[0] == 403
    assert process.returncode == 0
    assert "asked\n" in process.err and "Items failed: " in process.err
    assert "Globals.HttpApi: CorsConfiguration is not applied by start-api\n" in process.err
    assert process.out == ""


def test_only_a_function_url(tmp_path):
    template = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Hook:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: %s
      Handler: app.handler
      CodeUri: src/
      FunctionUrlConfig: {AuthType: NONE}
""" % RUNTIME
    with start_api(project(str(tmp_path / "app"), template)) as (port, lines, process):
        assert lines[0] == "Mounting Hook at http://127.0.0.1:%d/ [function URL]\n" % port
        assert event_of(ask(port, "GET", "/some/where"))["rawPath"] == "/some/where"


def failing(folder, *args):
    r = subprocess.run(
        [LAMINA, "local", "start-api", *args],
        cwd=folder,
        env=environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        timeout=60,
    )
    return r.returncode, r.stderr


def test_refusals(tmp_path):
    code, said = failing(project(str(tmp_path / "a")))
    assert code == 1 and "Greeting" in said  # a parameter without a value: deploy says so
    nothing = "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n"
    nothing += "    Properties: {Runtime: %s, Handler: app.handler, CodeUri: src/}\n" % RUNTIME
    folder = project(str(tmp_path / "b"), nothing)
    code, said = failing(folder)
    assert code == 1 and "no function has an HttpApi or Api event, or a FunctionUrlConfig" in said
    assert failing(folder, "--template", "nowhere.yaml")[0] == 1
    assert not [f for f in os.listdir(folder) if f not in ("src", "template.yaml")]
