"""What is around the shipper of coverage in its tests: a Runtime API and an S3 that can go wrong, and
arenas, written byte by byte as layers/python-coverage/arena.h says."""

import binascii
import http.server
import json
import mmap
import os
import queue
import socket
import struct
import subprocess
import threading
import time
import zlib

import pytest
from cloud import LAMINA, REGION

SHIPPER = os.path.join(
    os.path.dirname(LAMINA), "layers", "python-coverage", "shipper", "lamina-coverage-shipper"
)
needs_shipper = pytest.mark.skipif(not os.path.exists(SHIPPER), reason="no shipper was built")

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


def refused(status, code, **headers):
    return status, code, {k.replace("_", "-"): v for k, v in headers.items()}


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
