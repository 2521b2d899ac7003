/* insights_stage - what the files of a running query share. */
#pragma once
#include "service/logs/insights_run.h"
#include "service/logs/insights_seen.h"

/* A row that is kept. */
struct insights_kept {
    struct insights_value *values; /* one a slot; those not needed later are absent */
    struct insights_value *keys;   /* of sort */
    struct log_place place;
    const struct insights_event *source;
};

/* A sort that can be left off: pointers, merged from runs of `width` into the spare ones. */
struct insights_merge {
    void **items, **spare; /* n each; the order is in items */
    size_t n, width, begin, i, j, k;
    bool merging;
};

/* A search for the value of a rank that can be left off: it is in [low, high]. */
struct insights_select {
    ssize_t low, high, i, j;
    double pivot;
    size_t steps;
    bool begun, parting;
};

struct insights_aggregate {
    double n, sum, mean, m2;
    struct insights_value best;
    struct log_place best_place;
    bool any;
    double *values; /* on the heap */
    size_t n_values, cap_values;
    struct insights_select select;
    struct insights_seen *distinct;
};
struct insights_group {
    struct insights_value *by;
    struct insights_aggregate *aggregates;
    double time; /* they are ordered by: the first of `by` that is one */
    size_t i;    /* in the order in which they were met */
};

struct insights_stage {
    const struct insights_command *command;
    const bool *needed; /* slots that later stages look at */
    struct arena *arena;
    struct insights_kept **kept; /* sort: a heap, the worst on top, when max is set */
    size_t n_kept, cap_kept;
    size_t max;                /* rows that the next stages let pass; 0: all */
    size_t live, used;         /* bytes of kept rows, and of all that were */
    struct insights_seen seen; /* groups of stats, keys of dedup */
    struct insights_group **groups;
    size_t n_groups, cap_groups, freed;
    bool timed;     /* groups have a time */
    int64_t passed; /* limit */
    /* Of the end: what is given on, how much of it has been. */
    struct insights_merge merge;
    struct insights_value *results;
    size_t given;
    bool ordering, ordered;
};

struct insights_run {
    const struct insights_query *query;
    struct arena arena, scratch;
    struct insights_command extra[3]; /* what is added: an order, a limit */
    size_t n_extra;
    struct insights_stage *stages;
    size_t n_stages, cap_stages;
    /* The row. */
    struct insights_value *values;
    uint32_t *known, generation; /* values[i] holds when known[i] is the generation */
    enum insights_field_id *ids;
    int *bases; /* a.b where a is a slot, too; -1 */
    struct insights_event event;
    const struct insights_event *source; /* of the event; NULL: the row is none */
    bool in_event;                       /* what is not known can be found in the event */
    struct insights_scope scope;
    const struct insights_value *aggregates; /* while the results of stats are made */
    size_t first_keeper;
    int64_t n_matched, unnested; /* unnested: rows of this event */
    size_t memory;               /* beside the arenas */
    struct str failed;
    size_t ending;    /* the stage that gives on what it has kept */
    int64_t until_ns; /* of the thread's time */
    struct insights_row *rows;
    size_t n_rows, cap_rows;
    uint32_t *hits;
    size_t cap_hits;
};

struct insights_value insights_slot_value(struct insights_run *run, int slot);
void insights_set(struct insights_run *run, int slot, struct insights_value v);
/* As pcre2_match(); what takes too long ends the query. */
int insights_match(struct insights_run *run, const struct regex *regex, struct str s);
struct insights_value insights_eval(struct insights_run *run, const struct insights_expr *e);
struct insights_value insights_keep(struct arena *a, const struct insights_value *v);
bool insights_out_of_time(const struct insights_run *run, size_t i); /* now and then: i counts */
void insights_new_row(struct insights_run *run);
void insights_push(struct insights_run *run, size_t stage);
bool insights_full(struct insights_run *run); /* its memory; it has failed then */

void insights_stats_add(struct insights_run *run, struct insights_stage *s);
/* False: time is over, there is more. */
bool insights_stats_finish(struct insights_run *run, size_t stage);
/* Up to so many groups more; true: all. */
bool insights_stats_free(struct insights_stage *s, size_t n);
void insights_sort_add(struct insights_run *run, struct insights_stage *s);
bool insights_sort_finish(struct insights_run *run, size_t stage);
/* False: time is over, there is more. The items come from the arena, and so do the spare ones. */
void insights_merge_begin(struct insights_merge *m, struct arena *a, void **items, size_t n);
bool insights_merge(const struct insights_run *run, struct insights_merge *m,
                    int (*cmp)(const void *x, const void *y, void *user), void *user);
/* Text that is the same for equal values only. */
struct str insights_key(struct insights_run *run, const struct insights_item *items, size_t n);
