"""A small project that is deployed and put back, for the tests of releases."""

import json
import subprocess

from cloud import LAMINA, RUNTIME, environ, unique

TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Greeting: {Type: String, Default: hello}
  Secret: {Type: String, NoEcho: true}
Resources:
  Shared:
    Type: AWS::Serverless::LayerVersion
    Properties: {LayerName: %(name)s, ContentUri: layer, CompatibleRuntimes: [%(runtime)s]}
  Main:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: %(name)s
      Runtime: %(runtime)s
      Handler: app.handler
      CodeUri: src
      MemorySize: %(memory)d
      Timeout: 10
      AutoPublishAlias: live
      Layers: [!Ref Shared]
      Environment:
        Variables:
          GREETING: !Ref Greeting
          URL: !Sub "https://user:${Secret}@host/"
          PLAIN: same
"""
SECRET = "correct-horse-battery"


class Project:
    def __init__(self, cloud, folder):
        self.cloud, self.folder, self.name = cloud, folder, unique("release")
        (folder / "src").mkdir()
        (folder / "layer" / "python").mkdir(parents=True)

    def write(self, version, memory=128):
        values = {"name": self.name, "runtime": RUNTIME, "memory": memory}
        (self.folder / "template.yaml").write_text(TEMPLATE % values)
        (self.folder / "src" / "app.py").write_text(
            "import os, shared\ndef handler(event, context):\n"
            "    return [%r, shared.NAME, os.environ['GREETING'], os.environ['URL'], event]\n"
            % version
        )
        (self.folder / "layer" / "python" / "shared.py").write_text("NAME = %r\n" % version)

    def run(self, *args, ok=True, text=None, **env):
        done = subprocess.run(
            [LAMINA, *args],
            cwd=str(self.folder),
            env=environ(AWS_ENDPOINT_URL=self.cloud.url, **env),
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
        if ok:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    def json(self, *args, ok=True):
        return json.loads(self.run(*args, "--json", ok=ok).stdout)

    def deploy(self, version, memory=128, greeting="hello", ok=True):
        self.write(version, memory)
        return self.run(
            "deploy",
            "--stack-name",
            self.name,
            "--capabilities",
            "CAPABILITY_IAM",
            "--parameter-overrides",
            "Greeting=" + greeting,
            "Secret=" + SECRET,
            ok=ok,
        )

    def answer(self, qualifier="$LATEST"):
        out = self.cloud.lambda_.invoke(
            FunctionName=self.name, Qualifier=qualifier, Payload=b'"ping"'
        )
        return json.loads(out["Payload"].read())

    def records(self, *args):
        return self.json("deployments", "list", self.name, *args)

    def configuration(self):
        c = self.cloud.lambda_.get_function_configuration(FunctionName=self.name)
        for moving in ("ResponseMetadata", "RevisionId", "LastModified"):
            c.pop(moving)
        return c
