"""BuildMethod esbuild: TypeScript to a bundle that runs, and what is said where it cannot be made."""

import os
import shutil

import pytest

from cloud import ROOT, lamina, unique

TEMPLATE = """Transform: AWS::Serverless-2016-10-31
Resources:
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      Handler: app.handler
      Runtime: nodejs20.x
    Metadata:
      BuildMethod: esbuild
      BuildProperties:
%s
"""


def esbuild():
    for path in (
        os.path.join(ROOT, "tests", "node", "node_modules", ".bin", "esbuild"),
        os.environ.get("LAMINA_TEST_ESBUILD", ""),
    ):
        if path and os.path.exists(path):
            return os.path.dirname(path)
    found = shutil.which("esbuild")
    return os.path.dirname(found) if found else None


def project(folder, *properties):
    (folder / "src").mkdir(parents=True)
    text = "\n".join("        " + p for p in properties)
    (folder / "template.yaml").write_text(TEMPLATE % text)
    (folder / "src" / "app.ts").write_text(
        "import { twice } from './lib';\n"
        "export const handler = async (event: number): Promise<number> => twice(event);\n"
    )
    (folder / "src" / "lib.ts").write_text("export const twice = (n: number) => 2 * n;\n")
    return folder


def test_esbuild_that_is_not_there_is_named(tmp_path):
    folder = project(tmp_path / "p", "EntryPoints: [app.ts]")
    r = lamina("build", cwd=folder, check=False, PATH="/nowhere")
    assert r.returncode == 1
    assert (
        "esbuild is needed to build it, and is neither among the dependencies of package.json nor "
        "in PATH" in r.stdout + r.stderr
    )


@pytest.mark.parametrize(
    "properties, message",
    [
        (["Minify: false"], "BuildMethod esbuild needs EntryPoints in its BuildProperties"),
        (
            ["EntryPoints: [app.ts]", "Wishes: true"],
            "BuildProperties Wishes is not supported for esbuild",
        ),
    ],
)
def test_properties_that_are_wrong(tmp_path, properties, message):
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "esbuild").write_text("#!/bin/sh\nexit 1\n")
    (tools / "esbuild").chmod(0o755)
    folder = project(tmp_path / "p", *properties)
    r = lamina("build", cwd=folder, check=False, PATH="%s:/usr/bin:/bin" % tools)
    assert r.returncode == 1
    assert message in r.stdout + r.stderr


@pytest.mark.skipif(esbuild() is None, reason="esbuild is not installed: set LAMINA_TEST_ESBUILD to it")
def test_a_bundle(cloud, tmp_path):
    folder = project(
        tmp_path / unique("p"), "EntryPoints: [app.ts]", "Minify: false", "Sourcemap: true",
        "External: ['@aws-sdk/*']",
    )  # fmt: skip
    path = "%s:%s" % (esbuild(), os.environ["PATH"])
    lamina("build", cwd=folder, PATH=path)
    built = folder / ".aws-sam" / "build" / "Fn"
    assert sorted(os.listdir(built)) == ["app.js", "app.js.map"]
    text = (built / "app.js").read_text()
    assert "twice" in text and "require(" not in text
    name = cloud.function(files={"app.js": text}, Runtime=node_runtime())
    assert cloud.invoke(name, 21).payload == 42


def node_runtime():
    import subprocess

    version = subprocess.check_output(["node", "--version"], universal_newlines=True)
    return "nodejs%s.x" % version.lstrip("v").split(".")[0]
