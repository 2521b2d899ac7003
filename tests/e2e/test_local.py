"""`lamina local invoke` and `lamina local start-lambda`: without a cloud that runs, touching none."""

import json
import os
import signal
import subprocess
import threading
import urllib.error
import urllib.request

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from cloud import LAMINA, RUNTIME, alive, children, environ, error_of, free_port, lamina, wait_gone

TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Color: {Type: String, Default: red}
  Ami: {Type: "AWS::SSM::Parameter::Value<String>", Default: /my/parameter}
Globals:
  Function:
    Runtime: %(runtime)s
    Timeout: 5
    Environment: {Variables: {GLOBAL: global}}
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties: {TableName: orders}
  Bucket:
    Type: AWS::S3::Bucket
  One:
    Type: AWS::Serverless::Function
    DependsOn: [Table, Bucket]
    Properties:
      CodeUri: one
      Handler: app.handler
      VpcConfig: {SubnetIds: [subnet-1], SecurityGroupIds: [sg-1]}
      Layers: ["arn:aws:lambda:us-east-1:123456789012:layer:far-away:1", !Ref Near]
      Policies:
        - DynamoDBCrudPolicy: {TableName: !Ref Table}
        - S3CrudPolicy: {BucketName: !Ref Bucket}
      Environment:
        Variables:
          OWN: own
          COLOR: !Ref Color
          TABLE: !Ref Table
          TABLE_ARN: !Sub "<${Table.Arn}>"
          BUCKET: !Ref Bucket
      Events:
        Call: {Type: HttpApi, Properties: {Path: /, Method: get}}
  Named:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: my-own-name
      Role: arn:aws:iam::123456789012:role/somewhere
      Runtime: %(runtime)s
      Handler: index.handler
      Code: {ZipFile: "def handler(e, c):\\n    raise ValueError(c.function_name)\\n"}
  Near:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: near}
Outputs:
  Arn: {Value: !GetAtt Table.Arn}
"""
CODE = """
import json, os, near
def handler(event, context):
    print("said by", context.function_name)
    env = {k: os.environ.get(k) for k in %r}
    return {"event": event, "env": env, "near": near.v, "name": context.function_name}
"""
NAMES = ["OWN", "COLOR", "GLOBAL", "TABLE", "TABLE_ARN", "BUCKET", "NEW"]


@pytest.fixture
def project(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "near" / "python").mkdir(parents=True)
    (tmp_path / "near" / "python" / "near.py").write_text("v = 'near'\n")
    (tmp_path / "one" / "app.py").write_text(CODE % (NAMES,))
    (tmp_path / "template.yaml").write_text(TEMPLATE % {"runtime": RUNTIME})
    return tmp_path


def local(project, *args, **options):
    # An endpoint where nobody is: the user's own cloud is not touched.
    return lamina("local", *args, cwd=str(project), AWS_ENDPOINT_URL="http://127.0.0.1:9", **options)


def test_invoke(project):
    r = local(project, "invoke", "One", "--event", "-", input='{"a": 1}')
    answer = json.loads(r.stdout)
    assert answer["event"] == {"a": 1} and answer["near"] == "near" and answer["name"] == "One"
    env = answer["env"]
    assert env["OWN"] == "own" and env["GLOBAL"] == "global" and env["COLOR"] == "red"
    assert env["TABLE"] == "Table" and env["TABLE_ARN"] == "<Table.Arn>" and env["NEW"] is None
    assert env["BUCKET"].startswith("local-bucket-")
    for said in ("START RequestId: ", "said by One", "REPORT RequestId: "):
        assert said in r.stderr
    assert "arn:aws:lambda:us-east-1:123456789012:layer:far-away:1 is not here" in r.stderr


def test_the_whole_log_is_shown(project):
    (project / "one" / "app.py").write_text(
        "def handler(event, context):\n"
        "    for i in range(3000):\n        print('line', i)\n    print('end', end='')\n"
    )
    r = local(project, "invoke", "One")
    assert json.loads(r.stdout) is None
    lines = [l for l in r.stderr.splitlines() if l]
    start = next(i for i, l in enumerate(lines) if l.startswith("START RequestId: "))
    assert lines[start + 1 : start + 3002] == ["line %d" % i for i in range(3000)] + ["end"]
    assert lines[-1].startswith("REPORT RequestId: ")
    assert sum(l.startswith("REPORT") for l in lines) == 1


def test_invoke_values(project):
    (project / "event.json").write_text('["from a file"]')
    (project / "env.json").write_text(
        json.dumps({"One": {"OWN": "given", "NEW": "not declared"}, "Parameters": {"GLOBAL": 7}})
    )
    r = local(
        project, "invoke", "One", "-e", "event.json", "-n", "env.json",
        "--parameter-overrides", "Color=blue", COLOR="", OWN="of the shell",
    )
    answer = json.loads(r.stdout)
    assert answer["event"] == ["from a file"]
    assert answer["env"]["OWN"] == "given" and answer["env"]["GLOBAL"] == "7"
    assert answer["env"]["NEW"] is None
    r = local(project, "invoke", "One", OWN="of the shell", check=True)
    answer = json.loads(r.stdout)
    assert answer["event"] == {} and answer["env"]["OWN"] == "of the shell"
    (project / "samconfig.toml").write_text(
        'version = 0.1\n[default.local_invoke.parameters]\nevent = "event.json"\n'
        'parameter_overrides = "Color=green"\n'
    )
    answer = json.loads(local(project, "invoke", "One").stdout)
    assert answer["event"] == ["from a file"] and answer["env"]["COLOR"] == "green"


def test_invoke_failures(project):
    r = local(project, "invoke", "Named", check=False)
    assert r.returncode == 1
    assert json.loads(r.stdout)["errorMessage"] == "my-own-name"
    r = local(project, "invoke", "Nobody", check=False)
    assert r.returncode == 1 and "no function Nobody; there are: " in r.stderr
    assert "One" in r.stderr and "Named" in r.stderr
    r = local(project, "invoke", check=False)
    assert r.returncode == 2 and "which function?" in r.stderr
    r = local(project, "invoke", "One", "-e", "missing.json", check=False)
    assert r.returncode == 1 and "missing.json" in r.stderr
    r = local(project, "start-lambda", "One", check=False)
    assert r.returncode == 2
    (project / "template.yaml").write_text("Resources: {One: {Type: AWS::Serverless::Function}}")
    assert local(project, "invoke", check=False).returncode == 1


def test_built_code_comes_first(project):
    text = (project / "one" / "app.py").read_text()
    lamina("build", cwd=str(project))
    (project / "one" / "app.py").write_text("def handler(e, c):\n    return 'source'\n")
    assert json.loads(local(project, "invoke", "One").stdout)["name"] == "One"
    (project / "one" / "app.py").write_text(text)


@pytest.fixture
def serving(project):
    port = free_port()
    (project / "tmp").mkdir()
    process = subprocess.Popen(
        [LAMINA, "local", "start-lambda", "--port", str(port)],
        cwd=str(project),
        env=environ(AWS_ENDPOINT_URL="http://127.0.0.1:9", TMPDIR=str(project / "tmp")),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    line = process.stdout.readline()
    watchdog.cancel()
    assert line == "ready http://127.0.0.1:%d\n" % port, process.stderr.read()
    yield process, "http://127.0.0.1:%d" % port
    if process.poll() is None:
        process.kill()
    process.communicate()


def test_start_lambda(serving, project):
    process, url = serving
    client = boto3.client(
        "lambda", endpoint_url=url, region_name="us-east-1",
        config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}),
    )
    r = client.invoke(FunctionName="One", Payload=b'{"b": 2}', LogType="Tail")
    answer = json.loads(r["Payload"].read())
    assert r["StatusCode"] == 200 and answer["event"] == {"b": 2} and answer["name"] == "One"
    assert "FunctionError" not in r and r["LogResult"] and r["ExecutedVersion"] == "$LATEST"
    for name in ("Named", "my-own-name", "arn:aws:lambda:us-west-2:012345678912:function:Named"):
        r = client.invoke(FunctionName=name)
        assert r["FunctionError"] == "Unhandled"
        assert json.loads(r["Payload"].read())["errorMessage"] == "my-own-name"
    assert client.invoke(FunctionName="One", InvocationType="Event")["StatusCode"] == 202
    assert client.invoke(FunctionName="One", InvocationType="DryRun")["StatusCode"] == 204
    status, code, message = error_of(client.invoke, FunctionName="Nobody")
    assert (status, code) == (404, "ResourceNotFoundException") and "Nobody" in message
    status, code, _ = error_of(client.invoke, FunctionName="One", Payload=b"not json")
    assert (status, code) == (400, "InvalidRequestContentException")
    assert error_of(client.list_functions)[:2] == (404, "PathNotFoundLocally")

    # credentials of any account are as good as none
    other = boto3.client(
        "lambda", endpoint_url=url, region_name="eu-west-1",
        aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="x",
    )
    big = json.dumps("x" * 3000000).encode()
    assert len(json.loads(other.invoke(FunctionName="One", Payload=big)["Payload"].read())["event"]) == 3000000

    # what is saved is live
    (project / "one" / "app.py").write_text("def handler(e, c):\n    return 'saved'\n")
    assert json.loads(client.invoke(FunctionName="One")["Payload"].read()) == "saved"


def test_ctrl_c_leaves_nothing(serving, project):
    process, url = serving
    request = urllib.request.Request(
        url + "/2015-03-31/functions/One/invocations", data=b"{}", method="POST"
    )
    assert json.load(urllib.request.urlopen(request, timeout=20))["name"] == "One"
    family = children(process.pid)
    assert family
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert not wait_gone(family)
    assert os.listdir(str(project / "tmp")) == []
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(request, timeout=5)


def test_port_in_use(serving, project):
    _, url = serving
    r = local(project, "start-lambda", "-p", url.rsplit(":", 1)[1], check=False)
    assert r.returncode == 1 and "in use" in r.stderr
