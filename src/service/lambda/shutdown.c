/* shutdown - how what runs in an environment is ended: before a reset, and for good.
 *
 * Without extensions there is nobody to ask: SIGKILL. With them the runtime gets SIGTERM and 30 %
 * of the budget, then SIGKILL; after it has gone, extensions that want SHUTDOWN get it and have
 * until the deadline, the others are killed at once. The budget is 500 ms when all are internal
 * (threads of the runtime), 2 s otherwise.
 *
 *   RUNTIME --exit, else SIGKILL at 30 %--> EXTENSIONS --exits, else SIGKILL at 100 %--> over
 */
#include <signal.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "service/lambda/instance_own.h"

#define BUDGET_INTERNAL_MS 500
#define BUDGET_EXTERNAL_MS 2000
#define RUNTIME_SHARE 0.3
/* SIGKILL takes effect at once, but for a process that the kernel is busy with. */
#define KILL_WAIT_MS 2000

static void on_timer(uv_timer_t *timer);

static void arm(struct instance *in, int64_t ms)
{
    uv_update_time(in->lambda->loop);
    uv_timer_start(&in->ending.timer, on_timer, (uint64_t)(ms > 0 ? ms : 1), 0);
}

static void over(struct instance *in)
{
    uv_timer_stop(&in->ending.timer);
    in->ending.stage = ENDING_NOT;
    instance_ended(in);
}

static void end_extensions(struct instance *in)
{
    struct extensions *x = &in->extensions;
    in->ending.stage = ENDING_EXTENSIONS;
    if (!extensions_alive(x)) {
        over(in);
        return;
    }
    for (struct extension *e = x->items; e < x->items + x->n; e++) {
        if (!e->alive)
            continue;
        if (e->shutdown)
            extension_tell_shutdown(in, e);
        else
            environment_signal_process(in->env, e->process, SIGKILL);
    }
    arm(in, in->ending.deadline_ms - clock_now_ms());
}

static void kill_extensions(struct instance *in)
{
    struct extensions *x = &in->extensions;
    for (struct extension *e = x->items; e < x->items + x->n; e++)
        if (e->alive)
            environment_signal_process(in->env, e->process, SIGKILL);
}

static void on_timer(uv_timer_t *timer)
{
    struct instance *in = timer->data;
    switch (in->ending.stage) {
    case ENDING_RUNTIME:
        environment_signal(in->env, SIGKILL);
        in->ending.stage = ENDING_RUNTIME_KILLED;
        arm(in, KILL_WAIT_MS);
        break;
    case ENDING_EXTENSIONS:
        kill_extensions(in);
        in->ending.stage = ENDING_KILLED;
        arm(in, KILL_WAIT_MS);
        break;
    case ENDING_RUNTIME_KILLED:
    case ENDING_KILLED: /* it does not even die: the environment is given up with it */
        environment_kill(in->env);
        instance_lost(in);
        break;
    case ENDING_NOT:
        break;
    }
}

void shutdown_begin(struct instance *in, enum shutdown_reason why)
{
    const struct extensions *x = &in->extensions;
    instance_thaw(in);
    uv_timer_stop(&in->ending.timer);
    if (!in->ending.open) {
        uv_timer_init(in->lambda->loop, &in->ending.timer);
        in->ending.timer.data = in;
        in->ending.open = true;
        in->handles++;
    }
    int64_t budget = x->n == 0                ? 0
                     : extensions_external(x) ? BUDGET_EXTERNAL_MS
                                              : BUDGET_INTERNAL_MS;
    in->ending.why = why;
    in->ending.deadline_ms = clock_now_ms() + budget;
    if (!in->runtime_runs) {
        end_extensions(in);
    } else if (budget == 0) {
        environment_signal(in->env, SIGKILL);
        in->ending.stage = ENDING_RUNTIME_KILLED;
        arm(in, KILL_WAIT_MS);
    } else {
        environment_signal(in->env, SIGTERM);
        in->ending.stage = ENDING_RUNTIME;
        arm(in, (int64_t)((double)budget * RUNTIME_SHARE));
    }
}

void shutdown_runtime_gone(struct instance *in)
{
    if (in->ending.stage == ENDING_RUNTIME || in->ending.stage == ENDING_RUNTIME_KILLED)
        end_extensions(in);
}

void shutdown_extension_gone(struct instance *in)
{
    if ((in->ending.stage == ENDING_EXTENSIONS || in->ending.stage == ENDING_KILLED) &&
        !extensions_alive(&in->extensions))
        over(in);
}

static void closed(uv_handle_t *handle)
{
    instance_release(handle->data);
}

void shutdown_close(struct instance *in)
{
    if (in->ending.open)
        uv_close((uv_handle_t *)&in->ending.timer, closed);
    in->ending.open = false;
}

/* ---- for good ---- */

static bool has_extensions(const struct instance *in)
{
    return in->env && in->extensions.n > 0;
}

void instance_retire(struct instance *in, enum shutdown_reason why)
{
    in->group = NULL;       /* the pool has forgotten it */
    list_remove(&in->link); /* it may come a second time, when its work is over */
    switch (in->state) {
    case INSTANCE_ANSWERED: /* what it does after its answer is still its right, and is reported */
        in->retire = true;
        list_append(&in->lambda->retiring, &in->link);
        return;
    case INSTANCE_ENDING:
        in->state = INSTANCE_RETIRING;
        list_append(&in->lambda->retiring, &in->link);
        return;
    case INSTANCE_IDLE:
    case INSTANCE_INIT:
        if (!has_extensions(in))
            break;
        uv_timer_stop(&in->timer);
        in->state = INSTANCE_RETIRING;
        list_append(&in->lambda->retiring, &in->link);
        shutdown_begin(in, why);
        return;
    default:
        break;
    }
    instance_free(in);
}

/* ---- the daemon's end ---- */

void instance_end(struct instance *in)
{
    bool at_work = in->state == INSTANCE_BUSY || in->state == INSTANCE_ANSWERED;
    bool told = has_extensions(in);
    if (at_work && !told) {
        instance_free(in);
        return;
    }
    if (at_work) {
        work_abandon(in);
        in->state = INSTANCE_IDLE;
    }
    in->preparing = false;
    instance_retire(in, SHUTDOWN_SPINDOWN);
}
