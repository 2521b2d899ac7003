/* tree - folders walked, hashed and copied: see tree.h. */
#include "build/tree.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"

bool tree_ignored(struct str path)
{
    static const char *const names[] = {".git",  ".aws-sam",    "__pycache__", ".pytest_cache",
                                        ".venv", ".mypy_cache", ".DS_Store",   ".hg",
                                        ".svn",  ".tox"};
    struct str part, rest = path;
    while (rest.n) {
        str_cut(rest, '/', &part, &rest);
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            if (str_is(part, names[i]))
                return true;
        if (str_ends(part, S(".egg-info")))
            return true;
    }
    return str_ends(path, S(".pyc"));
}

static int add_file(struct digest *d, const char *path, struct str name)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return -errno;
    digest_add(d, name.p, name.n);
    digest_add(d, (st.st_mode & 0100) ? "\0x" : "\0-", 3);
    if (S_ISLNK(st.st_mode)) {
        char to[4096];
        ssize_t n = readlink(path, to, sizeof to);
        if (n < 0)
            return -errno;
        digest_add(d, to, (size_t)n);
        return 0;
    }
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    uint64_t size = (uint64_t)st.st_size; /* so that names and contents cannot be mistaken */
    digest_add(d, &size, sizeof size);
    char part[65536];
    for (ssize_t n; (n = read(fd, part, sizeof part)) != 0;) {
        if (n < 0)
            return -errno;
        digest_add(d, part, (size_t)n);
    }
    return 0;
}

static int add_path(struct arena *a, struct digest *d, struct str path)
{
    struct stat st;
    if (stat(path.p, &st) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode))
        return add_file(d, path.p, fs_basename(path));
    struct str *names;
    size_t n;
    int r = fs_walk(a, path.p, &names, &n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        if (tree_ignored(names[i]) || str_ends(names[i], S("/")))
            continue;
        r = add_file(d, str_printf(a, "%.*s/%.*s", STR(path), STR(names[i])).p, names[i]);
    }
    return r;
}

int tree_digest(struct arena *a, const struct str *paths, size_t n, struct str salt,
                struct str *ret)
{
    struct digest *d = digest_open(DIGEST_SHA256);
    digest_add(d, salt.p, salt.n);
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = add_path(a, d, str_copy(a, paths[i]));
    uint8_t sum[32];
    size_t len = digest_close(d, sum);
    if (r == 0)
        *ret = hex_encode(a, sum, len);
    return r;
}

int tree_copy(const char *from, const char *to)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str *names;
    size_t n;
    int r = fs_walk(&a, from, &names, &n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        if (tree_ignored(names[i]))
            continue;
        struct str src = str_printf(&a, "%s/%.*s", from, STR(names[i]));
        struct str dst = str_printf(&a, "%s/%.*s", to, STR(names[i]));
        if (str_ends(names[i], S("/"))) {
            r = fs_mkdirs(dst.p, 0755);
            continue;
        }
        struct stat st;
        if (lstat(src.p, &st) < 0)
            return -errno;
        if (S_ISLNK(st.st_mode)) {
            char target[4096];
            ssize_t len = readlink(src.p, target, sizeof target - 1);
            if (len < 0)
                return -errno;
            target[len] = '\0';
            r = symlink(target, dst.p) < 0 ? -errno : 0;
        } else {
            r = fs_copy_file(src.p, dst.p);
        }
    }
    return r;
}

int tree_size(const char *dir, int64_t *ret_bytes, int64_t *ret_files)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str *names;
    size_t n;
    int r = fs_walk(&a, dir, &names, &n);
    if (r < 0)
        return r;
    *ret_bytes = *ret_files = 0;
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        if (str_ends(names[i], S("/")) ||
            lstat(str_printf(&a, "%s/%.*s", dir, STR(names[i])).p, &st) < 0 || !S_ISREG(st.st_mode))
            continue;
        *ret_bytes += st.st_size;
        ++*ret_files;
    }
    return 0;
}
