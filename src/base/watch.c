/* watch - see watch.h. */
#include "base/watch.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/mem.h"

#define FOLDER_EVENTS                                                                              \
    (IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE |            \
     IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_DONT_FOLLOW)
#define DEPTH_MAX 64

struct folder {
    int wd, tree;
    char *path;
};

struct tree {
    char *path;
    char *file;       /* only this name in path counts; NULL: all */
    bool blind, lost; /* lost: the folder itself has gone, and is looked for at each call */
};

struct watch {
    int fd;
    struct tree *trees;
    size_t n_trees;
    struct folder *folders; /* sorted by wd: the kernel counts upwards */
    size_t n_folders, cap_folders;
};

static bool ignored(const char *name)
{
    static const char *const names[] = {
        ".git",        ".hg",  ".svn",        ".aws-sam", "__pycache__", ".pytest_cache",
        ".mypy_cache", ".tox", ".ruff_cache", ".venv",    ".idea",       ".vscode",
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (!strcmp(name, names[i]))
            return true;
    return false;
}

int watch_open(struct watch **ret)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct watch *w = MEM_NEW(struct watch);
    w->fd = fd;
    *ret = w;
    return 0;
}

void watch_close(struct watch *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->n_folders; i++)
        free(w->folders[i].path);
    for (size_t i = 0; i < w->n_trees; i++) {
        free(w->trees[i].path);
        free(w->trees[i].file);
    }
    free(w->folders);
    free(w->trees);
    close(w->fd);
    free(w);
}

int watch_fd(const struct watch *w)
{
    return w->fd;
}

bool watch_is_blind(const struct watch *w, int tree)
{
    return w->trees[tree].blind;
}

/* ---- folders ---- */

static size_t place_of(const struct watch *w, int wd)
{
    size_t from = 0, to = w->n_folders;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (w->folders[middle].wd < wd)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static struct folder *folder_find(struct watch *w, int wd)
{
    size_t i = place_of(w, wd);
    return i < w->n_folders && w->folders[i].wd == wd ? &w->folders[i] : NULL;
}

static void folder_put(struct watch *w, int wd, int tree, const char *path)
{
    size_t i = place_of(w, wd);
    if (i < w->n_folders && w->folders[i].wd == wd) { /* the same folder under another name */
        free(w->folders[i].path);
        w->folders[i].path = mem_dup_text(path);
        w->folders[i].tree = tree;
        return;
    }
    if (w->n_folders == w->cap_folders) {
        w->cap_folders = w->cap_folders ? w->cap_folders * 2 : 16;
        w->folders = mem_realloc(w->folders, w->cap_folders * sizeof(*w->folders));
    }
    memmove(&w->folders[i + 1], &w->folders[i], (w->n_folders - i) * sizeof(*w->folders));
    w->folders[i] = (struct folder){wd, tree, mem_dup_text(path)};
    w->n_folders++;
}

static void folder_forget(struct watch *w, int wd)
{
    struct folder *f = folder_find(w, wd);
    if (!f)
        return;
    free(f->path);
    memmove(f, f + 1, (size_t)(w->folders + w->n_folders - (f + 1)) * sizeof(*f));
    w->n_folders--;
}

/* The watch first, then the look inside: what comes in between is seen by either. */
static int add_folders(struct watch *w, int tree, const char *path, int depth)
{
    int wd = inotify_add_watch(w->fd, path, FOLDER_EVENTS | IN_ONLYDIR);
    if (wd < 0) {
        if (errno == ENOSPC || errno == ENOMEM)
            w->trees[tree].blind = true;
        return -errno;
    }
    folder_put(w, wd, tree, path);
    if (depth == DEPTH_MAX) {
        w->trees[tree].blind = true;
        return 0;
    }
    DIR *dir = opendir(path);
    if (!dir)
        return 0; /* gone again */
    for (struct dirent *e; !w->trees[tree].blind && (e = readdir(dir));) {
        char below[PATH_MAX];
        struct stat st;
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || ignored(e->d_name))
            continue;
        if ((size_t)snprintf(below, sizeof(below), "%s/%s", path, e->d_name) >= sizeof(below))
            continue;
        bool folder = e->d_type == DT_DIR ||
                      (e->d_type == DT_UNKNOWN && lstat(below, &st) == 0 && S_ISDIR(st.st_mode));
        if (folder)
            add_folders(w, tree, below, depth + 1);
    }
    closedir(dir);
    return 0;
}

int watch_add(struct watch *w, const char *path, int *ret_tree)
{
    struct stat st;
    auto_free char *real = realpath(path, NULL);
    if (!real || stat(real, &st) < 0)
        return -errno;
    struct tree tree = {0};
    char *slash = strrchr(real, '/');
    if (!S_ISDIR(st.st_mode)) {
        tree.file = mem_dup_text(slash + 1);
        slash[slash == real] = 0;
    }
    tree.path = mem_dup_text(real);
    w->trees = mem_realloc(w->trees, (w->n_trees + 1) * sizeof(tree));
    w->trees[w->n_trees] = tree;
    int id = (int)w->n_trees++;
    int r;
    if (tree.file) { /* editors replace files: their folder is what stays */
        int wd = inotify_add_watch(w->fd, tree.path, FOLDER_EVENTS | IN_ONLYDIR);
        r = wd < 0 ? -errno : 0;
        if (r == 0 && !folder_find(w, wd)) /* else a tree has it already, and more of it */
            folder_put(w, wd, id, tree.path);
    } else {
        r = add_folders(w, id, tree.path, 0);
    }
    if (r < 0 && !w->trees[id].blind) {
        w->n_trees--;
        free(tree.path);
        free(tree.file);
        return r;
    }
    *ret_tree = id;
    return 0;
}

/* ---- events ---- */

struct taking {
    watch_changed_fn *changed;
    void *user;
    int n;
};

static void tell(struct taking *t, int tree, const char *path)
{
    t->n++;
    t->changed(tree, str_from(path), t->user);
}

/* A tree whose folder is replaced by another one of the same name. */
static void look_for_lost(struct watch *w, struct taking *t)
{
    for (size_t i = 0; i < w->n_trees; i++) {
        struct tree *tree = &w->trees[i];
        if (!tree->lost || tree->file || add_folders(w, (int)i, tree->path, 0) < 0)
            continue;
        tree->lost = false;
        tell(t, (int)i, tree->path);
    }
}

static void rescan(struct watch *w, struct taking *t)
{
    for (size_t i = 0; i < w->n_trees; i++) {
        if (!w->trees[i].file)
            add_folders(w, (int)i, w->trees[i].path, 0);
        tell(t, (int)i, w->trees[i].path);
    }
}

/* Trees may lie in each other, or be the same one; files share their folder with them. */
static void tell_all(struct watch *w, struct taking *t, const char *path)
{
    for (size_t i = 0; i < w->n_trees; i++) {
        const struct tree *tree = &w->trees[i];
        size_t n = strlen(tree->path);
        if (strncmp(path, tree->path, n) || (path[n] != '/' && path[n] != 0))
            continue;
        if (!tree->file || (path[n] == '/' && !strcmp(path + n + 1, tree->file)))
            tell(t, (int)i, path);
    }
}

static void one_event(struct watch *w, struct taking *t, const struct inotify_event *e)
{
    char path[PATH_MAX];
    if (e->mask & IN_Q_OVERFLOW) {
        rescan(w, t);
        return;
    }
    struct folder *f = folder_find(w, e->wd);
    if (!f)
        return;
    if (e->mask & IN_IGNORED) {
        folder_forget(w, e->wd);
        return;
    }
    const char *name = e->len ? e->name : "";
    if (ignored(name) || (!e->len && !(e->mask & (IN_DELETE_SELF | IN_MOVE_SELF))))
        return;
    int n = snprintf(path, sizeof(path), "%s%s%s", f->path, e->len ? "/" : "", name);
    if (n < 0 || (size_t)n >= sizeof(path))
        return;
    int tree = f->tree;
    if (!e->len && !strcmp(f->path, w->trees[tree].path))
        w->trees[tree].lost = true;
    if ((e->mask & IN_ISDIR) && (e->mask & (IN_CREATE | IN_MOVED_TO)) && !w->trees[tree].file)
        add_folders(w, tree, path, 1);
    tell_all(w, t, path);
}

int watch_take(struct watch *w, watch_changed_fn *changed, void *user)
{
    struct taking t = {changed, user, 0};
    char bytes[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t n;
    while ((n = read(w->fd, bytes, sizeof(bytes))) > 0) {
        for (const char *p = bytes; p < bytes + n;) {
            const struct inotify_event *e = (const void *)p;
            one_event(w, &t, e);
            p += sizeof(*e) + e->len;
        }
    }
    look_for_lost(w, &t);
    return t.n;
}
