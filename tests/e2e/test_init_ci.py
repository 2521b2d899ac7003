"""lamina init --ci github: the workflow is well formed, and its steps run, in order, as they stand."""

import json
import os
import re
import subprocess

import pytest
import yaml

from cloud import LAMINA, environ, free_port, lamina, unique

WORKFLOW, ACTION = ".github/workflows/lamina.yml", ".github/actions/lamina/action.yml"


def load(path):
    with open(str(path)) as f:
        data = yaml.safe_load(f)
    if True in data:  # YAML 1.1 reads "on" as true; GitHub does not
        data["on"] = data.pop(True)
    return data


@pytest.fixture
def project(tmp_path):
    lamina("init", "hello", "--ci", "github", "--lamina-repository", "owner/lamina", "--lamina-ref",
           "v1.2/x", cwd=tmp_path)
    return tmp_path / "hello"


def test_shape(project):
    flow, action = load(project / WORKFLOW), load(project / ACTION)
    assert set(flow["on"]) == {"pull_request", "push", "schedule", "workflow_dispatch"}
    assert flow["on"]["schedule"][0]["cron"].split()[2:] == ["*", "*", "1"]
    assert flow["permissions"] == {"contents": "read"}
    assert "owner/lamina" in flow["env"]["LAMINA_REPOSITORY"] and "v1.2/x" in flow["env"]["LAMINA_REF"]
    assert flow["env"]["STACK"] == "hello" and flow["env"]["COVERAGE"] == "true"
    assert set(flow["jobs"]) == {"local", "aws"}
    aws = flow["jobs"]["aws"]
    assert aws["permissions"] == {"contents": "read", "id-token": "write"}
    assert "refs/heads/main" in aws["if"] and "AWS_ROLE_ARN" in aws["if"]
    assert aws["env"] == {"LAMINA_TARGET": "aws"} and "env" not in flow["jobs"]["local"]
    steps = [s for j in flow["jobs"].values() for s in j["steps"]] + action["runs"]["steps"]
    for step in steps:
        assert ("uses" in step) != ("run" in step)
        if "uses" in step and not step["uses"].startswith("./"):
            assert re.search(r"@[0-9a-f]{40}$", step["uses"]), step["uses"]
        # what GitHub fills in could be anything, a branch's name for one: it never becomes code
        assert "${{" not in step.get("run", "")
    assert all(s["shell"] == "bash" for s in action["runs"]["steps"] if "run" in s)
    credentials = [s for s in aws["steps"] if "configure-aws" in s.get("uses", "")]
    assert credentials[0]["with"]["role-to-assume"] == "${{ vars.AWS_ROLE_ARN }}"
    assert not re.search(r"AKIA|secret_access_key", (project / WORKFLOW).read_text(), re.I)
    for job in flow["jobs"].values():
        assert any("upload-artifact" in s.get("uses", "") and s["if"] == "always()" for s in job["steps"])


def run_step(step, cwd, env):
    """As GitHub does: bash -eo pipefail, GITHUB_PATH and GITHUB_OUTPUT between the steps."""
    # A daemon must not keep the pipe open.
    with open(str(cwd / "step.log"), "w+") as log:
        r = subprocess.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                           cwd=str(cwd), env=env, stdout=log, stderr=subprocess.STDOUT,
                           stdin=subprocess.DEVNULL, timeout=120)
        log.seek(0)
        return r.returncode, log.read()


def git(cwd, *args):
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *args],
                   cwd=str(cwd), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_steps_of_a_pull_request_run(project, tmp_path):
    (project / "verify.yaml").write_text(
        "cold: {n: 2}\nwarm: {n: 40}\nload: {n: 40, connections: 2}\ncost: {max_usd_per_million: 5}\n")
    git(tmp_path, "init", "-q", "-b", "main", str(project))
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "start")
    checkout = tmp_path / "work" / "checkout"
    checkout.parent.mkdir()
    git(tmp_path, "clone", "-q", str(project), str(checkout))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "lamina").symlink_to(LAMINA)
    summary, home = tmp_path / "summary.md", tmp_path / "home"
    home.mkdir()
    port = free_port()
    flow = load(checkout / WORKFLOW)
    env = environ(PATH="%s:%s" % (tmp_path / "bin", os.environ["PATH"]), HOME=str(home),
                  GITHUB_STEP_SUMMARY=str(summary), GITHUB_BASE_REF="main", GITHUB_ACTIONS="true",
                  LAMINA_PORT=str(port), AWS_ENDPOINT_URL="http://127.0.0.1:%d" % port,
                  STACK=flow["env"]["STACK"], COVERAGE="true", MAX_REGRESSION="9900%")
    steps = {s["name"]: s for s in flow["jobs"]["local"]["steps"] if "run" in s}
    ended = steps.pop("End the cloud")
    benchmarks = steps.pop("Benchmarks")
    assert "schedule" in benchmarks["if"]
    try:
        for name, step in steps.items():
            code, said = run_step(step, checkout, env)
            assert code == 0, "%s:\n%s" % (name, said)
    finally:
        code, said = run_step(ended, checkout, env)
    assert code == 0, said
    tables = summary.read_text()
    assert "### Verification of hello" in tables and "### Cost of hello" in tables
    assert "hello/app.py" in tables  # coverage
    report = json.loads((checkout / "reports/verify.json").read_text())
    compared = [r for r in report["validation_results"] if r["category"] == "baseline"]
    said = ["%(test)s %(status)s: %(message)s" % r for r in compared]
    # (So few samples, on a machine with much else to do, may bound no latency: that is a warning.)
    assert any(line.startswith("warm p50 ") for line in said), "\n".join(said)
    assert any(line.startswith("warm cost PASS: ") for line in said), "\n".join(said)
    assert report["summary"]["failed"] == 0
    for path in ("tests.xml", "coverage.xml", "verify.xml", "verify.html"):
        assert (checkout / "reports" / path).stat().st_size > 100


def test_lamina_has_to_be_somewhere(tmp_path):
    lamina("init", "hello", "--ci", "github", cwd=tmp_path)
    action = load(tmp_path / "hello" / ACTION)
    first = action["runs"]["steps"][0]
    code, said = run_step(first, tmp_path, environ(LAMINA_REPOSITORY=""))
    assert code == 1 and "::error::Set the variable LAMINA_REPOSITORY" in said
    code, said = run_step(first, tmp_path, environ(LAMINA_REPOSITORY="a/b"))
    assert code == 0 and not said


def test_existing_files_stay(tmp_path):
    (tmp_path / "template.yaml").write_text("Resources: {}\n")
    (tmp_path / "samconfig.toml").write_text(
        'version = 0.1\n[default.deploy.parameters]\nstack_name = "theirs"\n')
    out = lamina("init", "--ci", "github", "--scripts", cwd=tmp_path).stdout
    assert WORKFLOW in out and "LAMINA_REPOSITORY" in out
    assert load(tmp_path / WORKFLOW)["env"]["STACK"] == "theirs"
    assert os.access(str(tmp_path / "scripts/common-functions.sh"), os.X_OK)
    lamina("init", "--ci", "github", "--scripts", cwd=tmp_path)  # the same again: nothing to say
    (tmp_path / ACTION).write_text("mine\n")
    (tmp_path / WORKFLOW).unlink()
    r = lamina("init", "--ci", "github", cwd=tmp_path, check=False)
    assert r.returncode == 1 and ACTION in r.stderr and "--force" in r.stderr
    assert (tmp_path / ACTION).read_text() == "mine\n"
    assert not (tmp_path / WORKFLOW).exists()  # all or nothing
    lamina("init", "--ci", "github", "--force", cwd=tmp_path)
    assert load(tmp_path / ACTION)["name"] == "lamina"


def test_functions_that_coverage_does_not_reach(tmp_path):
    name = unique("c")
    lamina("init", name, "--runtime", "provided.al2023", "--ci", "github", cwd=tmp_path)
    assert load(tmp_path / name / WORKFLOW)["env"]["COVERAGE"] == "false"


@pytest.mark.parametrize("args,code,why", [
    (["--ci", "github"], 1, "there is no template.yaml here"),
    (["--ci", "gitlab"], 2, "none of github"),
    ([], 2, "what is the project's name?"),
    (["x", "--ci", "github", "--lamina-repository", "a/b'; evil"], 2, "no OWNER/NAME"),
    (["x", "--ci", "github", "--lamina-ref", "-x"], 2, "no branch, tag or commit"),
    (["1x", "--ci", "github"], 2, "cannot name a stack"),
])
def test_wrong_usage(tmp_path, args, code, why):
    r = lamina("init", *args, cwd=tmp_path, check=False)
    assert r.returncode == code and why in r.stderr, r.stderr
    assert os.listdir(str(tmp_path)) == []
