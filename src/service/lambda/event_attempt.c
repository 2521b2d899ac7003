/* event_attempt - one attempt at an asynchronous invocation: how it begins, what becomes of it. */
#include <errno.h>
#include "base/clock.h"
#include "base/log.h"
#include "service/lambda/code_keeper.h"
#include "service/lambda/event_config.h"
#include "service/lambda/event_own.h"
#include "service/lambda/pool.h"
#include "service/lambda/recursion.h"

#define RETRIES 2
#define RETRY_MS 60000
#define AGE_MAX_S (6 * 3600)
#define DELIVERIES 8 /* of an outcome, before it is given up */

struct attempt {
    struct invocation inv;
    struct event_queue *queue;
    struct line *line;
    struct call *call;
    struct str key;
    struct lambda_event_record record;
    struct lambda_function_event_invoke_config config;
};

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
        line_put(at->call, at->line, e);
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
        log_info("lambda: an event of %.*s was cut off: the next start carries it out again (%.*s)",
                 STR(e->function_name), STR(e->request_id));
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

enum begun attempt_begin(struct event_queue *q, struct line *l, struct str key)
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
