"""What a function sees from inside its environment, and what it cannot reach."""

import os
import re

import pytest

from cloud import ACCOUNT, REGION, RUNTIME

# Runs whatever code the event brings; `result` is the answer.
SOURCE = """
import os
def handler(event, context):
    scope = {"context": context}
    exec(event, scope)
    return scope.get("result")
"""


@pytest.fixture(scope="module")
def names():
    return {}


@pytest.fixture
def inside(cloud, names):
    if cloud.url not in names:
        names[cloud.url] = cloud.function(
            files={"app.py": SOURCE, "data/file.txt": "from the zip", "run.sh*": "#!/bin/sh\necho ran\n"},
            Environment={"Variables": {"MINE": "value", "LANG": "C.UTF-8"}},
            MemorySize=256,
            EphemeralStorage={"Size": 600},
            Timeout=20,
        )

    def run(code):
        r = cloud.invoke(names[cloud.url], code)
        assert r.error is None, r.body.decode()
        return r.payload

    run.name = names[cloud.url]
    return run


def denied(inside, code):
    """The name of the exception that `code` ends with, or None."""
    return inside(
        "try:\n%s\n    result = None\nexcept Exception as e:\n    result = type(e).__name__"
        % "\n".join("    " + line for line in code.splitlines())
    )


def test_user(inside):
    assert inside("import os; result = [os.getuid(), os.geteuid(), os.getgid(), os.getgroups()]") in (
        [993, 993, 990, []],
        [993, 993, 990, [990]],
    )


def test_no_privileges(inside):
    status = inside("result = open('/proc/self/status').read()")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["NoNewPrivs"] == "1"
    assert fields["Seccomp"] == "2"
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(fields[name], 16) == 0, name


@pytest.mark.parametrize("path", ["/root", "/home", "/var/lib/dpkg", "/boot", "/mnt", "/srv"])
def test_host_folders_are_not_there(inside, path):
    assert inside("import os; result = os.path.exists(%r) and os.listdir(%r)" % (path, path)) in (
        False,
        [],
    )


def test_files_of_the_host_are_not_there(inside, tmp_path):
    (tmp_path / "secret").write_text("x")
    assert denied(inside, "open(%r).read()" % str(tmp_path / "secret")) == "FileNotFoundError"
    assert denied(inside, "open('/etc/shadow').read()") in ("FileNotFoundError", "PermissionError")


def test_task_folder(inside):
    assert inside("import os; result = os.getcwd()") == "/var/task"
    assert inside("result = open('data/file.txt').read()") == "from the zip"
    assert inside("import os; result = sorted(os.listdir('/var/task'))") == ["app.py", "data", "run.sh"]
    assert inside("import subprocess; result = subprocess.check_output('./run.sh').decode()") == "ran\n"


@pytest.mark.parametrize("path", ["/var/task/x", "/opt/x", "/var/runtime/x", "/usr/x", "/etc/x", "/x"])
def test_only_tmp_can_be_written(inside, path):
    assert denied(inside, "open(%r, 'w')" % path) in ("OSError", "PermissionError", "FileNotFoundError")


def test_tmp(inside):
    assert inside("import os; result = [oct(os.stat('/tmp').st_mode), os.listdir('/tmp')]") == ["0o41777", []]
    size = inside("import os; s = os.statvfs('/tmp'); result = s.f_blocks * s.f_frsize")
    assert size == 600 << 20
    assert denied(
        inside,
        "import os\ntry:\n    with open('/tmp/big', 'wb') as f:\n"
        "        for _ in range(601): f.write(b'x' * (1 << 20))\nfinally:\n    os.unlink('/tmp/big')",
    ) == "OSError"


def test_environment(cloud, inside):
    env = inside("import os; result = dict(os.environ)")
    name = inside.name
    assert re.fullmatch(r"ASIA[A-Z0-9]{16}", env.pop("AWS_ACCESS_KEY_ID"))
    assert len(env.pop("AWS_SECRET_ACCESS_KEY")) == 40
    assert len(env.pop("AWS_SESSION_TOKEN")) > 20
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", env.pop("AWS_LAMBDA_LOG_STREAM_NAME"))
    assert re.match(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};", env.pop("_X_AMZN_TRACE_ID"))
    assert re.match(r"http://", env.pop("AWS_ENDPOINT_URL"))
    version = RUNTIME[len("python") :]
    expected = {
        "MINE": "value",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python" + version,
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/" + name,
        "AWS_LAMBDA_RUNTIME_API": "169.254.100.1:9001",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "169.254.100.1:2000",
        "_AWS_XRAY_DAEMON_ADDRESS": "169.254.100.1",
        "_AWS_XRAY_DAEMON_PORT": "2000",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LANG": "C.UTF-8",
        "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:"
        "/var/task/lib:/opt/lib",
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "PWD": "/var/task",
        "PYTHONPATH": "/var/runtime",
        "SHLVL": "0",
        "TZ": ":UTC",
        "_HANDLER": "app.handler",
    }
    optional = {"LC_CTYPE"}
    assert {k: v for k, v in env.items() if k not in optional} == expected


def test_search_path(inside):
    path = inside("import sys; result = sys.path")
    assert path[:3] == ["/var/task", "/opt/python/lib/%s/site-packages" % RUNTIME, "/opt/python"]
    assert path[-1] == "/var/runtime"


def test_processes(inside):
    assert inside("import os; result = os.getpid()") < 100
    pids = inside("import os; result = [int(p) for p in os.listdir('/proc') if p.isdigit()]")
    assert len(pids) <= 3  # the environment's own, not the machine's
    assert inside("import os; result = os.cpu_count()") >= 1
    assert inside("import resource; result = resource.getrlimit(resource.RLIMIT_NOFILE)[0]") == 1024


def test_a_fork_bomb_is_contained(cloud, inside):
    name = cloud.function(
        "import os, time\n"
        "def handler(event, context):\n"
        "    n = 0\n"
        "    try:\n"
        "        while n < 5000:\n"
        "            if os.fork() == 0:\n"
        "                time.sleep(60)\n"
        "                os._exit(0)\n"
        "            n += 1\n"
        "    except OSError:\n"
        "        return n\n",
        Timeout=30,
        MemorySize=1024,
    )
    r = cloud.invoke(name)
    assert r.error is None and 100 < r.payload <= 1024
    cloud.lambda_.delete_function(FunctionName=name)


def test_network(inside):
    code = (
        "import socket\n"
        "result = sorted(name for _, name in socket.if_nameindex())"
    )
    assert inside(code) == ["lo"]
    assert denied(
        inside, "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=2)"
    ) in ("OSError", "TimeoutError", "timeout", "ConnectionRefusedError")


def test_ports_of_the_host_are_not_there(cloud, inside):
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        assert denied(
            inside, "import socket\nsocket.create_connection(('127.0.0.1', %d), timeout=2)" % port
        ) == "ConnectionRefusedError"


def test_environments_do_not_see_each_other(cloud):
    source = (
        "import os, time\n"
        "def handler(event, context):\n"
        "    open('/tmp/' + event, 'w').close()\n"
        "    time.sleep(.3)\n"
        "    return [os.listdir('/tmp'), os.environ['AWS_LAMBDA_LOG_STREAM_NAME']]\n"
    )
    import threading

    name = cloud.function(source)
    answers = {}

    def call(event):
        client = cloud.client("lambda", user_agent_extra=event)
        r = client.invoke(FunctionName=name, Payload='"%s"' % event)
        import json

        answers[event] = json.loads(r["Payload"].read())

    for i in range(5):  # a busy machine may do one after the other, in the same environment
        events = ["a%d" % i, "b%d" % i]
        threads = [threading.Thread(target=call, args=[e]) for e in events]
        [t.start() for t in threads]
        [t.join() for t in threads]
        (seen_a, in_a), (seen_b, in_b) = answers[events[0]], answers[events[1]]
        if in_a != in_b:
            break
    assert in_a != in_b
    assert events[0] in seen_a and events[1] in seen_b and not set(seen_a) & set(seen_b)


# ---- the cloud from inside ------------------------------------------------------------------------

SIGNED = """
import datetime, hashlib, hmac, os, urllib.error, urllib.parse, urllib.request

def request(method, service, path, body=b"", query="", headers=None):
    url = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"])
    now = datetime.datetime.utcnow().strftime("%Y%m%dT%H%M%SZ")
    region, digest = os.environ["AWS_REGION"], hashlib.sha256(body).hexdigest()
    head = {"host": url.netloc, "x-amz-date": now, "x-amz-content-sha256": digest,
            "x-amz-security-token": os.environ["AWS_SESSION_TOKEN"], **(headers or {})}
    names = ";".join(sorted(head))
    canonical = "\\n".join([method, path, query] + [n + ":" + head[n] for n in sorted(head)]
                          + ["", names, digest])
    scope = "/".join([now[:8], region, service, "aws4_request"])
    text = "\\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"]).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    head["Authorization"] = "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s" % (
        os.environ["AWS_ACCESS_KEY_ID"], scope, names, hmac.new(key, text.encode(), "sha256").hexdigest())
    r = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"] + path + ("?" + query if query else ""),
                               data=body or None, method=method, headers=head)
    try:
        with urllib.request.urlopen(r, timeout=10) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()

def handler(event, context):
    return request(*event[:3], event[3].encode(), *event[4:])
"""


def test_a_function_calls_the_cloud_as_its_role(cloud, bucket):
    role = cloud.role(
        [
            {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::%s/*" % bucket},
            {"Effect": "Allow", "Action": "logs:*", "Resource": "*"},
        ]
    )
    name = cloud.function(SIGNED, Role=role, Timeout=20)
    assert cloud.invoke(name, ["PUT", "s3", "/%s/key" % bucket, "from inside"]).payload == [200, ""]
    assert cloud.s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"from inside"

    status, body = cloud.invoke(name, ["GET", "s3", "/%s/key" % bucket, ""]).payload
    assert status == 403
    session = "arn:aws:sts::%s:assumed-role/%s/%s" % (ACCOUNT, role.rpartition("/")[2], name)
    assert (
        "User: %s is not authorized to perform: s3:GetObject on resource: "
        '"arn:aws:s3:::%s/key" because no identity-based policy allows the s3:GetObject action'
        % (session, bucket)
    ) in body.replace("&quot;", '"').replace("&#34;", '"')


def test_a_function_knows_who_it_is(cloud):
    name = cloud.function(SIGNED, Timeout=20)
    status, body = cloud.invoke(
        name,
        ["POST", "sts", "/", "Action=GetCallerIdentity&Version=2011-06-15", "",
         {"content-type": "application/x-www-form-urlencoded"}],
    ).payload
    role = cloud.lambda_role().rpartition("/")[2]
    assert status == 200
    assert "<Arn>arn:aws:sts::%s:assumed-role/%s/%s</Arn>" % (ACCOUNT, role, name) in body


def test_boto3_of_the_machine_works_inside(cloud, bucket):
    pytest.importorskip("boto3")
    source = (
        "import os, boto3\n"
        "def handler(event, context):\n"
        "    s3 = boto3.client('s3', endpoint_url=os.environ['AWS_ENDPOINT_URL'])\n"
        "    s3.put_object(Bucket=event, Key='k', Body=b'boto')\n"
        "    return s3.get_object(Bucket=event, Key='k')['Body'].read().decode()\n"
    )
    name = cloud.function(source, Timeout=30, MemorySize=512)
    r = cloud.invoke(name, bucket)
    assert (r.error, r.payload) == (None, "boto")


def test_deleted_functions_leave_no_process(cloud):
    from cloud import children, wait_gone

    before = children(cloud.process.pid)
    name = cloud.function("def handler(e, c):\n    return 1\n")
    cloud.invoke(name)
    cloud.lambda_.delete_function(FunctionName=name)
    # Spares may have been made meanwhile: count only what runs function code.
    new = children(cloud.process.pid) - before
    mine = [p for p in new if name in _environ(p)]
    assert wait_gone(mine) == []


def _environ(pid):
    try:
        with open("/proc/%d/environ" % pid, "rb") as f:
            return f.read().decode("utf-8", "replace")
    except OSError:
        return ""


# ---- what a hostile function tries -----------------------------------------------------------------

RAW = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(*args):
    r = libc.syscall(*map(ctypes.c_long, args))
    return r if r >= 0 else -ctypes.get_errno()
"""


def test_doors_of_the_kernel_are_closed(inside):
    import errno

    numbers = {  # x86-64's and arm64's
        "x86_64": dict(mount=165, unshare=272, setns=308, ptrace=101, bpf=321, keyctl=250,
                       open_by_handle_at=304, perf_event_open=298, io_uring_setup=425),
        "aarch64": dict(mount=40, unshare=97, setns=268, ptrace=117, bpf=280, keyctl=219,
                        open_by_handle_at=265, perf_event_open=241, io_uring_setup=425),
    }[os.uname().machine]
    for name, number in numbers.items():
        assert inside(RAW + "result = call(%d, 0x10000000, 0, 0, 0, 0, 0)" % number) == -errno.EPERM, name


def test_sockets_lead_to_the_own_network_only(inside):
    # The upper half of the family is not looked at by the kernel, and must not fool the filter.
    number = {"x86_64": 41, "aarch64": 198}[os.uname().machine]
    made = inside(
        RAW + "result = [f for f in range(48) for high in (0, 1 << 32) for kind in (1, 2, 3, 5)"
        " if call(%d, f + high, kind, 0) >= 0]" % number
    )
    assert set(made) <= {1, 2, 10, 16}  # unix, IPv4, IPv6, netlink
    assert denied(inside, "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_RAW, 1)") == (
        "PermissionError"
    )


def test_nothing_of_the_first_process_can_be_read(inside):
    for name in ("environ", "maps", "mem", "fd", "root", "cwd"):
        assert denied(
            inside, "import os\nos.%s" % ("listdir('/proc/1/fd')" if name == "fd" else
                                          "stat('/proc/1/%s/')" % name if name in ("root", "cwd") else
                                          "read(os.open('/proc/1/%s', os.O_RDONLY), 1)" % name)
        ) == "PermissionError", name
    # Of an ordinary user's cloud both have one uid: the kernel takes the signal and does nothing.
    expected = "PermissionError" if os.geteuid() == 0 else None
    assert denied(inside, "import os\nos.kill(1, 9)") == expected
    assert inside("result = 1") == 1


def _resident(cloud):
    with open("/proc/%d/status" % cloud.process.pid) as f:
        return [int(l.split()[1]) >> 10 for l in f if l.startswith("VmRSS:")][0]


@pytest.mark.parametrize("block", ["b'\\n' * 65536", "b'x' * 65536", "(b'x' * 999 + b'\\n') * 64"])
def test_printing_without_end_waits(new_cloud, block):
    """The daemon goes on answering, keeps its memory, and the function is slowed down instead."""
    import threading
    import time

    cloud = new_cloud()
    name = cloud.function(
        "import os, time\n"
        "def handler(event, context):\n"
        "    end, block = time.monotonic() + 2, %s\n"
        "    while time.monotonic() < end:\n"
        "        os.write(1, block)\n"
        "    return 'done'\n" % block,
        Timeout=15,
    )
    results = []
    thread = threading.Thread(target=lambda: results.append(cloud.invoke(name)))
    thread.start()
    sts, slowest = cloud.client("sts", user_agent_extra="probe"), 0
    while thread.is_alive():
        began = time.monotonic()
        sts.get_caller_identity()
        slowest = max(slowest, time.monotonic() - began)
        thread.join(0.05)
    assert results[0].error is None and results[0].payload == "done"
    assert results[0].log.rstrip().rpartition("\n")[2].startswith("REPORT ")
    assert slowest < 2
    if "asan" not in str(cloud.args[0]):
        assert _resident(cloud) < 150


def test_one_environment_does_not_take_all_connections(cloud, inside):
    inside("result = 1")
    before = len(os.listdir("/proc/%d/fd" % cloud.process.pid))
    made = inside(
        "import socket\n"
        "kept = []\n"
        "try:\n"
        "    for port in (9001, 4566):\n"
        "        for i in range(450):\n"
        "            s = socket.socket()\n"
        "            s.setblocking(False)\n"
        "            s.connect_ex(('169.254.100.1', port))\n"
        "            kept.append(s)\n"
        "except OSError:\n"
        "    pass\n"
        "result = len(kept)"
    )
    assert made == 900
    cloud.sts.get_caller_identity()
    fds = len(os.listdir("/proc/%d/fd" % cloud.process.pid))
    assert fds - before < 64 + 256 + 20
    assert inside("result = 1") == 1


def test_a_response_far_too_large_is_not_read(cloud):
    name = cloud.function(
        "def handler(event, context):\n    return 'x' * (100 << 20)\n", MemorySize=1024, Timeout=20
    )
    r = cloud.invoke(name)
    assert r.error == "Unhandled"
    assert r.payload["errorType"] == "Function.ResponseSizeTooLarge"
    assert r.report["Duration"] < 20000


def test_nonsense_at_the_runtime_api(cloud, inside):
    answers = inside(
        r"""
import socket
result = []
def say(data):
    with socket.create_connection(("169.254.100.1", 9001), timeout=5) as s:
        s.sendall(data)
        answer = s.recv(100).decode()
        result.append(answer.split(" ")[1] if answer else "")
def post(path, headers, body=b""):
    say(b"POST /2018-06-01/runtime/" + path + b" HTTP/1.1\r\nHost: a\r\n" + headers + b"\r\n\r\n" + body)
own = b"invocation/" + context.aws_request_id.encode()
post(b"invocation/wrong/response", b"Content-Length: 2", b"{}")
post(b"invocation//response", b"Content-Length: 2", b"{}")
post(b"invocation/" + b"x" * 100000 + b"/error", b"Content-Length: 2", b"{}")
post(own + b"/nothing", b"Content-Length: 2", b"{}")
post(own + b"/response", b"Content-Length: 2\r\nContent-Length: 3", b"{}")
post(b"init/error", b"Content-Length: 2", b"{}")
say(b"\x16\x03\x01")
"""
    )
    assert answers == ["400", "400", "400", "404", "400", "403", "400"]


def test_what_is_left_behind_stands_still(cloud, inside):
    """A grandchild that outlives the response does not run between invocations."""
    inside(
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        while True:\n"
        "            open('/tmp/beats', 'a').write(str(time.time()) + '\\n')\n"
        "            time.sleep(.01)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "while not os.path.exists('/tmp/beats'): time.sleep(.01)\n"
        "result = 1"
    )
    import time

    time.sleep(0.5)
    beats = inside(
        "import time\nnow = time.time()\n"
        "result = [now - float(b) for b in open('/tmp/beats').read().split('\\n')[:-1]]"
    )
    assert [b for b in beats if 0.1 < b < 0.4] == []
    inside(  # and is gone with its environment
        "import os, signal\n"
        "for p in os.listdir('/proc'):\n"
        "    if p.isdigit() and int(p) not in (1, os.getpid()):\n"
        "        os.kill(int(p), signal.SIGKILL)\n"
        "os.unlink('/tmp/beats')\n"
        "result = 1"
    )


@pytest.mark.parametrize(
    "phase, end, message",
    [
        ("init", "os._exit(0)", "Runtime exited without providing a reason"),
        ("init", "os.kill(os.getpid(), 11)", "Runtime exited with error: signal: segmentation fault"),
        ("invoke", "os._exit(0)", "Runtime exited without providing a reason"),
        ("invoke", "os.kill(os.getpid(), 11)", "Runtime exited with error: signal: segmentation fault"),
        ("invoke", "os.closerange(0, 1000)", "Runtime exited with error: exit status 1"),
    ],
)
def test_every_end_is_told(cloud, phase, end, message):
    source = "import os\n%s\ndef handler(event, context):\n    %s\n" % (
        (end, "pass") if phase == "init" else ("", end)
    )
    name = cloud.function(source)
    for _ in range(2):
        r = cloud.invoke(name)
        assert r.error == "Unhandled"
        assert r.payload["errorType"] == "Runtime.ExitError"
        assert r.payload["errorMessage"].endswith("Error: " + message)
    cloud.lambda_.delete_function(FunctionName=name)
