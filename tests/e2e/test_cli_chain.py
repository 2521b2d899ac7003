"""The job the program exists for: build, deploy, invoke, test, logs, delete; on the example."""

import json
import os
import re
import shutil
import xml.etree.ElementTree as xml
import zipfile

import pytest

from cloud import ACCOUNT, ROOT, lamina, unique

EXAMPLE = os.path.join(ROOT, "examples", "sdk-on-lambda")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The example, copied and built once."""
    folder = tmp_path_factory.mktemp("example") / "sdk-on-lambda"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".aws-sam", "build", "*.egg-info"))
    before = files(folder)
    result = lamina("build", cwd=folder)
    assert files(folder) == before, "build writes into .aws-sam only"
    return folder, result


def files(folder):
    return sorted(
        p.relative_to(folder).as_posix()
        for p in folder.rglob("*")
        if p.is_file() and ".aws-sam" not in p.parts
    )


@pytest.fixture
def project(built, tmp_path):
    """A copy of the built example; its names are its own."""
    folder = tmp_path / "project"
    shutil.copytree(built[0], folder)
    mark = unique("x")
    for name in ("template.yaml", "tests.yaml", "samconfig.toml", ".aws-sam/build/template.yaml"):
        path = folder / name
        text = path.read_text().replace("tracekit-main", mark + "-main")
        text = text.replace("tracekit-cold-start", mark + "-cold").replace("tracekit-layer", mark + "-layer")
        path.write_text(text.replace("tracekit-test-stack", mark + "-stack"))
    return Project(folder, mark)


class Project:
    def __init__(self, folder, mark):
        self.folder = folder
        self.mark = mark
        self.stack = mark + "-stack"
        self.main = mark + "-main"


@pytest.fixture
def deployed(cloud, project):
    cloud.lamina("deploy", cwd=project.folder)
    yield project
    cloud.lamina("delete", "--no-prompts", cwd=project.folder, check=False)


# ---- build ------------------------------------------------------------------------------------------


def test_build(built):
    folder = built[0] / ".aws-sam" / "build"
    assert sorted(os.listdir(folder)) == ["ColdStartFunction", "MainFunction", "SdkLayer", "template.yaml"]
    assert (folder / "MainFunction" / "working_sdk.py").exists()
    assert (folder / "SdkLayer" / "python" / "tracekit" / "__init__.py").exists()
    assert (folder / "SdkLayer" / "python" / "sortid" / "__init__.py").exists()
    text = (folder / "template.yaml").read_text()
    assert re.search(r"CodeUri: MainFunction\b", text)
    assert re.search(r"ContentUri: SdkLayer\b", text)
    assert "!Ref" not in text or "Fn::" not in text  # one way of writing


def test_build_again_takes_what_it_has(built, tmp_path):
    folder = tmp_path / "again"
    shutil.copytree(built[0], folder)
    lamina("build", "--cached", cwd=folder)
    before = (folder / ".aws-sam/build/MainFunction/working_sdk.py").read_text()
    (folder / "functions" / "working_sdk.py").write_text(before + "\n# changed\n")
    lamina("build", "--cached", cwd=folder)
    assert (folder / ".aws-sam/build/MainFunction/working_sdk.py").read_text().endswith("# changed\n")


def test_build_of_a_layer_alone(tmp_path):
    out = tmp_path / "layer.zip"
    lamina("layer", "build", os.path.join(EXAMPLE, "layer", "requirements.txt"), "-o", out,
           "--runtime", "python3.11")
    names = zipfile.ZipFile(out).namelist()
    assert "python/tracekit/__init__.py" in names and "python/sortid/__init__.py" in names
    assert not [n for n in names if "__pycache__" in n]


def test_build_is_reproducible(tmp_path):
    args = ["layer", "build", os.path.join(EXAMPLE, "layer", "requirements.txt"), "--runtime", "python3.11"]
    lamina(*args, "-o", tmp_path / "a.zip")
    lamina(*args, "-o", tmp_path / "b.zip", "--no-cache")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_build_without_a_template(tmp_path):
    r = lamina("build", cwd=tmp_path, check=False)
    assert r.returncode == 1
    assert r.stderr.startswith("lamina: build: ") and "template" in r.stderr


def test_build_with_requirements_that_cannot_be(tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "app.py").write_text("")
    (tmp_path / "f" / "requirements.txt").write_text("./no-such-package-here\n")
    (tmp_path / "template.yaml").write_text(
        "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n"
        "    Properties: {Runtime: python3.11, Handler: app.handler, CodeUri: f/}\n"
    )
    r = lamina("build", cwd=tmp_path, check=False)
    assert r.returncode == 1
    assert "no-such-package-here" in r.stderr
    assert not (tmp_path / ".aws-sam" / "build" / "template.yaml").exists()


# ---- validate, template --------------------------------------------------------------------------------


def test_validate():
    lamina("validate", cwd=EXAMPLE)


def test_validate_says_where(tmp_path):
    text = open(os.path.join(EXAMPLE, "template.yaml")).read().replace("MemorySize: 512", "MemorySiz: 512")
    (tmp_path / "template.yaml").write_text(text)
    line = text.split("\n").index("      MemorySiz: 512") + 1
    r = lamina("validate", cwd=tmp_path, check=False)
    assert r.returncode == 1
    assert "template.yaml:%d: " % line in r.stderr
    assert "MemorySiz" in r.stderr and "did you mean MemorySize?" in r.stderr


def test_template_without_a_cloud():
    r = lamina("template", "--parameter-overrides", "TkApiKey=12345678", cwd=EXAMPLE)
    t = json.loads(r.stdout)
    types = sorted(x["Type"] for x in t["Resources"].values())
    assert types == [
        "AWS::IAM::Role", "AWS::IAM::Role", "AWS::Lambda::Function", "AWS::Lambda::Function",
        "AWS::Lambda::LayerVersion",
    ]
    assert "Transform" not in t
    (layer,) = [n for n in t["Resources"] if n.startswith("SdkLayer")]
    assert re.fullmatch("SdkLayer[0-9a-f]{10}", layer)


# ---- deploy ---------------------------------------------------------------------------------------------


def test_deploy(cloud, project):
    r = cloud.lamina("deploy", cwd=project.folder)
    assert "CREATE_COMPLETE" in r.stderr
    assert "MainFunctionArn" in r.stdout
    outputs = json.loads(cloud.lamina("outputs", "--json", cwd=project.folder).stdout)
    assert project.main in json.dumps(outputs)
    stack = cloud.cfn.describe_stacks(StackName=project.stack)["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]}["TkApiKey"] == "****"
    # Again: nothing to do is no failure (samconfig.toml says so).
    r = cloud.lamina("deploy", cwd=project.folder)
    assert "nothing to change" in r.stderr
    r = cloud.lamina("deploy", "--fail-on-empty-changeset", cwd=project.folder, check=False)
    assert r.returncode == 1
    # A changed parameter is an update.
    r = cloud.lamina(
        "deploy", "--parameter-overrides", "TkApiKey=another-key-1", "TkProject=other", cwd=project.folder
    )
    assert "UPDATE_COMPLETE" in r.stderr
    answer = json.loads(
        cloud.lamina("invoke", "MainFunction", "--payload", '{"items": []}', cwd=project.folder).stdout
    )
    assert answer["body"]["project"] == "other"
    cloud.lamina("delete", "--no-prompts", cwd=project.folder)


def test_deploy_in_json(cloud, project):
    r = json.loads(cloud.lamina("deploy", "--json", cwd=project.folder).stdout)
    assert project.stack in json.dumps(r) and "CREATE_COMPLETE" in json.dumps(r)
    cloud.lamina("delete", "--no-prompts", cwd=project.folder)


def test_deploy_that_fails(cloud, tmp_path):
    name = unique("/taken")
    cloud.logs.create_log_group(logGroupName=name)
    (tmp_path / "template.yaml").write_text(
        "Resources:\n  Group:\n    Type: AWS::Logs::LogGroup\n    Properties: {LogGroupName: %s}\n" % name
    )
    stack = unique("stack")
    r = cloud.lamina("deploy", "--stack-name", stack, "--no-confirm-changeset", cwd=tmp_path, check=False)
    assert r.returncode == 1
    assert "Group" in r.stderr + r.stdout and "already exists" in r.stderr + r.stdout
    cloud.cfn.delete_stack(StackName=stack)


def test_deploy_without_a_parameter(cloud, project):
    r = cloud.lamina("deploy", "--parameter-overrides", "TkProject=x", cwd=project.folder, check=False)
    assert r.returncode == 1
    assert "TkApiKey" in r.stderr


def test_deploy_without_a_cloud(project):
    r = lamina("deploy", "--endpoint", "http://127.0.0.1:1", cwd=project.folder, check=False)
    assert r.returncode == 1
    assert "127.0.0.1:1" in r.stderr


def test_real_aws_is_never_the_target_by_accident(project):
    """With credentials of a real account in the environment and no cloud running, nothing leaves."""
    r = lamina(
        "list", "stacks", cwd=project.folder, check=False, AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE",
        AWS_SECRET_ACCESS_KEY="x" * 40, HTTPS_PROXY="http://127.0.0.1:1", https_proxy="http://127.0.0.1:1",
        LAMINA_PORT="1",
    )
    assert "amazonaws.com" not in r.stderr


# ---- list, invoke, logs ---------------------------------------------------------------------------------


def test_list(cloud, deployed):
    text = cloud.lamina("list", "functions", cwd=deployed.folder).stdout
    assert deployed.main in text
    assert deployed.stack in cloud.lamina("list", "stacks", cwd=deployed.folder).stdout
    resources = cloud.lamina("list", "resources", cwd=deployed.folder).stdout
    assert "MainFunction" in resources and "AWS::Lambda::Function" in resources
    outputs = cloud.lamina("list", "outputs", cwd=deployed.folder).stdout
    assert "MainFunctionArn" in outputs
    for what in ("functions", "stacks", "resources", "outputs"):
        json.loads(cloud.lamina("list", what, "--json", cwd=deployed.folder).stdout)


def test_invoke(cloud, deployed):
    folder = deployed.folder
    for name in ("MainFunction", deployed.main):
        r = cloud.lamina("invoke", name, "-e", "events/order.json", cwd=folder)
        assert json.loads(r.stdout)["body"]["total"] == 26
    r = cloud.lamina("invoke", "MainFunction", "-e", "-", cwd=folder, input='{"items": []}')
    assert json.loads(r.stdout)["statusCode"] == 200
    r = cloud.lamina("invoke", "MainFunction", "-e", "events/order.json", "--log", cwd=folder)
    assert "REPORT RequestId: " in r.stderr + r.stdout


def test_invoke_of_a_function_that_fails(cloud, deployed):
    r = cloud.lamina("invoke", "MainFunction", "--payload", "{}", cwd=deployed.folder, check=False)
    assert r.returncode == 1
    assert json.loads(r.stdout)["errorType"] == "KeyError"


def test_invoke_of_nothing(cloud, deployed):
    r = cloud.lamina("invoke", "NoSuchFunction", cwd=deployed.folder, check=False)
    assert r.returncode == 1
    assert r.stderr.startswith("lamina: invoke: ") and "NoSuchFunction" in r.stderr


def test_invoke_async(cloud, deployed):
    cloud.lamina("invoke", "MainFunction", "--async", "-e", "events/order.json", cwd=deployed.folder)
    assert any("REPORT" in m for m in cloud.log_events(deployed.main, 6))


def test_logs(cloud, deployed):
    cloud.lamina("invoke", "MainFunction", "-e", "events/order.json", cwd=deployed.folder)
    cloud.log_events(deployed.main, 6)
    text = cloud.lamina("logs", "MainFunction", cwd=deployed.folder).stdout
    assert "START RequestId: " in text and "REPORT RequestId: " in text and "SPAN {" in text
    text = cloud.lamina("logs", deployed.main, "--filter", "SPAN", cwd=deployed.folder).stdout
    assert "SPAN {" in text and "REPORT" not in text
    assert cloud.lamina("logs", "MainFunction", "--since", "1s", "--filter", "NothingLikeThis",
                        cwd=deployed.folder).stdout == ""


# ---- test -----------------------------------------------------------------------------------------------


def test_test(cloud, deployed, tmp_path):
    junit = tmp_path / "junit.xml"
    r = cloud.lamina("test", "--junit", junit, cwd=deployed.folder)
    assert "a cold start initialises once" in r.stdout
    suite = xml.parse(junit).getroot()
    cases = suite.findall(".//testcase")
    assert len(cases) >= 5 and suite.findall(".//failure") == []
    report = json.loads(cloud.lamina("test", "--json", cwd=deployed.folder).stdout)
    assert isinstance(report, (dict, list))


@pytest.mark.parametrize(
    "expect",
    [
        "payload: {body: {total: 27}}",
        "payload_equals: {statusCode: 200}",
        "function_error: Unhandled",
        "status: 202",
        "paths: {$.body.total: {lt: 26}}",
        "paths: {$.body.status: {type: number}}",
        "paths: {$.body.trace_id: {matches: '^x'}}",
        "paths: {$.no.such.thing: 1}",
        "max_memory_used: {lt: 1}",
        "duration: {gt: 100000}",
        "logs: [no such line]",
        "cold: false",
    ],
)
def test_an_expectation_that_is_not_met(cloud, deployed, expect):
    (deployed.folder / "wrong.yaml").write_text(
        "cases:\n  - name: wrong\n    function: MainFunction\n    payload_file: events/order.json\n"
        "    cold: true\n    expect:\n      %s\n" % expect
    )
    r = cloud.lamina("test", "wrong.yaml", cwd=deployed.folder, check=False)
    assert r.returncode == 1, r.stdout
    assert "wrong" in r.stdout + r.stderr


def test_a_handled_error_is_no_success(cloud, deployed):
    (deployed.folder / "wrong.yaml").write_text(
        "cases:\n  - name: wrong\n    function: MainFunction\n    payload: {}\n"
    )
    assert cloud.lamina("test", "wrong.yaml", cwd=deployed.folder, check=False).returncode == 1


@pytest.mark.parametrize(
    "text, word",
    [("cases:\n  - nam: x\n", "nam"), ("cases: 3\n", "cases"), ("cases:\n  - {name: [\n", "wrong.yaml")],
)
def test_a_test_file_that_is_wrong(cloud, deployed, text, word):
    (deployed.folder / "wrong.yaml").write_text(text)
    r = cloud.lamina("test", "wrong.yaml", cwd=deployed.folder, check=False)
    assert r.returncode in (1, 2)
    assert "wrong.yaml" in r.stderr and word in r.stderr


# ---- delete ---------------------------------------------------------------------------------------------


def test_delete_leaves_nothing(cloud, project):
    cloud.lamina("deploy", cwd=project.folder)
    cloud.lamina("invoke", "MainFunction", "-e", "events/order.json", cwd=project.folder)
    cloud.log_events(project.main, 6)
    roles = {r["RoleName"] for r in cloud.iam.list_roles()["Roles"] if project.mark in r["RoleName"]}
    assert len(roles) == 2
    r = cloud.lamina("delete", "--no-prompts", cwd=project.folder)
    assert "0 left" in r.stdout
    assert cloud.logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/" + project.mark)["logGroups"] == []
    assert project.main not in [f["FunctionName"] for f in cloud.lambda_.list_functions()["Functions"]]
    assert project.mark not in str(cloud.iam.list_roles()["Roles"])
    assert project.mark not in str(cloud.lambda_.list_layers()["Layers"])
    assert cloud.lamina("delete", "--no-prompts", cwd=project.folder, check=False).returncode in (0, 1)


# ---- init -------------------------------------------------------------------------------------------------


def test_init(cloud, tmp_path):
    name = unique("hello")
    lamina("init", name, cwd=tmp_path)
    folder = tmp_path / name
    lamina("validate", cwd=folder)
    lamina("build", cwd=folder)
    cloud.lamina("deploy", cwd=folder)
    cloud.lamina("test", cwd=folder)
    cloud.lamina("delete", "--no-prompts", cwd=folder)
    assert lamina("init", name, cwd=tmp_path, check=False).returncode == 1  # nothing is overwritten


# ---- the template that the first user brought -----------------------------------------------------------------

SEED = """AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Description: SDK Lambda Testing Infrastructure

Parameters:
  ApiKey:
    Type: String
    Description: API Key
    NoEcho: true

  Project:
    Type: String
    Description: Project Name
    Default: lambda-ci-test

Resources:
  LambdaTest:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: {mark}-lambda-test
      Runtime: python3.11
      Handler: working_sdk_test.lambda_handler
      CodeUri: ../lambda_functions/
      MemorySize: 512
      Timeout: 30
      Environment:
        Variables:
          API_KEY: !Ref ApiKey
          PROJECT: !Ref Project
          TEST_MODE: "false"  # Real API testing
      Layers:
        - !Ref SDKLayer

  SDKLayer:
    Type: AWS::Serverless::LayerVersion
    Properties:
      LayerName: {mark}-sdk-layer
      ContentUri: ./layer/
      CompatibleRuntimes:
        - python3.11
      RetentionPolicy: Delete

Outputs:
  LambdaTestArn:
    Value: !GetAtt LambdaTest.Arn
"""


def test_a_project_with_code_beside_it_and_a_layer_that_is_built_already(cloud, tmp_path):
    mark = unique("seed")
    (tmp_path / "lambda_functions").mkdir()
    (tmp_path / "lambda_functions" / "working_sdk_test.py").write_text(
        "import os, sdk\n"
        "def lambda_handler(event, context):\n"
        "    return {'statusCode': 200, 'body': [sdk.name, os.environ['PROJECT'], os.environ['TEST_MODE']]}\n"
    )
    folder = tmp_path / "aws-deployment"
    (folder / "layer" / "python").mkdir(parents=True)
    (folder / "layer" / "python" / "sdk.py").write_text("name = 'sdk'\n")
    (folder / "template.yaml").write_text(SEED.replace("{mark}", mark))
    lamina("build", "--parallel", cwd=folder)
    cloud.lamina(
        "deploy", "--stack-name", mark, "--no-confirm-changeset", "--resolve-s3",
        "--capabilities", "CAPABILITY_IAM", "--parameter-overrides", "ApiKey=secret Project=mine",
        cwd=folder,
    )
    try:
        r = cloud.aws(
            "lambda", "invoke", "--function-name", mark + "-lambda-test", "--payload",
            '{"test_type": "ci_validation"}', "--cli-binary-format", "raw-in-base64-out", "out.json",
            cwd=folder,
        )
        assert json.loads(r.stdout) == {"StatusCode": 200, "ExecutedVersion": "$LATEST"}
        text = (folder / "out.json").read_text()
        assert '"statusCode": 200' in text
        assert json.loads(text)["body"] == ["sdk", "mine", "false"]
        r = cloud.aws("lambda", "get-function", "--function-name", mark + "-lambda-test")
        assert json.loads(r.stdout)["Configuration"]["FunctionArn"].split(":")[4] == ACCOUNT
    finally:
        cloud.lamina("delete", "--stack-name", mark, "--no-prompts", cwd=folder)
