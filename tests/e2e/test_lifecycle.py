"""The program itself: up, status, down, run, doctor; ports, data folders, signals."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request

import pytest

from cloud import LAMINA, Cloud, children, environ, free_port, lamina, wait_gone


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_within_a_second(new_cloud, number):
    cloud = new_cloud()
    cloud.sts.get_caller_identity()
    assert cloud.stop(number, within=1.0) == 0


def test_ends_with_environments_at_work(new_cloud):
    cloud = new_cloud()
    name = cloud.function("import time\ndef handler(e, c):\n    time.sleep(30)\n", Timeout=40)
    cloud.lambda_.invoke(FunctionName=name, InvocationType="Event")
    cloud.log_events(name, 2)
    assert len(children(cloud.process.pid)) > 1
    cloud.stop(within=2.0)


def test_nothing_is_left_behind(new_cloud):
    def state():
        with open("/proc/mounts") as f:
            mounts = sorted(f.read().splitlines())
        groups = sorted(
            os.path.join(d, n) for d, names, _ in os.walk("/sys/fs/cgroup") for n in names if "lamina" in n
        )
        return mounts, groups

    before = state()
    cloud = new_cloud()
    cloud.invoke(cloud.function("def handler(e, c):\n    return 1\n"))
    cloud.stop()
    deadline = time.monotonic() + 2
    while state() != before and time.monotonic() < deadline:
        time.sleep(0.01)
    after = state()
    # Other tests run at the same time; what counts is that nothing of ours stays for good.
    assert after[0] == before[0]
    assert set(after[1]) <= set(before[1]) or not set(after[1]) - set(before[1]) - _other_groups(cloud)


def _other_groups(cloud):
    """Control groups of clouds that run next to us."""
    found = set()
    for d, names, _ in os.walk("/sys/fs/cgroup"):
        for n in names:
            path = os.path.join(d, n)
            try:
                with open(os.path.join(path, "cgroup.procs")) as f:
                    if f.read().strip():
                        found.add(path)
            except OSError:
                pass
    return found | {os.path.dirname(p) for p in found}


def test_kill_takes_the_environments_along(new_cloud):
    cloud = new_cloud()
    name = cloud.function("import time\ndef handler(e, c):\n    time.sleep(30)\n", Timeout=40)
    cloud.lambda_.invoke(FunctionName=name, InvocationType="Event")
    cloud.log_events(name, 2)
    cloud.kill()


def test_port_in_use(cloud):
    port = cloud.url.rpartition(":")[2]
    r = lamina("up", "--ephemeral", "--port", port, check=False, timeout=10)
    assert (r.returncode, r.stdout) == (1, "")
    assert r.stderr.startswith("lamina: up: ")
    assert port in r.stderr and "in use" in r.stderr


def test_data_in_use(new_cloud, tmp_path):
    new_cloud(data=tmp_path / "data")
    r = lamina("up", "--data", tmp_path / "data", "--port", free_port(), check=False, timeout=10)
    assert (r.returncode, r.stdout) == (1, "")
    assert "in use" in r.stderr and str(tmp_path / "data") in r.stderr


def test_data_stays(new_cloud, tmp_path):
    one = new_cloud(data=tmp_path / "data")
    one.s3.create_bucket(Bucket="kept")
    one.s3.put_object(Bucket="kept", Key="k", Body=b"x" * 100000)
    name = one.function("def handler(e, c):\n    return 'still here'\n")
    one.stop()
    two = new_cloud(data=tmp_path / "data")
    assert two.s3.get_object(Bucket="kept", Key="k")["Body"].read() == b"x" * 100000
    assert two.invoke(name).payload == "still here"
    two.stop()


def test_ephemeral_data_does_not(new_cloud):
    one = new_cloud()
    one.s3.create_bucket(Bucket="gone")
    one.stop()
    assert new_cloud().s3.list_buckets()["Buckets"] == []


def test_detach_status_down(tmp_path):
    port, data = free_port(), tmp_path / "data"
    env = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
    r = lamina("up", "--detach", "--port", port, "--data", data, timeout=20, **env)
    try:
        assert r.stdout == "ready http://127.0.0.1:%d\n" % port
        url = "http://127.0.0.1:%d" % port
        assert url in lamina("status", "--endpoint", url, **env).stdout
        status = json.loads(lamina("status", "--endpoint", url, "--json", **env).stdout)
        assert isinstance(status, dict) and status
    finally:
        lamina("down", "--endpoint", "http://127.0.0.1:%d" % port, **env)
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    r = lamina("status", "--endpoint", "http://127.0.0.1:%d" % port, check=False, **env)
    assert r.returncode == 1


def test_run():
    code = "import os; print(os.environ['AWS_ENDPOINT_URL'], os.environ['AWS_REGION'])"
    r = lamina("run", "--", "/usr/bin/python3", "-c", code)
    url, region = r.stdout.split()
    assert url.startswith("http://127.0.0.1:") and region == "us-east-1"
    with pytest.raises(OSError):  # gone afterwards
        urllib.request.urlopen(url, timeout=1)


def test_run_is_a_cloud():
    script = (
        "import os, boto3\n"
        "c = boto3.client('sts', endpoint_url=os.environ['AWS_ENDPOINT_URL'])\n"
        "print(c.get_caller_identity()['Account'])\n"
    )
    r = subprocess.run(
        [LAMINA, "run", "--", "/usr/bin/python3", "-c", script],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
    )
    assert r.stdout == b"000000000000\n", r.stderr


@pytest.mark.parametrize("status", [0, 1, 7, 42])
def test_run_ends_as_its_command(status):
    assert lamina("run", "--", "sh", "-c", "exit %d" % status, check=False).returncode == status


def test_run_of_a_command_that_is_killed():
    assert lamina("run", "--", "sh", "-c", "kill -9 $$", check=False).returncode == 137


def test_run_of_a_command_that_is_not_there():
    r = lamina("run", "--", "no-such-command-here", check=False)
    assert r.returncode == 127
    assert "no-such-command-here" in r.stderr


def test_run_leaves_no_process():
    p = subprocess.Popen([LAMINA, "run", "--", "cat"], env=environ(), stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    p.stdin.write(b"hello\n")
    p.stdin.flush()
    assert p.stdout.readline() == b"hello\n"
    family = children(p.pid)
    assert len(family) > 1
    p.stdin.close()
    assert p.wait(10) == 0
    assert wait_gone(family) == []
    p.stdout.close()


def test_doctor():
    r = lamina("doctor", check=False)
    assert r.returncode in (0, 1)
    for word in ("namespace", "cgroup", "python3.11"):
        assert word in r.stdout.lower()
    report = json.loads(lamina("doctor", "--json", check=False).stdout)
    rows = {row["name"]: row for row in report}
    assert "memory limit" in rows
    merging = rows["equal memory"]
    try:
        with open("/sys/kernel/mm/ksm/run") as f:
            is_on = f.read().strip() == "1"
    except FileNotFoundError:
        is_on = False
    assert (merging["verdict"] == "ok") == (is_on and "cannot" not in merging["found"])
    assert is_on or "--merge-memory" in merging["follows"]


def test_version_and_help():
    assert lamina("version").stdout.startswith("lamina ")
    text = lamina("help").stdout
    for verb in ("up", "build", "deploy", "invoke", "logs", "test", "delete", "doctor"):
        assert verb in text
        assert verb in lamina("help", verb).stdout


@pytest.mark.parametrize("args", [["nonsense"], ["up", "--no-such-option"], ["up", "--port", "x"], []])
def test_wrong_usage(args):
    r = lamina(*args, check=False, timeout=10)
    assert r.returncode == 2
    assert r.stderr.startswith("lamina: ") or "usage" in r.stderr.lower()


def test_spelling_of_a_verb():
    assert "deploy" in lamina("depoly", check=False).stderr


def test_cloud_object_reports_a_failed_start():
    with pytest.raises(AssertionError):
        Cloud(["--no-such-option"]).start()
