"""scripts/common-functions.sh: scripts written for Amazon run on the embedded cloud as they are."""

import json
import os
import subprocess

import pytest

from cloud import ROOT, environ

COMMON = os.path.join(ROOT, "scripts", "common-functions.sh")
SOURCE = """
import json
def handler(event, context):
    if event.get("fail"):
        raise ValueError("as asked")
    return {"statusCode": 200, "headers": {}, "body": json.dumps(event)}
"""

# The calls of a test script for a layered function: cold, warm, memory, concurrent.
PERFORMANCE = r"""
set -euo pipefail
source scripts/common-functions.sh

cold() {
    log_step "cold start"
    aws lambda update-function-configuration --function-name "$FN" --region "$AWS_REGION" \
        --environment 'Variables={REPO="'"$GITHUB_REPO_OWNER/$GITHUB_REPO_NAME"'",COLD="'"$(date +%s)"'"}' >/dev/null
    aws lambda wait function-updated --function-name "$FN" --region "$AWS_REGION"
    aws lambda invoke --function-name "$FN" --region "$AWS_REGION" cold.json \
        --payload '{"test": "cold_start", "repository": {"name": "test-repo"}}' \
        --query ExecutedVersion --output text
    if [ "$(jq -r .statusCode cold.json)" = 200 ]; then log_success "cold start"; else log_error "cold start"; fi
}

warm() {
    log_step "warm"
    good=0
    for i in 1; do
        log_debug "warm $i"
        status=$(aws lambda invoke --function-name "$FN" --payload '{"test": "warm"}' --region "$AWS_REGION" \
            warm-$i.json --query StatusCode --output text)
        [ "$status" = 200 ] && good=$((good + 1))
    done
    log_success "warm: $good"
}

memory() {
    log_step "memory"
    before=$(aws lambda get-function-configuration --function-name "$FN" --query MemorySize --output text)
    for size in 256; do
        aws lambda update-function-configuration --function-name "$FN" --memory-size $size >/dev/null
        aws lambda wait function-updated --function-name "$FN"
        aws lambda invoke --function-name "$FN" --payload file://payload.json --log-type Tail memory.json \
            --query LogResult --output text | base64 -d | grep -o 'Memory Size: [0-9]* MB'
    done
    aws lambda update-function-configuration --function-name "$FN" --memory-size "$before" >/dev/null
}

log_section "Performance"
echo '{"test": "memory"}' > payload.json
cold
warm
memory
if [ -z "$SNS_ALERT_TOPIC_ARN" ]; then log_warning "SNS_ALERT_TOPIC_ARN is not set: no alarms"; fi
log_section_complete "Performance"
"""


def run(tmp_path, script, shell="bash", **env):
    (tmp_path / "scripts").mkdir(exist_ok=True)
    if not (tmp_path / "scripts/common-functions.sh").exists():
        (tmp_path / "scripts/common-functions.sh").symlink_to(COMMON)
    e = environ(**env)
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
                 "GITHUB_ACTIONS", "GITHUB_REPOSITORY"):
        if name not in env:
            e.pop(name, None)
    return subprocess.run([shell, "-c", script], cwd=tmp_path, env=e, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True, timeout=120)


def test_a_script_for_amazon_runs_on_the_embedded_cloud(cloud, tmp_path):
    name = cloud.function(SOURCE, MemorySize=128)
    r = run(tmp_path, PERFORMANCE, FN=name, AWS_ENDPOINT_URL=cloud.url,
            GITHUB_REPOSITORY="owner/project")
    assert r.returncode == 0, r.stdout + r.stderr
    lines = r.stdout.splitlines()
    assert lines[0] == "== Performance ==" and lines[-1] == "== Performance complete =="
    assert "-> cold start" in lines and "ok cold start" in lines and "ok warm: 1" in lines
    assert [l for l in lines if l.startswith("Memory Size")] == ["Memory Size: 256 MB"]
    assert "SNS_ALERT_TOPIC_ARN is not set" in r.stderr
    config = cloud.lambda_.get_function_configuration(FunctionName=name)
    assert config["MemorySize"] == 128
    assert config["Environment"]["Variables"]["REPO"] == "owner/project"
    body = json.loads((tmp_path / "cold.json").read_text())["body"]
    assert json.loads(body)["repository"]["name"] == "test-repo"


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_names_of_the_repository_come_from_git(tmp_path, shell):
    def names(url):
        subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)
        subprocess.run(["git", "config", "remote.origin.url", url], cwd=tmp_path, check=True)
        return run(tmp_path, "set -eu; . scripts/common-functions.sh; "
                   'echo "$GITHUB_REPO_OWNER $GITHUB_REPO_NAME $AWS_REGION"', shell).stdout

    assert names("git@example.com:me/thing.git") == "me thing us-east-1\n"
    assert names("https://example.com/me/thing") == "me thing us-east-1\n"
    out = run(tmp_path, "set -eu; . scripts/common-functions.sh; "
              'echo "$GITHUB_REPO_OWNER $GITHUB_REPO_NAME $AWS_REGION"', shell,
              GITHUB_REPO_OWNER="a", GITHUB_REPO_NAME="b", AWS_REGION="eu-west-1").stdout
    assert out == "a b eu-west-1\n"


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_no_function_ends_a_script(tmp_path, shell):
    script = """set -eu; . scripts/common-functions.sh
for f in section step success warning error debug section_complete; do log_$f "a  b" '%s'; done; echo end"""
    r = run(tmp_path, script, shell)
    assert r.stdout == ("== a  b %s ==\n-> a  b %s\nok a  b %s\n . a  b %s\n"
                        "== a  b %s complete ==\nend\n"), r.stdout + r.stderr
    assert r.stderr == " ! a  b %s\nno a  b %s\n"
    r = run(tmp_path, script, shell, LOG_LEVEL="error")
    assert (r.stdout, r.stderr) == ("end\n", "no a  b %s\n")
    r = run(tmp_path, script, shell, GITHUB_ACTIONS="true")
    assert "::group::a  b %25s\n" in r.stdout and "::endgroup::\n" in r.stdout
    assert "::error::a  b %25s\n" in r.stdout and not r.stderr
    # One annotation, whatever it holds: no second command out of a message's second line.
    r = run(tmp_path, """. scripts/common-functions.sh
log_error "50%" "$(printf 'a\\r\\n::warning::b\\\\nc')" """, shell, GITHUB_ACTIONS="true")
    assert r.stdout == "::error::50%25 a%0D%0A::warning::b\\nc\n", r.stdout + r.stderr


def test_amazon_is_asked_only_when_it_is_said(tmp_path):
    """What the function passes on, seen by an aws of our own."""
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "aws"
    fake.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "aws-cli/$V Python" && exit\n'
                    'echo "$@" key=${AWS_ACCESS_KEY_ID:-none}\nexit ${CODE:-0}\n')
    fake.chmod(0o755)
    path = "%s:%s" % (tmp_path / "bin", os.environ["PATH"])
    script = ". scripts/common-functions.sh; aws sts get-caller-identity; echo $?"
    binary = "--cli-binary-format raw-in-base64-out "
    local = "--endpoint-url http://127.0.0.1:4566 "
    r = run(tmp_path, script, PATH=path, V="2.9.19")
    assert r.stdout == local + binary + "sts get-caller-identity key=test\n0\n"
    r = run(tmp_path, script, PATH=path, V="1.45.11", CODE="254", LAMINA_PORT="99")
    assert r.stdout == "--endpoint-url http://127.0.0.1:99 sts get-caller-identity key=test\n254\n"
    r = run(tmp_path, script, PATH=path, V="2.9.19", LAMINA_TARGET="aws", AWS_ACCESS_KEY_ID="mine")
    assert r.stdout == binary + "sts get-caller-identity key=mine\n0\n"
