/* stream - log streams. */
#include <errno.h>
#include <inttypes.h>
#include "service/logs/record.h"

#define PAGE_MAX 50

static bool name_valid(struct str name)
{
    return name.n && name.n <= 512 && str_find_byte(name, ':') < 0 && str_find_byte(name, '*') < 0;
}

static int create_log_stream(struct call *call, const struct logs_create_log_stream_input *in,
                             void *out)
{
    if (!name_valid(in->log_stream_name))
        return call_fail(call, LOGS_INVALID_PARAMETER,
                         "1 validation error detected: Value '%.*s' at 'logStreamName' failed to "
                         "satisfy constraint: Member must satisfy regular expression pattern: "
                         "[^:*]*",
                         STR(in->log_stream_name));
    struct logs_group_record group = {0};
    int r = logs_group_get(call, in->log_group_name, &group);
    if (r < 0)
        return r;
    struct str key = logs_stream_key(call->arena, group.id.is, in->log_stream_name);
    if (store_has(call->store, key))
        return call_fail(call, LOGS_RESOURCE_ALREADY_EXISTS,
                         "The specified log stream already exists");
    struct logs_stream_record stream = {
        .id = opt_int(logs_sequence(call->state, call->now_ms)),
        .name = in->log_stream_name,
        .created = opt_int(call->now_ms),
    };
    return record_put(call, key, &logs_stream_record_shape, &stream);
}

static int delete_log_stream(struct call *call, const struct logs_delete_log_stream_input *in,
                             void *out)
{
    struct logs_group_record group = {0};
    struct logs_stream_record stream = {0};
    int r = logs_group_get(call, in->log_group_name, &group);
    if (r == 0)
        r = logs_stream_get(call, group.id.is, in->log_stream_name, &stream);
    if (r == 0)
        r = store_put(call->store, logs_dead_key(call->arena, stream.id.is), S(""));
    if (r < 0)
        return r;
    return record_delete(call, logs_stream_key(call->arena, group.id.is, stream.name));
}

/* ---- describe ---- */

static int64_t last_ms(const struct logs_stream_record *s)
{
    return s->last.has ? s->last.is : 0; /* without events: before all others */
}

static int by_name(const void *x, const void *y)
{
    return str_cmp(((const struct logs_stream_record *)x)->name,
                   ((const struct logs_stream_record *)y)->name);
}

static int by_last_event(const void *x, const void *y)
{
    int64_t a = last_ms(x), b = last_ms(y);
    return a < b ? -1 : a > b ? 1 : by_name(x, y);
}

struct stream_list {
    struct logs_stream_record *items;
    size_t n, cap;
};

static int load_streams(struct call *call, int64_t group_id, struct str name_prefix,
                        struct stream_list *list)
{
    struct str prefix = logs_stream_key(call->arena, group_id, name_prefix), after = {0};
    for (;;) {
        struct store_row *rows;
        size_t n;
        int r = store_scan(call->store, prefix, after, 500, call->arena, &rows, &n);
        for (size_t i = 0; r == 0 && i < n; i++) {
            struct logs_stream_record *s =
                arena_push(call->arena, (void **)&list->items, &list->n, &list->cap, sizeof *s);
            *s = (struct logs_stream_record){0};
            r = wire_json_read(call->arena, rows[i].value, &logs_stream_record_shape, s, NULL);
        }
        if (r < 0 || n < 500)
            return r;
        after = rows[n - 1].key;
    }
}

static void describe_stream(struct call *call, const struct logs_group_record *group,
                            const struct logs_stream_record *s, struct logs_log_stream *ret)
{
    struct str arn = logs_group_arn(call, group->name);
    *ret = (struct logs_log_stream){
        .log_stream_name = s->name,
        .creation_time = s->created,
        .first_event_timestamp = s->first,
        .last_event_timestamp = s->last,
        .last_ingestion_time = s->ingested,
        .upload_sequence_token = str_printf(call->arena, "%056" PRId64, s->id.is),
        .arn = str_printf(call->arena, "%.*s:log-stream:%.*s", STR(arn), STR(s->name)),
        .stored_bytes = opt_int(0), /* AWS answers 0 since 2019 */
    };
}

/* The token holds what the last stream shown was sorted by: time/name. */
static int read_token(struct call *call, struct str token, struct logs_stream_record *ret)
{
    struct str text, time, name;
    int r = logs_token_text(call, token, &text);
    if (r < 0)
        return r;
    int64_t ms;
    if (!str_cut(text, '/', &time, &name) || str_to_int64(time, &ms) < 0)
        return call_fail(call, LOGS_INVALID_PARAMETER, "The specified nextToken is invalid.");
    *ret = (struct logs_stream_record){.name = name, .last = opt_int(ms)};
    return 0;
}

static int describe_log_streams(struct call *call, const struct logs_describe_log_streams_input *in,
                                struct logs_describe_log_streams_output *out)
{
    bool by_time = str_is(in->order_by, "LastEventTime"), down = in->descending.is;
    if (by_time && in->log_stream_name_prefix.n)
        return call_fail(call, LOGS_INVALID_PARAMETER,
                         "Cannot order by LastEventTime with a logStreamNamePrefix.");
    struct logs_group_record group = {0};
    int r = logs_group_identified(call, in->log_group_name, in->log_group_identifier, &group);
    struct logs_stream_record last = {0};
    if (r == 0 && in->next_token.n)
        r = read_token(call, in->next_token, &last);
    struct stream_list list = {0};
    if (r == 0)
        r = load_streams(call, group.id.is, in->log_stream_name_prefix, &list);
    if (r < 0)
        return r;

    int (*order)(const void *, const void *) = by_time ? by_last_event : by_name;
    if (by_time)
        qsort(list.items, list.n, sizeof *list.items, order);
    size_t limit = in->limit.has ? (size_t)in->limit.is : PAGE_MAX;
    out->log_streams.items = ARENA_ARRAY(call->arena, struct logs_log_stream, limit);
    for (size_t i = 0; i < list.n; i++) {
        const struct logs_stream_record *s = &list.items[down ? list.n - 1 - i : i];
        int cmp = in->next_token.n ? order(s, &last) : 1;
        if (in->next_token.n && (down ? cmp >= 0 : cmp <= 0))
            continue;
        if (out->log_streams.n == limit) {
            const struct logs_stream_record *shown = &list.items[down ? list.n - i : i - 1];
            out->next_token = logs_token(call, str_printf(call->arena, "%" PRId64 "/%.*s",
                                                          last_ms(shown), STR(shown->name)));
            break;
        }
        describe_stream(call, &group, s, &out->log_streams.items[out->log_streams.n++]);
    }
    return 0;
}

const struct handler logs_stream_handlers[] = {
    {logs_create_log_stream_run(create_log_stream), NULL,
     "log-group:{logGroupName}:log-stream:{logStreamName}"},
    {logs_delete_log_stream_run(delete_log_stream), NULL,
     "log-group:{logGroupName}:log-stream:{logStreamName}"},
    {logs_describe_log_streams_run(describe_log_streams), NULL,
     "log-group:{logGroupName}:log-stream:"},
    {0},
};
