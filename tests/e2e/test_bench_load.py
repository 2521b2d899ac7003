"""The load generator: whatever comes of a request is counted as what it was, exactly as often as the
cloud itself counted it."""

import base64
import contextlib
import http.client
import http.server
import io
import json
import signal
import socket
import socketserver
import ssl
import subprocess
import threading
import time
import urllib.request

import pytest
from cloud import LAMINA, REGION, environ

SOURCE = """
import os, time
def handler(event, context):
    if event.get("sleep"):
        time.sleep(event["sleep"])
    if event.get("fail"):
        raise ValueError("as told")
    return event
"""


def bench(cloud, *args, check=0, **env):
    """The report of a run, which must end with this exit code."""
    r = cloud.lamina("bench", *args, "--json", check=False, **env)
    assert r.returncode == check, (r.returncode, r.stdout[-2000:], r.stderr[-2000:])
    return json.loads(r.stdout)


def begin(cloud, *args):
    """A run that goes on while the test does something else."""
    return subprocess.Popen([LAMINA, "bench", *map(str, args), "--json"],
                            env=environ(AWS_ENDPOINT_URL=cloud.url), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, universal_newlines=True)


def end(process, code=0):
    out, err = process.communicate(timeout=100)
    assert process.returncode == code, (process.returncode, out[-2000:], err[-2000:])
    return json.loads(out)


def counted(cloud, name):
    """What the cloud counted, over all versions."""
    url = "%s/_lamina/lambda/inspect?region=%s&function=%s" % (cloud.url, REGION, name)
    with urllib.request.urlopen(url, timeout=20) as answer:
        versions = json.load(answer)["versions"]
    keys = ("invocations", "errors", "timeouts", "throttles", "coldStarts")
    return {k: sum(v[k] for v in versions) for k in keys}


def wait_for_invocations(cloud, name, n):
    deadline = time.monotonic() + 60
    while counted(cloud, name)["invocations"] < n:
        assert time.monotonic() < deadline, "nothing is invoked"


def outcomes(report, series=None):
    """Those that are not 0."""
    where = report["all"]
    if series:
        where = next(s for s in report["series"] if s["name"] == series)
    return {k: v for k, v in where["outcomes"].items() if v}


def errors(report):
    return {(e["outcome"], e["type"]): e["count"] for e in report.get("errors", [])}


def ms(report, part, statistic):
    return report["all"]["all"][part][statistic]["value"]


# ---- a closed loop ----


def test_function_errors_are_failures_and_each_payload_has_its_own_tally(cloud, tmp_path):
    name = cloud.function(SOURCE)
    (tmp_path / "ok.json").write_text('{"sleep": 0.005}')
    (tmp_path / "bad.json").write_text('{"fail": true}')
    (tmp_path / "weights.json").write_text('{"ok.json": 97, "bad.json": 3}')
    report = bench(cloud, "load", name, "-n", 200, "-c", 4, "--payloads", tmp_path)
    assert outcomes(report) == {"ok": 194, "function-error": 6}
    assert outcomes(report, "ok.json") == {"ok": 194}
    assert outcomes(report, "bad.json") == {"function-error": 6}
    assert errors(report) == {("function-error", "ValueError"): 6}
    cloud_says = counted(cloud, name)
    assert (cloud_says["invocations"], cloud_says["errors"]) == (200, 6)
    assert report["all"]["cold_starts"] == cloud_says["coldStarts"]
    assert report["run"]["environments_started"] == cloud_says["coldStarts"]
    # A sleep is never shorter than it was told to be, and is a part of all that is around it.
    assert ms(report, "handler", "min") >= 5
    assert ms(report, "latency", "min") >= ms(report, "handler", "min")
    parts = report["all"]["all"]["parts"]
    assert parts.pop("n") == 194
    assert parts.pop("latency_ms") == pytest.approx(ms(report, "latency", "mean"), rel=.001)
    assert sum(parts.values()) == pytest.approx(ms(report, "latency", "mean"), rel=.001)
    assert parts["rest"] >= 0 and parts["handler"] >= 5


def test_the_same_seed_draws_the_same_payloads(cloud, tmp_path):
    name = cloud.function(SOURCE)
    for payload in "abc":
        (tmp_path / (payload + ".json")).write_text("{}")
    args = ("load", name, "-n", 40, "-c", 2, "--random-payloads", "--payloads", tmp_path)
    tally = [[sum(s["outcomes"].values()) for s in bench(cloud, *args, "--seed", seed)["series"]]
             for seed in (7, 7, 8)]
    assert tally[0] == tally[1]
    assert all(sum(t) == 40 for t in tally)


def test_throttles_have_their_reason(cloud):
    name = cloud.function(SOURCE)
    cloud.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
    report = bench(cloud, "burst", name, "-n", 12, "-p", '{"sleep": 0.5}')
    cloud_says = counted(cloud, name)
    throttled = cloud_says["throttles"]
    assert throttled > 0
    assert outcomes(report) == {"ok": 12 - throttled, "throttled": throttled}
    assert errors(report) == {
        ("throttled", "ReservedFunctionConcurrentInvocationLimitExceeded"): throttled}
    assert cloud_says["invocations"] == 12 - throttled
    assert report["run"]["server_concurrency"] == 2


def test_a_timeout_of_the_function_is_no_other_error(cloud):
    name = cloud.function(SOURCE, Timeout=1)
    for log in ("--log", "--no-log"):
        report = bench(cloud, "load", name, "-n", 2, "-c", 2, "-p", '{"sleep": 9}', log, check=1)
        assert outcomes(report) == {"timed-out": 2}
        assert errors(report) == {("timed-out", "Sandbox.Timedout"): 2}
    assert counted(cloud, name)["timeouts"] == 4


def test_json_logs_tell_the_same(cloud):
    name = cloud.function(SOURCE)
    status, answer = cloud.configure(name, LoggingConfig={"LogFormat": "JSON"})
    assert status == 200, answer
    cloud.lambda_.get_waiter("function_updated_v2").wait(FunctionName=name)
    report = bench(cloud, "load", name, "-n", 5, "-p", '{"sleep": 0.02}')
    figures = report["all"]["all"]
    assert figures["billed"]["n"] == figures["handler"]["n"] == 5
    assert figures["handler"]["min"]["value"] >= 20 and figures["billed"]["min"]["value"] >= 20
    assert report["all"]["figures"]["memory"]["value"] > 0
    assert report["all"]["cold"]["init"]["n"] == 1


def test_what_a_gate_forbids_is_exit_code_3(cloud):
    name = cloud.function(SOURCE)
    bench(cloud, "load", name, "-n", 4, "-p", '{"fail": 1}', "--min-success", "95%", check=3)
    bench(cloud, "load", name, "-n", 4, "--threshold", "errors==0", check=0)


def test_a_function_that_is_deleted_meanwhile(cloud):
    name = cloud.function(SOURCE)
    run = begin(cloud, "load", name, "-n", 3000, "-c", 2, "-p", '{"sleep": 0.003}')
    wait_for_invocations(cloud, name, 20)
    cloud.lambda_.delete_function(FunctionName=name)
    report = end(run)
    got, cloud_says = outcomes(report), counted(cloud, name)
    assert sum(got.values()) == 3000
    assert got["ok"] == cloud_says["invocations"] - cloud_says["errors"]
    assert got["refused"] > 0
    assert errors(report)[("refused", "ResourceNotFoundException")] == got["refused"]


def test_a_cloud_that_dies_meanwhile(new_cloud):
    cloud = new_cloud()
    name = cloud.function(SOURCE)
    run = begin(cloud, "load", name, "-n", 60, "-c", 2, "-p", '{"sleep": 0.1}')
    wait_for_invocations(cloud, name, 2)
    cloud.kill()
    report = end(run)
    got, kinds = outcomes(report), {t for _, t in errors(report)}
    assert sum(got.values()) == 60 and set(got) == {"ok", "transport"}
    assert "ECONNREFUSED" in kinds
    assert kinds <= {"ECONNREFUSED", "ECONNRESET", "closed", "truncated", "EPIPE"}


def test_ctrl_c_shows_what_was_measured(cloud):
    name = cloud.function(SOURCE)
    run = begin(cloud, "load", name, "-d", "1h", "-c", 2, "-p", '{"sleep": 0.001}')
    wait_for_invocations(cloud, name, 10)
    run.send_signal(signal.SIGINT)
    report = end(run, 130)
    assert report["run"]["interrupted"]
    assert set(outcomes(report)) == {"ok"}
    assert outcomes(report)["ok"] <= counted(cloud, name)["invocations"]


# ---- an open loop ----


def test_latency_counts_from_when_a_request_was_due(cloud, tmp_path):
    """One connection, and requests that take as long as eight gaps: all that were due meanwhile
    waited, and say so; without the correction none of them would."""
    name = cloud.function(SOURCE)
    (tmp_path / "a.json").write_text('{"sleep": 0.2}')
    (tmp_path / "b.json").write_text("{}")
    (tmp_path / "weights.json").write_text('{"a.json": 21, "b.json": 19}')
    bench(cloud, "warm", name, "-n", 1)
    report = bench(cloud, "rate", name, "--rate", 40, "-n", 20, "-c", 1, "--payloads", tmp_path)
    assert sum(outcomes(report).values()) == 20
    assert report["run"]["late"] >= 15
    assert ms(report, "latency", "p50") > ms(report, "uncorrected", "p50")
    # 10 or 11 sleeps one behind the other, the last request due half a second after the first.
    assert ms(report, "latency", "max") >= 1400


def test_an_open_loop_sends_what_is_due_and_counts_what_it_could_not(cloud):
    name = cloud.function(SOURCE)
    report = bench(cloud, "rate", name, "--rate", 300, "--arrivals", "poisson", "-n", 90)
    assert outcomes(report) == {"ok": 90} and report["run"]["dropped"] == 0
    assert report["run"]["loop"] == "open"
    # 20 are due, one a time can be sent, and each takes longer than the second there is for them.
    report = bench(cloud, "rate", name, "--rate", 100, "-d", "200ms", "-c", 1, "-p",
                   '{"sleep": 1.3}')
    assert outcomes(report) == {"ok": 1} and report["run"]["dropped"] == 19


# ---- function URLs, and what servers do that are none ----


def test_a_function_url(cloud):
    name = cloud.function(SOURCE)
    url = cloud.lambda_.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    for action in ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction"):
        cloud.lambda_.add_permission(FunctionName=name, StatementId=action.rpartition(":")[2],
                                     Action=action, Principal="*")
    report = bench(cloud, "load", "--url", url, "--no-sign", "-n", 10, "-c", 2)
    assert outcomes(report) == {"ok": 10}
    cloud.lambda_.delete_function_url_config(FunctionName=name)
    assert outcomes(bench(cloud, "load", "--url", url, "--no-sign", "-n", 3, check=1)) == {"refused": 3}


class Odd(http.server.BaseHTTPRequestHandler):
    """Answers as its path says."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        whole = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour"
        answers = {
            "/whole": whole,
            "/truncated": whole[:-1],
            "/chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n",
            "/closed": b"",
            "/malformed": b"220 mail.example.org ESMTP\r\n\r\n",
        }
        if self.path == "/never":
            self.server.over.wait(60)
        try:
            if self.path == "/endless":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while self.path == "/endless":
                self.wfile.write(b"100000\r\n" + bytes(1 << 20) + b"\r\n")
        except OSError:
            self.wfile = io.BytesIO()  # nobody is there to be told more
        self.wfile.write(answers.get(self.path, b""))
        self.close_connection = self.path != "/whole"

    def log_message(self, *args):
        pass


@pytest.fixture
def odd():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    server.daemon_threads = True
    server.over = threading.Event()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


def test_an_answer_that_is_not_whole_is_no_success(cloud, odd):
    url = "http://127.0.0.1:%d/" % odd.server_port
    for path, expected in {"whole": None, "truncated": "truncated", "chunked": "truncated",
                           "closed": "closed", "malformed": "malformed"}.items():
        report = bench(cloud, "load", "--url", url + path, "--no-sign", "-n", 2, check=int(bool(expected)))
        if expected:
            assert errors(report) == {("transport", expected): 2}, path
        else:
            assert outcomes(report) == {"ok": 2}
    report = bench(cloud, "load", "--url", url + "never", "--no-sign", "-n", 2, "-c", 2,
                   "--timeout", "100ms", check=1)
    assert errors(report) == {("transport", "deadline"): 2}


def test_an_answer_without_an_end(cloud, odd):
    """It comes faster than it is read: nobody but a limit ends that."""
    url = "http://127.0.0.1:%d/endless" % odd.server_port
    report = bench(cloud, "load", "--url", url, "--no-sign", "-n", 1, "--timeout", "10m", check=1)
    assert errors(report) == {("transport", "malformed"): 1}


@pytest.fixture
def certificate(tmp_path):
    """Of localhost, which nobody has signed: its file, and a server's context."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,DNS:cloud.example", "-keyout", key, "-out", cert],
                   check=True, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return str(cert), context


def test_tls_is_checked(cloud, odd, certificate):
    cert, context = certificate
    odd.socket = context.wrap_socket(odd.socket, server_side=True)
    url = "https://localhost:%d/whole" % odd.server_port
    args = ("load", "--no-sign", "-n", 6, "-c", 2, "--url")
    assert outcomes(bench(cloud, *args, url, AWS_CA_BUNDLE=cert)) == {"ok": 6}
    assert errors(bench(cloud, *args, url, check=1)) == {("transport", "TLS"): 6}
    other = url.replace("localhost", "127.0.0.1")
    assert errors(bench(cloud, *args, other, check=1, AWS_CA_BUNDLE=cert)) == {("transport", "TLS"): 6}


class Tunnel(http.server.BaseHTTPRequestHandler):
    """What a cloud behind TLS would be: the request as it came, signature and all, and its answer."""

    protocol_version = "HTTP/1.1"

    def forward(self):
        inner = http.client.HTTPConnection("127.0.0.1", self.server.inner, timeout=60)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        inner.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            inner.putheader(name, value)
        inner.endheaders(body)
        answer = inner.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "date", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        inner.close()

    do_GET = do_POST = forward

    def log_message(self, *args):
        pass


def test_a_whole_run_over_tls(cloud, certificate):
    """As on AWS: Invoke, signed, over TLS, kept alive; failures come with their type."""
    cert, context = certificate
    name = cloud.function(SOURCE)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tunnel)
    server.daemon_threads = True
    server.inner = cloud.port
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        args = ("--endpoint", "https://localhost:%d" % server.server_port, "-n", 12, "-c", 3)
        report = bench(cloud, "load", name, *args, AWS_CA_BUNDLE=cert)
        assert outcomes(report) == {"ok": 12}
        assert report["all"]["all"]["billed"]["n"] == 12
        report = bench(cloud, "load", name, *args, "-p", '{"fail": 1}', check=1, AWS_CA_BUNDLE=cert)
        assert errors(report) == {("function-error", "ValueError"): 12}
    finally:
        server.shutdown()
        server.server_close()


class Proxy(socketserver.StreamRequestHandler):
    """Opens tunnels to 127.0.0.1 for who knows the password, whatever the name; keeps what it was asked."""

    def handle(self):
        lines = iter(lambda: self.rfile.readline().decode().strip(), "")
        self.server.asked.append(list(lines))
        method, to, _ = self.server.asked[-1][0].split()
        key = "Proxy-Authorization: Basic " + base64.b64encode(b"ada:p@ss").decode()
        if method != "CONNECT" or key not in self.server.asked[-1]:
            self.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", int(to.rsplit(":")[1]))) as there:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
            back = threading.Thread(target=self.copy, args=(there, self.connection), daemon=True)
            back.start()
            self.copy(self.connection, there)
            back.join()

    def copy(self, source, sink):
        with contextlib.suppress(OSError):
            while block := source.recv(65536):
                sink.sendall(block)
            sink.shutdown(socket.SHUT_WR)


def test_the_proxy_of_the_environment_is_asked(cloud, odd, certificate):
    """HTTPS_PROXY holds for what is measured: names are resolved there, and its password is told."""
    cert, context = certificate
    odd.socket = context.wrap_socket(odd.socket, server_side=True)
    proxy = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Proxy)
    proxy.daemon_threads, proxy.asked = True, []
    threading.Thread(target=proxy.serve_forever, args=(0.02,), daemon=True).start()
    at = "127.0.0.1:%d" % proxy.server_address[1]
    args = ("load", "--no-sign", "-n", 6, "-c", 2, "--url", "https://cloud.example:%d/whole" % odd.server_port)
    env = {"AWS_CA_BUNDLE": cert, "HTTPS_PROXY": "http://ada:p%40ss@" + at}
    try:
        assert outcomes(bench(cloud, *args, **env)) == {"ok": 6}
        assert {lines[0] for lines in proxy.asked} == {"CONNECT cloud.example:%d HTTP/1.1" % odd.server_port}
        wrong = bench(cloud, *args, check=1, **dict(env, HTTPS_PROXY="http://" + at))
        assert errors(wrong) == {("transport", "proxy"): 6}
        assert "407" in wrong["errors"][0]["message"]
        r = cloud.lamina("bench", *args, check=False, **dict(env, NO_PROXY="other.example, .example"))
        assert r.returncode == 1 and "cloud.example" in r.stderr
        r = cloud.lamina("bench", *args, check=False, **dict(env, HTTPS_PROXY="socks5://" + at))
        assert r.returncode == 1 and "socks5" in r.stderr
        asked = len(proxy.asked)
        assert outcomes(bench(cloud, *args[:-1], "https://localhost:%d/whole" % odd.server_port, **env)) == {"ok": 6}
        assert len(proxy.asked) == asked
    finally:
        proxy.shutdown()
        proxy.server_close()


# ---- a ramp, and wrong usage ----


def test_a_ramp_that_needs_more_connections_says_so(cloud):
    name = cloud.function(SOURCE)
    report = bench(cloud, "ramp", name, "-p", '{"sleep": 0.1}', "--from", 40, "--to", 40, "--stage", "300ms",
                   "--p99-limit", "150ms", "-c", 2, "--precision", "90%")
    assert report["run"]["connections"] == 2
    first = report["stages"][0]
    assert not first["passed"] and "connections were busy (-c)" in first["why"]
    assert {stage["connections"] for stage in report["stages"]} <= {2, None}
    unasked = bench(cloud, "ramp", name, "--from", 20, "--to", 20, "--stage", "200ms", "--p99-limit", "10s")
    assert unasked["run"]["connections"] == 100


def test_a_ramp_finds_where_it_no_longer_holds(cloud):
    """Two at a time that take 50 ms each: at most 40 a second. A stage of a second that is above that
    is throttled."""
    name = cloud.function(SOURCE)
    cloud.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
    report = bench(cloud, "ramp", name, "-p", '{"sleep": 0.05}', "--from", 8, "--to", 512, "--stage",
                   "300ms", "--precision", "60%", "--p99-limit", "30s")
    assert report["run"]["knee_rate"] <= 40
    assert len(report["stages"]) >= 2
    assert any(not s["passed"] and "throttled" in s["why"] for s in report["stages"])


def test_wrong_usage(cloud, tmp_path):
    name = cloud.function(SOURCE)
    (tmp_path / "no.json").write_text("{")
    for code, args in [
        (2, ("rate", name)),
        (2, ("rate", name, "--rate", "-3")),
        (2, ("rate", name, "--rate", "nan")),
        (2, ("load",)),
        (2, ("load", name, "--payload", "{")),
        (1, ("load", name, "--payloads", str(tmp_path))),
        (2, ("load", name, "--threshold", "p99<500")),
        (2, ("load", name, "--min-success", "150%")),
        (1, ("load", name, "--baseline", str(tmp_path / "none.json"))),
        (1, ("load", "no-such-function")),
        (1, ("load", name, "--url", "gopher://x")),
        (2, ("warm", name, "-c", "4")),
    ]:
        r = cloud.lamina("bench", *args, check=False)
        assert r.returncode == code, (args, r.returncode, r.stdout, r.stderr)
        assert r.stderr.startswith("lamina: bench: "), (args, r.stderr)
    assert counted(cloud, name)["invocations"] == 0
