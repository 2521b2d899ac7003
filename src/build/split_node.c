/* split_node - node_modules as a layer, unless something would not find it there: see split.h. */
#include <errno.h>
#include "base/arena.h"
#include "base/fs.h"
#include "base/json.h"
#include "build/split.h"

#define TEXT_MAX (4 * 1024 * 1024)
#define FOLDER "node_modules/"

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || c == '.';
}

/* The package of a specifier; absent: a path, a builtin, a URL. */
static struct str package_of(struct str specifier)
{
    struct str first, rest, second;
    if (!specifier.n || strchr("./#", specifier.p[0]) || str_find_byte(specifier, ':') >= 0)
        return (struct str){0};
    bool rests = str_cut(specifier, '/', &first, &rest);
    if (specifier.p[0] != '@' || !rests)
        return first;
    str_cut(rest, '/', &second, &rest);
    return str_slice(specifier, 0, first.n + 1 + second.n);
}

static size_t skip_blanks(struct str text, size_t i)
{
    while (i < text.n && strchr(" \t\r\n", text.p[i]) && text.p[i])
        i++;
    return i;
}

size_t split_es_imports(struct arena *a, struct str text, bool dynamic, struct str **ret)
{
    size_t n = 0, cap = 0;
    *ret = NULL;
    for (size_t i = 0; i < text.n; i++) {
        struct str at = str_slice(text, i, text.n);
        bool import = str_starts(at, S("import")), from = str_starts(at, S("from"));
        if ((!import && !from) || (i && is_word(text.p[i - 1])))
            continue;
        size_t k = skip_blanks(text, i + (import ? 6 : 4));
        bool call = import && k < text.n && text.p[k] == '(';
        if (call)
            k = skip_blanks(text, k + 1);
        if (k >= text.n || (dynamic && !call) || !strchr("\"'`", text.p[k]) || !text.p[k])
            continue;
        struct str name, rest;
        if (!str_cut(str_slice(text, k + 1, text.n), text.p[k], &name, &rest))
            continue;
        name = package_of(name);
        if (name.n && str_find_byte(name, '\n') < 0)
            *(struct str *)arena_push(a, (void **)ret, &n, &cap, sizeof name) = name;
    }
    return n;
}

/* "type": "module" of the package.json next above. */
static bool is_module(struct arena *a, const char *dir, struct str path)
{
    if (str_ends(path, S(".mjs")))
        return true;
    if (!str_ends(path, S(".js")))
        return false;
    for (struct str at = path; at.n;) {
        ssize_t slash = str_find_last_byte(at, '/');
        at = str_slice(at, 0, slash < 0 ? 0 : (size_t)slash);
        struct str text;
        struct json *v;
        char *name =
            str_c(a, str_printf(a, "%s/%.*s%spackage.json", dir, STR(at), at.n ? "/" : ""));
        if (fs_read(name, TEXT_MAX, a, &text) == 0)
            return json_parse(a, text, &v, NULL) == 0 && str_is(json_get_str(v, "type"), "module");
    }
    return false;
}

static struct str name_of(struct str path)
{
    return package_of(str_slice(path, sizeof FOLDER - 1, path.n));
}

static struct str version_of(struct arena *a, const char *dir, struct str name)
{
    struct str text;
    struct json *v;
    char *path = str_c(a, str_printf(a, "%s/" FOLDER "%.*s/package.json", dir, STR(name)));
    return fs_read(path, TEXT_MAX, a, &text) == 0 && json_parse(a, text, &v, NULL) == 0
               ? json_get_str(v, "version")
               : (struct str){0};
}

static int item_of(struct arena *a, const char *dir, struct split_plan *p, struct str name)
{
    for (size_t i = p->n_items; i-- > 0;)
        if (str_eq(p->items[i].name, name))
            return (int)i;
    size_t cap = p->n_items;
    *(struct split_item *)arena_push(a, (void **)&p->items, &p->n_items, &cap, sizeof *p->items) =
        (struct split_item){.name = name, .version = version_of(a, dir, name), .root = S(FOLDER)};
    return (int)p->n_items - 1;
}

static bool is_package(const struct split_plan *p, struct str name)
{
    for (size_t i = 0; i < p->n_items; i++)
        if (str_eq(p->items[i].name, name))
            return true;
    return false;
}

/* Why own code would not find its packages in a layer; absent: it would. */
static struct str obstacle(struct arena *a, const char *dir, const struct split_plan *p,
                           struct str path)
{
    struct str text, *names;
    bool script = str_ends(path, S(".js")) || str_ends(path, S(".cjs"));
    bool module = is_module(a, dir, path);
    if ((!script && !module) ||
        fs_read(str_c(a, fs_join(a, str_from(dir), path)), TEXT_MAX, a, &text) < 0)
        return (struct str){0};
    size_t n = split_es_imports(a, text, !module, &names);
    for (size_t i = 0; i < n; i++)
        if (is_package(p, names[i]))
            return str_printf(a,
                              "%.*s imports %.*s: modules of ES do not look into layers (NODE_PATH "
                              "is for require only)",
                              STR(path), STR(names[i]));
    if (str_find(text, S("node_modules/")) >= 0)
        return str_printf(a, "%.*s names a path in node_modules/", STR(path));
    return (struct str){0};
}

void split_node(struct arena *a, const struct split_request *q, struct split_plan *p)
{
    struct str reason = {0}, name, other = S(".bin");
    for (size_t i = 0; i < p->n_files; i++) {
        struct split_file *f = &p->files[i];
        if (!str_starts(f->path, S(FOLDER)))
            continue;
        name = name_of(f->path);
        f->item = item_of(a, q->dir, p, name.n ? name : other);
    }
    for (size_t i = 0; i < p->n_files && !reason.n; i++)
        if (p->files[i].item < 0)
            reason = obstacle(a, q->dir, p, p->files[i].path);
    for (size_t i = 0; i < p->n_items; i++)
        p->items[i].reason = reason;
    if (str_starts(q->handler, S(FOLDER)))
        for (size_t i = 0; i < p->n_items; i++)
            p->items[i].reason = S("the handler is in node_modules");
    for (size_t i = 0; i < p->n_files; i++)
        if (p->files[i].item >= 0 && !p->items[p->files[i].item].reason.n)
            p->files[i].to = str_printf(a, "nodejs/%.*s", STR(p->files[i].path));
}
