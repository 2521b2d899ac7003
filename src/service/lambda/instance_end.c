/* instance_end - how the work of an instance ends: the answer, the reports, what went wrong. */
#include <errno.h>
#include "base/clock.h"
#include "base/cleanup.h"
#include "service/lambda/instance_own.h"
#include "service/lambda/response_stream.h"
#include "service/lambda/times.h"

int64_t instance_limit_ms(const struct instance *in)
{
    return in->target->c->timeout.is * 1000;
}

/* ---- work ---- */

/* From here on the work is the instance's own: the invocation may be gone before its end. */
void work_begin(struct instance *in)
{
    struct work *w = &in->work;
    const struct invocation *inv = in->inv;
    if (!w->open) /* an init that is repeated belongs to the same work */
        buf_clear(&in->tail);
    arena_reset(&w->arena);
    *w = (struct work){
        .arena = w->arena,
        .open = true,
        .times = inv->times,
    };
    w->request_id = str_copy(&w->arena, inv->request_id); /* not above: the arena is copied there */
    w->arn = str_copy(&w->arena, inv->arn);
    w->trace_id = str_copy(&w->arena, inv->trace_id);
}

void work_start(struct instance *in)
{
    struct work *w = &in->work;
    platform_emit(in, &(struct platform_event){
                          .type = PLATFORM_START,
                          .request_id = w->request_id,
                          .arn = w->arn,
                          .trace_id = w->trace_id,
                      });
    if (w->began_ns)
        return; /* an init was a part of it */
    w->began_ns = clock_mono_ns();
    w->deadline_ms = clock_now_ms() + instance_limit_ms(in);
}

static struct platform_span span(const char *name, int64_t from, int64_t to)
{
    return (struct platform_span){name, from, to > from ? to - from : 0};
}

void work_runtime_done(struct instance *in, enum report_status status, struct str type)
{
    struct work *w = &in->work;
    struct invocation_times *t = &w->times;
    struct platform_span spans[3];
    size_t n = 0;
    if (w->runtime_done_told)
        return;
    w->runtime_done_told = true;
    t->runtime_done = clock_mono_ns();
    if (w->first_byte_ns) { /* an error that the platform made has none */
        spans[n++] = span("responseLatency", t->delivered, w->first_byte_ns);
        spans[n++] = span("responseDuration", w->first_byte_ns, t->answered);
        spans[n++] = span("runtimeOverhead", t->answered, t->runtime_done);
    }
    platform_emit(in, &(struct platform_event){
                          .type = PLATFORM_RUNTIME_DONE,
                          .mono_ns = t->runtime_done,
                          .request_id = w->request_id,
                          .trace_id = w->trace_id,
                          .status = status,
                          .error_type = type,
                          .duration_ns = t->runtime_done - w->began_ns,
                          .produced_bytes = w->produced_bytes,
                          .spans = spans,
                          .n_spans = n,
                      });
}

static void tell_report(struct instance *in, enum report_status status, struct str type)
{
    struct work *w = &in->work;
    struct platform_span overhead;
    w->times.done = clock_mono_ns();
    overhead = span("extensionOverhead", w->times.runtime_done, w->times.done);
    int64_t duration_ns = w->times.done - w->began_ns, limit_ns = instance_limit_ms(in) * 1000000;
    if (status == REPORT_TIMEOUT)
        duration_ns = limit_ns;
    platform_emit(in, &(struct platform_event){
                          .type = PLATFORM_REPORT,
                          .mono_ns = w->times.done,
                          .request_id = w->request_id,
                          .trace_id = w->trace_id,
                          .status = status,
                          .error_type = type,
                          .duration_ns = duration_ns,
                          .init_ns = in->init_ns,
                          .failed = w->failed,
                          .spans = &overhead,
                          .n_spans = in->extensions.n && w->times.runtime_done ? 1 : 0,
                      });
    times_keep(in->lambda->times, w->request_id, &w->times);
    in->init_ns = 0;
    w->open = false;
}

/* ---- the answer ---- */

static struct str tail_of(struct instance *in, struct arena *a)
{
    struct str all = buf_view(&in->tail);
    struct str last = all.n > LOG_TAIL ? str_slice(all, all.n - LOG_TAIL, all.n) : all;
    bool json = str_is(in->target->c->logging_config->log_format, "JSON");
    if (json && last.n < all.n) { /* whole records only */
        ssize_t end = str_find_byte(last, '\n');
        last = end < 0 ? S("") : str_slice(last, (size_t)end + 1, last.n);
    }
    return str_copy(a, last);
}

/* Takes the invocation from the instance: done() is to be called, last of all. */
static struct invocation *release(struct instance *in)
{
    struct invocation *inv = TAKE(in->inv);
    in->answer_held = false;
    inv->times = in->work.times;
    if (inv->wants_log)
        inv->log = tail_of(in, inv->arena);
    if (inv->wants_phases)
        inv->phases = times_phases(in, inv->arena);
    pool_invocation_over(in);
    return inv;
}

static void set_answer(struct instance *in, struct str answer, bool failed)
{
    struct invocation *inv = in->inv;
    in->work.times.answered = clock_mono_ns();
    in->work.failed = failed;
    inv->outcome = OUTCOME_ANSWER;
    inv->answer = answer;
    inv->failed = failed;
}

/* The client has its answer, while the environment may still have work to do. */
static void answer(struct instance *in, struct str body, bool failed)
{
    set_answer(in, str_copy(in->inv->arena, body), failed);
    in->state = INSTANCE_ANSWERED;
    if (in->inv->wants_log) {
        in->answer_held = true;
        return;
    }
    struct invocation *inv = release(in);
    inv->done(inv);
}

void work_produced(struct instance *in, size_t n)
{
    if (!in->work.first_byte_ns)
        in->work.first_byte_ns = clock_mono_ns();
    in->work.produced_bytes += (int64_t)n;
}

void instance_answer(struct instance *in, struct str body, bool failed)
{
    work_produced(in, body.n);
    answer(in, body, failed);
}

static void answer_error(struct instance *in, struct str type, struct str object)
{
    in->work.status = REPORT_ERROR;
    in->work.error_type = str_copy(&in->work.arena, type);
    answer(in, object, true);
}

void instance_answer_error(struct instance *in, struct str type, struct str message)
{
    struct arena *a = in->inv->arena;
    struct json *o = json_new(a, JSON_OBJECT);
    json_set(a, o, S("errorType"), json_new_str(a, type));
    json_set(a, o, S("errorMessage"), json_new_str(a, message));
    answer_error(in, type, json_text(a, o, -1));
}

void instance_answer_too_large(struct instance *in)
{
    /* In this order of members, unlike all others. */
    answer_error(
        in, S("Function.ResponseSizeTooLarge"),
        str_printf(in->inv->arena,
                   "{\"errorMessage\":\"Response payload size exceeded maximum allowed payload "
                   "size (%d bytes).\",\"errorType\":\"Function.ResponseSizeTooLarge\"}",
                   RESPONSE_MAX));
}

/* It is freed before all have asked for the next event: what is known is told. */
void work_abandon(struct instance *in)
{
    if (!in->work.open || in->state != INSTANCE_ANSWERED)
        return;
    work_runtime_done(in, in->work.status, in->work.error_type);
    tell_report(in, in->work.status, in->work.error_type);
}

void work_cancel(struct instance *in, const char *why)
{
    struct invocation *inv = in->inv;
    if (!inv)
        return;
    response_stream_cut(in);
    if (!in->answer_held) {
        inv->outcome = OUTCOME_NO_SANDBOX;
        inv->failed = true; /* for those that have had a part of the answer */
        inv->answer = str_copy(inv->arena, str_from(why));
    }
    release(in);
    inv->done(inv);
}

/* Only a fork of a zygote has anything to give back: others are frozen at once. */
static int64_t freeze_delay_ms(const struct instance *in)
{
    bool settles = !in->settled && in->local_listener && environment_from_spare(in->env);
    return settles ? SETTLE_MS : FREEZE_DELAY_MS;
}

void work_over(struct instance *in)
{
    struct invocation *inv = NULL;
    uv_timer_stop(&in->timer);
    instance_read_output(in);
    instance_flush_line(in);
    tell_report(in, in->work.status, in->work.error_type);
    in->state = INSTANCE_IDLE;
    if (in->answer_held)
        inv = release(in);
    if (in->retire) {
        instance_retire(in, SHUTDOWN_SPINDOWN);
    } else if (in->inv) {
        instance_deliver(in);
    } else {
        instance_arm(in, freeze_delay_ms(in));
        pool_instance_free(in);
    }
    if (inv)
        inv->done(inv);
}

/* ---- what goes wrong ---- */

static struct str error_object(struct instance *in, const struct failure *f)
{
    struct arena *a = in->inv->arena;
    struct json *o = json_new(a, JSON_OBJECT);
    if (f->payload.n)
        return str_copy(a, f->payload);
    json_set(a, o, S("errorType"), json_new_str(a, f->payload_type.n ? f->payload_type : f->type));
    json_set(a, o, S("errorMessage"),
             json_new_str(a, str_printf(a, "RequestId: %.*s Error: %.*s", STR(in->inv->request_id),
                                        STR(f->text))));
    return json_text(a, o, -1);
}

void instance_lost(struct instance *in)
{
    bool retiring = in->state == INSTANCE_RETIRING, preparing = in->preparing;
    in->state = INSTANCE_LOST;
    in->preparing = false;
    if (in->inv)
        pool_pass_on(in);
    if (retiring || in->retire)
        instance_free(in);
    else if (preparing)
        pool_instance_prepared(in, false);
    else
        pool_instance_lost(in);
}

static void end_for(struct instance *in, const struct failure *f)
{
    if (f->lost)
        instance_lost(in);
    else
        shutdown_begin(in, f->why);
}

/* The first init is tried again inside of the invocation, when nothing of it runs any more. */
static bool is_first_init(const struct instance *in, const struct failure *f)
{
    return in->state == INSTANCE_INIT && !f->lost && (!in->init_again || !in->inv);
}

void instance_failed(struct instance *in, const struct failure *f)
{
    struct invocation *inv = NULL;
    bool first_init = is_first_init(in, f), starting = in->state == INSTANCE_STARTING;
    if (in->state == INSTANCE_ENDING || in->state == INSTANCE_RETIRING)
        return;
    uv_timer_stop(&in->timer);
    response_stream_cut(in);
    instance_read_output(in);
    instance_flush_line(in);
    if (in->state == INSTANCE_INIT)
        instance_tell_init_failed(in, f);
    if (in->inv && (in->state == INSTANCE_INIT || starting) && !first_init)
        work_start(in);
    if (in->inv && in->state != INSTANCE_ANSWERED && !first_init)
        set_answer(in, error_object(in, f), true);
    if (in->work.open && !first_init) {
        work_runtime_done(in, f->status, f->type);
        tell_report(in, f->status, f->type);
        if (in->inv && (in->answer_held || in->state != INSTANCE_ANSWERED)) {
            in->state = starting ? INSTANCE_STARTING : INSTANCE_ENDING;
            inv = release(in);
        }
    }
    if (!starting) {
        in->state = INSTANCE_ENDING;
        if (in->inv && !first_init) /* the next one, which came while extensions were at work */
            instance_arm(in, END_WAIT_MS);
        end_for(in, f);
    } /* else it may come to its first event all the same, and wait for the next invocation */
    if (inv)
        inv->done(inv);
}

void instance_timed_out(struct instance *in)
{
    char text[64];
    snprintf(text, sizeof(text), "Task timed out after %.2f seconds",
             (double)instance_limit_ms(in) / 1000);
    instance_failed(in, &(struct failure){
                            .status = REPORT_TIMEOUT,
                            .payload_type = S("Sandbox.Timedout"),
                            .text = str_from(text),
                            .why = SHUTDOWN_TIMEOUT,
                        });
}

void instance_runtime_exited(struct instance *in, const struct environment_exit *how)
{
    char text[128];
    bool oom = how->oom;
    if (!oom)
        environment_oom_killed(in->env, &oom);
    oom = oom && how->signal == SIGKILL;
    if (!oom && how->signal == 0 && how->status == 0)
        snprintf(text, sizeof(text), "Runtime exited without providing a reason");
    else
        snprintf(text, sizeof(text), "Runtime exited with error: %s", how->text);
    struct failure f = {
        .status = REPORT_ERROR,
        .type = oom ? S("Runtime.OutOfMemory") : S("Runtime.ExitError"),
        .payload_type = S("Runtime.ExitError"),
        .text = str_from(text),
        .why = SHUTDOWN_FAILURE,
        .lost = how->lost,
    };
    if (in->state == INSTANCE_INIT && in->init_error) {
        f.type = in->init_error_type;
        f.payload = in->init_error_body;
    }
    instance_failed(in, &f);
}

void instance_extension_exited(struct instance *in, struct extension *e,
                               const struct environment_exit *how)
{
    char text[512];
    if (how->oom_all && how->signal == SIGKILL) { /* it died with the runtime, and is told first */
        instance_runtime_exited(in, how);
        return;
    }
    struct str type = e->state == EXTENSION_INIT_ERROR   ? S("Extension.InitError")
                      : e->state == EXTENSION_EXIT_ERROR ? S("Extension.ExitError")
                                                         : S("Extension.Crash");
    if (how->error) {
        e->state = EXTENSION_LAUNCH_ERROR;
        e->error_type = how->error == -EACCES ? S("PermissionDenied") : S("UnknownError");
        type = S("Extension.LaunchError");
        struct str why = str_lower(&in->extensions.arena, str_from(strerror(-how->error)));
        snprintf(text, sizeof(text), "fork/exec /opt/extensions/%.*s: %.*s", STR(e->name),
                 STR(why));
    } else {
        snprintf(text, sizeof(text), "%s",
                 how->signal == 0 && how->status == 0 ? "exit code 0" : how->text);
    }
    instance_failed(in, &(struct failure){
                            .status = REPORT_ERROR,
                            .type = type,
                            .text = str_from(text),
                            .why = SHUTDOWN_FAILURE,
                        });
}

/* It never came to a process: no runtime, no sandbox. */
void instance_refused(struct instance *in, struct str type, struct str fault)
{
    struct invocation *inv = in->inv;
    bool preparing = in->preparing;
    struct failure f = {.status = REPORT_ERROR, .type = type, .text = fault};
    in->preparing = false;
    if (fault.n)
        instance_tell_init_failed(in, &f);
    if (inv && fault.n) {
        in->work.began_ns = in->init_began_ns;
        work_start(in);
        set_answer(in, error_object(in, &f), true);
        work_runtime_done(in, f.status, f.type);
        tell_report(in, f.status, f.type);
    }
    in->state = INSTANCE_LOST;
    if (inv)
        release(in);
    if (preparing)
        pool_instance_prepared(in, false);
    else
        pool_instance_lost(in);
    if (inv)
        inv->done(inv);
}
