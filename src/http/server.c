/* server - turns of the loop, and the life of requests.
 *
 * Written out rather than taken from libmicrohttpd 0.9.75, because that one has a memory pool of
 * fixed size a connection, cleared after every request: heads of 1 MiB (the Runtime API has them)
 * would cost 1.2 MiB of memory a connection and 30 us a request. It also accepts Content-Length
 * beside Transfer-Encoding and does not notice clients that leave while a request is suspended. */
#include "base/mem.h"
#include "http/internal.h"

#define ROUNDS_MAX 8 /* of requests that came together, before others are heard */

/* Memory that goes from one request to the next: a buffer that grows from nothing each time is
 * moved three times. */

void server_take_buf(struct http_server *s, struct buf *b)
{
    if (b->p || !s->n_spare_bufs)
        return;
    struct buf *spare = &s->spare_bufs[--s->n_spare_bufs];
    b->p = spare->p;
    b->cap = spare->cap;
}

void server_give_buf(struct http_server *s, struct buf *b)
{
    if (b->cap < SPARE_BUF_MIN || b->cap > SPARE_BUF_MAX || s->freeing ||
        s->n_spare_bufs == sizeof(s->spare_bufs) / sizeof(s->spare_bufs[0])) {
        buf_done(b);
        return;
    }
    s->spare_bufs[s->n_spare_bufs++] = (struct buf){.p = b->p, .cap = b->cap};
    b->p = NULL;
    b->n = b->cap = 0;
}

/* Exchanges. */

/* Runtimes that wait for their next invocation are many. */
static struct arena *new_arena(void)
{
    struct arena *a = arena_new();
    arena_init_small(a, 2048);
    return a;
}

struct exchange *exchange_new(struct conn *c)
{
    struct http_server *s = c->server;
    struct arena *a = s->n_spare ? s->spare[--s->n_spare] : new_arena();
    struct exchange *ex = ARENA_NEW(a, struct exchange);
    ex->conn = c;
    ex->keep_alive = false;
    ex->req.arena = a;
    ex->req.server = s;
    ex->req.listener = c->listener;
    ex->req.listener_user = c->listener->options.user;
    ex->req.max_body = c->listener->options.max_body;
    ex->req.peer = str_copy(a, str_from(c->peer));
    ex->req.body.fd = ex->reply.fd = -1;
    ex->req.minor = 1;
    buf_init(&ex->body, SIZE_MAX / 2);
    buf_init(&ex->out, SIZE_MAX / 2);
    server_take_buf(s, &ex->out);
    buf_init(&ex->trailers, HTTP_HEAD_MAX);
    list_append(&s->live, &ex->link);
    c->ex = ex;
    return ex;
}

/* Nobody will hear of it again; its memory goes at the end of the turn, because its handler may
 * still be running. */
void exchange_end(struct exchange *ex, bool sent)
{
    struct http_server *s = ex->req.server;
    if (ex->conn) {
        ex->conn->ex = NULL;
        ex->conn = NULL;
    }
    list_remove(&ex->turn);
    list_remove(&ex->link);
    list_append(&s->dead, &ex->link);
    void (*on_done)(struct http_request *, bool) = ex->req.on_done;
    ex->req.on_done = NULL;
    if (on_done)
        on_done(&ex->req, sent);
}

void exchange_free(struct exchange *ex)
{
    struct http_server *s = ex->req.server;
    struct arena *a = ex->req.arena;
    list_remove(&ex->link);
    reply_reset(ex);
    if (ex->req.body.fd >= 0)
        close(ex->req.body.fd);
    if (ex->req.body_path)
        unlink(ex->req.body_path);
    if (ex->req.listener)
        ex->req.listener->spooled -= ex->spooled;
    buf_done(&ex->body);
    server_give_buf(s, &ex->out);
    buf_done(&ex->trailers);
    if (s->n_spare < sizeof(s->spare) / sizeof(s->spare[0]) && !s->freeing) {
        arena_reset(a);
        s->spare[s->n_spare++] = a;
    } else {
        arena_free(a);
    }
}

/* Something of it leaves at the end of the turn. */
void exchange_later(struct exchange *ex)
{
    if (!ex->conn) {
        if (!ex->streaming || ex->ended)
            exchange_end(ex, false);
    } else if (!ex->turn.next) {
        list_append(&ex->req.server->answered, &ex->turn);
    }
}

/* Turns. */

static void turn_failed(struct exchange *ex, int error)
{
    struct http_server *s = ex->req.server;
    if (ex->released) { /* a stream whose head has left: it can only break off */
        http_abort(&ex->req);
        return;
    }
    reply_reset(ex);
    if (s->options.on_turn_failed)
        s->options.on_turn_failed(&ex->req, error, s->options.user);
    if (!ex->replied)
        reply_status(ex, 500);
    list_remove(&ex->turn); /* this answer leaves now */
}

static void release(struct exchange *ex)
{
    ex->released = true;
    ex->conn->state = CONN_SENDING;
    if (!reply_hold(ex))
        reply_flush(ex);
}

/* On those listeners that are stopping. */
static bool all_answered(const struct http_server *s)
{
    LIST_EACH(&s->listeners, struct http_listener, link, l)
        if (l->stopping && l->n_conns > 0)
            return false;
    return true;
}

static void free_dead(struct http_server *s)
{
    while (!list_empty(&s->dead))
        exchange_free(LIST_ENTRY(s->dead.next, struct exchange, link));
}

static void on_idle(uv_idle_t *idle)
{
    uv_idle_stop(idle);
}

static void turn_end(struct http_server *s)
{
    int rounds = 0;
    if (s->in_turn_end)
        return;
    s->in_turn_end = true;
    do {
        if (rounds++ == ROUNDS_MAX) { /* who sends without end does not keep all others waiting */
            uv_idle_start(&s->idle, on_idle);
            break;
        }
        int r = s->turn_hook ? s->turn_hook(s->turn_user) : 0;
        struct list batch;
        list_init(&batch);
        while (!list_empty(&s->answered)) {
            struct list *first = s->answered.next;
            list_remove(first);
            list_append(&batch, first);
        }
        while (!list_empty(&batch)) {
            struct exchange *ex = LIST_ENTRY(batch.next, struct exchange, turn);
            list_remove(&ex->turn);
            if (r < 0)
                turn_failed(ex, r);
            if (ex->conn)
                release(ex);
        }
        free_dead(s);
        /* Answers that have left make room for requests that waited behind them. */
    } while (!list_empty(&s->answered));
    s->in_turn_end = false;
    if (s->stopping && s->stopped && all_answered(s)) {
        void (*stopped)(void *) = s->stopped;
        s->stopped = NULL;
        stopped(s->stopped_user);
    }
}

static void on_prepare(uv_prepare_t *h)
{
    turn_end(h->data);
}

static void on_check(uv_check_t *h)
{
    turn_end(h->data);
}

void http_server_set_turn_hook(struct http_server *s, int (*fn)(void *user), void *user)
{
    s->turn_hook = fn;
    s->turn_user = user;
}

/* Time. */

static struct conn *find_late(struct http_server *s, int64_t now)
{
    LIST_EACH(&s->listeners, struct http_listener, link, l)
        LIST_EACH(&l->conns, struct conn, link, c)
            if (c->deadline_ms && c->deadline_ms <= now)
                return c;
    return NULL;
}

static void on_timer(uv_timer_t *timer)
{
    struct http_server *s = timer->data;
    struct conn *c;
    while ((c = find_late(s, (int64_t)uv_now(s->loop))))
        conn_timeout(c);
    listeners_resume(s);
    if (s->n_conns == 0) {
        uv_timer_stop(timer); /* an idle daemon does not wake up */
        s->timer_on = false;
    }
}

void server_timer_start(struct http_server *s)
{
    if (s->timer_on || s->freeing)
        return;
    int least = s->options.idle_ms;
    least = s->options.head_ms < least ? s->options.head_ms : least;
    least = s->options.stall_ms < least ? s->options.stall_ms : least;
    uint64_t every = least / 4 < 10 ? 10 : least / 4 > 1000 ? 1000 : (uint64_t)least / 4;
    uv_timer_start(&s->timer, on_timer, every, every);
    uv_unref((uv_handle_t *)&s->timer);
    s->timer_on = true;
}

/* The server. */

void server_gone(struct http_server *s)
{
    free(s->scratch);
    free(s);
}

struct http_server *http_server_new(uv_loop_t *loop, const struct http_server_options *options)
{
    struct http_server *s = MEM_NEW(struct http_server);
    s->scratch = mem_alloc(READ_SIZE); /* not zeroed: it is memory only when it is used */
    s->loop = loop;
    if (options)
        s->options = *options;
    s->options.max_connections = s->options.max_connections ? s->options.max_connections : 4096;
    s->options.idle_ms = s->options.idle_ms ? s->options.idle_ms : 75000;
    s->options.head_ms = s->options.head_ms ? s->options.head_ms : 20000;
    s->options.stall_ms = s->options.stall_ms ? s->options.stall_ms : 30000;
    list_init(&s->listeners);
    list_init(&s->answered);
    list_init(&s->live);
    list_init(&s->dead);
    uv_prepare_init(loop, &s->prepare);
    uv_check_init(loop, &s->check);
    uv_timer_init(loop, &s->timer);
    uv_idle_init(loop, &s->idle);
    s->prepare.data = s->check.data = s->timer.data = s->idle.data = s;
    s->handles = 4;
    uv_prepare_start(&s->prepare, on_prepare);
    uv_check_start(&s->check, on_check);
    uv_unref((uv_handle_t *)&s->prepare);
    uv_unref((uv_handle_t *)&s->check);
    return s;
}

void http_server_put_first(struct http_server *s)
{
    uv_prepare_stop(&s->prepare); /* of handles of a kind libuv runs the one started last first */
    uv_check_stop(&s->check);
    uv_prepare_start(&s->prepare, on_prepare);
    uv_check_start(&s->check, on_check);
}

static void handle_freed(uv_handle_t *handle)
{
    struct http_server *s = handle->data;
    if (--s->handles == 0)
        server_gone(s);
}

void http_server_free(struct http_server *s)
{
    if (!s || s->freeing)
        return;
    while (!list_empty(&s->listeners))
        http_listener_free(LIST_ENTRY(s->listeners.next, struct http_listener, link));
    s->freeing = true;
    while (!list_empty(&s->live))
        exchange_end(LIST_ENTRY(s->live.next, struct exchange, link), false);
    free_dead(s);
    while (s->n_spare)
        arena_free(s->spare[--s->n_spare]);
    while (s->n_spare_bufs)
        buf_done(&s->spare_bufs[--s->n_spare_bufs]);
    uv_close((uv_handle_t *)&s->prepare, handle_freed);
    uv_close((uv_handle_t *)&s->check, handle_freed);
    uv_close((uv_handle_t *)&s->timer, handle_freed);
    uv_close((uv_handle_t *)&s->idle, handle_freed);
}

void http_server_stop(struct http_server *s, void (*done)(void *user), void *user)
{
    s->stopping = true;
    s->stopped = done;
    s->stopped_user = user;
    LIST_EACH(&s->listeners, struct http_listener, link, l) {
        if (l->options.outlasts)
            continue;
        l->stopping = true;
        uv_poll_stop(&l->poll);
        if (l->fd >= 0)
            close(l->fd); /* the port is free for the next one at once */
        l->fd = -1;
        LIST_EACH(&l->conns, struct conn, link, c)
            if (c->state == CONN_HEAD)
                conn_gone(c);
    }
}
