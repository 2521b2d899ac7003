"""What a deployment was: records beside its artifacts, listed, shown, compared."""

import json
import re

import pytest
from cloud import ACCOUNT, REGION, unique, zipped
from releases import SECRET, Project


@pytest.fixture
def project(cloud, tmp_path):
    return Project(cloud, tmp_path)


def test_each_deploy_is_recorded_with_what_it_made(project):
    project.deploy("one")
    project.deploy("two", memory=256, greeting="hi")
    newest, oldest = project.records()
    assert newest["deployment_id"] > oldest["deployment_id"]
    assert [r["result"] for r in (newest, oldest)] == ["complete", "complete"]
    assert newest["schema"] == 1 and newest["action"] == "deploy"
    assert newest["caller"] == "arn:aws:iam::%s:root" % ACCOUNT and newest["region"] == REGION
    assert {"deployment_id", "timestamp", "environment", "region", "layers", "validation"} <= set(
        newest
    )
    assert newest["parameters"] == {"Greeting": "hi", "Secret": {"no_echo": True}}
    (function,) = newest["functions"]
    now = project.configuration()
    assert function["code"]["sha256"] == now["CodeSha256"]
    assert [l["arn"] for l in function["layers"]] == [l["Arn"] for l in now["Layers"]]
    assert function["configuration"]["MemorySize"] == 256
    assert function["version"] == "2"
    assert [(a["name"], a["version"]) for a in function["aliases"]] == [("live", "2")]
    code = project.cloud.s3.get_object(
        Bucket=function["code"]["bucket"], Key=function["code"]["key"]
    )
    assert code["ContentLength"] == now["CodeSize"]
    template = newest["template"]
    text = project.cloud.s3.get_object(Bucket=template["bucket"], Key=template["key"])["Body"]
    assert json.loads(text.read())["Parameters"]["Secret"]["NoEcho"] is True


def test_no_value_of_a_secret_is_in_a_record(project):
    project.deploy("one")
    # Not known to this deploy: the stack's value goes on.
    project.write("two")
    project.run("deploy", "--stack-name", project.name, "--capabilities", "CAPABILITY_IAM")
    assert SECRET in project.answer()[3]
    records = project.records()
    assert len(records) == 2
    for record in records:
        assert SECRET not in json.dumps(record)
        variables = record["functions"][0]["configuration"]["Environment"]["Variables"]
        assert variables["URL"] == {"no_echo": True} and variables["PLAIN"] == "same"
    assert SECRET not in project.run("deployments", "show", "latest", "--of", project.name).stdout


def test_a_deploy_that_fails_is_recorded_as_what_became_of_it(project):
    project.deploy("one")
    path = project.folder / "template.yaml"
    project.write("two")
    path.write_text(
        path.read_text()
        + "  Broken:\n    Type: AWS::Logs::LogGroup\n    Properties: {LogGroupName: %s}\n"
        % ("/taken/" + project.name)
    )
    project.cloud.logs.create_log_group(logGroupName="/taken/" + project.name)
    done = project.run(
        "deploy", "--stack-name", project.name, "--capabilities", "CAPABILITY_IAM", ok=False
    )
    assert done.returncode == 1
    newest, oldest = project.records()
    assert newest["result"] == "rolled back" and oldest["result"] == "complete"
    assert "Broken" in newest["reason"]
    # latest means what is there: the complete one
    shown = project.json("deployments", "show", "latest", "--of", project.name)
    assert project.json("deployments", "list", project.name)[1] == oldest
    assert shown["result"] == "complete"


def test_nothing_to_change_is_no_deployment(project):
    project.deploy("one")
    project.run(
        "deploy",
        "--stack-name",
        project.name,
        "--capabilities",
        "CAPABILITY_IAM",
        "--no-fail-on-empty-changeset",
    )
    assert len(project.records()) == 1


def test_a_record_that_cannot_be_written_is_told_and_fails_nothing(project):
    project.deploy("one")
    bucket = project.records()[0]["template"]["bucket"]
    project.cloud.s3.put_bucket_policy(
        Bucket=bucket,
        Policy=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:PutObject",
                    "Resource": "arn:aws:s3:::%s/%s/deployments/*" % (bucket, project.name),
                },
            }
        ),
    )
    try:
        done = project.deploy("two")
    finally:
        project.cloud.s3.delete_bucket_policy(Bucket=bucket)
    assert "this deployment is not recorded" in done.stderr
    assert project.answer()[0] == "two"
    assert len(project.records()) == 1


def test_show_takes_the_beginning_of_an_id_and_tells_what_is_wrong_with_others(project):
    project.deploy("one")
    identity = project.records()[0]["deployment_id"]
    assert re.fullmatch(r"\d{8}T\d{9}Z-[0-9a-f]{8}", identity)
    out = project.run("deployments", "show", identity[:-2]).stdout
    assert identity in out and project.name in out and "(NoEcho)" in out
    for wrong in ("nothing", "", "%n%s", "../../x", identity + "0"):
        done = project.run("deployments", "show", wrong, ok=False)
        assert done.returncode == 1 and "no deployment" in done.stderr


def test_diff_names_what_differs_and_only_that(project):
    project.deploy("one")
    project.deploy("two", memory=256, greeting="hi")
    first, second = [r["deployment_id"] for r in reversed(project.records())]
    changes = {(c["where"], c["what"]): c for c in project.json("deployments", "diff", first, second)}
    assert set(changes) == {
        ("template", ""),
        ("parameters", "Greeting"),
        ("Main", "code"),
        ("Main", "layers"),
        ("Main", "configuration.MemorySize"),
        ("Main", "configuration.Environment.Variables.GREETING"),
        ("Main", "alias live"),
    }
    memory = changes[("Main", "configuration.MemorySize")]
    assert (memory["from"], memory["to"]) == (128, 256)
    assert project.run("deployments", "diff", first, first).stdout == "no difference\n"


def test_what_is_no_record_is_told_and_left_out(project):
    project.deploy("one")
    bucket = project.records()[0]["template"]["bucket"]
    for i, body in enumerate((b"{", b'"x"', b"[]", b"{}", b"\0" * 100, b'{"schema":1}')):
        key = "%s/deployments/20261121T22350012%dZ-00000000.json" % (project.name, i)
        project.cloud.s3.put_object(Bucket=bucket, Key=key, Body=body)
    later = json.dumps({"schema": 99, "deployment_id": "20261121T223500999Z-00000000"})
    project.cloud.s3.put_object(
        Bucket=bucket,
        Key=project.name + "/deployments/20261121T223500999Z-00000000.json",
        Body=later.encode(),
    )
    done = project.run("deployments", "list", project.name)
    assert done.stdout.count("complete") == 1
    assert done.stderr.count("is no record of a deployment") == 6
    assert "has the form 99" in done.stderr


def test_a_record_of_a_stranger_is_shown_as_what_it_is(project):
    """Not under another deployment's name, nor as what a terminal does."""
    project.deploy("one")
    (record,) = project.records()
    bucket, key = record["template"]["bucket"], project.name + "/deployments/%s.json"
    mine = record["deployment_id"]
    other = "29990101T000000000Z-00000000"
    project.cloud.s3.put_object(Bucket=bucket, Key=key % other, Body=json.dumps(record).encode())
    listed = project.run("deployments", "list", project.name)
    assert listed.stdout.count(mine) == 1
    assert "is no record of a deployment" in listed.stderr
    assert mine in project.run("deployments", "show", "latest", "--of", project.name).stdout
    record.update(deployment_id=other, caller="arn:\x1b]0;evil\x07\x1b[2J", reason="a\x1b[31m")
    project.cloud.s3.put_object(Bucket=bucket, Key=key % other, Body=json.dumps(record).encode())
    for args in (("list", project.name), ("show", other)):
        shown = project.run("deployments", *args).stdout
        assert other in shown and "evil" in shown and "\x1b" not in shown and "\x07" not in shown


def test_what_others_have_deployed_can_be_recorded(project, cloud):
    project.deploy("one")  # makes the bucket
    source = "def handler(event, context): return 1"
    name = cloud.function(source)
    identity = project.run("deployments", "record", name).stdout.strip()
    record = project.json("deployments", "show", identity)
    code = record["functions"][0]["code"]
    body = cloud.s3.get_object(Bucket=code["bucket"], Key=code["key"])["Body"].read()
    assert body == zipped({"app.py": source})
    assert project.run("deployments", "record", unique("no"), ok=False).returncode == 1


def test_a_layer_that_is_published_is_recorded_once(project):
    project.deploy("one")  # makes the bucket
    name = unique("layer")
    (project.folder / "l.zip").write_bytes(zipped({"python/m.py": "x = 1"}))
    for _ in range(2):
        project.run("layer", "publish", "l.zip", "--name", name)
    (record,) = project.json("deployments", "list", name)
    (layer,) = record["layers"]
    published = project.cloud.lambda_.get_layer_version_by_arn(Arn=layer["arn"])["Content"]
    assert record["action"] == "layer publish" and layer["sha256"] == published["CodeSha256"]
