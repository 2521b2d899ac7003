"""A proxy between `lamina bench` and the cloud: it sees each request that changes something, and can
end the program right before or right after one of them, or do something else at that moment."""

import http.client
import http.server
import re
import threading

CHANGES = re.compile(r"/2015-03-31/functions/[^/]+(/configuration|/versions)?(\?.*)?$")


class Proxy:
    """on_change(n, when): n counts from 1; when is "before" or "after" (not answered yet). When it
    returns "lost" before, the request does not reach the cloud."""

    def __init__(self, cloud, plain=False):
        """plain: what is behind it does not look like a Lamina, but like AWS."""
        self.plain = plain
        self.port, self.on_change, self.changes = cloud.port, None, []
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body go singly

            def handle_any(self):
                proxy.forward(self)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.server.shutdown()
        self.server.server_close()

    def reset(self, on_change=None):
        self.on_change, self.changes = on_change, []

    def tell(self, n, when):
        return self.on_change(n, when) if self.on_change else None

    def forward(self, h):
        body = h.rfile.read(int(h.headers.get("Content-Length", 0)))
        if self.plain and h.path.startswith("/_lamina/"):
            h.send_response_only(404)
            h.send_header("Content-Length", "0")
            h.end_headers()
            return
        changes = h.command != "GET" and CHANGES.match(h.path)
        n = 0
        if changes:
            self.changes.append((h.command, h.path))
            n = len(self.changes)
            if self.tell(n, "before") == "lost":
                h.close_connection = True
                return
        upstream = http.client.HTTPConnection("127.0.0.1", self.port)
        upstream.putrequest(h.command, h.path, skip_host=True, skip_accept_encoding=True)
        for name, value in h.headers.items():
            if name.lower() != "connection":
                upstream.putheader(name, value)
        upstream.endheaders(body)
        r = upstream.getresponse()
        answer = r.read()
        if changes:
            self.tell(n, "after")
        h.send_response_only(r.status)
        for name, value in r.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                h.send_header(name, value)
        h.send_header("Content-Length", str(len(answer)))
        upstream.close()
        try:
            h.end_headers()
            h.wfile.write(answer)
        except OSError:  # the program has been ended
            h.close_connection = True
