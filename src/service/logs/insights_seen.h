/* insights_seen - keys that a running query has met, with what belongs to each; linear hashing, so
 * that no key costs more than one bucket of moves, however many there are.
 *
 * All memory is the arena's: nothing is to be freed, and the arena's size counts it. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

struct insights_entry {
    struct insights_entry *next;
    uint64_t hash;
    struct str key;
    void *value;
};
struct insights_seen {
    struct insights_entry ***parts; /* buckets, in parts of the same size */
    size_t n_parts, cap_parts, n_buckets, n;
    size_t moved; /* entries that went to another bucket, ever */
};

void *insights_seen_find(const struct insights_seen *s, struct str key); /* NULL: not there */
/* The key is copied, and is not there yet. */
void insights_seen_put(struct insights_seen *s, struct arena *a, struct str key, void *value);
