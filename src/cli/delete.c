/* delete - `lamina delete`: a stack, its log groups, its layer versions, and the code that was
 * uploaded for it; listed, and looked for once more. */
#include <errno.h>
#include <unistd.h>
#include "base/table.h"
#include "cli/package.h"
#include "cli/stacks.h"
#include "cli/target.h"
#include "cli/verbs_all.h"
#include "template/parse.h"
#include "wire/iam.h"
#include "wire/lambda.h"
#include "wire/logs.h"
#include "wire/s3.h"

struct delete_options {
    struct str stack_name, s3_bucket, s3_prefix;
    bool no_prompts;
};

static const struct option_row rows[] = {
    {OPTION(struct delete_options, stack_name), .name = "stack-name", .type = OPTION_TEXT,
     .metavar = "NAME", .help = "the stack to remove"},
    {OPTION(struct delete_options, s3_bucket), .name = "s3-bucket", .type = OPTION_TEXT,
     .metavar = "NAME", .help = "bucket the code was uploaded to; SAM's managed bucket otherwise"},
    {OPTION(struct delete_options, s3_prefix), .name = "s3-prefix", .type = OPTION_TEXT,
     .metavar = "PREFIX", .help = "prefix of the uploaded keys; the stack's name otherwise"},
    {OPTION(struct delete_options, no_prompts), .name = "no-prompts", .type = OPTION_FLAG,
     .help = "do not ask"},
    {0},
};

enum thing {
    THING_RESOURCE,
    THING_LOG_GROUP,
    THING_LAYER,
    THING_OBJECT,
    THING_STACK,
    THING_BUCKET_STACK
};

struct item {
    enum thing thing;
    struct str kind, name, bucket;
    struct str version_id;
    bool there; /* at the second look */
};

struct deletion {
    struct verb_run *run;
    struct arena *a;
    struct aws_client *aws;
    const struct delete_options *o;
    struct progress progress;
    struct str stack_id, stack_name, managed_bucket;
    struct item *items;
    size_t n, cap;
};

static struct item *add(struct deletion *d, enum thing thing, struct str kind, struct str name)
{
    struct item *i = arena_push(d->a, (void **)&d->items, &d->n, &d->cap, sizeof *i);
    *i = (struct item){.thing = thing, .kind = kind, .name = name};
    return i;
}

static int call(struct deletion *d, const struct operation *op, const void *in, void **out,
                struct aws_error *err)
{
    *err = (struct aws_error){0};
    return aws_call(d->aws, d->a, op, in, out, err);
}

static bool missing(const struct aws_error *err)
{
    return err->status == 404 || target_error_is(err, "ResourceNotFoundException") ||
           target_error_is(err, "NoSuchEntity") || target_error_is(err, "NoSuchBucket");
}

/* ---- what there is ---- */

static bool group_exists(struct deletion *d, struct str name)
{
    struct logs_describe_log_groups_input in = {.log_group_name_prefix = name};
    struct logs_describe_log_groups_output *out;
    struct aws_error err;
    if (call(d, &logs_describe_log_groups_op, &in, (void **)&out, &err) < 0)
        return false;
    for (size_t i = 0; i < out->log_groups.n; i++)
        if (str_eq(out->log_groups.items[i].log_group_name, name))
            return true;
    return false;
}

/* A group that functions choose may be shared with others, and is not the stack's to remove; where
 * it is a resource of the stack, it leaves with it. */
static void find_log_group(struct deletion *d, struct str function)
{
    struct str group = stacks_log_group(d->run, d->aws, function);
    if (!str_eq(group, str_printf(d->a, "/aws/lambda/%.*s", STR(function)))) {
        progress_line(&d->progress, "%.*s logs to %.*s, which stays unless it is of the stack",
                      STR(function), STR(group));
        return;
    }
    if (group_exists(d, group))
        add(d, THING_LOG_GROUP, S("log group"), group);
}

static int find_resources(struct deletion *d)
{
    struct cloudformation_stack_resource_summary *items;
    size_t n;
    struct aws_error err = {0};
    if (stacks_resources(d->run, d->aws, d->stack_id, &items, &n, &err) < 0)
        return target_fail(d->run, &err, "the stack's resources cannot be listed");
    for (size_t i = 0; i < n; i++) {
        if (!str_has(items[i].physical_resource_id) ||
            str_is(items[i].resource_status, "DELETE_COMPLETE"))
            continue;
        bool layer = str_is(items[i].resource_type, "AWS::Lambda::LayerVersion");
        add(d, layer ? THING_LAYER : THING_RESOURCE, items[i].resource_type,
            items[i].physical_resource_id);
        if (!str_is(items[i].resource_type, "AWS::Lambda::Function"))
            continue;
        find_log_group(d, items[i].physical_resource_id);
    }
    return 0;
}

static void add_object(struct deletion *d, const char *kind, struct str bucket, struct str key,
                       struct str version_id)
{
    struct item *it = add(d, THING_OBJECT, str_from(kind),
                          str_printf(d->a, "s3://%.*s/%.*s", STR(bucket), STR(key)));
    it->bucket = bucket;
    it->version_id = version_id;
}

/* Every version of every object: the managed bucket keeps them all. */
static int find_prefix(struct deletion *d, struct str bucket, struct str prefix)
{
    struct s3_list_object_versions_input in = {.bucket = bucket,
                                               .prefix = str_printf(d->a, "%.*s/", STR(prefix))};
    struct s3_list_object_versions_output *out;
    do {
        struct aws_error err;
        if (call(d, &s3_list_object_versions_op, &in, (void **)&out, &err) < 0)
            return missing(&err) ? 0
                                 : target_fail(d->run, &err, "the uploaded code cannot be listed");
        for (size_t i = 0; i < out->versions.n; i++) {
            const struct s3_object_version *v = &out->versions.items[i];
            add_object(d, v->is_latest.is ? "uploaded code" : "older version", bucket, v->key,
                       v->version_id);
        }
        for (size_t i = 0; i < out->delete_markers.n; i++)
            add_object(d, "delete marker", bucket, out->delete_markers.items[i].key,
                       out->delete_markers.items[i].version_id);
        in.key_marker = out->next_key_marker;
        in.version_id_marker = out->next_version_id_marker;
    } while (out->is_truncated.is && in.key_marker.n);
    return 0;
}

static int find_uploads(struct deletion *d)
{
    struct str prefix = d->o->s3_prefix.n ? d->o->s3_prefix : d->stack_name;
    int e = 0;
    if (d->o->s3_bucket.n)
        e = find_prefix(d, d->o->s3_bucket, prefix);
    if (!e)
        e = package_managed_bucket(d->run, d->aws, false, &d->managed_bucket);
    if (!e && d->managed_bucket.n && !str_eq(d->managed_bucket, d->o->s3_bucket))
        e = find_prefix(d, d->managed_bucket, prefix);
    return e;
}

/* ---- removing ---- */

static int remove_stack(struct deletion *d)
{
    struct cloudformation_delete_stack_input in = {.stack_name = d->stack_id};
    struct aws_error err;
    struct cloudformation_stack *stack;
    struct stacks_watch watch = {.progress = &d->progress, .quiet = target_of(d->run)->json};
    stacks_mark(d->run, d->aws, d->stack_id, &watch);
    if (call(d, &cloudformation_delete_stack_op, &in, NULL, &err) < 0)
        return target_fail(d->run, &err, "the stack cannot be deleted");
    int e = stacks_wait(d->run, d->aws, d->stack_id, &watch, &stack);
    if (!e && !str_is(stack->stack_status, "DELETE_COMPLETE"))
        e = verb_fail(d->run, "the stack %.*s is %.*s: %.*s", STR(d->stack_name),
                      STR(stack->stack_status), STR(stack->stack_status_reason));
    return e;
}

static struct str layer_name(struct str arn, struct opt_int *ret_version)
{
    struct str part = arn, rest = arn;
    for (int i = 0; i < 7; i++)
        str_cut(rest, ':', &part, &rest);
    int64_t version = 0;
    str_to_int64(rest, &version);
    *ret_version = opt_int(version);
    return part;
}

static struct str object_key(const struct item *it)
{
    return str_slice(it->name, 6 + it->bucket.n, it->name.n); /* behind s3://BUCKET/ */
}

static int remove_item(struct deletion *d, const struct item *it)
{
    struct aws_error err = {0};
    int r = 0;
    if (it->thing == THING_LOG_GROUP) {
        struct logs_delete_log_group_input in = {.log_group_name = it->name};
        r = call(d, &logs_delete_log_group_op, &in, NULL, &err);
    } else if (it->thing == THING_LAYER) {
        /* one that the template retains is still there */
        struct lambda_delete_layer_version_input in = {0};
        in.layer_name = layer_name(it->name, &in.version_number);
        r = call(d, &lambda_delete_layer_version_op, &in, NULL, &err);
    } else if (it->thing == THING_OBJECT) {
        struct s3_delete_object_input in = {
            .bucket = it->bucket,
            .key = object_key(it),
            .version_id = str_is(it->version_id, "null") ? (struct str){0} : it->version_id};
        r = call(d, &s3_delete_object_op, &in, NULL, &err);
    }
    return r < 0 && !missing(&err) ? target_fail(d->run, &err, str_c(d->a, it->name)) : 0;
}

/* The managed bucket leaves with the last thing in it. */
static int remove_managed(struct deletion *d)
{
    struct s3_list_object_versions_input in = {.bucket = d->managed_bucket, .max_keys = opt_int(1)};
    struct s3_list_object_versions_output *out;
    struct aws_error err;
    if (!d->managed_bucket.n ||
        call(d, &s3_list_object_versions_op, &in, (void **)&out, &err) < 0 || out->versions.n ||
        out->delete_markers.n)
        return 0;
    struct cloudformation_delete_stack_input gone = {.stack_name = S(MANAGED_STACK)};
    struct cloudformation_stack *stack;
    if (stacks_describe(d->run, d->aws, S(MANAGED_STACK), &stack, &err) < 0)
        return 0;
    if (call(d, &cloudformation_delete_stack_op, &gone, NULL, &err) < 0)
        return target_fail(d->run, &err, "the stack " MANAGED_STACK " cannot be deleted");
    struct str id = stack->stack_id;
    int e = stacks_wait(d->run, d->aws, id, NULL, &stack);
    add(d, THING_BUCKET_STACK, S("stack"), id)->bucket = S(MANAGED_STACK);
    return e;
}

/* ---- the second look ---- */

static bool stack_there(struct deletion *d, struct str id)
{
    struct cloudformation_stack *stack;
    struct aws_error err = {0};
    return stacks_describe(d->run, d->aws, id, &stack, &err) == 0 &&
           !str_is(stack->stack_status, "DELETE_COMPLETE");
}

static bool role_there(struct deletion *d, struct str name)
{
    struct iam_get_role_input in = {.role_name = name};
    struct aws_error err;
    return call(d, &iam_get_role_op, &in, NULL, &err) == 0;
}

static bool bucket_there(struct deletion *d, struct str name)
{
    struct s3_head_bucket_input in = {.bucket = name};
    struct aws_error err;
    return call(d, &s3_head_bucket_op, &in, NULL, &err) == 0;
}

static bool function_there(struct deletion *d, struct str name)
{
    struct lambda_get_function_configuration_input in = {.function_name = name};
    struct aws_error err;
    return call(d, &lambda_get_function_configuration_op, &in, NULL, &err) == 0;
}

/* Things that are part of another one (a policy in a role, a permission of a function) leave with
 * it: of those the stack's own record is the witness. */
static bool resource_there(struct deletion *d, const struct item *it)
{
    static const struct {
        const char *type;
        bool (*there)(struct deletion *d, struct str name);
    } looks[] = {
        {"AWS::Lambda::Function", function_there}, {"AWS::Lambda::Version", function_there},
        {"AWS::Lambda::Alias", function_there},    {"AWS::IAM::Role", role_there},
        {"AWS::S3::Bucket", bucket_there},         {"AWS::Logs::LogGroup", group_exists},
    };
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++)
        if (str_is(it->kind, looks[i].type))
            return looks[i].there(d, it->name);
    struct cloudformation_describe_stack_resources_input in = {.stack_name = d->stack_id};
    struct cloudformation_describe_stack_resources_output *out;
    struct aws_error err;
    if (call(d, &cloudformation_describe_stack_resources_op, &in, (void **)&out, &err) < 0)
        return false;
    for (size_t i = 0; i < out->stack_resources.n; i++)
        if (str_eq(out->stack_resources.items[i].physical_resource_id, it->name))
            return !str_is(out->stack_resources.items[i].resource_status, "DELETE_COMPLETE");
    return false;
}

static bool layer_there(struct deletion *d, struct str arn)
{
    struct lambda_get_layer_version_input in = {0};
    struct aws_error err;
    in.layer_name = layer_name(arn, &in.version_number);
    return call(d, &lambda_get_layer_version_op, &in, NULL, &err) == 0;
}

static bool object_there(struct deletion *d, const struct item *it)
{
    struct s3_list_object_versions_input in = {.bucket = it->bucket, .prefix = object_key(it)};
    struct s3_list_object_versions_output *out;
    struct aws_error err;
    if (call(d, &s3_list_object_versions_op, &in, (void **)&out, &err) < 0)
        return !missing(&err);
    for (size_t i = 0; i < out->versions.n; i++)
        if (str_eq(out->versions.items[i].key, object_key(it)))
            return true;
    return out->delete_markers.n > 0;
}

static bool still_there(struct deletion *d, const struct item *it)
{
    switch (it->thing) {
    case THING_RESOURCE:
        return resource_there(d, it);
    case THING_LOG_GROUP:
        return group_exists(d, it->name);
    case THING_LAYER:
        return layer_there(d, it->name);
    case THING_OBJECT:
        return object_there(d, it);
    case THING_STACK:
    case THING_BUCKET_STACK:
        return stack_there(d, it->name);
    }
    return false;
}

static int report(struct deletion *d)
{
    struct arena *a = d->a;
    size_t left = 0;
    bool colour = term_colour(stdout);
    struct json *v = json_new(a, JSON_OBJECT), *removed = json_new(a, JSON_ARRAY),
                *there = json_new(a, JSON_ARRAY);
    for (size_t i = 0; i < d->n; i++) {
        struct item *it = &d->items[i];
        it->there = still_there(d, it);
        left += it->there;
        struct str name = it->thing == THING_BUCKET_STACK ? it->bucket
                          : it->thing == THING_STACK      ? d->stack_name
                                                          : it->name;
        struct json *o = json_add(it->there ? there : removed, json_new(a, JSON_OBJECT));
        json_set(a, o, S("kind"), json_new_str(a, it->kind));
        json_set(a, o, S("name"), json_new_str(a, name));
        if (!target_of(d->run)->json)
            printf("  %.*s  %-28.*s %.*s\n",
                   STR(term_style(a, colour, it->there ? STYLE_RED : STYLE_GREEN,
                                  it->there ? S("LEFT   ") : S("removed"))),
                   STR(it->kind), STR(name));
    }
    if (target_of(d->run)->json) {
        json_set(a, v, S("stackName"), json_new_str(a, d->stack_name));
        json_set(a, v, S("removed"), removed);
        json_set(a, v, S("left"), there);
        target_print_json(a, v);
    } else {
        printf("%zu left\n", left);
    }
    return left ? verb_fail(d->run, "%zu of %zu things are still there", left, d->n) : 0;
}

static int remove_all(struct deletion *d)
{
    struct aws_error err = {0};
    struct cloudformation_stack *stack;
    int r = stacks_describe(d->run, d->aws, d->stack_name, &stack, &err);
    if (r < 0 && r != -ENOENT)
        return target_fail(d->run, &err, "the stack cannot be described");
    int e = 0;
    if (r == 0) {
        d->stack_id = stack->stack_id;
        e = find_resources(d);
    }
    if (!e)
        e = find_uploads(d);
    if (e)
        return e;
    if (r == -ENOENT && !d->n) {
        progress_line(&d->progress, "there is no stack %.*s, and nothing of it",
                      STR(d->stack_name));
        return report(d);
    }
    if (!d->o->no_prompts && isatty(0)) {
        char line[16];
        fprintf(stderr, "Delete the stack %.*s with %zu things? [y/N]: ", STR(d->stack_name), d->n);
        if (!fgets(line, sizeof line, stdin) || (line[0] != 'y' && line[0] != 'Y'))
            return verb_fail(d->run, "not deleted");
    }
    if (r == 0) {
        e = remove_stack(d);
        add(d, THING_STACK, S("stack"), d->stack_id);
    }
    for (size_t i = 0; !e && i < d->n; i++)
        e = remove_item(d, &d->items[i]);
    if (!e)
        e = remove_managed(d);
    progress_clear(&d->progress);
    int e2 = report(d);
    return e ? e : e2;
}

static int run_delete(struct verb_run *run)
{
    struct deletion d = {.run = run, .a = run->arena, .o = run->values[0]};
    int e = stacks_name(run, d.o->stack_name, &d.stack_name);
    if (!e)
        e = target_open(run, &d.aws);
    if (e)
        return e;
    progress_init(&d.progress, stderr);
    if (!aws_client_is_local(d.aws) && !d.o->no_prompts && !isatty(0))
        e = verb_usage(run, "nobody can be asked here: --no-prompts deletes from AWS unasked");
    if (!e)
        e = target_announce(run, d.aws);
    if (!e)
        e = remove_all(&d);
    progress_clear(&d.progress);
    aws_client_close(d.aws);
    return e;
}

const struct verb delete_verb = {
    .name = "delete",
    .run = run_delete,
    .sets = {{rows, sizeof(struct delete_options)}, TARGET_SET},
    .preset = target_preset,
    .summary = "remove a stack, its log groups, layer versions and uploaded code, and prove it",
    .details = "Lists what was removed, looks for each thing again, and says how many are left: "
               "exit code 1 unless\n"
               "it is 0. SAM's managed bucket leaves with the last thing in it.\n\n"
               "    lamina delete --stack-name app --no-prompts",
};
