/* cache_pack - many analyses in one file: a thousand files take longer to make than their contents.
 *
 * "LAMPACK1", u32 LE number of entries, u32 LE CRC-32 of the index; the index by key: 64 bytes of
 * the key, u32 LE place, u32 LE size; then the entries, as in files of their own. Packs are never
 * changed: what a later run adds is in a pack, or in files, of its own. */
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "coverage/analysis_internal.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#define MAGIC "LAMPACK1"
#define HEAD 16
#define KEY 64
#define ROW (KEY + 8)
#define ENTRIES_MAX (1u << 20)
#define PACK_MAX ((size_t)1 << 30)
#define SUFFIX ".pack"
#define HALF_AGE 3600 /* nobody writes so long */

static uint32_t get32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put32(char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (char)(v >> 8 * i);
}

static bool read_at(int fd, void *p, size_t n, size_t at)
{
    return pread(fd, p, n, (off_t)at) == (ssize_t)n;
}

bool pack_index(struct arena *a, int fd, struct pack *ret)
{
    uint8_t head[HEAD];
    struct stat st;
    *ret = (struct pack){.fd = fd};
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !read_at(fd, head, HEAD, 0) ||
        memcmp(head, MAGIC, 8) != 0 || get32(head + 8) > ENTRIES_MAX)
        return false;
    ret->n = get32(head + 8);
    if ((size_t)st.st_size < HEAD + ret->n * (size_t)ROW)
        return false;
    uint8_t *index = arena_alloc(a, ret->n * (size_t)ROW + 1);
    ret->index = index;
    ret->is_old = st.st_mtime + 86400 < time(NULL);
    return read_at(fd, index, ret->n * (size_t)ROW, HEAD) &&
           crc32(0, index, (uInt)(ret->n * (size_t)ROW)) == get32(head + 12);
}

static int by_time(const void *va, const void *vb)
{
    const struct pack_name *a = va, *b = vb;
    return (a->used < b->used) - (a->used > b->used);
}

/* Names of all packs in the folder, those that were of use last first. What a writer that was
 * killed has left goes. */
static size_t names(struct arena *a, int dir_fd, struct pack_name **ret)
{
    int fd = dup(dir_fd);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct pack_name *list = NULL;
    size_t n = 0, cap = 0;
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    rewinddir(dir);
    for (const struct dirent *e; (e = readdir(dir));) {
        struct str name = str_from(e->d_name);
        struct stat st;
        bool half = str_find(name, S(SUFFIX ".tmp-")) >= 0;
        if ((!half && !str_ends(name, S(SUFFIX))) ||
            fstatat(dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (half) {
            if (st.st_mtime + HALF_AGE < time(NULL))
                unlinkat(dir_fd, e->d_name, 0);
            continue;
        }
        struct pack_name *p = arena_push(a, (void **)&list, &n, &cap, sizeof *list);
        *p = (struct pack_name){str_c(a, str_copy(a, name)), st.st_mtime};
    }
    closedir(dir);
    if (n)
        qsort(list, n, sizeof *list, by_time);
    *ret = list;
    return n;
}

void packs_open(struct arena *a, struct str folder, struct packs *ret)
{
    auto_close int dir = open(str_c(a, folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct pack_name *all;
    ret->n = 0;
    size_t n = dir < 0 ? 0 : names(a, dir, &all);
    for (size_t i = 0; i < n && ret->n < PACKS_MAX; i++) {
        int flags =
            O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC; /* a pipe does not make us wait */
        int fd = openat(dir, all[i].name, flags);
        if (fd < 0)
            continue;
        if (pack_index(a, fd, &ret->list[ret->n]))
            ret->n++;
        else
            close(fd);
    }
}

void packs_close(struct packs *p)
{
    for (size_t i = 0; i < p->n; i++)
        close(p->list[i].fd);
    p->n = 0;
}

static int row_cmp(const void *key, const void *row)
{
    return memcmp(key, row, KEY);
}

/* An entry's bytes; absent when the pack does not have it. */
static bool entry(struct arena *a, const struct pack *p, const struct cache_key *key,
                  struct str *ret)
{
    const uint8_t *row = p->n ? bsearch(key->hex, p->index, p->n, ROW, row_cmp) : NULL;
    if (!row || get32(row + KEY + 4) > CACHE_ENTRY_MAX)
        return false;
    size_t size = get32(row + KEY + 4);
    char *bytes = arena_alloc(a, size + 1);
    *ret = str_of(bytes, size);
    return read_at(p->fd, bytes, size, get32(row + KEY));
}

struct analysis *packs_load(struct arena *a, struct packs *packs, const struct cache_key *key)
{
    for (size_t i = 0; i < packs->n; i++) {
        struct pack *p = &packs->list[i];
        struct str data;
        struct analysis *an;
        if (!entry(a, p, key, &data) || cache_decode(a, data, &an) < 0)
            continue;
        if (p->is_old)
            futimens(p->fd, NULL); /* its time says when it was of use last, to a day */
        p->is_old = false;
        return an;
    }
    return NULL;
}

/* ---- writing ---- */

static int key_cmp(const void *va, const void *vb)
{
    const struct pack_item *a = va, *b = vb;
    return memcmp(a->key->hex, b->key->hex, KEY);
}

/* Those that were of use longest ago make room. */
static void trim(struct arena *a, struct str folder)
{
    auto_close int dir = open(str_c(a, folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct pack_name *all;
    size_t n = dir < 0 ? 0 : names(a, dir, &all);
    for (size_t i = PACKS_MAX; i < n; i++)
        unlinkat(dir, all[i].name, 0);
}

void pack_save(struct str folder, struct pack_item *items, size_t n)
{
    auto_arena struct arena a;
    auto_buf struct buf b;
    arena_init(&a);
    buf_init(&b, PACK_MAX);
    if (!n || n > ENTRIES_MAX)
        return;
    qsort(items, n, sizeof *items, key_cmp);
    size_t index_size = n * ROW;
    char *index = arena_alloc(&a, index_size);
    buf_add(&b, MAGIC "\0\0\0\0\0\0\0\0", HEAD);
    buf_add(&b, index, index_size);
    for (size_t i = 0; i < n; i++) {
        char *row = index + i * ROW;
        size_t at = b.n;
        cache_encode(&b, items[i].analysis);
        memcpy(row, items[i].key->hex, KEY);
        put32(row + KEY, (uint32_t)at);
        put32(row + KEY + 4, (uint32_t)(b.n - at));
    }
    if (buf_failed(&b))
        return;
    put32(b.p + 8, (uint32_t)n);
    put32(b.p + 12, (uint32_t)crc32(0, (const Bytef *)index, (uInt)index_size));
    memcpy(b.p + HEAD, index, index_size);
    struct str name = str_printf(&a, "%.32s" SUFFIX, sha256_hex(&a, str_of(index, index_size)).p);
    if (fs_write(str_c(&a, fs_join(&a, folder, name)), buf_view(&b), 0600) == 0)
        trim(&a, folder);
}
