"""The python runtime, run as /var/runtime/bootstrap.py would be, against a Runtime API of ours.

The expected texts are AWS's, recorded from its managed runtimes.
"""

import json
import os
import re
import struct
import subprocess

import pytest

from fake_api import ARN, BOOTSTRAP, PYTHON, VERSION, run

NBSP = "\u00a0"


@pytest.fixture
def code(tmp_path):
    def write(text, name="app.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return tmp_path

    return write


# ---- answers -----------------------------------------------------------------------------


def answer_of(folder, event=b"{}", **options):
    r = run(folder, "app.handler", [event], **options)
    assert r.answers, r.stderr
    return r.answers[0]


@pytest.mark.parametrize(
    "expression, expected",
    [
        ("{'statusCode': 200, 'body': [1, 2.5]}", b'{"statusCode": 200, "body": [1, 2.5]}'),
        ("None", b"null"),
        ("'text'", b'"text"'),
        ("True", b"true"),
        ("(1, 2)", b"[1, 2]"),
        ("{1: 'one', None: 0}", b'{"1": "one", "null": 0}'),
        ("{'amount': __import__('decimal').Decimal('10.50')}", b'{"amount": 10.50}'),
        ("{'b': b'bytes'}", b'{"b": "bytes"}'),
        ("event", b'{"in": "out"}'),
    ],
)
def test_answers_are_json_with_spaces(code, expression, expected):
    folder = code("def handler(event, context):\n    return %s\n" % expression)
    a = answer_of(folder, b'{"in":"out"}')
    assert a.path == "/2018-06-01/runtime/invocation/id-1/response"
    assert a.headers["Content-Type"] == "application/json"
    assert a.body == expected


def test_text_beyond_ascii_is_escaped_before_3_12_and_utf8_since(code):
    folder = code("def handler(event, context):\n    return event\n")
    expected = "\"caf\u00e9\"".encode() if VERSION >= (3, 12) else b'"caf\\u00e9"'
    assert answer_of(folder, '"caf\u00e9"'.encode()).body == expected


def test_bytes_are_sent_as_they_are(code):
    a = answer_of(code("def handler(event, context):\n    return b'\\x00\\xff'\n"))
    assert (a.body, a.headers["Content-Type"]) == (b"\x00\xff", "application/unknown")


def test_a_body_that_is_not_json_arrives_as_bytes(code):
    folder = code("def handler(event, context):\n    return event\n")
    a = answer_of(folder, (b"\x01\x02", {"Content-Type": "application/octet-stream"}))
    assert a.body == b"\x01\x02"


@pytest.mark.parametrize("size", [10, 70000, 6000000])
def test_events_and_answers_of_any_size(code, size):
    folder = code("def handler(event, context):\n    return event\n")
    event = json.dumps("x" * size).encode()
    assert answer_of(folder, event).body == event


def test_chunked_events(code):
    folder = code("def handler(event, context):\n    return event\n")
    assert answer_of(folder, b'{"a":"bcdefghijk"}', chunked=True).json == {"a": "bcdefghijk"}


def test_one_connection_serves_all_events(code):
    folder = code("n = 0\ndef handler(event, context):\n    global n\n    n += 1\n    return n\n")
    r = run(folder, "app.handler", [b"{}"] * 20)
    assert [a.json for a in r.answers] == list(range(1, 21))
    assert len(r.clients) == 1


def test_a_refused_answer_does_not_end_the_runtime(code):
    folder = code("def handler(event, context):\n    return event\n")
    r = run(folder, "app.handler", [b"1", b"2"], post_status=413)
    assert [a.body for a in r.answers] == [b"1", b"2"]


# ---- the context ---------------------------------------------------------------------------


def test_context(code):
    folder = code(
        """
import os
def handler(event, context):
    c, i = context.client_context, context.identity
    return dict(
        id=context.aws_request_id, name=context.function_name, version=context.function_version,
        arn=context.invoked_function_arn, memory=context.memory_limit_in_mb,
        group=context.log_group_name, stream=context.log_stream_name,
        left=context.get_remaining_time_in_millis() > 10 ** 9, trace=os.environ["_X_AMZN_TRACE_ID"],
        custom=c.custom, env=c.env, title=c.client.app_title, package=c.client.app_package_name,
        identity=i.cognito_identity_id, pool=i.cognito_identity_pool_id, tenant=context.tenant_id)
"""
    )
    headers = {
        "Lambda-Runtime-Client-Context": '{"custom":{"k":"v"},"client":{"app_title":"t"}}',
        "Lambda-Runtime-Cognito-Identity": '{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}',
    }
    assert answer_of(folder, (b"{}", headers)).json == {
        "id": "id-1",
        "name": "f",
        "version": "$LATEST",
        "arn": ARN,
        "memory": "128",
        "group": "/aws/lambda/f",
        "stream": "2025/11/24/[$LATEST]0123456789abcdef0123456789abcdef",
        "left": True,
        "trace": "Root=1-00000001-000000000000000000000000;Sampled=0",
        "custom": {"k": "v"},
        "env": None,
        "title": "t",
        "package": None,
        "identity": "i",
        "pool": "p",
        "tenant": None,
    }


def test_context_without_client_and_identity(code):
    folder = code(
        "import os\n"
        "def handler(event, context):\n"
        "    return [context.client_context, context.identity.cognito_identity_id,\n"
        "            '_X_AMZN_TRACE_ID' in os.environ, repr(context)]\n"
    )
    r = run(folder, "app.handler", [b"{}", (b"{}", {"Lambda-Runtime-Trace-Id": None})])
    assert r.answers[0].json[:3] == [None, None, True]
    assert r.answers[1].json[:3] == [None, None, False]
    assert r.answers[0].json[3].startswith("LambdaContext([aws_request_id=id-1,log_group_name=")


def test_no_time_is_left_after_the_deadline(code):
    folder = code("def handler(e, context):\n    return context.get_remaining_time_in_millis()\n")
    assert answer_of(folder, (b"{}", {"Lambda-Runtime-Deadline-Ms": "1"})).json == 0


# ---- failures of the handler -----------------------------------------------------------------


def test_exception(code):
    folder = code(
        "def deeper():\n    raise ValueError('Handler fails')\n\n"
        "def handler(event, context):\n    deeper()\n"
    )
    r = run(folder, "app.handler")
    assert r.answers[0].path == "/2018-06-01/runtime/invocation/id-1/error"
    assert list(r.answers[0].json.items()) == [
        ("errorMessage", "Handler fails"),
        ("errorType", "ValueError"),
        ("requestId", "id-1"),
        (
            "stackTrace",
            [
                '  File "%s/app.py", line 5, in handler\n    deeper()\n' % folder,
                '  File "%s/app.py", line 2, in deeper\n    raise ValueError(\'Handler fails\')\n'
                % folder,
            ],
        ),
    ]
    assert b'"errorMessage": "Handler fails", "errorType"' in r.answers[0].body
    assert r.stdout == "\r".join(
        [
            "[ERROR] ValueError: Handler fails",
            "Traceback (most recent call last):",
            NBSP * 2 + 'File "%s/app.py", line 5, in handler' % folder,
            NBSP * 4 + "deeper()",
            NBSP * 2 + 'File "%s/app.py", line 2, in deeper' % folder,
            NBSP * 4 + "raise ValueError('Handler fails')\n",
        ]
    )
    cause = json.loads(r.answers[0].headers["Lambda-Runtime-Function-XRay-Error-Cause"])
    assert cause["working_directory"] == str(folder)
    assert cause["exceptions"][0]["type"] == "ValueError"
    assert cause["exceptions"][0]["stack"][0] == {
        "label": "handler",
        "path": "%s/app.py" % folder,
        "line": 5,
    }


def test_the_next_event_is_served_after_an_exception(code):
    folder = code("def handler(event, context):\n    return 10 / event\n")
    r = run(folder, "app.handler", [b"0", b"5"])
    assert [a.kind for a in r.answers] == ["error", "response"]
    assert r.answers[0].json["errorType"] == "ZeroDivisionError"


def test_what_cannot_be_json_is_a_marshal_error(code):
    r = run(code("def handler(event, context):\n    return {1, 2}\n"), "app.handler")
    assert r.answers[0].json == {
        "errorMessage": "Unable to marshal response: Object of type set is not JSON serializable",
        "errorType": "Runtime.MarshalError",
        "requestId": "id-1",
        "stackTrace": [],
    }
    assert r.stdout == (
        "[ERROR] Runtime.MarshalError: Unable to marshal response: Object of type set is not JSON"
        " serializable\rTraceback (most recent call last):\n"
    )


def test_nan_is_written_though_it_is_no_json(code):
    folder = code("def handler(event, context):\n    return [float('nan'), -float('inf')]\n")
    assert answer_of(folder).body == b"[NaN, -Infinity]"


def test_named_tuples_are_objects(code):
    folder = code(
        "from collections import namedtuple\n"
        "Point = namedtuple('Point', 'x y')\n"
        "def handler(event, context):\n"
        "    return {'at': [Point(1, (Point(2, 3), 4))]}\n"
    )
    assert answer_of(folder).body == b'{"at": [{"x": 1, "y": [{"x": 2, "y": 3}, 4]}]}'


def test_a_circle_is_a_marshal_error(code):
    folder = code("def handler(event, context):\n    a = [{1}]\n    a[0] = a\n    return a\n")
    error = answer_of(folder).json
    assert error["errorMessage"] == "Unable to marshal response: Circular reference detected"


def test_a_message_that_is_no_text(code):
    folder = code("def handler(event, context):\n    raise ValueError('a\\nb \\ud800')\n")
    r = run(folder, "app.handler")
    assert r.answers[0].json["errorMessage"].startswith("a\nb ")
    assert r.stdout.startswith("[ERROR] ValueError: a\rb \\ud800\rTraceback ")
    assert r.stdout.count("\n") == 1


def test_an_event_that_is_no_json(code):
    a = answer_of(code("def handler(event, context):\n    return 1\n"), b"{")
    assert a.json["errorType"] == "Runtime.UnmarshalError"
    assert a.json["errorMessage"].startswith("Unable to unmarshal input: Expecting property name")


def test_a_client_context_that_is_no_json(code):
    folder = code("def handler(event, context):\n    return 1\n")
    a = answer_of(folder, (b"{}", {"Lambda-Runtime-Client-Context": "nope"}))
    assert a.json["errorType"] == "Runtime.LambdaContextUnmarshalError"
    assert a.json["errorMessage"].startswith("Unable to parse Client Context JSON: ")


@pytest.mark.parametrize("call, status", [("sys.exit(0)", 0), ("sys.exit(7)", 7), ("exit(3)", 3),
                                          ("os._exit(9)", 9)])
def test_exit_ends_the_process_and_answers_nothing(code, call, status):
    folder = code("import os, sys\ndef handler(event, context):\n    print('bye')\n    %s\n" % call)
    r = run(folder, "app.handler")
    assert (r.status, r.answers, r.stdout) == (status, [], "bye\n")


# ---- failures before the first event ---------------------------------------------------------


def init_error(folder, handler, kind, message, trace=()):
    r = run(folder, handler)
    assert r.status == 1
    (a,) = r.answers
    assert a.path == "/2018-06-01/runtime/init/error"
    assert a.headers["Lambda-Runtime-Function-Error-Type"] == kind
    assert a.json == {
        "errorMessage": message,
        "errorType": kind,
        "requestId": "",
        "stackTrace": list(trace),
    }
    assert r.stdout.startswith("[ERROR] %s: %s\rTraceback (most" % (kind, message.split("\n")[0]))


def test_missing_module(code):
    init_error(
        code(""),
        "nope.handler",
        "Runtime.ImportModuleError",
        "Unable to import module 'nope': No module named 'nope'",
    )


def test_missing_module_of_a_module(code):
    init_error(
        code("import nope.deeper\n"),
        "app.handler",
        "Runtime.ImportModuleError",
        "Unable to import module 'app': No module named 'nope'",
    )


def test_missing_handler(code):
    init_error(
        code("x = 1\n"),
        "app.handler",
        "Runtime.HandlerNotFound",
        "Handler 'handler' missing on module 'app'",
    )


def test_handler_without_a_dot(code):
    init_error(
        code("x = 1\n"),
        "app",
        "Runtime.MalformedHandlerName",
        "Bad handler 'app': not enough values to unpack (expected 2, got 1)",
    )


def test_built_in_module(code):
    init_error(
        code(""),
        "sys.exit",
        "Runtime.BuiltInModuleConflict",
        "Cannot use built-in module sys as a handler module",
    )


def test_syntax_error(code):
    folder = code("x = 1\ndef handler(:\n    pass\n")
    init_error(
        folder,
        "app.handler",
        "Runtime.UserCodeSyntaxError",
        "Syntax error in module 'app': invalid syntax (app.py, line 2)",
        ['  File "%s/app.py" Line 2\n    def handler(:\n' % folder],
    )


def test_exception_while_importing(code):
    folder = code("def set_up():\n    raise KeyError('config')\n\nset_up()\n")
    r = run(folder, "app.handler")
    assert r.status == 1
    error = r.answers[0].json
    assert (error["errorType"], error["errorMessage"], error["requestId"]) == (
        "KeyError",
        "'config'",
        "",
    )
    assert re.match(
        r'  File ".*/importlib/__init__.py", line \d+, in import_module\n    return _bootstrap._gcd',
        error["stackTrace"][0],
    )
    assert error["stackTrace"][-2:] == [
        '  File "%s/app.py", line 4, in <module>\n    set_up()\n' % folder,
        '  File "%s/app.py", line 2, in set_up\n    raise KeyError(\'config\')\n' % folder,
    ]


def test_exit_while_importing(code):
    r = run(code("import sys\nsys.exit(5)\n"), "app.handler")
    assert (r.status, r.answers) == (5, [])


# ---- finding code ----------------------------------------------------------------------------


@pytest.mark.parametrize("handler", ["pkg.sub.app.handler", "pkg/sub/app.handler"])
def test_handlers_in_folders(code, handler):
    folder = code("def handler(event, context):\n    return __name__\n", "pkg/sub/app.py")
    assert run(folder, handler).answers[0].json == "pkg.sub.app"


@pytest.mark.parametrize("flags", [(), ("-I",), ("-I", "-S"), ("-S",), ("-u",)])
def test_module_search_path(code, flags):
    folder = code("import sys\ndef handler(event, context):\n    return sys.path\n")
    env = {"PYTHONPATH": "/own:" + os.path.dirname(BOOTSTRAP)}
    path = answer_of(folder, flags=flags, env=env).json
    version = "python%d.%d" % VERSION
    runtime = os.path.dirname(BOOTSTRAP)
    assert path.index(runtime) == (len(path) - 1 if VERSION >= (3, 11) else 3)
    path.remove(runtime)
    assert path[:4] == [
        str(folder),
        "/opt/python/lib/%s/site-packages" % version,
        "/opt/python",
        "/own",
    ]
    assert len(path) == len(set(path))
    plain = subprocess.run(
        [PYTHON, "-c", "import sys; print(*sys.path[1:], sep='\\n')"],
        stdout=subprocess.PIPE, env={"PYTHONNOUSERSITE": "1"}, check=True,
    )
    assert set(path[4:]) == set(plain.stdout.decode().split())


def test_a_function_may_not_have_modules_hidden_by_the_runtime(code):
    folder = code("def handler(event, context):\n    import bootstrap\n    return bootstrap.who\n")
    code("who = 'the function'\n", "bootstrap.py")
    assert answer_of(folder).json == "the function"


@pytest.mark.parametrize("flags", [("-S",), ()])
def test_a_function_may_not_hide_modules_of_the_runtime(code, flags):
    # On AWS these are loaded before the function's folder is looked at.
    folder = code(
        "import json, logging, traceback\n"
        "import mine.json\n"
        "def handler(event, context):\n"
        "    logging.error(mine.json.who)\n"
        "    return json.loads('[1]')\n"
    )
    for name in ("json", "logging", "traceback", "re", "threading", "types"):
        code("raise RuntimeError('hidden')\n", name + ".py")
    code("who = 'mine'\n", "mine/json.py")
    r = run(folder, "app.handler", flags=flags)
    assert r.answers[0].json == [1]
    assert r.stdout.endswith("\tid-1\tmine\n")


# ---- logging ---------------------------------------------------------------------------------

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def test_log_lines(code):
    folder = code(
        "import logging\n"
        "logging.getLogger().setLevel('INFO')\n"
        "logging.info('start')\n"
        "def handler(event, context):\n"
        "    logging.info('hello %s', 'world')\n"
        "    logging.getLogger('mine').warning('two\\nlines')\n"
        "    logging.debug('not seen')\n"
    )
    r = run(folder, "app.handler")
    assert re.fullmatch(
        r"\[INFO\]\t{0}\t\tstart\n"
        r"\[INFO\]\t{0}\tid-1\thello world\n"
        r"\[WARNING\]\t{0}\tid-1\ttwo\nlines\n".format(TIME),
        r.stdout,
    ), r.stdout
    assert r.stderr == ""


def test_a_logged_traceback_ends_its_line(code):
    folder = code(
        "import logging\n"
        "def handler(event, context):\n"
        "    try:\n"
        "        1 / 0\n"
        "    except Exception:\n"
        "        logging.exception('caught')\n"
        "    logging.error('next')\n"
    )
    assert "\nZeroDivisionError: division by zero\n[ERROR]\t" in run(folder, "app.handler").stdout


def test_logging_imported_only_by_the_handler(code):
    folder = code("def handler(event, context):\n    import logging\n    logging.error('late')\n")
    assert re.fullmatch(r"\[ERROR\]\t%s\tid-1\tlate\n" % TIME, run(folder, "app.handler").stdout)


def test_json_log_format(code):
    folder = code(
        "import logging\n"
        "def handler(event, context):\n"
        "    logging.info('hello', extra={'order': 7})\n"
        "    logging.debug('not seen')\n"
        "    try:\n"
        "        1 / 0\n"
        "    except ZeroDivisionError:\n"
        "        logging.exception('oh')\n"
        "    raise RuntimeError('end')\n"
    )
    env = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}
    r = run(folder, "app.handler", env=env)
    lines = [json.loads(line) for line in r.stdout.splitlines()]
    assert [list(line) for line in lines] == [
        ["timestamp", "level", "message", "logger", "requestId", "order"],
        ["timestamp", "level", "message", "logger", "stackTrace", "errorType", "errorMessage",
         "requestId", "location"],
        ["timestamp", "log_level", "errorMessage", "errorType", "requestId", "stackTrace"],
    ]
    assert all(re.fullmatch(TIME, line.pop("timestamp")) for line in lines)
    assert lines[0] == {"level": "INFO", "message": "hello", "logger": "root",
                        "requestId": "id-1", "order": 7}
    assert lines[1]["location"] == "%s/app.py:handler:8" % folder
    assert lines[1]["errorType"] == "ZeroDivisionError"
    assert lines[2] == dict(r.answers[0].json, log_level="ERROR")


def test_log_frames(code, tmp_path):
    folder = code(
        "import logging\n"
        "def handler(event, context):\n"
        "    logging.warning('two\\nlines')\n"
        "    context.log('plain')\n"
        "    raise ValueError('end')\n"
    )
    reader, writer = os.pipe()
    r = run(folder, "app.handler", env={"_LAMBDA_TELEMETRY_LOG_FD": str(writer)},
            pass_fds=[writer])
    os.close(writer)
    with os.fdopen(reader, "rb") as f:
        data = f.read()
    frames = []
    while data:
        kind, size, stamp = struct.unpack(">IIQ", data[:16])
        assert 1.7e15 < stamp < 4e15
        frames.append((kind, data[16 : 16 + size].decode()))
        data = data[16 + size :]
    assert [kind for kind, _ in frames] == [0xA55A0013, 0xA55A0003, 0xA55A0017]
    assert frames[0][1].endswith("two\nlines\n")
    assert frames[1][1] == "plain"
    assert frames[2][1].startswith("[ERROR] ValueError: end\nTraceback (most recent call last):\n")
    assert r.stdout == ""


def test_output_leaves_at_once(code):
    folder = code(
        "import os, sys\n"
        "def handler(event, context):\n"
        "    print('a', 'b')\n"
        "    print('half', end='')\n"
        "    print('caf\u00e9', file=sys.stderr)\n"
        "    sys.stdout.buffer.write(b'raw')\n"
        "    os._exit(0)\n"
    )
    r = run(folder, "app.handler")
    assert (r.stdout, r.stderr) == ("a b\nhalfraw", "caf\u00e9\n")


# ---- lightness -------------------------------------------------------------------------------


def test_a_plain_function_loads_no_heavy_module(code):
    folder = code("import sys\ndef handler(event, context):\n    return sorted(sys.modules)\n")
    loaded = set(answer_of(folder, flags=("-I", "-S")).json)
    assert not loaded & {"json", "re", "logging", "traceback", "socket", "http", "threading",
                         "enum", "decimal", "datetime", "_lamina_errors", "_lamina_logging"}
