/* concurrency_api - reserved concurrency of functions, and the account's settings. */
#include <errno.h>
#include "service/lambda/concurrency.h"
#include "service/lambda/target.h"

#define INVALID(...) lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE, __VA_ARGS__)

static int find(struct call *call, struct str text, struct function_ref *ret)
{
    struct lambda_function_record f = {0};
    int r = function_ref_get(call, text, S(""), ret);
    if (r < 0)
        return r;
    r = function_load(call, ret->name, &f);
    return r == -ENOENT ? function_not_found(call, ret->name, S("$LATEST")) : r;
}

static int64_t account_limit(struct call *call)
{
    return cloud_lambda(call->cloud)->concurrency;
}

/* Environments may have to come or to go: looked after when the turn is over. */
static void changed(struct call *call)
{
    concurrency_forget(lambda_state(call)->concurrency);
    targets_drop(lambda_state(call)->targets);
}

static int put_concurrency(struct call *call,
                           const struct lambda_put_function_concurrency_input *in,
                           struct lambda_put_function_concurrency_output *out)
{
    struct function_ref ref;
    int r = find(call, in->function_name, &ref);
    if (r < 0)
        return r;
    if (str_has(ref.qualifier))
        return INVALID("This operation is permitted on Lambda functions only. Aliases and versions "
                       "do not support this operation. Please specify either a function name or an "
                       "unqualified function ARN.");
    int64_t wanted = in->reserved_concurrent_executions.is, provisioned;
    struct concurrency_sums others;
    r = concurrency_sum(call, ref.name, &others);
    if (r == 0)
        r = provisioned_sum(call, ref.name, (struct str){0}, &provisioned);
    if (r < 0)
        return r;
    if (account_limit(call) - others.reserved - others.provisioned - wanted <
        concurrency_unreserved_min(call))
        return INVALID("Specified ReservedConcurrentExecutions for function decreases account's "
                       "UnreservedConcurrentExecution below its minimum value of [%lld].",
                       (long long)concurrency_unreserved_min(call));
    if (wanted < provisioned) /* the blanks are AWS's */
        return INVALID(" ReservedConcurrentExecutions  %lld should not be lower than function's "
                       "total provisioned concurrency [%lld].",
                       (long long)wanted, (long long)provisioned);
    struct lambda_reserved_record record = {.function_name = ref.name,
                                            .executions = opt_int(wanted)};
    out->reserved_concurrent_executions = opt_int(wanted);
    changed(call);
    return record_put(call, key_reserved(call, ref.name), &lambda_reserved_record_shape, &record);
}

static int get_concurrency(struct call *call,
                           const struct lambda_get_function_concurrency_input *in,
                           struct lambda_get_function_concurrency_output *out)
{
    struct function_ref ref;
    int64_t reserved;
    int r = find(call, in->function_name, &ref);
    if (r == 0)
        r = reserved_load(call, ref.name, &reserved);
    if (r == 0 && reserved >= 0)
        out->reserved_concurrent_executions = opt_int(reserved);
    return r;
}

static int delete_concurrency(struct call *call,
                              const struct lambda_delete_function_concurrency_input *in, void *out)
{
    struct function_ref ref;
    int r = find(call, in->function_name, &ref);
    if (r < 0)
        return r;
    changed(call);
    return record_delete(call, key_reserved(call, ref.name));
}

/* ---- the account ---- */

static int code_bytes(struct call *call, int64_t *ret)
{
    struct str after = {0};
    int r = 0;
    *ret = 0;
    for (size_t n = 100; r == 0 && n == 100;) {
        struct store_row *rows;
        r = store_scan(call->store, key_all_versions(call), after, 100, call->arena, &rows, &n);
        for (size_t i = 0; r == 0 && i < n; i++) {
            struct lambda_version_record v = {0};
            r = record_get(call, rows[i].key, &lambda_version_record_shape, &v);
            if (r == 0)
                *ret += v.configuration->code_size.is;
            after = rows[i].key;
        }
    }
    return r;
}

static int get_account_settings(struct call *call,
                                const struct lambda_get_account_settings_input *in,
                                struct lambda_get_account_settings_output *out)
{
    int64_t functions = 0, bytes = 0;
    struct concurrency_sums sums = {0};
    int r = store_count(call->store, key_functions(call), &functions);
    if (r == 0)
        r = code_bytes(call, &bytes);
    if (r == 0)
        r = concurrency_sum(call, (struct str){0}, &sums);
    if (r < 0)
        return r;
    int64_t limit = account_limit(call);
    int64_t left = limit - sums.reserved; /* provisioned ones are not taken off, as on AWS */
    out->account_limit = ARENA_NEW(call->arena, struct lambda_account_limit);
    *out->account_limit = (struct lambda_account_limit){
        .total_code_size = opt_int(80530636800),
        .code_size_unzipped = opt_int(LAMBDA_UNZIPPED_MAX),
        .code_size_zipped = opt_int(LAMBDA_ZIPPED_MAX),
        .concurrent_executions = opt_int(limit),
        .unreserved_concurrent_executions = opt_int(left > 0 ? left : 0),
    };
    out->account_usage = ARENA_NEW(call->arena, struct lambda_account_usage);
    out->account_usage->function_count = opt_int(functions);
    out->account_usage->total_code_size = opt_int(bytes);
    return 0;
}

const struct handler lambda_concurrency_handlers[] = {
    {lambda_put_function_concurrency_run(put_concurrency), NULL, "function:{FunctionName}"},
    {lambda_get_function_concurrency_run(get_concurrency), NULL, "function:{FunctionName}"},
    {lambda_delete_function_concurrency_run(delete_concurrency), NULL, "function:{FunctionName}"},
    {lambda_get_account_settings_run(get_account_settings), NULL, "*"},
    {0},
};
