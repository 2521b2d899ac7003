"""Who is let in: signatures, credentials, policies, hosts and origins."""

import base64
import hashlib
import http.client
import json
import zlib

import pytest

from cloud import ACCOUNT, error_of, signed_earlier, unique


def raw(cloud, method="GET", path="/", headers=None, body=None):
    c = http.client.HTTPConnection("127.0.0.1", int(cloud.url.rpartition(":")[2]), timeout=10)
    c.putrequest(method, path, skip_host=True)
    headers = dict({"Host": cloud.url[7:]}, **(headers or {}))
    for name, value in headers.items():
        c.putheader(name, value)
    if body is not None:
        c.putheader("Content-Length", str(len(body)))
    c.endheaders(body)
    r = c.getresponse()
    text = r.read().decode()
    c.close()
    return r.status, r.headers, text


# ---- signatures ----------------------------------------------------------------------------------


def test_wrong_secret(cloud):
    message = (
        "The request signature we calculated does not match the signature you provided. Check your "
        "AWS Secret Access Key and signing method. Consult the service documentation for details."
    )
    s3 = cloud.client("s3", secret="wrong")
    status, code, got = error_of(s3.list_buckets)
    assert (status, code) == (403, "SignatureDoesNotMatch")
    assert got == (
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method."
    )
    sts = cloud.client("sts", secret="wrong")
    status, code, got = error_of(sts.get_caller_identity)
    assert (status, code) == (403, "SignatureDoesNotMatch")
    assert got.startswith(message)
    lam = cloud.client("lambda", secret="wrong")
    status, code, got = error_of(lam.list_functions)
    assert (status, code) == (403, "InvalidSignatureException")
    assert got.startswith(message)
    logs = cloud.client("logs", secret="wrong")
    status, code, got = error_of(logs.describe_log_groups)
    assert (status, code) == (400, "InvalidSignatureException")
    assert got.startswith(message)


def test_unknown_key(cloud):
    key = "AKIAIOSFODNN7EXAMPLE"
    assert error_of(cloud.client("s3", key=key).list_buckets) == (
        403,
        "InvalidAccessKeyId",
        "The AWS Access Key Id you provided does not exist in our records.",
    )
    assert error_of(cloud.client("sts", key=key).get_caller_identity) == (
        403,
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
    )
    status, code, message = error_of(cloud.client("lambda", key=key).list_functions)
    assert (status, code) == (403, "UnrecognizedClientException")
    assert message == "The security token included in the request is invalid."


def test_no_signature(cloud):
    status, headers, body = raw(cloud, "GET", "/2015-03-31/functions/")
    assert status == 403
    assert json.loads(body) == {"message": "Missing Authentication Token"} or (
        "MissingAuthenticationToken" in headers.get("x-amzn-ErrorType", "")
    )


def test_wrong_session_token(cloud):
    r = assume(cloud)
    status, code, _ = error_of(
        cloud.client(
            "sts", key=r["AccessKeyId"], secret=r["SecretAccessKey"], token="nonsense"
        ).get_caller_identity
    )
    assert (status, code) == (403, "InvalidClientTokenId")


def test_old_signature(cloud):
    sts = cloud.client("sts")
    with signed_earlier(hours=1):
        status, code, message = error_of(sts.get_caller_identity)
    assert (status, code) == (403, "SignatureDoesNotMatch")
    assert message.startswith("Signature expired: ")


def test_body_changed_on_the_way(cloud, bucket):
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    request = AWSRequest(
        "POST", cloud.url + "/", data="Action=GetCallerIdentity&Version=2011-06-15",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    SigV4Auth(Credentials("test", "test"), "sts", "us-east-1").add_auth(request)
    headers = dict(request.headers.items(), Host=cloud.url[7:])
    status, _, body = raw(cloud, "POST", "/", headers, b"Action=GetCallerIdentity&Version=2011-06-15")
    assert status == 200, body
    status, _, body = raw(cloud, "POST", "/", headers, b"Action=GetSessionToken&Version=2011-06-15")
    assert status == 403 and "SignatureDoesNotMatch" in body


def _s3_signed(cloud, method, path, body, unsigned=(), **headers):
    """A signed request to S3; `unsigned` headers are added afterwards."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    request = AWSRequest(method, cloud.url + path, data=body, headers=headers)
    S3SigV4Auth(Credentials("test", "test"), "s3", "us-east-1").add_auth(request)
    headers = dict(request.headers.items(), Host=cloud.url[7:])
    headers.update(unsigned)
    return headers


@pytest.mark.parametrize(
    "change, code",
    [
        (dict(), None),
        (dict(body=b"other"), "XAmzContentSHA256Mismatch"),
        (dict(path="/{}/other"), "SignatureDoesNotMatch"),
        (dict(path="/{}/key?tagging"), "SignatureDoesNotMatch"),
        (dict(unsigned={"x-amz-acl": "public-read"}), "AccessDenied"),
        (dict(unsigned={"x-amz-copy-source": "/other/secret"}), "AccessDenied"),
        (dict(unsigned={"Content-Type": "text/html"}), None),
    ],
)
def test_what_is_signed_cannot_be_changed(cloud, bucket, change, code):
    path = "/%s/key" % bucket
    headers = _s3_signed(cloud, "PUT", path, b"hello", change.get("unsigned", {}))
    status, _, body = raw(
        cloud, "PUT", change.get("path", path).format(bucket), headers, change.get("body", b"hello")
    )
    if code is None:
        assert status == 200, body
    else:
        assert status in (400, 403) and "<Code>%s</Code>" % code in body
        assert cloud.s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize(
    "more, size, code",
    [
        (b"", 5, None),
        (b"0\r\n\r\n", 5, "MalformedTrailerError"),
        (b"5\r\nother\r\n0\r\n\r\n", 5, "MalformedTrailerError"),
        (b"x", 5, "MalformedTrailerError"),
        (b"", 2 << 20, None),
        (b"x", 2 << 20, "MalformedTrailerError"),
    ],
)
def test_nothing_follows_the_last_chunk(cloud, bucket, more, size, code):
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    data = b"a" * size
    crc = base64.b64encode(zlib.crc32(data).to_bytes(4, "big"))
    body = b"%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n%s" % (size, data, crc, more)
    path = "/%s/key" % bucket
    request = AWSRequest("PUT", cloud.url + path, data=body, headers={
        "Content-Encoding": "aws-chunked",
        "X-Amz-Decoded-Content-Length": str(size),
        "X-Amz-Trailer": "x-amz-checksum-crc32",
    })
    request.context["checksum"] = {"request_algorithm": {"in": "trailer"}}
    S3SigV4Auth(Credentials("test", "test"), "s3", "us-east-1").add_auth(request)
    headers = dict(request.headers.items(), Host=cloud.url[7:])
    assert headers["X-Amz-Content-SHA256"] == "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    status, _, text = raw(cloud, "PUT", path, headers, body)
    if code is None:
        assert status == 200, text
        assert cloud.s3.get_object(Bucket=bucket, Key="key")["Body"].read() == data
    else:
        assert status == 400 and "<Code>%s</Code>" % code in text
        assert cloud.s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_nobody_is_nobody(cloud, bucket):
    """Requests that a page can make a browser send: no signature, no other type than text/plain."""
    text = {"Content-Type": "text/plain"}
    posts = [
        ("POST", "/", dict(text), b"Action=CreateStack&StackName=x&Version=2010-05-15"),
        ("POST", "/2015-03-31/functions/any/invocations", dict(text), b"{}"),
        ("POST", "/", dict(text, **{"X-Amz-Target": "Logs_20140328.CreateLogGroup"}), b"{}"),
        ("GET", "/" + bucket, {}, None),
        ("PUT", "/%s/key" % bucket, dict(text), b"x"),
    ]
    for method, path, headers, body in posts:
        assert raw(cloud, method, path, headers, body)[0] in (400, 403, 405), path


# ---- policies -------------------------------------------------------------------------------------


def assume(cloud, *statements, name=None):
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::%s:root" % ACCOUNT},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    arn = cloud.role(list(statements), trust=json.dumps(trust))
    r = cloud.sts.assume_role(RoleArn=arn, RoleSessionName="me")
    return dict(r["Credentials"], Arn=r["AssumedRoleUser"]["Arn"], Role=arn)


def as_role(cloud, service, *statements):
    c = assume(cloud, *statements)
    client = cloud.client(
        service, key=c["AccessKeyId"], secret=c["SecretAccessKey"], token=c["SessionToken"]
    )
    return client, c


def test_a_role_may_do_what_its_policy_says(cloud, bucket):
    s3, c = as_role(
        cloud,
        "s3",
        {"Effect": "Allow", "Action": "s3:Put*", "Resource": "arn:aws:s3:::%s/mine/*" % bucket},
    )
    s3.put_object(Bucket=bucket, Key="mine/k", Body=b"x")
    assert error_of(s3.put_object, Bucket=bucket, Key="other", Body=b"x") == (
        403,
        "AccessDenied",
        'User: %s is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::%s/other" '
        "because no identity-based policy allows the s3:PutObject action" % (c["Arn"], bucket),
    )


def test_an_explicit_denial(cloud, bucket):
    s3, c = as_role(
        cloud,
        "s3",
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"},
    )
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    status, code, message = error_of(s3.get_object, Bucket=bucket, Key="k")
    assert (status, code) == (403, "AccessDenied")
    assert message == (
        'User: %s is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::%s/k" '
        "with an explicit deny in an identity-based policy" % (c["Arn"], bucket)
    )


def test_deleting_many_asks_for_each(cloud, bucket):
    cloud.s3.put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    versions = {
        k: cloud.s3.put_object(Bucket=bucket, Key=k, Body=b"x")["VersionId"]
        for k in ("mine/k", "mine/v", "other/k")
    }
    s3, c = as_role(
        cloud,
        "s3",
        {"Effect": "Allow", "Action": "s3:DeleteObject",
         "Resource": "arn:aws:s3:::%s/mine/*" % bucket},
    )
    r = s3.delete_objects(Bucket=bucket, Delete={"Objects": [
        {"Key": "other/k"}, {"Key": "mine/k"}, {"Key": "mine/v", "VersionId": versions["mine/v"]}]})
    assert r["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert [d["Key"] for d in r["Deleted"]] == ["mine/k"]
    denied = "User: %s is not authorized to perform: %s on resource: " + (
        '"arn:aws:s3:::%s/%%s" because no identity-based policy allows the %%s action' % bucket)
    one, many = "s3:DeleteObject", "s3:DeleteObjectVersion"
    assert r["Errors"] == [
        {"Key": "other/k", "Code": "AccessDenied",
         "Message": denied % (c["Arn"], one, "other/k", one)},
        {"Key": "mine/v", "VersionId": versions["mine/v"], "Code": "AccessDenied",
         "Message": denied % (c["Arn"], many, "mine/v", many)},
    ]
    keys = [o["Key"] for o in cloud.s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys == ["mine/v", "other/k"]


def test_nobody_deletes_many(cloud, bucket):
    cloud.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    body = b"<Delete><Object><Key>k</Key></Object></Delete>"
    digest = base64.b64encode(hashlib.md5(body).digest()).decode()
    _, _, text = raw(cloud, "POST", "/%s?delete" % bucket, {"Content-MD5": digest}, body)
    assert "<Code>AccessDenied</Code>" in text and "<Deleted>" not in text
    assert cloud.s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_who_may_not_list_is_not_told_what_is_missing(cloud, bucket):
    cloud.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    read = {"Effect": "Allow", "Action": "s3:GetObject*", "Resource": "arn:aws:s3:::%s/*" % bucket}
    s3, c = as_role(cloud, "s3", read)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    assert error_of(s3.get_object, Bucket=bucket, Key="nope") == (
        403,
        "AccessDenied",
        "User: %s is not authorized to perform: s3:ListBucket on resource: \"arn:aws:s3:::%s\" "
        "because no identity-based policy allows the s3:ListBucket action" % (c["Arn"], bucket),
    )
    assert error_of(s3.head_object, Bucket=bucket, Key="nope")[0] == 403
    attributes = dict(Bucket=bucket, Key="nope", ObjectAttributes=["ETag"])
    assert error_of(s3.get_object_attributes, **attributes)[:2] == (403, "AccessDenied")
    s3, _ = as_role(cloud, "s3", read, {
        "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::" + bucket})
    assert error_of(s3.get_object, Bucket=bucket, Key="nope")[:2] == (404, "NoSuchKey")
    assert error_of(s3.head_object, Bucket=bucket, Key="nope")[0] == 404


def test_denials_of_other_services(cloud):
    lam, c = as_role(cloud, "lambda")
    function = "arn:aws:lambda:us-east-1:%s:function:any" % ACCOUNT
    status, code, message = error_of(lam.get_function, FunctionName="any")
    assert (status, code) == (403, "AccessDeniedException")
    assert message == (
        "User: %s is not authorized to perform: lambda:GetFunction on resource: %s because no "
        "identity-based policy allows the lambda:GetFunction action" % (c["Arn"], function)
    )
    iam, c = as_role(cloud, "iam")
    status, code, message = error_of(iam.get_role, RoleName="any")
    assert (status, code) == (403, "AccessDenied")
    assert message == (
        "User: %s is not authorized to perform: iam:GetRole on resource: role any because no "
        "identity-based policy allows the iam:GetRole action" % c["Arn"]
    )


def test_conditions(cloud, bucket):
    s3, _ = as_role(
        cloud,
        "s3",
        {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": "arn:aws:s3:::" + bucket,
            "Condition": {"StringLike": {"s3:prefix": "mine/*"}},
        },
    )
    assert s3.list_objects_v2(Bucket=bucket, Prefix="mine/a")["KeyCount"] == 0
    assert error_of(s3.list_objects_v2, Bucket=bucket, Prefix="other")[1] == "AccessDenied"


def test_giving_away_a_role_needs_pass_role(cloud):
    from cloud import RUNTIME, zipped

    lam, c = as_role(cloud, "lambda", {"Effect": "Allow", "Action": "lambda:*", "Resource": "*"})
    role = cloud.lambda_role()
    status, code, message = error_of(
        lam.create_function, FunctionName=unique(), Runtime=RUNTIME, Role=role, Handler="a.b",
        Code={"ZipFile": zipped({"a.py": ""})},
    )
    assert (status, code) == (403, "AccessDeniedException")
    assert message == (
        "User: %s is not authorized to perform: iam:PassRole on resource: %s because no "
        "identity-based policy allows the iam:PassRole action" % (c["Arn"], role)
    )


@pytest.mark.parametrize("mode, allowed", [("enforce", False), ("log", True), ("off", True)])
def test_modes(new_cloud, mode, allowed):
    cloud = new_cloud("--iam", mode)
    s3, _ = as_role(cloud, "s3")
    if allowed:
        s3.list_buckets()
    else:
        assert error_of(s3.list_buckets)[1] == "AccessDenied"
    if mode == "log":
        assert "s3:ListAllMyBuckets" in cloud.log_text()


# ---- hosts and origins ---------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["evil.example", "evil.example:4566", "192.0.2.1", "127.0.0.1.evil.example", "localhost:1@evil.example", ""])
def test_other_hosts_are_refused(cloud, host):
    """A page whose name was made to resolve to us must get nothing (DNS rebinding)."""
    status, _, body = raw(cloud, headers={"Host": host})
    assert status in (400, 403, 421)
    assert "<Code>" not in body


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_own_hosts_are_taken(cloud, host):
    port = cloud.url.rpartition(":")[2]
    status, _, body = raw(cloud, headers={"Host": "%s:%s" % (host, port)})
    assert status not in (400, 421) and "Host header" not in body


def test_requests_of_other_origins_are_refused(cloud):
    headers = {"Origin": "http://evil.example"}
    assert raw(cloud, "POST", "/", headers, b"Action=GetCallerIdentity&Version=2011-06-15")[0] == 403
    # Not even the question whether it would be taken has a yes.
    headers["Access-Control-Request-Method"] = "PUT"
    _, answer, _ = raw(cloud, "OPTIONS", "/bucket/key", headers)
    assert answer.get("Access-Control-Allow-Origin") is None


def test_bodies_of_other_origins_are_not_even_read(cloud):
    import socket

    with socket.create_connection(("127.0.0.1", int(cloud.url.rpartition(":")[2])), timeout=10) as s:
        s.sendall(
            b"PUT /bucket/key HTTP/1.1\r\nHost: %s\r\nOrigin: null\r\n"
            b"Content-Length: 5000000000\r\n\r\n" % cloud.url[7:].encode()
        )
        assert s.recv(1000).split()[1] == b"403"  # nothing of the body has been sent


def test_no_host(cloud):
    import socket

    with socket.create_connection(("127.0.0.1", int(cloud.url.rpartition(":")[2]))) as s:
        s.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert s.recv(100).split()[1] == b"400"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 5, 5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n",
        b"POST / HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        b"GET / HTTP/1.1\nHost: %s\n\n",
        b"GET / HTTP/1.1\r\nHost: %s\r\nHost: localhost\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
    ids=["length and chunked", "two lengths", "negative length", "list of lengths",
         "blank before colon", "folded", "line feeds in chunks", "negative chunk", "line feeds",
         "two hosts", "no http"],
)
def test_requests_that_could_be_read_in_two_ways(cloud, request_bytes):
    import socket

    if b"%s" in request_bytes:
        request_bytes = request_bytes % cloud.url[7:].encode()
    with socket.create_connection(("127.0.0.1", int(cloud.url.rpartition(":")[2]))) as s:
        s.settimeout(10)
        s.sendall(request_bytes)
        answer = b""
        while True:
            part = s.recv(65536)
            answer += part
            if not part:
                break
    assert answer == b"" or answer.split()[1] == b"400"
    assert answer.count(b"HTTP/1.") <= 1
    cloud.sts.get_caller_identity()


def test_listens_on_loopback_only(cloud):
    port = int(cloud.url.rpartition(":")[2])
    with open("/proc/net/tcp") as f:
        local = [line.split()[1] for line in f.readlines()[1:] if line.split()[3] == "0A"]
    assert [a for a in local if int(a.partition(":")[2], 16) == port] == ["0100007F:%04X" % port]


def test_other_addresses_need_two_words(new_cloud):
    from cloud import free_port, lamina

    r = lamina("up", "--ephemeral", "--port", free_port(), "--host", "0.0.0.0", check=False, timeout=10)
    assert r.returncode != 0
    assert "--allow-remote" in r.stderr
    assert r.stdout == ""


# ---- packages ----------------------------------------------------------------------------------------


def _package(*entries):
    """A zip of (name, content, mode) besides a handler that tells what it finds."""
    import io
    import warnings
    import zipfile

    source = (
        "import os\ndef handler(event, context):\n"
        "    return sorted(os.path.relpath(os.path.join(d, f), '/var/task') + oct(os.lstat(os.path.join(d, f)).st_mode)\n"
        "                  for d, _, files in os.walk('/var/task') for f in files)\n"
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, content, mode in (("app.py", source, 0o100644), *entries):
            info = zipfile.ZipInfo("x")
            info.filename, info.external_attr, info.create_system = name, mode << 16, 3
            info.compress_type = zipfile.ZIP_DEFLATED
            z.writestr(info, content)
    return out.getvalue()


def _create(cloud, package):
    from cloud import RUNTIME, SOON

    name = unique()
    cloud.lambda_.create_function(
        FunctionName=name, Runtime=RUNTIME, Handler="app.handler", Role=cloud.lambda_role(),
        Code={"ZipFile": package},
    )
    cloud.lambda_.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=SOON)
    return cloud.invoke(name).payload


@pytest.mark.parametrize(
    "entries",
    [
        [("../evil", "x", 0o100644)],
        [("/tmp/evil", "x", 0o100644)],
        [("a/../../evil", "x", 0o100644)],
        [("link", "/etc", 0o120777)],
        [("a/link", "../../x", 0o120777)],
        [("d", "/tmp", 0o120777), ("d/evil", "x", 0o100644)],
        [("r/", "", 0o40755), ("d", "r", 0o120777), ("d/f", "x", 0o100644)],
        [("a/b/c/f", "x", 0o100644), ("l", "a/b/c", 0o120777), ("m", "l/../../../..", 0o120777)],
        [("f", "1", 0o100644), ("f/g", "2", 0o100644)],
        [("device", "", 0o20666)],
        [("pipe", "", 0o10666)],
        [("a/" * 1900 + "f", "x", 0o100644)],
        [("n" * 300, "x", 0o100644)],
    ],
    ids=["up", "absolute", "up later", "link out", "link up", "through a link", "through a link inside",
         "out by two links", "file as folder", "device", "pipe", "deep", "long"],
)
def test_hostile_packages_are_refused(cloud, entries):
    status, code, message = error_of(_create, cloud, _package(*entries))
    assert (status, code) == (400, "InvalidParameterValueException")
    assert message == (
        "Could not unzip uploaded file. Please check your file, then try to upload again."
    )


def test_packages_give_no_privileges(cloud):
    names = _create(cloud, _package(
        ("setuid", "x", 0o104755), ("setgid", "x", 0o102777), ("nobody", "x", 0o100000),
        ("twice", "1", 0o100644), ("twice", "2", 0o100755), ("back\\slash", "x", 0o100644),
    ))
    assert names == ["app.py0o100644", "back\\slash0o100644", "nobody0o100644", "setgid0o100755",
                     "setuid0o100755", "twice0o100755"]


def test_packages_that_unpack_to_too_much(cloud):
    """A gigabyte of zeros; and twelve thousand folders, whose removal keeps nobody waiting."""
    import threading
    import time

    bomb = _package(*[("big%d" % i, b"\0" * (100 << 20), 0o100644) for i in range(3)])
    status, code, message = error_of(_create, cloud, bomb)
    assert message == "Unzipped size must be smaller than 262144000 bytes"
    folders = _package(*[
        ("/".join("%d_%d" % (k, i) for i in range(200)) + "/f", "", 0o100644) for k in range(60)
    ] + [("app.py/x", "", 0o100644)])
    answers = []
    thread = threading.Thread(target=lambda: answers.append(error_of(_create, cloud, folders)))
    slowest, sts = 0, cloud.client("sts", user_agent_extra="packages")
    thread.start()
    while thread.is_alive():
        began = time.monotonic()
        sts.get_caller_identity()
        slowest = max(slowest, time.monotonic() - began)
        thread.join(0.05)
    assert answers[0][0] == 400
    assert slowest < 1


def test_strangers_need_the_buckets_permission(cloud, bucket):
    cloud.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    stranger = cloud.client("s3", key="123456789012")
    assert error_of(stranger.get_object, Bucket=bucket, Key="k") == (
        403,
        "AccessDenied",
        "User: arn:aws:iam::123456789012:root is not authorized to perform: s3:GetObject on resource: "
        '"arn:aws:s3:::%s/k" because no resource-based policy allows the s3:GetObject action' % bucket,
    )
    cloud.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "123456789012"},
                       "Action": "s3:GetObject", "Resource": "arn:aws:s3:::%s/*" % bucket}]}))
    assert stranger.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    assert error_of(stranger.put_object, Bucket=bucket, Key="k", Body=b"y")[1] == "AccessDenied"
