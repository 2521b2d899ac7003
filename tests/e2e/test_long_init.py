"""Inits that take longer than ten seconds: given up, and repeated inside of the invocation."""

import concurrent.futures
import re
import time

from test_extensions import PLAIN, function

# Sleeps so long in its first init; /tmp stays when the processes are started again.
SLOW = """
import os, time
again = os.path.exists("/tmp/again")
open("/tmp/again", "w").close()
print("init", "again" if again else "once", flush=True)
time.sleep(%s if again else %s)
print("ready", flush=True)
ready = time.time()
def handler(event, context):
    return [again, context.get_remaining_time_in_millis(), os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]]
"""
OPENING = r"INIT_START Runtime Version: .*\n"
GIVEN_UP = r"INIT_REPORT Init Duration: (?:9999|1\d{4})\.\d\d ms\tPhase: init\tStatus: timeout\n"


def works_the_second_time(cloud):
    name = cloud.function(SLOW % ("1", "11"), Timeout=5)
    r = cloud.invoke(name)
    assert r.error is None, r.body
    # The second init is a part of the invocation: of its time, and of its bill.
    again, left_ms, kind = r.payload
    assert again and left_ms <= 4000 and kind == "on-demand"
    assert re.match(
        OPENING + "init once\n" + GIVEN_UP + "(?:INIT_START.*\n)?init again\nready\nSTART RequestId: " + r.id, r.log
    ), r.log
    assert "Init Duration" not in r.log.splitlines()[-1]
    assert 1000 <= r.report["Duration"] <= 5000
    assert r.report["Billed Duration"] - r.report["Duration"] < 1.01
    warm = cloud.invoke(name)
    assert warm.payload[0] and warm.payload[1] > 4000 and "INIT" not in warm.log


def times_out_the_second_time(cloud):
    name = cloud.function(SLOW % ("100", "100"), Timeout=2)
    r = cloud.invoke(name)
    assert r.payload == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "RequestId: %s Error: Task timed out after 2.00 seconds" % r.id,
    }
    assert re.match(OPENING + "init once\n" + GIVEN_UP, r.log), r.log
    assert re.search(r"INIT_REPORT Init Duration: [12]\d{3}\.\d\d ms\tPhase: invoke\tStatus: timeout\n", r.log), r.log
    assert re.search(r"REPORT .*Duration: 2000\.00 ms\tBilled Duration: 2000 ms.*\tStatus: timeout\n$", r.log), r.log


def waits_for_an_extension(cloud):
    slow = PLAIN.replace('note(name, "started")', 'note(name, "started")\n'
                         'if not os.path.exists("/tmp/seen"):\n    open("/tmp/seen", "w"); time.sleep(11)')
    name = function(cloud, {"slow": slow}, Timeout=5)
    r = cloud.invoke(name)
    assert r.error is None, r.body
    assert [n[:2] for n in r.payload if n[1] == "started"] == [
        ["slow", "started"], ["slow", "started"], ["runtime", "started"]]
    assert re.search(GIVEN_UP, r.log), r.log


def is_seen_by_nobody(cloud):
    """Provisioned: nobody waits, and the limit is 130 seconds."""
    name = cloud.function(SLOW % ("0", "11"), Timeout=5, Publish=True)
    cloud.lambda_.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=1)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        r = cloud.lambda_.get_provisioned_concurrency_config(FunctionName=name, Qualifier="1")
        if r["Status"] == "READY":
            break
        time.sleep(.1)
    again, _, kind = cloud.invoke(name, Qualifier="1").payload
    assert (again, kind) == (False, "provisioned-concurrency")


def test_inits_beyond_ten_seconds(cloud):
    """All at the same time: each of them takes ten."""
    cases = (works_the_second_time, times_out_the_second_time, waits_for_an_extension, is_seen_by_nobody)
    with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
        for done in [pool.submit(case, cloud) for case in cases]:
            done.result()
