"""A Runtime API to test runtimes against: hands out the given events, keeps the answers."""

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BOOTSTRAP = os.path.join(ROOT, "runtimes", "python", "bootstrap.py")
# Any interpreter can be put to the test.
PYTHON = os.environ.get("LAMINA_TEST_PYTHON", sys.executable)
VERSION = tuple(
    int(part)
    for part in subprocess.check_output([PYTHON, "-c", "import sys; print(*sys.version_info[:2])"])
    .decode()
    .split()
)
ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
NODE_MAIN = os.path.join(ROOT, "runtimes", "nodejs", "index.mjs")
NODE = os.environ.get("LAMINA_TEST_NODE", shutil.which("node"))


class Answer:
    """One POST of the runtime."""

    def __init__(self, path, headers, body, trailers):
        self.path = path
        self.headers = headers
        self.body = body
        self.trailers = trailers

    @property
    def kind(self):
        return self.path.rpartition("/")[2] if "init" not in self.path else "init/error"

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "{} {!r}".format(self.path, self.body)


class _Drip:
    """Sends a few bytes at a time."""

    closed = False

    def __init__(self, connection):
        self.connection = connection

    def write(self, data):
        for i in range(0, len(data), 7):
            self.connection.sendall(data[i : i + 7])
            time.sleep(0.0005)

    def flush(self):
        pass

    def close(self):
        self.closed = True


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Heads and bodies leave together, and at once.
    wbufsize = -1
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        if self.server.api.drip:
            self.wfile = _Drip(self.connection)

    def do_GET(self):
        api = self.server.api
        assert self.path == "/2018-06-01/runtime/invocation/next"
        api.clients.add(self.client_address)
        if not api.events:
            # The end of the test: a runtime would wait here for ever.
            api.process.kill()
            self.close_connection = True
            return
        number, (body, headers) = api.next_event()
        head = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": "id-%d" % number,
            "Lambda-Runtime-Deadline-Ms": "32503680000000",
            "Lambda-Runtime-Invoked-Function-Arn": ARN,
            "Lambda-Runtime-Trace-Id": "Root=1-%08x-000000000000000000000000;Sampled=0" % number,
        }
        head.update(headers)
        self.send_response(200)
        for name, value in head.items():
            if value is not None:
                self.send_header(name, value)
        if api.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for i in range(0, len(body), 3):
                part = body[i : i + 3]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def do_POST(self):
        trailers = {}
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self.read_chunks(trailers)
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.api.answers.append(Answer(self.path, self.headers, body, trailers))
        status = self.server.api.post_status
        reply = b'{"status":"OK"}\n'
        self.send_response(status)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def read_chunks(self, trailers):
        parts = []
        while True:
            size = int(self.rfile.readline(), 16)
            if size == 0:
                break
            parts.append(self.rfile.read(size))
            assert self.rfile.readline() == b"\r\n"
        for line in iter(self.rfile.readline, b"\r\n"):
            name, _, value = line.decode().partition(":")
            trailers[name] = value.strip()
        return b"".join(parts)

    def log_message(self, *args):
        pass


class Run:
    """What came of a run: answers, stdout, stderr, exit status."""


def run(
    folder,
    handler,
    events=(b"{}",),
    env=None,
    flags=(),
    chunked=False,
    drip=False,
    post_status=202,
    pass_fds=(),
    command=(PYTHON,),
    bootstrap=BOOTSTRAP,
):
    """Serves `events` (bytes, or (bytes, headers)) to a runtime, python's if no other is given,
    with code in `folder`."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    run = Run()
    run.events = [e if isinstance(e, tuple) else (e, {}) for e in events]
    run.answers, run.clients, run.chunked, run.post_status = [], set(), chunked, post_status
    run.count, run.drip = 0, drip

    def next_event():
        run.count += 1
        return run.count, run.events.pop(0)

    run.next_event = next_event
    server.api = run
    environ = {
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:%d" % server.server_port,
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2025/11/24/[$LATEST]0123456789abcdef0123456789abcdef",
        "LAMBDA_TASK_ROOT": str(folder),
        "LAMBDA_RUNTIME_DIR": os.path.dirname(bootstrap),
        "PYTHONPATH": os.path.dirname(bootstrap),
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/bin:/bin",
        "TZ": ":UTC",
        "_HANDLER": handler,
    }
    environ.update(env or {})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        run.process = subprocess.Popen(
            [*command, *flags, bootstrap],
            env=environ,
            cwd=str(folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=pass_fds,
        )
        out, err = run.process.communicate(timeout=20)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    run.stdout, run.stderr, run.status = out.decode(), err.decode(), run.process.returncode
    return run
