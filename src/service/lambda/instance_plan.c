/* instance_plan - what the sandbox of a function is made of. */
#include <errno.h>
#include "base/clock.h"
#include "base/log.h"
#include "service/lambda/image.h"
#include "service/lambda/instance.h"
#include "service/lambda/mounts.h"
#include "service/lambda/runtime_cache.h"
#include "service/lambda/runtimes.h"
#include "service/lambda/start_path.h"
#include "service/lambda/variables.h"

#define NO_SPAWNER                                                                                 \
    "Functions cannot run here: lamina up was started without a spawner (see lamina doctor)"

static const struct principal lambda_itself = {
    .type = PRINCIPAL_SERVICE,
    .service = S_INIT("lambda.amazonaws.com"),
};

static int credentials_of(struct instance *in, struct arena *a, struct session_credentials *ret)
{
    const struct target *t = in->target;
    struct call *call = call_open(in->lambda->cloud, t->account, t->region, &lambda_itself);
    struct session_credentials c = {0};
    int r = call_role_credentials(call, t->c->role, t->name, 12 * 3600, &c);
    ret->access_key = str_copy(a, c.access_key);
    ret->secret_key = str_copy(a, c.secret_key);
    ret->token = str_copy(a, c.token);
    call_close(call);
    return r;
}

static int refuse(struct instance *in, int outcome, struct str why)
{
    if (in->inv) {
        in->inv->outcome = outcome;
        in->inv->answer = str_copy(in->inv->arena, why);
    } else {
        log_error("lambda: %.*s: %.*s", STR(in->target->name), STR(why));
    }
    return -ENOENT;
}

/* Two layers of the same content are one folder, which overlayfs takes once: the later one's place
 * counts. */
static const char *const *layer_dirs(struct instance *in, size_t *ret_n)
{
    const struct lambda_version_record *record = &in->target->record;
    const struct str *codes = record->layer_codes.items;
    size_t n = record->layer_codes.n;
    const char **ret = ARENA_ARRAY(&in->arena, const char *, n + 1);
    *ret_n = 0;
    for (size_t i = 0; i < n; i++) {
        bool again = false;
        for (size_t k = i + 1; k < n; k++)
            again = again || str_eq(codes[i], codes[k]);
        if (!again)
            ret[(*ret_n)++] = code_dir(in->lambda->cloud, &in->arena, codes[i]).p;
    }
    return ret;
}

/* What is to be executed: the runtime's interpreter, a bootstrap, or what the image says. */
static int find_command(struct instance *in, const struct runtime_wish *wish,
                        struct runtime_command *ret, struct str *ret_fault)
{
    struct lambda_state *lambda = in->lambda;
    const struct target *t = in->target;
    struct str why = {0};
    bool no_bootstrap;
    int r = image_is(t->c)
                ? image_find(&in->arena, t, ret, &why, &no_bootstrap)
                : runtime_find(lambda->cloud, &in->arena, wish, ret, &why, &no_bootstrap);
    in->runtime_version = ret->version.n ? ret->version : t->c->runtime;
    if (r < 0 && no_bootstrap) {
        *ret_fault = why;
        return r;
    }
    if (r < 0)
        return refuse(in, OUTCOME_NO_RUNTIME, why);
    in->program = ret->argv[0];
    if (ret->byte_code)
        ret->runtime_dir = runtime_cache_get(lambda->runtimes, ret->link_target, ret->runtime_dir);
    return 0;
}

static int find_credentials(struct instance *in, struct arena *a, struct session_credentials *ret)
{
    if (credentials_of(in, a, ret) == 0)
        return 0;
    return refuse(in, OUTCOME_NO_SANDBOX,
                  str_printf(a, "The role %.*s cannot be assumed by Lambda any more",
                             STR(in->target->c->role)));
}

int instance_make_sandbox(struct instance *in, const struct environment_events *events,
                          struct str *ret_fault)
{
    struct lambda_state *lambda = in->lambda;
    const struct target *t = in->target;
    struct arena *a = &in->arena;
    auto_arena struct arena while_asking; /* the plan is bytes when environment_start() returns */
    arena_init(&while_asking);
    struct spawner *spawner = cloud_spawner(lambda->cloud);
    if (!spawner)
        return refuse(in, OUTCOME_NO_SANDBOX, S(NO_SPAWNER));
    const char *mounted = mounts_dir(lambda->mounts, t);
    const char *task = mounted ? mounted : code_dir(lambda->cloud, a, t->record.code).p;
    size_t n_layers;
    const char *const *layers = layer_dirs(in, &n_layers);

    struct runtime_command command = {0};
    struct runtime_wish wish = {
        .runtime = t->c->runtime,
        .memory_mb = (int)t->c->memory_size.is,
        .task_dir = task,
        .layer_dirs = layers,
        .n_layers = n_layers,
    };
    struct session_credentials credentials = {0};
    bool image = image_is(t->c);
    int r = find_command(in, &wish, &command, ret_fault);
    if (r < 0)
        return r;
    r = find_credentials(in, &while_asking, &credentials);
    if (r < 0)
        return r;
    struct sandbox_bind bind = {command.prefix, command.prefix};
    struct sandbox_link link = {command.link_target, command.link_path};
    if (image)
        extensions_look(&in->extensions, a, &task, 1, "opt/extensions");
    else
        extensions_look(&in->extensions, a, layers, n_layers, "extensions");
    /* Extensions are started with them again and again. */
    struct arena *variables = in->extensions.n_files ? a : &while_asking;
    struct sandbox_plan plan = {
        .argv = image ? command.argv : start_path_words(&while_asking, t->c, command.argv),
        .envp =
            variables_make(variables, t, &credentials, in->stream,
                           S("http://" SANDBOX_ADDRESS ":4566"), in->init_type == INIT_PROVISIONED),
        .cwd = image ? image_working_dir(a, t) : NULL,
        .root_dir = image ? task : NULL,
        .task_dir = image ? NULL : task,
        .layer_dirs = layers,
        .n_layers = n_layers,
        .runtime_dir = command.runtime_dir,
        .binds = &bind,
        .n_binds = command.prefix ? 1 : 0,
        .links = &link,
        .n_links = command.link_path ? 1 : 0,
        .ports = start_path_ports,
        .n_ports = start_path_n_ports(t->c),
        .memory_mb = (int)t->c->memory_size.is,
        .tmp_mb = t->c->ephemeral_storage ? (int)t->c->ephemeral_storage->size.is : 0,
    };
    in->envp = in->extensions.n_files ? plan.envp : NULL;
    plan.held = in->extensions.n_files > 0; /* they come before the runtime */
    plan.spare = start_path_spare(lambda, &while_asking, in->target, &wish, &command, plan.envp);
    in->work.times.sandbox_asked = clock_mono_ns();
    r = environment_start(spawner, &plan, events, in, &in->env);
    if (r < 0)
        return refuse(in, OUTCOME_NO_SANDBOX,
                      str_printf(a, "No execution environment could be made: %s", strerror(-r)));
    return 0;
}
