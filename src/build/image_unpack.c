/* image_unpack - layers become one folder: bytes from strangers become files. Where they may go is
 * image_unpack_tree's. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/mem.h"
#include "build/image_stream.h"
#include "build/image_unpack_tree.h"
#include "build/tar.h"

#define CHUNK 131072

/* ---- whiteouts ---- */

#define WHITEOUT ".wh."
#define OPAQUE ".wh..wh..opq"

static int white_out(struct unpack *u, struct str name)
{
    struct str base = unpack_base_of(name), dir = unpack_folder_of(name);
    int r = 0;
    if (str_is(base, OPAQUE)) {
        r = unpack_empty_folder(u, dir);
    } else if (!str_starts(base, S(WHITEOUT ".wh."))) { /* else: a note of aufs to itself */
        struct str gone = str_slice(base, sizeof(WHITEOUT) - 1, base.n);
        if (gone.n == 0 || str_is(gone, ".") || str_is(gone, ".."))
            return image_fail(u->report, IMAGE_FAULT_UNSAFE, "a whiteout of nothing: %.*s",
                              STR(name));
        int parent = unpack_folder(u, dir);
        r = parent < 0 ? parent
                       : unpack_remove(u, &u->made, parent, str_c(&u->arena, gone),
                                       str_printf(&u->arena, "%.*s%s%.*s", STR(dir),
                                                  dir.n ? "/" : "", STR(gone)));
    }
    unpack_forget_folder(u); /* it may be gone */
    return r < 0 ? unpack_failed(u, r, name) : 0;
}

/* ---- entries ---- */

static void remember(struct unpack *u, struct str name)
{
    while (name.n && !map_find(&u->made, name)) {
        map_put(&u->made, name, u);
        name = unpack_folder_of(name);
    }
}

static int write_content(struct unpack *u, struct tar *t, int fd, struct str name)
{
    for (;;) {
        size_t n;
        int r = tar_read(t, u->chunk, CHUNK, &n);
        if (r < 0)
            return r;
        if (n == 0)
            return 0;
        u->report->unpacked_bytes += (int64_t)n;
        if (u->report->unpacked_bytes > u->max_bytes)
            return image_fail(u->report, IMAGE_FAULT_SIZE, "unpacks to more than %lld bytes",
                              (long long)u->max_bytes);
        for (size_t done = 0; done < n;) {
            ssize_t w = write(fd, u->chunk + done, n - done);
            if (w < 0 && errno == EINTR)
                continue;
            if (w < 0)
                return unpack_failed(u, -errno, name);
            done += (size_t)w;
        }
    }
}

static int put_file(struct unpack *u, struct tar *t, const struct tar_entry *e, int parent,
                    const char *base)
{
    auto_close int fd =
        openat(parent, base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return unpack_failed(u, -errno, e->name);
    int r = write_content(u, t, fd, e->name);
    if (r == 0 && fchmod(fd, (e->mode & 0777) | 0600) < 0)
        r = unpack_failed(u, -errno, e->name);
    return r;
}

static int put_folder(struct unpack *u, const struct tar_entry *e, int parent, const char *base)
{
    struct stat st;
    mode_t mode = (e->mode & 01777) | 0700;
    if (fstatat(parent, base, &st, AT_SYMLINK_NOFOLLOW) < 0 && mkdirat(parent, base, 0755) < 0)
        return unpack_failed(u, -errno, e->name);
    return fchmodat(parent, base, mode, 0) < 0 ? unpack_failed(u, -errno, e->name) : 0;
}

static int put_hardlink(struct unpack *u, const struct tar_entry *e, int parent, const char *base)
{
    struct str target = unpack_tidy_name(&u->arena, e->target);
    if (!target.n)
        return image_fail(u->report, IMAGE_FAULT_UNSAFE, "a link leads out of the image: %.*s",
                          STR(e->name));
    auto_close int dir =
        unpack_open(u, str_c(&u->arena, unpack_folder_of(target)), O_PATH | O_DIRECTORY);
    if (dir < 0 || linkat(dir, str_c(&u->arena, unpack_base_of(target)), parent, base, 0) < 0) {
        int r = dir < 0 ? dir : -errno;
        if (r == -ENOENT || r == -EPERM || r == -ENOTDIR)
            return image_fail(u->report, IMAGE_FAULT_BAD, "a hard link to no file: %.*s",
                              STR(e->name));
        return unpack_failed(u, r, e->name);
    }
    return 0;
}

/* What stood there before makes room, unless both are folders. */
static int make_room(struct unpack *u, const struct tar_entry *e, int parent, const char *base)
{
    struct stat st;
    if (fstatat(parent, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (S_ISDIR(st.st_mode) && e->type == TAR_FOLDER)
        return 0;
    return unpack_remove(u, NULL, parent, base, S(""));
}

static int one_entry(struct unpack *u, struct tar *t, const struct tar_entry *e)
{
    struct str name = unpack_tidy_name(&u->arena, e->name);
    if (!str_has(name))
        return image_fail(u->report, IMAGE_FAULT_UNSAFE,
                          "a name leads out of the image, or is too deep: %.*s", STR(e->name));
    if (++u->report->n_entries > IMAGE_MAX_ENTRIES)
        return image_fail(u->report, IMAGE_FAULT_SIZE, "more than %d files", IMAGE_MAX_ENTRIES);
    if (name.n == 0)
        return 0; /* the root itself */
    if (str_starts(unpack_base_of(name), S(WHITEOUT)))
        return white_out(u, name);
    if (e->type == TAR_OTHER) {
        u->report->n_skipped++;
        return 0;
    }
    const char *base;
    int parent = unpack_parent_of(u, name, &base);
    if (parent < 0)
        return parent == -E2BIG ? image_fail(u->report, IMAGE_FAULT_SIZE, "more than %d files",
                                             IMAGE_MAX_ENTRIES)
                                : unpack_failed(u, parent, e->name);
    int r = make_room(u, e, parent, base);
    if (r < 0)
        return unpack_failed(u, r, e->name);
    remember(u, name);
    switch (e->type) {
    case TAR_FILE:
        return put_file(u, t, e, parent, base);
    case TAR_FOLDER:
        return put_folder(u, e, parent, base);
    case TAR_SYMLINK:
        if (!e->target.n)
            return image_fail(u->report, IMAGE_FAULT_BAD, "a link without a target: %.*s",
                              STR(e->name));
        return symlinkat(str_c(&u->arena, e->target), parent, base) < 0
                   ? unpack_failed(u, -errno, e->name)
                   : 0;
    case TAR_HARDLINK:
        return put_hardlink(u, e, parent, base);
    case TAR_OTHER:
        break;
    }
    return 0;
}

/* ---- layers ---- */

/* The tar and all that follows it: both digests go over every byte. */
static int read_layer(struct unpack *u, struct image_stream *s)
{
    struct tar *t = ARENA_NEW(&u->arena, struct tar);
    struct tar_entry e;
    int r;
    tar_init(t, image_stream_read, s);
    while ((r = tar_next(t, &e)) > 0) {
        r = one_entry(u, t, &e);
        if (r < 0)
            break;
    }
    if (r == -EBADMSG && s->fault == IMAGE_STREAM_FINE)
        return image_fail(u->report, IMAGE_FAULT_BAD, "a damaged layer: %s", t->why);
    size_t n = 1;
    while (r == 0 && n > 0)
        r = image_stream_read(s, u->chunk, CHUNK, &n);
    return r;
}

static int layer_failed(struct unpack *u, const struct image_stream *s, int error,
                        struct str member)
{
    if (u->report->fault)
        return error;
    switch (s->fault) {
    case IMAGE_STREAM_ZSTD:
        return image_fail(
            u->report, IMAGE_FAULT_UNSUPPORTED,
            "the layer %.*s is compressed with zstd, which is not supported: make the "
            "image with gzip layers",
            STR(member));
    case IMAGE_STREAM_DAMAGED:
        return image_fail(u->report, IMAGE_FAULT_BAD, "the layer %.*s is no gzip file, or damaged",
                          STR(member));
    case IMAGE_STREAM_LARGE:
        return image_fail(u->report, IMAGE_FAULT_SIZE,
                          "the layer %.*s unpacks to more than allowed", STR(member));
    case IMAGE_STREAM_FINE:
        break;
    }
    return image_fail_system(u->report, error, member);
}

static int one_layer(struct unpack *u, struct image *image, const struct image_layer *layer)
{
    auto_free struct image_stream *s = MEM_NEW(struct image_stream);
    struct image_part part;
    int r = image_files_get(image->files, layer->member, &part);
    if (r == -ENOENT)
        return image_fail(u->report, IMAGE_FAULT_BAD, "the layer %.*s is missing",
                          STR(layer->member));
    if (r < 0)
        return image_fail_system(u->report, r, layer->member);
    auto_close int fd __attribute__((unused)) = part.fd;
    arena_init(&u->arena);
    u->chunk = arena_alloc(&u->arena, CHUNK);
    map_init(&u->made);
    u->last_dir = -1;
    r = image_stream_open(s, part, u->max_bytes + (1 << 30));
    if (r == 0)
        r = read_layer(u, s);
    if (r < 0)
        r = layer_failed(u, s, r, layer->member);
    if (r == 0) {
        bool raw =
            image_stream_is(&u->arena, TAKE(s->raw), layer->digest) || !str_has(layer->digest);
        bool plain = image_stream_is(&u->arena, TAKE(s->plain), layer->diff_id);
        if (!raw || !plain)
            r = image_fail(u->report, IMAGE_FAULT_BAD, "the layer %.*s does not have its digest",
                           STR(layer->member));
    }
    image_stream_close(s);
    unpack_forget_folder(u);
    map_done(&u->made);
    arena_done(&u->arena);
    return r;
}

/* ---- where an environment mounts ---- */

static int ensure_folder(struct unpack *u, const char *name, mode_t mode)
{
    struct stat st;
    bool there = fstatat(u->root, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    int r = 0;
    if (there && !S_ISDIR(st.st_mode))
        r = unpack_remove(u, NULL, u->root, name, S(""));
    if (r == 0 && (!there || !S_ISDIR(st.st_mode)) && mkdirat(u->root, name, mode) < 0)
        r = -errno;
    return r;
}

static int ensure_file(struct unpack *u, const char *dir, const char *name)
{
    auto_close int at = openat(u->root, dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (at < 0)
        return -errno;
    bool there = fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (there && S_ISREG(st.st_mode))
        return 0;
    int r = there ? unpack_remove(u, NULL, at, name, S("")) : 0;
    if (r < 0)
        return r;
    auto_close int fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    return fd < 0 ? -errno : 0;
}

static int prepare_mounts(struct unpack *u)
{
    struct stat st;
    if (fstatat(u->root, "etc", &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode))
        return image_fail(u->report, IMAGE_FAULT_BAD, "/etc is not a folder");
    int r = ensure_folder(u, "dev", 0755);
    if (r == 0)
        r = ensure_folder(u, "proc", 0555);
    if (r == 0)
        r = ensure_folder(u, "tmp", 01777);
    if (r == 0)
        r = ensure_folder(u, "etc", 0755);
    if (r == 0)
        r = ensure_file(u, "etc", "hosts");
    if (r == 0)
        r = ensure_file(u, "etc", "resolv.conf");
    return r < 0 ? image_fail_system(u->report, r, S("/etc, /dev, /proc or /tmp")) : 0;
}

int image_unpack(struct image *image, const char *dir, int64_t max_bytes,
                 struct image_report *report)
{
    struct unpack u = {.max_bytes = max_bytes, .report = report, .last_dir = -1};
    *report = (struct image_report){0};
    auto_close int root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return image_fail_system(report, -errno, str_from(dir));
    u.root = root;
    int depth = unpack_check_depth(&(struct unpack){.depth_of_root = INT_MAX / 2}, root);
    if (depth < 0)
        return image_fail_system(report, depth, str_from(dir));
    u.depth_of_root = depth;
    int r = 0;
    for (size_t i = 0; r == 0 && i < image->n_layers; i++)
        r = one_layer(&u, image, &image->layers[i]);
    if (r == 0) {
        arena_init(&u.arena);
        r = prepare_mounts(&u);
        arena_done(&u.arena);
    }
    return r;
}
