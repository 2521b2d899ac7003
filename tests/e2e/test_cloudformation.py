"""Stacks and change sets through boto3: events, rollbacks, updates, exports, error texts."""

import json
import re

import pytest

from cloud import ACCOUNT, ID, REGION, RUNTIME, SOON, error_of, unique, zipped

ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "lambda.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
    },
}


def function(body="return 1", **properties):
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": dict(
            {
                "Runtime": RUNTIME,
                "Handler": "index.handler",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": "def handler(event, context):\n    %s\n" % body},
            },
            **properties
        ),
    }


def group(name=None, **more):
    properties = {"LogGroupName": name} if name else {}
    return {"Type": "AWS::Logs::LogGroup", "Properties": dict(properties, **more)}


class Stack:
    def __init__(self, cloud, name=None):
        self.cfn = cloud.cfn
        self.name = name or unique("stack")

    def body(self, template):
        if isinstance(template, str):
            return template
        if "Resources" not in template:
            template = {"Resources": template}
        return json.dumps(template)

    def create(self, template, wait="stack_create_complete", **options):
        options.setdefault("Capabilities", ["CAPABILITY_NAMED_IAM"])
        self.id = self.cfn.create_stack(
            StackName=self.name, TemplateBody=self.body(template), **options
        )["StackId"]
        if wait:
            self.wait(wait)
        return self

    def update(self, template, wait="stack_update_complete", **options):
        options.setdefault("Capabilities", ["CAPABILITY_NAMED_IAM"])
        self.cfn.update_stack(StackName=self.name, TemplateBody=self.body(template), **options)
        if wait:
            self.wait(wait)

    def delete(self):
        self.cfn.delete_stack(StackName=self.name)
        self.wait("stack_delete_complete")

    def wait(self, what):
        self.cfn.get_waiter(what).wait(
            StackName=self.name, WaiterConfig=SOON
        )

    def describe(self):
        return self.cfn.describe_stacks(StackName=self.name)["Stacks"][0]

    @property
    def outputs(self):
        return {o["OutputKey"]: o["OutputValue"] for o in self.describe().get("Outputs", [])}

    def resources(self):
        r = self.cfn.describe_stack_resources(StackName=self.name)["StackResources"]
        return {x["LogicalResourceId"]: x for x in r}

    def physical(self, logical):
        return self.resources()[logical]["PhysicalResourceId"]

    def events(self):
        """Oldest first."""
        pages = self.cfn.get_paginator("describe_stack_events").paginate(StackName=self.id)
        return [e for p in pages for e in p["StackEvents"]][::-1]


@pytest.fixture
def stack(cloud):
    stacks = []

    def make(name=None):
        stacks.append(Stack(cloud, name))
        return stacks[-1]

    yield make
    for s in stacks[::-1]:
        cloud.cfn.delete_stack(StackName=s.name)
        s.wait("stack_delete_complete")


def raise_wait(call, *args, **kwargs):
    from botocore.exceptions import WaiterError

    with pytest.raises(WaiterError) as e:
        call(*args, **kwargs)
    return e.value.last_response["Stacks"][0]["StackStatus"]


# ---- create and delete ---------------------------------------------------------------------------


def test_stack(cloud, stack):
    s = stack().create(
        {
            "Description": "a stack",
            "Parameters": {
                "Days": {"Type": "Number", "Default": 7},
                "Secret": {"Type": "String", "NoEcho": True},
            },
            "Resources": {"Group": group(RetentionInDays={"Ref": "Days"})},
            "Outputs": {
                "Name": {"Value": {"Ref": "Group"}, "Description": "its name"},
                "Arn": {"Value": {"Fn::GetAtt": "Group.Arn"}},
            },
        },
        Parameters=[{"ParameterKey": "Secret", "ParameterValue": "s3cret"}],
        Tags=[{"Key": "team", "Value": "x"}],
    )
    d = s.describe()
    assert (d["StackStatus"], d["Description"]) == ("CREATE_COMPLETE", "a stack")
    assert re.fullmatch(
        r"arn:aws:cloudformation:%s:%s:stack/%s/%s" % (REGION, ACCOUNT, s.name, ID), d["StackId"]
    )
    assert {p["ParameterKey"]: p["ParameterValue"] for p in d["Parameters"]} == {
        "Days": "7",
        "Secret": "****",
    }
    assert d["Tags"] == [{"Key": "team", "Value": "x"}]
    name = s.physical("Group")
    assert re.fullmatch(s.name + r"-Group-[A-Za-z0-9]{12,}", name)
    assert d["Outputs"][0]["Description"] == "its name" or d["Outputs"][1]["Description"] == "its name"
    assert s.outputs == {
        "Name": name,
        "Arn": "arn:aws:logs:%s:%s:log-group:%s:*" % (REGION, ACCOUNT, name),
    }
    (g,) = cloud.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert g["retentionInDays"] == 7

    events = [(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason")) for e in s.events()]
    assert events == [
        (s.name, "CREATE_IN_PROGRESS", "User Initiated"),
        ("Group", "CREATE_IN_PROGRESS", None),
        ("Group", "CREATE_IN_PROGRESS", "Resource creation Initiated"),
        ("Group", "CREATE_COMPLETE", None),
        (s.name, "CREATE_COMPLETE", None),
    ]

    s.delete()
    assert cloud.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"] == []
    assert error_of(cloud.cfn.describe_stacks, StackName=s.name) == (
        400,
        "ValidationError",
        "Stack with id %s does not exist" % s.name,
    )
    # By its id a deleted stack can still be seen.
    assert cloud.cfn.describe_stacks(StackName=s.id)["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
    assert s.events()[-1]["ResourceStatus"] == "DELETE_COMPLETE"


def test_deleting_nothing_is_fine(cloud):
    cloud.cfn.delete_stack(StackName="no-such-stack")


def test_a_function_of_a_stack(cloud, stack):
    s = stack().create(
        {
            "Role": ROLE,
            "Function": function("return event['n'] * 2"),
            "Version": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Function"}}},
            "Alias": {
                "Type": "AWS::Lambda::Alias",
                "Properties": {
                    "FunctionName": {"Ref": "Function"},
                    "FunctionVersion": {"Fn::GetAtt": "Version.Version"},
                    "Name": "live",
                },
            },
        }
    )
    name = s.physical("Function")
    assert re.fullmatch(s.name + r"-Function-[A-Za-z0-9]{12}", name)
    assert cloud.invoke(name, {"n": 4}).payload == 8
    assert cloud.invoke(name, {"n": 5}, Qualifier="live").payload == 10
    assert s.physical("Version") == s.physical("Alias").rpartition(":")[0] + ":1"
    tags = cloud.lambda_.list_tags(Resource=cloud.lambda_.get_function(FunctionName=name)["Configuration"]["FunctionArn"])
    assert tags["Tags"] == {
        "aws:cloudformation:stack-name": s.name,
        "aws:cloudformation:stack-id": s.id,
        "aws:cloudformation:logical-id": "Function",
    }


def test_order_of_resources(stack):
    s = stack().create(
        {
            "A": dict(group(), DependsOn=["B"]),
            "B": group(RetentionInDays=1),
            "C": group({"Fn::Sub": "/c/${A}"}),
        }
    )
    done = [e["LogicalResourceId"] for e in s.events() if e["ResourceStatus"] == "CREATE_COMPLETE"]
    assert done == ["B", "A", "C", s.name]
    s.delete()
    done = [e["LogicalResourceId"] for e in s.events() if e["ResourceStatus"] == "DELETE_COMPLETE"]
    assert done == ["C", "A", "B", s.name]


def test_retained_resources_stay(cloud, stack):
    name = unique("/kept")
    s = stack().create({"Kept": dict(group(name), DeletionPolicy="Retain")})
    s.delete()
    assert len(cloud.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]) == 1
    assert "DELETE_SKIPPED" in [e["ResourceStatus"] for e in s.events()]
    cloud.logs.delete_log_group(logGroupName=name)


def test_yaml_with_short_forms(stack):
    s = stack().create(
        """
Parameters:
  Stage: {Type: String, Default: dev, AllowedValues: [dev, prod]}
Mappings:
  Days: {dev: {n: 3}, prod: {n: 30}}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
Resources:
  Group:
    Type: AWS::Logs::LogGroup
    Properties:
      LogGroupName: !Sub "/${AWS::StackName}/${Stage}"
      RetentionInDays: !FindInMap [Days, !Ref Stage, n]
  Extra:
    Type: AWS::Logs::LogGroup
    Condition: IsProd
Outputs:
  Joined: {Value: !Join ["-", [a, !Ref Stage, !Select [1, !Split [",", "x,y"]]]]}
  Choice: {Value: !If [IsProd, big, small]}
  Account: {Value: !Sub "${AWS::AccountId}/${AWS::Region}/${AWS::Partition}/${AWS::URLSuffix}"}
  Encoded: {Value: !Base64 hi}
"""
    )
    assert list(s.resources()) == ["Group"]
    assert s.physical("Group") == "/%s/dev" % s.name
    assert s.outputs == {
        "Joined": "a-dev-y",
        "Choice": "small",
        "Account": "%s/%s/aws/amazonaws.com" % (ACCOUNT, REGION),
        "Encoded": "aGk=",
    }


# ---- failures -----------------------------------------------------------------------------------------


def test_rollback_of_a_failed_create(cloud, stack):
    name = unique("/taken")
    cloud.logs.create_log_group(logGroupName=name)
    s = stack()
    status = raise_wait(s.create, {"Good": group(), "Bad": dict(group(name), DependsOn="Good")})
    assert status in ("ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE")
    s.wait("stack_rollback_complete") if status == "ROLLBACK_IN_PROGRESS" else None
    events = s.events()
    failed = [e for e in events if e["ResourceStatus"] == "CREATE_FAILED"]
    assert [e["LogicalResourceId"] for e in failed] == ["Bad"]
    assert "already exists" in failed[0]["ResourceStatusReason"]
    rollback = [e for e in events if e["ResourceStatus"] == "ROLLBACK_IN_PROGRESS"]
    assert rollback[0]["ResourceStatusReason"] == (
        "The following resource(s) failed to create: [Bad]. Rollback requested by user."
    )
    assert events[-1]["ResourceStatus"] == "ROLLBACK_COMPLETE"
    good = [e for e in events if e["LogicalResourceId"] == "Good"][-1]
    assert good["ResourceStatus"] == "DELETE_COMPLETE"
    assert cloud.logs.describe_log_groups(logGroupNamePrefix=good["PhysicalResourceId"])["logGroups"] == []
    # What was there before is untouched, and the failed stack cannot be updated.
    assert len(cloud.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]) == 1
    assert error_of(s.update, {"Good": group()}) == (
        400,
        "ValidationError",
        "Stack:%s is in ROLLBACK_COMPLETE state and can not be updated." % s.id,
    )
    cloud.logs.delete_log_group(logGroupName=name)


def test_a_failed_create_may_stay(cloud, stack):
    name = unique("/taken")
    cloud.logs.create_log_group(logGroupName=name)
    s = stack()
    status = raise_wait(
        s.create, {"Good": group(), "Bad": dict(group(name), DependsOn="Good")}, OnFailure="DO_NOTHING"
    )
    assert status == "CREATE_FAILED"
    assert s.resources()["Good"]["ResourceStatus"] == "CREATE_COMPLETE"
    s.delete()
    assert len(cloud.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]) == 1
    cloud.logs.delete_log_group(logGroupName=name)


def create_error(cloud, template, **options):
    body = template if isinstance(template, str) else json.dumps(template)
    return error_of(cloud.cfn.create_stack, StackName=unique("bad"), TemplateBody=body, **options)


BUCKET = {"B": {"Type": "AWS::S3::Bucket"}}


@pytest.mark.parametrize(
    "template, message",
    [
        ({}, "Template format error: At least one Resources member must be defined."),
        ({"Resources": {}}, "Template format error: At least one Resources member must be defined."),
        (
            {"Resources": {"B": {"Type": "AWS::No::Thing"}}},
            "Template format error: Unrecognized resource types: [AWS::No::Thing]",
        ),
        (
            {"Resources": {"A": dict(group(), DependsOn="Nope")}},
            "Template format error: Unresolved resource dependencies [Nope] in the Resources block of the template",
        ),
        (
            {"Resources": {"A": group({"Ref": "Nope"})}},
            "Template format error: Unresolved resource dependencies [Nope] in the Resources block of the template",
        ),
        (
            {"Resources": {"A": group({"Ref": "B"}), "B": group({"Ref": "A"})}},
            "Circular dependency between resources: [A, B]",
        ),
        (
            {"Parameters": {"P": {"Type": "String"}}, "Resources": BUCKET},
            "Parameters: [P] must have values",
        ),
        (
            {"Resources": dict(BUCKET, **{"not-good": group()})},
            "Template format error: Resource name not-good is non alphanumeric.",
        ),
        (
            {"Resources": BUCKET, "Outputs": {"O": {"Value": {"Ref": "Nope"}}}},
            "Template format error: Unresolved resource dependencies [Nope] in the Outputs block of the template",
        ),
        (
            {"AWSTemplateFormatVersion": "2000-01-01", "Resources": BUCKET},
            "Template format error: unsupported value for AWSTemplateFormatVersion.",
        ),
        (
            {"Resources": {"A": dict(group(), Condition="Nope")}},
            "Template format error: Unresolved condition dependency Nope in the Resources block of the template",
        ),
    ],
)
def test_templates_that_are_wrong(cloud, template, message):
    assert create_error(cloud, template) == (400, "ValidationError", message)


def test_parameters_that_are_wrong(cloud):
    template = {
        "Parameters": {
            "Stage": {"Type": "String", "AllowedValues": ["dev", "prod"]},
            "Days": {"Type": "Number", "MinValue": 1, "Default": 3},
            "Name": {"Type": "String", "Default": "abc", "AllowedPattern": "[a-z]+", "MaxLength": 5},
        },
        "Resources": BUCKET,
    }

    def error(**values):
        values = dict({"Stage": "dev"}, **values)
        return create_error(
            cloud, template,
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in values.items()],
        )

    assert error(Stage="test")[2] == "Parameter 'Stage' must be one of AllowedValues"
    assert error(Days="x")[2].startswith("Parameter 'Days' must be a number")
    assert error(Days="0")[2] == "Parameter 'Days' must be a number not less than 1"
    assert error(Name="ABC")[2] == "Parameter 'Name' must match pattern [a-z]+"
    assert error(Name="abcdef")[2] == "Parameter 'Name' must contain at most 5 characters"
    assert error(Extra="1")[2] == "Parameters: [Extra] do not exist in the template"


def test_capabilities(cloud):
    assert create_error(cloud, {"Resources": {"Role": ROLE}}) == (
        400,
        "InsufficientCapabilitiesException",
        "Requires capabilities : [CAPABILITY_IAM]",
    )
    named = {"Type": "AWS::IAM::Role", "Properties": dict(ROLE["Properties"], RoleName=unique())}
    assert create_error(
        cloud, {"Resources": {"Role": named}}, Capabilities=["CAPABILITY_IAM"]
    ) == (400, "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]")


def test_a_stack_twice(cloud, stack):
    s = stack().create({"G": group()})
    assert error_of(s.create, {"G": group()}) == (
        400,
        "AlreadyExistsException",
        "Stack [%s] already exists" % s.name,
    )


# ---- updates -----------------------------------------------------------------------------------------


def test_update_in_place(cloud, stack):
    s = stack().create({"Role": ROLE, "F": function("return 'old'"), "G": group()})
    before = {k: v["PhysicalResourceId"] for k, v in s.resources().items()}
    s.update({"Role": ROLE, "F": function("return 'new'", Timeout=9), "G": group(RetentionInDays=5)})
    assert s.describe()["StackStatus"] == "UPDATE_COMPLETE"
    assert {k: v["PhysicalResourceId"] for k, v in s.resources().items()} == before
    assert cloud.invoke(before["F"]).payload == "new"
    assert cloud.lambda_.get_function_configuration(FunctionName=before["F"])["Timeout"] == 9


def test_update_that_replaces(cloud, stack):
    old, new = unique("/old"), unique("/new")
    s = stack().create({"G": group(old)})
    s.update({"G": group(new)})
    assert s.physical("G") == new
    assert cloud.logs.describe_log_groups(logGroupNamePrefix=old)["logGroups"] == []
    reasons = [e.get("ResourceStatusReason") for e in s.events()]
    assert (
        "Requested update requires the creation of a new physical resource; hence creating one."
        in reasons
    )
    statuses = [(e["LogicalResourceId"], e["ResourceStatus"]) for e in s.events()]
    assert statuses.index((s.name, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")) < statuses.index(
        ("G", "DELETE_COMPLETE")
    )


def test_update_adds_and_removes(cloud, stack):
    s = stack().create({"A": group(), "B": group()})
    b = s.physical("B")
    s.update({"A": group(), "C": group()})
    assert sorted(s.resources()) == ["A", "C"]
    assert cloud.logs.describe_log_groups(logGroupNamePrefix=b)["logGroups"] == []


def test_update_of_nothing(stack):
    s = stack().create({"A": group()})
    assert error_of(s.update, {"A": group()}) == (
        400,
        "ValidationError",
        "No updates are to be performed.",
    )


def test_rollback_of_a_failed_update(cloud, stack):
    taken = unique("/taken")
    cloud.logs.create_log_group(logGroupName=taken)
    s = stack().create({"A": group(RetentionInDays=1)})
    a = s.physical("A")
    raise_wait(
        s.update,
        {"A": group(RetentionInDays=7), "Bad": dict(group(taken), DependsOn="A")},
    )
    assert s.describe()["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert sorted(s.resources()) == ["A"]
    (g,) = cloud.logs.describe_log_groups(logGroupNamePrefix=a)["logGroups"]
    assert g["retentionInDays"] == 1
    cloud.logs.delete_log_group(logGroupName=taken)


def test_update_with_previous_values(stack):
    template = {
        "Parameters": {"Days": {"Type": "Number"}},
        "Resources": {"A": group(RetentionInDays={"Ref": "Days"})},
        "Outputs": {"Days": {"Value": {"Ref": "Days"}}},
    }
    s = stack().create(template, Parameters=[{"ParameterKey": "Days", "ParameterValue": "5"}])
    template["Description"] = "changed"
    template["Resources"]["B"] = group()
    s.update(template, Parameters=[{"ParameterKey": "Days", "UsePreviousValue": True}])
    assert s.outputs == {"Days": "5"}


# ---- change sets ----------------------------------------------------------------------------------------


def change_set(cloud, s, template, type, name=None, **options):
    name = name or unique("cs")
    r = cloud.cfn.create_change_set(
        StackName=s.name, ChangeSetName=name, ChangeSetType=type, TemplateBody=s.body(template),
        Capabilities=["CAPABILITY_NAMED_IAM"], **options
    )
    s.id = r["StackId"]
    return name


def test_change_set_that_creates(cloud, stack):
    s = stack()
    name = change_set(cloud, s, {"A": group(), "B": group()}, "CREATE")
    assert s.describe()["StackStatus"] == "REVIEW_IN_PROGRESS"
    cloud.cfn.get_waiter("change_set_create_complete").wait(
        StackName=s.name, ChangeSetName=name, WaiterConfig=SOON
    )
    d = cloud.cfn.describe_change_set(StackName=s.name, ChangeSetName=name)
    assert (d["Status"], d["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    changes = [c["ResourceChange"] for c in d["Changes"]]
    assert [(c["Action"], c["LogicalResourceId"], c["ResourceType"]) for c in changes] == [
        ("Add", "A", "AWS::Logs::LogGroup"),
        ("Add", "B", "AWS::Logs::LogGroup"),
    ]
    assert cloud.cfn.list_change_sets(StackName=s.name)["Summaries"][0]["ChangeSetName"] == name
    cloud.cfn.execute_change_set(StackName=s.name, ChangeSetName=name)
    s.wait("stack_create_complete")
    assert sorted(s.resources()) == ["A", "B"]


def test_change_set_that_modifies(cloud, stack):
    s = stack().create({"A": group(RetentionInDays=1), "B": group(), "C": group(unique("/c"))})
    name = change_set(
        cloud, s, {"A": group(RetentionInDays=3), "C": group(unique("/c")), "D": group()}, "UPDATE"
    )
    cloud.cfn.get_waiter("change_set_create_complete").wait(
        StackName=s.name, ChangeSetName=name, WaiterConfig=SOON
    )
    changes = [
        c["ResourceChange"]
        for c in cloud.cfn.describe_change_set(StackName=s.name, ChangeSetName=name)["Changes"]
    ]
    assert sorted((c["LogicalResourceId"], c["Action"], c.get("Replacement")) for c in changes) == [
        ("A", "Modify", "False"),
        ("B", "Remove", None),
        ("C", "Modify", "True"),
        ("D", "Add", None),
    ]
    cloud.cfn.delete_change_set(StackName=s.name, ChangeSetName=name)
    assert error_of(cloud.cfn.describe_change_set, StackName=s.name, ChangeSetName=name)[:2] == (
        404,
        "ChangeSetNotFound",
    )
    assert sorted(s.resources()) == ["A", "B", "C"]


def test_change_set_without_changes(cloud, stack):
    s = stack().create({"A": group()})
    name = change_set(cloud, s, {"A": group()}, "UPDATE")
    from botocore.exceptions import WaiterError

    with pytest.raises(WaiterError):
        cloud.cfn.get_waiter("change_set_create_complete").wait(
            StackName=s.name, ChangeSetName=name, WaiterConfig=SOON
        )
    d = cloud.cfn.describe_change_set(StackName=s.name, ChangeSetName=name)
    assert (d["Status"], d["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert d["StatusReason"] == (
        "The submitted information didn't contain changes. "
        "Submit different information to create a change set."
    )


# ---- templates, exports -------------------------------------------------------------------------------


def test_get_template(cloud, stack):
    body = '{"Resources": {"A":   {"Type": "AWS::Logs::LogGroup"}}}'
    s = stack().create(body)
    r = cloud.cfn.get_template(StackName=s.name)
    assert r["TemplateBody"] == json.loads(body)
    assert sorted(r["StagesAvailable"]) == ["Original", "Processed"]


def test_get_template_summary(cloud):
    r = cloud.cfn.get_template_summary(
        TemplateBody=json.dumps(
            {
                "Description": "d",
                "Parameters": {"P": {"Type": "String", "Default": "x", "NoEcho": True}},
                "Resources": {"Role": ROLE, "G": group()},
            }
        )
    )
    assert r["Description"] == "d"
    (p,) = r["Parameters"]
    assert (p["ParameterKey"], p["DefaultValue"], p["ParameterType"], p["NoEcho"]) == ("P", "x", "String", True)
    assert r["Capabilities"] == ["CAPABILITY_IAM"]
    assert sorted(r["ResourceTypes"]) == ["AWS::IAM::Role", "AWS::Logs::LogGroup"]


def test_validate_template(cloud):
    r = cloud.cfn.validate_template(TemplateBody=json.dumps({"Resources": BUCKET, "Description": "d"}))
    assert (r["Description"], r["Parameters"]) == ("d", [])
    assert error_of(cloud.cfn.validate_template, TemplateBody="{}")[1] == "ValidationError"


def test_exports(cloud, stack):
    export = unique("export")
    a = stack().create(
        {
            "Resources": {"G": group()},
            "Outputs": {"O": {"Value": {"Ref": "G"}, "Export": {"Name": export}}},
        }
    )
    b = stack().create({"H": group({"Fn::Sub": ["/copy${x}", {"x": {"Fn::ImportValue": export}}]})})
    assert b.physical("H") == "/copy" + a.physical("G")
    exports = {e["Name"]: e["Value"] for e in cloud.cfn.list_exports()["Exports"]}
    assert exports[export] == a.physical("G")
    assert cloud.cfn.list_imports(ExportName=export)["Imports"] == [b.name]
    assert error_of(cloud.cfn.delete_stack, StackName=a.name) == (
        400,
        "ValidationError",
        "Export %s cannot be deleted as it is in use by %s" % (export, b.name),
    )
    assert a.describe()["StackStatus"] == "CREATE_COMPLETE"
    b.delete()


def test_import_of_nothing(cloud, stack):
    s = stack()
    raise_wait(s.create, {"H": group({"Fn::ImportValue": "no-such-export"})})
    assert "No export named no-such-export found." in str(
        [e.get("ResourceStatusReason") for e in s.events()]
    )


def test_list_stacks(cloud, stack):
    s = stack().create({"A": group()})
    pages = cloud.cfn.get_paginator("list_stacks").paginate(StackStatusFilter=["CREATE_COMPLETE"])
    assert s.name in [x["StackName"] for p in pages for x in p["StackSummaries"]]
    resources = cloud.cfn.list_stack_resources(StackName=s.name)["StackResourceSummaries"]
    assert [(r["LogicalResourceId"], r["ResourceStatus"]) for r in resources] == [
        ("A", "CREATE_COMPLETE")
    ]


# ---- SAM ------------------------------------------------------------------------------------------------

SAM = """
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Timeout: 7, Runtime: %s, Environment: {Variables: {GLO: global}}}
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Handler: index.handler
      AutoPublishAlias: live
      InlineCode: |
        import os
        def handler(event, context):
            return [os.environ["GLO"], os.environ["LOC"]]
      Environment: {Variables: {LOC: local}}
      Policies:
        - S3ReadPolicy: {BucketName: some-bucket}
Outputs:
  Alias: {Value: !Ref Hello.Alias}
""" % RUNTIME


def test_sam(cloud, stack):
    s = stack()
    name = change_set(cloud, s, SAM, "CREATE")
    cloud.cfn.get_waiter("change_set_create_complete").wait(
        StackName=s.name, ChangeSetName=name, WaiterConfig=SOON
    )
    cloud.cfn.execute_change_set(StackName=s.name, ChangeSetName=name)
    s.wait("stack_create_complete")
    types = sorted(r["ResourceType"] for r in s.resources().values())
    assert types == [
        "AWS::IAM::Role",
        "AWS::Lambda::Alias",
        "AWS::Lambda::Function",
        "AWS::Lambda::Version",
    ]
    logical = sorted(s.resources())
    assert logical[:3] == ["Hello", "HelloAliaslive", "HelloRole"]
    assert re.fullmatch("HelloVersion[0-9a-f]{10}", logical[3])
    assert cloud.invoke(s.physical("Hello"), Qualifier="live").payload == ["global", "local"]
    assert s.outputs["Alias"].endswith(":function:%s:live" % s.physical("Hello"))
    processed = cloud.cfn.get_template(StackName=s.name, TemplateStage="Processed")["TemplateBody"]
    assert "Transform" not in processed
    role = processed["Resources"]["HelloRole"]["Properties"]
    assert role["ManagedPolicyArns"] == [
        "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    ]
    original = cloud.cfn.get_template(StackName=s.name, TemplateStage="Original")["TemplateBody"]
    assert original == SAM


def test_sam_needs_a_capability(cloud):
    # CreateStack expands only when told that it may.
    status, code, message = create_error(cloud, SAM, Capabilities=["CAPABILITY_IAM"])
    assert (status, code) == (400, "InsufficientCapabilitiesException")
    assert message == "Requires capabilities : [CAPABILITY_AUTO_EXPAND]"


def test_code_from_a_bucket(cloud, stack, bucket):
    code = zipped({"index.py": "def handler(event, context):\n    return 'from s3'\n"})
    cloud.s3.put_object(Bucket=bucket, Key="code.zip", Body=code)
    f = function()
    f["Properties"]["Code"] = {"S3Bucket": bucket, "S3Key": "code.zip"}
    s = stack().create({"Role": ROLE, "F": f})
    assert cloud.invoke(s.physical("F")).payload == "from s3"


def test_cli_deploy(cloud, stack, tmp_path):
    s = stack()
    (tmp_path / "t.yaml").write_text(SAM)
    # It looks every 30 s, and cannot be told otherwise.
    (tmp_path / "sitecustomize.py").write_text(
        "import time\nsleep = time.sleep\ntime.sleep = lambda s: sleep(min(s, 0.2))\n"
    )
    r = cloud.aws(
        "cloudformation", "deploy", "--stack-name", s.name, "--template-file", tmp_path / "t.yaml",
        "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", PYTHONPATH=str(tmp_path),
    )
    assert "Successfully created/updated stack - " + s.name in r.stdout
    r = cloud.aws(
        "cloudformation", "deploy", "--stack-name", s.name, "--template-file", tmp_path / "t.yaml",
        "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "--no-fail-on-empty-changeset",
    )
    assert "No changes to deploy. Stack %s is up to date" % s.name in r.stdout


def test_an_operation_that_is_not_there_says_so(cloud):
    status, code, _ = error_of(cloud.cfn.list_stack_sets)
    assert (status, code) == (501, "NotImplemented")
