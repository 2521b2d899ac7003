"""The shipper of coverage: what it sends, and what faults of functions and of their configuration do to it."""

import glob
import hashlib
import os
import re
import time

import pytest
from cloud import REGION
from shipper_world import (  # noqa: F401 (fixtures)
    ENVIRONMENT,
    STREAM,
    Arena,
    bucket,
    eventually,
    made,
    needs_shipper,
    refused,
    source,
)

pytestmark = needs_shipper


def test_object_and_key(made, bucket, source):
    env = made.environment().start()
    assert env.api.registered == ("lamina-coverage-shipper", ["INVOKE", "SHUTDOWN"])
    arena = made.arena()
    arena.file(source, 100)
    arena.hit(source, [1, 2, 3], [(-1, 1), (1, 2), (3, -1)])
    env.begin("first")
    # What was there at that moment is "init"; the shipper makes its copy before it waits.
    eventually(lambda: waits(env.process.pid))
    arena.hit(source, [3, 50, 100], [(3, 50), (1, 2)])
    arena.returned()
    env.idle()
    path, headers, body = bucket.requests[0]
    day = time.strftime("%Y/%m/%d", time.gmtime())
    assert re.fullmatch(r"/coverage/coverage/%s/f/\d{6}-%s\.coverage" % (day, ENVIRONMENT), path)
    assert headers["Content-Type"] == "application/vnd.lamina.coverage"
    assert headers["x-amz-server-side-encryption"] == "AES256"
    assert headers["X-Amz-Security-Token"] == "token"
    assert headers["X-Amz-Content-Sha256"] == hashlib.sha256(body).hexdigest()
    o = bucket.object()
    file = o.files[source]
    assert file["sha256"] == hashlib.sha256(open(source, "rb").read()).digest()
    assert file["raw"] == set(range(1, 101))
    assert [c[0] for c in o.contexts] == ["init", "first"]
    assert file["hits"] == {
        "init": ({1, 2, 3}, [(-1, 1), (1, 2), (3, -1)]),
        "first": ({50, 100}, [(3, 50)]),
    }
    assert o.meta.items() >= {
        "function": "f", "version": "7", "environment": ENVIRONMENT, "log_stream": STREAM,
        "log_group": "/aws/lambda/f", "region": REGION, "runtime": "python3.12",
        "language": "python", "mechanism": "monitoring", "branch": "1",
    }.items()
    assert "missing" not in o.meta
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", o.meta["started"])
    (line,) = env.log(None)
    assert line["level"] == "INFO" and line["operation"] == "s3_upload"
    assert line["key"] == path[len("/coverage/"):] and line["bytes"] == len(body)
    assert (line["files"], line["new_lines"], line["attempts"]) == (1, 5, 1)
    assert line["request_id"] == "first" and line["duration_ms"] > 0


def waits(pid):
    """It has found the arena, and sleeps."""
    with open("/proc/%d/stat" % pid) as f:
        return b"/arena-" in fds_of(pid) and f.read().rsplit(")", 1)[1].split()[0] == "S"


def fds_of(pid):
    names = []
    for fd in glob.glob("/proc/%d/fd/*" % pid):
        try:
            names.append(os.readlink(fd).encode())
        except OSError:
            pass
    return b" ".join(names)


def test_nothing_new_sends_nothing(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    env.invoke("one", arena, (source, [1]))
    for i in range(20):
        env.invoke("again %d" % i, arena, (source, [1]))
    env.invoke("two", arena, (source, [2]))
    env.shutdown()
    assert len(bucket.requests) == 2 and len(env.log(None)) == 2
    o = bucket.object()
    assert o.files[source]["hits"]["two"] == ({2}, [])
    assert bucket.requests[0][0] == bucket.requests[1][0]  # the object is replaced
    assert bucket.connections == 1  # the connection is kept


def test_shutdown_sends_what_came_after_the_handler(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    env.invoke("one", arena, (source, [1]))
    arena.hit(source, [9])
    env.shutdown()
    assert bucket.object().lines(source) == {1, 9}


def test_function_without_coverage_is_not_waited_for(made, bucket):
    env = made.environment().start()
    for i in range(5):
        env.begin(str(i), seconds=600)
        env.idle()
    env.shutdown()
    assert not bucket.requests and not env.log(None)


def test_invocation_contexts(made, bucket, source):
    env = made.environment(COVERAGE_CONTEXTS="invocation").start()
    arena = made.arena(flags=Arena.BRANCH | Arena.SETTRACE | Arena.DONE | Arena.CONTEXTS)
    arena.file(source, 100)
    env.invoke("one", arena, (source, [1, 2], [(1, 2)]))
    assert arena.get("Q", 56) >= 1  # the tracer is told to set again what is executed again
    env.invoke("two", arena, (source, [2, 3], [(2, 3)]))
    env.shutdown()
    hits = bucket.object().files[source]["hits"]
    assert set().union(*(hits[c][0] for c in ("init", "one") if c in hits)) == {1, 2}
    assert hits["two"] == ({2, 3}, [(2, 3)])


def test_files_of_other_languages(made, bucket, source):
    env = made.environment().start()
    env.begin("one")
    env.idle()
    (made.directory / "1.v8").write_bytes(b"/a.js\t[]\nno tab\n%s\t[1]\n/cut" % str(source).encode())
    (made.directory / "main.gcda").write_bytes(b"\0counters")
    (made.directory / "gcov" / "home" / "me").mkdir(parents=True)
    (made.directory / "gcov" / "home" / "me" / "deep.gcda").write_bytes(b"\1")
    (made.directory / ".half.v8").write_bytes(b"/b.js\t[]\n")
    (made.directory / "else").write_bytes(b"{")
    env.begin("two")
    env.idle()
    files = bucket.object().files
    assert {k: (v["kind"], v["payload"]) for k, v in files.items()} == {
        "/a.js": (1, b"[]"),
        str(source): (1, b"[1]"),
        "main.gcda": (2, b"\0counters"),
        "gcov/home/me/deep.gcda": (2, b"\1"),
    }
    env.begin("three")
    env.idle()
    assert len(bucket.requests) == 1
    (made.directory / "main.gcda").write_bytes(b"\0more counters")
    env.begin("four")
    env.idle()
    assert bucket.object().files["main.gcda"]["payload"] == b"\0more counters"


# ---- faults of functions ----


def test_function_dies(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    env.begin("one", seconds=600)
    arena.hit(source, [1, 2])
    arena.crash()
    env.idle()  # long before the deadline
    env.shutdown(reason="failure")
    assert bucket.object().lines(source) == {1, 2}


def test_function_times_out(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    env.begin("one", seconds=0.3)
    arena.hit(source, [1, 2])
    env.idle()
    assert not bucket.requests
    env.shutdown(reason="timeout")
    assert bucket.object().lines(source) == {1, 2}


def test_end_of_invocations_that_is_not_told(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    env.begin("one", seconds=0.3)
    arena.hit(source, [1])
    env.idle()
    for name in ("two", "three"):  # not waited for any more
        env.begin(name, seconds=600)
        env.idle()
        arena.hit(source, [2])
    env.shutdown()
    assert bucket.object().lines(source) == {1, 2}
    assert [x["level"] for x in env.log(None)].count("WARNING") == 1


@pytest.mark.parametrize("sent", [True, False], ids=["sent", "unsent"])
def test_shipper_and_runtime_are_started_again(made, bucket, source, sent):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    if not sent:
        bucket.script = [refused(503, "SlowDown")] * 3
    env.invoke("one", arena, (source, [1], [(1, 2)]))
    arena.hit(source, [2])
    env.process.kill()
    env.process.wait()
    arena.crash()
    key = bucket.requests[0][0]
    again = made.environment().start()
    other = made.arena()
    other.file(source, 100)
    again.invoke("two", other, (source, [1, 3]))
    again.shutdown()
    o = bucket.object()
    assert bucket.requests[-1][0] == key
    assert o.lines(source) == {1, 2, 3} and o.arcs(source) == {(1, 2)}
    hits = o.files[source]["hits"]
    assert 1 in set().union(*(hits[c][0] for c in ("init", "one") if c in hits))


def test_arenas_that_are_none(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    (made.directory / "arena-1-0").write_bytes(b"LAMARENA" + os.urandom(5000))
    (made.directory / "arena-2-0").write_bytes(b"")
    os.mkfifo(made.directory / "arena-3-0")
    os.symlink("/etc/passwd", made.directory / "arena-4-0")
    env.invoke("one", arena, (source, [1]))
    o = bucket.object()
    assert o.lines(source) == {1}
    assert "arena-1-0: it is no arena" in o.meta["missing"]
    assert "arena-2-0: it is no arena" in o.meta["missing"]


@pytest.mark.parametrize("contexts", [None, "invocation"])
def test_arena_is_cut_short_and_removed(made, bucket, source, contexts):
    env = made.environment(COVERAGE_CONTEXTS=contexts).start()
    flags = Arena.BRANCH | Arena.SETTRACE | Arena.DONE | Arena.CONTEXTS
    arena, other = made.arena(flags=flags), made.arena(flags=flags)
    for a in (arena, other):
        a.file(source, 100)
    env.invoke("one", arena, (source, [1]))
    other.hit(source, [2])
    os.truncate(other.path, 700)
    os.unlink(arena.path)
    env.invoke("two", arena, (source, [3]))
    o = bucket.object()
    assert o.lines(source) >= {1, 3}
    assert "it was removed by the function" in o.meta["missing"]


def test_what_the_tracer_could_not_count_is_said(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    arena.file("/var/task/gone.py", 10)
    arena.put("256s", 96, "no space on /tmp".encode())
    arena.put("Q", 48, 5)
    env.invoke("one", arena, (source, [1]), ("/var/task/gone.py", [1]))
    missing = bucket.object().meta["missing"]
    assert "no space on /tmp" in missing and "no room for 5 hits" in missing
    assert "no source /var/task/gone.py (No such file or directory)" in missing


# ---- faults of configuration and disk ----


@pytest.mark.parametrize(
    "variables,said",
    [
        ({"COVERAGE_S3_BUCKET": None}, "COVERAGE_S3_BUCKET is not set"),
        ({"COVERAGE_S3_BUCKET": " "}, "COVERAGE_S3_BUCKET is not set"),
        ({"COVERAGE_ENABLED": "false"}, None),
        ({"LAMINA_COVERAGE_DIR": "/proc/no"}, "/proc/no: No such file or directory"),
    ],
)
def test_nothing_to_do(made, variables, said):
    env = made.environment(**variables).start()
    assert env.api.registered[1] == ["SHUTDOWN"]
    env.shutdown()
    lines = env.log(None)
    assert [said in x["message"] for x in lines] == ([True] if said else [])


def test_bad_values_are_said(made, bucket, source):
    env = made.environment(
        COVERAGE_UPLOAD_TIMEOUT="soon", COVERAGE_LOG_LEVEL="loud", COVERAGE_S3_PREFIX="/here"
    ).start()
    arena = made.arena()
    arena.file(source, 100)
    env.invoke("one", arena, (source, [1]))
    warning = env.log(None)[0]
    assert warning["level"] == "WARNING" and "COVERAGE_UPLOAD_TIMEOUT=soon" in warning["message"]
    assert bucket.requests[0][0].startswith("/coverage/here/2")


@pytest.mark.parametrize("level,count", [("DEBUG", 1), ("INFO", 1), ("WARNING", 0), ("ERROR", 0)])
def test_log_level(made, bucket, source, level, count):
    env = made.environment(COVERAGE_LOG_LEVEL=level).start()
    arena = made.arena()
    arena.file(source, 100)
    env.invoke("one", arena, (source, [1]))
    env.shutdown()
    assert len(env.log()) == count


def test_disk_is_full(made, bucket, source, tmp_path):
    """The object cannot be kept in the environment, but it is sent."""
    env = made.environment()
    os.mkdir(env.directory, 0o700)
    os.mkdir(env.directory + "/.object-new")  # root writes everywhere: so nothing can be made here
    env.start()
    arena = made.arena()
    arena.file(source, 100)
    env.invoke("one", arena, (source, [1]))
    assert bucket.object().lines(source) == {1}
