"""Expect: 100-continue, as boto3 sends it with each object that it puts."""

from cloud import client


def test_an_object_after_an_empty_one_on_the_same_connection(cloud, bucket):
    s3 = client(cloud.url, "s3", read_timeout=10)
    for key, body in (("a", b"1" * 500), ("empty", b""), ("b", b"2" * 100), ("none", b""), ("c", b"3")):
        s3.put_object(Bucket=bucket, Key=key, Body=body)
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body
