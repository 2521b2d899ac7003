"""The node runtime, run as /var/runtime/index.mjs would be, against a Runtime API of ours.

The expected texts are AWS's, of its managed runtimes. How nodejs18.x to nodejs22.x and nodejs24.x
differ is told by the runtime's name, so that any node can show both.
"""

import base64
import json
import os
import re
import socket
import struct
import subprocess

import pytest

import fake_api
from fake_api import ARN, NODE, NODE_MAIN

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
CALLBACKS, PLAIN = "AWS_Lambda_nodejs22.x", "AWS_Lambda_nodejs24.x"
both = pytest.mark.parametrize("kind", [CALLBACKS, PLAIN])


@pytest.fixture(autouse=True)
def installed():
    if not NODE:
        pytest.fail("node is not installed")


@pytest.fixture
def code(tmp_path):
    def write(text, name="app.js"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return tmp_path

    return write


def run(folder, handler="app.handler", events=(b"{}",), kind=CALLBACKS, env=None, **options):
    env = dict({"AWS_EXECUTION_ENV": kind}, **(env or {}))
    return fake_api.run(
        folder, handler, events, env, command=[NODE], bootstrap=NODE_MAIN, **options
    )


def answer_of(folder, event=b"{}", **options):
    r = run(folder, events=[event], **options)
    assert r.answers, r.stdout + r.stderr
    return r.answers[0]


def log_of(r):
    """[(request id, level, message)] of text records."""
    records = []
    for line in r.stdout.split("\n")[:-1]:
        time, request, level, message = line.split("\t", 3)
        assert re.fullmatch(TIME, time)
        records.append((request, level, message))
    return records


# ---- answers -----------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    "expression, expected",
    [
        ("{statusCode: 200, body: [1, 2.5]}", b'{"statusCode":200,"body":[1,2.5]}'),
        ("undefined", b"null"),
        ("null", b"null"),
        ("'text'", b'"text"'),
        ("false", b"false"),
        ("event", b'{"in":"out"}'),
        ("new Date(0)", b'"1970-01-01T00:00:00.000Z"'),
        ("{a: undefined}", b"{}"),
        ("'caf\u00e9 \u20ac \U0001f600'", '"caf\u00e9 \u20ac \U0001f600"'.encode()),
    ],
)
def test_answers_are_json(code, expression, expected, kind):
    folder = code("exports.handler = async (event) => (%s);" % expression)
    a = answer_of(folder, b'{"in":"out"}', kind=kind)
    assert a.path == "/2018-06-01/runtime/invocation/id-1/response"
    assert a.headers["Content-Type"] == "application/json"
    assert a.body == expected


@pytest.mark.parametrize("size", [10, 70000, 6000000])
def test_events_and_answers_of_any_size(code, size):
    event = json.dumps("x" * size).encode()
    assert answer_of(code("exports.handler = async (event) => event;"), event).body == event


def test_text_beyond_ascii_at_the_border_of_a_read(code):
    event = json.dumps("\u20ac" * 50000, ensure_ascii=False).encode()
    assert answer_of(code("exports.handler = async (event) => event;"), event).body == event


def test_chunked_events(code):
    folder = code("exports.handler = async (event) => event;")
    a = answer_of(folder, b'{"a":"bcdefghijk"}', chunked=True)
    assert a.json == {"a": "bcdefghijk"}


@pytest.mark.parametrize("chunked", [False, True])
def test_events_in_small_pieces(code, chunked):
    event = b'{"a":"%s"}' % ("\u20ac" * 20).encode()
    folder = code("exports.handler = async (event) => event;")
    r = run(folder, events=[event, event], drip=True, chunked=chunked)
    assert [a.body for a in r.answers] == [event, event]


def test_one_connection_serves_all_events(code):
    r = run(code("let n = 0; exports.handler = async () => ++n;"), events=[b"{}"] * 20)
    assert [a.json for a in r.answers] == list(range(1, 21))
    assert len(r.clients) == 1


def test_a_refused_answer_does_not_end_the_runtime(code):
    folder = code("exports.handler = async (event) => event;")
    r = run(folder, events=[b"1", b"2"], post_status=413)
    assert [a.body for a in r.answers] == [b"1", b"2"]


@both
def test_what_cannot_be_json_is_an_error(code, kind):
    r = run(code("exports.handler = async () => 10n;"), events=[b"{}"] * 2, kind=kind)
    assert [a.kind for a in r.answers] == ["error", "error"]
    assert r.answers[0].json["errorType"] == "Error"
    assert r.answers[0].json["errorMessage"] == "Unable to stringify response body"


def test_what_is_nothing_in_json_is_an_error(code):
    error = answer_of(code("exports.handler = async () => () => 1;")).json
    assert (error["errorType"], error["errorMessage"]) == ("TypeError", "Wrong arguments")


# ---- handlers of node18 to node22 ----------------------------------------------------------------


def test_callback(code):
    folder = code("exports.handler = (event, context, callback) => callback(null, event);")
    assert [a.body for a in run(folder, events=[b"1", b"2"]).answers] == [b"1", b"2"]


def test_callback_with_an_error(code):
    folder = code("exports.handler = (event, context, callback) => callback(new RangeError('no'));")
    a = answer_of(folder)
    assert (a.kind, a.json["errorType"], a.json["errorMessage"]) == ("error", "RangeError", "no")


@pytest.mark.parametrize(
    "thrown, kind, message",
    [
        ("'text'", "string", "text"),
        ("42", "number", "42"),
        ("{a: 1}", "object", "[object Object]"),
        ("{name: 'N', message: 'm', stack: 's'}", "N", "m"),
    ],
)
def test_callback_with_what_is_no_error(code, thrown, kind, message):
    folder = code("exports.handler = (event, context, callback) => callback(%s);" % thrown)
    error = answer_of(folder).json
    assert (error["errorType"], error["errorMessage"]) == (kind, message)


def test_the_answer_waits_for_an_empty_event_loop(code):
    folder = code(
        "exports.handler = (event, context, callback) => {\n"
        "  setTimeout(() => console.log('later'), 20);\n"
        "  callback(null, 'answer');\n"
        "};"
    )
    r = run(folder, events=[b"{}", b"{}"])
    assert [a.body for a in r.answers] == [b'"answer"'] * 2
    assert log_of(r) == [("id-1", "INFO", "later"), ("id-2", "INFO", "later")]


def test_the_answer_need_not_wait(code):
    folder = code(
        "exports.handler = (event, context, callback) => {\n"
        "  context.callbackWaitsForEmptyEventLoop = false;\n"
        "  setTimeout(() => {}, 1e6);\n"
        "  callback(null, 'answer');\n"
        "};"
    )
    assert [a.body for a in run(folder, events=[b"{}", b"{}"]).answers] == [b'"answer"'] * 2


@pytest.mark.parametrize(
    "call, kind, body",
    [
        ("context.succeed(5)", "response", b"5"),
        ("context.done(null, 6)", "response", b"6"),
        ("context.done(new Error('d'))", "error", b'"errorMessage":"d"'),
        ("context.fail('f')", "error", b'"errorMessage":"f"'),
        ("context.fail()", "error", b'"errorMessage":"handled"'),
    ],
)
def test_the_older_ways_to_answer(code, call, kind, body):
    folder = code(
        "exports.handler = (event, context) => { setTimeout(() => {}, 1e6); %s; };" % call
    )
    a = answer_of(folder)
    assert a.kind == kind and body in a.body


def test_the_first_answer_counts(code):
    folder = code(
        "exports.handler = (event, context, callback) => {\n"
        "  callback(null, 1); callback(null, 2); callback(new Error('no'));\n"
        "};"
    )
    assert [a.body for a in run(folder, events=[b"{}", b"{}"]).answers] == [b"1", b"1"]


def test_a_handler_that_just_ends_answers_null(code):
    folder = code("exports.handler = (event) => { setTimeout(() => console.log('end'), 5); };")
    r = run(folder, events=[b"{}", b"{}"])
    assert [a.body for a in r.answers] == [b"null", b"null"]
    assert [message for _, _, message in log_of(r)] == ["end", "end"]


def test_what_a_handler_without_promise_returns_is_not_looked_at(code):
    assert answer_of(code("exports.handler = () => 'lost';")).body == b"null"


@both
def test_a_promise_that_is_never_settled(code, kind):
    folder = code("exports.handler = async () => { await new Promise(() => {}); };")
    r = run(folder, events=[b"{}", b"{}"], kind=kind)
    assert [a.kind for a in r.answers] == ["error", "error"]
    assert r.answers[0].json["errorType"] == "Runtime.NodeJsExit"
    assert r.answers[0].json["errorMessage"] == (
        "The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly "
        "caused by a Promise that was never settled. For more information, see "
        "https://nodejs.org/docs/latest/api/process.html#exit-codes"
    )


# ---- handlers since node24 -------------------------------------------------------------------------


def test_node24_refuses_callbacks(code):
    folder = code("exports.handler = (event, context, callback) => callback(null, 1);")
    r = run(folder, kind=PLAIN)
    assert r.answers[0].path == "/2018-06-01/runtime/init/error"
    assert r.answers[0].json["errorType"] == "Runtime.CallbackHandlerDeprecated"
    assert r.answers[0].json["errorMessage"] == (
        "ERROR: AWS Lambda has removed support for callback-based function handlers starting with "
        "Node.js 24. You need to modify this function to use a supported handler signature to use "
        "Node.js 24 or later. For more information see "
        "https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html."
    )
    assert r.status == 129


def test_node24_takes_what_a_handler_returns_and_waits_for_nothing_else(code):
    folder = code(
        "exports.handler = (event, context) => {\n"
        "  setTimeout(() => {}, 1e6);\n"
        "  return Object.keys(context);\n"
        "};"
    )
    r = run(folder, events=[b"{}", b"{}"], kind=PLAIN)
    for a in r.answers:
        assert a.kind == "response"
        assert not {"succeed", "done", "fail", "callbackWaitsForEmptyEventLoop"} & set(a.json)
        assert {"awsRequestId", "getRemainingTimeInMillis", "xRayTraceId"} <= set(a.json)


# ---- the context -----------------------------------------------------------------------------------


@both
def test_context(code, kind):
    folder = code(
        "exports.handler = async (event, c) => ({...c, left: c.getRemainingTimeInMillis() > 1e9,"
        " trace: process.env._X_AMZN_TRACE_ID, w3c: undefined, xRayTraceId: undefined,"
        " callbackWaitsForEmptyEventLoop: undefined});"
    )
    headers = {
        "Lambda-Runtime-Client-Context": '{"custom":{"k":"\u00fc"},"client":{"app_title":"t"}}',
        "Lambda-Runtime-Cognito-Identity": '{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}',
    }
    headers = {k: v.encode().decode("latin-1") for k, v in headers.items()}
    assert answer_of(folder, (b"{}", headers), kind=kind).json == {
        "functionVersion": "$LATEST",
        "functionName": "f",
        "memoryLimitInMB": "128",
        "logGroupName": "/aws/lambda/f",
        "logStreamName": "2025/11/24/[$LATEST]0123456789abcdef0123456789abcdef",
        "clientContext": {"custom": {"k": "\u00fc"}, "client": {"app_title": "t"}},
        "identity": {"cognitoIdentityId": "i", "cognitoIdentityPoolId": "p"},
        "invokedFunctionArn": ARN,
        "awsRequestId": "id-1",
        "left": True,
        "trace": "Root=1-00000001-000000000000000000000000;Sampled=0",
    }


def test_context_as_json(code):
    """The order of AWS's, as people print it."""
    a = answer_of(code("exports.handler = async (event, context) => context;"))
    assert list(a.json) == [
        "callbackWaitsForEmptyEventLoop", "functionVersion", "functionName", "memoryLimitInMB",
        "logGroupName", "logStreamName", "invokedFunctionArn", "awsRequestId",
    ]  # fmt: skip


def test_the_trace_of_one_event_is_not_the_next_ones(code):
    folder = code("exports.handler = async () => process.env._X_AMZN_TRACE_ID;")
    r = run(folder, events=[b"{}", (b"{}", {"Lambda-Runtime-Trace-Id": None})])
    assert r.answers[0].json.startswith("Root=1-00000001")
    assert r.answers[1].body == b"null"


def test_an_event_that_is_no_json(code):
    a = answer_of(code("exports.handler = async () => 1;"), b"{")
    assert (a.kind, a.json["errorType"]) == ("error", "SyntaxError")


def test_a_client_context_that_is_no_json(code):
    event = (b"{}", {"Lambda-Runtime-Client-Context": "{"})
    a = answer_of(code("exports.handler = async () => 1;"), event)
    assert a.json["errorMessage"].startswith("Cannot parse ClientContext as json: SyntaxError: ")


# ---- failures of the handler -------------------------------------------------------------------------


@both
def test_error(code, kind):
    folder = code(
        "function deeper() { throw new TypeError('Handler fails'); }\n"
        "exports.handler = async () => {\n  deeper();\n};\n"
    )
    r = run(folder, kind=kind)
    assert r.answers[0].path == "/2018-06-01/runtime/invocation/id-1/error"
    error = r.answers[0].json
    assert list(error) == ["errorType", "errorMessage", "trace"]
    assert (error["errorType"], error["errorMessage"]) == ("TypeError", "Handler fails")
    assert error["trace"][:2] == [
        "TypeError: Handler fails",
        "    at deeper (%s/app.js:1:27)" % folder,
    ]
    assert re.match(r"    at .*handler \(%s/app.js:3:3\)" % folder, error["trace"][2])
    assert re.match(r"    at Runtime\.handleOnce", error["trace"][3])
    assert r.answers[0].body.startswith(b'{"errorType":"TypeError","errorMessage":"Handler fails"')

    ((request, level, message),) = log_of(r)
    assert (request, level) == ("id-1", "ERROR")
    assert message.startswith("Invoke Error \t")
    logged = json.loads(message.split("\t")[1])
    assert list(logged) == ["errorType", "errorMessage", "stack"]
    assert logged["stack"] == error["trace"]

    cause = json.loads(r.answers[0].headers["Lambda-Runtime-Function-XRay-Error-Cause"])
    assert cause["working_directory"] == str(folder)
    assert cause["exceptions"][0]["type"] == "TypeError"
    assert cause["exceptions"][0]["stack"][0] == {
        "path": "%s/app.js" % folder,
        "line": 1,
        "label": "deeper",
    }


def test_fields_of_an_error_are_logged(code):
    folder = code(
        "exports.handler = async () => {\n"
        "  throw Object.assign(new Error('m'), {code: 'E1', detail: new Error('inner')});\n};"
    )
    ((_, _, message),) = log_of(run(folder))
    logged = json.loads(message.split("\t")[1])
    assert (logged["code"], logged["detail"]["errorMessage"]) == ("E1", "inner")


@both
def test_the_next_event_is_served_after_an_error(code, kind):
    folder = code("exports.handler = async (e) => { if (e === 0) throw new Error('z'); return e; };")
    r = run(folder, events=[b"0", b"5"], kind=kind)
    assert [a.kind for a in r.answers] == ["error", "response"]


def test_a_handler_that_throws_at_once(code):
    a = answer_of(code("exports.handler = (e, c, callback) => { throw new Error('sync'); };"))
    assert (a.kind, a.json["errorMessage"]) == ("error", "sync")


def test_a_large_cause_is_left_out(code):
    folder = code("exports.handler = async () => { throw new Error('x'.repeat(100000)); };")
    a = answer_of(folder)
    assert "Lambda-Runtime-Function-XRay-Error-Cause" not in a.headers
    assert len(a.json["errorMessage"]) == 100000


def test_a_message_beyond_ascii(code):
    a = answer_of(code("exports.handler = async () => { throw new Error('\u20ac\\r\\nX: y'); };"))
    assert a.json["errorMessage"] == "\u20ac\r\nX: y"
    cause = json.loads(a.headers["Lambda-Runtime-Function-XRay-Error-Cause"])
    assert cause["exceptions"][0]["message"] == "\u20ac\r\nX: y"


@both
def test_uncaught_exception(code, kind):
    folder = code(
        "exports.handler = async () => {\n"
        "  setTimeout(() => { throw new RangeError('late'); }, 1);\n"
        "  await new Promise((resolve) => setTimeout(resolve, 10000));\n};"
    )
    r = run(folder, kind=kind)
    assert r.status == 129
    assert (r.answers[0].kind, r.answers[0].json["errorType"]) == ("error", "RangeError")
    assert log_of(r)[0][1:2] == ("ERROR",)
    assert log_of(r)[0][2].startswith('Uncaught Exception \t{"errorType":"RangeError"')


@both
def test_unhandled_rejection(code, kind):
    folder = code(
        "exports.handler = async () => {\n"
        "  Promise.reject(new RangeError('lost'));\n"
        "  await new Promise((resolve) => setTimeout(resolve, 10000));\n};"
    )
    r = run(folder, kind=kind)
    assert r.status == 128
    error = r.answers[0].json
    assert error["errorType"] == "Runtime.UnhandledPromiseRejection"
    assert error["errorMessage"] == "RangeError: lost"
    message = log_of(r)[0][2]
    assert message.startswith("Unhandled Promise Rejection \t")
    assert json.loads(message.split("\t")[1])["reason"]["errorMessage"] == "lost"


def test_process_exit(code):
    r = run(code("exports.handler = async () => process.exit(7);"))
    assert (r.status, r.answers) == (7, [])


# ---- finding the handler -------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    "name, text, handler",
    [
        ("app.js", "exports.handler = async () => 1;", "app.handler"),
        ("app.cjs", "exports.handler = async () => 1;", "app.handler"),
        ("app.mjs", "export const handler = async () => 1;", "app.handler"),
        ("app.mjs", "await null; export const handler = async () => 1;", "app.handler"),
        ("a/b/app.js", "exports.handler = async () => 1;", "a/b/app.handler"),
        ("a/b/app.mjs", "export const handler = async () => 1;", "a/b/app.handler"),
        ("app.js", "exports.a = {b: {c: async () => 1}};", "app.a.b.c"),
        ("app.js", "exports.handler = async () => require.main === undefined ? 1 : 2;",
         "app.handler"),
        ("node_modules/pack/index.js", "exports.handler = async () => 1;", "pack.handler"),
    ],
)  # fmt: skip
def test_handlers(code, name, text, handler, kind):
    r = run(code(text, name), handler, kind=kind)
    assert r.answers and r.answers[0].body == b"1", r.stdout + r.stderr


@both
@pytest.mark.parametrize("type, expected", [("module", b'"esm"'), ("commonjs", b'"cjs"')])
def test_the_package_says_what_js_means(code, type, expected, kind):
    code(json.dumps({"type": type}), "package.json")
    text = {
        "module": "export const handler = async () => typeof require === 'undefined' && 'esm';",
        "commonjs": "exports.handler = async () => typeof require === 'function' && 'cjs';",
    }[type]
    assert run(code(text, "sub/app.js"), "sub/app.handler", kind=kind).answers[0].body == expected


def test_common_js_comes_first(code):
    code("export const handler = async () => 'mjs';", "app.mjs")
    assert answer_of(code("exports.handler = async () => 'js';")).body == b'"js"'


def test_node24_looks_into_the_default_export(code):
    folder = code("export default {handler: async () => 1};", "app.mjs")
    assert answer_of(folder, kind=PLAIN).body == b"1"
    assert run(folder).answers[0].json["errorType"] == "Runtime.HandlerNotFound"


def test_modules_of_layers_are_found(code, tmp_path):
    code("module.exports = 'layer';", "layer/node_modules/thing/index.js")
    folder = code("exports.handler = async () => require('thing');")
    a = answer_of(folder, env={"NODE_PATH": str(tmp_path / "layer" / "node_modules")})
    assert a.body == b'"layer"'


def init_error(r):
    assert [a.path for a in r.answers] == ["/2018-06-01/runtime/init/error"], r.stdout + r.stderr
    error = r.answers[0].json
    assert r.status == 129
    assert r.answers[0].headers["Lambda-Runtime-Function-Error-Type"] == error["errorType"]
    ((request, level, message),) = log_of(r)
    assert (request, level) == ("undefined", "ERROR")
    assert json.loads(message.split("\t")[1])["errorType"] == error["errorType"]
    assert message.startswith("Uncaught Exception \t")
    return error["errorType"], error["errorMessage"], error["trace"]


def test_module_not_found(code):
    kind, message, trace = init_error(run(code(""), "other.handler"))
    assert kind == "Runtime.ImportModuleError"
    assert message == "Error: Cannot find module 'other'\nRequire stack:\n- " + NODE_MAIN
    assert trace[0] == "Runtime.ImportModuleError: Error: Cannot find module 'other'"


def test_import_of_a_missing_module(code):
    folder = code("require('missing');")
    kind, message, _ = init_error(run(folder))
    assert kind == "Runtime.ImportModuleError"
    assert message == (
        "Error: Cannot find module 'missing'\nRequire stack:\n- %s/app.js\n- %s"
        % (folder, NODE_MAIN)
    )


def test_import_of_a_missing_package_in_a_module(code):
    folder = code("import 'missing';", "app.mjs")
    kind, message, _ = init_error(run(folder))
    assert kind == "Error"
    assert message == "Cannot find package 'missing' imported from %s/app.mjs" % folder


@both
def test_syntax_error(code, kind):
    type, message, _ = init_error(run(code("exports.handler = ("), kind=kind))
    assert type == "Runtime.UserCodeSyntaxError"
    assert message.startswith("SyntaxError: Unexpected ")


@pytest.mark.parametrize(
    "handler, kind, message",
    [
        ("app.nope", "Runtime.HandlerNotFound", "app.nope is undefined or not exported"),
        ("app.text", "Runtime.HandlerNotFound", "app.text is not a function"),
        ("app", "Runtime.MalformedHandlerName", "Bad handler"),
        (
            "../app.handler",
            "Runtime.MalformedHandlerName",
            "'../app.handler' is not a valid handler name. Use absolute paths when specifying root "
            "directories in handler names.",
        ),
    ],
)
def test_handlers_that_are_none(code, handler, kind, message):
    assert init_error(run(code("exports.text = 'x';"), handler))[:2] == (kind, message)


def test_a_module_that_throws(code):
    kind, message, trace = init_error(run(code("\nthrow new TypeError('top');")))
    assert (kind, message) == ("TypeError", "top")
    assert trace[1].endswith("/app.js:2:7)")


def test_a_module_that_never_ends(code):
    r = run(code("await new Promise(() => {}); export const handler = 1;", "app.mjs"))
    assert (r.status, r.answers) == (13, [])


def test_a_rejection_while_loading(code):
    folder = code("Promise.reject(new Error('early')); await new Promise(() => setTimeout(() => {},"
                  " 1e6));", "app.mjs")  # fmt: skip
    r = run(folder)
    assert r.status == 128
    assert r.answers[0].path == "/2018-06-01/runtime/init/error"
    assert r.answers[0].json["errorType"] == "Runtime.UnhandledPromiseRejection"


# ---- streamed answers ------------------------------------------------------------------------------------


def streaming(body, options=""):
    return (
        "exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {\n"
        + body
        + "\n}%s);" % options
    )


@both
def test_streamed_answer(code, kind):
    folder = code(
        streaming(
            "stream.setContentType('text/plain'); stream.write('a'); stream.write(Buffer.from('b'));"
            "await new Promise((r) => setTimeout(r, 5)); stream.write({c: 1}); stream.write('');"
            "stream.end('d');"
        )
    )
    r = run(folder, events=[b"{}", b"{}"], kind=kind)
    for a in r.answers:
        assert a.kind == "response"
        assert a.body == b'ab{"c":1}d'
        assert a.trailers == {}
        assert a.headers["Content-Type"] == "text/plain"
        assert a.headers["Transfer-Encoding"] == "chunked"
        assert a.headers["Lambda-Runtime-Function-Response-Mode"] == "streaming"
        assert a.headers.get_all("Trailer") == [
            "Lambda-Runtime-Function-Error-Type",
            "Lambda-Runtime-Function-Error-Body",
        ]


def test_streamed_answer_of_an_http_integration(code):
    folder = code(
        streaming(
            "stream = awslambda.HttpResponseStream.from(stream, {statusCode: 201});"
            "stream.write('body'); stream.end();"
        )
    )
    a = answer_of(folder)
    assert a.headers["Content-Type"] == "application/vnd.awslambda.http-integration-response"
    assert a.body == b'{"statusCode":201}' + 8 * b"\0" + b"body"


def test_a_stream_is_a_target_of_pipelines(code):
    folder = code(
        "const {pipeline} = require('stream/promises'); const {Readable} = require('stream');\n"
        + streaming(
            "await pipeline(Readable.from(['x'.repeat(300000), 'y'.repeat(300000)]), stream);"
        )
    )
    assert answer_of(folder).body == b"x" * 300000 + b"y" * 300000


def test_a_stream_that_fails(code):
    folder = code(streaming("stream.write('half'); throw new RangeError('midway');"))
    r = run(folder, events=[b"{}", b"{}"])
    for a in r.answers:
        assert (a.kind, a.body) == ("response", b"half")
        assert a.trailers["Lambda-Runtime-Function-Error-Type"] == "RangeError"
        error = json.loads(base64.b64decode(a.trailers["Lambda-Runtime-Function-Error-Body"]))
        assert (error["errorType"], error["errorMessage"]) == ("RangeError", "midway")
        assert error["trace"][0] == "RangeError: midway"
    assert [message.partition("\t")[0] for _, _, message in log_of(r)] == ["Invoke Error "] * 2


def test_a_stream_that_fails_before_its_first_byte(code):
    a = answer_of(code(streaming("throw new RangeError('early');")))
    assert (a.kind, a.body) == ("response", b"")
    assert a.trailers["Lambda-Runtime-Function-Error-Type"] == "RangeError"


@pytest.mark.parametrize(
    "text, message",
    [
        (streaming("stream.write('a');").replace("async ", ""), "Streaming does not support non-async"),
        (
            streaming("stream.write('a'); stream.setContentType('b/c');"),
            "Cannot set content-type, too late.",
        ),
        (streaming("stream.write('a'); await new Promise(() => {});"), "The Lambda runtime client"),
    ],
)
def test_misuse_of_a_stream(code, text, message):
    r = run(code(text), events=[b"{}", b"{}"])
    for a in r.answers:
        error = json.loads(base64.b64decode(a.trailers["Lambda-Runtime-Function-Error-Body"]))
        assert error["errorMessage"].startswith(message)


def test_a_failure_after_the_end_of_a_stream_is_only_logged(code):
    r = run(code(streaming("stream.end('a'); throw new Error('after');")), events=[b"{}", b"{}"])
    assert [(a.body, a.trailers) for a in r.answers] == [(b"a", {})] * 2
    assert [level for _, level, _ in log_of(r)] == ["ERROR", "ERROR"]


def test_a_stream_and_what_it_returns(code):
    r = run(code(streaming("stream.end('a'); return 'b';")))
    assert r.answers[0].body == b"a"
    assert log_of(r) == [("id-1", "WARN", "Streaming handlers ignore return values.")]


def test_an_uncaught_exception_while_streaming(code):
    folder = code(
        streaming(
            "stream.write('a'); setTimeout(() => { throw new Error('late'); }, 1);"
            "await new Promise((r) => setTimeout(r, 10000));"
        )
    )
    r = run(folder)
    assert r.status == 129
    assert r.answers[0].body == b"a"
    assert r.answers[0].trailers["Lambda-Runtime-Function-Error-Type"] == "Error"


def test_another_kind_of_streaming_is_refused(code):
    folder = code(
        "exports.handler = async () => {};\n"
        "exports.handler[Symbol.for('aws.lambda.runtime.handler.streaming')] = 'request';"
    )
    kind, message, _ = init_error(run(folder))
    assert (kind, message) == (
        "Runtime.MalformedStreamingHandler",
        "Only response streaming is supported.",
    )


# ---- logging -----------------------------------------------------------------------------------------------


def test_console(code):
    folder = code(
        "console.log('loading');\n"
        "exports.handler = async () => {\n"
        "  console.log('a %s', 'b', {c: 1}); console.info('i'); console.warn('w\\nx');\n"
        "  console.error('e'); console.debug('d'); console.trace('t'); console.fatal('f');\n"
        "  console.log();\n"
        "};"
    )
    assert log_of(run(folder)) == [
        ("undefined", "INFO", "loading"),
        ("id-1", "INFO", "a b { c: 1 }"),
        ("id-1", "INFO", "i"),
        ("id-1", "WARN", "w\rx"),
        ("id-1", "ERROR", "e"),
        ("id-1", "DEBUG", "d"),
        ("id-1", "TRACE", "t"),
        ("id-1", "FATAL", "f"),
        ("id-1", "INFO", "undefined"),
    ]


JSON_LOG = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}


def test_console_in_json(code):
    folder = code(
        "exports.handler = async () => {\n"
        "  console.log({a: 1}); console.log('a %d', 2); console.debug('unheard');\n"
        "  console.warn('it', new RangeError('broke'));\n"
        "  console.error(Object.assign(new TypeError('bad'), {code: 'E'}));\n"
        "  const circle = {}; circle.circle = circle; console.info(circle);\n"
        "};"
    )
    r = run(folder, env=JSON_LOG)
    records = [json.loads(line) for line in r.stdout.splitlines()]
    assert list(records[0]) == ["timestamp", "level", "requestId", "message"]
    assert re.fullmatch(TIME, records[0]["timestamp"])
    assert [(x["level"], x["requestId"]) for x in records] == [
        ("INFO", "id-1"), ("INFO", "id-1"), ("WARN", "id-1"), ("ERROR", "id-1"), ("INFO", "id-1"),
    ]  # fmt: skip
    assert [x["message"] for x in records[:2]] == [{"a": 1}, "a 2"]
    assert records[2]["message"].startswith("it RangeError: broke\n    at ")
    assert (records[2]["errorType"], records[2]["errorMessage"]) == ("RangeError", "broke")
    assert records[2]["stackTrace"][0] == "RangeError: broke"
    error = records[3]["message"]
    assert (error["errorType"], error["errorMessage"], error["code"]) == ("TypeError", "bad", "E")
    assert error["stackTrace"][0] == "TypeError: bad"
    assert "[Circular" in records[4]["message"]


def test_an_error_in_json(code):
    r = run(code("exports.handler = async () => { throw new Error('m'); };"), env=JSON_LOG)
    (record,) = [json.loads(line) for line in r.stdout.splitlines()]
    assert list(record) == ["timestamp", "level", "requestId", "message"]
    assert list(record["message"]) == ["errorType", "errorMessage", "stackTrace"]
    assert (record["level"], record["message"]["errorMessage"]) == ("ERROR", "m")


def frames_of(code, env):
    folder = code(
        "exports.handler = async () => { console.warn('a\\nb'); console.error('\u20ac');\n"
        "  return process.env._LAMBDA_TELEMETRY_LOG_FD; };"
    )
    read, write = os.pipe()
    env = dict(env, _LAMBDA_TELEMETRY_LOG_FD=str(write))
    r = run(folder, env=env, pass_fds=[write])
    os.close(write)
    with os.fdopen(read, "rb") as f:
        data = f.read()
    assert r.answers[0].body == b"null" and r.stdout == ""
    frames = []
    while data:
        kind, size, time = struct.unpack(">IIQ", data[:16])
        assert time > 1600000000 * 10**6
        frames.append((kind, data[16 : 16 + size].decode()))
        data = data[16 + size :]
    return frames


def test_log_frames(code):
    (warn, text), (error, _) = frames_of(code, {})
    assert (warn, error) == (0xA55A0003 | 4 << 2, 0xA55A0003 | 5 << 2)
    assert text.endswith("\tid-1\tWARN\ta\nb\n")


def test_log_frames_in_json(code):
    (warn, text), (error, other) = frames_of(code, JSON_LOG)
    assert (warn, error) == (0xA55A0002 | 4 << 2, 0xA55A0002 | 5 << 2)
    assert json.loads(text)["message"] == "a\nb"
    assert json.loads(other)["message"] == "\u20ac"


def test_much_output_is_not_lost_when_the_process_ends(code):
    folder = code(
        "exports.handler = async () => {\n"
        "  for (let i = 0; i < 300; i++) console.log('x'.repeat(1000));\n  process.exit(3);\n};"
    )
    r = run(folder)
    assert (r.status, len(r.stdout.splitlines())) == (3, 300)


# ---- a process that was started ahead ----------------------------------------------------------------------


def test_a_spare_becomes_a_function(code, monkeypatch):
    folder = code(
        "module.exports.handler = async () => ({env: process.env, cwd: process.cwd(),\n"
        "  thing: require('thing'), hour: new Date(0).getHours()});"
    )
    code("module.exports = 1;", "layer/thing.js")
    ours, theirs = socket.socketpair()
    variables = {}

    class Popen(subprocess.Popen):
        def __init__(self, command, env, cwd, **options):
            variables.update(env, NODE_PATH=str(folder / "layer"), TZ="Asia/Tokyo", MINE="a=b")
            variables["EMPTY"] = ""
            text = "\0".join([cwd] + ["%s=%s" % v for v in variables.items()]) + "\0"
            message = struct.pack("<I", len(text.encode())) + text.encode()
            ours.sendall(message[:7])
            spare = {"_LAMINA_SPARE_FD": str(theirs.fileno()), "OF_THE_SPARE": "1"}
            super().__init__(command, env=spare, cwd="/", **options)
            theirs.close()
            ours.sendall(message[7:])

    monkeypatch.setattr(fake_api.subprocess, "Popen", Popen)
    r = run(folder, pass_fds=[theirs.fileno()])
    monkeypatch.undo()
    assert r.answers, r.stdout + r.stderr
    variables["_X_AMZN_TRACE_ID"] = "Root=1-00000001-000000000000000000000000;Sampled=0"
    assert r.answers[0].json == {"env": variables, "cwd": str(folder), "thing": 1, "hour": 9}


def test_a_spare_that_nobody_wants_ends():
    ours, theirs = socket.socketpair()
    p = subprocess.Popen(
        [NODE, NODE_MAIN], env={"_LAMINA_SPARE_FD": str(theirs.fileno())}, pass_fds=[theirs.fileno()]
    )
    theirs.close()
    ours.sendall(b"\x09\0\0\0half")
    ours.close()
    assert p.wait(20) == 0
