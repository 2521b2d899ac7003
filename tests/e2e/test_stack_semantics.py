"""What stacks promise when things go wrong or change: the way back, policies, tokens, roles."""

import json

import pytest

from cloud import RUNTIME, SOON, error_of, unique, zipped
from test_cloudformation import (  # noqa: F401  (stack is a fixture)
    ROLE,
    SAM,
    Stack,
    change_set,
    function,
    group,
    raise_wait,
    stack,
)


def groups(cloud, prefix):
    return [g["logGroupName"] for g in
            cloud.logs.describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]]


def settled(s, *statuses):
    """Waits until the stack rests; its status must be one of those."""
    import time

    deadline = time.monotonic() + 20
    while True:
        status = s.cfn.describe_stacks(StackName=s.id)["Stacks"][0]["StackStatus"]
        if not status.endswith("_IN_PROGRESS") or time.monotonic() > deadline:
            assert status in statuses
            return status
        time.sleep(0.01)


def statuses(s):
    return {k: r["ResourceStatus"] for k, r in s.resources().items()}


def bad_group():
    """Refused by the service when it is made, not before."""
    return group("/bad*name")


# ---- the way back of an update ---------------------------------------------------------------------


def test_a_failed_update_puts_everything_back(cloud, stack):
    old, new = unique("/old"), unique("/new")
    s = stack().create(
        {
            "Kept": group(RetentionInDays=1),
            "Replaced": group(old),
            "Dependent": function(Environment={"Variables": {"GROUP": {"Ref": "Replaced"}}}),
            "Role": ROLE,
            "Removed": group(),
        }
    )
    before = s.resources()
    s.update(
        {
            "Kept": group(RetentionInDays=30),
            "Replaced": group(new),
            "Dependent": function(
                "return 2", Environment={"Variables": {"GROUP": {"Ref": "Replaced"}}}
            ),
            "Role": ROLE,
            "Added": dict(group(), DependsOn="Dependent"),
            "Bad": dict(bad_group(), DependsOn=["Added", "Kept"]),
            "Never": dict(group(), DependsOn="Bad"),
        },
        wait=None,
    )
    settled(s, "UPDATE_ROLLBACK_COMPLETE")
    after = s.resources()
    assert {k: r["PhysicalResourceId"] for k, r in after.items()} == {
        k: r["PhysicalResourceId"] for k, r in before.items()
    }
    assert set(statuses(s).values()) <= {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
    assert groups(cloud, old) == [old] and groups(cloud, new) == []
    (g,) = cloud.logs.describe_log_groups(logGroupNamePrefix=s.physical("Kept"))["logGroups"]
    assert g["retentionInDays"] == 1
    f = s.physical("Dependent")
    assert cloud.invoke(f).payload == 1
    config = cloud.lambda_.get_function_configuration(FunctionName=f)
    assert config["Environment"]["Variables"] == {"GROUP": old}
    assert groups(cloud, s.name + "-Added") == [] and groups(cloud, s.name + "-Never") == []
    # Nothing in the events speaks of the wrong thing: the replacement is deleted, not the old one.
    gone = [e["PhysicalResourceId"] for e in s.events()
            if e["LogicalResourceId"] == "Replaced" and e["ResourceStatus"] == "DELETE_COMPLETE"]
    assert gone == [new]
    # And the stack can be updated again.
    s.update({"Kept": group(RetentionInDays=3)})
    assert list(s.resources()) == ["Kept"]


def test_dependents_follow_a_replaced_name(cloud, stack):
    old, new = unique("/old"), unique("/new")

    def template(name):
        return {
            "G": group(name),
            "F": function(
                "return __import__('os').environ['GROUP']",
                Environment={"Variables": {"GROUP": {"Ref": "G"}}},
            ),
            "Role": ROLE,
        }

    s = stack().create(template(old))
    f = s.physical("F")
    s.update(template(new))
    assert s.physical("F") == f and s.physical("G") == new
    assert cloud.invoke(f).payload == new
    assert groups(cloud, old) == [] and groups(cloud, new) == [new]
    assert statuses(s)["G"] == "UPDATE_COMPLETE"
    of_g = [(e["ResourceStatus"], e["PhysicalResourceId"], e.get("ResourceStatusReason"))
            for e in s.events() if e["LogicalResourceId"] == "G"][3:]
    assert of_g == [
        (
            "UPDATE_IN_PROGRESS", old,
            "Requested update requires the creation of a new physical resource; hence creating one.",
        ),
        ("UPDATE_IN_PROGRESS", new, "Resource creation Initiated"),
        ("UPDATE_COMPLETE", new, None),
        ("DELETE_IN_PROGRESS", old, None),
        ("DELETE_COMPLETE", old, None),
    ]


def test_update_replace_policy(cloud, stack):
    old, new = unique("/old"), unique("/new")
    s = stack().create({"G": dict(group(old), UpdateReplacePolicy="Retain")})
    s.update({"G": dict(group(new), UpdateReplacePolicy="Retain")})
    assert groups(cloud, old) == [old] and groups(cloud, new) == [new]
    skipped = [e["PhysicalResourceId"] for e in s.events() if e["ResourceStatus"] == "DELETE_SKIPPED"]
    assert skipped == [old]
    cloud.logs.delete_log_group(logGroupName=old)


def test_an_update_that_failed_may_stay_and_go_on(cloud, stack):
    s = stack().create({"A": group(RetentionInDays=1)})
    wrong = {"A": group(RetentionInDays=3), "B": dict(bad_group(), DependsOn="A")}
    s.update(wrong, wait=None, DisableRollback=True)
    settled(s, "UPDATE_FAILED")
    assert statuses(s) == {"A": "UPDATE_COMPLETE", "B": "CREATE_FAILED"}
    assert s.describe()["StackStatusReason"] == "The following resource(s) failed to create: [B]."
    # The next one changes what the failed one had changed, and what it had left undone.
    s.update({"A": group(RetentionInDays=5), "B": group()})
    (g,) = cloud.logs.describe_log_groups(logGroupNamePrefix=s.physical("A"))["logGroups"]
    assert g["retentionInDays"] == 5
    assert set(statuses(s).values()) == {"UPDATE_COMPLETE", "CREATE_COMPLETE"}


def test_after_two_failed_updates_the_way_back_is_to_the_good_one(cloud, stack):
    s = stack().create({"A": group(RetentionInDays=1)})
    s.update({"A": group(RetentionInDays=3), "B": dict(bad_group(), DependsOn="A")}, wait=None,
             DisableRollback=True)
    settled(s, "UPDATE_FAILED")
    s.update({"A": group(RetentionInDays=5), "B": dict(bad_group(), DependsOn="A")}, wait=None)
    settled(s, "UPDATE_ROLLBACK_COMPLETE")
    (g,) = cloud.logs.describe_log_groups(logGroupNamePrefix=s.physical("A"))["logGroups"]
    assert g["retentionInDays"] == 1
    assert list(s.resources()) == ["A"]


def test_a_replacement_is_tried_again(cloud, stack):
    one, two, three = (unique("/r%d" % i) for i in (1, 2, 3))

    def template(name, **options):
        return {
            "G": group(name),
            "Role": ROLE,
            "P": {"Type": "AWS::IAM::Policy", "Properties": {
                "PolicyName": "p", "Roles": [{"Ref": "Role"}], "PolicyDocument": {
                    "Version": "2012-10-17", "Statement": [
                        {"Effect": "Allow", "Action": "logs:*", "Resource": {"Fn::GetAtt": "G.Arn"}}]}}},
            "F": function(Environment={"Variables": {"GROUP": {"Ref": "G"}}}, **options),
        }

    def resource():
        r = cloud.iam.get_role_policy(RoleName=s.physical("Role"), PolicyName="p")
        return r["PolicyDocument"]["Statement"][0]["Resource"]

    s = stack().create(template(one))
    s.update(template(two, MemorySize=1), wait=None, DisableRollback=True)
    settled(s, "UPDATE_FAILED")
    assert groups(cloud, one) == [one] and groups(cloud, two) == [two]
    s.update(template(three, MemorySize=256))
    assert (groups(cloud, one), groups(cloud, two), groups(cloud, three)) == ([], [], [three])
    assert resource().endswith(":log-group:%s:*" % three)
    config = cloud.lambda_.get_function_configuration(FunctionName=s.physical("F"))
    assert (config["MemorySize"], config["Environment"]["Variables"]) == (256, {"GROUP": three})


def test_policies_of_a_failed_update_do_not_stay(cloud, stack):
    name = unique("/policy")
    s = stack().create({"G": group(name)})
    s.update({"G": dict(group(name), DeletionPolicy="Retain"),
              "B": dict(bad_group(), DependsOn="G")}, wait=None)
    settled(s, "UPDATE_ROLLBACK_COMPLETE")
    s.delete()
    assert groups(cloud, name) == []


def test_a_type_cannot_change(stack):
    s = stack().create({"A": group()})
    assert error_of(s.update, {"A": {"Type": "AWS::S3::Bucket"}}) == (
        400,
        "ValidationError",
        "Update of resource type is not permitted. The new template modifies resource type of the "
        "following resources: [A]",
    )


# ---- failed creations ------------------------------------------------------------------------------


def test_a_failed_create_may_delete_itself(cloud, stack):
    s = stack()
    s.create({"A": group(), "B": dict(bad_group(), DependsOn="A")}, wait=None, OnFailure="DELETE")
    settled(s, "DELETE_COMPLETE")
    assert groups(cloud, s.name) == []
    (e,) = [e for e in s.events() if e["ResourceStatus"] == "DELETE_IN_PROGRESS"
            and e["LogicalResourceId"] == s.name]
    assert e["ResourceStatusReason"] == (
        "The following resource(s) failed to create: [B]. Delete requested by user."
    )


def test_retain_except_on_create(cloud, stack):
    name = unique("/x")
    s = stack()
    s.create({"A": dict(group(name), DeletionPolicy="RetainExceptOnCreate"),
              "B": dict(bad_group(), DependsOn="A")}, wait=None)
    settled(s, "ROLLBACK_COMPLETE")
    assert groups(cloud, name) == []
    t = stack().create({"A": dict(group(name), DeletionPolicy="RetainExceptOnCreate")})
    t.delete()
    assert groups(cloud, name) == [name]
    cloud.logs.delete_log_group(logGroupName=name)


def test_rollback_with_several_in_flight(cloud, stack):
    s = stack()
    many = {"F%d" % i: function() for i in range(8)}
    many.update({"G%d" % i: group() for i in range(8)}, Role=ROLE,
                Bad=function(MemorySize=1))
    s.create(many, wait=None)
    settled(s, "ROLLBACK_COMPLETE")
    assert groups(cloud, s.name) == []
    names = [f["FunctionName"] for p in cloud.lambda_.get_paginator("list_functions").paginate()
             for f in p["Functions"]]
    assert [n for n in names if n.startswith(s.name)] == []
    assert [r for r in cloud.iam.list_roles()["Roles"] if r["RoleName"].startswith(s.name)] == []


# ---- removal ----------------------------------------------------------------------------------------


def test_a_bucket_with_content_fails_the_deletion(cloud, stack):
    s = stack().create({"B": {"Type": "AWS::S3::Bucket"}, "G": group()})
    bucket = s.physical("B")
    cloud.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    cloud.cfn.delete_stack(StackName=s.name)
    settled(s, "DELETE_FAILED")
    assert "The following resource(s) failed to delete: [B]." in s.describe()["StackStatusReason"]
    (e,) = [e for e in s.events() if e["ResourceStatus"] == "DELETE_FAILED"
            and e["LogicalResourceId"] == "B"]
    assert "not empty" in e["ResourceStatusReason"]
    assert statuses(s) == {"B": "DELETE_FAILED", "G": "DELETE_COMPLETE"}
    cloud.cfn.delete_stack(StackName=s.name, RetainResources=["B"])
    settled(s, "DELETE_COMPLETE")
    assert cloud.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    cloud.s3.delete_object(Bucket=bucket, Key="k")
    cloud.s3.delete_bucket(Bucket=bucket)


def test_deletion_of_a_stack_in_the_making(cloud, stack):
    s = stack()
    many = {"F%d" % i: function() for i in range(6)}
    many.update({"G%d" % i: group() for i in range(40)}, Role=ROLE)
    s.create(many, wait=None)
    cloud.cfn.delete_stack(StackName=s.name)
    settled(s, "DELETE_COMPLETE")
    assert groups(cloud, s.name) == []
    assert [r for r in cloud.iam.list_roles()["Roles"] if r["RoleName"].startswith(s.name)] == []
    of_stack = [e["ResourceStatus"] for e in s.events() if e["LogicalResourceId"] == s.name]
    assert of_stack in (
        ["CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"],
        # it may have been there already
        ["CREATE_IN_PROGRESS", "CREATE_COMPLETE", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"],
    )
    # An update is not given up.
    s = stack().create({"A": group()})
    s.update(dict({"F%d" % i: function() for i in range(6)}, Role=ROLE, A=group()), wait=None)
    try:
        cloud.cfn.delete_stack(StackName=s.name)
    except cloud.cfn.exceptions.ClientError as e:
        assert e.response["Error"]["Message"].startswith(
            "Stack [%s] cannot be deleted while in status UPDATE_" % s.name)
        settled(s, "UPDATE_COMPLETE")
    else:
        settled(s, "DELETE_COMPLETE")


def test_termination_protection(cloud, stack):
    s = stack().create({"G": group()}, EnableTerminationProtection=True)
    assert error_of(cloud.cfn.delete_stack, StackName=s.name) == (
        400,
        "ValidationError",
        "Stack [%s] cannot be deleted while TerminationProtection is enabled" % s.name,
    )
    assert s.describe()["EnableTerminationProtection"] is True
    r = cloud.cfn.update_termination_protection(
        StackName=s.name, EnableTerminationProtection=False)
    assert r["StackId"] == s.id
    s.delete()


# ---- secrets, tags ------------------------------------------------------------------------------------


def test_no_echo_is_never_shown(cloud, stack):
    template = {
        "Parameters": {"Secret": {"Type": "String", "NoEcho": True}},
        "Resources": {
            "Role": ROLE,
            "F": function(Environment={"Variables": {
                "ONE": {"Ref": "Secret"}, "TWO": {"Fn::Sub": "a-${Secret}-b"}}}),
        },
    }
    s = stack().create(template, Parameters=[{"ParameterKey": "Secret", "ParameterValue": "hush-1"}])
    template["Resources"]["F"]["Properties"]["Timeout"] = 9
    s.update(template, Parameters=[{"ParameterKey": "Secret", "UsePreviousValue": True}])
    name = s.physical("F")
    config = cloud.lambda_.get_function_configuration(FunctionName=name)
    assert config["Environment"]["Variables"] == {"ONE": "hush-1", "TWO": "a-hush-1-b"}
    assert config["Timeout"] == 9
    set_name = change_set(cloud, s, template, "UPDATE",
                          Parameters=[{"ParameterKey": "Secret", "ParameterValue": "hush-2"}])
    seen = json.dumps([
        s.describe(), s.events(), s.resources(),
        cloud.cfn.get_template(StackName=s.name),
        cloud.cfn.get_template(StackName=s.name, TemplateStage="Processed"),
        cloud.cfn.describe_change_set(StackName=s.name, ChangeSetName=set_name),
    ], default=str)
    assert "hush" not in seen
    properties = [e["ResourceProperties"] for e in s.events()
                  if e["LogicalResourceId"] == "F" and "ResourceProperties" in e]
    assert all(json.loads(p)["Environment"]["Variables"] == {"ONE": "****", "TWO": "a-****-b"}
               for p in properties) and properties


def test_tags_of_the_stack_reach_its_resources(cloud, stack):
    template = {"Role": ROLE, "F": function(Tags=[{"Key": "own", "Value": "1"}]), "G": group(),
                "B": {"Type": "AWS::S3::Bucket"}}
    s = stack().create(template, Tags=[{"Key": "team", "Value": "a"}, {"Key": "old", "Value": "x"}])

    def tags():
        arn = cloud.lambda_.get_function(FunctionName=s.physical("F"))["Configuration"]["FunctionArn"]
        f = cloud.lambda_.list_tags(Resource=arn)["Tags"]
        pairs = [
            {k: v for k, v in f.items() if not k.startswith("aws:")},
            cloud.logs.list_tags_log_group(logGroupName=s.physical("G"))["tags"],
        ]
        for listed in (
            cloud.s3.get_bucket_tagging(Bucket=s.physical("B"))["TagSet"],
            cloud.iam.list_role_tags(RoleName=s.physical("Role"))["Tags"],
        ):
            pairs.append({t["Key"]: t["Value"] for t in listed})
        return pairs

    both = {"team": "a", "old": "x"}
    assert tags() == [dict(both, own="1"), both, both, both]
    s.update(template, Tags=[{"Key": "team", "Value": "b"}])
    assert tags() == [{"team": "b", "own": "1"}] + [{"team": "b"}] * 3


# ---- tokens, refusals -----------------------------------------------------------------------------------


def test_a_token_makes_a_request_repeatable(cloud, stack):
    s = stack()
    body = s.body({"A": group()})
    first = cloud.cfn.create_stack(StackName=s.name, TemplateBody=body, ClientRequestToken="t1")
    again = cloud.cfn.create_stack(StackName=s.name, TemplateBody=body, ClientRequestToken="t1")
    assert first["StackId"] == again["StackId"]
    s.id = first["StackId"]
    settled(s, "CREATE_COMPLETE")
    assert {e["ClientRequestToken"] for e in s.events()} == {"t1"}
    other = s.body({"B": group()})
    assert error_of(cloud.cfn.create_stack, StackName=s.name, TemplateBody=other,
                    ClientRequestToken="t1")[:2] == (400, "TokenAlreadyExistsException")
    assert error_of(cloud.cfn.create_stack, StackName=s.name, TemplateBody=body)[:2] == (
        400, "AlreadyExistsException")
    cloud.cfn.update_stack(StackName=s.name, TemplateBody=other, ClientRequestToken="t2")
    cloud.cfn.update_stack(StackName=s.name, TemplateBody=other, ClientRequestToken="t2")
    settled(s, "UPDATE_COMPLETE")


@pytest.mark.parametrize("option", [
    {"NotificationARNs": ["arn:aws:sns:us-east-1:000000000000:topic"]},
    {"RollbackConfiguration": {"RollbackTriggers": [
        {"Arn": "arn:aws:cloudwatch:us-east-1:000000000000:alarm:a", "Type": "AWS::CloudWatch::Alarm"}]}},
])
def test_what_is_not_there_is_refused_by_name(cloud, option):
    status, code, message = error_of(
        cloud.cfn.create_stack, StackName=unique("s"),
        TemplateBody=json.dumps({"Resources": {"A": group()}}), **option)
    assert (status, code) == (400, "ValidationError")
    assert message == list(option)[0] + " is not supported by this cloud"


def test_resource_types(cloud, stack):
    s = stack()
    status, code, message = error_of(s.create, {"A": group()}, ResourceTypes=["AWS::Lambda::*"])
    assert (status, code) == (400, "ValidationError") and "AWS::Logs::LogGroup" in message
    s.create({"A": group()}, ResourceTypes=["AWS::Logs::*"])


@pytest.mark.parametrize("name, options, message", [
    ("bad name", {}, "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"),
    ("1bad", {}, "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"),
    ("x" * 129, {}, "Member must have length less than or equal to 128"),
    ("s", {"Tags": [{"Key": "aws:x", "Value": "1"}]}, "aws: prefixed tag key names are not allowed"),
    ("s", {"Tags": [{"Key": "a", "Value": "1"}] * 2}, "Duplicate tag key a"),
    ("s", {"TemplateBody": json.dumps({"Resources": {"A": dict(group(), DeletionPolicy="Snapshot")}})},
     "resource type AWS::Logs::LogGroup does not support deletion policy Snapshot"),
])
def test_creations_that_are_refused(cloud, name, options, message):
    options.setdefault("TemplateBody", json.dumps({"Resources": {"A": group()}}))
    status, code, text = error_of(cloud.cfn.create_stack, StackName=name, **options)
    assert (status, code) == (400, "ValidationError") and message in text


def test_nested_stacks_are_refused_by_name(cloud):
    status, code, message = error_of(
        cloud.cfn.create_stack, StackName=unique("s"), TemplateBody=json.dumps(
            {"Resources": {"N": {"Type": "AWS::CloudFormation::Stack",
                                 "Properties": {"TemplateURL": "https://b.s3.amazonaws.com/k"}}}}))
    assert (status, code) == (400, "ValidationError") and "AWS::CloudFormation::Stack" in message


# ---- stack policies --------------------------------------------------------------------------------------


def statement(effect, action, resource, **more):
    return dict(Effect=effect, Action=action, Principal="*", Resource=resource, **more)


def policy(*statements):
    return json.dumps({"Statement": list(statements)})


ALL = statement("Allow", "Update:*", "*")


def refused_by_policy(s, resources, **more):
    """The reasons of what the update could not do; afterwards the stack is as it was."""
    before = s.resources()
    seen = {e["EventId"] for e in s.events()}
    s.update(resources, wait=None, **more)
    settled(s, "UPDATE_ROLLBACK_COMPLETE")
    assert {k: r["PhysicalResourceId"] for k, r in s.resources().items()} == {
        k: r["PhysicalResourceId"] for k, r in before.items()}
    return {e["LogicalResourceId"]: e["ResourceStatusReason"] for e in s.events()
            if e["EventId"] not in seen and e["ResourceStatus"] == "UPDATE_FAILED"}


def test_a_stack_policy_protects_what_it_says(cloud, stack):
    a, b = unique("/a"), unique("/b")
    s = stack().create({"A": group(a, RetentionInDays=1), "B": group(b, RetentionInDays=1)})
    assert "StackPolicyBody" not in cloud.cfn.get_stack_policy(StackName=s.id)
    protects = policy(ALL, statement("Deny", ["Update:Replace", "Update:Delete"], "LogicalResourceId/A"))
    cloud.cfn.set_stack_policy(StackName=s.id, StackPolicyBody=protects)
    assert cloud.cfn.get_stack_policy(StackName=s.id)["StackPolicyBody"] == protects
    why = "Action denied by stack policy: Statement [#2] does not allow [%s] for resource [LogicalResourceId/A]"
    assert refused_by_policy(s, {"A": group(unique("/new")), "B": group(b, RetentionInDays=1)}) == {
        "A": why % "Update:Replace"}
    assert refused_by_policy(s, {"B": group(b, RetentionInDays=1)}) == {"A": why % "Update:Delete"}
    assert a in groups(cloud, a)
    s.update({"A": group(a, RetentionInDays=3), "C": group()})  # modified, and B removed
    assert b not in groups(cloud, b)
    # only for this update, and for those after it
    s.update({"A": group(a, RetentionInDays=5), "C": group()}, StackPolicyDuringUpdateBody=policy(ALL),
             StackPolicyBody=policy(statement("Allow", "Update:*", "LogicalResourceId/C*")))
    assert "C*" in cloud.cfn.get_stack_policy(StackName=s.id)["StackPolicyBody"]
    assert "not allowed by stack policy" in refused_by_policy(
        s, {"A": group(a, RetentionInDays=7), "C": group()})["A"]
    s.update({"C": group()}, StackPolicyDuringUpdateBody=policy(ALL))
    assert refused_by_policy(s, {"C": group(unique("/n"))},
                             StackPolicyDuringUpdateBody=policy(statement("Deny", "Update:*", "*")))["C"]
    cloud.cfn.set_stack_policy(StackName=s.id, StackPolicyBody="{}")
    s.update({"C": group(unique("/n"))})


def test_a_stack_policy_by_type_and_from_a_bucket(cloud, stack):
    bucket = unique("policies")
    cloud.s3.create_bucket(Bucket=bucket)
    by_type = policy(ALL, statement("Deny", "Update:Modify", "*", Condition={
        "StringLike": {"ResourceType": ["AWS::Logs::*"]}}))
    cloud.s3.put_object(Bucket=bucket, Key="p.json", Body=by_type)
    url = "https://%s.s3.amazonaws.com/p.json" % bucket
    name = unique("/g")
    s = stack().create({"G": group(name, RetentionInDays=1)}, StackPolicyURL=url)
    assert cloud.cfn.get_stack_policy(StackName=s.id)["StackPolicyBody"] == by_type
    s.update({"G": group(name, RetentionInDays=1), "N": group()})  # what is new is no update of it
    changed = {"G": group(name, RetentionInDays=3), "N": group()}
    assert list(refused_by_policy(s, changed)) == ["G"]
    cs = change_set(cloud, s, changed, "UPDATE")
    cloud.cfn.execute_change_set(ChangeSetName=cs, StackName=s.id)
    settled(s, "UPDATE_ROLLBACK_COMPLETE")
    cloud.s3.put_object(Bucket=bucket, Key="p.json", Body=policy(ALL))
    cloud.cfn.set_stack_policy(StackName=s.id, StackPolicyURL=url)
    s.update(changed)


@pytest.mark.parametrize("body", [
    "x", "[]", '{"Statement": []}', '{"Statements": []}', policy(statement("Deny", "Delete:*", "*")),
    policy(statement("Deny", "*", "*")), policy(dict(ALL, Principal="x")), policy(dict(ALL, Effect="May")),
    policy(dict(ALL, Resource="arn:aws:s3:::b")), policy(dict(ALL, Condition={"Bool": {"ResourceType": "x"}})),
    policy({k: v for k, v in ALL.items() if k != "Resource"}), policy(dict(ALL, NotAction="Update:Delete")),
    policy(dict(ALL, Action=[])), policy(ALL) + " " * 16384,
])
def test_a_stack_policy_that_is_none(cloud, stack, body):
    name = unique("s")
    template = json.dumps({"Resources": {"A": group()}})
    status, code, message = error_of(cloud.cfn.create_stack, StackName=name, TemplateBody=template,
                                     StackPolicyBody=body)
    assert (status, code) == (400, "ValidationError") and "olicy" in message
    assert error_of(cloud.cfn.describe_stacks, StackName=name)[1] == "ValidationError"


def test_a_stack_policy_names_what_there_is(cloud, stack):
    s = stack().create({"A": group()})
    _, code, message = error_of(cloud.cfn.set_stack_policy, StackName=s.id,
                                StackPolicyBody=policy(statement("Deny", "Update:*", "LogicalResourceId/B")))
    assert code == "ValidationError" and "Unknown logical id 'LogicalResourceId/B'" in message
    for more, why in (({}, "StackPolicyURL"), ({"StackPolicyBody": policy(ALL), "StackPolicyURL": "http://a/b/c"},
                                               "cannot specify both")):
        assert why in error_of(cloud.cfn.set_stack_policy, StackName=s.id, **more)[2]
    assert "S3 error" in error_of(cloud.cfn.set_stack_policy, StackName=s.id,
                                  StackPolicyURL="https://no-such-bucket-here.s3.amazonaws.com/p.json")[2]


# ---- service roles ---------------------------------------------------------------------------------------


def cloudformation_role(cloud, statements, service="cloudformation.amazonaws.com"):
    trust = json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]})
    return cloud.role(statements, trust=trust)


def test_a_service_role_limits_the_stack(cloud, stack):
    arn = cloudformation_role(cloud, [{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}])
    s = stack().create({"G": group()}, RoleARN=arn)
    assert s.describe()["RoleARN"] == arn
    s.update({"G": group(), "B": {"Type": "AWS::S3::Bucket"}}, wait=None)
    settled(s, "UPDATE_ROLLBACK_COMPLETE")
    (e,) = [e for e in s.events() if e["ResourceStatus"] == "CREATE_FAILED"]
    assert "s3:CreateBucket" in e["ResourceStatusReason"]
    assert "AWSCloudFormation" in e["ResourceStatusReason"]


def test_a_service_role_is_known_by_its_unique_id(cloud, stack):
    """aws:userid of what CloudFormation does; a namesake made later is another role, and the one that is meant then."""
    arn = cloudformation_role(cloud, [])
    name = arn.rsplit("/", 1)[1]

    def allow(role_id):
        cloud.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "logs:*", "Resource": "*",
                "Condition": {"StringEquals": {"aws:userid": role_id + ":AWSCloudFormation"}}}]}))

    first = cloud.iam.get_role(RoleName=name)["Role"]
    allow(first["RoleId"])
    s = stack().create({"G": group()}, RoleARN=arn)
    cloud.iam.delete_role_policy(RoleName=name, PolicyName="p")
    cloud.iam.delete_role(RoleName=name)
    second = cloud.iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps(first["AssumeRolePolicyDocument"]))["Role"]
    allow(first["RoleId"])
    s.update({"G": group(), "H": group()}, wait=None)
    settled(s, "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED")
    assert second["RoleId"] != first["RoleId"]
    allow(second["RoleId"])
    t = stack().create({"G": group()}, RoleARN=arn)
    t.update({"G": group(), "H": group()})


def test_a_service_role_must_trust_cloudformation(cloud):
    arn = cloudformation_role(cloud, [], service="lambda.amazonaws.com")
    assert error_of(cloud.cfn.create_stack, StackName=unique("s"), RoleARN=arn,
                    TemplateBody=json.dumps({"Resources": {"A": group()}})) == (
        400, "ValidationError", "Role %s is invalid or cannot be assumed" % arn)


# ---- change sets, exports, pages --------------------------------------------------------------------------


def test_a_change_set_is_executed_once(cloud, stack):
    s = stack()
    name = change_set(cloud, s, {"A": group()}, "CREATE")
    s.id = cloud.cfn.describe_change_set(StackName=s.name, ChangeSetName=name)["StackId"]
    status, code, _ = error_of(change_set, cloud, s, {"A": group()}, "CREATE", name=name)
    assert (status, code) == (400, "AlreadyExistsException")
    cloud.cfn.execute_change_set(StackName=s.name, ChangeSetName=name)
    settled(s, "CREATE_COMPLETE")
    status, code, message = error_of(
        cloud.cfn.execute_change_set, StackName=s.name, ChangeSetName=name)
    assert (status, code) == (400, "InvalidChangeSetStatus")
    assert "current execution status of [EXECUTE_COMPLETE]" in message
    other = stack().create({"A": group()})
    assert error_of(cloud.cfn.execute_change_set, StackName=other.name, ChangeSetName=name)[:2] == (
        404, "ChangeSetNotFound")


def test_change_sets_that_are_not_there(cloud, stack):
    s = stack().create({"A": group()})
    cloud.cfn.delete_change_set(StackName=s.name, ChangeSetName="none")  # as AWS, no error
    for call in (cloud.cfn.describe_change_set, cloud.cfn.execute_change_set, cloud.cfn.get_template):
        assert error_of(call, StackName=s.name, ChangeSetName="none") == (
            404, "ChangeSetNotFound", "ChangeSet [none] does not exist")
    assert error_of(cloud.cfn.describe_stack_resources, StackName=s.name, LogicalResourceId="Z") == (
        400, "ValidationError", "Resource Z does not exist for stack %s" % s.name)


def test_imports_end_with_their_use(cloud, stack):
    export = unique("export")
    a = stack().create({"Resources": {"G": group()},
                        "Outputs": {"O": {"Value": "v", "Export": {"Name": export}}}})
    b = stack().create({"H": group({"Fn::Sub": ["/b${x}", {"x": {"Fn::ImportValue": export}}]})})
    assert error_of(cloud.cfn.delete_stack, StackName=a.name)[1] == "ValidationError"
    b.update({"H": group(unique("/plain"))})
    assert error_of(cloud.cfn.list_imports, ExportName=export)[1] == "ValidationError"
    a.delete()


def test_a_clashing_export_leaves_nothing(cloud, stack):
    one, two = unique("one"), unique("two")
    stack().create({"Resources": {"G": group()},
                    "Outputs": {"O": {"Value": "v", "Export": {"Name": two}}}})
    b = stack()
    b.create({"Resources": {"G": group()},
              "Outputs": {"A": {"Value": "v", "Export": {"Name": one}},
                          "B": {"Value": "v", "Export": {"Name": two}}}}, wait=None)
    b.id = b.name
    settled(b, "ROLLBACK_COMPLETE")
    assert one not in [e["Name"] for e in cloud.cfn.list_exports()["Exports"]]


def test_many_events_and_resources_come_in_pages(cloud, stack):
    s = stack().create({"G%d" % i: group() for i in range(120)})
    events = s.events()
    assert len(events) == 120 * 3 + 2
    assert len({e["EventId"] for e in events}) == len(events)
    assert (events[0]["ResourceStatusReason"], events[-1]["ResourceStatus"]) == (
        "User Initiated", "CREATE_COMPLETE")
    pages = list(cloud.cfn.get_paginator("list_stack_resources").paginate(StackName=s.name))
    assert len(pages) == 2
    assert len({r["LogicalResourceId"] for p in pages for r in p["StackResourceSummaries"]}) == 120


# ---- SAM ------------------------------------------------------------------------------------------------


def deploy(cloud, s, template, kind):
    name = change_set(cloud, s, template, kind)
    s.id = cloud.cfn.describe_change_set(StackName=s.name, ChangeSetName=name)["StackId"]
    cloud.cfn.execute_change_set(StackName=s.name, ChangeSetName=name)
    settled(s, "CREATE_COMPLETE", "UPDATE_COMPLETE")


def test_auto_publish_alias_moves(cloud, stack):
    s = stack()
    deploy(cloud, s, SAM, "CREATE")
    f = s.physical("Hello")
    deploy(cloud, s, SAM.replace('os.environ["LOC"]]', '"second"]'), "UPDATE")
    assert cloud.invoke(f, Qualifier="live").payload == ["global", "second"]
    # Versions of AutoPublishAlias are retained.
    assert cloud.invoke(f, Qualifier="1").payload == ["global", "local"]
    assert cloud.lambda_.get_alias(FunctionName=f, Name="live")["FunctionVersion"] == "2"


@pytest.mark.parametrize("policy, kept", [("Delete", [2]), ("Retain", [2, 1])])
def test_layers_of_an_update(cloud, stack, bucket, policy, kept):
    name = unique("layer")
    s = stack()
    for i, kind in ((1, "CREATE"), (2, "UPDATE")):
        cloud.s3.put_object(Bucket=bucket, Key="l%d.zip" % i, Body=zipped({"python/m.py": "v=%d" % i}))
        deploy(cloud, s, json.dumps({
            "Transform": "AWS::Serverless-2016-10-31",
            "Resources": {"L": {"Type": "AWS::Serverless::LayerVersion", "Properties": {
                "LayerName": name, "RetentionPolicy": policy,
                "ContentUri": "s3://%s/l%d.zip" % (bucket, i)}}},
        }), kind)
    versions = cloud.lambda_.list_layer_versions(LayerName=name)["LayerVersions"]
    assert [v["Version"] for v in versions] == kept
