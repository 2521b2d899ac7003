"""lamina verify: the production check, its file, its reports, and that it does not pass what is not so."""

import json
import signal
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

from cloud import LAMINA, environ, lamina, unique

SOURCE = """
import time
def handler(event, context):
    if event.get("fail"):
        raise ValueError("<b>no|way</b>")
    time.sleep(event.get("sleep", 0))
    return event
"""


def verify(cloud, cwd, *args, plan=None, **options):
    """(exit code, JSON report) of a run with that plan."""
    if plan is not None:
        (cwd / "verify.yaml").write_text(json.dumps(plan))
    r = cloud.lamina("verify", *args, "--json", cwd=cwd, check=False, **options)
    return r.returncode, json.loads(r.stdout) if r.stdout else r.stderr


def rows(report, category=None):
    return {(r["category"], r["test"]): r for r in report["validation_results"]
            if category in (None, r["category"])}


SMALL = {"cold": {"n": 1}, "warm": {"n": 5}, "load": False}


def test_a_sound_function_passes(cloud, tmp_path):
    name = cloud.function(SOURCE, MemorySize=256, TracingConfig={"Mode": "Active"})
    code, report = verify(cloud, tmp_path, name, plan=dict(
        SMALL, load={"n": 40, "connections": 2}, cost={"invocations_per_month": 3e6, "max_usd_per_month": 1000}))
    assert code == 0, report
    assert report["format"] == "lamina-verify/1" and report["target"] == "local"
    found = rows(report)
    assert found["configuration", "tracing"]["status"] == "PASS"
    assert found["configuration", "log retention"]["status"] == "WARN"
    for step in ("cold", "warm", "load"):
        assert found[step, "measured"]["status"] == "PASS", found
        assert report["performance_baselines"][name][step]["succeeded"] > 0
    assert found["memory", "measured"]["status"] == "SKIPPED"
    assert "--full" in found["memory", "measured"]["message"]
    assert found["cost", "a month"]["status"] == "PASS"
    assert "prices of 2026-09-19" in found["cost", "a million invocations"]["message"]
    summary = report["summary"]
    statuses = [r["status"] for r in report["validation_results"]]
    assert summary["total"] == len(statuses)
    assert summary["passed"] == statuses.count("PASS")
    assert summary["skipped"] == statuses.count("SKIPPED")
    carried_out = summary["total"] - summary["skipped"]
    assert summary["success_rate"] == pytest.approx(100 * summary["passed"] / carried_out)
    assert report["performance_baselines"][name]["cold"]["cold_starts"] == 1


def test_failures_with_http_200_are_failures(cloud, tmp_path):
    """Thresholds on times alone do not let a function pass that only fails."""
    name = cloud.function(SOURCE)
    code, report = verify(cloud, tmp_path, name, plan=dict(
        SMALL, payload={"fail": True}, warm={"n": 5, "thresholds": ["requests>=5"]},
        cost={"max_usd_per_million": 100}))
    assert code == 3
    found = rows(report)
    assert found["cold", "errors==0"]["status"] == "FAIL"
    assert found["warm", "errors==0"]["status"] == "FAIL"
    assert "5 of 5 failed, most with ValueError" in found["warm", "errors==0"]["message"]
    assert found["cost", "measured"]["status"] == "FAIL"


def test_configuration_is_held_against_the_file(cloud, tmp_path):
    name = cloud.function(SOURCE, MemorySize=512, Timeout=120,
                          Environment={"Variables": {"LARGE": "x" * 3500}})
    cloud.logs.create_log_group(logGroupName="/aws/lambda/" + name)
    cloud.logs.put_retention_policy(logGroupName="/aws/lambda/" + name, retentionInDays=14)
    off = {"cold": False, "warm": False, "load": False}
    code, report = verify(cloud, tmp_path, name, plan=off)
    found = rows(report)
    assert code == 0
    assert found["configuration", "timeout"]["status"] == "WARN"
    assert found["configuration", "environment variables"]["status"] == "WARN"
    assert found["configuration", "log retention"]["status"] == "PASS"
    assert found["warm", "measured"]["status"] == "SKIPPED"
    assert found["cost", "measured"]["status"] == "SKIPPED"
    assert not report["performance_baselines"]
    code, report = verify(cloud, tmp_path, name, plan=dict(off, configuration={
        "memory_mb": "128..256", "timeout_s": "..60", "log_retention_days": 30,
        "architecture": "arm64", "tracing": "Active", "concurrency": "reserved",
        "package_max": "1"}))
    assert code == 3
    failed = {r["test"] for r in report["validation_results"] if r["status"] == "FAIL"}
    assert failed == {"memory", "timeout", "log retention", "architecture", "tracing",
                      "concurrency", "package"}
    cloud.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    code, report = verify(cloud, tmp_path, name, plan=off)
    assert code == 3
    assert "every invocation is throttled" in rows(report)["configuration", "concurrency"]["message"]


def test_a_runtime_without_support_fails(cloud, tmp_path):
    name = cloud.function(SOURCE, Runtime="python3.8")
    plan = {"cold": False, "warm": False, "load": False}
    code, report = verify(cloud, tmp_path, name, plan=plan)
    assert code == 3
    assert "unsupported since 2024-10-14" in rows(report)["configuration", "runtime"]["message"]


def test_thresholds_and_baselines(cloud, tmp_path):
    name = cloud.function(SOURCE)
    # slow enough that what else the machine does is little beside it
    plan = dict(SMALL, functions={name: {"payload": {"sleep": 0.02}}}, cold=False,
                warm={"n": 20, "thresholds": ["p50<60s", "billed>=2ms"]}, baseline={"folder": "base"})
    code, report = verify(cloud, tmp_path, plan=plan)
    assert code == 0
    assert rows(report)["baseline", "warm"]["status"] == "SKIPPED"
    code, report = verify(cloud, tmp_path, "--update-baseline")
    assert code == 0, report
    assert json.loads((tmp_path / "base" / (name + ".warm.json")).read_text())["format"] == "lamina-bench/1"
    plan["functions"][name]["payload"]["sleep"] = 0.25
    code, report = verify(cloud, tmp_path, plan=plan)
    assert code == 3
    assert rows(report)["baseline", "warm p50"]["status"] == "FAIL"
    plan["warm"]["thresholds"] = ["p50<1ms"]
    before = (tmp_path / "base" / (name + ".warm.json")).read_bytes()
    code, report = verify(cloud, tmp_path, "--update-baseline", plan=plan)
    assert code == 3 and rows(report)["warm", "p50<1ms"]["status"] == "FAIL"
    assert rows(report)["baseline", "update"]["status"] == "SKIPPED"
    assert (tmp_path / "base" / (name + ".warm.json")).read_bytes() == before


def test_memory_sizes_leave_the_function_as_it_was(cloud, tmp_path):
    name = cloud.function(SOURCE, MemorySize=256)
    before = cloud.lambda_.get_function_configuration(FunctionName=name)
    code, report = verify(cloud, tmp_path, name, "--full", plan=dict(
        SMALL, memory={"sizes": "128,512", "n": 5}))
    assert code == 0, report
    assert "is cheapest" in rows(report)["memory", "cost by size"]["message"]
    after = cloud.lambda_.get_function_configuration(FunctionName=name)
    for key in ("MemorySize", "Description", "Timeout", "CodeSha256"):
        assert before[key] == after[key]
    versions = cloud.lambda_.list_versions_by_function(FunctionName=name)["Versions"]
    assert [v["Version"] for v in versions] == ["$LATEST"]


def test_reports_say_the_same_and_escape(cloud, tmp_path):
    name = cloud.function(SOURCE)
    (tmp_path / "verify.yaml").write_text(json.dumps(dict(SMALL, payload={"fail": True})))
    r = cloud.lamina("verify", name, "--junit", "out/v.xml", "--html", "out/v.html", "--markdown",
                     "out/v.md", "--report", "out/v.json", cwd=tmp_path, check=False)
    assert r.returncode == 3 and "none of 5 succeeded" in r.stdout
    report = json.loads((tmp_path / "out/v.json").read_text())
    suite = ElementTree.parse(str(tmp_path / "out/v.xml")).getroot()
    assert int(suite.get("failures")) == report["summary"]["failed"] == len(suite.findall(".//failure"))
    assert int(suite.get("tests")) == report["summary"]["total"] == len(suite.findall("testcase"))
    page = (tmp_path / "out/v.html").read_text()
    for word in ("passed", "warnings", "failed", "skipped"):
        assert ">%d</b>%s<" % (report["summary"][word], word) in page
    assert "<b>no|way" not in page and "&lt;b&gt;no|way" in page and "<script" not in page
    table = [l for l in (tmp_path / "out/v.md").read_text().splitlines() if l.startswith("|")]
    assert {l.replace("\\|", "").count("|") for l in table} == {4}


@pytest.mark.parametrize("text,line,why", [
    ("warm:\n  tresholds: [p95<1s]\n", 2, 'unknown key "tresholds" of warm (did you mean thresholds?)'),
    ("wram: {}\n", 1, 'unknown key "wram" (did you mean warm?)'),
    ("warm:\n  n: 1\n  thresholds:\n    - p95<1\n", 4, "p95<1"),
    ("warm:\n  n: many\n", 2, "a whole number"),
    ("configuration:\n  memory_mb: 900..100\n", 2, "a range like 128..10240"),
    ("configuration:\n  tracing: on\n", 2, "tracing"),
    ("functions: []\n", 1, "there is none"),
    ("functions: {f: {paylod: 1}}\n", 1, 'unknown key "paylod"'),
    ("payload_file: nowhere.json\n", 1, "No such file"),
    ("load: 5\n", 1, "a mapping, or false"),
    ("a: [\n", 2, ""),
    ("- a\n", 1, "a mapping is expected"),
    ("cost: {max_usd_per_month: -1}\n", 1, "a number above 0"),
])
def test_a_wrong_file_is_told_by_line(tmp_path, text, line, why):
    (tmp_path / "v.yaml").write_text(text)
    r = lamina("verify", "f", "-f", "v.yaml", cwd=tmp_path, check=False)
    assert r.returncode == 1 and not r.stdout
    assert r.stderr.startswith("lamina: verify: v.yaml:%d: " % line), r.stderr
    assert why in r.stderr


def test_what_cannot_be_looked_at_fails(cloud, tmp_path):
    nobody = unique("nobody")
    code, report = verify(cloud, tmp_path, nobody, "--quick")
    assert code == 3
    assert "Function not found" in rows(report)["configuration", "read"]["message"]
    r = cloud.lamina("verify", cwd=tmp_path, check=False)
    assert r.returncode == 2 and "what is to be verified?" in r.stderr
    r = cloud.lamina("verify", "--stack-name", nobody, cwd=tmp_path, check=False)
    assert r.returncode == 1 and nobody in r.stderr
    r = lamina("verify", nobody, cwd=tmp_path, check=False, AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert r.returncode == 1 and "does not answer" in r.stderr and "0 passed" in r.stdout


def test_ctrl_c_is_no_pass(cloud, tmp_path):
    name = cloud.function(SOURCE, Timeout=60)
    (tmp_path / "verify.yaml").write_text(json.dumps(
        {"cold": False, "warm": {"n": 1000000}, "payload": {"sleep": 0.01}}))
    p = subprocess.Popen([LAMINA, "verify", name, "--json"], cwd=tmp_path,
                         env=environ(AWS_ENDPOINT_URL=cloud.url), stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, universal_newlines=True)
    cloud.log_events(name, until="REPORT", within=30)  # it measures
    p.send_signal(signal.SIGINT)
    out, _ = p.communicate(timeout=60)
    assert p.returncode == 130
    found = rows(json.loads(out))
    assert found["warm", "measured"]["status"] == "FAIL"
    assert found["load", "measured"] == dict(found["load", "measured"], status="FAIL", message="interrupted")
