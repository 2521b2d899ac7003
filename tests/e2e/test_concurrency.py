"""Who may run at the same time: the account's limit, reserved and provisioned concurrency, weights
of aliases, idle environments."""

import concurrent.futures
import json
import os
import time

import pytest
from cloud import SOON, error_of, unique, zipped

# Holds until the test says go, by a file beside the code.
HOLD = """
import os, sys, time
print("init", os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], flush=True)
def handler(event, context):
    if (event or {}).get("hold"):
        print("held", flush=True)
        while not os.path.exists("/var/task/go"):
            time.sleep(0.003)
    return [os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], context.function_version, "%s"]
"""


def wait_for(look, within=20):
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("it has not come: %r" % (look(),))


class Held:
    """Invocations that are under way until go()."""

    def __init__(self, cloud, data):
        self.cloud, self.data = cloud, data
        self.pool = concurrent.futures.ThreadPoolExecutor(16)
        self.calls = []

    def function(self, **options):
        return self.cloud.function(HOLD % unique(), Timeout=60, **options)

    def hold(self, name, n=1, **options):
        before = self.held(name)
        for _ in range(n):
            self.calls.append(
                self.pool.submit(self.cloud.invoke, name, {"hold": True}, tail=False, **options)
            )
        wait_for(lambda: self.held(name) >= before + n)

    def held(self, name):
        return self.cloud.log_events(name, count=0).count("held\n")

    def go(self):
        for folder in os.listdir(os.path.join(self.data, "code")):
            open(os.path.join(self.data, "code", folder, "go"), "w").close()
        results = [c.result() for c in self.calls]
        self.calls = []
        self.pool.shutdown()
        return results


@pytest.fixture
def small(new_cloud, tmp_path):
    """A cloud whose account has a limit of 103."""
    cloud = new_cloud("--concurrency", "103", data=tmp_path)
    held = Held(cloud, str(tmp_path))
    yield held
    held.go()


def throttled(cloud, name, **options):
    """The reason of the 429 that an invocation gets."""
    try:
        r = cloud.lambda_.invoke(FunctionName=name, **options)
    except cloud.lambda_.exceptions.TooManyRequestsException as e:
        assert e.response["ResponseMetadata"]["HTTPStatusCode"] == 429
        assert e.response["Error"]["Message"] == "Rate Exceeded."
        assert int(e.response["ResponseMetadata"]["HTTPHeaders"]["retry-after"]) >= 1
        assert e.response["Type"] == "User"
        return e.response["Reason"]
    return "none: %s" % r["StatusCode"]


def publish(cloud, name, **changes):
    """A new version of a function, after a change of its code."""
    cloud.lambda_.update_function_code(
        FunctionName=name, ZipFile=zipped({"app.py": HOLD % unique()}), **changes
    )
    return cloud.lambda_.publish_version(FunctionName=name)["Version"]


def ready(cloud, name, qualifier):
    def look():
        r = cloud.lambda_.get_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier)
        return r if r["Status"] != "IN_PROGRESS" else None

    return wait_for(look)


# ---- reserved --------------------------------------------------------------------------------


def test_reserved_is_put_shown_and_deleted(cloud):
    fn = cloud.function(HOLD % 0)
    f = cloud.lambda_
    assert "ReservedConcurrentExecutions" not in f.get_function_concurrency(FunctionName=fn)
    assert "Concurrency" not in f.get_function(FunctionName=fn)
    r = f.put_function_concurrency(FunctionName=fn, ReservedConcurrentExecutions=7)
    assert r["ReservedConcurrentExecutions"] == 7
    assert f.get_function_concurrency(FunctionName=fn)["ReservedConcurrentExecutions"] == 7
    assert f.get_function(FunctionName=fn)["Concurrency"] == {"ReservedConcurrentExecutions": 7}
    r = f.delete_function_concurrency(FunctionName=fn)
    assert r["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert "Concurrency" not in f.get_function(FunctionName=fn)
    f.put_function_concurrency(FunctionName=fn, ReservedConcurrentExecutions=0)
    f.delete_function(FunctionName=fn)
    fn = cloud.function(HOLD % 0, name=fn)
    assert "Concurrency" not in f.get_function(FunctionName=fn), "of the function before"


def test_reserved_refusals(small):
    cloud = small.cloud
    fn = cloud.function(HOLD % 0)
    put = cloud.lambda_.put_function_concurrency
    assert error_of(put, FunctionName="nobody", ReservedConcurrentExecutions=1) == (
        404,
        "ResourceNotFoundException",
        "Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody:$LATEST",
    )
    assert error_of(put, FunctionName=fn, ReservedConcurrentExecutions=4) == (
        400,
        "InvalidParameterValueException",
        "Specified ReservedConcurrentExecutions for function decreases account's "
        "UnreservedConcurrentExecution below its minimum value of [100].",
    )
    put(FunctionName=fn, ReservedConcurrentExecutions=3)
    put(FunctionName=fn, ReservedConcurrentExecutions=2)  # its own does not count twice
    limit = cloud.lambda_.get_account_settings()["AccountLimit"]
    assert limit["ConcurrentExecutions"] == 103
    assert limit["UnreservedConcurrentExecutions"] == 101
    usage = cloud.lambda_.get_account_settings()["AccountUsage"]
    assert usage["FunctionCount"] == 1 and usage["TotalCodeSize"] > 0


def test_reserved_is_a_cap_and_a_guarantee(small):
    cloud = small.cloud
    one, other = small.function(), cloud.function(HOLD % 0)
    cloud.lambda_.put_function_concurrency(FunctionName=one, ReservedConcurrentExecutions=2)
    small.hold(one, 2)
    assert throttled(cloud, one) == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert cloud.invoke(other).payload[0] == "on-demand", "others have their own"
    # What runs is finished; a larger reservation counts at once.
    cloud.lambda_.put_function_concurrency(FunctionName=one, ReservedConcurrentExecutions=3)
    assert cloud.invoke(one).payload[0] == "on-demand"
    cloud.lambda_.put_function_concurrency(FunctionName=one, ReservedConcurrentExecutions=0)
    assert throttled(cloud, one) == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert [c.error for c in small.go()] == [None, None]


def test_account_limit(new_cloud, tmp_path):
    cloud = new_cloud("--concurrency", "2", data=tmp_path)
    held = Held(cloud, str(tmp_path))
    one, other = held.function(), cloud.function(HOLD % 0)
    held.hold(one, 2)
    assert throttled(cloud, one) == "ConcurrentInvocationLimitExceeded"
    assert throttled(cloud, other) == "ConcurrentInvocationLimitExceeded"
    assert cloud.client("lambda", region="eu-west-1").list_functions()["Functions"] == []
    held.go()
    assert cloud.invoke(other).payload[0] == "on-demand"


def test_rate_of_a_reserved_function(cloud):
    """Ten requests a second for each place."""
    fn = cloud.function("def handler(e, c): return 1")
    cloud.lambda_.put_function_concurrency(FunctionName=fn, ReservedConcurrentExecutions=1)
    cloud.invoke(fn)
    reasons = {throttled(cloud, fn)}
    deadline = time.monotonic() + 20
    while len(reasons) < 2 and time.monotonic() < deadline:
        reasons.add(throttled(cloud, fn))
    assert reasons == {"none: 200", "ReservedFunctionInvocationRateLimitExceeded"}


def test_every_end_gives_its_place_back(new_cloud):
    """Whatever becomes of an invocation, the one place is free for the next one."""
    cloud = new_cloud("--concurrency", "1")
    source = """
import os, time
def handler(event, context):
    if event == "exit": os._exit(3)
    if event == "sleep": time.sleep(30)
    if event == "big": return "x" * 7000000
    if event == "raise": raise Exception("no")
    return event
"""
    fn = cloud.function(source, Timeout=1)
    bad = cloud.function("raise Exception('no')")
    nobody = cloud.function(files={"x": ""}, Runtime="provided.al2", Handler="x")

    def error(name, event=None):
        while True:
            try:
                return cloud.invoke(name, event).error
            except cloud.lambda_.exceptions.TooManyRequestsException as e:
                # Ten a second are allowed: only that may pass.
                assert e.response["Reason"] == "FunctionInvocationRateLimitExceeded"
                time.sleep(0.1)

    for event in "exit", "big", "raise", "fine", "exit", "fine":
        assert error(fn, event) == (None if event == "fine" else "Unhandled")
        assert error(bad) == error(nobody) == "Unhandled"
    gone = cloud.client("lambda", read_timeout=0.3)
    with pytest.raises(Exception):
        gone.invoke(FunctionName=fn, Payload=b'"sleep"')
    wait_for(lambda: throttled(cloud, fn) == "none: 200")


# ---- provisioned -----------------------------------------------------------------------------


def test_provisioned_is_there_before_anybody_calls(small):
    cloud = small.cloud
    fn = small.function()
    version = publish(cloud, fn)
    r = cloud.lambda_.put_provisioned_concurrency_config(
        FunctionName=fn, Qualifier=version, ProvisionedConcurrentExecutions=2
    )
    assert r["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert (
        r["Status"],
        r["RequestedProvisionedConcurrentExecutions"],
        r["AvailableProvisionedConcurrentExecutions"],
        r["AllocatedProvisionedConcurrentExecutions"],
    ) == ("IN_PROGRESS", 2, 0, 0)
    r = ready(cloud, fn, version)
    assert r["Status"] == "READY" and r["AllocatedProvisionedConcurrentExecutions"] == 2
    assert cloud.log_events(fn, 2).count("init provisioned-concurrency\n") == 2

    r = cloud.invoke(fn, Qualifier=version)
    assert r.payload[0] == "provisioned-concurrency"
    small.hold(fn, 3, Qualifier=version)
    answers = sorted(c.payload[0] for c in small.go())
    assert answers == ["on-demand", "provisioned-concurrency", "provisioned-concurrency"]

    listed = cloud.lambda_.list_provisioned_concurrency_configs(FunctionName=fn)
    (item,) = listed["ProvisionedConcurrencyConfigs"]
    assert item["FunctionArn"].endswith(":function:%s:%s" % (fn, version))
    assert item["Status"] == "READY"
    cloud.lambda_.delete_provisioned_concurrency_config(FunctionName=fn, Qualifier=version)
    get = cloud.lambda_.get_provisioned_concurrency_config
    assert error_of(get, FunctionName=fn, Qualifier=version) == (
        404,
        "ProvisionedConcurrencyConfigNotFoundException",
        "No Provisioned Concurrency Config found for this function",
    )
    wait_for(lambda: cloud.invoke(fn, Qualifier=version).payload[0] == "on-demand")


def test_provisioned_refusals(small):
    cloud = small.cloud
    fn = cloud.function(HOLD % 0)
    version = publish(cloud, fn)
    cloud.lambda_.create_alias(FunctionName=fn, Name="live", FunctionVersion=version)
    cloud.lambda_.create_alias(FunctionName=fn, Name="latest", FunctionVersion="$LATEST")

    def put(qualifier, n):
        return error_of(
            cloud.lambda_.put_provisioned_concurrency_config,
            FunctionName=fn, Qualifier=qualifier, ProvisionedConcurrentExecutions=n,
        )

    unpublished = (
        400,
        "InvalidParameterValueException",
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
    )
    assert put("$LATEST", 1) == unpublished
    assert put("latest", 1) == unpublished
    assert put("9", 1)[:2] == (404, "ResourceNotFoundException")
    assert put("nobody", 1)[2].startswith("Cannot find alias arn: arn:aws:lambda:")
    assert put(version, 4)[2] == (
        "Specified ConcurrentExecutions for function decreases account's "
        "UnreservedConcurrentExecution below its minimum value of [100]."
    )
    assert put(version, 104)[2] == (
        "Specified ConcurrentExecutions for function is greater than account's unreserved "
        "concurrency [103]."
    )
    cloud.lambda_.put_function_concurrency(FunctionName=fn, ReservedConcurrentExecutions=2)
    assert put(version, 3)[2] == (
        "Requested Provisioned Concurrency should not be greater than the "
        "reservedConcurrentExecution for function"
    )
    cloud.lambda_.put_provisioned_concurrency_config(
        FunctionName=fn, Qualifier=version, ProvisionedConcurrentExecutions=2
    )
    assert put("live", 1)[1:] == (
        "InvalidParameterValueException",
        "Requested Provisioned Concurrency should not be greater than the "
        "reservedConcurrentExecution for function",
    )
    lower = error_of(
        cloud.lambda_.put_function_concurrency, FunctionName=fn, ReservedConcurrentExecutions=1
    )
    assert lower[2] == (
        " ReservedConcurrentExecutions  1 should not be lower than function's total provisioned "
        "concurrency [2]."
    )
    ready(cloud, fn, version)
    # All that is reserved is provisioned: nothing is left for $LATEST.
    assert throttled(cloud, fn) == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert cloud.invoke(fn, Qualifier=version).payload[0] == "provisioned-concurrency"
    cloud.lambda_.delete_function_concurrency(FunctionName=fn)
    assert put("live", 1)[1:] == (
        "ResourceConflictException",
        "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned "
        "version",
    )
    cloud.lambda_.delete_provisioned_concurrency_config(FunctionName=fn, Qualifier=version)
    cloud.lambda_.put_provisioned_concurrency_config(
        FunctionName=fn, Qualifier="live", ProvisionedConcurrentExecutions=1
    )
    assert put(version, 1)[1:] == (
        "ResourceConflictException",
        "Version is pointed by a Provisioned Concurrency alias",
    )


def test_provisioned_init_fails(cloud):
    fn = cloud.function("raise Exception('no')")
    version = cloud.lambda_.publish_version(FunctionName=fn)["Version"]
    cloud.lambda_.put_provisioned_concurrency_config(
        FunctionName=fn, Qualifier=version, ProvisionedConcurrentExecutions=1
    )
    r = ready(cloud, fn, version)
    assert (r["Status"], r["StatusReason"]) == ("FAILED", "FUNCTION_ERROR_INIT_FAILURE")
    assert r["AllocatedProvisionedConcurrentExecutions"] == 0


def test_provisioned_moves_with_its_alias_and_stays_after_a_restart(new_cloud, tmp_path):
    cloud = new_cloud("--idle-timeout", "50ms", data=tmp_path)
    fn = cloud.function(HOLD % 0)
    first = publish(cloud, fn)
    cloud.lambda_.create_alias(FunctionName=fn, Name="live", FunctionVersion=first)
    cloud.lambda_.put_provisioned_concurrency_config(
        FunctionName=fn, Qualifier="live", ProvisionedConcurrentExecutions=1
    )
    ready(cloud, fn, "live")
    assert cloud.invoke(fn, Qualifier="live").payload[:2] == ["provisioned-concurrency", first]
    second = publish(cloud, fn)
    cloud.lambda_.update_alias(FunctionName=fn, Name="live", FunctionVersion=second)

    def moved():
        return cloud.invoke(fn, Qualifier="live").payload[:2] == ["provisioned-concurrency", second]

    wait_for(moved)
    assert wait_for(lambda: cloud.invoke(fn, Qualifier=first).payload[0] == "on-demand")
    cloud.kill()
    cloud = new_cloud("--idle-timeout", "50ms", data=tmp_path)
    assert ready(cloud, fn, "live")["Status"] == "READY"
    assert cloud.invoke(fn, Qualifier="live").payload[:2] == ["provisioned-concurrency", second]
    cloud.lambda_.delete_alias(FunctionName=fn, Name="live")
    assert error_of(
        cloud.lambda_.get_provisioned_concurrency_config, FunctionName=fn, Qualifier="live"
    )[2].startswith("Cannot find alias arn")
    wait_for(lambda: cloud.invoke(fn, Qualifier=second).payload[0] == "on-demand")


def test_provisioned_is_replaced_after_its_death(cloud):
    fn = cloud.function(
        """
import os
kind = os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]
def handler(event, context):
    if event:
        os._exit(1)
    return kind, os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
"""
    )
    version = cloud.lambda_.publish_version(FunctionName=fn)["Version"]
    cloud.lambda_.put_provisioned_concurrency_config(
        FunctionName=fn, Qualifier=version, ProvisionedConcurrentExecutions=1
    )
    ready(cloud, fn, version)
    kind, stream = cloud.invoke(fn, Qualifier=version).payload
    assert kind == "provisioned-concurrency"
    assert cloud.invoke(fn, True, Qualifier=version).error == "Unhandled"

    def replaced():
        kind, now = cloud.invoke(fn, Qualifier=version).payload
        return kind == "provisioned-concurrency" and now != stream

    assert wait_for(replaced)


# ---- weights ---------------------------------------------------------------------------------


def test_weights_of_an_alias(cloud):
    fn = cloud.function(HOLD % 0)
    one, two = publish(cloud, fn), publish(cloud, fn)
    create = cloud.lambda_.create_alias
    weights = {"AdditionalVersionWeights": {two: 0.5}}
    create(FunctionName=fn, Name="live", FunctionVersion=one, RoutingConfig=weights)
    versions = set()
    for _ in range(60):  # all alike: once in 10^18 times
        r = cloud.invoke(fn, Qualifier="live", tail=False)
        assert r.payload[1] == r.version
        versions.add(r.version)
        if len(versions) == 2:
            break
    assert versions == {one, two}
    update = cloud.lambda_.update_alias
    update(FunctionName=fn, Name="live", RoutingConfig={"AdditionalVersionWeights": {two: 1.0}})
    assert {cloud.invoke(fn, Qualifier="live").version for _ in range(8)} == {two}
    update(FunctionName=fn, Name="live", RoutingConfig={"AdditionalVersionWeights": {two: 0.0}})
    assert {cloud.invoke(fn, Qualifier="live").version for _ in range(8)} == {one}
    assert error_of(update, FunctionName=fn, Name="live", FunctionVersion=two)[1] == (
        "InvalidParameterValueException"
    ), "it would stand for the same version twice"
    update(FunctionName=fn, Name="live", RoutingConfig={})
    r = cloud.lambda_.get_alias(FunctionName=fn, Name="live")
    assert not r.get("RoutingConfig", {}).get("AdditionalVersionWeights")


# ---- idle ------------------------------------------------------------------------------------


def test_idle_environments_end(new_cloud):
    cloud = new_cloud("--idle-timeout", "40ms")
    fn = cloud.function(
        "import os\ndef handler(e, c): return os.environ['AWS_LAMBDA_LOG_STREAM_NAME']"
    )
    first = cloud.invoke(fn).payload
    assert wait_for(lambda: cloud.invoke(fn).payload != first or time.sleep(0.2))
    r = cloud.lamina("up", "--idle-timeout", "0", check=False)
    assert r.returncode == 2 and "--idle-timeout" in r.stderr


def test_update_lets_what_runs_finish(small):
    cloud = small.cloud
    fn = small.function()
    small.hold(fn)
    old = cloud.lambda_.get_function_configuration(FunctionName=fn)["CodeSha256"]
    r = cloud.lambda_.update_function_configuration(FunctionName=fn, MemorySize=256)
    assert r["LastUpdateStatus"] == "InProgress"
    cloud.lambda_.get_waiter("function_updated_v2").wait(FunctionName=fn, WaiterConfig=SOON)
    r = cloud.lambda_.get_function_configuration(FunctionName=fn)
    assert (r["State"], r["LastUpdateStatus"], r["CodeSha256"]) == ("Active", "Successful", old)
    assert "Memory Size: 256 MB" in cloud.invoke(fn).log
    (held,) = small.go()
    assert held.error is None and held.payload[1] == "$LATEST"


# ---- templates -------------------------------------------------------------------------------


def stack(cloud, name, template, update=False):
    """Makes or changes a stack; returns its status and reason."""
    how = cloud.cfn.update_stack if update else cloud.cfn.create_stack
    how(
        StackName=name,
        TemplateBody=json.dumps(template),
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )

    def over():
        (s,) = cloud.cfn.describe_stacks(StackName=name)["Stacks"]
        return None if s["StackStatus"].endswith("IN_PROGRESS") else s["StackStatus"]

    return wait_for(over)


def sam(code, **properties):
    import sys

    function = {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "Handler": "index.handler",
            "Runtime": "python%d.%d" % sys.version_info[:2],
            "InlineCode": code,
            "AutoPublishAlias": "live",
            **properties,
        },
    }
    return {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {"F": function},
        "Outputs": {"Name": {"Value": {"Ref": "F"}}},
    }


def test_template_of_concurrency(cloud):
    name = unique("stack")
    template = sam(
        HOLD % 0,
        ReservedConcurrentExecutions=3,
        ProvisionedConcurrencyConfig={"ProvisionedConcurrentExecutions": 1},
        EventInvokeConfig={"MaximumRetryAttempts": 1},
        RecursiveLoop="Allow",
    )
    assert stack(cloud, name, template) == "CREATE_COMPLETE"
    fn = cloud.cfn.describe_stacks(StackName=name)["Stacks"][0]["Outputs"][0]["OutputValue"]
    f = cloud.lambda_
    assert f.get_function_concurrency(FunctionName=fn)["ReservedConcurrentExecutions"] == 3
    r = f.get_provisioned_concurrency_config(FunctionName=fn, Qualifier="live")
    assert r["Status"] == "READY", "the stack waits for it"
    assert cloud.invoke(fn, Qualifier="live").payload[0] == "provisioned-concurrency"
    r = f.get_function_event_invoke_config(FunctionName=fn, Qualifier="live")
    assert r["MaximumRetryAttempts"] == 1

    properties = template["Resources"]["F"]["Properties"]
    del properties["ReservedConcurrentExecutions"], properties["ProvisionedConcurrencyConfig"]
    properties["EventInvokeConfig"] = {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
    assert stack(cloud, name, template, update=True) == "UPDATE_COMPLETE"
    assert "ReservedConcurrentExecutions" not in f.get_function_concurrency(FunctionName=fn)
    listed = f.list_provisioned_concurrency_configs(FunctionName=fn)
    assert listed["ProvisionedConcurrencyConfigs"] == []
    r = f.get_function_event_invoke_config(FunctionName=fn, Qualifier="live")
    assert (r["MaximumRetryAttempts"], r["MaximumEventAgeInSeconds"]) == (0, 60)
    cloud.cfn.delete_stack(StackName=name)
    cloud.cfn.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=SOON)


def test_template_whose_provisioned_init_fails(cloud):
    name = unique("stack")
    template = sam(
        "raise Exception('no')",
        ProvisionedConcurrencyConfig={"ProvisionedConcurrentExecutions": 1},
    )
    assert stack(cloud, name, template) == "ROLLBACK_COMPLETE"
    events = cloud.cfn.describe_stack_events(StackName=name)["StackEvents"]
    assert any(
        "Provisioned Concurrency configuration failed to be applied. Reason: "
        "FUNCTION_ERROR_INIT_FAILURE" in e.get("ResourceStatusReason", "")
        for e in events
    )
    cloud.cfn.delete_stack(StackName=name)


def test_template_of_a_provisioned_version(cloud):
    import sys

    name = unique("stack")
    role = cloud.lambda_role()
    template = {
        "Resources": {
            "F": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Handler": "index.handler",
                    "Runtime": "python%d.%d" % sys.version_info[:2],
                    "Code": {"ZipFile": HOLD % 0},
                    "Role": role,
                },
            },
            "V": {
                "Type": "AWS::Lambda::Version",
                "Properties": {
                    "FunctionName": {"Ref": "F"},
                    "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 1},
                },
            },
        },
        "Outputs": {"Name": {"Value": {"Ref": "V"}}},
    }
    assert stack(cloud, name, template) == "CREATE_COMPLETE"
    arn = cloud.cfn.describe_stacks(StackName=name)["Stacks"][0]["Outputs"][0]["OutputValue"]
    assert cloud.invoke(arn).payload[:2] == ["provisioned-concurrency", "1"]
    cloud.cfn.delete_stack(StackName=name)
    cloud.cfn.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=SOON)


def test_a_burst_is_answered(new_cloud):
    """Many at once: each is carried out or refused, at once, and nothing is left of it."""
    cloud = new_cloud("--concurrency", "10")
    fn = cloud.function("import time\ndef handler(e, c): time.sleep(0.05)")
    clients = [cloud.client("lambda", max_pool_connections=1) for _ in range(8)]

    def many(client):
        codes = []
        for _ in range(10):
            try:
                codes.append(client.invoke(FunctionName=fn)["StatusCode"])
            except client.exceptions.TooManyRequestsException as e:
                codes.append(e.response["Reason"])
        return codes

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        codes = sum(pool.map(many, clients), [])
    assert len(codes) == 80 and set(codes) <= {200, "ConcurrentInvocationLimitExceeded",
                                               "FunctionInvocationRateLimitExceeded"}
    wait_for(lambda: throttled(cloud, fn) == "none: 200")
