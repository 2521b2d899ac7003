"""The inside of the look-alike: see look_alike.py. Started in namespaces of its own, it makes the
names resolve, starts `lamina up`, and serves TLS in front of it until its stdin ends."""

import email.utils
import http.client
import http.server
import json
import os
import re
import socket
import socketserver
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.session

from look_alike import REGIONS

XML = ('<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>%s</Code><Message>%s</Message>'
       "<RequestId>LOOKALIKE</RequestId><HostId>look-alike</HostId></Error>")
QUERY = ("<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error>"
         "<RequestId>00000000-0000-4000-8000-000000000000</RequestId></ErrorResponse>")
SCOPE = re.compile(r"Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
SUFFIXES = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".on.aws")
GLOBAL = {
    "iam.amazonaws.com": ("iam", "us-east-1"),
    "iam-fips.amazonaws.com": ("iam", "us-east-1"),
    "iam.us-gov.amazonaws.com": ("iam", "us-gov-west-1"),
    "iam.cn-north-1.amazonaws.com.cn": ("iam", "cn-north-1"),
}
HOST = re.compile(r"(?:(?P<bucket>.+)\.)??(?P<name>s3|lambda|logs|cloudformation|sts|iam|portal\.sso)(?:-fips)?"
                  r"(?:\.dualstack)?\.(?P<region>[a-z0-9-]+)\.(amazonaws\.com(\.cn)?|api\.aws)$")


def place(host):
    """(service, region) that a host of AWS is for, else None."""
    if host in GLOBAL:
        return GLOBAL[host]
    m = HOST.match(host)
    if not m or (m["bucket"] and m["name"] != "s3") or m["region"] not in REGIONS:
        return None
    return m["name"], m["region"]


class World:
    def __init__(self):
        self.lock = threading.Lock()
        self.requests, self.faults, self.buckets = [], [], {}
        self.skew = 0

    def take(self, line):
        with self.lock:
            for fault in self.faults:
                if fault["times"] and re.search(fault["match"], line):
                    fault["times"] -= 1
                    return fault
        return None


WORLD = World()


class Front(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    port = 0  # of lamina up

    def setup(self):
        self.request.settimeout(120)
        self.request.do_handshake()
        super().setup()

    def log_message(self, *args):
        pass

    def any_method(self):
        host = self.headers.get("Host", "").lower()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        action = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        if b"Action=" in body[:4000] and "form-urlencoded" in self.headers.get("Content-Type", ""):
            action = urllib.parse.parse_qs(body.decode()).get("Action", [""])[0]
        line = "%s %s%s %s" % (self.command, host, self.path, action)
        auth = self.headers.get("Authorization", "")
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        scope = SCOPE.search(auth + " Credential=" + query.get("X-Amz-Credential", [""])[0])
        self.seen = {"host": host, "method": self.command, "path": self.path, "action": action,
                     "key": scope and scope[1], "region": scope and scope[2],
                     "service": scope and scope[3], "line": line, "at": time.monotonic(),
                     "token": self.headers.get("X-Amz-Security-Token"), "status": 0,
                     "agent": self.headers.get("User-Agent", ""), "size": len(body)}
        with WORLD.lock:
            WORLD.requests.append(self.seen)
        self.handle_one(host, body, line, scope)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = any_method

    def handle_one(self, host, body, line, scope):
        url = re.match(r"[a-z0-9]+\.lambda-url\.[a-z0-9-]+\.on\.aws$", host)
        where = place(host)
        if not url and not where:
            return self.refuse(404, "UnknownHost", "the look-alike has no " + host, where)
        if self.path.startswith("/_lamina"):
            return self.refuse(403, "AccessDenied", "Access Denied", where)
        if scope and where and (scope[3], scope[2]) != where:
            return self.refuse(403, "SignatureDoesNotMatch",
                               "Credential should be scoped to %s/%s, not %s/%s."
                               % (where[1], where[0], scope[2], scope[3]), where)
        if not url and self.skewed(where):
            return
        if where and where[0] == "portal.sso":
            return self.portal(where)
        fault = WORLD.take(line)
        if fault and self.misbehave(fault, where):
            return
        self.forward(host, body, where, fault)

    def portal(self, where):
        """IAM Identity Center: keys for the token of a login."""
        if self.headers.get("x-amz-sso_bearer_token") != "a-login":
            return self.refuse(401, "UnauthorizedException", "Session token not found", where)
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        keys = {"accessKeyId": query["account_id"][0], "secretAccessKey": "test",
                "sessionToken": "of-" + query["role_name"][0], "expiration": 32503680000000}
        self.answer(200, {"Content-Type": "application/json"},
                    json.dumps({"roleCredentials": keys}).encode())

    def skewed(self, where):
        stamp = self.headers.get("X-Amz-Date")
        if not WORLD.skew or not stamp:
            return False
        now = time.time() + WORLD.skew
        import calendar
        theirs = calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
        if abs(theirs - now) <= 300:
            return False
        if where[0] == "s3":
            self.refuse(403, "RequestTimeTooSkewed", "The difference between the request time and "
                        "the current time is too large.", where)
        else:
            self.refuse(403, "InvalidSignatureException" if where[0] in ("lambda", "logs")
                        else "SignatureDoesNotMatch", "Signature expired: %s is now earlier than %s"
                        % (stamp, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))), where)
        return True

    def misbehave(self, fault, where):
        """True when the request has been answered (or not, on purpose)."""
        do = fault["do"]
        if do == "close":
            self.close_connection = True
            return True
        if do == "slow":
            time.sleep(fault["seconds"])
            return False
        if do == "late":  # nothing has come to the logs yet
            self.answer(200, {"Content-Type": "application/x-amz-json-1.1"}, b'{"events": []}')
            return True
        if do == "answer":
            more = fault.get("headers", {})
            self.refuse(fault["status"], fault["code"], fault.get("message", "from the look-alike"),
                        where, **more)
            return True
        return False

    def refuse(self, status, code, message, where, **headers):
        kind, text = "application/json", json.dumps({"message": message, "Type": "User"})
        name = where[0] if where else "s3"
        if name == "s3":
            kind, text = "application/xml", XML % (code, message)
        elif name in ("iam", "sts", "cloudformation"):
            kind, text = "text/xml", QUERY % (code, message)
        elif name == "logs":
            kind, text = "application/x-amz-json-1.1", json.dumps({"__type": code,
                                                                   "message": message})
        else:
            headers["x-amzn-ErrorType"] = code + ":http://internal.amazon.com/coral/"
        self.answer(status, {"Content-Type": kind, "x-amzn-RequestId":
                             "00000000-0000-4000-8000-000000000000", **headers}, text.encode())

    def answer(self, status, headers, body):
        self.seen["status"] = status
        self.send_response_only(status)
        self.send_header("Date", email.utils.formatdate(time.time() + WORLD.skew, usegmt=True))
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def forward(self, host, body, where, fault):
        headers = [(k, v) for k, v in self.headers.items() if k.lower() != "connection"]
        if WORLD.skew and where:
            headers = self.sign_again(host, body, headers, where)
        inner = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        inner.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            inner.putheader(name, value)
        inner.endheaders()
        inner.sock.sendall(body)
        r = inner.getresponse()
        chunked = r.getheader("Transfer-Encoding") == "chunked"
        kept = {k: v for k, v in r.getheaders()
                if k.lower() not in ("connection", "date", "transfer-encoding", "keep-alive")}
        data = self.dress(host, r.read())
        if fault and fault["do"] == "edit":
            data = re.sub(fault["what"].encode(), fault["by"].encode(), data)
        if self.command != "HEAD":
            kept = {k: v for k, v in kept.items() if k.lower() != "content-length"}
        inner.close()
        if chunked and self.command != "HEAD":
            self.seen["chunked"] = True
        self.answer(r.status, kept, data)

    def dress(self, host, data):
        """The addresses in answers are AWS's."""
        region = (place(host) or (0, "us-east-1"))[1].encode()
        data = re.sub(rb"http://([a-z0-9]+)\.lambda-url\.([a-z0-9-]+)\.[a-z0-9.-]+(:\d+)?/",
                      rb"https://\1.lambda-url.\2.on.aws/", data)
        return re.sub(rb"http://(127\.0\.0\.1:%d|[a-z0-9.-]*localhost:%d|%s)/"
                      % (self.port, self.port, re.escape(host.encode())),
                      b"https://s3." + region + b".amazonaws.com/", data)

    def sign_again(self, host, body, headers, where):
        """Time is another one in there."""
        kept = [(k, v) for k, v in headers if k.lower() not in
                ("authorization", "x-amz-date", "x-amz-content-sha256", "content-length", "host")]
        request = botocore.awsrequest.AWSRequest(self.command, "https://" + host + self.path,
                                                 data=body, headers=dict(kept))
        signer = botocore.auth.S3SigV4Auth if where[0] == "s3" else botocore.auth.SigV4Auth
        request.context["client_config"] = None
        signer(botocore.credentials.Credentials("test", "test"), *where).add_auth(request)
        return [("Host", host), ("Content-Length", str(len(body))), *request.headers.items()]


class Neighbour(http.server.BaseHTTPRequestHandler):
    """What a container's agent and a machine's metadata service answer, at 127.0.0.1:80."""

    def log_message(self, *args):
        pass

    def do_PUT(self):
        self.answer(200, b"a-token" if self.path == "/latest/api/token" else b"")

    def do_GET(self):
        imds = "/latest/meta-data/iam/security-credentials/"
        keys = {"AccessKeyId": "444455556666", "SecretAccessKey": "test", "Token": "near",
                "Expiration": "2999-01-01T00:00:00Z"}
        if self.path == "/agent" and self.headers.get("Authorization") == "Basic agent":
            self.answer(200, json.dumps(keys).encode())
        elif self.headers.get("X-aws-ec2-metadata-token") != "a-token":
            self.answer(401, b"")
        elif self.path == imds:
            self.answer(200, b"the-role")
        elif self.path == imds + "the-role":
            self.answer(200, json.dumps(dict(keys, AccessKeyId="777788889999")).encode())
        else:
            self.answer(404, b"")

    def answer(self, status, body):
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (OSError, http.client.HTTPException)):
            super().handle_error(request, client_address)


def name_server():
    """Every name of AWS is 127.0.0.1; others do not exist."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 53))
    while True:
        question, peer = s.recvfrom(512)
        at, labels = 12, []
        while question[at]:
            labels.append(question[at + 1: at + 1 + question[at]].decode("ascii", "replace").lower())
            at += 1 + question[at]
        kind = struct.unpack(">H", question[at + 1: at + 3])[0]
        name = ".".join(labels)
        ours = ("." + name).endswith(SUFFIXES) and (
            place(name) or ".lambda-url." in name or name.startswith("lost."))
        found = 1 if ours and kind == 1 else 0
        head = question[:2] + struct.pack(">HHHHH", 0x8580 | (0 if ours else 3), 1, found, 0, 0)
        record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 4) + bytes([127, 0, 0, 1])
        s.sendto(head + question[12: at + 5] + record * found, peer)


def make_network(at):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    files = {"resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
             "hosts": "127.0.0.1 localhost\n",
             "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n"}
    for name, text in files.items():
        with open("%s/%s" % (at, name), "w") as f:
            f.write(text)
        target = "/etc/" + name
        subprocess.run(["mount", "--bind", "%s/%s" % (at, name), os.path.realpath(target)],
                       check=True)
    threading.Thread(target=name_server, daemon=True).start()


def start_cloud(program, at):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "LAMINA_"))}
    with open("/proc/self/uid_map") as f:
        alone = int(f.read().split()[2]) == 1  # a user's own namespace: its root is none
    command = ["unshare", "-U", "--map-user=1000", "--map-group=1000"] if alone else []
    command += [program, "up", "--port", "0", "--ephemeral", "--allow-remote"]
    cloud = subprocess.Popen(command, env=dict(env, HOME=at + "/home"), stdout=subprocess.PIPE,
                             text=True)
    line = cloud.stdout.readline()
    Front.port = int(line.rpartition(":")[2])
    return cloud


def call(service, operation, region="us-east-1", **args):
    """Past the front, for what a test needs."""
    session = botocore.session.Session()
    one = session.create_client(
        service, region, endpoint_url="http://127.0.0.1:%d" % Front.port,
        aws_access_key_id="test", aws_secret_access_key="test")
    getattr(one, operation)(**args)
    return {}


def obey(order):
    if "call" in order:
        return call(**order["call"])
    with WORLD.lock:
        if "fault" in order:
            WORLD.faults.append(order["fault"])
        if "skew" in order:
            WORLD.skew = order["skew"]
        if "reset" in order:
            WORLD.faults.clear()
            WORLD.requests.clear()
            WORLD.skew = 0
        return [dict(r) for r in WORLD.requests] if "log" in order else {}


def main():
    at, program = sys.argv[1:]
    make_network(at)
    cloud = start_cloud(program, at)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(at + "/server.pem", at + "/server.key")
    server = Server(("127.0.0.1", 443), Front)
    server.socket = context.wrap_socket(server.socket, server_side=True,
                                        do_handshake_on_connect=False)
    for one in server, Server(("127.0.0.1", 80), Neighbour):
        threading.Thread(target=one.serve_forever, args=(0.05,), daemon=True).start()
    print(json.dumps({"port": Front.port}), flush=True)
    for line in sys.stdin:
        print(json.dumps(obey(json.loads(line))), flush=True)
    cloud.terminate()
    cloud.wait(10)


if __name__ == "__main__":
    main()
