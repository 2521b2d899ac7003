"""What a function sees from inside its environment, and what it cannot reach."""

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
        "    return [os.listdir('/tmp'), len([p for p in os.listdir('/proc') if p.isdigit()])]\n"
    )
    import threading

    name = cloud.function(source)
    answers = {}

    def call(event):
        client = cloud.client("lambda", user_agent_extra=event)
        r = client.invoke(FunctionName=name, Payload='"%s"' % event)
        import json

        answers[event] = json.loads(r["Payload"].read())

    threads = [threading.Thread(target=call, args=[e]) for e in ("a", "b")]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert {e: a[0] for e, a in answers.items()} == {"a": ["a"], "b": ["b"]}


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
