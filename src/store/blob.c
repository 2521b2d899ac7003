/* blob - big values as files beside the database.
 *
 * The key "blob" 0x00 id says that a file is wanted. Files are made before their key is committed
 * and removed after its deletion is: a file without key is rubbish, a key without file cannot be.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/internal.h"

struct blob {
    struct store *store;
    int fd, error;
    int64_t size;
    char *path;
};

struct str blob_key(struct arena *a, struct str id)
{
    return store_key(a, 2, S("blob"), id);
}

static bool is_id(struct str id)
{
    for (size_t i = 0; i < id.n; i++)
        if (!((id.p[i] >= '0' && id.p[i] <= '9') || (id.p[i] >= 'a' && id.p[i] <= 'f')))
            return false;
    return id.n == 32;
}

struct str blob_path(struct store *s, struct str id, struct arena *a)
{
    /* 256 folders: file systems and people are slow with a million files in one. */
    return str_printf(a, "%s/%.*s/%.*s", s->blobs, id.n > 2 ? 2 : (int)id.n, id.p, STR(id));
}

struct blob *blob_create(struct store *s)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct blob *b = MEM_NEW(struct blob);
    b->store = s;
    b->path = mem_dup_text(str_printf(&a, "%s/blob-%.*s", s->tmp, STR(random_hex(&a, 32))).p);
    b->fd = open(b->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    b->error = b->fd < 0 ? -errno : 0;
    return b;
}

int blob_write(struct blob *b, const void *p, size_t n)
{
    if (b->error == 0)
        b->error = fs_write_all(b->fd, p, n);
    b->size += (int64_t)n;
    return b->error;
}

void blob_abort(struct blob *b)
{
    if (!b)
        return;
    if (b->fd >= 0) {
        close(b->fd);
        unlink(b->path);
    }
    free(b->path);
    free(b);
}

static int sync_folder(const char *path)
{
    auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return -errno;
    return 0;
}

/* The finished file at path becomes a blob. */
static int take_file(struct store *s, const char *path, int64_t size, struct arena *a,
                     struct str *ret_id)
{
    struct str id = random_hex(a, 32);
    struct str target = blob_path(s, id, a);
    struct str folder = fs_dirname(a, target);
    int r = store_put(s, blob_key(a, id), str_printf(a, "%lld", (long long)size));
    if (r < 0)
        return r;
    map_put(&s->touched, id, s);
    if (rename(path, target.p) < 0) {
        if (errno != ENOENT)
            return -errno;
        r = fs_mkdirs(folder.p, 0700);
        if (r == 0 && rename(path, target.p) < 0)
            r = -errno;
        if (r == 0 && s->durable)
            r = sync_folder(s->blobs);
    }
    if (r == 0 && s->durable)
        r = sync_folder(folder.p);
    if (r < 0) {
        store_delete(s, blob_key(a, id));
        return r;
    }
    *ret_id = id;
    return 0;
}

int blob_finish(struct blob *b, struct arena *a, struct str *ret_id)
{
    int r = b->error;
    if (r == 0 && b->store->durable && fdatasync(b->fd) < 0)
        r = -errno;
    if (r == 0)
        r = take_file(b->store, b->path, b->size, a, ret_id);
    if (r < 0) {
        blob_abort(b);
        return r;
    }
    close(b->fd);
    free(b->path);
    free(b);
    return 0;
}

int blob_put(struct store *s, struct str data, struct arena *a, struct str *ret_id)
{
    struct blob *b = blob_create(s);
    blob_write(b, data.p, data.n);
    return blob_finish(b, a, ret_id);
}

int blob_adopt(struct store *s, const char *path, struct arena *a, struct str *ret_id)
{
    auto_close int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    if (s->durable && fdatasync(fd) < 0)
        return -errno;
    return take_file(s, path, st.st_size, a, ret_id);
}

int blob_delete(struct store *s, struct str id)
{
    auto_arena struct arena a;
    arena_init(&a);
    if (!is_id(id))
        return -EINVAL;
    int r = store_delete(s, blob_key(&a, id));
    if (r == 0)
        map_put(&s->touched, id, s);
    return r;
}

int blob_open(struct store *s, struct str id, int *ret_fd, int64_t *ret_size)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str value;
    int64_t size;
    if (!is_id(id))
        return -ENOENT;
    int r = store_get(s, blob_key(&a, id), &a, &value);
    if (r < 0)
        return r;
    auto_close int fd = open(blob_path(s, id, &a).p, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return errno == ENOENT ? -EIO : -errno; /* a key without file: the folder is damaged */
    if (str_to_int64(value, &size) < 0 || size != st.st_size)
        return -EIO;
    *ret_fd = TAKE_FD(fd);
    *ret_size = size;
    return 0;
}

void blobs_settle(struct store *s)
{
    auto_arena struct arena a;
    arena_init(&a);
    size_t at = 0;
    struct str id;
    while (map_next(&s->touched, &at, &id, NULL)) {
        /* Only a certain "no such key" removes a file: an unreadable database must not. */
        if (store_get(s, blob_key(&a, id), NULL, NULL) == -ENOENT)
            unlink(blob_path(s, id, &a).p);
    }
    map_done(&s->touched);
}

static void sweep_folder(struct store *s, const char *name, struct arena *a)
{
    struct str path = fs_join(a, str_from(s->blobs), str_from(name));
    DIR *d = opendir(path.p);
    if (!d)
        return;
    struct dirent *e;
    while ((e = readdir(d))) {
        struct str id = str_from(e->d_name);
        if (!is_id(id) || store_get(s, blob_key(a, id), NULL, NULL) != -ENOENT)
            continue;
        log_debug("store: removing the orphan blob %s", e->d_name);
        unlinkat(dirfd(d), e->d_name, 0);
    }
    closedir(d);
}

int blobs_sweep(struct store *s)
{
    auto_arena struct arena a;
    arena_init(&a);
    DIR *d = opendir(s->blobs);
    if (!d)
        return -errno;
    struct dirent *e;
    while ((e = readdir(d)))
        if (e->d_name[0] != '.')
            sweep_folder(s, e->d_name, &a);
    closedir(d);
    return 0;
}
