"""_lamina_client - the Runtime API (2018-06-01), over one kept connection.

http.client takes five times as long for the same exchange, and twice the start.
"""

import sys

import _lamina_json as json
from _socket import AF_UNIX, IPPROTO_TCP, MSG_WAITALL, TCP_NODELAY
from _socket import socket as Socket

# A cause of failure travels in a header; the platform takes no more than this.
MAX_CAUSE_BYTES = 64 * 1024

# Whoever serves us may keep the answer to this request until it has that to the next one.
PIPELINED = "Lamina-Pipelined: 1\r\n"

# The platform's own address, and where the same is served at less cost. Any other address is that
# of somebody who wants to see what we ask.
PLATFORM = ("169.254.100.1", 9001)
LOCAL = "\0lamina-runtime-api"

# Called with the socket's number when an answer has been sent, until it is true (_lamina_spare).
settle = None


class ApiError(Exception):
    pass


class Event:
    """What `next` has answered."""

    __slots__ = (
        "request_id",
        "deadline_ms",
        "function_arn",
        "trace_id",
        "client_context",
        "cognito_identity",
        "tenant_id",
        "content_type",
        "body",
    )

    def __init__(self, headers, body):
        get = headers.get
        self.request_id = get("lambda-runtime-aws-request-id")
        self.deadline_ms = int(get("lambda-runtime-deadline-ms", 0))
        self.function_arn = get("lambda-runtime-invoked-function-arn")
        self.trace_id = get("lambda-runtime-trace-id")
        self.client_context = get("lambda-runtime-client-context")
        self.cognito_identity = get("lambda-runtime-cognito-identity")
        self.tenant_id = get("lambda-runtime-aws-tenant-id")
        self.content_type = get("content-type")
        self.body = body


class Client:
    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self._peer = (host or "127.0.0.1", int(port))
        self._common = "HTTP/1.1\r\nHost: {}\r\nUser-Agent: lamina-python/{}.{}.{}\r\n".format(
            address, *sys.version_info[:3]
        )
        self._next = self._head("GET", "invocation/next") + b"\r\n"
        self._socket = None
        self._rest = b""
        self._unsent = b""
        self._owed = False
        self._settle = settle

    def flush(self):
        """Sends a response that waits for the request for the next event: the coverage layer's
        tracer may have to keep that back. Its answer comes when that was sent."""
        if self._unsent:
            data, self._unsent = self._unsent, b""
            self._owed = True
            self._post(data)

    def next(self):
        if self._unsent or self._owed:
            data, self._unsent = self._unsent + self._next, b""
            self._owed = False
            self._post(data)
            if self._settle is not None and self._settle(self._socket.fileno()):
                self._settle = None
            self._receive()
            status, headers, body = self._receive() if self._socket else self._exchange(self._next)
        else:
            status, headers, body = self._exchange(self._next)
        if status != 200:
            raise ApiError("GET next failed: {} {!r}".format(status, body))
        return Event(headers, body)

    def post_response(self, request_id, body, content_type):
        """Small ones leave with the request for the next event, which follows at once."""
        # A refusal (an answer that is too large, say) has been told to the caller by the
        # platform; the next event is our business again.
        small = len(body) < 65536
        head = self._head("POST", "invocation/" + request_id + "/response") + (
            "Content-Type: {}\r\n{}Content-Length: {}\r\n\r\n".format(
                content_type, PIPELINED if small else "", len(body)
            ).encode("latin-1")
        )
        if small:
            self._unsent = head + body
        else:
            self._post(head, body)
            self._receive()

    def post_error(self, request_id, error, cause):
        head = self._head("POST", "invocation/" + request_id + "/error")
        cause = json.dumps_ascii(cause)
        if len(cause) <= MAX_CAUSE_BYTES:
            head += b"Lambda-Runtime-Function-XRay-Error-Cause: " + cause + b"\r\n"
        self._post_json(head, error)

    def post_init_error(self, error):
        head = self._head("POST", "init/error")
        kind = error["errorType"].encode("ascii", "replace")
        self._post_json(head + b"Lambda-Runtime-Function-Error-Type: " + kind + b"\r\n", error)

    def _post_json(self, head, value):
        body = json.dumps(value).encode("utf-8", "backslashreplace")
        head += b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        self._exchange(head, body)

    def _head(self, method, path):
        return "{} /2018-06-01/runtime/{} {}".format(method, path, self._common).encode("latin-1")

    def _post(self, head, body=b""):
        """Sends a response. The coverage layer's tracer hears of it here, and not before: whom it
        wakes shall not be quicker than the answer."""
        self._send(head, body)

    def _exchange(self, head, body=b""):
        self._send(head, body)
        return self._receive()

    def _send(self, head, body):
        if self._socket is None:
            self._connect()
        if len(body) < 65536:
            self._socket.sendall(head + body)
        else:
            self._socket.sendall(head)
            self._socket.sendall(body)

    def _connect(self):
        self._rest = b""
        if self._peer == PLATFORM:
            self._socket = Socket(AF_UNIX)
            try:
                self._socket.connect(LOCAL)
                return
            except OSError:
                self._socket.close()
        self._socket = Socket()
        self._socket.connect(self._peer)
        self._socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)

    def _receive(self):
        data = self._rest
        end = data.find(b"\r\n\r\n")
        while end < 0:
            data += self._more()
            end = data.find(b"\r\n\r\n")

        # utf-8: a client context may hold any text.
        lines = data[:end].decode("utf-8", "surrogateescape").split("\r\n")
        status = int(lines[0][9:12])
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()

        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = self._receive_chunks(data[end + 4 :])
        else:
            body = self._take(data[end + 4 :], int(headers.get("content-length", 0)))

        if headers.get("connection", "").lower() == "close":
            self._socket.close()
            self._socket = None
        return status, headers, body

    def _take(self, data, size):
        """`size` bytes, of which `data` has come already; what is too much is kept."""
        missing = size - len(data)
        if missing > 0:
            parts = [data]
            while missing > 0:
                part = self._socket.recv(missing, MSG_WAITALL)
                if not part:
                    raise ApiError("the Runtime API has closed the connection")
                parts.append(part)
                missing -= len(part)
            data = b"".join(parts)
        self._rest = data[size:]
        return data[:size]

    def _receive_chunks(self, data):
        body = []
        while True:
            while b"\r\n" not in data:
                data += self._more()
            line, _, data = data.partition(b"\r\n")
            size = int(line.partition(b";")[0], 16)
            if size == 0:
                break
            body.append(self._take(data, size + 2)[:-2])
            data = self._rest
        while True:  # trailers
            while b"\r\n" not in data:
                data += self._more()
            line, _, data = data.partition(b"\r\n")
            if not line:
                break
        self._rest = data
        return b"".join(body)

    def _more(self):
        data = self._socket.recv(65536)
        if not data:
            raise ApiError("the Runtime API has closed the connection")
        return data
