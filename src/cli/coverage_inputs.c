/* coverage_inputs - what there is to report: files and folders, or the objects of a bucket. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "cli/coverage_report.h"
#include "cli/stacks.h"
#include "cli/target.h"
#include "wire/lambda.h"

#define TESTS_MAX ((size_t)64 << 20)
#define ARRIVAL_POLLS 20
#define ARRIVAL_POLL_MS 100

void coverage_unreadable(struct verb_run *run, struct coverage_inputs *in, struct str name,
                         struct str reason)
{
    struct report_left_out *l = arena_push(run->arena, (void **)&in->unreadable, &in->n_unreadable,
                                           &in->cap_unreadable, sizeof *l);
    *l = (struct report_left_out){str_copy(run->arena, name), str_copy(run->arena, reason)};
}

bool coverage_is_tests(struct str key)
{
    return str_ends(key, S("/" COVERAGE_TESTS)) && str_find(key, S("-test-")) >= 0;
}

void coverage_add_tests(struct verb_run *run, struct coverage_inputs *in, struct str text)
{
    struct json *root;
    if (json_parse(run->arena, text, &root, NULL) < 0)
        return; /* somebody else's */
    JSON_EACH(json_get(root, "tests"), t) {
        struct str id = json_get_str(t, "request_id"), name = json_get_str(t, "name");
        if (id.n && name.n)
            map_put(&in->names, id, arena_copy(run->arena, &name, sizeof name));
    }
}

void coverage_inputs_done(struct coverage_inputs *in)
{
    map_done(&in->names);
    aws_client_close(in->aws);
    data_free(in->data);
}

/* "2h" ago, or a time: 2025-11-24, 2025-11-24T23:11:20Z. */
static int since_of(struct verb_run *run, struct str text, int64_t *ret_ms)
{
    *ret_ms = 0;
    if (!text.n || clock_parse_iso8601(text, ret_ms) == 0)
        return 0;
    if (text.n == 10 &&
        clock_parse_iso8601(str_printf(run->arena, "%.*sT00:00:00Z", STR(text)), ret_ms) == 0)
        return 0;
    int64_t ago;
    if (duration_parse(text, "s", &ago) < 0)
        return verb_usage(run,
                          "--since %.*s is no time: give 2h, 1d, 2025-11-24, or "
                          "2025-11-24T23:11:20Z",
                          STR(text));
    *ret_ms = clock_now_ms() - ago;
    return 0;
}

/* ---- files ---- */

struct paths {
    struct str *items;
    size_t n, cap;
};

static void add_path(struct verb_run *run, struct paths *p, struct str path)
{
    *(struct str *)arena_push(run->arena, (void **)&p->items, &p->n, &p->cap, sizeof path) = path;
}

/* The object's key has the function's name as one of its parts. */
static bool of_function(struct str path, const struct str *functions, size_t n)
{
    struct str part;
    if (!n)
        return true;
    while (str_cut(path, '/', &part, &path))
        for (size_t i = 0; i < n; i++)
            if (str_eq(part, functions[i]))
                return true;
    return false;
}

static int find_in_folder(struct verb_run *run, struct coverage_inputs *in, struct paths *found,
                          struct str dir, int64_t since_ms)
{
    const struct coverage_report_options *o = coverage_report_of(run);
    struct str *names;
    size_t n = 0;
    int r = fs_walk(run->arena, str_c(run->arena, dir), &names, &n);
    if (r < 0)
        return verb_fail(run, "%.*s: %s", STR(dir), strerror(-r));
    for (size_t i = 0; i < n; i++) {
        struct str base = fs_basename(names[i]), text;
        struct stat st;
        if (coverage_is_tests(fs_join(run->arena, dir, names[i])) &&
            fs_read(str_c(run->arena, fs_join(run->arena, dir, names[i])), TESTS_MAX, run->arena,
                    &text) == 0)
            coverage_add_tests(run, in, text);
        if (!str_ends(base, S(".coverage")) && !str_starts(base, S(".coverage.")))
            continue;
        struct str path = fs_join(run->arena, dir, names[i]);
        if (!of_function(names[i], o->functions.items, o->functions.n) ||
            (since_ms && (stat(str_c(run->arena, path), &st) < 0 ||
                          st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000 < since_ms)))
            continue;
        add_path(run, found, path);
    }
    return 0;
}

static int read_from(struct verb_run *run, struct coverage_inputs *in, int64_t since_ms)
{
    const struct coverage_report_options *o = coverage_report_of(run);
    struct paths found = {0};
    for (size_t i = 0; i < o->from.n; i++) {
        struct stat st;
        struct str path = o->from.items[i];
        in->looked =
            in->looked.n ? str_printf(run->arena, "%.*s, %.*s", STR(in->looked), STR(path)) : path;
        if (stat(str_c(run->arena, path), &st) < 0)
            return verb_fail(run, "%.*s: %s", STR(path), strerror(errno));
        int e = 0;
        if (S_ISDIR(st.st_mode))
            e = find_in_folder(run, in, &found, path, since_ms);
        else
            add_path(run, &found, path);
        if (e)
            return e;
    }
    return coverage_read_files(run, in, found.items, found.n);
}

/* ---- the bucket ---- */

static void add_function(struct verb_run *run, struct coverage_inputs *in, struct str physical,
                         struct str logical)
{
    *(struct str *)arena_push(run->arena, (void **)&in->physical, &in->n_functions,
                              &in->cap_functions, sizeof physical) = physical;
    size_t n = in->n_functions - 1;
    *(struct str *)arena_push(run->arena, (void **)&in->logical, &n, &in->cap_logical,
                              sizeof logical) = logical;
}

/* All functions of a stack; false: there is no such stack. */
static bool add_stack(struct verb_run *run, struct coverage_inputs *in, struct str name)
{
    struct cloudformation_stack_resource_summary *items;
    struct aws_error err = {0};
    size_t n;
    if (stacks_resources(run, in->aws, name, &items, &n, &err) < 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (str_is(items[i].resource_type, "AWS::Lambda::Function") &&
            str_has(items[i].physical_resource_id))
            add_function(run, in, items[i].physical_resource_id, items[i].logical_resource_id);
    return true;
}

static int find_functions(struct verb_run *run, struct coverage_inputs *in)
{
    const struct coverage_report_options *o = coverage_report_of(run);
    struct str stack = coverage_options_of(run)->stack_name;
    for (size_t i = 1; i < run->parsed.n_operands; i++) {
        struct str name = run->parsed.operands[i];
        if (str_is(name, "all"))
            continue;
        struct str physical = stacks_function(run, in->aws, stack, name);
        if (!str_eq(physical, name))
            add_function(run, in, physical, name);
        else if (!add_stack(run, in, name))
            add_function(run, in, name, S("")); /* may be gone while its objects are not */
    }
    for (size_t i = 0; i < o->functions.n; i++) {
        struct str physical = stacks_function(run, in->aws, stack, o->functions.items[i]);
        bool is_id = !str_eq(physical, o->functions.items[i]);
        add_function(run, in, physical, is_id ? o->functions.items[i] : S(""));
    }
    if (!in->n_functions && stack.n && !add_stack(run, in, stack))
        return verb_fail(run, "there is no stack %.*s", STR(stack));
    if (!in->n_functions && (stack.n || run->parsed.n_operands > 1) &&
        !(run->parsed.n_operands > 1 && str_is(run->parsed.operands[1], "all")))
        return verb_fail(run, "the stack has no functions");
    return 0;
}

/* What the functions were told, unless the command line says it. */
static void ask_functions(struct verb_run *run, struct coverage_inputs *in, struct str *bucket,
                          struct str *prefix, bool prefix_given)
{
    for (size_t i = 0; i < in->n_functions && !bucket->n; i++) {
        struct lambda_get_function_configuration_input q = {.function_name = in->physical[i]};
        struct lambda_function_configuration *out;
        struct aws_error err = {0};
        if (aws_call(in->aws, run->arena, &lambda_get_function_configuration_op, &q, (void **)&out,
                     &err) < 0 ||
            !out->environment)
            continue;
        for (size_t k = 0; k < out->environment->variables.n; k++) {
            struct str key = out->environment->variables.items[k].key;
            struct str value = out->environment->variables.items[k].value;
            if (str_is(key, "COVERAGE_S3_BUCKET"))
                *bucket = value;
            else if (str_is(key, "COVERAGE_S3_PREFIX") && !prefix_given)
                *prefix = value;
        }
    }
}

int coverage_place(struct verb_run *run, struct coverage_inputs *in, struct str *ret_bucket,
                   struct str *ret_prefix)
{
    const struct coverage_options *c = coverage_options_of(run);
    *ret_bucket = c->bucket;
    *ret_prefix = c->prefix;
    int e = target_open(run, &in->aws);
    if (!e)
        e = find_functions(run, in);
    if (e)
        return e;
    if (!ret_bucket->n)
        ask_functions(run, in, ret_bucket, ret_prefix,
                      options_given(&run->parsed, run->sets, run->n_sets, "prefix"));
    return ret_bucket->n ? 0 : coverage_default_bucket(run, in->aws, ret_bucket);
}

static int read_bucket(struct verb_run *run, struct coverage_inputs *in, int64_t since_ms)
{
    struct str bucket, prefix;
    int e = coverage_place(run, in, &bucket, &prefix);
    if (!e)
        e = coverage_fetch(run, in, bucket, prefix, in->physical, in->n_functions, since_ms);
    /* What has just been invoked is on its way: the answer comes before the upload. */
    for (int i = 0; i < ARRIVAL_POLLS && !e && !since_ms && !in->n_read && !in->n_unreadable &&
                    aws_client_is_local(in->aws);
         i++) {
        poll(NULL, 0, ARRIVAL_POLL_MS);
        e = coverage_fetch(run, in, bucket, prefix, in->physical, in->n_functions, since_ms);
    }
    return e;
}

static enum data_by by_of(struct verb_run *run)
{
    static const char *const names[] = {"", "function", "version", "context"};
    struct str by = coverage_report_of(run)->by;
    for (size_t i = 1; i < sizeof names / sizeof *names; i++)
        if (str_is(by, names[i]))
            return (enum data_by)i;
    return DATA_BY_NOTHING;
}

int coverage_inputs_read(struct verb_run *run, struct coverage_inputs *ret)
{
    int64_t since_ms;
    *ret = (struct coverage_inputs){0};
    map_init(&ret->names);
    int e = since_of(run, coverage_report_of(run)->since, &since_ms);
    if (e)
        return e;
    ret->data = data_new(by_of(run));
    e = coverage_report_of(run)->from.n ? read_from(run, ret, since_ms)
                                        : read_bucket(run, ret, since_ms);
    if (!e && !ret->n_read && !ret->n_unreadable)
        e = verb_fail(run,
                      "there is no coverage: looked for objects below %.*s%s; invoke a function "
                      "whose coverage is on (\"lamina coverage status\"), or say where to look: "
                      "--bucket, --prefix, --from",
                      STR(ret->looked), since_ms ? " since then" : "");
    return e;
}
