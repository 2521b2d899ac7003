/* map - text keys to pointers, hashed with a secret so that clients cannot choose collisions.
 *
 * Keys are copied, values are not. Order of iteration is unspecified. */
#pragma once
#include "base/str.h"

struct map_slot;
struct map {
    struct map_slot *slots;
    size_t n, used, cap; /* n live keys; used counts tombstones too */
};

/* The hash of a key: by the secret of this process. */
uint64_t map_hash(struct str key);

void map_init(struct map *m);
void map_done(struct map *m);
void *map_find(const struct map *m, struct str key);       /* NULL: not there */
void *map_put(struct map *m, struct str key, void *value); /* the value it replaces, or NULL */
void *map_remove(struct map *m, struct str key);           /* the value that was there */
bool map_next(const struct map *m, size_t *pos, struct str *ret_key,
              void **ret_value); /* *pos = 0 first */
