"""CancelUpdateStack, RollbackStack, ContinueUpdateRollback."""

import json
import time

import pytest
from botocore.exceptions import ClientError
from cloud import RUNTIME, TRUST, Cloud, unique


def template(groups):
    """Log groups; a dict of logical id to (name, days, after)."""
    resources = {}
    for logical, (name, days, after) in groups.items():
        resources[logical] = {
            "Type": "AWS::Logs::LogGroup",
            "Properties": {"LogGroupName": name, "RetentionInDays": days},
        }
        if after:
            resources[logical]["DependsOn"] = after
    return json.dumps({"Resources": resources})


def status(cloud, stack):
    return cloud.cfn.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]


def settled(cloud, stack):
    """Waits until it rests."""
    until = time.monotonic() + 60
    now = status(cloud, stack)
    while now.endswith("_IN_PROGRESS") and time.monotonic() < until:
        now = status(cloud, stack)
    return now


def days(cloud, name):
    groups = cloud.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return groups[0].get("retentionInDays") if groups else None


@pytest.fixture
def stack(cloud):
    name = unique("back")
    cloud.cfn.create_stack(
        StackName=name, TemplateBody=template({"A": ("/a/" + name, 1, None)})
    )
    assert settled(cloud, name) == "CREATE_COMPLETE"
    return name


def fail_update(cloud, stack):
    """A is changed, New is made, Taken cannot be; nothing is taken back."""
    cloud.logs.create_log_group(logGroupName="/taken/" + stack)
    cloud.cfn.update_stack(
        StackName=stack,
        DisableRollback=True,
        TemplateBody=template(
            {
                "A": ("/a/" + stack, 3, None),
                "New": ("/new/" + stack, 1, "A"),
                "Taken": ("/taken/" + stack, 1, "New"),
            }
        ),
    )
    assert settled(cloud, stack) == "UPDATE_FAILED"


def test_an_update_that_was_left_as_it_failed_goes_back(cloud, stack):
    fail_update(cloud, stack)
    assert days(cloud, "/a/" + stack) == 3 and days(cloud, "/new/" + stack) == 1
    assert stack in cloud.cfn.rollback_stack(StackName=stack)["StackId"]
    assert settled(cloud, stack) == "UPDATE_ROLLBACK_COMPLETE"
    assert days(cloud, "/a/" + stack) == 1 and days(cloud, "/new/" + stack) is None
    ids = [
        r["LogicalResourceId"]
        for r in cloud.cfn.list_stack_resources(StackName=stack)["StackResourceSummaries"]
        if r["ResourceStatus"] != "DELETE_COMPLETE"
    ]
    assert ids == ["A"]
    assert "New" not in json.dumps(cloud.cfn.get_template(StackName=stack)["TemplateBody"])
    # and can be updated again
    cloud.cfn.update_stack(StackName=stack, TemplateBody=template({"A": ("/a/" + stack, 5, None)}))
    assert settled(cloud, stack) == "UPDATE_COMPLETE" and days(cloud, "/a/" + stack) == 5


def test_a_creation_that_was_left_as_it_failed_goes(cloud):
    name = unique("back")
    cloud.logs.create_log_group(logGroupName="/taken/" + name)
    cloud.cfn.create_stack(
        StackName=name,
        DisableRollback=True,
        TemplateBody=template({"A": ("/a/" + name, 1, None), "B": ("/taken/" + name, 1, "A")}),
    )
    assert settled(cloud, name) == "CREATE_FAILED" and days(cloud, "/a/" + name) == 1
    cloud.cfn.rollback_stack(StackName=name)
    assert settled(cloud, name) == "ROLLBACK_COMPLETE" and days(cloud, "/a/" + name) is None


def test_what_cannot_be_called_now_is_refused(cloud, stack):
    client = cloud.cfn
    for call in (client.cancel_update_stack, client.rollback_stack, client.continue_update_rollback):
        with pytest.raises(ClientError) as e:
            call(StackName=stack)
        assert e.value.response["Error"]["Code"] == "ValidationError"
        assert "cannot be called from current stack status" in str(e.value)
        with pytest.raises(ClientError, match="does not exist"):
            call(StackName=unique("none"))
    assert status(cloud, stack) == "CREATE_COMPLETE"


def deny(cloud, actions):
    """A role for CloudFormation that may do all but these."""
    return cloud.role(
        [
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": actions, "Resource": "*"},
        ],
        trust=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": {
                    "Effect": "Allow",
                    "Principal": {"Service": "cloudformation.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                },
            }
        ),
    )


@pytest.mark.parametrize("skip", [False, True])
def test_a_way_back_that_failed_is_gone_on_with(cloud, stack, skip):
    fail_update(cloud, stack)
    allowed = deny(cloud, "s3:*")
    cloud.cfn.rollback_stack(StackName=stack, RoleARN=deny(cloud, "logs:PutRetentionPolicy"))
    assert settled(cloud, stack) == "UPDATE_ROLLBACK_FAILED"
    with pytest.raises(ClientError, match="Only resources in the UPDATE_FAILED state"):
        cloud.cfn.continue_update_rollback(StackName=stack, ResourcesToSkip=["New"])
    with pytest.raises(ClientError, match="does not exist"):
        cloud.cfn.continue_update_rollback(StackName=stack, ResourcesToSkip=["None"])
    assert status(cloud, stack) == "UPDATE_ROLLBACK_FAILED"
    more = {"ResourcesToSkip": ["A"]} if skip else {}
    cloud.cfn.continue_update_rollback(StackName=stack, RoleARN=allowed, **more)
    assert settled(cloud, stack) == "UPDATE_ROLLBACK_COMPLETE"
    assert days(cloud, "/a/" + stack) == (3 if skip else 1)
    assert days(cloud, "/new/" + stack) is None


def slow(stack, retention, provisioned):
    """Its alias is there when environments are, whose start takes a second."""
    resources = json.loads(template({"A": ("/a/" + stack, retention, None)}))["Resources"]
    resources["R"] = {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": json.loads(TRUST)},
    }
    code = "import time\ntime.sleep(1)\ndef handler(event, context): return 1\n"
    resources["F"] = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": RUNTIME,
            "Handler": "index.handler",
            "Role": {"Fn::GetAtt": "R.Arn"},
            "Code": {"ZipFile": code},
        },
    }
    resources["V"] = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "F"}}}
    resources["L"] = {
        "Type": "AWS::Lambda::Alias",
        "DependsOn": "A",
        "Properties": {
            "FunctionName": {"Ref": "F"},
            "FunctionVersion": {"Fn::GetAtt": "V.Version"},
            "Name": "live",
            "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": provisioned},
        },
    }
    return json.dumps({"Resources": resources})


@pytest.mark.parametrize("kill", [False, True])
def test_an_update_under_way_is_taken_back(tmp_path, kill):
    """Also by a daemon that is killed right behind the answer, and started again."""
    cloud = Cloud(data=tmp_path / "data").start()
    try:
        stack = unique("slow")
        iam = {"Capabilities": ["CAPABILITY_IAM"]}
        cloud.cfn.create_stack(StackName=stack, TemplateBody=slow(stack, 1, 1), **iam)
        assert settled(cloud, stack) == "CREATE_COMPLETE"
        cloud.cfn.update_stack(StackName=stack, TemplateBody=slow(stack, 3, 2), **iam)
        cloud.cfn.cancel_update_stack(StackName=stack)
        assert status(cloud, stack) == "UPDATE_ROLLBACK_IN_PROGRESS"
        if kill:
            cloud.kill()
            cloud = Cloud(data=tmp_path / "data").start()
        assert settled(cloud, stack) == "UPDATE_ROLLBACK_COMPLETE"
        assert days(cloud, "/a/" + stack) == 1
        (function,) = cloud.lambda_.list_functions()["Functions"]
        provisioned = cloud.lambda_.get_provisioned_concurrency_config(
            FunctionName=function["FunctionName"], Qualifier="live"
        )
        assert provisioned["RequestedProvisionedConcurrentExecutions"] == 1
        events = cloud.cfn.describe_stack_events(StackName=stack)["StackEvents"]
        assert [e for e in events if e.get("ResourceStatusReason") == "User Initiated"]
    finally:
        cloud.stop()
