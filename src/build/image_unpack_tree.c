/* image_unpack_tree - names inside the folder that layers become: see image_unpack_tree.h. */
#include "build/image_unpack_tree.h"
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

#define DEPTH_MAX 256 /* whoever walks the tree holds a descriptor a level */

/* ---- places ---- */

int unpack_failed(struct unpack *u, int error, struct str name)
{
    if (error == -ENAMETOOLONG || error == -ELOOP)
        return image_fail(u->report, IMAGE_FAULT_UNSAFE, "a name leads nowhere: %.*s", STR(name));
    if (error == -ENOTDIR || error == -EEXIST)
        return image_fail(u->report, IMAGE_FAULT_BAD,
                          "a file stands where a folder is needed: %.*s", STR(name));
    return image_fail_system(u->report, error, name);
}

struct str unpack_tidy_name(struct arena *a, struct str name)
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

int unpack_open(struct unpack *u, const char *path, uint64_t flags)
{
    struct open_how how = {.flags = flags | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, u->root, path[0] ? path : ".", &how, sizeof(how));
    return fd < 0 ? -errno : fd;
}

int unpack_check_depth(struct unpack *u, int fd)
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
    int at = unpack_open(u, "", O_PATH | O_DIRECTORY);
    for (size_t i = 0; i <= name.n && at >= 0; i++) {
        if (i < name.n && name.p[i] != '/')
            continue;
        struct str upto = str_slice(name, 0, i);
        const char *path = str_c(&u->arena, upto);
        int next = unpack_open(u, path, O_PATH | O_DIRECTORY);
        if (next == -ENOENT) {
            ssize_t slash = str_find_last_byte(upto, '/');
            if (++u->report->n_entries > IMAGE_MAX_ENTRIES)
                next = -E2BIG;
            else if (mkdirat(at, path + slash + 1, 0755) < 0)
                next = -errno;
            else
                next = unpack_open(u, path, O_PATH | O_DIRECTORY);
        }
        close(at);
        at = next;
    }
    return at;
}

int unpack_folder(struct unpack *u, struct str name)
{
    if (u->last_dir >= 0 && str_eq(name, u->last_dir_name))
        return u->last_dir;
    int fd = unpack_open(u, str_c(&u->arena, name), O_PATH | O_DIRECTORY);
    if (fd == -ENOENT)
        fd = make_folders(u, name);
    if (fd < 0)
        return fd;
    int r = unpack_check_depth(u, fd);
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

void unpack_forget_folder(struct unpack *u)
{
    if (u->last_dir >= 0)
        close(u->last_dir);
    u->last_dir = -1;
}

struct str unpack_folder_of(struct str name)
{
    ssize_t slash = str_find_last_byte(name, '/');
    return slash < 0 ? S("") : str_slice(name, 0, (size_t)slash);
}

struct str unpack_base_of(struct str name)
{
    ssize_t slash = str_find_last_byte(name, '/');
    return str_slice(name, (size_t)(slash + 1), name.n);
}

int unpack_parent_of(struct unpack *u, struct str name, const char **ret_base)
{
    *ret_base = str_c(&u->arena, unpack_base_of(name));
    return unpack_folder(u, unpack_folder_of(name));
}

/* ---- removing ---- */

int unpack_remove(struct unpack *u, const struct map *made, int parent, const char *name,
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
        r = unpack_remove(u, made, fd, e->d_name, below);
    }
    closedir(d);
    if (r == 0 && !kept && unlinkat(parent, name, AT_REMOVEDIR) < 0)
        r = -errno;
    return r;
}

int unpack_empty_folder(struct unpack *u, struct str name)
{
    int parent = unpack_folder(u, name);
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
            r = unpack_remove(
                u, &u->made, fd, e->d_name,
                str_printf(&u->arena, "%.*s%s%s", STR(name), name.n ? "/" : "", e->d_name));
    closedir(d);
    return r;
}
