"""One daemon for all tests of a worker; each test sees to its own names and cleans nothing
that others use."""

import os
import shutil
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cloud import ENDPOINT, LAMINA, Cloud, External, unique  # noqa: E402


class _Holder:
    cloud = None


@pytest.fixture(scope="session")
def _holder():
    holder = _Holder()
    yield holder
    if holder.cloud is not None and holder.cloud.running():
        holder.cloud.stop()


@pytest.fixture
def cloud(_holder):
    """A running cloud. A test that makes it crash fails; the next one gets a new one."""
    if _holder.cloud is None or not _holder.cloud.running():
        if ENDPOINT:
            _holder.cloud = External(ENDPOINT)
        else:
            if not os.path.exists(LAMINA):
                pytest.fail("no program at %s: run make, or set LAMINA" % LAMINA)
            _holder.cloud = Cloud().start()
    cloud = _holder.cloud
    yield cloud
    if not cloud.running():
        status = cloud.process.returncode
        pytest.fail("the daemon has ended (%s)\n%s" % (status, cloud.log_text()), pytrace=False)


@pytest.fixture
def bucket(cloud):
    """An empty bucket, gone with all its content afterwards."""
    name = unique("bucket")
    cloud.s3.create_bucket(Bucket=name)
    yield name
    empty_bucket(cloud.s3, name)
    cloud.s3.delete_bucket(Bucket=name)


def empty_bucket(s3, name):
    for upload in s3.list_multipart_uploads(Bucket=name).get("Uploads", []):
        s3.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    page = s3.list_object_versions(Bucket=name)
    for v in page.get("Versions", []) + page.get("DeleteMarkers", []):
        s3.delete_object(Bucket=name, Key=v["Key"], VersionId=v["VersionId"])


@pytest.fixture
def new_cloud():
    """Starts clouds of a test's own: new_cloud(*args, data=..., env=...)."""
    clouds = []

    def start(*args, **options):
        clouds.append(Cloud(list(args), **options).start())
        return clouds[-1]

    yield start
    for c in clouds:
        if c.running():
            c.stop()


@pytest.fixture
def node():
    if shutil.which("node") is None:
        pytest.fail("node is not installed")
    return "node"
