/* filter - FilterLogEvents: the events of many streams in the order of their time, filtered.
 *
 * A heap of streams, ordered by their next event. A stream is not read before its turn comes: until
 * then it stands at the time of its first event, which its record tells. */
#include <errno.h>
#include <inttypes.h>
#include "service/logs/pattern.h"
#include "service/logs/record.h"

#define EVENTS_MAX 10000
#define BYTES_MAX 1048576
#define EVENT_OVERHEAD 26
#define LOOKED_AT_MAX 20000 /* in one call; more is for the next token */
#define BATCH 32
#define STREAMS_MAX 100 /* that may be named */

struct source {
    int64_t stream_id;
    struct str stream_name;
    int64_t time, sequence; /* of the next event; before reading: not after it */
    bool read;
    struct arena arena; /* of the rows */
    struct store_row *rows;
    size_t i, n;
};

struct search {
    struct call *call;
    const struct logs_filter_log_events_input *in;
    struct logs_pattern *pattern;
    int64_t start, end;                 /* [start, end] */
    int64_t after_time, after_sequence; /* of the last event looked at */
    bool resumed;
    struct source **heap;
    size_t n_heap, cap_heap;
    size_t bytes, looked_at, cap_events;
    struct arena scratch;
};

/* ---- the heap ---- */

static bool source_before(const struct source *x, const struct source *y)
{
    return x->time != y->time ? x->time < y->time : x->sequence < y->sequence;
}

static void heap_sink(struct search *s, size_t i)
{
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < s->n_heap; child++)
            if (source_before(s->heap[child], s->heap[least]))
                least = child;
        if (least == i)
            return;
        struct source *x = s->heap[i];
        s->heap[i] = s->heap[least];
        s->heap[least] = x;
        i = least;
    }
}

static void heap_drop_top(struct search *s)
{
    arena_done(&s->heap[0]->arena);
    s->heap[0] = s->heap[--s->n_heap];
    heap_sink(s, 0);
}

/* ---- sources ---- */

static int add_source(struct search *s, const struct logs_stream_record *stream)
{
    int64_t from = s->resumed && s->after_time > s->start ? s->after_time : s->start;
    if (!stream->last.has || stream->last.is < from || stream->first.is > s->end)
        return 0;
    struct source *source = ARENA_NEW(s->call->arena, struct source);
    arena_init(&source->arena);
    source->stream_id = stream->id.is;
    source->stream_name = stream->name;
    source->time = stream->first.is > from ? stream->first.is : from;
    *(struct source **)arena_push(s->call->arena, (void **)&s->heap, &s->n_heap, &s->cap_heap,
                                  sizeof source) = source;
    return 0;
}

static int add_named(struct search *s, int64_t group_id)
{
    const struct logs_input_log_stream_names *names = &s->in->log_stream_names;
    for (size_t i = 0; i < names->n; i++) {
        struct logs_stream_record stream = {0};
        bool again = false;
        for (size_t j = 0; j < i; j++)
            again |= str_eq(names->items[i], names->items[j]);
        int r = again ? 0 : logs_stream_get(s->call, group_id, names->items[i], &stream);
        if (r == 0 && !again)
            r = add_source(s, &stream);
        if (r < 0)
            return r;
    }
    return 0;
}

static int add_prefixed(struct search *s, int64_t group_id)
{
    struct arena *a = s->call->arena;
    struct str prefix = logs_stream_key(a, group_id, s->in->log_stream_name_prefix), after = {0};
    for (;;) {
        struct store_row *rows;
        size_t n;
        int r = store_scan(s->call->store, prefix, after, 500, a, &rows, &n);
        for (size_t i = 0; r == 0 && i < n; i++) {
            struct logs_stream_record stream = {0};
            r = wire_json_read(a, rows[i].value, &logs_stream_record_shape, &stream, NULL);
            if (r == 0)
                r = add_source(s, &stream);
        }
        if (r < 0 || n < 500)
            return r;
        after = rows[n - 1].key;
    }
}

/* Reads on in the stream at the top. Its rows are used up or were never read. */
static int source_read(struct search *s, struct source *source)
{
    struct arena *a = s->call->arena;
    struct str after;
    if (source->read)
        after = logs_event_key(a, source->stream_id, source->time, source->sequence);
    else if (s->resumed && s->after_time >= s->start)
        after = logs_event_key(a, source->stream_id, s->after_time, s->after_sequence);
    else
        after = logs_event_time_key(a, source->stream_id, s->start);
    source->read = true;
    source->i = 0;
    arena_reset(&source->arena);
    return store_scan(s->call->store, logs_event_prefix(a, source->stream_id), after, BATCH,
                      &source->arena, &source->rows, &source->n);
}

/* Makes the top of the heap an event that is there; without one the heap is empty. */
static int next_event(struct search *s, struct store_row **ret)
{
    *ret = NULL;
    while (s->n_heap) {
        struct source *source = s->heap[0];
        bool at_event = source->i < source->n;
        if (at_event) {
            *ret = &source->rows[source->i];
            return 0;
        }
        bool last = source->read && source->n < BATCH;
        int r = last ? 0 : source_read(s, source);
        if (r < 0)
            return r;
        if (last || !source->n) {
            heap_drop_top(s);
            continue;
        }
        r = logs_event_key_parse(&source->arena, source->rows[0].key, &source->time,
                                 &source->sequence);
        if (r < 0)
            return r;
        if (source->time > s->end)
            heap_drop_top(s);
        else
            heap_sink(s, 0);
    }
    return 0;
}

/* Steps over the event at the top. */
static int step(struct search *s)
{
    struct source *source = s->heap[0];
    s->after_time = source->time;
    s->after_sequence = source->sequence;
    if (++source->i == source->n)
        return 0; /* next_event() reads on */
    int r = logs_event_key_parse(&source->arena, source->rows[source->i].key, &source->time,
                                 &source->sequence);
    if (r < 0)
        return r;
    if (source->time > s->end)
        heap_drop_top(s);
    else
        heap_sink(s, 0);
    return 0;
}

/* ---- the search ---- */

static void add_event(struct search *s, const struct source *source, const struct store_row *row,
                      struct logs_filter_log_events_output *out)
{
    struct arena *a = s->call->arena;
    struct logs_filtered_log_event *e =
        arena_push(a, (void **)&out->events.items, &out->events.n, &s->cap_events, sizeof *e);
    *e = (struct logs_filtered_log_event){
        .log_stream_name = source->stream_name,
        .timestamp = opt_int(source->time),
        .message = str_copy(a, row->value),
        .ingestion_time = opt_int(logs_sequence_ms(source->sequence)),
        .event_id = str_printf(a, "%018" PRId64 "%038" PRId64, source->time, source->sequence),
    };
    s->bytes += row->value.n + EVENT_OVERHEAD;
}

/* Answers true in *ret_more when it stopped before the end. */
static int run(struct search *s, struct logs_filter_log_events_output *out, bool *ret_more)
{
    size_t limit = s->in->limit.has ? (size_t)s->in->limit.is : EVENTS_MAX;
    for (;;) {
        struct store_row *row;
        int r = next_event(s, &row);
        *ret_more = r == 0 && row;
        if (r < 0 || !row || s->looked_at == LOOKED_AT_MAX)
            return r;
        s->looked_at++;
        if (logs_pattern_match(s->pattern, row->value, &s->scratch)) {
            if (out->events.n == limit || (out->events.n && s->bytes + row->value.n > BYTES_MAX))
                return 0;
            add_event(s, s->heap[0], row, out);
        }
        if (s->scratch.used > 1 << 20)
            arena_reset(&s->scratch);
        r = step(s);
        if (r < 0)
            return r;
    }
}

static int read_token(struct search *s)
{
    struct str text, time, sequence;
    int r = logs_token_text(s->call, s->in->next_token, &text);
    if (r < 0)
        return r;
    if (!str_cut(text, '/', &time, &sequence) || str_to_int64(time, &s->after_time) < 0 ||
        str_to_int64(sequence, &s->after_sequence) < 0)
        return call_fail(s->call, LOGS_INVALID_PARAMETER, "The specified nextToken is invalid.");
    s->resumed = true;
    return 0;
}

static int prepare(struct search *s)
{
    const struct logs_filter_log_events_input *in = s->in;
    struct call *call = s->call;
    if (in->log_stream_names.n && in->log_stream_name_prefix.n)
        return call_fail(call, LOGS_INVALID_PARAMETER,
                         "LogStream names and LogStream name prefix are mutually exclusive "
                         "parameters.");
    if (in->log_stream_names.n > STREAMS_MAX)
        return call_fail(call, LOGS_INVALID_PARAMETER, "At most %d log streams can be named.",
                         STREAMS_MAX);
    struct str why = {0};
    if (logs_pattern_parse(call->arena, in->filter_pattern, &s->pattern, &why) < 0)
        return call_fail(call, LOGS_INVALID_PARAMETER, "%.*s", STR(why));
    struct logs_group_record group = {0};
    int r = logs_group_identified(call, in->log_group_name, in->log_group_identifier, &group);
    if (r == 0 && in->next_token.n)
        r = read_token(s);
    if (r < 0)
        return r;
    s->start = in->start_time.is;
    s->end = in->end_time.has ? in->end_time.is : INT64_MAX;
    if (s->start < logs_oldest_ms(&group, call->now_ms))
        s->start = logs_oldest_ms(&group, call->now_ms);
    r = in->log_stream_names.n ? add_named(s, group.id.is) : add_prefixed(s, group.id.is);
    for (size_t i = s->n_heap / 2; i-- > 0;)
        heap_sink(s, i);
    return r;
}

static int filter_log_events(struct call *call, const struct logs_filter_log_events_input *in,
                             struct logs_filter_log_events_output *out)
{
    struct search s = {.call = call, .in = in};
    arena_init(&s.scratch);
    out->events.items = ARENA_NEW(call->arena, struct logs_filtered_log_event);
    out->searched_log_streams.items = ARENA_NEW(call->arena, struct logs_searched_log_stream);
    bool more = false;
    int r = prepare(&s);
    if (r == 0)
        r = run(&s, out, &more);
    if (r == 0 && more)
        out->next_token = logs_token(
            call, str_printf(call->arena, "%" PRId64 "/%" PRId64, s.after_time, s.after_sequence));
    for (size_t i = 0; i < s.n_heap; i++)
        arena_done(&s.heap[i]->arena);
    arena_done(&s.scratch);
    return r;
}

const struct handler logs_filter_handlers[] = {
    {logs_filter_log_events_run(filter_log_events), NULL, "log-group:{logGroupName}:log-stream:"},
    {0},
};
