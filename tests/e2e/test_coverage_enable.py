"""`lamina coverage enable`, `disable` and `status`: what functions have before, meanwhile, afterwards."""

import json

import pytest

from cloud import SOON, lamina, unique, zipped

pytestmark = pytest.mark.usefixtures("layer_here")
LAYER = "lamina-python-coverage"
SOURCE = "def handler(event, context):\n    return event\n"


@pytest.fixture(scope="module")
def layer_here(tmp_path_factory):
    """Whoever builds without the layer's parts is told so, instead of seeing every test fail."""
    zip = tmp_path_factory.mktemp("layer") / "x.zip"
    r = lamina("layer", "build", "python-coverage", "-o", zip, check=False)
    if r.returncode:
        pytest.fail("the coverage layer cannot be built here: " + r.stderr)


def config(cloud, name):
    c = cloud.lambda_.get_function_configuration(FunctionName=name)
    return {k: c[k] for k in c if k not in ("ResponseMetadata", "LastModified", "RevisionId")}


def tags(cloud, name):
    arn = config(cloud, name)["FunctionArn"]
    return cloud.lambda_.list_tags(Resource=arn)["Tags"]


def variables(cloud, name):
    return config(cloud, name).get("Environment", {}).get("Variables", {})


def policies(cloud, name):
    role = config(cloud, name)["Role"].rpartition("/")[2]
    return cloud.iam.list_role_policies(RoleName=role)["PolicyNames"]


def some_layer(cloud):
    r = cloud.lambda_.publish_layer_version(
        LayerName=unique("layer"), Content={"ZipFile": zipped({"python/x%s.py" % unique("m")[-5:]: ""})}
    )
    return r["LayerVersionArn"]


def ours(arns):
    return [a for a in arns if ":layer:%s:" % LAYER in a]


def test_on_keeps_what_there_is_and_off_gives_it_back(cloud):
    mine = some_layer(cloud)
    name = cloud.function(
        SOURCE,
        Environment={"Variables": {"ZEBRA": "1", "APPLE": "ä b,c", "COVERAGE_S3_PREFIX": "mine/"}},
        Layers=[mine],
        Tags={"team": "a"},
    )
    before, its_policies = config(cloud, name), policies(cloud, name)
    cloud.lamina("coverage", "enable", name, "--prefix", "other/", "--no-branch", "--exclude", "v/*")
    now = config(cloud, name)
    arns = [layer["Arn"] for layer in now["Layers"]]
    assert arns[0] == mine and len(arns) == 2 and ours(arns) == arns[1:]
    bucket = "lamina-coverage-000000000000-us-east-1"
    assert variables(cloud, name) == {
        "ZEBRA": "1",
        "APPLE": "ä b,c",
        "COVERAGE_S3_PREFIX": "other/",
        "AWS_LAMBDA_EXEC_WRAPPER": "/opt/lamina-coverage",
        "COVERAGE_S3_BUCKET": bucket,
        "COVERAGE_BRANCH_COVERAGE": "false",
        "COVERAGE_EXCLUDE_PATTERNS": "v/*",
    }
    assert set(policies(cloud, name)) - set(its_policies) == {"lamina-coverage-" + name}
    cloud.lamina("coverage", "disable", name)
    assert config(cloud, name) == before
    assert list(variables(cloud, name)) == ["ZEBRA", "APPLE", "COVERAGE_S3_PREFIX"]
    assert tags(cloud, name) == {"team": "a"}
    assert policies(cloud, name) == its_policies


def test_a_function_without_anything_has_nothing_afterwards(cloud):
    name = cloud.function(SOURCE)
    before = config(cloud, name)
    cloud.lamina("coverage", "enable", name)
    cloud.lamina("coverage", "disable", name)
    assert config(cloud, name) == before and "Layers" not in before
    assert "off already" in cloud.lamina("coverage", "disable", name).stdout


def test_twice_changes_nothing(cloud):
    name = cloud.function(SOURCE)
    assert " on " in cloud.lamina("coverage", "enable", name).stdout
    before = cloud.lambda_.get_function_configuration(FunctionName=name)["RevisionId"]
    assert "on already" in cloud.lamina("coverage", "enable", name).stdout
    assert cloud.lambda_.get_function_configuration(FunctionName=name)["RevisionId"] == before


def test_the_same_content_is_published_once(cloud):
    a, b = cloud.function(SOURCE), cloud.function(SOURCE)
    cloud.lamina("coverage", "enable", a)
    versions = cloud.lambda_.list_layer_versions(LayerName=LAYER)["LayerVersions"]
    cloud.lamina("coverage", "enable", b)
    assert cloud.lambda_.list_layer_versions(LayerName=LAYER)["LayerVersions"] == versions
    both = [config(cloud, n)["Layers"][0]["Arn"] for n in (a, b)]
    assert both[0] == both[1]
    assert "python3.8" in versions[0]["CompatibleRuntimes"]


def test_the_bucket_is_encrypted_private_versioned_and_forgets(cloud):
    name, bucket = cloud.function(SOURCE), unique("cov")
    r = cloud.lamina("coverage", "enable", name, "--bucket", bucket)
    assert "made the bucket " + bucket in r.stderr
    rules = cloud.s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    assert rules["Rules"][0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    private = cloud.s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert all(private.values()) and len(private) == 4
    assert cloud.s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    rules = cloud.s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert {r["Filter"]["Prefix"]: r["Expiration"]["Days"] for r in rules} == {
        "coverage/2": 30,
        "coverage/combined": 90,
    }
    role = config(cloud, name)["Role"].rpartition("/")[2]
    policy = cloud.iam.get_role_policy(RoleName=role, PolicyName="lamina-coverage-" + name)
    assert policy["PolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::%s/coverage/*" % bucket,
        }
    ]


def test_what_cannot_be_is_refused_by_name_and_nothing_has_changed(cloud):
    full = cloud.function(SOURCE, Layers=[some_layer(cloud) for _ in range(5)])
    wrapped = cloud.function(
        SOURCE, Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/other"}}
    )
    big = cloud.function(SOURCE, Environment={"Variables": {"BIG": "x" * 4050}})
    other = cloud.function(
        files={"index.js": "exports.handler = async () => 1"},
        Runtime="java21",
        Handler="index.handler",
    )
    for name, why in (
        (full, "5 layers already"),
        (wrapped, "AWS_LAMBDA_EXEC_WRAPPER=/opt/other already"),
        (big, "4096 are allowed"),
        (other, "the runtime java21 is not covered"),
    ):
        before = config(cloud, name), tags(cloud, name), policies(cloud, name)
        r = cloud.lamina("coverage", "enable", name, check=False)
        assert r.returncode == 1 and name in r.stderr and why in r.stderr, r.stderr
        assert (config(cloud, name), tags(cloud, name), policies(cloud, name)) == before
    r = cloud.lamina("coverage", "enable", unique("nobody"), check=False)
    assert r.returncode == 1 and "there is no function and no stack" in r.stderr
    assert cloud.lamina("coverage", "enable", check=False).returncode == 2
    bare = unique("bare")
    template = {"Resources": {"B": {"Type": "AWS::S3::Bucket"}}}
    cloud.cfn.create_stack(StackName=bare, TemplateBody=json.dumps(template))
    for action, code in (("enable", 1), ("disable", 0)):
        r = cloud.lamina("coverage", action, bare, check=False)
        assert r.returncode == code and bare + ": there is no function" in r.stderr, r.stderr


def test_who_was_interrupted_does_the_rest(cloud):
    """The tag is written first and removed last: each half is finished by the same command."""
    name = cloud.function(SOURCE, Environment={"Variables": {"AA": "1"}})
    before, arn = config(cloud, name), config(cloud, name)["FunctionArn"]
    cloud.lamina("coverage", "enable", name)
    record = tags(cloud, name)
    cloud.lamina("coverage", "disable", name)
    cloud.lambda_.tag_resource(Resource=arn, Tags=record)  # died before the configuration
    assert "off" in cloud.lamina("coverage", "status", name).stdout
    cloud.lamina("coverage", "enable", name)
    assert variables(cloud, name)["AA"] == "1" and ours([config(cloud, name)["Layers"][0]["Arn"]])
    cloud.lambda_.update_function_configuration(  # died behind the configuration
        FunctionName=name, Layers=[], Environment={"Variables": {"AA": "1"}}
    )
    cloud.lambda_.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=SOON)
    cloud.lamina("coverage", "disable", name)
    assert config(cloud, name) == before and tags(cloud, name) == {}


def test_a_role_that_may_not_be_changed_is_told_what_it_needs(cloud):
    """A caller without iam:PutRolePolicy: the rest is done, the policy is printed."""
    name = cloud.function(SOURCE)
    allowed = ["lambda:*", "s3:*", "sts:*", "cloudformation:*"]
    caller = cloud.role([{"Effect": "Allow", "Action": allowed, "Resource": "*"}], trust=TRUST_ME)
    c = cloud.sts.assume_role(RoleArn=caller, RoleSessionName="caller")["Credentials"]
    r = cloud.lamina(
        "coverage",
        "enable",
        name,
        AWS_ACCESS_KEY_ID=c["AccessKeyId"],
        AWS_SECRET_ACCESS_KEY=c["SecretAccessKey"],
        AWS_SESSION_TOKEN=c["SessionToken"],
    )
    assert '"Action":"s3:PutObject"' in r.stderr and "AccessDenied" in r.stderr
    assert variables(cloud, name)["AWS_LAMBDA_EXEC_WRAPPER"] == "/opt/lamina-coverage"


TRUST_ME = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


def test_status_tells_what_is_missing(cloud):
    name = cloud.function(SOURCE)
    cloud.lamina("coverage", "enable", name)
    told = json.loads(cloud.lamina("coverage", "status", name, "--json").stdout)[0]
    assert told["active"] and told["mechanism"] == "settrace" and told["enabledByLamina"]
    assert told["bucket"] == "lamina-coverage-000000000000-us-east-1"
    cloud.lambda_.update_function_configuration(
        FunctionName=name,
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/lamina-coverage"}},
    )
    told = json.loads(cloud.lamina("coverage", "status", name, "--json").stdout)[0]
    assert not told["active"] and told["reason"] == "COVERAGE_S3_BUCKET is not set"
    table = cloud.lamina("coverage", "status").stdout
    assert table.split()[:3] == ["FUNCTION", "RUNTIME", "LAYER"] and name in table
