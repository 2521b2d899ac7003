"""_lamina_rehearsal - a first start and a first event, before there are any.

What a process forked from another one writes to is copied page by page, and each copy costs a
microsecond or two: some hundred of them would be on the way of a cold start. So somebody goes that
way once while nobody waits: a zygote's scout, which tells the others what they will need, or else
each spare. It leaves nothing behind that a function could find.

The zygote goes it more often: the interpreter rewrites code that runs again and again, and its
children share what was rewritten before.
"""

import os
import sys
from _frozen_importlib_external import PathFinder, SourceFileLoader, spec_from_file_location
from _socket import AF_UNIX
from _socket import socket as Socket
from _socket import socketpair

import _lamina_runtime as runtime
import _sitebuiltins
from _lamina_client import Client

TIMES = 20  # until python 3.11 to 3.14 have rewritten what they are going to
EVENT = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: 1\r\n"
    b"Lambda-Runtime-Deadline-Ms: 1\r\nLambda-Runtime-Invoked-Function-Arn: a\r\n"
    b'Content-Length: 17\r\n\r\n{"a": [1, "b\\n"]}'
)
ANSWERS = EVENT + b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n" + EVENT
NAME = "_lamina_rehearsed"
SOURCE = b"import sys\n\n\ndef handler(event, context):\n    return {'a': [event, 1, None]}\n"


class Loader(SourceFileLoader):
    """Of a handler that has no file."""

    def path_stats(self, path):
        super().path_stats(__file__)
        return {"mtime": 0, "size": len(SOURCE)}

    def get_data(self, path):
        if path.endswith(".py"):
            super().get_data(__file__)
            return SOURCE
        return super().get_data(path)  # its byte code: not there either


class Finder:
    """Looks where a handler is looked for, and finds one."""

    def find_spec(self, name, path=None, target=None):
        if name != NAME:
            return None
        PathFinder.find_spec(name)
        path = "/var/task/" + NAME + ".py"
        return spec_from_file_location(name, path, loader=Loader(name, path))


def connected():
    """(a client whose Runtime API has answered already, that). No class of its own: what the
    interpreter remembers of attributes it remembers of their object's class."""
    client = Client("127.0.0.1:1")
    client._socket, other = socketpair()
    other.sendall(ANSWERS)
    nowhere = Socket(AF_UNIX)
    try:
        nowhere.connect("\0" + NAME)
    except OSError:
        pass
    nowhere.close()
    return client, other


def prepare():
    """What of a start depends on nothing: all that a spare has to do itself where a scout was."""
    runtime._set_streams()


def rehearse():
    runtime._set_streams()
    path, finders = sys.path[:], sys.meta_path[:]
    known = set(sys.path_importer_cache)
    try:
        runtime._set_path()
        runtime.FrameSink(1).file.close()
        if "logging" not in sys.modules:
            runtime._set_logging()
        _sitebuiltins.Quitter("exit", "Ctrl-D (i.e. EOF)")
        os.environ.pop(NAME, None)
        sys.meta_path.insert(0, Finder())
        handler = runtime.load_handler(NAME + ".handler")
    finally:
        sys.path[:], sys.meta_path[:] = path, finders
        sys.modules.pop(NAME, None)
        for folder in set(sys.path_importer_cache) - known:
            del sys.path_importer_cache[folder]
    client, other = connected()
    for _ in range(2):
        runtime.handle(client, handler, client.next())
    client._socket.close()
    other.close()
