"""Every verb, pointed at AWS: against a look-alike with AWS's names, TLS and moods, in which
nothing can leave this machine. What is asked must be what AWS knows."""

import collections
import csv
import hashlib
import json
import os
import sys

import pytest
from cloud import AWS_CLI, LAMINA, ROOT
from look_alike import HERE, LookAlike, why_not

WHY_NOT = why_not()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=str(WHY_NOT))
EXPIRED = "The security token included in the request is expired"
NO_KEYS = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}


@pytest.fixture(scope="module")
def aws():
    amazon = LookAlike(LAMINA)
    yield amazon
    amazon.stop()


@pytest.fixture(autouse=True)
def calm(request):
    if not WHY_NOT:
        request.getfixturevalue("aws").reset()


@pytest.fixture(scope="module")
def project(aws, tmp_path_factory):
    """A project, deployed as the stack hello."""
    at = tmp_path_factory.mktemp("aws")
    aws.run(LAMINA, "init", "hello", cwd=at)
    aws.run(LAMINA, "build", cwd=at / "hello")
    r = aws.run(LAMINA, "deploy", cwd=at / "hello")
    assert r.stderr.startswith(
        "AWS account 000000000000, us-east-1, as arn:aws:iam::000000000000:root\n")
    return at / "hello"


def lamina(aws, *args, **more):
    return aws.run(LAMINA, *args, **more)


def hosts(aws):
    return {r["host"] for r in aws.log()}


def check_requests(aws):
    """The front has refused what is signed for another place than the host; here: what AWS would
    not know."""
    for r in aws.log():
        assert "_lamina" not in r["path"], r["line"]
        assert r["key"] or ".lambda-url." in r["host"], "unsigned: " + r["line"]
        assert r["agent"].startswith("lamina"), r


# In this order: what a person would do.
CHAIN = [
    ("deploy --stack-name hello", "", "hello: nothing to change"),
    ("package --resolve-s3", "CodeUri: s3://aws-sam-cli-managed-default-", ""),
    ("list", "hello                        CREATE_COMPLETE", ""),
    ("list functions", "hello-HelloFunction-", ""),
    ("list resources --stack-name hello", "AWS::Lambda::Function", ""),
    ("outputs --stack-name hello", "arn:aws:lambda:us-east-1:000000000000:function:hello-", ""),
    ("invoke HelloFunction --stack-name hello", "Hello", ""),
    ("test", "2 passed, 0 failed", ""),
    ("logs HelloFunction --stack-name hello", "REPORT RequestId", ""),
    ("logs query stats\tcount(*) HelloFunction --stack-name hello", "count(*)", "1 row"),
    ("test --coverage", "hello/app.py", "made the bucket lamina-coverage-000000000000-us-east-1"),
    ("coverage enable hello", " on  layer version 1", ""),
    ("coverage status hello", "lamina-coverage-000000000000-us-east-1/coverage/", ""),
    ("invoke HelloFunction --stack-name hello", "Hello", ""),
    ("coverage report hello", "hello/app.py", ""),
    ("coverage disable hello", " off", ""),
    ("bench warm -n 5 HelloFunction --stack-name hello", "AWS us-east-1", ""),
    ("bench load -n 6 -c 2 HelloFunction --stack-name hello", "6 ok; success 100 %", ""),
    ("bench rate --rate 50 -n 5 HelloFunction --stack-name hello", "5 ok; success 100 %", ""),
    ("bench burst -n 3 HelloFunction --stack-name hello", "3 ok; success 100 %", ""),
    ("bench cold -n 2 HelloFunction --stack-name hello", "2 started, 2 of 2 cold", ""),
    ("bench memory --memory 128,256 -n 2 HelloFunction --stack-name hello", "256 MB", ""),
    ("bench restore", "nothing is left to put back", ""),
    ("cost hello --from-logs 1h --invocations-per-month 1000", "a million invocations", ""),
    ("verify --stack-name hello --quick", "0 failed", ""),
    ("deployments list hello", "deploy  complete", ""),
    ("deployments record hello", "", ""),
    ("rollback hello --plan", "", ""),
    ("sync --stack-name hello", "", "nothing to change"),
]


def test_the_same_commands_do_the_same_there(aws, project):
    for command, out, err in CHAIN:
        r = lamina(aws, *[w.replace("\t", " ") for w in command.split(" ")], cwd=project)
        assert out in r.stdout and err in r.stderr, (command, r.stdout, r.stderr)
    check_requests(aws)
    names = {h for h in hosts(aws) if ".s3." not in h}
    assert names == {n + ".us-east-1.amazonaws.com" for n in
                     ("lambda", "logs", "cloudformation", "sts", "s3")} | {"iam.amazonaws.com"}


def test_nothing_private_is_sent(aws, project):
    for command in ("inspect HelloFunction --stack-name hello", "policy record -- true"):
        r = lamina(aws, *command.split(), cwd=project, check=False)
        assert r.returncode == 1 and "this needs the embedded cloud (--target local)" in r.stderr
    assert aws.log() == []
    assert lamina(aws, "status", check=False).returncode == 1  # of a cloud on this machine


def test_what_others_have_written_gets_along(aws, project):
    """The look-alike itself is not only what Lamina's client expects."""
    r = aws.run(AWS_CLI, "lambda", "list-functions", "--query", "Functions[].FunctionName")
    assert "hello-HelloFunction" in r.stdout
    r = aws.run("curl", "-sS", "--cacert", aws.dir + "/ca.pem", "-o", "/dev/null",
                "-w", "%{http_code}", "https://lambda.us-east-1.amazonaws.com/_lamina/health")
    assert r.stdout == "403"


# ---- regions and addresses ----


@pytest.mark.parametrize("region, suffix", [
    ("eu-west-1", "eu-west-1.amazonaws.com"),
    ("us-gov-west-1", "us-gov-west-1.amazonaws.com"),
    ("cn-north-1", "cn-north-1.amazonaws.com.cn"),
])
def test_other_regions_and_partitions(aws, project, region, suffix):
    lamina(aws, "deploy", "--stack-name", "far", cwd=project, AWS_REGION=region)
    lamina(aws, "test", "--stack-name", "far", "--coverage", cwd=project, AWS_REGION=region)
    r = lamina(aws, "delete", "--stack-name", "far", "--no-prompts", cwd=project, AWS_REGION=region)
    assert r.stdout.endswith("0 left\n")
    check_requests(aws)
    iam = {"eu-west-1": "iam.amazonaws.com", "us-gov-west-1": "iam.us-gov.amazonaws.com",
           "cn-north-1": "iam.cn-north-1.amazonaws.com.cn"}[region]
    assert iam in hosts(aws)
    assert all(h.endswith(suffix) for h in hosts(aws) - {iam})


@pytest.mark.parametrize("variables, host", [
    ({"AWS_USE_FIPS_ENDPOINT": "true"}, "lambda-fips.us-east-1.amazonaws.com"),
    ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "lambda.us-east-1.api.aws"),
    ({"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
     "lambda-fips.us-east-1.api.aws"),
])
def test_fips_and_dual_stack(aws, project, variables, host):
    lamina(aws, "bench", "warm", "-n", 2, "HelloFunction", "--stack-name", "hello", cwd=project,
           **variables)
    assert host in hosts(aws) and "lambda.us-east-1.amazonaws.com" not in hosts(aws)
    lamina(aws, "package", "--resolve-s3", cwd=project, **variables)
    check_requests(aws)


def test_a_bucket_is_found_in_another_region(aws, project):
    lamina(aws, "package", "--s3-bucket", "elsewhere.with.dots", cwd=project, check=False)
    assert {r["host"] for r in aws.log()} == {"s3.us-east-1.amazonaws.com"}  # no certificate fits
    aws.reset()
    aws.call("s3", "create_bucket", region="eu-west-1", Bucket="far-away",
             CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    aws.fault(r"far-away\.s3\.us-east-1", "answer", 9, status=301, code="PermanentRedirect",
              headers={"x-amz-bucket-region": "eu-west-1"})
    r = lamina(aws, "package", "--s3-bucket", "far-away", cwd=project)
    assert "CodeUri: s3://far-away/" in r.stdout
    put = [r for r in aws.log() if r["method"] == "PUT"]
    assert [(r["host"], r["region"]) for r in put] == [("far-away.s3.eu-west-1.amazonaws.com",
                                                       "eu-west-1")]


@pytest.mark.parametrize("env, said", [
    ({"AWS_REGION": None}, "no region: give --region, AWS_REGION, or one in the profile"),
    ({"AWS_REGION": "us-east-1.evil.example/"}, "is no name of a region"),
    ({"AWS_REGION": "us-oost-1"}, "cannot find the host of https://cloudformation.us-oost-1."
                                  "amazonaws.com; is there such a region"),
    ({"AWS_REGION": "cn-north-1", "AWS_USE_FIPS_ENDPOINT": "true"}, "no FIPS endpoints"),
    ({"AWS_CA_BUNDLE": None}, "shows a certificate that is not trusted"),
    ({"HTTPS_PROXY": "http://127.0.0.1:1"}, "127.0.0.1 port 1"),
    (NO_KEYS, "no credentials: looked at"),
    ({"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"}, "lamina: list: no such access key, or one of"),
    ({"AWS_SECRET_ACCESS_KEY": "no"}, "lamina: list: the secret key does not belong to the access"),
])
def test_what_is_wrong_is_told(aws, env, said):
    r = lamina(aws, "list", check=False, timeout=20, **env)
    assert r.returncode == 1 and said in r.stderr


# ---- credentials ----


def whose(aws, profile=None, check=True, **env):
    """The account and the keys that a deletion of nothing is asked with."""
    env = {**NO_KEYS, **env}
    if profile:
        env["AWS_PROFILE"] = profile
    r = lamina(aws, "delete", "--stack-name", "nothing", "--no-prompts", check=check, **env)
    if not check:
        return r
    last = aws.log()[-1]
    return r.stderr.split(",")[0], last["key"], last["token"]


@pytest.fixture(scope="module")
def profiles(aws):
    home = aws.dir + "/home"
    os.makedirs(home + "/.aws/sso/cache")
    for name, token, ends in (("corp", "a-login", 2999), ("stale", "a-login", 2001),
                              ("https://old.example/start", "revoked", 2999)):
        at = hashlib.sha1(name.encode()).hexdigest()
        with open("%s/.aws/sso/cache/%s.json" % (home, at), "w") as f:
            json.dump({"accessToken": token, "expiresAt": "%d-01-01T00:00:00Z" % ends}, f)
    trust = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]})
    allow = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    for role in "first", "second":
        aws.call("iam", "create_role", RoleName=role, AssumeRolePolicyDocument=trust)
        aws.call("iam", "put_role_policy", RoleName=role, PolicyName="p", PolicyDocument=allow)
    with open(home + "/.aws/credentials", "w") as f:
        f.write("[keys]\naws_access_key_id = test\naws_secret_access_key = test\n"
                "[other]\naws_access_key_id = 222233334444\naws_secret_access_key = test\n")
    with open(home + "/.aws/config", "w") as f:
        f.write("""
[profile role]
role_arn = arn:aws:iam::000000000000:role/first
source_profile = keys
[profile role-of-role]
role_arn = arn:aws:iam::000000000000:role/second
source_profile = role
[profile process]
credential_process = echo '{"Version": 1, "AccessKeyId": "555566667777", "SecretAccessKey": "test"}'
[profile old-process]
credential_process = echo '{"Version": 1, "AccessKeyId": "1", "SecretAccessKey": "2", "Expiration": "2001-01-01T00:00:00Z"}'
[sso-session corp]
sso_region = eu-west-1
[sso-session stale]
sso_region = eu-west-1
[profile sso]
sso_session = corp
sso_account_id = 888899990000
sso_role_name = Dev
[profile sso-stale]
sso_session = stale
sso_account_id = 888899990000
sso_role_name = Dev
[profile sso-revoked]
sso_start_url = https://old.example/start
sso_region = eu-west-1
sso_account_id = 888899990000
sso_role_name = Dev
[profile sso-never]
sso_start_url = https://never.example/start
sso_region = eu-west-1
sso_account_id = 888899990000
sso_role_name = Dev
[profile mfa]
role_arn = arn:aws:iam::000000000000:role/first
source_profile = keys
mfa_serial = arn:aws:iam::000000000000:mfa/me
""")


def test_keys_come_from_where_all_tools_look(aws, profiles):
    assert whose(aws, "other")[:2] == ("AWS account 222233334444", "222233334444")
    assert whose(aws, "process")[1] == "555566667777"
    account, key, token = whose(aws, "role")
    assert account == "AWS account 000000000000" and key.startswith("ASIA") and token
    assert whose(aws, "sso") == ("AWS account 888899990000", "888899990000", "of-Dev")
    assert whose(aws, AWS_CONTAINER_CREDENTIALS_FULL_URI="http://127.0.0.1/agent",
                 AWS_CONTAINER_AUTHORIZATION_TOKEN="Basic agent")[1:] == ("444455556666", "near")
    assert whose(aws, AWS_EC2_METADATA_SERVICE_ENDPOINT="http://127.0.0.1/",
                 AWS_EC2_METADATA_DISABLED=None)[1:] == ("777788889999", "near")
    # keys of the environment win over AWS_PROFILE, and lose to --profile
    env = {"AWS_ACCESS_KEY_ID": "123412341234", "AWS_SECRET_ACCESS_KEY": "test"}
    assert whose(aws, "other", **env)[1] == "123412341234"
    lamina(aws, "list", "--profile", "other", **env)
    assert aws.log()[-1]["key"] == "222233334444"


def test_a_role_is_assumed_by_a_role(aws, profiles):
    assert whose(aws, "role-of-role")[0] == "AWS account 000000000000"
    asked = [r for r in aws.log() if r["action"] == "AssumeRole"]
    assert len(asked) == 2 and asked[0]["key"] == "test" and asked[1]["key"].startswith("ASIA")
    r = whose(aws, "role-of-role", check=False)
    assert ":assumed-role/second/lamina-" in r.stderr


@pytest.mark.parametrize("profile, said", [
    ("sso-never", "nobody is logged in: aws sso login --profile sso-never"),
    ("sso-stale", "the login has ended: aws sso login --profile sso-stale"),
    ("sso-revoked", "the login has ended: aws sso login --profile sso-revoked"),
    ("mfa", "aws configure export-credentials --profile mfa --format env"),
    ("old-process", "gave credentials that have expired"),
    ("nobody", "there is no profile nobody"),
])
def test_what_a_profile_lacks_is_told(aws, profiles, profile, said):
    r = whose(aws, profile, check=False)
    assert r.returncode == 1 and said in r.stderr


def test_the_agent_must_be_near(aws):
    r = whose(aws, check=False, AWS_CONTAINER_CREDENTIALS_FULL_URI="http://127.0.0.1@evil.example/x")
    assert r.returncode == 1 and "neither https nor an address of this machine" in r.stderr


# ---- bad days ----


def test_a_session_that_has_ended(aws, project):
    aws.fault("GetCallerIdentity", "answer", 9, status=403, code="ExpiredToken", message=EXPIRED)
    r = lamina(aws, "deploy", cwd=project, check=False)
    assert r.returncode == 1 and r.stderr.endswith(
        EXPIRED + " (ExpiredToken)\nlamina: deploy: the session has ended: log in again, or give"
        " new credentials\n")
    assert len(aws.log()) == 1


def test_the_server_s_clock_counts(aws, project):
    aws.ask(skew=7200)
    lamina(aws, "bench", "warm", "-n", 2, "HelloFunction", "--stack-name", "hello", cwd=project)
    assert [r["status"] for r in aws.log()].count(403) == 1
    aws.reset()
    aws.ask(skew=-1200)
    assert "CodeUri" in lamina(aws, "package", "--resolve-s3", "--force-upload", cwd=project).stdout


def test_throttled_and_dropped_requests_are_sent_again(aws, project):
    aws.fault("DescribeStacks", "answer", 1, status=400, code="Throttling", message="Rate exceeded")
    aws.fault("DescribeStacks", "close", 1)
    aws.fault("HEAD", "answer", 1, status=503, code="SlowDown")
    aws.fault("HEAD", "answer", 1, status=500, code="InternalError")
    aws.fault("sts", "answer", 1, status=429, code="TooManyRequestsException",
              headers={"x-amz-retry-after": "1"})
    lamina(aws, "deploy", cwd=project, timeout=60)
    assert [r["status"] for r in aws.log() if r["action"] == "DescribeStacks"][:3] == [400, 0, 200]


def test_it_gives_up_in_the_end(aws):
    aws.fault("functions", "answer", 99, status=503, code="ServiceUnavailable")
    r = lamina(aws, "list", "functions", check=False, AWS_MAX_ATTEMPTS="2")
    assert r.returncode == 1 and "(ServiceUnavailable)" in r.stderr
    assert len(aws.log()) == 2


def test_a_function_s_update_is_waited_for(aws, project):
    """AWS takes seconds for what the embedded cloud has done at once."""
    aws.fault("GET .*/configuration", "edit", 3, what='"LastUpdateStatus": *"Successful"',
              by='"LastUpdateStatus":"InProgress"')
    lamina(aws, "coverage", "enable", "hello", cwd=project)
    lamina(aws, "coverage", "disable", "hello", cwd=project)
    assert sum(r["method"] == "GET" and r["path"].endswith("/configuration")
               for r in aws.log()) > 3


# ---- what runs on AWS ----


@pytest.mark.parametrize("bucket, host", [
    ("covered", "covered.s3.us-east-1.amazonaws.com"),
    ("covered.with.dots", "s3.us-east-1.amazonaws.com"),
])
def test_coverage_is_sent_from_a_function_on_aws(aws, tmp_path, bucket, host):
    aws.call("s3", "create_bucket", Bucket=bucket)
    aws.fault("PUT", "answer", 1, status=503, code="SlowDown")
    source = tmp_path / "app.py"
    source.write_text("pass\n" * 100)
    r = aws.run(sys.executable, HERE + "/look_alike_shipper.py", tmp_path, bucket,
                aws.dir + "/ca.pem", source, cwd=HERE, LAMINA=LAMINA)
    puts = [r for r in aws.log() if r["method"] == "PUT"]
    assert {p["host"] for p in puts} == {host}, r.stdout
    assert [p["status"] for p in puts][:2] == [503, 200] and puts[-1]["status"] == 200, r.stdout
    assert {(p["service"], p["region"]) for p in puts} == {("s3", "us-east-1")}


# ---- which environment it was ----


def hello(aws, **logging):
    """Its name; its environments are new ones."""
    r = aws.run(AWS_CLI, "lambda", "list-functions", "--query", "Functions[0].FunctionName")
    name = json.loads(r.stdout)
    aws.run("curl", "-fsS", "--aws-sigv4", "aws:amz:us-east-1:lambda", "--user", "test:test", "-X", "PUT",
            "-d", json.dumps({"LoggingConfig": logging}),
            aws.cloud + "/2015-03-31/functions/%s/configuration" % name)
    aws.reset()
    return name


def bench(aws, tmp_path, *args, **env):
    """The report, and each request."""
    at = tmp_path / "samples.csv"
    r = lamina(aws, "bench", *args, "--json", "--csv", at, **env)
    with open(at) as f:
        return json.loads(r.stdout), list(csv.DictReader(f))


def tally(samples):
    return collections.Counter(s["environment"] for s in samples)


@pytest.mark.parametrize("logging", [{"LogFormat": "Text"},
                                     {"LogFormat": "JSON", "LogGroup": "/of/another/name"}])
def test_logs_tell_of_environments_what_the_embedded_cloud_does(aws, project, tmp_path, logging):
    name = hello(aws, **logging)
    aws.fault("FilterLogEvents", "late", 2)
    report, told = bench(aws, tmp_path, "load", name, "-c", 3, "-n", 30)
    check_requests(aws)
    assert sum(r["action"] == "FilterLogEvents" for r in aws.log()) > 2
    cloud = aws.run("curl", "-sS", aws.cloud + "/_lamina/lambda/inspect?region=us-east-1&account="
                    "000000000000&function=" + name)
    known = {e["id"]: e["invocations"] for e in json.loads(cloud.stdout)["environments"]
             if e["state"] != "ended"}
    assert tally(told) == known
    assert report["run"]["environments_started"] == len(known)
    assert tally(s for s in told if s["cold"] == "1") == dict.fromkeys(known, 1)
    env = {"LAMINA_TARGET": "local", "AWS_ENDPOINT_URL": aws.cloud}
    assert set(tally(bench(aws, tmp_path, "warm", name, "-n", 2, **env)[1])) <= set(known)


def test_logs_that_cannot_be_read_are_a_note(aws, project, tmp_path):
    name = hello(aws, LogFormat="Text", LogGroup="/closed")
    aws.fault("FilterLogEvents", "answer", 9, status=400, code="AccessDeniedException",
              message="not for you")
    report, samples = bench(aws, tmp_path, "warm", name, "-n", 3)
    note = "which environment answered a request is not known: logs:FilterLogEvents of /closed: "
    assert note + "not for you" in report["warnings"]
    assert set(tally(samples)) == {""} and report["all"]["outcomes"]["ok"] == 3


# ---- the end ----


def test_the_page_about_aws(aws, project):
    """The commands of docs/aws.md, one after the other."""
    with open(ROOT + "/docs/aws.md") as f:
        block = f.read().split("<!-- look-alike -->\n```text\n")[1].split("```")[0]
    script = block.replace("lamina ", LAMINA + " ")
    r = aws.run("bash", "-e", "-c", script, cwd=project, LAMINA_TARGET=None, AWS_REGION=None)
    assert "2 passed, 0 failed" in r.stdout and r.stdout.endswith("0 left\n")
    check_requests(aws)


def test_a_deletion_says_where_and_asks(aws, project):
    r = lamina(aws, "delete", "--stack-name", "hello", cwd=project, check=False)
    assert r.returncode == 2 and "--no-prompts deletes from AWS unasked" in r.stderr
    assert aws.log() == []
    r = lamina(aws, "delete", "--stack-name", "hello", "--no-prompts", cwd=project)
    assert r.stderr.startswith("AWS account 000000000000, us-east-1, as ")
    assert r.stdout.endswith("0 left\n")
    check_requests(aws)
