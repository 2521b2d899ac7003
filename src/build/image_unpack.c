/* image_unpack - layers become one folder: bytes from strangers become files.
 *
 * Every name is resolved by the kernel with the folder as its root (RESOLVE_IN_ROOT): later layers
 * may go through links of earlier ones (/lib -> usr/lib), and none leads out. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/map.h"
#include "base/mem.h"
#include "build/image_stream.h"
#include "build/tar.h"

#define DEPTH_MAX 256 /* whoever walks the tree holds a descriptor a level */
#define CHUNK 131072

struct unpack {
    int root;
    int depth_of_root; /* slashes in its true path */
    int64_t max_bytes;
    struct image_report *report;
    struct arena arena; /* of the current layer */
    struct map made;    /* names that the current layer has, with their folders */
    int last_dir;       /* the folder of the entry before */
    struct str last_dir_name;
};

/* ---- places ---- */

static int system_failed(struct unpack *u, int error, struct str name)
{
    if (error == -ENAMETOOLONG || error == -ELOOP)
        return image_fail(u->report, IMAGE_FAULT_UNSAFE, "a name leads nowhere: %.*s", STR(name));
    if (error == -ENOTDIR || error == -EEXIST)
        return image_fail(u->report, IMAGE_FAULT_BAD,
                          "a file stands where a folder is needed: %.*s", STR(name));
    return image_fail_system(u->report, error, name);
}

/* Without "./", "//" and a final '/'; absent when it is no name inside. Absolute names are meant
 * from the image's root. */
static struct str tidy_name(struct arena *a, struct str name)
{
    char *out = arena_alloc(a, name.n + 1);
    size_t n = 0;
    int depth = 0;
    struct str rest = name, part;
    for (bool more = true; more;) {
        more = str_cut(rest, '/', &part, &rest);
        if (part.n == 0 || str_is(part, "."))
            continue;
        if (str_is(part, "..") || part.n > NAME_MAX || ++depth > DEPTH_MAX)
            return (struct str){0};
        if (n)
            out[n++] = '/';
        memcpy(out + n, part.p, part.n);
        n += part.n;
    }
    return str_of(out, n);
}

static int open_inside(struct unpack *u, const char *path, uint64_t flags)
{
    struct open_how how = {.flags = flags | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, u->root, path[0] ? path : ".", &how, sizeof(how));
    return fd < 0 ? -errno : fd;
}

/* Through links a tree could be made deeper than any name is long. */
static int check_depth(struct unpack *u, int fd)
{
    char self[64], path[PATH_MAX];
    snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(self, path, sizeof(path));
    if (n < 0)
        return -errno;
    if (n == sizeof(path))
        return -ENAMETOOLONG;
    int depth = 0;
    for (ssize_t i = 0; i < n; i++)
        depth += path[i] == '/';
    return depth - u->depth_of_root > DEPTH_MAX ? -ENAMETOOLONG : depth;
}

static int make_folders(struct unpack *u, struct str name)
{
    int at = open_inside(u, "", O_PATH | O_DIRECTORY);
    for (size_t i = 0; i <= name.n && at >= 0; i++) {
        if (i < name.n && name.p[i] != '/')
            continue;
        struct str upto = str_slice(name, 0, i);
        const char *path = str_c(&u->arena, upto);
        int next = open_inside(u, path, O_PATH | O_DIRECTORY);
        if (next == -ENOENT) {
            ssize_t slash = str_find_last_byte(upto, '/');
            if (++u->report->n_entries > IMAGE_MAX_ENTRIES)
                next = -E2BIG;
            else if (mkdirat(at, path + slash + 1, 0755) < 0)
                next = -errno;
            else
                next = open_inside(u, path, O_PATH | O_DIRECTORY);
        }
        close(at);
        at = next;
    }
    return at;
}

/* A descriptor of the folder, made with its parents when missing. Borrowed until the next call. */
static int folder(struct unpack *u, struct str name)
{
    if (u->last_dir >= 0 && str_eq(name, u->last_dir_name))
        return u->last_dir;
    int fd = open_inside(u, str_c(&u->arena, name), O_PATH | O_DIRECTORY);
    if (fd == -ENOENT)
        fd = make_folders(u, name);
    if (fd < 0)
        return fd;
    int r = check_depth(u, fd);
    if (r < 0) {
        close(fd);
        return r;
    }
    if (u->last_dir >= 0)
        close(u->last_dir);
    u->last_dir = fd;
    u->last_dir_name = name;
    return fd;
}

static void forget_folder(struct unpack *u)
{
    if (u->last_dir >= 0)
        close(u->last_dir);
    u->last_dir = -1;
}

static struct str folder_of(struct str name)
{
    ssize_t slash = str_find_last_byte(name, '/');
    return slash < 0 ? S("") : str_slice(name, 0, (size_t)slash);
}

static struct str base_of(struct str name)
{
    ssize_t slash = str_find_last_byte(name, '/');
    return str_slice(name, (size_t)(slash + 1), name.n);
}

static int parent_of(struct unpack *u, struct str name, const char **ret_base)
{
    *ret_base = str_c(&u->arena, base_of(name));
    return folder(u, folder_of(name));
}

/* ---- removing ---- */

/* What stands there goes, except what the current layer has put there. `made` may be NULL: all
 * goes. */
static int remove_lower(struct unpack *u, const struct map *made, int parent, const char *name,
                        struct str path)
{
    bool kept = made && map_find(made, path);
    if (!kept && unlinkat(parent, name, 0) == 0)
        return 0;
    if (!kept && errno != EISDIR && errno != EPERM)
        return errno == ENOENT ? 0 : -errno;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOTDIR || errno == ELOOP || errno == ENOENT ? 0 : -errno;
    DIR *d = fdopendir(fd);
    if (!d) {
        int r = -errno;
        close(fd);
        return r;
    }
    int r = 0;
    for (struct dirent *e; r == 0 && (e = readdir(d));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        struct str below =
            made ? str_printf(&u->arena, "%.*s%s%s", STR(path), path.n ? "/" : "", e->d_name)
                 : S("");
        r = remove_lower(u, made, fd, e->d_name, below);
    }
    closedir(d);
    if (r == 0 && !kept && unlinkat(parent, name, AT_REMOVEDIR) < 0)
        r = -errno;
    return r;
}

/* Everything of lower layers in the folder. */
static int empty_folder(struct unpack *u, struct str name)
{
    int parent = folder(u, name);
    if (parent < 0)
        return parent;
    auto_close int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d)
        return -errno;
    int r = 0;
    for (struct dirent *e; r == 0 && (e = readdir(d));)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            r = remove_lower(
                u, &u->made, fd, e->d_name,
                str_printf(&u->arena, "%.*s%s%s", STR(name), name.n ? "/" : "", e->d_name));
    closedir(d);
    return r;
}

#define WHITEOUT ".wh."
#define OPAQUE ".wh..wh..opq"

static int white_out(struct unpack *u, struct str name)
{
    struct str base = base_of(name), dir = folder_of(name);
    int r = 0;
    if (str_is(base, OPAQUE)) {
        r = empty_folder(u, dir);
    } else if (!str_starts(base, S(WHITEOUT ".wh."))) { /* else: a note of aufs to itself */
        struct str gone = str_slice(base, sizeof(WHITEOUT) - 1, base.n);
        if (gone.n == 0 || str_is(gone, ".") || str_is(gone, ".."))
            return image_fail(u->report, IMAGE_FAULT_UNSAFE, "a whiteout of nothing: %.*s",
                              STR(name));
        int parent = folder(u, dir);
        r = parent < 0 ? parent
                       : remove_lower(u, &u->made, parent, str_c(&u->arena, gone),
                                      str_printf(&u->arena, "%.*s%s%.*s", STR(dir),
                                                 dir.n ? "/" : "", STR(gone)));
    }
    forget_folder(u); /* it may be gone */
    return r < 0 ? system_failed(u, r, name) : 0;
}

/* ---- entries ---- */

static void remember(struct unpack *u, struct str name)
{
    while (name.n && !map_find(&u->made, name)) {
        map_put(&u->made, name, u);
        name = folder_of(name);
    }
}

static int write_content(struct unpack *u, struct tar *t, int fd, struct str name)
{
    static _Thread_local char chunk[CHUNK];
    for (;;) {
        size_t n;
        int r = tar_read(t, chunk, sizeof(chunk), &n);
        if (r < 0)
            return r;
        if (n == 0)
            return 0;
        u->report->unpacked_bytes += (int64_t)n;
        if (u->report->unpacked_bytes > u->max_bytes)
            return image_fail(u->report, IMAGE_FAULT_SIZE, "unpacks to more than %lld bytes",
                              (long long)u->max_bytes);
        for (size_t done = 0; done < n;) {
            ssize_t w = write(fd, chunk + done, n - done);
            if (w < 0 && errno == EINTR)
                continue;
            if (w < 0)
                return system_failed(u, -errno, name);
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
        return system_failed(u, -errno, e->name);
    int r = write_content(u, t, fd, e->name);
    if (r == 0 && fchmod(fd, (e->mode & 0777) | 0600) < 0)
        r = system_failed(u, -errno, e->name);
    return r;
}

static int put_folder(struct unpack *u, const struct tar_entry *e, int parent, const char *base)
{
    struct stat st;
    mode_t mode = (e->mode & 01777) | 0700;
    if (fstatat(parent, base, &st, AT_SYMLINK_NOFOLLOW) < 0 && mkdirat(parent, base, 0755) < 0)
        return system_failed(u, -errno, e->name);
    return fchmodat(parent, base, mode, 0) < 0 ? system_failed(u, -errno, e->name) : 0;
}

static int put_hardlink(struct unpack *u, const struct tar_entry *e, int parent, const char *base)
{
    struct str target = tidy_name(&u->arena, e->target);
    if (!target.n)
        return image_fail(u->report, IMAGE_FAULT_UNSAFE, "a link leads out of the image: %.*s",
                          STR(e->name));
    auto_close int dir = open_inside(u, str_c(&u->arena, folder_of(target)), O_PATH | O_DIRECTORY);
    if (dir < 0 || linkat(dir, str_c(&u->arena, base_of(target)), parent, base, 0) < 0) {
        int r = dir < 0 ? dir : -errno;
        if (r == -ENOENT || r == -EPERM || r == -ENOTDIR)
            return image_fail(u->report, IMAGE_FAULT_BAD, "a hard link to no file: %.*s",
                              STR(e->name));
        return system_failed(u, r, e->name);
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
    return remove_lower(u, NULL, parent, base, S(""));
}

static int one_entry(struct unpack *u, struct tar *t, const struct tar_entry *e)
{
    struct str name = tidy_name(&u->arena, e->name);
    if (!str_has(name))
        return image_fail(u->report, IMAGE_FAULT_UNSAFE,
                          "a name leads out of the image, or is too deep: %.*s", STR(e->name));
    if (++u->report->n_entries > IMAGE_MAX_ENTRIES)
        return image_fail(u->report, IMAGE_FAULT_SIZE, "more than %d files", IMAGE_MAX_ENTRIES);
    if (name.n == 0)
        return 0; /* the root itself */
    if (str_starts(base_of(name), S(WHITEOUT)))
        return white_out(u, name);
    if (e->type == TAR_OTHER) {
        u->report->n_skipped++;
        return 0;
    }
    const char *base;
    int parent = parent_of(u, name, &base);
    if (parent < 0)
        return parent == -E2BIG ? image_fail(u->report, IMAGE_FAULT_SIZE, "more than %d files",
                                             IMAGE_MAX_ENTRIES)
                                : system_failed(u, parent, e->name);
    int r = make_room(u, e, parent, base);
    if (r < 0)
        return system_failed(u, r, e->name);
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
                   ? system_failed(u, -errno, e->name)
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
    static _Thread_local struct tar t;
    struct tar_entry e;
    int r;
    tar_init(&t, image_stream_read, s);
    while ((r = tar_next(&t, &e)) > 0) {
        r = one_entry(u, &t, &e);
        if (r < 0)
            break;
    }
    if (r == -EBADMSG && s->fault == IMAGE_STREAM_FINE)
        return image_fail(u->report, IMAGE_FAULT_BAD, "a damaged layer: %s", t.why);
    size_t n = 1;
    static _Thread_local char rest[CHUNK];
    while (r == 0 && n > 0)
        r = image_stream_read(s, rest, sizeof(rest), &n);
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
    static _Thread_local struct image_stream s;
    struct image_part part;
    int r = image_files_get(image->files, layer->member, &part);
    if (r == -ENOENT)
        return image_fail(u->report, IMAGE_FAULT_BAD, "the layer %.*s is missing",
                          STR(layer->member));
    if (r < 0)
        return image_fail_system(u->report, r, layer->member);
    auto_close int fd __attribute__((unused)) = part.fd;
    arena_init(&u->arena);
    map_init(&u->made);
    u->last_dir = -1;
    r = image_stream_open(&s, part, u->max_bytes + (1 << 30));
    if (r == 0)
        r = read_layer(u, &s);
    if (r < 0)
        r = layer_failed(u, &s, r, layer->member);
    if (r == 0) {
        bool raw =
            image_stream_is(&u->arena, TAKE(s.raw), layer->digest) || !str_has(layer->digest);
        bool plain = image_stream_is(&u->arena, TAKE(s.plain), layer->diff_id);
        if (!raw || !plain)
            r = image_fail(u->report, IMAGE_FAULT_BAD, "the layer %.*s does not have its digest",
                           STR(layer->member));
    }
    image_stream_close(&s);
    forget_folder(u);
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
        r = remove_lower(u, NULL, u->root, name, S(""));
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
    int r = there ? remove_lower(u, NULL, at, name, S("")) : 0;
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
    int depth = check_depth(&(struct unpack){.depth_of_root = INT_MAX / 2}, root);
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
