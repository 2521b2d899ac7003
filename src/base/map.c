/* map - text keys to pointers: open addressing, hashed by SipHash-1-3 with a key of this process.
 */
#include "base/map.h"
#include <pthread.h>
#include <sys/random.h>
#include "base/mem.h"

struct map_slot {
    uint64_t hash;
    char *key; /* NULL: never used */
    size_t key_n;
    void *value;
};

static char removed[1]; /* key of a slot whose entry is gone */

static uint64_t secret[2];
static pthread_once_t secret_once = PTHREAD_ONCE_INIT;

static void secret_make(void)
{
    if (getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret))
        abort();
}

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = ROTL(v[1], 13) ^ v[0];
    v[3] = ROTL(v[3], 16) ^ v[2];
    v[0] = ROTL(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = ROTL(v[1], 17) ^ v[2];
    v[3] = ROTL(v[3], 21) ^ v[0];
    v[2] = ROTL(v[2], 32);
}

static uint64_t sip13(struct str s)
{
    uint64_t v[4] = {secret[0] ^ 0x736f6d6570736575ULL, secret[1] ^ 0x646f72616e646f6dULL,
                     secret[0] ^ 0x6c7967656e657261ULL, secret[1] ^ 0x7465646279746573ULL};
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        uint64_t m;
        memcpy(&m, s.p + i, 8);
        v[3] ^= m;
        sip_round(v);
        v[0] ^= m;
    }
    uint64_t last = (uint64_t)s.n << 56;
    for (size_t shift = 0; i < s.n; i++, shift += 8)
        last |= (uint64_t)(uint8_t)s.p[i] << shift;
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t map_hash(struct str key)
{
    pthread_once(&secret_once, secret_make);
    return sip13(key);
}

void map_init(struct map *m)
{
    *m = (struct map){0};
    pthread_once(&secret_once, secret_make);
}

static bool live(const struct map_slot *s)
{
    return s->key && s->key != removed;
}

void map_done(struct map *m)
{
    for (size_t i = 0; i < m->cap; i++)
        if (live(&m->slots[i]))
            free(m->slots[i].key);
    free(m->slots);
    *m = (struct map){0};
}

static struct map_slot *slot_find(const struct map *m, struct str key, uint64_t hash)
{
    if (!m->cap)
        return NULL;
    for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        struct map_slot *s = &m->slots[i];
        if (!s->key)
            return NULL;
        if (s->hash == hash && s->key != removed && str_eq(str_of(s->key, s->key_n), key))
            return s;
    }
}

static struct map_slot *slot_free(struct map *m, uint64_t hash)
{
    size_t i = hash & (m->cap - 1);
    while (live(&m->slots[i]))
        i = (i + 1) & (m->cap - 1);
    return &m->slots[i];
}

/* Room for one more: at most 3/4 of the slots are ever used, tombstones counted. */
static void grow(struct map *m)
{
    if ((m->used + 1) * 4 <= m->cap * 3)
        return;
    struct map old = *m;
    m->cap = 8;
    while ((m->n + 1) * 2 > m->cap)
        m->cap *= 2;
    m->slots = mem_zalloc(m->cap * sizeof(*m->slots));
    m->used = m->n;
    for (size_t i = 0; i < old.cap; i++)
        if (live(&old.slots[i]))
            *slot_free(m, old.slots[i].hash) = old.slots[i];
    free(old.slots);
}

void *map_find(const struct map *m, struct str key)
{
    if (!m->n)
        return NULL;
    const struct map_slot *s = slot_find(m, key, sip13(key));
    return s ? s->value : NULL;
}

void *map_put(struct map *m, struct str key, void *value)
{
    pthread_once(&secret_once, secret_make); /* a zeroed map is a valid one */
    uint64_t hash = sip13(key);
    struct map_slot *s = slot_find(m, key, hash);
    if (s) {
        void *old = s->value;
        s->value = value;
        return old;
    }
    grow(m);
    s = slot_free(m, hash);
    if (!s->key)
        m->used++;
    *s = (struct map_slot){hash, mem_dup(key.p, key.n), key.n, value};
    m->n++;
    return NULL;
}

void *map_remove(struct map *m, struct str key)
{
    if (!m->n)
        return NULL;
    struct map_slot *s = slot_find(m, key, sip13(key));
    if (!s)
        return NULL;
    void *value = s->value;
    free(s->key);
    *s = (struct map_slot){.key = removed};
    m->n--;
    return value;
}

bool map_next(const struct map *m, size_t *pos, struct str *ret_key, void **ret_value)
{
    for (; *pos < m->cap; (*pos)++) {
        const struct map_slot *s = &m->slots[*pos];
        if (!live(s))
            continue;
        if (ret_key)
            *ret_key = str_of(s->key, s->key_n);
        if (ret_value)
            *ret_value = s->value;
        (*pos)++;
        return true;
    }
    return false;
}
