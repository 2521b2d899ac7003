/* local - `lamina local`: see local.h. Here: the verb, the cloud, and how the template gets there.
 */
#include "cli/local.h"
#include "sandbox/sandbox.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "build/project.h"
#include "cli/source.h"
#include "cli/target.h"
#include "wire/cloudformation.h"
#include "wire/walk.h"

#define ACCOUNT "000000000000"

const struct option_row local_rows[] = {
    {OPTION(struct local_options, template), .name = "template", .letter = 't', .type = OPTION_TEXT,
     .metavar = "FILE",
     .help = "the template; .aws-sam/build/template.yaml or template.yaml otherwise"},
    {OPTION(struct local_options, template), .name = "template-file", .type = OPTION_TEXT,
     .hidden = true, .help = "the same as --template"},
    {OPTION(struct local_options, overrides), .name = "parameter-overrides", .type = OPTION_LIST,
     .many = true, .metavar = "NAME=VALUE...",
     .help = "values of parameters (env:NAME and file://PATH too)"},
    {OPTION(struct local_options, runtime), .name = "runtime", .type = OPTION_LIST,
     .metavar = "NAME=PATH", .help = "the interpreter of a runtime"},
    {OPTION(struct local_options, host), .name = "host", .type = OPTION_TEXT, .metavar = "ADDRESS",
     .default_value = "127.0.0.1", .help = "numeric address to listen at"},
    {OPTION(struct local_options, port), .name = "port", .letter = 'p', .type = OPTION_INT,
     .metavar = "PORT", .min = 0, .max = 65535,
     .help = "port to listen at; otherwise 3000 (start-api), 3001 (start-lambda)"},
    {0},
};

const struct option_row local_more_rows[] = {
    {OPTION(struct local_more, event), .name = "event", .letter = 'e', .type = OPTION_TEXT,
     .metavar = "FILE", .help = "invoke: the event, JSON; - reads it from stdin; {} otherwise"},
    {OPTION(struct local_more, no_event), .name = "no-event", .type = OPTION_FLAG,
     .help = "invoke: the event is {}, as without --event"},
    {OPTION(struct local_more, env_vars), .name = "env-vars", .letter = 'n', .type = OPTION_TEXT,
     .metavar = "FILE",
     .help = "values of variables that the template declares, JSON: "
             "{\"FunctionId\": {\"NAME\": \"value\"}, \"Parameters\": {...}}"},
    {0},
};

const struct local_more *local_more_of(const struct verb_run *run)
{
    for (size_t i = 0; i < run->n_sets; i++)
        if (run->sets[i].rows == local_more_rows)
            return run->sets[i].values;
    return NULL;
}

#define LOCAL_SETS (1 | 2 | 4)

static const struct verb_action actions[] = {
    {.name = "start-api",
     .run = local_start_api,
     .sets = LOCAL_SETS,
     .summary = "serve the template's HTTP events at http://127.0.0.1:3000",
     .details = "Events are those of HttpApi, Api and FunctionUrlConfig.\n\n"
                "    lamina local start-api -t template.yaml --port 3000"},
    {.name = "start-lambda",
     .run = local_start_lambda,
     .sets = LOCAL_SETS,
     .summary = "serve Invoke for the template's functions at http://127.0.0.1:3001",
     .details = "    lamina local start-lambda --port 3001\n"
                "    aws lambda invoke --endpoint-url http://127.0.0.1:3001 "
                "--function-name HelloFunction out.json"},
    {.name = "invoke",
     .run = local_invoke,
     .sets = LOCAL_SETS,
     .operands = "[FUNCTION]",
     .max_operands = 1,
     .summary = "send one event to a function and print its answer",
     .details = "    lamina local invoke HelloFunction -e events/hello.json"},
    {0},
};

/* ---- leaving ---- */

void local_leave(struct local *l, int code)
{
    if (l->daemon.leaving)
        return;
    l->code = code;
    if (l->deploying)
        uv_process_kill(&l->deployer, SIGTERM);
    daemon_leave(&l->daemon);
}

static void on_signal(struct daemon *d, int number)
{
    struct local *l = d->user;
    local_leave(l, number == SIGINT || number == SIGHUP || number == SIGTERM ? l->code : 1);
}

/* The terminal is the functions': what they print is seen at once, and all of it. */
static void on_log(void *user, struct str text)
{
    fwrite(text.p, 1, text.n, stderr);
    if (!str_ends(text, S("\n")))
        fputc('\n', stderr);
}

/* ---- what the cloud made of the template ---- */

const struct local_function *local_function_find(const struct local *l, struct str name)
{
    for (size_t i = 0; i < l->n_functions; i++)
        if (str_eq(l->functions[i].logical_id, name) || str_eq(l->functions[i].name, name))
            return &l->functions[i];
    return NULL;
}

static void described(struct call *call, void *user)
{
    struct local *l = user;
    const struct cloudformation_describe_stack_resources_output *out = call->out;
    if (call->result < 0) {
        local_leave(l, verb_fail(l->run, "the stack's resources cannot be listed: %.*s",
                                 STR(call->message)));
        return;
    }
    l->functions = ARENA_ARRAY(l->arena, struct local_function, out->stack_resources.n + 1);
    for (size_t i = 0; i < out->stack_resources.n; i++) {
        const struct cloudformation_stack_resource *r = &out->stack_resources.items[i];
        if (str_is(r->resource_type, "AWS::Lambda::Function"))
            l->functions[l->n_functions++] =
                (struct local_function){str_copy(l->arena, r->logical_resource_id),
                                        str_copy(l->arena, r->physical_resource_id)};
    }
    l->ready(l);
}

static void ask_resources(struct local *l)
{
    static const struct cloudformation_describe_stack_resources_input in = {
        .stack_name = S_INIT(LOCAL_STACK)};
    call_send(l->call, &cloudformation_describe_stack_resources_op, &in, described, l);
}

struct invoked {
    struct call *root;
    call_done_fn *done;
    void *user;
};

static void invoked(struct call *call, void *user)
{
    struct invoked *i = user;
    struct call *root = i->root;
    i->done(call, i->user);
    call_close(root); /* goes at the end of the turn */
}

static struct call *open_call(struct local *l)
{
    struct principal root = {.type = PRINCIPAL_ROOT,
                             .account = S(ACCOUNT),
                             .arn = S("arn:aws:iam::" ACCOUNT ":root"),
                             .user_id = S(ACCOUNT)};
    return call_open(l->daemon.cloud, S(ACCOUNT), l->region, &root);
}

void local_invoke_function(struct local *l, const struct lambda_invoke_input *in,
                           call_done_fn *done, void *user)
{
    struct call *root = open_call(l);
    struct lambda_invoke_input *copy = ARENA_NEW(root->arena, struct lambda_invoke_input);
    wire_copy(root->arena, operation_input(&lambda_invoke_op), in, copy);
    struct invoked *i = ARENA_NEW(root->arena, struct invoked);
    *i = (struct invoked){root, done, user};
    call_send(root, &lambda_invoke_op, copy, invoked, i);
}

/* ---- how the template gets there ---- */

static bool is_api(struct str type)
{
    return str_is(type, "AWS::Serverless::HttpApi") || str_is(type, "AWS::Serverless::Api");
}

/* Only what functions need: who calls them is the action's business. */
static void strip(struct json *root)
{
    struct json *resources = json_get(root, "Resources"), *globals = json_get(root, "Globals");
    json_remove(root, S("Outputs"));
    json_remove(globals, S("HttpApi"));
    json_remove(globals, S("Api"));
    for (struct json *r = resources ? resources->first : NULL, *next; r; r = next) {
        next = r->next;
        if (is_api(json_get_str(r, "Type")))
            json_remove(resources, r->key);
        else if (str_is(json_get_str(r, "Type"), "AWS::Serverless::Function"))
            json_remove(json_get(r, "Properties"), S("Events"));
    }
}

/* 0, or an exit code after a message. The template that is deployed stands in a folder of ours, so
 * its code's paths become absolute. */
static int write_template(struct local *l)
{
    struct arena *a = l->arena;
    struct json *root = json_copy(a, l->root);
    struct local_code *codes;
    size_t n;
    struct str why;
    if (project_local_code(a, root, l->template_path, &codes, &n, &why) < 0)
        return verb_fail(l->run, "%.*s", STR(why));
    for (size_t i = 0; i < n; i++)
        codes[i].value->text = codes[i].path;
    strip(root);
    int e = local_rewrite(l, root);
    if (e)
        return e;
    const char *tmp = getenv("TMPDIR");
    char *dir = str_c(a, str_printf(a, "%s/lamina-local-XXXXXX", tmp && *tmp ? tmp : "/tmp"));
    if (!mkdtemp(dir))
        return verb_fail(l->run, "%s: %s", dir, strerror(errno));
    l->scratch = str_from(dir);
    struct str path = fs_join(a, l->scratch, S("template.json"));
    int r = fs_write(path.p, json_text(a, root, 2), 0600);
    return r < 0 ? verb_fail(l->run, "%.*s: %s", STR(path), strerror(-r)) : 0;
}

static void show_said(struct local *l)
{
    char part[4096];
    ssize_t n;
    for (off_t at = 0; (n = pread(l->said, part, sizeof(part), at)) > 0; at += n)
        fwrite(part, 1, (size_t)n, stderr);
}

static void deployed(uv_process_t *process, int64_t status, int signal_number)
{
    struct local *l = process->data;
    l->deploying = false;
    uv_close((uv_handle_t *)process, NULL);
    fs_remove_tree(l->scratch.p); /* now: a command that is killed later leaves nothing */
    if (l->daemon.leaving)
        return;
    if (status != 0 || signal_number != 0) {
        show_said(l);
        local_leave(l, 1);
    } else {
        ask_resources(l);
    }
}

static void push(struct local *l, char ***list, size_t *n, size_t *cap, struct str word)
{
    *(char **)arena_push(l->arena, (void **)list, n, cap, sizeof(char *)) =
        word.p ? str_c(l->arena, word) : NULL;
}

static char **deploy_words(struct local *l)
{
    static const char *const fixed[] = {
        "lamina",         "deploy",         "--stack-name",           LOCAL_STACK,
        "--capabilities", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM",   "CAPABILITY_AUTO_EXPAND",
        "--config-file",  "/dev/null",      "--no-confirm-changeset", "--target",
        "local",          "--template",
    };
    char **list = NULL;
    size_t n = 0, cap = 0;
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        push(l, &list, &n, &cap, str_from(fixed[i]));
    push(l, &list, &n, &cap, fs_join(l->arena, l->scratch, S("template.json")));
    push(l, &list, &n, &cap, S("--endpoint"));
    push(l, &list, &n, &cap, l->endpoint);
    push(l, &list, &n, &cap, S("--region"));
    push(l, &list, &n, &cap, l->region);
    if (l->o->overrides.n)
        push(l, &list, &n, &cap, S("--parameter-overrides"));
    for (size_t i = 0; i < l->o->overrides.n; i++)
        push(l, &list, &n, &cap, l->o->overrides.items[i]);
    push(l, &list, &n, &cap, (struct str){0});
    return list;
}

/* The cloud is this process: deploy's calls wait for it, so deploy is another one. */
static int start_deploy(struct local *l)
{
    char *program = realpath("/proc/self/exe", NULL);
    if (!program)
        return -errno;
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE}, {.flags = UV_IGNORE}, {.flags = UV_INHERIT_FD}};
    l->said = memfd_create("lamina-deploy", MFD_CLOEXEC);
    stdio[2].data.fd = l->said;
    uv_process_options_t options = {
        .file = program,
        .args = deploy_words(l),
        .exit_cb = deployed,
        .stdio = stdio,
        .stdio_count = 3,
    };
    setenv("AWS_ACCESS_KEY_ID", "test", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "test", 1);
    static const char *const others[] = {"AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE",
                                         "LAMINA_TARGET"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        unsetenv(others[i]);
    l->deployer.data = l;
    int r = uv_spawn(&l->daemon.loop, &l->deployer, &options);
    l->deploying = r == 0;
    free(program);
    return r;
}

static int start_cloud(struct local *l)
{
    struct cloud_options options = {.iam = IAM_ENFORCE, .n_runtimes = l->o->runtime.n};
    struct cloud_pair *runtimes = ARENA_ARRAY(l->arena, struct cloud_pair, l->o->runtime.n + 1);
    struct cloud_error err = {{0}};
    for (size_t i = 0; i < l->o->runtime.n; i++)
        if (!str_cut(l->o->runtime.items[i], '=', &runtimes[i].name, &runtimes[i].value))
            return verb_usage(l->run, "--runtime wants NAME=PATH");
    options.runtimes = runtimes;
    options.on_log = on_log;
    local_mounts(l, &options);
    if (log_threshold == LOG_INFO)
        log_threshold = LOG_WARN; /* the terminal is the functions' */
    daemon_prepare(&l->daemon, NULL, SPARES_ADAPTIVE);
    l->daemon.on_signal = on_signal;
    l->daemon.user = l;
    if (daemon_start(&l->daemon, &options, &err) < 0)
        return verb_fail(l->run, "%s", err.message);
    l->endpoint = cloud_address(l->daemon.cloud);
    l->call = open_call(l);
    return 0;
}

int local_run(struct verb_run *run, void (*ready)(struct local *l), void *user)
{
    struct local *l = ARENA_NEW(run->arena, struct local);
    struct str text;
    l->run = run;
    l->said = -1;
    l->o = run->values[0];
    l->more = local_more_of(run);
    l->arena = run->arena;
    l->ready = ready;
    l->user = user;
    l->region = target_of(run)->region.n ? target_of(run)->region : S("us-east-1");
    int e = source_find(run, l->o->template, true, &l->template_path);
    if (!e)
        e = source_read(run, l->template_path, &text, &l->root);
    if (!e)
        e = start_cloud(l);
    if (e)
        return e;
    e = write_template(l);
    int r = e ? 0 : start_deploy(l);
    if (r < 0)
        e = verb_fail(run, "`lamina deploy` cannot be started: %s", strerror(-r));
    if (e)
        local_leave(l, e);
    daemon_run(&l->daemon);
    if (l->scratch.n)
        fs_remove_tree(l->scratch.p);
    if (l->said >= 0)
        close(l->said);
    return l->code;
}

/* ---- the verb ---- */

/* samconfig.toml has a section for each action: local_invoke, local_start_lambda, local_start_api.
 * The action is not parsed yet: it is the first word that is one. */
static int local_preset(struct verb_run *run)
{
    const struct verb *verb = run->verb;
    const struct verb_action *named = verb_action_among(verb, run->argc, run->argv);
    struct verb action = *verb;
    if (named)
        action.name = str_printf(run->arena, "local %s", named->name).p;
    run->verb = &action;
    int e = target_preset(run);
    run->verb = verb;
    return e;
}

const struct verb local_verb = {
    .name = "local",
    .actions = actions,
    .sets = {{local_rows, sizeof(struct local_options)},
             TARGET_SET,
             {local_more_rows, sizeof(struct local_more)}},
    .preset = local_preset,
    .operands = "invoke [FUNCTION]|start-lambda|start-api",
    .min_operands = 1,
    .max_operands = 2,
    .summary = "run a template's functions in a cloud of their own",
    .details = "The template is deployed into an ephemeral cloud inside of the command; nothing is "
               "left afterwards.\n\n"
               "    lamina local start-api -t template.yaml --port 3000",
};
