/* conn - see conn.h. */
#include "conn.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/clock.h"
#include "resolve.h"
#include "tls.h"

int64_t conn_now_ms(void)
{
    return clock_mono_ns() / 1000000;
}

void conn_init(struct conn *c, const struct endpoint *to)
{
    *c = (struct conn){.to = *to, .fd = -1, .connect_max_ms = 1000};
    buf_init(&c->in, REPLY_HEAD_MAX + 2 * REPLY_BODY_MAX);
}

void conn_close(struct conn *c)
{
    tls_free(c->tls);
    c->tls = NULL;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

void conn_done(struct conn *c)
{
    conn_close(c);
    buf_done(&c->in);
}

static int failed(struct conn *c, int error, const char *what)
{
    snprintf(c->why, sizeof(c->why), "%s: %s", what, strerror(-error));
    return error;
}

int conn_wait(int fd, short events, int64_t deadline_ms)
{
    for (;;) {
        int64_t left = deadline_ms == CONN_FOREVER ? -1 : deadline_ms - conn_now_ms();
        if (deadline_ms != CONN_FOREVER && left <= 0)
            return -ETIMEDOUT;
        struct pollfd p = {.fd = fd, .events = events};
        int n = poll(&p, 1, left > INT32_MAX ? INT32_MAX : (int)left);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -errno;
    }
}

/* ---- opening ---- */

static int connect_to(const struct resolved *address, int64_t deadline_ms, int *ret)
{
    int fd = socket(address->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    int r = 0;
    if (connect(fd, (const struct sockaddr *)&address->to, address->length) < 0) {
        r = errno == EINPROGRESS ? conn_wait(fd, POLLOUT, deadline_ms) : -errno;
        int error = 0;
        socklen_t n = sizeof(error);
        if (!r && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error)
            r = -error;
    }
    if (r < 0)
        close(fd);
    else
        *ret = fd;
    return r;
}

/* False: nobody listens there. */
static bool connect_local(const char *name, int *ret)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = strlen(name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    memcpy(to.sun_path + 1, name, n);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n);
    bool yes = connect(fd, (const struct sockaddr *)&to, size) == 0;
    if (yes)
        *ret = fd;
    else
        close(fd);
    return yes;
}

static int64_t sooner(int64_t deadline_ms, int64_t in_ms)
{
    int64_t then = conn_now_ms() + in_ms;
    return then < deadline_ms ? then : deadline_ms;
}

static int open_conn(struct conn *c, int64_t deadline_ms)
{
    struct resolved found[RESOLVED_MAX];
    char host[256];
    if (c->local && connect_local(c->local, &c->fd))
        return 0;
    snprintf(host, sizeof(host), "%.*s", STR(c->to.host));
    int n = resolve(host, c->to.port, deadline_ms, found);
    if (n < 0) {
        snprintf(c->why, sizeof(c->why), "name %s cannot be resolved%s", host,
                 n == -ETIMEDOUT ? " in time" : "");
        return n;
    }
    int r = -EHOSTUNREACH;
    for (int i = 0; i < n; i++) {
        r = connect_to(&found[i], sooner(deadline_ms, c->connect_max_ms), &c->fd);
        if (!r)
            break;
    }
    if (r < 0) {
        snprintf(c->why, sizeof(c->why), "connecting to %s port %u: %s", host, c->to.port,
                 strerror(-r));
        return r;
    }
    if (!c->to.tls)
        return 0;
    r = tls_open(c->fd, host, c->ca_file, deadline_ms, &c->tls, c->why, sizeof(c->why));
    if (r < 0)
        conn_close(c);
    return r;
}

/* ---- bytes ---- */

static int send_all(struct conn *c, struct str s, bool more, int64_t deadline_ms)
{
    while (s.n) {
        short wants = POLLOUT;
        ssize_t n = c->tls ? tls_write(c->tls, s, &wants)
                           : send(c->fd, s.p, s.n, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
        if (n < 0 && !c->tls)
            n = -errno;
        if (n == -EINTR)
            continue;
        if (n == -EAGAIN) {
            int r = conn_wait(c->fd, wants, deadline_ms);
            if (r < 0)
                return r;
            continue;
        }
        if (n < 0)
            return (int)n;
        s = str_slice(s, (size_t)n, s.n);
    }
    return 0;
}

/* Adds what comes to c->in: number of bytes, 0 at the end. */
static int receive(struct conn *c, int64_t deadline_ms)
{
    char *room = buf_room(&c->in, 4096);
    if (!room)
        return -EMSGSIZE;
    for (;;) {
        short wants = POLLIN;
        ssize_t n = c->tls ? tls_read(c->tls, room, 4096, &wants) : recv(c->fd, room, 4096, 0);
        if (n < 0 && !c->tls)
            n = -errno;
        if (n == -EINTR)
            continue;
        if (n == -EAGAIN) {
            int r = conn_wait(c->fd, wants, deadline_ms);
            if (r < 0)
                return r;
            continue;
        }
        if (n > 0)
            c->in.n += (size_t)n;
        return (int)n;
    }
}

/* The answer may be long in coming; what else comes is served meanwhile. */
static int wait_answer(struct conn *c, int64_t deadline_ms)
{
    while (c->on_other) {
        int64_t left = deadline_ms == CONN_FOREVER ? -1 : deadline_ms - conn_now_ms();
        if (deadline_ms != CONN_FOREVER && left <= 0)
            return -ETIMEDOUT;
        struct pollfd p[] = {{.fd = c->fd, .events = POLLIN},
                             {.fd = c->other_fd, .events = POLLIN}};
        if (poll(p, 2, left > INT32_MAX ? INT32_MAX : (int)left) < 0 && errno != EINTR)
            return -errno;
        if (p[0].revents)
            return 0;
        if (p[1].revents)
            c->on_other(c->other_user);
    }
    return conn_wait(c->fd, POLLIN, deadline_ms);
}

static int exchange(struct conn *c, struct str head, struct str body, int64_t deadline_ms,
                    struct reply *ret)
{
    buf_clear(&c->in);
    c->answered = false;
    int r = send_all(c, head, body.n > 0, deadline_ms);
    if (!r)
        r = send_all(c, body, false, deadline_ms);
    /* A server that refuses a body early has answered before it closed. */
    if (r == -ETIMEDOUT)
        return failed(c, r, "sending");
    int sent = r;
    for (bool first = true;; first = false) {
        r = 0;
        if (first && !c->tls && !sent) /* it is not there yet */
            r = wait_answer(c, deadline_ms);
        if (!r)
            r = receive(c, deadline_ms);
        if (r < 0)
            return failed(c, sent < 0 && !c->answered ? sent : r, "waiting for the answer");
        c->answered = c->answered || r > 0;
        int done = reply_parse(c->in.p, c->in.n, r == 0, ret);
        if (done < 0)
            return failed(c, done, "the answer");
        if (done)
            return 0;
        if (r == 0)
            return failed(c, -ECONNRESET, "the server closed the connection");
    }
}

/* ---- asking ---- */

/* Closed by the server while nobody looked, or too old to be trusted? */
static bool stale(const struct conn *c)
{
    char byte;
    if (!c->idle_max_ms) /* a neighbour of this machine: sending tells */
        return false;
    if (clock_now_ms() - c->used_ms > c->idle_max_ms)
        return true;
    ssize_t n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n > 0)
        return !c->tls; /* TLS has records of its own; nobody has asked a plain server for more */
    return n == 0 || (errno != EAGAIN && errno != EINTR);
}

int conn_ask(struct conn *c, struct str head, struct str body, int64_t deadline_ms,
             struct reply *ret)
{
    c->why[0] = 0;
    if (c->fd >= 0 && stale(c))
        conn_close(c);
    for (;;) {
        bool kept = c->fd >= 0;
        int r = kept ? 0 : open_conn(c, deadline_ms);
        if (r < 0)
            return r;
        r = exchange(c, head, body, deadline_ms, ret);
        if (r < 0) {
            conn_close(c);
            if (kept && !c->answered && r != -ETIMEDOUT && r != -EMSGSIZE)
                continue; /* it had died in its sleep; the new one is not kept: no loop */
            return r;
        }
        c->used_ms = clock_now_ms();
        if (!ret->keep_alive)
            conn_close(c);
        return 0;
    }
}
