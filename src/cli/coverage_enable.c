/* coverage_enable - `lamina coverage enable` and `disable`: see coverage_switch.h. */
#include <errno.h>
#include <poll.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "build/coverage_layer.h"
#include "cli/coverage.h"
#include "cli/coverage_switch.h"
#include "cli/layer_publish.h"
#include "cli/target.h"

#define LAYERS_MAX 5
#define VARIABLES_MAX 4096 /* as JSON: what Lambda measures */
#define TAG_VALUE_MAX 256
#define KEPT_TAG COVERAGE_TAG ":" /* and a variable's name: the value that gave way */

/* ---- the layer ---- */

static int read_zip(struct coverage_switch *s, struct str architecture, struct str *ret)
{
    char zip[] = "/tmp/lamina-coverage-XXXXXX";
    auto_close int fd = mkstemp(zip);
    struct coverage_layer built;
    if (fd < 0)
        return verb_fail(s->run, "/tmp: %s", strerror(errno));
    int r = coverage_layer_build(s->a, architecture, str_from(zip), &built);
    if (r == 0)
        r = fs_read(zip, (size_t)built.zipped_bytes, s->a, ret);
    unlink(zip);
    return r < 0 ? verb_fail(s->run, "%.*s",
                             STR(built.error.n ? built.error : str_from(strerror(-r))))
                 : 0;
}

static int publish(struct coverage_switch *s, struct layer_publication *what,
                   struct layer_published *ret)
{
    struct str runtimes[16];
    for (; coverage_layer_runtimes[what->n_runtimes]; what->n_runtimes++)
        runtimes[what->n_runtimes] = str_from(coverage_layer_runtimes[what->n_runtimes]);
    what->runtimes = runtimes;
    struct aws_error err = {0};
    int r = layer_published_find(s->aws, s->a, what, ret, &err);
    if (r == -ENOENT) {
        int e = read_zip(s, what->architecture, &what->zip);
        if (e)
            return e;
        r = layer_publish_once(s->aws, s->a, what, ret, &err);
    }
    return r < 0 ? target_fail(s->run, &err, "the coverage layer cannot be published") : 0;
}

static int layer_arn(struct coverage_switch *s, struct str architecture, struct str *ret)
{
    bool arm = str_is(architecture, "arm64");
    struct str *known = &s->arns[arm];
    struct coverage_layer inside;
    struct layer_published published;
    if (!known->n) {
        if (coverage_layer_build(s->a, architecture, (struct str){0}, &inside) < 0)
            return verb_fail(s->run, "%.*s", STR(inside.error));
        struct layer_publication what = {
            .name = arm ? S(COVERAGE_LAYER_NAME "-arm64") : S(COVERAGE_LAYER_NAME),
            .version = S(COVERAGE_LAYER_SOURCE " " LAMINA_VERSION),
            .architecture = architecture,
            .content = inside.content,
        };
        int e = publish(s, &what, &published);
        if (e)
            return e;
        *known = published.arn;
    }
    *ret = *known;
    return 0;
}

/* ---- what is to be changed ---- */

/* The configuration of one function, edited. */
struct edit {
    struct coverage_switch *s;
    struct covered *c;
    struct lambda_environment environment;
    struct str *layers;
    size_t n_layers;
    struct str added;        /* names of variables that are ours */
    struct lambda_tags kept; /* values that gave way, as tags */
    bool changed;
};

static bool lists(struct str names, struct str name)
{
    struct str one, rest = names;
    while (rest.n) {
        str_cut(rest, ' ', &one, &rest);
        if (str_eq(one, name))
            return true;
    }
    return false;
}

static void edit_begin(struct edit *e, struct coverage_switch *s, struct covered *c)
{
    size_t n = c->variables.n;
    *e = (struct edit){.s = s, .c = c, .added = c->record};
    e->environment.variables.items =
        ARENA_ARRAY(s->a, struct lambda_environment_variables_entry, n + 8);
    for (size_t i = 0; i < n; i++)
        e->environment.variables.items[i] = c->variables.items[i];
    e->environment.variables.n = n;
    e->layers = ARENA_ARRAY(s->a, struct str, c->config->layers.n + 1);
    for (; e->n_layers < c->config->layers.n; e->n_layers++)
        e->layers[e->n_layers] = c->config->layers.items[e->n_layers].arn;
    e->kept.items = ARENA_ARRAY(s->a, struct lambda_tags_entry, 8);
}

static bool fits_tag(struct str value)
{
    static const char more[] = " +-=._:/@";
    for (size_t i = 0; i < value.n; i++) {
        char ch = value.p[i];
        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
              strchr(more, ch)))
            return false;
    }
    return value.n <= TAG_VALUE_MAX;
}

/* A value of the user's gives way: it must be there again at the end. */
static int keep(struct edit *e, struct str name, struct str value)
{
    if (lists(e->added, name))
        return 0; /* ours, or kept before */
    if (!fits_tag(value))
        return verb_fail(e->s->run,
                         "%.*s has the variable %.*s with a value that cannot be remembered (more "
                         "than 256 characters, or others than tags may have): remove it first",
                         STR(e->c->config->function_name), STR(name));
    e->kept.items[e->kept.n++] =
        (struct lambda_tags_entry){str_printf(e->s->a, KEPT_TAG "%.*s", STR(name)), value};
    return 0;
}

static int set_variable(struct edit *e, const char *key, struct str value)
{
    struct str name = str_from(key);
    struct lambda_environment_variables *v = &e->environment.variables;
    size_t i = 0;
    while (i < v->n && !str_eq(v->items[i].key, name))
        i++;
    if (i < v->n && str_eq(v->items[i].value, value))
        return 0;
    if (i < v->n) {
        int r = keep(e, name, v->items[i].value);
        if (r)
            return r;
    } else {
        v->n++;
    }
    v->items[i] = (struct lambda_environment_variables_entry){.key = name, .value = value};
    if (!lists(e->added, name))
        e->added =
            str_printf(e->s->a, "%.*s%s%.*s", STR(e->added), e->added.n ? " " : "", STR(name));
    e->changed = true;
    return 0;
}

static int set_layer(struct edit *e, struct str arn)
{
    struct covered *c = e->c;
    for (size_t i = 0; i < e->n_layers; i++)
        if (c->layer.n && str_eq(e->layers[i], c->layer)) {
            e->changed = e->changed || !str_eq(e->layers[i], arn);
            e->layers[i] = arn;
            return 0;
        }
    if (e->n_layers >= LAYERS_MAX)
        return verb_fail(e->s->run,
                         "%.*s has %zu layers already, and a function may have %d: the coverage "
                         "layer needs a place",
                         STR(c->config->function_name), e->n_layers, LAYERS_MAX);
    e->layers[e->n_layers++] = arn;
    e->changed = true;
    return 0;
}

static int check_variables(struct edit *e)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    const struct lambda_environment_variables *v = &e->environment.variables;
    for (size_t i = 0; i < v->n; i++) {
        json_write_str(&b, v->items[i].key);
        json_write_str(&b, v->items[i].value);
    }
    size_t n = b.n + 2 * v->n + 1;
    buf_done(&b);
    if (n <= VARIABLES_MAX)
        return 0;
    return verb_fail(e->s->run,
                     "%.*s: with those of coverage its variables have %zu bytes, and %d are "
                     "allowed",
                     STR(e->c->config->function_name), n, VARIABLES_MAX);
}

/* ---- sent ---- */

static int send(struct edit *e)
{
    struct coverage_switch *s = e->s;
    struct str name = e->c->config->function_name;
    struct lambda_update_function_configuration_input in = {
        .function_name = name,
        .environment = &e->environment,
        .layers = {e->layers, e->n_layers},
        .revision_id = e->c->config->revision_id,
    };
    /* An empty list is a list: absent would mean "as it is". */
    struct aws_error err = {0};
    struct covered after;
    int r = aws_call(s->aws, s->a, &lambda_update_function_configuration_op, &in, NULL, &err);
    if (r == 0)
        r = covered_read(s, name, &after, &err);
    if (r < 0 && target_error_is(&err, "PreconditionFailedException"))
        return verb_fail(s->run, "%.*s was changed by somebody else just now: try again",
                         STR(name));
    if (r < 0)
        return target_fail(s->run, &err, str_c(s->a, name));
    if (str_is(after.config->last_update_status, "Failed"))
        return verb_fail(s->run, "%.*s could not be updated: %.*s", STR(name),
                         STR(after.config->last_update_status_reason));
    *e->c = after;
    return 0;
}

static int remember(struct edit *e)
{
    struct coverage_switch *s = e->s;
    struct covered *c = e->c;
    if (!e->kept.n && str_has(c->record) && str_eq(c->record, e->added))
        return 0;
    e->kept.items[e->kept.n++] =
        (struct lambda_tags_entry){S(COVERAGE_TAG), e->added.n ? e->added : S("")};
    struct lambda_tag_resource_input in = {.resource = c->config->function_arn, .tags = e->kept};
    struct aws_error err = {0};
    if (aws_call(s->aws, s->a, &lambda_tag_resource_op, &in, NULL, &err) < 0)
        return target_fail(s->run, &err, str_c(s->a, c->config->function_name));
    return 0;
}

static int forget(struct coverage_switch *s, const struct covered *c)
{
    struct lambda_untag_resource_input in = {.resource = c->config->function_arn};
    struct aws_error err = {0};
    in.tag_keys.items = ARENA_ARRAY(s->a, struct str, c->tags.n + 1);
    for (size_t i = 0; i < c->tags.n; i++)
        if (str_is(c->tags.items[i].key, COVERAGE_TAG) ||
            str_starts(c->tags.items[i].key, S(KEPT_TAG)))
            in.tag_keys.items[in.tag_keys.n++] = c->tags.items[i].key;
    if (!in.tag_keys.n)
        return 0;
    if (aws_call(s->aws, s->a, &lambda_untag_resource_op, &in, NULL, &err) < 0)
        return target_fail(s->run, &err, str_c(s->a, c->config->function_name));
    return 0;
}

/* ---- on ---- */

static int check_wrapper(struct coverage_switch *s, const struct covered *c)
{
    struct str wrapper = covered_variable(c, "AWS_LAMBDA_EXEC_WRAPPER");
    if (!wrapper.n || c->has_wrapper || c->native)
        return 0;
    return verb_fail(s->run,
                     "%.*s has AWS_LAMBDA_EXEC_WRAPPER=%.*s already, and there can be only one: "
                     "let that program end with exec " COVERAGE_LAYER_WRAPPER
                     " \"$@\", add the layer and COVERAGE_S3_BUCKET to the function yourself",
                     STR(c->config->function_name), STR(wrapper));
}

/* What was not given stays as it was; what is missing gets its default. */
static int set_variables(struct edit *e, struct str bucket)
{
    struct coverage_switch *s = e->s;
    int r = 0;
    if (!e->c->native)
        r = set_variable(e, "AWS_LAMBDA_EXEC_WRAPPER", S(COVERAGE_LAYER_WRAPPER));
    if (e->c->native)
        r = set_variable(e, "GCOV_PREFIX", S(COVERAGE_GCOV_PREFIX));
    if (!r && e->c->native)
        r = set_variable(e, "LLVM_PROFILE_FILE", S(COVERAGE_PROFILE));
    if (!r)
        r = set_variable(e, "COVERAGE_S3_BUCKET", bucket);
    if (!r && str_has(s->prefix))
        r = set_variable(e, "COVERAGE_S3_PREFIX", s->prefix);
    if (!r && str_has(s->branch))
        r = set_variable(e, "COVERAGE_BRANCH_COVERAGE", s->branch);
    if (!r && str_has(s->include))
        r = set_variable(e, "COVERAGE_INCLUDE_PATTERNS", s->include);
    if (!r && str_has(s->exclude))
        r = set_variable(e, "COVERAGE_EXCLUDE_PATTERNS", s->exclude);
    if (!r && str_has(s->contexts) && str_starts(e->c->config->runtime, S("python")))
        r = set_variable(e, "COVERAGE_CONTEXTS", s->contexts);
    return r ? r : check_variables(e);
}

static int choose_bucket(struct coverage_switch *s, const struct covered *c, struct str *ret)
{
    *ret = str_has(s->bucket) ? s->bucket : covered_variable(c, "COVERAGE_S3_BUCKET");
    return ret->n ? 0 : coverage_default_bucket(s->run, s->aws, ret);
}

int coverage_switch_on(struct coverage_switch *s, struct covered *c, struct str *ret_what)
{
    struct str bucket, arn, obstacle = covered_obstacle(s, c);
    struct edit edit;
    bool told;
    if (obstacle.n)
        return verb_fail(s->run, "%.*s: %.*s", STR(c->config->function_name), STR(obstacle));
    if (covered_by_itself(c) && c->has_wrapper) {
        *ret_what = S("on by its own configuration");
        return 0;
    }
    int e = check_wrapper(s, c);
    e = e ? e : choose_bucket(s, c, &bucket);
    e = e ? e : layer_arn(s, c->architecture, &arn);
    if (e)
        return e;
    /* All that can be refused is refused before anything is changed. */
    edit_begin(&edit, s, c);
    e = set_layer(&edit, arn);
    e = e ? e : set_variables(&edit, bucket);
    e = e ? e : coverage_bucket_make(s, bucket);
    struct str prefix = str_has(s->prefix) ? s->prefix : covered_variable(c, "COVERAGE_S3_PREFIX");
    e = e ? e : coverage_permit(s, c, bucket, prefix.n ? prefix : S(COVERAGE_PREFIX), &told);
    e = e ? e : remember(&edit);
    *ret_what = edit.changed ? S("on") : S("on already");
    return e || !edit.changed ? e : send(&edit);
}

/* ---- off ---- */

static struct str kept_value(const struct covered *c, struct str name)
{
    for (size_t i = 0; i < c->tags.n; i++) {
        struct str key = c->tags.items[i].key;
        if (str_starts(key, S(KEPT_TAG)) &&
            str_eq(str_slice(key, sizeof KEPT_TAG - 1, key.n), name))
            return c->tags.items[i].value;
    }
    return (struct str){0};
}

static void take_away(struct edit *e)
{
    struct lambda_environment_variables *v = &e->environment.variables;
    size_t n = 0, n_layers = 0;
    for (size_t i = 0; i < v->n; i++) {
        struct lambda_environment_variables_entry one = v->items[i];
        struct str before = kept_value(e->c, one.key);
        bool ours = lists(e->c->record, one.key);
        e->changed = e->changed || ours;
        if (ours && str_has(before))
            one.value = before;
        if (!ours || str_has(before))
            v->items[n++] = one;
    }
    v->n = n;
    for (size_t i = 0; i < e->n_layers; i++)
        if (!e->c->layer.n || !str_eq(e->layers[i], e->c->layer))
            e->layers[n_layers++] = e->layers[i];
    e->changed = e->changed || n_layers < e->n_layers;
    e->n_layers = n_layers;
}

int coverage_switch_off(struct coverage_switch *s, struct covered *c, struct str *ret_what)
{
    struct edit edit;
    if (!str_has(c->record)) {
        *ret_what = covered_by_itself(c) ? S("on by its own configuration") : S("off already");
        return 0;
    }
    edit_begin(&edit, s, c);
    take_away(&edit);
    struct covered before = *c;
    int e = edit.changed ? send(&edit) : 0;
    e = e ? e : forget(s, &before);
    e = e ? e : coverage_forbid(s, &before);
    *ret_what = S("off");
    return e;
}

/* ---- the actions ---- */

static bool given(struct verb_run *run, const char *name)
{
    return options_given(&run->parsed, run->sets, run->n_sets, name);
}

static struct str patterns(struct arena *a, const struct option_list *list)
{
    return list->n ? str_join(a, S(","), list->items, list->n) : (struct str){0};
}

static int open_switch(struct verb_run *run, struct coverage_switch *s)
{
    const struct coverage_options *o = coverage_options_of(run);
    *s = (struct coverage_switch){.run = run, .a = run->arena, .quiet = target_of(run)->json};
    s->bucket = o->bucket;
    if (given(run, "prefix"))
        s->prefix = o->prefix;
    if (given(run, "branch"))
        s->branch = o->branch ? S("true") : S("false");
    s->include = patterns(run->arena, &o->include);
    s->exclude = patterns(run->arena, &o->exclude);
    if (run->parsed.n_operands < 2 && !str_has(o->stack_name))
        return verb_usage(run, "which functions? give names, a stack, or all");
    int e = target_open(run, &s->aws);
    return e ? e : target_announce(run, s->aws);
}

static void tell(struct coverage_switch *s, const struct covered *c, struct str what,
                 struct json *list)
{
    struct str bucket = covered_variable(c, "COVERAGE_S3_BUCKET");
    if (!s->quiet) {
        printf("%-32.*s %.*s", STR(c->config->function_name), STR(what));
        if (c->layer.n && bucket.n)
            printf("  layer version %.*s, to %.*s", STR(layer_arn_version(c->layer)), STR(bucket));
        putchar('\n');
        return;
    }
    struct json *v = json_add(list, json_new(s->a, JSON_OBJECT));
    json_set(s->a, v, S("function"), json_new_str(s->a, c->config->function_name));
    json_set(s->a, v, S("state"), json_new_str(s->a, what));
    if (c->layer.n)
        json_set(s->a, v, S("layer"), json_new_str(s->a, c->layer));
    if (bucket.n)
        json_set(s->a, v, S("bucket"), json_new_str(s->a, bucket));
}

/* A stack without functions, "all" where there are none, or all of them left out. */
static int nothing_to_switch(struct verb_run *run, bool on)
{
    struct str stack = coverage_options_of(run)->stack_name;
    struct str name = run->parsed.n_operands > 1 ? run->parsed.operands[1] : stack;
    if (on)
        return verb_fail(run, "%.*s: there is no function that can be covered", STR(name));
    fprintf(stderr, "lamina: coverage: %.*s: there is no function that is covered\n", STR(name));
    return 0;
}

static int turn(struct verb_run *run,
                int (*switch_one)(struct coverage_switch *, struct covered *, struct str *))
{
    struct coverage_switch s;
    struct covered *items;
    size_t n;
    int e = open_switch(run, &s);
    if (e)
        return e;
    struct json *list = json_new(s.a, JSON_ARRAY);
    e = coverage_targets(&s, 1, &items, &n);
    if (e)
        n = 0;
    for (size_t i = 0; i < n; i++) { /* one that refuses does not keep the others from theirs */
        struct str what;
        int one = switch_one(&s, &items[i], &what);
        e = e ? e : one;
        if (!one)
            tell(&s, &items[i], what, list);
    }
    aws_client_close(s.aws);
    if (s.quiet)
        target_print_json(s.a, list);
    return e || n ? e : nothing_to_switch(run, switch_one == coverage_switch_on);
}

int coverage_enable_run(struct verb_run *run)
{
    return turn(run, coverage_switch_on);
}

int coverage_disable_run(struct verb_run *run)
{
    return turn(run, coverage_switch_off);
}
