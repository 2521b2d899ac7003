/* cache - analyses on disk, by what they follow from: source, Python's minor, patterns, our rules.
 *
 * An entry is a file of its key's name: "LAMCACH1", u32 LE CRC-32 of the rest, LEB128 varints. What
 * is damaged, or of another version, is as good as absent. */
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "coverage/analysis_internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <zlib.h>

#define MAGIC "LAMCACH1"
#define HEAD 12

struct str cache_folder(struct arena *a)
{
    struct str home = str_from(getenv("XDG_CACHE_HOME"));
    if (!home.n || home.p[0] != '/') {
        home = str_from(getenv("HOME"));
        if (!home.n || home.p[0] != '/')
            return (struct str){0};
        home = fs_join(a, home, S(".cache"));
    }
    return fs_join(a, home, S("lamina/coverage"));
}

void cache_key(struct str source, struct str minor, const uint8_t patterns[32],
               struct cache_key *ret)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t hash[32];
    struct digest *d = digest_open(DIGEST_SHA256);
    char version = ANALYSIS_VERSION;
    digest_add(d, &version, 1);
    digest_add(d, minor.p, minor.n);
    digest_add(d, "", 1);
    digest_add(d, patterns, 32);
    digest_add(d, source.p, source.n);
    digest_close(d, hash);
    for (size_t i = 0; i < 32; i++) {
        ret->hex[2 * i] = digits[hash[i] >> 4];
        ret->hex[2 * i + 1] = digits[hash[i] & 15];
    }
    ret->hex[64] = 0;
}

static void put(struct buf *b, uint64_t v)
{
    do {
        buf_byte(b, (char)((v & 127) | (v > 127 ? 128 : 0)));
    } while (v >>= 7);
}

static void put_signed(struct buf *b, int32_t v)
{
    put(b, (uint32_t)v << 1 ^ (uint32_t)(v >> 31));
}

static void put_bytes(struct buf *b, const void *p, size_t n)
{
    put(b, n);
    buf_add(b, p, n);
}

static void put_arc(struct buf *b, struct object_arc arc)
{
    put_signed(b, arc.from);
    put_signed(b, arc.to);
}

static void put_spans(struct buf *b, const struct analysis *an)
{
    size_t n = 0;
    for (size_t l = 1; l < an->n_first; l++)
        n += an->first_line[l] == l;
    put(b, n);
    for (size_t l = 1, end; l < an->n_first; l = end) {
        for (end = l + 1; end < an->n_first && an->first_line[end] == an->first_line[l];)
            end++;
        if (!an->first_line[l])
            continue;
        put(b, l);
        put(b, end - 1);
    }
}

void cache_encode(struct buf *b, const struct analysis *an)
{
    size_t start = b->n;
    buf_add(b, MAGIC "\0\0\0\0", HEAD);
    put(b, str_has(an->error));
    put_bytes(b, an->error.p, an->error.n);
    put(b, (uint32_t)an->error_line);
    put(b, an->n_lines);
    put_bytes(b, an->statements.p, an->statements.n);
    put_bytes(b, an->excluded.p, an->excluded.n);
    put_bytes(b, an->no_branch.p, an->no_branch.n);
    put_spans(b, an);
    put(b, an->n_arcs);
    for (size_t i = 0; i < an->n_arcs; i++) {
        put_arc(b, an->arcs[i].arc);
        put(b, an->arcs[i].sure);
        put_bytes(b, an->arcs[i].action.p, an->arcs[i].action.n);
        put_bytes(b, an->arcs[i].missing.p, an->arcs[i].missing.n);
    }
    put(b, an->n_withs);
    for (size_t i = 0; i < an->n_withs; i++) {
        const struct analysis_with *w = &an->withs[i];
        put_arc(b, w->back);
        put_arc(b, w->instead);
        put(b, w->n_none);
        for (size_t j = 0; j < w->n_none; j++)
            put_arc(b, w->none[j]);
    }
    put(b, an->n_regions);
    for (size_t i = 0; i < an->n_regions; i++) {
        const struct analysis_region *r = &an->regions[i];
        put(b, r->kind);
        put_bytes(b, r->name.p, r->name.n);
        put(b, (uint32_t)r->start);
        put(b, (uint32_t)r->first);
        put(b, (uint32_t)r->last);
        put_bytes(b, r->lines.p, r->lines.n);
    }
    if (buf_failed(b))
        return;
    uint32_t crc =
        (uint32_t)crc32(0, (const Bytef *)b->p + start + HEAD, (uInt)(b->n - start - HEAD));
    for (int i = 0; i < 4; i++)
        b->p[start + 8 + (size_t)i] = (char)(crc >> 8 * i);
}

/* What is left to read; a failed one answers zeros. */
struct input {
    const uint8_t *p, *end;
    bool failed;
};

static uint64_t get(struct input *in, uint64_t max)
{
    uint64_t v = 0;
    for (int shift = 0; in->p < in->end && shift < 35; shift += 7) {
        uint8_t byte = *in->p++;
        v |= (uint64_t)(byte & 127) << shift;
        if (byte & 128)
            continue;
        if (v <= max)
            return v;
        break;
    }
    in->failed = true;
    in->p = in->end;
    return 0;
}

static int32_t get_signed(struct input *in)
{
    uint32_t v = (uint32_t)get(in, UINT32_MAX);
    return (int32_t)(v >> 1 ^ -(v & 1));
}

static struct object_arc get_arc(struct input *in)
{
    int32_t from = get_signed(in), to = get_signed(in);
    return (struct object_arc){from, to};
}

static struct str get_bytes(struct input *in)
{
    size_t n = get(in, (uint64_t)(in->end - in->p)); /* its own length counts: checked again */
    if (n > (size_t)(in->end - in->p)) {
        in->failed = true;
        return S("");
    }
    struct str s = str_of((const char *)in->p, n);
    in->p += n;
    return s;
}

/* How many of something that takes `least` bytes or more are to come. */
static size_t get_count(struct input *in, size_t least)
{
    return get(in, (uint64_t)(in->end - in->p) / least);
}

static struct bits get_set(struct input *in)
{
    struct str s = get_bytes(in);
    return (struct bits){(const uint8_t *)s.p, s.n};
}

static void get_spans(struct arena *a, struct input *in, struct analysis *an)
{
    size_t n = get_count(in, 2);
    uint32_t *spans = ARENA_ARRAY(a, uint32_t, 2 * n + 1);
    for (size_t i = 0; i < 2 * n; i++)
        spans[i] = (uint32_t)get(in, ANALYSIS_LINE_MAX);
    if (in->failed || analysis_set_spans(a, an, spans, 2 * n) < 0)
        in->failed = true;
}

static void get_arcs(struct arena *a, struct input *in, struct analysis *an)
{
    an->n_arcs = get_count(in, 5);
    struct analysis_arc *arcs = ARENA_ARRAY(a, struct analysis_arc, an->n_arcs + 1);
    for (size_t i = 0; i < an->n_arcs; i++) {
        arcs[i].arc = get_arc(in);
        arcs[i].sure = (enum analysis_sure)get(in, ANALYSIS_IF_SOURCE);
        arcs[i].action = get_bytes(in);
        arcs[i].missing = get_bytes(in);
    }
    an->arcs = arcs;
    an->n_withs = get_count(in, 5);
    struct analysis_with *withs = ARENA_ARRAY(a, struct analysis_with, an->n_withs + 1);
    for (size_t i = 0; i < an->n_withs; i++) {
        withs[i].back = get_arc(in);
        withs[i].instead = get_arc(in);
        withs[i].n_none = get_count(in, 2);
        struct object_arc *none = ARENA_ARRAY(a, struct object_arc, withs[i].n_none + 1);
        for (size_t j = 0; j < withs[i].n_none; j++)
            none[j] = get_arc(in);
        withs[i].none = none;
    }
    an->withs = withs;
}

static void get_regions(struct arena *a, struct input *in, struct analysis *an)
{
    an->n_regions = get_count(in, 6);
    struct analysis_region *regions = ARENA_ARRAY(a, struct analysis_region, an->n_regions + 1);
    for (size_t i = 0; i < an->n_regions; i++) {
        struct analysis_region *r = &regions[i];
        r->kind = get(in, ANALYSIS_CLASS);
        r->name = get_bytes(in);
        r->start = (int)get(in, an->n_lines + 1);
        r->first = (int)get(in, an->n_lines + 1);
        r->last = (int)get(in, an->n_lines + 1);
        r->lines = get_set(in);
        if (r->lines.n > bits_size(an->n_lines + 1) || r->first > r->last)
            in->failed = true;
    }
    an->regions = regions;
}

int cache_decode(struct arena *a, struct str data, struct analysis **ret)
{
    if (data.n < HEAD || memcmp(data.p, MAGIC, 8) != 0)
        return -EBADMSG;
    const uint8_t *p = (const uint8_t *)data.p;
    uint32_t crc = p[8] | (uint32_t)p[9] << 8 | (uint32_t)p[10] << 16 | (uint32_t)p[11] << 24;
    if (data.n > CACHE_ENTRY_MAX || crc32(0, p + HEAD, (uInt)(data.n - HEAD)) != crc)
        return -EBADMSG;
    struct input in = {p + HEAD, p + data.n, false};
    struct analysis *an = ARENA_NEW(a, struct analysis);
    bool has_error = get(&in, 1);
    struct str error = get_bytes(&in);
    if (has_error)
        an->error = error;
    an->error_line = (int)get(&in, ANALYSIS_LINE_MAX);
    an->n_lines = (uint32_t)get(&in, ANALYSIS_LINE_MAX);
    an->statements = get_set(&in);
    an->excluded = get_set(&in);
    an->no_branch = get_set(&in);
    get_spans(a, &in, an);
    get_arcs(a, &in, an);
    get_regions(a, &in, an);
    if (in.failed || in.p != in.end || !analysis_valid(an))
        return -EBADMSG;
    *ret = an;
    return 0;
}

static struct str entry_path(struct arena *a, struct str folder, const struct cache_key *key)
{
    return fs_join(a, folder, str_from(key->hex));
}

struct analysis *cache_load(struct arena *a, struct str folder, const struct cache_key *key)
{
    const char *path = entry_path(a, folder, key).p;
    struct str data;
    struct analysis *an;
    if (fs_read(path, CACHE_ENTRY_MAX, a, &data) < 0 || cache_decode(a, data, &an) < 0)
        return NULL;
    /* Its time says when it was of use last; once a day is exact enough. */
    struct stat st;
    if (stat(path, &st) == 0 && st.st_mtime + 86400 < time(NULL))
        utimensat(AT_FDCWD, path, NULL, 0);
    return an;
}

void cache_save(struct str folder, const struct cache_key *key, const struct analysis *an)
{
    auto_arena struct arena a;
    arena_init(&a);
    auto_buf struct buf b;
    buf_init(&b, CACHE_ENTRY_MAX);
    cache_encode(&b, an);
    if (!buf_failed(&b))
        fs_write(entry_path(&a, folder, key).p, buf_view(&b), 0600);
}

struct entry {
    char name[65];
    time_t used;
};

static int by_use(const void *va, const void *vb)
{
    const struct entry *a = va, *b = vb;
    return (a->used > b->used) - (a->used < b->used);
}

void cache_trim(struct str folder, size_t max)
{
    auto_arena struct arena a;
    arena_init(&a);
    DIR *dir = opendir(str_c(&a, folder));
    if (!dir)
        return;
    struct entry *entries = NULL;
    size_t n = 0, cap = 0;
    for (const struct dirent *e; (e = readdir(dir));) {
        if (strlen(e->d_name) != 64)
            continue;
        struct entry *entry = arena_push(&a, (void **)&entries, &n, &cap, sizeof(*entry));
        memcpy(entry->name, e->d_name, 65);
    }
    if (n > max) {
        for (size_t i = 0; i < n; i++) {
            struct stat st;
            entries[i].used = fstatat(dirfd(dir), entries[i].name, &st, 0) == 0 ? st.st_mtime : 0;
        }
        qsort(entries, n, sizeof(*entries), by_use);
        for (size_t i = 0; i < n - max * 3 / 4; i++)
            unlinkat(dirfd(dir), entries[i].name, 0);
    }
    closedir(dir);
}
