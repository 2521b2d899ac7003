"""What a record of decisions keeps is bounded, and nobody but this machine's programs asks for one."""

import http.client
import json


def ask(cloud, method, path, **headers):
    c = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=60)
    c.request(method, path, headers=headers)
    r = c.getresponse()
    return r.status, r.read()


def test_a_record_is_bounded(new_cloud):
    """Whoever asks, without a key, says how long what he asks for is. (In a cloud of its own: nothing
    that other tests have left going on in theirs is decided meanwhile.)"""
    cloud, bucket = new_cloud(), "bounded"
    cloud.s3.create_bucket(Bucket=bucket)
    assert ask(cloud, "POST", "/_lamina/policy/start")[0] == 200
    try:
        c = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=60)
        for i in range(3000):
            c.request("GET", "/%s?list-type=2&prefix=%d%s" % (bucket, i, "x" * 14000))
            c.getresponse().read()
        c.request("GET", "/%s/%%ff" % bucket)
        c.getresponse().read()
    finally:
        record = json.loads(ask(cloud, "POST", "/_lamina/policy/stop")[1])
    assert record["dropped"] > 0
    assert 1000 < len(record["decisions"]) < 3000
    assert record["dropped"] + sum(d["count"] for d in record["decisions"]) == 3001


def test_web_pages_cannot_record(cloud):
    for headers in (
        {"Origin": "http://evil.example"},
        {"Host": "evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        for method, path in (("POST", "start"), ("GET", "record"), ("POST", "stop")):
            assert ask(cloud, method, "/_lamina/policy/" + path, **headers)[0] == 403
        drop = "/_lamina/lambda/drop?region=us-east-1&function=f"
        assert ask(cloud, "POST", drop, **headers)[0] == 403
    assert ask(cloud, "POST", "/_lamina/policy/stop")[0] == 409


def test_functions_cannot_record(cloud):
    name = cloud.function("""
import os, urllib.request, urllib.error

def handler(event, context):
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"] + event, method="POST", data=b"")
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as e:
        return e.code
""")
    for path in ("policy/start", "policy/stop", "lambda/drop?region=us-east-1&function=" + name):
        assert cloud.invoke(name, "/_lamina/" + path).body == b"403"
