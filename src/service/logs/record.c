/* record - how log groups, streams and events stand in the store. */
#include "service/logs/record.h"
#include <errno.h>
#include "base/digest.h"

int64_t logs_sequence(struct logs_state *state, int64_t now_ms)
{
    int64_t next = now_ms << LOGS_SEQUENCE_SHIFT;
    if (next <= state->last_sequence)
        next = state->last_sequence + 1;
    return state->last_sequence = next;
}

struct str logs_group_key(struct call *call, struct str name)
{
    return store_key(call->arena, 4, S("logs-group"), call->account, call->region, name);
}

struct str logs_stream_key(struct arena *a, int64_t group_id, struct str name)
{
    return store_key(a, 3, S("logs-stream"), store_ordered(a, group_id), name);
}

struct str logs_event_key(struct arena *a, int64_t stream_id, int64_t time, int64_t sequence)
{
    return store_key(a, 4, S("logs-event"), store_ordered(a, stream_id), store_ordered(a, time),
                     store_ordered(a, sequence));
}

struct str logs_event_prefix(struct arena *a, int64_t stream_id)
{
    return store_prefix(a, 2, S("logs-event"), store_ordered(a, stream_id));
}

struct str logs_event_time_key(struct arena *a, int64_t stream_id, int64_t time)
{
    return store_key(a, 3, S("logs-event"), store_ordered(a, stream_id), store_ordered(a, time));
}

int logs_event_key_parse(struct arena *a, struct str key, int64_t *ret_time, int64_t *ret_sequence)
{
    int r = store_ordered_parse(store_key_part(a, key, 2), ret_time);
    return r < 0 ? r : store_ordered_parse(store_key_part(a, key, 3), ret_sequence);
}

struct str logs_block_key(struct arena *a, int64_t stream_id, struct log_place last)
{
    return store_key(a, 4, S("logs-block"), store_ordered(a, stream_id),
                     store_ordered(a, last.time), store_ordered(a, last.sequence));
}

struct str logs_block_prefix(struct arena *a, int64_t stream_id)
{
    return store_prefix(a, 2, S("logs-block"), store_ordered(a, stream_id));
}

struct str logs_dead_key(struct arena *a, int64_t stream_id)
{
    return store_key(a, 2, S("logs-dead"), store_ordered(a, stream_id));
}

int logs_group_get(struct call *call, struct str name, struct logs_group_record *ret)
{
    int r = record_get(call, logs_group_key(call, name), &logs_group_record_shape, ret);
    if (r == -ENOENT)
        return call_fail(call, LOGS_RESOURCE_NOT_FOUND, "The specified log group does not exist.");
    return r;
}

int logs_stream_get(struct call *call, int64_t group_id, struct str name,
                    struct logs_stream_record *ret)
{
    int r = record_get(call, logs_stream_key(call->arena, group_id, name),
                       &logs_stream_record_shape, ret);
    if (r == -ENOENT)
        return call_fail(call, LOGS_RESOURCE_NOT_FOUND, "The specified log stream does not exist.");
    return r;
}

struct str logs_arn_group(struct str arn)
{
    struct str part, rest = arn;
    for (int i = 0; i < 5; i++)
        if (!str_cut(rest, ':', &part, &rest) || (i == 0 && !str_is(part, "arn")) ||
            (i == 2 && !str_is(part, "logs")))
            return (struct str){0};
    if (!str_starts(rest, S("log-group:")))
        return (struct str){0};
    rest = str_slice(rest, 10, rest.n);
    if (str_ends(rest, S(":*")))
        rest.n -= 2;
    return rest.n && str_find_byte(rest, ':') < 0 ? rest : (struct str){0};
}

struct str logs_group_arn(struct call *call, struct str name)
{
    return call_arn(call, "logs", "log-group:%.*s", STR(name));
}

int logs_group_identified(struct call *call, struct str name, struct str identifier,
                          struct logs_group_record *ret)
{
    if (name.n && identifier.n)
        return call_fail(
            call, LOGS_INVALID_PARAMETER,
            "LogGroup name and LogGroup identifier are mutually exclusive parameters.");
    if (!name.n && !identifier.n)
        return call_fail(call, LOGS_INVALID_PARAMETER,
                         "Either logGroupName or logGroupIdentifier must be given.");
    if (str_starts(identifier, S("arn:"))) {
        identifier = logs_arn_group(identifier);
        if (!identifier.n)
            return call_fail(call, LOGS_INVALID_PARAMETER,
                             "The specified logGroupIdentifier is not the ARN of a log group.");
    }
    return logs_group_get(call, name.n ? name : identifier, ret);
}

int64_t logs_oldest_ms(const struct logs_group_record *group, int64_t now_ms)
{
    return group->retention.has ? now_ms - group->retention.is * LOGS_DAY_MS : 0;
}

struct str logs_token(struct call *call, struct str text)
{
    return base64_encode(call->arena, text);
}

int logs_token_text(struct call *call, struct str token, struct str *ret)
{
    if (base64_decode(call->arena, token, ret) < 0)
        return call_fail(call, LOGS_INVALID_PARAMETER, "The specified nextToken is invalid.");
    return 0;
}
