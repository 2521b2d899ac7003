/* event - see event.h.
 *
 * A record stays until its last attempt is over: what a killed daemon had begun is begun again.
 * Errors of the function are tried again after one and two minutes; throttles for up to six hours.
 */
#include "service/lambda/event.h"
#include <errno.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/lambda/code_keeper.h"
#include "service/lambda/pool.h"

#define ATTEMPTS 3
#define AGE_MAX_MS (6LL * 3600 * 1000)
#define AT_ONCE 50

struct event_queue {
    struct lambda_state *lambda;
    uv_timer_t timer;
    struct map running; /* request ids */
    double scale;       /* of the waiting times */
};

struct attempt {
    struct invocation inv;
    struct event_queue *queue;
    struct call *call;
    struct str key;
    struct lambda_event_record record;
};

static void on_timer(uv_timer_t *timer);

static void wake(struct event_queue *q, int64_t delay_ms)
{
    uv_update_time(q->lambda->loop);
    if (uv_is_active((uv_handle_t *)&q->timer) &&
        uv_timer_get_due_in(&q->timer) <= (uint64_t)delay_ms)
        return;
    uv_timer_start(&q->timer, on_timer, (uint64_t)(delay_ms > 0 ? delay_ms : 0), 0);
}

struct event_queue *event_queue_new(struct lambda_state *lambda)
{
    struct event_queue *q = MEM_NEW(struct event_queue);
    q->lambda = lambda;
    map_init(&q->running);
    q->scale = cloud_lambda(lambda->cloud)->time_scale;
    uv_timer_init(lambda->loop, &q->timer);
    q->timer.data = q;
    uv_unref((uv_handle_t *)&q->timer);
    wake(q, 0); /* what was accepted before the daemon ended */
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
    map_done(&q->running);
    uv_close((uv_handle_t *)&q->timer, closed);
}

static struct str key_of(struct arena *a, const struct lambda_event_record *e)
{
    return store_key(a, 4, S("lambda"), S("event"), store_ordered(a, e->due_ms.is), e->request_id);
}

int event_accept(struct call *call, const struct event_request *q)
{
    struct lambda_event_record e = {
        .account = call->account,
        .region = call->region,
        .function_name = q->name,
        .qualifier = q->qualifier,
        .invoked_arn = q->arn,
        .request_id = q->request_id,
        .trace_id = q->trace_id,
        .payload = q->payload,
        .attempts = opt_int(0),
        .accepted_ms = opt_int(call->now_ms),
        .due_ms = opt_int(call->now_ms),
    };
    int r = record_put(call, key_of(call->arena, &e), &lambda_event_record_shape, &e);
    if (r == 0)
        wake(lambda_state(call)->queue, 0);
    return r;
}

/* ---- attempts ---- */

static void put_off(struct attempt *at, int64_t delay_ms)
{
    struct event_queue *q = at->queue;
    struct lambda_event_record *e = &at->record;
    delay_ms = (int64_t)((double)delay_ms * q->scale);
    e->due_ms = opt_int(clock_now_ms() + delay_ms);
    if (record_delete(at->call, at->key) == 0 &&
        record_put(at->call, key_of(at->call->arena, e), &lambda_event_record_shape, e) == 0)
        wake(q, delay_ms);
}

static void over(struct attempt *at)
{
    map_remove(&at->queue->running, at->record.request_id);
    target_drop(at->inv.target);
    wake(at->queue, 0);
    call_close(at->call);
}

static void throttled(struct attempt *at)
{
    int64_t age = clock_now_ms() - at->record.accepted_ms.is;
    int64_t delay = age < 1000 ? 1000 : age; /* doubles the age, at most five minutes */
    if (age > AGE_MAX_MS) {
        record_delete(at->call, at->key);
        return;
    }
    put_off(at, delay > 300000 ? 300000 : delay);
}

static void invoked(struct invocation *inv)
{
    struct attempt *at = inv->user;
    struct lambda_event_record *e = &at->record;
    bool failed = inv->outcome != OUTCOME_ANSWER || inv->failed;
    e->attempts = opt_int(e->attempts.is + 1);
    if (failed && e->attempts.is < ATTEMPTS)
        put_off(at, e->attempts.is * 60000);
    else
        record_delete(at->call, at->key);
    over(at);
}

static void start(struct event_queue *q, struct str key)
{
    struct call *call = lambda_own_call(q->lambda);
    struct attempt *at = ARENA_NEW(call->arena, struct attempt);
    at->queue = q;
    at->call = call;
    at->key = str_copy(call->arena, key);
    if (record_get(call, at->key, &lambda_event_record_shape, &at->record) < 0) {
        call_close(call);
        return;
    }
    call->account = at->record.account;
    call->region = at->record.region;
    map_put(&q->running, at->record.request_id, at);
    struct function_ref ref = {at->record.function_name, at->record.qualifier};
    if (!ref.qualifier.n)
        ref.qualifier = S("$LATEST");
    if (target_get(call, &ref, &at->inv.target) < 0) { /* deleted meanwhile */
        record_delete(call, at->key);
        over(at);
        return;
    }
    at->inv.arena = call->arena;
    at->inv.request_id = at->record.request_id;
    at->inv.arn = at->record.invoked_arn;
    at->inv.trace_id = at->record.trace_id;
    at->inv.payload = at->record.payload;
    at->inv.done = invoked;
    at->inv.user = at;
    if (pool_invoke(q->lambda->pool, &at->inv) < 0) {
        throttled(at);
        over(at);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct event_queue *q = timer->data;
    auto_arena struct arena a;
    arena_init(&a);
    struct store_row *rows;
    size_t n;
    if (store_scan(q->lambda->store, store_prefix(&a, 2, S("lambda"), S("event")), (struct str){0},
                   AT_ONCE * 4, &a, &rows, &n) < 0)
        return;
    int64_t now = clock_now_ms();
    for (size_t i = 0; i < n && q->running.n < AT_ONCE; i++) {
        int64_t due = 0;
        store_ordered_parse(store_key_part(&a, rows[i].key, 2), &due);
        if (due > now) {
            wake(q, due - now);
            return;
        }
        if (!map_find(&q->running, store_key_part(&a, rows[i].key, 3)))
            start(q, rows[i].key);
    }
}
