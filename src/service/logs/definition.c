/* definition - queries that are saved under a name, and single records of what a query has found.
 *
 *     logs-definition / account / region / id    logs_query_definition */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include "base/digest.h"
#include "service/logs/cursor.h"
#include "service/logs/insights_value.h"
#include "service/logs/record.h"

#define DEFINITIONS_MAX 1000
#define PAGE 1000
#define JSON_FIELDS 200 /* of one event; AWS's quota of a JSON event */
#define GROUP_FIELDS 1000
#define SAMPLE 1000 /* events that GetLogGroupFields looks at */
#define SAMPLE_MS (15 * 60000)

static struct str definition_key(struct call *call, struct str id)
{
    return store_key(call->arena, 4, S("logs-definition"), call->account, call->region, id);
}

static int put_query_definition(struct call *call, const struct logs_put_query_definition_input *in,
                                struct logs_put_query_definition_output *out)
{
    struct logs_query_definition d = {0};
    if (in->query_language.n && !str_is(in->query_language, "CWLI"))
        return call_fail(call, LOGS_INVALID_PARAMETER,
                         "The query language %.*s is not supported by Lamina: CWLI is.",
                         STR(in->query_language));
    if (in->parameters.n)
        return call_fail(call, LOGS_INVALID_PARAMETER,
                         "parameters of query definitions are not supported by Lamina.");
    if (in->query_definition_id.n) {
        int r = record_get(call, definition_key(call, in->query_definition_id),
                           &logs_query_definition_shape, &d);
        if (r == -ENOENT)
            return call_fail(call, LOGS_RESOURCE_NOT_FOUND,
                             "The specified query definition does not exist.");
        if (r < 0)
            return r;
    } else {
        int64_t n;
        int r = store_count(
            call->store,
            store_prefix(call->arena, 3, S("logs-definition"), call->account, call->region), &n);
        if (r < 0)
            return r;
        if (n >= DEFINITIONS_MAX)
            return call_fail(call, LOGS_LIMIT_EXCEEDED, "Resource limit exceeded.");
        d.query_definition_id = random_uuid(call->arena);
    }
    d.query_language = S("CWLI");
    d.name = in->name;
    d.query_string = in->query_string;
    d.log_group_names = in->log_group_names;
    d.last_modified = opt_int(call->now_ms);
    out->query_definition_id = d.query_definition_id;
    return record_put(call, definition_key(call, d.query_definition_id),
                      &logs_query_definition_shape, &d);
}

static int by_name(const void *x, const void *y)
{
    const struct logs_query_definition *a = x, *b = y;
    int cmp = str_cmp(a->name, b->name);
    return cmp ? cmp : str_cmp(a->query_definition_id, b->query_definition_id);
}

static int describe_query_definitions(struct call *call,
                                      const struct logs_describe_query_definitions_input *in,
                                      struct logs_describe_query_definitions_output *out)
{
    struct arena *a = call->arena;
    struct store_row *rows;
    size_t n, cap = 0;
    int64_t from = 0;
    struct str text;
    int r = in->next_token.n ? logs_token_text(call, in->next_token, &text) : 0;
    if (r == 0 && in->next_token.n && (str_to_int64(text, &from) < 0 || from < 0))
        r = call_fail(call, LOGS_INVALID_PARAMETER, "The specified nextToken is invalid.");
    if (r == 0)
        r = store_scan(call->store,
                       store_prefix(a, 3, S("logs-definition"), call->account, call->region),
                       (struct str){0}, DEFINITIONS_MAX, a, &rows, &n);
    out->query_definitions.items = ARENA_NEW(a, struct logs_query_definition);
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct logs_query_definition d = {0};
        r = wire_json_read(a, rows[i].value, &logs_query_definition_shape, &d, NULL);
        bool other = in->query_language.n && !str_eq(in->query_language, d.query_language);
        if (r == 0 && !other && str_starts(d.name, in->query_definition_name_prefix))
            *(struct logs_query_definition *)arena_push(a, (void **)&out->query_definitions.items,
                                                        &out->query_definitions.n, &cap, sizeof d) =
                d;
    }
    if (r < 0)
        return r;
    struct logs_query_definition_list *list = &out->query_definitions;
    if (list->n)
        qsort(list->items, list->n, sizeof *list->items, by_name);
    size_t max = in->max_results.has ? (size_t)in->max_results.is : PAGE;
    size_t at = (size_t)from < list->n ? (size_t)from : list->n;
    list->items += at;
    list->n -= at;
    if (list->n > max) {
        list->n = max;
        out->next_token = logs_token(call, str_printf(a, "%zu", at + max));
    }
    return 0;
}

static int delete_query_definition(struct call *call,
                                   const struct logs_delete_query_definition_input *in,
                                   struct logs_delete_query_definition_output *out)
{
    struct str key = definition_key(call, in->query_definition_id);
    if (!store_has(call->store, key))
        return call_fail(call, LOGS_RESOURCE_NOT_FOUND,
                         "The specified query definition does not exist.");
    out->success = opt_bool(true);
    return record_delete(call, key);
}

/* ---- one record ---- */

struct field_list {
    struct logs_log_record_entry *items;
    size_t n, cap;
    size_t n_json;
};

static void add_field(struct arena *a, struct field_list *list, struct str name, struct str value)
{
    struct logs_log_record_entry *e =
        arena_push(a, (void **)&list->items, &list->n, &list->cap, sizeof *e);
    e->key = name;
    e->value = value;
}

static void add_json(struct arena *a, struct field_list *list, struct str name,
                     const struct json *v)
{
    if (v->type == JSON_OBJECT || v->type == JSON_ARRAY) {
        size_t i = 0;
        JSON_EACH(v, item) {
            struct str key = v->type == JSON_OBJECT ? item->key : str_printf(a, "%zu", i);
            if (name.n)
                key = str_printf(a, "%.*s.%.*s", STR(name), STR(key));
            add_json(a, list, key, item);
            i++;
        }
        return;
    }
    struct insights_value value = insights_of_json(v);
    if (value.type != INSIGHTS_ABSENT && list->n_json++ < JSON_FIELDS)
        add_field(a, list, name, insights_to_text(a, &value));
}

static void add_event(struct arena *a, struct field_list *list, struct insights_event *e)
{
    for (int id = FIELD_TIMESTAMP; id < INSIGHTS_FIELDS_KNOWN; id++) {
        if (id == FIELD_PTR)
            continue;
        struct str name = str_from(insights_field_name((enum insights_field_id)id));
        struct insights_value v = insights_discover(e, (enum insights_field_id)id, name, a);
        if (v.type == INSIGHTS_TIME) /* here they are numbers */
            v.type = INSIGHTS_NUMBER;
        if (v.type != INSIGHTS_ABSENT)
            add_field(a, list, name, insights_to_text(a, &v));
    }
    const struct json *v = insights_message_json(e, a);
    if (v)
        add_json(a, list, (struct str){0}, v);
}

static int read_pointer(struct call *call, struct str pointer, struct insights_event *ret)
{
    struct str text, part[4], rest;
    if (base64_decode(call->arena, pointer, &text) == 0 && str_cut(text, ':', &part[0], &rest) &&
        str_is(part[0], "1") && str_cut(rest, ':', &ret->group, &rest) &&
        str_cut(rest, ':', &ret->stream, &rest) && str_cut(rest, ':', &part[1], &part[2]) &&
        str_to_int64(part[1], &ret->place.time) == 0 &&
        str_to_int64(part[2], &ret->place.sequence) == 0 && ret->place.sequence > 0)
        return 0;
    return call_fail(call, LOGS_INVALID_PARAMETER, "The specified logRecordPointer is invalid.");
}

static int get_log_record(struct call *call, const struct logs_get_log_record_input *in,
                          struct logs_get_log_record_output *out)
{
    struct insights_event e = {.account = call->account};
    struct logs_group_record group = {0};
    struct logs_stream_record stream = {0};
    if (in->unmask.is)
        return call_fail(call, LOGS_INVALID_PARAMETER,
                         "unmask is not supported by Lamina: it masks nothing.");
    int r = read_pointer(call, in->log_record_pointer, &e);
    if (r == 0)
        r = logs_group_get(call, e.group, &group);
    if (r == 0)
        r = logs_stream_get(call, group.id.is, e.stream, &stream);
    if (r < 0)
        return r;
    struct log_cursor cursor;
    struct log_run run;
    struct log_place before = {e.place.time, e.place.sequence - 1};
    log_cursor_init(&cursor, call->store, stream.id.is, before, false);
    r = log_cursor_next(&cursor, &run);
    bool found = r > 0 && log_place_cmp(log_block_place(&run.block, run.from), e.place) == 0;
    if (found)
        e.message = str_copy(call->arena, log_block_message(&run.block, run.from));
    log_cursor_done(&cursor);
    if (r < 0)
        return r;
    if (!found || e.place.time < logs_oldest_ms(&group, call->now_ms))
        return call_fail(call, LOGS_RESOURCE_NOT_FOUND, "The specified log record does not exist.");
    struct field_list list = {0};
    add_event(call->arena, &list, &e);
    out->log_record.items = list.items;
    out->log_record.n = list.n;
    return 0;
}

/* ---- the fields of a group ---- */

struct tally {
    struct str name;
    int64_t n;
};

struct tallies {
    struct tally *items;
    size_t n, cap;
    int64_t events;
};

static void count_fields(struct call *call, struct tallies *t, struct insights_event *e)
{
    struct field_list list = {0};
    add_event(call->arena, &list, e);
    t->events++;
    for (size_t i = 0; i < list.n; i++) {
        size_t k = 0;
        while (k < t->n && !str_eq(t->items[k].name, list.items[i].key))
            k++;
        if (k == t->n && t->n < GROUP_FIELDS)
            *(struct tally *)arena_push(call->arena, (void **)&t->items, &t->n, &t->cap,
                                        sizeof(struct tally)) =
                (struct tally){.name = list.items[i].key};
        if (k < t->n)
            t->items[k].n++;
    }
}

/* The newest events of a stream in the range. */
static int count_stream(struct call *call, struct tallies *t, struct insights_event *e,
                        int64_t stream_id, int64_t start, int64_t end)
{
    struct log_cursor cursor;
    struct log_run run;
    log_cursor_init(&cursor, call->store, stream_id, (struct log_place){end, INT64_MAX}, true);
    int r = 0;
    bool inside = true;
    while (inside && t->events < SAMPLE && (r = log_cursor_next(&cursor, &run)) > 0)
        for (size_t i = run.to; i-- > run.from && inside && t->events < SAMPLE;) {
            e->place = log_block_place(&run.block, i);
            inside = e->place.time >= start;
            e->message = str_copy(call->arena, log_block_message(&run.block, i));
            e->parsed = false;
            if (inside)
                count_fields(call, t, e);
        }
    log_cursor_done(&cursor);
    return inside && t->events < SAMPLE && r < 0 ? r : 0;
}

static int get_log_group_fields(struct call *call, const struct logs_get_log_group_fields_input *in,
                                struct logs_get_log_group_fields_output *out)
{
    struct logs_group_record group = {0};
    int r = logs_group_identified(call, in->log_group_name, in->log_group_identifier, &group);
    if (r < 0)
        return r;
    /* The 15 minutes before now, or around the time. */
    int64_t end = in->time.has ? in->time.is * 1000 + SAMPLE_MS : call->now_ms;
    int64_t start = in->time.has ? in->time.is * 1000 - SAMPLE_MS : call->now_ms - SAMPLE_MS;
    struct str prefix = logs_stream_key(call->arena, group.id.is, S("")), after = {0};
    struct insights_event e = {.group = group.name, .account = call->account};
    struct tallies t = {0};
    for (size_t n = 100; n == 100 && t.events < SAMPLE;) {
        struct store_row *rows;
        r = store_scan(call->store, prefix, after, 100, call->arena, &rows, &n);
        for (size_t i = 0; r == 0 && i < n && t.events < SAMPLE; i++) {
            struct logs_stream_record s = {0};
            r = wire_json_read(call->arena, rows[i].value, &logs_stream_record_shape, &s, NULL);
            e.stream = s.name;
            if (r == 0 && s.last.has && s.last.is >= start)
                r = count_stream(call, &t, &e, s.id.is, start, end);
        }
        if (r < 0)
            return r;
        after = n ? rows[n - 1].key : after;
    }
    out->log_group_fields.items = ARENA_ARRAY(call->arena, struct logs_log_group_field, t.n + 1);
    for (size_t i = 0; i < t.n; i++)
        out->log_group_fields.items[out->log_group_fields.n++] = (struct logs_log_group_field){
            .name = t.items[i].name, .percent = opt_int((t.items[i].n * 100) / t.events)};
    return 0;
}

const struct handler logs_definition_handlers[] = {
    {logs_put_query_definition_run(put_query_definition), NULL, "*"},
    {logs_describe_query_definitions_run(describe_query_definitions), NULL, "*"},
    {logs_delete_query_definition_run(delete_query_definition), NULL, "*"},
    {logs_get_log_record_run(get_log_record), NULL, "*"},
    {logs_get_log_group_fields_run(get_log_group_fields), NULL,
     "log-group:{logGroupName}:log-stream:"},
    {0},
};
