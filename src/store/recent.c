/* recent - rows read lately, so that what every request asks for (its function's policy, that there
 * is none) costs no walk through a tree.
 *
 * A slot a hash: what comes later takes it. Small rows only. It says what the database would say,
 * inside a turn, too: whoever writes a key forgets it here, and whatever takes writes back forgets
 * everything. */
#include "base/mem.h"
#include "store/internal.h"

#define ROW_MAX 1024 /* key and value together */

static struct recent_row *slot_of(struct store *s, struct str key, uint64_t *ret_hash)
{
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < key.n; i++)
        h = (h ^ (uint8_t)key.p[i]) * UINT64_C(1099511628211);
    *ret_hash = h;
    return &s->recent[(h ^ h >> 32) % RECENT_ROWS];
}

static bool holds(const struct recent_row *row, uint64_t hash, struct str key)
{
    return row->bytes && row->hash == hash && row->key_n == key.n &&
           memcmp(row->bytes, key.p, key.n) == 0;
}

static void empty(struct recent_row *row)
{
    free(row->bytes);
    *row = (struct recent_row){0};
}

bool recent_find(struct store *s, struct str key, bool *ret_there, struct str *ret_value)
{
    uint64_t hash;
    const struct recent_row *row = slot_of(s, key, &hash);
    if (!holds(row, hash, key))
        return false;
    *ret_there = row->there;
    *ret_value = str_of(row->bytes + row->key_n, row->value_n);
    return true;
}

void recent_keep(struct store *s, struct str key, bool there, struct str value)
{
    uint64_t hash;
    if (key.n + value.n > ROW_MAX)
        return;
    struct recent_row *row = slot_of(s, key, &hash);
    empty(row);
    *row = (struct recent_row){
        .bytes = mem_alloc(key.n + value.n + 1),
        .hash = hash,
        .key_n = key.n,
        .value_n = value.n,
        .there = there,
    };
    memcpy(row->bytes, key.p, key.n);
    if (value.n)
        memcpy(row->bytes + key.n, value.p, value.n);
}

void recent_forget(struct store *s, struct str key)
{
    uint64_t hash;
    struct recent_row *row = slot_of(s, key, &hash);
    if (holds(row, hash, key))
        empty(row);
}

void recent_forget_all(struct store *s)
{
    for (size_t i = 0; i < RECENT_ROWS; i++)
        if (s->recent[i].bytes)
            empty(&s->recent[i]);
}
