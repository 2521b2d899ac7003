"""_lamina_runtime - the invocation loop of python functions.

Finds the handler, then asks the Runtime API for one event after the other. Everything here
is on the way of a cold start or of each event, hence: C modules only (json, logging and
traceback cost more than the interpreter itself), a socket of our own, and what is needed
for failures and logging waits in _lamina_errors and _lamina_logging until it is.

Behaviour follows AWS's managed runtimes (python3.8 to python3.13).
"""

import builtins
import os
import sys
import time
from _frozen_importlib_external import PathFinder
from io import FileIO, TextIOWrapper

import _lamina_json as json
from _lamina_client import Client

HERE = os.path.dirname(os.path.abspath(__file__))

# The invocation at work; _lamina_logging puts it into log lines.
request_id = None
tenant_id = None

# By a rehearsal in this process (_lamina_rehearsal), whose descriptors 1 and 2 stay what they are.
streams_are_set = False
# What _find_path() has answered, and to what: a rehearsal asks the same.
_known_path = None


class Fault(Exception):
    """A failure with an error type of the runtime, not of the function's code."""

    def __init__(self, kind, message, trace=None):
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.trace = trace or []


class LambdaContext:
    """The handler's second argument."""

    def __init__(self, event, client_context, identity):
        env = os.environ.get
        self.aws_request_id = event.request_id
        self.log_group_name = env("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = env("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = env("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = env("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = event.function_arn
        self.tenant_id = event.tenant_id
        self.client_context = client_context
        self.identity = identity
        self._epoch_deadline_time_in_ms = event.deadline_ms

    def get_remaining_time_in_millis(self):
        return max(self._epoch_deadline_time_in_ms - int(time.time() * 1000), 0)

    def log(self, message):
        log_sink.log(str(message))

    def __repr__(self):
        return _describe(
            self,
            (
                "aws_request_id",
                "log_group_name",
                "log_stream_name",
                "function_name",
                "memory_limit_in_mb",
                "function_version",
                "invoked_function_arn",
                "client_context",
                "identity",
                "tenant_id",
            ),
        )


class _Record:
    """Attributes from a JSON object; those that it lacks are None."""

    __slots__ = ()

    def __init__(self, values):
        for name in self.__slots__:
            setattr(self, name, values.get(name))

    def __repr__(self):
        return _describe(self, self.__slots__)


class ClientContext(_Record):
    __slots__ = ("custom", "env", "client")

    def __init__(self, values):
        super().__init__(values)
        if self.client is not None:
            self.client = Client_(self.client)


class Client_(_Record):
    __slots__ = (
        "installation_id",
        "app_title",
        "app_version_name",
        "app_version_code",
        "app_package_name",
    )


Client_.__name__ = Client_.__qualname__ = "Client"


class CognitoIdentity(_Record):
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self, values):
        self.cognito_identity_id = values.get("cognitoIdentityId")
        self.cognito_identity_pool_id = values.get("cognitoIdentityPoolId")


def _describe(thing, names):
    return "{}([{}])".format(
        type(thing).__name__, ",".join("{}={}".format(n, getattr(thing, n)) for n in names)
    )


class PipeSink:
    """Log records as text on stdout; the platform cuts it into events at each newline."""

    framed = False

    def log(self, text, frame_type=None):
        try:
            sys.stdout.write(text)
        except UnicodeEncodeError:  # half of a surrogate pair
            sys.stdout.write(text.encode("utf-8", "backslashreplace").decode())

    def log_error(self, lines, frame_type=None):
        # \r keeps a traceback one event.
        self.log("\r".join(lines).replace("\n", "\r") + "\n")


class FrameSink:
    """Log records with their borders and levels, on the descriptor the platform gave us."""

    framed = True

    def __init__(self, fd):
        # Of its own: the descriptor is that of stdout, which a function may close or send elsewhere.
        self.file = FileIO(os.dup(fd), "wb")

    def log(self, text, frame_type=None):
        data = text.encode("utf-8", "backslashreplace")
        rest = memoryview(
            (frame_type or 0xA55A0003).to_bytes(4, "big")
            + len(data).to_bytes(4, "big")
            + (time.time_ns() // 1000).to_bytes(8, "big")
            + data
        )
        while rest:
            rest = rest[self.file.write(rest) :]

    def log_error(self, lines, frame_type=None):
        self.log("\n".join(lines), frame_type or 0xA55A0017)


log_sink = PipeSink()


def load_handler(name):
    """The function that `name` ("folder/module.function") stands for, or a Fault."""
    try:
        module_name, function_name = name.rsplit(".", 1)
    except ValueError as e:
        raise Fault("Runtime.MalformedHandlerName", "Bad handler '{}': {}".format(name, e))

    if module_name.split(".")[0] in sys.builtin_module_names:
        raise Fault(
            "Runtime.BuiltInModuleConflict",
            "Cannot use built-in module {} as a handler module".format(module_name),
        )

    # Not __import__: a stack trace of a failing import shows importlib's frames on AWS.
    import importlib

    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as e:
        raise Fault(
            "Runtime.ImportModuleError",
            "Unable to import module '{}': {}".format(module_name, e),
        )
    except SyntaxError as e:
        raise Fault(
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module '{}': {}".format(module_name, e),
            ['  File "{}" Line {}\n    {}'.format(e.filename, e.lineno, e.text)],
        )

    try:
        return getattr(module, function_name)
    except AttributeError:
        raise Fault(
            "Runtime.HandlerNotFound",
            "Handler '{}' missing on module '{}'".format(function_name, module_name),
        )


def _parse_header(text, name):
    try:
        return json.loads(text)
    except Exception as e:
        raise Fault(
            "Runtime.LambdaContextUnmarshalError", "Unable to parse {} JSON: {}".format(name, e)
        )


def make_context(event):
    client_context = None
    if event.client_context:
        client_context = ClientContext(_parse_header(event.client_context, "Client Context"))
    identity = {}
    if event.cognito_identity:
        identity = _parse_header(event.cognito_identity, "Cognito Identity")
    return LambdaContext(event, client_context, CognitoIdentity(identity))


def parse_event(event):
    if event.content_type != "application/json":
        return event.body
    try:
        return json.loads(event.body.decode("utf-8"))
    except Exception as e:
        raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: {}".format(e))


def format_response(response):
    """(bytes, content type) of what a handler has returned."""
    if isinstance(response, bytes):
        return response, "application/unknown"
    try:
        return json.dumps(response).encode("utf-8"), "application/json"
    except Exception as e:
        raise Fault("Runtime.MarshalError", "Unable to marshal response: {}".format(e))


def handle(client, handler, event):
    """One event: from the handler to the platform."""
    # SystemExit and the like pass: the process ends and the platform reports its exit.
    try:
        context = make_context(event)
        body, content_type = format_response(handler(parse_event(event), context))
    except Exception as e:
        import _lamina_errors

        error, cause = _lamina_errors.describe(e, event.request_id)
        _lamina_errors.log(error, log_sink)
        client.post_error(event.request_id, error, cause)
    else:
        client.post_response(event.request_id, body, content_type)


class _LibraryFirst:
    """On AWS the runtime has loaded these before the function: a json.py beside the handler is
    nobody's json. Here they are loaded when they are needed, and found where they were found there.
    """

    NAMES = frozenset(
        "base64 calendar collections contextlib copyreg datetime decimal email enum functools heapq"
        " http importlib json keyword linecache logging math numbers operator random re reprlib"
        " selectors signal socket string struct textwrap threading token tokenize traceback types"
        " urllib warnings"
        " weakref".split()
    )

    def __init__(self, folders):
        self.folders = folders

    def find_spec(self, name, path=None, target=None):
        if path is None and name in self.NAMES:
            return PathFinder.find_spec(name, self.folders)
        return None


def _set_path():
    """sys.path as on AWS: the function, its layers, the library; ourselves last, or, before 3.11,
    after the layers."""
    global _known_path
    task = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
    own = []
    if sys.flags.ignore_environment:
        # A function may have set PYTHONPATH.
        own = [p for p in os.environ.get("PYTHONPATH", "").split(":") if p and p != HERE]
    of = task, own, sys.path[:]
    if _known_path is None or _known_path[0] != of:
        _known_path = (of, *_find_path(*of))
    _, layers, path, library, finder = _known_path
    sys.path[:] = path
    sys.meta_path.insert(0, _LibraryFirst(library))
    if finder is not None:
        finder.invalidate_caches()
        sys.path_importer_cache.setdefault(task, finder)

    for folder in layers:
        try:
            names = os.listdir(folder)
        except FileNotFoundError:
            sys.path_importer_cache.setdefault(folder, None)
            continue
        except OSError:
            continue
        if any(name.endswith(".pth") for name in names):
            import site

            site.addsitedir(folder)


def _find_path(task, own, path):
    """(folders of layers, sys.path, those of it that are the library's, the task's finder)"""
    version = "python%d.%d" % sys.version_info[:2]
    layers = ["/opt/python/lib/" + version + "/site-packages", "/opt/python"]
    rest = own + [p for p in path if p and p != HERE]
    if sys.flags.no_site:
        rest += _site_folders(version)
    if sys.version_info >= (3, 11):
        path = [task] + layers + rest + [HERE]
    else:
        path = [task] + layers + [HERE] + rest
    library = [p for p in rest if p.startswith(sys.base_prefix)]
    return layers, path, library, _finder_of(task)


def _finder_of(folder):
    """What the first import would make, after it has asked whether the folder is a zip: a tenth
    of a cold start's way through python."""
    try:
        return sys.path_hooks[1](folder) if len(sys.path_hooks) == 2 else None
    except ImportError:
        return None  # no folder: what it is comes out as usual


def _site_folders(version):
    """What the site module would add, had it been loaded."""
    folders = [sys.prefix + "/lib/" + version + "/site-packages"]
    if sys.prefix == "/usr":
        folders = ["/usr/local/lib/" + version + "/dist-packages", "/usr/lib/python3/dist-packages"]
    return [f for f in folders if os.path.isdir(f)]


def _set_streams():
    """Every write goes out at once: a frozen or killed process keeps nothing back."""
    global streams_are_set
    streams_are_set = True
    for name, fd, errors in (("stdout", 1, "surrogateescape"), ("stderr", 2, "backslashreplace")):
        stream = TextIOWrapper(
            FileIO(fd, "wb", closefd=False), "utf-8", errors, newline="\n", write_through=True
        )
        stream.mode = "w"
        setattr(sys, name, stream)
        setattr(sys, "__%s__" % name, stream)


class _LoggingHook:
    """Sets logging up in the moment that somebody imports it; until then it costs nothing."""

    def find_spec(self, name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        import importlib.util

        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def load_and_set_up(module):
            del spec.loader.exec_module
            load(module)
            import _lamina_logging

            _lamina_logging.set_up(module)

        spec.loader.exec_module = load_and_set_up
        return spec


def _set_logging():
    if "logging" in sys.modules:
        import _lamina_logging

        _lamina_logging.set_up(sys.modules["logging"])
    else:
        sys.meta_path.insert(0, _LoggingHook())


def main():
    global log_sink, request_id, tenant_id

    if not streams_are_set:
        _set_streams()
    _set_path()
    fd = os.environ.pop("_LAMBDA_TELEMETRY_LOG_FD", None)
    if fd is not None:
        log_sink = FrameSink(int(fd))
    _set_logging()
    if sys.flags.no_site:
        from _sitebuiltins import Quitter

        builtins.exit = Quitter("exit", "Ctrl-D (i.e. EOF)")
        builtins.quit = Quitter("quit", "Ctrl-D (i.e. EOF)")

    client = Client(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        handler = load_handler(os.environ["_HANDLER"])
    except Exception as e:
        import _lamina_errors

        error, _ = _lamina_errors.describe(e, "")
        _lamina_errors.log(error, log_sink)
        client.post_init_error(error)
        sys.exit(1)

    while True:
        event = client.next()
        request_id = event.request_id
        tenant_id = event.tenant_id
        if event.trace_id is not None:
            os.environ["_X_AMZN_TRACE_ID"] = event.trace_id
        else:
            os.environ.pop("_X_AMZN_TRACE_ID", None)
        handle(client, handler, event)
