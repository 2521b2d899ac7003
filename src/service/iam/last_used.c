/* last_used - see the header. */
#include <errno.h>
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "service/iam/access.h"
#include "service/iam/last_used.h"

#define WRITE_EVERY_MS 60000
/* After a failed commit, which other requests have suffered from as well. */
#define REST_MS 600000
#define KEYS_MAX 1024

struct use {
    int64_t used_ms, written_ms; /* written_ms 0: not yet */
    char service[32], region[32];
};

struct last_used {
    struct store *store;
    struct map keys; /* access key -> struct use */
    int64_t rest_until_ms;
};

struct last_used *last_used_new(struct store *store)
{
    struct last_used *u = MEM_NEW(struct last_used);
    u->store = store;
    map_init(&u->keys);
    return u;
}

static struct str key_of(struct arena *a, struct str access_key)
{
    return store_key(a, 2, S("iam-access-key-used"), access_key);
}

static void write_down(struct last_used *u, struct str access_key, struct use *use)
{
    struct arena a;
    arena_init(&a);
    struct str text =
        str_printf(&a, "%lld/%s/%s", (long long)use->used_ms, use->region, use->service);
    if (store_put(u->store, key_of(&a, access_key), text) == 0)
        use->written_ms = use->used_ms;
    arena_done(&a);
}

/* Keys that were deleted meanwhile are not written: nobody would ever remove them. */
static void write_all(struct last_used *u)
{
    struct arena a;
    struct str access_key;
    void *value;
    arena_init(&a);
    for (size_t pos = 0; map_next(&u->keys, &pos, &access_key, &value);) {
        struct use *use = value;
        if (use->written_ms != use->used_ms &&
            store_has(u->store, iam_access_key_key(&a, access_key)))
            write_down(u, access_key, use);
        free(use);
    }
    map_done(&u->keys);
    arena_done(&a);
}

void last_used_free(struct last_used *u)
{
    if (!u)
        return;
    write_all(u);
    free(u);
}

static void set_text(char *ret, size_t size, struct str text)
{
    size_t n = text.n < size ? text.n : size - 1;
    memcpy(ret, text.p, n);
    ret[n] = 0;
}

void last_used_note(struct last_used *u, struct str access_key, struct str service,
                    struct str region, int64_t now_ms)
{
    struct use *use = map_find(&u->keys, access_key);
    if (!use) {
        if (u->keys.n == KEYS_MAX) {
            write_all(u);
            map_init(&u->keys);
        }
        use = MEM_NEW(struct use);
        map_put(&u->keys, access_key, use);
    }
    use->used_ms = now_ms;
    set_text(use->service, sizeof use->service, service);
    set_text(use->region, sizeof use->region, region);
    if (now_ms - use->written_ms >= WRITE_EVERY_MS && now_ms >= u->rest_until_ms)
        write_down(u, access_key, use);
}

int last_used_find(struct last_used *u, struct arena *a, struct str access_key, int64_t *ret_ms,
                   struct str *ret_service, struct str *ret_region)
{
    const struct use *use = map_find(&u->keys, access_key);
    if (use) {
        *ret_ms = use->used_ms;
        *ret_service = str_copy(a, str_from(use->service));
        *ret_region = str_copy(a, str_from(use->region));
        return 0;
    }
    struct str text, ms, rest;
    int r = store_get(u->store, key_of(a, access_key), a, &text);
    if (r < 0)
        return r;
    str_cut(text, '/', &ms, &rest);
    str_cut(rest, '/', ret_region, ret_service);
    return str_to_int64(ms, ret_ms) < 0 ? -EIO : 0;
}

int last_used_forget(struct last_used *u, struct str access_key)
{
    struct arena a;
    arena_init(&a);
    free(map_remove(&u->keys, access_key));
    int r = store_delete(u->store, key_of(&a, access_key));
    arena_done(&a);
    return r;
}

void last_used_reset(struct last_used *u)
{
    struct str access_key;
    void *value;
    for (size_t pos = 0; map_next(&u->keys, &pos, &access_key, &value);)
        ((struct use *)value)->written_ms = 0;
    u->rest_until_ms = clock_now_ms() + REST_MS;
}
