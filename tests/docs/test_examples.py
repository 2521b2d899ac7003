"""Every example of README, the documents and the man pages is carried out, as it is shown."""

import glob
import os
import re
import shutil
import socket
import subprocess

import pytest
from examples import Shell, matches, parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LAMINA = os.path.abspath(os.environ.get("LAMINA", os.path.join(ROOT, "build", "lamina")))
DOCUMENTS = sorted(
    [os.path.join(ROOT, "README.md"), os.path.join(ROOT, "CONTRIBUTING.md")]
    + glob.glob(os.path.join(ROOT, "docs", "*.md"))
    + glob.glob(os.path.join(ROOT, "man", "*.scd"))
)
SHOWN_PORT = "4566"


def name_of(path):
    return os.path.relpath(path, ROOT)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return str(s.getsockname()[1])


def environment(tmp_path, port):
    env = {
        k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "LAMINA", "SAM_", "XDG_"))
    }
    home = tmp_path / "home"
    home.mkdir()
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    (bin_dir / "lamina").symlink_to(LAMINA)
    env.update(
        HOME=str(home),
        PATH="%s:/usr/bin:/bin:%s" % (bin_dir, os.environ["PATH"]),
        LAMINA_PORT=port,
        AWS_ENDPOINT_URL="http://127.0.0.1:" + port,
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_PAGER="",
        EXAMPLES=os.path.join(ROOT, "examples"),
        TERM="dumb",
        NO_COLOR="1",
        LC_ALL="C.UTF-8",
    )
    return env


class Reader:
    """Somebody who types what a document shows."""

    def __init__(self, shell, port, work):
        self.shell, self.port, self.work = shell, port, work

    def type(self, command):
        code, out = self.shell.run(command.replace(SHOWN_PORT, self.port))
        return code, out.replace(self.port, SHOWN_PORT)

    def must(self, step, command):
        code, out = self.type(command)
        assert step.exit_code in (None, code), "%r: exit code %d\n%s" % (step, code, out)
        return out

    def write(self, name, text):
        _, where = self.type("pwd")
        path = os.path.join(where.strip().replace(SHOWN_PORT, self.port), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace(SHOWN_PORT, self.port))

    def carry_out(self, step):
        if step.kind == "file":
            self.write(step.name, step.text)
        elif step.kind == "sh":
            self.write("example.sh", "set -e\n" + step.text)
            self.must(step, "bash example.sh")
        elif step.kind == "python":
            self.write("example.py", step.text)
            self.must(step, "/usr/bin/python3 example.py")
        elif step.kind == "javascript":
            modules = os.path.join(ROOT, "tests", "node", "node_modules")
            if not os.path.isdir(modules):
                pytest.skip("no node_modules: script/bootstrap test installs them")
            self.must(step, "[ -e node_modules ] || ln -s %s node_modules" % modules)
            self.write("example.mjs", step.text)
            self.must(step, "node example.mjs")
        else:
            out = self.must(step, step.text)
            if step.expected:
                shown = "\n".join(step.expected)
                assert matches(step.expected, out), "%r\nshown:\n%s\nprinted:\n%s" % (
                    step,
                    shown,
                    out,
                )


@pytest.mark.parametrize("path", [d for d in DOCUMENTS if parse(d)[0]], ids=name_of)
def test_examples(path, tmp_path):
    steps, wants_cloud = parse(path)
    port = free_port()
    env = environment(tmp_path, port)
    work = tmp_path / "work"
    work.mkdir()
    cloud = None
    if wants_cloud:
        cloud = subprocess.Popen(
            [LAMINA, "up", "--ephemeral"],
            env=env,
            stdout=subprocess.PIPE,
            stderr=open(tmp_path / "cloud.log", "wb"),
        )
        assert cloud.stdout.readline().startswith(b"ready "), (tmp_path / "cloud.log").read_text()
    shell = Shell(str(work), env)
    try:
        reader = Reader(shell, port, work)
        for step in steps:
            reader.carry_out(step)
    finally:
        shell.close()
        if cloud:
            cloud.terminate()
            cloud.wait(10)
        else:  # one that the document started and left
            subprocess.run([LAMINA, "down"], env=env, stderr=subprocess.DEVNULL)
    shutil.rmtree(tmp_path, ignore_errors=True)


def test_every_verb_has_a_page_and_a_row():
    """README's table of verbs is complete, and so are the man pages."""
    out = subprocess.run([LAMINA, "manual", "--verbs"], capture_output=True, text=True, check=True)
    verbs = [line.split("\t")[0] for line in out.stdout.splitlines()]
    assert "deploy" in verbs
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
        readme = f.read()
    missing = [v for v in verbs if not re.search(r"^\| `%s\b" % v, readme, re.M)]
    assert not missing, "no row in README: %s" % missing
    missing = [v for v in verbs if not os.path.exists(os.path.join(ROOT, "man/lamina-%s.1.scd" % v))]
    assert not missing, "no man page: %s" % missing


def test_operations_of_readme():
    """The table in README is what `lamina operations --markdown` prints."""
    out = subprocess.run(
        [LAMINA, "operations", "--markdown"], capture_output=True, text=True, check=True
    )
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
        m = re.search(r"<!-- operations -->\n\n(.*?)\n<!-- /operations -->", f.read(), re.S)
    assert m and m.group(1) == out.stdout, "run tools/update-readme"


def test_links_lead_somewhere():
    for path in DOCUMENTS + [os.path.join(ROOT, "ARCHITECTURE.md")]:
        if not path.endswith(".md"):
            continue
        with open(path, encoding="utf-8") as f:
            text = re.sub(r"```.*?```", "", f.read(), flags=re.S)
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
            if "://" not in target:
                there = os.path.join(os.path.dirname(path), target)
                assert os.path.exists(there), "%s: %s" % (name_of(path), target)


def test_sources_named_in_architecture_exist():
    """Each `room/file.c` and `function()` that ARCHITECTURE.md names is in the sources."""
    with open(os.path.join(ROOT, "ARCHITECTURE.md"), encoding="utf-8") as f:
        text = re.sub(r"```.*?```", "", f.read(), flags=re.S)
    sources = ""
    patterns = ("src/**/*.[ch]", "layers/**/*.[ch]", "runtimes/**/*.[ch]", "runtimes/**/*.py", "tools/*")
    for pattern in patterns:
        for path in glob.glob(os.path.join(ROOT, pattern), recursive=True):
            if os.path.isfile(path):
                with open(path, encoding="utf-8", errors="replace") as f:
                    sources += f.read()
    files = set(re.findall(r"`((?:[a-z_0-9.-]+/)+[a-z_0-9.-]+\.(?:[ch]|py|json|build))`", text))
    assert len(files) > 20
    for name in files:
        places = [os.path.join(ROOT, p, name) for p in ("", "src", "src/service")]
        assert any(os.path.exists(p) for p in places), name
    functions = set(re.findall(r"`([a-z_0-9]+)\(\)`", text))
    assert len(functions) > 20
    there = set(re.findall(r"\b([a-z_0-9]+)\(", sources))
    assert not functions - there
