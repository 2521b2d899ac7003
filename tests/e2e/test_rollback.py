"""Back to what a recorded deployment was: a stack by a change set, a function by itself."""

import json

import pytest
from cloud import unique, zipped
from releases import SECRET, Project


@pytest.fixture
def project(cloud, tmp_path):
    return Project(cloud, tmp_path)


def content(project, configuration):
    """Without what is numbered anew: layers by the hash of their content."""
    c = dict(configuration)
    c["Layers"] = [
        project.cloud.lambda_.get_layer_version_by_arn(Arn=l["Arn"])["Content"]["CodeSha256"]
        for l in c.get("Layers", [])
    ]
    return c


def test_a_stack_goes_back_and_forth(project):
    project.deploy("one")
    one = content(project, project.configuration())
    project.deploy("two", memory=256, greeting="hi")
    two = content(project, project.configuration())
    assert project.answer("live")[:3] == ["two", "two", "hi"]

    plan = project.json("rollback", project.name, "--plan")
    assert plan["result"] == "planned" and plan["obstacles"] == []
    assert {"template", "code", "layers", "alias live", "parameter Greeting"} <= {
        s["what"] for s in plan["steps"]
    }
    asked = project.run("rollback", project.name, ok=False, text="")
    assert asked.returncode == 1 and "planned  " in asked.stdout and "not done" not in asked.stdout
    assert "nobody answered; --yes does not ask" in asked.stderr
    assert content(project, project.configuration()) == two

    report = project.json("rollback", project.name, "--yes", "--verify", '{"a": 1}')
    assert report["result"] == "complete" and report["validation"]["passed"] is True
    assert [i["qualifier"] for i in report["validation"]["invoked"]] == ["live"]
    assert content(project, project.configuration()) == one
    answer = project.answer("live")
    assert answer[:3] == ["one", "one", "hello"] and SECRET in answer[3]
    assert json.loads((project.folder / "rollback-report.json").read_text()) == report
    assert "| done |" in (project.folder / "rollback-report.md").read_text()
    # CloudFormation agrees: its own template deployed again changes nothing.
    project.write("one")
    done = project.run(
        "deploy", "--stack-name", project.name, "--capabilities", "CAPABILITY_IAM",
        "--parameter-overrides", "Greeting=hello", ok=False,
    )  # fmt: skip
    assert "nothing to change" in done.stderr, done.stderr

    newest = project.records()[0]
    assert newest["action"] == "rollback" and newest["result"] == "complete"
    assert newest["restores"] == project.records()[2]["deployment_id"]
    assert newest["validation"]["passed"] is True
    project.run("rollback", project.name, "--yes")
    assert content(project, project.configuration()) == two
    assert project.answer("live")[:3] == ["two", "two", "hi"]


def test_what_was_changed_past_the_stack_is_put_back(project):
    project.deploy("one")
    before = project.configuration()
    client = project.cloud.lambda_
    client.update_function_code(
        FunctionName=project.name,
        ZipFile=zipped({"app.py": "def handler(e, c): return 'hand'"}),
    )
    client.update_function_configuration(
        FunctionName=project.name, MemorySize=512, Layers=[], Description="by hand"
    )
    version = client.publish_version(FunctionName=project.name)["Version"]
    client.update_alias(FunctionName=project.name, Name="live", FunctionVersion=version)
    assert project.answer("live") == "hand"
    report = project.json("rollback", project.name, "--to", "latest", "--yes", "--verify", "1")
    assert report["validation"]["passed"] is True
    assert project.configuration() == before
    assert project.answer("live")[0] == "one"


def test_a_function_that_was_deleted_past_the_stack_is_told(project):
    project.deploy("one")
    project.cloud.lambda_.delete_function(FunctionName=project.name)
    done = project.run("rollback", project.name, "--to", "latest", "--yes", ok=False)
    assert done.returncode == 1 and "deleted past the stack" in done.stderr
    assert project.records()[0]["result"] == "failed"


def test_a_plan_shows_no_secret_that_came_later(project):
    project.write("one")
    path = project.folder / "template.yaml"
    with_secret = path.read_text()
    path.write_text("".join(l for l in with_secret.splitlines(True) if "URL:" not in l))
    args = ("deploy", "--stack-name", project.name, "--capabilities", "CAPABILITY_IAM")
    project.run(*args, "--parameter-overrides", "Secret=" + SECRET)
    path.write_text(with_secret)
    project.run(*args)
    variables = project.configuration()["Environment"]["Variables"]
    assert SECRET in variables["URL"]
    for out in (
        project.run("rollback", project.name, "--plan"),
        project.run("rollback", project.name, "--yes"),
    ):
        assert SECRET not in out.stdout + out.stderr
    assert SECRET not in (project.folder / "rollback-report.json").read_text()
    assert "URL" not in project.configuration()["Environment"]["Variables"]


def test_a_template_too_big_for_a_request_comes_from_the_bucket(project):
    project.deploy("one")
    path = project.folder / "template.yaml"
    padding = "".join("  K%d: %s\n" % (i, "x" * 200) for i in range(300))
    path.write_text(path.read_text() + "Metadata:\n" + padding)
    args = ("deploy", "--stack-name", project.name, "--capabilities", "CAPABILITY_IAM")
    project.run(*args, "--tags", "team=a")
    project.run("rollback", project.name, "--yes")
    project.run("rollback", project.name, "--yes")
    (stack,) = project.cloud.cfn.describe_stacks(StackName=project.name)["Stacks"]
    assert stack["Tags"] == [{"Key": "team", "Value": "a"}]


def test_an_artifact_that_is_gone_is_told_before_anything_is_changed(project):
    project.deploy("one")
    old = project.records()[0]
    project.deploy("two")
    before = project.configuration()
    code = old["functions"][0]["code"]
    project.cloud.s3.delete_object(Bucket=code["bucket"], Key=code["key"])
    done = project.run("rollback", project.name, "--yes", ok=False)
    assert done.returncode == 1
    assert code["key"] in done.stderr and "nothing was changed" in done.stderr
    assert project.configuration() == before
    template = old["template"]
    project.cloud.s3.put_object(Bucket=template["bucket"], Key=template["key"], Body=b"{}")
    done = project.run("rollback", project.name, "--yes", ok=False)
    assert "is not the one that was deployed" in done.stdout
    assert len(project.records()) == 2


def test_a_rollback_whose_function_fails_afterwards_is_a_failure(project):
    project.deploy("one")
    project.deploy("two")
    (project.folder / "tests.yaml").write_text(
        "cases:\n  - name: says three\n    function: Main\n    payload: 1\n"
        "    expect: {paths: {'$[0]': three}}\n"
        "  - name: says one\n    function: Main\n    payload: 1\n"
        "    expect: {paths: {'$[0]': one}}\n"
    )
    done = project.run("rollback", project.name, "--yes", ok=False)
    assert done.returncode == 1 and "not as it should be" in done.stderr
    assert "FAIL" in done.stdout and "ok " in done.stdout
    record = project.records()[0]
    assert record["result"] == "complete" and record["validation"]["passed"] is False
    assert "complete, verification failed" in (project.folder / "rollback-report.md").read_text()
    assert project.answer()[0] == "one"


def test_a_test_that_tests_nothing_is_no_proof(project):
    project.deploy("one")
    project.deploy("two")
    (project.folder / "other.yaml").write_text(
        "cases:\n  - name: of another\n    function: not-of-this-stack\n    payload: 1\n")
    done = project.run("rollback", project.name, "--yes", "--tests", "other.yaml", ok=False)
    assert done.returncode == 1 and "nothing was tested" in done.stderr
    assert project.records()[0]["validation"]["passed"] is False


def test_nobody_says_yes_and_nothing_is_changed(project):
    project.deploy("one")
    project.deploy("two")
    done = project.run("rollback", project.name, ok=False, text="n\n")
    assert done.returncode == 1 and "nothing was changed" in done.stderr
    assert project.answer()[0] == "two" and len(project.records()) == 2


def test_a_deleted_stack_is_made_again_when_it_is_told_its_secrets(project):
    project.deploy("one")
    stack = project.name
    project.cloud.cfn.delete_stack(StackName=stack)
    project.cloud.cfn.get_waiter("stack_delete_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 0.05, "MaxAttempts": 600}
    )
    done = project.run("rollback", stack, "--to", "latest", "--yes", ok=False)
    assert "NoEcho parameter Secret" in done.stderr and "nothing was changed" in done.stderr
    project.run(
        "rollback", stack, "--to", "latest", "--yes", "--parameter-overrides", "Secret=again-again"
    )
    answer = project.answer("live")
    assert answer[0] == "one" and "again-again" in answer[3]


# ---- a function outside of stacks ----

ONE = "import os\ndef handler(event, context): return ['one', os.environ.get('COLOR')]"
TWO = "def handler(event, context): return ['two']"


@pytest.fixture
def function(project, cloud):
    project.deploy("zero")  # makes the bucket
    project.name = cloud.function(
        ONE,
        MemorySize=256,
        Description="the first",
        Environment={"Variables": {"COLOR": "red", "EMPTY": ""}},
    )
    version = cloud.lambda_.publish_version(FunctionName=project.name)["Version"]
    cloud.lambda_.create_alias(FunctionName=project.name, Name="prod", FunctionVersion=version)
    project.run("deployments", "record", project.name)
    return project


def change(function):
    client, name = function.cloud.lambda_, function.name
    client.update_function_code(FunctionName=name, ZipFile=zipped({"app.py": TWO}))
    client.update_function_configuration(
        FunctionName=name, MemorySize=512, Timeout=9, Description="", Environment={"Variables": {}}
    )
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=3)
    second = client.publish_version(FunctionName=name)["Version"]
    client.update_alias(
        FunctionName=name,
        Name="prod",
        FunctionVersion=second,
        RoutingConfig={"AdditionalVersionWeights": {"1": 0.25}},
    )


def test_a_function_is_put_back_to_the_byte(function):
    before = function.configuration()
    change(function)
    changed = function.configuration()
    report = function.json("rollback", function.name, "--to", "latest", "--yes", "--verify", "{}")
    assert report["validation"]["passed"] is True
    assert function.configuration() == before
    assert function.answer() == ["one", "red"]
    alias = function.cloud.lambda_.get_alias(FunctionName=function.name, Name="prod")
    assert alias["FunctionVersion"] == "1" and not alias.get("RoutingConfig")
    out = function.cloud.lambda_.get_function_concurrency(FunctionName=function.name)
    assert "ReservedConcurrentExecutions" not in out
    # What was there was in no record: it is kept, and can be returned to.
    kept = [r for r in function.records() if r["result"] == "captured"]
    assert len(kept) == 1
    function.run("rollback", function.name, "--to", kept[0]["deployment_id"], "--yes")
    assert function.configuration() == changed
    alias = function.cloud.lambda_.get_alias(FunctionName=function.name, Name="prod")
    assert alias["RoutingConfig"]["AdditionalVersionWeights"] == {"1": 0.25}


def test_an_answer_that_a_gateway_would_make_a_failure_is_no_proof(project, cloud):
    project.deploy("zero")
    project.name = cloud.function("def handler(event, context): return {'statusCode': event['code']}")
    project.run("deployments", "record", project.name)
    for code, passed in ((200, True), (503, False)):
        cloud.lambda_.update_function_configuration(FunctionName=project.name, Description=str(code))
        report = project.json("rollback", project.name, "--to", "latest", "--yes", "--verify",
                              json.dumps({"code": code}), ok=passed)
        assert report["validation"]["passed"] is passed, report


def test_the_code_of_a_published_version_will_do(function):
    change(function)
    code = function.records()[0]["functions"][0]["code"]
    function.cloud.s3.delete_object(Bucket=code["bucket"], Key=code["key"])
    report = function.json("rollback", function.name, "--to", "latest", "--yes")
    assert [s["how"] for s in report["steps"] if s["what"] == "code"] == ["version 1"]
    assert function.answer() == ["one", "red"]


def test_a_failure_half_way_tells_what_is_done_and_the_rest_is_done_later(function):
    before = function.configuration()
    change(function)
    name = function.name
    # The alias goes last: who may not move it gets all but that.
    role = function.cloud.role(
        [
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": "lambda:UpdateAlias", "Resource": "*"},
        ],
        trust=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": {
                    "Effect": "Allow",
                    "Principal": {"AWS": "*"},
                    "Action": "sts:AssumeRole",
                },
            }
        ),
    )
    keys = function.cloud.sts.assume_role(RoleArn=role, RoleSessionName="half")["Credentials"]
    done = function.run(
        "rollback",
        name,
        "--to",
        "latest",
        "--yes",
        ok=False,
        AWS_ACCESS_KEY_ID=keys["AccessKeyId"],
        AWS_SECRET_ACCESS_KEY=keys["SecretAccessKey"],
        AWS_SESSION_TOKEN=keys["SessionToken"],
    )
    assert done.returncode == 1 and "the same command does the rest" in done.stderr
    states = {line.split()[2]: line.split()[0] for line in done.stdout.splitlines() if name in line}
    assert states["code"] == "done" and states["alias"] == "failed"
    assert function.records()[0]["result"] == "failed"
    report = function.json("rollback", name, "--to", "latest", "--yes")
    assert report["validation"]["passed"] is True
    assert [s["what"] for s in report["steps"]] == ["alias prod"]
    assert function.configuration() == before


def test_a_function_of_a_stack_goes_back_with_it(project):
    project.deploy("one")
    stack = project.name
    arn = project.configuration()["FunctionArn"]
    done = project.run("rollback", arn, "--yes", ok=False)
    assert done.returncode == 1 and "lamina rollback " + stack in done.stderr
    project.deploy("two")  # a logical id is no stack that is to be made again
    for more in ((), ("--plan",)):
        done = project.run("rollback", "Main", "--yes", *more, ok=False)
        assert done.returncode == 1 and "lamina rollback " + stack in done.stderr


def test_what_cannot_be_returned_to_is_refused(project):
    project.deploy("one")
    done = project.run("rollback", project.name, "--yes", ok=False)
    assert "only one complete deployment" in done.stderr
    for wrong in ("nothing", "%s%n"):
        assert project.run("rollback", project.name, "--to", wrong, ok=False).returncode == 1
    done = project.run("rollback", unique("none"), "--yes", ok=False)
    assert done.returncode == 1 and "no complete deployment" in done.stderr
    assert project.run("rollback", ok=False).returncode == 2


# ---- what belongs to a function besides its code and configuration ----


def settings(function):
    """Tags, retries, addresses, provisioned concurrency, policies: as the API tells them."""
    client, name = function.cloud.lambda_, function.name
    arn = client.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    tags = client.list_tags(Resource=arn)["Tags"]
    retries = client.list_function_event_invoke_configs(FunctionName=name)
    urls = client.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]
    provisioned = client.list_provisioned_concurrency_configs(FunctionName=name)
    policies = {}
    for qualifier in ({}, {"Qualifier": "prod"}):
        try:
            policy = client.get_policy(FunctionName=name, **qualifier)["Policy"]
            policies[str(qualifier)] = sorted(json.loads(policy)["Statement"], key=str)
        except client.exceptions.ResourceNotFoundException:
            pass
    return {
        "tags": {k: v for k, v in tags.items() if not k.startswith("aws:")},
        "retries": [
            {k: v for k, v in c.items() if k != "LastModified"}
            for c in retries["FunctionEventInvokeConfigs"]
        ],
        "urls": [{k: u.get(k) for k in ("AuthType", "InvokeMode", "Cors")} for u in urls],
        "provisioned": [
            (p["FunctionArn"], p["RequestedProvisionedConcurrentExecutions"])
            for p in provisioned["ProvisionedConcurrencyConfigs"]
        ],
        "policies": policies,
    }


def permit(function, sid, **more):
    function.cloud.lambda_.add_permission(
        FunctionName=function.name, StatementId=sid, Action="lambda:InvokeFunction", **more
    )


def give_settings(function):
    client, name = function.cloud.lambda_, function.name
    arn = client.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    client.tag_resource(Resource=arn, Tags={"team": "a", "with space.dot": "x:y"})
    client.put_function_event_invoke_config(
        FunctionName=name, MaximumRetryAttempts=0, MaximumEventAgeInSeconds=90
    )
    client.create_function_url_config(
        FunctionName=name, Qualifier="prod", AuthType="NONE", Cors={"AllowOrigins": ["*"]}
    )
    client.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier="prod", ProvisionedConcurrentExecutions=1
    )
    permit(function, "bucket", Principal="s3.amazonaws.com", SourceArn="arn:aws:s3:::b",
           SourceAccount="000000000000")
    permit(function, "other", Principal="111122223333")
    permit(function, "prod", Principal="events.amazonaws.com", Qualifier="prod")


def spoil_settings(function):
    client, name = function.cloud.lambda_, function.name
    arn = client.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    client.tag_resource(Resource=arn, Tags={"team": "b", "new": ""})
    client.untag_resource(Resource=arn, TagKeys=["with space.dot"])
    client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=2)
    client.put_function_event_invoke_config(
        FunctionName=name, Qualifier="prod", MaximumRetryAttempts=1
    )
    client.update_function_url_config(FunctionName=name, Qualifier="prod", AuthType="AWS_IAM")
    client.create_function_url_config(FunctionName=name, AuthType="NONE")
    client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="prod")
    client.remove_permission(FunctionName=name, StatementId="bucket")
    permit(function, "bucket", Principal="s3.amazonaws.com", SourceArn="arn:aws:s3:::other")
    client.remove_permission(FunctionName=name, StatementId="prod", Qualifier="prod")
    permit(function, "guest", Principal="*")


def test_what_belongs_to_a_function_goes_back_with_it(function):
    give_settings(function)
    function.run("deployments", "record", function.name)
    before = settings(function)
    spoil_settings(function)
    spoilt = settings(function)
    plan = function.json("rollback", function.name, "--to", "latest", "--plan")
    told = {s["what"] for s in plan["steps"]}
    assert told == {
        "tag team", "tag new", "tag with space.dot", "retries $LATEST", "retries prod",
        "url $LATEST", "url prod", "provisioned concurrency prod",
        "permission $LATEST bucket", "permission $LATEST guest", "permission prod prod",
    }  # fmt: skip
    assert settings(function) == spoilt
    report = function.json("rollback", function.name, "--to", "latest", "--yes")
    assert report["validation"]["passed"] is True
    assert settings(function) == before
    kept = [r for r in function.records() if r["result"] == "captured"]
    function.run("rollback", function.name, "--to", kept[0]["deployment_id"], "--yes")
    assert settings(function) == spoilt


def test_a_stack_s_function_gets_its_settings_back(project):
    project.deploy("one")
    client, name = project.cloud.lambda_, project.name
    before = settings(project)
    arn = project.configuration()["FunctionArn"]
    client.tag_resource(Resource=arn, Tags={"by": "hand"})
    client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    permit(project, "guest", Principal="*")
    report = project.json("rollback", name, "--to", "latest", "--yes")
    assert report["validation"]["passed"] is True
    assert {s["what"] for s in report["steps"]} == {
        "tag by", "retries $LATEST", "permission $LATEST guest"}  # fmt: skip
    assert settings(project) == before
    assert "nothing to change" in project.deploy("one", ok=False).stderr


def test_what_the_recorder_may_not_see_is_left_alone(function):
    client, name = function.cloud.lambda_, function.name
    give_settings(function)
    role = function.cloud.role(
        [
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": ["lambda:ListTags", "lambda:GetPolicy"], "Resource": "*"},
        ],
        trust=json.dumps({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}}),
    )  # fmt: skip
    keys = function.cloud.sts.assume_role(RoleArn=role, RoleSessionName="blind")["Credentials"]
    function.run(
        "deployments", "record", name, AWS_ACCESS_KEY_ID=keys["AccessKeyId"],
        AWS_SECRET_ACCESS_KEY=keys["SecretAccessKey"], AWS_SESSION_TOKEN=keys["SessionToken"],
    )  # fmt: skip
    entry = function.records()[0]["functions"][0]
    assert "tags" not in entry and "permissions" not in entry and "urls" in entry
    client.tag_resource(Resource=entry["arn"], Tags={"team": "b"})
    client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=1)
    report = function.json("rollback", name, "--to", "latest", "--yes")
    assert {s["what"] for s in report["steps"]} == {"retries $LATEST"}
    assert settings(function)["tags"]["team"] == "b"


def test_a_logical_id_is_recorded(project):
    project.deploy("one")
    project.run("deployments", "record", "Main", "--stack-name", project.name)
    newest = project.records()[0]
    assert newest["action"] == "record" and newest["functions"][0]["name"] == project.name
