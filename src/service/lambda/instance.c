/* instance - the state machine of an execution environment; see the picture in instance.h. */
#include "service/lambda/instance.h"
#include <errno.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/lambda/image.h"
#include "service/lambda/platform.h"
#include "service/lambda/pool.h"

/* How long an invocation waits for an environment that has not come back yet. */
#define NEXT_WAIT_MS 100
#define END_WAIT_MS 1000
/* Freezing takes the kernel up to milliseconds: not between events that follow each other. */
#define FREEZE_DELAY_MS 3

static void begin_init(struct instance *in);
static void finish(struct instance *in, int64_t duration_ns, enum report_status status,
                   struct str type, struct str answer, bool failed);

struct instance *instance_new(struct lambda_state *lambda, struct group *group,
                              struct target *target)
{
    struct instance *in = MEM_NEW(struct instance);
    arena_init(&in->arena);
    arena_init(&in->error_arena);
    in->lambda = lambda;
    in->group = group;
    in->target = target;
    target_hold(target);
    list_init(&in->outputs);
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

static void handle_closed(uv_handle_t *handle)
{
    struct instance *in = handle->data;
    if (--in->handles > 0)
        return;
    buf_done(&in->tail);
    arena_done(&in->arena);
    arena_done(&in->error_arena);
    target_drop(in->target);
    free(in);
}

void instance_free(struct instance *in)
{
    instance_close_output(in);
    environment_free(TAKE(in->env));
    in->poll = NULL;
    http_listener_free(TAKE(in->runtime_listener));
    http_listener_free(TAKE(in->cloud_listener));
    log_stream_close(TAKE(in->log));
    code_unuse(in->lambda, in->target->record.code);
    for (size_t i = 0; i < in->target->record.layer_codes.n; i++)
        code_unuse(in->lambda, in->target->record.layer_codes.items[i]);
    uv_close((uv_handle_t *)&in->timer, handle_closed);
}

/* ---- what is told about it ---- */

static void tell_start(struct instance *in)
{
    platform_emit(in, &(struct platform_event){
                          .type = PLATFORM_START,
                          .request_id = in->inv->request_id,
                          .arn = in->inv->arn,
                          .trace_id = in->inv->trace_id,
                      });
}

static void tell_init_report(struct instance *in, enum report_status status, struct str type)
{
    platform_emit(in, &(struct platform_event){
                          .type = PLATFORM_INIT_REPORT,
                          .phase = in->init_again ? PLATFORM_PHASE_INVOKE : PLATFORM_PHASE_INIT,
                          .status = status,
                          .error_type = type,
                          .duration_ns = clock_mono_ns() - in->init_began_ns,
                      });
}

/* ---- time limits ---- */

static struct str error_object(struct instance *in, const char *type, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static struct str error_object(struct instance *in, const char *type, const char *fmt, ...)
{
    struct arena *a = in->inv->arena;
    va_list ap;
    va_start(ap, fmt);
    struct str text = str_vprintf(a, fmt, ap);
    va_end(ap);
    struct json *o = json_new(a, JSON_OBJECT);
    json_set(a, o, S("errorType"), json_new_str(a, S("")));
    json_get(o, "errorType")->text = str_from(type);
    json_set(a, o, S("errorMessage"),
             json_new_str(a, str_printf(a, "RequestId: %.*s Error: %.*s", STR(in->inv->request_id),
                                        STR(text))));
    return json_text(a, o, -1);
}

static void stop_process(struct instance *in)
{
    if (in->frozen) {
        environment_thaw(in->env);
        in->frozen = false;
    }
    environment_signal(in->env, 9);
}

static int64_t limit_ms(const struct instance *in)
{
    return in->target->c->timeout.is * 1000;
}

static void on_invoke_timeout(struct instance *in)
{
    instance_read_output(in);
    if (in->state == INSTANCE_INIT)
        tell_init_report(in, REPORT_TIMEOUT, S(""));
    if (in->state == INSTANCE_INIT || in->state == INSTANCE_STARTING)
        tell_start(in);
    struct str answer = error_object(in, "Sandbox.Timedout", "Task timed out after %.2f seconds",
                                     (double)limit_ms(in) / 1000);
    if (in->state != INSTANCE_STARTING)
        in->state = INSTANCE_ENDING;
    finish(in, limit_ms(in) * 1000000, REPORT_TIMEOUT, S(""), answer, true);
}

static void on_timer(uv_timer_t *timer);

static void arm(struct instance *in, int64_t ms)
{
    uv_update_time(in->lambda->loop);
    uv_timer_start(&in->timer, on_timer, (uint64_t)(ms > 0 ? ms : 1), 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct instance *in = timer->data;
    if (in->state == INSTANCE_IDLE) {
        in->frozen = environment_freeze(in->env) == 0;
        return;
    }
    if (in->state == INSTANCE_INIT && in->init_error) {
        /* It has said why, but not ended. */
    } else if (in->state == INSTANCE_INIT && (!in->init_again || !in->inv)) {
        /* The sandbox is reset, and the init repeated inside the invocation. */
        instance_read_output(in);
        instance_flush_line(in);
        tell_init_report(in, REPORT_TIMEOUT, S(""));
        in->init_reported = true;
    } else if (in->inv && (in->state == INSTANCE_ANSWERED || in->state == INSTANCE_ENDING)) {
        pool_pass_on(in);
        arm(in, in->deadline_ms - clock_now_ms());
        return;
    } else if (in->inv) {
        on_invoke_timeout(in);
    } else if (in->state == INSTANCE_ANSWERED) {
        in->state = INSTANCE_ENDING;
    }
    stop_process(in);
}

/* ---- the end of an invocation ---- */

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

static void finish(struct instance *in, int64_t duration_ns, enum report_status status,
                   struct str type, struct str answer, bool failed)
{
    struct invocation *inv = in->inv;
    instance_read_output(in);
    instance_flush_line(in);
    platform_emit(in, &(struct platform_event){
                          .type = PLATFORM_REPORT,
                          .request_id = inv->request_id,
                          .trace_id = inv->trace_id,
                          .status = status,
                          .error_type = type,
                          .duration_ns = duration_ns,
                          .init_ns = in->init_ns,
                      });
    in->init_ns = 0;
    inv->outcome = OUTCOME_ANSWER;
    inv->answer = str_copy(inv->arena, answer);
    inv->failed = failed;
    inv->log = tail_of(in, inv->arena);
    in->inv = NULL;
    in->last_id = str_copy(&in->error_arena, inv->request_id);
    pool_invocation_over(in);
    inv->done(inv);
}

/* It never came to a process: no runtime, no sandbox. */
static void refuse_as(struct instance *in, struct str type, struct str fault)
{
    struct invocation *inv = in->inv;
    in->state = INSTANCE_LOST;
    if (fault.n) {
        int64_t duration_ns = clock_mono_ns() - in->init_began_ns;
        tell_init_report(in, REPORT_ERROR, type);
        tell_start(in);
        finish(in, duration_ns, REPORT_ERROR, type, error_object(in, type.p, "%.*s", STR(fault)),
               true);
    } else {
        in->inv = NULL;
        pool_invocation_over(in);
        inv->done(inv);
    }
    pool_instance_lost(in);
}

static void refuse(struct instance *in, struct str fault)
{
    refuse_as(in, S("Runtime.InvalidEntrypoint"), fault);
}

/* ---- start ---- */

/* A bootstrap that the kernel does not take is the function's own fault. */
static bool is_package_fault(const struct instance *in, int error)
{
    return str_starts(in->target->c->runtime, S("provided")) &&
           (error == -ENOEXEC || error == -EACCES || error == -ENOENT);
}

static void not_made(struct instance *in, const char *why)
{
    log_error("lambda: no environment for %.*s: %s", STR(in->target->name), why);
    if (in->inv) {
        in->inv->outcome = OUTCOME_NO_SANDBOX;
        in->inv->answer =
            str_printf(in->inv->arena, "No execution environment could be made: %s", why);
        refuse(in, S(""));
    } else {
        in->state = INSTANCE_LOST;
        pool_instance_lost(in);
    }
}

/* What the function reaches: the Runtime API and the cloud. */
static int open_ports(struct instance *in)
{
    int r = runtime_api_listen(in, environment_take_port(in->env, 0));
    if (r == 0)
        r = cloud_serve(in->lambda->cloud, environment_take_port(in->env, 1), &in->cloud_listener);
    int xray = environment_take_port(in->env, 2); /* nobody reads segments yet */
    if (xray >= 0)
        close(xray);
    return r;
}

static void on_start(struct environment *env, int error, const char *why, void *user)
{
    struct instance *in = user;
    if (error < 0) {
        environment_free(TAKE(in->env));
        struct str text = {0}, type = {0};
        if (in->inv && image_is(in->target->c))
            type = image_start_fault(in->inv->arena, in->target, error, why, &text);
        if (type.n)
            refuse_as(in, type, text);
        else if (in->inv && is_package_fault(in, error))
            refuse(in, str_printf(in->inv->arena, "fork/exec %s: %s", in->program,
                                  str_lower(in->inv->arena, str_from(strerror(-error))).p));
        else
            not_made(in, why);
        return;
    }
    if (!in->runtime_listener) {
        int r = open_ports(in);
        if (r < 0) { /* without it the process would wait for nothing until the init's limit */
            not_made(in, str_printf(&in->arena, "its ports cannot be served: %s", strerror(-r)).p);
            return;
        }
        instance_watch_output(in);
    }
    in->state = INSTANCE_INIT;
    int64_t exec_ns = environment_exec_ns(env);
    in->init_began_ns = exec_ns > 0 ? exec_ns : clock_mono_ns();
    if (!in->init_again || !in->inv)
        arm(in, INIT_LIMIT_MS);
}

static void init_failed(struct instance *in, struct str type, struct str answer);

static struct str exit_answer(struct instance *in, const struct environment_exit *how)
{
    if (how->oom)
        return error_object(in, "Runtime.ExitError", "Runtime exited with error: signal: killed");
    if (how->signal == 0 && how->status == 0)
        return error_object(in, "Runtime.ExitError", "Runtime exited without providing a reason");
    return error_object(in, "Runtime.ExitError", "Runtime exited with error: %s", how->text);
}

static void on_end(struct environment *env, const struct environment_exit *how, void *user)
{
    struct instance *in = user;
    enum instance_state was = in->state;
    instance_end_output(in);
    in->state = how->lost ? INSTANCE_LOST : INSTANCE_STOPPED;
    in->poll = NULL;
    bool oom = how->oom;
    if (!oom)
        environment_oom_killed(env, &oom);
    struct environment_exit known = *how;
    known.oom = oom && known.signal == 9;
    struct str type = known.oom ? S("Runtime.OutOfMemory") : S("Runtime.ExitError");
    if (in->inv && (was == INSTANCE_INIT || was == INSTANCE_STARTING)) {
        if (in->init_error)
            init_failed(in, in->init_error_type, in->init_error_body);
        else
            init_failed(in, type, exit_answer(in, &known));
        return;
    } else if (in->inv && was == INSTANCE_BUSY) {
        finish(in, clock_mono_ns() - in->began_ns, REPORT_ERROR, type, exit_answer(in, &known),
               true);
    }
    uv_timer_stop(&in->timer);
    if (in->inv && in->state == INSTANCE_STOPPED) { /* it came while the process was ending */
        in->init_again = false;
        begin_init(in);
    } else if (in->state == INSTANCE_LOST) {
        if (in->inv)
            pool_pass_on(in);
        pool_instance_lost(in);
    } else {
        pool_instance_free(in);
    }
}

static const struct environment_events events = {.on_start = on_start, .on_exit = on_end};

/* The process ended before it asked for an event. The first time the init is repeated. */
static void init_failed(struct instance *in, struct str type, struct str answer)
{
    uv_timer_stop(&in->timer);
    if (!in->init_reported)
        tell_init_report(in, REPORT_ERROR, type);
    in->init_reported = false;
    if (!in->init_again && in->state == INSTANCE_STOPPED) {
        begin_init(in);
        return;
    }
    tell_start(in);
    finish(in, clock_mono_ns() - in->began_ns, REPORT_ERROR, type, answer, true);
    if (in->state == INSTANCE_LOST)
        pool_instance_lost(in);
    else
        pool_instance_free(in);
}

/* Starts the process again, inside the invocation and on its time. */
static void begin_init(struct instance *in)
{
    if (!in->init_again)
        in->began_ns = clock_mono_ns();
    in->init_again = true;
    in->init_error = in->init_reported = false;
    in->state = INSTANCE_STARTING;
    in->deadline_ms = clock_now_ms() + limit_ms(in);
    arm(in, limit_ms(in));
    environment_set_cpu(in->env, 0); /* an init has all it can use, as the first one had */
    int r = environment_restart(in->env);
    if (r < 0) {
        in->inv->outcome = OUTCOME_NO_SANDBOX;
        in->inv->answer = str_printf(in->inv->arena,
                                     "The execution environment could not be "
                                     "restarted: %s",
                                     strerror(-r));
        refuse(in, S(""));
    }
}

static void begin_new(struct instance *in)
{
    struct str fault = {0};
    in->state = INSTANCE_STARTING;
    in->init_began_ns = clock_mono_ns();
    int r = instance_make_sandbox(in, &events, &fault);
    if (r == 0 || fault.n)
        platform_emit(in, &(struct platform_event){.type = PLATFORM_INIT_START});
    if (r < 0)
        refuse(in, fault);
}

/* ---- events ---- */

static void deliver(struct instance *in)
{
    in->state = INSTANCE_BUSY;
    if (in->frozen) {
        environment_thaw(in->env);
        in->frozen = false;
    }
    tell_start(in);
    if (!in->init_again) {
        in->began_ns = clock_mono_ns();
        in->deadline_ms = clock_now_ms() + limit_ms(in);
        arm(in, limit_ms(in));
    }
    in->init_again = false;
    arena_reset(&in->error_arena);
    in->last_id = (struct str){0};
    runtime_api_deliver(in);
}

void instance_invoke(struct instance *in, struct invocation *inv)
{
    in->inv = inv;
    buf_clear(&in->tail);
    switch (in->state) {
    case INSTANCE_NEW:
        begin_new(in);
        break;
    case INSTANCE_IDLE:
        deliver(in);
        break;
    case INSTANCE_STOPPED:
        in->init_again = false;
        begin_init(in);
        break;
    case INSTANCE_ANSWERED: /* with its `next`, which is on the way */
        arm(in, NEXT_WAIT_MS);
        break;
    default: /* ENDING */
        arm(in, END_WAIT_MS);
        break;
    }
}

/* The process asks for an event; in->poll is set. */
void instance_next(struct instance *in)
{
    switch (in->state) {
    case INSTANCE_INIT:
        uv_timer_stop(&in->timer);
        instance_read_output(in);
        in->init_error = false;
        if (!in->init_again)
            in->init_ns = clock_mono_ns() - in->init_began_ns;
        if (environment_set_cpu(in->env, (int)in->target->c->memory_size.is) == -EOPNOTSUPP)
            log_debug("lambda: no cpu limits on this machine");
        if (in->init_again)
            arm(in, in->deadline_ms - clock_now_ms());
        break;
    case INSTANCE_BUSY: /* lost the answer? it gets the same event again */
        runtime_api_deliver(in);
        return;
    case INSTANCE_IDLE:
    case INSTANCE_ENDING:
        return;
    default:
        uv_timer_stop(&in->timer);
        break;
    }
    if (in->inv) {
        deliver(in);
        return;
    }
    in->state = INSTANCE_IDLE;
    instance_read_output(in);
    instance_flush_line(in);
    arm(in, FREEZE_DELAY_MS);
    pool_instance_free(in);
}

void instance_answer(struct instance *in, struct str body, bool failed)
{
    in->state = INSTANCE_ANSWERED;
    finish(in, clock_mono_ns() - in->began_ns, REPORT_SUCCESS, S(""), body, failed);
}

void instance_answer_too_large(struct instance *in)
{
    in->state = INSTANCE_ANSWERED;
    struct str answer = str_printf(
        in->inv->arena,
        "{\"errorMessage\":\"Response payload size exceeded maximum allowed payload size "
        "(%d bytes).\",\"errorType\":\"Function.ResponseSizeTooLarge\"}",
        RESPONSE_MAX);
    finish(in, clock_mono_ns() - in->began_ns, REPORT_ERROR, S("Function.ResponseSizeTooLarge"),
           answer, true);
}

/* The process tells why it cannot start, and is expected to exit: on_exit does the rest. */
void instance_init_error(struct instance *in, struct str body, struct str type)
{
    arena_reset(&in->error_arena);
    in->last_id = (struct str){0};
    in->init_error = true;
    in->init_error_body = str_copy(&in->error_arena, body);
    in->init_error_type = str_copy(&in->error_arena, type);
    arm(in, END_WAIT_MS);
}
