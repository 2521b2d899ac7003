/* report_scripts - V8's ranges as lines, branches and functions of the sources here. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include "base/fs.h"
#include "coverage/report_foreign.h"
#include "coverage/scripts.h"
#include "coverage/sourcemap.h"

#define MAP_MAX ((size_t)256 << 20)

struct scripts {
    struct mapping *mapping;
    struct lines *lines;
    struct arena *arena;
    struct map bundles; /* paths of what was compiled from other files: no sources */
};

/* A script that was run, and where. */
struct script {
    const struct data_file *data;
    const struct local_file *local;
    struct script_text text;
    const struct v8_range *run;
    size_t n_run;
};

static bool run_within(const struct v8_range *run, size_t n, uint32_t from, uint32_t to)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (run[mid].to <= from)
            low = mid + 1;
        else
            high = mid;
    }
    return low < n && run[low].from < to;
}

static struct lines_file *file_of(struct scripts *s, struct str path, struct str text,
                                  struct bits ignored)
{
    struct lines_file *f = lines_file(s->lines, path, text);
    size_t size = bits_size(f->n_lines);
    for (size_t i = 0; i < size && i < ignored.n; i++)
        f->ignored[i] |= ignored.p[i];
    return f;
}

/* ---- as it was written ---- */

/* A line was run unless all of it is in what was not: v8-to-istanbul's rule. */
static void plain_lines(const struct script *s, struct lines_file *f)
{
    for (int64_t l = bits_next(s->text.code, 1); l >= 0;
         l = bits_next(s->text.code, (uint32_t)l + 1)) {
        uint32_t from = s->text.start[l], to = s->text.start[l + 1];
        if (l < s->text.n_lines && to > from + 1)
            to--; /* the line's end */
        lines_statement(f, (uint32_t)l, run_within(s->run, s->n_run, from, to));
    }
}

static void plain_block(struct scripts *all, const struct script *s, struct lines_file *f,
                        const struct v8_function *in, struct v8_range block)
{
    uint32_t first = script_line(&s->text, block.from), last = script_line(&s->text, block.to - 1);
    while (first <= last && !bits_has(s->text.code, first))
        first++;
    while (last > first && !bits_has(s->text.code, last))
        last--;
    if (first > last)
        return;
    lines_branch(
        all->lines, f,
        (struct lines_branch){.from = first,
                              .to = last,
                              .id = (uint64_t)block.from << 32 | block.to,
                              .run = run_within(in->run, in->n_run, block.from, block.to)});
}

static void plain(struct scripts *all, const struct script *s)
{
    struct lines_file *f = file_of(all, s->local->path, s->local->text, s->text.ignored);
    size_t n;
    const struct v8_function *functions = v8_hits_functions(s->data->v8, &n);
    f->told = true;
    plain_lines(s, f);
    for (size_t i = 0; i < n; i++) {
        const struct v8_function *g = &functions[i];
        for (size_t k = 0; k < g->n_blocks; k++)
            plain_block(all, s, f, g, g->blocks[k]);
        if (g->name.n && g->at.to > g->at.from)
            lines_function(all->lines, f,
                           (struct lines_function){.name = g->name,
                                                   .first = script_line(&s->text, g->at.from),
                                                   .last = script_line(&s->text, g->at.to - 1)});
    }
}

/* ---- compiled from others ---- */

struct mapped_source {
    struct lines_file *file; /* NULL: not here, or not wanted */
    struct script_text text;
};

struct mapped_script {
    struct scripts *all;
    const struct script *script;
    struct source_map map;
    struct mapped_source *sources;
    uint32_t *offsets; /* of segments; ascending */
    uint8_t *code;     /* set of segments that hold code: others fill lines up */
};

/* "webpack://name/./src/app.ts", "../../src/app.ts" -> "src/app.ts" */
static struct str stem(struct str source)
{
    struct str head, rest;
    ssize_t scheme = str_find(source, S("://"));
    if (scheme > 0) {
        str_cut(str_slice(source, (size_t)scheme + 3, source.n), '/', &head, &rest);
        source = rest;
    }
    while (str_starts(source, S("../")) || str_starts(source, S("./")))
        source = str_slice(source, source.p[1] == '.' ? 3 : 2, source.n);
    return source;
}

/* The map's own text, where it has one, is what was compiled. */
static struct local_file *try_source(struct mapped_script *m, struct str path, struct str content,
                                     struct local_file **changed)
{
    struct local_file *f = sources_read(&m->all->mapping->sources, path);
    if (!f || !str_has(content) || str_eq(f->text, content))
        return f;
    if (!*changed)
        *changed = f;
    return NULL;
}

static struct local_file *find_source(struct mapped_script *m, size_t i,
                                      struct local_file **changed)
{
    struct arena *a = m->all->arena;
    const struct report_request *q = m->all->mapping->request;
    struct str source = m->map.sources[i], content = m->map.contents[i];
    struct str dir = fs_dirname(a, m->script->local->path);
    struct local_file *f = NULL;
    if (str_find(source, S("://")) < 0)
        f = try_source(m, fs_clean(a, fs_join(a, dir, source)), content, changed);
    struct str rest = stem(source), part;
    while (!f && rest.n) {
        for (size_t k = 0; !f && k < q->n_roots; k++)
            f = try_source(m, fs_join(a, q->roots[k].dir, rest), content, changed);
        if (!f)
            f = try_source(m, fs_join(a, q->cwd, rest), content, changed);
        if (!str_has(content) || !str_cut(rest, '/', &part, &rest))
            break;
    }
    if (!f && *changed && q->ignore_changed)
        f = *changed;
    return f;
}

static void open_source(struct mapped_script *m, size_t i)
{
    struct scripts *all = m->all;
    struct str source = m->map.sources[i];
    struct local_file *changed = NULL;
    if (!source.n || str_find(source, S("node_modules/")) >= 0)
        return;
    struct local_file *local = find_source(m, i, &changed);
    struct str path = local ? local->path : changed ? changed->path : stem(source);
    if (!mapping_wanted(all->mapping, path))
        return;
    if (!local) {
        mapping_leave_out(all->mapping, path,
                          changed ? S("source changed since it was bundled: deploy again, or give "
                                      "--ignore-changed")
                                  : str_printf(all->arena,
                                               "there is no such source here, of which %.*s was "
                                               "bundled",
                                               STR(m->script->local->path)));
        return;
    }
    script_read(all->arena, local->text, &m->sources[i].text);
    m->sources[i].file = file_of(all, local->path, local->text, m->sources[i].text.ignored);
    m->sources[i].file->told = true;
}

static size_t segment_after(const struct mapped_script *m, uint32_t offset)
{
    size_t low = 0, high = m->map.n_segments;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (m->offsets[mid] < offset)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* The lines of a range in its source: those of the segments that begin in it, which are code. */
static struct lines_file *lines_of(const struct mapped_script *m, struct v8_range at,
                                   uint32_t *ret_first, uint32_t *ret_last, int32_t *ret_name)
{
    int32_t source = -1;
    *ret_first = *ret_last = 0;
    *ret_name = -1;
    for (size_t i = segment_after(m, at.from); i < m->map.n_segments && m->offsets[i] < at.to;
         i++) {
        const struct source_segment *g = &m->map.segments[i];
        struct bits code = {m->code, m->map.n_segments / 8 + 1};
        if (g->source < 0 || !m->sources[g->source].file || !bits_has(code, (uint32_t)i))
            continue;
        if (source < 0)
            *ret_name = g->name;
        if ((source >= 0 && g->source != source) ||
            !bits_has(m->sources[g->source].text.code, g->source_line))
            continue;
        source = g->source;
        if (!*ret_first || g->source_line < *ret_first)
            *ret_first = g->source_line;
        if (g->source_line > *ret_last)
            *ret_last = g->source_line;
    }
    return source < 0 ? NULL : m->sources[source].file;
}

static void mapped_functions(struct mapped_script *m)
{
    size_t n;
    const struct v8_function *all = v8_hits_functions(m->script->data->v8, &n);
    uint32_t first, last;
    int32_t name;
    for (size_t i = 0; i < n; i++) {
        const struct v8_function *g = &all[i];
        for (size_t k = 0; k < g->n_blocks; k++) {
            struct v8_range b = g->blocks[k];
            struct lines_file *f = lines_of(m, b, &first, &last, &name);
            if (f)
                lines_branch(
                    m->all->lines, f,
                    (struct lines_branch){.from = first,
                                          .to = last,
                                          .id = (uint64_t)b.from << 32 | b.to,
                                          .run = run_within(g->run, g->n_run, b.from, b.to)});
        }
        struct lines_file *f = g->name.n ? lines_of(m, g->at, &first, &last, &name) : NULL;
        if (f)
            lines_function(m->all->lines, f,
                           (struct lines_function){.name = name >= 0 ? m->map.names[name] : g->name,
                                                   .first = first,
                                                   .last = last});
    }
}

static bool is_filling(char c)
{
    return strchr(" \t\r\n{}()[];,", c) != NULL && c;
}

/* Segments with something besides white space and closing punctuation; their offsets are moved to
 * it. esbuild begins lines with a segment of what stood before. */
static void find_code(struct mapped_script *m)
{
    struct str text = m->script->text.text;
    uint32_t units = 0;
    size_t at = 0;
    m->code = arena_alloc(m->all->arena, m->map.n_segments / 8 + 1);
    for (size_t i = 0; i < m->map.n_segments; i++) {
        uint32_t end = i + 1 < m->map.n_segments ? m->offsets[i + 1] : UINT32_MAX;
        while (at < text.n && (units < m->offsets[i] || (units < end && is_filling(text.p[at])))) {
            unsigned char c = (unsigned char)text.p[at++];
            units += (c & 0xc0) != 0x80;
            units += c >= 0xf0;
        }
        if (at < text.n && units < end && units >= m->offsets[i]) {
            bits_set(m->code, (uint32_t)i);
            m->offsets[i] = units;
        }
    }
}

static void mapped(struct mapped_script *m)
{
    const struct script *s = m->script;
    m->sources = ARENA_ARRAY(m->all->arena, struct mapped_source, m->map.n_sources + 1);
    m->offsets = ARENA_ARRAY(m->all->arena, uint32_t, m->map.n_segments + 1);
    for (size_t i = 0; i < m->map.n_sources; i++)
        open_source(m, i);
    for (size_t i = 0; i < m->map.n_segments; i++) {
        const struct source_segment *g = &m->map.segments[i];
        bool inside = g->line <= s->text.n_lines;
        m->offsets[i] = inside ? s->text.start[g->line] + g->column : UINT32_MAX;
    }
    find_code(m);
    struct bits code = {m->code, m->map.n_segments / 8 + 1};
    for (size_t i = 0; i < m->map.n_segments; i++) {
        const struct source_segment *g = &m->map.segments[i];
        if (!bits_has(code, (uint32_t)i) || g->source < 0 || !m->sources[g->source].file ||
            !bits_has(m->sources[g->source].text.code, g->source_line))
            continue;
        lines_statement(m->sources[g->source].file, g->source_line,
                        run_within(s->run, s->n_run, m->offsets[i], m->offsets[i] + 1));
    }
    mapped_functions(m);
}

/* 1: it has one; 0: it has none; -EBADMSG: one that cannot be used. */
static int read_map(struct scripts *s, const struct script *script, struct source_map *ret)
{
    struct arena *a = s->arena;
    struct str url = sourcemap_url(script->local->text), text;
    if (!url.n)
        return 0;
    int r;
    if (str_starts(url, S("data:"))) {
        r = sourcemap_inline(a, url, &text);
    } else {
        struct str dir = fs_dirname(a, script->local->path);
        r = fs_read(str_c(a, fs_clean(a, fs_join(a, dir, url))), MAP_MAX, a, &text);
        if (r == -ENOENT)
            return 0; /* it was not deployed with it */
    }
    if (r == 0)
        r = sourcemap_parse(a, text, ret);
    return r < 0 ? -EBADMSG : 1;
}

static void add_script(struct scripts *all, const struct data_file *data,
                       const struct local_file *local)
{
    struct script s = {.data = data, .local = local};
    struct mapped_script m = {.all = all, .script = &s};
    script_read(all->arena, local->text, &s.text);
    struct v8_range *run = v8_hits_run(data->v8, &s.n_run);
    s.run = run;
    int r = read_map(all, &s, &m.map);
    if (r > 0) {
        map_put(&all->bundles, local->path, all);
        mapped(&m);
    } else if (mapping_wanted(all->mapping, local->path)) {
        if (r < 0)
            mapping_leave_out(
                all->mapping, mapping_name(all->mapping, local->path),
                S("its source map cannot be read: the lines are those of the bundle"));
        plain(all, &s);
    }
    free(run);
}

/* ---- what nobody has loaded ---- */

/* A report's folder has scripts of its own. */
static bool is_report(struct arena *a, struct str dir)
{
    return fs_exists(str_c(a, fs_join(a, dir, S("status.json")))) &&
           fs_exists(str_c(a, fs_join(a, dir, S("index.html"))));
}

static void add_unloaded(struct scripts *s, struct str dir, int depth)
{
    struct arena *a = s->arena;
    struct dirent **entries;
    if (depth && is_report(a, dir))
        return;
    int n = depth > 64 ? -1 : scandir(str_c(a, dir), &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        struct str name = str_copy(a, str_from(entries[i]->d_name)), path = fs_join(a, dir, name);
        int type = entries[i]->d_type;
        free(entries[i]);
        if (name.p[0] == '.' || str_is(name, "node_modules"))
            continue;
        if (type == DT_DIR)
            add_unloaded(s, path, depth + 1);
        if (type != DT_REG || !script_is(name) || lines_find(s->lines, path) ||
            map_find(&s->bundles, path) || !mapping_wanted(s->mapping, path))
            continue;
        struct local_file *local = sources_read(&s->mapping->sources, path);
        struct script_text text;
        if (!local)
            continue;
        script_read(a, local->text, &text);
        struct lines_file *f = file_of(s, path, local->text, text.ignored);
        for (int64_t l = bits_next(text.code, 1); l >= 0; l = bits_next(text.code, (uint32_t)l + 1))
            lines_statement(f, (uint32_t)l, false);
    }
    if (n >= 0)
        free(entries);
}

/* Is it the folder of a function that V8 has counted? */
static bool is_scripts(const struct report_request *q, struct str dir)
{
    for (size_t i = 0; i < q->n_roots; i++)
        for (size_t k = 0; k < q->data->n_files && str_eq(q->roots[i].dir, dir); k++)
            if (q->data->files[k].kind == OBJECT_V8 && !q->roots[i].guess &&
                (!str_has(q->roots[i].function) ||
                 str_eq(q->roots[i].function, q->data->files[k].function)))
                return true;
    return false;
}

void report_scripts(struct mapping *m, struct lines *l)
{
    struct scripts s = {.mapping = m, .lines = l, .arena = m->arena};
    const struct report_request *q = m->request;
    map_init(&s.bundles);
    for (size_t i = 0; i < q->data->n_files; i++) {
        const struct data_file *f = &q->data->files[i];
        struct local_file *changed;
        struct str reason = {0};
        if (f->kind != OBJECT_V8 || !f->v8)
            continue;
        struct local_file *local = sources_find(&m->sources, f, &reason, &changed);
        l->group = f->group;
        if (local)
            add_script(&s, f, local);
        else if (mapping_wanted(m, changed ? changed->path : f->path))
            mapping_leave_out(m, f->path, reason);
    }
    l->group = 0;
    for (size_t i = 0; i < q->n_sources; i++)
        if (is_scripts(q, q->sources[i]))
            add_unloaded(&s, q->sources[i], 0);
    map_done(&s.bundles);
}
