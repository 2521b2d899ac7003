/* record - how functions, versions, aliases, policies and layers stand in the store.
 *
 *     lambda function      ACCOUNT REGION NAME             FunctionRecord
 *     lambda version       ACCOUNT REGION NAME NUMBER      VersionRecord; 0 is $LATEST
 *     lambda alias         ACCOUNT REGION NAME ALIAS       AliasConfiguration
 *     lambda policy        ACCOUNT REGION NAME QUALIFIER   PolicyRecord; "" for the function
 *     lambda layer         ACCOUNT REGION NAME             LayerRecord: versions are not used twice
 *     lambda layer-version ACCOUNT REGION NAME NUMBER      LayerVersionRecord
 *     lambda code          DIGEST                          CodeRecord: how many use that zip
 *     lambda queue         ACCOUNT REGION NAME DUE ID      EventRecord: asynchronous invocations
 *     lambda url           ACCOUNT REGION NAME QUALIFIER   FunctionUrlRecord; "" for the function
 *     lambda url-id        ID                              the key of a URL
 *     lambda reserved      ACCOUNT REGION NAME             ReservedRecord
 *     lambda provisioned   ACCOUNT REGION NAME QUALIFIER   ProvisionedRecord
 */
#include <errno.h>
#include "base/digest.h"
#include "service/lambda/lambda.h"
#include "service/lambda/target.h"

#define IN_REGION(call, kind) S("lambda"), S(kind), (call)->account, (call)->region

struct str key_functions(struct call *call)
{
    return store_prefix(call->arena, 4, IN_REGION(call, "function"));
}

struct str key_all_versions(struct call *call)
{
    return store_prefix(call->arena, 4, IN_REGION(call, "version"));
}

struct str key_versions(struct call *call, struct str name)
{
    return store_prefix(call->arena, 5, IN_REGION(call, "version"), name);
}

struct str key_aliases(struct call *call, struct str name)
{
    return store_prefix(call->arena, 5, IN_REGION(call, "alias"), name);
}

struct str key_policies(struct call *call, struct str name)
{
    return store_prefix(call->arena, 5, IN_REGION(call, "policy"), name);
}

struct str key_alias(struct call *call, struct str name, struct str alias)
{
    return store_key(call->arena, 6, IN_REGION(call, "alias"), name, alias);
}

struct str key_policy(struct call *call, struct str name, struct str qualifier)
{
    return store_key(call->arena, 6, IN_REGION(call, "policy"), name,
                     qualifier.n ? qualifier : S(""));
}

struct str key_layers(struct call *call)
{
    return store_prefix(call->arena, 4, IN_REGION(call, "layer"));
}

struct str key_layer(struct call *call, struct str name)
{
    return store_key(call->arena, 5, IN_REGION(call, "layer"), name);
}

struct str key_layer_versions(struct call *call, struct str name)
{
    return store_prefix(call->arena, 5, IN_REGION(call, "layer-version"), name);
}

struct str key_layer_version(struct call *call, struct str account, struct str region,
                             struct str name, int64_t number)
{
    return store_key(call->arena, 6, S("lambda"), S("layer-version"), account, region, name,
                     store_ordered(call->arena, number));
}

static struct str key_function(struct call *call, struct str name)
{
    return store_key(call->arena, 5, IN_REGION(call, "function"), name);
}

static struct str key_version(struct call *call, struct str name, int64_t number)
{
    return store_key(call->arena, 6, IN_REGION(call, "version"), name,
                     store_ordered(call->arena, number));
}

int function_load(struct call *call, struct str name, struct lambda_function_record *ret)
{
    return record_get(call, key_function(call, name), &lambda_function_record_shape, ret);
}

int function_save(struct call *call, const struct lambda_function_record *f)
{
    targets_drop(lambda_state(call)->targets);
    return record_put(call, key_function(call, f->name), &lambda_function_record_shape, f);
}

int function_remove(struct call *call, struct str name)
{
    targets_drop(lambda_state(call)->targets);
    return record_delete(call, key_function(call, name));
}

int version_load(struct call *call, struct str name, int64_t number,
                 struct lambda_version_record *ret)
{
    return record_get(call, key_version(call, name, number), &lambda_version_record_shape, ret);
}

int version_save(struct call *call, struct str name, int64_t number,
                 const struct lambda_version_record *v)
{
    targets_drop(lambda_state(call)->targets);
    return record_put(call, key_version(call, name, number), &lambda_version_record_shape, v);
}

int version_remove(struct call *call, struct str name, int64_t number)
{
    targets_drop(lambda_state(call)->targets);
    return record_delete(call, key_version(call, name, number));
}

int alias_load(struct call *call, struct str name, struct str alias,
               struct lambda_alias_configuration *ret)
{
    return record_get(call, key_alias(call, name, alias), &lambda_alias_configuration_shape, ret);
}

int alias_save(struct call *call, struct str name, const struct lambda_alias_configuration *a)
{
    targets_drop(lambda_state(call)->targets);
    return record_put(call, key_alias(call, name, a->name), &lambda_alias_configuration_shape, a);
}

int policy_load(struct call *call, struct str name, struct str qualifier,
                struct lambda_policy_record *ret)
{
    return record_get(call, key_policy(call, name, qualifier), &lambda_policy_record_shape, ret);
}

int version_resolve(struct call *call, const struct function_ref *ref,
                    struct lambda_version_record *ret, struct str *ret_alias)
{
    int64_t number = 0;
    struct str alias_name = {0};
    int r;
    if (!qualifier_is_latest(ref->qualifier)) {
        struct str version = ref->qualifier;
        if (!qualifier_is_version(version)) {
            struct lambda_alias_configuration alias = {0};
            r = alias_load(call, ref->name, ref->qualifier, &alias);
            if (r < 0)
                return r == -ENOENT ? function_not_found(call, ref->name, ref->qualifier) : r;
            alias_name = alias.name;
            version = alias.function_version;
        }
        if (!qualifier_is_latest(version) && str_to_int64(version, &number) < 0)
            return function_not_found(call, ref->name, ref->qualifier);
    }
    r = version_load(call, ref->name, number, ret);
    if (r == -ENOENT || (number == 0 && qualifier_is_version(ref->qualifier)))
        return function_not_found(call, ref->name, ref->qualifier);
    if (r < 0)
        return r;
    if (ret_alias)
        *ret_alias = alias_name;
    return 0;
}

int page_scan(struct call *call, struct str prefix, struct str marker, struct opt_int max_items,
              struct store_row **ret, size_t *ret_n, struct str *ret_next)
{
    size_t limit =
        max_items.has && max_items.is > 0 && max_items.is < 50 ? (size_t)max_items.is : 50;
    struct str after = {0};
    if (marker.n && (base64_decode(call->arena, marker, &after) < 0 || !str_starts(after, prefix)))
        return lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE, "Invalid Marker");
    int r = store_scan(call->store, prefix, after, limit + 1, call->arena, ret, ret_n);
    if (r < 0)
        return r;
    if (*ret_n > limit) {
        *ret_n = limit;
        *ret_next = base64_encode(call->arena, (*ret)[limit - 1].key);
    }
    return 0;
}
