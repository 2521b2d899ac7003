"""S3 through boto3: buckets, objects, listings, multipart uploads, versions."""

import base64
import hashlib
import re
import subprocess
import urllib.error
import urllib.request
import zlib

import pytest
from botocore.exceptions import ClientError

from cloud import Cloud, error_of, signed_earlier, unique


def md5(data):
    return '"%s"' % hashlib.md5(data).hexdigest()


def failed(operation, **arguments):
    """The whole answer of an operation that fails."""
    with pytest.raises(ClientError) as e:
        operation(**arguments)
    return e.value.response


@pytest.fixture
def s3(cloud):
    return cloud.s3


# ---- buckets ---------------------------------------------------------------------------------


def test_bucket(s3):
    name = unique("bucket")
    r = s3.create_bucket(Bucket=name)
    assert r["Location"] == "/" + name
    assert s3.head_bucket(Bucket=name)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert name in [b["Name"] for b in s3.list_buckets()["Buckets"]]
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None
    s3.delete_bucket(Bucket=name)
    assert error_of(s3.head_bucket, Bucket=name)[0] == 404


def test_bucket_in_another_region(cloud):
    s3 = cloud.client("s3", region="eu-west-1")
    name = unique("bucket")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"
    s3.delete_bucket(Bucket=name)


def test_bucket_that_is_there_already(cloud, s3, bucket):
    s3.create_bucket(Bucket=bucket)  # us-east-1 takes this as done
    other = cloud.client("s3", key="123456789012")
    status, code, message = error_of(other.create_bucket, Bucket=bucket)
    assert (status, code) == (409, "BucketAlreadyExists")
    assert message.startswith("The requested bucket name is not available.")


def test_bucket_names(s3):
    for name in ("Upper-Case", "ab", "a" * 64, "1.2.3.4", "a..b"):
        with pytest.raises(Exception) as e:
            s3.create_bucket(Bucket=name)
        assert "InvalidBucketName" in str(e.value) or "Invalid bucket name" in str(e.value), name


def test_bucket_that_is_not_empty(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    assert error_of(s3.delete_bucket, Bucket=bucket) == (
        409,
        "BucketNotEmpty",
        "The bucket you tried to delete is not empty",
    )


def test_no_such_bucket(s3):
    assert error_of(s3.list_objects_v2, Bucket="no-such-bucket-here") == (
        404,
        "NoSuchBucket",
        "The specified bucket does not exist",
    )
    assert error_of(s3.put_object, Bucket="no-such-bucket-here", Key="k", Body=b"")[1] == "NoSuchBucket"


# ---- objects -----------------------------------------------------------------------------------


def test_object(s3, bucket):
    body = b"hello, world"
    r = s3.put_object(
        Bucket=bucket,
        Key="a/b c+d\u00e9&.txt",
        Body=body,
        ContentType="text/plain",
        CacheControl="no-cache",
        ContentDisposition="inline",
        ContentEncoding="identity",
        ContentLanguage="en",
        Metadata={"color": "blue", "x-y": "z"},
    )
    assert r["ETag"] == md5(body)
    r = s3.get_object(Bucket=bucket, Key="a/b c+d\u00e9&.txt")
    assert r["Body"].read() == body
    assert r["ETag"] == md5(body)
    assert (r["ContentLength"], r["ContentType"]) == (12, "text/plain")
    assert (r["CacheControl"], r["ContentDisposition"]) == ("no-cache", "inline")
    assert (r["ContentEncoding"], r["ContentLanguage"]) == ("identity", "en")
    assert r["Metadata"] == {"color": "blue", "x-y": "z"}
    assert r["AcceptRanges"] == "bytes"
    h = s3.head_object(Bucket=bucket, Key="a/b c+d\u00e9&.txt")
    for key in ("ETag", "ContentLength", "ContentType", "Metadata", "LastModified"):
        assert h[key] == r[key]


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 1 << 20, 5 * (1 << 20) + 7])
def test_objects_of_many_sizes(s3, bucket, size):
    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    assert s3.put_object(Bucket=bucket, Key="k", Body=body)["ETag"] == md5(body)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body


def test_default_content_type(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert s3.head_object(Bucket=bucket, Key="k")["ContentType"] == "binary/octet-stream"


def test_no_such_key(s3, bucket):
    assert error_of(s3.get_object, Bucket=bucket, Key="nope") == (
        404,
        "NoSuchKey",
        "The specified key does not exist.",
    )
    assert error_of(s3.head_object, Bucket=bucket, Key="nope") == (404, "404", "Not Found")


def test_delete_is_the_same_whether_it_is_there_or_not(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for _ in range(2):
        r = s3.delete_object(Bucket=bucket, Key="k")
        assert r["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_overwrite(s3, bucket):
    for body in (b"one", b"second"):
        s3.put_object(Bucket=bucket, Key="k", Body=body)
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


@pytest.mark.parametrize(
    "range, expected, content_range",
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=4-", b"456789", "bytes 4-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=8-99", b"89", "bytes 8-9/10"),
        ("bytes=-99", b"0123456789", "bytes 0-9/10"),
    ],
)
def test_ranges(s3, bucket, range, expected, content_range):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    r = s3.get_object(Bucket=bucket, Key="k", Range=range)
    assert r["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert (r["Body"].read(), r["ContentRange"]) == (expected, content_range)
    assert r["ContentLength"] == len(expected)


def test_ranges_that_are_none(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    assert error_of(s3.get_object, Bucket=bucket, Key="k", Range="bytes=10-") == (
        416,
        "InvalidRange",
        "The requested range is not satisfiable",
    )
    r = s3.get_object(Bucket=bucket, Key="k", Range="bytes=5-2")  # not a range: all of it
    assert (r["ResponseMetadata"]["HTTPStatusCode"], r["Body"].read()) == (200, b"0123456789")


def test_conditions(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    when = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    s3.get_object(Bucket=bucket, Key="k", IfMatch=etag)
    s3.get_object(Bucket=bucket, Key="k", IfNoneMatch='"other"')
    s3.get_object(Bucket=bucket, Key="k", IfUnmodifiedSince=when)
    assert error_of(s3.get_object, Bucket=bucket, Key="k", IfMatch='"other"') == (
        412,
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
    )
    assert error_of(s3.get_object, Bucket=bucket, Key="k", IfNoneMatch=etag)[:2] == (304, "304")
    assert error_of(s3.get_object, Bucket=bucket, Key="k", IfModifiedSince=when)[0] == 304


def test_not_modified_tells_what_is_there(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    for operation in (s3.get_object, s3.head_object):
        r = failed(operation, Bucket=bucket, Key="k", IfNoneMatch=etag)
        headers = r["ResponseMetadata"]["HTTPHeaders"]
        assert r["ResponseMetadata"]["HTTPStatusCode"] == 304
        assert headers["etag"] == etag and "content-type" not in headers
        assert headers["last-modified"].endswith(" GMT")


def test_put_only_when_absent(signer, s3, bucket):
    def put(body, **headers):
        url = signer.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"})
        request = urllib.request.Request(url, data=body, method="PUT", headers=headers)
        return urllib.request.urlopen(request)

    put(b"1", **{"If-None-Match": "*"})
    with pytest.raises(urllib.error.HTTPError) as e:
        put(b"2", **{"If-None-Match": "*"})
    assert e.value.code == 412
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"


def test_copy(s3, bucket):
    s3.put_object(Bucket=bucket, Key="from \u00e9", Body=b"text", ContentType="text/css",
                  Metadata={"a": "1"})
    source = {"Bucket": bucket, "Key": "from \u00e9"}
    r = s3.copy_object(Bucket=bucket, Key="to", CopySource=source)
    assert r["CopyObjectResult"]["ETag"] == md5(b"text")
    copy = s3.get_object(Bucket=bucket, Key="to")
    assert (copy["Body"].read(), copy["ContentType"], copy["Metadata"]) == (b"text", "text/css", {"a": "1"})

    s3.copy_object(Bucket=bucket, Key="to", CopySource=source, MetadataDirective="REPLACE",
                   ContentType="text/html", Metadata={"b": "2"})
    copy = s3.head_object(Bucket=bucket, Key="to")
    assert (copy["ContentType"], copy["Metadata"]) == ("text/html", {"b": "2"})


def test_copy_errors(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    source = {"Bucket": bucket, "Key": "k"}
    assert error_of(s3.copy_object, Bucket=bucket, Key="k", CopySource=source)[:2] == (
        400,
        "InvalidRequest",
    )
    source["Key"] = "nope"
    assert error_of(s3.copy_object, Bucket=bucket, Key="to", CopySource=source)[1] == "NoSuchKey"


def test_delete_many(s3, bucket):
    keys = ["k%d" % i for i in range(5)] + ["<&\u00e9>"]
    for k in keys:
        s3.put_object(Bucket=bucket, Key=k, Body=b"x")
    objects = [{"Key": k} for k in keys + ["absent"]]
    r = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    assert sorted(d["Key"] for d in r["Deleted"]) == sorted(keys + ["absent"])
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    r = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
    assert "Deleted" not in r and "Errors" not in r


def test_checksums(s3, bucket):
    crc = base64.b64encode(zlib.crc32(b"hello").to_bytes(4, "big")).decode()
    sha = base64.b64encode(hashlib.sha256(b"hello").digest()).decode()
    r = s3.put_object(Bucket=bucket, Key="c", Body=b"hello", ChecksumAlgorithm="CRC32")
    assert r["ChecksumCRC32"] == crc
    s3.put_object(Bucket=bucket, Key="s", Body=b"hello", ChecksumSHA256=sha)
    assert s3.head_object(Bucket=bucket, Key="s", ChecksumMode="ENABLED")["ChecksumSHA256"] == sha
    assert "ChecksumSHA256" not in s3.head_object(Bucket=bucket, Key="s")
    r = s3.get_object(Bucket=bucket, Key="c", ChecksumMode="ENABLED")
    assert (r["ChecksumCRC32"], r["Body"].read()) == (crc, b"hello")


def test_wrong_checksums(s3, bucket):
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    status, code, _ = error_of(
        s3.put_object, Bucket=bucket, Key="k", Body=b"hello", ChecksumSHA256=wrong
    )
    assert (status, code) == (400, "BadDigest")
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    status, code, _ = error_of(s3.put_object, Bucket=bucket, Key="k", Body=b"hello", ContentMD5=wrong)
    assert (status, code) == (400, "BadDigest")
    status, code, _ = error_of(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ContentMD5="nope")
    assert (status, code) == (400, "InvalidDigest")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_tags(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=1&b=2%203")
    assert s3.get_object(Bucket=bucket, Key="k")["TagCount"] == 2
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [
        {"Key": "a", "Value": "1"},
        {"Key": "b", "Value": "2 3"},
    ]
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "c", "Value": ""}]})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "c", "Value": ""}]
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []


def test_keys_that_are_too_long(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k" * 1024, Body=b"x")
    assert error_of(s3.put_object, Bucket=bucket, Key="k" * 1025, Body=b"x")[:2] == (
        400,
        "KeyTooLongError",
    )


def test_keys_stay_as_they_are(s3, bucket):
    keys = ["/a", "a//b", "a/./b", "a/../b", "a%2Fb", "a b", "\u65e5\u672c", "~", "a/", "\U0001f600"]
    for k in keys:
        s3.put_object(Bucket=bucket, Key=k, Body=k.encode())
    for k in keys:
        assert s3.get_object(Bucket=bucket, Key=k)["Body"].read() == k.encode()
    listed = [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert listed == sorted(keys, key=lambda k: k.encode())


# ---- listings -------------------------------------------------------------------------------


@pytest.fixture
def tree(s3, bucket):
    for k in ("a/1", "a/2", "a/b/3", "c", "d/4", "e"):
        s3.put_object(Bucket=bucket, Key=k, Body=k.encode())
    return bucket


def test_list_v2(s3, tree):
    r = s3.list_objects_v2(Bucket=tree)
    assert [o["Key"] for o in r["Contents"]] == ["a/1", "a/2", "a/b/3", "c", "d/4", "e"]
    assert (r["KeyCount"], r["MaxKeys"], r["IsTruncated"], r["Name"]) == (6, 1000, False, tree)
    first = r["Contents"][0]
    assert (first["ETag"], first["Size"], first["StorageClass"]) == (md5(b"a/1"), 3, "STANDARD")


def test_list_v2_by_folders(s3, tree):
    r = s3.list_objects_v2(Bucket=tree, Delimiter="/")
    assert [o["Key"] for o in r["Contents"]] == ["c", "e"]
    assert [p["Prefix"] for p in r["CommonPrefixes"]] == ["a/", "d/"]
    assert r["KeyCount"] == 4
    r = s3.list_objects_v2(Bucket=tree, Delimiter="/", Prefix="a/")
    assert [o["Key"] for o in r["Contents"]] == ["a/1", "a/2"]
    assert [p["Prefix"] for p in r["CommonPrefixes"]] == ["a/b/"]


def test_list_v2_by_pages(s3, tree):
    keys, prefixes, token = [], [], {}
    for _ in range(9):
        r = s3.list_objects_v2(Bucket=tree, Delimiter="/", MaxKeys=1, **token)
        keys += [o["Key"] for o in r.get("Contents", [])]
        prefixes += [p["Prefix"] for p in r.get("CommonPrefixes", [])]
        if not r["IsTruncated"]:
            break
        token = {"ContinuationToken": r["NextContinuationToken"]}
    assert (keys, prefixes) == (["c", "e"], ["a/", "d/"])


def test_list_v2_paginator_and_start_after(s3, tree):
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=tree, StartAfter="a/2", PaginationConfig={"PageSize": 2}
    )
    assert [[o["Key"] for o in p["Contents"]] for p in pages] == [["a/b/3", "c"], ["d/4", "e"]]


def test_list_v2_of_nothing(s3, tree):
    r = s3.list_objects_v2(Bucket=tree, Prefix="zzz")
    assert (r["KeyCount"], r.get("Contents")) == (0, None)
    r = s3.list_objects_v2(Bucket=tree, MaxKeys=0)
    assert (r["KeyCount"], r["IsTruncated"]) == (0, False)


def test_list_v2_with_a_wrong_token(s3, tree):
    assert error_of(s3.list_objects_v2, Bucket=tree, ContinuationToken="nope") == (
        400,
        "InvalidArgument",
        "The continuation token provided is incorrect",
    )


def test_list_v1(s3, tree):
    r = s3.list_objects(Bucket=tree, Delimiter="/", MaxKeys=2)
    assert [o["Key"] for o in r.get("Contents", [])] == ["c"]
    assert [p["Prefix"] for p in r["CommonPrefixes"]] == ["a/"]
    assert (r["IsTruncated"], r["NextMarker"]) == (True, "c")
    r = s3.list_objects(Bucket=tree, Delimiter="/", Marker="c")
    assert [o["Key"] for o in r["Contents"]] == ["e"]
    r = s3.list_objects(Bucket=tree, Marker="a/2", Prefix="a/")
    assert [o["Key"] for o in r["Contents"]] == ["a/b/3"]


# ---- multipart -----------------------------------------------------------------------------

PART = b"x" * (5 << 20)


def test_multipart_upload(s3, bucket):
    upload = s3.create_multipart_upload(
        Bucket=bucket, Key="big", ContentType="text/plain", Metadata={"a": "b"}
    )["UploadId"]
    e1 = s3.upload_part(Bucket=bucket, Key="big", UploadId=upload, PartNumber=1, Body=PART)["ETag"]
    e3 = s3.upload_part(Bucket=bucket, Key="big", UploadId=upload, PartNumber=3, Body=b"end")["ETag"]
    parts = s3.list_parts(Bucket=bucket, Key="big", UploadId=upload)["Parts"]
    assert [(p["PartNumber"], p["ETag"], p["Size"]) for p in parts] == [
        (1, md5(PART), len(PART)),
        (3, md5(b"end"), 3),
    ]
    uploads = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert [(u["Key"], u["UploadId"]) for u in uploads] == [("big", upload)]
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0

    r = s3.complete_multipart_upload(
        Bucket=bucket, Key="big", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": e1}, {"PartNumber": 3, "ETag": e3}]},
    )
    digest = hashlib.md5(hashlib.md5(PART).digest() + hashlib.md5(b"end").digest()).hexdigest()
    assert r["ETag"] == '"%s-2"' % digest
    r = s3.get_object(Bucket=bucket, Key="big")
    assert r["Body"].read() == PART + b"end"
    assert (r["ContentType"], r["Metadata"], r["ETag"]) == ("text/plain", {"a": "b"}, '"%s-2"' % digest)
    assert s3.get_object(Bucket=bucket, Key="big", Range="bytes=5242878-5242881")["Body"].read() == b"xxen"
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_multipart_errors(s3, bucket):
    where = {"Bucket": bucket, "Key": "k"}
    assert error_of(s3.upload_part, UploadId="nope", PartNumber=1, Body=b"x", **where)[:2] == (
        404,
        "NoSuchUpload",
    )
    upload = s3.create_multipart_upload(**where)["UploadId"]
    assert error_of(s3.upload_part, UploadId=upload, PartNumber=10001, Body=b"x", **where)[:2] == (
        400,
        "InvalidArgument",
    )
    etags = [
        s3.upload_part(UploadId=upload, PartNumber=n, Body=b"x", **where)["ETag"] for n in (1, 2)
    ]

    def complete(*parts):
        parts = [{"PartNumber": n, "ETag": e} for n, e in parts]
        return error_of(
            s3.complete_multipart_upload, UploadId=upload, MultipartUpload={"Parts": parts}, **where
        )[:2]

    assert complete((1, etags[0]), (2, etags[1])) == (400, "EntityTooSmall")
    assert complete((2, etags[1]), (1, etags[0])) == (400, "InvalidPartOrder")
    assert complete((1, '"0123"')) == (400, "InvalidPart")
    assert complete((3, etags[0])) == (400, "InvalidPart")
    s3.abort_multipart_upload(UploadId=upload, **where)
    assert error_of(s3.list_parts, UploadId=upload, **where)[1] == "NoSuchUpload"


def test_upload_part_copy(s3, bucket):
    s3.put_object(Bucket=bucket, Key="from", Body=b"0123456789")
    where = {"Bucket": bucket, "Key": "to"}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    part = s3.upload_part_copy(
        UploadId=upload, PartNumber=1, CopySource={"Bucket": bucket, "Key": "from"},
        CopySourceRange="bytes=2-5", **where
    )["CopyPartResult"]
    s3.complete_multipart_upload(
        UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}, **where
    )
    assert s3.get_object(**where)["Body"].read() == b"2345"


def test_high_level_upload_and_download(s3, bucket, tmp_path):
    import os

    data = os.urandom(9 << 20)
    (tmp_path / "up").write_bytes(data)
    s3.upload_file(str(tmp_path / "up"), bucket, "k")
    s3.download_file(bucket, "k", str(tmp_path / "down"))
    assert (tmp_path / "down").read_bytes() == data


# ---- presigned ----------------------------------------------------------------------------


@pytest.fixture
def signer(cloud):
    """boto3 of this age presigns with SigV2 unless told otherwise."""
    return cloud.client("s3", signature_version="s3v4")


def test_presigned(signer, bucket):
    url = signer.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a b"})
    urllib.request.urlopen(urllib.request.Request(url, data=b"signed", method="PUT"))
    url = signer.generate_presigned_url(
        "get_object",
        Params={"Bucket": bucket, "Key": "a b", "ResponseContentType": "text/x-mine"},
        ExpiresIn=60,
    )
    with urllib.request.urlopen(url) as r:
        assert (r.read(), r.headers["Content-Type"]) == (b"signed", "text/x-mine")


def test_presigned_by_default(s3, bucket):
    """In us-east-1 boto3's own choice is SigV2, which AWS still takes."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    with urllib.request.urlopen(url) as r:
        assert r.read() == b"x"


def test_presigned_changed(signer, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    url = signer.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    with pytest.raises(urllib.error.HTTPError) as e:
        urllib.request.urlopen(url.replace("/k?", "/other?"))
    assert e.value.code == 403
    body = e.value.read().decode()
    assert "<Code>SignatureDoesNotMatch</Code>" in body
    assert "The request signature we calculated does not match the signature you provided." in body


def test_presigned_expired(signer, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    with signed_earlier(hours=2):
        url = signer.generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=60
        )
    with pytest.raises(urllib.error.HTTPError) as e:
        urllib.request.urlopen(url)
    assert e.value.code == 403
    body = e.value.read().decode()
    assert "<Code>AccessDenied</Code><Message>Request has expired</Message>" in body


# ---- versions -----------------------------------------------------------------------------


def test_versions(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    v1 = s3.put_object(Bucket=bucket, Key="k", Body=b"one")["VersionId"]
    v2 = s3.put_object(Bucket=bucket, Key="k", Body=b"two")["VersionId"]
    assert v1 != v2
    assert s3.get_object(Bucket=bucket, Key="k")["VersionId"] == v2

    def read(version):
        return s3.get_object(Bucket=bucket, Key="k", VersionId=version)["Body"].read()

    assert [read(v) for v in (v1, v2, "null")] == [b"one", b"two", b"before"]

    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"] is True
    assert error_of(s3.get_object, Bucket=bucket, Key="k")[1] == "NoSuchKey"
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    r = s3.list_object_versions(Bucket=bucket)
    assert [(v["VersionId"], v["IsLatest"]) for v in r["Versions"]] == [
        (v2, False),
        (v1, False),
        ("null", False),
    ]
    assert [(m["VersionId"], m["IsLatest"]) for m in r["DeleteMarkers"]] == [
        (marker["VersionId"], True)
    ]

    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"two"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=v2)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"one"
    assert error_of(s3.get_object, Bucket=bucket, Key="k", VersionId=v2)[:2] == (404, "NoSuchVersion")


def test_delete_markers_are_told(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    for operation in (s3.get_object, s3.head_object):
        r = failed(operation, Bucket=bucket, Key="k")["ResponseMetadata"]
        assert r["HTTPStatusCode"] == 404
        assert r["HTTPHeaders"]["x-amz-delete-marker"] == "true"
        assert r["HTTPHeaders"]["x-amz-version-id"] == marker
        r = failed(operation, Bucket=bucket, Key="k", VersionId=marker)["ResponseMetadata"]
        assert (r["HTTPStatusCode"], r["HTTPHeaders"]["allow"]) == (405, "DELETE")
        assert r["HTTPHeaders"]["x-amz-delete-marker"] == "true"
        assert r["HTTPHeaders"]["x-amz-version-id"] == marker
        assert r["HTTPHeaders"]["last-modified"].endswith(" GMT")
        r = failed(operation, Bucket=bucket, Key="never")["ResponseMetadata"]
        assert r["HTTPStatusCode"] == 404 and "x-amz-delete-marker" not in r["HTTPHeaders"]


def test_suspended_versions(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    kept = s3.put_object(Bucket=bucket, Key="k", Body=b"kept")["VersionId"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    s3.put_object(Bucket=bucket, Key="k", Body=b"null 1")
    s3.put_object(Bucket=bucket, Key="k", Body=b"null 2")
    versions = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [v["VersionId"] for v in versions] == ["null", kept]
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"null 2"


# ---- settings of a bucket ---------------------------------------------------------------------


def test_bucket_tags(s3, bucket):
    assert error_of(s3.get_bucket_tagging, Bucket=bucket) == (
        404,
        "NoSuchTagSet",
        "The TagSet does not exist",
    )
    tags = [{"Key": "team", "Value": "a b"}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    s3.delete_bucket_tagging(Bucket=bucket)
    assert error_of(s3.get_bucket_tagging, Bucket=bucket)[1] == "NoSuchTagSet"


def test_encryption_is_on_by_default(s3, bucket):
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert s3.head_object(Bucket=bucket, Key="k")["ServerSideEncryption"] == "AES256"


def test_put_encryption(s3, bucket):
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(
        Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]}
    )
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules == [rule]


def test_public_access_block(s3, bucket):
    block = dict.fromkeys(
        ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"], True
    )
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == block
    s3.delete_public_access_block(Bucket=bucket)
    assert error_of(s3.get_public_access_block, Bucket=bucket) == (
        404,
        "NoSuchPublicAccessBlockConfiguration",
        "The public access block configuration was not found",
    )


def test_bucket_policy(s3, bucket):
    import json

    assert error_of(s3.get_bucket_policy, Bucket=bucket) == (
        404,
        "NoSuchBucketPolicy",
        "The bucket policy does not exist",
    )
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:PutObject",
                "Resource": "arn:aws:s3:::%s/locked/*" % bucket,
            }
        ],
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]) == policy
    s3.put_object(Bucket=bucket, Key="open/k", Body=b"x")
    status, code, message = error_of(s3.put_object, Bucket=bucket, Key="locked/k", Body=b"x")
    assert (status, code) == (403, "AccessDenied")
    s3.delete_bucket_policy(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="locked/k", Body=b"x")


# ---- the rest of the surface --------------------------------------------------------------------


def test_an_operation_that_is_not_there_says_so(s3, bucket):
    status, code, _ = error_of(s3.get_bucket_website, Bucket=bucket)
    assert (status, code) == (501, "NotImplemented")


def test_request_ids(s3, bucket):
    headers = s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"]
    assert re.fullmatch(r"[A-Z0-9]{16}", headers["x-amz-request-id"])
    assert headers["x-amz-id-2"]


def test_errors_name_what_is_missing(s3, bucket):
    with pytest.raises(ClientError) as e:
        s3.get_object(Bucket=bucket, Key="not/here")
    assert e.value.response["Error"]["Key"] == "not/here"
    with pytest.raises(ClientError) as e:
        s3.list_objects_v2(Bucket="no-such-bucket-at-all")
    assert e.value.response["Error"]["BucketName"] == "no-such-bucket-at-all"


def test_a_body_that_finds_no_room(tmp_path):
    """It is on its way to a file when the disk is full: S3 says so, in its own words."""
    disk = tmp_path / "disk"
    disk.mkdir()
    r = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(disk)],
                       stderr=subprocess.PIPE)
    if r.returncode:
        pytest.skip("may not mount: " + r.stderr.decode().strip())
    try:
        cloud = Cloud(data=disk / "data").start()
        try:
            cloud.s3.create_bucket(Bucket="bucket")
            r = failed(cloud.s3.put_object, Bucket="bucket", Key="k", Body=b"x" * (20 << 20))
            assert r["ResponseMetadata"]["HTTPStatusCode"] == 507
            assert r["Error"]["Code"] == "InternalError"
            assert r["Error"]["Message"].startswith("The disk that holds the data directory is full")
            assert re.fullmatch(r"[A-Z0-9]{16}", r["ResponseMetadata"]["RequestId"])
            # What has come of it is gone: there is room again.
            cloud.s3.put_object(Bucket="bucket", Key="k", Body=b"x" * (2 << 20))
            assert cloud.s3.head_object(Bucket="bucket", Key="k")["ContentLength"] == 2 << 20
        finally:
            cloud.stop()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
