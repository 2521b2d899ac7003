/* insights_run - a query over events: they are given block by block, the newest first.
 *
 * Each command is a stage; a row goes from one to the next. Sorting, statistics and what removes
 * duplicates keep rows, in memory that has a limit; at the end they give them on. Pure. */
#pragma once
#include "service/logs/insights_value.h"

#define INSIGHTS_MEMORY ((size_t)256 << 20) /* of one query */

struct insights_cell {
    struct str field, value;
};
struct insights_row {
    struct insights_cell *cells;
    size_t n;
};

struct insights_run;
/* The query has to live as long. limit: of rows, when the query says none. */
struct insights_run *insights_run_new(const struct insights_query *q, int64_t now_ms,
                                      int64_t limit);
void insights_run_free(struct insights_run *run); /* accepts NULL */
/* A bounded part of that: a run may have kept what takes the loop too long to free. True: the run
 * is gone. Nothing else may be done with it any more. */
bool insights_run_free_some(struct insights_run *run);
/* Events [from, to) of a block. source: its group, stream and account live as long as the run. */
void insights_run_events(struct insights_run *run, const struct insights_event *source,
                         const struct log_block *block, size_t from, size_t to);
/* No more events: what was kept is given on, until the thread's time is until_ns. True: all is. */
bool insights_run_end(struct insights_run *run, int64_t until_ns);
/* The result, in the run's memory; absent why: it has succeeded. */
struct str insights_run_finish(struct insights_run *run, const struct insights_row **ret,
                               size_t *ret_n);
size_t insights_run_memory(const struct insights_run *run);
bool insights_run_failed(const struct insights_run *run);
int64_t insights_run_matched(const struct insights_run *run); /* events that filters let pass */
