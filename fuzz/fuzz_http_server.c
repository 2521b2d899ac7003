/* fuzz_http_server - any bytes over a socket, cut anywhere: the server answers in HTTP or closes,
 * forgets nothing, and never waits for what cannot come. The first byte says where to cut. */
#include <sys/socket.h>
#include "http/internal.h"

static uv_loop_t loop;
static struct http_server *server;
static struct http_listener *listener;

static void on_request(struct http_request *req)
{
    http_reply(req, 200, req->headers, req->n_headers, req->body);
}

static void start(void)
{
    int fd =
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); /* never listens: we bring connections */
    struct http_listener_options options = {
        .fd = fd, .max_body = 1000, .spool_dir = "/tmp", .on_request = on_request};
    uv_loop_init(&loop);
    server = http_server_new(&loop, NULL);
    if (fd < 0 || http_listen(server, &options, &listener) < 0)
        abort();
    uv_poll_stop(&listener->poll);
}

static void drain(int fd, struct buf *out)
{
    char chunk[4096];
    ssize_t n;
    while ((n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT)) > 0)
        buf_add(out, chunk, (size_t)n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int pair[2];
    if (!server)
        start();
    if (size < 1 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
        return 0;
    size_t step = data[0] < 128 ? data[0] + 1u : SIZE_MAX / 2;
    auto_buf struct buf out;
    buf_init(&out, SIZE_MAX / 2);
    conn_open(listener, pair[0], "");
    for (size_t at = 1; at < size;) {
        size_t n = size - at < step ? size - at : step;
        if (send(pair[1], data + at, n, MSG_NOSIGNAL) < 0)
            break;
        at += n;
        uv_run(&loop, UV_RUN_NOWAIT);
        drain(pair[1], &out);
    }
    shutdown(pair[1], SHUT_WR);
    for (int i = 0; i < 8; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    drain(pair[1], &out);
    close(pair[1]);
    for (int i = 0; i < 4; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    if (out.n && !str_starts(buf_view(&out), S("HTTP/1.1 ")))
        abort();
    if (server->n_conns || !list_empty(&server->live) || !list_empty(&server->dead))
        abort();
    return 0;
}
