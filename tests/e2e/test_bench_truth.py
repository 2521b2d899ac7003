"""What a run says of functions whose behaviour is known: nothing that failed, stalled or was never sent looks
like a success."""

import json
import os
import subprocess
import sys

import pytest

from cloud import LAMINA, ROOT

SOURCE = """
import time
count = 0
def handler(event, context):
    global count
    count += 1
    if count == event.get("stall_at"):
        time.sleep(event["stall"])
    time.sleep(event.get("sleep", 0))
    if "answer" in event:
        return event["answer"]
"""


def bench(cloud, *args, check=0):
    r = cloud.lamina("bench", *args, "--json", check=False)
    assert r.returncode == check, (r.returncode, r.stdout[-2000:], r.stderr[-2000:])
    return json.loads(r.stdout)


def test_a_stall_is_in_the_latency_of_all_who_were_due(cloud, tmp_path):
    """One answer takes 600 ms while 30 more fall due: a caller of each of them waits, whatever was sent."""
    name = cloud.function(SOURCE)
    bench(cloud, "rate", name, "--rate", 50, "-n", 60, "-c", 1, "-p", '{"stall_at": 11, "stall": 0.6}',
          "--out", tmp_path)
    report = json.loads((tmp_path / "report.json").read_text())
    columns = report["samples"]["columns"]
    rows = [dict(zip(columns, row)) for row in report["samples"]["rows"]]
    waited = [(r["done_ns"] - r["due_ns"]) / 1e6 for r in rows]
    sent = [(r["done_ns"] - r["sent_ns"]) / 1e6 for r in rows]
    assert max(sent) >= 600
    # Those that were due in the first 400 ms of the stall wait for the other 200 at least.
    assert sum(w >= 200 for w in waited) >= 20
    assert sum(w >= 200 for w in waited) > sum(s >= 200 for s in sent)
    everything = report["all"]["all"]
    assert everything["latency"]["p90"]["value"] == pytest.approx(sorted(waited)[53], rel=1e-6)
    assert everything["uncorrected"]["p90"]["value"] == pytest.approx(sorted(sent)[53], rel=1e-6)
    assert everything["latency"]["p90"]["value"] > 200
    assert sum(everything["parts"].values()) - everything["parts"]["n"] - everything["parts"]["latency_ms"] == \
        pytest.approx(everything["latency"]["mean"]["value"], rel=1e-6)


def test_what_a_gateway_would_make_a_failure_is_none_less_here(cloud):
    """HTTP 200, no function error, and statusCode 500 in the answer."""
    name = cloud.function(SOURCE)
    broken = json.dumps({"answer": {"statusCode": 500, "body": "no"}})
    report = bench(cloud, "warm", name, "-n", 5, "-p", broken, "--min-success", "95%", check=3)
    assert {k: v for k, v in report["all"]["outcomes"].items() if v} == {"function-error": 5}
    assert report["errors"][0]["type"] == "statusCode 500"
    fine = json.dumps({"answer": {"statusCode": 200, "body": json.dumps({"statusCode": 500})}})
    bench(cloud, "warm", name, "-n", 5, "-p", fine, "--min-success", "100%")


def test_what_was_never_sent_is_no_success(cloud):
    name = cloud.function(SOURCE)
    report = bench(cloud, "rate", name, "--rate", 200, "-d", "500ms", "-c", 1, "-p", '{"sleep": 0.25}',
                   "--min-success", "95%", check=3)
    ok, dropped = report["all"]["outcomes"]["ok"], report["run"]["dropped"]
    assert ok >= 1 and dropped >= 80 and ok + dropped == 100
    assert report["all"]["figures"]["success"]["value"] == pytest.approx(ok / 100)
    assert report["all"]["figures"]["errors"]["value"] == pytest.approx(dropped / 100)


def test_a_condition_on_one_kind_of_failure_allows_no_other(cloud, tmp_path):
    name = cloud.function(SOURCE)
    cloud.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    (tmp_path / "verify.yaml").write_text(json.dumps({
        "cold": False, "load": False, "warm": {"n": 1, "thresholds": ["function-errors==0"]}}))
    r = cloud.lamina("verify", name, "--quick", "--json", cwd=tmp_path, check=False)
    assert r.stdout, r.stderr
    found = {(row["category"], row["test"]): row for row in json.loads(r.stdout)["validation_results"]}
    assert r.returncode == 3 and found["warm", "function-errors==0"]["status"] == "PASS"
    assert found["warm", "errors==0"]["status"] == "FAIL" and "1 of 1 failed" in found["warm", "errors==0"]["message"]


def test_another_payload_than_the_baseline_s_is_told(cloud, tmp_path):
    name = cloud.function(SOURCE)
    before = str(tmp_path / "before.json")
    with open(before, "w") as f:
        json.dump(bench(cloud, "warm", name, "-n", 20, "-p", '{"sleep": 0.02}'), f)
    same, other = (bench(cloud, "warm", name, "-n", 20, "-p", payload, "--baseline", before, "--max-regression", "900%")
                   for payload in ('{"sleep": 0.02}', '{}'))
    assert not any("payloads" in note for note in same["gates"].get("notes", []))
    assert any("payloads" in note for note in other["gates"]["notes"])


def test_a_budget_on_a_slower_machine_keeps_its_own_verdict_first():
    """bench/run, of which nothing else is a test: 3.4 ms where programs start in the time of the reference, and where
    they need twice as long."""
    code = """if True:
        import io, sys
        sys.path.insert(0, sys.argv[1])
        from measure import row
        for ours, floor in ((3.4e6, 4.98e6), (6.8e6, 9.96e6), (10.8e6, 9.96e6), (4e6, 2.49e6)):
            row("x", [ours], "python", [floor], 5, worst=6, scale="python")
        row("x", [6e6], "echo", [1], 5, scale=("python", [9.96e6]))
        row("x", [6e6], "echo", [1], 5)
        row("x", [7999], budget=8000, unit="/s")
    """
    r = subprocess.run([sys.executable, "-c", code, os.path.join(ROOT, "bench")], stdout=subprocess.PIPE,
                       universal_newlines=True, check=True)
    assert [line.rsplit("   ", 1)[1] for line in r.stdout.splitlines()] == [
        "<= 5 ms (scaled: <= 5 ms), p99 <= 6 ms (scaled: <= 6 ms)",
        "ABOVE 5 ms (scaled: <= 10 ms), p99 ABOVE 6 ms (scaled: <= 12 ms)",
        "ABOVE 5 ms (scaled: ABOVE 10 ms), p99 ABOVE 6 ms (scaled: <= 12 ms)",
        "<= 5 ms (scaled: ABOVE 2.5 ms), p99 <= 6 ms (scaled: ABOVE 3 ms)",
        "ABOVE 5 ms (scaled: <= 10 ms)",
        "ABOVE 5 ms",
        "BELOW 8,000/s",
    ]


def test_figures_hold_the_truth_of_a_function_that_draws(tmp_path):
    """Five of the hundred seeds of bench/truth/run: three of them hold each figure, if intervals are what they say."""
    found = tmp_path / "found.json"
    r = subprocess.run([sys.executable, os.path.join(ROOT, "bench", "truth", "run"), "--program", LAMINA, "--seeds", "5",
                        "--workers", "1", "--part", "load", "--least", "0.6", "--json", str(found)],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, timeout=300)
    assert r.returncode == 0, r.stdout
    load = json.loads(found.read_text())["load"]
    assert {"latency p50", "latency p99", "handler mean", "errors", "success"} <= set(load)
    assert all(figure["of"] == 5 for name, figure in load.items() if name != "false alarms")
