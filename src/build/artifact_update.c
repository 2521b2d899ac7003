/* artifact_update - a saved source file in an artifact that is built already, without building it
 * anew: for who waits for each change. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/fs.h"
#include "build/artifact.h"
#include "build/tree.h"

struct artifact_source {
    struct str name;
    int64_t ctime_ns, size;
    ino_t inode;
};

int artifact_sources(struct arena *a, const struct artifact *art, struct artifact_sources *ret)
{
    struct str *names;
    size_t n;
    int r = fs_walk(a, str_c(a, art->source), &names, &n);
    if (r < 0)
        return r;
    *ret = (struct artifact_sources){ARENA_ARRAY(a, struct artifact_source, n + 1), 0};
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        if (tree_ignored(names[i]) || str_ends(names[i], S("/")) ||
            lstat(str_printf(a, "%.*s/%.*s", STR(art->source), STR(names[i])).p, &st) < 0)
            continue;
        ret->items[ret->n++] = (struct artifact_source){
            .name = names[i],
            .ctime_ns = st.st_ctim.tv_sec * 1000000000LL + st.st_ctim.tv_nsec,
            .size = st.st_size,
            .inode = st.st_ino,
        };
    }
    return 0;
}

/* Others install things, or make has its own idea of what follows from a file. */
static bool is_plain(const struct artifact *art)
{
    return !art->layer && (str_starts(art->method, S("python")) ||
                           str_starts(art->method, S("nodejs")) || str_is(art->method, "copy"));
}

static bool installs(struct str name)
{
    struct str base = fs_basename(name);
    return (str_starts(base, S("requirements")) && str_ends(base, S(".txt"))) ||
           str_is(base, "package.json") || str_is(base, "package-lock.json") ||
           str_is(base, "pyproject.toml") || str_is(base, "setup.py");
}

static int put(struct arena *a, const struct artifact *art, const char *dir, struct str name)
{
    struct str from = str_printf(a, "%.*s/%.*s", STR(art->source), STR(name));
    struct str to = str_printf(a, "%s/%.*s", dir, STR(name));
    struct stat st;
    if (lstat(from.p, &st) < 0 || !S_ISREG(st.st_mode))
        return -EAGAIN;
    int r = fs_mkdirs(str_c(a, fs_dirname(a, to)), 0755);
    if (r == 0 && unlink(to.p) < 0 && errno != ENOENT)
        r = -EAGAIN; /* a folder was there */
    return r == 0 ? fs_copy_file(from.p, to.p) : r;
}

int artifact_update(struct arena *a, const struct artifact *art, const char *dir,
                    const struct artifact_sources *old, struct artifact_sources *ret)
{
    size_t o = 0;
    int r = is_plain(art) ? artifact_sources(a, art, ret) : -EAGAIN;
    for (size_t i = 0; r == 0 && i < ret->n; i++) { /* both are sorted */
        const struct artifact_source *now = &ret->items[i];
        while (o < old->n && str_cmp(old->items[o].name, now->name) < 0)
            return -EAGAIN; /* one has gone: what it hid may have to come back */
        bool known = o < old->n && str_eq(old->items[o].name, now->name);
        const struct artifact_source *before = known ? &old->items[o++] : NULL;
        if (before && before->ctime_ns == now->ctime_ns && before->size == now->size &&
            before->inode == now->inode)
            continue;
        r = installs(now->name) ? -EAGAIN : put(a, art, dir, now->name);
    }
    return r == 0 && o < old->n ? -EAGAIN : r;
}
