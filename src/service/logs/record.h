/* record - how log groups, streams and events stand in the store; shared by the files of this
 * folder.
 *
 *     logs-group  / account / region / name          struct logs_group_record
 *     logs-stream / group id / name                  struct logs_stream_record
 *     logs-block  / stream id / time / sequence      events, the last of which has that place
 * (block.h) logs-event  / stream id / time / sequence      the message of an event that came out of
 * order logs-dead   / stream id                        a deleted stream whose events are still to
 * go
 *
 * Ids and sequences come from one counter that only grows, so a group that is made again never sees
 * the events of its namesake, and (time, sequence) orders the events of all streams. */
#pragma once
#include "service/call.h"
#include "service/logs/block.h"
#include "wire/logs.h"
#include "wire/walk.h"

#define LOGS_DAY_MS INT64_C(86400000)

struct logs_state {
    struct store *store;
    uv_timer_t sweeper, packer;
    int64_t last_sequence;
    struct logs_queries *queries; /* of Logs Insights, that run */
    int64_t expired_ms;           /* when results were last thrown away */
    struct logs_pack *pack;       /* which streams' blocks are to be joined */
    unsigned n_readers; /* cursors that live longer than a turn: nothing is joined meanwhile */
};

/* A sequence is the time of ingestion in ms, shifted, and a counter. */
#define LOGS_SEQUENCE_SHIFT 20
int64_t logs_sequence(struct logs_state *state, int64_t now_ms);
static inline int64_t logs_sequence_ms(int64_t sequence)
{
    return sequence >> LOGS_SEQUENCE_SHIFT;
}

struct str logs_group_key(struct call *call, struct str name);
struct str logs_stream_key(struct arena *a, int64_t group_id, struct str name);
struct str logs_event_key(struct arena *a, int64_t stream_id, int64_t time, int64_t sequence);
/* All events of a stream; and the place before the first event of a time. */
struct str logs_event_prefix(struct arena *a, int64_t stream_id);
struct str logs_event_time_key(struct arena *a, int64_t stream_id, int64_t time);
int logs_event_key_parse(struct arena *a, struct str key, int64_t *ret_time, int64_t *ret_sequence);
struct str logs_block_key(struct arena *a, int64_t stream_id, struct log_place last);
struct str logs_block_prefix(struct arena *a, int64_t stream_id);
struct str logs_dead_key(struct arena *a, int64_t stream_id);

/* These fail the call with AWS's error when there is no such thing. */
int logs_group_get(struct call *call, struct str name, struct logs_group_record *ret);
int logs_stream_get(struct call *call, int64_t group_id, struct str name,
                    struct logs_stream_record *ret);
/* By name or by ARN; exactly one of them must be there. */
int logs_group_identified(struct call *call, struct str name, struct str identifier,
                          struct logs_group_record *ret);
/* The name in arn:aws:logs:REGION:ACCOUNT:log-group:NAME or ...:NAME:*; absent when it is none. */
struct str logs_arn_group(struct str arn);
struct str logs_group_arn(struct call *call, struct str name); /* without :* */

/* Events before that are as good as gone; 0 without retention. */
int64_t logs_oldest_ms(const struct logs_group_record *group, int64_t now_ms);

/* Opaque tokens: text, hidden in base64. -EINVAL fails the call. */
struct str logs_token(struct call *call, struct str text);
int logs_token_text(struct call *call, struct str token, struct str *ret);

/* Some work at what is expired or deleted: at most budget rows go. Returns true when more is
 * left. */
bool logs_sweep(struct store *store, int64_t now_ms, size_t budget);

extern const struct handler logs_group_handlers[], logs_stream_handlers[], logs_put_handlers[],
    logs_get_handlers[], logs_filter_handlers[], logs_tag_handlers[], logs_insights_handlers[],
    logs_definition_handlers[];
extern const struct service logs_service;
