"""A runtime that has its answers wait for the next one (Lamina-Pipelined), and means no good."""

from cloud import unique

RUNTIME = r'''#!/usr/bin/python3 -u
import os, socket

host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
waits = "Lamina-Pipelined: 1\r\n"
rest = {}


def connect():
    return socket.create_connection((host, int(port)), timeout=10)


def request(method, path, body=b"", headers=waits):
    head = f"{method} /2018-06-01/runtime/{path} HTTP/1.1\r\nHost: x\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def read(s):
    b = rest.pop(s, b"")
    while b"\r\n\r\n" not in b:
        b += s.recv(65536)
    head, b = b.split(b"\r\n\r\n", 1)
    lines = [line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:]]
    headers = {line[0]: line[1] for line in lines if len(line) == 2}
    n = int(headers.get(b"content-length", 0))
    while len(b) < n:
        b += s.recv(65536)
    rest[s] = b[n:]
    return int(head.split()[1]), headers, b[:n]


def status(s):
    return read(s)[0]


NEXT = request("GET", "invocation/next")
s = connect()
s.sendall(NEXT)
while True:
    _, headers, event = read(s)
    id = headers[b"lambda-runtime-aws-request-id"].decode()
    what = event.decode().strip('"')
    path = f"invocation/{id}/response"
    good = request("POST", path, b'"answer to ' + what.encode() + b'"')
    if what == "many":
        s.sendall(good + good + request("POST", "invocation/other/response", b"x") + request("GET", "x") + NEXT)
        print("many", [status(s) for _ in range(4)])
    elif what == "pieces":
        for i in range(0, len(good + NEXT), 7):
            s.sendall((good + NEXT)[i:i + 7])
        print("pieces", status(s))
    elif what == "expect":
        error = request("POST", "invocation/other/error", b"{}", waits + "Expect: 100-continue\r\n")
        s.sendall(good + error[:-2])
        print("expect", status(s), status(s))
        s.sendall(b"{}" + NEXT)
        print("expected", status(s))
    elif what in ("close", "garbage", "gone"):
        if what == "close":
            good = good.replace(b"Host", b"Connection: close\r\nHost")
        s.sendall(good + (b"GARBAGE \0\r\n\r\n" if what == "garbage" else b""))
        if what != "gone":
            print(what, [status(s) for _ in range(2 if what == "garbage" else 1)])
        s.close()
        s = connect()
        s.sendall(NEXT)
    else:
        s.sendall(good + NEXT)
        print(what, status(s))
'''


def test_answers_that_wait_are_not_mixed_up(cloud):
    name = cloud.function(
        files={"bootstrap*": RUNTIME}, name=unique("pipelined"), Runtime="provided.al2023", Handler="x"
    )
    order = ["one", "many", "pieces", "expect", "two", "close", "garbage", "gone", "many", "three"]
    for what in order:
        assert cloud.invoke(name, what).payload == "answer to " + what
    said = [line.strip() for line in cloud.log_events(name, until="three 202")]
    for line in (
        "one 202", "many [202, 403, 400, 404]", "pieces 202", "expect 202 100", "expected 400",
        "close [202]", "garbage [202, 400]",
    ):  # fmt: skip
        assert line in said, (line, said)
    assert not any("timeout" in line for line in said)
