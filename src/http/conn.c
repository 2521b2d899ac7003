/* conn - a connection: bytes in, requests out (the states are drawn in internal.h). */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"
#include "http/internal.h"

#define LINGER_MS 2000

static void conn_event(uv_poll_t *poll, int status, int events);

static void set_deadline(struct conn *c, int ms)
{
    c->deadline_ms = (int64_t)uv_now(c->server->loop) + ms;
}

static void conn_freed(uv_handle_t *handle)
{
    struct conn *c = (struct conn *)handle;
    struct http_server *s = c->server;
    free(c);
    if (--s->handles == 0 && s->freeing)
        server_gone(s);
}

/* The exchange, if any, must have been ended or detached. */
void conn_close(struct conn *c)
{
    if (c->closed)
        return;
    c->closed = true;
    uv_poll_stop(&c->poll);
    close(c->fd);
    list_remove(&c->link);
    buf_done(&c->held);
    buf_done(&c->in);
    c->server->n_conns--;
    c->listener->n_conns--;
    listeners_resume(c->server);
    uv_close((uv_handle_t *)&c->poll, conn_freed);
}

/* The client has left, or is made to. */
void conn_gone(struct conn *c)
{
    struct exchange *ex = c->ex;
    bool with_handler = c->state == CONN_PENDING || c->state == CONN_SENDING;
    c->ex = NULL;
    if (ex)
        ex->conn = NULL;
    conn_close(c);
    if (!ex)
        return;
    if (!ex->replied && ex->req.on_gone) {
        void (*on_gone)(struct http_request *) = ex->req.on_gone;
        ex->req.on_done = NULL;
        on_gone(&ex->req);
        exchange_end(ex, false);
    } else if (ex->replied ? !ex->streaming || ex->ended || ex->req.on_done : !with_handler) {
        exchange_end(ex, false);
    }
    /* Otherwise somebody still holds it, and ends it by http_reply() or http_end(). */
}

void conn_watch(struct conn *c, bool writable)
{
    int events = writable ? UV_WRITABLE : 0;
    if (!c->peer_closed && !c->paused) {
        bool answering = c->state == CONN_PENDING || c->state == CONN_SENDING;
        if (!c->peer_wrote_all)
            events |= UV_DISCONNECT;
        if (!answering || c->in.n < READ_SIZE)
            events |= UV_READABLE;
    }
    if (events == c->events)
        return;
    c->events = events;
    if (events)
        uv_poll_start(&c->poll, events, conn_event);
    else
        uv_poll_stop(&c->poll);
}

/* Answers without having read everything. */
static void refuse(struct conn *c, int status)
{
    struct exchange *ex = c->ex;
    ex->keep_alive = false;
    ex->refused = true;
    c->state = CONN_PENDING;
    c->deadline_ms = 0;
    if (c->listener->options.on_refuse && ex->req.method.n)
        c->listener->options.on_refuse(&ex->req, status);
    if (!ex->replied)
        reply_status(ex, status);
}

static int spool_write(struct exchange *ex, struct str data)
{
    struct http_listener *l = ex->conn->listener;
    if (l->options.max_spooled && (int64_t)data.n > l->options.max_spooled - l->spooled)
        return -EDQUOT;
    l->spooled += (int64_t)data.n;
    ex->spooled += (int64_t)data.n;
    return fs_write_all(ex->req.body.fd, data.p, data.n);
}

static int spool_open(struct exchange *ex)
{
    const char *dir = ex->conn->listener->options.spool_dir;
    struct str path =
        str_printf(ex->req.arena, "%s/body-%.*s", dir, STR(random_hex(ex->req.arena, 24)));
    int fd = open(path.p, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    ex->req.body.fd = fd;
    ex->req.body_path = path.p;
    int r = spool_write(ex, buf_view(&ex->body));
    buf_done(&ex->body);
    return r;
}

/* 0, or the status to refuse the request with. */
static int body_add(struct exchange *ex, struct str data)
{
    if ((int64_t)data.n > ex->req.max_body - ex->body_n)
        return 413;
    ex->body_n += (int64_t)data.n;
    if (ex->req.on_data) {
        ex->req.on_data(&ex->req, data);
        return 0;
    }
    int r = 0;
    if (ex->req.body.fd < 0 && ex->conn->listener->options.spool_dir &&
        ex->body_n > HTTP_BODY_MEMORY)
        r = spool_open(ex);
    if (r == 0 && ex->req.body.fd >= 0)
        r = spool_write(ex, data);
    else if (r == 0)
        buf_str(&ex->body, data);
    return r == 0 ? 0 : r == -ENOSPC || r == -EDQUOT ? 507 : 500;
}

static void body_complete(struct conn *c)
{
    struct exchange *ex = c->ex;
    c->state = CONN_PENDING;
    c->deadline_ms = 0;
    c->paused = false;
    if (ex->trailers.n)
        http_trailers_parse(buf_view(&ex->trailers), ex->req.arena, &ex->req.trailers,
                            &ex->req.n_trailers);
    if (ex->req.on_data)
        ex->req.body = (struct body){.has = true, .fd = -1, .size = ex->body_n, .mem = S("")};
    else if (ex->req.body.fd >= 0)
        ex->req.body = body_file(ex->req.body.fd, 0, ex->body_n);
    else if (ex->has_body)
        ex->req.body = body_mem(buf_view(&ex->body));
    c->listener->options.on_request(&ex->req);
}

/* False: more input is needed, or nothing more is wanted. */
static bool step_body(struct conn *c)
{
    struct exchange *ex = c->ex;
    struct str in = buf_view(&c->in), data;
    bool complete = false;
    int r, status = 0;
    if (ex->req.content_length >= 0) {
        int64_t left = ex->req.content_length - ex->body_n;
        data = str_slice(in, 0, (uint64_t)left < in.n ? (size_t)left : in.n);
        in = str_slice(in, data.n, in.n);
        status = data.n ? body_add(ex, data) : 0;
        complete = ex->body_n == ex->req.content_length;
    } else {
        do {
            r = http_chunks_next(&ex->chunks, &in, &data);
            if (data.n)
                status = body_add(ex, data);
        } while (r > 0 && !status && !c->paused && !c->closed && !ex->replied);
        if (r < 0)
            status = 400;
        complete = ex->chunks.state == CHUNK_DONE;
    }
    if (c->closed)
        return false;
    bool progress = in.n < c->in.n;
    buf_drop(&c->in, c->in.n - in.n);
    if (ex->replied) { /* on_data has seen enough */
        ex->refused = !complete;
        c->state = CONN_PENDING;
        c->deadline_ms = 0;
        return false;
    }
    if (status) {
        refuse(c, status);
        return false;
    }
    if (complete)
        body_complete(c);
    else if (c->paused)
        c->deadline_ms = 0; /* it is the handler who is slow */
    else if (progress)
        set_deadline(c, c->server->options.stall_ms);
    return complete;
}

static void fill_request(struct conn *c, struct exchange *ex, const struct http_head *head)
{
    struct http_request *req = &ex->req;
    req->method = head->method;
    req->target = head->target;
    req->path = head->path;
    req->query = head->query;
    req->headers = head->headers;
    req->n_headers = head->n_headers;
    req->minor = head->minor;
    req->content_length = head->content_length;
    ex->keep_alive = head->keep_alive;
    ex->has_body = head->has_body;
    ex->chunks.trailers = &ex->trailers;
    if (head->has_body && head->content_length > 0 && head->content_length <= HTTP_BODY_MEMORY &&
        head->content_length <= req->max_body && c->in.n < (size_t)head->content_length)
        (void)buf_room(&ex->body, (size_t)head->content_length);
}

static bool head_complete(struct conn *c, struct str text)
{
    struct exchange *ex = exchange_new(c);
    struct http_head head;
    text = str_copy(ex->req.arena, text);
    int status = http_head_parse(text, ex->req.arena, &head);
    buf_drop(&c->in, text.n);
    c->scanned = 0;
    if (status) {
        refuse(c, status);
        return false;
    }
    fill_request(c, ex, &head);
    c->state = CONN_BODY;
    set_deadline(c, c->server->options.stall_ms);
    if (c->listener->options.on_head) {
        c->listener->options.on_head(&ex->req);
        if (c->closed)
            return false;
        if (ex->replied) {
            ex->refused = head.has_body;
            c->state = CONN_PENDING;
            c->deadline_ms = 0;
            return false;
        }
    }
    if (ex->req.content_length > ex->req.max_body) {
        refuse(c, 413);
        return false;
    }
    /* Also for an empty body: botocore takes a final answer that comes instead for the answer to
     * the connection's next request as well. */
    if (head.expect_continue && head.has_body && c->in.n == 0) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        ssize_t sent = c->held.n ? send(c->fd, c->held.p, c->held.n, MSG_NOSIGNAL | MSG_DONTWAIT)
                                 : 0; /* the answer before it comes first */
        if (sent > 0)
            buf_drop(&c->held, (size_t)sent);
        if (c->held.n == 0)
            sent = send(c->fd, go_on, sizeof(go_on) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN) {
            conn_gone(c);
            return false;
        }
    }
    if (!head.has_body || head.content_length == 0)
        body_complete(c);
    return true;
}

static bool step_head(struct conn *c)
{
    while (c->scanned == 0 && str_starts(buf_view(&c->in), S("\r\n")))
        buf_drop(&c->in, 2); /* RFC 9112, 2.2: some clients end a body with one too many */
    struct str in = buf_view(&c->in);
    size_t n = 0;
    if (in.n == 0 || (in.n == 1 && in.p[0] == '\r'))
        return false;
    if (c->scanned == 0)
        set_deadline(c, c->server->options.head_ms);
    int r = http_head_end(in, &c->scanned, &n);
    if (r < 0 || n > HTTP_HEAD_MAX || (r == 0 && in.n > HTTP_HEAD_MAX)) {
        exchange_new(c);
        refuse(c, r < 0 ? 400 : 431);
        return false;
    }
    return r > 0 && head_complete(c, str_slice(in, 0, n));
}

static void conn_process(struct conn *c);

void http_pause(struct http_request *req)
{
    struct conn *c = ((struct exchange *)req)->conn;
    if (!c || c->state != CONN_BODY)
        return;
    c->paused = true;
    if (!c->processing)
        conn_watch(c, false);
}

void http_resume(struct http_request *req)
{
    struct conn *c = ((struct exchange *)req)->conn;
    if (!c || !c->paused)
        return;
    c->paused = false;
    if (c->processing)
        return;
    set_deadline(c, c->server->options.stall_ms);
    conn_process(c);
}

static void conn_process(struct conn *c)
{
    if (c->processing)
        return;
    c->processing = true;
    bool more = true;
    while (more && !c->closed) {
        if (c->state == CONN_HEAD)
            more = !c->listener->stopping && step_head(c);
        else if (c->state == CONN_BODY)
            more = !c->paused && step_body(c);
        else
            more = false;
    }
    c->processing = false;
    if (c->closed)
        return;
    /* What came before the client closed its half is answered, if that is possible at once. */
    if (c->peer_closed && !(c->ex && c->ex->replied)) {
        conn_gone(c);
        return;
    }
    if (c->in.n == 0)
        server_give_buf(c->server, &c->in); /* thousands of idle connections hold no memory */
    conn_watch(c, false);
}

/* The answer has left whole. */
void conn_answered(struct conn *c)
{
    bool keep = c->ex->keep_alive && !c->listener->stopping && (!c->peer_closed || c->in.n);
    struct exchange *ex = c->ex;
    bool unread = ex->refused || c->in.n;
    c->paused = false;
    c->ex = NULL;
    ex->conn = NULL;
    c->state = keep ? CONN_HEAD : CONN_LINGER;
    exchange_end(ex, true);
    if (c->closed)
        return;
    if (keep) {
        set_deadline(c, c->server->options.idle_ms);
        conn_process(c);
        return;
    }
    if (c->peer_closed || !unread || shutdown(c->fd, SHUT_WR) < 0) {
        conn_close(c);
        return;
    }
    /* Closing while input is unread would reset the connection and take the answer with it. */
    buf_done(&c->in);
    set_deadline(c, LINGER_MS);
    conn_watch(c, false);
}

static void peer_closed(struct conn *c)
{
    c->peer_closed = true;
    bool answered = c->ex && c->ex->replied;
    if ((c->state == CONN_PENDING || c->state == CONN_SENDING) && answered)
        conn_watch(c, c->events & UV_WRITABLE); /* it may only have closed its half */
    else
        conn_gone(c);
}

/* A client that writes head and body apart, with Nagle's algorithm on, sends the second when the
 * first is acknowledged: the kernel would take 40 ms for that. */
static void acknowledge(struct conn *c)
{
    int one = 1;
    if (c->state == CONN_BODY || (c->state == CONN_HEAD && c->in.n > 0))
        setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
}

static void conn_input(struct conn *c)
{
    for (int pieces = 0; pieces < 16 && !c->closed && !c->paused; pieces++) {
        bool answering = c->state == CONN_PENDING || c->state == CONN_SENDING;
        if (answering && c->in.n >= READ_SIZE)
            break;
        ssize_t n = recv(c->fd, c->server->scratch, READ_SIZE, MSG_DONTWAIT);
        if (n == 0) {
            peer_closed(c);
            return;
        }
        if (n < 0) {
            if (errno == EINTR)
                continue;
            if (errno != EAGAIN)
                conn_gone(c);
            break;
        }
        if (c->state == CONN_LINGER)
            continue;
        server_take_buf(c->server, &c->in);
        buf_add(&c->in, c->server->scratch, (size_t)n);
        if (!answering)
            conn_process(c);
        if (n < READ_SIZE)
            break;
    }
    if (!c->closed) {
        acknowledge(c);
        conn_watch(c, c->events & UV_WRITABLE);
    }
}

/* To the end of what is there, be it the end of all. */
void conn_read(struct conn *c)
{
    char byte;
    for (int rounds = 0; rounds < 64; rounds++) {
        if (c->closed || c->peer_closed || c->paused || c->processing)
            return;
        size_t before = c->in.n;
        if (recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
            return;
        conn_input(c);
        if (!c->closed && c->in.n == before && c->in.n >= READ_SIZE)
            return; /* enough is waiting already */
    }
}

static void conn_event(uv_poll_t *poll, int status, int events)
{
    struct conn *c = (struct conn *)poll;
    if (c->closed)
        return;
    if (status < 0) {
        conn_gone(c);
        return;
    }
    if ((events & UV_WRITABLE) && c->state == CONN_SENDING)
        reply_flush(c->ex);
    if (c->closed)
        return;
    if (events & UV_READABLE) {
        conn_input(c);
    } else if ((events & UV_DISCONNECT) && c->ex && c->ex->replied) {
        c->peer_wrote_all = true; /* there may be more to read when what is here is answered */
        conn_watch(c, c->events & UV_WRITABLE);
    } else if ((events & UV_DISCONNECT) && !c->peer_closed) {
        peer_closed(c);
    }
}

void conn_timeout(struct conn *c)
{
    static const char late[] = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
                               "Content-Length: 0\r\n\r\n";
    if ((c->state == CONN_HEAD && c->in.n) || c->state == CONN_BODY)
        (void)!send(c->fd, late, sizeof(late) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    conn_gone(c);
}

void conn_open(struct http_listener *l, int fd, const char *peer)
{
    struct http_server *s = l->server;
    struct conn *c = MEM_NEW(struct conn);
    c->fd = fd;
    c->server = s;
    c->listener = l;
    snprintf(c->peer, sizeof(c->peer), "%s", peer);
    buf_init(&c->in, HTTP_HEAD_MAX + 4 * READ_SIZE);
    buf_init(&c->held, HELD_MAX);
    if (uv_poll_init_socket(s->loop, &c->poll, fd) < 0) {
        close(fd);
        free(c);
        return;
    }
    s->handles++;
    s->n_conns++;
    l->n_conns++;
    list_append(&l->conns, &c->link);
    set_deadline(c, s->options.idle_ms);
    conn_watch(c, false);
}
