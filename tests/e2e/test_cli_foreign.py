"""The verbs against a server that this project has not written: moto's, where it is installed."""

import json
import shutil
import subprocess
import time
import urllib.request

import pytest

from cloud import client, environ, free_port, lamina, unique


@pytest.fixture(scope="module")
def moto():
    program = shutil.which("moto_server")
    if program is None:
        pytest.skip("moto is not installed")
    port = free_port()
    url = "http://127.0.0.1:%d" % port
    process = subprocess.Popen(
        [program, "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environ(),
    )
    deadline = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(url + "/moto-api/data.json", timeout=1).close()
            break
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline, "moto_server does not answer"
            time.sleep(0.05)
    yield url
    process.terminate()
    process.wait(10)


TEMPLATE = """
Parameters:
  Days: {Type: Number, Default: 7}
Resources:
  Group:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: %s, RetentionInDays: !Ref Days}
Outputs:
  Name: {Value: !Ref Group}
"""


def test_deploy_list_outputs_logs_delete(moto, tmp_path):
    stack, group = unique("stack"), unique("/aws/lambda/f")
    (tmp_path / "template.yaml").write_text(TEMPLATE % group)

    def run(*args, **options):
        return lamina(*args, "--endpoint", moto, cwd=tmp_path, **options)

    run("deploy", "--stack-name", stack, "--no-confirm-changeset", "--parameter-overrides", "Days=3")
    (found,) = client(moto, "logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert found["retentionInDays"] == 3

    assert stack in run("list", "stacks").stdout
    assert "AWS::Logs::LogGroup" in run("list", "resources", "--stack-name", stack).stdout
    # moto forgets the outputs of stacks that come of change sets.
    other = unique("stack")
    client(moto, "cloudformation").create_stack(StackName=other, TemplateBody=TEMPLATE % other)
    assert json.loads(run("outputs", "--stack-name", other, "--json").stdout) == {"Name": other}

    logs = client(moto, "logs")
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    event = {"timestamp": int(time.time() * 1000), "message": "from elsewhere"}
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[event])
    assert "from elsewhere" in run("logs", group.rpartition("/")[2]).stdout

    run("delete", "--stack-name", stack, "--no-prompts")
    stacks = client(moto, "cloudformation").list_stacks(StackStatusFilter=["CREATE_COMPLETE"])
    assert stack not in [s["StackName"] for s in stacks["StackSummaries"]]
