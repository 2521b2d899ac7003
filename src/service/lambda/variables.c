/* variables - see variables.h. Later ones win: what the function may change, what its owner has
 * set, then what belongs to the platform. */
#include "service/lambda/variables.h"
#include "sandbox/sandbox.h"

struct variables {
    struct arena *a;
    struct str *names;
    const char **texts;
    size_t n;
};

static void put(struct variables *l, struct str name, struct str value)
{
    const char *text = str_printf(l->a, "%.*s=%.*s", STR(name), STR(value)).p;
    for (size_t i = 0; i < l->n; i++) {
        if (str_eq(l->names[i], name)) {
            l->texts[i] = text;
            return;
        }
    }
    l->names[l->n] = str_copy(l->a, name);
    l->texts[l->n++] = text;
}

static bool is_python(const struct target *t)
{
    return str_starts(t->c->runtime, S("python"));
}

static bool is_node(const struct target *t)
{
    return str_starts(t->c->runtime, S("nodejs"));
}

/* An image brings its own; docker's PATH where it has none. */
static void put_image(struct variables *l, const struct target *t, struct str endpoint)
{
    put(l, S("PATH"), S("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
    put(l, S("AWS_XRAY_CONTEXT_MISSING"), S("LOG_ERROR"));
    if (endpoint.n)
        put(l, S("AWS_ENDPOINT_URL"), endpoint);
    const struct lambda_string_list *own = &t->record.image->environment;
    for (size_t i = 0; i < own->n; i++) {
        struct str name, value;
        if (str_cut(own->items[i], '=', &name, &value) && name.n)
            put(l, name, value);
    }
}

static void put_changeable(struct variables *l, const struct target *t, struct str endpoint)
{
    if (t->record.image) {
        put_image(l, t, endpoint);
        return;
    }
    put(l, S("LANG"), S("en_US.UTF-8"));
    put(l, S("PATH"), S("/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin"));
    put(l, S("LD_LIBRARY_PATH"),
        S("/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:"
          "/var/task:/var/task/lib:/opt/lib"));
    if (is_python(t))
        put(l, S("PYTHONPATH"), S("/var/runtime"));
    if (is_node(t)) {
        struct str number, rest, runtime = t->c->runtime;
        str_cut(str_slice(runtime, 6, runtime.n), '.', &number, &rest);
        put(l, S("NODE_PATH"),
            str_printf(l->a,
                       "/opt/nodejs/node%.*s/node_modules:/opt/nodejs/node_modules:"
                       "/var/runtime/node_modules:/var/runtime:/var/task",
                       STR(number)));
    }
    put(l, S("TZ"), S(":UTC")); /* until here they are a kind's: spares have them from the start */
    put(l, S("AWS_XRAY_CONTEXT_MISSING"), S("LOG_ERROR"));
    if (is_python(t) || is_node(t)) {
        /* AWS starts managed runtimes from a shell script, which leaves these. */
        put(l, S("PWD"), S("/var/task"));
        put(l, S("SHLVL"), S("0"));
    }
    /* Not on AWS: there SDKs find the cloud by name. Here it is beside the function. */
    if (endpoint.n)
        put(l, S("AWS_ENDPOINT_URL"), endpoint);
}

static void put_platform(struct variables *l, const struct target *t,
                         const struct session_credentials *credentials, struct str log_stream,
                         bool provisioned)
{
    const struct lambda_function_configuration *c = t->c;
    struct arena *a = l->a;
    put(l, S("AWS_XRAY_DAEMON_ADDRESS"), S(SANDBOX_ADDRESS ":2000"));
    put(l, S("_AWS_XRAY_DAEMON_ADDRESS"), S(SANDBOX_ADDRESS));
    put(l, S("_AWS_XRAY_DAEMON_PORT"), S("2000"));
    put(l, S("AWS_ACCESS_KEY_ID"), credentials->access_key);
    put(l, S("AWS_SECRET_ACCESS_KEY"), credentials->secret_key);
    put(l, S("AWS_SESSION_TOKEN"), credentials->token);
    if (c->handler.n)
        put(l, S("_HANDLER"), c->handler);
    if (is_python(t) || is_node(t)) /* own runtimes have none */
        put(l, S("AWS_EXECUTION_ENV"), str_printf(a, "AWS_Lambda_%.*s", STR(c->runtime)));
    put(l, S("AWS_LAMBDA_LOG_GROUP_NAME"), c->logging_config->log_group);
    put(l, S("AWS_LAMBDA_LOG_STREAM_NAME"), log_stream);
    if (is_python(t) || is_node(t)) /* where log records go, with their borders: see output.h */
        put(l, S("_LAMBDA_TELEMETRY_LOG_FD"), S("1"));
    if (str_is(c->logging_config->log_format, "JSON")) {
        put(l, S("AWS_LAMBDA_LOG_FORMAT"), S("JSON"));
        put(l, S("AWS_LAMBDA_LOG_LEVEL"), c->logging_config->application_log_level);
    }
    put(l, S("LAMBDA_TASK_ROOT"), S("/var/task"));
    put(l, S("LAMBDA_RUNTIME_DIR"), S("/var/runtime"));
    put(l, S("AWS_REGION"), t->region);
    put(l, S("AWS_DEFAULT_REGION"), t->region);
    put(l, S("AWS_LAMBDA_FUNCTION_NAME"), t->name);
    put(l, S("AWS_LAMBDA_FUNCTION_VERSION"), t->version);
    put(l, S("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
        str_printf(a, "%lld", (long long)c->memory_size.is));
    put(l, S("AWS_LAMBDA_INITIALIZATION_TYPE"),
        provisioned ? S("provisioned-concurrency") : S("on-demand"));
    put(l, S("AWS_LAMBDA_RUNTIME_API"), S(SANDBOX_ADDRESS ":9001"));
    put(l, S("TZ"), S(":UTC"));
}

const char *const *variables_make(struct arena *a, const struct target *t,
                                  const struct session_credentials *credentials,
                                  struct str log_stream, struct str endpoint, bool provisioned)
{
    const struct lambda_environment_response *own = t->c->environment;
    size_t n_own = own ? own->variables.n : 0;
    size_t n_image = t->record.image ? t->record.image->environment.n : 0;
    struct variables l = {.a = a};
    l.names = ARENA_ARRAY(a, struct str, n_own + n_image + 48);
    l.texts = ARENA_ARRAY(a, const char *, n_own + n_image + 48);
    put_changeable(&l, t, endpoint);
    for (size_t i = 0; i < n_own; i++)
        put(&l, own->variables.items[i].key, own->variables.items[i].value);
    put_platform(&l, t, credentials, log_stream, provisioned);
    return l.texts; /* zeroed memory: NULL-terminated */
}
