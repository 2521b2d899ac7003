/* fs - files and folders. */
#include "base/fs.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/mem.h"

int fs_read(const char *path, size_t max, struct arena *a, struct str *ret)
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    /* The size is a hint only: files of /proc say 0, others may grow meanwhile. */
    size_t cap = st.st_size > 0 ? (size_t)st.st_size + 1 : 4096, n = 0;
    if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > max)
        return -EMSGSIZE;
    char *p = arena_alloc(a, cap + 1);
    for (;;) {
        if (n > max)
            return -EMSGSIZE;
        if (n == cap) {
            char *more = arena_alloc(a, cap * 2 + 1);
            memcpy(more, p, n);
            p = more;
            cap *= 2;
        }
        ssize_t got = read(fd, p + n, cap - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    p[n] = 0;
    *ret = (struct str){p, n};
    return 0;
}

int fs_write_all(int fd, const void *p, size_t n)
{
    const char *from = p;
    while (n > 0) {
        ssize_t put = write(fd, from, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -errno;
        from += put;
        n -= (size_t)put;
    }
    return 0;
}

/* A new file next to path, under a name nobody has. */
static int temp_beside(const char *path, int mode, char **ret_name)
{
    static unsigned counter;
    size_t size = strlen(path) + 48;
    char *name = mem_alloc(size);
    for (int i = 0; i < 100; i++) {
        unsigned count = __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
        snprintf(name, size, "%s.tmp-%ld-%u", path, (long)getpid(), count);
        int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (fd >= 0) {
            *ret_name = name;
            return fd;
        }
        if (errno != EEXIST)
            break;
    }
    int r = -errno;
    free(name);
    return r;
}

bool fs_is_special(const char *path)
{
    struct stat st;
    /* /dev/stdout may lead to a file; what is in /dev/shm are files. */
    bool device = strncmp(path, "/dev/", 5) == 0 && strncmp(path, "/dev/shm/", 9) != 0;
    return device || (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode));
}

int fs_write(const char *path, struct str data, int mode)
{
    char *temp;
    if (fs_is_special(path)) {
        auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
        return fd < 0 ? -errno : fs_write_all(fd, data.p, data.n);
    }
    int fd = temp_beside(path, mode, &temp);
    if (fd < 0)
        return fd;
    int r = fs_write_all(fd, data.p, data.n);
    if (close(fd) < 0 && r == 0)
        r = -errno;
    if (r == 0 && rename(temp, path) < 0)
        r = -errno;
    if (r < 0)
        unlink(temp);
    free(temp);
    return r;
}

static int make_folder(const char *path, int mode)
{
    struct stat st;
    if (mkdir(path, (mode_t)mode) == 0)
        return 0;
    int r = -errno;
    if (r == -EEXIST || r == -EROFS || r == -EACCES || r == -EPERM) {
        if (stat(path, &st) == 0)
            return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
    }
    return r;
}

int fs_mkdirs(const char *path, int mode)
{
    auto_free char *copy = mem_dup_text(path);
    if (!*copy)
        return -ENOENT;
    for (char *p = copy + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = 0;
        int r = make_folder(copy, mode);
        *p = '/';
        if (r < 0)
            return r;
    }
    return make_folder(copy, mode);
}

static int remove_below(int dir_fd); /* takes dir_fd over */

static int remove_at(int parent, const char *name)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -errno;
    int r = -errno;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES && fchmodat(parent, name, 0700, 0) == 0)
        fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOTDIR ? r : -errno;
    r = remove_below(fd);
    if (r == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        r = -errno;
    return r;
}

static int remove_below(int dir_fd)
{
    struct stat st;
    if (fstat(dir_fd, &st) == 0 && (st.st_mode & 0300) != 0300)
        fchmod(dir_fd, st.st_mode | 0700); /* read-only folders are removed as well */
    DIR *dir = fdopendir(dir_fd);
    if (!dir) {
        int r = -errno;
        close(dir_fd);
        return r;
    }
    int r = 0;
    struct dirent *e;
    while (errno = 0, (e = readdir(dir))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        int one = remove_at(dir_fd, e->d_name);
        if (one < 0 && r == 0)
            r = one; /* the rest goes all the same */
    }
    if (r == 0 && errno)
        r = -errno;
    closedir(dir);
    return r;
}

int fs_remove_tree(const char *path)
{
    return remove_at(AT_FDCWD, path);
}

bool fs_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

struct str fs_join(struct arena *a, struct str dir, struct str name)
{
    if (str_starts(name, S("/")) || dir.n == 0)
        return str_copy(a, name);
    bool slash = dir.p[dir.n - 1] == '/';
    struct str parts[2] = {dir, name};
    return str_join(a, slash ? S("") : S("/"), parts, 2);
}

struct str fs_clean(struct arena *a, struct str path)
{
    struct str part, rest = path;
    char *out = arena_alloc(a, path.n + 2);
    size_t n = 0;
    while (rest.n) {
        str_cut(rest, '/', &part, &rest);
        if (!part.n || str_is(part, "."))
            continue;
        if (str_is(part, "..")) {
            while (n && out[--n] != '/')
                ;
            continue;
        }
        out[n++] = '/';
        memcpy(out + n, part.p, part.n);
        n += part.n;
    }
    return str_of(out, n);
}

struct str fs_dirname(struct arena *a, struct str path)
{
    while (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    ssize_t at = str_find_last_byte(path, '/');
    if (at < 0)
        return S(".");
    while (at > 0 && path.p[at - 1] == '/')
        at--;
    return str_copy(a, at == 0 ? S("/") : str_slice(path, 0, (size_t)at));
}

struct str fs_basename(struct str path)
{
    while (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    ssize_t at = str_find_last_byte(path, '/');
    return path.n > 1 ? str_slice(path, (size_t)(at + 1), path.n) : path;
}

struct walk {
    struct arena *arena;
    struct str *items;
    size_t n, cap;
};

static int walk_below(struct walk *w, int dir_fd, struct str prefix, int depth)
{
    DIR *dir = depth > 200 ? NULL : fdopendir(dir_fd);
    if (!dir) {
        close(dir_fd);
        return depth > 200 ? -ELOOP : -errno;
    }
    int r = 0;
    struct dirent *e;
    while (r == 0 && (errno = 0, e = readdir(dir))) {
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (fstatat(dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
            r = errno == ENOENT ? 0 : -errno;
            continue;
        }
        bool folder = S_ISDIR(st.st_mode);
        if (!folder && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
            continue;
        struct str *item =
            arena_push(w->arena, (void **)&w->items, &w->n, &w->cap, sizeof(struct str));
        *item = str_printf(w->arena, "%.*s%s%s", STR(prefix), e->d_name, folder ? "/" : "");
        if (!folder)
            continue;
        struct str below = *item;
        int fd = openat(dir_fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        r = fd < 0 ? -errno : walk_below(w, fd, below, depth + 1);
    }
    if (r == 0 && errno)
        r = -errno;
    closedir(dir);
    return r;
}

static int compare_str(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

int fs_walk(struct arena *a, const char *dir, struct str **ret, size_t *ret_n)
{
    struct walk w = {.arena = a};
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = walk_below(&w, fd, S(""), 0);
    if (r < 0)
        return r;
    if (w.n)
        qsort(w.items, w.n, sizeof(*w.items), compare_str);
    *ret = w.items;
    *ret_n = w.n;
    return 0;
}

int fs_copy_file(const char *from, const char *to)
{
    auto_close int in = open(from, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (in < 0 || fstat(in, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
    char *temp;
    int out = temp_beside(to, 0600, &temp);
    if (out < 0)
        return out;
    int r = 0;
    for (;;) {
        ssize_t n = sendfile(out, in, NULL, 1 << 30);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            r = n < 0 ? -errno : 0;
            break;
        }
    }
    if (r == 0 && fchmod(out, st.st_mode & 07777) < 0)
        r = -errno;
    if (close(out) < 0 && r == 0)
        r = -errno;
    if (r == 0 && rename(temp, to) < 0)
        r = -errno;
    if (r < 0)
        unlink(temp);
    free(temp);
    return r;
}

static int copy_link(const char *from, const char *to)
{
    char target[PATH_MAX];
    ssize_t n = readlink(from, target, sizeof(target) - 1);
    if (n < 0)
        return -errno;
    target[n] = 0;
    unlink(to);
    return symlink(target, to) < 0 ? -errno : 0;
}

int fs_copy_tree(const char *from, const char *to)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct stat st;
    if (lstat(from, &st) < 0)
        return -errno;
    if (S_ISLNK(st.st_mode) && stat(from, &st) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode))
        return fs_copy_file(from, to);
    struct str *items = NULL;
    size_t n = 0;
    int r = fs_walk(&a, from, &items, &n);
    if (r == 0)
        r = fs_mkdirs(to, 0755);
    for (size_t i = 0; i < n && r == 0; i++) {
        const char *source = fs_join(&a, str_from(from), items[i]).p;
        const char *target = fs_join(&a, str_from(to), items[i]).p;
        bool folder = str_ends(items[i], S("/"));
        if (folder)
            r = fs_mkdirs(target, 0755);
        else if (lstat(source, &st) < 0)
            r = -errno;
        else
            r = S_ISLNK(st.st_mode) ? copy_link(source, target) : fs_copy_file(source, target);
    }
    /* Modes of folders last, deepest first: a read-only one must take its files before. */
    for (size_t i = n; i-- > 0 && r == 0;) {
        if (!str_ends(items[i], S("/")))
            continue;
        if (lstat(fs_join(&a, str_from(from), items[i]).p, &st) < 0 ||
            chmod(fs_join(&a, str_from(to), items[i]).p, st.st_mode & 07777) < 0)
            r = -errno;
    }
    if (r == 0 && (stat(from, &st) < 0 || chmod(to, st.st_mode & 07777) < 0))
        r = -errno;
    return r;
}
