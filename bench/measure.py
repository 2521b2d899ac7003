"""measure - what bench/run and bench/breakdown share: signed requests, processes that are started and
looked at, series of samples and the table they are printed in."""

import base64
import datetime
import glob
import hashlib
import hmac
import io
import json
import os
import re
import select
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
REGION, ACCOUNT = "us-east-1", "000000000000"
PYTHON = "python%d.%d" % sys.version_info[:2]
MS = 1e6  # nanoseconds


# ---- requests ----


def sign(method, port, service, path, body=b"", headers=(), key="test", secret="test"):
    """A whole HTTP request, signed as AWS wants it. Good for some minutes."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    all_headers = {"host": "127.0.0.1:%d" % port, "x-amz-date": now,
                   "x-amz-content-sha256": digest, **dict(headers)}
    names = sorted(all_headers)
    path, _, query = path.partition("?")
    canonical = "\n".join(
        [method, path, query, *("%s:%s" % (n, all_headers[n]) for n in names), "",
         ";".join(names), digest])
    scope = "%s/%s/%s/aws4_request" % (now[:8], REGION, service)
    text = "AWS4-HMAC-SHA256\n%s\n%s\n%s" % (
        now, scope, hashlib.sha256(canonical.encode()).hexdigest())
    k = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        k = hmac.digest(k, part.encode(), "sha256")
    signature = hmac.digest(k, text.encode(), "sha256").hex()
    head = ["%s %s%s HTTP/1.1" % (method, path, "?" + query if query else "")]
    head += ["%s: %s" % (n, v) for n, v in all_headers.items()]
    head += ["authorization: AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s"
             % (key, scope, ";".join(names), signature),
             "content-length: %d" % len(body), "", ""]
    return "\r\n".join(head).encode() + body


class Connection:
    """Keep-alive, one request at a time, timed from the first byte out to the last one in."""

    def __init__(self, port):
        self.port = port
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request):
        """Returns (status, headers, body, nanoseconds)."""
        started = time.monotonic_ns()
        self.socket.sendall(request)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._read()
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = {n.lower(): v for n, _, v in (l.partition(": ") for l in lines[1:])}
        want = int(headers.get("content-length", 0))
        while len(body) < want:
            body += self._read()
        took = time.monotonic_ns() - started
        return int(lines[0].split()[1]), headers, body, took

    def close(self):
        self.socket.close()

    def _read(self):
        data = self.socket.recv(1 << 20)
        if not data:
            raise OSError("the server has closed the connection")
        return data

    def call(self, method, service, path, body=b"", headers=()):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        status, head, answer, took = self.ask(
            sign(method, self.port, service, path, body, headers))
        if status >= 300:
            raise OSError("%s %s: %d %s" % (method, path, status, answer.decode()[:500]))
        return head, answer, took


# ---- processes ----


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def environ(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "LAMINA_", "SAM_"))}
    env.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_REGION=REGION,
               AWS_DEFAULT_REGION=REGION, AWS_CONFIG_FILE="/dev/null",
               AWS_SHARED_CREDENTIALS_FILE="/dev/null", **more)
    return env


class Server:
    """A process that prints "ready ..." when it listens. `took` is the time from before its start
    to its first answer."""

    def __init__(self, command, port, request, **more):
        self.port = port
        out, theirs = os.pipe()
        null = os.open(os.devnull, os.O_RDWR)
        actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, theirs, 1),
                   (os.POSIX_SPAWN_DUP2, null, 2)]
        started = time.monotonic_ns()
        self.pid = os.posix_spawn(command[0], command, environ(**more), file_actions=actions)
        os.close(theirs)
        os.close(null)
        said = b""
        while not said.endswith(b"\n"):
            if not select.select([out], [], [], 20)[0]:
                self.stop()
                raise OSError("%s: not ready after 20 s" % command[0])
            data = os.read(out, 4096)
            if not data:
                raise OSError("%s ended" % " ".join(command))
            said += data
        self.ready = time.monotonic_ns() - started
        self.connection = Connection(port)
        status, _, body, _ = self.connection.ask(request)
        self.took = time.monotonic_ns() - started
        os.close(out)
        if status != 200:
            raise OSError("%s answers %d: %r" % (command[0], status, body[:300]))

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        os.waitpid(self.pid, 0)

    def family(self):
        pids, found = {self.pid}, set()
        while pids:
            found |= pids
            pids = {c for p in pids for c in children(p)} - found
        return found


def run_ns(pids):
    """Nanoseconds that all threads of these processes have run, user and system together."""
    total = 0
    for pid in pids:
        for path in glob.glob("/proc/%d/task/*/schedstat" % pid):
            try:
                with open(path) as f:
                    total += int(f.read().split()[0])
            except OSError:
                pass  # the thread has ended
    return total


def groups_ns(spawner):
    """Nanoseconds that all environments of a spawner have run, those that have ended, too; None
    where there are no control groups."""
    for path in (glob.glob("/sys/fs/cgroup/lamina/%d-*/cpu.stat" % spawner)
                 + glob.glob("/sys/fs/cgroup/*/lamina/%d-*/cpu.stat" % spawner)):
        with open(path) as f:
            found = re.search(r"^usage_usec (\d+)", f.read(), re.M)
        if found:
            return int(found[1]) * 1000
    for path in glob.glob("/sys/fs/cgroup/*/lamina/%d-*/cpuacct.usage" % spawner):
        with open(path) as f:
            return int(f.read())
    return None


def user_share(pid):
    """Clock ticks in user mode and in all."""
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[11]), int(fields[11]) + int(fields[12])


def switches(pid):
    """How often its threads have gone to sleep or been put aside."""
    total = 0
    for path in glob.glob("/proc/%d/task/*/status" % pid):
        with open(path) as f:
            total += sum(map(int, re.findall(r"ctxt_switches:\s+(\d+)", f.read())))
    return total


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return {int(c) for c in f.read().split()}
    except OSError:
        return set()


def pss(pid):
    """Proportional set size in bytes; 0 for a process that may not be looked at."""
    try:
        with open("/proc/%d/smaps_rollup" % pid) as f:
            return int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M)[1]) * 1024
    except (OSError, TypeError):
        return 0


# ---- the table ----


class Series:
    """Samples of one thing, in nanoseconds (or bytes)."""

    def __init__(self, samples):
        self.samples = sorted(samples)

    def at(self, share):
        return self.samples[min(len(self.samples) - 1, int(share * len(self.samples)))]

    def median(self):
        return statistics.median(self.samples)


noisy = []

# Nanoseconds that these floors took where the budgets were set; bench/README.md says when and how.
REFERENCE = {"round trip": 13.3e3, "exec": 471e3, "python": 4.98e6, "node": 46e6}

UNITS = {"ms": 1e6, "us": 1e3, "MiB": 1 << 20, "/s": 1, "x": 1, "": 1}


def text_of(value, unit):
    value /= UNITS[unit]
    return "%.*f %s" % (0 if unit in ("/s", "") else 1 if value >= 10 else 3 if unit == "ms" else 2,
                        value, unit)


def line(name, value, more, n, floor_name="", floor="", ratio="", verdict=""):
    print("%-34s %11s %11s %6d   %-24s %11s %8s   %s" % (
        name, value, more, n, floor_name, floor, ratio, verdict), flush=True)


def kept(value, budget, unit, slower):
    """What became of a budget, as it is written; behind that, when it is known how much slower this
    machine is, what became of so many times the budget."""
    def verdict(most):
        return "%s %g %s" % ("<=" if value <= most * UNITS[unit] else "ABOVE", most, unit)

    if not slower:
        return verdict(budget)
    return "%s (scaled: %s)" % (verdict(budget), verdict(float("%.3g" % (budget * slower))))


def row(name, subject, floor_name="", floor=None, budget=None, unit="ms", spread=None, worst=None,
        scale=None):
    """One row. A budget is the most that is wanted (for rates: the least); with `spread`, the p99
    may be that many times the median; `worst` is the most that the p99 may be. `scale` names a
    floor of REFERENCE, and its samples of this run when they are not those of `floor`."""
    subject, floor = Series(subject), Series(floor) if floor else None
    median, p99 = subject.median(), subject.at(0.99)
    verdict, slower = [], None
    if scale:
        key, samples = scale if isinstance(scale, tuple) else (scale, floor.samples)
        slower = Series(samples).median() / REFERENCE[key]
    if unit == "/s" and budget is not None:
        verdict.append("%s %s%s" % (">=" if median >= budget else "BELOW", "{:,}".format(budget),
                                    unit))
    elif budget is not None:
        verdict.append(kept(median, budget, unit, slower))
    if worst:
        verdict.append("p99 " + kept(p99, worst, unit, slower))
    if spread:
        verdict.append("p99 %.1fx%s" % (p99 / median, "" if p99 <= spread * median
                                        else " ABOVE %gx" % spread))
    line(name, text_of(median, unit), text_of(p99, unit), len(subject.samples), floor_name,
         text_of(floor.median(), unit) if floor else "",
         "%.2f" % (median / floor.median()) if floor else "", ", ".join(verdict))
    if floor and len(floor.samples) >= 20 and floor.at(0.9) > 3 * floor.median():
        noisy.append(name)


def head(columns=True):
    with open("/proc/cpuinfo") as f:
        model = re.search(r"model name\s*: (.*)", f.read())
    print("%s, %d processors, Linux %s, load %s" % (
        model[1] if model else "?", os.cpu_count(), os.uname().release,
        " ".join("%.2f" % l for l in os.getloadavg())))
    if os.getloadavg()[0] > 0.5 * os.cpu_count():
        print("warning: the machine is busy with something else; read the ratios, not the times")
    if not columns:
        return
    print()
    print("%-34s %11s %11s %6s   %-24s %11s %8s   %s" % (
        "what", "median", "p99", "n", "beside it", "median", "ratio", "budget"))


# ---- a place to measure in ----


TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": "sts:AssumeRole"}]})
PYTHON_CODE = "def handler(event, context):\n    return event\n"
NODE_SERVER = """
require('node:http').createServer((req, res) => {
  let body = '';
  req.on('data', (data) => (body += data));
  req.on('end', () => res.end(JSON.stringify(body ? JSON.parse(body) : null)));
}).listen(%d, '127.0.0.1', () => console.log('ready'));
"""
NODE_CODE = "exports.handler = async (event) => event;\n"


def quote(text):
    return "".join(c if c.isalnum() else "%%%02X" % ord(c) for c in text)


def node_runtime():
    """The runtime of the node that is installed, or None."""
    program = shutil.which("node")
    if not program:
        return None
    version = subprocess.run([program, "--version"], stdout=subprocess.PIPE, text=True).stdout
    found = re.match(r"v(18|20|22|24)\.", version)
    return "nodejs%s.x" % found[1] if found else None


class Lab:
    """Programs built, servers started, functions made; all gone with close()."""

    def __init__(self, program, scratch):
        self.lamina, self.scratch = program, scratch
        self.servers, self.functions = [], set()
        self._cloud = self._echo = self._node = None
        for folder, name, options in (
                ("floor", "echo", ()), ("floor", "spawn", ()), ("load", "load", ("-lcrypto",)),
                ("function", "bootstrap", ("-static",))):
            subprocess.run(["cc", "-O2", "-o", self.tool(name),
                            os.path.join(HERE, folder, name + ".c"), *options], check=True)

    def close(self):
        for server in list(self.servers):
            server.stop()

    def tool(self, name):
        return os.path.join(self.scratch, name)

    def serve(self, command, port, request, **more):
        server = Server(command, port, request, **more)
        self.servers.append(server)
        return server

    def end(self, server):
        self.servers.remove(server)
        server.stop()

    def up(self, *args, **more):
        port = free_port()
        request = sign("POST", port, "sts", "/", b"Action=GetCallerIdentity&Version=2011-06-15",
                       {"content-type": "application/x-www-form-urlencoded"})
        command = [self.lamina, "up", "--port", str(port),
                   *(args if "--data" in args else ("--ephemeral", *args))]
        return self.serve(command, port, request, **more)

    def echo(self):
        port = free_port()
        request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        return self.serve([self.tool("echo"), str(port)], port, request)

    @property
    def cloud(self):
        if not self._cloud:
            self.unsigned = free_port()
            # The clocks of invocations cost nothing that could be measured; an account may invoke
            # ten times its concurrency in a second, which is less than what is measured here.
            self._cloud = self.up("--rie", "warm-c=%d" % self.unsigned, "--concurrency", "5000",
                                  LAMINA_TIMES="1")
        return self._cloud

    @property
    def echoing(self):
        if not self._echo:
            self._echo = self.echo()
        return self._echo

    @property
    def node(self):
        """A server of node's own that answers with the body, in as few lines as it can be."""
        if not self._node:
            port = free_port()
            command = [shutil.which("node"), "-e", NODE_SERVER % port]
            self._node = self.serve(command, port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        return self._node

    def load(self, port, path, count, *options, method="POST", service="lambda", body=b"",
             connections=1, warm=20):
        """Asks in C. Returns the lines behind the first, and nanoseconds of it all."""
        command = [self.tool("load"), "-c", str(connections), "-n", str(count), "-w", str(warm),
                   *(("-s", service) if service else ()), *options, str(port), method, path]
        r = subprocess.run(command, input=body, stdout=subprocess.PIPE, check=True)
        first, *rest = r.stdout.decode().splitlines()
        status, failed, took, _ = map(int, first.split())
        if failed:
            raise OSError("%s %s: %d of %d answers are not 2xx, the last is %d" % (
                method, path, failed, count, status))
        return rest, took

    def samples(self, *args, **more):
        return list(map(int, self.load(*args, **more)[0]))

    def beside(self, ports, count, path, rounds=5, **more):
        """Samples of one question to several servers, in turns, so that noise meets them alike."""
        samples = [[] for _ in ports]
        for _ in range(rounds):
            for out, port in zip(samples, ports):
                out += self.samples(port, path, max(1, count // rounds), **more)
        return samples

    def spawn(self, count, how, *command):
        r = subprocess.run([self.tool("spawn"), str(count), how, *command],
                           stdout=subprocess.PIPE, check=True)
        return list(map(int, r.stdout.split()))

    # functions

    def function(self, name, kind="python", code=None, **more):
        """A function that answers with its event, or has that code; None when this machine cannot
        run it. `more` is configuration."""
        runtime = {"python": PYTHON, "node": node_runtime(), "c": "provided.al2023"}[kind]
        if not runtime or name in self.functions:
            return runtime and name
        c = self.cloud.connection
        form = {"content-type": "application/x-www-form-urlencoded"}
        role = "bench-" + name
        for text in (
                "Action=CreateRole&Version=2010-05-08&RoleName=%s&AssumeRolePolicyDocument=%s" % (
                    role, quote(TRUST)),
                "Action=AttachRolePolicy&Version=2010-05-08&RoleName=%s&PolicyArn=%s" % (
                    role, quote("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"))):
            c.call("POST", "iam", "/", text.encode(), form)
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as z:
            if kind == "c":
                entry = zipfile.ZipInfo("bootstrap")
                entry.external_attr = 0o100755 << 16
                with open(self.tool("bootstrap"), "rb") as f:
                    z.writestr(entry, f.read())
            else:
                z.writestr("app.py" if kind == "python" else "app.js",
                           code or (PYTHON_CODE if kind == "python" else NODE_CODE))
        c.call("POST", "lambda", "/2015-03-31/functions", {
            "FunctionName": name, "Runtime": runtime, "Handler": "app.handler",
            "Role": "arn:aws:iam::%s:role/%s" % (ACCOUNT, role), "MemorySize": 1769,
            "Code": {"ZipFile": base64.b64encode(package.getvalue()).decode()}, **more})
        self.settled(name)
        self.functions.add(name)
        return name

    def settled(self, name):
        c = self.cloud.connection
        while True:
            state = json.loads(
                c.call("GET", "lambda", "/2015-03-31/functions/%s/configuration" % name)[1])
            if state["State"] == "Active" and state["LastUpdateStatus"] == "Successful":
                return

    def renew(self, name, i):
        """A change of the configuration makes the next environment a new one."""
        self.cloud.connection.call("PUT", "lambda", "/2015-03-31/functions/%s/configuration" % name,
                                   {"Description": "cold %s" % i})
        self.settled(name)

    @staticmethod
    def path(name):
        return "/2015-03-31/functions/%s/invocations" % name
