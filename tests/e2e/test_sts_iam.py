"""Who am I, and roles with their policies."""

import json
import re

import pytest

from cloud import ACCOUNT, TRUST, error_of, unique

READ = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
}
ANYBODY_HERE = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::%s:root" % ACCOUNT},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


@pytest.fixture
def role(cloud):
    name = unique("role")
    cloud.iam.create_role(RoleName=name, AssumeRolePolicyDocument=ANYBODY_HERE)
    yield name
    for p in cloud.iam.list_role_policies(RoleName=name)["PolicyNames"]:
        cloud.iam.delete_role_policy(RoleName=name, PolicyName=p)
    for p in cloud.iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        cloud.iam.detach_role_policy(RoleName=name, PolicyArn=p["PolicyArn"])
    cloud.iam.delete_role(RoleName=name)


def test_caller_is_root_of_the_account(cloud):
    me = cloud.sts.get_caller_identity()
    assert me["Account"] == ACCOUNT
    assert me["Arn"] == "arn:aws:iam::%s:root" % ACCOUNT
    assert me["UserId"] == ACCOUNT


def test_a_key_of_twelve_digits_is_an_account(cloud):
    me = cloud.client("sts", key="123456789012").get_caller_identity()
    assert (me["Account"], me["Arn"]) == ("123456789012", "arn:aws:iam::123456789012:root")


def test_accounts_do_not_see_each_other(cloud, role):
    other = cloud.client("iam", key="123456789012")
    assert error_of(other.get_role, RoleName=role)[1] == "NoSuchEntity"


def test_assume_role(cloud, role):
    r = cloud.sts.assume_role(
        RoleArn="arn:aws:iam::%s:role/%s" % (ACCOUNT, role), RoleSessionName="me", DurationSeconds=900
    )
    c = r["Credentials"]
    assert re.fullmatch(r"ASIA[A-Z0-9]{16}", c["AccessKeyId"])
    assert len(c["SecretAccessKey"]) == 40
    arn = "arn:aws:sts::%s:assumed-role/%s/me" % (ACCOUNT, role)
    assert r["AssumedRoleUser"]["Arn"] == arn
    assert re.fullmatch(r"AROA[A-Z0-9]{17}:me", r["AssumedRoleUser"]["AssumedRoleId"])
    seconds = (c["Expiration"] - r_date(r)).total_seconds()
    assert 890 <= seconds <= 901

    session = cloud.client(
        "sts", key=c["AccessKeyId"], secret=c["SecretAccessKey"], token=c["SessionToken"]
    )
    me = session.get_caller_identity()
    assert (me["Arn"], me["Account"]) == (arn, ACCOUNT)
    assert me["UserId"] == r["AssumedRoleUser"]["AssumedRoleId"]


def r_date(response):
    from email.utils import parsedate_to_datetime

    return parsedate_to_datetime(response["ResponseMetadata"]["HTTPHeaders"]["date"])


def test_assume_role_that_does_not_exist(cloud):
    arn = "arn:aws:iam::%s:role/nobody" % ACCOUNT
    status, code, message = error_of(cloud.sts.assume_role, RoleArn=arn, RoleSessionName="me")
    assert (status, code) == (403, "AccessDenied")
    assert message == (
        "User: arn:aws:iam::%s:root is not authorized to perform: sts:AssumeRole on resource: %s"
        % (ACCOUNT, arn)
    )


def test_assume_role_whose_trust_is_somebody_else(cloud):
    name = unique("role")
    arn = cloud.iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    status, code, _ = error_of(cloud.sts.assume_role, RoleArn=arn, RoleSessionName="me")
    assert (status, code) == (403, "AccessDenied")


def test_session_names_are_checked(cloud, role):
    status, code, message = error_of(
        cloud.sts.assume_role,
        RoleArn="arn:aws:iam::%s:role/%s" % (ACCOUNT, role),
        RoleSessionName="not good",
    )
    assert (status, code) == (400, "ValidationError")
    assert message == (
        "1 validation error detected: Value 'not good' at 'roleSessionName' failed to satisfy "
        "constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*"
    )


def test_role(cloud):
    name = unique("role")
    made = cloud.iam.create_role(
        RoleName=name,
        Path="/team/",
        AssumeRolePolicyDocument=TRUST,
        Description="for tests",
        Tags=[{"Key": "k", "Value": "v"}],
    )["Role"]
    assert made["Arn"] == "arn:aws:iam::%s:role/team/%s" % (ACCOUNT, name)
    assert re.fullmatch(r"AROA[A-Z0-9]{17}", made["RoleId"])
    assert made["AssumeRolePolicyDocument"] == json.loads(TRUST)

    role = cloud.iam.get_role(RoleName=name)["Role"]
    assert (role["Path"], role["Description"]) == ("/team/", "for tests")
    assert (role["MaxSessionDuration"], role["Tags"]) == (3600, [{"Key": "k", "Value": "v"}])
    assert role["CreateDate"] == made["CreateDate"]
    assert name in [r["RoleName"] for r in cloud.iam.list_roles(PathPrefix="/team/")["Roles"]]

    cloud.iam.delete_role(RoleName=name)
    assert error_of(cloud.iam.get_role, RoleName=name) == (
        404,
        "NoSuchEntity",
        "The role with name %s cannot be found." % name,
    )


def test_a_role_twice(cloud, role):
    assert error_of(
        cloud.iam.create_role, RoleName=role, AssumeRolePolicyDocument=ANYBODY_HERE
    ) == (409, "EntityAlreadyExists", "Role with name %s already exists." % role)


def test_a_trust_policy_that_is_no_json(cloud):
    status, code, _ = error_of(
        cloud.iam.create_role, RoleName=unique(), AssumeRolePolicyDocument="{nope"
    )
    assert (status, code) == (400, "MalformedPolicyDocument")


def test_update_of_the_trust_policy(cloud, role):
    cloud.iam.update_assume_role_policy(RoleName=role, PolicyDocument=TRUST)
    assert cloud.iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"] == json.loads(TRUST)


def test_inline_policies(cloud, role):
    iam = cloud.iam
    iam.put_role_policy(RoleName=role, PolicyName="b", PolicyDocument=json.dumps(READ))
    iam.put_role_policy(RoleName=role, PolicyName="a", PolicyDocument=json.dumps(READ))
    assert sorted(iam.list_role_policies(RoleName=role)["PolicyNames"]) == ["a", "b"]
    assert iam.get_role_policy(RoleName=role, PolicyName="a")["PolicyDocument"] == READ
    iam.delete_role_policy(RoleName=role, PolicyName="a")
    status, code, message = error_of(iam.get_role_policy, RoleName=role, PolicyName="a")
    assert (status, code) == (404, "NoSuchEntity")
    assert message == "The role policy with name a cannot be found."


def test_a_role_with_policies_is_not_deleted(cloud, role):
    cloud.iam.put_role_policy(RoleName=role, PolicyName="a", PolicyDocument=json.dumps(READ))
    assert error_of(cloud.iam.delete_role, RoleName=role) == (
        409,
        "DeleteConflict",
        "Cannot delete entity, must delete policies first.",
    )


def test_managed_policies(cloud, role):
    iam, name = cloud.iam, unique("policy")
    policy = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(READ))["Policy"]
    assert policy["Arn"] == "arn:aws:iam::%s:policy/%s" % (ACCOUNT, name)
    assert (policy["DefaultVersionId"], policy["AttachmentCount"]) == ("v1", 0)

    iam.attach_role_policy(RoleName=role, PolicyArn=policy["Arn"])
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == [
        {"PolicyName": name, "PolicyArn": policy["Arn"]}
    ]
    assert iam.get_policy(PolicyArn=policy["Arn"])["Policy"]["AttachmentCount"] == 1
    assert error_of(iam.delete_policy, PolicyArn=policy["Arn"])[:2] == (409, "DeleteConflict")

    iam.detach_role_policy(RoleName=role, PolicyArn=policy["Arn"])
    iam.delete_policy(PolicyArn=policy["Arn"])
    assert error_of(iam.get_policy, PolicyArn=policy["Arn"])[:2] == (404, "NoSuchEntity")


def test_managed_policies_of_aws(cloud, role):
    arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    cloud.iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    assert cloud.iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == [
        {"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": arn}
    ]


def test_attaching_what_does_not_exist(cloud, role):
    arn = "arn:aws:iam::%s:policy/nope" % ACCOUNT
    assert error_of(cloud.iam.attach_role_policy, RoleName=role, PolicyArn=arn) == (
        404,
        "NoSuchEntity",
        "Policy %s does not exist or is not attachable." % arn,
    )


def test_an_operation_that_is_not_there_says_so(cloud):
    status, code, message = error_of(cloud.iam.list_instance_profiles)
    assert (status, code) == (501, "NotImplemented")
    assert "ListInstanceProfiles" in message
