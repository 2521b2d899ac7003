/* provisioned_api - the operations on provisioned concurrency. */
#include <errno.h>
#include "base/clock.h"
#include "service/lambda/provisioned.h"
#include "service/lambda/target.h"

#define INVALID(...) lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE, __VA_ARGS__)

/* The version or alias that a request names; *ret_alias is empty for versions. */
static int find(struct call *call, struct str text, struct str qualifier, struct function_ref *ref,
                struct lambda_alias_configuration *ret_alias)
{
    int r = function_ref_get(call, text, qualifier, ref);
    if (r < 0)
        return r;
    if (qualifier_is_version(ref->qualifier)) {
        struct lambda_version_record v = {0};
        int64_t number = 0;
        r = str_to_int64(ref->qualifier, &number) < 0 ? -ENOENT
                                                      : version_load(call, ref->name, number, &v);
        if (number == 0)
            r = -ENOENT;
        return r == -ENOENT ? function_not_found(call, ref->name, ref->qualifier) : r;
    }
    r = alias_load(call, ref->name, ref->qualifier, ret_alias);
    if (r == -ENOENT)
        return lambda_fail(call, LAMBDA_RESOURCE_NOT_FOUND, "Cannot find alias arn: %.*s",
                           STR(function_arn(call, ref->name, ref->qualifier)));
    return r;
}

/* A version is provisioned by itself or through aliases, not both. */
static int check_overlap(struct call *call, const struct function_ref *ref,
                         const struct lambda_alias_configuration *alias)
{
    if (alias->name.n) {
        if (str_is(alias->function_version, "$LATEST"))
            return INVALID("Provisioned Concurrency Configs cannot be applied to unpublished "
                           "function versions.");
        if (store_has(call->store, key_provisioned(call, ref->name, alias->function_version)))
            return lambda_fail(call, LAMBDA_RESOURCE_CONFLICT,
                               "Alias can't be used for Provisioned Concurrency configuration on "
                               "an already Provisioned version");
        return 0;
    }
    struct store_row *rows;
    size_t n;
    int r = store_scan(call->store, key_provisioned_of(call, ref->name), (struct str){0}, 1000,
                       call->arena, &rows, &n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct lambda_provisioned_record record = {0};
        struct lambda_alias_configuration other = {0};
        r = record_get(call, rows[i].key, &lambda_provisioned_record_shape, &record);
        if (r == 0 && !qualifier_is_version(record.qualifier) &&
            alias_load(call, ref->name, record.qualifier, &other) == 0 &&
            str_eq(other.function_version, ref->qualifier))
            return lambda_fail(call, LAMBDA_RESOURCE_CONFLICT,
                               "Version is pointed by a Provisioned Concurrency alias");
    }
    return r;
}

static int check_room(struct call *call, const struct function_ref *ref, int64_t wanted)
{
    int64_t others, reserved, limit = cloud_lambda(call->cloud)->concurrency;
    struct concurrency_sums sums;
    int r = provisioned_sum(call, ref->name, ref->qualifier, &others);
    if (r == 0)
        r = reserved_load(call, ref->name, &reserved);
    if (r == 0)
        r = concurrency_sum(call, ref->name, &sums);
    if (r < 0)
        return r;
    if (reserved >= 0 && others + wanted > reserved)
        return INVALID("Requested Provisioned Concurrency should not be greater than the "
                       "reservedConcurrentExecution for function");
    if (reserved >= 0)
        return 0;
    int64_t left = limit - sums.reserved - sums.provisioned - others;
    if (wanted > limit)
        return INVALID("Specified ConcurrentExecutions for function is greater than account's "
                       "unreserved concurrency [%lld].",
                       (long long)limit);
    if (left - wanted < concurrency_unreserved_min(call))
        return INVALID("Specified ConcurrentExecutions for function decreases account's "
                       "UnreservedConcurrentExecution below its minimum value of [%lld].",
                       (long long)concurrency_unreserved_min(call));
    return 0;
}

static void changed(struct call *call)
{
    concurrency_forget(lambda_state(call)->concurrency);
    targets_drop(lambda_state(call)->targets);
}

static int put_config(struct call *call,
                      const struct lambda_put_provisioned_concurrency_config_input *in,
                      struct lambda_put_provisioned_concurrency_config_output *out)
{
    struct function_ref ref;
    struct lambda_alias_configuration alias = {0};
    if (str_is(in->qualifier, "$LATEST"))
        return INVALID("Provisioned Concurrency Configs cannot be applied to unpublished function "
                       "versions.");
    int64_t wanted = in->provisioned_concurrent_executions.is;
    int r = find(call, in->function_name, in->qualifier, &ref, &alias);
    if (r == 0)
        r = check_room(call, &ref, wanted);
    if (r == 0)
        r = check_overlap(call, &ref, &alias);
    if (r < 0)
        return r;
    struct lambda_provisioned_record record = {
        .account = call->account,
        .region = call->region,
        .function_name = ref.name,
        .qualifier = ref.qualifier,
        .executions = opt_int(wanted),
        .last_modified = clock_lambda_time(call->arena, call->now_ms),
    };
    changed(call);
    provisioned_forgive(lambda_state(call)->pool, call, ref.name);
    *out = (struct lambda_put_provisioned_concurrency_config_output){
        .requested_provisioned_concurrent_executions = opt_int(wanted),
        .available_provisioned_concurrent_executions = opt_int(0),
        .allocated_provisioned_concurrent_executions = opt_int(0),
        .status = LAMBDA_PROVISIONED_CONCURRENCY_STATUS_ENUM_IN_PROGRESS,
        .last_modified = record.last_modified,
    };
    return record_put(call, key_provisioned(call, ref.name, ref.qualifier),
                      &lambda_provisioned_record_shape, &record);
}

static int show(struct call *call, const struct lambda_provisioned_record *record,
                struct lambda_provisioned_concurrency_config_list_item *ret)
{
    struct provisioned_state state;
    int r = provisioned_look(call, record, &state);
    if (r < 0)
        return r;
    *ret = (struct lambda_provisioned_concurrency_config_list_item){
        .function_arn = function_arn(call, record->function_name, record->qualifier),
        .requested_provisioned_concurrent_executions = record->executions,
        .available_provisioned_concurrent_executions = opt_int(state.allocated),
        .allocated_provisioned_concurrent_executions = opt_int(state.allocated),
        .status = LAMBDA_PROVISIONED_CONCURRENCY_STATUS_ENUM_IN_PROGRESS,
        .last_modified = record->last_modified,
    };
    if (state.failed) {
        ret->status = LAMBDA_PROVISIONED_CONCURRENCY_STATUS_ENUM_FAILED;
        ret->status_reason = S("FUNCTION_ERROR_INIT_FAILURE");
    } else if (state.allocated >= record->executions.is) {
        ret->status = LAMBDA_PROVISIONED_CONCURRENCY_STATUS_ENUM_READY;
    }
    return 0;
}

static int published_only(struct call *call, struct str qualifier)
{
    if (!str_is(qualifier, "$LATEST"))
        return 0;
    return INVALID("The function resource provided must be an alias or a published version.");
}

static int get_config(struct call *call,
                      const struct lambda_get_provisioned_concurrency_config_input *in,
                      struct lambda_get_provisioned_concurrency_config_output *out)
{
    struct function_ref ref;
    struct lambda_alias_configuration alias = {0};
    struct lambda_provisioned_record record = {0};
    int r = published_only(call, in->qualifier);
    if (r == 0)
        r = find(call, in->function_name, in->qualifier, &ref, &alias);
    if (r < 0)
        return r;
    r = record_get(call, key_provisioned(call, ref.name, ref.qualifier),
                   &lambda_provisioned_record_shape, &record);
    if (r == -ENOENT)
        return lambda_fail(call, LAMBDA_PROVISIONED_CONCURRENCY_CONFIG_NOT_FOUND,
                           "No Provisioned Concurrency Config found for this function");
    struct lambda_provisioned_concurrency_config_list_item item = {0};
    if (r == 0)
        r = show(call, &record, &item);
    *out = (struct lambda_get_provisioned_concurrency_config_output){
        .requested_provisioned_concurrent_executions =
            item.requested_provisioned_concurrent_executions,
        .available_provisioned_concurrent_executions =
            item.available_provisioned_concurrent_executions,
        .allocated_provisioned_concurrent_executions =
            item.allocated_provisioned_concurrent_executions,
        .status = item.status,
        .status_reason = item.status_reason,
        .last_modified = item.last_modified,
    };
    return r;
}

/* Fine when there is none. */
static int delete_config(struct call *call,
                         const struct lambda_delete_provisioned_concurrency_config_input *in,
                         void *out)
{
    struct function_ref ref;
    struct lambda_alias_configuration alias = {0};
    int r = published_only(call, in->qualifier);
    if (r == 0)
        r = find(call, in->function_name, in->qualifier, &ref, &alias);
    if (r < 0)
        return r;
    changed(call);
    return record_delete(call, key_provisioned(call, ref.name, ref.qualifier));
}

static int list_configs(struct call *call,
                        const struct lambda_list_provisioned_concurrency_configs_input *in,
                        struct lambda_list_provisioned_concurrency_configs_output *out)
{
    struct function_ref ref;
    struct lambda_function_record f = {0};
    int r = function_ref_get(call, in->function_name, S(""), &ref);
    if (r < 0)
        return r;
    r = function_load(call, ref.name, &f);
    if (r < 0)
        return r == -ENOENT ? function_not_found(call, ref.name, S("")) : r;
    struct store_row *rows;
    size_t n;
    r = page_scan(call, key_provisioned_of(call, ref.name), in->marker, in->max_items, &rows, &n,
                  &out->next_marker);
    if (r < 0)
        return r;
    out->provisioned_concurrency_configs.items =
        ARENA_ARRAY(call->arena, struct lambda_provisioned_concurrency_config_list_item, n + 1);
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct lambda_provisioned_record record = {0};
        r = record_get(call, rows[i].key, &lambda_provisioned_record_shape, &record);
        if (r == 0)
            r = show(call, &record,
                     &out->provisioned_concurrency_configs
                          .items[out->provisioned_concurrency_configs.n++]);
    }
    return r;
}

const struct handler lambda_provisioned_handlers[] = {
    {lambda_put_provisioned_concurrency_config_run(put_config), NULL,
     "function:{FunctionName}:{Qualifier}"},
    {lambda_get_provisioned_concurrency_config_run(get_config), NULL,
     "function:{FunctionName}:{Qualifier}"},
    {lambda_delete_provisioned_concurrency_config_run(delete_config), NULL,
     "function:{FunctionName}:{Qualifier}"},
    {lambda_list_provisioned_concurrency_configs_run(list_configs), NULL,
     "function:{FunctionName}"},
    {0},
};
