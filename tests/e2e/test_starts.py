"""Starts of functions: executed, or from an interpreter that was started ahead. A function must not
be able to tell which, and nothing of one environment may show in another.

`executed` and `spares` are two clouds, with and without `--spares`; what is compared is what the
same function says in both."""

import json
import os
import re
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from cloud import ENDPOINT, RUNTIME, Cloud, alive, children

pytestmark = pytest.mark.skipif(bool(ENDPOINT), reason="looks at processes of our own daemon")

# Tells how it was started: the module that forks is mapped into a zygote's children alone.
FORKED = """
def forked():
    return "_lamina_zygote" in open("/proc/self/maps").read()
"""


def comm(pid):
    with open("/proc/%d/comm" % pid) as f:
        return f.read().strip()


def parent(pid):
    with open("/proc/%d/stat" % pid) as f:
        return int(f.read().rpartition(")")[2].split()[1])


def interpreters(cloud, name="python"):
    """(zygotes, waiting spares, others) of the cloud."""
    found = [], [], []
    for pid in children(cloud.process.pid):
        try:
            if not comm(pid).startswith(name):
                continue
            with open("/proc/%d/environ" % pid, "rb") as f:
                environ = f.read()
            if comm(parent(pid)) == "lamina-spawner":
                found[0].append(pid)
            elif b"AWS_LAMBDA_FUNCTION_NAME=" in environ:
                found[2].append(pid)
            elif comm(parent(pid)) == "lamina-init":
                found[1].append(pid)
        except OSError:
            continue
    return found


def wait_for(condition, within=20):
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "waited %d s in vain" % within
        time.sleep(0.01)


def wait_for_spares(cloud, n=1, name="python"):
    wait_for(lambda: len(interpreters(cloud, name)[1]) >= n)


@pytest.fixture(scope="module")
def spares():
    cloud = Cloud(args=["--spares", "3"]).start()
    yield cloud
    cloud.stop(within=10)


@pytest.fixture(scope="module")
def executed():
    cloud = Cloud(args=["--spares", "0"]).start()
    yield cloud
    cloud.stop(within=10)


def both(spares, executed, source, event=None, prepare=None, **options):
    """What the function says, started in one way and in the other."""
    answers = []
    for cloud, is_spare in (spares, True), (executed, False):
        files = {"app.py": FORKED + source}
        files.update(options.pop("files", {}))
        name = cloud.function(files=files, **options)
        if is_spare:
            wait_for_spares(cloud)
        r = cloud.invoke(name, event)
        answers.append(r)
    return answers


# ---- nobody can tell ----

LOOK = """
import json, os, resource, signal, sys, locale, threading, time, platform

def status(*names):
    found = {}
    for line in open("/proc/self/status"):
        name, _, value = line.partition(":")
        if name in names:
            found[name] = value.split()
    return found

def mounts():
    found = []
    for line in open("/proc/self/mountinfo"):
        f = line.split()
        rest = f[f.index("-") + 1:]
        # Without numbers and the names of folders that differ from cloud to cloud.
        found.append([f[4], sorted(f[5].split(",")), rest[0], sorted(rest[2].split(","))])
    return sorted(found)

def descriptors():
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink("/proc/self/fd/" + fd)
        except OSError:
            continue
        if target.startswith("/proc/"):
            continue  # this list itself
        found[fd] = target.split(":")[0]
    return found

AT_IMPORT = {"cwd": os.getcwd(), "modules": sorted(sys.modules)}

def handler(event, context):
    at = {"forked": forked()}
    at["ids"] = [os.getuid(), os.geteuid(), os.getgid(), os.getegid(), os.getgroups()]
    at["parent"] = os.getppid()
    at["session"] = [os.getsid(0) == os.getpid(), os.getpgrp() == os.getpid()]
    at["status"] = status("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp",
                          "SigBlk", "SigIgn", "SigCgt", "Umask", "Name", "Threads", "CoreDumping",
                          "TracerPid", "Uid", "Gid", "Groups")
    at["limits"] = open("/proc/self/limits").read()
    at["cmdline"] = open("/proc/self/cmdline", "rb").read().decode()
    at["exe"] = os.readlink("/proc/self/exe")
    at["owner"] = [os.stat("/proc/self").st_uid, os.access("/proc/self/mem", os.R_OK)]
    environ = dict(v.split("=", 1) for v in
                   open("/proc/self/environ", "rb").read().decode().split("\\0") if v)
    at["environ shown"] = sorted(environ)
    at["environ order"] = [k for k in environ if k not in ("AWS_SESSION_TOKEN",)]
    at["environ is"] = {k: v for k, v in os.environ.items()
                        if k.startswith(("LANG", "PATH", "LD_", "PYTHON", "TZ", "LAMBDA", "_HANDLER",
                                         "AWS_EXECUTION", "AWS_REGION", "MINE"))}
    at["environ same"] = [k for k in environ if os.environ.get(k, environ[k]) != environ[k]]
    import posix, subprocess
    at["posix environ"] = sorted(k.decode() for k in posix.environ)
    child = subprocess.run(["/bin/sh", "-c", "cat /proc/self/environ"], stdout=subprocess.PIPE)
    at["child's environ"] = sorted(v.split(b"=")[0].decode() for v in child.stdout.split(b"\\0") if v)
    at["descriptors"] = descriptors()
    at["cwd"] = [AT_IMPORT["cwd"], os.readlink("/proc/self/cwd"), os.readlink("/proc/self/root")]
    at["sys"] = [sys.argv, sys.path, sys.executable, sys.prefix, sys.flags[:], sys.getswitchinterval(),
                 sys.getrecursionlimit(), sys.dont_write_bytecode, sys.byteorder, sys.platform]
    at["orig_argv"] = getattr(sys, "orig_argv", None)
    at["finders"] = [getattr(f, "__name__", type(f).__name__) for f in sys.meta_path]
    at["hooks"] = len(sys.path_hooks)
    at["streams"] = [(s.encoding, s.errors, s.line_buffering, s.fileno(), s.name if s.fileno() else "")
                     for s in (sys.stdin, sys.stdout, sys.stderr)]
    at["locale"] = [locale.setlocale(locale.LC_ALL), sys.getfilesystemencoding(), time.tzname]
    at["threads"] = [threading.active_count(), threading.current_thread().name,
                     threading.main_thread() is threading.current_thread(),
                     threading.main_thread().native_id == os.getpid()]
    at["signals"] = [str(signal.getsignal(n)) for n in range(1, 32)]
    at["oom"] = open("/proc/self/oom_score_adj").read()
    at["host"] = [platform.node(), os.uname().version]
    at["mounts"] = mounts()
    at["processes"] = len([p for p in os.listdir("/proc") if p.isdigit()])
    at["tmp"] = [os.listdir("/tmp"), os.statvfs("/tmp").f_blocks * os.statvfs("/tmp").f_frsize]
    at["root"] = sorted(os.listdir("/"))
    at["var"] = sorted(os.listdir("/var")), sorted(os.listdir("/var/task"))
    at["main"] = [sys.modules["__main__"].__file__, sorted(vars(sys.modules["__main__"]))]
    at["modules"] = [m for m in AT_IMPORT["modules"] if "spare" in m or "zygote" in m or "rehears" in m]
    at["priority"] = [os.nice(0), os.sched_getscheduler(0), sorted(os.sched_getaffinity(0))]
    at["builtins"] = [repr(exit), repr(quit), hasattr(__builtins__, "copyright")]
    return at
"""


def test_a_function_cannot_tell_how_it_was_started(spares, executed):
    one, other = both(
        spares, executed, LOOK, Environment={"Variables": {"MINE": "a b=c"}}, MemorySize=256,
        EphemeralStorage={"Size": 600},
    )
    one, other = one.payload, other.payload
    assert one.pop("forked") and not other.pop("forked")
    assert set(one) == set(other)
    for what in one:
        assert one[what] == other[what], what
    assert one["parent"] == 1
    assert one["status"]["CapBnd"] == ["0000000000000000"]
    assert one["status"]["NoNewPrivs"] == ["1"]


def test_failures_look_the_same(spares, executed):
    source = """
import os, signal, sys
def handler(event, context):
    if event == "exit":
        os._exit(3)
    if event == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if event == "abort":
        os.abort()
    if event == "raise":
        signal.raise_signal(signal.SIGSEGV)
    if event == "leave":
        sys.exit(0)
    raise KeyError(event)
"""
    for event in ("exit", "kill", "abort", "raise", "leave", "key"):
        answers = both(spares, executed, source, event)
        texts = []
        for r in answers:
            payload = r.payload
            assert r.error == "Unhandled"
            payload.pop("requestId", None)
            texts.append(json.dumps(payload).replace(r.id, "ID"))
        assert texts[0] == texts[1], event


def test_failures_of_the_init_look_the_same(spares, executed):
    for source in ("import nothing_of_this_name\n", "import sys\nsys.exit(7)\n", "x = (\n"):
        answers = both(spares, executed, source)
        texts = []
        for r in answers:
            payload = r.payload
            payload.pop("requestId", None)
            texts.append(json.dumps(payload).replace(r.id, "ID"))
        assert texts[0] == texts[1], source


def test_after_a_crash_the_environment_goes_on(spares):
    name = spares.function(
        "import os\n"
        "def handler(event, context):\n"
        "    open('/tmp/f', 'a').write('x')\n"
        "    if event: os._exit(event)\n"
        "    return [context.log_stream_name, os.path.getsize('/tmp/f'), os.environ['TZ']]\n"
    )
    wait_for_spares(spares)
    stream, size, zone = spares.invoke(name, 0).payload
    assert "exit status 9" in spares.invoke(name, 9).payload["errorMessage"]
    assert spares.invoke(name, 0).payload == [stream, 3, zone]


def test_output_of_both_kinds_arrives(spares, executed):
    source = (
        "import sys, os, logging\n"
        "print('at import')\n"
        "def handler(event, context):\n"
        "    print('said')\n"
        "    print('wrong', file=sys.stderr)\n"
        "    logging.getLogger().error('logged')\n"
        "    os.write(1, b'raw\\n')\n"
        "    os.system('echo child')\n"
    )
    for r in both(spares, executed, source):
        for line in ("at import", "said", "wrong", "logged", "raw", "child"):
            assert line in r.log, line


def test_memory_is_reported_and_limited_alike(spares, executed):
    source = (
        "def handler(event, context):\n"
        "    block = bytearray(event << 20)\n"
        "    for i in range(0, len(block), 4096): block[i] = 1\n"
        "    return forked()\n"
    )
    one, other = both(spares, executed, source, 40, MemorySize=128)
    assert one.payload is True and other.payload is False
    assert abs(one.report["Max Memory Used"] - other.report["Max Memory Used"]) <= 12
    one, other = both(spares, executed, source, 140, MemorySize=128)
    assert one.error == other.error == "Unhandled"
    assert one.payload["errorType"] == other.payload["errorType"]


# ---- each is a life of its own ----


def test_nothing_is_shared_that_should_be_fresh(spares):
    name = spares.function(
        FORKED + "import os, random, secrets, tempfile, time, uuid\n"
        "FIRST = random.random()\n"
        "def handler(event, context):\n"
        "    time.sleep(0.5)\n"
        "    return {'random': FIRST, 'more': random.getrandbits(64), 'uuid': str(uuid.uuid4()),\n"
        "            'node': uuid.uuid1().hex, 'secret': secrets.token_hex(8),\n"
        "            'stream': context.log_stream_name, 'key': os.environ['AWS_ACCESS_KEY_ID'],\n"
        "            'system': random.SystemRandom().random(),\n"
        "            'late': abs(time.time() * 1000 + context.get_remaining_time_in_millis()\n"
        "                        - event) , 'forked': forked()}\n",
        Timeout=20,
    )
    wait_for_spares(spares, 3)
    answers = []
    # Made before, which takes longer than an invocation where the machine is busy: all at once.
    clients = [spares.client("lambda", region="us-east-1") for _ in range(4)]

    def ask(client):
        answers.append(
            client.invoke(
                FunctionName=name, Payload=json.dumps(int(time.time() * 1000) + 20000).encode()
            )["Payload"].read()
        )

    threads = [threading.Thread(target=ask, args=(c,)) for c in clients]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    answers = [json.loads(a) for a in answers]
    assert all(a["forked"] for a in answers), answers
    for what in ("random", "more", "uuid", "node", "secret", "stream", "system"):
        assert len({a[what] for a in answers}) == 4, what
    assert all(a["late"] < 15000 for a in answers)


def test_what_waits_knows_nothing(spares):
    """No variables but the platform's, no descriptors but its own, no privileges, no threads."""
    spares.function("def handler(event, context): pass\n")
    wait_for_spares(spares)
    zygotes, waiting, _ = interpreters(spares)
    assert len(zygotes) >= 1
    for pid in zygotes + waiting:
        with open("/proc/%d/environ" % pid, "rb") as f:
            names = {v.split(b"=")[0].decode() for v in f.read().split(b"\0") if v}
        assert names <= {
            "LANG", "PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "TZ",
            "_LAMINA_SPARE_FD", "_LAMINA_ZYGOTE",
        }
        assert len(os.listdir("/proc/%d/task" % pid)) == 1
    for pid in waiting:
        found = {}
        for fd in os.listdir("/proc/%d/fd" % pid):
            found[int(fd)] = os.readlink("/proc/%d/fd/%s" % (pid, fd)).split(":")[0]
        assert found == {0: "/dev/null", 1: "pipe", 2: "pipe", 3: "socket"}
        with open("/proc/%d/status" % pid) as f:
            status = dict(l.rstrip("\n").split(":\t", 1) for l in f if ":\t" in l)
        assert status["CapEff"] == status["CapPrm"] == status["CapBnd"] == "0" * 16
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    for namespace in ("mnt", "net", "ipc", "uts"):
        own = [os.readlink("/proc/%d/ns/%s" % (p, namespace)) for p in zygotes + waiting]
        assert len(set(own)) == len(own), namespace


def test_the_others_are_not_to_be_seen(spares):
    name = spares.function(
        FORKED + "import os, socket\n"
        "def handler(event, context):\n"
        "    seen = [open('/proc/%s/comm' % p).read() for p in os.listdir('/proc') if p.isdigit()]\n"
        "    return forked(), sorted(seen), os.path.exists('/var/spare'), open('/proc/net/unix').read()\n"
    )
    wait_for_spares(spares)
    is_forked, seen, module, sockets = spares.invoke(name).payload
    assert is_forked and not module
    assert [s.strip() for s in seen] == ["lamina-init", RUNTIME]
    assert "/" not in sockets.split("Path\n")[1]


# ---- when it must be executed ----


@pytest.mark.parametrize(
    "variable", ["PYTHONHASHSEED=0", "PYTHONPATH=/opt/mine", "LANG=C", "MALLOC_ARENA_MAX=1",
                 "LD_PRELOAD=", "LD_LIBRARY_PATH=/opt/lib", "PYTHONUTF8=1"]
)
def test_variables_of_a_start_are_obeyed(spares, variable):
    name, _, value = variable.partition("=")
    if name == "LD_PRELOAD":
        value = "/var/task/nothing.so"
    function = spares.function(
        FORKED + "import os\ndef handler(event, context): return forked(), os.environ[%r], hash('a')\n"
        % name,
        Environment={"Variables": {name: value}},
    )
    wait_for_spares(spares)
    is_forked, seen, number = spares.invoke(function).payload
    assert not is_forked and seen == value
    if name == "PYTHONHASHSEED":
        again = spares.function(
            "def handler(event, context): return hash('a')\n",
            Environment={"Variables": {name: value}},
        )
        assert spares.invoke(again).payload == number


def test_a_library_that_a_start_would_load_is_loaded(spares):
    """LD_LIBRARY_PATH names the function's folder: what lies there comes before the system's."""
    name = spares.function(
        files={
            "app.py": FORKED + "def handler(event, context): return forked()\n",
            "lib/libexpat.so.1": "not a library",
        }
    )
    wait_for_spares(spares)
    r = spares.invoke(name)
    assert r.payload is False or "exit status 127" in r.payload["errorMessage"]


def test_a_wrapper_wraps(spares):
    name = spares.function(
        files={
            "app.py": FORKED + "import os\ndef handler(e, c): return forked(), os.environ['W']\n",
            "wrap*": "#!/bin/sh\nW=wrapped exec \"$@\"\n",
        },
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}},
    )
    wait_for_spares(spares)
    assert spares.invoke(name).payload == [False, "wrapped"]


def test_the_runtime_api_is_asked_over_a_unix_socket_unless_another_address_is_given(spares):
    source = """
def handler(event, context):
    with open("/proc/net/unix") as f:
        states = [line.split()[5] for line in f if line.rstrip().endswith("@lamina-runtime-api")]
    return states.count("01"), states.count("03")
"""
    plain = spares.function(source)
    safe = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) >= (6, 16)
    assert spares.invoke(plain).payload == ([1, 1] if safe else [0, 0])  # listens, connected
    wrapper = '#!/bin/sh\nAWS_LAMBDA_RUNTIME_API=sandbox.localdomain:9001 exec "$@"\n'
    wrapped = spares.function(
        files={"app.py": source, "wrap*": wrapper},
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}},
    )
    assert spares.invoke(wrapped).payload == ([1, 0] if safe else [0, 0])


# ---- making and losing them ----


def test_none_before_a_runtime_is_used_and_none_when_not_wanted(executed):
    cloud = Cloud().start()
    try:
        assert interpreters(cloud) == ([], [], [])
        name = cloud.function(FORKED + "def handler(event, context): return forked()\n")
        wait_for_spares(cloud)
        assert cloud.invoke(name).payload is True  # the very first
    finally:
        cloud.stop(within=10)
    executed.invoke(executed.function("def handler(event, context): pass\n"))
    zygotes, waiting, used = interpreters(executed)
    assert zygotes == waiting == [] and used


def test_a_zygote_that_dies_is_replaced(spares):
    source = FORKED + "def handler(event, context): return forked()\n"
    spares.function(source)
    wait_for_spares(spares)
    (zygote,) = interpreters(spares)[0]
    os.kill(zygote, signal.SIGKILL)
    for _ in range(5):  # uses up what is there, and goes on
        assert spares.invoke(spares.function(source)).error is None
    wait_for(lambda: interpreters(spares)[0] and interpreters(spares)[0] != [zygote])
    wait_for_spares(spares)
    assert spares.invoke(spares.function(source)).payload is True


def test_a_zygote_that_hangs_is_ended(spares):
    """Who waits for its child waits while it answers others: only its silence ends that."""
    name = spares.function(
        "import time\ndef handler(event, context):\n    time.sleep(0.3)\n    return event\n", Timeout=20
    )
    wait_for_spares(spares, 3)
    (zygote,) = interpreters(spares)[0]
    os.kill(zygote, signal.SIGSTOP)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda n: spares.invoke(name, n), range(6)))
    assert [(a.error, a.payload) for a in answers] == [(None, n) for n in range(6)]
    wait_for(lambda: not alive(zygote))
    wait_for_spares(spares)


def test_spares_that_die_are_nobodys_misfortune(spares):
    name = spares.function(FORKED + "def handler(event, context): return forked()\n")
    wait_for_spares(spares, 3)
    waiting = interpreters(spares)[1]
    for pid in waiting:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not any(alive(p) for p in waiting))
    r = spares.invoke(name)
    assert r.error is None, r.payload


def test_more_at_once_than_there_are_spares(spares):
    name = spares.function(
        "import time\ndef handler(event, context):\n    time.sleep(0.3)\n    return event\n", Timeout=20
    )
    answers = []

    def ask(i):
        answers.append(spares.client("lambda", region="us-east-1").invoke(
            FunctionName=name, Payload=json.dumps(i).encode())["Payload"].read())

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(json.loads(a) for a in answers) == list(range(12))


# ---- memory ----


def private_kb(pid):
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Private_Dirty:"))


def test_what_a_first_invocation_has_not_changed_is_given_back(spares):
    """A spare has copied what a start will need: more than what has changed when it is over."""
    name = spares.function(FORKED + "import os\ndef handler(event, context): return forked()\n")
    wait_for_spares(spares)
    before = set(interpreters(spares)[2])
    assert spares.invoke(name).payload is True
    wait_for(lambda: set(interpreters(spares)[2]) - before)
    (pid,) = set(interpreters(spares)[2]) - before
    with open("/proc/%d/maps" % pid) as f:
        if "/memfd:python" not in f.read():
            pytest.skip("no sealed files on this machine")
    wait_for_spares(spares)
    waiting = min(private_kb(p) for p in interpreters(spares)[1])
    wait_for(lambda: private_kb(pid) < 0.85 * waiting)
    assert spares.invoke(name).payload is True


HOSTILE = """
import ctypes, gc, os, signal, subprocess, sys, threading, time
ODD = {}
for i, (name, module) in enumerate(sorted(sys.modules.items())):  # all over what is shared
    try:
        if hasattr(module, "__lamina_mark__"):
            continue  # under another name
        module.__lamina_mark__ = i
        ODD[name] = module, i
    except Exception:
        pass
BYTES = [bytes([i % 256]) * (i % 600) for i in range(5000)]
TICKS = [0]
if "timer" in os.environ["HOW"]:
    def tick(*_):
        TICKS[0] += 1
    signal.signal(signal.SIGALRM, tick)
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
if "thread" in os.environ["HOW"]:
    def run():
        while True:
            TICKS[0] += 1
    threading.Thread(target=run, daemon=True).start()
if "fork" in os.environ["HOW"]:
    CHILD = os.fork()
    if not CHILD:
        time.sleep(60)
        os._exit(0)
if "popen" in os.environ["HOW"]:
    CHILD = subprocess.Popen(["sleep", "60"])
BLOCK = None
if "unmap" in os.environ["HOW"]:  # the heap's end comes and goes, a part of it is another mapping
    libc = ctypes.CDLL(None)
    libc.malloc_trim(0)
    BLOCK = bytearray(100000)

def wrong():
    found = [name for name, (module, i) in ODD.items() if module.__lamina_mark__ != i]
    found += [i for i, b in enumerate(BYTES) if b != bytes([i % 256]) * (i % 600)]
    return found

def handler(event, context):
    before = TICKS[0]
    deadline = time.monotonic() + 5
    while ("timer" in os.environ["HOW"] or "thread" in os.environ["HOW"]) and TICKS[0] == before:
        assert time.monotonic() < deadline
    gc.collect()
    assert len(ODD) > 20
    out = subprocess.run(["echo", "x"], stdout=subprocess.PIPE).stdout
    sealed = [f for f in ("3", "4", "5", "6") if os.path.exists("/proc/self/fd/" + f)
              and "memfd" in os.readlink("/proc/self/fd/" + f)
              ]
    return wrong(), out.decode(), sealed, TICKS[0] >= before
"""


@pytest.mark.parametrize("how", ["plain", "timer", "thread", "fork", "popen", "unmap"])
def test_nothing_that_was_written_is_lost(spares, how):
    name = spares.function(HOSTILE, Environment={"Variables": {"HOW": how}}, Timeout=20)
    wait_for_spares(spares)
    for i in range(4):
        r = spares.invoke(name, i)
        assert r.payload == [[], "x\n", [], True], r.payload


# ---- node: executed ahead ----


def node_runtime():
    try:
        version = subprocess.run(["node", "--version"], stdout=subprocess.PIPE, text=True).stdout
    except OSError:
        return None
    return "nodejs%s.x" % version[1:].split(".")[0]


def is_at_rest(pid):
    """Node takes a while until it waits."""

    def used():
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[11:13]

    before = used()
    time.sleep(0.05)
    return used() == before and int(before[0]) > 0


@pytest.mark.skipif(
    node_runtime() not in ("nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x"),
    reason="no node of a version that Lambda has",
)
def test_node_is_there_before_its_function(spares, executed):
    source = """
exports.handler = async () => ({
  started: Number(process.hrtime.bigint()) / 1e9 - process.uptime(),
  cwd: process.cwd(), argv: process.argv, execArgv: process.execArgv,
  parent: process.ppid, uid: process.getuid(), umask: process.umask(),
  names: Object.keys(process.env).sort(), own: process.env.MINE,
});
"""
    seen = []
    for cloud in spares, executed:
        name = cloud.function(
            files={"index.js": source}, Handler="index.handler", Runtime=node_runtime(), Timeout=20,
            Environment={"Variables": {"MINE": "x"}},
        )
        if cloud is spares:
            wait_for_spares(cloud, 1, "node")
            wait_for(lambda: all(is_at_rest(p) for p in interpreters(cloud, "node")[1]))
        before = time.monotonic()
        answer = cloud.invoke(name).payload
        assert (answer.pop("started") < before) == (cloud is spares)
        seen.append(answer)
    assert seen[0] == seen[1]
    assert seen[0]["own"] == "x" and not any("SPARE" in n for n in seen[0]["names"])
