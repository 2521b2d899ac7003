"""lamina policy: explanations, records, differences, and what is refused."""

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request

import pytest

from cloud import LAMINA, environ, free_port, lamina


def write(folder, name, *statements):
    (folder / name).write_text(
        json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, indent=2))
    return name


def allow(action, resource="*", **more):
    return dict({"Effect": "Allow", "Action": action, "Resource": resource}, **more)


def simulate(folder, *args):
    r = lamina("policy", "simulate", *args, "--json", cwd=folder, check=False)
    assert r.returncode in (0, 1), r.stderr
    out = json.loads(r.stdout)
    assert (r.returncode == 1) == (out["denied"] > 0)
    return out["results"]


def test_a_denial_names_statement_and_condition(tmp_path):
    near = allow("s3:Get*", "arn:aws:s3:::b/*", Sid="Near",
                 Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})
    write(tmp_path, "p.json", allow("iam:*"), near,
          dict(allow("s3:DeleteObject"), Effect="Deny", Sid="Never"))
    asked = ("-f", "p.json", "--resource", "arn:aws:s3:::b/k", "--action")
    (r,) = simulate(tmp_path, *asked, "s3:GetObject", "--context", "aws:SourceIp=11.0.0.1")
    assert r["decision"] == "implicitDeny"
    assert r["nearest"]["sid"] == "Near" and r["nearest"]["misses"] == "condition"
    assert (r["nearest"]["operator"], r["nearest"]["key"]) == ("IpAddress", "aws:SourceIp")
    assert "11.0.0.1" in r["why"] and "10.0.0.0/8" in r["why"]
    (r,) = simulate(tmp_path, *asked, "s3:GetObject")
    assert "no such key" in r["why"] and r["missingContextKeys"] == ["aws:SourceIp"]
    (r,) = simulate(tmp_path, *asked, "s3:DeleteObject")
    assert r["decision"] == "explicitDeny" and "(Never)" in r["why"]
    (r,) = simulate(tmp_path, *asked, "s3:GetObject", "--context", "aws:SourceIp=10.1.1.1")
    text = (tmp_path / "p.json").read_text().split("\n")
    (s,) = r["statements"]
    assert r["decision"] == "allowed" and s["sid"] == "Near"
    assert text[s["end"]["line"] - 1][: s["end"]["column"] - 1].strip() == "}"
    (r,) = simulate(tmp_path, "-f", "p.json", "-a", "s3:GetObject", "-r", "arn:aws:s3:::other/k")
    assert r["nearest"]["misses"] == "resource"


def test_all_kinds_of_policies_are_asked(tmp_path):
    write(tmp_path, "id.json", allow("*"))
    write(tmp_path, "s3.json", allow("s3:*"))
    for option, layer in (
        ("--boundary", "permissions boundary"), ("--session", "session policy"),
        ("--scp", "service control policy"),
    ):
        asked = ("-f", "id.json", option, "s3.json", "-a", "s3:GetObject", "iam:GetRole")
        get, role = simulate(tmp_path, *asked)
        assert get["decision"] == "allowed"
        assert (role["decision"], role["layer"]) == ("implicitDeny", layer)


@pytest.mark.parametrize(
    "args, code, says",
    [
        (("simulate", "-f", "p.json"), 2, "one of these is wanted"),
        (("simulate", "-a", "s3:GetObject"), 2, "-f POLICY is missing"),
        (("simulate", "-f", "p.json", "-a", "GetObject"), 2, "is no action"),
        (("simulate", "-f", "p.json", "-a", "s3:*"), 2, "is no action"),
        (("simulate", "-f", "p.json", "-a", "s3:Get", "-r", "bucket"), 2, "is no ARN"),
        (("simulate", "-f", "p.json", "-a", "s3:Get", "--context", "x"), 2, "KEY=VALUE"),
        (("simulate", "-f", "none.json", "-a", "s3:Get"), 1, "none.json: No such file"),
        (("simulate", "-f", "broken.json", "-a", "s3:Get"), 1, "broken.json:1:2"),
        (("simulate", "-f", "record.json", "-a", "s3:Get"), 1, "is no identity-based policy"),
        (("simulate", "-f", "p.json", "--from", "p.json"), 1, "is no record"),
        (("derive",), 2, "either a TEMPLATE or --from"),
        (("derive", "t.yaml", "--from", "record.json"), 2, "either a TEMPLATE or --from"),
        (("derive", "--from", "record.json", "--principal", "nobody"), 1, "no decisions of nobody"),
        (("derive", "--from", "record.json"), 1, "2 principals; name one"),
        (("derive", "t.yaml", "--stack-name", "s", "--account", "1"), 2, "12 digits"),
        (("diff", "p.json"), 2, "is missing"),
        (("diff", "p.json", "broken.json"), 1, "broken.json:1:2"),
        (("record",), 2, "one of these is wanted"),
        (("record", "--start", "--stop"), 2, "one of these is wanted"),
        (("record", "--target", "aws", "--start"), 1, "AWS does not tell"),
        (("record", "--from", "record.json", "--stop"), 2, "record takes no --from; who does: derive"),
        (("simulate", "--start"), 2, "simulate takes no --start; who does: record"),
    ],
)
def test_what_is_refused(tmp_path, args, code, says):
    write(tmp_path, "p.json", allow("*"))
    (tmp_path / "broken.json").write_text("{]")
    decision = {"action": "s3:GetObject", "resource": "*", "allowed": True, "count": 1, "context": {}}
    (tmp_path / "record.json").write_text(json.dumps({
        "format": "lamina-policy-record/1", "dropped": 0,
        "decisions": [dict(decision, principal="a"), dict(decision, principal="b")]}))
    r = lamina("policy", *args, cwd=tmp_path, check=False)
    assert r.returncode == code, r.stderr
    assert says in r.stderr


@pytest.mark.parametrize("region, partition", [
    ("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def test_a_derived_policy_is_of_the_partition_of_its_region(tmp_path, region, partition):
    (tmp_path / "t.yaml").write_text(json.dumps({"Resources": {
        "B": {"Type": "AWS::S3::Bucket"},
        "R": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}},
        "F": {"Type": "AWS::Lambda::Function", "Properties": {
            "Role": {"Fn::GetAtt": ["R", "Arn"]}, "Code": {"S3Bucket": "b", "S3Key": "k"},
            "Layers": ["l"]}}}}))
    asked = {"principal": "a", "action": "s3:GetObject", "allowed": True, "count": 1, "context": {}}
    (tmp_path / "run.json").write_text(json.dumps({
        "format": "lamina-policy-record/1", "dropped": 0, "decisions": [
            dict(asked, resource="arn:aws:s3:::b/k"), dict(asked, resource="*"),
            dict(asked, action="lambda:GetFunction",
                 resource=f"arn:aws:lambda:{region}:000000000000:function:f")]}))
    for given in (("t.yaml", "--stack-name", "s"), ("--from", "run.json")):
        for option, env in ((("--region", region), {}), ((), {"AWS_REGION": region})):
            r = lamina("policy", "derive", *given, *option, cwd=tmp_path, **env)
            arns = [a for s in json.loads(r.stdout)["Statement"]
                    for a in ([s["Resource"]] if isinstance(s["Resource"], str) else s["Resource"])]
            assert len(arns) > 2 and all(a == "*" or a.split(":")[1] == partition for a in arns), arns


def test_differences_are_of_decisions_not_of_texts(tmp_path):
    write(tmp_path, "a.json", allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::b/*"))
    write(tmp_path, "same.json", allow("s3:putobject", "arn:aws:s3:::b/*"),
          allow("s3:GetObject", ["arn:aws:s3:::b/*", "arn:aws:s3:::b/x*"]))
    r = lamina("policy", "diff", "a.json", "same.json", cwd=tmp_path)
    assert "they decide alike" in r.stdout
    write(tmp_path, "b.json", allow("s3:Get*", "arn:aws:s3:::b/*"),
          dict(allow("s3:*", "arn:aws:s3:::b/secret"), Effect="Deny"),
          allow("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "x.com"}}))
    r = lamina("policy", "diff", "a.json", "b.json", "--json", cwd=tmp_path, check=False)
    assert r.returncode == 1
    out = json.loads(r.stdout)
    only_a = {(a, d["resource"]) for d in out["onlyA"] for a in d["actions"]}
    assert ("s3:PutObject", "arn:aws:s3:::b/x") in only_a
    assert ("s3:GetObject", "arn:aws:s3:::b/secret") in only_a
    assert ("s3:GetObject", "arn:aws:s3:::b/x") not in only_a
    only_b = [d for d in out["onlyB"] if "iam:PassRole" in d["actions"]]
    assert [d["context"] for d in only_b] == [{"iam:PassedToService": "x.com"}]


def test_records(new_cloud, tmp_path):
    cloud = new_cloud()
    r = cloud.lamina("policy", "record", "--stop", cwd=tmp_path, check=False)
    assert r.returncode == 1 and "no decisions are being recorded" in r.stderr
    cloud.lamina("policy", "record", "--start", cwd=tmp_path)
    r = cloud.lamina("policy", "record", "--", "true", cwd=tmp_path, check=False)
    assert r.returncode == 1 and "already" in r.stderr
    for _ in range(3):
        cloud.iam.list_roles()
    cloud.lamina("policy", "record", "--stop", "-o", "r.json", cwd=tmp_path)
    record = json.loads((tmp_path / "r.json").read_text())
    (one,) = record["decisions"]
    assert (one["action"], one["count"], one["allowed"]) == ("iam:ListRoles", 3, True)
    assert one["context"]["aws:SourceIp"] == ["127.0.0.1"]
    # the command's exit code; its calls, and nothing before
    r = cloud.lamina("policy", "record", "-o", "r.json", "--", "sh", "-c",
                     "%s list functions && exit 7" % LAMINA, cwd=tmp_path, check=False)
    assert r.returncode == 7
    record = json.loads((tmp_path / "r.json").read_text())
    assert {d["action"] for d in record["decisions"]} == {"lambda:ListFunctions"}
    r = cloud.lamina("policy", "record", "--", "no-such-command", cwd=tmp_path, check=False)
    assert r.returncode == 127
    # killed half-way, the cloud goes on recording until it is told to stop
    p = subprocess.Popen(
        [LAMINA, "policy", "record", "--endpoint", cloud.url, "--", "sh", "-c", "echo up; read x"],
        cwd=tmp_path, env=environ(), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert p.stdout.readline() == b"up\n"
    p.send_signal(signal.SIGKILL)
    p.wait()
    p.stdin.close()
    p.stdout.close()
    cloud.lamina("policy", "record", "--stop", "-o", "r.json", cwd=tmp_path)
    # no place to write to: what was recorded is not lost without a word
    r = cloud.lamina("policy", "record", "-o", "none/r.json", "--", "true", cwd=tmp_path, check=False)
    assert r.returncode == 1 and "none/r.json" in r.stderr


def test_the_record_is_for_this_machine_and_asked_for(new_cloud):
    cloud = new_cloud()

    def ask(path, method="POST", **headers):
        q = urllib.request.Request(cloud.url + "/_lamina/policy/" + path, method=method, headers=headers)
        try:
            with urllib.request.urlopen(q) as r:
                return r.status
        except urllib.error.HTTPError as e:
            return e.code

    assert ask("start", "GET") == 405
    assert ask("nothing") == 404
    assert ask("record", "GET") == 409
    assert ask("start", Origin="http://evil.example") == 403
    assert ask("start", Host="evil.example") == 403
    assert ask("start") == 200 and ask("start") == 409
    assert ask("record", "GET") == 200 and ask("stop") == 200 and ask("stop") == 409


def test_without_a_cloud(tmp_path):
    r = lamina("policy", "record", "--endpoint", "http://127.0.0.1:%d" % free_port(), "--", "true",
               cwd=tmp_path, check=False)
    assert r.returncode == 1 and "no cloud answers" in r.stderr
    assert os.listdir(tmp_path) == []


def test_denials_are_recorded_where_nothing_is_enforced(new_cloud, tmp_path):
    cloud = new_cloud("--iam", "off")
    role = cloud.iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "000000000000"},
                       "Action": "sts:AssumeRole"}]}))["Role"]["Arn"]
    c = cloud.sts.assume_role(RoleArn=role, RoleSessionName="sess")["Credentials"]
    iam = cloud.client("iam", key=c["AccessKeyId"], secret=c["SecretAccessKey"], token=c["SessionToken"])
    cloud.lamina("policy", "record", "--start")
    iam.list_roles()
    cloud.lamina("policy", "record", "--stop", "-o", "r.json", cwd=tmp_path)
    (one,) = json.loads((tmp_path / "r.json").read_text())["decisions"]
    assert one["allowed"] is False and one["principal"] == role
    assert "no identity-based policy" in one["message"]


def test_a_role_at_the_cloud(cloud, tmp_path):
    from cloud import unique

    name = unique("cli")
    role = cloud.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "000000000000"},
                       "Action": "sts:AssumeRole"}]}))["Role"]["Arn"]
    cloud.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [allow("s3:GetObject", "arn:aws:s3:::b/*")]}))
    r = cloud.lamina("policy", "simulate", "--role", role, "-a", "s3:GetObject", "s3:PutObject", "-r",
                     "arn:aws:s3:::b/k", "--json", check=False)
    assert r.returncode == 1
    assert [x["decision"] for x in json.loads(r.stdout)["results"]] == ["allowed", "implicitDeny"]
    r = cloud.lamina("policy", "simulate", "--role", role + "x", "-a", "s3:GetObject", check=False)
    assert r.returncode == 1 and "NoSuchEntity" in r.stderr
