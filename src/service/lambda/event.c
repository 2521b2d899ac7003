/* event - see event.h. */
#include "service/lambda/event.h"
#include <errno.h>
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/lambda/code_keeper.h"
#include "service/lambda/event_config.h"
#include "service/lambda/pool.h"
#include "service/lambda/recursion.h"

#define RETRIES 2
#define RETRY_MS 60000
#define AGE_MAX_S (6 * 3600)
#define BACK_OFF_MIN_MS 1000
#define BACK_OFF_MAX_MS 300000
#define AT_ONCE 50   /* of one function */
#define PER_TURN 4   /* that one function begins before the next one has its turn */
#define DELIVERIES 8 /* of an outcome, before it is given up */
#define SETTLE_MS 20
#define NEVER INT64_MAX

/* The events of one function. */
struct line {
    struct list link;
    struct arena arena;
    struct str account, region, name, id;
    struct map running; /* request ids */
    /* Those that are over, until it is sure that the store has forgotten them: they are not begun
     * again when a turn is taken back. Values are ticks. */
    struct map finished;
    int64_t count;   /* stored; -1: not counted yet */
    int64_t next_ms; /* when it is worth looking; NEVER: nothing waits */
    int64_t back_off_ms;
    /* Everything up to here has been begun: what comes later is due later. */
    struct buf cursor;
    int64_t cursor_ms;
};

struct event_queue {
    struct lambda_state *lambda;
    uv_timer_t timer;
    struct map lines; /* account/region/name */
    struct list order;
    double scale; /* of the waiting times */
    bool resting;
    uintptr_t tick;
};

struct attempt {
    struct invocation inv;
    struct event_queue *queue;
    struct line *line;
    struct call *call;
    struct str key;
    struct lambda_event_record record;
    struct lambda_function_event_invoke_config config;
};

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

static void line_wake(struct event_queue *q, struct line *l, int64_t when_ms)
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

static int put_event(struct call *call, struct line *l, struct lambda_event_record *e)
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
    int failed = put_event(call, l, &e);
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

/* ---- the end of an attempt ---- */

static void over(struct attempt *at)
{
    struct event_queue *q = at->queue;
    map_remove(&at->line->running, at->record.request_id);
    target_drop(at->inv.target);
    line_wake(q, at->line, 0);
    call_close(at->call);
}

/* The function has been deleted, and its events with it. */
static bool is_forgotten(const struct attempt *at)
{
    return !store_has(at->call->store, at->key);
}

static void remove_event(struct attempt *at)
{
    if (at->line->count > 0 && !is_forgotten(at))
        at->line->count--;
    record_delete(at->call, at->key);
    map_put(&at->line->finished, at->record.request_id, (void *)at->queue->tick);
    over(at);
}

static void put_off(struct attempt *at, int64_t delay_ms)
{
    struct lambda_event_record *e = &at->record;
    if (is_forgotten(at)) {
        over(at);
        return;
    }
    e->due_ms = opt_int(clock_now_ms() + (int64_t)((double)delay_ms * at->queue->scale));
    if (record_delete(at->call, at->key) == 0)
        put_event(at->call, at->line, e);
    line_wake(at->queue, at->line, e->due_ms.is);
    over(at);
}

static int64_t back_off(int64_t failures)
{
    return failures > 8 ? BACK_OFF_MAX_MS : BACK_OFF_MIN_MS << (failures - 1);
}

static void delivered(void *user, int result)
{
    struct attempt *at = user;
    struct lambda_event_record *e = &at->record;
    if (result == -EAGAIN && e->failures.is < DELIVERIES) {
        e->failures = opt_int(e->failures.is + 1);
        put_off(at, back_off(e->failures.is));
        return;
    }
    if (result == -EAGAIN)
        log_error("lambda: what became of an event of %.*s is not told to %.*s: it does not answer",
                  STR(e->function_name), STR(e->destination));
    remove_event(at);
}

static struct str dead_letter_queue(const struct target *t)
{
    const struct lambda_dead_letter_config *c = t->c->dead_letter_config;
    return c ? c->target_arn : (struct str){0};
}

/* From here on the record says what has happened, and waits for being told. */
static void conclude(struct attempt *at, const char *condition, bool invoked)
{
    struct lambda_event_record *e = &at->record;
    const struct lambda_destination_config *d = at->config.destination_config;
    bool success = strcmp(condition, "Success") == 0;
    struct str to = {0}, dead = dead_letter_queue(at->inv.target);
    if (d && success && d->on_success)
        to = d->on_success->destination;
    if (d && !success && d->on_failure)
        to = d->on_failure->destination;
    if (!success && dead.n)
        log_error("lambda: an event of %.*s is not sent to %.*s: %.*s", STR(e->function_name),
                  STR(dead), STR(destination_unsupported(at->call->arena, dead)));
    if (!success)
        log_info("lambda: an event of %.*s is given up after %lld attempts: %s",
                 STR(e->function_name), (long long)e->attempts.is, condition);
    struct event_outcome outcome = {e,       condition,      at->inv.target,
                                    invoked, at->inv.failed, at->inv.answer};
    if (to.n) {
        e->payload = outcome_text(at->call, &outcome);
        e->destination = to;
        e->role = at->inv.target->c->role;
        if (at->inv.trace_id.n)
            e->trace_id = at->inv.trace_id;
        e->failures = opt_int(0);
    }
    if (!to.n || !e->payload.n || is_forgotten(at)) {
        remove_event(at);
        return;
    }
    record_put(at->call, at->key, &lambda_event_record_shape, e);
    destination_send(at->call, e, delivered, at);
}

static int64_t age_limit_ms(const struct attempt *at)
{
    const struct opt_int *own = &at->config.maximum_event_age_in_seconds;
    return (int64_t)((double)((own->has ? own->is : AGE_MAX_S) * 1000) * at->queue->scale);
}

/* Would it be too old after waiting so long? */
static bool too_old(const struct attempt *at, int64_t delay_ms)
{
    int64_t then = clock_now_ms() + (int64_t)((double)delay_ms * at->queue->scale);
    return then - at->record.accepted_ms.is > age_limit_ms(at);
}

static void invoked(struct invocation *inv)
{
    struct attempt *at = inv->user;
    struct lambda_event_record *e = &at->record;
    const struct opt_int *retries = &at->config.maximum_retry_attempts;
    if (inv->outcome != OUTCOME_ANSWER && at->queue->resting) {
        over(at);
        return;
    }
    if (inv->outcome != OUTCOME_ANSWER) { /* ours, not the function's: it does not count */
        e->failures = opt_int(e->failures.is + 1);
        log_error("lambda: an event of %.*s: %.*s", STR(e->function_name), STR(inv->answer));
        if (too_old(at, back_off(e->failures.is)))
            conclude(at, "EventAgeExceeded", false);
        else
            put_off(at, back_off(e->failures.is));
        return;
    }
    e->attempts = opt_int(e->attempts.is + 1);
    e->failures = opt_int(0);
    int64_t wait_ms = e->attempts.is * RETRY_MS;
    if (!inv->failed)
        conclude(at, "Success", true);
    else if (e->attempts.is > (retries->has ? retries->is : RETRIES))
        conclude(at, "RetriesExhausted", true);
    else if (too_old(at, wait_ms))
        conclude(at, "EventAgeExceeded", true);
    else
        put_off(at, wait_ms);
}

/* ---- the beginning of one ---- */

/* The function's queue rests; the event stays where it is. */
static void throttled(struct attempt *at)
{
    struct line *l = at->line;
    int64_t now = clock_now_ms(), rest = l->back_off_ms * 2;
    rest = rest < BACK_OFF_MIN_MS ? BACK_OFF_MIN_MS : rest;
    l->back_off_ms = rest > BACK_OFF_MAX_MS ? BACK_OFF_MAX_MS : rest;
    int64_t until = now + (int64_t)((double)l->back_off_ms * at->queue->scale) + 1;
    int64_t expires = at->record.accepted_ms.is + age_limit_ms(at) + 1;
    l->next_ms = until < expires ? until : expires;
    map_remove(&l->running, at->record.request_id);
    target_drop(at->inv.target);
    call_close(at->call);
}

enum begun { BEGUN, RESTS };

static enum begun try_target(struct attempt *at)
{
    struct lambda_state *lambda = at->queue->lambda;
    struct target *t = at->inv.target;
    struct lambda_event_record *e = &at->record;
    struct function_use *use =
        function_use_hold(lambda->concurrency, t->account, t->region, t->name);
    bool off = function_use_reserved(use) == 0;
    function_use_drop(use);
    struct str trace = e->trace_id;
    if (off) {
        conclude(at, "ZeroReservedConcurrency", false);
        return BEGUN;
    }
    if (too_old(at, 0)) {
        conclude(at, "EventAgeExceeded", false);
        return BEGUN;
    }
    if (recursion_check(at->call, t->name, &trace) < 0) {
        log_warn("lambda: %.*s is invoked in a loop: an event is dropped", STR(t->name));
        conclude(at, "RecursiveInvocation", false); /* AWS does not say its word for it */
        return BEGUN;
    }
    at->inv.trace_id = trace;
    at->inv.arena = at->call->arena;
    at->inv.request_id = e->request_id;
    at->inv.arn = e->invoked_arn;
    at->inv.payload = e->payload;
    at->inv.async = true;
    at->inv.times.received = clock_mono_ns();
    at->inv.done = invoked;
    at->inv.user = at;
    if (pool_invoke(lambda->pool, &at->inv) < 0) {
        throttled(at);
        return RESTS;
    }
    at->line->back_off_ms = 0;
    return BEGUN;
}

static enum begun begin(struct event_queue *q, struct line *l, struct str key)
{
    struct call *call = lambda_own_call(q->lambda);
    struct attempt *at = ARENA_NEW(call->arena, struct attempt);
    at->queue = q;
    at->line = l;
    at->call = call;
    at->key = str_copy(call->arena, key);
    call->account = str_copy(call->arena, l->account);
    call->region = str_copy(call->arena, l->region);
    if (record_get(call, at->key, &lambda_event_record_shape, &at->record) < 0) {
        call_close(call);
        return BEGUN;
    }
    struct lambda_event_record *e = &at->record;
    map_put(&l->running, e->request_id, at);
    if (e->destination.n) { /* all is over but the telling */
        destination_send(call, e, delivered, at);
        return BEGUN;
    }
    struct function_ref ref = {e->function_name, e->qualifier.n ? e->qualifier : S("$LATEST")};
    int r = target_get(call, &ref, &at->inv.target);
    if (r == 0)
        r = event_config_load(call, e->function_name, e->qualifier, &at->config);
    if (r < 0 && !at->inv.target) { /* deleted meanwhile */
        remove_event(at);
        return BEGUN;
    }
    return try_target(at);
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
        } else if (!map_find(&l->running, id) && begin(q, l, rows[0].key) == RESTS) {
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
