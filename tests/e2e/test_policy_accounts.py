"""Whose resource it is: over accounts both sides have to allow, the resource's and one's own."""

import json

import pytest

from cloud import REGION, error_of, unique, zipped

OTHER = "123456789012"


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture
def session(cloud):
    """A role of another account: its name, and a client of any service in its session."""
    iam = cloud.client("iam", key=OTHER)
    name = unique("role")
    trust = {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "sts:AssumeRole"}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    c = cloud.client("sts", key=OTHER).assume_role(RoleArn=arn, RoleSessionName="me")["Credentials"]

    class Session:
        role = arn
        itself = "arn:aws:sts::%s:assumed-role/%s/me" % (OTHER, name)

        def client(self, service):
            return cloud.client(
                service, key=c["AccessKeyId"], secret=c["SecretAccessKey"], token=c["SessionToken"]
            )

        def may(self, action):
            if action:
                s = {"Effect": "Allow", "Action": action, "Resource": "*"}
                iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(s))
            else:
                iam.delete_role_policy(RoleName=name, PolicyName="p")

    return Session()


def allowed(f, **input):
    try:
        f(**input)
    except Exception as e:
        assert "AccessDenied" in str(e), e
        return False
    return True


def test_buckets(cloud, bucket, session):
    cloud.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    get = session.client("s3").get_object

    def ask(principal):
        statement = {
            "Effect": "Allow",
            "Principal": principal,
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::%s/*" % bucket,
        }
        cloud.s3.put_bucket_policy(Bucket=bucket, Policy=document(statement))
        return allowed(get, Bucket=bucket, Key="k")

    everybody = ["*", {"AWS": session.role}, {"AWS": session.itself}, {"AWS": OTHER}]
    assert [ask(p) for p in everybody] == [False] * 4
    session.may("s3:GetObject")
    assert [ask(p) for p in everybody] == [True] * 4
    assert not ask({"AWS": "arn:aws:iam::000000000000:root"})
    session.may(None)


def test_layers(cloud, session):
    name = unique("layer")
    v = cloud.lambda_.publish_layer_version(LayerName=name, Content={"ZipFile": zipped({"a": "b"})})
    arn = v["LayerVersionArn"]
    get = session.client("lambda").get_layer_version_by_arn
    session.may("lambda:GetLayerVersion")
    assert not allowed(get, Arn=arn)
    assert error_of(cloud.client("lambda", key=OTHER).get_layer_version_by_arn, Arn=arn)[0] == 403
    cloud.lambda_.add_layer_version_permission(
        LayerName=name,
        VersionNumber=1,
        StatementId="s",
        Action="lambda:GetLayerVersion",
        Principal=OTHER,
    )
    assert allowed(get, Arn=arn)
    session.may(None)
    assert not allowed(get, Arn=arn)
    assert cloud.client("lambda", key=OTHER).get_layer_version_by_arn(Arn=arn)["Version"] == 1
    assert REGION in arn
