"""What runtimes are started by: wrappers, /var/runtime/bootstrap, /lambda-entrypoint.sh."""

import os
import re
import subprocess

from cloud import RUNTIME
from image import Layout, layer, program
from test_images import create
from test_runtimes import node_function

# Says what it was started with, on the way.
WRAP = '#!/bin/sh\nfor word; do WORDS="$WORDS|$word"; done\nexport WORDS\nexec "$@"\n'
# Inserts options before the last word, as AWS's documentation shows it.
INSERTS = """#!/bin/bash
args=("$@")
extra=("-X" "utf8" "-W" "ignore")
args=("${args[@]:0:$#-1}" "${extra[@]}" "${args[@]: -1}")
exec "${args[@]}"
"""
WORDS = "import os\ndef handler(e, c):\n    return os.environ['WORDS'].split('|')[1:]\n"
EXIT = "RequestId: %s Error: Runtime exited with error: exit status %d"


def wrapped(cloud, wrapper, source=WORDS, **files):
    files = dict({"app.py": source}, **{k.replace("_", "."): v for k, v in files.items()})
    return cloud.function(
        files=files, Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": wrapper}})


def test_wrappers_get_the_words_that_they_get_on_aws(cloud):
    name = wrapped(cloud, "/var/task/wrap", **{"wrap*": WRAP})
    assert cloud.invoke(name).payload == ["/var/lang/bin/" + RUNTIME, "/var/runtime/bootstrap.py"]
    # What was there before a spare: the second environment is wrapped like the first.
    cloud.lambda_.update_function_configuration(FunctionName=name, Timeout=6)
    cloud.lambda_.get_waiter("function_updated").wait(FunctionName=name)
    assert len(cloud.invoke(name).payload) == 2


def test_a_wrapper_inserts_options(cloud):
    source = "import sys\ndef handler(e, c):\n    return [sys.flags.utf8_mode, sys.warnoptions, sys.flags.no_site]\n"
    name = wrapped(cloud, "/var/task/wrap", source, **{"wrap*": INSERTS})
    assert cloud.invoke(name).payload == [1, ["ignore"], 0]


def test_a_site_of_a_wrappers_own_is_seen(cloud):
    wrap = '#!/bin/sh\nexport PYTHONPATH="/var/task/site:$PYTHONPATH"\nexec "$@"\n'
    name = cloud.function(
        files={
            "app.py": "import sys\ndef handler(e, c):\n    return sys.from_site\n",
            "site/sitecustomize.py": "import sys\nsys.from_site = 'seen'\n",
            "wrap*": wrap,
        },
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}},
    )
    assert cloud.invoke(name).payload == "seen"


def test_wrappers_of_node(cloud):
    name = node_function(
        cloud,
        {
            "app.js": "exports.handler = async () => process.env.WORDS.split('|').slice(1);",
            "wrap*": WRAP,
        },
        MemorySize=256,
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}},
    )
    assert cloud.invoke(name).payload == [
        "/var/lang/bin/node", "--expose-gc", "--max-http-header-size=81920",
        "--max-semi-space-size=12", "--max-old-space-size=231", "/var/runtime/index.mjs",
    ]


def test_wrappers_that_cannot_be_executed(cloud):
    for wrapper, status, text in (
        ("/opt/missing", 127, "/opt/missing: does not exist"),
        ("/opt", 127, "/opt: does not exist"),
        ("/var/task/wrap", 126, "/var/task/wrap: is not an executable"),
    ):
        r = cloud.invoke(wrapped(cloud, wrapper, wrap=WRAP))
        assert r.payload == {"errorType": "Runtime.ExitError", "errorMessage": EXIT % (r.id, status)}
        assert text + "\n" in r.log


def test_runtimes_can_be_started_as_aws_starts_them(cloud):
    """By what the files that AWS has are for."""
    for runtime, files in (
        (None, {"app.py": "def other(e, c):\n    import sys, os\n    return sys.argv, os.environ['_HANDLER']\n"}),
        ("node", {"app.js": "exports.other = async () => [process.argv.slice(1), process.env._HANDLER];"}),
    ):
        files["wrap*"] = "#!/bin/sh\nunset AWS_LAMBDA_EXEC_WRAPPER\nexec /lambda-entrypoint.sh app.other\n"
        options = {"Environment": {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}}}
        name = node_function(cloud, files, **options) if runtime else cloud.function(files=files, **options)
        script = "index.mjs" if runtime else "bootstrap.py"
        assert cloud.invoke(name).payload == [["/var/runtime/" + script], "app.other"]


def test_an_entry_point_without_a_handler(cloud):
    name = wrapped(cloud, "/var/task/wrap", **{"wrap*": "#!/bin/sh\nexec /lambda-entrypoint.sh\n"})
    r = cloud.invoke(name)
    assert r.payload["errorMessage"] == EXIT % (r.id, 142)
    assert "entrypoint requires the handler name to be the first argument\n" in r.log


def shell_files():
    """A shell and what it is linked with, for an image."""
    said = subprocess.run(["ldd", "/bin/sh"], stdout=subprocess.PIPE, universal_newlines=True).stdout
    files = {}
    for path in ["/bin/sh"] + re.findall(r"(/\S+)", said):
        with open(os.path.realpath(path), "rb") as f:
            files[path.lstrip("/") + "*"] = f.read()
    return files


def test_images_with_the_entry_point_of_awss(cloud, tmp_path):
    """The scripts as base images have them, with an interpreter that is none."""
    files = shell_files()
    with open(os.path.join(os.path.dirname(__file__), "../../runtimes/python/lambda-entrypoint.sh")) as f:
        files["lambda-entrypoint.sh*"] = f.read().replace(
            "exec ", 'if [ -z "$AWS_LAMBDA_RUNTIME_API" ]; then\n  exec /usr/local/bin/aws-lambda-rie x\nfi\nexec ')
    files["var/runtime/bootstrap*"] = (
        "#!/bin/sh\nexport AWS_EXECUTION_ENV=AWS_Lambda_python3.12\n"
        "exec /var/lang/bin/python3.12 /var/runtime/bootstrap.py\n"
    )
    files["var/lang/bin/python3.12*"] = program(tmp_path)
    files["var/task/app.py"] = "def handler(event, context): ...\n"
    layout = Layout()
    layout.image(
        [layer(files)], tag="aws", Entrypoint=["/lambda-entrypoint.sh"], Cmd=["app.handler"],
        WorkingDir="/var/task", Env=[
            "LANG=en_US.UTF-8", "TZ=:/etc/localtime", "PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
            "LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
            "LAMBDA_TASK_ROOT=/var/task", "LAMBDA_RUNTIME_DIR=/var/runtime",
        ],
    )
    name = create(cloud, layout.write(tmp_path / "layout") + ":aws")
    r = cloud.invoke(name)
    assert r.error is None, r.body
    seen = r.payload
    assert seen["argv"] == ["/var/lang/bin/python3.12", "/var/runtime/bootstrap.py"]
    assert seen["env"]["_HANDLER"] == "app.handler"
    assert seen["env"]["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.12"
