"""The python runtime once more with each other python that is on this machine; Debian has one,
pyenv may keep more."""

import glob
import os
import re
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
VERSIONS = ["3.%d" % minor for minor in range(8, 15)]


def others():
    """{"3.8": path} of what is not the one that runs the tests, by the runtime's own places."""
    found = {}
    for version in VERSIONS:
        if version == "%d.%d" % sys.version_info[:2]:
            continue
        name = "python" + version
        paths = ["/usr/bin/" + name, "/usr/local/bin/" + name]
        paths += sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/%s.*/bin/%s" % (version, name))))
        for path in paths:
            if os.access(path, os.X_OK):
                found[version] = path
    return found


@pytest.mark.skipif("LAMINA_TEST_PYTHON" in os.environ, reason="a version has been chosen")
@pytest.mark.parametrize("version, path", others().items())
def test_python(version, path):
    r = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider",
         os.path.join(HERE, "test_python_runtime.py")],
        env=dict(os.environ, LAMINA_TEST_PYTHON=path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        timeout=300,
    )  # fmt: skip
    assert r.returncode == 0 and re.search(r"\d\d passed", r.stdout), r.stdout[-6000:]
