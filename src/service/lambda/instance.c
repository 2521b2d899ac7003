/* instance - the state machine of an execution environment; see the picture in instance.h. */
#include "base/clock.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "service/lambda/instance_own.h"
#include "service/lambda/response_stream.h"
#include "service/lambda/timeline.h"

/* How long an invocation waits for an environment that has not come back yet. */
#define NEXT_WAIT_MS 100
/* Whose invocation takes longer leaves the processors to those that are about to answer. */
#define YIELD_AFTER_MS 50
#define YIELD_FOR_MS 1000 /* for longer it would starve among many that are short */
/* Idle instances are many, and what each has to remember is little. */
#define ARENA_BYTES 1024
#define WORK_ARENA_BYTES 448

struct instance *instance_new(struct lambda_state *lambda, struct group *group,
                              struct target *target)
{
    struct instance *in = MEM_NEW(struct instance);
    arena_init_small(&in->arena, ARENA_BYTES);
    arena_init(&in->error_arena);
    arena_init_small(&in->work.arena, WORK_ARENA_BYTES);
    extensions_init(&in->extensions);
    in->lambda = lambda;
    in->group = group;
    in->target = target;
    target_hold(target);
    list_init(&in->outputs);
    telemetry_init(&in->telemetry);
    buf_init(&in->tail, 1 << 20);
    in->stream = log_stream_name(&in->arena, target, clock_now_ms());
    in->log = log_stream_new(lambda, target, in->stream);
    uv_timer_init(lambda->loop, &in->timer);
    in->timer.data = in;
    in->handles = 1;
    code_use(lambda, target->record.code);
    for (size_t i = 0; i < target->record.layer_codes.n; i++)
        code_use(lambda, target->record.layer_codes.items[i]);
    return in;
}

void instance_release(struct instance *in)
{
    if (--in->handles > 0)
        return;
    buf_done(&in->tail);
    arena_done(&in->arena);
    arena_done(&in->error_arena);
    arena_done(&in->work.arena);
    extensions_done(&in->extensions);
    target_drop(in->target);
    free(in);
}

static void timer_closed(uv_handle_t *handle)
{
    instance_release(handle->data);
}

void instance_free(struct instance *in)
{
    list_remove(&in->link);
    response_stream_cut(in);
    instance_close_output(in);
    work_abandon(in);
    telemetry_done(&in->telemetry);
    if (in->env)
        platform_emit(in, &(struct platform_event){
                              .type = PLATFORM_ENV_ENDED,
                              .text = in->state == INSTANCE_LOST ? S("lost")
                                      : in->end_reason           ? str_from(in->end_reason)
                                                                 : S("stopped"),
                          });
    timeline_leave(in);
    environment_free(TAKE(in->env));
    in->poll = NULL;
    extensions_clear(&in->extensions);
    http_listener_free(TAKE(in->runtime_listener));
    http_listener_free(TAKE(in->local_listener));
    http_listener_free(TAKE(in->cloud_listener));
    log_stream_close(TAKE(in->log));
    code_unuse(in->lambda, in->target->record.code);
    for (size_t i = 0; i < in->target->record.layer_codes.n; i++)
        code_unuse(in->lambda, in->target->record.layer_codes.items[i]);
    shutdown_close(in);
    uv_close((uv_handle_t *)&in->timer, timer_closed);
    struct lambda_state *lambda = in->lambda;
    if (lambda->ended && list_empty(&lambda->retiring))
        TAKE(lambda->ended)(lambda->ended_user);
}

/* ---- time ---- */

static void freeze(struct instance *in)
{
    if (in->frozen || environment_freeze(in->env) < 0)
        return;
    in->frozen = true;
    in->settled |= in->work.times.answered > 0;
    platform_emit(in, &(struct platform_event){.type = PLATFORM_ENV_FROZEN});
}

void instance_thaw(struct instance *in)
{
    if (!in->frozen)
        return;
    environment_thaw(in->env);
    in->frozen = false;
    platform_emit(in, &(struct platform_event){.type = PLATFORM_ENV_THAWED});
}

/* Whose invocation lasts lets others go first for a while, then is one of them again. */
static void yield_or_return(struct instance *in, int64_t left_ms)
{
    bool yields = in->turn == TURN_FIRST;
    in->turn = yields ? TURN_YIELDED : TURN_TAKEN;
    environment_yield(in->env, yields);
    instance_arm(in, yields && left_ms > YIELD_FOR_MS ? YIELD_FOR_MS : left_ms);
}

static void on_timer(uv_timer_t *timer)
{
    struct instance *in = timer->data;
    int64_t left_ms = in->work.deadline_ms - clock_now_ms();
    switch (in->state) {
    case INSTANCE_IDLE:
        if (telemetry_holds(&in->telemetry))
            instance_arm(in, FREEZE_DELAY_MS);
        else
            freeze(in);
        break;
    case INSTANCE_BUSY:
        if (in->turn != TURN_TAKEN && left_ms > 0) {
            yield_or_return(in, left_ms);
            break;
        }
        /* fall through */
    case INSTANCE_STARTING:
        if (in->inv)
            instance_timed_out(in);
        break;
    case INSTANCE_INIT:
        instance_init_wait_over(in);
        break;
    case INSTANCE_ANSWERED:
        if (in->inv && !in->answer_held && pool_may_pass_on(in)) {
            pool_pass_on(in); /* the next one, which has waited for long enough */
            instance_arm(in, left_ms);
        } else if (left_ms > 0) { /* or it has answered before it would have been made to yield */
            bool next = in->inv && !in->answer_held;
            instance_arm(in, next && left_ms > NEXT_WAIT_MS ? NEXT_WAIT_MS : left_ms);
        } else {
            instance_timed_out(in);
        }
        break;
    case INSTANCE_ENDING:
        if (in->inv)
            pool_pass_on(in);
        break;
    default:
        break;
    }
}

void instance_arm(struct instance *in, int64_t ms)
{
    uv_update_time(in->lambda->loop);
    uv_timer_start(&in->timer, on_timer, (uint64_t)(ms > 0 ? ms : 1), 0);
}

void instance_claim(struct instance *in)
{
    if (in->turn == TURN_YIELDED)
        environment_yield(in->env, false);
    in->turn = TURN_FIRST;
}

/* ---- events ---- */

void instance_deliver(struct instance *in)
{
    instance_thaw(in);
    in->state = INSTANCE_BUSY;
    in->runtime_ready = false;
    if (!in->work.open)
        work_begin(in);
    work_start(in);
    in->init_again = false;
    instance_claim(in);
    int64_t left_ms = in->work.deadline_ms - clock_now_ms();
    instance_arm(in, left_ms < YIELD_AFTER_MS ? left_ms : YIELD_AFTER_MS);
    in->work.times.delivered = clock_mono_ns();
    extensions_invoke(in);
    runtime_api_deliver(in);
}

void instance_invoke(struct instance *in, struct invocation *inv)
{
    int64_t left_ms;
    in->inv = inv;
    inv->times.queued = clock_mono_ns();
    switch (in->state) {
    case INSTANCE_NEW:
        instance_begin(in);
        break;
    case INSTANCE_IDLE:
        instance_deliver(in);
        break;
    case INSTANCE_STOPPED:
        instance_repeat(in);
        break;
    case INSTANCE_ANSWERED: /* with its `next`, which is on the way */
        left_ms = in->work.deadline_ms - clock_now_ms();
        instance_arm(in, left_ms < NEXT_WAIT_MS ? left_ms : NEXT_WAIT_MS);
        break;
    default: /* ENDING */
        instance_arm(in, END_WAIT_MS);
        break;
    }
}

void instance_progress(struct instance *in)
{
    if (!in->runtime_ready)
        return;
    if (in->state == INSTANCE_INIT && extensions_ready(&in->extensions))
        instance_init_over(in);
    else if (in->state == INSTANCE_ANSWERED && extensions_idle(&in->extensions))
        work_over(in);
}

/* The runtime asks for an event; in->poll is set. */
void instance_next(struct instance *in)
{
    switch (in->state) {
    case INSTANCE_INIT:
        if (!in->runtime_ready)
            instance_runtime_initialized(in);
        break;
    case INSTANCE_BUSY: /* lost the answer? it gets the same event again */
        runtime_api_deliver(in);
        return;
    case INSTANCE_ANSWERED:
        in->runtime_ready = true;
        work_runtime_done(in, in->work.status, in->work.error_type);
        break;
    default:
        return;
    }
    instance_progress(in);
}

void instance_extension_next(struct instance *in, struct extension *e)
{
    if (e->owed)
        extension_tell_shutdown(in, e);
    else
        instance_progress(in);
}

/* Nothing runs in it any more but, perhaps, what its processes have left behind. */
void instance_ended(struct instance *in)
{
    extensions_clear(&in->extensions);
    in->poll = NULL;
    in->runtime_ready = in->init_again = false;
    if (in->state == INSTANCE_RETIRING || in->retire) {
        instance_free(in);
        return;
    }
    in->state = INSTANCE_STOPPED;
    environment_sweep(in->env);
    if (in->preparing) {
        in->preparing = false;
        pool_instance_prepared(in, false);
    } else if (in->inv) {
        uv_timer_stop(&in->timer);
        instance_repeat(in);
    } else {
        pool_instance_free(in);
    }
}
