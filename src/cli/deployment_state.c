/* deployment_state - what a stack's functions are, as records have it: see deployment.h. */
#include <errno.h>
#include "base/cleanup.h"
#include "cli/deployment.h"
#include "cli/function_wait.h"
#include "cli/stacks.h"
#include "cli/target.h"
#include "template/parse.h"
#include "wire/lambda.h"
#include "wire/walk.h"

static void set(struct arena *a, struct json *o, const char *key, struct str text)
{
    if (str_has(text))
        json_set(a, o, str_from(key), json_new_str(a, text));
}

/* Any answer as the JSON that the service gave. */
static struct json *as_json(struct arena *a, const struct shape *shape, const void *object)
{
    auto_buf struct buf b;
    struct json *v;
    buf_init(&b, 16 * 1024 * 1024);
    wire_json_write(&b, shape, object);
    return json_parse(a, buf_copy(&b, a), &v, NULL) < 0 ? json_new(a, JSON_OBJECT) : v;
}

struct json *deployment_configuration(struct arena *a, const struct json *configuration)
{
    static const char *const moving[] = {"RevisionId",
                                         "LastModified",
                                         "State",
                                         "StateReason",
                                         "StateReasonCode",
                                         "LastUpdateStatus",
                                         "LastUpdateStatusReason",
                                         "LastUpdateStatusReasonCode"};
    struct json *v = json_copy(a, configuration);
    for (size_t i = 0; i < sizeof moving / sizeof *moving; i++)
        json_remove(v, str_from(moving[i]));
    return v;
}

/* ---- one function ---- */

/* Hashes of what layers hold: their version numbers differ after a rollback of a stack. */
static struct json *layers_of(struct arena *a, struct aws_client *aws,
                              const struct lambda_function_configuration *c)
{
    struct json *list = json_new(a, JSON_ARRAY);
    for (size_t i = 0; i < c->layers.n; i++) {
        struct json *o = json_add(list, json_new(a, JSON_OBJECT));
        struct lambda_get_layer_version_by_arn_input in = {.arn = c->layers.items[i].arn};
        struct lambda_get_layer_version_by_arn_output *out;
        struct aws_error err = {0};
        set(a, o, "arn", in.arn);
        /* somebody else's layer may be used without being looked at */
        if (aws_call(aws, a, &lambda_get_layer_version_by_arn_op, &in, (void **)&out, &err) < 0 ||
            !out->content)
            continue;
        set(a, o, "sha256", out->content->code_sha256);
        json_set(a, o, S("bytes"), json_new_int(a, out->content->code_size.is));
    }
    return list;
}

struct version {
    struct str number, sha256;
};

static int versions_of(struct arena *a, struct aws_client *aws, struct str function,
                       struct version **ret, size_t *ret_n, struct aws_error *err)
{
    struct lambda_list_versions_by_function_input in = {.function_name = function};
    size_t cap = 0;
    *ret = NULL;
    *ret_n = 0;
    do {
        struct lambda_list_versions_by_function_output *out;
        int r = aws_call(aws, a, &lambda_list_versions_by_function_op, &in, (void **)&out, err);
        if (r < 0)
            return r;
        for (size_t i = 0; i < out->versions.n; i++)
            if (!str_is(out->versions.items[i].version, "$LATEST"))
                *(struct version *)arena_push(a, (void **)ret, ret_n, &cap, sizeof **ret) =
                    (struct version){out->versions.items[i].version,
                                     out->versions.items[i].code_sha256};
        in.marker = out->next_marker;
    } while (in.marker.n);
    return 0;
}

static struct str sha_of(const struct version *versions, size_t n, struct str number)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(versions[i].number, number))
            return versions[i].sha256;
    return (struct str){0};
}

static int add_aliases(struct arena *a, struct aws_client *aws, struct str function,
                       const struct version *versions, size_t n, struct json *o,
                       struct aws_error *err)
{
    struct lambda_list_aliases_input in = {.function_name = function};
    struct json *list = json_set(a, o, S("aliases"), json_new(a, JSON_ARRAY));
    do {
        struct lambda_list_aliases_output *out;
        int r = aws_call(aws, a, &lambda_list_aliases_op, &in, (void **)&out, err);
        if (r < 0)
            return r;
        for (size_t i = 0; i < out->aliases.n; i++) {
            const struct lambda_alias_configuration *alias = &out->aliases.items[i];
            struct json *v = as_json(a, &lambda_alias_configuration_shape, alias);
            struct json *item = json_add(list, json_new(a, JSON_OBJECT));
            set(a, item, "name", alias->name);
            set(a, item, "version", alias->function_version);
            set(a, item, "description", alias->description);
            set(a, item, "sha256", sha_of(versions, n, alias->function_version));
            const struct json *weights =
                json_get(json_get(v, "RoutingConfig"), "AdditionalVersionWeights");
            if (weights && weights->n)
                json_set(a, item, S("weights"), json_copy(a, weights));
        }
        in.marker = out->next_marker;
    } while (in.marker.n);
    return 0;
}

int deployment_function(struct arena *a, struct aws_client *aws, struct str function,
                        struct json **ret, struct aws_error *err)
{
    struct lambda_get_function_input in = {.function_name = function};
    struct lambda_get_function_output *out;
    struct lambda_function_configuration *c;
    struct version *versions;
    size_t n;
    int r = function_wait(aws, a, function, &c, err);
    if (r == 0)
        r = aws_call(aws, a, &lambda_get_function_op, &in, (void **)&out, err);
    if (r == 0)
        r = versions_of(a, aws, function, &versions, &n, err);
    if (r < 0)
        return r;
    struct json *o = json_new(a, JSON_OBJECT);
    set(a, o, "name", c->function_name);
    set(a, o, "arn", c->function_arn);
    struct json *code = json_set(a, o, S("code"), json_new(a, JSON_OBJECT));
    set(a, code, "sha256", c->code_sha256);
    json_set(a, code, S("bytes"), json_new_int(a, c->code_size.is));
    if (out->code)
        set(a, code, "image_uri", out->code->resolved_image_uri);
    json_set(a, o, S("layers"), layers_of(a, aws, c));
    json_set(a, o, S("configuration"),
             deployment_configuration(
                 a, as_json(a, operation_output(&lambda_get_function_configuration_op), c)));
    for (size_t i = n; i-- > 0;)
        if (str_eq(versions[i].sha256, c->code_sha256)) {
            set(a, o, "version", versions[i].number);
            break;
        }
    if (out->concurrency && out->concurrency->reserved_concurrent_executions.has)
        json_set(a, o, S("reserved_concurrency"),
                 json_new_int(a, out->concurrency->reserved_concurrent_executions.is));
    r = add_aliases(a, aws, function, versions, n, o, err);
    if (r == 0)
        r = deployment_add_settings(a, aws, o, err);
    if (r == 0)
        *ret = o;
    return r;
}

int deployment_add_function(struct deployment_record *r, struct str function, struct aws_error *err)
{
    struct json *o;
    int e = deployment_function(r->run->arena, r->aws, function, &o, err);
    if (e == 0)
        json_add(json_get(r->json, "functions"), o);
    return e;
}

/* ---- a stack ---- */

struct json *deployment_processed(struct arena *a, struct aws_client *aws, struct str stack)
{
    struct cloudformation_get_template_input in = {.stack_name = stack,
                                                   .template_stage = S("Processed")};
    struct cloudformation_get_template_output *out;
    struct aws_error err = {0};
    struct template_error why;
    struct json *root;
    if (aws_call(aws, a, &cloudformation_get_template_op, &in, (void **)&out, &err) < 0 ||
        template_parse(a, out->template_body, &root, &why) < 0)
        return NULL;
    return root;
}

static void add_parameters(struct deployment_record *r, const struct cloudformation_stack *s,
                           const struct json *declared)
{
    struct arena *a = r->run->arena;
    struct json *list = json_set(a, r->json, S("parameters"), json_new(a, JSON_OBJECT));
    for (size_t i = 0; i < s->parameters.n; i++) {
        const struct cloudformation_parameter *p = &s->parameters.items[i];
        bool secret = deployment_no_echo(json_find(declared, p->parameter_key)) ||
                      str_is(p->parameter_value, "****") ||
                      deployment_holds(p->parameter_value, r->secrets, r->n_secrets);
        json_set(a, list, p->parameter_key,
                 secret ? deployment_mark(a) : json_new_str(a, p->parameter_value));
    }
}

static void add_about(struct deployment_record *r, const struct cloudformation_stack *s)
{
    struct arena *a = r->run->arena;
    struct json *o = json_set(a, r->json, S("stack"), json_new(a, JSON_OBJECT));
    set(a, o, "name", s->stack_name);
    set(a, o, "id", s->stack_id);
    set(a, o, "status", s->stack_status);
    set(a, o, "role_arn", s->role_arn);
    struct json *tags = json_set(a, r->json, S("tags"), json_new(a, JSON_OBJECT));
    for (size_t i = 0; i < s->tags.n; i++)
        json_set(a, tags, s->tags.items[i].key, json_new_str(a, s->tags.items[i].value));
    struct json *capabilities = json_set(a, r->json, S("capabilities"), json_new(a, JSON_ARRAY));
    for (size_t i = 0; i < s->capabilities.n; i++)
        json_add(capabilities, json_new_str(a, s->capabilities.items[i]));
}

/* Where a function's or layer's code was taken from. */
static void add_source(struct arena *a, struct json *code, const struct json *from)
{
    set(a, code, "bucket", json_get_str(from, "S3Bucket"));
    set(a, code, "key", json_get_str(from, "S3Key"));
    set(a, code, "version_id", json_get_str(from, "S3ObjectVersion"));
}

static int add_stack_function(struct deployment_record *r, const struct json *template,
                              const struct cloudformation_stack_resource_summary *item,
                              struct aws_error *err)
{
    struct arena *a = r->run->arena;
    struct json *o;
    int e = deployment_function(a, r->aws, item->physical_resource_id, &o, err);
    if (e < 0)
        return e;
    set(a, o, "logical_id", item->logical_resource_id);
    const struct json *properties = json_get(
        json_find(json_get(template, "Resources"), item->logical_resource_id), "Properties");
    add_source(a, json_get(o, "code"), json_get(properties, "Code"));
    deployment_redact(a, json_get(o, "configuration"), properties, json_get(template, "Parameters"),
                      r->secrets, r->n_secrets);
    if (json_get(o, "tags") &&
        deployment_mentions_secret(json_get(properties, "Tags"), json_get(template, "Parameters")))
        json_set(a, o, S("tags"), deployment_mark(a));
    static const char *const settings[] = {"tags", "event_invoke", "urls", "permissions"};
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        if (json_get(o, settings[i]))
            deployment_redact(a, json_get(o, settings[i]), NULL, NULL, r->secrets, r->n_secrets);
    json_add(json_get(r->json, "functions"), o);
    return 0;
}

static void add_stack_layer(struct deployment_record *r, const struct json *template,
                            const struct cloudformation_stack_resource_summary *item)
{
    struct arena *a = r->run->arena;
    struct lambda_get_layer_version_by_arn_input in = {.arn = item->physical_resource_id};
    struct lambda_get_layer_version_by_arn_output *out;
    struct aws_error err = {0};
    struct json *o = json_add(json_get(r->json, "layers"), json_new(a, JSON_OBJECT));
    set(a, o, "logical_id", item->logical_resource_id);
    set(a, o, "arn", in.arn);
    if (aws_call(r->aws, a, &lambda_get_layer_version_by_arn_op, &in, (void **)&out, &err) == 0 &&
        out->content) {
        set(a, o, "sha256", out->content->code_sha256);
        json_set(a, o, S("bytes"), json_new_int(a, out->content->code_size.is));
    }
    add_source(
        a, o,
        json_get(json_get(json_find(json_get(template, "Resources"), item->logical_resource_id),
                          "Properties"),
                 "Content"));
}

int deployment_add_stack(struct deployment_record *r, struct str stack, struct aws_error *err)
{
    struct cloudformation_stack *s;
    struct cloudformation_stack_resource_summary *items;
    size_t n;
    int e = stacks_describe(r->run, r->aws, stack, &s, err);
    if (e < 0)
        return e;
    const struct json *template = deployment_processed(r->run->arena, r->aws, s->stack_id);
    if (!template)
        template = r->template_root;
    add_about(r, s);
    add_parameters(r, s, json_get(template, "Parameters"));
    e = stacks_resources(r->run, r->aws, s->stack_id, &items, &n, err);
    struct json *names =
        json_set(r->run->arena, r->json, S("resources"), json_new(r->run->arena, JSON_OBJECT));
    for (size_t i = 0; e == 0 && i < n; i++) {
        if (!str_has(items[i].physical_resource_id) ||
            str_is(items[i].resource_status, "DELETE_COMPLETE"))
            continue;
        set(r->run->arena, names, str_c(r->run->arena, items[i].logical_resource_id),
            items[i].physical_resource_id);
        if (str_is(items[i].resource_type, "AWS::Lambda::LayerVersion"))
            add_stack_layer(r, template, &items[i]);
        if (!str_is(items[i].resource_type, "AWS::Lambda::Function"))
            continue;
        e = add_stack_function(r, template, &items[i], err);
        if (e < 0 && target_error_is(err, "ResourceNotFoundException"))
            e = 0; /* removed past the stack: there is nothing to record of it */
    }
    return e;
}
