/* policy_cache - parsed policies by their text: most requests ask the same few documents. */
#include <stdlib.h>
#include "base/map.h"
#include "base/mem.h"
#include "service/policy.h"

struct policy_cache {
    struct arena arena;
    struct map maps[POLICY_RESOURCE + 1]; /* by kind */
    size_t n;
};

/* What a text came to that is none. */
static const char no_policy[1];

static void clear(struct policy_cache *cache)
{
    for (size_t i = 0; i <= POLICY_RESOURCE; i++) {
        map_done(&cache->maps[i]);
        map_init(&cache->maps[i]);
    }
    arena_reset(&cache->arena);
    cache->n = 0;
}

struct policy_cache *policy_cache_new(void)
{
    struct policy_cache *cache = mem_alloc(sizeof *cache);
    arena_init(&cache->arena);
    for (size_t i = 0; i <= POLICY_RESOURCE; i++)
        map_init(&cache->maps[i]);
    cache->n = 0;
    return cache;
}

void policy_cache_free(struct policy_cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i <= POLICY_RESOURCE; i++)
        map_done(&cache->maps[i]);
    arena_done(&cache->arena);
    free(cache);
}

const struct policy *policy_cache_get(struct policy_cache *cache, enum policy_kind kind,
                                      struct str text)
{
    const void *found = map_find(&cache->maps[kind], text);
    if (found)
        return found == no_policy ? NULL : found;
    if (cache->n == POLICY_CACHE_MAX)
        clear(cache);
    struct policy *policy;
    struct str message;
    bool ok =
        policy_parse(&cache->arena, kind, str_copy(&cache->arena, text), &policy, &message) == 0;
    map_put(&cache->maps[kind], text, ok ? (void *)policy : (void *)(uintptr_t)no_policy);
    cache->n++;
    return ok ? policy : NULL;
}
