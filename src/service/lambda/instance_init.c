/* instance_init - from nothing, or from what a reset has left, to an environment that waits for its
 * first event: extensions first, the runtime when all of them have registered. */
#include <errno.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "service/lambda/image.h"
#include "service/lambda/instance_own.h"
#include "service/lambda/start_path.h"

#define PROVISIONED_INIT_LIMIT_MS 130000

static int64_t init_limit_ms(const struct instance *in)
{
    int64_t own = instance_limit_ms(in);
    if (in->init_type != INIT_PROVISIONED)
        return INIT_LIMIT_MS;
    return own > PROVISIONED_INIT_LIMIT_MS ? own : PROVISIONED_INIT_LIMIT_MS;
}

static enum platform_phase phase_of(const struct instance *in)
{
    return in->init_again ? PLATFORM_PHASE_INVOKE : PLATFORM_PHASE_INIT;
}

static void tell_at(struct instance *in, int64_t now_ns, enum platform_event_type type,
                    enum report_status status, struct str error_type)
{
    platform_emit(in, &(struct platform_event){
                          .type = type,
                          .phase = phase_of(in),
                          .status = status,
                          .error_type = error_type,
                          .duration_ns = now_ns - in->init_began_ns,
                      });
}

static void tell(struct instance *in, enum platform_event_type type, enum report_status status,
                 struct str error_type)
{
    tell_at(in, clock_mono_ns(), type, status, error_type);
}

void instance_tell_init_failed(struct instance *in, const struct failure *f)
{
    if (!in->runtime_ready)
        tell(in, PLATFORM_INIT_RUNTIME_DONE, f->status, f->type);
    extensions_tell(in);
    tell(in, PLATFORM_INIT_REPORT, f->status, f->type);
}

static void not_made(struct instance *in, const char *why)
{
    log_error("lambda: no environment for %.*s: %s", STR(in->target->name), why);
    if (in->state == INSTANCE_RETIRING) {
        instance_free(in);
        return;
    }
    if (in->inv) {
        in->inv->outcome = OUTCOME_NO_SANDBOX;
        in->inv->answer =
            str_printf(in->inv->arena, "No execution environment could be made: %s", why);
    }
    instance_refused(in, S(""), S(""));
}

/* A runtime that is not heard would wait for nothing until the init's limit, and then be blamed. */
void instance_starved(struct instance *in, int error)
{
    if (in->state == INSTANCE_INIT && !in->runtime_ready)
        not_made(in, str_printf(&in->arena, "its ports cannot be served: %s", strerror(-error)).p);
}

/* ---- the processes ---- */

static void start_runtime(struct instance *in)
{
    in->runtime_asked = true;
    int r = environment_run(in->env);
    if (r < 0)
        not_made(in, strerror(-r));
}

/* An extension has registered: the last one lets the runtime start. */
void instance_extension_registered(struct instance *in)
{
    if (in->state == INSTANCE_INIT && !in->runtime_asked && extensions_registered(&in->extensions))
        start_runtime(in);
}

static void start_extensions(struct instance *in)
{
    in->init_began_ns = clock_mono_ns();
    int r = extensions_start(in);
    if (r < 0)
        instance_failed(
            in, &(struct failure){
                    .status = REPORT_ERROR,
                    .type = S("Extension.LaunchError"),
                    .text = r == -E2BIG ? S("ErrTooManyExtensions")
                                        : str_lower(&in->extensions.arena, str_from(strerror(-r))),
                    .why = SHUTDOWN_FAILURE,
                });
}

/* A bootstrap that the kernel does not take is the function's own fault. */
static bool is_package_fault(const struct instance *in, int error)
{
    return str_starts(in->target->c->runtime, S("provided")) &&
           (error == -ENOEXEC || error == -EACCES || error == -ENOENT);
}

/* What the function reaches: the Runtime API and the cloud. */
static int open_ports(struct instance *in)
{
    int r = runtime_api_listen(in, environment_take_port(in->env, PORT_RUNTIME_API),
                               &in->runtime_listener);
    int local = environment_take_port(in->env, PORT_RUNTIME_LOCAL);
    if (r == 0 && local >= 0)
        r = runtime_api_listen(in, local, &in->local_listener);
    else if (local >= 0)
        close(local);
    if (r == 0)
        r = cloud_serve(in->lambda->cloud, environment_take_port(in->env, PORT_CLOUD),
                        &in->cloud_listener);
    int xray = environment_take_port(in->env, PORT_XRAY); /* nobody reads segments yet */
    if (xray >= 0)
        close(xray);
    return r;
}

static void on_no_start(struct instance *in, int error, const char *why)
{
    struct str type = {0}, text = {0};
    struct arena *a = &in->work.arena;
    environment_free(TAKE(in->env));
    if (image_is(in->target->c)) {
        type = image_start_fault(a, in->target, error, why, &text);
    } else if (is_package_fault(in, error)) {
        type = S("Runtime.InvalidEntrypoint");
        text = str_printf(a, "fork/exec %s: %s", in->program,
                          str_lower(a, str_from(strerror(-error))).p);
    }
    if (type.n && in->state != INSTANCE_ENDING && in->state != INSTANCE_RETIRING)
        instance_refused(in, type, text);
    else
        not_made(in, why);
}

/* The environment is there; with extensions (a plan that is held) the runtime comes afterwards. */
static void on_start(struct environment *env, int error, const char *why, void *user)
{
    struct instance *in = user;
    if (error < 0) {
        on_no_start(in, error, why);
        return;
    }
    bool first_half = in->extensions.n_files && !in->runtime_asked;
    if (!first_half)
        in->runtime_runs = in->runtime_asked = true;
    if (in->state == INSTANCE_ENDING || in->state == INSTANCE_RETIRING) {
        environment_signal(env, SIGKILL); /* too late */
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
    bool began = in->state == INSTANCE_INIT;
    in->state = INSTANCE_INIT;
    if (!began && (!in->init_again || !in->inv))
        instance_arm(in, init_limit_ms(in));
    if (first_half) {
        start_extensions(in);
        return;
    }
    int64_t exec_ns = environment_exec_ns(env);
    in->work.times.sandbox_ready = exec_ns;
    if (!began)
        in->init_began_ns = exec_ns > 0 ? exec_ns : clock_mono_ns();
    if (in->init_error) /* a runtime that was started again may be faster than the word of it */
        instance_arm(in, END_WAIT_MS);
    if (in->poll)
        instance_next(in);
}

static void on_runtime_exit(struct environment *env, const struct environment_exit *how, void *user)
{
    (void)env;
    struct instance *in = user;
    if (in->state == INSTANCE_BUSY) { /* an answer may be there that has not been read */
        http_listener_read(in->local_listener);
        http_listener_read(in->runtime_listener);
    }
    instance_end_output(in);
    in->runtime_runs = in->runtime_asked = in->runtime_ready = false;
    in->poll = NULL;
    if (in->state != INSTANCE_ENDING && in->state != INSTANCE_RETIRING)
        instance_runtime_exited(in, how);
    else if (how->lost)
        instance_lost(in);
    else
        shutdown_runtime_gone(in);
}

static void on_process_exit(struct environment *env, int index, const struct environment_exit *how,
                            void *user)
{
    (void)env;
    struct instance *in = user;
    struct extension *e = extension_by_process(&in->extensions, index);
    if (!e)
        return; /* of before a reset */
    e->alive = false;
    e->poll = NULL;
    if (in->state != INSTANCE_ENDING && in->state != INSTANCE_RETIRING)
        instance_extension_exited(in, e, how);
    else
        shutdown_extension_gone(in);
}

const struct environment_events instance_events = {
    .on_start = on_start,
    .on_exit = on_runtime_exit,
    .on_process_exit = on_process_exit,
    .on_socket = telemetry_socket,
};

/* ---- the beginning ---- */

void instance_begin(struct instance *in)
{
    struct str fault = {0};
    in->state = INSTANCE_STARTING;
    in->init_began_ns = clock_mono_ns();
    if (in->inv)
        work_begin(in);
    int r = instance_make_sandbox(in, &instance_events, &fault);
    if (r == 0 || fault.n)
        platform_emit(in, &(struct platform_event){.type = PLATFORM_INIT_START});
    if (r < 0)
        instance_refused(in, S("Runtime.InvalidEntrypoint"), fault);
}

void instance_prepare(struct instance *in)
{
    in->preparing = true;
    instance_begin(in);
}

/* Starts the processes again, inside the invocation and on its time. */
void instance_repeat(struct instance *in)
{
    work_begin(in);
    in->work.began_ns = clock_mono_ns();
    in->work.deadline_ms = clock_now_ms() + instance_limit_ms(in);
    in->init_began_ns = in->work.began_ns;
    in->init_again = true;
    in->init_error = in->runtime_ready = false;
    in->state = INSTANCE_STARTING;
    instance_arm(in, instance_limit_ms(in));
    in->frozen = false; /* restarting thaws */
    instance_claim(in);
    environment_set_cpu(in->env, 0); /* an init has all it can use, as the first one had */
    in->work.times.sandbox_asked = clock_mono_ns();
    int r = environment_restart(in->env);
    tell(in, PLATFORM_INIT_START, REPORT_SUCCESS, S(""));
    if (r < 0)
        not_made(in, strerror(-r));
}

/* ---- its end ---- */

void instance_runtime_initialized(struct instance *in)
{
    in->runtime_ready = in->extensions.closed = true;
    tell(in, PLATFORM_INIT_RUNTIME_DONE, REPORT_SUCCESS, S(""));
}

void instance_init_over(struct instance *in)
{
    uv_timer_stop(&in->timer);
    instance_read_output(in);
    in->init_error = false;
    in->work.times.init_done = clock_mono_ns();
    /* Inside of an invocation it is a part of its Duration; ahead of all it is nobody's. */
    if (!in->init_again && !in->preparing)
        in->init_ns = in->work.times.init_done - in->init_began_ns;
    extensions_tell(in);
    /* The same figure as Init Duration, which REPORT will show. */
    tell_at(in, in->work.times.init_done, PLATFORM_INIT_REPORT, REPORT_SUCCESS, S(""));
    if (environment_set_cpu(in->env, (int)in->target->c->memory_size.is) == -EOPNOTSUPP)
        log_debug("lambda: no cpu limits on this machine");
    in->state = INSTANCE_IDLE;
    if (in->inv) {
        instance_deliver(in);
        return;
    }
    in->init_again = false;
    instance_flush_line(in);
    instance_arm(in, FREEZE_DELAY_MS);
    if (!in->preparing) {
        pool_instance_free(in);
        return;
    }
    in->preparing = false;
    pool_instance_prepared(in, true);
}

bool instance_in_init(const struct instance *in)
{
    return in->state == INSTANCE_INIT || (in->state == INSTANCE_STARTING && in->runtime_listener);
}

/* The process tells why it cannot start, and is expected to exit: on_runtime_exit does the rest. */
void instance_init_error(struct instance *in, struct str body, struct str type)
{
    arena_reset(&in->error_arena);
    in->init_error = true;
    in->init_error_body = str_copy(&in->error_arena, body);
    in->init_error_type = str_copy(&in->error_arena, type);
    if (in->state == INSTANCE_INIT)
        instance_arm(in, END_WAIT_MS);
}

/* An extension has told why it cannot go on. In an init it is waited for, but not for long. */
void instance_extension_error(struct instance *in)
{
    in->extensions.stopped = true;
    if (in->state == INSTANCE_INIT)
        instance_arm(in, END_WAIT_MS);
}

/* The time of an init is up, or that of somebody who has told an error and did not end. */
void instance_init_wait_over(struct instance *in)
{
    struct failure f = {.status = REPORT_TIMEOUT, .why = SHUTDOWN_TIMEOUT};
    if (!in->init_error && !in->extensions.stopped && in->init_again && in->inv) {
        instance_timed_out(in);
        return;
    }
    if (in->init_error || in->extensions.stopped)
        f = (struct failure){.status = REPORT_ERROR, .why = SHUTDOWN_FAILURE};
    if (in->init_error) {
        f.type = in->init_error_type;
        f.payload = in->init_error_body;
        f.text = S("Runtime reported an error and did not exit");
    } else if (in->extensions.stopped) {
        f.type = S("Extension.InitError");
        f.text = S("Extension reported an error and did not exit");
    }
    instance_failed(in, &f);
}
