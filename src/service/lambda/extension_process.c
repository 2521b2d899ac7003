/* extension_process - extensions as processes of an environment, and the events that they get. */
#include <errno.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "service/lambda/instance_own.h"
#include "service/lambda/output.h"

/* ---- starting ---- */

/* What only runtimes have. The rest a runtime's environment and an extension's have in common. */
static const char *const not_for_extensions[] = {
    "AWS_EXECUTION_ENV",  "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
    "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT",
};
/* Runtimes' own settings, which are an extension's only when the function's owner has made them. */
static const char *const of_runtimes[] = {"PYTHONPATH", "NODE_PATH", "PWD", "SHLVL"};

static bool is_one_of(struct str name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(name, list[i]))
            return true;
    return false;
}

static bool is_owners(const struct instance *in, struct str name)
{
    const struct lambda_environment_response *own = in->target->c->environment;
    for (size_t i = 0; own && i < own->variables.n; i++)
        if (str_eq(own->variables.items[i].key, name))
            return true;
    return false;
}

static const char *const *variables_of_extension(struct instance *in, struct arena *a)
{
    size_t n = 0;
    while (in->envp[n])
        n++;
    const char **ret = ARENA_ARRAY(a, const char *, n + 1);
    n = 0;
    for (const char *const *v = in->envp; *v; v++) {
        struct str name, value;
        str_cut(str_from(*v), '=', &name, &value);
        if (name.p[0] == '_' || str_starts(name, S("AWS_XRAY_")) ||
            is_one_of(name, not_for_extensions, ARRAY_LEN(not_for_extensions)) ||
            (is_one_of(name, of_runtimes, ARRAY_LEN(of_runtimes)) && !is_owners(in, name)))
            continue;
        ret[n++] = *v;
    }
    return ret;
}

static int start_one(struct instance *in, struct extension *e, const char *const *envp)
{
    const char *argv[] = {str_printf(&in->extensions.arena, "/opt/extensions/%.*s", STR(e->name)).p,
                          NULL};
    int output;
    int r = environment_spawn(in->env, argv, envp, &e->process, &output);
    if (r < 0)
        return r;
    e->alive = true;
    output_open(in, PLATFORM_EXTENSION_OUTPUT, false, output);
    return 0;
}

int extensions_start(struct instance *in)
{
    struct extensions *x = &in->extensions;
    const char *const *envp = variables_of_extension(in, &x->arena);
    for (size_t i = 0; i < x->n_files; i++) {
        struct extension *e = extension_add(x, x->files[i], true);
        if (x->n > EXTENSIONS_MAX) {
            e->state = EXTENSION_LAUNCH_ERROR;
            e->error_type = S("TooManyExtensions");
            return -E2BIG;
        }
        int r = start_one(in, e, envp);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- what is told about them ---- */

void extensions_tell(struct instance *in)
{
    struct extensions *x = &in->extensions;
    for (struct extension *e = x->items; e < x->items + x->n; e++) {
        struct str events[2];
        size_t n = 0;
        if (e->invoke)
            events[n++] = S("INVOKE");
        if (e->shutdown)
            events[n++] = S("SHUTDOWN");
        platform_emit(in, &(struct platform_event){
                              .type = PLATFORM_EXTENSION,
                              .name = e->name,
                              .state = str_from(extension_state_name(e)),
                              .items = events,
                              .n_items = n,
                              .error_type = e->error_type,
                          });
    }
}

/* ---- what they are told ---- */

static struct json *text_of(struct arena *a, struct str text)
{
    return json_new_str(a, text);
}

static struct str invoke_event(struct instance *in, struct arena *a)
{
    const struct work *w = &in->work;
    struct json *o = json_new(a, JSON_OBJECT), *tracing = json_new(a, JSON_OBJECT);
    json_set(a, o, S("eventType"), text_of(a, S("INVOKE")));
    json_set(a, o, S("deadlineMs"), json_new_int(a, w->deadline_ms));
    json_set(a, o, S("requestId"), text_of(a, w->request_id));
    json_set(a, o, S("invokedFunctionArn"), text_of(a, w->arn));
    json_set(a, tracing, S("type"), text_of(a, S("X-Amzn-Trace-Id")));
    json_set(a, tracing, S("value"), text_of(a, w->trace_id));
    if (w->trace_id.n)
        json_set(a, o, S("tracing"), tracing);
    return json_text(a, o, -1);
}

void extensions_invoke(struct instance *in)
{
    struct extensions *x = &in->extensions;
    struct str event = {0};
    for (struct extension *e = x->items; e < x->items + x->n; e++) {
        if (!e->invoke || e->state != EXTENSION_READY)
            continue;
        if (!event.n)
            event = invoke_event(in, &in->work.arena);
        e->state = EXTENSION_RUNNING;
        extension_api_deliver(e, event);
    }
}

static const char *const reasons[] = {
    [SHUTDOWN_SPINDOWN] = "spindown",
    [SHUTDOWN_TIMEOUT] = "timeout",
    [SHUTDOWN_FAILURE] = "failure",
};

void extension_tell_shutdown(struct instance *in, struct extension *e)
{
    struct arena *a = &in->extensions.arena;
    e->owed = !e->poll;
    if (e->owed)
        return;
    e->state = EXTENSION_RUNNING;
    extension_api_deliver(
        e,
        str_printf(a, "{\"eventType\":\"SHUTDOWN\",\"deadlineMs\":%lld,\"shutdownReason\":\"%s\"}",
                   (long long)in->ending.deadline_ms, reasons[in->ending.why]));
}
