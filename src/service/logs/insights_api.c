/* insights_api - StartQuery and what is asked of queries that were started. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include "base/digest.h"
#include "service/logs/query.h"

#define PAGE 50
#define SECONDS_MAX INT64_C(100000000000) /* a time that is more is in ms already */

/* ---- which groups ---- */

static int add_group(struct call *call, struct logs_query *query,
                     const struct logs_group_record *group)
{
    struct str why = {0}, arn = call_arn(call, "logs", "log-group:%.*s:*", STR(group->name));
    if (call_allowed(call, call->who, S("logs:StartQuery"), arn, &why) < 0)
        return call_fail(call, LOGS_ACCESS_DENIED, "%.*s", STR(why));
    for (size_t i = 0; i < query->n_groups; i++)
        if (query->groups[i].id == group->id.is)
            return 0;
    struct logs_query_group *g = arena_push(&query->arena, (void **)&query->groups,
                                            &query->n_groups, &query->cap_groups, sizeof *g);
    *g = (struct logs_query_group){str_copy(&query->arena, group->name), group->id.is,
                                   logs_oldest_ms(group, call->now_ms)};
    return 0;
}

static int add_named(struct call *call, struct logs_query *query, struct str id)
{
    struct logs_group_record group = {0};
    struct str name = str_starts(id, S("arn:")) ? logs_arn_group(id) : id;
    if (!name.n)
        return call_fail(call, LOGS_INVALID_PARAMETER, "%.*s is not the ARN of a log group.",
                         STR(id));
    int r = record_get(call, logs_group_key(call, name), &logs_group_record_shape, &group);
    if (r == -ENOENT)
        return call_fail(call, LOGS_RESOURCE_NOT_FOUND,
                         "Log group '%.*s' does not exist for account ID '%.*s'", STR(name),
                         STR(call->account));
    return r < 0 ? r : add_group(call, query, &group);
}

static int add_all(struct call *call, struct logs_query *query, const struct str *names, size_t n)
{
    if (n > LOGS_QUERY_GROUPS)
        return call_fail(call, LOGS_INVALID_PARAMETER, "At most %d log groups can be queried.",
                         LOGS_QUERY_GROUPS);
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++)
        r = add_named(call, query, names[i]);
    return r;
}

static int add_prefix(struct call *call, struct logs_query *query, struct str name,
                      struct str class)
{
    struct str prefix = logs_group_key(call, name), after = {0};
    for (;;) {
        struct store_row *rows;
        size_t n;
        int r = store_scan(call->store, prefix, after, 100, call->arena, &rows, &n);
        for (size_t i = 0; r == 0 && i < n; i++) {
            struct logs_group_record group = {0};
            r = wire_json_read(call->arena, rows[i].value, &logs_group_record_shape, &group, NULL);
            struct str is = group.class.n ? group.class : S("STANDARD");
            if (r == 0 && (!class.n || str_eq(is, class)))
                r = add_group(call, query, &group);
        }
        if (r < 0 || n < 100)
            return r;
        after = rows[n - 1].key;
    }
}

static int find_groups(struct call *call, const struct logs_start_query_input *in,
                       struct logs_query *query)
{
    const struct insights_source *source = &query->plan->source;
    int given = (in->log_group_name.n > 0) + (in->log_group_names.n > 0) +
                (in->log_group_identifiers.n > 0) + source->given;
    if (given != 1)
        return call_fail(call, LOGS_INVALID_PARAMETER,
                         given ? "Exactly one of logGroupName, logGroupNames, logGroupIdentifiers "
                                 "and a SOURCE command may be given."
                               : "A log group must be given: logGroupName, logGroupNames, "
                                 "logGroupIdentifiers or a SOURCE command.");
    if (in->log_group_name.n)
        return add_named(call, query, in->log_group_name);
    if (in->log_group_names.n)
        return add_all(call, query, in->log_group_names.items, in->log_group_names.n);
    if (in->log_group_identifiers.n)
        return add_all(call, query, in->log_group_identifiers.items, in->log_group_identifiers.n);
    int r = add_all(call, query, source->names, source->n_names);
    for (size_t i = 0; i < source->n_prefixes && r == 0; i++)
        r = add_prefix(call, query, source->prefixes[i], source->class);
    if (r == 0 && !source->n_names && !source->n_prefixes)
        r = add_prefix(call, query, S(""), source->class);
    return r;
}

/* ---- start ---- */

static int malformed(struct call *call, const struct insights_error *err)
{
    struct logs_malformed_query_exception *detail =
        ARENA_NEW(call->arena, struct logs_malformed_query_exception);
    struct logs_query_compile_error *e = ARENA_NEW(call->arena, struct logs_query_compile_error);
    e->location = ARENA_NEW(call->arena, struct logs_query_compile_error_location);
    e->location->start_char_offset = opt_int((int64_t)err->begin);
    e->location->end_char_offset = opt_int((int64_t)err->end);
    e->message = err->message;
    detail->query_compile_error = e;
    int r = call_fail(call, LOGS_MALFORMED_QUERY, "%.*s", STR(err->message));
    call->error_detail = detail;
    return r;
}

/* Seconds, as AWS wants them; the whole last second belongs to the range. */
static void set_range(struct logs_query *query, int64_t start, int64_t end)
{
    query->start = start < SECONDS_MAX ? start * 1000 : start;
    query->end = end < SECONDS_MAX ? end * 1000 + 999 : end;
}

static int prepare(struct call *call, const struct logs_start_query_input *in,
                   struct logs_query *query)
{
    struct arena *a = &query->arena;
    struct insights_error err;
    struct str text = str_copy(a, in->query_string);
    if (in->query_language.n && !str_is(in->query_language, "CWLI"))
        return call_fail(call, LOGS_INVALID_PARAMETER,
                         "The query language %.*s is not supported by Lamina: CWLI is.",
                         STR(in->query_language));
    if (in->end_time.is < in->start_time.is)
        return call_fail(call, LOGS_INVALID_PARAMETER,
                         "The end time of a query must not be before its start time.");
    if (insights_parse(a, text, &query->plan, &err) < 0) {
        err.message = str_copy(call->arena, err.message);
        return malformed(call, &err);
    }
    int r = find_groups(call, in, query);
    if (r < 0)
        return r;
    const struct logs_state *state = call->state;
    if (logs_queries_n(state->queries) >= LOGS_QUERIES_MAX)
        return call_fail(call, LOGS_LIMIT_EXCEEDED,
                         "Account maximum query concurrency limit of [%d] reached.",
                         LOGS_QUERIES_MAX);
    int64_t limit =
        in->limit.has && in->limit.is < INSIGHTS_ROWS_MAX ? in->limit.is : INSIGHTS_ROWS_MAX;
    query->run = insights_run_new(query->plan, call->now_ms, limit);
    query->account = str_copy(a, call->account);
    query->region = str_copy(a, call->region);
    query->record = (struct logs_query_record){
        .id = random_uuid(a),
        .text = text,
        .status = S("Running"),
        .created = opt_int(call->now_ms),
        .group = query->n_groups ? query->groups[0].name : (struct str){0},
        .user = str_copy(a, call->who->arn),
    };
    set_range(query, in->start_time.is, in->end_time.is);
    return record_put(call,
                      logs_query_key(call->arena, call->account, call->region, query->record.id),
                      &logs_query_record_shape, &query->record);
}

static int start_query(struct call *call, const struct logs_start_query_input *in,
                       struct logs_start_query_output *out)
{
    struct logs_state *state = call->state;
    struct logs_query *query = calloc(1, sizeof *query);
    if (!query)
        abort();
    arena_init(&query->arena);
    arena_init(&query->page);
    int r = prepare(call, in, query);
    if (r < 0) {
        logs_query_free(query);
        return r;
    }
    out->query_id = str_copy(call->arena, query->record.id);
    logs_queries_add(state->queries, query);
    return 0;
}

/* ---- of one ---- */

static int find_record(struct call *call, struct str id, struct logs_query_record *ret)
{
    int r = record_get(call, logs_query_key(call->arena, call->account, call->region, id),
                       &logs_query_record_shape, ret);
    if (r == -ENOENT)
        return call_fail(call, LOGS_RESOURCE_NOT_FOUND, "Query with id %.*s does not exist.",
                         STR(id));
    return r;
}

/* A page of the rows, when one was asked for. */
static int cut_page(struct call *call, const struct logs_get_query_results_input *in,
                    struct logs_get_query_results_output *out)
{
    int64_t from = 0;
    struct str text;
    if (in->next_token.n) {
        int r = logs_token_text(call, in->next_token, &text);
        if (r < 0)
            return r;
        if (str_to_int64(text, &from) < 0 || from < 0 || (size_t)from > out->results.n)
            return call_fail(call, LOGS_INVALID_PARAMETER, "The specified nextToken is invalid.");
    }
    out->results.items += from;
    out->results.n -= (size_t)from;
    if (!in->max_items.is || out->results.n <= (size_t)in->max_items.is)
        return 0;
    out->results.n = (size_t)in->max_items.is;
    out->next_token =
        logs_token(call, str_printf(call->arena, "%" PRId64, from + in->max_items.is));
    return 0;
}

static int get_query_results(struct call *call, const struct logs_get_query_results_input *in,
                             struct logs_get_query_results_output *out)
{
    struct logs_state *state = call->state;
    struct arena *a = call->arena;
    struct logs_query *query =
        logs_queries_find(state->queries, call->account, call->region, in->query_id);
    out->query_language = S("CWLI");
    out->results.items = ARENA_NEW(a, struct logs_result_rows); /* [], not absent */
    if (query) {
        out->status = query->begun ? S("Running") : S("Scheduled");
        out->statistics = logs_query_statistics(query, a);
        return 0;
    }
    struct logs_query_record record = {0};
    int r = find_record(call, in->query_id, &record);
    if (r < 0)
        return r;
    if (str_is(record.status, "Running")) { /* the cloud ended before it did */
        out->status = S("Failed");
        out->statistics = ARENA_NEW(a, struct logs_query_statistics);
        return 0;
    }
    struct str text;
    r = store_get(call->store, logs_results_key(a, in->query_id), a, &text);
    if (r == 0)
        r = wire_json_read(a, text, operation_output(call->op), out, NULL);
    return r < 0 ? r : cut_page(call, in, out);
}

static int stop_query(struct call *call, const struct logs_stop_query_input *in,
                      struct logs_stop_query_output *out)
{
    struct logs_state *state = call->state;
    struct logs_query *query =
        logs_queries_find(state->queries, call->account, call->region, in->query_id);
    if (query) {
        out->success = opt_bool(true);
        return logs_query_end(state->queries, query, S("Cancelled"));
    }
    struct logs_query_record record = {0};
    int r = find_record(call, in->query_id, &record);
    return r < 0 ? r
                 : call_fail(call, LOGS_INVALID_PARAMETER, "The query %.*s is not running.",
                             STR(in->query_id));
}

/* ---- of all ---- */

struct record_list {
    struct logs_query_record *items;
    size_t n, cap;
};

static int newest_first(const void *x, const void *y)
{
    const struct logs_query_record *a = x, *b = y;
    if (a->created.is != b->created.is)
        return a->created.is > b->created.is ? -1 : 1;
    return str_cmp(a->id, b->id);
}

static void settle_status(struct call *call, struct logs_query_record *record)
{
    struct logs_state *state = call->state;
    if (!str_is(record->status, "Running"))
        return;
    const struct logs_query *query =
        logs_queries_find(state->queries, call->account, call->region, record->id);
    record->status = !query ? S("Failed") : query->begun ? S("Running") : S("Scheduled");
}

static int load_records(struct call *call, const struct logs_describe_queries_input *in,
                        struct record_list *list)
{
    struct arena *a = call->arena;
    struct str prefix = store_prefix(a, 3, S("logs-query"), call->account, call->region);
    struct str after = {0};
    for (;;) {
        struct store_row *rows;
        size_t n;
        int r = store_scan(call->store, prefix, after, 500, a, &rows, &n);
        for (size_t i = 0; r == 0 && i < n; i++) {
            struct logs_query_record record = {0};
            r = wire_json_read(a, rows[i].value, &logs_query_record_shape, &record, NULL);
            settle_status(call, &record);
            if (r == 0 && (!in->log_group_name.n || str_eq(in->log_group_name, record.group)) &&
                (!in->status.n || str_eq(in->status, record.status)))
                *(struct logs_query_record *)arena_push(a, (void **)&list->items, &list->n,
                                                        &list->cap, sizeof record) = record;
        }
        if (r < 0 || n < 500)
            return r;
        after = rows[n - 1].key;
    }
}

static int describe_queries(struct call *call, const struct logs_describe_queries_input *in,
                            struct logs_describe_queries_output *out)
{
    struct record_list list = {0};
    int64_t from = 0;
    struct str text;
    int r = in->next_token.n ? logs_token_text(call, in->next_token, &text) : 0;
    if (r == 0 && in->next_token.n && (str_to_int64(text, &from) < 0 || from < 0))
        r = call_fail(call, LOGS_INVALID_PARAMETER, "The specified nextToken is invalid.");
    if (r == 0)
        r = load_records(call, in, &list);
    if (r < 0)
        return r;
    if (list.n)
        qsort(list.items, list.n, sizeof *list.items, newest_first);
    if (in->query_language.n && !str_is(in->query_language, "CWLI"))
        list.n = 0;
    size_t max = in->max_results.has ? (size_t)in->max_results.is : PAGE;
    out->queries.items = ARENA_ARRAY(call->arena, struct logs_query_info, max + 1);
    size_t i = (size_t)from;
    for (; i < list.n && out->queries.n < max; i++) {
        const struct logs_query_record *q = &list.items[i];
        out->queries.items[out->queries.n++] = (struct logs_query_info){
            .query_language = S("CWLI"),
            .query_id = q->id,
            .query_string = q->text,
            .status = q->status,
            .create_time = q->created,
            .log_group_name = q->group,
            .query_duration = q->duration,
            .bytes_scanned = opt_double((double)q->bytes.is),
            .user_identity = q->user,
        };
    }
    if (i < list.n)
        out->next_token = logs_token(call, str_printf(call->arena, "%zu", i));
    return 0;
}

const struct handler logs_insights_handlers[] = {
    {logs_start_query_run(start_query), NULL, "log-group:{logGroupName}:log-stream:"},
    {logs_get_query_results_run(get_query_results), NULL, "*"},
    {logs_stop_query_run(stop_query), NULL, "*"},
    {logs_describe_queries_run(describe_queries), NULL, "*"},
    {0},
};
