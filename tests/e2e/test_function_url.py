"""Function URLs: their configurations, who may use them, events, answers, CORS, streams."""

import base64
import http.client
import json
import re
import shutil
import subprocess

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cloud import ACCOUNT, ID, REGION, RUNTIME, SOON, error_of, unique

ECHO = "def handler(event, context):\n    return event\n"
# Returns what the request's body says.
SAYS = """
import base64, json
def handler(event, context):
    body = event["body"]
    if event["isBase64Encoded"]:
        body = base64.b64decode(body)
    return json.loads(body)["result"]
"""
FORBIDDEN = (
    b'{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: '
    b'https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}'
)


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def json(self):
        return json.loads(self.body)


def ask(cloud, url, method="GET", path="/", body=None, sign=None, **headers):
    """A request to a function URL, whatever this machine's resolver thinks of its name."""
    host = re.match(r"http://([^/]*)/$", url).group(1)
    headers = {k.replace("_", "-"): v for k, v in headers.items()}
    if sign:
        request = AWSRequest(method, url[:-1] + path, dict(headers), body)
        SigV4Auth(Credentials(*sign), "lambda", REGION).add_auth(request)
        headers = dict(request.headers)
    c = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=30)
    c.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    c.putheader("Host", host)
    if body is not None:
        body = body.encode() if isinstance(body, str) else body
        c.putheader("Content-Length", str(len(body)))
    for name, value in headers.items():
        for one in value if isinstance(value, list) else [value]:
            c.putheader(name, one)
    c.endheaders(body)
    return Answer(c.getresponse())


def api(cloud, method, path, body):
    """A signed request of the API itself, for what Debian's botocore does not know yet."""
    headers = {"Content-Type": "application/json"}
    request = AWSRequest(method, cloud.url + path, headers, json.dumps(body).encode())
    SigV4Auth(Credentials("test", "test"), "lambda", REGION).add_auth(request)
    c = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=30)
    c.request(method, path, request.body, dict(request.headers))
    return Answer(c.getresponse())


def open_to_all(cloud, name, **qualifier):
    """The two permissions that the console gives a public URL."""
    cloud.lambda_.add_permission(
        FunctionName=name,
        StatementId="url",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
        **qualifier,
    )
    query = "?Qualifier=" + qualifier["Qualifier"] if qualifier else ""
    statement = {
        "StatementId": "invoke",
        "Action": "lambda:InvokeFunction",
        "Principal": "*",
        "InvokedViaFunctionUrl": True,
    }
    path = "/2015-03-31/functions/%s/policy%s" % (name, query)
    assert api(cloud, "POST", path, statement).status == 201


def public(cloud, source, **options):
    name = cloud.function(source)
    url = cloud.lambda_.create_function_url_config(FunctionName=name, AuthType="NONE", **options)
    open_to_all(cloud, name)
    return name, url["FunctionUrl"]


def test_configurations(cloud):
    name = cloud.function(ECHO)
    L = cloud.lambda_
    arn = "arn:aws:lambda:%s:%s:function:%s" % (REGION, ACCOUNT, name)
    missing = error_of(L.get_function_url_config, FunctionName=name)
    assert missing[:2] == (404, "ResourceNotFoundException")
    made = L.create_function_url_config(FunctionName=name, AuthType="AWS_IAM")
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert re.match(
        r"http://[a-z2-7]{32}\.lambda-url\.us-east-1\.localhost:%d/$" % cloud.port,
        made["FunctionUrl"],
    )
    assert (made["FunctionArn"], made["AuthType"]) == (arn, "AWS_IAM")
    conflict = error_of(L.create_function_url_config, FunctionName=name, AuthType="NONE")
    assert conflict[:2] == (409, "ResourceConflictException")
    assert arn in conflict[2]

    got = L.get_function_url_config(FunctionName=name)
    assert got["FunctionUrl"] == made["FunctionUrl"]
    assert got["CreationTime"] == got["LastModifiedTime"] == made["CreationTime"]
    cors = {"AllowOrigins": ["https://example.com"], "AllowMethods": ["GET"], "MaxAge": 5}
    new = L.update_function_url_config(FunctionName=name, AuthType="NONE", Cors=cors)
    assert (new["AuthType"], new["Cors"]) == ("NONE", cors)
    assert new["FunctionUrl"] == made["FunctionUrl"]
    assert L.get_function_url_config(FunctionName=name)["Cors"] == cors

    # An alias has one of its own, a version none.
    version = L.publish_version(FunctionName=name)["Version"]
    L.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    other = L.create_function_url_config(FunctionName=name, Qualifier="live", AuthType="NONE")
    assert other["FunctionUrl"] != made["FunctionUrl"]
    assert other["FunctionArn"] == arn + ":live"
    for qualifier in "1", "$LATEST":
        bad = error_of(
            L.create_function_url_config, FunctionName=name, Qualifier=qualifier, AuthType="NONE"
        )
        assert bad[0] == 400
    gone = error_of(
        L.create_function_url_config, FunctionName=name, Qualifier="none", AuthType="NONE"
    )
    assert gone[:2] == (404, "ResourceNotFoundException")
    listed = L.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]
    assert [c["FunctionUrl"] for c in listed] == [made["FunctionUrl"], other["FunctionUrl"]]
    page = L.list_function_url_configs(FunctionName=name, MaxItems=1)
    assert len(page["FunctionUrlConfigs"]) == 1
    rest = L.list_function_url_configs(FunctionName=name, Marker=page["NextMarker"])
    assert [c["FunctionUrl"] for c in rest["FunctionUrlConfigs"]] == [other["FunctionUrl"]]

    done = L.delete_function_url_config(FunctionName=name)
    assert done["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert error_of(L.delete_function_url_config, FunctionName=name)[0] == 404
    L.delete_function(FunctionName=name)
    assert error_of(L.list_function_url_configs, FunctionName=name)[0] == 404
    assert ask(cloud, other["FunctionUrl"]).status == 403


def test_event(cloud):
    name, url = public(cloud, ECHO)
    r = ask(
        cloud,
        url,
        "POST",
        "/a%20b/c?x=1&y=%26&x=2&z",
        '{"k": "ü"}',
        Content_Type="application/json",
        X_Mixed="One",
        X_Twice=["1", "2"],
        Cookie="a=1; b=2",
        User_Agent="probe/1",
        X_Forwarded_For="6.6.6.6",
        X_Amzn_Trace_Id="Root=1-5759e988-bd862e3fe1be46a994272793",
    )
    assert r.status == 200 and r.headers["Content-Type"] == "application/json"
    e = r.json
    context = e["requestContext"]
    assert re.match(ID + "$", context["requestId"])
    assert r.headers["x-amzn-RequestId"] == context["requestId"]
    assert re.match(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000$", context["time"])
    domain = url[7:].split(":")[0]
    assert e == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/a%20b/c",
        "rawQueryString": "x=1&y=%26&x=2&z",
        "cookies": ["a=1", "b=2"],
        "headers": {
            "host": "%s:%d" % (domain, cloud.port),
            "content-length": "11",
            "content-type": "application/json",
            "x-mixed": "One",
            "x-twice": "1,2",
            "cookie": "a=1; b=2",
            "user-agent": "probe/1",
            "x-amzn-trace-id": "Root=1-5759e988-bd862e3fe1be46a994272793",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-proto": "http",
            "x-forwarded-port": str(cloud.port),
        },
        "queryStringParameters": {"x": "1,2", "y": "&", "z": ""},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": domain.split(".")[0],
            "domainName": domain,
            "domainPrefix": domain.split(".")[0],
            "http": {
                "method": "POST",
                "path": "/a%20b/c",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "probe/1",
            },
            "requestId": context["requestId"],
            "routeKey": "$default",
            "stage": "$default",
            "time": context["time"],
            "timeEpoch": context["timeEpoch"],
        },
        "body": '{"k": "ü"}',
        "isBase64Encoded": False,
    }
    e = ask(cloud, url).json
    assert (e["rawQueryString"], e["isBase64Encoded"]) == ("", False)
    assert not {"body", "cookies", "queryStringParameters"} & set(e)
    for kind in "application/octet-stream", "multipart/form-data; boundary=x":
        e = ask(cloud, url, "PUT", "/", b"\0\xff", Content_Type=kind).json
        assert (e["body"], e["isBase64Encoded"]) == ("AP8=", True)
    e = ask(cloud, url, "POST", "/", "a=b", Content_Type="text/plain").json
    assert (e["body"], e["isBase64Encoded"]) == ("a=b", False)


@pytest.mark.parametrize(
    "result, status, kind, body",
    [
        ({"a": 1}, 200, "application/json", b'{"a": 1}'),
        ("plain text", 200, "application/json", b"plain text"),
        ([1, "x"], 200, "application/json", b'[1, "x"]'),
        (7, 200, "application/json", b"7"),
        (True, 200, "application/json", b"true"),
        (None, 200, "application/json", b"null"),
        ({"statusCode": 404}, 404, "application/json", b""),
        ({"statusCode": "201", "body": "made"}, 201, "application/json", b"made"),
        (
            {"statusCode": 200, "headers": {"Content-Type": "text/html"}, "body": "<p>"},
            200,
            "text/html",
            b"<p>",
        ),
        (
            {"statusCode": 200, "body": base64.b64encode(b"\0\1").decode(), "isBase64Encoded": True},
            200,
            "application/json",
            b"\0\1",
        ),
        ({"statusCode": "many"}, 502, "application/json", b"Internal Server Error"),
        ({"statusCode": 99}, 502, "application/json", b"Internal Server Error"),
    ],
)
def test_results(cloud, says, result, status, kind, body):
    r = ask(cloud, says, "POST", "/", json.dumps({"result": result}))
    assert (r.status, r.headers["Content-Type"], r.body) == (status, kind, body)
    assert re.match(ID + "$", r.headers["x-amzn-RequestId"])


@pytest.fixture(scope="module")
def _says():
    return {}


@pytest.fixture
def says(cloud, _says):
    if cloud.url not in _says:
        _says[cloud.url] = public(cloud, SAYS)[1]
    return _says[cloud.url]


def test_headers_and_errors(cloud, says):
    r = ask(
        cloud,
        says,
        "POST",
        "/",
        json.dumps(
            {
                "result": {
                    "statusCode": 302,
                    "headers": {"Location": "/there", "X-N": 5, "Connection": "x", "Bad\r\nX": "1"},
                    "cookies": ["a=1; Secure", "b=2"],
                }
            }
        ),
    )
    assert (r.status, r.headers["Location"], r.headers["X-N"]) == (302, "/there", "5")
    assert r.headers.get_all("Set-Cookie") == ["a=1; Secure", "b=2"]
    assert r.headers["Connection"] is None and r.headers["Bad"] is None
    r = ask(cloud, says, "POST", "/", "no json")  # raises
    assert (r.status, r.body) == (502, b"Internal Server Error")
    r = ask(cloud, says, "POST", "/", b"x" * 6291457)
    assert r.status == 413


def test_permission(cloud):
    name = cloud.function(ECHO)
    L = cloud.lambda_
    url = L.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    r = ask(cloud, url)
    assert (r.status, r.body) == (403, FORBIDDEN)
    assert r.headers["x-amzn-ErrorType"] == "AccessDeniedException"
    # Since October 2025 both permissions are needed; each for its kind of URL only.
    L.add_permission(
        FunctionName=name, StatementId="iam", Action="lambda:InvokeFunctionUrl", Principal="*",
        FunctionUrlAuthType="AWS_IAM",
    )
    assert ask(cloud, url).status == 403
    open_to_all(cloud, name)
    assert ask(cloud, url).status == 200
    # The second one is for this way only.
    assert L.remove_permission(FunctionName=name, StatementId="invoke")
    assert ask(cloud, url).body == FORBIDDEN
    r = ask(cloud, re.sub("//.{32}", "//" + "a" * 32, url))
    assert (r.status, r.body) == (403, b'{"Message":null}')


def test_iam(cloud):
    name = cloud.function(ECHO)
    L = cloud.lambda_
    url = L.create_function_url_config(FunctionName=name, AuthType="AWS_IAM")["FunctionUrl"]
    assert ask(cloud, url).body == FORBIDDEN
    r = ask(cloud, url, sign=("test", "test"), path="/x?b=2&a=1")
    context = r.json["requestContext"]
    assert context["accountId"] == ACCOUNT
    assert context["authorizer"]["iam"] == {
        "accessKey": "test",
        "accountId": ACCOUNT,
        "callerId": ACCOUNT,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": "arn:aws:iam::%s:root" % ACCOUNT,
        "userId": ACCOUNT,
    }
    r = ask(cloud, url, sign=("test", "wrong"))
    assert r.status == 403 and b"signature" in r.body
    # A role needs both actions; another account the function's policy as well.
    arn = "arn:aws:lambda:%s:%s:function:%s" % (REGION, ACCOUNT, name)
    one = {"Effect": "Allow", "Action": "lambda:InvokeFunctionUrl", "Resource": arn}
    both = dict(one, Action=["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"])
    trust = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
            ],
        }
    )
    for statement, status in (one, 403), (both, 200):
        role = cloud.role([statement], trust)
        keys = cloud.sts.assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
        sign = keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]
        assert ask(cloud, url, sign=sign).status == status
    stranger = ("123456789012", "test")
    assert ask(cloud, url, sign=stranger).body == FORBIDDEN
    for action in "lambda:InvokeFunctionUrl", "lambda:InvokeFunction":
        L.add_permission(
            FunctionName=name, StatementId=action[7:], Action=action, Principal=stranger[0]
        )
    assert ask(cloud, url, sign=stranger).json["requestContext"]["accountId"] == stranger[0]


def test_alias(cloud):
    name = cloud.function(ECHO)
    L = cloud.lambda_
    version = L.publish_version(FunctionName=name)["Version"]
    L.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    url = L.create_function_url_config(FunctionName=name, Qualifier="live", AuthType="NONE")
    url = url["FunctionUrl"]
    open_to_all(cloud, name, Qualifier="live")
    assert ask(cloud, url).status == 200
    L.delete_alias(FunctionName=name, Name="live")
    assert ask(cloud, url).status == 403


def test_cors(cloud):
    cors = {
        "AllowOrigins": ["https://example.com", "http://*.example.org"],
        "AllowMethods": ["GET", "PUT"],
        "AllowHeaders": ["x-one", "x-two"],
        "ExposeHeaders": ["x-three"],
        "AllowCredentials": True,
        "MaxAge": 300,
    }
    source = (
        "def handler(e, c):\n    return {'statusCode': 200, 'body': e['rawPath'],"
        " 'headers': {'Access-Control-Allow-Origin': 'https://own.example'}}\n"
    )
    name, url = public(cloud, source, Cors=cors)

    def leave(r):
        return {k.lower(): v for k, v in r.headers.items() if k.lower().startswith("access-") or k == "Vary"}

    r = ask(cloud, url, "OPTIONS", Origin="https://example.com", Access_Control_Request_Method="PUT")
    assert (r.status, r.body) == (200, b"")
    assert leave(r) == {
        "access-control-allow-origin": "https://example.com",
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET,PUT",
        "access-control-allow-headers": "x-one,x-two",
        "access-control-max-age": "300",
        "vary": "Origin",
    }
    for origin, method in ("https://evil.example", "PUT"), ("https://example.com", "DELETE"):
        r = ask(cloud, url, "OPTIONS", Origin=origin, Access_Control_Request_Method=method)
        assert (r.status, leave(r)) == (200, {})
    r = ask(cloud, url, path="/p", Origin="http://sub.example.org")
    assert r.body == b"/p"
    assert leave(r) == {
        "access-control-allow-origin": "http://sub.example.org",
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "x-three",
        "vary": "Origin",
    }
    assert leave(ask(cloud, url, Origin="https://evil.example")) == {}
    # Without rules the function's own headers stand, and preflights are its business.
    changed = cloud.lambda_.update_function_url_config(FunctionName=name, Cors={})
    assert "Cors" not in changed
    assert leave(ask(cloud, url)) == {"access-control-allow-origin": "https://own.example"}
    r = ask(cloud, url, "OPTIONS", Origin="https://x.example", Access_Control_Request_Method="PUT")
    assert r.body == b"/" and leave(r) == {"access-control-allow-origin": "https://own.example"}


# Streams what the request's path names, one chunk a piece.
STREAMS = r"""#!/usr/bin/python3
import http.client, json, os, socket, time
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
api = http.client.HTTPConnection(host, int(port))
BASE = "/2018-06-01/runtime/invocation/"
PRELUDE = b'{"statusCode":203,"headers":{"X-A":"b","Content-Type":"text/x"},"cookies":["c=d"]}'
NULS = bytes(8)
KINDS = {
    "/raw": ("text/plain", [b"one ", b"two"]),
    "/head": ("P", [PRELUDE + NULS + b"one ", b"two"]),
    "/cut": ("P", [PRELUDE[:9], PRELUDE[9:] + NULS[:3], NULS[3:], b"one ", b"two"]),
    "/bad": ("P", [b"{]", NULS, b"x"]),
    "/none": ("P", [PRELUDE]),
    "/break": ("P", [PRELUDE + NULS + b"one "]),
}
while True:
    api.request("GET", BASE + "next")
    r = api.getresponse()
    id, event = r.headers["Lambda-Runtime-Aws-Request-Id"], json.loads(r.read())
    path = event["rawPath"]
    if path not in KINDS:
        api.request("POST", BASE + id + "/response", json.dumps({"statusCode": 299}))
        api.getresponse().read()
        continue
    kind, pieces = KINDS[path]
    kind = kind.replace("P", "application/vnd.awslambda.http-integration-response")
    s = socket.create_connection((host, int(port)))
    s.sendall(("POST %s%s/response HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
               "Lambda-Runtime-Function-Response-Mode: streaming\r\nContent-Type: %s\r\n\r\n"
               % (BASE, id, kind)).encode())
    for piece in pieces:
        s.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        time.sleep(0.005)  # pieces of their own, mostly
    if path == "/break":
        os._exit(1)
    s.sendall(b"0\r\n\r\n")
    s.recv(1000)
    s.close()
"""


def test_streams(cloud):
    name = cloud.function(files={"bootstrap*": STREAMS}, Runtime="provided.al2023")
    path = "/2021-10-31/functions/%s/url" % name
    r = api(cloud, "POST", path, {"AuthType": "NONE", "InvokeMode": "RESPONSE_STREAM"})
    assert (r.status, r.json["InvokeMode"]) == (201, "RESPONSE_STREAM")
    url = r.json["FunctionUrl"]
    open_to_all(cloud, name)
    r = ask(cloud, url, path="/raw")
    assert (r.status, r.headers["Content-Type"], r.body) == (200, "text/plain", b"one two")
    assert r.headers["Transfer-Encoding"] == "chunked" and r.headers["x-amzn-RequestId"]
    for path in "/head", "/cut":
        r = ask(cloud, url, path=path)
        assert (r.status, r.body) == (203, b"one two")
        assert (r.headers["X-A"], r.headers["Content-Type"]) == ("b", "text/x")
        assert r.headers.get_all("Set-Cookie") == ["c=d"]
    for path in "/bad", "/none":
        r = ask(cloud, url, path=path)
        assert (r.status, r.body) == (502, b"Internal Server Error")
    with pytest.raises((http.client.IncompleteRead, http.client.RemoteDisconnected)):
        ask(cloud, url, path="/break")  # how much has left by then depends on who was faster
    r = ask(cloud, url, path="/plain")
    assert (r.status, r.json) == (200, {"statusCode": 299})
    # BUFFERED collects, and a streamed head is no result.
    r = api(cloud, "PUT", "/2021-10-31/functions/%s/url" % name, {"InvokeMode": "BUFFERED"})
    assert (r.status, r.json["InvokeMode"]) == (200, "BUFFERED")
    assert ask(cloud, url, path="/head").status == 502
    assert ask(cloud, url, path="/plain").status == 299


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl here")
def test_copied_into_curl(cloud):
    name, url = public(cloud, ECHO)

    def curl(*args):
        return subprocess.run(
            ["curl", "-sS", "--noproxy", "*", *args], check=True, stdout=subprocess.PIPE, timeout=30
        ).stdout

    assert json.loads(curl(url + "some/path?q=1"))["rawPath"] == "/some/path"
    # For clients that cannot resolve *.localhost.
    aside = "%s/_lamina/url/%s" % (cloud.url, url[7:39])
    assert json.loads(curl(aside + "/some/path?q=1"))["rawPath"] == "/some/path"
    assert json.loads(curl(aside))["rawPath"] == "/"
    signed = cloud.lambda_.update_function_url_config(FunctionName=name, AuthType="AWS_IAM")
    assert signed["AuthType"] == "AWS_IAM"
    who = ["--user", "test:test", "--aws-sigv4", "aws:amz:us-east-1:lambda"]
    assert json.loads(curl(*who, url + "x"))["requestContext"]["accountId"] == ACCOUNT


def test_unknown_mode(cloud):
    name = cloud.function(ECHO)
    path = "/2021-10-31/functions/%s/url" % name
    r = api(cloud, "POST", path, {"AuthType": "NONE", "InvokeMode": "UNKNOWN"})
    assert (r.status, r.headers["x-amzn-ErrorType"]) == (400, "ValidationException")
    assert r.json["message"] == (
        "1 validation error detected: Value 'UNKNOWN' at 'invokeMode' failed to satisfy "
        "constraint: Member must satisfy enum value set: [RESPONSE_STREAM, BUFFERED]"
    )


def test_stack(cloud):
    """AWS::Lambda::Url and its permissions: made, changed in place, removed."""
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": RUNTIME,
            "Handler": "index.handler",
            "Role": cloud.lambda_role(),
            "Code": {"ZipFile": "def handler(e, c):\n    return e['rawPath']\n"},
        },
    }
    url = {"Type": "AWS::Lambda::Url", "Properties": {"TargetFunctionArn": {"Ref": "F"}}}
    permission = {"Principal": "*", "FunctionName": {"Ref": "F"}}
    template = {
        "Resources": {
            "F": function,
            "U": url,
            "P": {
                "Type": "AWS::Lambda::Permission",
                "Properties": dict(
                    permission, Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE"
                ),
            },
            "Q": {
                "Type": "AWS::Lambda::Permission",
                "Properties": dict(
                    permission, Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True
                ),
            },
        },
        "Outputs": {
            "Url": {"Value": {"Fn::GetAtt": ["U", "FunctionUrl"]}},
            "Arn": {"Value": {"Fn::GetAtt": ["U", "FunctionArn"]}},
            "Ref": {"Value": {"Ref": "U"}},
        },
    }
    name = unique("stack")
    url["Properties"].update(AuthType="NONE", Cors={"AllowOrigins": ["https://a.example"]})
    cloud.cfn.create_stack(StackName=name, TemplateBody=json.dumps(template))
    cloud.cfn.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=SOON)

    def outputs():
        stack = cloud.cfn.describe_stacks(StackName=name)["Stacks"][0]
        return {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}

    made = outputs()
    assert made["Ref"] == made["Arn"]
    r = ask(cloud, made["Url"], path="/x", Origin="https://a.example")
    assert (r.body, r.headers["Access-Control-Allow-Origin"]) == (b"/x", "https://a.example")

    del url["Properties"]["Cors"]
    url["Properties"]["InvokeMode"] = "RESPONSE_STREAM"
    cloud.cfn.update_stack(StackName=name, TemplateBody=json.dumps(template))
    cloud.cfn.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=SOON)
    assert outputs() == made
    r = ask(cloud, made["Url"], path="/x", Origin="https://a.example")
    assert r.body == b'"/x"' and "Access-Control-Allow-Origin" not in r.headers

    function_name = made["Arn"].split(":")[6]
    cloud.cfn.delete_stack(StackName=name)
    cloud.cfn.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=SOON)
    assert error_of(cloud.lambda_.get_function, FunctionName=function_name)[0] == 404
    assert ask(cloud, made["Url"]).body == b'{"Message":null}'
