/* provider_lambda - AWS::Lambda::Function, Version, Alias, LayerVersion, Permission and
 * LayerVersionPermission. */
#include <errno.h>
#include "base/digest.h"
#include "build/zip_text.h"
#include "service/cloudformation/provider_lambda.h"
#include "wire/lambda.h"

#define MISSING "ResourceNotFoundException"

/* The n-th part of an ARN, counted from 0; the last one takes the rest. */
static struct str arn_part(struct str arn, int n)
{
    struct str part = arn, rest = arn;
    for (int i = 0; i <= n; i++)
        if (!str_cut(rest, ':', &part, &rest) && i < n)
            return (struct str){0};
    return part;
}

/* ---- AWS::Lambda::Function ---- */

static int settled(struct task *t, struct call *answer)
{
    const struct lambda_function_configuration *c = answer->out;
    if (str_is(c->state, "Pending") || str_is(c->last_update_status, "InProgress"))
        return -EAGAIN;
    if (str_is(c->state, "Failed"))
        return task_fail(t, "%.*s", STR(c->state_reason));
    if (str_is(c->last_update_status, "Failed"))
        return task_fail(t, "%.*s", STR(c->last_update_status_reason));
    return 0;
}

static void wait_settled(struct task *t, struct str name)
{
    struct lambda_get_function_configuration_input *in =
        TASK_IN(t, lambda_get_function_configuration_input);
    in->function_name = name;
    task_step(t, &lambda_get_function_configuration_op, in)->result = settled;
}

static int function_made(struct task *t, struct call *answer)
{
    const struct lambda_function_configuration *c = answer->out;
    t->physical_id = c->function_name;
    task_attribute(t, "Arn", c->function_arn);
    return 0;
}

/* Properties that the API takes elsewhere, not in the configuration. */
static int check(struct task *t)
{
    static const char *const refused[] = {"RuntimeManagementConfig", "CodeSigningConfigArn", NULL};
    for (int i = 0; refused[i]; i++)
        if (json_get(t->props, refused[i]))
            return task_fail(
                t, "Property %s of AWS::Lambda::Function is not supported by this cloud yet",
                refused[i]);
    return 0;
}

/* ZipFile in a template is source text, put into index.js, index.py ... */
static int inline_code(struct task *t, const struct json *code, struct lambda_function_code *ret)
{
    struct str text = props_get(t->arena, code, "ZipFile");
    if (!str_has(text))
        return 0;
    struct str runtime = task_prop(t, "Runtime");
    const char *name = str_starts(runtime, S("python"))   ? "index.py"
                       : str_starts(runtime, S("nodejs")) ? "index.js"
                                                          : NULL;
    if (!name)
        return task_fail(t, "ZipFile can only be used when Runtime is set to one of the supported "
                            "runtimes: nodejs and python");
    if (text.n > 4 * 1024 * 1024)
        return task_fail(t, "ZipFile must not be longer than 4 MB");
    if (zip_text(t->arena, name, text, &ret->zip_file) < 0)
        return task_fail(t, "The inline code could not be packed");
    return 0;
}

static int fill_code(struct task *t, struct lambda_function_code *ret)
{
    const struct json *code = json_get(t->props, "Code");
    struct str why = {0};
    const struct member *m = member_find(operation_input(&lambda_create_function_op), S("Code"));
    if (props_fill(t->arena, member_shape(m), code, ret, &why) < 0)
        return task_fail(t, "%.*s", STR(why));
    return inline_code(t, code, ret);
}

static void fill_tags(struct task *t, struct lambda_tags *ret)
{
    const struct json *tags = task_tags(t, "Tags", true);
    ret->items = ARENA_ARRAY(t->arena, struct lambda_tags_entry, tags->n + 1);
    JSON_EACH(tags, tag)
        ret->items[ret->n++] =
            (struct lambda_tags_entry){json_get_str(tag, "Key"), json_get_str(tag, "Value")};
}

/* The properties that have the API's names and shapes: all but Code and Tags. */
static struct json *plain(struct task *t)
{
    struct json *p = json_copy(t->arena, t->props);
    json_remove(p, S("Code"));
    json_remove(p, S("Tags"));
    return p;
}

static int function_create(struct task *t)
{
    struct lambda_create_function_input *in = TASK_IN(t, lambda_create_function_input);
    int r = check(t);
    if (r == 0)
        r = task_fill(t, operation_input(&lambda_create_function_op), plain(t), in);
    if (r < 0)
        return r;
    in->function_name = task_name_or(t, "FunctionName", 64, false);
    in->code = TASK_IN(t, lambda_function_code);
    r = fill_code(t, in->code);
    fill_tags(t, &in->tags);
    task_step(t, &lambda_create_function_op, in)->result = function_made;
    wait_settled(t, in->function_name);
    lambda_plan_limits(t, in->function_name);
    return r;
}

static int update_tags(struct task *t, struct str arn)
{
    struct lambda_untag_resource_input *un = TASK_IN(t, lambda_untag_resource_input);
    struct lambda_tag_resource_input *in = TASK_IN(t, lambda_tag_resource_input);
    struct json *gone, *now;
    task_tag_changes(t, "Tags", &gone, &now);
    un->resource = in->resource = arn;
    fill_tags(t, &in->tags);
    un->tag_keys.items = ARENA_ARRAY(t->arena, struct str, gone->n + 1);
    JSON_EACH(gone, key)
        un->tag_keys.items[un->tag_keys.n++] = key->text;
    if (un->tag_keys.n)
        task_step(t, &lambda_untag_resource_op, un);
    task_step(t, &lambda_tag_resource_op, in);
    return 0;
}

/* What was set and is no more goes back to its default: an update leaves absent members alone. */
static void defaults(struct task *t, struct lambda_update_function_configuration_input *in)
{
    struct arena *a = t->arena;
    if (!str_has(in->description))
        in->description = S("");
    if (!in->timeout.has)
        in->timeout = opt_int(3);
    if (!in->memory_size.has)
        in->memory_size = opt_int(128);
    if (!in->environment)
        in->environment = TASK_IN(t, lambda_environment);
    if (!in->environment->variables.items)
        in->environment->variables.items = arena_alloc(a, 16);
    if (!in->layers.items)
        in->layers.items = ARENA_NEW(a, struct str);
    if (!in->tracing_config) {
        in->tracing_config = TASK_IN(t, lambda_tracing_config);
        in->tracing_config->mode = S("PassThrough");
    }
    if (!in->ephemeral_storage) {
        in->ephemeral_storage = TASK_IN(t, lambda_ephemeral_storage);
        in->ephemeral_storage->size = opt_int(512);
    }
}

/* Not what other operations than UpdateFunctionConfiguration set. */
static bool is_configuration(struct str property)
{
    static const char *const others[] = {"Code", "Tags", "ReservedConcurrentExecutions",
                                         "RecursiveLoop", NULL};
    for (int i = 0; others[i]; i++)
        if (str_is(property, others[i]))
            return false;
    return true;
}

static int function_update(struct task *t)
{
    struct str name = t->physical_id;
    struct str arn = call_arn(t->call, "lambda", "function:%.*s", STR(name));
    int r = check(t);
    if (r < 0)
        return r;
    task_attribute(t, "Arn", arn);
    if (task_changed(t, "Code") || task_changed(t, "Architectures")) {
        struct lambda_update_function_code_input *in =
            TASK_IN(t, lambda_update_function_code_input);
        struct lambda_function_code code = {0};
        r = fill_code(t, &code);
        if (r == 0)
            r = task_fill(t, operation_input(&lambda_update_function_code_op), plain(t), in);
        if (r < 0)
            return r;
        in->function_name = name;
        in->zip_file = code.zip_file;
        in->s3_bucket = code.s3_bucket;
        in->s3_key = code.s3_key;
        in->s3_object_version = code.s3_object_version;
        in->image_uri = code.image_uri;
        task_step(t, &lambda_update_function_code_op, in);
        wait_settled(t, name);
    }
    bool configuration = false;
    JSON_EACH(t->props, p)
        configuration =
            configuration || (is_configuration(p->key) && task_changed(t, str_c(t->arena, p->key)));
    JSON_EACH(t->old_props, p)
        configuration = configuration || (is_configuration(p->key) && !json_find(t->props, p->key));
    if (configuration) {
        struct lambda_update_function_configuration_input *in =
            TASK_IN(t, lambda_update_function_configuration_input);
        r = task_fill(t, operation_input(&lambda_update_function_configuration_op), plain(t), in);
        if (r < 0)
            return r;
        in->function_name = name;
        defaults(t, in);
        task_step(t, &lambda_update_function_configuration_op, in);
        wait_settled(t, name);
    }
    lambda_plan_limits(t, name);
    return task_tags_changed(t, "Tags") ? update_tags(t, arn) : 0;
}

static int function_remove(struct task *t)
{
    struct lambda_delete_function_input *in = TASK_IN(t, lambda_delete_function_input);
    in->function_name = t->physical_id;
    task_step(t, &lambda_delete_function_op, in)->ignore = MISSING;
    return 0;
}

/* ---- AWS::Lambda::Version ---- */

static int version_made(struct task *t, struct call *answer)
{
    const struct lambda_function_configuration *c = answer->out;
    t->physical_id = c->function_arn;
    task_attribute(t, "FunctionArn", c->function_arn);
    task_attribute(t, "Version", c->version);
    lambda_qualify(t, c->version);
    return 0;
}

static int version_create(struct task *t)
{
    struct lambda_publish_version_input *in = TASK_IN(t, lambda_publish_version_input);
    int r = task_fill(t, operation_input(&lambda_publish_version_op), t->props, in);
    task_step(t, &lambda_publish_version_op, in)->result = version_made;
    int failed = lambda_plan_provisioned(t, in->function_name, (struct str){0});
    return r < 0 ? r : failed;
}

static int version_remove(struct task *t)
{
    struct lambda_delete_function_input *in = TASK_IN(t, lambda_delete_function_input);
    in->function_name = arn_part(t->physical_id, 6);
    in->qualifier = arn_part(t->physical_id, 7);
    task_step(t, &lambda_delete_function_op, in)->ignore = MISSING;
    return 0;
}

/* ---- AWS::Lambda::Alias ---- */

static int alias_made(struct task *t, struct call *answer)
{
    const struct lambda_alias_configuration *c = answer->out;
    t->physical_id = c->alias_arn;
    task_attribute(t, "AliasArn", c->alias_arn);
    return 0;
}

/* A template has a list of {FunctionVersion, FunctionWeight}, the API a map. */
static int routing(struct task *t, struct lambda_alias_routing_configuration **ret)
{
    const struct json *list =
        json_get(json_get(t->props, "RoutingConfig"), "AdditionalVersionWeights");
    struct lambda_alias_routing_configuration *c = TASK_IN(t, lambda_alias_routing_configuration);
    c->additional_version_weights.items = ARENA_ARRAY(
        t->arena, struct lambda_additional_version_weights_entry, list ? list->n + 1 : 1);
    JSON_EACH(list, w) {
        struct str weight = props_get(t->arena, w, "FunctionWeight");
        c->additional_version_weights.items[c->additional_version_weights.n++] =
            (struct lambda_additional_version_weights_entry){
                .key = props_get(t->arena, w, "FunctionVersion"),
                .value = opt_double(str_has(weight) ? strtod(str_c(t->arena, weight), NULL) : 0),
            };
    }
    *ret = c;
    return 0;
}

static struct json *without_routing(struct task *t)
{
    struct json *p = json_copy(t->arena, t->props);
    json_remove(p, S("RoutingConfig"));
    return p;
}

static int alias_create(struct task *t)
{
    struct lambda_create_alias_input *in = TASK_IN(t, lambda_create_alias_input);
    int r = task_fill(t, operation_input(&lambda_create_alias_op), without_routing(t), in);
    if (r == 0 && json_get(t->props, "RoutingConfig"))
        r = routing(t, &in->routing_config);
    task_step(t, &lambda_create_alias_op, in)->result = alias_made;
    int failed = lambda_plan_provisioned(t, in->function_name, in->name);
    return r < 0 ? r : failed;
}

static int alias_update(struct task *t)
{
    struct lambda_update_alias_input *in = TASK_IN(t, lambda_update_alias_input);
    int r = task_fill(t, operation_input(&lambda_update_alias_op), without_routing(t), in);
    if (r == 0)
        r = routing(t, &in->routing_config);
    if (!str_has(in->description))
        in->description = S("");
    task_step(t, &lambda_update_alias_op, in)->result = alias_made;
    int failed = lambda_plan_provisioned(t, in->function_name, in->name);
    return r < 0 ? r : failed;
}

static int alias_remove(struct task *t)
{
    struct lambda_delete_alias_input *in = TASK_IN(t, lambda_delete_alias_input);
    in->function_name = arn_part(t->physical_id, 6);
    in->name = arn_part(t->physical_id, 7);
    task_step(t, &lambda_delete_alias_op, in)->ignore = MISSING;
    return 0;
}

/* ---- AWS::Lambda::LayerVersion ---- */

static int layer_made(struct task *t, struct call *answer)
{
    const struct lambda_publish_layer_version_output *out = answer->out;
    t->physical_id = out->layer_version_arn;
    task_attribute(t, "LayerVersionArn", out->layer_version_arn);
    return 0;
}

static int layer_create(struct task *t)
{
    struct lambda_publish_layer_version_input *in = TASK_IN(t, lambda_publish_layer_version_input);
    int r = task_fill(t, operation_input(&lambda_publish_layer_version_op), t->props, in);
    in->layer_name = task_name_or(t, "LayerName", 140, false);
    task_step(t, &lambda_publish_layer_version_op, in)->result = layer_made;
    return r;
}

static int layer_remove(struct task *t)
{
    struct lambda_delete_layer_version_input *in = TASK_IN(t, lambda_delete_layer_version_input);
    int64_t version;
    if (str_to_int64(arn_part(t->physical_id, 7), &version) < 0)
        return task_fail(t, "%.*s is no ARN of a layer version", STR(t->physical_id));
    in->layer_name = arn_part(t->physical_id, 6);
    in->version_number = opt_int(version);
    task_step(t, &lambda_delete_layer_version_op, in)->ignore = MISSING;
    return 0;
}

/* ---- AWS::Lambda::Permission ---- */

static int permission_made(struct task *t, struct call *answer)
{
    const struct lambda_add_permission_input *in = answer->in;
    t->physical_id = in->statement_id;
    task_attribute(t, "Id", in->statement_id);
    return 0;
}

static int permission_create(struct task *t)
{
    struct lambda_add_permission_input *in = TASK_IN(t, lambda_add_permission_input);
    int r = task_fill(t, operation_input(&lambda_add_permission_op), t->props, in);
    in->statement_id = task_name(t, 100, false);
    task_step(t, &lambda_add_permission_op, in)->result = permission_made;
    return r;
}

static int permission_remove(struct task *t)
{
    struct lambda_remove_permission_input *in = TASK_IN(t, lambda_remove_permission_input);
    in->function_name = task_old_prop(t, "FunctionName");
    in->statement_id = t->physical_id;
    task_step(t, &lambda_remove_permission_op, in)->ignore = MISSING;
    return 0;
}

/* ---- AWS::Lambda::LayerVersionPermission ---- */

static int layer_of(struct task *t, struct str arn, struct str *ret_name,
                    struct opt_int *ret_version)
{
    int64_t version;
    if (str_to_int64(arn_part(arn, 7), &version) < 0)
        return task_fail(t, "LayerVersionArn %.*s is no ARN of a layer version", STR(arn));
    *ret_name = arn_part(arn, 6);
    *ret_version = opt_int(version);
    return 0;
}

static int layer_permission_made(struct task *t, struct call *answer)
{
    const struct lambda_add_layer_version_permission_input *in = answer->in;
    t->physical_id = str_printf(t->arena, "%.*s#%.*s", STR(task_prop(t, "LayerVersionArn")),
                                STR(in->statement_id));
    task_attribute(t, "Id", t->physical_id);
    return 0;
}

static int layer_permission_create(struct task *t)
{
    struct lambda_add_layer_version_permission_input *in =
        TASK_IN(t, lambda_add_layer_version_permission_input);
    int r = task_fill(t, operation_input(&lambda_add_layer_version_permission_op), t->props, in);
    if (r == 0)
        r = layer_of(t, task_prop(t, "LayerVersionArn"), &in->layer_name, &in->version_number);
    in->statement_id = task_name(t, 100, false);
    task_step(t, &lambda_add_layer_version_permission_op, in)->result = layer_permission_made;
    return r;
}

static int layer_permission_remove(struct task *t)
{
    struct lambda_remove_layer_version_permission_input *in =
        TASK_IN(t, lambda_remove_layer_version_permission_input);
    struct str arn;
    str_cut(t->physical_id, '#', &arn, &in->statement_id);
    int r = layer_of(t, arn, &in->layer_name, &in->version_number);
    task_step(t, &lambda_remove_layer_version_permission_op, in)->ignore = MISSING;
    return r;
}

const struct provider lambda_providers[] = {
    {"AWS::Lambda::Function", function_create, function_update, function_remove},
    {"AWS::Lambda::Version", version_create, NULL, version_remove},
    {"AWS::Lambda::Alias", alias_create, alias_update, alias_remove},
    {"AWS::Lambda::EventInvokeConfig", event_config_create, event_config_update,
     event_config_remove},
    {"AWS::Lambda::LayerVersion", layer_create, NULL, layer_remove},
    {"AWS::Lambda::Permission", permission_create, NULL, permission_remove},
    {"AWS::Lambda::Url", url_create, url_update, url_remove},
    {"AWS::Lambda::LayerVersionPermission", layer_permission_create, NULL, layer_permission_remove},
    {0},
};
