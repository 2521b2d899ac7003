/* telemetry_send - see telemetry_send.h. */
#include "service/lambda/telemetry_send.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/mem.h"
#include "sandbox/sandbox.h"

#define SEND_LIMIT_MS 5000
#define TRIES 6
#define REST_MS 50 /* doubled with each try */
#define ANSWER_MAX (64 * 1024)

enum send_state { IDLE, ASKED, CONNECTING, WRITING, READING, RESTING };

/* A connection: libuv's handle outlives it by a turn. */
struct wire {
    uv_poll_t poll;
    struct sender *sender; /* NULL: it is being closed */
    int fd;
    int events;
};

struct sender {
    struct sender_options to;
    enum send_state state;
    bool frozen, late, freed; /* late: the timer came while it was frozen */
    int tries;
    bool reused; /* the connection had been used before this batch */
    struct wire *wire;
    struct buf head, body, answer;
    size_t written;
    int64_t left; /* of the answer's body */
    int status;
    uv_timer_t timer;
};

static void on_timer(uv_timer_t *timer);
static void on_ready(uv_poll_t *poll, int status, int events);

struct sender *sender_new(const struct sender_options *options)
{
    struct sender *s = MEM_NEW(struct sender);
    s->to = *options;
    buf_init(&s->head, 8192);
    buf_init(&s->body, 8 << 20);
    buf_init(&s->answer, ANSWER_MAX);
    uv_timer_init(options->loop, &s->timer);
    uv_unref((uv_handle_t *)&s->timer);
    s->timer.data = s;
    return s;
}

static void wire_closed(uv_handle_t *handle)
{
    struct wire *w = handle->data;
    close(w->fd);
    free(w);
}

static void hang_up(struct sender *s)
{
    if (!s->wire)
        return;
    s->wire->sender = NULL;
    uv_close((uv_handle_t *)&s->wire->poll, wire_closed);
    s->wire = NULL;
}

static void timer_closed(uv_handle_t *handle)
{
    struct sender *s = handle->data;
    buf_done(&s->head);
    buf_done(&s->body);
    buf_done(&s->answer);
    free(s);
}

void sender_free(struct sender *s)
{
    if (!s || s->freed)
        return;
    s->freed = true;
    hang_up(s);
    uv_close((uv_handle_t *)&s->timer, timer_closed);
}

bool sender_busy(const struct sender *s)
{
    return s->state != IDLE;
}

bool sender_asks(const struct sender *s)
{
    return s->state == ASKED;
}

static void watch(struct sender *s, int events)
{
    if (s->wire->events == events)
        return;
    s->wire->events = events;
    uv_poll_start(&s->wire->poll, events, on_ready);
}

static void finish(struct sender *s, int error)
{
    uv_timer_stop(&s->timer);
    s->state = IDLE;
    buf_clear(&s->body);
    if (s->body.cap > 65536) { /* it may be long until the next one */
        buf_done(&s->body);
        buf_init(&s->body, 8 << 20);
    }
    if (error)
        hang_up(s);
    s->to.done(s->to.user, error, s->status);
}

static void ask(struct sender *s)
{
    s->state = ASKED;
    uv_timer_start(&s->timer, on_timer, SEND_LIMIT_MS, 0);
    int r = s->to.ask(s->to.user);
    if (r < 0)
        finish(s, r);
}

/* Nobody listens yet, or any more: again after a while. */
static void try_again(struct sender *s, int error)
{
    bool at_once = s->reused; /* it had closed what it did not need */
    hang_up(s);
    s->reused = false;
    buf_clear(&s->answer);
    if (at_once) {
        ask(s);
    } else if (++s->tries == TRIES) {
        finish(s, error);
    } else {
        s->state = RESTING;
        uv_timer_start(&s->timer, on_timer, (uint64_t)REST_MS << (s->tries - 1), 0);
    }
}

/* ---- writing ---- */

static void begin_reading(struct sender *s)
{
    s->state = READING;
    s->status = 0;
    s->left = -1;
    buf_clear(&s->answer);
    watch(s, UV_READABLE);
}

static void write_on(struct sender *s)
{
    while (s->written < s->head.n + s->body.n) {
        bool in_head = s->written < s->head.n;
        const char *p = in_head ? s->head.p + s->written : s->body.p + (s->written - s->head.n);
        size_t n = in_head ? s->head.n - s->written : s->head.n + s->body.n - s->written;
        ssize_t w = send(s->wire->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0 && errno == EAGAIN) {
            watch(s, UV_WRITABLE);
            return;
        }
        if (w < 0) {
            try_again(s, -errno);
            return;
        }
        s->written += (size_t)w;
        uv_timer_start(&s->timer, on_timer, SEND_LIMIT_MS, 0);
    }
    if (s->to.tcp) {
        watch(s, UV_READABLE); /* only to see it end */
        finish(s, 0);
    } else {
        begin_reading(s);
    }
}

static void begin_writing(struct sender *s)
{
    s->state = WRITING;
    s->written = 0;
    buf_clear(&s->head);
    if (!s->to.tcp)
        buf_printf(&s->head,
                   "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   s->to.method, s->to.path, s->to.host, s->body.n);
    uv_timer_start(&s->timer, on_timer, SEND_LIMIT_MS, 0);
    write_on(s);
}

/* ---- the answer ---- */

/* The head is whole: what it says of status and length. */
static void read_head(struct sender *s, size_t head_n)
{
    struct str head = str_of(s->answer.p, head_n), line, rest = head, name, value;
    int64_t status = 0;
    bool close_after = true;
    str_cut(rest, '\n', &line, &rest);
    if (str_starts(line, S("HTTP/1.")) && line.n >= 12)
        str_to_int64(str_slice(line, 9, 12), &status);
    close_after = !str_starts(line, S("HTTP/1.1"));
    s->left = status == 204 || status == 304 ? 0 : -1;
    while (str_cut(rest, '\n', &line, &rest)) {
        if (!str_cut(line, ':', &name, &value))
            continue;
        value = str_trim(value);
        if (str_eq_nocase(name, S("content-length")) && str_to_int64(value, &s->left) < 0)
            s->left = -1;
        if (str_eq_nocase(name, S("connection")) && str_eq_nocase(value, S("close")))
            close_after = true;
    }
    s->status = (int)status;
    buf_drop(&s->answer, head_n);
    if (s->left >= 0)
        s->left -= (int64_t)s->answer.n;
    if (close_after || s->left != 0) /* what it says is not of interest, when it said it is */
        hang_up(s);
    finish(s, status ? 0 : -EBADMSG);
}

static void read_on(struct sender *s)
{
    char chunk[4096];
    for (;;) {
        ssize_t n = recv(s->wire->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) { /* ended by a reset, perhaps: rather told twice than never */
            try_again(s, n < 0 ? -errno : -ECONNRESET);
            return;
        }
        buf_add(&s->answer, chunk, (size_t)n);
        ssize_t end = str_find(buf_view(&s->answer), S("\r\n\r\n"));
        if (end >= 0 && str_starts(buf_view(&s->answer), S("HTTP/1.1 100"))) {
            buf_drop(&s->answer, (size_t)end + 4);
            end = str_find(buf_view(&s->answer), S("\r\n\r\n"));
        }
        if (end >= 0) {
            read_head(s, (size_t)end + 4);
            return;
        }
        if (buf_failed(&s->answer)) {
            finish(s, -EMSGSIZE);
            return;
        }
    }
}

/* Between deliveries nothing is to be said: its end, or nonsense. */
static void read_idle(struct sender *s)
{
    char chunk[4096];
    ssize_t n = recv(s->wire->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) || (n > 0 && !s->to.tcp))
        hang_up(s);
}

static bool is_open(const struct wire *w)
{
    char byte;
    ssize_t n = recv(w->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n < 0 && errno == EAGAIN;
}

/* ---- events ---- */

static void on_connected(struct sender *s)
{
    int error = 0;
    socklen_t n = sizeof(error);
    getsockopt(s->wire->fd, SOL_SOCKET, SO_ERROR, &error, &n);
    if (error)
        try_again(s, -error);
    else
        begin_writing(s);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct wire *w = poll->data;
    struct sender *s = w->sender;
    (void)events;
    if (!s)
        return;
    if (s->state == CONNECTING)
        on_connected(s);
    else if (s->state == WRITING)
        write_on(s);
    else if (s->state == READING)
        read_on(s);
    else if (status < 0)
        hang_up(s);
    else
        read_idle(s);
}

void sender_socket(struct sender *s, int fd)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(s->to.port)};
    if (fd < 0) {
        finish(s, fd);
        return;
    }
    inet_pton(AF_INET, SANDBOX_ADDRESS, &to.sin_addr);
    struct wire *w = MEM_NEW(struct wire);
    w->fd = fd;
    int r = uv_poll_init(s->to.loop, &w->poll, fd);
    if (r < 0) {
        close(fd);
        free(w);
        finish(s, r);
        return;
    }
    uv_unref((uv_handle_t *)&w->poll);
    w->poll.data = w;
    w->sender = s;
    s->wire = w;
    s->state = CONNECTING;
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
        begin_writing(s);
    else if (errno == EINPROGRESS)
        watch(s, UV_WRITABLE);
    else
        try_again(s, -errno);
}

static void on_timer(uv_timer_t *timer)
{
    struct sender *s = timer->data;
    if (s->frozen)
        s->late = true;
    else if (s->state == RESTING)
        ask(s);
    else if (s->state != IDLE)
        finish(s, -ETIMEDOUT);
}

void sender_send(struct sender *s, struct buf *body)
{
    struct buf empty = s->body;
    s->body = *body;
    *body = empty;
    s->tries = 0;
    s->status = 0;
    buf_clear(&s->answer);
    if (s->wire && !is_open(s->wire))
        hang_up(s);
    s->reused = s->wire != NULL;
    if (s->wire)
        begin_writing(s);
    else
        ask(s);
}

void sender_freeze(struct sender *s, bool frozen)
{
    s->frozen = frozen;
    if (frozen || !s->late)
        return;
    s->late = false;
    uv_timer_start(&s->timer, on_timer, s->state == RESTING ? 0 : SEND_LIMIT_MS, 0);
}
