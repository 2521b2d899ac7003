/* put - PutLogEvents: the path of every line that a function prints, so it reads two records,
 * writes one row with all events, and looks at nothing else. */
#include <errno.h>
#include <inttypes.h>
#include "service/logs/pack.h"
#include "service/logs/record.h"

#define BATCH_BYTES_MAX 1048576
#define EVENT_OVERHEAD 26
#define TOO_OLD_MS (14 * LOGS_DAY_MS)
#define TOO_NEW_MS (2 * 3600 * 1000)

static int check_batch(struct call *call, const struct logs_put_log_events_input *in)
{
    int64_t size = 0;
    for (size_t i = 0; i < in->log_events.n; i++) {
        const struct logs_input_log_event *e = &in->log_events.items[i];
        size += (int64_t)e->message.n + EVENT_OVERHEAD;
        if (i && e->timestamp.is < in->log_events.items[i - 1].timestamp.is)
            return call_fail(call, LOGS_INVALID_PARAMETER,
                             "Log events in a single PutLogEvents request must be in chronological "
                             "order.");
    }
    if (size > BATCH_BYTES_MAX)
        return call_fail(call, LOGS_INVALID_PARAMETER,
                         "Upload too large: %" PRId64 " bytes exceeds limit of %d", size,
                         BATCH_BYTES_MAX);
    return 0;
}

/* The events are in order, so those refused stand at the two ends; [from, to) is taken. */
static void find_taken(struct call *call, const struct logs_group_record *group,
                       const struct logs_put_log_events_input *in,
                       struct logs_put_log_events_output *out, size_t *ret_from, size_t *ret_to)
{
    const struct logs_input_log_event *events = in->log_events.items;
    size_t n = in->log_events.n, old = 0, expired = 0, to = n;
    while (old < n && events[old].timestamp.is < call->now_ms - TOO_OLD_MS)
        old++;
    while (expired < n && events[expired].timestamp.is < logs_oldest_ms(group, call->now_ms))
        expired++;
    size_t from = old > expired ? old : expired;
    while (to > from && events[to - 1].timestamp.is > call->now_ms + TOO_NEW_MS)
        to--;
    if (from > 0 || to < n) {
        out->rejected_log_events_info =
            ARENA_NEW(call->arena, struct logs_rejected_log_events_info);
        if (old > 0)
            out->rejected_log_events_info->too_old_log_event_end_index = opt_int((int64_t)old);
        if (expired > old)
            out->rejected_log_events_info->expired_log_event_end_index = opt_int((int64_t)expired);
        if (to < n)
            out->rejected_log_events_info->too_new_log_event_start_index = opt_int((int64_t)to);
    }
    *ret_from = from;
    *ret_to = to;
}

/* Events that come in order are one block. Blocks of a stream do not overlap, so what comes later
 * than newer events stands singly until it is packed (pack.c). */
static int put_items(struct call *call, int64_t stream_id, const struct log_item *items, size_t n,
                     bool in_order)
{
    struct arena *a = call->arena;
    if (in_order)
        return store_put(call->store, logs_block_key(a, stream_id, items[n - 1].place),
                         log_block_make(a, items, n));
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++)
        r = store_put(call->store,
                      logs_event_key(a, stream_id, items[i].place.time, items[i].place.sequence),
                      items[i].message);
    return r;
}

static int put_events(struct call *call, struct logs_stream_record *stream,
                      const struct logs_input_log_event *events, size_t n)
{
    struct log_item *items = ARENA_ARRAY(call->arena, struct log_item, n);
    bool in_order = !stream->last.has || events[0].timestamp.is >= stream->last.is;
    int64_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        items[i].place.time = events[i].timestamp.is;
        items[i].place.sequence = logs_sequence(call->state, call->now_ms);
        items[i].message = events[i].message;
        bytes += (int64_t)events[i].message.n + EVENT_OVERHEAD;
    }
    int r = put_items(call, stream->id.is, items, n, in_order);
    if (r < 0)
        return r;
    logs_pack_note(call->state, stream->id.is, call->now_ms);
    stream->bytes = opt_int(stream->bytes.is + bytes);
    if (!stream->first.has || events[0].timestamp.is < stream->first.is)
        stream->first = events[0].timestamp;
    if (!stream->last.has || events[n - 1].timestamp.is > stream->last.is)
        stream->last = events[n - 1].timestamp;
    stream->ingested = opt_int(call->now_ms);
    return 0;
}

/* Sequence tokens are accepted and not looked at, as AWS has done since 2023. */
static int put_log_events(struct call *call, const struct logs_put_log_events_input *in,
                          struct logs_put_log_events_output *out)
{
    int r = check_batch(call, in);
    struct logs_group_record group = {0};
    if (r == 0)
        r = logs_group_get(call, in->log_group_name, &group);
    struct logs_stream_record stream = {0};
    if (r == 0)
        r = logs_stream_get(call, group.id.is, in->log_stream_name, &stream);
    if (r < 0)
        return r;

    size_t from, to;
    find_taken(call, &group, in, out, &from, &to);
    if (to > from) {
        const struct logs_input_log_event *events = in->log_events.items;
        if (events[to - 1].timestamp.is - events[from].timestamp.is > LOGS_DAY_MS)
            return call_fail(call, LOGS_INVALID_PARAMETER,
                             "The batch of log events in a single PutLogEvents request cannot span "
                             "more than 24 hours.");
        r = put_events(call, &stream, in->log_events.items + from, to - from);
        if (r == 0)
            r = record_put(call, logs_stream_key(call->arena, group.id.is, stream.name),
                           &logs_stream_record_shape, &stream);
    }
    const struct logs_state *state = call->state;
    out->next_sequence_token = str_printf(call->arena, "%056" PRId64, state->last_sequence);
    return r;
}

const struct handler logs_put_handlers[] = {
    {logs_put_log_events_run(put_log_events), NULL,
     "log-group:{logGroupName}:log-stream:{logStreamName}"},
    {0},
};
