/* arena - memory that is freed all at once.
 *
 * Allocation never fails: running out of memory ends the process. Memory is zeroed and aligned for
 * any type. An arena belongs to one thread at a time. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct arena_block;
struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used;                /* bytes handed out since the last reset */
    size_t first;               /* the first block's size; 0: the usual one */
};

void arena_init(struct arena *a);
/* Of what is there a thousand times and holds little: the first block has this many bytes. */
void arena_init_small(struct arena *a, size_t bytes);
void arena_done(struct arena *a);
/* Frees up to n blocks; true: all are gone. Of what is left nothing may be used. */
bool arena_done_some(struct arena *a, size_t n);
void arena_reset(struct arena *a); /* keeps one block for reuse */

/* The same on the heap. */
struct arena *arena_new(void);
void arena_free(struct arena *a); /* accepts NULL */

void *arena_alloc(struct arena *a, size_t size);
void *arena_copy(struct arena *a, const void *p, size_t size);

/* Array growth: returns room for one more element after *n of them, doubling as needed, and counts
 * it: *n is one more afterwards. Start with items NULL, n 0, cap 0. */
void *arena_push(struct arena *a, void **items, size_t *n, size_t *cap, size_t elem_size);

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, count) ((type *)arena_alloc((a), sizeof(type) * (count)))

/* Frees at the end of the scope: auto_arena struct arena a; arena_init(&a); */
#define auto_arena __attribute__((cleanup(arena_done)))
