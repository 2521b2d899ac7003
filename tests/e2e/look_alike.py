"""A look-alike of AWS around a `lamina up`: real host names, TLS, no private requests, bad days.

It lives in a user, mount and network namespace of its own, where one name server answers 127.0.0.1
for every name of AWS and nothing can leave the machine. Programs are run inside with run(). What
the front behind port 443 saw is in log(); what it does to requests is told by fault()."""

import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
UNSHARE = ["unshare", "-mn"] if os.geteuid() == 0 else ["unshare", "-Urmn"]
NAMES = (
    "*.amazonaws.com *.amazonaws.com.cn *.api.aws *.us-gov.amazonaws.com"
    " {0} *.s3.{0}.amazonaws.com *.s3-fips.{0}.amazonaws.com *.s3.dualstack.{0}.amazonaws.com"
    " *.{0}.amazonaws.com *.{0}.api.aws *.{0}.amazonaws.com.cn *.s3.{0}.amazonaws.com.cn"
    " *.s3-fips.dualstack.{0}.amazonaws.com *.sso.{0}.amazonaws.com *.lambda-url.{0}.on.aws"
)
REGIONS = ("us-east-1", "eu-west-1", "us-gov-west-1", "cn-north-1")


def why_not():
    """Why there can be no look-alike here, or None."""
    for program in ("unshare", "nsenter", "openssl", "ip"):
        if not shutil.which(program):
            return "there is no " + program
    r = subprocess.run(UNSHARE + ["sh", "-c", "ip link set lo up && mount --bind /dev/null /etc/hosts"],
                       capture_output=True, text=True)
    return "no namespaces here: " + r.stderr.strip() if r.returncode else None


def make_certificates(at):
    """ca.pem, which clients trust, and server.pem, which it signed for AWS's names."""
    names = sorted({n for region in REGIONS for n in NAMES.format(region).split()})
    with open(at + "/names", "w") as f:
        f.write("subjectAltName=" + ",".join("DNS:" + n for n in names) + "\n")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for args in (
        ["req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=look-alike CA",
         "-days", "2"],
        ["req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=look-alike"],
        ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
         "-CAcreateserial", "-out", "server.pem", "-days", "2", "-extfile", "names"],
    ):
        subprocess.run(["openssl", *args], cwd=at, check=True, capture_output=True)


class LookAlike:
    def __init__(self, program):
        self.folder = tempfile.TemporaryDirectory(prefix="lamina-look-alike-")
        self.dir = self.folder.name
        make_certificates(self.dir)
        os.mkdir(self.dir + "/home")
        self.process = subprocess.Popen(
            UNSHARE + [sys.executable, HERE + "/look_alike_front.py", self.dir, program],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True,
            stderr=open(self.dir + "/stderr", "w"),
        )
        self.cloud = "http://127.0.0.1:%d" % self.answer()["port"]  # past the front

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            with open(self.dir + "/stderr") as f:
                raise AssertionError("the look-alike has ended\n" + f.read()[-5000:])
        return json.loads(line)

    def ask(self, **what):
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def fault(self, match, do, times=1, **more):
        """The next `times` requests of which "METHOD HOST/PATH ACTION" matches: see the front."""
        self.ask(fault=dict(match=match, do=do, times=times, **more))

    def call(self, service, operation, **args):
        """An operation of botocore, past the front: for what no verb makes."""
        self.ask(call=dict(args, service=service, operation=operation))

    def reset(self):
        """Forgets log and faults."""
        self.ask(reset=True)

    def log(self):
        """What came, in order: {"host", "method", "path", "action", "service", "region", "key",
        "token", "status", "line"}."""
        return self.ask(log=True)

    def environ(self, **more):
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("AWS_", "LAMINA_", "SAM_", "XDG_")) and "proxy" not in k.lower()}
        env.update(HOME=self.dir + "/home", AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test",
                   AWS_REGION="us-east-1", AWS_CA_BUNDLE=self.dir + "/ca.pem",
                   LAMINA_TARGET="aws", AWS_PAGER="", AWS_EC2_METADATA_DISABLED="true")
        env.update(more)
        return {k: v for k, v in env.items() if v is not None}

    def command(self, *args):
        enter = ["nsenter", "-t", str(self.process.pid), "-m", "-n"]
        if os.geteuid() != 0:
            enter += ["-U", "--preserve-credentials"]
        return enter + ["--wd=" + os.getcwd(), "--", *map(str, args)]

    def run(self, *args, check=True, input=None, cwd=None, timeout=120, **env):
        """Runs a program inside; env: variables, None takes one away."""
        command = self.command(*args)
        if cwd:
            command[command.index("--") - 1] = "--wd=" + str(cwd)
        r = subprocess.run(command, env=self.environ(**env), input=input, capture_output=True,
                           universal_newlines=True, timeout=timeout,
                           stdin=subprocess.DEVNULL if input is None else None)
        if check and r.returncode:
            raise AssertionError("%s: exit %d\n%s%s" % (args, r.returncode, r.stdout, r.stderr))
        return r

    def stop(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()
        self.folder.cleanup()
