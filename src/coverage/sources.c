/* sources - from a path in an environment to a local file: see sources.h. */
#include "coverage/sources.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "base/digest.h"
#include "base/fs.h"
#include "coverage/glob.h"

#define DEPTH_MAX 64

void sources_init(struct sources *s, struct arena *a, const struct report_request *q)
{
    *s = (struct sources){.arena = a, .request = q};
    map_init(&s->known);
}

void sources_done(struct sources *s)
{
    map_done(&s->known);
}

struct local_file *sources_read(struct sources *s, struct str path)
{
    struct local_file *f = map_find(&s->known, path);
    if (!f) {
        struct str text;
        struct stat st;
        char *name = str_c(s->arena, path);
        f = &s->none;
        if (stat(name, &st) == 0 && S_ISREG(st.st_mode) &&
            fs_read(name, ANALYSIS_SOURCE_MAX, s->arena, &text) == 0) {
            f = ARENA_NEW(s->arena, struct local_file);
            *f = (struct local_file){.path = str_from(name), .text = text};
        }
        map_put(&s->known, path, f);
    }
    return f == &s->none ? NULL : f;
}

static bool is_deployed(struct local_file *f, const struct data_file *data)
{
    if (!data->has_sha256)
        return true;
    if (!f->hashed)
        digest_sha256(f->text, f->sha256);
    f->hashed = true;
    return !memcmp(f->sha256, data->sha256, sizeof f->sha256);
}

/* What was found on the way. */
struct finding {
    struct local_file *changed; /* the first that has the place, but not the hash */
    struct str looked;          /* where nothing was */
};

static struct local_file *try(struct sources *s, const struct data_file *f, struct str path,
                              bool guess, struct finding *found)
{
    struct local_file *local = sources_read(s, path);
    if (!local) {
        if (!guess && !found->looked.n)
            found->looked = path;
        return NULL;
    }
    if (guess && !f->has_sha256)
        return NULL;
    if (is_deployed(local, f))
        return local;
    if (!guess && !found->changed)
        found->changed = local;
    return NULL;
}

static bool below(struct str path, struct str prefix, struct str *ret_rest)
{
    if (!str_starts(path, prefix) || path.n == prefix.n)
        return false;
    *ret_rest = str_slice(path, prefix.n, path.n);
    return true;
}

/* The project's rules: the first whose result is there. */
static struct local_file *try_paths(struct sources *s, const struct data_file *f,
                                    struct finding *found)
{
    const struct report_request *q = s->request;
    for (size_t i = 0; i < q->n_paths; i++) {
        size_t n = glob_prefix(s->arena, q->paths[i].pattern, q->cwd, f->path);
        if (!n || n == f->path.n)
            continue;
        struct str dir = fs_join(s->arena, q->cwd, q->paths[i].to);
        struct local_file *local =
            try(s, f, fs_join(s->arena, dir, str_slice(f->path, n, f->path.n)), false, found);
        if (local)
            return local;
    }
    return NULL;
}

/* The function's own root, then those of everybody, then the others' (by hash only). */
static struct local_file *try_roots(struct sources *s, const struct data_file *f,
                                    struct finding *found)
{
    for (int pass = 0; pass < 3; pass++)
        for (size_t i = 0; i < s->request->n_roots; i++) {
            const struct report_root *root = &s->request->roots[i];
            struct str rest;
            int rank = !str_has(root->function) ? 1 : str_eq(root->function, f->function) ? 0 : 2;
            if (root->guess)
                rank = 2;
            if (root->built || rank != pass || !below(f->path, root->prefix, &rest))
                continue;
            struct local_file *local =
                try(s, f, fs_join(s->arena, root->dir, rest), rank == 2, found);
            if (local)
                return local;
        }
    return NULL;
}

/* Compiled elsewhere (/tmp/build/pkg/app.py): the longest end of the path that has the hash. */
static struct local_file *try_ends(struct sources *s, const struct data_file *f,
                                   struct finding *found)
{
    struct str rest = f->path;
    for (int depth = 0; depth < DEPTH_MAX; depth++) {
        ssize_t slash = str_find_byte(rest, '/');
        if (slash < 0)
            return NULL;
        rest = str_slice(rest, (size_t)slash + 1, rest.n);
        for (size_t i = 0; rest.n && i < s->request->n_roots; i++) {
            if (s->request->roots[i].built)
                continue;
            struct str path = fs_join(s->arena, s->request->roots[i].dir, rest);
            struct local_file *local = try(s, f, path, true, found);
            if (local)
                return local;
        }
    }
    return NULL;
}

struct str sources_deployed(struct arena *a, const struct data_file *f)
{
    if (!f->function.n)
        return S("it");
    struct str name =
        f->version.n ? str_printf(a, "%.*s:%.*s", STR(f->function), STR(f->version)) : f->function;
    return f->updated.n ? str_printf(a, "%.*s (last run %.*s)", STR(name), STR(f->updated)) : name;
}

/* A path with "..", which no tracer writes, would lead out of the folders it is looked for in. */
static bool leads_out(struct str path)
{
    struct str part, rest = path;
    bool more = true;
    while (more) {
        more = str_cut(rest, '/', &part, &rest);
        if (str_is(part, ".."))
            return true;
    }
    return false;
}

struct local_file *sources_find(struct sources *s, const struct data_file *f,
                                struct str *ret_reason, struct local_file **ret_changed)
{
    struct finding found = {0};
    *ret_changed = NULL;
    if (leads_out(f->path)) {
        *ret_reason = S("its path leads out of the folder that it begins with");
        return NULL;
    }
    struct local_file *local = try_paths(s, f, &found);
    if (!local)
        local = try_roots(s, f, &found);
    /* As it stands: what a function names is no reason to open just any file of this machine. */
    if (!local && f->path.n && f->path.p[0] == '/')
        local = try(s, f, f->path, f->function.n > 0, &found);
    if (!local && f->path.n && f->path.p[0] != '/')
        local = try(s, f, fs_join(s->arena, s->request->cwd, f->path), false, &found);
    if (!local)
        local = try_ends(s, f, &found);
    if (local)
        return local;
    *ret_changed = found.changed;
    if (found.changed && s->request->ignore_changed)
        return found.changed;
    if (found.changed)
        *ret_reason =
            str_printf(s->arena,
                       "source changed since %.*s was deployed: %.*s is not what was run, so "
                       "nothing of it counts as run; deploy again, or give --ignore-changed",
                       STR(sources_deployed(s->arena, f)), STR(found.changed->path));
    else
        *ret_reason = str_printf(s->arena,
                                 "there is no such source here: looked for %.*s; name the folder "
                                 "of the function's sources with --source",
                                 STR(found.looked.n ? found.looked : f->path));
    return NULL;
}

/* ---- what could have been imported ---- */

/* coverage.py's idea of a name that an import finds. */
static bool importable(struct str name)
{
    if (!str_ends(name, S(".py")) && !str_ends(name, S(".pyw")))
        return false;
    name.n -= str_ends(name, S(".pyw")) ? 4 : 3;
    if (!name.n)
        return false;
    /* ^[^.#~!$@%^&*()+=,]+\.pyw?$ */
    for (size_t i = 0; i < name.n; i++)
        if (strchr(".#~!$@%^&*()+=,", name.p[i]))
            return false;
    return true;
}

struct walk {
    struct arena *arena;
    bool namespaces;
    struct str *files;
    size_t n, cap;
    struct map installed; /* top-level names that a *.dist-info/RECORD owns */
};

static void read_record(struct walk *w, struct str dir, struct str info)
{
    struct str text, line, rest, first, tail;
    char *path = str_c(w->arena, str_printf(w->arena, "%.*s/%.*s/RECORD", STR(dir), STR(info)));
    if (fs_read(path, 16 << 20, w->arena, &text) < 0)
        return;
    for (rest = text; rest.n;) {
        str_cut(rest, '\n', &line, &rest);
        str_cut(line, ',', &first, &tail);
        if (str_cut(first, '/', &first, &tail) || str_ends(first, S(".py")))
            map_put(&w->installed, first, w);
    }
}

static int walk_dir(struct walk *w, struct str dir, int depth)
{
    struct dirent **entries;
    int n = scandir(str_c(w->arena, dir), &entries, NULL, alphasort);
    if (n < 0)
        return -errno;
    for (int i = 0; i < n && !depth; i++)
        if (str_ends(str_from(entries[i]->d_name), S(".dist-info")))
            read_record(w, dir, str_from(entries[i]->d_name));
    for (int i = 0; i < n; i++) {
        struct str name = str_from(entries[i]->d_name);
        struct str path = fs_join(w->arena, dir, str_copy(w->arena, name));
        struct stat st;
        if (name.p[0] == '.' || (!depth && map_find(&w->installed, name)) ||
            stat(str_c(w->arena, path), &st) < 0) {
            continue;
        } else if (S_ISDIR(st.st_mode)) {
            struct str init = fs_join(w->arena, path, S("__init__.py"));
            if (depth < DEPTH_MAX && !str_is(name, "__pycache__") &&
                !str_is(name, "node_modules") &&
                (w->namespaces || fs_exists(str_c(w->arena, init))))
                walk_dir(w, path, depth + 1);
        } else if (S_ISREG(st.st_mode) && importable(name)) {
            *(struct str *)arena_push(w->arena, (void **)&w->files, &w->n, &w->cap,
                                      sizeof *w->files) = path;
        }
    }
    for (int i = 0; i < n; i++)
        free(entries[i]);
    free(entries);
    return 0;
}

int sources_walk(struct arena *a, struct str dir, bool namespaces, struct str **ret, size_t *ret_n)
{
    struct walk w = {.arena = a, .namespaces = namespaces};
    map_init(&w.installed);
    int r = walk_dir(&w, dir, 0);
    map_done(&w.installed);
    *ret = w.files;
    *ret_n = w.n;
    return r;
}
