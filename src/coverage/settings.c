/* settings - which file it is, and what its settings mean. */
#include "coverage/settings.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/toml.h"
#include "coverage/analysis.h"
#include <errno.h>
#include <stdlib.h>

#define SETTINGS_MAX (1 << 20)

/* The settings of one section, and how they are written. */
struct reader {
    struct arena *a;
    bool toml;
    struct settings_error *err;
    int result;
};

static void fail(struct reader *r, const struct json *v, const char *what, const char *name)
{
    if (r->result == 0) {
        r->err->line = v ? v->line : 0;
        r->err->reason = str_printf(r->a, "%s %s", name, what);
        r->result = -EBADMSG;
    }
}

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_';
}

static size_t word_end(struct str s, size_t i)
{
    while (i < s.n && is_word(s.p[i]))
        i++;
    return i;
}

/* Adds what `$...` at i stands for and returns where it ends; i when it is no variable. */
static size_t add_variable(struct reader *r, struct str s, size_t i, struct buf *b)
{
    if (i + 1 < s.n && s.p[i + 1] == '$') {
        buf_byte(b, '$');
        return i + 2;
    }
    bool braces = i + 1 < s.n && s.p[i + 1] == '{';
    size_t from = i + 1 + braces, to = word_end(s, from), end = to;
    struct str otherwise = {0};
    bool strict = false;
    if (braces) {
        if (end < s.n && s.p[end] == '?') {
            strict = true;
            end++;
        } else if (end < s.n && s.p[end] == '-') {
            ssize_t close = str_find_byte(str_slice(s, end, s.n), '}');
            if (close < 0)
                return i;
            otherwise = str_slice(s, end + 1, end + (size_t)close);
            end += (size_t)close;
        }
        if (end >= s.n || s.p[end] != '}')
            return i;
        end++;
    }
    if (to == from)
        return i;
    const char *value = getenv(str_c(r->a, str_slice(s, from, to)));
    if (!value && strict)
        fail(r, NULL, "is not set in the environment", str_c(r->a, str_slice(s, from, to)));
    buf_str(b, value ? str_from(value) : otherwise);
    return end;
}

static struct str substituted(struct reader *r, struct str s)
{
    if (str_find_byte(s, '$') < 0)
        return s;
    auto_buf struct buf b;
    buf_init(&b, SETTINGS_MAX);
    for (size_t i = 0; i < s.n;) {
        size_t end = s.p[i] == '$' ? add_variable(r, s, i, &b) : i;
        if (end == i)
            buf_byte(&b, s.p[end++]);
        i = end;
    }
    return buf_copy(&b, r->a);
}

/* A list: of lines; `commas`: commas part as well. In TOML an array of texts. */
struct list {
    struct str *items;
    size_t n, cap;
};

static void push(struct reader *r, struct list *list, struct str s)
{
    s = str_trim(s);
    if (s.n)
        *(struct str *)arena_push(r->a, (void **)&list->items, &list->n, &list->cap, sizeof(s)) = s;
}

static void split(struct reader *r, struct str text, bool commas, struct list *list)
{
    struct str line, item;
    for (bool more = true; more;) {
        more = str_cut(text, '\n', &line, &text);
        for (bool again = commas; again;) {
            again = str_cut(line, ',', &item, &line);
            push(r, list, item);
        }
        if (!commas)
            push(r, list, line);
    }
}

static void read_list(struct reader *r, const struct json *section, const char *name, bool commas,
                      struct list *list)
{
    const struct json *v = json_get(section, name);
    if (!v)
        return;
    if (v->type == JSON_STRING && !r->toml) {
        split(r, substituted(r, v->text), commas, list);
        return;
    }
    if (v->type != JSON_ARRAY) {
        fail(r, v, "is no list of texts", name);
        return;
    }
    JSON_EACH(v, item) {
        if (item->type != JSON_STRING)
            fail(r, item, "is no list of texts", name);
        else
            push(r, list, substituted(r, item->text));
    }
}

static bool read_bool(struct reader *r, const struct json *section, const char *name)
{
    static const char *const yes[] = {"1", "yes", "true", "on"}, *const no[] = {"0", "no", "false",
                                                                                "off"};
    const struct json *v = json_get(section, name);
    if (!v || v->type == JSON_BOOL)
        return v && v->boolean;
    struct str text = v->type == JSON_STRING ? str_lower(r->a, substituted(r, v->text)) : S("");
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (str_is(text, yes[i]))
            return true;
        if (str_is(text, no[i]))
            return false;
    }
    fail(r, v, "is neither true nor false", name);
    return false;
}

static bool read_number(struct reader *r, const struct json *section, const char *name, double max,
                        double *ret)
{
    const struct json *v = json_get(section, name);
    if (!v)
        return false;
    char *text = str_c(r->a, v->type == JSON_STRING ? str_trim(substituted(r, v->text)) : v->text);
    char *end = text;
    double value = text ? strtod(text, &end) : 0;
    if (!text || end == text || *end || !(value >= 0 && value <= max)) {
        fail(r, v, "is no such number", name);
        return false;
    }
    *ret = value;
    return true;
}

static const struct str default_exclude[] = {ANALYSIS_EXCLUDE};
static const struct str default_partial[] = {ANALYSIS_PARTIAL};
static const struct str default_always[] = {ANALYSIS_PARTIAL_ALWAYS};

static void add_all(struct reader *r, struct list *to, const struct str *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        push(r, to, items[i]);
}

static void read_patterns(struct reader *r, const struct json *report,
                          struct coverage_settings *ret)
{
    struct list exclude = {0}, partial = {0};
    if (json_get(report, "exclude_lines"))
        read_list(r, report, "exclude_lines", false, &exclude);
    else
        add_all(r, &exclude, default_exclude, ARRAY_LEN(default_exclude));
    read_list(r, report, "exclude_also", false, &exclude);
    if (json_get(report, "exclude_lines") || json_get(report, "exclude_also")) {
        ret->exclude = exclude.items ? exclude.items : ARENA_NEW(r->a, struct str);
        ret->n_exclude = exclude.n;
    }
    bool some = json_get(report, "partial_branches") != NULL;
    bool always = json_get(report, "partial_branches_always") != NULL;
    if (some)
        read_list(r, report, "partial_branches", false, &partial);
    else
        add_all(r, &partial, default_partial, ARRAY_LEN(default_partial));
    if (always)
        read_list(r, report, "partial_branches_always", false, &partial);
    else
        add_all(r, &partial, default_always, ARRAY_LEN(default_always));
    read_list(r, report, "partial_also", false, &partial);
    if (some || always || json_get(report, "partial_also")) {
        ret->partial = partial.items ? partial.items : ARENA_NEW(r->a, struct str);
        ret->n_partial = partial.n;
    }
}

static void read_files(struct reader *r, const struct json *report, const struct json *run,
                       struct coverage_settings *ret)
{
    struct list omit = {0}, include = {0};
    read_list(r, run, "omit", true, &omit);
    read_list(r, report, "omit", true, &omit);
    read_list(r, json_get(report, "include") ? report : run, "include", true, &include);
    ret->omit = omit.items;
    ret->n_omit = omit.n;
    ret->include = include.items;
    ret->n_include = include.n;
}

/* [paths]: the first entry of a list is the folder here, the others are what it is called
 * elsewhere. */
static void read_paths(struct reader *r, const struct json *paths, struct coverage_settings *ret)
{
    struct settings_path *all = NULL;
    size_t n = 0, cap = 0;
    if (!paths)
        return;
    JSON_EACH(paths, v) {
        struct list names = {0};
        read_list(r, paths, str_c(r->a, v->key), false, &names);
        for (size_t i = 1; i < names.n; i++) {
            if (str_ends(names.items[i], S("*")))
                fail(r, v, "must not end with a wildcard", str_c(r->a, names.items[i]));
            *(struct settings_path *)arena_push(r->a, (void **)&all, &n, &cap, sizeof(*all)) =
                (struct settings_path){names.items[i], names.items[0]};
        }
    }
    ret->paths = all;
    ret->n_paths = n;
}

/* Where the sections are, by the kind of file. */
static const struct json *section(struct reader *r, const struct json *root, bool ours,
                                  const char *name)
{
    if (r->toml)
        return json_get(json_get(json_get(root, "tool"), "coverage"), name);
    const struct json *v = json_find(root, str_printf(r->a, "coverage:%s", name));
    return v || !ours ? v : json_get(root, name);
}

static struct str read_text(struct reader *r, const struct json *section, const char *name)
{
    const struct json *v = json_get(section, name);
    if (v && v->type != JSON_STRING)
        fail(r, v, "is no text", name);
    return v && v->type == JSON_STRING ? str_trim(substituted(r, v->text)) : (struct str){0};
}

/* What only one format is asked. */
static void read_formats(struct reader *r, const struct json *root, bool ours,
                         struct coverage_settings *s)
{
    const struct json *html = section(r, root, ours, "html");
    const struct json *json = section(r, root, ours, "json");
    s->html_directory = read_text(r, html, "directory");
    s->html_title = read_text(r, html, "title");
    s->html_skip_covered =
        json_get(html, "skip_covered") ? read_bool(r, html, "skip_covered") : s->skip_covered;
    s->html_skip_empty =
        json_get(html, "skip_empty") ? read_bool(r, html, "skip_empty") : s->skip_empty;
    s->json_output = read_text(r, json, "output");
    s->json_pretty = read_bool(r, json, "pretty_print");
    s->xml_output = read_text(r, section(r, root, ours, "xml"), "output");
    s->lcov_output = read_text(r, section(r, root, ours, "lcov"), "output");
}

/* Settings that change what coverage.py would report, and nothing here. */
static void find_unused(struct reader *r, const struct json *root, bool ours,
                        struct coverage_settings *ret)
{
    static const struct {
        const char *section, *name;
    } known[] = {
        {"report", "contexts"},     {"report", "format"},      {"run", "source"},
        {"run", "source_pkgs"},     {"run", "source_dirs"},    {"run", "plugins"},
        {"html", "extra_css"},      {"json", "show_contexts"}, {"xml", "package_depth"},
        {"lcov", "line_checksums"},
    };
    struct list unused = {0};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (json_get(section(r, root, ours, known[i].section), known[i].name))
            push(r, &unused, str_printf(r->a, "%s:%s", known[i].section, known[i].name));
    ret->unused = unused.items;
    ret->n_unused = unused.n;
}

int settings_parse(struct arena *a, struct str name, struct str text, bool ours,
                   struct coverage_settings *ret, bool *ret_found, struct settings_error *err)
{
    struct reader r = {.a = a, .toml = str_ends(name, S(".toml")), .err = err};
    struct json *root;
    struct json_error wrong;
    *err = (struct settings_error){.file = name};
    if (r.toml && toml_parse(a, text, &root, &wrong) < 0) {
        err->line = wrong.line;
        err->reason = str_from(wrong.message);
        return -EBADMSG;
    }
    if (!r.toml && ini_parse(a, text, &root, err) < 0)
        return -EBADMSG;
    const struct json *report = section(&r, root, ours, "report");
    const struct json *run = section(&r, root, ours, "run");
    const struct json *paths = section(&r, root, ours, "paths");
    struct coverage_settings s = {.file = name, .precision = -1};
    double number;
    read_patterns(&r, report, &s);
    read_files(&r, report, run, &s);
    s.has_fail_under = read_number(&r, report, "fail_under", 100, &s.fail_under);
    if (read_number(&r, report, "precision", 15, &number))
        s.precision = (int)number;
    s.show_missing = read_bool(&r, report, "show_missing");
    s.skip_covered = read_bool(&r, report, "skip_covered");
    s.skip_empty = read_bool(&r, report, "skip_empty");
    s.strict = !read_bool(&r, report, "ignore_errors") && json_get(report, "ignore_errors");
    s.namespaces = read_bool(&r, report, "include_namespace_packages");
    s.sort = json_get_str(report, "sort");
    read_paths(&r, paths, &s);
    read_formats(&r, root, ours, &s);
    find_unused(&r, root, ours, &s);
    if (r.result < 0)
        return r.result;
    *ret = s;
    *ret_found = ours || report || run || paths || section(&r, root, ours, "html");
    return 0;
}

int settings_read(struct arena *a, struct str dir, struct str file, struct coverage_settings *ret,
                  struct settings_error *err)
{
    static const char *const names[] = {".coveragerc", "setup.cfg", "tox.ini", "pyproject.toml"};
    *ret = (struct coverage_settings){.precision = -1};
    for (size_t i = 0; i < (file.n ? 1 : ARRAY_LEN(names)); i++) {
        struct str path = file.n ? file : fs_join(a, dir, str_from(names[i])), text;
        int e = fs_read(str_c(a, path), SETTINGS_MAX, a, &text);
        if (e == -ENOENT && !file.n)
            continue;
        *err = (struct settings_error){.file = path};
        if (e < 0)
            return e;
        struct coverage_settings found;
        bool used;
        struct str name = fs_basename(path);
        bool ours = file.n ? !str_is(name, "setup.cfg") && !str_is(name, "tox.ini") : i == 0;
        e = settings_parse(a, path, text, ours, &found, &used, err);
        if (e < 0)
            return e;
        if (used) {
            *ret = found;
            return 0;
        }
    }
    return 0;
}
