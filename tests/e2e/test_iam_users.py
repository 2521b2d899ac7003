"""Users, groups and access keys: made, limited, and what requests signed with a user's key may do."""

import datetime
import json

import boto3
import botocore
import pytest
from cloud import SOON, unique


def document(*actions, effect="Allow", resource="*"):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": effect, "Action": list(actions), "Resource": resource}]})  # fmt: skip


@pytest.fixture
def iam(cloud):
    return cloud.client("iam")


@pytest.fixture
def user(iam):
    name = unique("user")
    iam.create_user(UserName=name, Path="/team/", Tags=[{"Key": "a", "Value": "b"}])
    return name


def as_user(cloud, key, service):
    return boto3.client(service, endpoint_url=cloud.url, region_name="us-east-1",
                        aws_access_key_id=key["AccessKeyId"],
                        aws_secret_access_key=key["SecretAccessKey"],
                        aws_session_token=key.get("SessionToken"))


def code_of(call, **args):
    with pytest.raises(botocore.exceptions.ClientError) as e:
        call(**args)
    return e.value.response["Error"]["Code"]


def test_a_user_is_made_shown_and_deleted(iam, user):
    got = iam.get_user(UserName=user)["User"]
    assert got["Arn"].endswith(":user/team/" + user) and got["UserId"].startswith("AIDA")
    assert got["Tags"] == [{"Key": "a", "Value": "b"}]
    assert code_of(iam.create_user, UserName=user.upper()) == "EntityAlreadyExists"
    assert user in [u["UserName"] for u in iam.list_users(PathPrefix="/team/")["Users"]]
    assert user not in [u["UserName"] for u in iam.list_users(PathPrefix="/other/")["Users"]]
    iam.tag_user(UserName=user, Tags=[{"Key": "c", "Value": "d"}])
    iam.untag_user(UserName=user, TagKeys=["a"])
    assert iam.list_user_tags(UserName=user)["Tags"] == [{"Key": "c", "Value": "d"}]
    iam.delete_user(UserName=user)
    assert code_of(iam.get_user, UserName=user) == "NoSuchEntity"
    assert code_of(iam.delete_user, UserName=user) == "NoSuchEntity"


def test_what_a_user_has_keeps_him(iam, user):
    group, arn = unique("group"), "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName=group, UserName=user)
    iam.add_user_to_group(GroupName=group, UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=document("s3:*"))
    iam.attach_user_policy(UserName=user, PolicyArn=arn)
    iam.attach_group_policy(GroupName=group, PolicyArn=arn)
    key = iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"]
    iam.create_access_key(UserName=user)
    assert code_of(iam.create_access_key, UserName=user) == "LimitExceeded"
    entities = iam.list_entities_for_policy(PolicyArn=arn)
    assert user in [u["UserName"] for u in entities["PolicyUsers"]]
    assert group in [g["GroupName"] for g in entities["PolicyGroups"]]
    assert not iam.list_entities_for_policy(PolicyArn=arn, EntityFilter="Role")["PolicyUsers"]
    assert [u["UserName"] for u in iam.get_group(GroupName=group)["Users"]] == [user]
    assert [g["GroupName"] for g in iam.list_groups_for_user(UserName=user)["Groups"]] == [group]
    assert iam.list_user_policies(UserName=user)["PolicyNames"] == ["p"]
    assert iam.get_user_policy(UserName=user, PolicyName="p")["PolicyDocument"]["Statement"]
    attached = iam.list_attached_user_policies(UserName=user)["AttachedPolicies"]
    assert attached == [{"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": arn}]
    for undo in (
        lambda: [iam.delete_access_key(UserName=user, AccessKeyId=k["AccessKeyId"])
                 for k in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]],
        lambda: iam.detach_user_policy(UserName=user, PolicyArn=arn),
        lambda: iam.delete_user_policy(UserName=user, PolicyName="p"),
        lambda: iam.remove_user_from_group(GroupName=group, UserName=user),
    ):
        assert code_of(iam.delete_user, UserName=user) == "DeleteConflict"
        undo()
    iam.delete_user(UserName=user)
    assert code_of(iam.delete_group, GroupName=group) == "DeleteConflict"
    iam.detach_group_policy(GroupName=group, PolicyArn=arn)
    iam.delete_group(GroupName=group)
    assert code_of(iam.update_access_key, AccessKeyId=key, Status="Inactive") == "NoSuchEntity"


def test_a_key_lets_its_user_do_what_his_policies_and_groups_say(cloud, iam, user):
    group = unique("group")
    key = iam.create_access_key(UserName=user)["AccessKey"]
    me = as_user(cloud, key, "sts").get_caller_identity()
    assert me["Arn"].endswith(":user/team/" + user) and me["UserId"].startswith("AIDA")
    s3, logs = as_user(cloud, key, "s3"), as_user(cloud, key, "logs")
    assert code_of(s3.list_buckets) == "AccessDenied"
    iam.put_user_policy(UserName=user, PolicyName="s3", PolicyDocument=document("s3:ListAllMyBuckets"))
    s3.list_buckets()
    with pytest.raises(botocore.exceptions.ClientError) as e:
        logs.describe_log_groups()
    assert "user/team/%s is not authorized to perform: logs:DescribeLogGroups" % user in str(e.value)
    iam.create_group(GroupName=group)
    iam.put_group_policy(GroupName=group, PolicyName="logs", PolicyDocument=document("logs:*"))
    iam.add_user_to_group(GroupName=group, UserName=user)
    logs.describe_log_groups()
    # A boundary limits both; a denial of the group as well.
    boundary = iam.create_policy(PolicyName=unique("b"), PolicyDocument=document("s3:*"))["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName=user, PermissionsBoundary=boundary)
    assert code_of(logs.describe_log_groups) == "AccessDeniedException"
    s3.list_buckets()
    iam.delete_user_permissions_boundary(UserName=user)
    iam.put_group_policy(GroupName=group, PolicyName="no", PolicyDocument=document("s3:*", effect="Deny"))
    assert code_of(s3.list_buckets) == "AccessDenied"
    iam.delete_group_policy(GroupName=group, PolicyName="no")
    # ${aws:username}
    iam.put_user_policy(UserName=user, PolicyName="own", PolicyDocument=document(
        "iam:GetUser", "iam:CreateAccessKey", resource="arn:aws:iam::*:user/team/${aws:username}"))
    own = as_user(cloud, key, "iam")
    assert own.get_user()["User"]["UserName"] == user
    assert code_of(own.get_user, UserName="somebody-else") == "AccessDenied"
    # An inactive key is as good as none, and so is one that is gone.
    iam.update_access_key(UserName=user, AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert code_of(s3.list_buckets) == "InvalidAccessKeyId"
    assert code_of(logs.describe_log_groups) == "UnrecognizedClientException"
    iam.update_access_key(AccessKeyId=key["AccessKeyId"], Status="Active")
    s3.list_buckets()
    session = as_user(cloud, key, "sts").get_session_token()["Credentials"]
    as_user(cloud, session, "s3").list_buckets()
    assert code_of(as_user(cloud, session, "iam").get_user) == "InvalidClientTokenId"
    wrong = dict(key, SecretAccessKey="x" * 40)
    assert code_of(as_user(cloud, wrong, "s3").list_buckets) == "SignatureDoesNotMatch"
    iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
    assert code_of(s3.list_buckets) == "InvalidAccessKeyId"


def test_when_a_key_was_used_last(new_cloud, tmp_path):
    cloud = new_cloud("--iam", "enforce", data=tmp_path / "data")
    iam = cloud.client("iam")

    def used(key, who=None):
        got = (who or iam).get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
        last = got["AccessKeyLastUsed"]
        return got["UserName"], last["ServiceName"], last["Region"], last.get("LastUsedDate")

    keys = {}
    for name in ("a", "b"):
        iam.create_user(UserName=name)
        keys[name] = iam.create_access_key(UserName=name)["AccessKey"]
    assert used(keys["a"]) == ("a", "N/A", "N/A", None)
    before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    # neither a denial nor the operation matters, but the signature does
    code_of(as_user(cloud, keys["a"], "s3").list_buckets)
    code_of(as_user(cloud, dict(keys["b"], SecretAccessKey="wrong"), "s3").list_buckets)
    assert used(keys["a"])[:3] == ("a", "s3", "us-east-1") and used(keys["b"])[1] == "N/A"
    west = boto3.client("logs", endpoint_url=cloud.url, region_name="eu-west-1",
                        aws_access_key_id=keys["a"]["AccessKeyId"],
                        aws_secret_access_key=keys["a"]["SecretAccessKey"])
    code_of(west.describe_log_groups)
    name, service, region, when = used(keys["a"])
    assert (service, region) == ("logs", "eu-west-1")
    assert before <= when <= datetime.datetime.now(datetime.timezone.utc)
    cloud.stop()  # what came within the same minute is written at the end
    cloud.start()
    assert used(keys["a"]) == ("a", "logs", "eu-west-1", when)

    # a policy on oneself shows one's own keys
    iam.put_user_policy(UserName="a", PolicyName="p", PolicyDocument=document(
        "iam:GetAccessKeyLastUsed", resource="arn:aws:iam::000000000000:user/a"))
    mine = as_user(cloud, keys["a"], "iam")
    assert used(keys["a"], mine)[:3] == ("a", "iam", "us-east-1")
    assert code_of(mine.get_access_key_last_used, AccessKeyId=keys["b"]["AccessKeyId"]) == "AccessDenied"
    # whose key it is decides for a role's session, too, and one may see another's without one's own
    there = "arn:aws:iam::000000000000:user/"
    trusting = json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole"}]})
    role = iam.create_role(RoleName="looks", AssumeRolePolicyDocument=trusting)["Role"]["Arn"]
    iam.put_role_policy(RoleName="looks", PolicyName="p", PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "iam:*", "Resource": [there + "a", there + "b"]},
            {"Effect": "Deny", "Action": "iam:GetAccessKeyLastUsed", "Resource": there + "b"}]}))
    session = cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    looks = boto3.client("iam", endpoint_url=cloud.url, region_name="us-east-1",
                         aws_access_key_id=session["AccessKeyId"],
                         aws_secret_access_key=session["SecretAccessKey"],
                         aws_session_token=session["SessionToken"])
    iam.put_user_policy(UserName="b", PolicyName="p", PolicyDocument=document(
        "iam:GetAccessKeyLastUsed", resource=there + "a"))
    for who in (looks, as_user(cloud, keys["b"], "iam")):
        assert used(keys["a"], who)[0] == "a"
        assert code_of(who.get_access_key_last_used, AccessKeyId=keys["b"]["AccessKeyId"]) == "AccessDenied"
    cloud.kill()  # this minute's first use is there
    cloud.start()
    assert used(keys["a"])[1:3] == ("iam", "us-east-1")
    iam.delete_access_key(UserName="a", AccessKeyId=keys["a"]["AccessKeyId"])
    for key in (keys["a"]["AccessKeyId"], "AKIAAAAAAAAAAAAAAAAA"):
        assert code_of(iam.get_access_key_last_used, AccessKeyId=key) == "AccessDenied"


def test_a_user_and_a_group_move_with_all_they_have(cloud, iam, user):
    group, name, other = unique("group"), unique("moved"), unique("taken")
    arn = iam.create_policy(PolicyName=name, PolicyDocument=document("s3:ListAllMyBuckets"))["Policy"]["Arn"]
    iam.create_user(UserName=other)
    iam.create_group(GroupName=group)
    iam.create_group(GroupName=other)
    iam.add_user_to_group(GroupName=group, UserName=user)
    iam.put_group_policy(GroupName=group, PolicyName="g", PolicyDocument=document("logs:*"))
    iam.attach_group_policy(GroupName=group, PolicyArn=arn)
    iam.attach_user_policy(UserName=user, PolicyArn=arn)
    iam.put_user_policy(UserName=user, PolicyName="u", PolicyDocument=document("sts:*"))
    iam.put_user_permissions_boundary(UserName=user, PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess")
    key = iam.create_access_key(UserName=user)["AccessKey"]
    before = iam.get_user(UserName=user)["User"]
    assert code_of(iam.update_user, UserName=user, NewUserName=other.upper()) == "EntityAlreadyExists"
    assert code_of(iam.update_group, GroupName=group, NewGroupName=other) == "EntityAlreadyExists"
    assert code_of(iam.update_user, UserName=name, NewUserName=name) == "NoSuchEntity"
    assert code_of(iam.update_user, UserName=user, NewPath="nowhere") == "ValidationError"
    assert iam.get_user(UserName=user)["User"] == before
    iam.update_user(UserName=user)  # nothing to change
    iam.update_user(UserName=user, NewPath="/new/", NewUserName=name)
    iam.update_group(GroupName=group, NewPath="/all/", NewGroupName=name)
    after = iam.get_user(UserName=name)["User"]
    assert after["Arn"].endswith(":user/new/" + name) and after["UserId"] == before["UserId"]
    assert after["Tags"] == before["Tags"] and after["CreateDate"] == before["CreateDate"]
    assert code_of(iam.get_user, UserName=user) == code_of(iam.get_group, GroupName=group) == "NoSuchEntity"
    got = iam.get_group(GroupName=name)
    assert got["Group"]["Arn"].endswith(":group/all/" + name)
    assert [u["UserName"] for u in got["Users"]] == [name]
    assert [g["GroupName"] for g in iam.list_groups_for_user(UserName=name)["Groups"]] == [name]
    entities = iam.list_entities_for_policy(PolicyArn=arn)
    assert [u["UserName"] for u in entities["PolicyUsers"]] == [name]
    assert [g["GroupName"] for g in entities["PolicyGroups"]] == [name]
    assert as_user(cloud, key, "sts").get_caller_identity()["Arn"] == after["Arn"]
    as_user(cloud, key, "logs").describe_log_groups()
    as_user(cloud, key, "s3").list_buckets()
    # Only the case of the letters: still the same user.
    iam.update_user(UserName=name, NewUserName=name.upper())
    assert as_user(cloud, key, "sts").get_caller_identity()["Arn"].endswith("/new/" + name.upper())
    assert [u["UserName"] for u in iam.get_group(GroupName=name)["Users"]] == [name.upper()]
    assert code_of(iam.update_access_key, UserName=name, AccessKeyId=key["AccessKeyId"],
                   Status="Expired") == "ValidationError"  # fmt: skip
    as_user(cloud, key, "s3").list_buckets()
    # A namesake of before has none of it, and all can be taken apart under the new names.
    iam.create_user(UserName=user)
    assert not iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
    iam.remove_user_from_group(GroupName=name, UserName=name)
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.detach_user_policy(UserName=name, PolicyArn=arn)
    iam.detach_group_policy(GroupName=name, PolicyArn=arn)
    iam.delete_user_policy(UserName=name, PolicyName="u")
    iam.delete_group_policy(GroupName=name, PolicyName="g")
    for gone in (name, user, other):
        iam.delete_user(UserName=gone)
    for gone in (name, other):
        iam.delete_group(GroupName=gone)
    iam.delete_policy(PolicyArn=arn)


def test_a_trusted_user_assumes_a_role(cloud, iam, user):
    arn = iam.get_user(UserName=user)["User"]["Arn"]
    key = iam.create_access_key(UserName=user)["AccessKey"]
    role = cloud.role(
        [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
        trust=json.dumps({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"}}),
    )  # fmt: skip
    as_user(cloud, key, "sts").assume_role(RoleArn=role, RoleSessionName="session")
    other = unique("user")
    iam.create_user(UserName=other)
    stranger = as_user(cloud, iam.create_access_key(UserName=other)["AccessKey"], "sts")
    assert code_of(stranger.assume_role, RoleArn=role, RoleSessionName="session") == "AccessDenied"


def test_whom_a_role_trusts_has_to_be_there(cloud, iam, user):
    def trust(*who):
        return json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
            {"Effect": "Allow", "Principal": {"AWS": list(who)}, "Action": "sts:AssumeRole"}]})  # fmt: skip

    role, group = unique("role"), unique("group")
    account = "arn:aws:iam::000000000000:"
    iam.create_group(GroupName=group)
    there = iam.get_user(UserName=user)["User"]["Arn"]
    missing = (
        account + "user/nobody-" + role,
        account + "role/" + role,  # nor itself, before it is made
        account + "user/" + user,  # another path
        account + "role/team/" + user,
        account + "user/",
        account + "group/" + group,
        "arn:aws:iam::111122223333:group/any",
        account + "instance-profile/p",
        account + "nonsense",
    )
    for who in missing:
        with pytest.raises(iam.exceptions.MalformedPolicyDocumentException) as e:
            iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust(there, who))
        assert e.value.response["Error"]["Message"] == 'Invalid principal in policy: "AWS":"%s"' % who
    assert code_of(iam.get_role, RoleName=role) == "NoSuchEntity"
    fine = trust(there, account + "root", "000000000000", "arn:aws:iam::111122223333:user/who-knows",
                 "arn:aws:sts::000000000000:assumed-role/%s/session" % role)  # fmt: skip
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=fine)
    for who in missing[:1] + missing[2:]:
        assert code_of(iam.update_assume_role_policy, RoleName=role,
                       PolicyDocument=trust(who)) == "MalformedPolicyDocument"  # fmt: skip
    assert iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"] == json.loads(fine)
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=trust(account + "role/" + role))
    iam.delete_role(RoleName=role)
    iam.delete_group(GroupName=group)


def test_a_user_is_simulated_with_his_groups(iam, user):
    group = unique("group")
    iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName=group, UserName=user)
    iam.put_group_policy(GroupName=group, PolicyName="g", PolicyDocument=document("s3:GetObject"))
    iam.put_user_policy(UserName=user, PolicyName="u", PolicyDocument=document("logs:*"))
    arn = iam.get_user(UserName=user)["User"]["Arn"]
    results = iam.simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=["s3:GetObject", "logs:GetLogEvents", "s3:PutObject"]
    )["EvaluationResults"]
    assert [r["EvalDecision"] for r in results] == ["allowed", "allowed", "implicitDeny"]
    assert results[0]["MatchedStatements"][0]["SourcePolicyId"] == "group_%s_g" % group
    assert results[1]["MatchedStatements"][0]["SourcePolicyId"] == "user_%s_u" % user
    group_arn = iam.get_group(GroupName=group)["Group"]["Arn"]
    # Of a group alone it takes a caller: a group asks for nothing.
    (result,) = iam.simulate_principal_policy(
        PolicySourceArn=group_arn, CallerArn=arn, ActionNames=["s3:GetObject"]
    )["EvaluationResults"]
    assert result["EvalDecision"] == "allowed"


def test_a_namesake_inherits_no_sessions(cloud, iam, user):
    key = iam.create_access_key(UserName=user)["AccessKey"]
    session = as_user(cloud, key, "sts").get_session_token()["Credentials"]
    iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
    as_user(cloud, session, "sts").get_caller_identity()  # outlives its key, but not its user
    iam.delete_user(UserName=user)
    assert code_of(as_user(cloud, session, "sts").get_caller_identity) == "InvalidClientTokenId"
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=document("*"))
    assert code_of(as_user(cloud, session, "s3").list_buckets) == "InvalidAccessKeyId"
    assert code_of(as_user(cloud, key, "s3").list_buckets) == "InvalidAccessKeyId"
    # The same of a role.
    trust = json.dumps({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole"}})  # fmt: skip
    arn = iam.create_role(RoleName=user, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName=user, PolicyName="p", PolicyDocument=document("s3:*"))
    session = cloud.client("sts").assume_role(RoleArn=arn, RoleSessionName="old")["Credentials"]
    as_user(cloud, session, "s3").list_buckets()
    iam.delete_role_policy(RoleName=user, PolicyName="p")
    iam.delete_role(RoleName=user)
    iam.create_role(RoleName=user, AssumeRolePolicyDocument=trust)
    iam.put_role_policy(RoleName=user, PolicyName="p", PolicyDocument=document("s3:*"))
    assert code_of(as_user(cloud, session, "s3").list_buckets) == "AccessDenied"


def users_template(user="Dev", group="Devs", key="Active", serial=1, broken=False, **more):
    allow = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "logs:DescribeLogGroups", "Resource": "*"}]}  # fmt: skip
    s3 = json.loads(json.dumps(allow).replace("logs:DescribeLogGroups", "s3:ListAllMyBuckets"))
    resources = {
        "Group": {"Type": "AWS::IAM::Group", "Properties": {
            "GroupName": group, "Policies": [{"PolicyName": "logs", "PolicyDocument": allow}]}},
        "Other": {"Type": "AWS::IAM::Group"},
        "User": {"Type": "AWS::IAM::User", "Properties": {
            "UserName": user, "Path": "/staff/", "Groups": [{"Ref": "Group"}],
            "Tags": [{"Key": "a", "Value": "b"}], **more}},
        "Key": {"Type": "AWS::IAM::AccessKey", "Properties": {
            "UserName": {"Ref": "User"}, "Status": key, "Serial": serial}},
        "Add": {"Type": "AWS::IAM::UserToGroupAddition", "Properties": {
            "GroupName": {"Ref": "Other"}, "Users": [{"Ref": "User"}]}},
        "Inline": {"Type": "AWS::IAM::Policy", "Properties": {
            "PolicyName": "s3", "PolicyDocument": s3, "Users": [{"Ref": "User"}],
            "Groups": [{"Ref": "Other"}]}},
        "Managed": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {
            "PolicyDocument": s3, "Users": [{"Ref": "User"}], "Groups": [{"Ref": "Group"}]}},
    }  # fmt: skip
    if broken:
        resources["Bad"] = {"Type": "AWS::Logs::LogGroup", "DependsOn": list(resources),
                            "Properties": {"LogGroupName": "/bad*name"}}  # fmt: skip
    return json.dumps({"Resources": resources, "Outputs": {
        "Id": {"Value": {"Ref": "Key"}}, "Secret": {"Value": {"Fn::GetAtt": ["Key", "SecretAccessKey"]}},
        "User": {"Value": {"Fn::GetAtt": ["User", "Arn"]}},
        "Group": {"Value": {"Fn::GetAtt": ["Group", "Arn"]}},
        "Other": {"Value": {"Ref": "Other"}}, "Managed": {"Value": {"Ref": "Managed"}}}})  # fmt: skip


def finish(cloud, operation, waiter, name, template):
    cfn = cloud.client("cloudformation")
    getattr(cfn, operation)(StackName=name, TemplateBody=template,
                            Capabilities=["CAPABILITY_NAMED_IAM"])
    if waiter:
        cfn.get_waiter(waiter).wait(StackName=name, WaiterConfig=SOON)
    outputs = cfn.describe_stacks(StackName=name)["Stacks"][0].get("Outputs", [])
    return {o["OutputKey"]: o["OutputValue"] for o in outputs}


def test_a_stack_has_users_groups_and_keys(cloud, iam):
    cfn, name, user, group = cloud.client("cloudformation"), unique("stack"), unique("u"), unique("g")
    out = finish(cloud, "create_stack", "stack_create_complete", name, users_template(user, group))
    assert out["User"].endswith(":user/staff/" + user) and out["Group"].endswith(":group/" + group)
    key = {"AccessKeyId": out["Id"], "SecretAccessKey": out["Secret"]}
    as_user(cloud, key, "logs").describe_log_groups()
    as_user(cloud, key, "s3").list_buckets()
    groups = [g["GroupName"] for g in iam.list_groups_for_user(UserName=user)["Groups"]]
    assert sorted(groups) == sorted([group, out["Other"]])
    assert iam.list_group_policies(GroupName=out["Other"])["PolicyNames"] == ["s3"]
    entities = iam.list_entities_for_policy(PolicyArn=out["Managed"])
    assert [u["UserName"] for u in entities["PolicyUsers"]] == [user]
    assert [g["GroupName"] for g in entities["PolicyGroups"]] == [group]
    # In place: the key is switched off, groups, tags and boundary change.
    changed = users_template(user, group, key="Inactive", Groups=[], Tags=[{"Key": "c", "Value": "d"}],
                             PermissionsBoundary=out["Managed"]).replace(
                                 '"Users": [{"Ref": "User"}], "Groups": [{"Ref": "Group"}]', '"Roles": []')
    assert finish(cloud, "update_stack", "stack_update_complete", name, changed)["Id"] == out["Id"]
    assert code_of(as_user(cloud, key, "logs").describe_log_groups) == "UnrecognizedClientException"
    got = iam.get_user(UserName=user)["User"]
    assert got["Tags"] == [{"Key": "c", "Value": "d"}] and got["PermissionsBoundary"]
    assert [g["GroupName"] for g in iam.list_groups_for_user(UserName=user)["Groups"]] == [out["Other"]]
    assert not iam.list_attached_user_policies(UserName=user)["AttachedPolicies"]
    moved = users_template(user, group, Path="/other/").replace(
        '"GroupName": "%s"' % group, '"GroupName": "%s", "Path": "/all/"' % group, 1)
    new = finish(cloud, "update_stack", "stack_update_complete", name, moved)
    assert new["User"].endswith(":user/other/" + user) and new["Group"].endswith(":group/all/" + group)
    assert new["Id"] == out["Id"] and iam.get_user(UserName=user)["User"]["Arn"] == new["User"]
    assert iam.get_group(GroupName=group)["Group"]["Path"] == "/all/"
    # Replaced: another key, another user; what cannot be puts all of it back.
    new = finish(cloud, "update_stack", "stack_update_complete", name, users_template(user, group, serial=2))
    assert new["Id"] != out["Id"]
    assert [k["AccessKeyId"] for k in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]] == [new["Id"]]
    other = unique("u")
    finish(cloud, "update_stack", "stack_rollback_complete", name,
           users_template(other, group, serial=2, broken=True))
    assert code_of(iam.get_user, UserName=other) == "NoSuchEntity"
    key = {"AccessKeyId": new["Id"], "SecretAccessKey": new["Secret"]}
    as_user(cloud, key, "logs").describe_log_groups()
    last = finish(cloud, "update_stack", "stack_update_complete", name, users_template(other, group, serial=2))
    assert last["User"].endswith("/" + other) and code_of(iam.get_user, UserName=user) == "NoSuchEntity"
    cfn.delete_stack(StackName=name)
    cfn.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=SOON)
    assert code_of(iam.get_user, UserName=other) == code_of(iam.get_group, GroupName=group) == "NoSuchEntity"
    assert code_of(as_user(cloud, key, "s3").list_buckets) == "InvalidAccessKeyId"


def test_a_stack_that_fails_leaves_no_user(cloud, iam):
    cfn, name, user, group = cloud.client("cloudformation"), unique("stack"), unique("u"), unique("g")
    for template, why in (
        (users_template(user, group, broken=True), "logGroupName"),
        (users_template(user, group, LoginProfile={"Password": "x"}), "LoginProfile is not supported"),
    ):
        stack = cfn.create_stack(StackName=name, TemplateBody=template, OnFailure="DELETE",
                                 Capabilities=["CAPABILITY_NAMED_IAM"])["StackId"]  # fmt: skip
        cfn.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig=SOON)
        events = cfn.describe_stack_events(StackName=stack)["StackEvents"]
        assert any(why in e.get("ResourceStatusReason", "") for e in events)
        assert code_of(iam.get_user, UserName=user) == code_of(iam.get_group, GroupName=group) == "NoSuchEntity"
