"""The shipper of coverage: what it sends, and what faults of S3 and of functions do to it.

Most tests run the program beside a Runtime API and an S3 of their own; arenas are written here, byte
by byte, as layers/python-coverage/arena.h says. The last ones run it as an extension in the cloud."""

import binascii
import glob
import hashlib
import http.server
import json
import mmap
import os
import queue
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
import zlib

import pytest
from cloud import ENDPOINT, LAMINA, REGION, Cloud, children, unique, zipped

SHIPPER = os.path.join(
    os.path.dirname(LAMINA), "layers", "python-coverage", "shipper", "lamina-coverage-shipper"
)
pytestmark = pytest.mark.skipif(not os.path.exists(SHIPPER), reason="no shipper was built")

STREAM = "2026/11/21/[$LATEST]0123456789abcdef0123456789abcdef"
ENVIRONMENT = STREAM[-32:]


def eventually(condition, within=20):
    deadline = time.monotonic() + within
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline
        time.sleep(0.005)


# ---- what the tracer does ----


class Arena:
    """A runtime process with an arena."""

    BRANCH, MONITORING, SETTRACE, CONTEXTS, DONE, STOPPED = 1, 2, 4, 8, 16, 32

    def __init__(self, directory, flags=BRANCH | MONITORING | DONE, size=1 << 20, stream=STREAM):
        self.directory = str(directory)
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        self.process = subprocess.Popen(
            ["sleep", "1000"],
            env={
                "AWS_LAMBDA_LOG_STREAM_NAME": stream,
                "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
                "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
            },
        )
        self.path = "%s/arena-%d-%x" % (self.directory, self.process.pid, time.monotonic_ns())
        hidden = self.path.replace("arena-", ".arena-")
        with open(hidden, "wb+") as f:
            f.truncate(size)
            self.map = mmap.mmap(f.fileno(), size)
        self.map[0:8] = b"LAMARENA"
        self.put("II", 8, 1, 608)
        self.put("QQ", 16, size, 608)
        self.put("IIII", 72, flags, 0x030C01F0, self.process.pid, 0)
        self.put("Q", 88, int(time.time() * 1000))
        self.files = {}
        os.rename(hidden, self.path)

    def put(self, fmt, at, *values):
        struct.pack_into("<" + fmt, self.map, at, *values)

    def get(self, fmt, at):
        return struct.unpack_from("<" + fmt, self.map, at)[0]

    def take(self, n):
        at = self.get("Q", 24)
        self.put("Q", 24, (at + n + 7) // 8 * 8)
        return at

    def file(self, path, n_lines, arcs=1024):
        words, name = n_lines // 64 + 1, path.encode()
        at = self.take(32 + 16 * words + len(name) + 1)
        chunk = self.take(16 + arcs // 8 + 8 * arcs)
        self.put("QII", chunk, 0, arcs, 0)
        self.put("QIIIIQ", at, self.get("Q", 40), 0, 1, len(name), words, chunk)
        self.map[at + 32 + 16 * words : at + 32 + 16 * words + len(name)] = name
        for line in range(1, n_lines + 1):
            self.map[at + 32 + 8 * words + line // 8] |= 1 << line % 8
        self.put("Q", 40, at)
        self.files[path] = at, words, chunk, arcs

    def hit(self, path, lines=(), arcs=()):
        at, words, chunk, capacity = self.files[path]
        for line in lines:
            if not self.map[at + 32 + line // 8] & 1 << line % 8:
                self.map[at + 32 + line // 8] |= 1 << line % 8
                self.put("Q", 32, self.get("Q", 32) + 1)
        for arc in arcs:
            i = self.get("I", chunk + 12)
            self.put("I", chunk + 12, i + 1)
            self.put("ii", chunk + 16 + capacity // 8 + 8 * i, *arc)
            self.map[chunk + 16 + i // 8] |= 1 << i % 8
            self.put("Q", 32, self.get("Q", 32) + 1)

    def returned(self):
        """The handler has returned, and its response has been posted."""
        self.put("Q", 64, self.get("Q", 64) + 1)
        fd = os.open(self.directory + "/done", os.O_RDWR | os.O_NONBLOCK)
        os.write(fd, b".")
        os.close(fd)

    def crash(self):
        self.process.kill()
        self.process.wait()


# ---- what reads an object ----


class Object:
    """A decoder of the format, from its description."""

    def __init__(self, data):
        assert data[:8] == b"LAMCOV1\n"
        crc, size = struct.unpack_from("<II", data, 8)
        assert binascii.crc32(data[12:]) == crc
        self.body, self.at = zlib.decompress(data[16:]), 0
        assert len(self.body) == size
        self.meta = {self.text(): self.text() for _ in range(self.number())}
        self.contexts = [(self.text(), self.number()) for _ in range(self.number())]
        self.files = {}
        for _ in range(self.number()):
            size = self.number()
            end = self.at + size
            self.file()
            assert self.at == end
        assert self.at == len(self.body)

    def number(self):
        value = shift = 0
        while True:
            byte = self.body[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def bytes(self, n=None):
        n = self.number() if n is None else n
        self.at += n
        return self.body[self.at - n : self.at]

    def text(self):
        return self.bytes().decode()

    def bits(self):
        data = self.bytes()
        return {n for n in range(len(data) * 8) if data[n // 8] >> n % 8 & 1}

    def delta(self):
        n = self.number()
        return n >> 1 ^ -(n & 1)

    def file(self):
        path, sha = self.text(), self.bytes()
        kind = self.number()
        if kind:
            self.files[path] = {"sha256": sha, "kind": kind, "payload": self.bytes()}
            return
        file = {"sha256": sha, "kind": kind, "raw": self.bits(), "hits": {}}
        for _ in range(self.number()):
            context = self.contexts[self.number()][0]
            lines, arcs, start = self.bits(), [], 0
            for _ in range(self.number()):
                start += self.delta()
                arcs.append((start, start + self.delta()))
            file["hits"][context] = lines, arcs
        self.files[path] = file

    def lines(self, path):
        return set().union(*(h[0] for h in self.files[path]["hits"].values()))

    def arcs(self, path):
        return {a for h in self.files[path]["hits"].values() for a in h[1]}


# ---- what is around it ----


class Quiet(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, address):
        pass


class RuntimeApi:
    """The Extensions API, for one extension."""

    def __init__(self):
        self.events, self.registered, self.polls = queue.Queue(), None, 0
        self.changed = threading.Condition()
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *args):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                api.registered = self.headers["Lambda-Extension-Name"], json.loads(body)["events"]
                self.answer(b'{"functionName":"f","functionVersion":"7","handler":"h"}')

            def do_GET(self):
                assert self.headers["Lambda-Extension-Identifier"] == "an-id"
                with api.changed:
                    api.polls += 1
                    api.changed.notify_all()
                event = api.events.get()
                if event == "hang up":
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.answer(json.dumps(event).encode())

            def answer(self, body):
                self.send_response(200)
                self.send_header("Lambda-Extension-Identifier", "an-id")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = Quiet(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def wait(self, polls, within=30):
        with self.changed:
            assert self.changed.wait_for(lambda: self.polls >= polls, within)


class Bucket:
    """S3, as far as PutObject goes. `script` has what happens to the next requests: an answer
    (status, code, headers), "reset", "silence", or seconds to be slow."""

    def __init__(self, tls=None):
        self.requests, self.script, self.connections = [], [], 0
        self.stopped = threading.Event()
        bucket = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self):
                super().setup()
                bucket.connections += 1

            def log_message(self, *args):
                pass

            def do_PUT(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                bucket.requests.append((self.path, dict(self.headers), body))
                what = bucket.script.pop(0) if bucket.script else None
                if what == "reset":
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    for one in (self.rfile, self.wfile, self.connection):
                        one.close()
                    self.close_connection = True
                    return
                if what == "silence":
                    bucket.stopped.wait(60)
                    return
                if isinstance(what, float):
                    bucket.stopped.wait(what)
                status, code, headers = what if isinstance(what, tuple) else (200, None, {})
                text = "<Error><Code>%s</Code><Message>So it is</Message></Error>" % code
                text = b"" if code is None else text.encode()
                self.send_response_only(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
                if what == "close after" or headers.get("Connection") == "close":
                    self.close_connection = True

        self.server = Quiet(("127.0.0.1", 0), Handler)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = "%s://127.0.0.1:%d" % ("https" if tls else "http", self.port)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def object(self, i=-1):
        return Object(self.requests[i][2])

    def stop(self):
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()


class Environment:
    """An execution environment: the shipper, its Runtime API, its directory."""

    def __init__(self, directory, **variables):
        self.directory = str(directory)
        self.api = RuntimeApi()
        self.variables = {
            "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:%d" % self.api.server.server_address[1],
            "AWS_LAMBDA_FUNCTION_NAME": "f",
            "AWS_LAMBDA_FUNCTION_VERSION": "7",
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_SESSION_TOKEN": "token",
            "COVERAGE_S3_BUCKET": "coverage",
            "LAMINA_COVERAGE_DIR": self.directory,
        }
        self.variables.update(variables)
        self.variables = {k: v for k, v in self.variables.items() if v is not None}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.variables[name] = os.environ[name]
        self.process, self.expected = None, 0
        self.log_path = self.directory + ".log"

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [SHIPPER], env=self.variables, stdout=log, stderr=subprocess.STDOUT
            )
        self.expected = self.api.polls + 1
        self.api.wait(self.expected)
        return self

    def begin(self, request_id, seconds=60):
        deadline = int((time.time() + seconds) * 1000)
        self.api.events.put(
            {"eventType": "INVOKE", "deadlineMs": deadline, "requestId": request_id}
        )
        self.expected += 1

    def idle(self):
        """Waits until it has asked for the next event."""
        self.api.wait(self.expected)

    def invoke(self, request_id, arena, *hits, seconds=60):
        self.begin(request_id, seconds)
        for hit in hits:
            arena.hit(*hit)
        arena.returned()
        self.idle()

    def shutdown(self, seconds=2, reason="spindown"):
        deadline = int((time.time() + seconds) * 1000)
        self.api.events.put(
            {"eventType": "SHUTDOWN", "deadlineMs": deadline, "shutdownReason": reason}
        )
        assert self.process.wait(30) == 0

    def log(self, operation="s3_upload"):
        with open(self.log_path) as f:
            lines = [json.loads(line) for line in f]
        return [x for x in lines if operation is None or x.get("operation") == operation]


@pytest.fixture
def bucket():
    bucket = Bucket()
    yield bucket
    bucket.stop()


@pytest.fixture
def made(tmp_path, bucket):
    """Makes environments and arenas; all their processes have ended afterwards."""

    class Made:
        directory = tmp_path / "shared"
        processes = []

        def environment(self, **variables):
            variables.setdefault("AWS_ENDPOINT_URL", bucket.url)
            self.processes.append(Environment(self.directory, **variables))
            return self.processes[-1]

        def arena(self, **options):
            self.processes.append(Arena(self.directory, **options))
            return self.processes[-1]

    made = Made()
    made.processes = []
    yield made
    for one in made.processes:
        if one.process and one.process.poll() is None:
            one.process.kill()
            one.process.wait()
        if isinstance(one, Environment):
            one.api.events.put("hang up")
            one.api.server.shutdown()
            one.api.server.server_close()


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "app.py"
    path.write_text("print('hello')\n" * 100)
    return str(path)


# ---- what is sent ----


def test_object_and_key(made, bucket, source):
    env = made.environment().start()
    assert env.api.registered == ("lamina-coverage-shipper", ["INVOKE", "SHUTDOWN"])
    arena = made.arena()
    arena.file(source, 100)
    arena.hit(source, [1, 2, 3], [(-1, 1), (1, 2), (3, -1)])
    env.begin("first")
    # What was there at that moment is "init"; the shipper makes its copy before it waits.
    eventually(lambda: waits(env.process.pid))
    arena.hit(source, [3, 50, 100], [(3, 50), (1, 2)])
    arena.returned()
    env.idle()
    path, headers, body = bucket.requests[0]
    day = time.strftime("%Y/%m/%d", time.gmtime())
    assert re.fullmatch(r"/coverage/coverage/%s/f/\d{6}-%s\.coverage" % (day, ENVIRONMENT), path)
    assert headers["Content-Type"] == "application/vnd.lamina.coverage"
    assert headers["x-amz-server-side-encryption"] == "AES256"
    assert headers["X-Amz-Security-Token"] == "token"
    assert headers["X-Amz-Content-Sha256"] == hashlib.sha256(body).hexdigest()
    o = bucket.object()
    file = o.files[source]
    assert file["sha256"] == hashlib.sha256(open(source, "rb").read()).digest()
    assert file["raw"] == set(range(1, 101))
    assert [c[0] for c in o.contexts] == ["init", "first"]
    assert file["hits"] == {
        "init": ({1, 2, 3}, [(-1, 1), (1, 2), (3, -1)]),
        "first": ({50, 100}, [(3, 50)]),
    }
    assert o.meta.items() >= {
        "function": "f", "version": "7", "environment": ENVIRONMENT, "log_stream": STREAM,
        "log_group": "/aws/lambda/f", "region": REGION, "runtime": "python3.12",
        "language": "python", "mechanism": "monitoring", "branch": "1",
    }.items()
    assert "missing" not in o.meta
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", o.meta["started"])
    (line,) = env.log(None)
    assert line["level"] == "INFO" and line["operation"] == "s3_upload"
    assert line["key"] == path[len("/coverage/"):] and line["bytes"] == len(body)
    assert (line["files"], line["new_lines"], line["attempts"]) == (1, 5, 1)
    assert line["request_id"] == "first" and line["duration_ms"] > 0


def waits(pid):
    """It has found the arena, and sleeps."""
    with open("/proc/%d/stat" % pid) as f:
        return b"/arena-" in fds_of(pid) and f.read().rsplit(")", 1)[1].split()[0] == "S"


def fds_of(pid):
    names = []
    for fd in glob.glob("/proc/%d/fd/*" % pid):
        try:
            names.append(os.readlink(fd).encode())
        except OSError:
            pass
    return b" ".join(names)


def test_nothing_new_sends_nothing(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    env.invoke("one", arena, (source, [1]))
    for i in range(20):
        env.invoke("again %d" % i, arena, (source, [1]))
    env.invoke("two", arena, (source, [2]))
    env.shutdown()
    assert len(bucket.requests) == 2 and len(env.log(None)) == 2
    o = bucket.object()
    assert o.files[source]["hits"]["two"] == ({2}, [])
    assert bucket.requests[0][0] == bucket.requests[1][0]  # the object is replaced
    assert bucket.connections == 1  # the connection is kept


def test_shutdown_sends_what_came_after_the_handler(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    env.invoke("one", arena, (source, [1]))
    arena.hit(source, [9])
    env.shutdown()
    assert bucket.object().lines(source) == {1, 9}


def test_function_without_coverage_is_not_waited_for(made, bucket):
    env = made.environment().start()
    for i in range(5):
        env.begin(str(i), seconds=600)
        env.idle()
    env.shutdown()
    assert not bucket.requests and not env.log(None)


def test_invocation_contexts(made, bucket, source):
    env = made.environment(COVERAGE_CONTEXTS="invocation").start()
    arena = made.arena(flags=Arena.BRANCH | Arena.SETTRACE | Arena.DONE | Arena.CONTEXTS)
    arena.file(source, 100)
    env.invoke("one", arena, (source, [1, 2], [(1, 2)]))
    assert arena.get("Q", 56) >= 1  # the tracer is told to set again what is executed again
    env.invoke("two", arena, (source, [2, 3], [(2, 3)]))
    env.shutdown()
    hits = bucket.object().files[source]["hits"]
    assert set().union(*(hits[c][0] for c in ("init", "one") if c in hits)) == {1, 2}
    assert hits["two"] == ({2, 3}, [(2, 3)])


def test_files_of_other_languages(made, bucket, source):
    env = made.environment().start()
    env.begin("one")
    env.idle()
    (made.directory / "1.v8").write_bytes(b"/a.js\t[]\nno tab\n%s\t[1]\n/cut" % str(source).encode())
    (made.directory / "main.gcda").write_bytes(b"\0counters")
    (made.directory / "gcov" / "home" / "me").mkdir(parents=True)
    (made.directory / "gcov" / "home" / "me" / "deep.gcda").write_bytes(b"\1")
    (made.directory / ".half.v8").write_bytes(b"/b.js\t[]\n")
    (made.directory / "else").write_bytes(b"{")
    env.begin("two")
    env.idle()
    files = bucket.object().files
    assert {k: (v["kind"], v["payload"]) for k, v in files.items()} == {
        "/a.js": (1, b"[]"),
        str(source): (1, b"[1]"),
        "main.gcda": (2, b"\0counters"),
        "gcov/home/me/deep.gcda": (2, b"\1"),
    }
    env.begin("three")
    env.idle()
    assert len(bucket.requests) == 1
    (made.directory / "main.gcda").write_bytes(b"\0more counters")
    env.begin("four")
    env.idle()
    assert bucket.object().files["main.gcda"]["payload"] == b"\0more counters"


# ---- faults of S3 ----


def refused(status, code, **headers):
    return status, code, {k.replace("_", "-"): v for k, v in headers.items()}


@pytest.mark.parametrize(
    "faults",
    [
        [refused(503, "SlowDown"), refused(500, "InternalError")],
        ["reset", "reset"],
        [refused(400, "RequestTimeout"), refused(429, "TooManyRequests")],
    ],
    ids=["5xx", "reset", "slow down"],
)
def test_retried(made, bucket, source, faults):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    bucket.script = list(faults)
    env.invoke("one", arena, (source, [1]))
    assert len(bucket.requests) == 3 and bucket.object().lines(source) == {1}
    (line,) = env.log(None)
    assert line["attempts"] == 3 and line["level"] == "INFO"


@pytest.mark.parametrize(
    "status,code,advice",
    [
        (403, "AccessDenied", "s3:PutObject"),
        (404, "NoSuchBucket", "COVERAGE_S3_BUCKET"),
        (400, "InvalidBucketName", "COVERAGE_S3_BUCKET"),
    ],
)
def test_never_retried(made, bucket, source, status, code, advice):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    bucket.script = [refused(status, code)]
    env.invoke("one", arena, (source, [1]))
    env.begin("two")  # not even waited for
    env.idle()
    env.shutdown()
    assert len(bucket.requests) == 1
    (line,) = env.log(None)
    assert line["level"] == "ERROR" and code in line["message"] and advice in line["message"]


def test_what_could_not_be_sent_is_sent_later(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    bucket.script = [refused(503, "SlowDown")] * 3
    env.invoke("one", arena, (source, [1]))
    assert len(bucket.requests) == 3
    env.invoke("two", arena, (source, [2]))  # at rest after a failure
    env.shutdown()
    assert len(bucket.requests) == 4
    o = bucket.object()
    assert o.files[source]["hits"]["two"][0] == {2} and o.lines(source) == {1, 2}
    warning, info = env.log()
    assert warning["level"] == "WARNING" and "SlowDown" in warning["message"]
    assert info["level"] == "INFO" and info["new_lines"] == 2


def test_slow_s3_does_not_make_a_timeout(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    bucket.script = ["silence"] * 3
    began = time.monotonic()
    env.invoke("one", arena, (source, [1]), seconds=1.0)
    assert time.monotonic() - began < 4  # an attempt alone may take 5 s where there is time
    assert env.log()[0]["duration_ms"] < 3000
    bucket.script = []
    env.shutdown()
    assert bucket.object().lines(source) == {1}


def test_unreachable(made, source):
    """Nobody listens there."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        url = "http://127.0.0.1:%d" % s.getsockname()[1]
    env = made.environment(AWS_ENDPOINT_URL=url).start()
    arena = made.arena()
    arena.file(source, 100)
    env.invoke("one", arena, (source, [1]))
    env.shutdown(seconds=0.5)
    assert [x["level"] for x in env.log(None)] == ["WARNING"] * 2
    assert "Connection refused" in env.log()[0]["message"]
    assert "before the environment ended" in env.log()[1]["message"]
    assert (made.directory / ".object-unsent").exists()


def test_unknown_name(made, source):
    env = made.environment(AWS_ENDPOINT_URL="http://no-such-name.invalid").start()
    arena = made.arena()
    arena.file(source, 100)
    env.invoke("one", arena, (source, [1]), seconds=2)
    assert "no-such-name.invalid" in env.log()[0]["message"]


def test_clock_is_wrong(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    bucket.script = [
        refused(403, "RequestTimeTooSkewed", Date="Sat, 05 Apr 2031 12:00:00 GMT")
    ]
    env.invoke("one", arena, (source, [1]))
    assert bucket.requests[1][1]["X-Amz-Date"].startswith("20310405T1200")
    env.invoke("two", arena, (source, [2]))
    assert bucket.requests[2][1]["X-Amz-Date"].startswith("20310405T1200")
    bucket.script = [refused(403, "RequestTimeTooSkewed", Date="Sat, 05 Apr 2031 12:00:00 GMT")] * 2
    env.invoke("three", arena, (source, [3]))  # it learns once, and gives up then
    assert len(bucket.requests) == 5 and env.log()[-1]["level"] == "ERROR"


def test_bucket_is_in_another_region(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    bucket.script = [refused(301, "PermanentRedirect", x_amz_bucket_region="eu-west-3")]
    env.invoke("one", arena, (source, [1]))
    assert "/eu-west-3/s3/aws4_request" in bucket.requests[1][1]["Authorization"]
    assert bucket.object().lines(source) == {1}


def test_connection_that_died_in_its_sleep(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    bucket.script = ["close after", "reset"]
    env.invoke("one", arena, (source, [1]))
    env.invoke("two", arena, (source, [2]))
    env.invoke("three", arena, (source, [3]))
    assert bucket.object().lines(source) == {1, 2, 3}
    assert [x["level"] for x in env.log()] == ["INFO"] * 3


def test_runtime_api_connection_that_died(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    env.api.events.put("hang up")
    env.expected += 1
    env.idle()
    env.invoke("one", arena, (source, [1]))
    assert bucket.object().lines(source) == {1}


# ---- TLS ----


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority, and a certificate of it for 127.0.0.1."""
    at = tmp_path_factory.mktemp("certificates")

    def run(*args):
        subprocess.run(("openssl",) + args, cwd=at, check=True, capture_output=True)

    for name in ("authority", "other"):
        run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", name + ".key", "-out", name + ".pem", "-days", "2", "-subj", "/CN=" + name)
    run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server")
    (at / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    run("x509", "-req", "-in", "server.csr", "-CA", "authority.pem", "-CAkey", "authority.key",
        "-CAcreateserial", "-extfile", "names", "-days", "2", "-out", "server.pem")
    (at / "bundle.pem").write_text("# two\n" + (at / "other.pem").read_text()
                                   + (at / "authority.pem").read_text())
    return at


@pytest.fixture
def secure(certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    bucket = Bucket(tls=context)
    yield bucket
    bucket.stop()


def test_tls(made, secure, certificates, source):
    env = made.environment(
        AWS_ENDPOINT_URL=secure.url, AWS_CA_BUNDLE=str(certificates / "bundle.pem")
    ).start()
    arena = made.arena()
    arena.file(source, 100)
    env.invoke("one", arena, (source, [1]))
    env.invoke("two", arena, (source, [2]))
    assert secure.object().lines(source) == {1, 2} and secure.connections == 1


@pytest.mark.parametrize("bundle,host", [("other.pem", "127.0.0.1"), ("bundle.pem", "localhost")])
def test_certificate_that_is_not_accepted(made, secure, certificates, source, bundle, host):
    env = made.environment(
        AWS_ENDPOINT_URL=secure.url.replace("127.0.0.1", host),
        AWS_CA_BUNDLE=str(certificates / bundle),
    ).start()
    arena = made.arena()
    arena.file(source, 100)
    env.invoke("one", arena, (source, [1]))
    (line,) = env.log(None)
    assert line["level"] == "ERROR" and "certificate" in line["message"]
    assert not secure.requests


# ---- faults of functions ----


def test_function_dies(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    env.begin("one", seconds=600)
    arena.hit(source, [1, 2])
    arena.crash()
    env.idle()  # long before the deadline
    env.shutdown(reason="failure")
    assert bucket.object().lines(source) == {1, 2}


def test_function_times_out(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    env.begin("one", seconds=0.3)
    arena.hit(source, [1, 2])
    env.idle()
    assert not bucket.requests
    env.shutdown(reason="timeout")
    assert bucket.object().lines(source) == {1, 2}


def test_end_of_invocations_that_is_not_told(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    env.begin("one", seconds=0.3)
    arena.hit(source, [1])
    env.idle()
    for name in ("two", "three"):  # not waited for any more
        env.begin(name, seconds=600)
        env.idle()
        arena.hit(source, [2])
    env.shutdown()
    assert bucket.object().lines(source) == {1, 2}
    assert [x["level"] for x in env.log(None)].count("WARNING") == 1


@pytest.mark.parametrize("sent", [True, False], ids=["sent", "unsent"])
def test_shipper_and_runtime_are_started_again(made, bucket, source, sent):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    if not sent:
        bucket.script = [refused(503, "SlowDown")] * 3
    env.invoke("one", arena, (source, [1], [(1, 2)]))
    arena.hit(source, [2])
    env.process.kill()
    env.process.wait()
    arena.crash()
    key = bucket.requests[0][0]
    again = made.environment().start()
    other = made.arena()
    other.file(source, 100)
    again.invoke("two", other, (source, [1, 3]))
    again.shutdown()
    o = bucket.object()
    assert bucket.requests[-1][0] == key
    assert o.lines(source) == {1, 2, 3} and o.arcs(source) == {(1, 2)}
    hits = o.files[source]["hits"]
    assert 1 in set().union(*(hits[c][0] for c in ("init", "one") if c in hits))


def test_arenas_that_are_none(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    (made.directory / "arena-1-0").write_bytes(b"LAMARENA" + os.urandom(5000))
    (made.directory / "arena-2-0").write_bytes(b"")
    os.mkfifo(made.directory / "arena-3-0")
    os.symlink("/etc/passwd", made.directory / "arena-4-0")
    env.invoke("one", arena, (source, [1]))
    o = bucket.object()
    assert o.lines(source) == {1}
    assert "arena-1-0: it is no arena" in o.meta["missing"]
    assert "arena-2-0: it is no arena" in o.meta["missing"]


@pytest.mark.parametrize("contexts", [None, "invocation"])
def test_arena_is_cut_short_and_removed(made, bucket, source, contexts):
    env = made.environment(COVERAGE_CONTEXTS=contexts).start()
    flags = Arena.BRANCH | Arena.SETTRACE | Arena.DONE | Arena.CONTEXTS
    arena, other = made.arena(flags=flags), made.arena(flags=flags)
    for a in (arena, other):
        a.file(source, 100)
    env.invoke("one", arena, (source, [1]))
    other.hit(source, [2])
    os.truncate(other.path, 700)
    os.unlink(arena.path)
    env.invoke("two", arena, (source, [3]))
    o = bucket.object()
    assert o.lines(source) >= {1, 3}
    assert "it was removed by the function" in o.meta["missing"]


def test_what_the_tracer_could_not_count_is_said(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    arena.file("/var/task/gone.py", 10)
    arena.put("256s", 96, "no space on /tmp".encode())
    arena.put("Q", 48, 5)
    env.invoke("one", arena, (source, [1]), ("/var/task/gone.py", [1]))
    missing = bucket.object().meta["missing"]
    assert "no space on /tmp" in missing and "no room for 5 hits" in missing
    assert "no source /var/task/gone.py (No such file or directory)" in missing


# ---- faults of configuration and disk ----


@pytest.mark.parametrize(
    "variables,said",
    [
        ({"COVERAGE_S3_BUCKET": None}, "COVERAGE_S3_BUCKET is not set"),
        ({"COVERAGE_S3_BUCKET": " "}, "COVERAGE_S3_BUCKET is not set"),
        ({"COVERAGE_ENABLED": "false"}, None),
        ({"LAMINA_COVERAGE_DIR": "/proc/no"}, "/proc/no: No such file or directory"),
    ],
)
def test_nothing_to_do(made, variables, said):
    env = made.environment(**variables).start()
    assert env.api.registered[1] == ["SHUTDOWN"]
    env.shutdown()
    lines = env.log(None)
    assert [said in x["message"] for x in lines] == ([True] if said else [])


def test_bad_values_are_said(made, bucket, source):
    env = made.environment(
        COVERAGE_UPLOAD_TIMEOUT="soon", COVERAGE_LOG_LEVEL="loud", COVERAGE_S3_PREFIX="/here"
    ).start()
    arena = made.arena()
    arena.file(source, 100)
    env.invoke("one", arena, (source, [1]))
    warning = env.log(None)[0]
    assert warning["level"] == "WARNING" and "COVERAGE_UPLOAD_TIMEOUT=soon" in warning["message"]
    assert bucket.requests[0][0].startswith("/coverage/here/2")


@pytest.mark.parametrize("level,count", [("DEBUG", 1), ("INFO", 1), ("WARNING", 0), ("ERROR", 0)])
def test_log_level(made, bucket, source, level, count):
    env = made.environment(COVERAGE_LOG_LEVEL=level).start()
    arena = made.arena()
    arena.file(source, 100)
    env.invoke("one", arena, (source, [1]))
    env.shutdown()
    assert len(env.log()) == count


def test_disk_is_full(made, bucket, source, tmp_path):
    """The object cannot be kept in the environment, but it is sent."""
    env = made.environment()
    os.mkdir(env.directory, 0o700)
    os.mkdir(env.directory + "/.object-new")  # root writes everywhere: so nothing can be made here
    env.start()
    arena = made.arena()
    arena.file(source, 100)
    env.invoke("one", arena, (source, [1]))
    assert bucket.object().lines(source) == {1}


# ---- as an extension ----

# A function that does what the tracer does, in few words: event = lines to hit.
TRACED = r"""
import mmap, os, signal, struct, time

DIRECTORY, PATH, WORDS = "/tmp/.lamina-coverage", b"/var/task/app.py", 20
name = "%s/.arena-%d-%x" % (DIRECTORY, os.getpid(), time.monotonic_ns())
with open(name, "wb+") as f:
    f.truncate(8192)
    m = mmap.mmap(f.fileno(), 8192)
m[0:8] = b"LAMARENA"
struct.pack_into("<IIQQQQ", m, 8, 1, 608, 8192, 1608, 1, 608)
struct.pack_into("<III", m, 72, 1 | 2 | 16, 0x030b02f0, os.getpid())
struct.pack_into("<QIIIIQ", m, 608, 0, 400, 1, len(PATH), WORDS, 0)
m[640 + 16 * WORDS : 640 + 16 * WORDS + len(PATH)] = PATH
m[640] |= 2
os.rename(name, name.replace("/.arena", "/arena"))
done = os.open(DIRECTORY + "/done", os.O_RDWR | os.O_NONBLOCK)

def handler(event, context):
    for line in event:
        at, bit = 640 + line // 8, 1 << line % 8
        if not m[at] & bit:
            m[at] |= bit
            struct.pack_into("<Q", m, 32, struct.unpack_from("<Q", m, 32)[0] + 1)
        if line == 13:
            os.kill(os.getpid(), signal.SIGKILL)
    struct.pack_into("<Q", m, 64, struct.unpack_from("<Q", m, 64)[0] + 1)
    os.write(done, b".")
    return context.aws_request_id
"""


@pytest.fixture(scope="module")
def shipper_zip():
    files = {"extensions/lamina-coverage-shipper*": open(SHIPPER, "rb").read()}
    return zipped(files)


def covered(cloud, bucket_name, shipper_zip, **variables):
    """A function with the shipper's layer."""
    layer = cloud.lambda_.publish_layer_version(
        LayerName=unique("coverage"), Content={"ZipFile": shipper_zip}
    )["LayerVersionArn"]
    variables["COVERAGE_S3_BUCKET"] = bucket_name
    return cloud.function(TRACED, Layers=[layer], Environment={"Variables": variables})


def objects(cloud, bucket_name):
    found = cloud.s3.list_objects_v2(Bucket=bucket_name).get("Contents", [])
    keys = [x["Key"] for x in found if x["Key"].endswith(".coverage")]
    return {
        key: Object(cloud.s3.get_object(Bucket=bucket_name, Key=key)["Body"].read())
        for key in keys
    }


def lines(cloud, bucket_name, n):
    """What is covered in all environments together, once these are at least n lines."""

    def enough():
        union = set()
        for o in objects(cloud, bucket_name).values():
            union |= o.lines("/var/task/app.py")
        return len(union) >= n and union

    return eventually(enough)


@pytest.fixture
def store(cloud):
    from conftest import empty_bucket

    name = unique("coverage")
    cloud.s3.create_bucket(Bucket=name)
    yield name
    empty_bucket(cloud.s3, name)
    cloud.s3.delete_bucket(Bucket=name)


def test_in_the_cloud(cloud, store, shipper_zip):
    name = covered(cloud, store, shipper_zip)
    first = cloud.invoke(name, [5, 6]).payload
    assert lines(cloud, store, 3) == {1, 5, 6}
    for _ in range(3):
        cloud.invoke(name, [5])
    last = cloud.invoke(name, [7]).payload
    assert lines(cloud, store, 4) == {1, 5, 6, 7}
    ((key, o),) = objects(cloud, store).items()
    assert key.startswith("coverage/2") and ("/%s/" % name) in key
    assert {c[0] for c in o.contexts} >= {last} and o.contexts[-1][0] == last
    assert {c[0] for c in o.contexts} <= {"init", first, last}
    streams = cloud.logs.describe_log_streams(logGroupName="/aws/lambda/" + name)["logStreams"]
    assert o.meta["log_stream"] in [s["logStreamName"] for s in streams]
    assert o.meta["environment"] == o.meta["log_stream"][-32:] == key[-41:-9]
    with_source = o.files["/var/task/app.py"]["sha256"]
    assert with_source == hashlib.sha256(TRACED.encode()).digest()
    said = [m for m in cloud.log_events(name, 1, until='{"timestamp"') if "s3_upload" in m]
    assert len(said) == 2 and json.loads(said[0])["level"] == "INFO"


def test_function_is_killed_in_the_cloud(cloud, store, shipper_zip):
    name = covered(cloud, store, shipper_zip)
    assert cloud.invoke(name, [5, 13]).error
    assert lines(cloud, store, 3) == {1, 5, 13}
    cloud.invoke(name, [8])
    assert lines(cloud, store, 4) == {1, 5, 8, 13}


def shippers(cloud, name):
    found = []
    for pid in children(cloud.process.pid):
        try:
            with open("/proc/%d/environ" % pid, "rb") as f:
                variables = f.read()
            with open("/proc/%d/cmdline" % pid, "rb") as f:
                command = f.read()
        except OSError:
            continue
        if b"AWS_LAMBDA_FUNCTION_NAME=" + name.encode() in variables and b"shipper" in command:
            found.append(pid)
    return found


@pytest.mark.skipif(ENDPOINT is not None, reason="looks at the daemon's processes")
def test_shipper_is_killed_in_the_cloud(cloud, store, shipper_zip):
    name = covered(cloud, store, shipper_zip)
    cloud.invoke(name, [5])
    assert lines(cloud, store, 2) == {1, 5}
    (pid,) = shippers(cloud, name)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: shippers(cloud, name) != [pid])
    for _ in range(2):  # the first one may still meet the environment that has lost its extension
        r = cloud.invoke(name, [6])
    assert not r.error
    assert lines(cloud, store, 3) == {1, 5, 6}


@pytest.mark.skipif(ENDPOINT is not None, reason="kills the daemon")
def test_daemon_is_killed(shipper_zip, tmp_path):
    data = str(tmp_path / "data")
    cloud = Cloud(data=data).start()
    try:
        cloud.s3.create_bucket(Bucket="coverage")
        name = covered(cloud, "coverage", shipper_zip)
        cloud.invoke(name, [5])
        assert lines(cloud, "coverage", 2) == {1, 5}
        left = shippers(cloud, name)
        cloud.kill()
        eventually(lambda: not any(os.path.exists("/proc/%d" % pid) for pid in left))
        cloud = Cloud(data=data).start()
        cloud.invoke(name, [6])
        assert lines(cloud, "coverage", 3) == {1, 5, 6}
    finally:
        if cloud.running():
            cloud.stop()


def test_bucket_that_does_not_exist_in_the_cloud(cloud, shipper_zip):
    name = covered(cloud, unique("none"), shipper_zip)
    for i in (5, 6, 7):
        assert not cloud.invoke(name, [i]).error
    said = [m for m in cloud.log_events(name, 4, until='{"timestamp"') if "s3_upload" in m]
    assert len(said) == 1 and "NoSuchBucket" in said[0]
