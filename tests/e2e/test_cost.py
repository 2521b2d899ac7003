"""lamina cost: REPORT lines of a log, or a report of lamina bench, times the dated prices."""

import json

import pytest

from cloud import lamina, unique, zipped

SOURCE = "def handler(event, context):\n    print('x' * event.get('log', 0))\n    return event\n"
X86, ARM, REQUEST, LOGS = 0.0000166667, 0.0000133334, 0.0000002, 0.50


def invoke(cloud, name, times, event=None):
    """The REPORT figures of so many invocations, all of them in the log afterwards."""
    reports = [cloud.invoke(name, event or {}).report for _ in range(times)]
    cloud.log_events(name, until="REPORT")
    for _ in range(2000):
        lines = cloud.logs.filter_log_events(
            logGroupName="/aws/lambda/" + name, filterPattern='"REPORT RequestId"'
        )["events"]
        if len(lines) >= times:
            return reports
    raise AssertionError("%d of %d REPORT lines" % (len(lines), times))


def near(value, expected):
    assert value == pytest.approx(expected, rel=1e-9)


def test_a_function_costs_what_its_lines_say(cloud):
    name = cloud.function(SOURCE, MemorySize=256, EphemeralStorage={"Size": 1024})
    reports = invoke(cloud, name, 6)
    out = json.loads(cloud.lamina("cost", name, "-n", 3000000, "--json").stdout)
    (row,) = out["rows"]
    billed = sum(r["Billed Duration"] for r in reports) / 6
    near(row["measured"]["billedMs"]["value"], billed)
    assert row["measured"]["cold"] == sum("Init Duration" in r for r in reports)
    usd = {i["item"]: i["usd"] for i in row["items"]}
    near(usd["requests"], 3e6 * REQUEST)
    near(usd["duration"], 3e6 * billed / 1000 * 256 / 1024 * X86)
    near(usd["/tmp"], 3e6 * billed / 1000 * 512 / 1024 * 0.0000000309)
    events = cloud.log_events(name)
    near(usd["logs"], 3e6 * (sum(map(len, events)) + 26 * len(events)) / 6 / 2**30 * LOGS)
    near(row["usdPerMonth"]["value"], sum(usd.values()))
    assert row["usdPerMonth"]["low"] < row["usdPerMonth"]["value"] < row["usdPerMonth"]["high"]
    assert row["pricesDate"] == "2026-09-19"


def test_json_log_format_and_other_architecture(cloud):
    name = cloud.function(SOURCE, MemorySize=512)
    assert cloud.configure(name, LoggingConfig={"LogFormat": "JSON"})[0] == 200
    for _ in range(3):
        cloud.invoke(name, {})
    for _ in range(2000):
        r = cloud.lamina("cost", name, "--arch", "x86_64,arm64", "-n", 1000000,
                         "--no-log-bytes", "--json", check=False)
        if not r.returncode and json.loads(r.stdout)["rows"][0]["measured"]["invocations"] == 3:
            break
    x86, arm = json.loads(r.stdout)["rows"]
    duration = [i["usd"] for row in (x86, arm) for i in row["items"] if i["item"] == "duration"]
    near(duration[1] / duration[0], ARM / X86)
    assert "durations as measured on x86_64" in arm["notes"]
    assert any("without logs" in n for n in x86["notes"])
    near(arm["ratioToFirst"]["value"], arm["usdPerMonth"]["value"] / x86["usdPerMonth"]["value"])


def test_nothing_measured_is_an_error_that_says_what_to_do(cloud):
    name = cloud.function(SOURCE)
    r = cloud.lamina("cost", name, check=False)
    assert r.returncode == 1 and not r.stdout
    assert "nothing was measured of " + name in r.stderr and "lamina bench warm " + name in r.stderr
    nobody = unique("nobody")
    r = cloud.lamina("cost", nobody, check=False)
    assert r.returncode == 1
    assert "there is no function and no stack %s" % nobody in r.stderr


def test_logs_of_a_deleted_function_are_still_read(cloud):
    name = cloud.function(SOURCE, MemorySize=256)
    invoke(cloud, name, 2)
    cloud.lambda_.delete_function(FunctionName=name)
    out = cloud.lamina("cost", name, "-n", 1000).stdout
    assert "the architecture is not known: x86_64" in out and "256 MB" in out


def test_a_stack_is_the_sum_of_its_functions(cloud, tmp_path):
    names = [unique("fn") for _ in range(2)]
    stack = unique("stack")
    zip_file = zipped({"app.py": SOURCE})
    bucket = unique("bucket")
    cloud.s3.create_bucket(Bucket=bucket)
    cloud.s3.put_object(Bucket=bucket, Key="f.zip", Body=zip_file)
    resources = {
        "F%d" % i: {
            "Type": "AWS::Lambda::Function",
            "Properties": {"FunctionName": n, "Runtime": "python3.11", "Handler": "app.handler",
                           "Role": cloud.lambda_role(), "MemorySize": 128 * (i + 1),
                           "Code": {"S3Bucket": bucket, "S3Key": "f.zip"}},
        }
        for i, n in enumerate(names)
    }
    cloud.cfn.create_stack(StackName=stack, TemplateBody=json.dumps({"Resources": resources}))
    cloud.cfn.get_waiter("stack_create_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 0.05, "MaxAttempts": 400})
    invoke(cloud, names[0], 2)
    r = cloud.lamina("cost", stack, "-n", 1000000)
    assert "cost: %s is left out: no REPORT lines" % names[1] in r.stderr
    invoke(cloud, names[1], 3)
    out = json.loads(cloud.lamina("cost", stack, "-n", 1000000, "--json").stdout)
    assert [r["label"] for r in out["rows"]] == ["F0", "F1"]
    near(out["usdPerMonth"]["value"], sum(r["usdPerMonth"]["value"] for r in out["rows"]))
    free = json.loads(cloud.lamina("cost", stack, "-n", 400000, "--free-tier", "on", "--json").stdout)
    requests_and_duration = sum(
        i["usd"] for r in free["rows"] for i in r["items"] if i["item"] in ("requests", "duration"))
    near(free["freeTierUsd"], requests_and_duration)  # 800,000 requests: all of them are free
    ready = json.loads(cloud.lamina("cost", stack, "-n", 400000, "--provisioned", 1, "--free-tier", "on",
                                    "--json").stdout)
    near(ready["freeTierUsd"], 0)  # it does not apply to functions that are kept ready


def test_markdown_keeps_its_table(cloud):
    name = cloud.function(SOURCE)
    invoke(cloud, name, 2)
    out = cloud.lamina("cost", name, "--markdown", "--memory", "128,512").stdout
    rows = [l for l in out.splitlines() if l.startswith("|")]
    assert len(rows) == 4 and len({l.replace("\\|", "").count("|") for l in rows}) == 1, out


def bench_report(tmp_path, name, mean, low, high, **more):
    group = {"memory_mb": 512, "architecture": "x86_64", "outcomes": {"ok": 40}, "cold_starts": 4,
             "all": {"billed": {"n": 40, "mean": {"value": mean, "low": low, "high": high}}}}
    report = {"format": "lamina-bench/1", "function": {"name": "f", "architecture": "x86_64"},
              "run": {"mode": "load", "region": "us-east-1"}, "all": group, "series": []}
    report.update(more)
    path = tmp_path / name
    path.write_text(json.dumps(report))
    return path


def test_before_and_after_with_their_intervals(tmp_path):
    before = bench_report(tmp_path, "before.json", 200, 190, 210)
    after = bench_report(tmp_path, "after.json", 100, 95, 105)
    args = ["cost", "--from-bench", before, "--from-bench", after, "-n", 2000000]
    out = json.loads(lamina(*args, "--json").stdout)
    first, second = out["rows"]
    near(first["usdPerMonth"]["value"], 0.4 + 2e6 * 0.2 * 0.5 * X86)
    near(second["usdPerMonth"]["high"], 0.4 + 2e6 * 0.105 * 0.5 * X86)
    ratio = second["ratioToFirst"]
    assert ratio["low"] < ratio["value"] < ratio["high"] < 1
    assert "no difference is shown" not in lamina(*args).stdout
    same = bench_report(tmp_path, "same.json", 198, 188, 208)
    out = lamina("cost", "--from-bench", before, "--from-bench", same).stdout
    assert "no difference is shown" in out and "a million invocations a month" in out


@pytest.mark.parametrize("text,why", [
    ("{", "line 1"),
    ("[]", "no report of lamina bench"),
    ('{"format": "lamina-bench/1", "all": {}}', "no billed durations"),
    ('{"format": "lamina-bench/1", "all": {"all": {"billed": {"n": 1, "mean": {"value": "x"}}}}}',
     "no billed durations"),
])
def test_reports_that_are_none(tmp_path, text, why):
    path = tmp_path / "report.json"
    path.write_text(text)
    r = lamina("cost", "--from-bench", path, check=False)
    assert r.returncode == 1 and why in r.stderr, r.stderr


@pytest.mark.parametrize("args,why", [
    ([], "name a function or a stack"),
    (["f", "--memory", "64"], "no memory size"),
    (["f", "--arch", "mips"], "no architecture"),
    (["f", "--free-tier", "maybe"], "none of on|off"),
    (["f", "-n", "0"], "not between"),
])
def test_wrong_usage(cloud, tmp_path, args, why):
    r = cloud.lamina("cost", *args, check=False)
    if "--memory" in args or "--arch" in args:  # looked at when something was measured
        report = bench_report(tmp_path, "r.json", 1, 1, 1)
        r = lamina("cost", "--from-bench", report, *args[1:], check=False)
    assert r.returncode == 2 and why in r.stderr, r.stderr


def test_a_report_that_bench_has_written(cloud, tmp_path):
    name = cloud.function(SOURCE, MemorySize=256, EphemeralStorage={"Size": 1024})
    cloud.lamina("bench", "warm", name, "-n", 20, "--out", tmp_path / "b", "--quiet")
    bench = json.loads((tmp_path / "b" / "report.json").read_text())
    (row,) = json.loads(cloud.lamina(
        "cost", name, "--from-bench", tmp_path / "b" / "report.json", "-n", 1000000, "--json").stdout)["rows"]
    near(row["measured"]["billedMs"]["value"], bench["all"]["all"]["billed"]["mean"]["value"])
    assert row["measured"]["invocations"] == 20 and row["storageMb"] == 1024
    assert row["function"] == name and row["memoryMb"] == 256
    billed = row["measured"]["billedMs"]["value"]
    usd = {i["item"]: i["usd"] for i in row["items"]}
    near(usd["duration"], 1e6 * billed / 1000 * 256 / 1024 * X86)
    near(usd["/tmp"], 1e6 * billed / 1000 * 512 / 1024 * 0.0000000309)
