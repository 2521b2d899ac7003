"""What `meson install` leaves is whole: program, runtimes, man pages, completions."""

import os
import re
import subprocess

import pytest
from test_examples import LAMINA, environment, free_port

BUILD = os.path.dirname(LAMINA)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The installed tree, at the prefix it was set up for."""
    if not os.path.exists(os.path.join(BUILD, "build.ninja")):
        pytest.skip("the program does not stand in a build folder")
    if not os.access(BUILD, os.W_OK):
        pytest.skip("the build folder is another user's")
    there = tmp_path_factory.mktemp("root")
    subprocess.run(
        ["meson", "install", "-C", BUILD, "--destdir", str(there), "--quiet", "--no-rebuild"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (program,) = there.glob("**/bin/lamina")
    return program.parent.parent


def test_an_installed_program_finds_its_runtimes(root, tmp_path):
    env = environment(tmp_path, free_port())
    env["PATH"] = "%s:/usr/bin:/bin" % (root / "bin")
    script = (
        "set -e; lamina init hello; cd hello; lamina build; lamina deploy; lamina invoke HelloFunction"
    )
    out = subprocess.run(
        ["lamina", "run", "--", "sh", "-c", script],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert out.returncode == 0, out.stdout + out.stderr
    assert '{"message": "Hello, world!"}' in out.stdout


def test_options_of_man_pages_come_from_the_program(root):
    with open(root / "share/man/man1/lamina-deploy.1", encoding="utf-8") as f:
        page = f.read()
    words = subprocess.run(
        [LAMINA, "manual", "deploy", "--words"], capture_output=True, text=True, check=True
    ).stdout
    names = [line.split("\t")[0] for line in words.splitlines()]
    assert "--stack-name" in names
    plain = re.sub(r"\\f[BIR]|\\", "", page)
    assert [n for n in names if n not in plain] == []


def complete(root, words):
    """What bash offers for the last of these words."""
    script = """
        source "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _lamina "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    file = root / "share/bash-completion/completions/lamina"
    out = subprocess.run(
        ["bash", "-c", script, "bash", str(file), str(root / "bin/lamina"), *words],
        capture_output=True,
        text=True,
        check=True,
    )
    return out.stdout.split()


def test_completion_of_bash(root):
    assert complete(root, ["dep"]) == ["deploy", "deployments"]
    assert complete(root, ["deploy", "--stack"]) == ["--stack-name"]
    assert complete(root, ["up", "--iam", ""]) == ["enforce", "log", "off"]
    assert complete(root, ["up", "--iam", "e"]) == ["enforce"]
    assert complete(root, ["list", "res"]) == ["resources"]
    assert complete(root, ["help", "ver"]) == ["verify", "version"]
    assert complete(root, ["coverage", "enab"]) == ["enable"]
    assert complete(root, ["coverage", "report", "--fail"]) == ["--fail-under"]
    assert complete(root, ["coverage", "enable", "--fail"]) == []
    assert complete(root, ["help", "local", "inv"]) == ["invoke"]
    assert complete(root, ["layer", "build", "py"]) == ["python-coverage"]
    assert "manual" not in complete(root, [""])
