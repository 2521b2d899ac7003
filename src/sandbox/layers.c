/* layers - several folders merged into one, read-only; the last one wins.
 *
 * With overlayfs a merged tree is a mount, kept under the stage for the next environment with the
 * same layers. Without it (old kernels in user namespaces) it is a folder of hard links under the
 * cache folder, made once: links cost no space, and nobody can write through a read-only bind. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/mem.h"
#include "sandbox/ops.h"
#include "sandbox/root.h"
#include "sandbox/stage.h"

#define KEPT 8

static struct kept {
    char *key;
    char path[PATH_MAX]; /* where it is mounted, or the merged folder */
    bool mounted;
    unsigned used;
} kept[KEPT];
static unsigned use_counter;
static int overlay_works = -1;
static unsigned merged; /* folders made on disk so far */

/* Same paths and same folders: one that was removed and made anew is another one. */
static int layers_key(const struct plan_item *item, const char *text, struct buf *ret)
{
    for (const char *s = text; s; s = plan_text_after(item, text, s)) {
        struct stat st;
        if (stat(s, &st) < 0)
            return -errno;
        if (!S_ISDIR(st.st_mode))
            return -ENOTDIR;
        buf_printf(ret, "%llx.%llx.%llx:%s\n", (unsigned long long)st.st_dev,
                   (unsigned long long)st.st_ino, (unsigned long long)st.st_ctim.tv_nsec, s);
    }
    buf_byte(ret, '\0');
    return buf_failed(ret) ? -E2BIG : 0;
}

/* Two layers of the same content are one folder, which overlayfs refuses to take twice. */
static bool comes_again(const struct plan_item *item, const char *text, const char *layer)
{
    for (const char *s = layer; (s = plan_text_after(item, text, s));)
        if (strcmp(s, layer) == 0)
            return true;
    return false;
}

/* NULL: there are several. */
static const char *only_one(const struct plan_item *item, const char *text)
{
    const char *found = NULL;
    for (const char *s = text; s; s = plan_text_after(item, text, s)) {
        if (comes_again(item, text, s))
            continue;
        if (found)
            return NULL;
        found = s;
    }
    return found;
}

/* Folders are named by descriptor: their own names may hold ':' and ',' and be long. */
static int overlay_mount(const struct plan_item *item, const char *text, const char *at)
{
    int fds[SANDBOX_LAYERS], r = 0;
    size_t n = 0;
    char options[SANDBOX_LAYERS * 32] = "";
    for (const char *s = text; s && n < SANDBOX_LAYERS; s = plan_text_after(item, text, s)) {
        if (comes_again(item, text, s))
            continue;
        fds[n] = open(s, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fds[n] < 0) {
            r = -errno;
            break;
        }
        n++;
    }
    size_t len = (size_t)snprintf(options, sizeof(options), "lowerdir=");
    for (size_t i = n; i-- > 0;) /* the topmost comes first */
        len += (size_t)snprintf(options + len, sizeof(options) - len, "/proc/self/fd/%d%s", fds[i],
                                i ? ":" : "");
    if (r == 0 && mount("overlay", at, "overlay", MS_RDONLY | MS_NOSUID | MS_NODEV, options) < 0)
        r = -errno;
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
    return r;
}

void layers_avoid_overlay(void)
{
    overlay_works = 0;
}

bool layers_have_overlay(void)
{
    if (overlay_works >= 0)
        return overlay_works;
    char at[PATH_MAX], text[PATH_MAX * 2];
    snprintf(at, sizeof(at), "%s/layers", stage_path());
    int n = snprintf(text, sizeof(text), "%s/etc", stage_path()) + 1;
    n += snprintf(text + n, sizeof(text) - (size_t)n, "%s/dev", stage_path()) + 1;
    struct plan_item item = {.kind = PLAN_LAYERS, .size = (uint32_t)n};
    overlay_works = overlay_mount(&item, text, at) == 0;
    if (overlay_works)
        umount2(at, MNT_DETACH);
    return overlay_works;
}

/* ---- without overlayfs ---- */

static int merge_entry(int from, int to, const char *name, int depth);

static int merge_dir(int from, int to, int depth)
{
    if (depth > 100)
        return -ELOOP;
    int copy = dup(from);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d)
        return -errno;
    int r = 0;
    for (struct dirent *e; r == 0 && (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            r = merge_entry(from, to, e->d_name, depth);
    closedir(d);
    return r;
}

static int merge_subdir(int from, int to, const char *name, mode_t mode, int depth)
{
    struct stat there;
    if (fstatat(to, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(there.st_mode))
        unlinkat(to, name, 0);
    if (mkdirat(to, name, 0700 | (mode & 0777)) < 0 && errno != EEXIST)
        return -errno;
    auto_close int f = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    auto_close int t = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return f < 0 || t < 0 ? -errno : merge_dir(f, t, depth + 1);
}

static int merge_file(int from, int to, const char *name)
{
    struct stat there;
    if (fstatat(to, name, &there, AT_SYMLINK_NOFOLLOW) == 0) {
        if (S_ISDIR(there.st_mode)) {
            char path[PATH_MAX];
            snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", to, name);
            int r = fs_remove_tree(path);
            if (r < 0)
                return r;
        } else {
            unlinkat(to, name, 0);
        }
    }
    if (linkat(from, name, to, name, 0) == 0)
        return 0;
    char a[PATH_MAX], b[PATH_MAX]; /* another file system, or files of another owner */
    snprintf(a, sizeof(a), "/proc/self/fd/%d/%s", from, name);
    snprintf(b, sizeof(b), "/proc/self/fd/%d/%s", to, name);
    return fs_copy_file(a, b);
}

static int merge_entry(int from, int to, const char *name, int depth)
{
    struct stat st;
    if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return merge_subdir(from, to, name, st.st_mode, depth);
    return merge_file(from, to, name);
}

static int merge_folders(const struct plan_item *item, const char *text, const char *cache_dir,
                         char ret[PATH_MAX])
{
    if (!cache_dir)
        return -EOPNOTSUPP;
    if ((size_t)snprintf(ret, PATH_MAX, "%s/layers-%d-%u", cache_dir, (int)getpid(), ++merged) >=
        PATH_MAX)
        return -ENAMETOOLONG;
    int r = fs_remove_tree(ret);
    if (r == 0)
        r = fs_mkdirs(ret, 0755);
    auto_close int to = r < 0 ? -1 : open(ret, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r == 0 && to < 0)
        r = -errno;
    for (const char *s = text; r == 0 && s; s = plan_text_after(item, text, s)) {
        auto_close int from = open(s, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = from < 0 ? -errno : merge_dir(from, to, 0);
    }
    if (r < 0)
        fs_remove_tree(ret);
    return r;
}

/* ---- what is kept ---- */

static void forget(struct kept *k)
{
    if (!k->key)
        return;
    if (k->mounted)
        umount2(k->path, MNT_DETACH); /* a merged folder stays: environments may be using it */
    free(k->key);
    k->key = NULL;
}

static int make_kept(struct kept *k, const struct plan_item *item, const char *text,
                     const char *cache_dir)
{
    if (!layers_have_overlay()) {
        k->mounted = false;
        return merge_folders(item, text, cache_dir, k->path);
    }
    k->mounted = true;
    snprintf(k->path, sizeof(k->path), "%s/layers/%d", stage_path(), (int)(k - kept));
    if (mkdir(k->path, 0755) < 0 && errno != EEXIST)
        return -errno;
    return overlay_mount(item, text, k->path);
}

void layers_forget_all(const char *cache_dir)
{
    char path[PATH_MAX];
    for (unsigned i = 1; cache_dir && i <= merged; i++) {
        snprintf(path, sizeof(path), "%s/layers-%d-%u", cache_dir, (int)getpid(), i);
        fs_remove_tree(path);
    }
    for (size_t i = 0; i < KEPT; i++)
        forget(&kept[i]);
}

int layers_open(const struct plan_item *item, const char *text, const char *cache_dir, int *ret)
{
    auto_buf struct buf key;
    buf_init(&key, 64 * 1024);
    int r = layers_key(item, text, &key);
    if (r < 0)
        return r;
    const char *only = only_one(item, text);
    if (only)
        return mount_open(only, ret);

    struct kept *k = &kept[0];
    for (size_t i = 0; i < KEPT; i++) {
        if (kept[i].key && strcmp(kept[i].key, key.p) == 0) {
            k = &kept[i];
            k->used = ++use_counter;
            return mount_open(k->path, ret);
        }
        if (kept[i].used < k->used)
            k = &kept[i];
    }
    forget(k); /* environments that use it keep their own reference */
    r = make_kept(k, item, text, cache_dir);
    if (r < 0)
        return r;
    k->key = mem_dup(key.p, key.n);
    k->used = ++use_counter;
    return mount_open(k->path, ret);
}
