"""The life of execution environments: many at once, what they keep, how they end."""

import collections
import ctypes
import os
import re
import resource
import signal
import threading
import time

import pytest

from cloud import LAMINA, SOON, children, zipped
from test_faults import spawner_of


def at_once(n, call):
    """What n calls at the same time return, in any order."""
    results, lock = [], threading.Lock()

    def run(i):
        r = call(i)
        with lock:
            results.append(r)

    threads = [threading.Thread(target=run, args=[i]) for i in range(n)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len(results) == n
    return results


def eventually(condition, within=10):
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def in_function(pid, name):
    try:
        with open("/proc/%d/environ" % pid, "rb") as f:
            return b"AWS_LAMBDA_FUNCTION_NAME=" + name.encode() in f.read()
    except OSError:
        return False


def functions(cloud, name=""):
    """The processes of a function, or of all."""
    return [p for p in children(cloud.process.pid) if in_function(p, name)]


SLOW = "import time\ndef handler(e, c):\n    time.sleep(e)\n    return c.log_stream_name\n"


def test_a_burst_of_fifty(new_cloud):
    cloud = new_cloud("--spares", "0")  # what a spare was started with is not its function's
    name = cloud.function(SLOW, Timeout=30)
    lam = cloud.client("lambda", max_pool_connections=50)

    def call(i):
        return lam.invoke(FunctionName=name, Payload=b"1.5")["Payload"].read()

    streams = at_once(50, call)
    assert len(set(streams)) == 50
    assert len(functions(cloud)) == 50
    # Afterwards all of them are free, and the ones used last are taken first: one, or another
    # while that one has not asked for an event yet.
    used = {cloud.invoke(name, 0).payload.encode() for _ in range(20)}
    assert len(used) <= 4 and used <= {s.strip(b'"') for s in streams}
    assert len(functions(cloud)) == 50
    cloud.lambda_.delete_function(FunctionName=name)
    eventually(lambda: not functions(cloud))


def test_many_functions(new_cloud):
    cloud = new_cloud("--spares", "0")  # what a spare was started with is not its function's
    names = [
        cloud.function("def handler(e, c):\n    return [%d, e]\n" % i) for i in range(20)
    ]
    lam = cloud.client("lambda", max_pool_connections=20)

    def call(i):
        r = lam.invoke(FunctionName=names[i % 20], Payload=b"%d" % i)
        return r["Payload"].read().decode()

    assert sorted(at_once(40, call)) == sorted("[%d, %d]" % (i % 20, i) for i in range(40))
    assert 20 <= len(functions(cloud)) <= 40


def test_an_update_while_it_runs(cloud):
    name = cloud.function("import time\ndef handler(e, c):\n    time.sleep(e)\n    return 1\n")
    cloud.invoke(name, 0)
    old = []
    thread = threading.Thread(target=lambda: old.append(cloud.invoke(name, 1)))
    thread.start()
    eventually(lambda: "START" in "".join(cloud.log_events(name, 6)[4:]))
    cloud.client("lambda", user_agent_extra="x").update_function_code(
        FunctionName=name, ZipFile=zipped({"app.py": "def handler(e, c):\n    return 2\n"})
    )
    cloud.lambda_.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=SOON)
    assert cloud.invoke(name, 0).payload == 2
    thread.join()
    assert (old[0].payload, old[0].error) == (1, None)


def test_an_alias_with_weights(cloud):
    name = cloud.function("def handler(e, c):\n    return 1\n")
    lam = cloud.lambda_
    for n in ("1", "2"):
        assert lam.publish_version(FunctionName=name)["Version"] == n
        lam.update_function_configuration(FunctionName=name, Description="another " + n)
    lam.create_alias(
        FunctionName=name, Name="live", FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.25}},
    )
    versions = collections.Counter(
        cloud.invoke(name, Qualifier="live").version for _ in range(400)
    )
    assert set(versions) == {"1", "2"}
    assert 60 <= versions["2"] <= 145  # 100 expected; five standard deviations


def test_a_timeout_keeps_tmp_and_the_environment(cloud):
    source = (
        "import os, time\n"
        "def handler(event, context):\n"
        "    open('/tmp/f', 'a').write('x')\n"
        "    time.sleep(event)\n"
        "    return [context.log_stream_name, os.path.getsize('/tmp/f')]\n"
    )
    name = cloud.function(source, Timeout=1)
    stream, size = cloud.invoke(name, 0).payload
    assert cloud.invoke(name, 5).payload["errorType"] == "Sandbox.Timedout"
    r = cloud.invoke(name, 0)
    assert r.payload == [stream, 3]
    assert "INIT_START" not in r.log and "Init Duration" not in r.report


LINGERING = """
import socket, time, json
def ask(text):
    s = socket.create_connection(("169.254.100.1", 9001))
    s.sendall(text.encode())
    return s.recv(65536).decode()
n = 0
while True:
    event = ask("GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    id = [l.split(": ")[1] for l in event.split("\\r\\n") if "Request-Id" in l][0]
    n += 1
    ask("POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\\r\\nHost: x\\r\\n"
        "Content-Length: 1\\r\\n\\r\\n%d" % (id, n))
    print("working on", flush=True)
    time.sleep(2)
"""


def test_work_after_the_answer_is_not_disturbed(cloud):
    # Until it asks for an event it is not free: the next invocation gets another environment. (Who
    # wants the log waits for its end.)
    name = cloud.function(
        files={"bootstrap*": "#!/usr/bin/python3\n" + LINGERING},
        Runtime="provided.al2023", Handler="x", Timeout=10,
    )
    assert [cloud.invoke(name, tail=False).payload for _ in range(3)] == [1, 1, 1]
    eventually(lambda: cloud.invoke(name, tail=False).payload == 2)


def test_work_after_the_answer_ends_with_the_time_limit(cloud):
    name = cloud.function(
        files={"bootstrap*": "#!/usr/bin/python3\n" + LINGERING.replace("sleep(2)", "sleep(100)")},
        Runtime="provided.al2023", Handler="x", Timeout=1,
    )
    assert cloud.invoke(name).payload == 1
    eventually(lambda: not functions(cloud, name), within=5)
    assert cloud.invoke(name).payload == 1


def test_a_runtime_that_reports_its_failure_and_stays(cloud):
    source = (
        "#!/usr/bin/python3\n"
        "import socket, time\n"
        "s = socket.create_connection(('169.254.100.1', 9001))\n"
        "s.sendall(b'POST /2018-06-01/runtime/init/error HTTP/1.1\\r\\nHost: x\\r\\n'\n"
        "    b'Lambda-Runtime-Function-Error-Type: Runtime.NoLuck\\r\\n'\n"
        "    b'Content-Length: 14\\r\\n\\r\\n{\"why\": \"bad\"}')\n"
        "time.sleep(100)\n"
    )
    name = cloud.function(
        files={"bootstrap*": source}, Runtime="provided.al2023", Handler="x", Timeout=20
    )
    began = time.monotonic()
    r = cloud.invoke(name)
    assert time.monotonic() - began < 6
    assert (r.error, r.payload) == ("Unhandled", {"why": "bad"})
    end = r"\tStatus: error\tError Type: Runtime\.NoLuck\n"
    assert re.search(r"\nINIT_REPORT Init Duration: \S+ ms\tPhase: init" + end, r.log), r.log
    assert re.search(r"\nINIT_REPORT Init Duration: \S+ ms\tPhase: invoke" + end, r.log), r.log
    assert re.search(r"\nREPORT .*" + end + "$", r.log), r.log


def test_threads_stand_still_between_invocations(cloud):
    source = (
        "import threading, time\n"
        "ticks = 0\n"
        "def tick():\n"
        "    global ticks\n"
        "    while True:\n"
        "        ticks += 1\n"
        "        time.sleep(.005)\n"
        "threading.Thread(target=tick, daemon=True).start()\n"
        "def handler(event, context):\n"
        "    before = ticks\n"
        "    time.sleep(event)\n"
        "    return [before, ticks]\n"
    )
    name = cloud.function(source, MemorySize=1769)
    _, last = cloud.invoke(name, 0.2).payload
    time.sleep(0.5)  # in which nothing may happen: there is no event to wait for
    first, _ = cloud.invoke(name, 0).payload
    assert first - last <= 30  # of a hundred: freezing comes after the answer, and machines are busy


def test_the_end_of_the_cloud_loses_no_lines(new_cloud, tmp_path):
    cloud = new_cloud(data=tmp_path / "data")
    name = cloud.function(
        "def handler(e, c):\n"
        "    print('last words', end='')\n"
        "    return 1\n"
    )
    id = cloud.invoke(name).id
    cloud.process.send_signal(signal.SIGTERM)  # at once: lines are written 20 ms later
    cloud.stop()
    cloud = new_cloud(data=tmp_path / "data")
    text = "".join(cloud.log_events(name, 4))
    assert "last words" in text
    assert re.search(r"REPORT RequestId: %s\t" % id, text), text


def test_an_exec_wrapper(cloud):
    variables = {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}
    files = {
        "app.py": "import os\ndef handler(e, c):\n    return os.environ['WRAPPED']\n",
        "wrap*": '#!/bin/sh\nexport WRAPPED="$*"\nexec "$@"\n',
    }
    name = cloud.function(files=files, Environment={"Variables": variables})
    words = cloud.invoke(name).payload.split()
    assert words[0].startswith("/var/lang/bin/python3") and words[-1] == "/var/runtime/bootstrap.py"


def test_an_exec_wrapper_that_is_not_there(cloud):
    variables = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/missing"}
    name = cloud.function("def handler(e, c): pass\n", Environment={"Variables": variables})
    r = cloud.invoke(name)
    assert r.payload == {
        "errorType": "Runtime.ExitError",
        "errorMessage": "RequestId: %s Error: Runtime exited with error: exit status 127" % r.id,
    }


def test_a_daemon_without_descriptors_fails_at_once_and_recovers(new_cloud):
    cloud = new_cloud()
    cloud.sts.get_caller_identity()
    names = [cloud.function("def handler(e, c):\n    return 1\n") for _ in range(13)]
    pid = cloud.process.pid
    usual = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    outcomes = set()
    for spare, name in enumerate(names):
        used = len(os.listdir("/proc/%d/fd" % pid))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + spare, usual[1]))
        began = time.monotonic()
        try:
            cloud.invoke(name)
            outcomes.add("answer")
        except cloud.lambda_.exceptions.ServiceException as e:
            assert "No execution environment could be made" in str(e)
            outcomes.add("refused")
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, usual)
        assert time.monotonic() - began < 3
    assert "refused" in outcomes
    assert [cloud.invoke(n).payload for n in names] == [1] * len(names)


LATE = """#!/usr/bin/env python3
import http.client, os, signal
os.kill(os.getpid(), signal.SIGSTOP)
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def ask(*args):
    api.request(*args)
    r = api.getresponse()
    r.read()
    return r
while True:
    r = ask("GET", "/2018-06-01/runtime/invocation/next")
    ask("POST", "/2018-06-01/runtime/invocation/%s/response" % r.getheader("Lambda-Runtime-Aws-Request-Id"), "1")
"""


def test_a_runtime_that_cannot_be_heard_is_not_blamed(new_cloud):
    """The descriptors are used up when the runtime connects: it would wait for the init's ten seconds."""
    cloud = new_cloud("--spares", "0")
    name = cloud.function(files={"bootstrap*": LATE}, Runtime="provided.al2023", Timeout=5)
    pid = cloud.process.pid
    usual = resource.prlimit(pid, resource.RLIMIT_NOFILE)

    client = cloud.client("lambda", retries={"max_attempts": 0})

    def stopped():
        for p in children(pid):
            try:
                with open("/proc/%d/stat" % p) as f:
                    if f.read().rpartition(")")[2].split()[0] == "T":
                        return p
            except OSError:
                pass
        return None

    def go_on(files):
        deadline = time.monotonic() + 20
        while not stopped() and time.monotonic() < deadline:
            time.sleep(0.005)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (files, usual[1]))
        os.kill(stopped(), signal.SIGCONT)

    def invoke():
        try:
            return client.invoke(FunctionName=name)["StatusCode"]
        except client.exceptions.ServiceException as e:
            return str(e)

    for files, expected in (3, "its ports cannot be served: Too many open files"), (usual[0], "200"):
        thread = threading.Thread(target=go_on, args=(files,))
        began = time.monotonic()
        thread.start()
        answer = invoke()
        thread.join()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, usual)
        assert expected in str(answer)
        assert time.monotonic() - began < 8  # the init's limit is 10 s


def test_equal_pages_of_environments_may_be_merged(new_cloud):
    """By the kernel, where somebody has switched that on; here it is seen that it may."""
    ask = ctypes.CDLL(None).prctl
    if ask(68, 0, 0, 0, 0) < 0 or tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) < (6, 11):
        pytest.skip("needs Linux 6.11")
    with open(LAMINA, "rb") as f:
        if b"__asan_init" in f.read():
            pytest.skip("the kernel goes through terabytes of a sanitizer's shadow, page by page")
    source = "import ctypes\ndef handler(event, context):\n    return ctypes.CDLL(None).prctl(68, 0, 0, 0, 0)\n"
    for options, may in ([], 0), (["--merge-memory"], 1):
        cloud = new_cloud(*options)
        assert cloud.invoke(cloud.function(source)).payload == may
        with open("/proc/%d/ksm_stat" % cloud.process.pid) as f:
            assert "ksm_merge_any: yes" not in f.read()  # what the daemon holds is nobody's to guess
        if may:
            os.kill(spawner_of(cloud), signal.SIGKILL)
            assert cloud.invoke(cloud.function(source)).payload == may
