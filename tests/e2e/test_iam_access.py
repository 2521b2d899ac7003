"""What sessions of roles may do: policies, boundaries, session policies, trust."""

import json

import pytest

from cloud import ACCOUNT, error_of, unique

OTHER = "111111111111"


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return dict({"Effect": "Allow", "Action": action, "Resource": resource}, **more)


def trust(who, **more):
    return policy(
        dict({"Effect": "Allow", "Principal": {"AWS": who}, "Action": "sts:AssumeRole"}, **more)
    )


def arn_of(name):
    return "arn:aws:iam::%s:role/%s" % (ACCOUNT, name)


@pytest.fixture
def make_role(cloud):
    made = []

    def make(inline=None, who=ACCOUNT, condition=None, **options):
        name = unique("role")
        more = {"Condition": condition} if condition else {}
        cloud.iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=trust(who, **more), **options
        )
        made.append(name)
        if inline:
            cloud.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=inline)
        return name

    yield make
    for name in made:
        for p in cloud.iam.list_role_policies(RoleName=name)["PolicyNames"]:
            cloud.iam.delete_role_policy(RoleName=name, PolicyName=p)
        for p in cloud.iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            cloud.iam.detach_role_policy(RoleName=name, PolicyArn=p["PolicyArn"])
        cloud.iam.delete_role(RoleName=name)


def session(cloud, role, service, sts=None, **options):
    c = (sts or cloud.sts).assume_role(RoleArn=arn_of(role), RoleSessionName="sess", **options)
    c = c["Credentials"]
    return cloud.client(
        service, key=c["AccessKeyId"], secret=c["SecretAccessKey"], token=c["SessionToken"]
    )


def denial(role, action, resource, because):
    return "User: arn:aws:sts::%s:assumed-role/%s/sess is not authorized to perform: %s on " \
        "resource: %s %s" % (ACCOUNT, role, action, resource, because)


def test_nothing_is_allowed_by_itself(cloud, make_role):
    role = make_role()
    assert error_of(session(cloud, role, "iam").get_role, RoleName=role) == (
        403,
        "AccessDenied",
        denial(role, "iam:GetRole", "role " + role,
               "because no identity-based policy allows the iam:GetRole action"),
    )


def test_an_explicit_deny_wins(cloud, make_role):
    role = make_role(
        policy(allow("iam:*"), {"Effect": "Deny", "Action": "iam:DeleteRole", "Resource": "*"})
    )
    iam = session(cloud, role, "iam")
    assert iam.get_role(RoleName=role)["Role"]["RoleName"] == role
    assert error_of(iam.delete_role, RoleName=role)[2] == denial(
        role, "iam:DeleteRole", "role " + role, "with an explicit deny in an identity-based policy"
    )


def test_resources_of_roles_have_their_path(cloud, make_role):
    role = make_role(
        policy(allow("iam:GetRole", "arn:aws:iam::%s:role/team/*" % ACCOUNT)), Path="/team/"
    )
    c = cloud.sts.assume_role(
        RoleArn="arn:aws:iam::%s:role/team/%s" % (ACCOUNT, role), RoleSessionName="sess"
    )["Credentials"]
    iam = cloud.client(
        "iam", key=c["AccessKeyId"], secret=c["SecretAccessKey"], token=c["SessionToken"]
    )
    assert iam.get_role(RoleName=role)["Role"]["Path"] == "/team/"


def test_a_boundary_limits(cloud, make_role):
    role = make_role(PermissionsBoundary="arn:aws:iam::aws:policy/AmazonS3FullAccess")
    cloud.iam.attach_role_policy(
        RoleName=role, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
    )
    assert "Buckets" in session(cloud, role, "s3").list_buckets()
    assert error_of(session(cloud, role, "iam").get_role, RoleName=role)[2] == denial(
        role, "iam:GetRole", "role " + role,
        "because no permissions boundary allows the iam:GetRole action",
    )


@pytest.mark.parametrize(
    "options",
    [
        {"Policy": policy(allow("iam:Get*"))},
        {"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/IAMReadOnlyAccess"}]},
    ],
)
def test_a_session_policy_limits(cloud, make_role, options):
    role = make_role(policy(allow("iam:*")))
    iam = session(cloud, role, "iam", **options)
    assert iam.get_role(RoleName=role)["Role"]["RoleName"] == role
    assert error_of(iam.tag_role, RoleName=role, Tags=[{"Key": "k", "Value": "v"}])[2] == denial(
        role, "iam:TagRole", "role " + role,
        "because no session policy allows the iam:TagRole action",
    )


def test_an_external_id_is_wanted(cloud, make_role):
    role = make_role(condition={"StringEquals": {"sts:ExternalId": "42"}})
    call = dict(RoleArn=arn_of(role), RoleSessionName="sess")
    assert error_of(cloud.sts.assume_role, **call)[:2] == (403, "AccessDenied")
    assert error_of(cloud.sts.assume_role, ExternalId="43", **call)[:2] == (403, "AccessDenied")
    assert cloud.sts.assume_role(ExternalId="42", **call)["Credentials"]


def test_tags_of_role_and_session(cloud, make_role):
    condition = {"StringEquals": {"aws:PrincipalTag/team": "red"}}
    role = make_role(
        policy(allow("iam:GetRole", Condition=condition)), Tags=[{"Key": "team", "Value": "red"}]
    )
    assert session(cloud, role, "iam").get_role(RoleName=role)
    blue = session(cloud, role, "iam", Tags=[{"Key": "team", "Value": "blue"}])
    assert error_of(blue.get_role, RoleName=role)[:2] == (403, "AccessDenied")


def test_another_account(cloud, make_role):
    sts = cloud.client("sts", key=OTHER)
    call = dict(RoleArn=arn_of(make_role()), RoleSessionName="sess")
    assert error_of(sts.assume_role, **call)[:2] == (403, "AccessDenied")
    role = make_role(who="arn:aws:iam::%s:root" % OTHER)
    me = session(cloud, role, "sts", sts=sts).get_caller_identity()
    assert me["Account"] == ACCOUNT


def test_from_role_to_role(cloud, make_role):
    """Trusting the account is not enough for a role: it needs a policy of its own as well."""
    target, poor = make_role(), make_role()
    rich = make_role(policy(allow("sts:AssumeRole", arn_of(target))))
    call = dict(RoleArn=arn_of(target), RoleSessionName="next")
    assert error_of(session(cloud, poor, "sts").assume_role, **call)[:2] == (403, "AccessDenied")
    assert session(cloud, rich, "sts").assume_role(**call)["Credentials"]
    named = make_role(who=arn_of(poor))
    assert session(cloud, poor, "sts").assume_role(
        RoleArn=arn_of(named), RoleSessionName="next"
    )["Credentials"]


def test_sessions_have_limits(cloud, make_role):
    call = dict(RoleArn=arn_of(make_role()), RoleSessionName="sess", DurationSeconds=7200)
    assert error_of(cloud.sts.assume_role, **call) == (
        400,
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )


def test_a_token_belongs_to_its_key(cloud):
    c = cloud.sts.get_session_token()["Credentials"]
    key = dict(key=c["AccessKeyId"], secret=c["SecretAccessKey"])
    me = cloud.client("sts", token=c["SessionToken"], **key).get_caller_identity()
    assert me["Arn"] == "arn:aws:iam::%s:root" % ACCOUNT
    wrong = cloud.client("sts", token="x" + c["SessionToken"], **key)
    assert error_of(wrong.get_caller_identity)[:2] == (403, "InvalidClientTokenId")


@pytest.mark.parametrize("mode", ["log", "off"])
def test_not_enforced(new_cloud, mode):
    cloud = new_cloud("--iam", mode)
    cloud.iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust(ACCOUNT))
    assert session(cloud, "r", "iam").get_role(RoleName="r")["Role"]["RoleName"] == "r"
    cloud.stop()
    assert ("not enforced: User: " in cloud.log_text()) == (mode == "log")
