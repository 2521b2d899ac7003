/* event - see event.h: the queues, and whose turn it is. */
#include <errno.h>
#include "base/clock.h"
#include "base/mem.h"
#include "service/lambda/event_own.h"

#define AT_ONCE 50 /* of one function */
#define PER_TURN 4 /* that one function begins before the next one has its turn */
#define SETTLE_MS 20
#define NEVER INT64_MAX

static void on_timer(uv_timer_t *timer);

static void look_at(struct event_queue *q, int64_t when_ms)
{
    if (q->resting)
        return;
    uv_update_time(q->lambda->loop);
    int64_t delay = when_ms - clock_now_ms();
    delay = delay > 0 ? delay : 0;
    if (uv_is_active((uv_handle_t *)&q->timer) && uv_timer_get_due_in(&q->timer) <= (uint64_t)delay)
        return;
    uv_timer_start(&q->timer, on_timer, (uint64_t)delay, 0);
}

void line_wake(struct event_queue *q, struct line *l, int64_t when_ms)
{
    if (when_ms < l->next_ms)
        l->next_ms = when_ms;
    look_at(q, l->next_ms);
}

/* ---- queues ---- */

static struct line *line_get(struct event_queue *q, struct str account, struct str region,
                             struct str name)
{
    char id[256];
    snprintf(id, sizeof(id), "%.*s/%.*s/%.*s", STR(account), STR(region), STR(name));
    struct line *l = map_find(&q->lines, str_from(id));
    if (l)
        return l;
    l = MEM_NEW(struct line);
    arena_init(&l->arena);
    l->account = str_copy(&l->arena, account);
    l->region = str_copy(&l->arena, region);
    l->name = str_copy(&l->arena, name);
    l->id = str_copy(&l->arena, str_from(id));
    l->count = -1;
    l->next_ms = NEVER;
    map_init(&l->running);
    map_init(&l->finished);
    buf_init(&l->cursor, 4096);
    map_put(&q->lines, l->id, l);
    list_append(&q->order, &l->link);
    return l;
}

static void line_free(struct event_queue *q, struct line *l)
{
    list_remove(&l->link);
    map_remove(&q->lines, l->id);
    map_done(&l->running);
    map_done(&l->finished);
    buf_done(&l->cursor);
    arena_done(&l->arena);
    free(l);
}

static struct str line_prefix(struct arena *a, const struct line *l)
{
    return store_prefix(a, 5, S("lambda"), S("queue"), l->account, l->region, l->name);
}

static struct str key_of(struct arena *a, const struct lambda_event_record *e)
{
    return store_key(a, 7, S("lambda"), S("queue"), e->account, e->region, e->function_name,
                     store_ordered(a, e->due_ms.is), e->request_id);
}

/* Functions that events were left for: one look at the store for each. */
static void find_lines(struct event_queue *q)
{
    struct arena *a = arena_new();
    struct str prefix = store_prefix(a, 2, S("lambda"), S("queue")), after = {0};
    struct store_row *rows;
    size_t n;
    while (store_scan(q->lambda->store, prefix, after, 1, a, &rows, &n) == 0 && n == 1) {
        struct line *l =
            line_get(q, store_key_part(a, rows[0].key, 2), store_key_part(a, rows[0].key, 3),
                     store_key_part(a, rows[0].key, 4));
        l->next_ms = 0;
        /* Behind all of its keys: no due time begins with this. */
        after = str_printf(a, "%.*s\xff", STR(line_prefix(a, l)));
    }
    arena_free(a);
}

struct event_queue *event_queue_new(struct lambda_state *lambda)
{
    struct event_queue *q = MEM_NEW(struct event_queue);
    q->lambda = lambda;
    q->tick = 1;
    map_init(&q->lines);
    list_init(&q->order);
    q->scale = cloud_lambda(lambda->cloud)->time_scale;
    uv_timer_init(lambda->loop, &q->timer);
    q->timer.data = q;
    uv_unref((uv_handle_t *)&q->timer);
    find_lines(q); /* what was accepted before the daemon ended */
    look_at(q, 0);
    return q;
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

void event_queue_free(struct event_queue *q)
{
    if (!q)
        return;
    LIST_EACH(&q->order, struct line, link, l)
        line_free(q, l);
    map_done(&q->lines);
    uv_close((uv_handle_t *)&q->timer, closed);
}

void event_queue_rest(struct event_queue *q)
{
    q->resting = true;
    uv_timer_stop(&q->timer);
}

/* The store may have them again. */
static void keep_finished(struct line *l)
{
    struct str id;
    size_t pos = 0;
    while (map_next(&l->finished, &pos, &id, NULL))
        map_put(&l->finished, id, (void *)UINTPTR_MAX);
}

/* A turn that was over before the last tick has been committed. */
static void forget_finished(const struct event_queue *q, struct line *l)
{
    struct str id;
    void *tick;
    size_t pos = 0;
    while (map_next(&l->finished, &pos, &id, &tick))
        if ((uintptr_t)tick != UINTPTR_MAX && (uintptr_t)tick + 2 <= q->tick)
            map_remove(&l->finished, id);
}

/* All of the queue has been looked through: whatever was still there is being deleted again. */
static void settle_finished(const struct event_queue *q, struct line *l)
{
    struct str id;
    void *tick;
    size_t pos = 0;
    while (map_next(&l->finished, &pos, &id, &tick))
        if ((uintptr_t)tick == UINTPTR_MAX)
            map_put(&l->finished, id, (void *)q->tick);
}

void event_queue_reset(struct event_queue *q)
{
    find_lines(q);
    LIST_EACH(&q->order, struct line, link, l) {
        keep_finished(l);
        buf_clear(&l->cursor);
        l->count = -1;
        l->next_ms = clock_now_ms() + BACK_OFF_MIN_MS;
        look_at(q, l->next_ms);
    }
}

int line_put(struct call *call, struct line *l, struct lambda_event_record *e)
{
    if (e->due_ms.is <= l->cursor_ms)
        e->due_ms = opt_int(l->cursor_ms + 1);
    return record_put(call, key_of(call->arena, e), &lambda_event_record_shape, e);
}

int event_accept(struct call *call, const struct event_request *r)
{
    struct event_queue *q = lambda_state(call)->queue;
    struct line *l = line_get(q, call->account, call->region, r->name);
    if (l->count < 0) {
        int failed = store_count(call->store, line_prefix(call->arena, l), &l->count);
        if (failed < 0)
            return failed;
    }
    if (l->count >= EVENTS_MAX)
        return lambda_fail_throttled(call, LAMBDA_THROTTLE_REASON_CALLERRATELIMITEXCEEDED);
    struct lambda_event_record e = {
        .account = call->account,
        .region = call->region,
        .function_name = r->name,
        .qualifier = r->qualifier,
        .invoked_arn = r->arn,
        .request_id = r->request_id,
        .trace_id = r->trace_id,
        .payload = r->payload,
        .attempts = opt_int(0),
        .failures = opt_int(0),
        .accepted_ms = opt_int(call->now_ms),
        .due_ms = opt_int(call->now_ms),
    };
    int failed = line_put(call, l, &e);
    if (failed == 0) {
        l->count++;
        line_wake(q, l, 0);
    }
    return failed;
}

int event_forget_function(struct call *call, struct str name)
{
    struct event_queue *q = lambda_state(call)->queue;
    struct line *l = line_get(q, call->account, call->region, name);
    l->count = -1; /* another function may have the name next */
    line_wake(q, l, 0);
    return store_delete_prefix(call->store, store_prefix(call->arena, 5, S("lambda"), S("queue"),
                                                         call->account, call->region, name));
}

/* ---- turns ---- */

/* Begins some of what is due. Says in next_ms when to look again. */
static void serve(struct event_queue *q, struct line *l)
{
    struct arena *a = arena_new();
    struct str prefix = line_prefix(a, l);
    int64_t now = clock_now_ms();
    int left = PER_TURN;
    l->next_ms = NEVER;
    for (; left > 0 && l->running.n < AT_ONCE; left--) {
        struct store_row *rows;
        size_t n;
        if (store_scan(q->lambda->store, prefix, buf_view(&l->cursor), 1, a, &rows, &n) < 0) {
            l->next_ms = now + BACK_OFF_MIN_MS;
            break;
        }
        if (n == 0) {
            settle_finished(q, l);
            break;
        }
        int64_t due = 0;
        store_ordered_parse(store_key_part(a, rows[0].key, 5), &due);
        if (due > now) {
            settle_finished(q, l);
            l->next_ms = due;
            break;
        }
        struct str id = store_key_part(a, rows[0].key, 6);
        if (map_find(&l->finished, id)) {
            store_delete(q->lambda->store, rows[0].key);
            map_put(&l->finished, id, (void *)q->tick);
        } else if (!map_find(&l->running, id) && attempt_begin(q, l, rows[0].key) == RESTS) {
            break;
        }
        buf_clear(&l->cursor);
        buf_add(&l->cursor, rows[0].key.p, rows[0].key.n);
        l->cursor_ms = due;
    }
    if (left == 0)
        l->next_ms = now;
    arena_free(a);
}

static void on_timer(uv_timer_t *timer)
{
    struct event_queue *q = timer->data;
    int64_t now = clock_now_ms(), next = NEVER;
    q->tick++;
    LIST_EACH(&q->order, struct line, link, l) {
        forget_finished(q, l);
        if (l->next_ms <= now)
            serve(q, l);
        if (l->next_ms < next)
            next = l->next_ms;
    }
    LIST_EACH(&q->order, struct line, link, idle)
        if (idle->next_ms == NEVER && idle->running.n == 0 && idle->finished.n == 0)
            line_free(q, idle);
        else if (idle->finished.n > 0 && next > now + SETTLE_MS)
            next = now + SETTLE_MS; /* until they are sure to be gone */
    if (next != NEVER)
        look_at(q, next);
}
