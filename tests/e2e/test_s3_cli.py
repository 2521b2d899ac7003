"""S3 through Debian's aws CLI."""

import os
import re

import pytest


def test_mb_ls_rb(cloud):
    from cloud import unique

    name = unique("cli")
    assert cloud.aws("s3", "mb", "s3://" + name).stdout == "make_bucket: %s\n" % name
    assert re.search(r"^[-0-9]{10} [:0-9]{8} %s$" % name, cloud.aws("s3", "ls").stdout, re.M)
    assert cloud.aws("s3", "rb", "s3://" + name).stdout == "remove_bucket: %s\n" % name


def test_cp_ls_rm(cloud, bucket, tmp_path):
    (tmp_path / "f.txt").write_text("hello")
    url = "s3://%s/dir/f.txt" % bucket
    cloud.aws("s3", "cp", tmp_path / "f.txt", url)
    assert re.fullmatch(r"\S+ \S+ +5 f\.txt\n", cloud.aws("s3", "ls", "s3://%s/dir/" % bucket).stdout)
    assert cloud.aws("s3", "ls", "s3://" + bucket).stdout.split() == ["PRE", "dir/"]
    assert cloud.aws("s3", "cp", url, "-").stdout == "hello"
    cloud.aws("s3", "cp", "-", url, input="from a pipe")
    cloud.aws("s3", "cp", url, tmp_path / "back")
    assert (tmp_path / "back").read_text() == "from a pipe"
    cloud.aws("s3", "rm", url)
    assert cloud.aws("s3", "ls", "s3://" + bucket, "--recursive", check=False).stdout == ""


def test_cp_in_parts(cloud, bucket, tmp_path):
    data = os.urandom((9 << 20) + 12345)
    (tmp_path / "big").write_bytes(data)
    cloud.aws("s3", "cp", "--no-progress", tmp_path / "big", "s3://%s/big" % bucket)
    head = cloud.s3.head_object(Bucket=bucket, Key="big")
    assert head["ContentLength"] == len(data)
    assert head["ETag"].endswith('-2"')
    cloud.aws("s3", "cp", "--no-progress", "s3://%s/big" % bucket, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data
    cloud.aws("s3", "cp", "--no-progress", "s3://%s/big" % bucket, "s3://%s/copy" % bucket)
    assert cloud.s3.head_object(Bucket=bucket, Key="copy")["ContentLength"] == len(data)


def test_sync(cloud, bucket, tmp_path):
    """Listings tell times in whole seconds: the files are older than that, else sync sends anew."""
    source, target = tmp_path / "a", tmp_path / "b"
    for name in ("one.txt", "sub/two.txt", "sub/deep/three \u00e9.txt"):
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        os.utime(path, (1600000000, 1600000000))
    cloud.aws("s3", "sync", source, "s3://%s/tree" % bucket)
    cloud.aws("s3", "sync", "s3://%s/tree" % bucket, target)
    files = {p.relative_to(target).as_posix(): p.read_text() for p in target.rglob("*.txt")}
    assert files == {n: n for n in ("one.txt", "sub/two.txt", "sub/deep/three \u00e9.txt")}
    assert cloud.aws("s3", "sync", source, "s3://%s/tree" % bucket).stdout == ""
    (source / "one.txt").unlink()
    out = cloud.aws("s3", "sync", "--delete", source, "s3://%s/tree" % bucket).stdout
    assert out.strip() == "delete: s3://%s/tree/one.txt" % bucket


def test_checksum(cloud, bucket, tmp_path):
    (tmp_path / "f").write_text("hello")
    r = cloud.aws(
        "s3api", "put-object", "--bucket", bucket, "--key", "k", "--body", tmp_path / "f",
        "--checksum-algorithm", "SHA256", "--query", "ChecksumSHA256", "--output", "text",
    )
    assert r.stdout.strip() == "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="


def test_errors(cloud, bucket):
    r = cloud.aws("s3", "cp", "s3://%s/nope" % bucket, "-", check=False)
    assert r.returncode == 1
    assert "An error occurred (404) when calling the HeadObject operation: " in r.stderr
    r = cloud.aws("s3", "ls", "s3://no-such-bucket-at-all", check=False)
    assert r.returncode != 0
    assert "(NoSuchBucket) when calling the ListObjectsV2 operation: The specified bucket does" in r.stderr


@pytest.mark.parametrize("command", ["rb"])
def test_rb_force(cloud, command):
    from cloud import unique

    name = unique("cli")
    cloud.s3.create_bucket(Bucket=name)
    cloud.s3.put_object(Bucket=name, Key="a/b", Body=b"x")
    out = cloud.aws("s3", command, "s3://" + name, "--force").stdout
    assert out.endswith("remove_bucket: %s\n" % name)
