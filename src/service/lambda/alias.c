/* alias - names that point to a version, or share calls between two. */
#include <errno.h>
#include "base/digest.h"
#include "service/lambda/concurrency.h"
#include "service/lambda/lambda.h"
#include "service/lambda/url.h"

static int load(struct call *call, struct str function, struct str name, struct function_ref *ref,
                struct lambda_alias_configuration *ret)
{
    int r = function_ref_get(call, function, S(""), ref);
    if (r < 0)
        return r;
    struct lambda_function_record f = {0};
    r = function_load(call, ref->name, &f);
    if (r < 0)
        return r == -ENOENT ? function_not_found(call, ref->name, S("")) : r;
    if (!str_has(name))
        return 0;
    r = alias_load(call, ref->name, name, ret);
    if (r == -ENOENT)
        return lambda_fail(call, LAMBDA_RESOURCE_NOT_FOUND, "Cannot find alias arn: %.*s",
                           STR(function_arn(call, ref->name, name)));
    return r;
}

static int check_target(struct call *call, struct str function, struct str version)
{
    struct lambda_version_record v = {0};
    int64_t number = 0;
    if (!qualifier_is_latest(version) && str_to_int64(version, &number) < 0)
        return function_not_found(call, function, version);
    int r = version_load(call, function, number, &v);
    return r == -ENOENT ? function_not_found(call, function, version) : r;
}

/* Environments are kept ready for an alias: only published versions have them, and a version has
 * them once. */
static int check_provisioned(struct call *call, struct str function,
                             const struct lambda_alias_configuration *alias)
{
    if (!store_has(call->store, key_provisioned(call, function, alias->name)))
        return 0;
    if (str_is(alias->function_version, "$LATEST"))
        return lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE,
                           "Provisioned Concurrency Configs cannot be applied to unpublished "
                           "function versions.");
    if (store_has(call->store, key_provisioned(call, function, alias->function_version)))
        return lambda_fail(call, LAMBDA_RESOURCE_CONFLICT,
                           "Alias can't be used for Provisioned Concurrency configuration on an "
                           "already Provisioned version");
    return 0;
}

static int set_routing(struct call *call, struct str function,
                       const struct lambda_alias_routing_configuration *asked,
                       struct lambda_alias_configuration *alias)
{
    const struct lambda_additional_version_weights *w = &asked->additional_version_weights;
    alias->routing_config = NULL;
    if (w->n == 0)
        return 0;
    if (w->n > 1)
        return lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE,
                           "Number of items in AdditionalVersionWeights cannot be greater than 1");
    struct str version = w->items[0].key;
    double weight = w->items[0].value.is;
    if (!(weight >= 0 && weight <= 1))
        return call_fail(
            call, LAMBDA_VALIDATION,
            "1 validation error detected: Value '{%.*s=%g}' at "
            "'routingConfig.additionalVersionWeights' failed to satisfy constraint: "
            "Map value must satisfy constraint: [Member must have value less than or "
            "equal to 1.0, Member must have value greater than or equal to 0.0, Member "
            "must not be null]",
            STR(version), weight);
    if (str_eq(version, alias->function_version))
        return lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE,
                           "Invalid function version %.*s. Function version %.*s is already "
                           "included in routing configuration.",
                           STR(version), STR(version));
    if (str_is(alias->function_version, "$LATEST") || str_is(version, "$LATEST"))
        return lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE,
                           "$LATEST is not supported for an alias pointing to more than 1 version");
    int r = check_target(call, function, version);
    if (r < 0)
        return r;
    alias->routing_config =
        arena_copy(call->arena, asked, sizeof(struct lambda_alias_routing_configuration));
    return 0;
}

static int create_alias(struct call *call, const struct lambda_create_alias_input *in,
                        struct lambda_create_alias_output *out)
{
    struct function_ref ref;
    int r = load(call, in->function_name, (struct str){0}, &ref, NULL);
    if (r < 0)
        return r;
    r = check_target(call, ref.name, in->function_version);
    if (r < 0)
        return r;
    struct lambda_alias_configuration old = {0};
    r = alias_load(call, ref.name, in->name, &old);
    if (r == 0)
        return lambda_fail(call, LAMBDA_RESOURCE_CONFLICT, "Alias already exists: %.*s",
                           STR(function_arn(call, ref.name, in->name)));
    if (r != -ENOENT)
        return r;
    *out = (struct lambda_alias_configuration){
        .alias_arn = function_arn(call, ref.name, in->name),
        .name = in->name,
        .function_version = in->function_version,
        .description = str_has(in->description) ? in->description : S(""),
        .revision_id = random_uuid(call->arena),
    };
    if (in->routing_config) {
        r = set_routing(call, ref.name, in->routing_config, out);
        if (r < 0)
            return r;
    }
    return alias_save(call, ref.name, out);
}

static int get_alias(struct call *call, const struct lambda_get_alias_input *in,
                     struct lambda_get_alias_output *out)
{
    struct function_ref ref;
    return load(call, in->function_name, in->name, &ref, out);
}

static int update_alias(struct call *call, const struct lambda_update_alias_input *in,
                        struct lambda_update_alias_output *out)
{
    struct function_ref ref;
    int r = load(call, in->function_name, in->name, &ref, out);
    if (r < 0)
        return r;
    if (in->revision_id.n && !str_eq(in->revision_id, out->revision_id))
        return lambda_fail(call, LAMBDA_PRECONDITION_FAILED,
                           "The Revision Id provided does not match the latest Revision Id. Call "
                           "the GetFunction/GetAlias API to retrieve the latest Revision Id");
    if (in->function_version.n) {
        r = check_target(call, ref.name, in->function_version);
        if (r < 0)
            return r;
        out->function_version = in->function_version;
        r = check_provisioned(call, ref.name, out);
        if (r == 0 && !in->routing_config && out->routing_config)
            r = set_routing(call, ref.name, out->routing_config, out);
        if (r < 0)
            return r;
    }
    if (str_has(in->description))
        out->description = in->description;
    if (in->routing_config) {
        r = set_routing(call, ref.name, in->routing_config, out);
        if (r < 0)
            return r;
    }
    out->revision_id = random_uuid(call->arena);
    return alias_save(call, ref.name, out);
}

/* Deleting what is not there is fine, as long as the function is. */
static int delete_alias(struct call *call, const struct lambda_delete_alias_input *in, void *out)
{
    struct function_ref ref;
    int r = load(call, in->function_name, (struct str){0}, &ref, NULL);
    if (r < 0)
        return r;
    struct lambda_alias_configuration alias = {0};
    r = alias_load(call, ref.name, in->name, &alias);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    r = record_delete(call, key_policy(call, ref.name, in->name));
    if (r == 0)
        r = qualifier_forget(call, ref.name, in->name);
    if (r == 0)
        r = url_forget(call, ref.name, in->name);
    if (r < 0)
        return r;
    struct lambda_function_record f = {0};
    r = record_delete(call, key_alias(call, ref.name, in->name));
    if (r == 0)
        r = function_load(call, ref.name, &f);
    return r < 0 ? r : function_save(call, &f); /* drops what is cached */
}

static int list_aliases(struct call *call, const struct lambda_list_aliases_input *in,
                        struct lambda_list_aliases_output *out)
{
    struct function_ref ref;
    int r = load(call, in->function_name, (struct str){0}, &ref, NULL);
    if (r < 0)
        return r;
    struct store_row *rows;
    size_t n;
    r = page_scan(call, key_aliases(call, ref.name), in->marker, in->max_items, &rows, &n,
                  &out->next_marker);
    if (r < 0)
        return r;
    out->aliases.items = ARENA_ARRAY(call->arena, struct lambda_alias_configuration, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct lambda_alias_configuration *alias = &out->aliases.items[out->aliases.n];
        *alias = (struct lambda_alias_configuration){0};
        r = record_get(call, rows[i].key, &lambda_alias_configuration_shape, alias);
        if (r < 0)
            return r;
        if (!in->function_version.n || str_eq(in->function_version, alias->function_version))
            out->aliases.n++;
    }
    return 0;
}

const struct handler lambda_alias_handlers[] = {
    {lambda_create_alias_run(create_alias), NULL, "function:{FunctionName}"},
    {lambda_get_alias_run(get_alias), NULL, "function:{FunctionName}"},
    {lambda_update_alias_run(update_alias), NULL, "function:{FunctionName}"},
    {lambda_delete_alias_run(delete_alias), NULL, "function:{FunctionName}"},
    {lambda_list_aliases_run(list_aliases), NULL, "function:{FunctionName}"},
    {0},
};
