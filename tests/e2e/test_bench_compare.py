"""`lamina bench compare`: two sides of known difference, or of none."""

import json
import re

import pytest

SOURCE = """
import os, time
def handler(event, context):
    time.sleep(float(os.environ["SLEEP"]))
    if (event or {}).get("fail"):
        raise ValueError("no " + os.environ["ANSWER"])
    return {"a": 1, "answer": os.environ["ANSWER"]} if (event or {}).get("own") else {"a": 1, "b": 2}
"""


def function(cloud, sleep="0", answer="x"):
    return cloud.function(SOURCE, MemorySize=512, Environment={"Variables": {"SLEEP": sleep, "ANSWER": answer}})


@pytest.fixture(scope="module")
def sides(request):
    return {}


@pytest.fixture
def versions(cloud, sides):
    """A function whose version 1 takes 60 ms, and version 2, behind the alias `new`, 5 ms: far
    enough apart for a machine that is busy with other things."""
    if sides.get("cloud") is not cloud:
        fn = function(cloud, "0.06", "old")
        old = cloud.lambda_.publish_version(FunctionName=fn)["Version"]
        cloud.lambda_.update_function_configuration(
            FunctionName=fn, Environment={"Variables": {"SLEEP": "0.005", "ANSWER": "new"}}
        )
        cloud.lambda_.get_waiter("function_updated").wait(FunctionName=fn)
        new = cloud.lambda_.publish_version(FunctionName=fn)["Version"]
        cloud.lambda_.create_alias(FunctionName=fn, Name="new", FunctionVersion=new)
        sides.update(cloud=cloud, fn=fn, old=old, new=new)
    return sides


def bench(cloud, *args, tmp_path, check=True):
    return cloud.lamina("bench", "compare", *args, check=check, XDG_STATE_HOME=str(tmp_path))


def ratio(text, name):
    """(A, B, ratio) of a row."""
    line = next(l for l in text.splitlines() if l.startswith(name))
    cells = re.split(r" {2,}", line)
    return [float(c.split()[0]) for c in cells[1:4]]


def test_a_difference_is_shown(cloud, versions, tmp_path):
    fn = versions["fn"]
    r = bench(cloud, "%s:%s" % (fn, versions["old"]), fn + ":new", "-n", 12, tmp_path=tmp_path)
    assert "verdict: B is faster than A" in r.stdout
    a, b, times = ratio(r.stdout, "duration p50")
    assert a >= 60 and 5 <= b < a and times == pytest.approx(b / a, abs=0.02)
    assert re.search(r"billed mean .* B is less", r.stdout)
    assert "version %s" % versions["old"] in r.stdout and "version %s" % versions["new"] in r.stdout
    r = bench(cloud, fn + ":new", "%s:%s" % (fn, versions["old"]), "-n", 12, tmp_path=tmp_path)
    assert "verdict: B is slower than A" in r.stdout


def test_of_the_same_nothing_is_shown(cloud, versions, tmp_path):
    """An interval of 95 % is wrong now and then; three times in a row it is not."""
    arn = cloud.lambda_.get_function_configuration(FunctionName=versions["fn"])["FunctionArn"]
    said = []
    for seed in range(3):
        r = bench(cloud, arn + ":new", versions["fn"] + ":new", "-n", 15, "--seed", seed, tmp_path=tmp_path)
        said.append(re.search(r"verdict: ([^(]*)", r.stdout)[1].strip())
        if said[-1] == "no difference shown":
            break
    else:
        raise AssertionError(said)


def test_both_sides_are_asked_as_often(cloud, tmp_path):
    one, other = function(cloud), function(cloud)
    bench(cloud, one, other, "-n", 13, "--block", 4, "--warmup", 2, tmp_path=tmp_path)
    for fn in (one, other):
        (v,) = json.loads(cloud.lamina("inspect", fn, "--json").stdout)["versions"]
        assert v["invocations"] == 15


def test_answers(cloud, versions, tmp_path):
    old, new = "%s:%s" % (versions["fn"], versions["old"]), versions["fn"] + ":new"
    folder = tmp_path / "payloads"
    folder.mkdir()
    (folder / "same.json").write_text("{}")
    r = bench(cloud, old, new, "-n", 2, "--same-answers", "--payloads", folder, tmp_path=tmp_path)
    assert "answers: the same to 1 payload" in r.stdout
    (folder / "own.json").write_text('{"own": true}')
    (folder / "error.json").write_text('{"fail": true}')
    r = bench(cloud, old, new, "-n", 2, "--same-answers", "--payloads", folder, tmp_path=tmp_path, check=False)
    assert r.returncode == 1 and "do not answer alike" in r.stderr
    assert "answers: 2 of 3 differ" in r.stdout
    assert "own.json" in r.stdout and "error.json" in r.stdout and "(error)" in r.stdout


def test_errors_are_compared_and_nothing_is_made_of_a_side_that_only_fails(cloud, tmp_path):
    good, bad = function(cloud), cloud.function("def handler(event, context): raise ValueError('x')")
    r = bench(cloud, good, bad, "-n", 10, tmp_path=tmp_path)
    assert "too few successes of a side to tell" in r.stdout
    assert ratio(r.stdout, "errors")[:2] == [0, 100]
    assert re.search(r"errors .* B is more", r.stdout)


def test_wrong_words(cloud, versions, tmp_path):
    for args, code, said in [
        ((versions["fn"],), 2, "what shall it be compared with"),
        ((versions["fn"], versions["fn"], "--baseline", "x"), 2, "or a function with --baseline"),
        ((versions["fn"], "nobody"), 1, "nobody"),
        ((versions["fn"], versions["fn"] + ":99"), 1, "99"),
        ((versions["fn"] + ":nope", versions["fn"]), 1, "nope"),
    ]:
        r = bench(cloud, *args, tmp_path=tmp_path, check=False)
        assert r.returncode == code and said in r.stderr, (args, r.stderr)


def test_against_a_file(cloud, versions, tmp_path):
    fn, old = versions["fn"], versions["old"]
    report = tmp_path / "report.json"
    for version, slower, code in [(versions["new"], old, 3), (old, versions["new"], 0)]:
        r = cloud.lamina("bench", "warm", fn, "--qualifier", version, "-n", 12, "--json")
        report.write_text(r.stdout)
        r = bench(cloud, fn, "--qualifier", slower, "--baseline", report, "-n", 12, tmp_path=tmp_path,
                  check=False)
        assert r.returncode == code, r.stdout + r.stderr
        assert ("regressed" in r.stdout) == (code == 3) and ("improved" in r.stdout) == (code == 0)
    report.write_text("{}")
    r = bench(cloud, fn, "--baseline", report, tmp_path=tmp_path, check=False)
    assert r.returncode == 1 and "report.json" in r.stderr


def test_report_has_it(cloud, versions, tmp_path):
    fn = versions["fn"]
    r = bench(cloud, "%s:%s" % (fn, versions["old"]), fn + ":new", "-n", 8, "--json", "--same-answers",
              tmp_path=tmp_path)
    said = json.loads(r.stdout)["compare"]
    rows = {row["figure"]: row for row in said["rows"]}
    assert said["verdict"] == "B is faster than A" and said["answers"][0]["same"] is True
    row = rows["duration p50"]
    assert row["verdict"] == "less" and row["ratio"]["low"] <= row["ratio"]["value"] <= row["ratio"]["high"] < 1
