"""kill -9 in the middle of a stack's operation, then up again: the stack comes to rest in the right
state, and nothing is there twice or missing.

LAMINA_STACK_KILLS sets the number of rounds of each operation (4).
"""

import json
import os
import random
import subprocess
import time

import pytest

from cloud import ACCOUNT, REGION, Cloud, zipped
from test_cloudformation import ROLE, function, group

ROUNDS = int(os.environ.get("LAMINA_STACK_KILLS", "4"))
# What an operation takes, about.
SECONDS = {"create": 0.05, "update": 0.05, "rollback": 0.08, "delete": 0.015,
           "abort": 0.03}


def first():
    t = {"G%d" % i: group(RetentionInDays=1) for i in range(12)}
    t.update({"N%d" % i: group("/n/%d" % i) for i in range(4)})
    t.update({"F%d" % i: function(Environment={"Variables": {"NAME": {"Ref": "N%d" % i}}})
              for i in range(4)})
    t["V"] = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "F0"}}}
    t["A"] = {"Type": "AWS::Lambda::Alias", "Properties": {
        "FunctionName": {"Ref": "F0"}, "FunctionVersion": {"Fn::GetAtt": "V.Version"}, "Name": "live"}}
    t["B"] = {"Type": "AWS::S3::Bucket"}
    t["Role"] = ROLE
    return t


def second():
    """Modifies G*, replaces N*, so modifies F* (code as well), removes B, adds H*."""
    t = first()
    t.update({"G%d" % i: group(RetentionInDays=7) for i in range(12)})
    t.update({"N%d" % i: group("/m/%d" % i) for i in range(4)})
    t.update({"F%d" % i: function("return 2", Timeout=9, Environment={
        "Variables": {"NAME": {"Ref": "N%d" % i}}}) for i in range(4)})
    del t["B"]
    t.update({"H%d" % i: group() for i in range(6)})
    return t


def third():
    """The second, but its last resource is refused: everything must go back."""
    t = second()
    t["Bad"] = dict(group("/bad*name"), DependsOn=[k for k in t if k != "Role"])
    return t


def text(resources):
    return json.dumps({"Resources": resources})


def rest(cloud, stack_id):
    deadline = time.monotonic() + 30
    while True:
        stack = cloud.cfn.describe_stacks(StackName=stack_id)["Stacks"][0]
        if not stack["StackStatus"].endswith("_IN_PROGRESS"):
            return stack["StackStatus"]
        assert time.monotonic() < deadline, stack
        time.sleep(0.02)


def look(cloud):
    """All that is in the cloud, whoever made it."""
    groups = cloud.logs.describe_log_groups()["logGroups"]
    functions = cloud.lambda_.list_functions()["Functions"]
    return {
        "groups": {g["logGroupName"]: g.get("retentionInDays") for g in groups},
        "functions": {f["FunctionName"]: (f["Timeout"], f["Environment"]["Variables"]["NAME"])
                      for f in functions},
        "buckets": [b["Name"] for b in cloud.s3.list_buckets()["Buckets"]],
        "roles": [r["RoleName"] for r in cloud.iam.list_roles()["Roles"]],
    }


def check(cloud, stack_id, resources, days, prefix, timeout, answer):
    """The stack has these resources, the cloud has just them, and they are as they should be."""
    r = cloud.cfn.describe_stack_resources(StackName=stack_id)["StackResources"]
    by_id = {x["LogicalResourceId"]: x for x in r}
    assert sorted(by_id) == sorted(resources)
    assert {x["ResourceStatus"] for x in r} <= {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
    physical = {k: x["PhysicalResourceId"] for k, x in by_id.items()}
    there = look(cloud)
    groups = {physical[k]: days if k[0] == "G" else None for k in physical if k[0] in "GNH"}
    assert there["groups"] == groups
    assert {physical["N%d" % i] for i in range(4)} == {"/%s/%d" % (prefix, i) for i in range(4)}
    assert there["functions"] == {
        physical["F%d" % i]: (timeout, "/%s/%d" % (prefix, i)) for i in range(4)}
    assert there["buckets"] == [physical[k] for k in physical if k == "B"]
    assert there["roles"] == [physical["Role"]]
    versions = cloud.lambda_.list_versions_by_function(FunctionName=physical["F0"])["Versions"]
    assert [v["Version"] for v in versions][:1] == ["$LATEST"] and len(versions) == 2
    assert physical["V"] == versions[1]["FunctionArn"]
    for i in range(4):
        assert cloud.invoke(physical["F%d" % i], tail=False).payload == answer


def empty(cloud):
    return look(cloud) == {"groups": {}, "functions": {}, "buckets": [], "roles": []}


@pytest.mark.parametrize("operation", ["create", "update", "rollback", "delete", "abort"])
@pytest.mark.parametrize("round", range(ROUNDS))
def test_kill(tmp_path, operation, round):
    seed = int(os.environ.get("LAMINA_SEED", random.randrange(1 << 30)))
    moment = random.Random(seed).random() * SECONDS[operation]
    print("LAMINA_SEED=%d" % seed)
    cloud = Cloud(data=tmp_path / "data").start()
    options = {"StackName": "s", "Capabilities": ["CAPABILITY_IAM"]}
    try:
        if operation not in ("create", "abort"):
            stack_id = cloud.cfn.create_stack(TemplateBody=text(first()), **options)["StackId"]
            assert rest(cloud, stack_id) == "CREATE_COMPLETE"
        if operation in ("create", "abort"):
            stack_id = cloud.cfn.create_stack(TemplateBody=text(first()), **options)["StackId"]
            if operation == "abort":
                cloud.cfn.delete_stack(StackName="s")
        elif operation == "update":
            cloud.cfn.update_stack(TemplateBody=text(second()), **options)
        elif operation == "rollback":
            cloud.cfn.update_stack(TemplateBody=text(third()), **options)
        else:
            cloud.cfn.delete_stack(StackName="s")
        time.sleep(moment)
    finally:
        cloud.kill()
    cloud = Cloud(data=tmp_path / "data").start()
    try:
        if operation == "create":
            assert rest(cloud, stack_id) == "CREATE_COMPLETE"
            check(cloud, stack_id, first(), 1, "n", 3, 1)
        elif operation == "update":
            assert rest(cloud, stack_id) == "UPDATE_COMPLETE"
            check(cloud, stack_id, second(), 7, "m", 9, 2)
        elif operation == "rollback":
            assert rest(cloud, stack_id) == "UPDATE_ROLLBACK_COMPLETE"
            check(cloud, stack_id, first(), 1, "n", 3, 1)
        if operation not in ("delete", "abort"):
            for g in look(cloud)["groups"]:
                if g.startswith("/aws/lambda/"):
                    cloud.logs.delete_log_group(logGroupName=g)
            cloud.cfn.delete_stack(StackName="s")
        assert rest(cloud, stack_id) == "DELETE_COMPLETE"
        for g in look(cloud)["groups"]:
            if g.startswith("/aws/lambda/"):
                cloud.logs.delete_log_group(logGroupName=g)
        assert empty(cloud)
    finally:
        cloud.stop()


@pytest.fixture
def disk(tmp_path):
    """A small file system."""
    folder = tmp_path / "disk"
    folder.mkdir()
    r = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", str(folder)],
                       stderr=subprocess.PIPE)
    if r.returncode:
        pytest.skip("may not mount: " + r.stderr.decode().strip())
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


# Bytes that are left when an operation begins: tens of kilobytes come to its middle.
FULL = [int(n) for n in os.environ.get("LAMINA_STACK_ROOM", "60000").split(",")]


def fill(disk, leave):
    """Takes all room but so many bytes; returns the file to be removed for more."""
    free = os.statvfs(disk)
    with open(disk / "filler", "wb") as f:
        try:
            f.write(b"x" * max(0, free.f_bavail * free.f_frsize - leave))
        except OSError:
            pass
    return disk / "filler"


LOST = "what this turn wrote is lost"
ON = "cloudformation: going on with s "


def until(true, within=20):
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("operation", ["create", "update", "rollback", "delete"])
@pytest.mark.parametrize("leave", FULL)
def test_full_disk(disk, operation, leave):
    """No room in the middle of an operation, then room again: the stack comes to rest in a state that
    is true, and can be deleted without a trace."""
    cloud = Cloud(data=disk / "data").start()
    options = {"StackName": "s", "Capabilities": ["CAPABILITY_IAM"]}
    try:
        if operation != "create":
            stack_id = cloud.cfn.create_stack(TemplateBody=text(first()), **options)["StackId"]
            assert rest(cloud, stack_id) == "CREATE_COMPLETE"
        filler = fill(disk, leave)
        try:
            if operation == "create":
                stack_id = cloud.cfn.create_stack(TemplateBody=text(first()), **options)["StackId"]
            elif operation == "update":
                cloud.cfn.update_stack(TemplateBody=text(second()), **options)
            elif operation == "rollback":
                cloud.cfn.update_stack(TemplateBody=text(third()), **options)
            else:
                cloud.cfn.delete_stack(StackName="s")
            begun = True
        except Exception as e:
            assert "InternalFailure" in str(e)
            begun = False
        if begun:
            until(lambda: LOST in cloud.log_text() or not busy(cloud, stack_id))
        filler.unlink()
        if begun and LOST in cloud.log_text():
            until(lambda: ON in cloud.log_text())
        if not begun and operation == "create":
            assert not cloud.cfn.list_stacks()["StackSummaries"] and empty(cloud)
            return
        status = rest(cloud, stack_id)
        for g in look(cloud)["groups"]:
            if g.startswith("/aws/lambda/"):
                cloud.logs.delete_log_group(logGroupName=g)
        if status in ("CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"):
            check(cloud, stack_id, first(), 1, "n", 3, 1)
        elif status == "UPDATE_COMPLETE":
            check(cloud, stack_id, second(), 7, "m", 9, 2)
        else:
            assert status in ("ROLLBACK_COMPLETE", "DELETE_COMPLETE", "DELETE_FAILED",
                              "ROLLBACK_FAILED", "UPDATE_ROLLBACK_FAILED")
            assert status.endswith("_FAILED") or empty(cloud)
        cloud.cfn.delete_stack(StackName=stack_id)
        assert rest(cloud, stack_id) == "DELETE_COMPLETE"
        for g in look(cloud)["groups"]:
            if g.startswith("/aws/lambda/"):
                cloud.logs.delete_log_group(logGroupName=g)
        assert empty(cloud)
    finally:
        cloud.stop()


def busy(cloud, stack_id):
    """None when that cannot be said now."""
    try:
        (stack,) = cloud.cfn.describe_stacks(StackName=stack_id)["Stacks"]
    except Exception:
        return None
    return stack["StackStatus"].endswith("_IN_PROGRESS")
