/* split - which files of a bundle are whose, for Python; and which layer they go to: see split.h.
 */
#include "build/split.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "base/arena.h"
#include "base/fs.h"
#include "base/map.h"

#define TEXT_MAX (4 * 1024 * 1024)

struct splitting {
    struct arena *a;
    const struct split_request *q;
    struct split_plan *plan;
};

static int file_find(const struct split_plan *p, struct str path)
{
    size_t lo = 0, hi = p->n_files;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = str_cmp(p->files[mid].path, path);
        if (c == 0)
            return (int)mid;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return -1;
}

static struct str top_of(struct str path)
{
    struct str top, rest;
    str_cut(path, '/', &top, &rest);
    return top;
}

static struct str below(const struct split_item *item, struct str path)
{
    return str_slice(path, item->root.n, path.n);
}

static void keep(struct splitting *s, int item, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void keep(struct splitting *s, int item, const char *fmt, ...)
{
    struct split_item *it = &s->plan->items[item];
    va_list ap;
    if (it->reason.n)
        return;
    va_start(ap, fmt);
    it->reason = str_vprintf(s->a, fmt, ap);
    va_end(ap);
}

/* ---- who owns what ---- */

static bool has_init(struct splitting *s, struct str dir)
{
    return file_find(s->plan, str_printf(s->a, "%.*s/__init__.py", STR(dir))) >= 0;
}

/* The outermost folder above path, below root, that is a package of the old kind; absent: none. */
static struct str package_above(struct splitting *s, struct str root, struct str path)
{
    for (size_t i = root.n; i < path.n; i++)
        if (path.p[i] == '/' && has_init(s, str_slice(path, 0, i)))
            return str_slice(path, 0, i);
    return (struct str){0};
}

static void own(struct splitting *s, int item, struct str path)
{
    int i = file_find(s->plan, path);
    if (i >= 0 && s->plan->files[i].item < 0)
        s->plan->files[i].item = item;
}

/* RECORD: path,hash,size; a path with a comma is quoted. */
static bool own_recorded(struct splitting *s, int item, struct str record)
{
    struct split_item *it = &s->plan->items[item];
    struct str line, rest = record;
    bool any = false;
    while (rest.n) {
        struct str name, tail;
        str_cut(rest, '\n', &line, &rest);
        line = str_trim(line);
        if (line.n && line.p[0] == '"')
            str_cut(str_slice(line, 1, line.n), '"', &name, &tail);
        else
            str_cut(line, ',', &name, &tail);
        if (!name.n || name.p[0] == '/' || str_find(name, S("..")) >= 0)
            continue;
        any = any || !str_ends(top_of(name), S(".dist-info"));
        own(s, item, str_printf(s->a, "%.*s%.*s", STR(it->root), STR(name)));
    }
    return any;
}

static void own_top(struct splitting *s, int item, struct str name)
{
    struct str root = s->plan->items[item].root;
    struct str path = str_printf(s->a, "%.*s%.*s", STR(root), STR(name));
    struct str dir = str_printf(s->a, "%.*s/", STR(path));
    for (size_t i = 0; i < s->plan->n_files; i++)
        if (str_starts(s->plan->files[i].path, dir))
            own(s, item, s->plan->files[i].path);
    own(s, item, str_printf(s->a, "%.*s.py", STR(path)));
    own(s, item, path);
}

static struct str read_text(struct splitting *s, struct str path)
{
    struct str text = {0};
    char *name = str_c(s->a, fs_join(s->a, str_from(s->q->dir), path));
    return fs_read(name, TEXT_MAX, s->a, &text) < 0 ? (struct str){0} : text;
}

static int item_new(struct splitting *s, struct str name, struct str version, struct str root)
{
    size_t cap = s->plan->n_items; /* grown one by one */
    *(struct split_item *)arena_push(s->a, (void **)&s->plan->items, &s->plan->n_items, &cap,
                                     sizeof *s->plan->items) =
        (struct split_item){.name = name, .version = version, .root = root};
    return (int)s->plan->n_items - 1;
}

/* dir: "vendor/requests-2.31.0.dist-info" */
static void add_distribution(struct splitting *s, struct str dir)
{
    ssize_t slash = str_find_last_byte(dir, '/');
    struct str root = str_slice(dir, 0, (size_t)(slash + 1)), base = str_slice(dir, root.n, dir.n);
    bool egg = str_ends(base, S(".egg-info"));
    struct str stem = str_slice(base, 0, base.n - (egg ? 9 : 10)), name, version;
    str_cut(stem, '-', &name, &version);
    if (root.n && package_above(s, S(""), dir).n)
        return; /* what a package carries inside is its own */
    int first = file_find(s->plan, str_printf(s->a, "%.*s/METADATA", STR(dir)));
    if (first >= 0 && s->plan->files[first].item >= 0)
        return; /* listed by another: setuptools/_vendor */
    int item = item_new(s, name, version, root);
    struct str record = read_text(s, str_printf(s->a, "%.*s/RECORD", STR(dir)));
    bool known = own_recorded(s, item, record);
    struct str line, rest = read_text(s, str_printf(s->a, "%.*s/top_level.txt", STR(dir)));
    while (!known && rest.n) {
        str_cut(rest, '\n', &line, &rest);
        if (str_trim(line).n && str_find_byte(line, '/') < 0)
            own_top(s, item, str_trim(line));
    }
    bool any = false;
    for (size_t i = 0; i < s->plan->n_files; i++)
        any = any || s->plan->files[i].item == item;
    if (!any && !known)
        own_top(s, item, name);
    own_top(s, item, base);
}

static bool is_info(struct str dir)
{
    return str_ends(dir, S(".dist-info")) || str_ends(dir, S(".egg-info"));
}

/* Those at the top first: they own what is below their folders. */
static void find_distributions(struct splitting *s, bool top)
{
    struct str last = {0};
    for (size_t i = 0; i < s->plan->n_files; i++) {
        struct str path = s->plan->files[i].path;
        ssize_t slash = str_find_last_byte(path, '/');
        struct str dir = str_slice(path, 0, slash < 0 ? 0 : (size_t)slash);
        while (dir.n && !is_info(dir)) {
            slash = str_find_last_byte(dir, '/');
            dir = str_slice(dir, 0, slash < 0 ? 0 : (size_t)slash);
        }
        if (!dir.n || str_eq(dir, last) || (str_find_byte(dir, '/') < 0) != top)
            continue;
        last = dir;
        add_distribution(s, dir);
    }
}

/* Files that nobody lists, in a package that somebody has: caches, stubs, changes by hand. */
static void own_rest(struct splitting *s)
{
    for (size_t i = 0; i < s->plan->n_files; i++) {
        struct split_file *f = &s->plan->files[i];
        if (f->item >= 0)
            continue;
        struct str package = package_above(s, S(""), f->path);
        int init =
            package.n ? file_find(s->plan, str_printf(s->a, "%.*s/__init__.py", STR(package))) : -1;
        if (init >= 0 && s->plan->files[init].item >= 0)
            f->item = s->plan->files[init].item;
    }
}

/* ---- what may move ---- */

static void keep_mixed(struct splitting *s)
{
    for (size_t i = 0; i < s->plan->n_files; i++) {
        const struct split_file *f = &s->plan->files[i];
        if (f->item < 0)
            continue;
        struct str package = package_above(s, S(""), f->path);
        if (!package.n)
            continue;
        int init = file_find(s->plan, str_printf(s->a, "%.*s/__init__.py", STR(package)));
        int owner = s->plan->files[init].item;
        if (owner < 0)
            keep(s, f->item, "it is in the folder %.*s of the function's own code", STR(package));
        else if (owner != f->item && s->plan->items[owner].reason.n)
            keep(s, f->item, "it is in the folder of %.*s, which is kept",
                 STR(s->plan->items[owner].name));
        else if (owner != f->item && s->plan->items[f->item].reason.n)
            keep(s, owner, "its folder holds %.*s, which is kept",
                 STR(s->plan->items[f->item].name));
    }
}

/* lambda's "src/app.handler" and "pkg.mod.handler" */
static void keep_handler(struct splitting *s)
{
    ssize_t dot = str_find_last_byte(s->q->handler, '.');
    struct str module = str_copy(s->a, str_slice(s->q->handler, 0, dot < 0 ? 0 : (size_t)dot));
    for (size_t i = 0; i < module.n; i++)
        if (module.p[i] == '.')
            ((char *)(uintptr_t)module.p)[i] = '/';
    static const char *const suffixes[] = {".py", "/__init__.py", ".pyc"};
    for (size_t i = 0; i < 3; i++) {
        int f = file_find(s->plan, str_printf(s->a, "%.*s%s", STR(module), suffixes[i]));
        if (f >= 0 && s->plan->files[f].item >= 0)
            keep(s, s->plan->files[f].item, "the handler is in it");
    }
}

/* The runtime's own site-packages has these: which comes first depends on what the code did to
 * sys.path. */
static bool in_runtime(struct str name)
{
    static const char *const names[] = {"boto3",   "botocore", "s3transfer", "jmespath",
                                        "urllib3", "dateutil", "six",        "simplejson"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_is(name, names[i]))
            return true;
    return false;
}

static struct str module_of(struct str top)
{
    ssize_t dot = str_find_byte(top, '.');
    return is_info(top) || dot <= 0 ? top : str_slice(top, 0, (size_t)dot);
}

/* /var/task comes first: what stays there under the name of what moves would be found instead. */
static void keep_shadowed(struct splitting *s)
{
    for (size_t i = 0; i < s->plan->n_files; i++) {
        const struct split_file *f = &s->plan->files[i];
        if (f->item < 0)
            continue;
        const struct split_item *it = &s->plan->items[f->item];
        struct str top = top_of(below(it, f->path)), module = module_of(top);
        if (is_info(top) || it->reason.n)
            continue;
        bool package =
            has_init(s, str_printf(s->a, "%.*s%.*s", STR(it->root), STR(top))) || it->root.n;
        int other = file_find(s->plan, str_printf(s->a, "%.*s.py", STR(module)));
        if (package && other >= 0 && s->plan->files[other].item != f->item)
            keep(s, f->item, "%.*s.py of the function would be found instead", STR(module));
        if (it->root.n && has_init(s, module))
            keep(s, f->item, "the folder %.*s at the top would be found instead", STR(module));
        if (it->root.n && in_runtime(module))
            keep(s, f->item, "the runtime has a %.*s, too, and %.*s decides which is first",
                 STR(module), STR(it->root));
    }
}

static bool mentions_import(struct str text, struct str name)
{
    static const char *const words[] = {"import ", "from "};
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(words[i]);
        ssize_t at;
        for (struct str rest = text; (at = str_find(rest, str_from(words[i]))) >= 0;) {
            rest = str_slice(rest, (size_t)at + n, rest.n);
            if (str_starts(rest, name) && (rest.n == name.n || strchr(". \r\n,;", rest.p[name.n])))
                return true;
        }
    }
    return false;
}

/* "certifi/cacert.pem", '/var/task/certifi...' in own code: a path, not an import. */
static bool mentions_path(struct splitting *s, struct str text, struct str path)
{
    static const char *const before[] = {"\"", "'", "/var/task/"};
    for (size_t i = 0; i < 3; i++)
        if (str_find(text, str_printf(s->a, "%s%.*s/", before[i], STR(path))) >= 0)
            return true;
    return false;
}

/* What own code could name: a folder or module at the top of a root. */
struct named {
    int item;
    struct str top, folder; /* "vendor/requests", "vendor" */
};

static struct named *tops_of(struct splitting *s, size_t *ret_n)
{
    struct named *tops = NULL;
    struct str last = {0};
    size_t cap = 0;
    *ret_n = 0;
    for (size_t i = 0; i < s->plan->n_files; i++) {
        const struct split_file *f = &s->plan->files[i];
        const struct split_item *it = f->item < 0 ? NULL : &s->plan->items[f->item];
        if (!it)
            continue;
        struct str top = str_slice(f->path, 0, it->root.n + top_of(below(it, f->path)).n);
        if (str_eq(top, last))
            continue;
        last = top;
        *(struct named *)arena_push(s->a, (void **)&tops, ret_n, &cap, sizeof *tops) =
            (struct named){f->item, top, str_slice(it->root, 0, it->root.n ? it->root.n - 1 : 0)};
    }
    return tops;
}

static void keep_named(struct splitting *s, const struct named *tops, size_t n, struct str own_path)
{
    struct str text = read_text(s, own_path);
    for (size_t i = 0; i < n && text.n; i++) {
        const struct named *t = &tops[i];
        if (s->plan->items[t->item].reason.n)
            continue;
        if (mentions_path(s, text, t->top))
            keep(s, t->item, "%.*s names a path in %.*s/", STR(own_path), STR(t->top));
        if (t->folder.n && str_find_byte(t->folder, '/') < 0 && mentions_import(text, t->folder))
            keep(s, t->item, "%.*s imports from %.*s", STR(own_path), STR(t->folder));
    }
}

static void split_python(struct splitting *s)
{
    find_distributions(s, true);
    find_distributions(s, false);
    for (size_t i = 0; i < s->q->n_forced; i++)
        own_top(s, item_new(s, s->q->forced[i], (struct str){0}, S("")), s->q->forced[i]);
    own_rest(s);
    keep_handler(s);
    keep_shadowed(s);
    size_t n;
    struct named *tops = tops_of(s, &n);
    for (size_t i = 0; i < s->plan->n_files; i++)
        if (s->plan->files[i].item < 0 && str_ends(s->plan->files[i].path, S(".py")))
            keep_named(s, tops, n, s->plan->files[i].path);
    keep_mixed(s);
    keep_mixed(s);
    for (size_t i = 0; i < s->plan->n_files; i++) {
        struct split_file *f = &s->plan->files[i];
        if (f->item >= 0 && !s->plan->items[f->item].reason.n)
            f->to = str_printf(s->a, "python/%.*s", STR(below(&s->plan->items[f->item], f->path)));
    }
}

/* ---- layers ---- */

static const struct split_item *sorted;

/* What is built for a processor changes seldom; of the rest the biggest first. */
static int by_weight(const void *x, const void *y)
{
    const struct split_item *p = &sorted[*(const int *)x], *q = &sorted[*(const int *)y];
    if (p->native != q->native)
        return p->native ? -1 : 1;
    if (p->bytes != q->bytes)
        return p->bytes > q->bytes ? -1 : 1;
    return str_cmp(p->name, q->name);
}

static void count(struct split_plan *p)
{
    for (size_t i = 0; i < p->n_files; i++) {
        struct split_file *f = &p->files[i];
        if (f->item < 0)
            continue;
        struct split_item *it = &p->items[f->item];
        it->bytes += f->bytes;
        it->files++;
        it->native = it->native || str_ends(f->path, S(".so")) ||
                     str_find(f->path, S(".so.")) >= 0 || str_ends(f->path, S(".node"));
    }
}

static void assign(struct arena *a, const struct split_request *q, struct split_plan *p)
{
    int *order = ARENA_ARRAY(a, int, p->n_items + 1), n = 0, layers = q->layers;
    int64_t total = 0, sum = 0;
    for (size_t i = 0; i < p->n_items; i++) {
        p->items[i].layer = -1;
        if (p->items[i].reason.n || !p->items[i].files)
            continue;
        order[n++] = (int)i;
        total += p->items[i].bytes;
    }
    sorted = p->items;
    qsort(order, (size_t)n, sizeof *order, by_weight);
    layers = layers < n ? layers : n;
    for (int i = 0; i < n; i++) {
        struct split_item *it = &p->items[order[i]];
        /* the middle of the item decides in which part of the whole it is */
        int layer = total ? (int)((sum + it->bytes / 2) * layers / total) : 0;
        it->layer = layer < layers ? layer : layers - 1;
        sum += it->bytes;
    }
    int used[SPLIT_LAYERS_MAX + 1] = {0}, number[SPLIT_LAYERS_MAX + 1];
    for (int i = 0; i < n; i++)
        used[p->items[order[i]].layer] = 1;
    p->n_layers = 0;
    for (int i = 0; i < layers; i++)
        number[i] = used[i] ? p->n_layers++ : -1;
    for (int i = 0; i < n; i++)
        p->items[order[i]].layer = number[p->items[order[i]].layer];
}

int split_plan(struct arena *a, const struct split_request *q, struct split_plan *ret)
{
    struct splitting s = {a, q, ret};
    struct str *names;
    size_t n;
    *ret = (struct split_plan){0};
    int r = fs_walk(a, q->dir, &names, &n);
    if (r < 0) {
        ret->error = str_printf(a, "%s: %s", q->dir, strerror(-r));
        return -EINVAL;
    }
    ret->files = ARENA_ARRAY(a, struct split_file, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        char *path = str_c(a, fs_join(a, str_from(q->dir), names[i]));
        if (str_ends(names[i], S("/")) || lstat(path, &st) < 0)
            continue;
        ret->files[ret->n_files++] = (struct split_file){
            .path = names[i], .item = -1, .bytes = S_ISREG(st.st_mode) ? st.st_size : 0};
    }
    if (str_starts(q->runtime, S("python")))
        split_python(&s);
    else if (str_starts(q->runtime, S("nodejs")))
        split_node(a, q, ret);
    else {
        ret->error =
            str_printf(a, "bundles of python and nodejs are split, not of %.*s", STR(q->runtime));
        return -EINVAL;
    }
    count(ret);
    assign(a, q, ret);
    return 0;
}
