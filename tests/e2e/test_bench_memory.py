"""`lamina bench memory`: what it measures, and that the function is what it was, whatever happens."""

import json
import os
import re
import resource
import signal
import subprocess

import pytest

from bench_proxy import Proxy
from cloud import LAMINA, environ, unique

# Works as long as its processor time takes: with half the share it takes twice as long.
WORK = """
import time
def handler(event, context):
    until = time.process_time() + (event or {}).get("cpu", 0)
    while time.process_time() < until:
        pass
    time.sleep((event or {}).get("sleep", 0))
    block = b"x" * ((event or {}).get("mb", 0) << 20)
"""


@pytest.fixture
def state(tmp_path):
    """An environment in which journals are the test's own."""
    return {"XDG_STATE_HOME": str(tmp_path / "state")}


def journals(state):
    folder = os.path.join(state["XDG_STATE_HOME"], "lamina", "journal")
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def what_it_is(cloud, fn):
    c = cloud.lambda_.get_function_configuration(FunctionName=fn)
    for key in ("ResponseMetadata", "RevisionId", "LastModified"):
        c.pop(key)
    versions = cloud.lambda_.list_versions_by_function(FunctionName=fn)["Versions"]
    return c, [v["Version"] for v in versions]


def function(cloud, **options):
    return cloud.function(
        WORK,
        MemorySize=256,
        Description="ours \u00fc",
        Environment={"Variables": {"KEY": "value"}},
        **options,
    )


def bench(cloud, *args, state, check=True, url=None):
    env = dict(state, AWS_ENDPOINT_URL=url or cloud.url)
    r = subprocess.run(
        [LAMINA, "bench", *map(str, args)],
        env=environ(**env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        timeout=120,
    )
    assert not check or r.returncode == 0, (r.returncode, r.stdout, r.stderr)
    return r


def rows(text):
    """{MB: cells} of the table."""
    found = {}
    for line in text.splitlines():
        m = re.match(r" *(\d+) +(\d+\.\d\d\*?) +(.*)", line)
        if m:
            found[int(m[1])] = m[3]
    return found


def test_work_takes_as_long_as_its_share_of_a_processor(cloud, state):
    """128 MB is a fourteenth of a processor, 1769 MB a whole one; on a busy machine less than that."""
    fn = function(cloud)
    before = what_it_is(cloud, fn)
    r = bench(cloud, "memory", fn, "-n", 6, "--memory", "128,1769", "-p", '{"cpu": 0.015}',
              "--strategy", "speed", state=state)
    table = rows(r.stdout)
    assert sorted(table) == [128, 1769], r.stdout
    little, whole = (float(table[mb].split()[0]) for mb in (128, 1769))
    assert little > whole * 1.5 and whole >= 15, r.stdout
    assert "recommended (speed): 1769 MB: the fastest" in r.stdout
    assert what_it_is(cloud, fn) == before and journals(state) == []


def test_more_memory_buys_a_sleeping_function_nothing(cloud, state):
    fn = function(cloud)
    r = bench(cloud, "memory", fn, "-n", 8, "--memory", "1024,128,512", "-p", '{"sleep": 0.01}',
              "--p99-below", "5s", state=state)
    table = rows(r.stdout)
    assert list(table) == [128, 512, 1024]
    assert "recommended (cost): 128 MB: the cheapest" in r.stdout
    assert "128 MB: the cheapest with p99 below 5000 ms" in r.stdout
    assert all(float(cells.split()[0]) >= 10 for cells in table.values())


def test_running_out_of_memory_and_time_are_rows(cloud, state):
    fn = function(cloud, Timeout=20)
    before = what_it_is(cloud, fn)
    r = bench(cloud, "memory", fn, "-n", 1, "--memory", "128,512", "-p", '{"mb": 160}', state=state)
    table = rows(r.stdout)
    assert "Runtime.OutOfMemory" in table[128] or "Runtime.ExitError" in table[128], r.stdout
    assert "recommended (cost): 512 MB" in r.stdout
    assert what_it_is(cloud, fn) == before and journals(state) == []
    fn = function(cloud, Timeout=1)
    r = bench(cloud, "memory", fn, "-n", 1, "--memory", "256", "--only-cold", "-p", '{"sleep": 5}',
              state=state, check=False)
    assert r.returncode == 1 and "every request failed" in r.stderr
    assert "timed out" in rows(r.stdout)[256] and "none is recommended" in r.stdout, r.stdout


def test_a_size_that_is_known_is_measured_no_further(cloud, state):
    fn = function(cloud)
    r = bench(cloud, "memory", fn, "-n", 400, "--memory", "1024", "-p", '{"sleep": 0.05}', state=state)
    sent = int(re.search(r"n=(\d+)", rows(r.stdout)[1024])[1])
    assert 20 <= sent < 400


def test_sizes_beyond_the_machine_are_marked(cloud, state):
    fn = function(cloud)
    beyond = (os.cpu_count() + 1) * 1769
    if beyond > 10240:
        pytest.skip("this machine has more processors than any function")
    r = bench(cloud, "memory", fn, "-n", 2, "--memory", "128,%d" % beyond, "--strategy", "speed",
              state=state)
    assert "recommended (speed): 128 MB" in r.stdout  # what was not measured is not recommended
    assert "AWS gives" in rows(r.stdout)[beyond] and "AWS gives" not in rows(r.stdout)[128]


def test_apply_is_done_when_asked_for(cloud, state):
    fn = function(cloud)
    (c, versions) = what_it_is(cloud, fn)
    bench(cloud, "memory", fn + ":$LATEST", "-n", 2, "--memory", "128,1024", "-p", '{"sleep": 0.01}', "--apply",
          state=state)
    assert what_it_is(cloud, fn) == (dict(c, MemorySize=128), versions)


def test_only_cold(cloud, state):
    fn = function(cloud)
    before = what_it_is(cloud, fn)
    r = bench(cloud, "memory", fn, "-n", 3, "--memory", "256,512", "--only-cold", state=state)
    assert len(rows(r.stdout)) == 2
    starts = [e for v in json.loads(cloud.lamina("inspect", fn, "--json").stdout)["versions"]
              if v["version"] != "$LATEST" for e in [v["coldStarts"]]]
    assert starts == [3, 3]
    assert what_it_is(cloud, fn) == before


def test_only_cold_where_environments_cannot_be_dropped(cloud, state):
    """As on AWS: a version of each size for each round, deleted after it."""
    fn = function(cloud)
    before = what_it_is(cloud, fn)
    with Proxy(cloud, plain=True) as proxy:
        bench(cloud, "memory", fn, "-n", 2, "--memory", "256,512", "--only-cold", state=state,
              url=proxy.url)
        kinds = "".join({"PUT": "c", "POST": "p", "DELETE": "d"}[method] for method, _ in proxy.changes)
    assert kinds == "cpcpcdd" * 2
    assert what_it_is(cloud, fn) == before and journals(state) == []


def test_wrong_words(cloud, state):
    fn = function(cloud)
    for args, said in [
        (("--memory", "64"), "no memory size"),
        (("--memory", "1024-512"), "no memory size"),
        (("--balanced-weight", "2"), "between 0 and 1"),
        (("--balanced-weight", "nan"), "between 0 and 1"),
        (("--stop-at", "much"), "no share"),
        (("--strategy", "luck"), "strategy"),
    ]:
        r = bench(cloud, "memory", fn, *args, state=state, check=False)
        assert r.returncode == 2 and said in r.stderr, r.stderr
    r = bench(cloud, "memory", "nobody", state=state, check=False)
    assert r.returncode == 1 and "nobody" in r.stderr
    version = cloud.lambda_.publish_version(FunctionName=fn)["Version"]
    r = bench(cloud, "memory", fn, "--qualifier", version, state=state, check=False)
    assert r.returncode == 1 and "$LATEST" in r.stderr
    assert journals(state) == []


# ---- whatever happens ----

QUICK = ("-n", 1, "--memory", "128,512")
CHANGES = 7  # two sizes: each set and published; $LATEST put back; two versions deleted


def start(url, state, *args):
    return subprocess.Popen(
        [LAMINA, "bench", *map(str, args)],
        env=environ(**dict(state, AWS_ENDPOINT_URL=url)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )


def stopped_at(proxy, state, n, when, number, *args):
    """Runs it, and sends it the signal at the n-th change."""
    process = [None]

    def on_change(seen, moment):
        if (seen, moment) == (n, when):
            process[0].send_signal(number)
            if number == signal.SIGKILL:
                process[0].wait()
                return "lost"
        return None

    proxy.reset(on_change)
    process[0] = start(proxy.url, state, *args)
    out, err = process[0].communicate(timeout=60)
    proxy.reset()
    return process[0].returncode, out, err


def test_every_change_is_seen_by_these_tests(cloud, state):
    fn = function(cloud)
    with Proxy(cloud) as proxy:
        bench(cloud, "memory", fn, *QUICK, state=state, url=proxy.url)
        kinds = [(method, path.rsplit("/", 1)[1].split("?")[0]) for method, path in proxy.changes]
    assert [k[0] for k in kinds] == ["PUT", "POST", "PUT", "POST", "PUT", "DELETE", "DELETE"]
    assert len(kinds) == CHANGES


def test_killed_at_any_point_it_is_put_back_at_the_next_start(cloud, state):
    fn = function(cloud)
    before = what_it_is(cloud, fn)
    with Proxy(cloud) as proxy:
        points = [(n, "after") for n in range(1, CHANGES + 1)] + [(1, "before"), (4, "before")]
        for n, when in points:
            code, _, _ = stopped_at(proxy, state, n, when, signal.SIGKILL, "memory", fn, *QUICK)
            assert code == -signal.SIGKILL and len(journals(state)) == 1
            assert (what_it_is(cloud, fn) != before) == ((n, when) not in [(7, "after"), (1, "before")])
            r = bench(cloud, "restore", state=state, url=proxy.url)
            assert what_it_is(cloud, fn) == before, (n, when, r.stdout, r.stderr)
            assert journals(state) == [] and "1 run put back" in r.stdout, (n, when)


def test_the_next_measurement_puts_it_back_first(cloud, state):
    fn = function(cloud)
    before = what_it_is(cloud, fn)
    with Proxy(cloud) as proxy:
        stopped_at(proxy, state, 2, "after", signal.SIGKILL, "memory", fn, *QUICK)
        assert what_it_is(cloud, fn) != before
        r = bench(cloud, "warm", fn, "-n", 1, state=state, url=proxy.url)
        assert "put back" in r.stderr and what_it_is(cloud, fn) == before
        # Killed while it puts back, and again, and again.
        stopped_at(proxy, state, 4, "after", signal.SIGKILL, "memory", fn, *QUICK)
        for n in (1, 2, 3):
            stopped_at(proxy, state, 1, "before" if n == 1 else "after", signal.SIGKILL, "restore")
        bench(cloud, "restore", state=state, url=proxy.url)
        assert what_it_is(cloud, fn) == before and journals(state) == []
        r = bench(cloud, "restore", state=state, url=proxy.url)
        assert "nothing is left" in r.stdout and proxy.changes == proxy.changes


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_is_put_back_at_once(cloud, state, number):
    fn = function(cloud)
    before = what_it_is(cloud, fn)
    with Proxy(cloud) as proxy:
        for n in (1, 4, 6) if number == signal.SIGINT else (2, 5):
            code, out, err = stopped_at(proxy, state, n, "before", number, "memory", fn, *QUICK)
            assert what_it_is(cloud, fn) == before, (n, code, out, err)
            assert journals(state) == [] and code in (0, 130), (n, code, err)


def test_what_somebody_else_changes_meanwhile_stays(cloud, state):
    fn = function(cloud)
    (c, versions) = what_it_is(cloud, fn)
    with Proxy(cloud) as proxy:

        def change(n, when, settings, kill):
            process = [None]

            def on_change(seen, moment):
                if (seen, moment) == (n, when):
                    cloud.lambda_.update_function_configuration(FunctionName=fn, **settings)
                    if kill:
                        process[0].kill()
                        process[0].wait()

            proxy.reset(on_change)
            process[0] = start(proxy.url, state, "memory", fn, *QUICK)
            _, err = process[0].communicate(timeout=60)
            proxy.reset()
            if kill:
                err = bench(cloud, "restore", state=state, url=proxy.url).stderr
            assert journals(state) == []
            return process[0].returncode, err

        for kill in (False, True):
            # Another setting: ours go back to what they were, that one stays.
            code, err = change(1, "after", {"Timeout": 7}, kill)
            assert what_it_is(cloud, fn) == (dict(c, Timeout=7), versions), err
            assert kill or code in (0, 1)
            # Both of ours: left alone, and said.
            code, err = change(1, "after", {"MemorySize": 2048, "Description": "new"}, kill)
            assert what_it_is(cloud, fn)[0]["MemorySize"] == 2048 and "somebody else" in err
            cloud.lambda_.update_function_configuration(FunctionName=fn, Description=c["Description"])
            # The memory only.
            code, err = change(1, "after", {"MemorySize": 3008}, kill)
            assert what_it_is(cloud, fn) == (dict(c, MemorySize=3008, Timeout=7), versions), err
            assert "3008 MB by somebody else" in err
            cloud.lambda_.update_function_configuration(FunctionName=fn, MemorySize=256, Timeout=5)


def test_a_function_that_is_deleted_meanwhile(cloud, state):
    fn = function(cloud)
    with Proxy(cloud) as proxy:
        proxy.reset(lambda n, when: (n, when) == (3, "before")
                    and cloud.lambda_.delete_function(FunctionName=fn))
        r = bench(cloud, "memory", fn, *QUICK, state=state, url=proxy.url, check=False)
        assert r.returncode == 1 and "does not exist any more" in r.stderr, r.stderr
        assert journals(state) == []


def test_without_a_journal_nothing_is_changed(cloud, tmp_path):
    fn = function(cloud)
    (tmp_path / "file").write_text("")
    with Proxy(cloud) as proxy:
        for folder in (tmp_path / "file", "/proc/nowhere"):
            r = bench(cloud, "memory", fn, *QUICK, "--journal", folder, state={}, url=proxy.url,
                      check=False)
            assert r.returncode == 1, r.stderr
        assert proxy.changes == []


@pytest.mark.parametrize("size", [0, 300, 700, 1100])
def test_a_journal_that_cannot_grow_ends_the_run_with_all_put_back(cloud, state, size):
    """A disk that is full: the file may have so many bytes, then writing fails in the middle of a line."""
    fn = function(cloud)
    before = what_it_is(cloud, fn)

    def little_room():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    r = subprocess.run([LAMINA, "bench", "memory", fn, "--memory", "128,192,256,512", "-n", "2"],
                       env=environ(**dict(state, AWS_ENDPOINT_URL=cloud.url)), preexec_fn=little_room,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, timeout=120)
    assert r.returncode == 1 and "File too large" in r.stderr, (r.returncode, r.stdout, r.stderr)
    assert what_it_is(cloud, fn) == before and journals(state) == []


def test_a_function_of_another_cloud_at_the_endpoint_is_another_one(new_cloud, state, tmp_path):
    """Two data folders, served at one endpoint one after the other, each with a function of that name."""
    one, other = new_cloud(data=tmp_path / "one"), new_cloud(data=tmp_path / "other")
    fn = function(one)
    function(other, name=fn)
    before = what_it_is(one, fn), what_it_is(other, fn)
    with Proxy(one) as proxy:
        stopped_at(proxy, state, 2, "after", signal.SIGKILL, "memory", fn, *QUICK)
        proxy.port = other.port
        r = bench(other, "warm", fn, "-n", 1, state=state, url=proxy.url)
        assert "in another cloud" in r.stderr and len(journals(state)) == 1
        r = bench(other, "restore", state=state, url=proxy.url, check=False)
        assert r.returncode == 1 and str(tmp_path / "one") in r.stdout and len(journals(state)) == 1
        assert what_it_is(other, fn) == before[1]
        proxy.port = one.port
        bench(one, "restore", state=state, url=proxy.url)
    assert what_it_is(one, fn) == before[0] and journals(state) == []


def test_what_was_changed_in_a_cloud_that_kept_nothing_is_gone_with_it(new_cloud, cloud, state):
    one = new_cloud()
    fn = function(one)
    with Proxy(one) as proxy:
        stopped_at(proxy, state, 2, "after", signal.SIGKILL, "memory", fn, *QUICK)
    one.stop()
    r = bench(cloud, "restore", state=state)
    assert "gone with its cloud" in r.stderr and journals(state) == []


def test_two_at_once_do_not_mix(cloud, state):
    """The second one sees whose the function is; what the first one has changed is put back once."""
    fn = function(cloud)
    before = what_it_is(cloud, fn)
    said = []
    with Proxy(cloud) as proxy:

        def second(n, when):
            if (n, when) == (2, "after"):
                said.append(bench(cloud, "memory", fn, *QUICK, state=state, check=False))
                said.append(bench(cloud, "restore", state=state, url=proxy.url, check=False))

        proxy.reset(second)
        bench(cloud, "memory", fn, *QUICK, state=state, url=proxy.url)
    assert said[0].returncode == 1 and "is changing" in said[0].stderr
    assert "still under way" in said[1].stdout
    assert what_it_is(cloud, fn) == before and journals(state) == []


def test_journals_of_other_endpoints_are_told_of(cloud, state):
    fn = function(cloud)
    with Proxy(cloud) as proxy:
        stopped_at(proxy, state, 2, "after", signal.SIGKILL, "memory", fn, *QUICK)
        r = bench(cloud, "warm", fn, "-n", 1, state=state)
        assert "another endpoint" in r.stderr and len(journals(state)) == 1
        r = bench(cloud, "restore", state=state, check=False)
        assert r.returncode == 1 and proxy.url in r.stdout
        r = bench(cloud, "restore", "--forget", state=state)
        assert "forgotten" in r.stderr and journals(state) == []
