/* cursor - reads the events of one stream in the order of their places, or backwards.
 *
 * They stand in blocks, which do not overlap, and singly: what came later than newer ones, and what
 * a store from before blocks has. A cursor joins both. It gives runs: neighbours that stand in one
 * block. It may be kept over turns of the loop when events are not packed meanwhile (see
 * logs_state.n_readers). */
#pragma once
#include "service/logs/block.h"
#include "store/store.h"

struct log_run {
    struct log_block block;
    size_t from, to; /* [from, to), ascending, also when it is read backwards */
    bool singles;    /* they stand singly in the store */
    bool whole;      /* behind it no block is given in part */
};

struct log_source {
    struct arena arena;
    struct store_row *rows; /* blocks that are read and not given yet */
    size_t i, n;
    size_t limit;          /* how many are read at a time */
    struct log_run run;    /* what is left of the one that is being given */
    struct log_place last; /* of what was read */
    bool open, over, begun;
};

struct log_cursor {
    struct store *store;
    int64_t stream_id;
    bool back;
    struct log_source blocks, singles;
};

/* Begins behind `from`, or before it: neither has the event at it. */
void log_cursor_init(struct log_cursor *c, struct store *store, int64_t stream_id,
                     struct log_place from, bool back);
void log_cursor_done(struct log_cursor *c);
/* 1, 0 at the end, or -errno. Good until the next call. */
int log_cursor_next(struct log_cursor *c, struct log_run *ret);
