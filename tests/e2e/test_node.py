"""The JavaScript SDK: the test files of tests/node, against our cloud."""

import os
import subprocess

import pytest

from cloud import ROOT, environ

FOLDER = os.path.join(ROOT, "tests", "node")


@pytest.mark.parametrize("name", sorted(n for n in os.listdir(FOLDER) if n.endswith(".test.mjs")))
def test_javascript_sdk(cloud, node, name):
    if not os.path.isdir(os.path.join(FOLDER, "node_modules")):
        pytest.fail("run npm ci in tests/node first")
    r = subprocess.run(
        [node, "--test", name],
        cwd=FOLDER,
        env=environ(AWS_ENDPOINT_URL=cloud.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        timeout=120,
    )
    assert r.returncode == 0, r.stdout[-8000:]
