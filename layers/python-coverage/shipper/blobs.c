/* blobs - see blobs.h. */
#include "blobs.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "base/mem.h"

struct blob {
    char name[256];
    uint32_t kind;
    struct timespec changed;
    off_t size;
    bool gone;
};

struct blobs {
    int directory;
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
    if (b)
        free(b->items);
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
    struct blob *to = &b->items[b->n++];
    *to = (struct blob){.kind = kind, .size = -1};
    snprintf(to->name, sizeof(to->name), "%s", name);
    b->fresh = true;
}

void blobs_look(struct blobs *b)
{
    uint32_t kind;
    int fd = openat(b->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        if (fd >= 0)
            close(fd);
        return;
    }
    b->ignored = 0;
    for (struct dirent *e; (e = readdir(d));)
        if (kind_of(e->d_name, &kind))
            add(b, e->d_name, kind);
    closedir(d);
}

static bool changed(const struct blobs *b, const struct blob *it)
{
    struct stat st;
    if (fstatat(b->directory, it->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return !it->gone;
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
    *ret = str_of(p, n);
    return 0;
}

void blobs_read(struct blobs *b, struct arena *a, struct object_file **ret, size_t *ret_n,
                struct buf *missing)
{
    size_t n = 0, left = BLOBS_BYTES_MAX;
    struct object_file *files = ARENA_ARRAY(a, struct object_file, b->n + 1);
    for (size_t i = 0; i < b->n; i++) {
        struct str payload;
        int r = read_one(b, &b->items[i], a, left, &payload);
        if (r < 0) {
            buf_printf(missing, "%s%s: %s", missing->n ? "; " : "", b->items[i].name, strerror(-r));
            continue;
        }
        left -= payload.n;
        files[n++] = (struct object_file){
            .path = str_copy(a, str_from(b->items[i].name)),
            .kind = b->items[i].kind,
            .payload = payload,
        };
    }
    if (b->ignored)
        buf_printf(missing, "%s%zu more files", missing->n ? "; " : "", b->ignored);
    b->fresh = false;
    *ret = files;
    *ret_n = n;
}
