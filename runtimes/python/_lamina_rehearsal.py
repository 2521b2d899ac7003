"""_lamina_rehearsal - a first start and a first event, before there are any.

What a process forked from another one writes to is copied page by page, and each copy costs a
microsecond or two: some hundred of them would be on the way of a cold start. So a spare goes that
way once while nobody waits. It leaves nothing behind that a function could find.
"""

import sys

import _lamina_runtime as runtime
import _sitebuiltins  # noqa: F401 (which the runtime loads)
from _lamina_client import Client
from _socket import socketpair

ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: 1\r\n"
    b"Lambda-Runtime-Deadline-Ms: 1\r\nLambda-Runtime-Invoked-Function-Arn: a\r\n"
    b'Content-Length: 17\r\n\r\n{"a": [1, "b\\n"]}'
    b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
)
SOURCE = "import sys\n\n\ndef handler(event, context):\n    return {'a': [event, 1, None]}\n"


class Peer(Client):
    """A client whose Runtime API has answered already."""

    def _connect(self):
        self._socket, self._other = socketpair()
        self._other.sendall(ANSWERS)
        self._rest = b""


def handler(event, context):
    return event


def rehearse():
    runtime._set_streams()
    path, finders = sys.path[:], sys.meta_path[:]
    runtime._set_path()
    sys.path[:], sys.meta_path[:] = path, finders
    runtime.load_handler(__name__ + ".handler")
    scope = {}
    exec(compile(SOURCE, "<rehearsal>", "exec", dont_inherit=True), scope)
    client = Peer("127.0.0.1:1")
    event = client.next()
    runtime.handle(client, scope["handler"], event)
    client._socket.close()
    client._other.close()
