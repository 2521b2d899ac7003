"""Figures of Logs Insights beside the same figures computed in Python, of random events."""

import collections
import json
import math
import random
import statistics
import time

import pytest
from cloud import unique

NOW = int(time.time() * 1000)


def query(logs, group, text):
    now = int(time.time())
    started = logs.start_query(logGroupName=group, startTime=now - 3600, endTime=now + 60, queryString=text)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        r = logs.get_query_results(queryId=started["queryId"])
        if r["status"] == "Complete":
            return [{c["field"]: c["value"] for c in row} for row in r["results"]]
        assert r["status"] in ("Running", "Scheduled")
    raise AssertionError("the query does not end")


def rank(values, percent):
    values = sorted(values)
    return values[max(1, math.ceil(percent / 100 * len(values) - 1e-9)) - 1]


def near(wanted):
    return pytest.approx(wanted, abs=6e-5)  # four decimals


@pytest.mark.parametrize("seed,n", [(1, 1), (2, 7), (3, 400), (4, 2000)])
def test_figures_of_random_events(cloud, seed, n):
    draw = random.Random(seed)
    events = sorted(({"t": NOW - 600000 + draw.randrange(500000), "d": round(draw.lognormvariate(3, 1), seed % 4),
                      "k": draw.choice("abc"), "m": draw.choice([None, 1, 2.5, -3])} for _ in range(n)),
                    key=lambda e: e["t"])
    group = "/aws/lambda/" + unique()
    cloud.logs.create_log_group(logGroupName=group)
    cloud.logs.create_log_stream(logGroupName=group, logStreamName="s")
    cloud.logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[
        {"timestamp": e["t"], "message": json.dumps({k: v for k, v in e.items() if v is not None})} for e in events])
    rows = {r["k"]: r for r in query(
        cloud.logs, group, "stats count(*) as n, count(m) as m, sum(d) as s, avg(d) as a, min(d) as l, max(d) as h, "
        "pct(d, 50) as p50, pct(d, 95) as p95, pct(d, 99) as p99, stddev(d) as sd, count_distinct(d) as cd by k")}
    assert set(rows) == {e["k"] for e in events}
    for k, row in rows.items():
        d = [e["d"] for e in events if e["k"] == k]
        wanted = {"n": len(d), "m": sum(e["m"] is not None for e in events if e["k"] == k), "s": sum(d),
                  "a": sum(d) / len(d), "l": min(d), "h": max(d), "p50": rank(d, 50), "p95": rank(d, 95),
                  "p99": rank(d, 99), "sd": statistics.stdev(d) if len(d) > 1 else 0, "cd": len(set(d))}
        assert {name: float(row[name]) for name in wanted} == {name: near(v) for name, v in wanted.items()}
    bins = collections.defaultdict(list)
    for e in events:
        if e["d"] > 20 and e["k"] != "a":
            bins[e["t"] // 60000].append(e["d"])
    rows = query(cloud.logs, group,
                 'filter d > 20 and k != "a" | stats count(*) as n, avg(d) as a by bin(1m) as b | sort b')
    assert [(int(r["n"]), float(r["a"])) for r in rows] == [
        (len(v), near(sum(v) / len(v))) for _, v in sorted(bins.items())]
    rows = query(cloud.logs, group, "fields d * 2 as twice | sort twice desc | limit 5")
    most = sorted((e["d"] for e in events), reverse=True)[:5]
    assert [float(r["twice"]) for r in rows] == [near(2 * v) for v in most]
    rows = query(cloud.logs, group, "filter m < 2 | stats count(*) as n")
    wanted = sum(e["m"] is not None and e["m"] < 2 for e in events)
    assert [int(r["n"]) for r in rows] == ([wanted] if wanted else [])
    cloud.logs.delete_log_group(logGroupName=group)
