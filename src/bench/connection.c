/* connection - one socket of the generator: see connection.h. */
#include "bench/connection.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>
#include "base/clock.h"

#define TUNNEL_ANSWER_MAX (16 * 1024)

void connection_init(struct connection *c, struct connection_place *place)
{
    *c = (struct connection){.place = place, .fd = -1};
    answer_init(&c->answer);
}

void connection_close(struct connection *c)
{
    tls_free(c->tls);
    c->tls = NULL;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->state = CONNECTION_CLOSED;
}

void connection_done(struct connection *c)
{
    connection_close(c);
    answer_done(&c->answer);
}

void connection_abort(struct connection *c, const char *error, const char *why)
{
    snprintf(c->error, sizeof(c->error), "%s", error);
    snprintf(c->why, sizeof(c->why), "%s", why);
    c->done_ns = clock_mono_ns();
    connection_close(c);
}

static enum connection_event fail(struct connection *c, const char *error, const char *why)
{
    connection_abort(c, error, why);
    return CONNECTION_FAILED;
}

static enum connection_event fail_errno(struct connection *c, int r)
{
    const char *name = strerrorname_np(-r);
    if (r == -EPROTO && c->tls) {
        char why[sizeof(c->why)];
        snprintf(why, sizeof(why), "%s", tls_why(c->tls));
        return fail(c, "TLS", why);
    }
    return fail(c, name ? name : "EIO", strerror(-r));
}

/* ---- connecting ---- */

/* The next address that is not known to be dead; all of them when all are. */
static size_t pick_address(const struct connection *c, size_t from)
{
    const struct connection_place *p = c->place;
    for (size_t i = 0; i < p->address->n; i++) {
        size_t at = (from + i) % p->address->n;
        if (!(p->bad & 1u << at))
            return at;
    }
    return from % p->address->n;
}

static int dial(struct connection *c)
{
    const struct address_one *to = &c->place->address->list[c->at];
    const struct sockaddr *at = (const struct sockaddr *)&to->at;
    int one = 1;
    c->fd = socket(at->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return -errno;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    c->state = CONNECTION_CONNECTING;
    if (connect(c->fd, at, to->size) < 0 && errno != EINPROGRESS)
        return -errno;
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    return epoll_ctl(c->place->epoll, EPOLL_CTL_ADD, c->fd, &e) < 0 ? -errno : 0;
}

/* This address failed: the others are tried, then that is the error. */
static int dial_next(struct connection *c, int r)
{
    size_t n = c->place->address->n;
    while (r < 0) {
        connection_close(c);
        if (r != -EMFILE && r != -ENFILE && n > 1)
            c->place->bad |= 1u << c->at;
        if (++c->tried >= n || r == -EMFILE || r == -ENFILE)
            return r;
        c->at = (c->at + 1) % n;
        r = dial(c);
    }
    return 0;
}

void connection_start(struct connection *c)
{
    c->error[0] = 0;
    c->began_ns = clock_mono_ns();
    c->tried = 0;
    c->at = pick_address(c, c->at);
    int r = dial(c);
    if (r < 0)
        r = dial_next(c, r);
    if (r < 0)
        fail_errno(c, r);
}

bool connection_is_opening(const struct connection *c)
{
    return c->state >= CONNECTION_CONNECTING && c->state <= CONNECTION_HANDSHAKE;
}

static enum connection_event connected(struct connection *c)
{
    if (!c->place->tls) {
        c->state = CONNECTION_IDLE;
        return CONNECTION_READY;
    }
    c->tls = tls_new(c->place->tls, c->fd);
    c->state = CONNECTION_HANDSHAKE;
    return CONNECTION_NOTHING;
}

/* What follows the answer belongs to TLS: it is read byte by byte. */
static enum connection_event step_tunnel(struct connection *c)
{
    while (c->out[0].n) {
        ssize_t n = send(c->fd, c->out[0].p, c->out[0].n, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN ? CONNECTION_NOTHING : fail_errno(c, -errno);
        c->out[0] = str_slice(c->out[0], (size_t)n, c->out[0].n);
    }
    for (char byte;;) {
        ssize_t n = recv(c->fd, &byte, 1, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? CONNECTION_NOTHING : fail_errno(c, -errno);
        if (n == 0 || c->n_said > TUNNEL_ANSWER_MAX)
            return fail(c, "proxy", "the proxy ends without an answer to CONNECT");
        if (c->n_said < sizeof(c->said) - 1) {
            c->said[c->n_said] = byte == '\r' || byte == '\n' ? '\0' : byte;
            c->said[c->n_said + 1] = '\0';
        }
        c->n_said++;
        if (byte == '\n' && c->n_line == 0)
            break;
        c->n_line = byte == '\n' ? 0 : c->n_line + (byte != '\r');
    }
    if (strncmp(c->said, "HTTP/1.", 7) || strncmp(c->said + 8, " 2", 2)) {
        char why[sizeof(c->why)];
        snprintf(why, sizeof(why), "the proxy answers CONNECT with %s", c->said);
        return fail(c, "proxy", why);
    }
    return connected(c);
}

static enum connection_event step_connect(struct connection *c)
{
    int error = 0;
    socklen_t size = sizeof(error);
    struct tcp_info info;
    socklen_t info_size = sizeof(info);
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    if (error) {
        int r = dial_next(c, -error);
        return r < 0 ? fail_errno(c, r) : CONNECTION_NOTHING;
    }
    if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &info_size) == 0 &&
        info.tcpi_state == TCP_SYN_SENT)
        return CONNECTION_NOTHING;
    c->place->bad &= ~(1u << c->at);
    if (!c->place->tunnel.n)
        return connected(c);
    c->out[0] = c->place->tunnel;
    c->n_said = c->n_line = 0;
    c->state = CONNECTION_TUNNEL;
    return CONNECTION_NOTHING;
}

static enum connection_event step_handshake(struct connection *c)
{
    int r = tls_handshake(c->tls);
    if (r == -EAGAIN)
        return CONNECTION_NOTHING;
    if (r < 0)
        return fail_errno(c, r);
    c->state = CONNECTION_IDLE;
    return CONNECTION_READY;
}

/* ---- a request and its answer ---- */

static ssize_t write_some(struct connection *c)
{
    if (c->tls) {
        struct str *part = c->out[0].n ? &c->out[0] : &c->out[1];
        return tls_write(c->tls, part->p, part->n);
    }
    struct iovec parts[2] = {{(void *)(uintptr_t)c->out[0].p, c->out[0].n},
                             {(void *)(uintptr_t)c->out[1].p, c->out[1].n}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = c->out[1].n ? 2 : 1};
    ssize_t n = sendmsg(c->fd, &message, MSG_NOSIGNAL);
    return n < 0 ? -errno : n;
}

/* 0: all is sent. */
static int flush(struct connection *c)
{
    while (c->out[0].n || c->out[1].n) {
        ssize_t n = write_some(c);
        if (n < 0)
            return (int)n;
        c->bytes_out += n;
        size_t first = (size_t)n < c->out[0].n ? (size_t)n : c->out[0].n;
        c->out[0] = str_slice(c->out[0], first, c->out[0].n);
        c->out[1] = str_slice(c->out[1], (size_t)n - first, c->out[1].n);
    }
    return 0;
}

static ssize_t read_some(struct connection *c)
{
    ssize_t n = c->tls ? tls_read(c->tls, c->place->scratch, c->place->scratch_size)
                       : recv(c->fd, c->place->scratch, c->place->scratch_size, 0);
    return n < 0 && !c->tls ? -errno : n;
}

static enum connection_event answered(struct connection *c)
{
    c->done_ns = clock_mono_ns();
    /* An answer to half a request: what is left of it would be taken for the next. */
    if (!c->answer.keep_alive || c->out[0].n || c->out[1].n)
        connection_close(c);
    else
        c->state = CONNECTION_IDLE;
    return CONNECTION_ANSWERED;
}

static enum connection_event broken(struct connection *c, int r)
{
    if (r == 0) {
        bool begun = answer_begun(&c->answer);
        answer_end(&c->answer);
        if (c->answer.state == ANSWER_DONE)
            return answered(c);
        return fail(c, begun ? "truncated" : "closed", c->answer.bad);
    }
    if (answer_begun(&c->answer) && r == -ECONNRESET)
        return fail(c, "truncated", "the connection was reset within the answer");
    return fail_errno(c, r);
}

static enum connection_event take(struct connection *c, size_t n)
{
    size_t used = answer_feed(&c->answer, c->place->scratch, n);
    if (c->answer.state == ANSWER_BAD)
        return fail(c, "malformed", c->answer.bad);
    if (c->answer.state != ANSWER_DONE)
        return CONNECTION_NOTHING;
    if (used < n) /* bytes that nobody asked for */
        c->answer.keep_alive = false;
    return answered(c);
}

static enum connection_event step_read(struct connection *c)
{
    for (;;) {
        ssize_t n = read_some(c);
        if (n == -EAGAIN)
            return CONNECTION_NOTHING;
        if (n == -EINTR)
            continue;
        if (n <= 0)
            return broken(c, (int)n);
        if (!c->first_ns)
            c->first_ns = clock_mono_ns();
        c->bytes_in += n;
        if (c->bytes_in > CONNECTION_ANSWER_MAX)
            return fail(c, "malformed", "the answer does not end within 256 MiB");
        enum connection_event e = take(c, (size_t)n);
        if (e != CONNECTION_NOTHING)
            return e;
    }
}

static enum connection_event step_send(struct connection *c)
{
    int r = flush(c);
    if (r == 0)
        c->state = CONNECTION_WAITING;
    /* Who does not want the rest of a request may have answered before it closed. */
    enum connection_event e = r == 0 && !c->tls ? CONNECTION_NOTHING : step_read(c);
    if (e == CONNECTION_NOTHING && r < 0 && r != -EAGAIN)
        return fail_errno(c, r);
    return e;
}

/* Nothing may come while nothing was asked: an idle connection that is readable has ended. */
static enum connection_event step_idle(struct connection *c)
{
    ssize_t n = read_some(c);
    if (n == -EAGAIN || n == -EINTR)
        return CONNECTION_READY;
    connection_close(c);
    return CONNECTION_ENDED;
}

void connection_send(struct connection *c, struct str head, struct str body)
{
    c->out[0] = head;
    c->out[1] = body;
    c->error[0] = 0;
    c->first_ns = c->done_ns = c->bytes_in = c->bytes_out = 0;
    answer_reset(&c->answer);
    c->state = CONNECTION_SENDING;
    c->sent_ns = clock_mono_ns();
}

enum connection_event connection_step(struct connection *c)
{
    enum connection_event e = CONNECTION_NOTHING;
    if (c->state == CONNECTION_CONNECTING)
        e = step_connect(c);
    if (c->state == CONNECTION_TUNNEL)
        e = step_tunnel(c);
    if (c->state == CONNECTION_HANDSHAKE)
        e = step_handshake(c);
    else if (c->state == CONNECTION_IDLE && e == CONNECTION_NOTHING)
        e = step_idle(c);
    else if (c->state == CONNECTION_SENDING)
        e = step_send(c);
    else if (c->state == CONNECTION_WAITING)
        e = step_read(c);
    return e;
}
