"""SimulateCustomPolicy, SimulatePrincipalPolicy, context keys; decisions of the cloud beside them."""

import json

import pytest

from cloud import ACCOUNT, error_of, unique

ROLE = "arn:aws:iam::%s:role/%%s" % ACCOUNT


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return dict({"Effect": "Allow", "Action": action, "Resource": resource}, **more)


def deny(action, resource="*", **more):
    return dict(allow(action, resource, **more), Effect="Deny")


def entry(key, kind, *values):
    return {"ContextKeyName": key, "ContextKeyType": kind, "ContextKeyValues": list(values)}


LATER = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*",'
    '"Condition":{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}'
)


def test_the_example_of_the_aws_cli(cloud):
    def ask(*entries):
        return cloud.iam.simulate_custom_policy(
            PolicyInputList=[LATER], ActionNames=["dynamodb:CreateBackup"], ContextEntries=entries
        )["EvaluationResults"]

    assert ask(entry("aws:CurrentTime", "date", "2019-04-25T11:00:00Z")) == [
        {
            "EvalActionName": "dynamodb:CreateBackup",
            "EvalResourceName": "*",
            "EvalDecision": "allowed",
            "MatchedStatements": [
                {
                    "SourcePolicyId": "PolicyInputList.1",
                    "SourcePolicyType": "IAM Policy",
                    "StartPosition": {"Line": 1, "Column": 38},
                    "EndPosition": {"Line": 1, "Column": 167},
                }
            ],
            "MissingContextValues": [],
        }
    ]
    (early,) = ask(entry("aws:CurrentTime", "date", "2014-04-25T11:00:00Z"))
    assert early["EvalDecision"] == "implicitDeny" and early["MissingContextValues"] == []
    (unknown,) = ask()
    assert unknown["EvalDecision"] == "implicitDeny"
    assert unknown["MissingContextValues"] == ["aws:CurrentTime"]
    assert cloud.iam.get_context_keys_for_custom_policy(PolicyInputList=[LATER])[
        "ContextKeyNames"
    ] == ["aws:CurrentTime"]


def test_resources_have_results_of_their_own_and_pages(cloud):
    documents = [policy(allow("s3:*", "arn:aws:s3:::a/*")), policy(deny("s3:Put*"))]
    asked = dict(
        PolicyInputList=documents,
        ActionNames=["s3:GetObject", "s3:PutObject"],
        ResourceArns=["arn:aws:s3:::a/k", "arn:aws:s3:::b/k"],
    )
    whole = cloud.iam.simulate_custom_policy(**asked)["EvaluationResults"]
    assert [r["EvalDecision"] for r in whole] == [
        "allowed", "implicitDeny", "explicitDeny", "explicitDeny",
    ]
    one = whole[2]["ResourceSpecificResults"][0]
    assert one["EvalResourceName"] == "arn:aws:s3:::a/k"
    assert one["EvalResourceDecision"] == "explicitDeny"
    # only the denial is told
    assert [s["SourcePolicyId"] for s in one["MatchedStatements"]] == ["PolicyInputList.2"]
    paged = []
    for page in cloud.iam.get_paginator("simulate_custom_policy").paginate(
        PaginationConfig={"PageSize": 3}, **asked
    ):
        assert len(page["EvaluationResults"]) in (3, 1)
        paged += page["EvaluationResults"]
    assert paged == whole


def test_boundaries_and_accounts(cloud):
    everything = [policy(allow("*"))]
    (r,) = cloud.iam.simulate_custom_policy(
        PolicyInputList=everything,
        PermissionsBoundaryPolicyInputList=[policy(allow("s3:*"))],
        ActionNames=["iam:CreateRole"],
    )["EvaluationResults"]
    assert r["EvalDecision"] == "implicitDeny"
    assert r["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    joe = "arn:aws:iam::123456789012:user/joe"
    bucket = {
        "Effect": "Allow", "Principal": {"AWS": joe}, "Action": "s3:*", "Resource": "arn:aws:s3:::b/*",
    }

    def ask(documents, **more):
        (r,) = cloud.iam.simulate_custom_policy(
            PolicyInputList=documents, ResourcePolicy=policy(bucket), CallerArn=joe,
            ActionNames=["s3:GetObject"], ResourceArns=["arn:aws:s3:::b/k"], **more
        )["EvaluationResults"]
        return r["EvalDecision"], r.get("EvalDecisionDetails")

    nothing = [policy(allow("iam:GetUser"))]
    assert ask(nothing) == ("allowed", None)
    assert ask(nothing, ResourceOwner="999999999999") == (
        "implicitDeny", {"IAM Policy": "implicitDeny", "Resource Policy": "allowed"},
    )
    assert ask(everything, ResourceOwner="arn:aws:iam::999999999999:root")[0] == "allowed"


@pytest.mark.parametrize(
    "change, code",
    [
        ({"PolicyInputList": ["{}"]}, "InvalidInput"),
        ({"ActionNames": ["GetObject"]}, "InvalidInput"),
        ({"ActionNames": ["s3:*"]}, "InvalidInput"),
        ({"ResourceArns": ["bucket"]}, "InvalidInput"),
        ({"ResourceHandlingOption": "EC2-VPC-EBS"}, "InvalidInput"),
        ({"ContextEntries": [entry("aws:CurrentTime", "date", "soon")]}, "InvalidInput"),
        ({"ContextEntries": [entry("aws:SourceIp", "ip", "10.0.0.0.1")]}, "InvalidInput"),
        ({"ContextEntries": [entry("aws:x", "string", "a", "b")]}, "InvalidInput"),
        ({"ContextEntries": [entry("nothing", "string", "a")]}, "InvalidInput"),
        ({"ResourcePolicy": policy(allow("s3:*"))}, "InvalidInput"),
        ({"CallerArn": "arn:aws:iam::123456789012:role/r"}, "InvalidInput"),
        ({"PermissionsBoundaryPolicyInputList": [LATER, LATER]}, "InvalidInput"),
    ],
)
def test_what_is_refused(cloud, change, code):
    asked = dict({"PolicyInputList": [LATER], "ActionNames": ["s3:GetObject"]}, **change)
    status, got, message = error_of(cloud.iam.simulate_custom_policy, **asked)
    assert (status, got) == (400, code), message


def test_a_role_is_simulated_as_it_is_decided(cloud):
    name = unique("sim")
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    role = cloud.iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=policy(trust),
        PermissionsBoundary="arn:aws:iam::aws:policy/IAMFullAccess",
    )["Role"]["Arn"]
    only = allow("iam:GetRole", Condition={"StringEquals": {"aws:RequestedRegion": "us-east-1"}})
    cloud.iam.put_role_policy(
        RoleName=name, PolicyName="own", PolicyDocument=policy(only, deny("iam:DeleteRole")))
    cloud.iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AmazonS3FullAccess")
    actions = ["iam:GetRole", "iam:DeleteRole", "iam:ListRoles", "s3:ListAllMyBuckets"]
    results = cloud.iam.simulate_principal_policy(
        PolicySourceArn=role, ActionNames=actions, ResourceArns=[role],
        ContextEntries=[entry("aws:RequestedRegion", "string", "us-east-1")],
    )["EvaluationResults"]
    assert [r["EvalDecision"] for r in results] == [
        "allowed", "explicitDeny", "implicitDeny", "implicitDeny",
    ]
    assert results[0]["MatchedStatements"][0]["SourcePolicyId"] == "role_%s_own" % name
    assert results[3]["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    assert cloud.iam.get_context_keys_for_principal_policy(PolicySourceArn=role)[
        "ContextKeyNames"] == ["aws:RequestedRegion"]
    c = cloud.sts.assume_role(RoleArn=role, RoleSessionName="sess")["Credentials"]
    key = dict(key=c["AccessKeyId"], secret=c["SecretAccessKey"], token=c["SessionToken"])
    iam, s3 = cloud.client("iam", **key), cloud.client("s3", **key)
    assert iam.get_role(RoleName=name)["Role"]["Arn"] == role
    assert "explicit deny" in error_of(iam.delete_role, RoleName=name)[2]
    assert "no identity-based policy" in error_of(iam.list_roles)[2]
    assert "no permissions boundary" in error_of(s3.list_buckets)[2]
    missing = "arn:aws:iam::%s:%s" % (ACCOUNT, "user/joe")
    for arn in (missing, ROLE % "nobody", role.replace("role/", "role/path/")):
        assert error_of(
            cloud.iam.simulate_principal_policy, PolicySourceArn=arn, ActionNames=["s3:GetObject"]
        )[1] == "NoSuchEntity"


def test_a_bucket_that_allows_a_role_does_not_lift_its_boundary(cloud, bucket):
    name = unique("bound")
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    role = cloud.iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=policy(trust),
        PermissionsBoundary="arn:aws:iam::aws:policy/IAMFullAccess",
    )["Role"]["Arn"]
    c = cloud.sts.assume_role(RoleArn=role, RoleSessionName="sess")["Credentials"]
    s3 = cloud.client(
        "s3", key=c["AccessKeyId"], secret=c["SecretAccessKey"], token=c["SessionToken"])
    session = "arn:aws:sts::%s:assumed-role/%s/sess" % (ACCOUNT, name)

    def grant(who):
        cloud.s3.put_bucket_policy(Bucket=bucket, Policy=policy(
            {"Effect": "Allow", "Principal": {"AWS": who}, "Action": "s3:ListBucket",
             "Resource": "arn:aws:s3:::" + bucket}))

    grant(role)
    assert "no permissions boundary allows" in error_of(s3.list_objects_v2, Bucket=bucket)[2]
    grant(session)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_session_policies_may_have_the_same_sids(cloud):
    name = unique("sids")
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    role = cloud.iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    cloud.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy(allow("*")))
    arns = [
        cloud.iam.create_policy(
            PolicyName=unique("p"), PolicyDocument=policy(allow(action, Sid="Same"))
        )["Policy"]["Arn"]
        for action in ("iam:Get*", "iam:List*")
    ]
    c = cloud.sts.assume_role(
        RoleArn=role, RoleSessionName="sess", PolicyArns=[{"arn": a} for a in arns],
        Policy=policy(allow("s3:ListAllMyBuckets", Sid="Same")),
    )["Credentials"]
    key = dict(key=c["AccessKeyId"], secret=c["SecretAccessKey"], token=c["SessionToken"])
    iam, s3 = cloud.client("iam", **key), cloud.client("s3", **key)
    assert iam.get_role(RoleName=name)["Role"]["RoleName"] == name
    assert "Roles" in iam.list_roles() and "Buckets" in s3.list_buckets()
    assert "no session policy" in error_of(iam.delete_role, RoleName=name)[2]
