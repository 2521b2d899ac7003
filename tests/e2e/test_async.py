"""Asynchronous invocations: tries, ages, destinations, loops. Waiting times are a thousandth."""

import json
import time
import urllib.error
import urllib.request

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cloud import ACCOUNT, REGION, error_of, unique

ARN = "arn:aws:lambda:%s:%s:function:" % (REGION, ACCOUNT)

# Says what it gets; fails when the event says so.
SOURCE = """
import json
def handler(event, context):
    print("got", context.aws_request_id, json.dumps(event), flush=True)
    if event.get("fail"):
        raise ValueError("as asked")
    return {"answer": event}
"""

TELL = """
import json, os
def handler(event, context):
    print("told", json.dumps(event), flush=True)
    print("trace", os.environ.get("_X_AMZN_TRACE_ID"), flush=True)
"""


@pytest.fixture(scope="module")
def fast(tmp_path_factory):
    from cloud import Cloud

    data = tmp_path_factory.mktemp("async")
    cloud = Cloud(["--time-scale", "0.001"], data=data).start()
    cloud.data = data
    yield cloud
    if cloud.running():
        cloud.stop()


@pytest.fixture
def role(fast):
    """Of functions that may tell others what became of their events."""
    allow = ["logs:*", "s3:*", "lambda:InvokeFunction"]
    return fast.role([{"Effect": "Allow", "Action": allow, "Resource": "*"}])


def wait_for(look, within=20):
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("it has not come")


def send(cloud, name, event, **options):
    r = cloud.lambda_.invoke(
        FunctionName=name, InvocationType="Event", Payload=json.dumps(event), **options
    )
    assert r["StatusCode"] == 202
    return r["ResponseMetadata"]["RequestId"]


def lines(cloud, name, word):
    return [m[len(word) + 1 :] for m in cloud.log_events(name, 0) if m.startswith(word + " ")]


def told(cloud, name, n=1):
    """The first n records that a destination has got."""
    return [json.loads(m) for m in wait_for(lambda: lines(cloud, name, "told")[: n] or None)]


def configure(cloud, name, **options):
    return cloud.lambda_.put_function_event_invoke_config(FunctionName=name, **options)


# ---- configuration ---------------------------------------------------------------------------


def test_configuration(fast, role):
    fn, to = fast.function(SOURCE, Role=role), fast.function(TELL)
    f = fast.lambda_
    none = (
        404,
        "ResourceNotFoundException",
        "The function %s%s:$LATEST doesn't have an EventInvokeConfig" % (ARN, fn),
    )
    assert error_of(f.get_function_event_invoke_config, FunctionName=fn) == none
    assert error_of(f.delete_function_event_invoke_config, FunctionName=fn) == none
    assert error_of(
        f.update_function_event_invoke_config, FunctionName=fn, MaximumRetryAttempts=1
    ) == none
    r = configure(fast, fn, MaximumRetryAttempts=0)
    assert r["FunctionArn"] == ARN + fn + ":$LATEST"
    assert r["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {}}
    assert abs(time.time() - r["LastModified"].timestamp()) < 60
    assert "MaximumEventAgeInSeconds" not in r
    destination = {"OnFailure": {"Destination": ARN + to}}
    r = f.update_function_event_invoke_config(
        FunctionName=fn, MaximumEventAgeInSeconds=60, DestinationConfig=destination
    )
    assert (r["MaximumRetryAttempts"], r["MaximumEventAgeInSeconds"]) == (0, 60)
    r = f.get_function_event_invoke_config(FunctionName=fn)
    assert r["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {"Destination": ARN + to}}
    r = configure(fast, fn, MaximumEventAgeInSeconds=120)  # all of it is new
    assert "MaximumRetryAttempts" not in r and r["DestinationConfig"]["OnFailure"] == {}

    version = f.publish_version(FunctionName=fn)["Version"]
    f.create_alias(FunctionName=fn, Name="live", FunctionVersion=version)
    configure(fast, fn, Qualifier="live", MaximumRetryAttempts=1)
    configure(fast, fn + ":" + version, MaximumRetryAttempts=2)
    listed = f.list_function_event_invoke_configs(FunctionName=fn)["FunctionEventInvokeConfigs"]
    assert sorted(c["FunctionArn"].split(":")[-1] for c in listed) == ["$LATEST", "1", "live"]
    f.delete_function_event_invoke_config(FunctionName=fn, Qualifier="live")
    f.delete_function(FunctionName=fn)
    fast.function(SOURCE, name=fn)
    assert f.list_function_event_invoke_configs(FunctionName=fn)["FunctionEventInvokeConfigs"] == []


def test_configuration_refusals(fast):
    fn = fast.function(SOURCE)

    def put(**options):
        return error_of(configure, fast, fn, **options)

    def to(success=None, failure=None):
        d = {"OnSuccess": {"Destination": success}} if success else {}
        d.update({"OnFailure": {"Destination": failure}} if failure else {})
        return put(DestinationConfig=d)

    invalid = (400, "InvalidParameterValueException")
    assert put() == invalid + (
        "You must specify at least one of error handling or destination setting.",
    )
    assert error_of(configure, fast, "nobody", MaximumRetryAttempts=1) == (
        404, "ResourceNotFoundException", "The function doesn't exist.")
    assert put(MaximumRetryAttempts=1, Qualifier="nothing")[0] == 404
    careless = fast.client("lambda", parameter_validation=False)
    for wrong in {"MaximumRetryAttempts": 3}, {"MaximumEventAgeInSeconds": 59}:
        refused = error_of(careless.put_function_event_invoke_config, FunctionName=fn, **wrong)
        assert refused[1] == "ValidationException"
    assert to(ARN + fn) == invalid + (
        "You can't specify the function as a destination for itself.",
    )
    assert to(ARN + "nobody") == invalid + (
        "The destination ARN %snobody is invalid." % ARN,
    )
    iam = "arn:aws:iam::%s:role/x" % ACCOUNT
    assert to(failure=iam) == invalid + (
        "The provided destination config DestinationConfig(onSuccess=null, "
        "onFailure=OnFailure(destination=%s)) is invalid." % iam,
    )
    assert to("arn:aws:s3:::results")[1] == "InvalidParameterValueException", "only for failures"
    for service, name in ("sqs", "Amazon SQS"), ("sns", "Amazon SNS"), ("events", "Amazon Event"):
        arn = "arn:aws:%s:%s:%s:x" % (service, REGION, ACCOUNT)
        assert "no " + name in to(arn)[2]
        if service != "events":
            dead = error_of(
                fast.lambda_.update_function_configuration,
                FunctionName=fn, DeadLetterConfig={"TargetArn": arn},
            )
            assert dead[:2] == invalid and "no " + name in dead[2]


# ---- tries -----------------------------------------------------------------------------------


def test_three_tries_and_the_record_of_a_failure(fast, role):
    to = fast.function(TELL)
    fn = fast.function(SOURCE, Role=role)
    configure(fast, fn, DestinationConfig={"OnFailure": {"Destination": ARN + to}})
    event = {"fail": True, "text": "ä\u2028"}
    id = send(fast, fn, event)
    (record,) = told(fast, to)
    assert [m.split()[0] for m in lines(fast, fn, "got")] == [id] * 3
    stamp = record.pop("timestamp")
    assert stamp.endswith("Z") and len(stamp) == len("2019-11-14T18:16:05.568Z")
    stack = record["responsePayload"].pop("stackTrace")
    assert "as asked" in "".join(stack)
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": id,
            "functionArn": ARN + fn + ":$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": event,
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "responsePayload": {
            "errorMessage": "as asked", "errorType": "ValueError", "requestId": id
        },
    }


def test_success_is_told(fast, role):
    to = fast.function(TELL)
    fn = fast.function(SOURCE, Role=role)
    version = fast.lambda_.publish_version(FunctionName=fn)["Version"]
    fast.lambda_.create_alias(FunctionName=fn, Name="live", FunctionVersion=version)
    there = {"OnSuccess": {"Destination": ARN + to}}
    configure(fast, fn, Qualifier="live", DestinationConfig=there)
    send(fast, fn, {"n": 1})  # without the alias: nobody is told
    id = send(fast, fn, {"n": 2}, Qualifier="live")
    (record,) = told(fast, to)
    assert record["requestContext"]["requestId"] == id
    assert record["requestContext"]["condition"] == "Success"
    assert record["requestContext"]["functionArn"] == ARN + fn + ":live"
    assert record["requestPayload"] == {"n": 2}
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": version}
    assert record["responsePayload"] == {"answer": {"n": 2}}
    assert len(lines(fast, to, "told")) == 1


def test_no_retries(fast, role):
    to = fast.function(TELL)
    fn = fast.function(SOURCE, Role=role)
    there = {"OnFailure": {"Destination": ARN + to}}
    configure(fast, fn, MaximumRetryAttempts=0, DestinationConfig=there)
    send(fast, fn, {"fail": 1})
    (record,) = told(fast, to)
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["requestContext"]["condition"] == "RetriesExhausted"


def test_too_old_for_another_try(fast, role):
    """The first retry would come after a minute and some, which is more than a minute."""
    to = fast.function(TELL)
    fn = fast.function(SOURCE, Role=role)
    there = {"OnFailure": {"Destination": ARN + to}}
    configure(fast, fn, MaximumEventAgeInSeconds=60, DestinationConfig=there)
    send(fast, fn, {"fail": 1})
    (record,) = told(fast, to)
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["responseContext"]["functionError"] == "Unhandled"


def test_reserved_zero(fast, role):
    to = fast.function(TELL)
    fn = fast.function(SOURCE, Role=role)
    configure(fast, fn, DestinationConfig={"OnFailure": {"Destination": ARN + to}})
    fast.lambda_.put_function_concurrency(FunctionName=fn, ReservedConcurrentExecutions=0)
    id = send(fast, fn, {"n": 1})
    (record,) = told(fast, to)
    assert record.pop("timestamp")
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": id,
            "functionArn": ARN + fn + ":$LATEST",
            "condition": "ZeroReservedConcurrency",
            "approximateInvokeCount": 0,
        },
        "requestPayload": {"n": 1},
    }


def test_throttled_events_wait_and_come(fast):
    fn = fast.function(SOURCE)
    fast.lambda_.put_function_concurrency(FunctionName=fn, ReservedConcurrentExecutions=1)
    ids = [send(fast, fn, {"n": n}) for n in range(30)]
    wait_for(lambda: len(lines(fast, fn, "got")) >= 30)
    got = [m.split()[0] for m in lines(fast, fn, "got")]
    assert sorted(got) == sorted(ids), "each once"


def test_one_functions_events_do_not_keep_anothers_waiting(new_cloud):
    cloud = new_cloud("--time-scale", "0.001")
    slow = cloud.function("import time\ndef handler(e, c): time.sleep(0.05)", Timeout=20)
    cloud.lambda_.put_function_concurrency(FunctionName=slow, ReservedConcurrentExecutions=1)
    quick = cloud.function(SOURCE)
    for n in range(100):
        send(cloud, slow, n)
    send(cloud, quick, {"n": 1})
    wait_for(lambda: lines(cloud, quick, "got"))
    assert sum(m.startswith("REPORT") for m in cloud.log_events(slow, 0)) < 100


# ---- destinations ----------------------------------------------------------------------------


def test_failures_to_a_bucket(fast, role):
    bucket = unique("results")
    fast.s3.create_bucket(Bucket=bucket)
    fn = fast.function(SOURCE, Role=role)
    there = {"OnFailure": {"Destination": "arn:aws:s3:::" + bucket}}
    configure(fast, fn, MaximumRetryAttempts=0, DestinationConfig=there)
    id = send(fast, fn, {"fail": 1})
    (o,) = wait_for(lambda: fast.s3.list_objects_v2(Bucket=bucket).get("Contents"))
    parts = o["Key"].split("/")
    assert parts[:4] == ["aws", "lambda", "async", fn] and len(parts) == 8
    assert parts[7].startswith("%s-%s-%sT" % tuple(parts[4:7])) and parts[7][13] == "."
    record = json.loads(fast.s3.get_object(Bucket=bucket, Key=o["Key"])["Body"].read())
    assert record["requestContext"]["requestId"] == id
    assert record["requestContext"]["condition"] == "RetriesExhausted"


def test_the_role_must_be_allowed(fast, role):
    to = fast.function(TELL)
    fn = fast.function(SOURCE, Role=role)
    there = {"OnSuccess": {"Destination": ARN + to}}
    configure(fast, fn, DestinationConfig=there)
    fast.iam.delete_role_policy(RoleName=role.rpartition("/")[2], PolicyName="inline")
    send(fast, fn, {"n": 1})
    wait_for(lambda: "is not told to " + ARN + to in fast.log_text())
    assert "lambda:InvokeFunction" in fast.log_text()
    assert lines(fast, to, "told") == []


def test_destinations_are_looked_at_when_they_are_configured(fast, role):
    bucket, to = unique("results"), fast.function(TELL)
    fast.s3.create_bucket(Bucket=bucket)
    allowed, poor = fast.function(SOURCE, Role=role), fast.function(SOURCE, Role=fast.role())
    there = {"s3": "arn:aws:s3:::" + bucket, "lambda": ARN + to}

    def put(name, arn, **options):
        there = {"OnFailure": {"Destination": arn}}
        return error_of(configure, fast, name, DestinationConfig=there, **options)

    refused = (400, "InvalidParameterValueException")
    denied = "The function execution role does not have permissions to call %s on %s"
    assert put(poor, there["s3"]) == refused + (denied % ("PutObject", there["s3"]),)
    assert put(poor, there["lambda"]) == refused + (denied % ("InvokeFunction", there["lambda"]),)
    nowhere = "arn:aws:s3:::" + unique("nowhere")
    assert put(allowed, nowhere) == refused + ("The destination ARN %s is invalid." % nowhere,)
    none = error_of(fast.lambda_.get_function_event_invoke_config, FunctionName=allowed)
    assert none[1] == "ResourceNotFoundException"
    # What the destination's own policy allows will do, and versions have roles of their own.
    fast.lambda_.add_permission(
        FunctionName=to, StatementId="s", Action="lambda:InvokeFunction",
        Principal=fast.lambda_.get_function_configuration(FunctionName=poor)["Role"])
    configure(fast, poor, DestinationConfig={"OnFailure": {"Destination": there["lambda"]}})
    fast.lambda_.publish_version(FunctionName=allowed)
    fast.lambda_.update_function_configuration(FunctionName=allowed, Role=fast.role())
    assert put(allowed, there["s3"])[2] == denied % ("PutObject", there["s3"])
    r = configure(fast, allowed, Qualifier="1", DestinationConfig={"OnFailure": {"Destination": there["s3"]}})
    assert r["DestinationConfig"]["OnFailure"] == {"Destination": there["s3"]}


def test_invoke_async_of_old(fast):
    fn = fast.function(SOURCE)
    r = fast.lambda_.invoke_async(FunctionName=fn, InvokeArgs=b'{"old": 1}')
    assert r["Status"] == 202 and r["ResponseMetadata"]["HTTPStatusCode"] == 202
    id = r["ResponseMetadata"]["RequestId"]
    assert wait_for(lambda: lines(fast, fn, "got")) == ['%s {"old": 1}\n' % id]
    old = fast.lambda_.invoke_async
    assert error_of(old, FunctionName=unique("no"), InvokeArgs=b"{}")[1] == "ResourceNotFoundException"
    assert error_of(old, FunctionName=fn, InvokeArgs=b"{no")[1] == "InvalidRequestContentException"
    assert error_of(old, FunctionName=fn, InvokeArgs=b'"%s"' % (b"x" * 262144)) == (
        413, "RequestEntityTooLargeException",
        "Request must be smaller than 262144 bytes for the InvokeAsync operation")


def test_events_survive_kill(new_cloud, tmp_path):
    cloud = new_cloud(data=tmp_path)  # waits in full: minutes
    fn = cloud.function(SOURCE)
    cloud.lambda_.put_function_concurrency(FunctionName=fn, ReservedConcurrentExecutions=1)
    send(cloud, fn, {"fail": 1})
    wait_for(lambda: [m for m in cloud.log_events(fn, 0) if m.startswith("REPORT")])
    cloud.kill()
    cloud = new_cloud("--time-scale", "0.001", data=tmp_path)
    # The second try is due in a minute by the first clock: so this one is carried out before.
    send(cloud, fn, {"n": 2})
    wait_for(lambda: any('"n": 2' in m for m in lines(cloud, fn, "got")))
    assert sum('"fail"' in m for m in lines(cloud, fn, "got")) == 1


# ---- loops -----------------------------------------------------------------------------------


def chained(cloud, name, header):
    """Invokes with a trace header, as SDKs inside of functions do."""
    def add(request, **kwargs):
        request.headers["X-Amzn-Trace-Id"] = header

    events = cloud.lambda_.meta.events
    events.register("before-sign.lambda.Invoke", add)
    try:
        return cloud.lambda_.invoke(FunctionName=name, Payload=b"{}")
    finally:
        events.unregister("before-sign.lambda.Invoke", add)


def recursion_config(cloud, name, put=None):
    """(status, body): this boto3 does not know the operations yet."""
    url = "%s/2024-08-31/functions/%s/recursion-config" % (cloud.url, name)
    body = json.dumps({"RecursiveLoop": put}) if put else None
    request = AWSRequest("PUT" if put else "GET", url, data=body)
    SigV4Auth(Credentials("test", "test"), "lambda", REGION).add_auth(request)
    http = urllib.request.Request(
        url, body.encode() if body else None, dict(request.headers), method=request.method
    )
    try:
        with urllib.request.urlopen(http) as r:
            return r.status, json.loads(r.read())
    except urllib.error.HTTPError as e:
        return e.code, json.loads(e.read())


def test_loops_are_ended(fast):
    fn = fast.function("import os\ndef handler(e, c): return os.environ['_X_AMZN_TRACE_ID']")
    assert recursion_config(fast, fn) == (200, {"RecursiveLoop": "Terminate"})
    header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0"
    for n in range(16):
        r = chained(fast, fn, header)
        header = json.loads(r["Payload"].read())
        assert header.endswith(":%d" % n) and ";Lineage=1:" in header
    assert error_of(chained, fast, fn, header)[:2] == (400, "RecursiveInvocationException")
    # Others are not meant.
    other = fast.function("def handler(e, c): return 'fine'")
    assert json.loads(chained(fast, other, header)["Payload"].read()) == "fine"
    assert recursion_config(fast, fn, "Allow") == (200, {"RecursiveLoop": "Allow"})
    assert recursion_config(fast, fn) == (200, {"RecursiveLoop": "Allow"})
    assert json.loads(chained(fast, fn, header)["Payload"].read()).endswith(":16")
    assert recursion_config(fast, fn, "x")[0] == 400
    assert recursion_config(fast, "nobody")[0] == 404


def test_destinations_in_a_circle_are_ended(fast, role):
    source = "def handler(event, context): print('got it', flush=True)"
    one, other = (fast.function(source, Role=role) for _ in range(2))
    for fn, to in (one, other), (other, one):
        configure(fast, fn, DestinationConfig={"OnSuccess": {"Destination": ARN + to}})
    send(fast, one, {})
    wait_for(lambda: "%s is invoked in a loop" % one in fast.log_text())
    wait_for(lambda: len(lines(fast, one, "got")) >= 16 and len(lines(fast, other, "got")) >= 16)
    assert len(lines(fast, one, "got")) == len(lines(fast, other, "got")) == 16


# ---- a full disk -----------------------------------------------------------------------------


def invocations(cloud, name):
    url = "%s/_lamina/lambda/inspect?region=%s&account=%s&function=%s"
    with urllib.request.urlopen(url % (cloud.url, REGION, ACCOUNT, name)) as r:
        return sum(v["invocations"] for v in json.loads(r.read())["versions"])


def test_a_full_disk_carries_no_event_out_twice(tmp_path):
    """What is over cannot be written down meanwhile, and is not begun again."""
    import subprocess

    from cloud import Cloud

    disk = tmp_path / "disk"
    disk.mkdir()
    r = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", str(disk)],
                       stderr=subprocess.PIPE)
    if r.returncode:
        pytest.skip("may not mount: " + r.stderr.decode().strip())
    try:
        cloud = Cloud(data=disk / "data").start()
        try:
            fn = cloud.function("import time\ndef handler(e, c): time.sleep(0.3)")
            for n in range(3):
                send(cloud, fn, n)
            with open(disk / "filler", "wb", buffering=0) as f:
                with pytest.raises(OSError):
                    while True:
                        f.write(b"x" * 4096)
            refused = over = 0
            while over < 3 or refused < 3:
                with pytest.raises(Exception):  # there is no room for this
                    send(cloud, fn, "x" * 100_000)
                refused += 1
                try:
                    over = invocations(cloud, fn)
                except urllib.error.HTTPError as e:  # it shared its turn with what was lost
                    assert e.code == 500
            wait_for(lambda: "what this turn wrote is lost" in cloud.log_text())
            (disk / "filler").unlink()
            send(cloud, fn, "again")
            wait_for(lambda: invocations(cloud, fn) >= 4)
            time.sleep(1.2)  # queues look again a second after a turn that was lost
            assert invocations(cloud, fn) == 4
        finally:
            cloud.stop()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
