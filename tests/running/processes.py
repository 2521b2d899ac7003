"""What the parts start: process groups that end with us, the folders and users they run in."""

import os
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
JOBS = min(os.cpu_count() or 1, len(os.sched_getaffinity(0)), 4)
NOBODY = 65534
AS_ROOT = os.geteuid() == 0

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


def make_scratch():
    global scratch
    # Not TMPDIR of the caller: it may be a place that nobody else can reach.
    scratch = tempfile.mkdtemp(prefix="lamina-test-", dir="/tmp")
    os.chmod(scratch, 0o755)


def remove_scratch():
    shutil.rmtree(scratch, ignore_errors=True)


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
