"""Hostile clients, pages and functions at function URLs and at the daemon's own paths."""

import http.client
import json
import re
import socket
import time

import pytest

from cloud import ENDPOINT
from test_function_url import ECHO, SAYS, ask, public


def raw(cloud, data, until=None):
    """All that comes back for these bytes, until the end of the connection or these bytes."""
    with socket.create_connection(("127.0.0.1", cloud.port), timeout=30) as s:
        s.sendall(data)
        answer = b""
        while until is None or until not in answer:
            part = s.recv(65536)
            if not part:
                break
            answer += part
    return answer


def get(cloud, host, path, **headers):
    """The answer's head, and its body."""
    lines = ["GET %s HTTP/1.1" % path, "Host: %s" % host, "Connection: close"]
    lines += ["%s: %s" % (k.replace("_", "-"), v) for k, v in headers.items()]
    answer = raw(cloud, "\r\n".join(lines + ["", ""]).encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode().lower(), body


def host_of(url):
    return re.match("http://([^/]*)/$", url).group(1)


@pytest.fixture(scope="module")
def _urls():
    return {}


def _kept(cloud, urls, source):
    """The daemon may be another one than the test before had."""
    if (cloud.url, source) not in urls:
        urls[cloud.url, source] = public(cloud, source)[1]
    return urls[cloud.url, source]


@pytest.fixture
def echo(cloud, _urls):
    return _kept(cloud, _urls, ECHO)


@pytest.fixture
def says(cloud, _urls):
    return _kept(cloud, _urls, SAYS)


# ---- clients ------------------------------------------------------------------------------------------


def peak(cloud):
    """The most memory the daemon ever had, in MB."""
    with open("/proc/%d/status" % cloud.process.pid) as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1)) >> 10


@pytest.mark.skipif(bool(ENDPOINT), reason="looks at our own daemon")
def test_a_query_costs_what_it_is_long(cloud, echo):
    """Values of one name are joined, names are looked up: neither a million of one nor a hundred
    thousand of several may take more than a request of that size."""
    before = peak(cloud)
    same = get(cloud, host_of(echo), "/?" + "a&" * 400000)
    assert same[0] == 200
    assert json.loads(same[2])["queryStringParameters"] == {"a": "," * 399999}
    several = get(cloud, host_of(echo), "/?" + "&".join("%x" % i for i in range(100000)))
    assert several[0] == 200
    assert len(json.loads(several[2])["queryStringParameters"]) == 100000
    lines = "".join("Same: %s\r\n" % ("v" * 900) for _ in range(900))
    request = "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n" % (host_of(echo), lines)
    answer = raw(cloud, request.encode())
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert len(json.loads(answer.partition(b"\r\n\r\n")[2])["headers"]["same"]) == 901 * 900 - 1
    assert peak(cloud) - before < 1000  # sanitizers keep what is freed for a while


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n3;" + b"x" * 70000 + b"\r\nabc\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"x" * 70000 + b"\r\n\r\n",
    ],
    ids=["length-and-chunks", "twice", "unknown", "size", "hex", "extension", "too-long", "trailer"],
)
def test_a_body_has_one_reading(cloud, echo, framing):
    """Refused, and what follows is no second request."""
    second = b"GET /second HTTP/1.1\r\nHost: %s\r\n\r\n" % host_of(echo).encode()
    request = b"POST / HTTP/1.1\r\nHost: %s\r\n" % host_of(echo).encode() + framing + second
    answer = raw(cloud, request)
    assert answer.split()[1] in (b"400", b"501")
    assert answer.count(b"HTTP/1.1 ") == 1 and b"/second" not in answer


def test_trailers_do_not_become_headers(cloud, echo):
    answer = raw(
        cloud,
        b"POST / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"1\r\nx\r\n0\r\nCookie: a=1\r\nAuthorization: x\r\nX-Other: 1\r\n\r\n"
        % host_of(echo).encode(),
    )
    event = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert set(event["headers"]) & {"cookie", "authorization", "x-other"} == set()
    assert "cookies" not in event


# ---- pages --------------------------------------------------------------------------------------------

ASIDE = ["/_lamina/health", "/_lamina/lambda/inspect?region=us-east-1", "/2015-03-31/functions/", "/"]


def test_pages_of_functions_are_strangers(cloud, echo):
    """A public URL answers to any page; the cloud itself to none that a function may have made."""
    host, own = host_of(echo), "localhost:%d" % cloud.port
    for origin in ("http://" + host, "http://x.lambda-url.eu-west-1.localhost", "null",
                   "http://evil.example"):
        assert get(cloud, host, "/", Origin=origin)[0] == 200
        for path in ASIDE:
            status, head, body = get(cloud, own, path, Origin=origin)
            assert (status, b"web page" in body) == (403, True), (origin, path)
            assert "access-control-allow-origin" not in head
    # A developer's own page, at whatever port of this machine.
    assert get(cloud, own, "/_lamina/health", Origin="http://localhost:3000")[0] == 200


def test_pages_at_the_clouds_own_host_have_no_origin(cloud, says):
    host, own = host_of(says), "127.0.0.1:%d" % cloud.port
    page = {"headers": {"Content-Type": "text/html", "Content-Security-Policy": "default-src *"},
            "statusCode": 200, "body": "<script>"}
    body = json.dumps({"result": page})

    def post(host, path):
        r = raw(cloud, ("POST %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Type: text/plain"
                        "\r\nContent-Length: %d\r\n\r\n%s" % (path, host, len(body), body)).encode())
        return [l for l in r.decode().split("\r\n") if l.startswith("Content-Security-Policy")]

    aside = post(own, "/_lamina/url/%s/" % host.partition(".")[0])
    assert len(aside) == 2 and aside[1].split()[1] == "sandbox"
    assert "allow-same-origin" not in aside[1]
    assert post(host, "/") == ["Content-Security-Policy: default-src *"]


def test_hosts_do_not_lead_to_the_clouds_own_paths(cloud, echo):
    """The host of a URL makes every path the function's; another machine's host makes none."""
    for path in ASIDE:
        status, _, body = get(cloud, host_of(echo), path)
        assert (status, json.loads(body)["rawPath"]) == (200, path.partition("?")[0])
    id = host_of(echo).partition(".")[0]
    for host in ("evil.example", "%s.lambda-url.us-east-1.evil.example" % id,
                 "%s.lambda-url.us-east-1.localhost.evil.example" % id,
                 "%s.lambda-url.us-east-1.on.aws" % id):
        assert get(cloud, host, "/_lamina/url/%s/" % id)[0] == 403
        assert get(cloud, host, "/")[0] == 403


# ---- functions ----------------------------------------------------------------------------------------


def test_headers_of_a_function_frame_nothing(cloud, says):
    headers = {
        "A": "1\r\nB: 2\r\n\r\nHTTP/1.1 200 OK", "C\r\nD": "1", "E\0F": "1", "G H": "1", "": "1",
        "Content-Length": "1000", "content-length": "0", "Transfer-Encoding": "chunked",
        "Connection": "upgrade", "Upgrade": "h2c", "Trailer": "X", "TE": "x", "Keep-Alive": "max=0",
    }
    result = {"statusCode": 200, "headers": headers, "cookies": ["a=1\r\nSet-Cookie: b=2"],
              "body": "body"}
    c = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=30)
    for _ in range(2):  # the connection is sound afterwards
        c.request("POST", "/", json.dumps({"result": result}), {"Host": host_of(says),
                                                                "Content-Type": "text/plain"})
        r = c.getresponse()
        assert (r.status, r.read()) == (200, b"body")
        names = [n.lower() for n in r.headers.keys()]
        assert set(names) <= {"a", "set-cookie", "content-type", "content-length", "date",
                              "x-amzn-requestid", "x-amzn-trace-id"}
        assert len(names) == len(set(names))
        assert r.headers["A"] == "1  B: 2    HTTP/1.1 200 OK"
    c.close()


@pytest.mark.parametrize("status", [99, 100, 101, 103, 199, 600, 999, -200, 2**32 + 200, 1e99, "2 00"])
def test_what_is_no_status(cloud, says, status):
    r = ask(cloud, says, "POST", "/", json.dumps({"result": {"statusCode": status}}))
    assert (r.status, r.body) == (502, b"Internal Server Error")


def test_many_headers_of_a_function(cloud, says):
    headers = {"h%d" % i: "v" for i in range(50000)}
    request = json.dumps({"result": {"statusCode": 200, "headers": headers}}).encode()
    began = time.monotonic()
    answer = raw(cloud, b"POST / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Type: text/plain\r\n"
                 b"Content-Length: %d\r\n\r\n" % (host_of(says).encode(), len(request)) + request)
    assert answer.count(b": v\r\n") == 50000
    assert time.monotonic() - began < 20


INSIDE = """
import socket, os
def handler(event, context):
    with socket.create_connection(("169.254.100.1", 4566), timeout=5) as s:
        s.sendall(event.encode())
        data = b""
        while True:
            part = s.recv(65536)
            data += part
            if not part:
                return data.decode()
"""


@pytest.mark.skipif(bool(ENDPOINT), reason="needs LAMINA_TIMES")
def test_what_functions_see_of_the_daemon(new_cloud, tmp_path):
    cloud = new_cloud(data=tmp_path / "data", env={"LAMINA_TIMES": "1"})
    name = cloud.function(INSIDE)

    def inside(path, **headers):
        more = "".join("%s: %s\r\n" % h for h in headers.items())
        return cloud.invoke(name, "GET %s HTTP/1.1\r\nHost: 169.254.100.1:4566\r\nConnection: close\r\n"
                            "%s\r\n" % (path, more)).payload

    for path in ("times", "inspect", "figures", "x/y"):
        assert inside("/_lamina/lambda/" + path).split()[1] == "403", path
    assert get(cloud, "localhost", "/_lamina/lambda/times")[0] == 200
    health = inside("/_lamina/health")
    assert '"status":"ready"' in health
    assert str(tmp_path) not in health and '"pid"' not in health
    assert "web page" in inside("/", Origin="http://evil.example")
