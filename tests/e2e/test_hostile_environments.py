"""Hostile extensions; processes of the cloud that are killed at any moment; very many environments that
end at once."""

import json
import os
import random
import signal
import socket
import subprocess
import threading
import time

import pytest

from cloud import ENDPOINT, Cloud, alive, children, unique, wait_gone
from test_escapes import ATTEMPTS, SOURCE
from test_extensions import COMMON, function
from test_faults import Inventory, settled, spawner_of, wait_for_no_more

pytestmark = pytest.mark.skipif(bool(ENDPOINT), reason="looks at processes of our own daemon")

# ---- extensions -----------------------------------------------------------------------------------------

# Things that an extension does and a function says, so that they can be compared.
WALLS = r"""
import os, resource
def walls():
    status = dict(l.split(":", 1) for l in open("/proc/self/status").read().splitlines())
    names = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs",
             "Seccomp", "Seccomp_filters", "Umask", "SigBlk", "SigIgn")
    return {
        "status": {n: status.get(n, "").split() for n in names},
        "limits": open("/proc/self/limits").read(),
        "cgroup": open("/proc/self/cgroup").read(),
        "namespaces": {n: os.readlink("/proc/self/ns/" + n) for n in os.listdir("/proc/self/ns")},
        "oom": open("/proc/self/oom_score_adj").read(),
        "session": os.getsid(0) == os.getpid(),
    }
"""


@pytest.fixture(scope="module", params=["0", "2"], ids=["exec", "spare"])
def clouds(request):
    cloud = Cloud(["--spares", request.param]).start()
    yield cloud
    if cloud.running():
        cloud.stop(within=10)


def test_an_extension_stands_behind_the_same_walls(clouds):
    """Every attempt of test_escapes, made by an extension."""
    trial = COMMON + SOURCE + WALLS + (
        "\nattempts = json.loads(%r)\n"
        "api.register(name)\n"
        "seen = {what: handler(code, None) for what, code in attempts}\n"
        "note('seen', seen)\n"
        "note('walls', walls())\n"
        "api.next()\n" % json.dumps([a[:2] for a in ATTEMPTS])
    )
    source = WALLS + (
        "import json\n"
        "def handler(event, context):\n"
        "    notes = dict(json.loads(l) for l in open('/tmp/notes'))\n"
        "    return [notes['seen'], notes['walls'], walls()]\n"
    )
    name = function(clouds, {"trial.py": trial}, source, MemorySize=512, Timeout=30)
    r = clouds.invoke(name)
    assert r.error is None, (r.body, r.log)
    seen, walls, own = r.payload
    for what, _, expected in ATTEMPTS:
        answer = seen[what]
        if isinstance(expected, list):
            assert answer == {"result": expected[0]}, what
        elif "result" in answer and answer["result"] is not None:
            assert repr(answer["result"]).replace(" ", "") in expected.split(), (what, answer)
        else:
            assert answer.get("error") in expected.split(), (what, answer)
    assert walls == own


# Subscribes to everything at a destination, and tells what it was told.
SUBSCRIBER = COMMON + r"""
api.register(name, "INVOKE")
for to in json.loads(os.environ["TO"]):
    body = {"schemaVersion": "2022-12-13", "types": ["platform", "function", "extension"],
            "destination": to, "buffering": {"maxItems": 1000, "maxBytes": 262144, "timeoutMs": 25}}
    api.http.request("PUT", "/2022-07-01/telemetry", json.dumps(body),
                     {"Lambda-Extension-Identifier": api.id})
    r = api.http.getresponse()
    r.read()
    note(r.status)
while True:
    api.next()
"""


def test_telemetry_stays_inside(cloud):
    """What listens on the host hears nothing, whatever a destination is called."""
    with socket.socket() as host:
        host.bind(("127.0.0.1", 0))
        host.listen()
        port = host.getsockname()[1]
        refused = [
            "http://127.0.0.1:%d/", "http://localhost:%d/", "http://169.254.100.1:4566/#%d",
            "http://sandbox.localdomain:80@127.0.0.1:%d/", "http://sandbox.localdomain.example:%d/",
            "http://sandbox.localdomain#:%d/", "http://sandbox.localdomain:%d:1/",
            "http://sandbox.localdomain:9001/%d", "http://[::1]:%d/", "https://sandbox.localdomain:%d/",
            "http://sandbox.localdomain:%d/ HTTP/1.1\r\nX: 1", "http://sandbox.localdomain:%d/\u00e9",
            "http://sandbox.localdomain:99999%d/", "http://sandbox.localdomain:-%d/", "file:///%d",
        ]
        to = [{"protocol": "HTTP", "URI": u % port} for u in refused]
        to.append({"protocol": "HTTP", "URI": "http://sandbox.localdomain:%d/" % port})  # its own port
        name = function(cloud, {"subscriber.py": SUBSCRIBER},
                        "def handler(e, c):\n    print('secret')\n    return open('/tmp/notes').read()\n",
                        Environment={"Variables": {"TO": json.dumps(to)}})
        for _ in range(3):
            r = cloud.invoke(name)
            assert r.error is None, r.log
            assert [json.loads(l) for l in r.payload.split("\n") if l] == [[400]] * len(refused) + [[200]]
        host.settimeout(0.2)
        with pytest.raises(socket.timeout):
            host.accept()


ANSWERS = {
    "no end of a head": "b'HTTP/1.1 200 OK\\r\\nX: ' + b'x' * 10000000",
    "no end of a body": "b'HTTP/1.1 200 OK\\r\\nContent-Length: 9223372036854775807\\r\\n\\r\\n' + b'x' * 10000000",
    "a lie": "b'HTTP/1.1 200 OK\\r\\nContent-Length: -1\\r\\n\\r\\n'",
    "a redirect": "b'HTTP/1.1 307 No\\r\\nLocation: http://127.0.0.1:%d/\\r\\nContent-Length: 0\\r\\n\\r\\n'",
    "nothing but promises": "b'HTTP/1.1 100 Continue\\r\\n\\r\\n' * 100000",
    "nonsense": "bytes(range(256)) * 1000",
}
LISTENER = COMMON + r"""
import socket, threading
def serve(s):
    while True:
        c, _ = s.accept()
        c.recv(1 << 20)
        try:
            c.sendall(%s)
        except OSError:
            pass
        if %r:
            c.close()
s = socket.create_server(("0.0.0.0", 8080))
threading.Thread(target=serve, args=(s,), daemon=True).start()
""" + SUBSCRIBER[len(COMMON):]


@pytest.mark.parametrize("what", ANSWERS)
def test_answers_of_a_hostile_subscriber(cloud, what):
    with socket.socket() as host:
        host.bind(("127.0.0.1", 0))
        host.listen()
        answer = ANSWERS[what].replace("%d", str(host.getsockname()[1]))
        to = [{"protocol": "HTTP", "URI": "http://sandbox.localdomain:8080/"}]
        name = function(cloud, {"listener.py": LISTENER % (answer, what == "a lie")},
                        "def handler(e, c):\n    print('x' * 1000)\n    return 1\n",
                        Environment={"Variables": {"TO": json.dumps(to)}})
        for _ in range(4):
            r = cloud.invoke(name)
            assert (r.error, r.payload) == (None, 1), r.log
        host.settimeout(0.05)
        with pytest.raises(socket.timeout):
            host.accept()
        cloud.lambda_.delete_function(FunctionName=name)


# ---- killed at any moment -------------------------------------------------------------------------------

STEADY = """
import os, time
def handler(event, context):
    print("did", event)
    time.sleep(0.01)
    return event
"""


def kinds(cloud):
    """The processes below the daemon, by what they are."""
    found = {"spawner": [], "zygote": [], "init": [], "inside": []}
    spawner = spawner_of(cloud)
    for pid in children(cloud.process.pid):
        try:
            with open("/proc/%d/stat" % pid) as f:
                name, _, rest = f.read().partition("(")[2].rpartition(")")
        except OSError:
            continue
        parent = int(rest.split()[1])
        if pid == spawner:
            found["spawner"].append(pid)
        elif name == "lamina-init":
            found["init"].append(pid)
        elif parent == spawner and name.startswith("python"):
            found["zygote"].append(pid)
        elif parent != spawner:
            found["inside"].append(pid)
    return found


def test_anything_may_die_at_any_moment(tmp_path):
    """Requests, events, and starts go on while one process after the other is killed. Each request has
    an answer, each event is carried out, and in the end everything is as it was."""
    dice = random.Random(4711)
    cloud = Cloud(["--spares", "2"], data=tmp_path / "data", env={"LAMINA_TIME_SCALE": "0.001"}).start()
    try:
        extension = COMMON + "api.register(name, 'INVOKE')\nwhile True:\n    api.next()\n"
        names = [cloud.function(STEADY, Timeout=10),
                 function(cloud, {"beside.py": extension}, STEADY, Timeout=10)]
        for name in names:
            assert cloud.invoke(name, 0).error is None
        before = settled(cloud)
        going, answers, errors = [True], [0], []

        def ask(name):
            client = cloud.client("lambda", user_agent_extra=unique())
            while going:
                try:
                    r = client.invoke(FunctionName=name, Payload=b"1")
                    r["Payload"].read()
                    answers[0] += 1
                except Exception as e:  # noqa: B902 (whatever it is, it is told)
                    errors.append(repr(e))

        threads = [threading.Thread(target=ask, args=(n,)) for n in names * 2]
        for t in threads:
            t.start()
        sent = []
        for turn in range(12):
            cloud.lambda_.invoke(FunctionName=names[0], InvocationType="Event", Payload=json.dumps("e%d" % turn))
            sent.append("did e%d\n" % turn)
            found = kinds(cloud)
            what = ("zygote", "init", "inside", "spawner", "inside", "init")[turn % 6]
            if found[what]:
                try:
                    os.kill(dice.choice(found[what]), signal.SIGKILL)
                except ProcessLookupError:
                    pass
            wanted, deadline = answers[0] + 3, time.monotonic() + 20
            while answers[0] < wanted and time.monotonic() < deadline:
                time.sleep(0.005)
            assert answers[0] >= wanted, (what, errors, cloud.log_text())
        going.clear()
        for t in threads:
            t.join(30)
            assert not t.is_alive()
        # While the spawner is started again there is nowhere to run: that may be said, nothing else.
        assert [e for e in errors if "ServiceException" not in e] == []
        for name in names:
            deadline = time.monotonic() + 20
            while cloud.invoke(name, 0).error and time.monotonic() < deadline:
                pass
            assert cloud.invoke(name, 0).payload == 0
        deadline = time.monotonic() + 30
        missing = set(sent)
        while missing and time.monotonic() < deadline:
            missing = set(sent) - set(cloud.log_events(names[0], count=0, within=0))
        assert missing == set(), cloud.log_text()
        for name in names:
            cloud.lambda_.delete_function(FunctionName=name)
        left = wait_for_no_more(cloud, before, within=20)
        left.pop("daemon's descriptors", None)  # of connections of clients that were made meanwhile
        left.pop("spawner's mounts", None)  # another spawner, which has the machine's mounts of its own birth
        assert left == {}, cloud.log_text()
    finally:
        if cloud.running():
            cloud.kill()


# ---- many -----------------------------------------------------------------------------------------------


def test_many_at_once(new_cloud):
    """They start together, wait for each other, and end together, by a crash. Those who had to wait
    find environments whose runtime has to be started again."""
    cloud = new_cloud("--spares", "2")
    name = cloud.function(
        "import os, time\ndef handler(event, context):\n    time.sleep(max(0, event - time.time()))\n"
        "    os._exit(7)\n",
        Timeout=60,
    )
    hello = cloud.function("def handler(event, context):\n    return event\n")
    cloud.invoke(hello, 1)
    before = settled(cloud)
    ended = []
    at = time.time() + 1.5

    def one():
        client = cloud.client("lambda", user_agent_extra=unique(), max_pool_connections=1)
        r = client.invoke(FunctionName=name, Payload=json.dumps(at).encode())
        ended.append((r.get("FunctionError"), json.loads(r["Payload"].read()).get("errorType")))

    threads = [threading.Thread(target=one) for _ in range(40)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert ended == [("Unhandled", "Runtime.ExitError")] * 40
    assert cloud.invoke(hello, 1).payload == 1
    cloud.lambda_.delete_function(FunctionName=name)
    assert wait_for_no_more(cloud, before, within=20).keys() <= {"daemon's descriptors"}
    family = children(cloud.process.pid)
    cloud.stop(within=10)
    assert wait_gone(family) == [] and not any(alive(p) for p in family)

# ---- what the kernel grants a user ----------------------------------------------------------------------

# It keeps what it takes: the environment stays.
TAKES = r"""
import ctypes, os, platform
libc = ctypes.CDLL(None, use_errno=True)
X86 = platform.machine() == "x86_64"
kept = []

def call(name, *args):
    number = {"mq_open": (240, 180), "timer_create": (222, 107), "inotify_init1": (294, 26)}[name][0 if X86 else 1]
    r = libc.syscall(ctypes.c_long(number), *args)
    if r < 0:
        raise OSError(ctypes.get_errno(), name)
    return r

def timer(n):
    call("timer_create", ctypes.c_long(1), None, ctypes.byref(ctypes.c_int()))

def queue(n):
    name = ctypes.c_char_p(b"q%d" % len(kept))
    kept.append(name)
    call("mq_open", name, ctypes.c_long(os.O_CREAT | os.O_RDWR), ctypes.c_long(0o600), None)

def inotify(n):
    call("inotify_init1", ctypes.c_long(0))

def handler(event, context):
    taken = {}
    for take, most in ((inotify, 900), (queue, 200), (timer, 60000)):
        taken[take.__name__] = 0
        try:
            for n in range(min(event, most)):
                take(n)
                taken[take.__name__] += 1
        except OSError:
            pass
    return taken
"""


@pytest.mark.skipif(os.geteuid() != 0 or subprocess.run(["unshare", "--user", "true"]).returncode != 0,
                    reason="environments have users of their own where root may make user namespaces")
def test_who_uses_up_a_users_share_leaves_others_theirs(clouds):
    greedy, modest = (clouds.function(TAKES, MemorySize=512, Timeout=60) for n in range(2))
    all_of_it = clouds.invoke(greedy, 1 << 20)
    assert all_of_it.error is None, all_of_it.body
    assert 4 <= all_of_it.payload["inotify"] < 900 and 4 <= all_of_it.payload["queue"] < 200
    assert clouds.invoke(greedy, 1).payload["inotify"] == 0  # it has them still
    assert clouds.invoke(modest, 4).payload == {"inotify": 4, "queue": 4, "timer": 4}
