"""A real `lamina up` around tests, and the clients that talk to it."""

import contextlib
import datetime
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import types
import urllib.error
import urllib.request
import uuid
import zipfile
from unittest import mock

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import create_loader

import aws_cli

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LAMINA = os.path.abspath(os.environ.get("LAMINA", os.path.join(ROOT, "build", "lamina")))
# Set to test a server that runs already (some other implementation, say).
ENDPOINT = os.environ.get("LAMINA_TEST_ENDPOINT")
AWS_CLI = os.environ.get("LAMINA_TEST_AWS", aws_cli.PROGRAM)

# Waiters look often: things take milliseconds here.
SOON = {"Delay": 0.02, "MaxAttempts": 1500}

ACCOUNT = "000000000000"
REGION = "us-east-1"
RUNTIME = "python%d.%d" % sys.version_info[:2]
ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def unique(prefix="t"):
    return prefix + "-" + uuid.uuid4().hex[:10]


def zipped(files):
    """A zip archive of {path: text or bytes}; a path ending in * is executable."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for path, content in files.items():
            info = zipfile.ZipInfo(path.rstrip("*"), (2024, 1, 1, 0, 0, 0))
            info.external_attr = (0o100755 if path.endswith("*") else 0o100644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            z.writestr(info, content)
    return out.getvalue()


_HOME = tempfile.TemporaryDirectory(prefix="lamina-test-home-")


def environ(**more):
    """A clean environment for a client: nothing of the user's own AWS settings leaks in."""
    foreign = ("AWS_", "LAMINA_", "SAM_", "XDG_")
    env = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    env.update(
        HOME=_HOME.name,
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_DEFAULT_REGION=REGION,
        AWS_REGION=REGION,
        AWS_CONFIG_FILE="/dev/null",
        AWS_SHARED_CREDENTIALS_FILE="/dev/null",
        AWS_EC2_METADATA_DISABLED="true",
        AWS_PAGER="",
    )
    env.update(more)
    return env


LOADER = create_loader()  # reading the models again for each client takes 80 ms of a processor


def client(url, service, key="test", secret="test", token=None, region=REGION, **config):
    config.setdefault("retries", {"total_max_attempts": 1})
    config.setdefault("connect_timeout", 5)
    config.setdefault("read_timeout", 60)
    if service == "s3":
        config.setdefault("s3", {"addressing_style": "path"})
    session = botocore.session.Session()
    session.register_component("data_loader", LOADER)
    return boto3.session.Session(botocore_session=session).client(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(**config),
    )


def children(pid):
    """The processes below pid, all generations."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry) as f:
                    parents[int(entry)] = int(f.read().rpartition(")")[2].split()[1])
            except OSError:
                pass
    found, grown = set(), {pid}
    while grown:
        grown = {p for p, parent in parents.items() if parent in grown} - found
        found |= grown
    return found


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Cloud:
    """One daemon. start() returns when it answers; stop() sees to it that nothing stays."""

    def __init__(self, args=(), data=None, env=None):
        self.port = free_port()
        self.url = "http://127.0.0.1:%d" % self.port
        self.args = [LAMINA, "up", "--port", str(self.port)]
        self.args += ["--data", str(data)] if data else ["--ephemeral"]
        self.args += args
        self.env = env or {}
        self.process = None
        self.log = tempfile.TemporaryFile("w+")
        self._clients = {}

    def start(self, timeout=20):
        self.process = subprocess.Popen(
            self.args,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=environ(**self.env),
            universal_newlines=True,
        )
        watchdog = threading.Timer(timeout, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline()
        watchdog.cancel()
        if line != "ready %s\n" % self.url:
            self.process.kill()
            self.process.wait()
            raise AssertionError("lamina up printed %r\n%s" % (line, self.log_text()))
        return self

    def log_text(self):
        self.log.seek(0)
        return self.log.read()[-20000:]

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, signal_number=signal.SIGTERM, within=5.0):
        """Ends the daemon; AssertionError when that takes long or leaves processes behind. (It takes
        less than a second, see test_lifecycle.py; not so on a machine that is busy with tests.)"""
        family = children(self.process.pid)
        started = time.monotonic()
        self.process.send_signal(signal_number)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("still running 10 s after a signal\n" + self.log_text())
        took = time.monotonic() - started
        rest = self.process.stdout.read()
        self.process.stdout.close()
        assert rest == "", "more than one line on stdout: %r" % rest
        assert took < within, "took %.2f s to end" % took
        left = wait_gone(family)
        assert not left, "processes left behind: %s" % left
        return self.process.returncode

    def kill(self):
        """kill -9, as power loss would do; the daemon's family must go too."""
        family = children(self.process.pid)
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        left = wait_gone(family)
        assert not left, "processes survive kill -9 of the daemon: %s" % left

    def client(self, service, **options):
        if options:
            return client(self.url, service, **options)
        if service not in self._clients:
            self._clients[service] = client(self.url, service)
        return self._clients[service]

    def __getattr__(self, name):
        """cloud.s3, cloud.lambda_, cloud.logs, ..."""
        services = {"lambda_": "lambda", "cfn": "cloudformation"}
        if name in services or name in ("s3", "sts", "iam", "logs"):
            return self.client(services.get(name, name))
        raise AttributeError(name)

    # ---- other clients ----

    def aws(self, *args, check=True, input=None, cwd=None, text=True, **env):
        """Debian's aws CLI (2.9 knows --endpoint-url only)."""
        args = ["--endpoint-url", self.url, *map(str, args)]
        options = dict(env=environ(**env), input=input, cwd=cwd, timeout=120)
        if AWS_CLI == aws_cli.PROGRAM and "PYTHONPATH" not in env:
            r = aws_cli.run(args, text=text, **options)
        else:
            r = subprocess.run([AWS_CLI, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               universal_newlines=text, **options)
        if check and r.returncode:
            raise AssertionError("aws %s: exit %d\n%s%s" % (args, r.returncode, r.stdout, r.stderr))
        return r

    def lamina(self, *args, check=True, input=None, cwd=None, timeout=120, **env):
        """A verb, with this cloud as its target."""
        return lamina(*args, check=check, input=input, cwd=cwd, timeout=timeout,
                      AWS_ENDPOINT_URL=self.url, **env)

    # ---- often needed ----

    def role(self, policy=None, trust=TRUST):
        """A new role's ARN; `policy` is a list of statements."""
        name = unique("role")
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        if policy:
            self.iam.put_role_policy(
                RoleName=name,
                PolicyName="inline",
                PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": policy}),
            )
        return arn

    def function(self, source=None, files=None, name=None, **options):
        """Creates a python function and waits until it is active; returns its name."""
        if files is None:
            files = {"app.py": source}
        options.setdefault("Runtime", RUNTIME)
        options.setdefault("Handler", "app.handler")
        options.setdefault("Timeout", 5)
        if "Role" not in options:
            options["Role"] = self.lambda_role()
        name = name or unique("fn")
        self.lambda_.create_function(FunctionName=name, Code={"ZipFile": zipped(files)}, **options)
        self.lambda_.get_waiter("function_active_v2").wait(
            FunctionName=name, WaiterConfig=SOON
        )
        return name

    def configure(self, name, **settings):
        """Settings of a function that Debian's boto3 does not know yet."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        url = "%s/2015-03-31/functions/%s/configuration" % (self.url, name)
        request = AWSRequest("PUT", url, data=json.dumps(settings).encode())
        SigV4Auth(Credentials("test", "test"), "lambda", REGION).add_auth(request)
        request = urllib.request.Request(
            url, request.data, dict(request.headers), method=request.method
        )
        try:
            with urllib.request.urlopen(request) as r:
                return r.status, json.loads(r.read())
        except urllib.error.HTTPError as e:
            return e.code, json.loads(e.read())

    def lambda_role(self):
        if "_lambda_role" not in self.__dict__:
            self._lambda_role = self.role(
                [{"Effect": "Allow", "Action": ["logs:*", "s3:*"], "Resource": "*"}]
            )
        return self._lambda_role

    def invoke(self, name, event=None, tail=True, **options):
        """Invokes a function and returns an Invocation."""
        if tail:
            options.setdefault("LogType", "Tail")
        r = self.lambda_.invoke(FunctionName=name, Payload=json.dumps(event).encode(), **options)
        return Invocation(r)

    def log_events(self, name, count=1, within=5, until=None):
        """Messages of a function's log group, once at least `count` are there (and, when it is
        given, one that begins with `until`)."""
        deadline = time.monotonic() + within
        while True:
            try:
                r = self.logs.filter_log_events(logGroupName="/aws/lambda/" + name)
                messages = [e["message"] for e in r["events"]]
            except self.logs.exceptions.ResourceNotFoundException:
                messages = []
            done = len(messages) >= count and (
                until is None or any(m.startswith(until) for m in messages)
            )
            if done or time.monotonic() > deadline:
                return messages
            time.sleep(0.02)


class Invocation:
    def __init__(self, response):
        import base64

        self.status = response["StatusCode"]
        self.error = response.get("FunctionError")
        self.version = response.get("ExecutedVersion")
        self.headers = response["ResponseMetadata"]["HTTPHeaders"]
        self.id = response["ResponseMetadata"]["RequestId"]
        self.body = response["Payload"].read()
        self.log = base64.b64decode(response.get("LogResult", "")).decode()

    @property
    def payload(self):
        return json.loads(self.body)

    @property
    def report(self):
        """The figures of the REPORT line: {"Duration": 3.01, "Memory Size": 128, ...}"""
        line = [l for l in self.log.splitlines() if l.startswith("REPORT ")][-1]
        fields = dict(f.split(": ", 1) for f in line.split("\t")[1:] if ": " in f)
        return {k: float(v.split()[0]) if v[0].isdigit() else v for k, v in fields.items()}


def lamina(*args, check=True, input=None, cwd=None, timeout=120, **env):
    r = subprocess.run(
        [LAMINA, *map(str, args)],
        env=environ(**env),
        input=input,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=None if input is not None else subprocess.DEVNULL,
        universal_newlines=True,
        timeout=timeout,
    )
    if check and r.returncode:
        raise AssertionError(
            "lamina %s: exit %d\n%s%s" % (" ".join(map(str, args)), r.returncode, r.stdout, r.stderr)
        )
    return r


def wait_gone(pids, within=2.0):
    """Those of pids that are alive after a while."""
    deadline = time.monotonic() + within
    left = [p for p in pids if alive(p)]
    while left and time.monotonic() < deadline:
        time.sleep(0.01)
        left = [p for p in left if alive(p)]
    return left


class External(Cloud):
    """A server that somebody else has started."""

    def __init__(self, url):
        super().__init__()
        self.url = url

    def start(self, timeout=0):
        return self

    def running(self):
        return True

    def stop(self, *args, **options):
        return 0


def error_of(call, *args, **kwargs):
    """(status, code, message) of the error that a client call must end with."""
    from botocore.exceptions import ClientError

    try:
        r = call(*args, **kwargs)
    except ClientError as e:
        meta, error = e.response["ResponseMetadata"], e.response["Error"]
        return meta["HTTPStatusCode"], error["Code"], error["Message"]
    raise AssertionError("no error, but %r" % (r,))


@contextlib.contextmanager
def signed_earlier(**ago):
    """Within, boto3 signs as it would have done some time ago (signed_earlier(hours=2))."""
    import botocore.auth

    class Earlier(datetime.datetime):
        @classmethod
        def utcnow(cls):
            return datetime.datetime.utcnow() - datetime.timedelta(**ago)

    clock = types.SimpleNamespace(**vars(datetime))
    clock.datetime = Earlier
    modules = [botocore.auth]
    try:
        import botocore.crt.auth

        modules.append(botocore.crt.auth)
    except ImportError:
        pass
    with contextlib.ExitStack() as stack:
        for module in modules:
            stack.enter_context(mock.patch.object(module, "datetime", clock))
        yield
