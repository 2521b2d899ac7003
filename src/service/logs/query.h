/* query - queries of Logs Insights that are started: they run in slices of the loop, and what comes
 * out is kept for seven days.
 *
 *     logs-query   / account / region / id    struct logs_query_record
 *     logs-results / id                       the answer of GetQueryResults
 *
 *     StartQuery -> Scheduled -> Running -> Complete, Failed (memory, damage), Timeout (60 minutes)
 *                                  |
 *                                  +- StopQuery -> Cancelled
 *
 * A query that ran when the cloud ended is Failed afterwards. */
#pragma once
#include "base/list.h"
#include "service/logs/cursor.h"
#include "service/logs/insights_run.h"
#include "service/logs/record.h"

#define LOGS_QUERIES_MAX 100 /* at a time; AWS's quota */
#define LOGS_QUERY_GROUPS 50 /* that may be named */

struct logs_query_group {
    struct str name;
    int64_t id, oldest_ms;
};

struct logs_query {
    struct list link;
    struct arena arena;
    struct str account, region;
    struct logs_query_record record;
    struct insights_query *plan;
    struct insights_run *run;
    int64_t start, end; /* ms, [start, end] */
    int64_t begun_ns;
    bool begun;
    struct logs_query_group *groups;
    size_t n_groups, cap_groups, group;
    /* Where it is. */
    struct arena page; /* streams of the group, some at a time */
    struct store_row *streams;
    size_t stream, n_streams;
    struct str after;
    bool last_page, reading, last_run, ending;
    struct insights_event *source;
    struct log_cursor cursor;
    struct log_run at;
    int64_t from; /* of the stream, ms */
    int64_t scanned, bytes;
    size_t chunk, memory; /* events at a time; bytes that it keeps */
};

struct logs_queries; /* those that run */
struct logs_queries *logs_queries_new(struct logs_state *state, uv_loop_t *loop);
/* In its own time; NULL is accepted. */
void logs_queries_free(struct logs_queries *q);
size_t logs_queries_n(const struct logs_queries *q);
/* Takes the query over. */
void logs_queries_add(struct logs_queries *q, struct logs_query *query);
struct logs_query *logs_queries_find(struct logs_queries *q, struct str account, struct str region,
                                     struct str id);
void logs_query_free(struct logs_query *query);
/* What has been counted so far. */
struct logs_query_statistics *logs_query_statistics(const struct logs_query *query,
                                                    struct arena *a);
/* Writes how it ended, and frees it. */
int logs_query_end(struct logs_queries *q, struct logs_query *query, struct str status);
struct str logs_query_key(struct arena *a, struct str account, struct str region, struct str id);
struct str logs_results_key(struct arena *a, struct str id);
void logs_queries_expire(struct store *store, int64_t now_ms);
