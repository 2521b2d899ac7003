"""Runtimes as functions see them: node and every python that is here, programs of one's own, and
the runtime interface clients that people bring along."""

import json
import os
import re
import shutil
import subprocess
import urllib.request

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cloud import REGION, ROOT, error_of, lamina, unique, zipped

HERE = os.path.dirname(os.path.abspath(__file__))
MAJORS = (18, 20, 22, 24)


def node_major():
    node = shutil.which("node")
    if node is None:
        return None
    text = subprocess.check_output([node, "--version"], universal_newlines=True)
    return int(text.lstrip("v").split(".")[0])


MAJOR = node_major()
NODE = "nodejs%s.x" % MAJOR


@pytest.fixture(scope="module", autouse=True)
def node_is_here():
    if MAJOR is None:
        pytest.fail("node is not installed")
    if MAJOR not in MAJORS:
        pytest.skip("Lambda has no runtime for node %d" % MAJOR)


def node_function(cloud, source, name="app.js", **options):
    options.setdefault("Runtime", NODE)
    files = source if isinstance(source, dict) else {name: source}
    return cloud.function(files=files, **options)


def configure(cloud, name, **settings):
    """Settings that Debian's boto3 does not know."""
    request = AWSRequest(
        "PUT",
        cloud.url + "/2015-03-31/functions/%s/configuration" % name,
        data=json.dumps(settings).encode(),
    )
    SigV4Auth(Credentials("test", "test"), "lambda", REGION).add_auth(request)
    urllib.request.urlopen(
        urllib.request.Request(
            request.url, request.data, dict(request.headers), method=request.method
        )
    ).close()


# ---- node -------------------------------------------------------------------------------------


def test_node(cloud):
    name = node_function(
        cloud,
        "let n = 0;\n"
        "exports.handler = async (event, context) => {\n"
        "  console.log('in\\nside', event);\n"
        "  return {n: ++n, id: context.awsRequestId, arn: context.invokedFunctionArn,\n"
        "    left: context.getRemainingTimeInMillis(), env: process.env, cwd: process.cwd(),\n"
        "    args: process.execArgv, user: process.getuid(), group: process.getgid()};\n"
        "};",
        MemorySize=256,
    )
    r = cloud.invoke(name, {"a": 1})
    assert r.error is None
    said = r.payload
    assert (said["n"], said["id"], said["cwd"]) == (1, r.id, "/var/task")
    assert said["arn"].endswith(":function:" + name)
    assert 0 < said["left"] <= 5000
    assert (said["user"], said["group"]) == (993, 990)
    env = said["env"]
    assert env["AWS_EXECUTION_ENV"] == "AWS_Lambda_" + NODE
    assert env["NODE_PATH"] == (
        "/opt/nodejs/node%d/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:"
        "/var/runtime:/var/task" % MAJOR
    )
    assert env["_X_AMZN_TRACE_ID"].startswith("Root=1-")
    assert (env["_HANDLER"], env["TZ"], env["PWD"]) == ("app.handler", ":UTC", "/var/task")
    assert not [k for k in env if k.startswith("_LAMINA") or k == "_LAMBDA_TELEMETRY_LOG_FD"]
    assert {"--expose-gc", "--max-semi-space-size=12", "--max-old-space-size=231"} <= set(
        said["args"]
    )
    assert re.search(
        r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t%s\tINFO\tin[\r\n]side { a: 1 }$" % r.id,
        r.log,
        re.M,
    ), r.log
    assert r.log.startswith("INIT_START Runtime Version: nodejs:%d" % MAJOR)
    assert cloud.invoke(name, {}).payload["n"] == 2
    # A record of several lines is one event.
    events = [m for m in cloud.log_events(name, 4, until="REPORT") if r.id + "\tINFO" in m]
    assert [m.partition("\tINFO\t")[2] for m in events] == ["in\nside { a: 1 }\n"]


def test_node_error(cloud):
    name = node_function(
        cloud,
        "exports.handler = async (event) => {\n"
        "  if (event === 'late') setTimeout(() => { throw new RangeError('late'); }, 1);\n"
        "  if (event === 'exit') process.exit(3);\n"
        "  if (event === 'lost') Promise.reject(new RangeError('lost'));\n"
        "  if (event === 'fail') throw new RangeError('fails');\n"
        "  await new Promise((resolve) => setTimeout(resolve, event ? 30000 : 0));\n"
        "  return 'fine';\n"
        "};",
        Timeout=20,
    )
    r = cloud.invoke(name, "fail")
    assert (r.status, r.error) == (200, "Unhandled")
    assert list(r.payload) == ["errorType", "errorMessage", "trace"]
    assert r.payload["trace"][0] == "RangeError: fails"
    assert re.match(r"    at \w+\.handler \(/var/task/app\.js:5:31\)", r.payload["trace"][1])
    assert "\tERROR\tInvoke Error \t{" in r.log
    assert cloud.invoke(name).payload == "fine"

    r = cloud.invoke(name, "late")
    assert (r.error, r.payload["errorType"]) == ("Unhandled", "RangeError")
    assert cloud.invoke(name).payload == "fine"
    r = cloud.invoke(name, "lost")
    assert r.payload["errorType"] == "Runtime.UnhandledPromiseRejection"
    r = cloud.invoke(name, "exit")
    assert r.payload == {
        "errorType": "Runtime.ExitError",
        "errorMessage": "RequestId: %s Error: Runtime exited with error: exit status 3" % r.id,
    }
    assert cloud.invoke(name).payload == "fine"


def test_node_that_cannot_be_loaded(cloud):
    name = node_function(cloud, "require('missing');")
    r = cloud.invoke(name)
    assert r.error == "Unhandled"
    assert r.payload["errorType"] == "Runtime.ImportModuleError"
    assert r.payload["errorMessage"] == (
        "Error: Cannot find module 'missing'\nRequire stack:\n- /var/task/app.js\n"
        "- /var/runtime/index.mjs"
    )
    assert "Status: error\tError Type: Runtime.ImportModuleError" in r.log


def test_node_module_with_a_layer_and_a_wrapper(cloud):
    layer = cloud.lambda_.publish_layer_version(
        LayerName=unique("layer"),
        Content={
            "ZipFile": zipped(
                {
                    "nodejs/node_modules/thing/index.js": "module.exports = 'general';",
                    "nodejs/node%d/node_modules/own/index.js" % MAJOR: "module.exports = 'own';",
                    "wrap*": '#!/bin/sh\nexport WRAPPED="$1"\nexec "$@"\n',
                }
            )
        },
    )["LayerVersionArn"]
    name = node_function(
        cloud,
        "import { createRequire } from 'node:module';\n"
        "const require = createRequire(import.meta.url);\n"
        "await Promise.resolve();\n"
        "export const handler = async () =>\n"
        "  [require('thing'), require('own'), process.env.WRAPPED, process.argv[1]];",
        name="app.mjs",
        Layers=[layer],
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrap"}},
    )
    assert cloud.invoke(name).payload == [
        "general", "own", "/var/lang/bin/node", "/var/runtime/index.mjs",
    ]  # fmt: skip


def test_node_options_are_the_functions_own(cloud):
    name = node_function(
        cloud,
        {
            "app.js": "exports.handler = async () => globalThis.before;",
            "before.js": "globalThis.before = 'required';",
        },
        Environment={"Variables": {"NODE_OPTIONS": "--require /var/task/before.js"}},
    )
    assert cloud.invoke(name).payload == "required"


def test_node_answers_in_a_stream(cloud):
    name = node_function(
        cloud,
        "exports.handler = awslambda.streamifyResponse(async (event, stream) => {\n"
        "  stream.setContentType('text/plain'); stream.write('one '); stream.end('two');\n"
        "});",
    )
    assert cloud.invoke(name).body == b"one two"


def test_node_in_json_logs(cloud):
    name = node_function(
        cloud,
        "exports.handler = async () => { console.debug('no'); console.warn({a: 1}); };",
    )
    configure(cloud, name, LoggingConfig={"LogFormat": "JSON"})
    r = cloud.invoke(name)
    records = [json.loads(line) for line in r.log.splitlines()]
    (record,) = [x for x in records if "level" in x]
    assert (record["level"], record["requestId"], record["message"]) == ("WARN", r.id, {"a": 1})


@pytest.mark.parametrize("runtime", [NODE, "provided.al2023"])
def test_a_new_project(cloud, tmp_path, runtime):
    name = unique("stack")
    lamina("init", name, "--runtime", runtime, cwd=tmp_path)
    folder = tmp_path / name
    assert not (folder / "hello" / "app.py").exists()
    lamina("build", cwd=folder)
    cloud.lamina("deploy", cwd=folder)
    cloud.lamina("test", cwd=folder)
    cloud.lamina("delete", "--no-prompts", cwd=folder)


@pytest.fixture
def absent_major(cloud):
    """A runtime whose node is not on this machine."""
    for major in MAJORS:
        name = node_function(cloud, "exports.handler = async () => 1;", Runtime="nodejs%d.x" % major)
        try:
            cloud.invoke(name)
        except cloud.lambda_.exceptions.ClientError:
            return major, name
    pytest.skip("every node is here")


def test_a_node_that_is_not_here_is_named(cloud, absent_major):
    major, name = absent_major
    status, kind, message = error_of(cloud.invoke, name)
    assert (status, kind) == (502, "InvalidRuntimeException")
    assert message.startswith(
        "The runtime nodejs%d.x is not on this machine: looked for node of version %d in /usr/bin,"
        % (major, major)
    )
    assert message.endswith("(lamina up --runtime nodejs%d.x=PATH names another one)" % major)


def test_another_node_can_be_named(new_cloud):
    other = 24 if MAJOR != 24 else 22
    cloud = new_cloud("--runtime", "nodejs%d.x=%s" % (other, shutil.which("node")))
    name = cloud.function(
        files={"app.mjs": "export const handler = async () => process.env.AWS_EXECUTION_ENV;"},
        Runtime="nodejs%d.x" % other,
    )
    assert cloud.invoke(name).payload == "AWS_Lambda_nodejs%d.x" % other


def test_other_managed_runtimes_are_refused_by_name(cloud):
    name = cloud.function("", Runtime="ruby3.3", Handler="app.handler")
    status, kind, message = error_of(cloud.invoke, name)
    assert (status, kind) == (502, "InvalidRuntimeException")
    assert message == (
        "The runtime ruby3.3 cannot run here: python3.*, nodejs*.x and provided.* can"
    )


# ---- python -------------------------------------------------------------------------------------


def pythons():
    found = {}
    for minor in range(8, 15):
        name = "python3.%d" % minor
        root = os.path.expanduser("~/.pyenv/versions")
        folders = ["/usr/bin", "/usr/local/bin"]
        if os.path.isdir(root):
            folders += [
                os.path.join(root, v, "bin")
                for v in sorted(os.listdir(root))
                if v.startswith("3.%d." % minor)
            ]
        for folder in folders:
            if os.path.exists(os.path.join(folder, name)):
                found[name] = os.path.join(folder, name)
                break
    return found


PYTHONS = pythons()


@pytest.fixture(scope="module")
def python_cloud():
    from cloud import Cloud

    options = []
    for name, path in PYTHONS.items():
        options += ["--runtime", "%s=%s" % (name, path)]
    cloud = Cloud(options).start()
    yield cloud
    cloud.stop()


@pytest.mark.parametrize("runtime", PYTHONS)
def test_python(python_cloud, runtime):
    source = (
        "import json, os, sys\n"
        "def handler(event, context):\n"
        "    if event == 'fail':\n"
        "        raise ValueError('x'.join(['a', 'b']))\n"
        "    return [sys.version_info[:2], sys.path, os.environ['AWS_EXECUTION_ENV'], '\\u20ac']\n"
    )
    name = python_cloud.function(source, Runtime=runtime)
    r = python_cloud.invoke(name)
    version = runtime[len("python") :]
    numbers = tuple(map(int, version.split(".")))
    (found, path, execution, _) = r.payload
    assert tuple(found) == numbers
    assert execution == "AWS_Lambda_" + runtime
    assert path[:3] == [
        "/var/task",
        "/opt/python/lib/python%s/site-packages" % version,
        "/opt/python",
    ]
    assert path.index("/var/runtime") == (len(path) - 1 if numbers >= (3, 11) else 3)
    assert ("\u20ac".encode() in r.body) == (numbers >= (3, 12))
    assert r.log.startswith("INIT_START Runtime Version: python:" + version)

    r = python_cloud.invoke(name, "fail")
    assert (r.error, r.payload["errorMessage"]) == ("Unhandled", "axb")
    # Nothing points at the part of the line that failed: AWS drops what 3.11 knows of it.
    line = '  File "/var/task/app.py", line 4, in handler\n    raise ValueError(\'x\'.join('
    assert r.payload["stackTrace"] == [line + "['a', 'b']))\n"]


# ---- programs of one's own ------------------------------------------------------------------------


def own(cloud, files, **options):
    options.setdefault("Runtime", "provided.al2023")
    return cloud.function(files=files, **options)


SHELL = """#!/bin/sh
while :; do
    event=$(curl -s -D /tmp/head "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next")
    id=$(grep -i '^lambda-runtime-aws-request-id:' /tmp/head | tr -d '[:space:]' | cut -d: -f2)
    curl -s -o /dev/null -d "\\"%s $event\\"" \\
        "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/$id/response"
done
"""


@pytest.mark.parametrize("runtime", ["provided.al2", "provided.al2023"])
def test_a_shell_script(cloud, runtime):
    name = own(cloud, {"bootstrap*": SHELL % "task"}, Runtime=runtime)
    assert cloud.invoke(name, 1).payload == "task 1"
    assert cloud.invoke(name, 2).payload == "task 2"


def test_a_bootstrap_in_a_layer(cloud):
    layer = cloud.lambda_.publish_layer_version(
        LayerName=unique("layer"), Content={"ZipFile": zipped({"bootstrap*": SHELL % "layer"})}
    )["LayerVersionArn"]
    assert cloud.invoke(own(cloud, {"a": "b"}, Layers=[layer]), 1).payload == "layer 1"
    # The function's own comes first.
    name = own(cloud, {"bootstrap*": SHELL % "task"}, Layers=[layer])
    assert cloud.invoke(name, 1).payload == "task 1"
    # A folder of that name is none.
    name = own(cloud, {"bootstrap/file": "x"}, Layers=[layer])
    assert cloud.invoke(name, 1).payload == "layer 1"


def foreign_program():
    """An ELF file of a machine that nobody has here (SPARC)."""
    head = b"\x7fELF\x01\x02\x01" + bytes(9)
    return head + b"\x00\x02\x00\x02\x00\x00\x00\x01" + bytes(100)


@pytest.mark.parametrize(
    "files, reason",
    [
        ({"bootstrap": SHELL}, "permission denied"),
        ({"bootstrap*": foreign_program()}, "exec format error"),
        ({"bootstrap*": "echo without a first line\n"}, "exec format error"),
        ({"bootstrap*": "#!/no/such/shell\n"}, "no such file or directory"),
        ({"bootstrap*": "#!/bin/sh\r\n"}, "no such file or directory"),
    ],
    ids=["not executable", "foreign", "no shebang", "no interpreter", "line ends of Windows"],
)
def test_a_bootstrap_that_cannot_be_executed(cloud, files, reason):
    r = cloud.invoke(own(cloud, files))
    assert (r.error, r.payload) == (
        "Unhandled",
        {
            "errorType": "Runtime.InvalidEntrypoint",
            "errorMessage": "RequestId: %s Error: fork/exec /var/task/bootstrap: %s"
            % (r.id, reason),
        },
    )


def test_go1_is_refused_as_aws_does(cloud):
    status, kind, message = error_of(
        cloud.lambda_.create_function,
        FunctionName=unique("fn"),
        Runtime="go1.x",
        Handler="main",
        Role=cloud.lambda_role(),
        Code={"ZipFile": zipped({"main*": "x"})},
    )
    assert (status, kind) == (400, "InvalidParameterValueException")
    assert message.startswith(
        "The runtime parameter of go1.x is no longer supported for creating or updating AWS Lambda "
        "functions."
    )


# ---- runtime interface clients that people bring --------------------------------------------------------


@pytest.fixture(scope="module")
def curl_program(tmp_path_factory):
    """A static-looking program: libcurl itself is the host's, in /usr."""
    path = tmp_path_factory.mktemp("client") / "bootstrap"
    source = os.path.join(HERE, "clients", "curl_runtime.c")
    r = subprocess.run(
        ["cc", "-O1", "-o", str(path), source, "-lcurl"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )
    if r.returncode:
        pytest.skip("no C compiler, or no libcurl to link: " + r.stdout[-300:])
    return path.read_bytes()


def test_a_client_on_libcurl(cloud, curl_program):
    """As aws-lambda-cpp, of which awslambdaric and aws-lambda-ric are made."""
    name = own(cloud, {"bootstrap*": curl_program}, Timeout=20)
    for event in ("input", "chunked", "xpect", "input"):
        r = cloud.invoke(name, event)
        assert (r.error, r.payload) == (None, event), r.log
    r = cloud.invoke(name, "nothing")
    assert (r.error, r.body) == (None, b"")
    assert ": No error 202, 0 new connections, {\"status\":\"OK\"}" in cloud.invoke(name, "input").log

    r = cloud.invoke(name, "error")
    assert (r.error, r.body) == (
        "Unhandled",
        b'{"errorMessage":"m","errorType":"t","stackTrace":[]}',
    )
    for mode in "icx":
        large = mode + "x" * 3000000
        assert cloud.invoke(name, large).payload == large


AWSLAMBDARIC = '''#!%s
"""What awslambdaric sends, byte for byte, where it is not installed."""
import os, socket, sys

host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
s = socket.create_connection((host, int(port)))
f = s.makefile("rb")

def answer():
    status = f.readline().split()[1]
    headers = {}
    for line in iter(f.readline, b"\\r\\n"):
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    return status, headers, f.read(int(headers["content-length"]))

while True:
    s.sendall(("GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: %%s:%%s\\r\\n"
               "User-Agent: aws-lambda-python/3.13.1-3.0.2\\r\\nAccept: */*\\r\\n\\r\\n"
               %% (host, port)).encode())
    _, headers, event = answer()
    kind = "error" if event == b'"fail"' else "response"
    body = b'{"errorMessage": "no", "errorType": "E"}' if kind == "error" else event
    head = ("POST /2018-06-01/runtime/invocation/%%s/%%s HTTP/1.1\\r\\nHost: %%s:%%s\\r\\n"
            "User-Agent: aws-lambda-python/3.13.1-3.0.2\\r\\nAccept: */*\\r\\n"
            "content-type: application/json\\r\\ncontent-length: %%d\\r\\n"
            "lambda-runtime-function-error-type: Unhandled\\r\\n"
            "lambda-runtime-function-xray-error-cause: {}\\r\\n\\r\\n"
            %% (headers["lambda-runtime-aws-request-id"], kind, host, port, len(body)))
    for part in (head.encode(), body):  # curl sends them apart
        s.sendall(part)
    status = answer()[0]
    print(status.decode(), flush=True)
''' % "/usr/bin/python3"


def test_a_client_as_awslambdaric(cloud):
    name = own(cloud, {"bootstrap*": AWSLAMBDARIC})
    assert cloud.invoke(name, {"a": 1}).payload == {"a": 1}
    r = cloud.invoke(name, "fail")
    assert (r.error, r.payload) == ("Unhandled", {"errorMessage": "no", "errorType": "E"})
    assert cloud.invoke(name, 2).payload == 2


# Of 3.x and of 4.x; the first one is what `bin` names.
RIC_FILES = (
    ("bin/index.mjs", "package.json", "dist/index.mjs", "dist/rapid-client.node"),
    ("index.mjs", "package.json", "rapid-client.node"),
)


def npm_client():
    """(folder, files) of the client where it has been built."""
    for folder in (os.environ.get("LAMINA_TEST_RIC", ""), os.path.join(ROOT, "tests", "node")):
        path = os.path.join(folder, "node_modules", "aws-lambda-ric")
        for files in RIC_FILES:
            if all(os.path.exists(os.path.join(path, name)) for name in files):
                return path, files
    return None


def packed(client, at):
    files = {}
    for part in client[1]:
        with open(os.path.join(client[0], part), "rb") as f:
            files[os.path.join(at, part)] = f.read()
    return files


@pytest.mark.skipif(npm_client() is None, reason="aws-lambda-ric of npm is not built here: "
                    "set LAMINA_TEST_RIC to the folder of its node_modules")  # fmt: skip
def test_aws_lambda_ric_of_npm(cloud):
    files = packed(npm_client(), "node_modules/aws-lambda-ric")
    files["bootstrap*"] = (
        "#!/bin/sh\nexec node node_modules/aws-lambda-ric/%s $_HANDLER\n" % npm_client()[1][0]
    )
    files["app.js"] = (
        "exports.handler = async (event, context) => {\n"
        "  if (event === 'fail') throw new RangeError('no');\n"
        "  return [event, context.awsRequestId];\n};\n"
        "exports.stream = awslambda.streamifyResponse(async (event, stream) => {\n"
        "  stream.write('a'); if (event === 'fail') throw new RangeError('no'); stream.end('b');\n"
        "});"
    )
    name = own(cloud, files)
    r = cloud.invoke(name, {"a": 1})
    assert r.payload == [{"a": 1}, r.id]
    r = cloud.invoke(name, "fail")
    assert (r.error, r.payload["errorType"]) == ("Unhandled", "RangeError")
    assert cloud.invoke(name, 2).payload[0] == 2

    name = own(cloud, files, Handler="app.stream")
    assert cloud.invoke(name, 1).body == b"ab"
    r = cloud.invoke(name, "fail")
    assert (r.error, r.payload["errorType"]) == ("Unhandled", "RangeError")
