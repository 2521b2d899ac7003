"""Lambda's control plane through boto3."""

import base64
import hashlib
import json
import re

import pytest

from cloud import ACCOUNT, REGION, RUNTIME, SOON, TRUST, error_of, unique, zipped

CODE = zipped({"app.py": "def handler(event, context):\n    return 'one'\n"})
CODE2 = zipped({"app.py": "def handler(event, context):\n    return 'two'\n"})


@pytest.fixture
def lam(cloud):
    return cloud.lambda_


@pytest.fixture
def fn(cloud):
    name = cloud.function("def handler(event, context):\n    return 'one'\n")
    yield name
    try:
        cloud.lambda_.delete_function(FunctionName=name)
    except cloud.lambda_.exceptions.ResourceNotFoundException:
        pass


def arn(name, *more):
    return ":".join(("arn:aws:lambda:%s:%s:function:%s" % (REGION, ACCOUNT, name),) + more)


# ---- functions -------------------------------------------------------------------------------


def test_create(cloud, lam):
    name = unique("fn")
    r = lam.create_function(
        FunctionName=name,
        Runtime=RUNTIME,
        Role=cloud.lambda_role(),
        Handler="app.handler",
        Code={"ZipFile": CODE},
        Description="a function",
        Timeout=7,
        MemorySize=256,
        Environment={"Variables": {"AA": "1"}},
        Tags={"team": "x"},
        EphemeralStorage={"Size": 1024},
    )
    assert r["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert (r["State"], r["StateReasonCode"]) == ("Pending", "Creating")
    assert r["StateReason"] == "The function is being created."
    assert r["FunctionArn"] == arn(name)
    assert (r["Version"], r["PackageType"], r["Architectures"]) == ("$LATEST", "Zip", ["x86_64"])
    assert r["CodeSize"] == len(CODE)
    assert r["CodeSha256"] == base64.b64encode(hashlib.sha256(CODE).digest()).decode()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", r["LastModified"])
    assert (r["Description"], r["Timeout"], r["MemorySize"]) == ("a function", 7, 256)
    assert r["Environment"] == {"Variables": {"AA": "1"}}
    assert r["EphemeralStorage"] == {"Size": 1024}
    assert r["TracingConfig"] == {"Mode": "PassThrough"}
    assert r["SnapStart"] == {"ApplyOn": "None", "OptimizationStatus": "Off"}

    lam.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=SOON)
    got = lam.get_function(FunctionName=name)
    assert (got["Configuration"]["State"], got["Configuration"]["LastUpdateStatus"]) == (
        "Active",
        "Successful",
    )
    assert "StateReason" not in got["Configuration"]
    assert got["Tags"] == {"team": "x"}
    assert got["Code"]["RepositoryType"] == "S3"
    import urllib.request

    with urllib.request.urlopen(got["Code"]["Location"]) as page:
        assert page.read() == CODE
    lam.delete_function(FunctionName=name)
    assert error_of(lam.get_function, FunctionName=name) == (
        404,
        "ResourceNotFoundException",
        "Function not found: " + arn(name),
    )


def test_defaults(cloud, lam, fn):
    c = lam.get_function_configuration(FunctionName=fn)
    assert (c["MemorySize"], c["EphemeralStorage"], c["Description"]) == (128, {"Size": 512}, "")
    assert "Environment" not in c


def test_code_from_s3(cloud, lam, bucket):
    cloud.s3.put_object(Bucket=bucket, Key="code.zip", Body=CODE)
    name = unique("fn")
    lam.create_function(
        FunctionName=name, Runtime=RUNTIME, Role=cloud.lambda_role(), Handler="app.handler",
        Code={"S3Bucket": bucket, "S3Key": "code.zip"},
    )
    lam.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=SOON)
    assert cloud.invoke(name).payload == "one"
    cloud.s3.put_object(Bucket=bucket, Key="code2.zip", Body=CODE2)
    lam.update_function_code(FunctionName=name, S3Bucket=bucket, S3Key="code2.zip")
    lam.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=SOON)
    assert cloud.invoke(name).payload == "two"


def test_code_from_s3_that_is_not_there(cloud, lam, bucket):
    status, code, message = error_of(
        lam.create_function, FunctionName=unique(), Runtime=RUNTIME, Role=cloud.lambda_role(),
        Handler="app.handler", Code={"S3Bucket": bucket, "S3Key": "nope"},
    )
    assert (status, code) == (400, "InvalidParameterValueException")
    assert message.startswith(
        "Error occurred while GetObject. S3 Error Code: NoSuchKey. "
        "S3 Error Message: The specified key does not exist."
    )


def create_error(cloud, **changes):
    options = dict(
        FunctionName=unique("bad"), Runtime=RUNTIME, Role=cloud.lambda_role(), Handler="app.handler",
        Code={"ZipFile": CODE},
    )
    options.update(changes)
    return error_of(cloud.client("lambda", parameter_validation=False).create_function, **options)


def test_a_function_twice(cloud, fn):
    assert create_error(cloud, FunctionName=fn) == (
        409,
        "ResourceConflictException",
        "Function already exist: " + fn,
    )


def test_code_that_is_no_zip(cloud):
    assert create_error(cloud, Code={"ZipFile": b"not a zip"}) == (
        400,
        "InvalidParameterValueException",
        "Could not unzip uploaded file. Please check your file, then try to upload again.",
    )


def test_a_zip_that_leaves_its_folder(cloud):
    status, code, _ = create_error(cloud, Code={"ZipFile": zipped({"../../etc/evil": "x"})})
    assert (status, code) == (400, "InvalidParameterValueException")


def test_a_zip_that_is_a_bomb(cloud):
    bomb = zipped({"zeros": b"\0" * 262144001})
    status, code, message = create_error(cloud, Code={"ZipFile": bomb})
    assert (status, code) == (400, "InvalidParameterValueException")
    assert message == "Unzipped size must be smaller than 262144000 bytes"


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"MemorySize": 64},
            "1 validation error detected: Value '64' at 'memorySize' failed to satisfy constraint: "
            "Member must have value greater than or equal to 128",
        ),
        (
            {"Runtime": "python9.9"},
            "Value python9.9 at 'runtime' failed to satisfy constraint: Member must satisfy enum "
            "value set: [",
        ),
        (
            {"Role": "no-arn"},
            "1 validation error detected: Value 'no-arn' at 'role' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: ",
        ),
    ],
)
def test_validation(cloud, changes, message):
    status, code, got = create_error(cloud, **changes)
    assert status == 400
    assert code in ("ValidationException", "InvalidParameterValueException")
    assert message in got


def test_several_validation_errors(cloud):
    status, code, message = error_of(
        cloud.client("lambda", parameter_validation=False).create_function,
        FunctionName="not a name", Runtime=RUNTIME, Role=cloud.lambda_role(), Handler="app.handler",
        Code={"ZipFile": CODE}, Timeout=0,
    )
    assert (status, code) == (400, "ValidationException")
    assert message.startswith("2 validation errors detected: Value '")


def test_role_that_lambda_may_not_take(cloud):
    name = unique("role")
    trust = TRUST.replace("lambda.amazonaws.com", "ec2.amazonaws.com")
    role = cloud.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    assert create_error(cloud, Role=role) == (
        400,
        "InvalidParameterValueException",
        "The role defined for the function cannot be assumed by Lambda.",
    )
    role = "arn:aws:iam::%s:role/nobody-at-all" % ACCOUNT
    assert create_error(cloud, Role=role)[1] == "InvalidParameterValueException"


def test_reserved_variables(cloud):
    status, code, message = create_error(cloud, Environment={"Variables": {"AWS_REGION": "x"}})
    assert (status, code) == (400, "InvalidParameterValueException")
    assert message.endswith("Reserved keys used in this request: AWS_REGION")


def test_environment_that_is_too_large(cloud):
    status, code, message = create_error(cloud, Environment={"Variables": {"AA": "x" * 4096}})
    assert (status, code) == (400, "InvalidParameterValueException")
    assert "4096" in message or "4KB" in message


def test_list(cloud, lam):
    names = sorted(cloud.function("def handler(e, c): pass\n", name=unique("list")) for _ in range(3))
    pages = lam.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
    found = [f["FunctionName"] for p in pages for f in p["Functions"]]
    assert [n for n in found if n in names] == names
    for n in names:
        lam.delete_function(FunctionName=n)


def test_update_configuration(cloud, lam, fn):
    before = lam.get_function_configuration(FunctionName=fn)
    r = lam.update_function_configuration(
        FunctionName=fn, Timeout=9, MemorySize=192, Description="new",
        Environment={"Variables": {"KEY": "v"}},
    )
    assert (r["LastUpdateStatus"], r["LastUpdateStatusReasonCode"]) == ("InProgress", "Creating")
    lam.get_waiter("function_updated_v2").wait(FunctionName=fn, WaiterConfig=SOON)
    c = lam.get_function_configuration(FunctionName=fn)
    assert (c["Timeout"], c["MemorySize"], c["Description"]) == (9, 192, "new")
    assert c["LastUpdateStatus"] == "Successful"
    assert c["RevisionId"] != before["RevisionId"]
    assert error_of(
        lam.update_function_configuration, FunctionName=fn, Timeout=3, RevisionId=before["RevisionId"]
    )[:2] == (412, "PreconditionFailedException")


def test_update_code_dry_run(lam, fn):
    before = lam.get_function(FunctionName=fn)["Configuration"]["CodeSha256"]
    r = lam.update_function_code(FunctionName=fn, ZipFile=CODE2, DryRun=True)
    assert r["CodeSha256"] == base64.b64encode(hashlib.sha256(CODE2).digest()).decode()
    assert lam.get_function(FunctionName=fn)["Configuration"]["CodeSha256"] == before


def test_tags(lam, fn):
    lam.tag_resource(Resource=arn(fn), Tags={"a": "1", "b": "2"})
    lam.untag_resource(Resource=arn(fn), TagKeys=["a"])
    assert lam.list_tags(Resource=arn(fn))["Tags"] == {"b": "2"}


def test_no_more_than_fifty_tags(cloud, lam, fn):
    many = {"key-%d" % i: "value" for i in range(51)}
    refused = (400, "InvalidParameterValueException", "Number of tags exceeds resource tag limit.")
    assert error_of(lam.tag_resource, Resource=arn(fn), Tags=many) == refused
    assert error_of(cloud.function, files={"app.py": ""}, Tags=many) == refused
    many.popitem()
    fifty = cloud.function(files={"app.py": ""}, Tags=many)
    assert len(lam.list_tags(Resource=arn(fifty))["Tags"]) == 50
    assert error_of(lam.tag_resource, Resource=arn(fifty), Tags={"another": "one"}) == refused


# ---- versions and aliases ------------------------------------------------------------------------


def test_versions(cloud, lam, fn):
    v1 = lam.publish_version(FunctionName=fn, Description="first")
    assert (v1["Version"], v1["FunctionArn"], v1["Description"]) == ("1", arn(fn, "1"), "first")
    assert lam.publish_version(FunctionName=fn)["Version"] == "1"  # nothing has changed
    lam.update_function_code(FunctionName=fn, ZipFile=CODE2)
    lam.get_waiter("function_updated_v2").wait(FunctionName=fn, WaiterConfig=SOON)
    assert lam.publish_version(FunctionName=fn)["Version"] == "2"
    versions = lam.list_versions_by_function(FunctionName=fn)["Versions"]
    assert [v["Version"] for v in versions] == ["$LATEST", "1", "2"]
    r = cloud.invoke(fn, Qualifier="1")
    assert (r.payload, r.version) == ("one", "1")
    assert cloud.invoke(fn, Qualifier="2").payload == "two"
    assert "START RequestId: %s Version: 1\n" % r.id in r.log
    lam.delete_function(FunctionName=fn, Qualifier="1")
    assert error_of(lam.get_function, FunctionName=fn, Qualifier="1") == (
        404,
        "ResourceNotFoundException",
        "Function not found: " + arn(fn, "1"),
    )


def test_versions_of_the_same_code_hash(lam, fn):
    assert error_of(lam.publish_version, FunctionName=fn, CodeSha256="wrong")[:2] == (
        400,
        "InvalidParameterValueException",
    )


def test_aliases(cloud, lam, fn):
    lam.publish_version(FunctionName=fn)
    a = lam.create_alias(FunctionName=fn, Name="live", FunctionVersion="1", Description="d")
    assert (a["AliasArn"], a["FunctionVersion"]) == (arn(fn, "live"), "1")
    assert error_of(lam.create_alias, FunctionName=fn, Name="live", FunctionVersion="1") == (
        409,
        "ResourceConflictException",
        "Alias already exists: " + arn(fn, "live"),
    )
    assert error_of(lam.create_alias, FunctionName=fn, Name="x", FunctionVersion="9")[1] == (
        "ResourceNotFoundException"
    )
    r = cloud.invoke(fn, Qualifier="live")
    assert (r.payload, r.version) == ("one", "1")
    lam.update_function_code(FunctionName=fn, ZipFile=CODE2, Publish=True)
    lam.get_waiter("function_updated_v2").wait(FunctionName=fn, WaiterConfig=SOON)
    lam.update_alias(FunctionName=fn, Name="live", FunctionVersion="2")
    assert lam.get_alias(FunctionName=fn, Name="live")["FunctionVersion"] == "2"
    assert [x["Name"] for x in lam.list_aliases(FunctionName=fn)["Aliases"]] == ["live"]
    assert cloud.invoke(fn, Qualifier="live").payload == "two"
    lam.delete_alias(FunctionName=fn, Name="live")
    assert error_of(lam.get_alias, FunctionName=fn, Name="live")[:2] == (
        404,
        "ResourceNotFoundException",
    )


# ---- permissions ----------------------------------------------------------------------------------


def test_permissions(lam, fn):
    assert error_of(lam.get_policy, FunctionName=fn) == (
        404,
        "ResourceNotFoundException",
        "The resource you requested does not exist.",
    )
    statement = json.loads(
        lam.add_permission(
            FunctionName=fn, StatementId="s3", Action="lambda:InvokeFunction",
            Principal="s3.amazonaws.com", SourceArn="arn:aws:s3:::b", SourceAccount=ACCOUNT,
        )["Statement"]
    )
    assert statement == {
        "Sid": "s3",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": arn(fn),
        "Condition": {
            "StringEquals": {"AWS:SourceAccount": ACCOUNT},
            "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::b"},
        },
    }
    policy = json.loads(lam.get_policy(FunctionName=fn)["Policy"])
    assert policy == {"Version": "2012-10-17", "Id": "default", "Statement": [statement]}
    assert error_of(
        lam.add_permission, FunctionName=fn, StatementId="s3", Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
    ) == (
        409,
        "ResourceConflictException",
        "The statement id (s3) provided already exists. Please provide a new statement id, or "
        "remove the existing statement.",
    )
    lam.remove_permission(FunctionName=fn, StatementId="s3")
    assert error_of(lam.get_policy, FunctionName=fn)[1] == "ResourceNotFoundException"


# ---- layers -----------------------------------------------------------------------------------------


def layer(lam, files, name=None, **options):
    name = name or unique("layer")
    return lam.publish_layer_version(LayerName=name, Content={"ZipFile": zipped(files)}, **options)


def test_layers(lam):
    name = unique("layer")
    made = layer(
        lam, {"python/m.py": "x = 1\n"}, name, Description="d", CompatibleRuntimes=[RUNTIME],
        LicenseInfo="MIT",
    )
    base = "arn:aws:lambda:%s:%s:layer:%s" % (REGION, ACCOUNT, name)
    assert (made["Version"], made["LayerArn"], made["LayerVersionArn"]) == (1, base, base + ":1")
    assert layer(lam, {"python/m.py": "x = 2\n"}, name)["Version"] == 2
    one = lam.get_layer_version(LayerName=name, VersionNumber=1)
    assert (one["Description"], one["CompatibleRuntimes"], one["LicenseInfo"]) == ("d", [RUNTIME], "MIT")
    assert lam.get_layer_version_by_arn(Arn=base + ":1")["Content"]["CodeSha256"] == (
        made["Content"]["CodeSha256"]
    )
    listed = lam.list_layer_versions(LayerName=name)["LayerVersions"]
    assert [v["Version"] for v in listed] == [2, 1]
    layers = lam.list_layers()["Layers"]
    assert [x["LatestMatchingVersion"]["Version"] for x in layers if x["LayerName"] == name] == [2]
    lam.delete_layer_version(LayerName=name, VersionNumber=2)
    assert error_of(lam.get_layer_version, LayerName=name, VersionNumber=2)[:2] == (
        404,
        "ResourceNotFoundException",
    )
    assert layer(lam, {"python/m.py": "x = 3\n"}, name)["Version"] == 3  # numbers are not used again


def test_functions_see_their_layers_in_order(cloud, lam):
    a = layer(lam, {"python/m.py": "who = 'a'\n", "only-a": "a"})["LayerVersionArn"]
    b = layer(lam, {"python/m.py": "who = 'b'\n", "only-b": "b"})["LayerVersionArn"]
    name = cloud.function(
        "import os, m\ndef handler(e, c):\n    return [m.who, m.__file__, sorted(os.listdir('/opt'))]\n",
        Layers=[a, b],
    )
    assert cloud.invoke(name).payload == ["b", "/opt/python/m.py", ["only-a", "only-b", "python"]]
    listed = lam.get_function_configuration(FunctionName=name)["Layers"]
    assert [x["Arn"] for x in listed] == [a, b]
    lam.update_function_configuration(FunctionName=name, Layers=[b, a])
    lam.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=SOON)
    assert cloud.invoke(name).payload[0] == "a"


def test_layers_that_cannot_be(cloud, lam):
    name = unique("layer")
    one = layer(lam, {"a": "1"}, name)["LayerVersionArn"]
    two = layer(lam, {"a": "2"}, name)["LayerVersionArn"]
    status, code, message = create_error(cloud, Layers=[one, two])
    assert (status, code) == (400, "InvalidParameterValueException")
    assert message.startswith(
        "Two different versions of the same layer are not allowed to be referenced in the same function."
    )
    status, code, _ = create_error(cloud, Layers=[one[:-1] + "99"])
    assert (status, code) == (400, "InvalidParameterValueException")
    status, code, _ = create_error(
        cloud, Layers=[layer(lam, {"a": "1"})["LayerVersionArn"] for _ in range(6)]
    )
    assert (status, code) == (400, "InvalidParameterValueException")


def test_layer_permissions(lam):
    name = unique("layer")
    layer(lam, {"a": "1"}, name)
    lam.add_layer_version_permission(
        LayerName=name, VersionNumber=1, StatementId="all", Action="lambda:GetLayerVersion", Principal="*"
    )
    policy = json.loads(lam.get_layer_version_policy(LayerName=name, VersionNumber=1)["Policy"])
    assert policy["Statement"] == [
        {
            "Sid": "all",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "lambda:GetLayerVersion",
            "Resource": "arn:aws:lambda:%s:%s:layer:%s:1" % (REGION, ACCOUNT, name),
        }
    ]
    lam.remove_layer_version_permission(LayerName=name, VersionNumber=1, StatementId="all")
    assert error_of(lam.get_layer_version_policy, LayerName=name, VersionNumber=1)[0] == 404


# ---- the rest of the surface --------------------------------------------------------------------------


def test_an_operation_that_is_not_there_says_so(lam, fn):
    status, code, message = error_of(lam.get_function_code_signing_config, FunctionName=fn)
    assert (status, code) == (501, "NotImplemented")


def test_deleting_what_is_not_there(lam):
    assert error_of(lam.delete_function, FunctionName="nope") == (
        404,
        "ResourceNotFoundException",
        "Function not found: " + arn("nope"),
    )
