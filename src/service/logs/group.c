/* group - log groups and their retention. */
#include <errno.h>
#include <inttypes.h>
#include "service/logs/record.h"

#define PAGE_MAX 50

static int create_log_group(struct call *call, const struct logs_create_log_group_input *in,
                            void *out)
{
    if (in->kms_key_id.n)
        return call_fail(call, LOGS_INVALID_PARAMETER,
                         "kmsKeyId is not supported: Lamina has no KMS keys.");
    struct str key = logs_group_key(call, in->log_group_name);
    if (store_has(call->store, key))
        return call_fail(call, LOGS_RESOURCE_ALREADY_EXISTS,
                         "The specified log group already exists");
    struct logs_group_record group = {
        .id = opt_int(logs_sequence(call->state, call->now_ms)),
        .name = in->log_group_name,
        .created = opt_int(call->now_ms),
        .class = in->log_group_class,
        .deletion_protection = in->deletion_protection_enabled,
        .tags = in->tags,
    };
    return record_put(call, key, &logs_group_record_shape, &group);
}

/* Streams and events go with the sweeper, in small steps. */
static int bury_streams(struct call *call, int64_t group_id)
{
    struct str prefix =
        store_prefix(call->arena, 2, S("logs-stream"), store_ordered(call->arena, group_id));
    struct str after = {0};
    for (;;) {
        struct store_row *rows;
        size_t n;
        int r = store_scan(call->store, prefix, after, 500, call->arena, &rows, &n);
        for (size_t i = 0; r == 0 && i < n; i++) {
            struct logs_stream_record stream = {0};
            r = wire_json_read(call->arena, rows[i].value, &logs_stream_record_shape, &stream,
                               NULL);
            if (r == 0)
                r = store_put(call->store, logs_dead_key(call->arena, stream.id.is), S(""));
        }
        if (r < 0)
            return r;
        if (n < 500)
            return store_delete_prefix(call->store, prefix);
        after = rows[n - 1].key;
    }
}

static int delete_log_group(struct call *call, const struct logs_delete_log_group_input *in,
                            void *out)
{
    struct logs_group_record group = {0};
    int r = logs_group_get(call, in->log_group_name, &group);
    if (r < 0)
        return r;
    if (group.deletion_protection.is)
        return call_fail(call, LOGS_VALIDATION,
                         "The specified log group has deletion protection enabled.");
    r = bury_streams(call, group.id.is);
    return r < 0 ? r : record_delete(call, logs_group_key(call, in->log_group_name));
}

/* ---- retention ---- */

static const int retention_days[] = {1,   3,   5,   7,   14,   30,   60,   90,   120,  150,  180,
                                     365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653};

static int put_retention_policy(struct call *call, const struct logs_put_retention_policy_input *in,
                                void *out)
{
    bool good = false;
    for (size_t i = 0; i < sizeof retention_days / sizeof *retention_days; i++)
        good |= retention_days[i] == in->retention_in_days.is;
    if (!good)
        return call_fail(call, LOGS_INVALID_PARAMETER,
                         "1 validation error detected: Value '%" PRId64
                         "' at 'retentionInDays' failed to satisfy "
                         "constraint: Member must satisfy enum value set: [1, 3, 5, 7, 14, 30, 60, "
                         "90, 120, 150, "
                         "180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]",
                         in->retention_in_days.is);
    struct logs_group_record group = {0};
    int r = logs_group_get(call, in->log_group_name, &group);
    if (r < 0)
        return r;
    group.retention = in->retention_in_days;
    return record_put(call, logs_group_key(call, group.name), &logs_group_record_shape, &group);
}

static int delete_retention_policy(struct call *call,
                                   const struct logs_delete_retention_policy_input *in, void *out)
{
    struct logs_group_record group = {0};
    int r = logs_group_get(call, in->log_group_name, &group);
    if (r < 0)
        return r;
    group.retention = (struct opt_int){0};
    return record_put(call, logs_group_key(call, group.name), &logs_group_record_shape, &group);
}

/* ---- describe ---- */

static int stored_bytes(struct call *call, int64_t group_id, int64_t *ret)
{
    auto_arena struct arena scratch;
    arena_init(&scratch);
    struct str prefix =
        store_prefix(call->arena, 2, S("logs-stream"), store_ordered(call->arena, group_id));
    struct str after = {0};
    int64_t sum = 0;
    for (;;) {
        struct store_row *rows;
        size_t n;
        int r = store_scan(call->store, prefix, after, 500, &scratch, &rows, &n);
        for (size_t i = 0; r == 0 && i < n; i++) {
            struct logs_stream_record stream = {0};
            r = wire_json_read(&scratch, rows[i].value, &logs_stream_record_shape, &stream, NULL);
            sum += stream.bytes.is;
        }
        if (r < 0)
            return r;
        if (n < 500)
            break;
        after = str_copy(call->arena, rows[n - 1].key);
        arena_reset(&scratch);
    }
    *ret = sum;
    return 0;
}

static int describe_group(struct call *call, const struct logs_group_record *group,
                          struct logs_log_group *ret)
{
    int64_t bytes;
    int r = stored_bytes(call, group->id.is, &bytes);
    if (r < 0)
        return r;
    struct str arn = logs_group_arn(call, group->name);
    *ret = (struct logs_log_group){
        .log_group_name = group->name,
        .creation_time = group->created,
        .retention_in_days = group->retention,
        .metric_filter_count = opt_int(0),
        .arn = str_printf(call->arena, "%.*s:*", STR(arn)),
        .log_group_arn = arn,
        .stored_bytes = opt_int(bytes),
        .log_group_class = group->class.n ? group->class : S("STANDARD"),
        .deletion_protection_enabled = opt_bool(group->deletion_protection.is),
    };
    return 0;
}

static bool wanted(const struct logs_describe_log_groups_input *in,
                   const struct logs_group_record *group)
{
    if (in->log_group_name_pattern.n && str_find(group->name, in->log_group_name_pattern) < 0)
        return false;
    if (in->log_group_class.n &&
        !str_eq(in->log_group_class, group->class.n ? group->class : S("STANDARD")))
        return false;
    if (!in->log_group_identifiers.items)
        return true;
    for (size_t i = 0; i < in->log_group_identifiers.n; i++) {
        struct str id = in->log_group_identifiers.items[i];
        if (str_eq(str_starts(id, S("arn:")) ? logs_arn_group(id) : id, group->name))
            return true;
    }
    return false;
}

static int describe_log_groups(struct call *call, const struct logs_describe_log_groups_input *in,
                               struct logs_describe_log_groups_output *out)
{
    if (in->log_group_name_prefix.n && in->log_group_name_pattern.n)
        return call_fail(call, LOGS_INVALID_PARAMETER,
                         "LogGroup name prefix and LogGroup name pattern are mutually exclusive "
                         "parameters.");
    struct str last = {0}, after = {0};
    if (in->next_token.n) {
        int r = logs_token_text(call, in->next_token, &last);
        if (r < 0)
            return r;
        after = logs_group_key(call, last);
    }
    size_t limit = in->limit.has ? (size_t)in->limit.is : PAGE_MAX, cap = 0;
    struct str prefix = logs_group_key(call, in->log_group_name_prefix);
    out->log_groups.items = ARENA_NEW(call->arena, struct logs_log_group); /* [], not absent */
    for (;;) {
        struct store_row *rows;
        size_t n;
        int r = store_scan(call->store, prefix, after, 100, call->arena, &rows, &n);
        if (r < 0)
            return r;
        for (size_t i = 0; i < n; i++) {
            struct logs_group_record group = {0};
            r = wire_json_read(call->arena, rows[i].value, &logs_group_record_shape, &group, NULL);
            if (r < 0)
                return r;
            if (!wanted(in, &group))
                continue;
            if (out->log_groups.n == limit) {
                out->next_token = logs_token(call, last);
                return 0;
            }
            struct logs_log_group shown;
            r = describe_group(call, &group, &shown);
            if (r < 0)
                return r;
            *(struct logs_log_group *)arena_push(call->arena, (void **)&out->log_groups.items,
                                                 &out->log_groups.n, &cap, sizeof shown) = shown;
            last = group.name;
        }
        if (n < 100)
            return 0;
        after = rows[n - 1].key;
    }
}

const struct handler logs_group_handlers[] = {
    {logs_create_log_group_run(create_log_group), NULL, "log-group:{logGroupName}:log-stream:"},
    {logs_delete_log_group_run(delete_log_group), NULL, "log-group:{logGroupName}:log-stream:"},
    {logs_put_retention_policy_run(put_retention_policy), NULL,
     "log-group:{logGroupName}:log-stream:"},
    {logs_delete_retention_policy_run(delete_retention_policy), NULL,
     "log-group:{logGroupName}:log-stream:"},
    {logs_describe_log_groups_run(describe_log_groups), NULL, "log-group::log-stream:"},
    {0},
};
