/* snapshot - the bytes of one arena as they were at a moment. */
#pragma once
#include "ledger.h"

struct snapshot {
    uint8_t *bytes; /* of malloc */
    size_t n;
};

void snapshot_done(struct snapshot *s);

/* Reads what is in use of an arena: 0, -EFBIG: over max, -EBADMSG: it is none, or shorter than it
 * says. What was in *s before is freed. */
int snapshot_read(struct snapshot *s, int fd, size_t max);

/* The same, but all hits are taken out of the arena, and its tracer told (arena.h: Contexts). */
int snapshot_take(struct snapshot *s, int fd, size_t max);

/* Into the ledger's current context, as ledger_enter() does. */
void snapshot_enter(const struct snapshot *s, struct ledger *l, bool all,
                    struct ledger_counts *counts);
