"""lamina build: each way of building, folders beside the template, what --cached notices."""

import os
import shutil
import subprocess

import pytest

from cloud import LAMINA, environ, lamina

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Timeout: 5}}
Resources:
  Py:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.11, Handler: app.handler, CodeUri: ../src/py}
  Node:
    Type: AWS::Serverless::Function
    Properties: {Runtime: nodejs18.x, Handler: index.handler, CodeUri: ../src/node/}
  Mk:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: makefile}
    Properties: {Runtime: provided.al2023, Handler: x, CodeUri: ../src/mk}
  LayMk:
    Type: AWS::Serverless::LayerVersion
    Metadata: {BuildMethod: makefile}
    Properties: {ContentUri: ../src/lay}
"""


@pytest.fixture
def project(tmp_path):
    files = {
        "infra/template.yaml": TEMPLATE,
        "src/py/app.py": "def handler(event, context):\n    return 1\n",
        "src/py/sub/more.py": "",
        "src/node/index.js": "exports.handler = async () => 1\n",
        "src/node/package.json": '{"name": "x", "version": "1.0.0"}\n',
        "src/mk/Makefile": "build-Mk:\n\tcp bootstrap $(ARTIFACTS_DIR)/bootstrap\n",
        "src/mk/bootstrap": "#!/bin/sh\n",
        "src/lay/Makefile": "build-LayMk:\n\tmkdir -p $(ARTIFACTS_DIR)/python\n\tcp m.py $(ARTIFACTS_DIR)/python\n",
        "src/lay/m.py": "X = 1\n",
        "libs/mylib/setup.py": "from setuptools import setup\nsetup(name='mylib', version='1', packages=['mylib'])\n",
        "libs/mylib/mylib/__init__.py": "V = 1\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "src/mk/bootstrap").chmod(0o755)
    return tmp_path


def tree(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def build(project, *words, **options):
    r = lamina("build", "-t", "infra/template.yaml", *words, cwd=project, **options)
    return {line.split()[1]: line.split()[0] for line in (r.stdout + r.stderr).splitlines()
            if line.split()[0] in ("built", "unchanged")}


ALL = ["LayMk/python/m.py", "Mk/bootstrap", "Node/index.js", "Node/package.json", "Py/app.py",
       "Py/sub/more.py", "template.yaml"]


def test_every_way_of_building(project):
    sources = [p for p in tree(project)]
    assert set(build(project, "--parallel").values()) == {"built"}
    out = project / ".aws-sam" / "build"
    assert tree(out) == ALL
    assert os.access(out / "Mk" / "bootstrap", os.X_OK)
    text = (out / "template.yaml").read_text()
    assert "CodeUri: Node\n" in text and "ContentUri: LayMk\n" in text
    assert [p for p in tree(project) if not p.startswith(".aws-sam")] == sources
    # Built again, file for file the same.
    before = {p: (out / p).read_bytes() for p in ALL}
    build(project)
    assert {p: (out / p).read_bytes() for p in tree(out)} == before


def test_what_cached_notices(project):
    build(project, "--cached")
    assert set(build(project, "--cached").values()) == {"unchanged"}
    changes = {
        "Node": lambda: (project / "src/node/index.js").write_text("exports.handler = 2\n"),
        "Mk": lambda: (project / "src/mk/bootstrap").chmod(0o644),
        "LayMk": lambda: (project / "src/lay/m.py").write_text("X = 2\n"),
        "Py": lambda: (project / "src/py/sub/more.py").unlink(),
    }
    for name, change in changes.items():
        change()
        assert [k for k, v in build(project, "--cached").items() if v == "built"] == [name]
    out = project / ".aws-sam" / "build"
    assert (out / "LayMk/python/m.py").read_text() == "X = 2\n"
    assert not (out / "Py/sub/more.py").exists()
    # An artifact that somebody has taken away is made again.
    shutil.rmtree(out / "Node")
    build(project, "--cached")
    assert (out / "Node/index.js").read_text() == "exports.handler = 2\n"


def test_a_local_package_that_changes(project):
    (project / "src/py/requirements.txt").write_text("./../../libs/mylib\n")
    out = project / ".aws-sam" / "build" / "Py" / "mylib" / "__init__.py"
    build(project, "Py", "--cached")
    assert out.read_text() == "V = 1\n"
    (project / "libs/mylib/mylib/__init__.py").write_text("V = 2\n")
    assert build(project, "Py", "--cached") == {"Py": "built"}
    assert out.read_text() == "V = 2\n"


def test_one_resource_alone(project):
    build(project)
    out = project / ".aws-sam" / "build"
    (project / "src/node/index.js").write_text("// new\n")
    (project / "src/py/app.py").write_text("# new\n")
    assert list(build(project, "Node")) == ["Node"]
    assert (out / "Node/index.js").read_text() == "// new\n"
    assert (out / "Py/app.py").read_text() != "# new\n"
    assert tree(out) == ALL
    r = lamina("build", "-t", "infra/template.yaml", "Nope", cwd=project, check=False)
    assert r.returncode == 1 and "no resource Nope with local code" in r.stderr


def test_a_makefile_that_fails(project):
    (project / "src/mk/Makefile").write_text("build-Mk:\n\t@echo no such luck >&2; exit 3\n")
    r = lamina("build", "-t", "infra/template.yaml", cwd=project, check=False)
    assert r.returncode == 1 and "no such luck" in r.stderr and "Mk" in r.stderr
    (project / "src/mk/Makefile").write_text("all:\n")
    r = lamina("build", "-t", "infra/template.yaml", cwd=project, check=False)
    assert r.returncode == 1 and "build-Mk" in r.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="is an ordinary user already")
def test_as_an_ordinary_user(project):
    def become():
        os.setgid(65534)
        os.setuid(65534)

    subprocess.run(["chown", "-R", "65534:65534", str(project)], check=True)
    subprocess.run(["chmod", "755"] + [str(p) for p in project.parents if str(p) != "/" and
                                       str(p) != "/tmp"], check=True)
    if subprocess.run(["test", "-x", LAMINA], preexec_fn=become).returncode:
        pytest.skip("the program stands where others may not run it")
    r = subprocess.run([LAMINA, "build", "-t", "infra/template.yaml"], cwd=project, env=environ(
        HOME=str(project)), preexec_fn=become, stderr=subprocess.PIPE, universal_newlines=True)
    assert r.returncode == 0, r.stderr
    assert tree(project / ".aws-sam" / "build") == ALL
