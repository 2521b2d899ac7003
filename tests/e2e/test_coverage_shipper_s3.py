"""The shipper of coverage: what faults of S3 and of the way there do to it."""

import socket
import ssl
import subprocess
import time

import pytest
from shipper_world import Bucket, bucket, made, needs_shipper, refused, source  # noqa: F401 (fixtures)

pytestmark = needs_shipper


@pytest.mark.parametrize(
    "faults",
    [
        [refused(503, "SlowDown"), refused(500, "InternalError")],
        ["reset", "reset"],
        [refused(400, "RequestTimeout"), refused(429, "TooManyRequests")],
    ],
    ids=["5xx", "reset", "slow down"],
)
def test_retried(made, bucket, source, faults):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    bucket.script = list(faults)
    env.invoke("one", arena, (source, [1]))
    assert len(bucket.requests) == 3 and bucket.object().lines(source) == {1}
    (line,) = env.log(None)
    assert line["attempts"] == 3 and line["level"] == "INFO"


@pytest.mark.parametrize(
    "status,code,advice",
    [
        (403, "AccessDenied", "s3:PutObject"),
        (404, "NoSuchBucket", "COVERAGE_S3_BUCKET"),
        (400, "InvalidBucketName", "COVERAGE_S3_BUCKET"),
    ],
)
def test_never_retried(made, bucket, source, status, code, advice):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    bucket.script = [refused(status, code)]
    env.invoke("one", arena, (source, [1]))
    env.begin("two")  # not even waited for
    env.idle()
    env.shutdown()
    assert len(bucket.requests) == 1
    (line,) = env.log(None)
    assert line["level"] == "ERROR" and code in line["message"] and advice in line["message"]


def test_what_could_not_be_sent_is_sent_later(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    bucket.script = [refused(503, "SlowDown")] * 3
    env.invoke("one", arena, (source, [1]))
    assert len(bucket.requests) == 3
    env.invoke("two", arena, (source, [2]))  # at rest after a failure
    env.shutdown()
    assert len(bucket.requests) == 4
    o = bucket.object()
    assert o.files[source]["hits"]["two"][0] == {2} and o.lines(source) == {1, 2}
    warning, info = env.log()
    assert warning["level"] == "WARNING" and "SlowDown" in warning["message"]
    assert info["level"] == "INFO" and info["new_lines"] == 2


def test_slow_s3_does_not_make_a_timeout(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    bucket.script = ["silence"] * 3
    began = time.monotonic()
    env.invoke("one", arena, (source, [1]), seconds=1.0)
    assert time.monotonic() - began < 4  # an attempt alone may take 5 s where there is time
    assert env.log()[0]["duration_ms"] < 3000
    bucket.script = []
    env.shutdown()
    assert bucket.object().lines(source) == {1}


def test_unreachable(made, source):
    """Nobody listens there."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        url = "http://127.0.0.1:%d" % s.getsockname()[1]
    env = made.environment(AWS_ENDPOINT_URL=url).start()
    arena = made.arena()
    arena.file(source, 100)
    env.invoke("one", arena, (source, [1]))
    env.shutdown(seconds=0.5)
    assert [x["level"] for x in env.log(None)] == ["WARNING"] * 2
    assert "Connection refused" in env.log()[0]["message"]
    assert "before the environment ended" in env.log()[1]["message"]
    assert (made.directory / ".object-unsent").exists()


def test_unknown_name(made, source):
    env = made.environment(AWS_ENDPOINT_URL="http://no-such-name.invalid").start()
    arena = made.arena()
    arena.file(source, 100)
    env.invoke("one", arena, (source, [1]), seconds=2)
    assert "no-such-name.invalid" in env.log()[0]["message"]


def test_clock_is_wrong(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    bucket.script = [
        refused(403, "RequestTimeTooSkewed", Date="Sat, 05 Apr 2031 12:00:00 GMT")
    ]
    env.invoke("one", arena, (source, [1]))
    assert bucket.requests[1][1]["X-Amz-Date"].startswith("20310405T1200")
    env.invoke("two", arena, (source, [2]))
    assert bucket.requests[2][1]["X-Amz-Date"].startswith("20310405T1200")
    bucket.script = [refused(403, "RequestTimeTooSkewed", Date="Sat, 05 Apr 2031 12:00:00 GMT")] * 2
    env.invoke("three", arena, (source, [3]))  # it learns once, and gives up then
    assert len(bucket.requests) == 5 and env.log()[-1]["level"] == "ERROR"


def test_bucket_is_in_another_region(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    bucket.script = [refused(301, "PermanentRedirect", x_amz_bucket_region="eu-west-3")]
    env.invoke("one", arena, (source, [1]))
    assert "/eu-west-3/s3/aws4_request" in bucket.requests[1][1]["Authorization"]
    assert bucket.object().lines(source) == {1}


def test_connection_that_died_in_its_sleep(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    bucket.script = ["close after", "reset"]
    env.invoke("one", arena, (source, [1]))
    env.invoke("two", arena, (source, [2]))
    env.invoke("three", arena, (source, [3]))
    assert bucket.object().lines(source) == {1, 2, 3}
    assert [x["level"] for x in env.log()] == ["INFO"] * 3


def test_runtime_api_connection_that_died(made, bucket, source):
    env = made.environment().start()
    arena = made.arena()
    arena.file(source, 100)
    env.api.events.put("hang up")
    env.expected += 1
    env.idle()
    env.invoke("one", arena, (source, [1]))
    assert bucket.object().lines(source) == {1}


# ---- TLS ----


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority, and a certificate of it for 127.0.0.1."""
    at = tmp_path_factory.mktemp("certificates")

    def run(*args):
        subprocess.run(("openssl",) + args, cwd=at, check=True, capture_output=True)

    for name in ("authority", "other"):
        run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", name + ".key", "-out", name + ".pem", "-days", "2", "-subj", "/CN=" + name)
    run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server")
    (at / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    run("x509", "-req", "-in", "server.csr", "-CA", "authority.pem", "-CAkey", "authority.key",
        "-CAcreateserial", "-extfile", "names", "-days", "2", "-out", "server.pem")
    (at / "bundle.pem").write_text("# two\n" + (at / "other.pem").read_text()
                                   + (at / "authority.pem").read_text())
    return at


@pytest.fixture
def secure(certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    bucket = Bucket(tls=context)
    yield bucket
    bucket.stop()


def test_tls(made, secure, certificates, source):
    env = made.environment(
        AWS_ENDPOINT_URL=secure.url, AWS_CA_BUNDLE=str(certificates / "bundle.pem")
    ).start()
    arena = made.arena()
    arena.file(source, 100)
    env.invoke("one", arena, (source, [1]))
    env.invoke("two", arena, (source, [2]))
    assert secure.object().lines(source) == {1, 2} and secure.connections == 1


@pytest.mark.parametrize("bundle,host", [("other.pem", "127.0.0.1"), ("bundle.pem", "localhost")])
def test_certificate_that_is_not_accepted(made, secure, certificates, source, bundle, host):
    env = made.environment(
        AWS_ENDPOINT_URL=secure.url.replace("127.0.0.1", host),
        AWS_CA_BUNDLE=str(certificates / bundle),
    ).start()
    arena = made.arena()
    arena.file(source, 100)
    env.invoke("one", arena, (source, [1]))
    (line,) = env.log(None)
    assert line["level"] == "ERROR" and "certificate" in line["message"]
    assert not secure.requests
