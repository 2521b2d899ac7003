/* reply - answers: what is said around a body, and sending it. */
#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include "base/clock.h"
#include "http/internal.h"

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Payload Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Requested Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Entity"},
    {424, "Failed Dependency"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

const char *http_reason(int status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}

struct str http_header_get(const struct http_request *req, const char *name)
{
    struct str wanted = str_from(name);
    for (size_t i = 0; i < req->n_headers; i++)
        if (str_eq_nocase(req->headers[i].name, wanted))
            return req->headers[i].value;
    return (struct str){0};
}

static struct str date_now(struct http_server *s)
{
    int64_t now_s = clock_now_ms() / 1000;
    if (now_s != s->date_s) {
        auto_arena struct arena a;
        arena_init(&a);
        struct str date = clock_http_date(&a, now_s * 1000);
        memcpy(s->date, date.p, date.n);
        s->date_s = now_s;
    }
    return str_of(s->date, 29);
}

/* Text of clients finds its way into headers: it must not begin new ones. */
static void add_header(struct buf *b, struct str name, struct str value)
{
    buf_str(b, name);
    buf_add(b, ": ", 2);
    size_t from = b->n;
    buf_str(b, value);
    for (size_t i = from; i < b->n; i++)
        if (((uint8_t)b->p[i] < 0x20 && b->p[i] != '\t') || b->p[i] == 0x7f)
            b->p[i] = ' ';
    buf_add(b, "\r\n", 2);
}

static bool is_head(const struct exchange *ex)
{
    return str_eq(ex->req.method, S("HEAD"));
}

/* Statuses whose answers never have a body (RFC 9110, 6.4.1). */
static bool is_bodyless(int status)
{
    return status < 200 || status == 204 || status == 304;
}

static void write_head(struct exchange *ex, const struct http_header *headers, size_t n)
{
    struct buf *b = &ex->out;
    struct str length = {0};
    bool date = false;
    buf_text(b, "HTTP/1.1 ");
    buf_int(b, ex->status);
    buf_byte(b, ' ');
    buf_text(b, http_reason(ex->status));
    buf_text(b, "\r\n");
    for (size_t i = 0; i < n; i++) {
        struct str name = headers[i].name;
        if (str_eq_nocase(name, S("content-length"))) {
            length = headers[i].value;
            continue;
        }
        if (str_eq_nocase(name, S("connection")) || str_eq_nocase(name, S("transfer-encoding")))
            continue;
        date = date || str_eq_nocase(name, S("date"));
        add_header(b, name, headers[i].value);
    }
    if (!date)
        add_header(b, S("Date"), date_now(ex->req.server));
    if (!ex->keep_alive)
        buf_text(b, "Connection: close\r\n");
    else if (ex->req.minor == 0)
        buf_text(b, "Connection: keep-alive\r\n");
    if (ex->streaming && !is_bodyless(ex->status)) {
        if (ex->req.minor > 0)
            buf_text(b, "Transfer-Encoding: chunked\r\n");
    } else if (is_head(ex) && str_has(length) && !ex->reply.has) {
        add_header(b, S("Content-Length"), length);
    } else if (!is_bodyless(ex->status)) {
        buf_text(b, "Content-Length: ");
        buf_int(b, ex->reply.has ? ex->reply.size : 0);
        buf_text(b, "\r\n");
    }
    buf_text(b, "\r\n");
}

static void reply_close_fd(struct exchange *ex)
{
    if (ex->reply.has && ex->reply.in_file && ex->reply.fd >= 0 && ex->reply.fd != ex->req.body.fd)
        close(ex->reply.fd);
    ex->reply = (struct body){.fd = -1};
}

void reply_reset(struct exchange *ex)
{
    reply_close_fd(ex);
    buf_clear(&ex->out);
    ex->out_sent = 0;
    ex->reply_sent = 0;
    ex->replied = ex->streaming = ex->ended = false;
}

static void reply_begin(struct exchange *ex, int status, const struct http_header *headers,
                        size_t n)
{
    ex->replied = true;
    ex->status = status;
    struct conn *c = ex->conn;
    if (c && (c->state == CONN_HEAD || c->state == CONN_BODY)) {
        ex->keep_alive = false; /* what is still to come is not read */
        ex->refused = c->state == CONN_BODY;
    }
    if (c && c->listener->stopping)
        ex->keep_alive = false;
    if (ex->streaming && ex->req.minor == 0)
        ex->keep_alive = false; /* its end is the end of the connection */
    write_head(ex, headers, n);
    if (is_head(ex) || is_bodyless(status))
        reply_close_fd(ex);
    exchange_later(ex);
}

void http_reply(struct http_request *req, int status, const struct http_header *headers, size_t n,
                struct body body)
{
    struct exchange *ex = (struct exchange *)req;
    if (ex->replied)
        abort(); /* two answers to one request: a bug that must not go on */
    ex->reply = body;
    if (!body.in_file)
        ex->reply.size = (int64_t)body.mem.n;
    reply_begin(ex, status, headers, n);
}

void reply_status(struct exchange *ex, int status)
{
    http_reply(&ex->req, status, NULL, 0, (struct body){.fd = -1});
}

void http_reply_start(struct http_request *req, int status, const struct http_header *headers,
                      size_t n)
{
    struct exchange *ex = (struct exchange *)req;
    if (ex->replied)
        abort();
    ex->streaming = true;
    ex->reply = (struct body){.fd = -1};
    reply_begin(ex, status, headers, n);
}

bool http_write(struct http_request *req, struct str data)
{
    struct exchange *ex = (struct exchange *)req;
    if (!ex->streaming || ex->ended)
        abort();
    if (!ex->conn)
        return true; /* nobody listens; http_end() comes all the same */
    if (data.n && !is_head(ex) && !is_bodyless(ex->status)) {
        if (ex->out_sent >= STREAM_HIGH) { /* a reader that is never quite done */
            buf_drop(&ex->out, ex->out_sent);
            ex->out_sent = 0;
        }
        if (req->minor > 0)
            buf_printf(&ex->out, "%zx\r\n", data.n);
        buf_str(&ex->out, data);
        if (req->minor > 0)
            buf_add(&ex->out, "\r\n", 2);
        exchange_later(ex);
    }
    ex->drain_wanted = ex->out.n - ex->out_sent > STREAM_HIGH;
    return !ex->drain_wanted;
}

void http_end(struct http_request *req)
{
    struct exchange *ex = (struct exchange *)req;
    if (!ex->streaming || ex->ended)
        abort();
    ex->ended = true;
    if (req->minor > 0 && !is_head(ex) && !is_bodyless(ex->status))
        buf_text(&ex->out, "0\r\n\r\n");
    exchange_later(ex);
}

void http_abort(struct http_request *req)
{
    struct exchange *ex = (struct exchange *)req;
    struct conn *c = ex->conn;
    exchange_end(ex, false);
    if (c)
        conn_close(c);
}

void http_reply_may_wait(struct http_request *req)
{
    ((struct exchange *)req)->may_wait = true;
}

bool reply_hold(struct exchange *ex)
{
    struct conn *c = ex->conn;
    if (!ex->may_wait || ex->streaming || !ex->keep_alive || c->peer_closed ||
        c->listener->stopping || (ex->reply.has && ex->reply.in_file))
        return false;
    size_t body_n = ex->reply.has ? ex->reply.mem.n : 0;
    char *room = buf_room(&c->held, ex->out.n + body_n);
    if (!room) {
        c->held.failed = false;
        return false;
    }
    memcpy(room, ex->out.p, ex->out.n);
    if (body_n)
        memcpy(room + ex->out.n, ex->reply.mem.p, body_n);
    c->held.n += ex->out.n + body_n;
    conn_answered(c);
    return true;
}

/* One piece to the socket: 1 there may be more room, 0 all is sent, -errno. */
static int send_piece(struct exchange *ex)
{
    struct conn *c = ex->conn;
    struct iovec iov[3];
    struct msghdr msg = {.msg_iov = iov};
    if (c->held.n)
        iov[msg.msg_iovlen++] = (struct iovec){c->held.p, c->held.n};
    if (ex->out_sent < ex->out.n)
        iov[msg.msg_iovlen++] = (struct iovec){ex->out.p + ex->out_sent, ex->out.n - ex->out_sent};
    int64_t left = ex->reply.has ? ex->reply.size - ex->reply_sent : 0;
    if (left > 0 && !ex->reply.in_file)
        iov[msg.msg_iovlen++] =
            (struct iovec){(char *)ex->reply.mem.p + ex->reply_sent, (size_t)left};
    ssize_t n;
    if (msg.msg_iovlen) {
        int more = left > 0 && ex->reply.in_file ? MSG_MORE : 0;
        n = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT | more);
    } else if (left > 0) {
        off_t at = ex->reply.offset + ex->reply_sent;
        n = sendfile(c->fd, ex->reply.fd, &at, left < (1 << 20) ? (size_t)left : 1 << 20);
        if (n == 0)
            return -EIO; /* the file became shorter than was promised */
    } else {
        return 0;
    }
    if (n < 0)
        return errno == EINTR ? 1 : -errno;
    if (c->held.n) {
        size_t of_held = (size_t)n < c->held.n ? (size_t)n : c->held.n;
        buf_drop(&c->held, of_held);
        n -= (ssize_t)of_held;
    }
    size_t of_out = (size_t)n < ex->out.n - ex->out_sent ? (size_t)n : ex->out.n - ex->out_sent;
    ex->out_sent += of_out;
    ex->reply_sent += n - (int64_t)of_out;
    return 1;
}

void reply_flush(struct exchange *ex)
{
    struct conn *c = ex->conn;
    int r = 1;
    /* Several pieces a turn, but not without end: other connections have a turn as well. */
    for (int pieces = 0; r > 0 && pieces < 8; pieces++)
        r = send_piece(ex);
    if (r < 0 && r != -EAGAIN) {
        exchange_end(ex, false);
        conn_close(c);
        return;
    }
    c->deadline_ms = (int64_t)uv_now(c->server->loop) + c->server->options.stall_ms;
    if (r != 0) {
        conn_watch(c, true);
        return;
    }
    if (!ex->streaming || ex->ended) {
        conn_answered(c);
        return;
    }
    buf_clear(&ex->out);
    ex->out_sent = 0;
    c->deadline_ms = 0; /* it is the handler who is slow */
    conn_watch(c, false);
    if (ex->drain_wanted) {
        ex->drain_wanted = false;
        if (ex->req.on_drain)
            ex->req.on_drain(&ex->req);
    }
}
