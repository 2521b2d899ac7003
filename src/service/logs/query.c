/* query - see query.h. */
#include "service/logs/query.h"
#include <errno.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define SLICE_NS 2000000 /* of the loop's thread; the longest one is a block more */
#define CHUNK 128        /* events between two looks at the clock, at first */
#define CHUNK_MAX 65536
#define CHUNK_NS 300000          /* that they should take */
#define MEMORY ((size_t)1 << 30) /* of all queries together */
#define STREAMS 200
#define TIMEOUT_NS (INT64_C(3600) * 1000000000)
#define KEPT_MS (7 * LOGS_DAY_MS)

struct logs_queries {
    struct logs_state *state;
    struct list running, over; /* over: still to be freed, some at a time */
    size_t n, memory;
    uv_idle_t turn; /* once a turn of the loop; a timer of 0 ms begins again within the same turn */
    bool ticking;
};

struct str logs_query_key(struct arena *a, struct str account, struct str region, struct str id)
{
    return store_key(a, 4, S("logs-query"), account, region, id);
}

struct str logs_results_key(struct arena *a, struct str id)
{
    return store_key(a, 2, S("logs-results"), id);
}

void logs_query_free(struct logs_query *query)
{
    if (query->reading)
        log_cursor_done(&query->cursor);
    insights_run_free(query->run);
    arena_done(&query->page);
    arena_done(&query->arena);
    free(query);
}

struct logs_query_statistics *logs_query_statistics(const struct logs_query *query, struct arena *a)
{
    struct logs_query_statistics *s = ARENA_NEW(a, struct logs_query_statistics);
    s->records_matched = opt_double((double)insights_run_matched(query->run));
    s->records_scanned = opt_double((double)query->scanned);
    s->bytes_scanned = opt_double((double)query->bytes);
    s->estimated_records_skipped = s->estimated_bytes_skipped = opt_double(0);
    s->log_groups_scanned = opt_double((double)query->n_groups);
    return s;
}

/* ---- the end ---- */

static int put_json(struct store *store, struct str key, const struct shape *shape, const void *v)
{
    auto_buf struct buf b;
    buf_init(&b, (size_t)256 << 20);
    wire_json_write(&b, shape, v);
    return buf_failed(&b) ? -E2BIG : store_put(store, key, buf_view(&b));
}

static void fill_rows(struct arena *a, const struct insights_row *rows, size_t n,
                      struct logs_query_results *ret)
{
    ret->items = ARENA_ARRAY(a, struct logs_result_rows, n + 1);
    ret->n = n;
    for (size_t i = 0; i < n; i++) {
        struct logs_result_rows *row = &ret->items[i];
        row->items = ARENA_ARRAY(a, struct logs_result_field, rows[i].n + 1);
        row->n = rows[i].n;
        for (size_t k = 0; k < rows[i].n; k++)
            row->items[k] =
                (struct logs_result_field){rows[i].cells[k].field, rows[i].cells[k].value};
    }
}

int logs_query_end(struct logs_queries *q, struct logs_query *query, struct str status)
{
    struct store *store = q->state->store;
    struct arena *a = &query->arena;
    struct logs_get_query_results_output out = {.query_language = S("CWLI")};
    const struct insights_row *rows = NULL;
    size_t n = 0;
    if (str_is(status, "Complete")) {
        struct str why = insights_run_finish(query->run, &rows, &n);
        if (why.n) {
            log_debug("logs: query %.*s: %.*s", STR(query->record.id), STR(why));
            status = S("Failed");
        }
    }
    fill_rows(a, rows, n, &out.results);
    out.status = query->record.status = status;
    out.statistics = logs_query_statistics(query, a);
    query->record.duration = opt_int(clock_now_ms() - query->record.created.is);
    query->record.bytes = opt_int(query->bytes);
    int r = put_json(store, logs_results_key(a, query->record.id),
                     operation_output(&logs_get_query_results_op), &out);
    if (r == 0)
        r = put_json(store, logs_query_key(a, query->account, query->region, query->record.id),
                     &logs_query_record_shape, &query->record);
    list_remove(&query->link);
    q->n--;
    q->state->n_readers--;
    if (query->reading)
        log_cursor_done(&query->cursor);
    query->reading = false;
    list_append(&q->over, &query->link);
    return r;
}

/* What queries have kept counts as theirs until it is freed. */
static bool free_some(struct logs_queries *q, int64_t until_ns)
{
    while (!list_empty(&q->over)) {
        struct logs_query *query = LIST_ENTRY(q->over.next, struct logs_query, link);
        while (!insights_run_free_some(query->run))
            if (clock_thread_ns() > until_ns)
                return false;
        query->run = NULL;
        q->memory -= query->memory;
        list_remove(&query->link);
        logs_query_free(query);
    }
    return true;
}

/* ---- a slice ---- */

/* The next page of the group's streams, or the next group. False: there is none. */
static bool next_page(struct logs_queries *q, struct logs_query *query, int *ret_error)
{
    if (query->last_page) {
        query->group++;
        query->after = (struct str){0};
        query->last_page = false;
    }
    if (query->group == query->n_groups)
        return false;
    struct str prefix = store_prefix(&query->arena, 2, S("logs-stream"),
                                     store_ordered(&query->arena, query->groups[query->group].id));
    arena_reset(&query->page);
    *ret_error = store_scan(q->state->store, prefix, query->after, STREAMS, &query->page,
                            &query->streams, &query->n_streams);
    if (*ret_error < 0)
        return false;
    query->stream = 0;
    query->last_page = query->n_streams < STREAMS;
    if (query->n_streams)
        query->after = str_copy(&query->arena, query->streams[query->n_streams - 1].key);
    return true;
}

static int open_stream(struct logs_queries *q, struct logs_query *query)
{
    const struct logs_query_group *group = &query->groups[query->group];
    struct logs_stream_record stream = {0};
    int r = wire_json_read(&query->page, query->streams[query->stream++].value,
                           &logs_stream_record_shape, &stream, NULL);
    query->from = query->start > group->oldest_ms ? query->start : group->oldest_ms;
    if (r < 0 || !stream.last.has || stream.last.is < query->from || stream.first.is > query->end)
        return r;
    struct insights_event *source = ARENA_NEW(&query->arena, struct insights_event);
    source->group = group->name;
    source->stream = str_copy(&query->arena, stream.name);
    source->account = query->account;
    query->source = source;
    log_cursor_init(&query->cursor, q->state->store, stream.id.is,
                    (struct log_place){query->end, INT64_MAX}, true);
    query->reading = true;
    query->last_run = false;
    query->at = (struct log_run){0};
    return 0;
}

static int next_run(struct logs_query *query)
{
    struct log_run *run = &query->at;
    int r = query->last_run ? 0 : log_cursor_next(&query->cursor, run);
    if (r <= 0) {
        log_cursor_done(&query->cursor);
        query->reading = false;
        return r;
    }
    size_t from = log_block_find(&run->block, (struct log_place){query->from, INT64_MIN}, false);
    if (from > run->from) {
        query->last_run = true;
        run->from = from < run->to ? from : run->to;
    }
    return 0;
}

static void look(struct logs_query *query)
{
    struct log_run *run = &query->at;
    size_t from = run->from;
    int64_t begun = clock_thread_ns();
    if (run->to - from > query->chunk)
        from = run->to - query->chunk;
    insights_run_events(query->run, query->source, &run->block, from, run->to);
    query->scanned += (int64_t)(run->to - from);
    query->bytes +=
        (int64_t)(log_block_end(&run->block, run->to - 1) - log_block_begin(&run->block, from));
    run->to = from;
    int64_t took = clock_thread_ns() - begun;
    if (took < CHUNK_NS / 2 && query->chunk < CHUNK_MAX)
        query->chunk *= 2;
    else if (took > CHUNK_NS && query->chunk > 1)
        query->chunk /= 2;
}

/* 0: there is more to do; 1: done. until_ns: of this slice, by the thread's time. */
static int step(struct logs_queries *q, struct logs_query *query, int64_t until_ns)
{
    int r = 0;
    if (query->ending)
        return insights_run_end(query->run, until_ns);
    if (query->reading && query->at.from < query->at.to)
        look(query);
    else if (query->reading)
        r = next_run(query);
    else if (query->stream < query->n_streams)
        r = open_stream(q, query);
    else if (!next_page(q, query, &r))
        query->ending = r == 0;
    return r < 0 ? r : insights_run_failed(query->run);
}

static void tick(uv_idle_t *turn);

static void go_on(struct logs_queries *q)
{
    q->ticking = q->n > 0 || !list_empty(&q->over);
    if (q->ticking)
        uv_idle_start(&q->turn, tick);
    else
        uv_idle_stop(&q->turn);
}

static size_t count_memory(struct logs_queries *q, struct logs_query *query)
{
    q->memory -= query->memory;
    query->memory = insights_run_memory(query->run);
    return q->memory += query->memory;
}

static void tick(uv_idle_t *turn)
{
    struct logs_queries *q = turn->data;
    int64_t begun = clock_thread_ns(), now = clock_mono_ns();
    if (!free_some(q, begun + SLICE_NS) || !q->n) { /* or the last one was stopped */
        go_on(q);
        return;
    }
    struct logs_query *query = LIST_ENTRY(q->running.next, struct logs_query, link);
    int r = 0;
    query->begun = true;
    while (r == 0 && clock_thread_ns() - begun < SLICE_NS)
        r = step(q, query, begun + SLICE_NS);
    if (r == 0 && count_memory(q, query) > MEMORY)
        r = -ENOMEM;
    if (r != 0 || now - query->begun_ns > TIMEOUT_NS) {
        r = logs_query_end(q, query, r < 0 ? S("Failed") : r ? S("Complete") : S("Timeout"));
        if (r < 0)
            log_debug("logs: the result of a query is not kept: %s", strerror(-r));
    } else { /* the next slice is another one's */
        list_remove(&query->link);
        list_append(&q->running, &query->link);
    }
    go_on(q);
}

/* ---- those that run ---- */

struct logs_queries *logs_queries_new(struct logs_state *state, uv_loop_t *loop)
{
    struct logs_queries *q = MEM_NEW(struct logs_queries);
    q->state = state;
    list_init(&q->running);
    list_init(&q->over);
    q->turn.data = q;
    uv_idle_init(loop, &q->turn);
    return q;
}

static void free_queries(uv_handle_t *turn)
{
    free(turn->data);
}

void logs_queries_free(struct logs_queries *q)
{
    if (!q)
        return;
    LIST_EACH(&q->running, struct logs_query, link, query) {
        list_remove(&query->link);
        logs_query_free(query);
    }
    free_some(q, INT64_MAX);
    uv_close((uv_handle_t *)&q->turn, free_queries);
}

size_t logs_queries_n(const struct logs_queries *q)
{
    return q->n;
}

void logs_queries_add(struct logs_queries *q, struct logs_query *query)
{
    query->begun_ns = clock_mono_ns();
    query->chunk = CHUNK;
    list_append(&q->running, &query->link);
    q->n++;
    q->state->n_readers++;
    if (!q->ticking)
        go_on(q);
}

struct logs_query *logs_queries_find(struct logs_queries *q, struct str account, struct str region,
                                     struct str id)
{
    LIST_EACH(&q->running, struct logs_query, link, query)
        if (str_eq(query->record.id, id) && str_eq(query->account, account) &&
            str_eq(query->region, region))
            return query;
    return NULL;
}

void logs_queries_expire(struct store *store, int64_t now_ms)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str prefix = store_prefix(&a, 1, S("logs-query")), after = {0};
    for (;;) {
        struct store_row *rows;
        size_t n;
        if (store_scan(store, prefix, after, 100, &a, &rows, &n) < 0)
            return;
        for (size_t i = 0; i < n; i++) {
            struct logs_query_record record = {0};
            if (wire_json_read(&a, rows[i].value, &logs_query_record_shape, &record, NULL) == 0 &&
                record.created.is < now_ms - KEPT_MS &&
                (store_delete(store, rows[i].key) < 0 ||
                 store_delete(store, logs_results_key(&a, record.id)) < 0))
                return;
        }
        if (n < 100)
            return;
        after = rows[n - 1].key;
    }
}
