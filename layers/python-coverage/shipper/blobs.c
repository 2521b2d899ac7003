/* blobs - see blobs.h. */
#include "blobs.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <zlib.h>
#include "base/cleanup.h"
#include "base/mem.h"
#include "ledger.h"
#include "stamp.h"

#define DEPTH_MAX 24

struct blob {
    char *name;
    uint32_t kind;
    bool mapped; /* its time says nothing */
    bool young;  /* it was written so shortly before it was read that its time says nothing */
    uint32_t crc;
    struct timespec changed;
    off_t size;
    bool gone;
};

/* A source's hash, which does not change while it is run. */
struct source {
    char *path;
    bool has;
    uint8_t sha256[32];
};

struct blobs {
    int directory;
    struct source *sources;
    size_t n_sources;
    bool nested; /* there is gcov/ */
    struct blob *items;
    size_t n;
    size_t ignored;
    bool fresh; /* there are some that have not been read yet */
};

struct blobs *blobs_new(int directory)
{
    struct blobs *b = MEM_NEW(struct blobs);
    b->directory = directory;
    return b;
}

void blobs_free(struct blobs *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->n; i++)
        free(b->items[i].name);
    for (size_t i = 0; i < b->n_sources; i++)
        free(b->sources[i].path);
    free(b->items);
    free(b->sources);
    free(b);
}

static bool kind_of(const char *name, uint32_t *ret)
{
    struct str s = str_from(name);
    if (name[0] == '.')
        return false;
    *ret = str_ends(s, S(".v8")) ? OBJECT_V8 : OBJECT_BLOB;
    return *ret == OBJECT_V8 || str_ends(s, S(".gcda")) || str_ends(s, S(".profraw"));
}

static void add(struct blobs *b, const char *name, uint32_t kind)
{
    for (size_t i = 0; i < b->n; i++)
        if (!strcmp(b->items[i].name, name))
            return;
    if (b->n == BLOBS_MAX) {
        b->ignored++;
        return;
    }
    b->items = mem_realloc(b->items, (b->n + 1) * sizeof(*b->items));
    b->items[b->n++] = (struct blob){.name = mem_dup_text(name),
                                     .kind = kind,
                                     .mapped = str_ends(str_from(name), S(".profraw")),
                                     .size = -1};
    b->fresh = true;
}

static DIR *open_dir(const struct blobs *b, const char *name)
{
    int fd = openat(b->directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d && fd >= 0)
        close(fd);
    return d;
}

/* What gcc's counters have as their folders: the build's, as it was. */
static void look_below(struct blobs *b, const char *dir, int depth)
{
    DIR *d = open_dir(b, dir);
    uint32_t kind;
    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d));) {
        char path[4096];
        if (e->d_name[0] == '.' ||
            (size_t)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >= sizeof(path))
            continue;
        if (kind_of(e->d_name, &kind) && kind == OBJECT_BLOB)
            add(b, path, kind);
        else if (depth < DEPTH_MAX)
            look_below(b, path, depth + 1);
    }
    closedir(d);
}

void blobs_look(struct blobs *b)
{
    uint32_t kind;
    DIR *d = open_dir(b, ".");
    if (!d)
        return;
    b->ignored = 0;
    for (struct dirent *e; (e = readdir(d));) {
        if (kind_of(e->d_name, &kind))
            add(b, e->d_name, kind);
        b->nested = b->nested || !strcmp(e->d_name, "gcov");
    }
    closedir(d);
    if (b->nested)
        look_below(b, "gcov", 0);
}

bool blobs_nested(const struct blobs *b)
{
    return b->nested;
}

bool blobs_any(const struct blobs *b)
{
    return b->n > 0;
}

static uint32_t crc_of(const struct blobs *b, const char *name)
{
    char chunk[16384];
    ssize_t n;
    uLong crc = crc32(0, NULL, 0);
    auto_close int fd = openat(b->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    while (fd >= 0 && (n = read(fd, chunk, sizeof(chunk))) > 0)
        crc = crc32(crc, (const Bytef *)chunk, (uInt)n);
    return (uint32_t)crc;
}

static bool changed(const struct blobs *b, struct blob *it)
{
    struct stat st;
    if (fstatat(b->directory, it->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return !it->gone;
    if ((it->mapped || it->young) && st.st_size == it->size && st.st_size <= BLOBS_BYTES_MAX) {
        bool same_time =
            st.st_mtim.tv_sec == it->changed.tv_sec && st.st_mtim.tv_nsec == it->changed.tv_nsec;
        if (it->young && same_time && stamp_is_settled(stamp_ns(st.st_mtim)))
            it->young = false; /* one more look at its bytes, from then on its time does */
        return crc_of(b, it->name) != it->crc;
    }
    return st.st_size != it->size || st.st_mtim.tv_sec != it->changed.tv_sec ||
           st.st_mtim.tv_nsec != it->changed.tv_nsec;
}

bool blobs_news(struct blobs *b)
{
    bool any = b->fresh;
    for (size_t i = 0; i < b->n && !any; i++)
        any = changed(b, &b->items[i]);
    return any;
}

static int read_one(struct blobs *b, struct blob *it, struct arena *a, size_t max, struct str *ret)
{
    struct stat st;
    auto_close int fd =
        openat(b->directory, it->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    it->gone = fd < 0;
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    it->changed = st.st_mtim;
    it->young = !stamp_is_settled(stamp_ns(st.st_mtim));
    it->size = st.st_size;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    if ((uint64_t)st.st_size > max)
        return -EFBIG;
    char *p = arena_alloc(a, (size_t)st.st_size + 1);
    size_t n = 0;
    while (n < (size_t)st.st_size) {
        ssize_t got = read(fd, p + n, (size_t)st.st_size - n);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    it->crc = (uint32_t)crc32(crc32(0, NULL, 0), (const Bytef *)p, (uInt)n);
    *ret = str_of(p, n);
    return 0;
}

static const struct source *source_of(struct blobs *b, struct str path)
{
    for (size_t i = 0; i < b->n_sources; i++)
        if (str_is(path, b->sources[i].path))
            return &b->sources[i];
    b->sources = mem_realloc(b->sources, (b->n_sources + 1) * sizeof(*b->sources));
    struct source *s = &b->sources[b->n_sources++];
    *s = (struct source){.path = mem_alloc(path.n + 1)};
    memcpy(s->path, path.p, path.n);
    s->path[path.n] = 0;
    s->has = ledger_hash(s->path, s->sha256) == 0;
    return s;
}

struct records {
    struct arena *arena;
    struct object_file *items;
    size_t n, cap;
};

static struct object_file *add_record(struct records *r, struct object_file file)
{
    struct object_file *to =
        arena_push(r->arena, (void **)&r->items, &r->n, &r->cap, sizeof(*r->items));
    *to = file;
    return to;
}

/* PATH TAB PAYLOAD LF, for each source. */
static void add_lines(struct blobs *b, struct records *r, struct str text)
{
    struct str line, path, payload;
    while (str_cut(text, '\n', &line, &text)) {
        if (!str_cut(line, '\t', &path, &payload) || !path.n || memchr(path.p, 0, path.n))
            continue;
        const struct source *s = source_of(b, path);
        struct object_file *file = add_record(
            r, (struct object_file){
                   .path = path, .kind = OBJECT_V8, .has_sha256 = s->has, .payload = payload});
        memcpy(file->sha256, s->sha256, sizeof(file->sha256));
    }
}

void blobs_read(struct blobs *b, struct arena *a, struct object_file **ret, size_t *ret_n,
                struct buf *missing)
{
    size_t left = BLOBS_BYTES_MAX;
    struct records records = {.arena = a};
    for (size_t i = 0; i < b->n; i++) {
        struct str payload, name = str_from(b->items[i].name);
        int r = read_one(b, &b->items[i], a, left, &payload);
        if (r < 0) {
            buf_printf(missing, "%s%s: %s", missing->n ? "; " : "", b->items[i].name, strerror(-r));
            continue;
        }
        left -= payload.n;
        if (b->items[i].kind == OBJECT_V8)
            add_lines(b, &records, payload);
        else
            add_record(&records, (struct object_file){.path = str_copy(a, name),
                                                      .kind = b->items[i].kind,
                                                      .payload = payload});
    }
    if (b->ignored)
        buf_printf(missing, "%s%zu more files", missing->n ? "; " : "", b->ignored);
    b->fresh = false;
    *ret = records.items;
    *ret_n = records.n;
}
