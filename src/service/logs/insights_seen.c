/* insights_seen - see insights_seen.h. */
#include "service/logs/insights_seen.h"
#include "base/map.h"

#define PART 512 /* buckets */

static struct insights_entry **bucket_at(const struct insights_seen *s, size_t i)
{
    return &s->parts[i / PART][i % PART];
}

/* Of the buckets, the largest power of two of them; those behind have been split off. */
static size_t round_of(const struct insights_seen *s)
{
    return (size_t)1 << (63 - __builtin_clzll(s->n_buckets));
}

static struct insights_entry **bucket_of(const struct insights_seen *s, uint64_t hash)
{
    size_t round = round_of(s), i = hash & (2 * round - 1);
    return bucket_at(s, i < s->n_buckets ? i : i - round);
}

static void add_bucket(struct insights_seen *s, struct arena *a)
{
    if (s->n_buckets % PART == 0)
        *(struct insights_entry ***)arena_push(a, (void **)&s->parts, &s->n_parts, &s->cap_parts,
                                               sizeof *s->parts) =
            ARENA_ARRAY(a, struct insights_entry *, PART);
    s->n_buckets++;
}

/* One more bucket takes its part of the one that stood for it. */
static void split(struct insights_seen *s, struct arena *a)
{
    size_t round = round_of(s), to = s->n_buckets;
    add_bucket(s, a);
    struct insights_entry **from = bucket_at(s, to - round), **new = bucket_at(s, to), *e;
    while ((e = *from)) {
        if ((e->hash & (2 * round - 1)) != to) {
            from = &e->next;
            continue;
        }
        *from = e->next;
        e->next = *new;
        *new = e;
        s->moved++;
    }
}

void *insights_seen_find(const struct insights_seen *s, struct str key)
{
    if (!s->n)
        return NULL;
    uint64_t hash = map_hash(key);
    for (const struct insights_entry *e = *bucket_of(s, hash); e; e = e->next)
        if (e->hash == hash && str_eq(e->key, key))
            return e->value;
    return NULL;
}

void insights_seen_put(struct insights_seen *s, struct arena *a, struct str key, void *value)
{
    if (!s->n_buckets)
        add_bucket(s, a);
    else if (s->n >= s->n_buckets)
        split(s, a);
    struct insights_entry *e = ARENA_NEW(a, struct insights_entry);
    *e = (struct insights_entry){.hash = map_hash(key), .key = str_copy(a, key), .value = value};
    struct insights_entry **at = bucket_of(s, e->hash);
    e->next = *at;
    *at = e;
    s->n++;
}
