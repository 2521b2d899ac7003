/* target - what samconfig.toml and the options of calls mean: see target.h. */
#include "cli/target.h"
#include <errno.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/toml.h"
#include "wire/sts.h"

#define CONFIG_MAX (1024 * 1024)

const struct option_row target_rows[] = {
    {OPTION(struct target_options, target), .name = "target", .type = OPTION_TEXT,
     .choices = "local|aws", .default_value = "local", .environment = "LAMINA_TARGET",
     .help = "ask the embedded cloud, or AWS"},
    {OPTION(struct target_options, endpoint), .name = "endpoint", .type = OPTION_TEXT,
     .metavar = "URL", .environment = "AWS_ENDPOINT_URL",
     .help = "ask the service at this address"},
    {OPTION(struct target_options, region), .name = "region", .type = OPTION_TEXT,
     .metavar = "REGION",
     .help = "region; otherwise AWS_REGION, AWS_DEFAULT_REGION, the profile's, us-east-1"},
    {OPTION(struct target_options, profile), .name = "profile", .type = OPTION_TEXT,
     .metavar = "NAME", .environment = "AWS_PROFILE",
     .help = "profile in ~/.aws whose credentials are used"},
    {OPTION(struct target_options, json), .name = "json", .type = OPTION_FLAG,
     .help = "report as JSON"},
    {OPTION(struct target_options, config_file), .name = "config-file", .type = OPTION_TEXT,
     .metavar = "FILE", .help = "configuration file; samconfig.toml otherwise"},
    {OPTION(struct target_options, config_env), .name = "config-env", .type = OPTION_TEXT,
     .metavar = "NAME", .default_value = "default", .environment = "SAM_CONFIG_ENV",
     .help = "section of the configuration file"},
    {0},
};

struct target_options *target_of(const struct verb_run *run)
{
    for (size_t i = 0; i < run->n_sets; i++)
        if (run->sets[i].rows == target_rows)
            return run->sets[i].values;
    return NULL;
}

/* ---- samconfig.toml ---- */

/* Keys of SAM CLI's commands that mean nothing here, or not yet: known, therefore named differently
 * in the warning than a misspelt one. */
static const char *const sam_only[] = {"warm_containers",
                                       "watch",
                                       "use_container",
                                       "skip_pull_image",
                                       "docker_network",
                                       "beta_features",
                                       "image_repository",
                                       "image_repositories",
                                       "resolve_image_repos",
                                       "kms_key_id",
                                       "debug_port",
                                       "host",
                                       "port",
                                       "sync_dependency_layer",
                                       "save_params",
                                       "lint",
                                       "build_image",
                                       "hook_name",
                                       "signing_profiles",
                                       "use_json",
                                       "force_upload",
                                       "metadata",
                                       "notification_arns",
                                       "max_wait_duration",
                                       "build_dir",
                                       "cache_dir",
                                       "base_dir",
                                       "container_env_var",
                                       "exclude",
                                       "mount_with",
                                       "guided",
                                       "s3_prefix",
                                       "role_arn",
                                       "on_failure",
                                       "disable_rollback",
                                       "tags",
                                       "debug",
                                       "no_progressbar",
                                       NULL};

static const struct option_row *row_of(const struct option_set *sets, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        for (const struct option_row *row = sets[i].rows; row->name; row++)
            if (str_is(name, row->name))
                return row;
    return NULL;
}

static bool any_verb_knows(struct str name)
{
    for (size_t v = 0; verbs[v]; v++)
        for (size_t i = 0; i < VERB_SETS && verbs[v]->sets[i].rows; i++) {
            struct option_set set = {.rows = verbs[v]->sets[i].rows};
            if (row_of(&set, 1, name))
                return true;
        }
    return false;
}

static struct str dashed(struct arena *a, struct str key)
{
    struct str s = str_copy(a, key);
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '_')
            ((char *)(uintptr_t)s.p)[i] = '-';
    return s;
}

static struct str text_of(struct arena *a, const struct json *v)
{
    if (v->type == JSON_BOOL)
        return v->boolean ? S("true") : S("false");
    return v->type == JSON_STRING || v->type == JSON_NUMBER ? v->text : json_text(a, v, -1);
}

/* Keys without which another thing is deployed than was meant. */
static bool matters(const struct verb_run *run, struct str key)
{
    static const char *const keys[] = {"notification_arns", "on_failure", "signing_profiles",
                                       "kms_key_id", NULL};
    for (size_t i = 0; keys[i]; i++)
        if (str_is(key, keys[i]))
            return !strcmp(run->verb->name, "deploy");
    return false;
}

static bool is_set(const char *variable)
{
    const char *v = getenv(variable);
    return v && *v;
}

/* The environment comes before the file. The region's variables are read where the client is
 * opened.
 */
static bool by_environment(const struct option_row *row)
{
    if (!strcmp(row->name, "region"))
        return is_set("AWS_REGION") || is_set("AWS_DEFAULT_REGION");
    return row->environment && is_set(row->environment);
}

static int preset_one(struct verb_run *run, const char *file, struct str key, const struct json *v)
{
    struct arena *a = run->arena;
    struct str name = dashed(a, key);
    const struct option_row *row = row_of(run->sets, run->n_sets, name);
    if (!row) {
        bool sam = any_verb_knows(name);
        for (size_t i = 0; sam_only[i]; i++)
            sam = sam || str_is(key, sam_only[i]);
        if (!sam || matters(run, key))
            fprintf(stderr, "lamina: %s: %s:%d: %s key \"%.*s\" is ignored\n", run->verb->name,
                    file, v->key_line, sam ? "unsupported" : "unknown", STR(key));
        return 0;
    }
    if (by_environment(row))
        return 0;
    struct option_error err = {0};
    int r = 0;
    if (v->type == JSON_ARRAY) {
        JSON_EACH(v, item)
            r = r < 0 ? r : options_preset(a, run->sets, run->n_sets, name, text_of(a, item), &err);
    } else {
        r = options_preset(a, run->sets, run->n_sets, name, text_of(a, v), &err);
    }
    if (r < 0)
        return verb_fail(run, "%s:%d: %.*s", file, v->key_line, STR(err.message));
    return 0;
}

/* The verb as samconfig names it: "local start-api" is local_start_api. */
static struct str section_name(struct arena *a, const char *verb)
{
    struct str s = str_copy(a, str_from(verb));
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '-' || s.p[i] == ' ')
            ((char *)(uintptr_t)s.p)[i] = '_';
    return s;
}

/* --config-file and --config-env must be known before the rest is parsed. */
static struct str early(const struct verb_run *run, const char *name)
{
    size_t n = strlen(name);
    for (int i = 0; i < run->argc && strcmp(run->argv[i], "--"); i++) {
        if (strncmp(run->argv[i], name, n))
            continue;
        if (run->argv[i][n] == '=')
            return str_from(run->argv[i] + n + 1);
        if (!run->argv[i][n] && i + 1 < run->argc)
            return str_from(run->argv[i + 1]);
    }
    return (struct str){0};
}

int target_preset(struct verb_run *run)
{
    struct arena *a = run->arena;
    struct str given = early(run, "--config-file"), env = early(run, "--config-env");
    const char *file = str_has(given) ? str_c(a, given) : "samconfig.toml";
    if (!str_has(env))
        env = getenv("SAM_CONFIG_ENV") ? str_from(getenv("SAM_CONFIG_ENV")) : S("default");
    struct str text;
    int r = fs_read(file, CONFIG_MAX, a, &text);
    if (r == -ENOENT && !str_has(given))
        return 0;
    if (r < 0)
        return verb_fail(run, "%s: %s", file, strerror(-r));
    struct json *root;
    struct json_error err = {0};
    if (toml_parse(a, text, &root, &err) < 0)
        return verb_fail(run, "%s:%d:%d: %s", file, err.line, err.column, err.message);
    if (!json_get(root, "version") && root->n > 0)
        fprintf(stderr, "lamina: %s: %s: no version, 0.1 is taken\n", run->verb->name, file);
    const struct json *section = json_find(root, env);
    if (!section && !str_is(env, "default"))
        return verb_fail(run, "%s has no section [%.*s]", file, STR(env));
    const struct json *own =
        json_get(json_find(section, section_name(a, run->verb->name)), "parameters");
    const struct json *global = json_get(json_get(section, "global"), "parameters");
    JSON_EACH(global, v) {
        int e = json_find(own, v->key) ? 0 : preset_one(run, file, v->key, v);
        if (e)
            return e;
    }
    JSON_EACH(own, v) {
        int e = preset_one(run, file, v->key, v);
        if (e)
            return e;
    }
    return 0;
}

/* ---- the client ---- */

int target_open(struct verb_run *run, struct aws_client **ret)
{
    const struct target_options *o = target_of(run);
    bool aws = str_is(o->target, "aws");
    if (aws && options_given(&run->parsed, run->sets, run->n_sets, "endpoint"))
        return verb_usage(run, "--target aws and --endpoint contradict each other");
    struct aws_options options = {
        .target = aws ? AWS_TARGET_AWS : AWS_TARGET_LOCAL,
        .endpoint = aws ? (struct str){0} : o->endpoint,
        .region = o->region,
        /* AWS_PROFILE says where to look when there are no keys in the environment; --profile and
         * samconfig.toml win over such keys. */
        .profile = by_environment(row_of(run->sets, run->n_sets, S("profile"))) &&
                           !options_given(&run->parsed, run->sets, run->n_sets, "profile")
                       ? (struct str){0}
                       : o->profile,
        .timeout_ms = 930000, /* a function may take 15 minutes */
    };
    struct aws_error err = {0};
    if (aws_client_open(&options, run->arena, ret, &err) < 0)
        return target_fail(run, &err, NULL);
    return 0;
}

bool target_error_is(const struct aws_error *err, const char *code)
{
    return str_is(err->code, code);
}

/* What to do about errors that have nothing to do with the verb. */
static const char *advice_for(struct str code)
{
    static const struct {
        const char *code, *advice;
    } rows[] = {
        {"ExpiredToken", "the session has ended: log in again, or give new credentials"},
        {"ExpiredTokenException", "the session has ended: log in again, or give new credentials"},
        {"RequestExpired", "the session has ended: log in again, or give new credentials"},
        {"InvalidClientTokenId", "no such access key, or one of another partition or without its "
                                 "session token; or the region is not enabled in this account"},
        {"UnrecognizedClientException",
         "no such access key, or one of another partition or without its session token; or the "
         "region is not enabled in this account"},
        {"InvalidAccessKeyId", "no such access key, or one without its session token"},
        {"InvalidToken", "the session token does not belong to the access key"},
        {"SignatureDoesNotMatch", "the secret key does not belong to the access key"},
        {"InvalidSignatureException", "the secret key does not belong to the access key, or this "
                                      "machine's clock is wrong"},
        {"OptInRequired", "the account has not been activated for this service or region"},
        {"RequestTimeTooSkewed", "this machine's clock is wrong"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_is(code, rows[i].code))
            return rows[i].advice;
    return NULL;
}

int target_fail(const struct verb_run *run, const struct aws_error *err, const char *what)
{
    const char *advice = advice_for(err->code);
    if (!str_has(err->code))
        return verb_fail(run, "%s%s%.*s", what ? what : "", what ? ": " : "", STR(err->message));
    int code = verb_fail(run, "%s%s%.*s (%.*s)", what ? what : "", what ? ": " : "",
                         STR(err->message), STR(err->code));
    if (advice)
        fprintf(stderr, "lamina: %s: %s\n", run->verb->name, advice);
    return code;
}

int target_announce(struct verb_run *run, struct aws_client *aws)
{
    struct sts_get_caller_identity_input in = {0};
    struct sts_get_caller_identity_output *who;
    struct aws_error err = {0};
    if (aws_client_is_local(aws))
        return 0;
    int r = aws_call(aws, run->arena, &sts_get_caller_identity_op, &in, (void **)&who, &err);
    if (r < 0)
        return target_fail(run, &err, "AWS does not tell whose account this is");
    fprintf(stderr, "AWS account %.*s, %.*s, as %.*s\n", STR(who->account),
            STR(aws_client_region(aws)), STR(who->arn));
    return 0;
}

void target_print_json(struct arena *a, const struct json *v)
{
    struct str text = json_text(a, v, 2);
    fwrite(text.p, 1, text.n, stdout);
    fputc('\n', stdout);
}
