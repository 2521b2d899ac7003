#!/usr/bin/python3
"""Runs all tests, part by part, and ends with one line: N passed, N failed, N skipped.

    tests/run.py [--fast] [--only PART]... [--list]

script/test installs what is needed and calls this. Every test counts once for each way it is run:
as root and as an ordinary user, plain and sanitized. What fails is shown in full, the rest as one
line a part. Up to five tests of a part that failed beside others are run again alone: those that
pass then are shown too, and counted as unsteady. The builds go to build/, build-asan/, build-tsan/
and build-fuzz/ of the checkout. The slow ones go on behind the tests, which mostly wait, at a
low priority: a part's time is that from its start to its end, whatever else went on.
"""

import argparse
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
JOBS = min(os.cpu_count() or 1, len(os.sched_getaffinity(0)), 4)
# Two thirds of an end to end test's time it waits: for a time limit, a process, a retry.
WORKERS = 2 * JOBS
PYTHON = "/usr/bin/python3"
NOBODY = 65534
AS_ROOT = os.geteuid() == 0

# What a user without privileges sees otherwise than root does: namespaces, owners, permissions.
USER_UNITS = ["test_base", "test_sandbox", "test_store", "test_zip"]
USER_E2E = [
    "test_cli_chain.py",
    "test_escapes.py",
    "test_hostile_environments.py",
    "test_invoke.py",
    "test_lifecycle.py",
    "test_runtimes.py",
    "test_sandbox.py",
    "test_starts.py",
]
# Of no use with a sanitized program: these are about other people's clients and shells, or about
# what no sanitizer sees (python, the tracer, which is never sanitized), or how long things take.
# All of them together reach 89 of 52,000 branches (gcov's arcs) that the others do not.
SANITIZED_E2E_WITHOUT = [
    "test_cli_build.py",
    "test_cli_foreign.py",
    "test_common_functions.py",
    "test_coverage_chain.py",
    "test_coverage_shipper_cloud.py",
    "test_coverage_tracer.py",
    "test_coverage_wrapper.py",
    "test_entry_points.py",
    "test_environments.py",
    "test_lambda_cli.py",
    "test_limits.py",
    "test_logs_kill.py",
    "test_long_init.py",
    "test_neighbours.py",
    "test_node.py",
    "test_policy_record.py",
    "test_s3_cli.py",
    "test_starts_covered.py",
]
# Those that take longest begin first, lest one of them is what all wait for in the end.
LONG_E2E = ["test_cli_chain.py", "test_images.py", "test_faults.py", "test_extensions.py",
            "test_s3_cli.py", "test_coverage_layer.py"]
# More failures of one part than these are no matter of a busy machine.
AGAIN_MAX = 5
SANITIZED_NOT = ("not (callers_of_others_do_not_notice or build_is_reproducible or"
                 " build_of_a_layer_alone)")  # load; pip
# What makes use of the thread pool: hashing, unpacking, spooled bodies.
THREADED_E2E = ["test_images.py", "test_lambda_api.py", "test_s3.py"]
FUZZ_SECONDS = 3


class Tally:
    """What a part has found. `shown` is the output of what failed. An unsteady test failed beside
    others, and passed when it was run again alone: it is shown and counted, but breaks nothing."""

    def __init__(self):
        self.passed = self.failed = self.skipped = self.unsteady = 0
        self.shown = []

    def fail(self, text, count=1):
        self.failed += count
        self.shown.append(text.rstrip())

    def line(self):
        text = "%d passed, %d failed" % (self.passed, self.failed)
        if self.skipped:
            text += ", %d skipped" % self.skipped
        return text + (", %d unsteady" % self.unsteady if self.unsteady else "")


# ---- processes ----

running = {}  # pid of a group's leader -> Popen
scratch = None
stopping = False


class Stopped(Exception):
    pass


def stop(number, frame):
    global stopping
    stopping = True
    raise Stopped(number)


def end_processes():
    """Ends the groups that we started, and nothing else."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for p in list(running.values()):
            try:
                os.killpg(p.pid, number)
            except ProcessLookupError:
                pass
        deadline = time.monotonic() + 3
        for p in list(running.values()):
            try:
                p.wait(max(0.01, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass


def start(command, log, cwd=ROOT, env=None, user=False, behind=False):
    """`behind` what others do: it gets what time others leave."""
    if user and AS_ROOT:
        ids = str(NOBODY)
        command = ["setpriv", "--reuid", ids, "--regid", ids, "--clear-groups", *command]
    if behind:
        command = ["nice", "-n", "10", *command]
    if stopping:
        raise SystemExit
    p = subprocess.Popen(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    running[p.pid] = p
    if behind:  # Linux may weigh sessions against each other, each with a niceness of its own
        try:
            with open("/proc/%d/autogroup" % p.pid, "w") as f:
                f.write("10")
        except OSError:
            pass
    return p


def finish(p, timeout):
    """Waits; returns the exit code, or None when it had to be ended."""
    try:
        code = p.wait(timeout)
    except subprocess.TimeoutExpired:
        code = None
        os.killpg(p.pid, signal.SIGKILL)
        p.wait()
    # A command that has ended must not have left something of its group behind.
    try:
        os.killpg(p.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    running.pop(p.pid, None)
    return code


def run(command, timeout=900, **options):
    """Returns (exit code or None, output)."""
    with tempfile.TemporaryFile() as log:
        code = finish(start(command, log, **options), timeout)
        log.seek(0)
        return code, log.read().decode(errors="replace")


def said(command, code, output):
    how = "took too long and was ended" if code is None else "exit %d" % code
    return "$ %s\n%s\n(%s)" % (" ".join(command), output.rstrip(), how)


def own_scratch(name):
    """An empty folder that the ordinary user owns, at a place that he can reach."""
    path = os.path.join(scratch, name)
    shutil.rmtree(path, ignore_errors=True)
    os.mkdir(path)
    if AS_ROOT:
        os.chown(path, NOBODY, NOBODY)
    return path


def user_env(home):
    """The environment of an ordinary user whose home is `home`."""
    for name in ("config", "data", "cache", "run", "tmp"):
        os.makedirs(os.path.join(home, name), mode=0o700, exist_ok=True)
        if AS_ROOT:
            os.chown(os.path.join(home, name), NOBODY, NOBODY)
    keep = {k: v for k, v in os.environ.items() if k in ("LANG", "LC_ALL", "TZ")}
    # Root's PATH may lead into folders that are closed to others.
    path = "/usr/local/bin:/usr/bin:/bin" if AS_ROOT else os.environ["PATH"]
    return dict(
        keep,
        PATH=path,
        HOME=home,
        TMPDIR=os.path.join(home, "tmp"),
        XDG_CONFIG_HOME=os.path.join(home, "config"),
        XDG_DATA_HOME=os.path.join(home, "data"),
        XDG_CACHE_HOME=os.path.join(home, "cache"),
        XDG_RUNTIME_DIR=os.path.join(home, "run"),
        PYTHONDONTWRITEBYTECODE="1",
    )


# ---- builds ----


def build(folder, options=(), env=None, targets=(), behind=False):
    """Sets up (where that is missing) and builds. Returns None or what went wrong."""
    path = os.path.join(ROOT, folder)
    commands = []
    if not os.path.exists(os.path.join(path, "build.ninja")):
        shutil.rmtree(path, ignore_errors=True)
        commands.append(["meson", "setup", path, *options])
    commands.append(["ninja", "-j", str(JOBS), "-C", path, *targets])
    for command in commands:
        code, output = run(command, 1800, env=dict(os.environ, **(env or {})), behind=behind)
        if code:
            # Ninja prints every step; what failed begins with this word.
            at = output.find("FAILED:")
            return said(command, code, output[max(at, 0):])
        if code is None:
            return said(command, code, output)
    return None


def built(tally, problem):
    if problem:
        tally.fail(problem)
    else:
        tally.passed += 1
    return not problem


def part_build(tally):
    """The unit tests among it have to wait: nobody runs them plain."""
    problem = build("build", targets=["build.ninja"])
    targets = []
    if not problem:
        code, output = run(["meson", "introspect", "--targets", os.path.join(ROOT, "build")])
        for target in json.loads(output) if code == 0 else ():
            path = os.path.relpath(target["filename"][0], os.path.join(ROOT, "build"))
            if target["build_by_default"] and not path.startswith("tests/"):
                targets.append(path)
        problem = build("build", targets=targets)
    built(tally, problem)


# Half the time of -O2 -g to compile, and all that a report needs.
QUICK = ["-Doptimization=1", "-Ddebug=false"]
# Two warnings need an optimizer that sees more: sanitized and at -O1 they are often wrong.
GCC_QUICK = [*QUICK, "-Dc_args=-g1 -Wno-maybe-uninitialized -Wno-format-truncation"]
# clang needs a third of the time of -O1; the targets get through two thirds of the inputs a second.
FUZZ_QUICK = ["-Doptimization=0", "-Ddebug=false", "-Dc_args=-g1"]


def part_build_asan(tally):
    options = ["-Dtests=enabled", "-Db_sanitize=address,undefined", *GCC_QUICK]
    built(tally, build("build-asan", options, behind=True))


def part_build_tsan(tally):
    options = ["-Dtests=disabled", "-Db_sanitize=thread", *GCC_QUICK]
    built(tally, build("build-tsan", options, targets=["lamina"], behind=True))


def fuzz_names():
    return sorted(os.path.basename(p)[:-2] for p in glob.glob(os.path.join(ROOT, "fuzz", "*.c")))


def part_build_fuzz(tally):
    options = ["-Dfuzz=true", "-Dtests=disabled", "-Db_sanitize=address,undefined",
               "-Db_lundef=false", *FUZZ_QUICK]
    targets = ["fuzz/" + n for n in fuzz_names()]
    built(tally, build("build-fuzz", options, {"CC": "clang-14"}, targets, behind=True))


# ---- unit tests ----


def count_tap(tally, name, program, output, code):
    """Counts what a cmocka program says in TAP; one that ends early has failed at least once.
    Scripts among them may end with a line as ours, or just count as one test."""
    script = not re.match(r"test_", os.path.basename(program))
    closing = re.findall(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", output, re.M)
    if closing:
        passed, failed, skipped = (int(n or 0) for n in closing[-1])
        tally.passed += passed
        tally.skipped += skipped
        if failed or code or not passed:
            tally.fail("%s: exit %s\n%s" % (name, code, output), max(failed, 1))
        return
    if script and code == 77:  # meson's exit code of a test that cannot run here
        tally.skipped += 1
        return
    if script and code == 0:
        tally.passed += 1
        return
    seen, planned, failed = 0, 0, 0
    for line in output.splitlines():
        plan = re.match(r"1\.\.(\d+)", line)
        result = re.match(r"(not )?ok \d+", line)
        if plan:
            planned += int(plan[1])
        elif result:
            seen += 1
            if re.search(r"# *skip", line, re.I):  # cmocka 1.1 says "not ok" for these
                tally.skipped += 1
            elif result[1]:
                failed += 1
            else:
                tally.passed += 1
    if failed or seen < planned or not planned or code:
        tally.fail("%s: exit %s, %d of %d tests ran\n%s" % (name, code, seen, planned, output),
                   max(failed, 1))


def part_unit(tally):
    """All unit tests, sanitized, with meson as their runner."""
    folder = os.path.join(ROOT, "build-asan")
    log = os.path.join(folder, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.unlink(log)
    command = ["meson", "test", "-C", folder, "--no-rebuild", "--num-processes", str(JOBS)]
    code, output = run(command, env=sanitizer_env(os.environ, own_scratch("unit-reports")))
    if not os.path.exists(log):
        tally.fail(said(command, code, output))
        return
    with open(log) as f:
        for line in f:
            test = json.loads(line)
            text = (test.get("stdout") or "") + (test.get("stderr") or "")
            count_tap(tally, test["name"], test["command"][0], text, test["returncode"])
    if code and not tally.failed or code is None:
        tally.fail(said(command, code, output))
    count_reports(tally, os.path.join(scratch, "unit-reports"))


def part_unit_user(tally):
    """Those that depend on who runs them, once more without privileges."""
    if not AS_ROOT:
        tally.skipped += 1
        return
    home = own_scratch("unit-user")
    reports = own_scratch("unit-user-reports")
    env = sanitizer_env(user_env(home), reports)
    env["CMOCKA_MESSAGE_OUTPUT"] = "TAP"
    for name in USER_UNITS:
        program = os.path.join(home, name)
        shutil.copy(os.path.join(ROOT, "build-asan", "tests", "unit", name), program)
        os.chmod(program, 0o755)
        code, output = run([program], timeout=180, cwd=home, env=env, user=True)
        count_tap(tally, name + " as a user", name, output, code)
    count_reports(tally, reports)


def sanitizer_env(env, reports):
    """Reports go to files: a daemon's stderr is nobody's business here. Environments whose view of
    the file system lacks that folder write to stderr."""
    options = "log_path=%s/report:print_stacktrace=1:detect_stack_use_after_return=0" % reports
    return dict(env, ASAN_OPTIONS=options, UBSAN_OPTIONS=options)


def count_reports(tally, reports):
    for path in sorted(glob.glob(os.path.join(reports, "report.*"))):
        with open(path, errors="replace") as f:
            tally.fail("a sanitizer's report, %s:\n%s" % (os.path.basename(path), f.read()[:8000]))


# ---- pytest ----


def pytest(tally, paths, program=None, cwd=ROOT, env=None, user=False, jobs=WORKERS,
           timeout=900, name="tests", only=None):
    env = dict(os.environ if env is None else env, PYTHONDONTWRITEBYTECODE="1")
    # A person's own settings are none of the tests' business.
    for variable in list(env):
        if variable.startswith(("AWS_", "LAMINA_", "SAM_")) and variable != "LAMINA_KILLS":
            del env[variable]
    if program:
        env["LAMINA"] = program
    folder = own_scratch("pytest-" + name)
    report = os.path.join(folder, "junit.xml")
    command = [PYTHON, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider",
               "--junitxml", report, "--basetemp", os.path.join(folder, "tmp")]
    if jobs > 1:
        # A file's tests share clouds; and they are so many that files are small enough.
        command += ["-n", str(jobs), "--dist", "loadfile"]
    if only:
        command += ["-k", only]
    code, output = run(command + list(paths), timeout=timeout, cwd=cwd, env=env, user=user)
    failed = count_junit(tally, report)
    if failed or code != 0:
        at = re.search(r"^=+ (FAILURES|ERRORS) =+$", output, re.M)
        text = said(command, code, output[at.start() if at else 0:])
        names = failed_tests(report) if code == 1 else []
        alone = [c for c in command if c not in ("-n", str(jobs), "--dist", "loadfile")]
        if names and len(names) == failed <= AGAIN_MAX:
            code, output = run(alone + names, timeout=timeout, cwd=cwd, env=env, user=user)
            if code == 0:
                tally.unsteady += failed
                tally.shown.append(text + "\nUnsteady: passed when run again, alone.")
                failed = 0
            else:
                text += "\nAnd again, alone:\n" + said(alone + names, code, output)
        if failed or not tally.unsteady:
            tally.fail(text, max(failed, 1))
    shutil.rmtree(folder, ignore_errors=True)


def count_junit(tally, report):
    """Adds what passed and was skipped; returns how many did not."""
    failed = 0
    try:
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            count = {k: int(suite.get(k, 0)) for k in ("tests", "failures", "errors", "skipped")}
            bad = count["failures"] + count["errors"]
            failed += bad
            tally.skipped += count["skipped"]
            tally.passed += max(0, count["tests"] - bad - count["skipped"])
    except (OSError, ElementTree.ParseError):
        return 0
    return failed


def failed_tests(report):
    names = []
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            # Names begin below the folder of pytest.ini.
            path = "tests/%s.py" % case.get("classname").replace(".", "/")
            names.append("%s::%s" % (path, case.get("name")))
    return names


def long_first(without=()):
    """The folder's files, all of them, those that take long at its head."""
    first = [n for n in LONG_E2E if n not in without]
    rest = sorted(os.path.basename(p) for p in glob.glob(os.path.join(ROOT, "tests/e2e/test_*.py")))
    return ["tests/e2e/" + n for n in first + [n for n in rest if n not in (*first, *without)]]


def part_runtime(tally):
    pytest(tally, ["tests/runtime"], jobs=1, name="runtime")


def part_e2e(tally):
    pytest(tally, long_first(), os.path.join(ROOT, "build", "lamina"), name="e2e")


def part_e2e_asan(tally):
    reports = own_scratch("e2e-reports")
    os.chmod(reports, 0o1777)
    env = sanitizer_env(os.environ, reports)
    env["LAMINA_KILLS"] = "3"
    pytest(tally, long_first(SANITIZED_E2E_WITHOUT), os.path.join(ROOT, "build-asan", "lamina"),
           env=env, name="e2e-asan", only=SANITIZED_NOT)
    count_reports(tally, reports)


def part_e2e_tsan(tally):
    reports = own_scratch("tsan-reports")
    os.chmod(reports, 0o1777)
    env = dict(os.environ, TSAN_OPTIONS="log_path=%s/report suppressions=%s"
               % (reports, os.path.join(ROOT, "tests", "tsan.supp")))
    files = ["tests/e2e/" + n for n in THREADED_E2E]
    files = [f for f in files if os.path.exists(os.path.join(ROOT, f))]
    # It makes a fork() of vfork(): why an exec has failed stays in the child.
    pytest(tally, files, os.path.join(ROOT, "build-tsan", "lamina"), env=env, name="e2e-tsan",
           only="not start_errors and not extensions_are_those")
    count_reports(tally, reports)


def part_e2e_user(tally):
    """The chain and the environments once more, by somebody who may not even read the checkout."""
    if not AS_ROOT:
        tally.skipped += 1
        return
    code, output = run(["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups",
                        "unshare", "--user", "--map-root-user", "true"])
    if code:
        print("%-10s users without privileges can make no user namespace here: %s"
              % ("e2e-user", output.strip()), flush=True)
        tally.skipped += 1
        return
    home = own_scratch("e2e-user")
    tree = os.path.join(home, "lamina")
    for folder in ("tests", "examples", "runtimes"):
        shutil.copytree(os.path.join(ROOT, folder), os.path.join(tree, folder),
                        ignore=shutil.ignore_patterns("node_modules", "__pycache__", ".aws-sam"))
    os.mkdir(os.path.join(tree, "build"))
    shutil.copy(os.path.join(ROOT, "build", "lamina"), os.path.join(tree, "build"))
    for module in glob.glob(os.path.join(ROOT, "build", "runtimes", "*", "*.so")):
        folder = os.path.join(tree, os.path.relpath(os.path.dirname(module), ROOT))
        os.makedirs(folder, exist_ok=True)
        shutil.copy(module, folder)
    code, output = run(["chown", "-R", "%d:%d" % (NOBODY, NOBODY), tree])
    if code:
        tally.fail(output)
        return
    pytest(tally, ["tests/e2e/" + n for n in USER_E2E], os.path.join(tree, "build", "lamina"),
           cwd=tree, env=user_env(home), user=True, name="e2e-user")


def part_docs(tally):
    if not os.path.isdir(os.path.join(ROOT, "tests", "docs")):
        tally.skipped += 1
        return
    pytest(tally, ["tests/docs"], os.path.join(ROOT, "build", "lamina"), jobs=1, name="docs")


# ---- fuzzing, demo ----


def part_fuzz(tally):
    """Some seconds each: enough to see that the targets work and that nothing falls at once."""
    waiting, going = fuzz_names(), []
    while waiting or going:
        while waiting and len(going) < JOBS:
            going.append(fuzz_start(waiting.pop(0)))
        name, folder, log, p = going.pop(0)
        code = finish(p, FUZZ_SECONDS + 60)
        log.seek(0)
        output = log.read().decode(errors="replace")
        log.close()
        if code == 0:
            tally.passed += 1
            continue
        inputs = ""
        for path in glob.glob(os.path.join(folder, "*-*")):
            with open(path, "rb") as f:
                inputs += "\n%s: %r" % (os.path.basename(path), f.read(4096))
        tally.fail(said([name], code, output[-8000:]) + inputs)


def fuzz_start(name):
    folder = os.path.join(scratch, name)
    os.mkdir(folder)
    corpus = os.path.join(folder, "corpus")
    os.mkdir(corpus)
    # New inputs go to the first folder; what the project keeps is only read.
    seeds = [os.path.join(ROOT, "fuzz", "corpus", n) for n in (name, name[len("fuzz_"):])]
    command = [os.path.join(ROOT, "build-fuzz", "fuzz", name), "-max_total_time=%d" % FUZZ_SECONDS,
               "-timeout=20", "-rss_limit_mb=2048", "-artifact_prefix=" + folder + "/", corpus,
               *[s for s in seeds if os.path.isdir(s)]]
    log = tempfile.TemporaryFile()
    # (The inputs that crashed before are few and small, and libFuzzer runs them all first.)
    return name, folder, log, start(command, log, cwd=folder)


def part_demo(tally):
    command = [os.path.join(ROOT, "script", "demo")]
    if not os.path.exists(command[0]):
        tally.skipped += 1
        return
    code, output = run(command, timeout=300)
    if code == 0:
        tally.passed += 1
    else:
        tally.fail(said(command, code, output))


# ---- all of it ----

# Name, what it is, whether --fast leaves it out.
PARTS = [
    ("build", "plain build, warnings are errors", False, part_build),
    ("runtime", "runtimes against a Runtime API", False, part_runtime),
    ("e2e", "end to end: boto3, aws CLI, JavaScript, our own verbs", False, part_e2e),
    ("e2e-user", "end to end, as an ordinary user", False, part_e2e_user),
    ("docs", "the examples of README and manual", False, part_docs),
    ("demo", "script/demo", True, part_demo),
    ("unit", "unit tests, sanitized", False, part_unit),
    ("unit-user", "unit tests, sanitized, as an ordinary user", False, part_unit_user),
    ("e2e-asan", "end to end, sanitized", True, part_e2e_asan),
    ("e2e-tsan", "end to end, what uses threads, with the thread sanitizer", True, part_e2e_tsan),
    ("fuzz", "fuzz targets, %d s each" % FUZZ_SECONDS, True, part_fuzz),
]
# These go on behind the others, in this order.
BEHIND = [
    ("build-asan", "build with address and undefined behaviour sanitizers", False, part_build_asan),
    ("build-tsan", "build with the thread sanitizer", True, part_build_tsan),
    ("build-fuzz", "build of the fuzz targets, sanitized", True, part_build_fuzz),
]
NEEDS = {"unit": "build-asan", "unit-user": "build-asan", "e2e": "build", "e2e-user": "build",
         "e2e-asan": "build-asan", "e2e-tsan": "build-tsan", "docs": "build", "fuzz": "build-fuzz"}


def chosen(args, parts):
    names = [name for name, _, slow, _ in parts if not (args.fast and slow)]
    if args.only:
        names = set(args.only) | {NEEDS[n] for n in args.only if n in NEEDS}
    return [part for part in parts if part[0] in names]


class Run:
    """Some parts, one after another, and others behind them at the same time."""

    def __init__(self, parts, behind):
        self.parts, self.behind = parts, behind
        self.total, self.broken = Tally(), set()
        self.done = {name: threading.Event() for name, *_ in parts + behind}
        self.lock = threading.Lock()

    def go(self):
        # A daemon: whoever stops us does not wait for it.
        beside = threading.Thread(target=self.row, args=(self.behind,), daemon=True)
        beside.start()
        self.row(self.parts)
        beside.join()
        return self.total

    def row(self, parts):
        for part in parts:
            try:
                self.one(*part)
            finally:
                self.done[part[0]].set()

    def one(self, name, what, _, function):
        need = NEEDS.get(name)
        if need:
            self.done[need].wait()
        tally, started = Tally(), time.monotonic()
        if need in self.broken:
            tally.fail("%s: not run, there is no program for it" % name)
        else:
            try:
                function(tally)
            except (OSError, ValueError, shutil.Error) as e:
                tally.fail("%s: %s: %s" % (name, type(e).__name__, e))
        took = time.monotonic() - started
        with self.lock:
            if stopping:
                raise SystemExit
            if tally.failed and name in NEEDS.values():
                self.broken.add(name)
            for text in tally.shown:
                print("\n---- %s ----\n%s\n" % (name, text))
            print("%-10s %-56s %5.1f s  %s" % (name, what, took, tally.line()), flush=True)
            self.total.passed += tally.passed
            self.total.failed += tally.failed
            self.total.skipped += tally.skipped
            self.total.unsteady += tally.unsteady


def main():
    global scratch
    parser = argparse.ArgumentParser(description="Runs the tests of Lamina.")
    parser.add_argument("--only", action="append", metavar="PART",
                        choices=[p[0] for p in PARTS + BEHIND],
                        help="this part alone (with the build it needs); may be repeated")
    parser.add_argument("--fast", action="store_true",
                        help="without the sanitized end to end run, fuzzing and the demo")
    parser.add_argument("--list", action="store_true", help="names of the parts")
    args = parser.parse_args()
    if args.list:
        for name, what, slow, _ in PARTS + BEHIND:
            print("%-10s %s%s" % (name, what, " (not with --fast)" if slow else ""))
        return 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    # Not TMPDIR of the caller: it may be a place that nobody else can reach.
    scratch = tempfile.mkdtemp(prefix="lamina-test-", dir="/tmp")
    os.chmod(scratch, 0o755)
    try:
        total = Run(chosen(args, PARTS), chosen(args, BEHIND)).go()
    except Stopped as e:
        end_processes()
        print("\nstopped")
        return 128 + e.args[0]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(total.line())
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
