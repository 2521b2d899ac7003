"""A policy derived from a run lets that run through and nothing else; simulate says beforehand what
really is denied afterwards. Everything here is asked with policies enforced."""

import json
import random
import re
import time

import pytest

from cloud import ACCOUNT, REGION, SOON, lamina, unique
from conftest import empty_bucket

TEMPLATE = """
AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: app.handler
      CodeUri: app/
  Group:
    Type: AWS::Logs::LogGroup
    Properties: {RetentionInDays: 3}
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    ],
}


@pytest.fixture(scope="module")
def own(request):
    """A cloud of this file's own: SAM's bucket comes and goes with each run."""
    from cloud import Cloud

    cloud = Cloud(["--iam", "enforce"]).start()
    yield cloud
    cloud.stop()


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("policy")
    (folder / "app").mkdir()
    (folder / "app" / "app.py").write_text("def handler(event, context):\n    return {'ok': 1}\n")
    (folder / "template.yaml").write_text(TEMPLATE)
    lamina("build", cwd=folder)
    return folder


RUN = (
    ("deploy", "--stack-name", "app", "--resolve-s3", "--capabilities", "CAPABILITY_IAM"),
    ("invoke", "Hello", "--stack-name", "app"),
    ("logs", "Hello", "--stack-name", "app"),
    ("delete", "--stack-name", "app", "--no-prompts"),
)


def written(cloud):
    """The function has a log group: its lines are written after its answer."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if cloud.logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/app-Hello")["logGroups"]:
            return
    raise AssertionError("no log group")


def run_all(cloud, folder, env=None):
    """The first step that fails, and what it says; None when all went well."""
    for step in RUN:
        if step[0] == "logs":
            written(cloud)
        r = cloud.lamina(*step, cwd=folder, check=False, **(env or {}))
        if r.returncode:
            return step[0], r.stdout + r.stderr
    return None


@pytest.fixture(scope="module")
def recorded(own, project):
    """The run, recorded as root; and the policy made of it."""
    own.lamina("policy", "record", "--start", cwd=project)
    assert run_all(own, project) is None
    own.lamina("policy", "record", "--stop", "-o", "run.json", cwd=project)
    own.lamina("policy", "derive", "--from", "run.json", "--principal", "*:root", "--generated", "-o",
               "run-policy.json", cwd=project)
    record = json.loads((project / "run.json").read_text())
    return (
        [d for d in record["decisions"] if d["principalType"] == "root"],
        json.loads((project / "run-policy.json").read_text()),
    )


class Role:
    def __init__(self, cloud):
        self.cloud = cloud
        self.name = unique("ci")
        self.arn = cloud.iam.create_role(
            RoleName=self.name, AssumeRolePolicyDocument=json.dumps(TRUST)
        )["Role"]["Arn"]

    def may(self, policy):
        self.cloud.iam.put_role_policy(
            RoleName=self.name, PolicyName="p", PolicyDocument=json.dumps(policy)
        )

    def env(self):
        c = self.cloud.sts.assume_role(RoleArn=self.arn, RoleSessionName="sess")["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": c["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": c["SecretAccessKey"],
            "AWS_SESSION_TOKEN": c["SessionToken"],
        }


@pytest.fixture
def role(own):
    return Role(own)


def clean(cloud, folder):
    """As root: whatever a run left behind."""
    cloud.lamina("delete", "--stack-name", "app", "--no-prompts", cwd=folder, check=False)
    for group in cloud.logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/app-")["logGroups"]:
        cloud.logs.delete_log_group(logGroupName=group["logGroupName"])
    managed = "aws-sam-cli-managed-default"
    for b in cloud.s3.list_buckets()["Buckets"]:
        if b["Name"].startswith(managed):
            empty_bucket(cloud.s3, b["Name"])
    cloud.cfn.delete_stack(StackName=managed)
    cloud.cfn.get_waiter("stack_delete_complete").wait(StackName=managed, WaiterConfig=SOON)


def without(policy, action):
    statements = []
    for s in policy["Statement"]:
        actions = s["Action"] if isinstance(s["Action"], list) else [s["Action"]]
        left = [a for a in actions if a != action]
        if left:
            statements.append(dict(s, Action=left))
    return dict(policy, Statement=statements)


def actions_of(policy):
    found = set()
    for s in policy["Statement"]:
        found.update(s["Action"] if isinstance(s["Action"], list) else [s["Action"]])
    return sorted(found)


def test_the_policy_lets_exactly_the_run_through(own, project, recorded, role):
    decisions, policy = recorded
    role.may(policy)
    own.lamina("policy", "record", "--start", cwd=project)
    failure = run_all(own, project, role.env())
    own.lamina("policy", "record", "--stop", "-o", "again.json", cwd=project)
    clean(own, project)
    assert failure is None
    again = json.loads((project / "again.json").read_text())["decisions"]
    assert all(d["allowed"] for d in again)
    assert {d["action"] for d in decisions} == set(actions_of(policy))
    assert not any("*" == r for s in policy["Statement"] for r in [s["Resource"]])


def test_simulate_misses_each_action_that_is_taken_out(project, recorded):
    decisions, policy = recorded
    for action in actions_of(policy):
        (project / "less.json").write_text(json.dumps(without(policy, action)))
        r = lamina("policy", "simulate", "-f", "less.json", "--from", "run.json", "--principal",
                   "*:root", "--json", cwd=project, check=False)
        assert r.returncode == 1
        denied = {x["action"] for x in json.loads(r.stdout)["results"] if x["decision"] != "allowed"}
        assert denied == {action}


# What lamina goes on without: it looks whether something is there, and takes a denial for "no".
SOFT = {
    "lambda:GetLayerVersion", "logs:DescribeLogGroups", "s3:ListBucket", "iam:GetRole",
    "cloudformation:DescribeStackResources", "cloudformation:DescribeStackResource",
    "cloudformation:GetTemplate", "lambda:ListAliases", "lambda:ListVersionsByFunction",
    "lambda:GetFunction", "cloudformation:DescribeStackEvents",
    # what a deployment's record tells of a function, where it may be seen
    "lambda:ListTags", "lambda:ListFunctionEventInvokeConfigs", "lambda:ListFunctionUrlConfigs",
    "lambda:ListProvisionedConcurrencyConfigs", "lambda:GetPolicy",
    "lambda:GetFunctionRecursionConfig",
}


def test_without_an_action_the_run_fails_at_that_call(own, project, recorded, role):
    _, policy = recorded
    hard = [a for a in actions_of(policy) if a not in SOFT]
    for action in random.Random(6).sample(hard, 4) + ["iam:PassRole"]:
        role.may(without(policy, action))
        own.lamina("policy", "record", "--start", cwd=project)
        failure = run_all(own, project, role.env())
        own.lamina("policy", "record", "--stop", "-o", "short-run.json", cwd=project)
        clean(own, project)
        assert failure is not None, action
        decisions = json.loads((project / "short-run.json").read_text())["decisions"]
        denied = {d["action"] for d in decisions if not d["allowed"]}
        # why SAM's stack failed is asked for only then
        assert denied - {"cloudformation:DescribeStackEvents"} == {action}, failure


def test_nothing_beyond_is_allowed(project, recorded):
    _, policy = recorded
    arn = "arn:aws:%s:" + REGION + ":" + ACCOUNT + ":%s"
    beyond = [
        ("lambda:InvokeFunction", arn % ("lambda", "function:other")),
        ("lambda:UpdateFunctionCode", arn % ("lambda", "function:app-Hello-abcdefghijkl")),
        ("lambda:DeleteFunction", "arn:aws:lambda:%s:111111111111:function:app-Hello-x" % REGION),
        ("iam:PutRolePolicy", "arn:aws:iam::%s:role/app-HelloRole-abcdefghijkl" % ACCOUNT),
        ("iam:PassRole", "arn:aws:iam::%s:role/admin" % ACCOUNT),
        # a role of the stack, passed on to somebody else
        ("iam:PassRole", "arn:aws:iam::%s:role/app-HelloRole-abcdefghijkl" % ACCOUNT),
        ("s3:GetObject", "arn:aws:s3:::somebody/secret"),
        ("cloudformation:DeleteStack", arn % ("cloudformation", "stack/other/1")),
        ("sts:AssumeRole", "arn:aws:iam::%s:role/admin" % ACCOUNT),
    ]
    for action, resource in beyond:
        r = lamina("policy", "simulate", "-f", "run-policy.json", "--action", action, "--resource",
                   resource, "--context", "iam:PassedToService=ec2.amazonaws.com", cwd=project,
                   check=False)
        assert r.returncode == 1, (action, resource, r.stdout)


def test_the_template_knows_what_the_deployment_takes(own, project, recorded, role):
    lamina("policy", "derive", "template.yaml", "--stack-name", "app", "-o", "ci.json", cwd=project)
    policy = json.loads((project / "ci.json").read_text())
    policy["Statement"].append(
        {
            "Effect": "Allow",
            "Action": ["lambda:InvokeFunction", "logs:FilterLogEvents"],
            "Resource": "*",
        }
    )
    role.may(policy)
    failure = run_all(own, project, role.env())
    clean(own, project)
    assert failure is None


# What a CI user got from somebody who wrote down what came to mind.
BY_HAND = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "lambda:CreateFunction", "lambda:DeleteFunction", "lambda:GetFunction",
                "lambda:InvokeFunction", "lambda:UpdateFunctionCode",
                "lambda:UpdateFunctionConfiguration", "lambda:ListVersionsByFunction",
            ],
            "Resource": "arn:aws:lambda:us-east-1:*:function:app-*",
        },
        {
            "Effect": "Allow",
            "Action": [
                "iam:CreateRole", "iam:DeleteRole", "iam:GetRole", "iam:PassRole",
                "iam:AttachRolePolicy", "iam:DetachRolePolicy",
            ],
            "Resource": "arn:aws:iam::*:role/app-*",
        },
        {
            "Effect": "Allow",
            "Action": [
                "cloudformation:CreateStack", "cloudformation:DeleteStack",
                "cloudformation:UpdateStack", "cloudformation:DescribeStacks",
                "cloudformation:DescribeStackEvents", "cloudformation:GetTemplate",
            ],
            "Resource": "arn:aws:cloudformation:us-east-1:*:stack/app*",
        },
        {
            "Effect": "Allow",
            "Action": ["s3:CreateBucket", "s3:GetObject", "s3:PutObject", "s3:ListBucket"],
            "Resource": ["arn:aws:s3:::aws-sam-cli-managed-*", "arn:aws:s3:::aws-sam-cli-managed-*/*"],
        },
    ],
}


def test_a_policy_by_hand_is_denied_what_simulate_said(own, project, recorded, role):
    """Each denial in reality was foretold; given what is missing, one by one, the run gets through."""
    (project / "hand.json").write_text(json.dumps(BY_HAND))
    r = lamina("policy", "simulate", "-f", "hand.json", "--template", "template.yaml", "--stack-name",
               "app", "--json", cwd=project, check=False)
    assert r.returncode == 1
    told = [x for x in json.loads(r.stdout)["results"] if x["decision"] != "allowed"]
    assert {"cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet"} <= {
        x["action"] for x in told
    }
    assert "iam:PassRole" not in {x["action"] for x in told}
    role.may(BY_HAND)
    failure = run_all(own, project, role.env())
    clean(own, project)
    assert failure and failure[0] == "deploy"
    denied = set(re.findall(r"not authorized to perform: ([\w:-]+)", failure[1]))
    assert denied and denied <= {x["action"] for x in told}
    # the same run once more by record: what simulate foretells of it is what the cloud decides
    own.lamina("policy", "record", "--start", cwd=project)
    run_all(own, project, role.env())
    own.lamina("policy", "record", "--stop", "-o", "hand-run.json", cwd=project)
    clean(own, project)
    record = json.loads((project / "hand-run.json").read_text())["decisions"]
    real = {(d["action"], d["resource"]): d["allowed"] for d in record if d["principal"] == role.arn}
    r = lamina("policy", "simulate", "-f", "hand.json", "--from", "hand-run.json", "--principal",
               role.arn, "--json", cwd=project, check=False)
    said = {
        (x["action"], x["resource"]): x["decision"] == "allowed"
        for x in json.loads(r.stdout)["results"]
    }
    assert said == real and not all(real.values())
