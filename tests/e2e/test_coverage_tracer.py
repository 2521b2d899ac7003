"""The tracer: what a program has executed is in the arena, however the program ends, and the
program notices nothing. For every Python from 3.8 on that is found."""

import glob
import json
import os
import re
import select
import socket
import struct
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from coverage_arena import BUSY, HAS_DONE, PYTHONS, ROOT, STOPPED, TRACER, Arena, Function  # noqa: E402

pytestmark = pytest.mark.skipif(not os.path.exists(TRACER), reason="built without python's headers")


def _versions():
    """[(name, number, path)]: the first one found of each version and processor."""
    found = {}
    paths = ["/usr/bin/python3"] + glob.glob(os.path.expanduser("~/.pyenv/versions/3.*/bin/python3"))
    for path in paths + list(filter(None, PYTHONS.split(":"))):
        r = subprocess.run(
            [path, "-Sc", "import os, sys; print(sys.version_info[0] * 100 + sys.version_info[1], os.uname()[4])"],
            capture_output=True, text=True,
        )
        if r.returncode == 0 and int(r.stdout.split()[0]) >= 308:
            number, machine = r.stdout.split()
            other = "" if machine == os.uname().machine else " " + machine
            found.setdefault(number + other, (number + other, int(number), path))
    return sorted(found.values())


VERSIONS = _versions()
OWN = [v for v in VERSIONS if " " not in v[0]]


@pytest.fixture(params=VERSIONS, ids=[v[0] for v in VERSIONS])
def function(request, tmp_path):
    f = Function(tmp_path, request.param[2])
    f.version = request.param[1]
    return f


@pytest.fixture
def one(tmp_path):
    """A function of the newest Python alone, for what does not depend on it."""
    f = Function(tmp_path, OWN[-1][2])
    f.version = OWN[-1][1]
    return f


def _monitoring(function):
    return function.version >= 312


APP = """\
import asyncio
from contextlib import suppress

def one(x): return x
def deco(f): return f
@deco
def decorated(): return 1
class Empty: pass

def branches(x):
    if x > 1:
        y = 1
    elif x: y = 2
    else:
        y = 3
    for i in range(y):
        if i == 1: break
        if x: continue
    else:
        y = 4
    while x:
        x -= 1
    with suppress(ValueError):
        if y == 3: raise ValueError
        y = 5
    return y

def leaves(x):
    try:
        if x: raise KeyError
        if not x: raise ValueError
    except KeyError:
        return 1
    finally:
        y = 2

def gen(n):
    for i in range(n):
        if i == 2: return
        yield i

async def agen(n):
    for i in range(n):
        yield i

async def main():
    async for i in agen(2):
        x = i
    async for i in agen(0):
        x = i
    else:
        x = 3
    return [i async for i in agen(2) if i]

for n in (0, 1, 4):
    branches(n)
leaves(1)
try:
    leaves(0)
except ValueError:
    pass
list(gen(1)), list(gen(5))
g = gen(5)
next(g)
g.close()
one(decorated())
asyncio.run(main())
"""

# What sys.settrace tells, with coverage.py's rules for arcs.
ORACLE = """
import dis, json, sys
path = sys.argv[1]
arcs, last = set(), {}
RESUME, YIELD = dis.opmap.get("RESUME"), dis.opmap["YIELD_VALUE"]
YIELD_FROM = dis.opmap.get("YIELD_FROM")

def yields(code, at):
    if RESUME is not None:
        return at + 2 < len(code) and code[at + 2] == RESUME
    return code[at] == YIELD or (at + 2 < len(code) and code[at + 2] == YIELD_FROM)

def entered(code, at):
    return at < 0 if RESUME is None else code[at] != RESUME or code[at + 1] & 3 == 0

def trace(frame, event, arg):
    code = frame.f_code
    if code.co_filename != path:
        return None
    if event == "call":
        new = entered(code.co_code, frame.f_lasti)
        last[frame] = -code.co_firstlineno if new else frame.f_lineno
    elif event == "line":
        arcs.add((last[frame], frame.f_lineno))
        last[frame] = frame.f_lineno
    elif event == "return":
        if not yields(code.co_code, frame.f_lasti):
            arcs.add((last[frame], -code.co_firstlineno))
        del last[frame]
    return trace

source = compile(open(path).read(), path, "exec", dont_inherit=True)
sys.settrace(trace)
exec(source, {"__name__": "__main__", "__file__": path})
sys.settrace(None)
print(json.dumps(sorted(arcs)))
"""


def _oracle(function, path):
    r = subprocess.run([function.python, "-c", ORACLE, path], capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    return {tuple(a) for a in json.loads(r.stdout)}


def test_lines_and_arcs_are_those_of_settrace(function):
    path = function.write("app.py", APP)
    arcs = _oracle(function, path)
    function.run()
    hits = function.hits()
    assert hits.lines == {line for arc in arcs for line in arc if line > 0}
    assert hits.lines <= hits.raw
    if not _monitoring(function):
        assert hits.arcs == arcs
        return
    assert hits.arcs <= arcs
    # Of every line that was left in several ways, all ways (an exception that passes is none).
    ways = {}
    for start, to in arcs:
        ways.setdefault(start, set()).add(to)
    heads = {4, 6, 7, 8, 11, 13, 16, 17, 18, 21, 24, 30, 31, 38, 39, 43, 47, 49}
    wanted = {(a, b) for a in heads for b in ways[a] if len(ways[a]) > 1}
    # 6: the decorator's line is begun once more for the call.
    missing = wanted - hits.arcs - {(6, 7), (7, 6)} - {(6, b) for b in ways[6]}
    assert missing == set()


MOVED = """\
import ast

tree = ast.parse("def f():\\n    a = 1\\n    b = 2\\n    c = 3\\n    d = 4\\n    return d\\n")
ast.increment_lineno(tree, 10)
ast.increment_lineno(tree.body[0].body[2], -4)  # a line above the function's first one
exec(compile(tree, __file__, "exec"))
f()
"""


def test_lines_above_the_function(function):
    if _monitoring(function):
        pytest.skip("sys.monitoring tells of no arc without a branch")
    path = function.write("app.py", MOVED)
    arcs = _oracle(function, path)
    function.run()
    assert {(13, 10), (10, 15)} <= arcs
    assert function.hits().arcs == arcs


def test_lines_only(function):
    path = function.write("app.py", APP)
    function.run(COVERAGE_BRANCH_COVERAGE="false")
    hits = function.hits()
    assert hits.lines == {line for arc in _oracle(function, path) for line in arc if line > 0}
    assert hits.arcs == set()


COVERAGE_PY = """
import coverage, runpy, sys
c = coverage.Coverage(data_file=None, branch=True, include=[sys.argv[1]], config_file=False)
c.start()
runpy.run_path(sys.argv[1], run_name="__main__")
c.stop()
data = c.get_data()
print(sorted(data.arcs(data.measured_files().pop())))
"""


def test_same_as_coverage_py(tmp_path):
    f = Function(tmp_path)
    path = f.write("app.py", APP)
    r = subprocess.run([f.python, "-c", COVERAGE_PY, path], capture_output=True, text=True)
    if "No module named 'coverage'" in r.stderr:
        pytest.skip("python3-coverage is not installed")
    assert r.returncode == 0, r.stderr
    f.run()
    assert f.hits().arcs == set(eval(r.stdout))


ENDS = {
    "os._exit": ("os._exit(3)", 3),
    "kill -9": ("os.kill(os.getpid(), 9)", -9),
    "fork": (
        "child = os.fork()\nif child == 0:\n    in_child()\n    os._exit(0)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if hasattr(os, "
        "'waitstatus_to_exitcode') else os.waitpid(child, 0)[1])", 0,
    ),
    "thread": ("t = threading.Thread(target=in_child)\nt.start()\nt.join()", 0),
    "multiprocessing": (
        "import multiprocessing\nm = multiprocessing.get_context('fork')\n"
        "p = m.Process(target=in_child)\np.start()\np.join()\nsys.exit(p.exitcode)", 0,
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_nothing_is_lost(function, end):
    code, status = ENDS[end]
    head = "import os, sys, threading\ndef in_child():\n    a = 1\n    if a: b = 2\n    return 3\n"
    function.write("app.py", head + code + "\n")
    assert function.run(ok=False).returncode == status
    lines = function.hits().lines
    assert {1, 2, 6} <= lines
    if end not in ("os._exit", "kill -9"):
        assert {3, 4, 5} <= lines


def test_children_are_counted_when_asked(one):
    one.write("app.py", "import subprocess, sys\nsubprocess.check_call([sys.executable, 'child.py'])\n")
    one.write("child.py", "x = 1\n")
    one.run()
    assert one.hits("child.py").lines == set()
    one.run(COVERAGE_SUBPROCESS="true")
    assert one.hits("child.py").lines == {1}


PATHS = """\
import json, os, sys
import app2
print(json.dumps([os.environ.get("PYTHONPATH"), [k for k in os.environ if k.startswith("LAMINA_C")],
    [p for p in sys.path if "lamina" in p and "opt" in p], [p for p in sys.path if p == "/no/where"],
    "sitecustomize" in sys.modules and getattr(sys.modules["sitecustomize"], "mine", 0)]))
"""


@pytest.mark.parametrize("before", [None, "", "/no/where"])
def test_environment_is_put_back(function, before):
    function.write("app.py", PATHS)
    function.write("app2.py", "")
    told = json.loads(function.run(python_path=before).stdout)
    assert told[:3] == [before, ["LAMINA_COVERAGE_DIR"], []]
    assert told[3] == (["/no/where"] if before else [])
    assert function.hits().lines


def test_another_sitecustomize_has_its_turn(function, tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("mine = 5\n")
    function.write("app.py", PATHS)
    function.write("app2.py", "")
    assert json.loads(function.run(python_path=str(tmp_path / "site")).stdout)[4] == 5


def test_vendored_packages_are_left_out(one):
    one.write("app.py", "import vendor, alone, mine, user.part\n")
    one.write("vendor/__init__.py", "x = 1\n")
    one.write("alone.py", "x = 1\n")
    one.write("mine.py", "x = 1\n")
    one.write("user/part.py", "x = 1\n")
    one.write("lib/site-packages/deep.py", "x = 1\n")
    record = "vendor/__init__.py,sha256=x,6\nalone.py,,\nvendor-1.dist-info/RECORD,,\nuser/part.py,,\n"
    one.write("vendor-1.dist-info/RECORD", record)
    # The handler's own package is the user's, even when pip has installed it.
    one.run(_HANDLER="user/part.handler")
    names = {os.path.relpath(p, one.task) for a in one.arenas() for p in a.files}
    assert names == {"app.py", "mine.py", "user/part.py"}


PATTERNS = [
    ({}, {"app.py", "a/b.py", "a/c/d.py"}),
    ({"COVERAGE_INCLUDE_PATTERNS": "a/*"}, {"a/b.py", "a/c/d.py"}),
    ({"COVERAGE_INCLUDE_PATTERNS": "*/b.py, d.py"}, {"a/b.py", "a/c/d.py"}),
    ({"COVERAGE_INCLUDE_PATTERNS": "a/?.py"}, {"a/b.py"}),
    ({"COVERAGE_EXCLUDE_PATTERNS": "**/c/*"}, {"app.py", "a/b.py"}),
    ({"COVERAGE_EXCLUDE_PATTERNS": "[ab].py"}, {"app.py", "a/c/d.py"}),
    ({"COVERAGE_INCLUDE_PATTERNS": "a/*", "COVERAGE_EXCLUDE_PATTERNS": "d.*"}, {"a/b.py"}),
]


@pytest.mark.parametrize("env,wanted", PATTERNS, ids=[" ".join(p[0].values()) for p in PATTERNS])
def test_patterns(one, env, wanted):
    one.write("app.py", "import a.b, a.c.d\n")
    one.write("a/b.py", "x = 1\n")
    one.write("a/c/d.py", "x = 1\n")
    one.run(**env)
    assert {os.path.relpath(p, one.task) for a in one.arenas() for p in a.files} == wanted


BAD = [
    {"COVERAGE_BRANCH_COVERAGE": "maybe"},
    {"COVERAGE_SAMPLE_RATE": "2"},
    {"COVERAGE_LOG_LEVEL": "LOUD"},
    {"COVERAGE_INCLUDE_PATTERNS": "***,*/app.py"},
    {"COVERAGE_CONTEXTS": "each"},
]


@pytest.mark.parametrize("env", BAD, ids=lambda e: list(e)[0])
def test_bad_values_are_one_line(one, env):
    one.write("app.py", "x = 1\n")
    lines = one.run(**env).stderr.splitlines()
    assert len(lines) == 1
    line = json.loads(lines[0])
    assert line["level"] == "WARNING" and list(env)[0] in line["message"]
    assert one.hits().lines == {1}


@pytest.mark.parametrize("env", [{"COVERAGE_ENABLED": "false"}, {"COVERAGE_SAMPLE_RATE": "0"}])
def test_off(one, env):
    one.write("app.py", "import sys\nprint(sys.gettrace())\n")
    r = one.run(**env)
    assert r.stdout == "None\n" and one.arenas() == []
    assert list(env)[0] in json.loads(r.stderr)["message"]


def test_a_directory_that_cannot_be_made(function):
    function.dir.write_text("a file")
    function.write("app.py", "print('runs')\n")
    r = function.run()
    assert r.stdout == "runs\n"
    assert json.loads(r.stderr)["level"] == "ERROR"


BIG = "import os, resource, shutil, sys\n%s\nimport big\nprint(big.x)\n"
FULL = "resource.setrlimit(resource.RLIMIT_FSIZE, (70000, 70000))"
GONE = "shutil.rmtree(os.environ['LAMINA_COVERAGE_DIR'])"


def test_a_full_disk_turns_it_off(function):
    function.write("app.py", BIG % FULL)
    function.write("big.py", "\n" * 400000 + "x = 5\n")
    r = function.run()
    assert r.stdout == "5\n"
    assert len(r.stderr.splitlines()) == 1 and "cannot grow" in json.loads(r.stderr)["message"]
    arena = function.arenas()[0]
    assert "cannot grow" in arena.error and arena.flags & STOPPED and arena.lost
    assert function.hits().lines >= {1, 2, 3}


def test_a_directory_that_vanishes_turns_it_off(function):
    function.write("app.py", BIG % GONE)
    function.write("big.py", "\n" * 400000 + "x = 5\n")
    r = function.run()
    assert r.stdout == "5\n"
    assert len(r.stderr.splitlines()) == 1 and "cannot grow" in json.loads(r.stderr)["message"]


OWN_TRACE = """\
import sys
seen = []
def trace(frame, event, arg):
    seen.append(event)
    return trace
def f():
    return 1
before = sys.gettrace()
sys.settrace(trace)
f()
sys.settrace(before)
def g():
    return 2
g()
print(seen[:3], len(seen))
"""


@pytest.mark.parametrize("how", ["0", "700", "rubbish"])
def test_who_cuts_the_arena_short_lives_on(function, how):
    """Bits behind the end of a mapped file are SIGBUS; what is in the file makes no addresses."""
    function.write("m.py", "def f(x):\n    if x:\n        x += 1\n    return x\n\n\n" * 300)
    function.write(
        "app.py",
        "import glob, os, signal\n"
        "import m\n"
        "path, = glob.glob(os.environ['LAMINA_COVERAGE_DIR'] + '/arena-*')\n"
        "if %r == 'rubbish':\n"
        "    size = os.path.getsize(path)\n"
        "    with open(path, 'r+b') as f:\n"
        "        f.write(os.urandom(size))\n"
        "else:\n"
        "    os.truncate(path, int(%r))\n"
        "def more(x):\n"
        "    return m.f(x) + m.f(not x)\n"
        "n = os.path.join(os.path.dirname(m.__file__), 'n.py')\n"
        "exec(compile('\\n' * 5000 + 'x = 1\\n' * 5000, n, 'exec'))\n"
        "print(more(1))\n"
        "print(signal.getsignal(signal.SIGBUS) == signal.SIG_DFL)\n" % (how, how if how.isdigit() else 0),
    )
    r = function.run()
    out = r.stdout.split()
    assert out[0] == "2" and out[-1] == "True", (r.stdout, r.stderr)
    said = [json.loads(line)["message"] for line in r.stderr.splitlines()]
    assert len(said) == 1 and "short by the program" in said[0] if how != "rubbish" else len(said) <= 1


def test_own_trace_function(function):
    """It gets its events, and tracing goes on when it gives back what was there."""
    function.write("app.py", OWN_TRACE)
    out = function.run().stdout
    assert out.startswith("['call', 'line', 'return'] ")
    lines = function.hits().lines
    assert {13, 14, 15} <= lines
    if _monitoring(function):
        assert {3, 6, 7} <= lines


CHAINED_TRACE = """\
import sys, threading
before = sys.gettrace()
seen = []
def trace(frame, event, arg):
    seen.append(frame.f_code.co_name)
    if before:
        before(frame, event, arg)
    return trace
def f():
    import colorsys
    return 1
sys.settrace(trace)
f()
f()
sys.settrace(None)
print(seen.count("f"), seen.count("<module>") > 10)
if before:
    before("no frame", "call", None)
def g():
    return 2
threading.settrace(before)
t = threading.Thread(target=g)
t.start()
t.join()
"""


def test_own_trace_function_calls_what_was_there(function):
    """It goes on to get its events, of all frames; and others may call with what they like."""
    function.write("app.py", CHAINED_TRACE)
    assert function.run().stdout == "8 True\n"
    assert {10, 11, 15, 20} <= function.hits().lines


SUBINTERPRETER = """\
try:
    import _xxsubinterpreters as s
except ImportError:
    import _interpreters as s
for i in range(2):
    inner = s.create()
    s.run_string(inner, "def f(): return 1\\nimport colorsys\\nf()")
    s.destroy(inner)
print("end")
"""


@pytest.mark.parametrize("rate", ["1", "0"])
def test_other_interpreters_are_left_alone(function, rate):
    function.write("app.py", SUBINTERPRETER)
    r = function.run(COVERAGE_SAMPLE_RATE=rate, COVERAGE_LOG_LEVEL="WARNING")
    assert r.stdout == "end\n" and r.stderr == ""
    if rate == "1":
        assert function.hits().lines == {1, 2, 5, 6, 7, 8, 9} | ({3, 4} if function.version > 312 else set())


def test_taken_over_for_good_is_noted(function):
    function.write("app.py", "import sys\nsys.settrace(lambda *a: None)\nx = 1\n")
    r = function.run()
    note = function.arenas()[0].note
    if _monitoring(function):
        assert note == "" and r.stderr == ""
    else:
        assert "trace function of its own" in note and note in json.loads(r.stderr)["message"]


def test_other_tools_of_monitoring(one):
    if not _monitoring(one):
        pytest.skip("needs 3.12")
    one.write(
        "app.py",
        "import sys\nm = sys.monitoring\nseen = []\nm.use_tool_id(0, 'mine')\n"
        "m.register_callback(0, m.events.LINE, lambda c, l: seen.append(l))\n"
        "def f():\n    a = 1\n    return a\n"
        "m.set_local_events(0, f.__code__, m.events.LINE)\nf()\nf()\nprint(seen)\n"
        "print(m.get_tool(1))\n",
    )
    assert one.run().stdout == "[7, 8, 7, 8]\nlamina-coverage\n"
    assert {7, 8} <= one.hits().lines


CONTEXTS = """\
import mmap, os, struct, sys
sys.path.insert(0, %r)
import _lamina_coverage
from coverage_arena import Arena
def f(x):
    if x:
        return 1
    return 2
f(0), f(1)
arena = _lamina_coverage.status()["arena"]
def take():
    arcs = Arena(arena, take=True).files[os.path.realpath(__file__)]
    _lamina_coverage.new_context()
    return sorted(n for n in arcs.lines if 5 < n < 9), sorted(a for a in arcs.arcs if a[0] == 6)
print(take())
f(1)
print(take())
f(0), f(1), f(0)
print(take())
print(take())
"""


def test_hits_that_were_taken_come_again(function):
    function.write("app.py", CONTEXTS % os.path.dirname(os.path.abspath(__file__)))
    env = {"COVERAGE_CONTEXTS": "invocation", "COVERAGE_INCLUDE_PATTERNS": "app.py"}
    out = function.run(**env).stdout.splitlines()
    both = "([6, 7, 8], [(6, 7), (6, 8)])"
    assert out == [both, "([6, 7], [(6, 7)])", both, "([], [])"]


class _Api(BaseHTTPRequestHandler):
    """The Runtime API, for three invocations."""

    protocol_version = "HTTP/1.1"
    posted = []

    def do_GET(self):
        self.between()
        if len(self.posted) == 3:
            self.server.finished.set()
            self.close_connection = True
            return
        body = b'{"n": %d}' % len(self.posted)
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", "id-%d" % len(self.posted))
        self.send_header("Lambda-Runtime-Deadline-Ms", "99999999999999")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.posted.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


def _serve(function, between=lambda: None, until=lambda: None, **env):
    """Three invocations by Lamina's own runtime; between() runs before each `next` is answered,
    until() before the runtime is ended: it asks for the next event before the last one is counted."""
    _Api.posted = []
    _Api.between = staticmethod(between)
    server = HTTPServer(("127.0.0.1", 0), _Api)
    server.finished = threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        env = dict(
            os.environ, AWS_LAMBDA_RUNTIME_API="127.0.0.1:%d" % server.server_port,
            _HANDLER="app.handler", LAMBDA_TASK_ROOT=str(function.task),
            LAMINA_COVERAGE_DIR=str(function.dir), AWS_LAMBDA_FUNCTION_NAME="f", **env,
        )
        runtime = subprocess.Popen(
            [str(function.opt / "lamina-coverage"), function.python,
             os.path.join(ROOT, "runtimes", "python", "bootstrap.py")],
            env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=function.task,
        )
        finished = server.finished.wait(60)
        until()
        runtime.kill()
        runtime.wait()
        assert finished
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert len(_Api.posted) == 3


HANDLER = """\
def handler(event, context):
    if event['n'] == 1:
        raise KeyError
    return 1
"""


def test_shipper_hears_of_each_invocation(function):
    """A byte in the FIFO after each response."""
    function.write("app.py", HANDLER)
    function.dir.mkdir()
    os.mkfifo(function.dir / "done")
    fifo = os.open(function.dir / "done", os.O_RDWR | os.O_NONBLOCK)
    heard = []

    def hear():
        while len(heard) < 3 and select.select([fifo], [], [], 20)[0]:
            heard.extend(os.read(fifo, 100).decode())

    _serve(function, until=hear)
    assert b"KeyError" in _Api.posted[1] and b"_lamina" not in _Api.posted[1]
    assert heard == ["d", "d", "d"]
    os.close(fifo)
    arena = function.arenas()[0]
    assert arena.done == 3 and arena.flags & HAS_DONE
    assert function.hits().lines == {1, 2, 3, 4}


def test_hits_by_invocation(function):
    """What a reader takes between two invocations is counted again in the next."""
    function.write("app.py", HANDLER)
    taken = []

    def take():
        for arena in function.arenas(take=True):
            taken.append({n for h in arena.files.values() for n in h.lines})

    _serve(function, take, COVERAGE_CONTEXTS="invocation")
    assert taken == [{1}, {2, 4}, {2, 3}, {2, 4}]


RIC = """\
class LambdaRuntimeClient:
    def post_invocation_result(self, id, data, content_type="application/json"):
        return ("posted", id, data, content_type)
    def wait_next_invocation(self):
        class Event:
            invoke_id, deadline_time_in_ms = "id-1", 4102444800000
        return Event()
"""


def test_shipper_hears_of_aws_client(function):
    function.write("awslambdaric/__init__.py", "")
    function.write("awslambdaric/lambda_runtime_client.py", RIC)
    function.write(
        "app.py",
        "from awslambdaric.lambda_runtime_client import LambdaRuntimeClient as C\n"
        "print(C().post_invocation_result('i', data=1), C.post_invocation_result.__name__)\n",
    )
    out = function.run(COVERAGE_EXCLUDE_PATTERNS="*/awslambdaric/*").stdout
    assert out == "('posted', 'i', 1, 'application/json') post_invocation_result\n"
    assert function.arenas()[0].done == 1


HELD = """
from awslambdaric.lambda_runtime_client import LambdaRuntimeClient
client = LambdaRuntimeClient()
client.wait_next_invocation()
import first
client.post_invocation_result("id-1", data=1)
for _ in range(3):
    client.wait_next_invocation()
    client.post_invocation_result("id-1", data=1)
import second
client.wait_next_invocation()
print("end")
"""


@pytest.mark.parametrize("answer", [(2**32 - 1, 0), (0, 0), (0, 1), None])
def test_aws_client_is_held_back_while_there_is_news(function, answer):
    """A shipper that listens: told of the initialisation, asked after invocations with news, and where
    it says so after all or none; one that hangs up is asked again."""
    function.write("awslambdaric/__init__.py", "")
    function.write("awslambdaric/lambda_runtime_client.py", RIC)
    function.write("app.py", HELD)
    function.write("first.py", "x = 1\n")
    function.write("second.py", "x = 1\n")
    function.dir.mkdir(mode=0o700)
    os.utime(function.dir, (1, 1))
    st = os.stat(function.dir)
    told = []

    def serve(listener):
        while True:
            peer, _ = listener.accept()
            with peer:
                version, what = struct.unpack("<II", peer.recv(100))
                arena = function.arenas()[0]
                if version != 1:
                    return
                told.append((what, arena.news, bool(arena.flags & BUSY)))
                os.utime(function.dir, (1, 1))  # nothing has come into it for long
                if answer:
                    try:
                        peer.send(struct.pack("<II", *answer))
                    except BrokenPipeError:
                        pass  # of the initialisation it is only told

    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        name = "\0lamina-coverage-%x-%x" % (st.st_dev, st.st_ino)
        listener.bind(name)
        listener.listen()
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        out = function.run(COVERAGE_EXCLUDE_PATTERNS="*/awslambdaric/*").stdout
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as last:
            last.connect(name)
            last.send(struct.pack("<II", 0, 0))
            thread.join()
    assert out == "end\n"
    assert told[0][0] == 1 and {what for what, _, _ in told[1:]} <= {2}
    assert not any(busy for _, _, busy in told[1:])
    if answer == (0, 1):
        assert len(told) == 2
    else:
        assert told[-1][1] > told[1][1]
        # the lines of the loop are news as well, the first time; the directory's, too
        assert len(told) == 5 if answer in ((0, 0), None) else 3 <= len(told) <= 4
    assert function.arenas()[0].done == 0
    assert function.hits("second.py").lines == {1}


def test_start_and_stop(function):
    function.write(
        "app.py",
        "import sys\nimport _lamina_coverage as c\nc.stop()\nassert not c.active()\nimport off\n"
        "assert c.start() and c.active()\nimport on\ns = c.status()\n"
        "assert s['active'] and s['files'] == 2 and s['error'] is None, s\n",
    )
    function.write("off.py", "x = 1\n")
    function.write("on.py", "x = 1\n")
    function.run(COVERAGE_BRANCH_COVERAGE="true")
    assert function.hits("off.py").lines == set()
    assert function.hits("on.py").lines == {1}


def test_loads_on_old_systems():
    """Amazon Linux 2 has glibc 2.26, and its loader knows no DT_RELR."""
    text = subprocess.run(["readelf", "-W", "--dyn-syms", "-d", TRACER], capture_output=True, text=True)
    versions = re.findall(r"GLIBC_(\d+)\.(\d+)", text.stdout)
    assert versions and max((int(a), int(b)) for a, b in versions) <= (2, 26)
    assert "RELR" not in text.stdout and "ABI_DT" not in text.stdout
    assert re.findall(r"NEEDED.*\[(.*)\]", text.stdout) == ["libc.so.6"]
