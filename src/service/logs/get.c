/* get - GetLogEvents: one stream, in pages that can be turned both ways.
 *
 * A token is a place between events: "f/<time><sequence>/s" means behind that event, "b/..." before
 * it. At an end a page gives back the token it was asked with, so a reader who waits for more sees
 * an unchanged token, and the same token gives the new events once they are there. */
#include <errno.h>
#include <inttypes.h>
#include "service/logs/cursor.h"
#include "service/logs/record.h"

#define EVENTS_MAX 10000
#define BYTES_MAX 1048576
#define EVENT_OVERHEAD 26

struct page {
    struct call *call;
    int64_t stream_id;
    int64_t start, end; /* [start, end) */
    bool forward;
    bool has_place; /* from there, otherwise from the end of the range */
    struct log_place place;
    struct logs_output_log_event *events; /* in the order they were found */
    struct log_place *places;
    size_t n, limit;
    size_t bytes;
};

static struct str format_token(struct call *call, char direction, struct log_place p)
{
    return str_printf(call->arena, "%c/%018" PRId64 "%038" PRId64 "/s", direction, p.time,
                      p.sequence);
}

static int parse_token(struct call *call, struct str token, struct page *page)
{
    page->has_place = true;
    if (token.n == 60 && (token.p[0] == 'f' || token.p[0] == 'b') && token.p[1] == '/' &&
        str_ends(token, S("/s")) && str_to_int64(str_slice(token, 2, 20), &page->place.time) == 0 &&
        str_to_int64(str_slice(token, 20, 58), &page->place.sequence) == 0) {
        page->forward = token.p[0] == 'f';
        return 0;
    }
    return call_fail(call, LOGS_INVALID_PARAMETER, "The specified nextToken is invalid.");
}

/* Adds an event; false when the page is full or the range has ended. */
static bool add_event(struct page *page, const struct log_block *block, size_t i)
{
    struct log_place at = log_block_place(block, i);
    struct str message = log_block_message(block, i);
    if (page->forward ? at.time >= page->end : at.time < page->start)
        return false;
    size_t size = message.n + EVENT_OVERHEAD;
    if (page->n == page->limit || (page->n && page->bytes + size > BYTES_MAX))
        return false;
    page->bytes += size;
    page->places[page->n] = at;
    page->events[page->n++] = (struct logs_output_log_event){
        .timestamp = opt_int(at.time),
        .message = str_copy(page->call->arena, message),
        .ingestion_time = opt_int(logs_sequence_ms(at.sequence)),
    };
    return true;
}

static struct log_place first_place(const struct page *page)
{
    if (page->forward) {
        if (page->has_place && page->place.time >= page->start)
            return page->place;
        return (struct log_place){page->start, INT64_MIN};
    }
    if (page->has_place && page->place.time < page->end)
        return page->place;
    return (struct log_place){page->end, INT64_MIN};
}

static int read_page(struct page *page)
{
    struct log_cursor cursor;
    log_cursor_init(&cursor, page->call->store, page->stream_id, first_place(page), !page->forward);
    struct log_run run;
    bool more = true;
    int r;
    while (more && (r = log_cursor_next(&cursor, &run)) > 0) {
        for (size_t i = run.from; more && page->forward && i < run.to; i++)
            more = add_event(page, &run.block, i);
        for (size_t i = run.to; more && !page->forward && i-- > run.from;)
            more = add_event(page, &run.block, i);
    }
    log_cursor_done(&cursor);
    return more ? r : 0;
}

static void turn_round(struct page *page)
{
    for (size_t i = 0, j = page->n; i + 1 < j--; i++) {
        struct logs_output_log_event e = page->events[i];
        page->events[i] = page->events[j];
        page->events[j] = e;
        struct log_place p = page->places[i];
        page->places[i] = page->places[j];
        page->places[j] = p;
    }
}

static void give_tokens(const struct page *page, struct logs_get_log_events_output *out)
{
    struct call *call = page->call;
    struct log_place first = page->place, last = page->place;
    if (page->n) {
        first = page->places[0];
        last = page->places[page->n - 1];
    } else if (page->forward) {
        first.sequence++; /* backwards from here comes the event before the end */
    } else if (page->has_place && last.sequence > 0) {
        last.sequence--; /* forward from here comes the first event */
    }
    out->next_forward_token = format_token(call, 'f', last);
    out->next_backward_token = format_token(call, 'b', first);
}

static int get_log_events(struct call *call, const struct logs_get_log_events_input *in,
                          struct logs_get_log_events_output *out)
{
    struct logs_group_record group = {0};
    struct logs_stream_record stream = {0};
    int r = logs_group_identified(call, in->log_group_name, in->log_group_identifier, &group);
    if (r == 0)
        r = logs_stream_get(call, group.id.is, in->log_stream_name, &stream);
    struct page page = {
        .call = call,
        .stream_id = stream.id.is,
        .start = in->start_time.is,
        .end = in->end_time.has ? in->end_time.is : INT64_MAX,
        .forward = in->start_from_head.is,
        .limit = in->limit.has ? (size_t)in->limit.is : EVENTS_MAX,
    };
    if (r == 0 && in->next_token.n)
        r = parse_token(call, in->next_token, &page);
    if (r < 0)
        return r;
    if (page.start < logs_oldest_ms(&group, call->now_ms))
        page.start = logs_oldest_ms(&group, call->now_ms);
    page.events = ARENA_ARRAY(call->arena, struct logs_output_log_event, page.limit);
    page.places = ARENA_ARRAY(call->arena, struct log_place, page.limit);
    r = read_page(&page);
    if (r < 0)
        return r;
    if (!page.forward)
        turn_round(&page);
    out->events.items = page.events;
    out->events.n = page.n;
    give_tokens(&page, out);
    return 0;
}

const struct handler logs_get_handlers[] = {
    {logs_get_log_events_run(get_log_events), NULL,
     "log-group:{logGroupName}:log-stream:{logStreamName}"},
    {0},
};
