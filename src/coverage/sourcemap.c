/* sourcemap - see sourcemap.h. */
#include "coverage/sourcemap.h"
#include <errno.h>
#include <stdlib.h>
#include "base/digest.h"
#include "base/json.h"

struct reader {
    struct str s;
    size_t at;
    bool bad;
};

static bool more(const struct reader *r)
{
    return r->at < r->s.n && r->s.p[r->at] != ',' && r->s.p[r->at] != ';';
}

/* Five bits a digit, the lowest first, the lowest bit of all is the sign. */
static int64_t vlq(struct reader *r)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 35; shift += 5) {
        int d = more(r) ? base64_digit(r->s.p[r->at++]) : -1;
        if (d < 0)
            break;
        v |= (uint64_t)(d & 31) << shift;
        if (!(d & 32))
            return v & 1 ? -(int64_t)(v >> 1) : (int64_t)(v >> 1);
    }
    r->bad = true;
    return 0;
}

static int64_t moved(struct reader *r, int64_t from, int64_t max)
{
    int64_t to = from + vlq(r);
    r->bad = r->bad || to < 0 || to > max;
    return to;
}

struct state {
    int64_t column, source, line, source_column, name;
};

static struct source_segment segment(struct reader *r, struct state *s, uint32_t line,
                                     const struct source_map *m)
{
    struct source_segment ret = {.line = line, .source = -1, .name = -1};
    s->column = moved(r, s->column, SOURCEMAP_NUMBER_MAX);
    ret.column = (uint32_t)s->column;
    if (!more(r) || r->bad)
        return ret;
    s->source = moved(r, s->source, (int64_t)m->n_sources - 1);
    s->line = moved(r, s->line, SOURCEMAP_NUMBER_MAX);
    s->source_column = moved(r, s->source_column, SOURCEMAP_NUMBER_MAX);
    ret.source = (int32_t)s->source;
    ret.source_line = (uint32_t)s->line + 1;
    if (!more(r) || r->bad)
        return ret;
    s->name = moved(r, s->name, (int64_t)m->n_names - 1);
    ret.name = (int32_t)s->name;
    r->bad = r->bad || more(r);
    return ret;
}

static int segment_cmp(const void *va, const void *vb)
{
    const struct source_segment *a = va, *b = vb;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return (a->column > b->column) - (a->column < b->column);
}

static int read_mappings(struct arena *a, struct str text, struct source_map *m)
{
    struct reader r = {.s = text};
    struct state s = {0};
    struct source_segment *all = NULL;
    size_t n = 0, cap = 0;
    uint32_t line = 1;
    for (; r.at < text.n && !r.bad;) {
        char c = text.p[r.at];
        if (c == ';') {
            line++;
            s.column = 0;
        }
        if (c == ';' || c == ',') {
            r.at++;
            continue;
        }
        struct source_segment one = segment(&r, &s, line, m);
        *(struct source_segment *)arena_push(a, (void **)&all, &n, &cap, sizeof one) = one;
    }
    if (r.bad)
        return -EBADMSG;
    if (n)
        qsort(all, n, sizeof *all, segment_cmp);
    m->segments = all;
    m->n_segments = n;
    return 0;
}

static struct str *texts(struct arena *a, const struct json *list, size_t n)
{
    struct str *all = ARENA_ARRAY(a, struct str, (list && list->n > n ? list->n : n) + 1);
    size_t i = 0;
    JSON_EACH(list, v)
        all[i++] = json_str(v);
    return all;
}

static int check(const struct json *root)
{
    int64_t version;
    const struct json *sources = json_get(root, "sources");
    if (json_int(json_get(root, "version"), &version) < 0 || version != 3 ||
        !json_is(sources, JSON_ARRAY) || !str_has(json_get_str(root, "mappings")))
        return -EBADMSG;
    return 0;
}

int sourcemap_parse(struct arena *a, struct str text, struct source_map *ret)
{
    struct json *root;
    *ret = (struct source_map){0};
    if (str_starts(text, S(")]}'"))) { /* against being run as a script */
        struct str first;
        str_cut(text, '\n', &first, &text);
    }
    if (json_parse(a, text, &root, NULL) < 0 || check(root) < 0)
        return -EBADMSG;
    const struct json *sources = json_get(root, "sources"), *names = json_get(root, "names");
    struct str base = json_get_str(root, "sourceRoot");
    struct str *all = ARENA_ARRAY(a, struct str, sources->n + 1);
    size_t i = 0;
    JSON_EACH(sources, v) {
        struct str s = json_str(v);
        bool slash = base.n && base.p[base.n - 1] == '/';
        all[i++] = base.n && s.n && s.p[0] != '/'
                       ? str_printf(a, "%.*s%s%.*s", STR(base), slash ? "" : "/", STR(s))
                       : s;
    }
    ret->sources = all;
    ret->n_sources = sources->n;
    ret->contents = texts(a, json_get(root, "sourcesContent"), sources->n);
    ret->n_names = names ? names->n : 0;
    ret->names = texts(a, names, ret->n_names);
    return read_mappings(a, json_get_str(root, "mappings"), ret);
}

struct str sourcemap_url(struct str script)
{
    struct str mark = S("# sourceMappingURL="), rest = script, line, found = {0};
    /* it stands near the end; an inline one is as long as it likes */
    for (ssize_t at; (at = str_find(rest, mark)) >= 0;) {
        bool comment = at >= 2 && rest.p[at - 1] == '/' && (rest.p[at - 2] == '/');
        rest = str_slice(rest, (size_t)at + mark.n, rest.n);
        struct str tail = rest;
        str_cut(tail, '\n', &line, &tail);
        if (comment)
            found = str_trim(line);
    }
    return found;
}

static int hex(char c)
{
    return c >= '0' && c <= '9'                 ? c - '0'
           : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                : -1;
}

static int unescape(struct arena *a, struct str s, struct str *ret)
{
    char *p = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '%') {
            p[n++] = s.p[i];
            continue;
        }
        int high = i + 2 < s.n ? hex(s.p[i + 1]) : -1, low = high < 0 ? -1 : hex(s.p[i + 2]);
        if (low < 0)
            return -EBADMSG;
        p[n++] = (char)(high * 16 + low);
        i += 2;
    }
    *ret = str_of(p, n);
    return 0;
}

int sourcemap_inline(struct arena *a, struct str url, struct str *ret)
{
    struct str head, data;
    if (!str_starts(url, S("data:")) || !str_cut(url, ',', &head, &data))
        return -EBADMSG;
    if (!str_ends(head, S(";base64")))
        return unescape(a, data, ret);
    return base64_decode(a, data, ret) < 0 ? -EBADMSG : 0;
}
