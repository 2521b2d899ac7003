"""Answers that come piece by piece: the streaming half of the Runtime API, InvokeWithResponseStream
and its event stream, as an unsuspecting reader of the bytes sees them."""

import base64
import binascii
import hashlib
import http.client
import json
import os
import struct
import time

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cloud import REGION, Cloud, client

# A runtime that streams what the event says. Bytes go out as they are written: one chunk a piece.
BOOTSTRAP = r"""#!/usr/bin/python3
import base64, http.client, json, os, socket, sys, time, urllib.request
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
api = http.client.HTTPConnection(host, int(port))
BASE = "/2018-06-01/runtime/invocation/"

def chunk(s, data):
    s.sendall(b"%x\r\n%s\r\n" % (len(data), data))

def stream(id, event):
    s = socket.create_connection((host, int(port)))
    head = "POST %s%s/response HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" % (BASE, id)
    head += "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
    head += "Content-Type: %s\r\n" % event.get("type", "application/octet-stream")
    head += "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n"
    s.sendall((head + "\r\n").encode())
    for piece in event.get("stream", []):
        chunk(s, piece.encode())
    if "open" in event:
        wait(event["open"])
        chunk(s, b"opened")
    block = bytes(range(256)) * 256
    for i in range(event.get("blocks", 0)):
        try:
            chunk(s, block)
        except OSError:
            break
    end = event.get("end")
    if end == "exit":
        os._exit(3)
    if end == "close":
        return s.close()
    if end == "garbage":
        s.sendall(b"zz\r\n")
    elif end == "hang":
        time.sleep(60)
    elif "error" in event:
        s.sendall(b"0\r\n")
        for name, value in event["error"].items():
            s.sendall(("%s: %s\r\n" % (name, value)).encode())
        s.sendall(b"\r\n")
    else:
        s.sendall(b"0\r\n\r\n")
    answer = b""
    with s, s.makefile("rb") as f:
        while True:
            line = f.readline()
            answer += line
            if line in (b"\r\n", b""):
                break
        answer += f.read(int(dict(l.split(": ", 1) for l in answer.decode().split("\r\n")[1:] if l)
                             .get("Content-Length", 0)))
    print("answered", answer.split(b"\r\n")[0].decode(), flush=True)

def wait(url):
    while True:
        try:
            return urllib.request.urlopen(url, timeout=5).read()
        except urllib.error.HTTPError:
            time.sleep(0.01)

while True:
    api.request("GET", BASE + "next")
    r = api.getresponse()
    id, event = r.headers["Lambda-Runtime-Aws-Request-Id"], json.loads(r.read())
    if "plain" in event:
        api.request("POST", BASE + id + "/response", json.dumps(event["plain"]))
        api.getresponse().read()
    elif "fails" in event:
        api.request("POST", BASE + id + "/error", json.dumps(event["fails"]))
        api.getresponse().read()
    else:
        stream(id, event)
"""


class Stream:
    """One InvokeWithResponseStream: its head, and then its events one by one."""

    def __init__(self, cloud, name, event, qualifier=None, rcvbuf=None, **headers):
        path = "/2021-11-15/functions/%s/response-streaming-invocations" % name
        if qualifier:
            path += "?Qualifier=" + qualifier
        headers = {"X-Amz-" + k.replace("_", "-"): v for k, v in headers.items()}
        request = AWSRequest("POST", cloud.url + path, headers, json.dumps(event).encode())
        SigV4Auth(Credentials("test", "test"), "lambda", REGION).add_auth(request)
        self.connection = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=60)
        self.connection.request("POST", path, request.body, dict(request.headers))
        self.response = self.connection.getresponse()
        self.status, self.headers = self.response.status, self.response.headers

    def close(self):
        self.response.close()
        self.connection.close()

    def next(self):
        """(event type, payload) of the next event; None at the stream's end."""
        prelude = self.response.read(12)
        if not prelude:
            return None
        total, n_headers, crc = struct.unpack("!III", prelude)
        assert binascii.crc32(prelude[:8]) == crc
        rest = self.response.read(total - 12)
        assert len(rest) == total - 12
        assert binascii.crc32(prelude + rest[:-4]) == struct.unpack("!I", rest[-4:])[0]
        headers, payload, at = {}, rest[n_headers:-4], 0
        while at < n_headers:
            n = rest[at]
            name = rest[at + 1 : at + 1 + n].decode()
            kind, size = struct.unpack("!BH", rest[at + 1 + n : at + 4 + n])
            assert kind == 7
            headers[name] = rest[at + 4 + n : at + 4 + n + size].decode()
            at += 4 + n + size
        assert headers[":message-type"] == "event"
        kind = headers[":event-type"]
        assert headers[":content-type"] == {
            "PayloadChunk": "application/octet-stream",
            "InvokeComplete": "application/json",
        }[kind]
        return kind, payload

    def rest(self):
        """The whole payload, and what InvokeComplete says."""
        pieces, complete = [], None
        for kind, data in iter(self.next, None):
            assert complete is None, "something follows InvokeComplete"
            if kind == "PayloadChunk":
                pieces.append(data)
            else:
                complete = json.loads(data)
        return b"".join(pieces), complete


def streaming(cloud, **options):
    options.setdefault("MemorySize", 1769)
    return cloud.function(
        files={"bootstrap*": BOOTSTRAP}, Runtime="provided.al2023", Timeout=20, **options
    )


@pytest.fixture
def function(cloud):
    return streaming(cloud)


def test_pieces_arrive_as_they_are_made(cloud, function, bucket):
    # The second piece is made only when the test, which has the first one, lets it.
    inside = client("http://169.254.100.1:4566", "s3", signature_version="s3v4")
    url = inside.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "gate"})
    s = Stream(cloud, function, {"stream": ["first"], "open": url}, Log_Type="Tail")
    assert s.status == 200
    assert s.headers["Content-Type"] == "application/vnd.amazon.eventstream"
    assert s.headers["X-Amz-Executed-Version"] == "$LATEST"
    assert s.headers["Transfer-Encoding"] == "chunked"
    assert s.next() == ("PayloadChunk", b"first")
    cloud.s3.put_object(Bucket=bucket, Key="gate")
    assert s.next() == ("PayloadChunk", b"opened")
    kind, payload = s.next()
    assert kind == "InvokeComplete"
    complete = json.loads(payload)
    assert list(complete) == ["LogResult"]
    log = base64.b64decode(complete["LogResult"]).decode()
    assert "START RequestId: " + s.headers["x-amzn-RequestId"] in log
    assert "\nREPORT RequestId: " in log
    assert s.next() is None


def test_invoke_collects_a_stream(cloud, function):
    r = cloud.invoke(function, {"stream": ["one,", "two"], "type": "text/plain"})
    assert (r.status, r.error, r.body) == (200, None, b"one,two")
    # With the limit of collected answers, which streams do not have: 97 * 64 KiB.
    r = cloud.invoke(function, {"blocks": 97})
    assert r.error == "Unhandled"
    assert r.payload["errorType"] == "Function.ResponseSizeTooLarge"
    s = Stream(cloud, function, {"blocks": 97})
    payload, complete = s.rest()
    assert (len(payload), complete) == (97 * 65536, {})
    assert payload == bytes(range(256)) * 256 * 97


def trailers(kind, body):
    return {
        "Lambda-Runtime-Function-Error-Type": kind,
        "Lambda-Runtime-Function-Error-Body": base64.b64encode(json.dumps(body).encode()).decode(),
    }


def test_errors_in_the_middle(cloud, function):
    error = {"errorMessage": "out of words", "errorType": "Error", "trace": ["Error: out of words"]}
    event = {"stream": ["half"], "error": trailers("Runtime.StreamError", error)}
    payload, complete = Stream(cloud, function, event).rest()
    assert payload == b"half"
    assert complete["ErrorCode"] == "Unhandled"
    assert json.loads(complete["ErrorDetails"]) == error
    r = cloud.invoke(function, event)
    assert (r.error, r.payload) == ("Unhandled", error)
    # A body that is no base64 of JSON still is an error.
    event = {"stream": ["half"], "error": {"Lambda-Runtime-Function-Error-Type": "Runtime.Odd"}}
    payload, complete = Stream(cloud, function, event).rest()
    assert json.loads(complete["ErrorDetails"])["errorType"] == "Runtime.Odd"


@pytest.mark.parametrize("end", ["exit", "close", "garbage"])
def test_truncated(cloud, function, end):
    payload, complete = Stream(cloud, function, {"stream": ["half"], "end": end}).rest()
    assert (payload, complete["ErrorCode"]) == (b"half", "Unhandled")
    assert json.loads(complete["ErrorDetails"])["errorType"] == "Runtime.TruncatedResponse"
    # The environment, or its successor, goes on.
    assert cloud.invoke(function, {"plain": 7}).payload == 7
    r = cloud.invoke(function, {"stream": ["half"], "end": end})
    assert r.error == "Unhandled"
    assert r.payload["errorType"] == "Runtime.TruncatedResponse"


def test_timeout_in_the_middle(cloud):
    name = streaming(cloud)
    cloud.lambda_.update_function_configuration(FunctionName=name, Timeout=1)
    s = Stream(cloud, name, {"stream": ["half"], "end": "hang"}, Log_Type="Tail")
    payload, complete = s.rest()
    assert (payload, complete["ErrorCode"]) == (b"half", "Unhandled")
    details = json.loads(complete["ErrorDetails"])
    assert details == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "RequestId: %s Error: Task timed out after 1.00 seconds"
        % s.headers["x-amzn-RequestId"],
    }
    assert "Status: timeout" in base64.b64decode(complete["LogResult"]).decode()


def test_functions_that_do_not_stream(cloud, function):
    payload, complete = Stream(cloud, function, {"plain": {"a": 1}}).rest()
    assert (json.loads(payload), complete) == ({"a": 1}, {})
    big = "x" * 300000
    payload, complete = Stream(cloud, function, {"plain": big}).rest()
    assert json.loads(payload) == big
    error = {"errorMessage": "m", "errorType": "T"}
    payload, complete = Stream(cloud, function, {"fails": error}).rest()
    assert payload == b""
    assert complete["ErrorCode"] == "Unhandled" and json.loads(complete["ErrorDetails"]) == error


def test_refused_before_the_stream(cloud, function):
    s = Stream(cloud, "no-such-function", {})
    assert s.status == 404 and s.headers["x-amzn-ErrorType"] == "ResourceNotFoundException"
    assert "no-such-function" in json.loads(s.response.read())["Message"]
    s = Stream(cloud, function, {}, qualifier="9")
    assert s.status == 404
    s.response.read()
    s = Stream(cloud, function, {}, Invocation_Type="Event")
    assert s.status == 400
    s.response.read()
    s = Stream(cloud, function, {}, Invocation_Type="DryRun")
    assert (s.status, s.response.read()) == (204, b"")


def test_a_client_that_leaves(cloud, function):
    s = Stream(cloud, function, {"stream": ["a"], "blocks": 32})
    assert s.next() == ("PayloadChunk", b"a")
    s.close()
    # The function comes to its end all the same, in the same environment.
    events = cloud.log_events(function, until="answered HTTP/1.1 202")
    assert [e for e in events if e.startswith("answered")] == ["answered HTTP/1.1 202 Accepted\n"]
    assert cloud.invoke(function, {"plain": 1}).payload == 1


def memory_kb(pid, key):
    with open("/proc/%d/status" % pid) as f:
        return int([l for l in f if l.startswith(key)][0].split()[1])


def cpu(pid):
    with open("/proc/%d/stat" % pid) as f:
        return f.read().rpartition(")")[2].split()[11:13]


def test_a_slow_reader(cloud):
    """The function is slowed down, not the daemon filled. Time is compressed: 100 MB would take 47
    seconds at 2 MB/s."""
    # A sanitizer keeps what was freed, to find late uses: not here.
    sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"
    own = Cloud(args=["--time-scale", "0.0001"], env={"ASAN_OPTIONS": sanitizer}).start()
    try:
        name = streaming(own)
        pid, blocks = own.process.pid, 1600
        Stream(own, name, {"blocks": 2}).rest()  # what it needs for one is there
        before = memory_kb(pid, "VmRSS")
        s = Stream(own, name, {"blocks": blocks})
        first = s.next()
        last, same = None, 0
        while same < 5:  # until it has come to a rest: everybody's buffers are full
            now = cpu(pid)
            same, last = (same + 1, now) if now == last else (0, now)
            time.sleep(0.02)
        payload, complete = s.rest()
        assert len(first[1]) + len(payload) == blocks * 65536 and complete == {}
        wanted = hashlib.sha256(bytes(range(256)) * 256 * blocks).digest()
        assert hashlib.sha256(first[1] + payload).digest() == wanted
        grown = memory_kb(pid, "VmHWM") - before
        assert grown < 12 * 1024, "%d KB more for a stream of 100 MB" % grown
        # No stream is longer than 200 MB.
        payload, complete = Stream(own, name, {"blocks": 3201}).rest()
        assert len(payload) == 200 * 1024 * 1024
        assert json.loads(complete["ErrorDetails"])["errorType"] == "Function.ResponseSizeTooLarge"
        assert own.invoke(name, {"plain": 1}).payload == 1
    finally:
        own.stop()


def test_rate(cloud):
    """The first 6 MB at once, then 2 MB a second: 7 MB take half a second at least."""
    name = streaming(cloud)
    began = time.monotonic()
    payload, _ = Stream(cloud, name, {"blocks": 96}).rest()
    burst = time.monotonic() - began
    began = time.monotonic()
    payload, _ = Stream(cloud, name, {"blocks": 112}).rest()
    assert len(payload) == 7 * 1024 * 1024
    assert time.monotonic() - began > 0.4
    assert burst < 30


def test_command_line(cloud, function):
    event = json.dumps({"stream": ["one ", "two"]})
    r = cloud.lamina("invoke", function, "--stream", "--payload", event, "--log")
    assert r.stdout == "one two"
    assert "REPORT RequestId: " in r.stderr
    r = cloud.lamina("invoke", function, "--stream", "--payload", event, "--json")
    answer = json.loads(r.stdout)
    assert (answer["payload"], answer["functionError"]) == ("one two", None)
    assert answer["executedVersion"] == "$LATEST" and answer["report"]["durationMs"] > 0
    error = {"errorMessage": "m", "errorType": "T"}
    event = json.dumps({"stream": ["half"], "error": trailers("Runtime.Broken", error)})
    r = cloud.lamina("invoke", function, "--stream", "--payload", event, check=False)
    assert r.returncode == 1 and r.stdout.startswith("half")
    assert "failed (Unhandled" in r.stderr
    r = cloud.lamina("invoke", "no-such-function", "--stream", check=False)
    assert r.returncode == 1 and "ResourceNotFoundException" in r.stderr
    r = cloud.lamina("invoke", function, "--stream", "--async", check=False)
    assert r.returncode == 2
