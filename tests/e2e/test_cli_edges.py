"""The verbs where things are unusual: precedence of settings, failures, what others have removed."""

import json
import re
import signal
import subprocess
import threading

import pytest

from cloud import LAMINA, environ, lamina, unique

GROUP = "Resources:\n  A: {Type: AWS::Logs::LogGroup}\n"
FUNCTION = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Key: {Type: String, NoEcho: true}
  Other: {Type: String, Default: none}
Resources:
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: app.handler
      CodeUri: f/
      Environment: {Variables: {KEY: !Ref Key, OTHER: !Ref Other}}
Outputs:
  Name: {Value: !Ref Fn}
"""
APP = "import os\ndef handler(event, context):\n    return [os.environ['KEY'], os.environ['OTHER']]\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "app.py").write_text(APP)
    (tmp_path / "template.yaml").write_text(FUNCTION)
    return tmp_path


@pytest.fixture
def name(cloud):
    name = unique("cli")
    yield name
    cloud.lamina("delete", "--stack-name", name, "--no-prompts", check=False)


def answer(cloud, stack, **options):
    return json.loads(cloud.lamina("invoke", "Fn", "--stack-name", stack, **options).stdout)


# ---- parameters ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("words, values", [
    (["Key=a Other=b"], ["a", "b"]),
    (["Key=a", "Other=b"], ["a", "b"]),
    (["Key='two words' Other=\"x=y\""], ["two words", "x=y"]),
    (["ParameterKey=Key,ParameterValue=a", "ParameterKey=Other,ParameterValue=b,c"], ["a", "b,c"]),
    (["Key=env:SECRET", "Other=file://value"], ["of the environment", "of the file"]),
    (["Key=a Key=b"], ["b", "none"]),
])
def test_forms_of_parameters(cloud, folder, name, words, values):
    (folder / "value").write_text("of the file\n")
    cloud.lamina("deploy", "--stack-name", name, "--capabilities", "CAPABILITY_IAM",
                 "--parameter-overrides", *words, cwd=folder, SECRET="of the environment")
    assert answer(cloud, name) == values


@pytest.mark.parametrize("words, code, message", [
    ([], 1, "template.yaml:4: a parameter without a value and without a default: Key"),
    (["--parameter-overrides", "Key"], 2, 'parameter "Key" is not of the form NAME=VALUE'),
    (["--parameter-overrides", "Key=env:NO_SUCH_ONE"], 1, "the environment has no NO_SUCH_ONE"),
    (["--parameter-overrides", "Key=file:///no/such"], 1, "/no/such: No such file or directory"),
])
def test_parameters_that_are_wrong_send_nothing(cloud, folder, name, words, code, message):
    r = cloud.lamina("deploy", "--stack-name", name, "--capabilities", "CAPABILITY_IAM", *words,
                     cwd=folder, check=False)
    assert r.returncode == code and message in r.stderr
    assert len([l for l in r.stderr.splitlines() if l.startswith("lamina:")]) == 1
    assert name not in cloud.lamina("list", "stacks", "--json").stdout


# ---- samconfig -------------------------------------------------------------------------------------------


def test_precedence_of_settings(cloud, folder):
    (folder / "samconfig.toml").write_text("""version = 0.1
[default.global.parameters]
stack_name = "of-global"
region = "eu-west-1"
[default.outputs.parameters]
stack_name = "of-command"
[other.global.parameters]
stack_name = "of-other"
""")

    def asked(*words, **env):
        return re.search("id (\\S+) does not exist",
                         cloud.lamina("outputs", *words, cwd=folder, check=False, **env).stderr)[1]

    assert asked() == "of-command"
    assert asked("--stack-name", "of-flag") == "of-flag"
    assert asked("--config-env", "other") == "of-other"
    assert asked(SAM_CONFIG_ENV="other") == "of-other"
    (folder / "samconfig.toml").write_text(
        (folder / "samconfig.toml").read_text().replace("default.outputs", "default.deploy"))
    assert asked() == "of-global"


def test_the_regions_precedence(cloud, tmp_path):
    (tmp_path / "template.yaml").write_text(GROUP)
    (tmp_path / "samconfig.toml").write_text(
        'version = 0.1\n[default.global.parameters]\nregion = "eu-west-1"\nstack_name = "%s"\n'
        % unique("reg"))

    def region(*words, **env):
        cloud.lamina("deploy", *words, cwd=tmp_path, **env)
        r = json.loads(cloud.lamina("list", "stacks", "--json", *words, cwd=tmp_path, **env).stdout)
        cloud.lamina("delete", "--no-prompts", *words, cwd=tmp_path, **env)
        return {s["stackId"].split(":")[3] for s in r}

    nothing = {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}
    assert region(**nothing) == {"eu-west-1"}
    assert region(AWS_REGION="eu-west-2", AWS_DEFAULT_REGION="") == {"eu-west-2"}
    assert region("--region", "eu-west-3", AWS_REGION="eu-west-2") == {"eu-west-3"}


def test_keys_of_samconfig(cloud, folder, name):
    (folder / "samconfig.toml").write_text("""version = 0.1
[default.deploy.parameters]
capabilities = "CAPABILITY_IAM"
parameter_overrides = "Key=\\"of the file\\""
notification_arns = ["arn:aws:sns:us-east-1:000000000000:t"]
resolve_s3 = true
stack_nam = "x"
""")
    r = cloud.lamina("deploy", "--stack-name", name, cwd=folder)
    assert 'samconfig.toml:5: unsupported key "notification_arns" is ignored' in r.stderr
    assert 'samconfig.toml:7: unknown key "stack_nam" is ignored' in r.stderr
    assert answer(cloud, name, cwd=folder) == ["of the file", "none"]
    # The flag replaces the list of the file.
    cloud.lamina("deploy", "--stack-name", name, "--parameter-overrides", "Other=o", cwd=folder)
    assert answer(cloud, name, cwd=folder) == ["of the file", "o"]
    r = cloud.lamina("deploy", "--stack-name", name, "--config-env", "nope", cwd=folder, check=False)
    assert r.returncode == 1 and "samconfig.toml has no section [nope]" in r.stderr


# ---- deploy and delete ---------------------------------------------------------------------------------------


def test_a_deploy_that_fails_says_which_resource_and_why(cloud, tmp_path, name):
    (tmp_path / "template.yaml").write_text(
        GROUP + '  B: {Type: AWS::Logs::LogGroup, DependsOn: A, Properties: {LogGroupName: "/a*b"}}\n')
    r = cloud.lamina("deploy", "--stack-name", name, "--json", cwd=tmp_path, check=False)
    assert r.returncode == 1
    assert "is ROLLBACK_COMPLETE: B (AWS::Logs::LogGroup): " in r.stderr and "/a*b" in r.stderr
    r = cloud.lamina("deploy", "--stack-name", name, cwd=tmp_path, check=False)
    assert r.returncode == 1 and "lamina delete --stack-name " + name in r.stderr
    assert cloud.lamina("delete", "--stack-name", name, "--no-prompts").stdout.endswith("0 left\n")


def test_delete_of_what_others_have_removed(cloud, folder, name):
    cloud.lamina("deploy", "--stack-name", name, "--capabilities", "CAPABILITY_IAM",
                 "--parameter-overrides", "Key=a", cwd=folder)
    answer(cloud, name)
    function = json.loads(cloud.lamina("outputs", "--stack-name", name, "--json").stdout)["Name"]
    cloud.lambda_.delete_function(FunctionName=function)
    r = cloud.lamina("delete", "--stack-name", name, "--no-prompts")
    assert r.stdout.endswith("0 left\n") and "/aws/lambda/" + function in r.stdout
    r = json.loads(cloud.lamina("delete", "--stack-name", name, "--no-prompts", "--json").stdout)
    assert r == {"stackName": name, "removed": [], "left": []}


def test_delete_of_a_bucket_with_content_of_others(cloud, tmp_path, name):
    (tmp_path / "template.yaml").write_text("Resources:\n  B: {Type: AWS::S3::Bucket}\n")
    cloud.lamina("deploy", "--stack-name", name, cwd=tmp_path)
    (bucket,) = [r["physicalId"] for r in json.loads(
        cloud.lamina("list", "resources", "--stack-name", name, "--json").stdout)]
    cloud.s3.put_object(Bucket=bucket, Key="theirs", Body=b"x")
    r = cloud.lamina("delete", "--stack-name", name, "--no-prompts", check=False)
    assert r.returncode == 1 and "LEFT     AWS::S3::Bucket" in r.stdout and "not empty" in r.stderr
    assert cloud.s3.get_object(Bucket=bucket, Key="theirs")["Body"].read() == b"x"
    cloud.s3.delete_object(Bucket=bucket, Key="theirs")
    assert cloud.lamina("delete", "--stack-name", name, "--no-prompts").stdout.endswith("0 left\n")


def test_delete_leaves_a_log_group_that_functions_share(cloud, folder, name):
    shared = unique("/shared")
    cloud.logs.create_log_group(logGroupName=shared)
    (folder / "template.yaml").write_text(FUNCTION.replace(
        "      Runtime", "      LoggingConfig: {LogGroup: %s}\n      Runtime" % shared))
    cloud.lamina("deploy", "--stack-name", name, "--capabilities", "CAPABILITY_IAM",
                 "--parameter-overrides", "Key=a", cwd=folder)
    r = cloud.lamina("delete", "--stack-name", name, "--no-prompts")
    assert r.stdout.endswith("0 left\n") and shared + ", which stays" in r.stderr
    cloud.logs.delete_log_group(logGroupName=shared)


def test_delete_of_a_stack_in_review(cloud, tmp_path, name):
    (tmp_path / "template.yaml").write_text(GROUP)
    cloud.lamina("deploy", "--stack-name", name, "--no-execute-changeset", cwd=tmp_path)
    assert "REVIEW_IN_PROGRESS" in cloud.lamina("list", "stacks").stdout
    assert cloud.lamina("delete", "--stack-name", name, "--no-prompts").stdout.endswith("0 left\n")


def test_delete_of_many_uploads(cloud, tmp_path, name):
    """More objects than a page of a listing holds."""
    bucket = unique("uploads")
    cloud.s3.create_bucket(Bucket=bucket)
    for i in range(1003):
        cloud.s3.put_object(Bucket=bucket, Key="%s/%04d" % (name, i), Body=b"")
    cloud.s3.put_object(Bucket=bucket, Key=name + "-of-others", Body=b"")
    r = cloud.lamina("delete", "--stack-name", name, "--s3-bucket", bucket, "--no-prompts")
    assert r.stdout.endswith("0 left\n")
    keys = [o["Key"] for o in cloud.s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys == [name + "-of-others"]
    cloud.s3.delete_object(Bucket=bucket, Key=keys[0])
    cloud.s3.delete_bucket(Bucket=bucket)


# ---- never AWS by accident ---------------------------------------------------------------------------------------


AMAZON = "https://cloudformation.us-east-1.amazonaws.com"


@pytest.mark.parametrize("env", [
    {"AWS_ENDPOINT_URL": AMAZON},
    {"AWS_ENDPOINT_URL_CLOUDFORMATION": AMAZON},
    {"AWS_ENDPOINT_URL": "https://vpce-1.cloudformation.us-east-1.vpce.AMAZONAWS.com/"},
    {"AWS_PROFILE": "work"},
])
def test_an_address_of_amazon_needs_target_aws(tmp_path, env):
    (tmp_path / "config").write_text("[profile work]\nregion = eu-west-1\nendpoint_url = %s\n" % AMAZON)
    r = lamina("list", "stacks", check=False, **dict(env, AWS_CONFIG_FILE=str(tmp_path / "config")))
    assert r.returncode == 1 and "is AWS itself: give --target aws" in r.stderr


def test_target_aws_without_credentials(tmp_path):
    (tmp_path / "template.yaml").write_text(GROUP)
    env = environ(HOME=str(tmp_path))
    for k in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del env[k]
    r = subprocess.run([LAMINA, "deploy", "--stack-name", "x", "--target", "aws"], env=env,
                       cwd=tmp_path, stderr=subprocess.PIPE, universal_newlines=True)
    assert r.returncode == 1 and r.stderr.startswith("lamina: deploy: no credentials: ")


# ---- interruption ---------------------------------------------------------------------------------------------------


def start(cloud, *words, cwd):
    return subprocess.Popen([LAMINA, *words], cwd=cwd, stdout=subprocess.PIPE, universal_newlines=True,
                            stderr=subprocess.PIPE, env=environ(AWS_ENDPOINT_URL=cloud.url))


def test_ctrl_c_ends_logs_that_go_on(cloud, folder, name):
    cloud.lamina("deploy", "--stack-name", name, "--capabilities", "CAPABILITY_IAM",
                 "--parameter-overrides", "Key=a", cwd=folder)
    answer(cloud, name)
    p = start(cloud, "logs", "Fn", "--stack-name", name, "--tail", cwd=folder)
    seen = []
    while not seen or "REPORT" not in seen[-1]:
        seen.append(p.stdout.readline())
        assert seen[-1], p.stderr.read()
    answer(cloud, name)  # and goes on
    while sum("REPORT" in line for line in seen) < 2:
        seen.append(p.stdout.readline())
        assert seen[-1], p.stderr.read()
    p.send_signal(signal.SIGINT)
    p.communicate(timeout=5)
    assert p.returncode in (0, 130, -signal.SIGINT)
    ids = [line for line in seen if "START RequestId" in line]
    assert len(ids) == len(set(ids)) == 2


def test_ctrl_c_puts_descriptions_back(cloud, folder, name):
    (folder / "f" / "app.py").write_text("import time\ndef handler(event, context):\n    time.sleep(20)\n")
    (folder / "template.yaml").write_text(
        FUNCTION.replace("      Runtime", "      Timeout: 30\n      Description: mine\n      Runtime"))
    cloud.lamina("deploy", "--stack-name", name, "--capabilities", "CAPABILITY_IAM",
                 "--parameter-overrides", "Key=a", cwd=folder)
    function = json.loads(cloud.lamina("outputs", "--stack-name", name, "--json").stdout)["Name"]
    (folder / "tests.yaml").write_text("cases: [{name: a, function: Fn, cold: true}]\n")
    p = start(cloud, "test", "--stack-name", name, cwd=folder)

    def description():
        return cloud.lambda_.get_function_configuration(FunctionName=function)["Description"]

    try:
        waiting = threading.Event()
        for _ in range(500):
            if description() != "mine":
                break
            waiting.wait(0.01)
        assert description() != "mine"
        p.send_signal(signal.SIGINT)
        p.communicate(timeout=5)
    finally:
        p.kill()
    assert p.returncode not in (0, -signal.SIGKILL)
    assert description() == "mine"


# ---- validate ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line, text, message", [
    (2, "Parameters:\n  P: {Type: Strin}\n" + GROUP,
     'unknown type "Strin" of parameter "P" (did you mean String?)'),
    (3, "Resources:\n  A:\n    Type: AWS::Logs::LogGrop\n",
     'unknown resource type "AWS::Logs::LogGrop" (did you mean AWS::Logs::LogGroup?)'),
    (4, "Resources:\n  A:\n    Type: AWS::Logs::LogGroup\n    Propertis: {}\n",
     'unknown attribute "Propertis" of resource "A" (did you mean Properties?)'),
    (5, "Resources:\n  A:\n    Type: AWS::Logs::LogGroup\n    Properties:\n      RetentionInDay: 1\n",
     'unknown property "RetentionInDay" of AWS::Logs::LogGroup (did you mean RetentionInDays?)'),
    (2, "Resources:\n  A: {Type: AWS::Logs::LogGroup, DependsOn: [B]}\n  BB: {Type: AWS::Logs::LogGroup}\n",
     'DependsOn "B", which is no resource'),
    (3, "Resources:\n  A: {Type: AWS::Logs::LogGroup\n", "YAML not well-formed"),
])
def test_validate(tmp_path, line, text, message):
    (tmp_path / "t.yaml").write_text(text)
    r = lamina("validate", "-t", "t.yaml", cwd=tmp_path, check=False)
    assert r.returncode == 1
    assert re.search("^lamina: validate: t.yaml:%d:.*%s" % (line, re.escape(message)), r.stderr, re.M)


# ---- a project whose parts are beside its template ----------------------------------------------------------------

SEED = """AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Description: functions that use a library from a layer

Parameters:
  ApiKey:
    Type: String
    NoEcho: true

  Project:
    Type: String
    Default: ci-test

Resources:
  MainFunction:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: {mark}-main
      Runtime: python3.11
      Handler: main.lambda_handler
      CodeUri: ../functions/
      MemorySize: 512
      Timeout: 30
      Environment:
        Variables:
          API_KEY: !Ref ApiKey
          PROJECT: !Ref Project
          TEST_MODE: "false"  # a comment
      Layers:
        - !Ref LibraryLayer

  LibraryLayer:
    Type: AWS::Serverless::LayerVersion
    Properties:
      LayerName: {mark}-layer
      ContentUri: ./layer/
      CompatibleRuntimes:
        - python3.11
        - python3.12
      RetentionPolicy: Delete

  ColdStartFunction:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: {mark}-cold
      Runtime: python3.11
      Handler: cold.lambda_handler
      CodeUri: ../functions/
      MemorySize: 256
      Timeout: 30
      Layers:
        - !Ref LibraryLayer

Outputs:
  MainArn:
    Value: !GetAtt MainFunction.Arn
  ColdArn:
    Value: !GetAtt ColdStartFunction.Arn
"""

SEED_CONFIG = """version = 0.1

[default.global.parameters]
stack_name = "{mark}-stack"

[default.build.parameters]
cached = true
parallel = true

[default.deploy.parameters]
capabilities = "CAPABILITY_IAM"
confirm_changeset = false
resolve_s3 = true
region = "us-east-1"
parameter_overrides = "Project=ci-test"

[default.sync.parameters]
watch = true

[default.local_start_api.parameters]
warm_containers = "EAGER"
"""


def test_the_job_of_a_pipeline(cloud, tmp_path):
    """build, deploy, invoke, delete, as a script of a pipeline writes them, in its folder."""
    mark = unique("seed")
    work = tmp_path / "deployment"
    (work / "layer" / "python" / "library").mkdir(parents=True)
    (work / "layer" / "python" / "library" / "__init__.py").write_text("VERSION = '1.2'\n")
    functions = tmp_path / "functions"
    functions.mkdir()
    (functions / "main.py").write_text(
        "import json, os, library\n"
        "def lambda_handler(event, context):\n"
        "    body = {'key': os.environ['API_KEY'], 'project': os.environ['PROJECT'],\n"
        "            'library': library.VERSION, 'event': event}\n"
        "    return {'statusCode': 200, 'body': json.dumps(body)}\n")
    (functions / "cold.py").write_text(
        "import library\nN = 0\ndef lambda_handler(event, context):\n"
        "    global N\n    N += 1\n    return {'statusCode': 200, 'cold': N == 1}\n")
    (work / "template.yaml").write_text(SEED.replace("{mark}", mark))
    (work / "samconfig.toml").write_text(SEED_CONFIG.replace("{mark}", mark))
    cloud.lamina("build", "--parallel", cwd=work)
    deploy = ["deploy", "--no-confirm-changeset", "--no-fail-on-empty-changeset",
              "--parameter-overrides", "ApiKey=k-123 Project=of-ci"]
    r = cloud.lamina(*deploy, cwd=work)
    assert "unknown key" not in r.stderr
    assert ":function:%s-main" % mark in r.stdout
    assert "nothing to change" in cloud.lamina(*deploy, cwd=work).stderr
    out = tmp_path / "response.json"
    cloud.aws("lambda", "invoke", "--function-name", mark + "-main", "--cli-binary-format",
              "raw-in-base64-out", "--payload", '{"test_type": "ci"}', out)
    text = out.read_text()
    assert '"statusCode": 200' in text
    assert json.loads(json.loads(text)["body"]) == {
        "key": "k-123", "project": "of-ci", "library": "1.2", "event": {"test_type": "ci"}}
    cold = []
    for i in range(3):
        cloud.aws("lambda", "invoke", "--function-name", mark + "-cold", out)
        cold.append(json.loads(out.read_text())["cold"])
    assert cold == [True, False, False]
    assert cloud.lamina("delete", "--no-prompts", cwd=work).stdout.endswith("0 left\n")
    assert cloud.lambda_.list_layer_versions(LayerName=mark + "-layer")["LayerVersions"] == []
