"""Thousands of requests that nobody should make at the APIs inside an environment: the daemon answers each
with a status of HTTP or closes the connection, keeps running, and others do not notice."""

import pytest

BOOTSTRAP = r"""#!/usr/bin/env python3
import http.client, json, os, random, socket
host, _, port = os.environ["AWS_LAMBDA_RUNTIME_API"].partition(":")

def ask(method, path, body=None, headers={}):
    c = http.client.HTTPConnection(host, int(port), timeout=5)
    c.request(method, path, body, headers)
    r = c.getresponse()
    return r.status, r.headers, r.read()

def send(data, half):
    try:
        with socket.create_connection((host, int(port)), timeout=2) as s:
            s.sendall(data)
            if half:
                s.shutdown(1)
            answer = s.recv(200)
            return answer[:12].decode("latin-1")
    except socket.timeout:
        return "waits"
    except OSError:
        return "closed"

def words(r, own):
    path = r.choice([
        "/2018-06-01/runtime/invocation/%s/response", "/2018-06-01/runtime/invocation/%s/error",
        "/2018-06-01/runtime/init/error", "/2018-06-01/ping", "/2018-06-01/runtime/restore/next",
        "/2018-06-01/runtime/restore/error", "/2020-01-01/extension/register",
        "/2020-01-01/extension/event/next", "/2020-01-01/extension/init/error",
        "/2020-01-01/extension/exit/error", "/2022-07-01/telemetry", "/2020-08-15/logs",
        "/2021-04-23/credentials", "/2018-06-01/runtime", "/", "*", "//", "/2018-06-01/runtime/invocation//",
    ])
    if "%s" in path:
        # never the own one with a whole request: that would be the answer
        path = path % r.choice([own[:-1], own + "x", own.upper() + "0", "%00", "..", "x" * r.choice([1, 300, 9000])])
    names = ["Lambda-Extension-Name", "Lambda-Extension-Identifier", "Lambda-Extension-Accept-Feature",
             "Lambda-Extension-Function-Error-Type", "Lambda-Runtime-Function-Response-Mode",
             "Lambda-Runtime-Function-Error-Type", "Lambda-Runtime-Function-XRay-Error-Cause", "Content-Type",
             "Trailer", "Expect", "Connection", "Content-Length", "Transfer-Encoding", "X-\xff"]
    values = ["x", "", "streaming", "Streaming", "chunked", "gzip, chunked", "100-continue", "close", "keep-alive",
              "0", "-1", "5", "99999999999999999999", own, "Runtime.X", "{}", "e" * 70000, "\t ", "application/json"]
    lines = ["%s %s HTTP/1.1" % (r.choice(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "get", "P\x00"]), path)]
    if r.random() < .9:
        lines.append("Host: a")
    for _ in range(r.randrange(5)):
        lines.append("%s: %s" % (r.choice(names), r.choice(values)))
    body = r.choice([
        "", "{", "[]", "null", '{"events":["INVOKE","SHUTDOWN"]}', '{"events":["X"]}', '{"events":{"a":1}}',
        '{"schemaVersion":"2022-12-13","types":["platform"],"destination":{"protocol":"HTTP","URI":"http://sandbox:1"}}',
        '{"schemaVersion":7,"types":[1],"destination":[]}', '{"buffering":{"maxItems":-1,"maxBytes":1e99}}',
        "5\r\nabcde\r\n0\r\n\r\n", "5\r\nab", "0\r\nLambda-Runtime-Function-Error-Type: x\r\n\r\n",
        "[" * 5000, "\x00\xff" * 100,
    ])
    if r.random() < .7 and not any(l.startswith(("Content-Length", "Transfer-Encoding")) for l in lines):
        lines.append("Content-Length: %d" % len(body.encode("latin-1")))
    data = bytearray(("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1"))
    for _ in range(r.choice([0, 0, 0, 1, 3])):
        data[r.randrange(len(data))] = r.randrange(256)
    return bytes(data)

while True:
    _, headers, event = ask("GET", "/2018-06-01/runtime/invocation/next")
    own = headers["Lambda-Runtime-Aws-Request-Id"]
    r, seen = random.Random(json.loads(event)["seed"]), {}
    for _ in range(json.loads(event)["n"]):
        answer = send(words(r, own), True)
        seen[answer] = seen.get(answer, 0) + 1
    ask("POST", "/2018-06-01/runtime/invocation/%s/response" % own, json.dumps(seen))
"""


@pytest.mark.parametrize("seed", range(3))
def test_nonsense_is_answered(cloud, seed):
    name = cloud.function(
        files={"bootstrap*": BOOTSTRAP}, Runtime="provided.al2023", Handler="x", Timeout=60, MemorySize=1769
    )
    r = cloud.invoke(name, {"seed": seed, "n": 1500})
    assert r.error is None, r.body
    assert sum(r.payload.values()) == 1500
    unexpected = [a for a in r.payload if not a.startswith(("HTTP/1.1 2", "HTTP/1.1 4"))
                  and a not in ("", "closed", "waits", "HTTP/1.1 501", "HTTP/1.1 505", "HTTP/1.1 500")]
    assert unexpected == [], r.payload
    assert r.payload.get("HTTP/1.1 500", 0) == 0, r.payload
    cloud.lambda_.delete_function(FunctionName=name)
    assert cloud.running() and cloud.sts.get_caller_identity()["Account"]
