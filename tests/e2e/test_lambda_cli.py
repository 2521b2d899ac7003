"""Lambda, STS and Logs through Debian's aws CLI, as scripts use it."""

import base64
import json
import time

from cloud import RUNTIME, unique, zipped


def test_a_script(cloud, tmp_path):
    name = unique("cli")
    (tmp_path / "code.zip").write_bytes(
        zipped({"app.py": "def handler(event, context):\n    print('seen', event)\n    return {'n': event['n'] + 1}\n"})
    )
    assert json.loads(cloud.aws("sts", "get-caller-identity").stdout)["Account"] == "000000000000"
    r = cloud.aws(
        "lambda", "create-function", "--function-name", name, "--runtime", RUNTIME, "--handler",
        "app.handler", "--role", cloud.lambda_role(), "--zip-file", "fileb://code.zip",
        "--environment", "Variables={AA=1,BB=2}", cwd=tmp_path,
    )
    assert json.loads(r.stdout)["Environment"] == {"Variables": {"AA": "1", "BB": "2"}}
    cloud.aws("lambda", "wait", "function-active-v2", "--function-name", name)
    r = cloud.aws(
        "lambda", "invoke", "--function-name", name, "--payload", '{"n": 1}', "--log-type", "Tail",
        "--cli-binary-format", "raw-in-base64-out", "out.json", cwd=tmp_path,
    )
    answer = json.loads(r.stdout)
    assert (tmp_path / "out.json").read_text() == '{"n": 2}'
    log = base64.b64decode(answer["LogResult"]).decode()
    assert "seen {'n': 1}\n" in log and "REPORT RequestId: " in log
    r = cloud.aws("lambda", "list-functions", "--query", "Functions[].FunctionName", "--output", "text")
    assert name in r.stdout.split()
    cloud.log_events(name, 5)
    assert "seen {'n': 1}" in cloud.aws("logs", "tail", "/aws/lambda/" + name).stdout
    cloud.aws("lambda", "delete-function", "--function-name", name)
    r = cloud.aws("lambda", "get-function", "--function-name", name, check=False)
    assert r.returncode == 254
    assert "An error occurred (ResourceNotFoundException) when calling the GetFunction operation: " in r.stderr


def test_layers(cloud, tmp_path):
    name = unique("layer")
    (tmp_path / "layer.zip").write_bytes(zipped({"python/m.py": "x = 1\n"}))
    r = cloud.aws(
        "lambda", "publish-layer-version", "--layer-name", name, "--zip-file", "fileb://layer.zip",
        "--compatible-runtimes", "python3.11", "python3.12", cwd=tmp_path,
    )
    arn = json.loads(r.stdout)["LayerVersionArn"]
    r = cloud.aws("lambda", "get-layer-version-by-arn", "--arn", arn)
    assert json.loads(r.stdout)["CompatibleRuntimes"] == ["python3.11", "python3.12"]
    cloud.aws("lambda", "delete-layer-version", "--layer-name", name, "--version-number", "1")


def test_insights_definitions_and_simulation(cloud):
    group, name = unique("/cli"), unique("query")
    cloud.logs.create_log_group(logGroupName=group)
    r = cloud.aws("logs", "put-query-definition", "--name", name, "--query-string", "fields @message",
                  "--log-group-names", group, "--query", "queryDefinitionId", "--output", "text")
    (saved,) = cloud.logs.describe_query_definitions(queryDefinitionNamePrefix=name)["queryDefinitions"]
    assert (saved["queryDefinitionId"], saved["logGroupNames"]) == (r.stdout.strip(), [group])

    role = cloud.role([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}])
    r = cloud.aws("iam", "simulate-principal-policy", "--policy-source-arn", role, "--action-names",
                  "s3:GetObject", "s3:PutObject", "--resource-arns", "arn:aws:s3:::b/k",
                  "--query", "EvaluationResults[].[EvalActionName,EvalDecision]", "--output", "text")
    assert r.stdout.split() == ["s3:GetObject", "allowed", "s3:PutObject", "implicitDeny"]


def test_ways_back_of_a_stack(cloud):
    """What is refused, as the CLI says it; and a creation that failed, taken back."""
    name = unique("cli")
    cloud.logs.create_log_group(logGroupName="/taken/" + name)
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/taken/" + name}}
    cloud.cfn.create_stack(StackName=name, OnFailure="DO_NOTHING",
                           TemplateBody=json.dumps({"Resources": {"A": group}}))
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if cloud.cfn.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] == "CREATE_FAILED":
            break
    r = cloud.aws("cloudformation", "cancel-update-stack", "--stack-name", name, check=False)
    assert r.returncode == 254 and "An error occurred (ValidationError)" in r.stderr
    r = cloud.aws("cloudformation", "rollback-stack", "--stack-name", name)
    assert name in json.loads(r.stdout)["StackId"]
