/* filter - FilterLogEvents: the events of many streams in the order of their time, filtered.
 *
 * A heap of streams, ordered by their next event. A stream is not read before its turn comes: until
 * then it stands at the time of its first event, which its record tells. */
#include <errno.h>
#include <inttypes.h>
#include "base/clock.h"
#include "service/logs/cursor.h"
#include "service/logs/pattern.h"
#include "service/logs/record.h"

#define EVENTS_MAX 10000
#define BYTES_MAX 1048576
#define EVENT_OVERHEAD 26
/* One call looks at that much at least, and goes on until it has cost that much time; more is for
 * the next token, so that no invocation waits behind a search. */
#define LOOKED_AT_EVENTS 20000
#define LOOKED_AT_BYTES (1 << 20)
#define COST_NS 8000000
#define STREAMS_MAX 100 /* that may be named */

/* A stream. Its place is that of its next event that matches (ready), or of the last one that has
 * been looked at: so the whole search has come as far as the least of all. */
struct source {
    int64_t stream_id;
    struct str stream_name;
    struct log_place place;
    bool ready, opened;
    struct log_cursor cursor;
    struct log_run run; /* what is left of it to look at */
};

struct search {
    struct call *call;
    const struct logs_filter_log_events_input *in;
    struct logs_pattern *pattern;
    struct str needle; /* every message that matches has it */
    bool needle_is_all;
    int64_t start, end;    /* [start, end] */
    struct log_place from; /* looked at up to here, by the calls before */
    struct source **heap;
    size_t n_heap, cap_heap;
    size_t bytes, cap_events;
    size_t looked_at, looked_at_bytes;
    int64_t begun_ns;
    struct arena scratch;
};

/* ---- the heap ---- */

static bool source_before(const struct source *x, const struct source *y)
{
    return log_place_cmp(x->place, y->place) < 0;
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

static void close_source(struct source *source)
{
    if (source->opened)
        log_cursor_done(&source->cursor);
}

static void heap_drop_top(struct search *s)
{
    close_source(s->heap[0]);
    s->heap[0] = s->heap[--s->n_heap];
    heap_sink(s, 0);
}

/* ---- sources ---- */

static void add_source(struct search *s, const struct logs_stream_record *stream)
{
    if (!stream->last.has || stream->last.is < s->from.time || stream->last.is < s->start ||
        stream->first.is > s->end)
        return;
    struct source *source = ARENA_NEW(s->call->arena, struct source);
    source->stream_id = stream->id.is;
    source->stream_name = stream->name;
    source->place = s->from;
    /* It is not read before its turn comes. */
    if (stream->first.is > s->from.time)
        source->place = (struct log_place){stream->first.is, INT64_MIN};
    *(struct source **)arena_push(s->call->arena, (void **)&s->heap, &s->n_heap, &s->cap_heap,
                                  sizeof source) = source;
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
        if (r < 0)
            return r;
        if (!again)
            add_source(s, &stream);
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
                add_source(s, &stream);
        }
        if (r < 0 || n < 500)
            return r;
        after = rows[n - 1].key;
    }
}

/* ---- looking ---- */

/* Goes on to the next event that matches, or to the end of the run. */
static void look(struct search *s, struct source *source)
{
    struct log_run *run = &source->run;
    size_t begun = log_block_begin(&run->block, run->from);
    source->ready = false;
    while (run->from < run->to && !source->ready) {
        size_t i =
            s->needle.n ? log_block_search(&run->block, run->from, run->to, s->needle) : run->from;
        s->looked_at += i - run->from + 1;
        run->from = i;
        if (i == run->to)
            break;
        source->place = log_block_place(&run->block, i);
        source->ready =
            (s->needle.n && s->needle_is_all) ||
            logs_pattern_match(s->pattern, log_block_message(&run->block, i), &s->scratch);
        if (s->scratch.used > 1 << 20)
            arena_reset(&s->scratch);
        run->from++;
    }
    if (!source->ready)
        source->place = log_block_place(&run->block, run->to - 1);
    s->looked_at_bytes += log_block_begin(&run->block, run->from) - begun;
}

/* The top of the heap goes on; it is not ready any more. */
static int advance(struct search *s)
{
    struct source *source = s->heap[0];
    if (!source->opened)
        log_cursor_init(&source->cursor, s->call->store, source->stream_id, source->place, false);
    source->opened = true;
    if (source->run.from == source->run.to) {
        int r = log_cursor_next(&source->cursor, &source->run);
        if (r < 0)
            return r;
        if (r == 0) {
            heap_drop_top(s);
            return 0;
        }
        /* Cut at the end of the range: nothing behind it is looked at. */
        struct log_place end = {s->end, INT64_MAX};
        size_t to = log_block_find(&source->run.block, end, false);
        if (to < source->run.to)
            source->run.to = to;
        if (source->run.from >= source->run.to) {
            heap_drop_top(s);
            return 0;
        }
    }
    look(s, source);
    heap_sink(s, 0);
    return 0;
}

static bool tired(struct search *s)
{
    if (s->looked_at < LOOKED_AT_EVENTS && s->looked_at_bytes < LOOKED_AT_BYTES)
        return false;
    return clock_thread_ns() - s->begun_ns >= COST_NS;
}

/* ---- the search ---- */

static void add_event(struct search *s, const struct source *source, struct str message,
                      struct logs_filter_log_events_output *out)
{
    struct arena *a = s->call->arena;
    struct logs_filtered_log_event *e =
        arena_push(a, (void **)&out->events.items, &out->events.n, &s->cap_events, sizeof *e);
    *e = (struct logs_filtered_log_event){
        .log_stream_name = source->stream_name,
        .timestamp = opt_int(source->place.time),
        .message = str_copy(a, message),
        .ingestion_time = opt_int(logs_sequence_ms(source->place.sequence)),
        .event_id =
            str_printf(a, "%018" PRId64 "%038" PRId64, source->place.time, source->place.sequence),
    };
    s->bytes += message.n + EVENT_OVERHEAD;
}

/* Answers true in *ret_more when it stopped before the end; *ret_at: everything up to there has
 * been looked at, and what matches of it is in the answer. */
static int run(struct search *s, struct logs_filter_log_events_output *out, bool *ret_more,
               struct log_place *ret_at)
{
    size_t limit = s->in->limit.has ? (size_t)s->in->limit.is : EVENTS_MAX;
    while (s->n_heap) {
        struct source *top = s->heap[0];
        *ret_at = top->place;
        if (top->ready) {
            struct str message = log_block_message(&top->run.block, top->run.from - 1);
            if (out->events.n == limit || (out->events.n && s->bytes + message.n > BYTES_MAX)) {
                ret_at->sequence--;
                *ret_more = true;
                return 0;
            }
            add_event(s, top, message, out);
            top->ready = false; /* it stands at its place, as one that has been looked at */
            continue;
        }
        if (tired(s)) {
            *ret_more = true;
            return 0;
        }
        int r = advance(s);
        if (r < 0)
            return r;
    }
    *ret_more = false;
    return 0;
}

static int read_token(struct search *s)
{
    struct str text, time, sequence;
    struct log_place at;
    int r = logs_token_text(s->call, s->in->next_token, &text);
    if (r < 0)
        return r;
    if (!str_cut(text, '/', &time, &sequence) || str_to_int64(time, &at.time) < 0 ||
        str_to_int64(sequence, &at.sequence) < 0)
        return call_fail(s->call, LOGS_INVALID_PARAMETER, "The specified nextToken is invalid.");
    if (log_place_cmp(at, s->from) > 0)
        s->from = at;
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
    s->needle = logs_pattern_needle(s->pattern, &s->needle_is_all);
    int r = logs_group_identified(call, in->log_group_name, in->log_group_identifier, &group);
    if (r < 0)
        return r;
    s->start = in->start_time.is;
    s->end = in->end_time.has ? in->end_time.is : INT64_MAX;
    if (s->start < logs_oldest_ms(&group, call->now_ms))
        s->start = logs_oldest_ms(&group, call->now_ms);
    s->from = (struct log_place){s->start, INT64_MIN};
    if (in->next_token.n)
        r = read_token(s);
    if (r < 0)
        return r;
    r = in->log_stream_names.n ? add_named(s, group.id.is) : add_prefixed(s, group.id.is);
    for (size_t i = s->n_heap / 2; i-- > 0;)
        heap_sink(s, i);
    return r;
}

static int filter_log_events(struct call *call, const struct logs_filter_log_events_input *in,
                             struct logs_filter_log_events_output *out)
{
    struct search s = {.call = call, .in = in, .begun_ns = clock_thread_ns()};
    struct log_place at;
    arena_init(&s.scratch);
    out->events.items = ARENA_NEW(call->arena, struct logs_filtered_log_event);
    out->searched_log_streams.items = ARENA_NEW(call->arena, struct logs_searched_log_stream);
    bool more = false;
    int r = prepare(&s);
    if (r == 0) {
        logs_pattern_speed_up(s.pattern);
        r = run(&s, out, &more, &at);
        logs_pattern_slow_down(s.pattern);
    }
    if (r == 0 && logs_pattern_gave_up(s.pattern))
        r = call_fail(call, LOGS_INVALID_PARAMETER,
                      "A regular expression of the filter pattern takes too long.");
    if (r == 0 && more)
        out->next_token =
            logs_token(call, str_printf(call->arena, "%" PRId64 "/%" PRId64, at.time, at.sequence));
    for (size_t i = 0; i < s.n_heap; i++)
        close_source(s.heap[i]);
    arena_done(&s.scratch);
    return r;
}

const struct handler logs_filter_handlers[] = {
    {logs_filter_log_events_run(filter_log_events), NULL, "log-group:{logGroupName}:log-stream:"},
    {0},
};
