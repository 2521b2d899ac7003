/* report_build - from what was executed, somewhere, to what is covered of the sources here. */
#include <errno.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/map.h"
#include "coverage/glob.h"
#include "coverage/sources.h"

/* A local file, and all that has been run of it. */
struct gathered {
    struct local_file *local;
    const struct data_file **data;
    size_t n, cap;
};

struct building {
    struct arena *arena;
    const struct report_request *q;
    struct coverage_report *r;
    struct sources sources;
    struct map by_path;
    struct gathered **files;
    size_t n, cap;
    struct report_left_out *left_out;
    size_t n_left_out, cap_left_out;
};

static struct str name_of(const struct building *b, struct str path)
{
    struct str cwd = b->q->cwd;
    if (str_starts(path, cwd) && path.n > cwd.n + 1 && path.p[cwd.n] == '/')
        return str_slice(path, cwd.n + 1, path.n);
    return path;
}

static void leave_out(struct building *b, struct str name, struct str reason)
{
    struct report_left_out *l =
        arena_push(b->arena, (void **)&b->left_out, &b->n_left_out, &b->cap_left_out, sizeof *l);
    *l = (struct report_left_out){name, reason};
}

static bool wanted(const struct building *b, struct str path)
{
    const struct report_request *q = b->q;
    if (q->n_include && !glob_any(b->arena, q->include, q->n_include, q->cwd, path))
        return false;
    return !glob_any(b->arena, q->omit, q->n_omit, q->cwd, path);
}

static struct gathered *gather(struct building *b, struct local_file *local)
{
    struct gathered *g = map_find(&b->by_path, local->path);
    if (g)
        return g;
    g = ARENA_NEW(b->arena, struct gathered);
    g->local = local;
    *(struct gathered **)arena_push(b->arena, (void **)&b->files, &b->n, &b->cap,
                                    sizeof *b->files) = g;
    map_put(&b->by_path, local->path, g);
    return g;
}

static void gather_data(struct building *b)
{
    const struct data_view *v = b->q->data;
    struct local_file **changed = ARENA_ARRAY(b->arena, struct local_file *, v->n_files);
    struct str *reasons = ARENA_ARRAY(b->arena, struct str, v->n_files);
    for (size_t i = 0; i < v->n_files; i++) {
        const struct data_file *f = &v->files[i];
        if (f->kind != OBJECT_PYTHON) {
            leave_out(b, f->path, S("is no Python: reports of other languages are not there yet"));
            continue;
        }
        struct local_file *local = sources_find(&b->sources, f, &reasons[i], &changed[i]);
        if (!local || !wanted(b, local->path))
            continue;
        reasons[i] = (struct str){0};
        struct gathered *g = gather(b, local);
        *(const struct data_file **)arena_push(b->arena, (void **)&g->data, &g->n, &g->cap,
                                               sizeof *g->data) = f;
    }
    for (size_t i = 0; i < v->n_files; i++) {
        if (!reasons[i].n || !wanted(b, changed[i] ? changed[i]->path : v->files[i].path))
            continue;
        if (changed[i] && map_find(&b->by_path, changed[i]->path))
            reasons[i] = str_printf(b->arena, "%.*s ran another source of it: that is not counted",
                                    STR(sources_deployed(b->arena, &v->files[i])));
        leave_out(b, v->files[i].path, reasons[i]);
    }
}

static void gather_sources(struct building *b)
{
    for (size_t i = 0; i < b->q->n_sources; i++) {
        struct str *paths;
        size_t n;
        int r = sources_walk(b->arena, b->q->sources[i], b->q->namespaces, &paths, &n);
        if (r < 0)
            leave_out(b, b->q->sources[i], str_from(strerror(-r)));
        for (size_t k = 0; r == 0 && k < n; k++) {
            if (map_find(&b->by_path, paths[k]) || !wanted(b, paths[k]))
                continue;
            struct local_file *local = sources_read(&b->sources, paths[k]);
            if (local)
                gather(b, local);
        }
    }
}

static int path_cmp(const void *va, const void *vb)
{
    const struct gathered *a = *(struct gathered *const *)va, *b = *(struct gathered *const *)vb;
    return str_cmp(a->local->path, b->local->path);
}

/* ---- unions ---- */

static struct bits join(struct arena *a, struct bits x, struct bits y)
{
    if (!x.n || !y.n)
        return x.n ? x : y;
    struct bits r = {arena_alloc(a, x.n > y.n ? x.n : y.n), x.n > y.n ? x.n : y.n};
    bits_join((uint8_t *)(uintptr_t)r.p, x);
    bits_join((uint8_t *)(uintptr_t)r.p, y);
    return r;
}

static struct bits raw_of(struct arena *a, const struct gathered *g)
{
    struct bits raw = {0};
    for (size_t i = 0; i < g->n; i++)
        raw = join(a, raw, g->data[i]->raw);
    return raw;
}

static void hits_of(struct arena *a, const struct gathered *g, struct file_hits *ret)
{
    size_t n = 0;
    *ret = (struct file_hits){0};
    for (size_t i = 0; i < g->n; i++) {
        ret->lines = join(a, ret->lines, g->data[i]->lines);
        n += g->data[i]->n_arcs;
    }
    if (g->n == 1) {
        ret->arcs = g->data[0]->arcs;
        ret->n_arcs = n;
        return;
    }
    struct object_arc *arcs = ARENA_ARRAY(a, struct object_arc, n);
    for (size_t i = 0; i < g->n; i++) {
        if (g->data[i]->n_arcs)
            memcpy(arcs + ret->n_arcs, g->data[i]->arcs, g->data[i]->n_arcs * sizeof *arcs);
        ret->n_arcs += g->data[i]->n_arcs;
    }
    ret->arcs = arcs;
}

static bool earlier(const struct report_context *x, const struct report_context *y)
{
    int64_t s = x->start_ms > 0 ? x->start_ms : INT64_MAX;
    int64_t t = y->start_ms > 0 ? y->start_ms : INT64_MAX;
    return s != t ? s < t : str_cmp(x->name, y->name) < 0;
}

static void first_of(const struct building *b, const struct gathered *g, struct report_file *f)
{
    for (size_t i = 0; i < g->n; i++)
        if (g->data[i]->n_first > f->n_first)
            f->n_first = g->data[i]->n_first;
    if (g->n == 1) {
        f->first = g->data[0]->first;
        return;
    }
    uint32_t *first = ARENA_ARRAY(b->arena, uint32_t, f->n_first);
    for (size_t i = 0; i < g->n; i++)
        for (size_t l = 0; l < g->data[i]->n_first; l++) {
            uint32_t c = g->data[i]->first[l];
            if (c && (!first[l] || earlier(&b->r->contexts[c - 1], &b->r->contexts[first[l] - 1])))
                first[l] = c;
        }
    f->first = first;
}

static void groups_of(const struct building *b, const struct gathered *g, struct report_file *f)
{
    size_t n_all = b->q->data->n_groups;
    struct bits *lines = ARENA_ARRAY(b->arena, struct bits, n_all);
    size_t n = 0;
    for (size_t i = 0; i < g->n; i++)
        for (size_t k = 0; k < g->data[i]->n_groups; k++) {
            const struct data_hits *h = &g->data[i]->groups[k];
            n += !lines[h->group].n && h->lines.n;
            lines[h->group] = join(b->arena, lines[h->group], h->lines);
        }
    struct report_group_hits *out = ARENA_ARRAY(b->arena, struct report_group_hits, n);
    for (size_t i = 0; i < n_all; i++)
        if (lines[i].n)
            out[f->n_groups++] = (struct report_group_hits){(uint32_t)i, lines[i]};
    f->groups = out;
}

static void contexts_of(struct building *b)
{
    const struct data_view *v = b->q->data;
    struct report_context *all = ARENA_ARRAY(b->arena, struct report_context, v->n_contexts);
    for (size_t i = 0; i < v->n_contexts; i++) {
        const struct data_source *s = &v->sources[v->contexts[i].source];
        all[i] = (struct report_context){.name = v->contexts[i].name,
                                         .start_ms = v->contexts[i].start_ms,
                                         .function = s->function,
                                         .version = s->version,
                                         .log_group = s->log_group,
                                         .log_stream = s->log_stream,
                                         .region = s->region};
    }
    b->r->contexts = all;
    b->r->n_contexts = v->n_contexts;
    struct report_left_out *missing = ARENA_ARRAY(b->arena, struct report_left_out, v->n_sources);
    for (size_t i = 0; i < v->n_sources; i++)
        if (v->sources[i].missing.n)
            missing[b->r->n_missing++] =
                (struct report_left_out){v->sources[i].name, v->sources[i].missing};
    b->r->missing = missing;
    b->r->n_objects = v->n_sources;
}

/* ---- the report ---- */

static void add_file(struct building *b, const struct gathered *g, struct analysis *an)
{
    struct str name = name_of(b, g->local->path);
    if (str_has(an->error)) {
        leave_out(b, name,
                  an->error_line ? str_printf(b->arena,
                                              "is not Python that can be compiled: %.*s at "
                                              "line %d",
                                              STR(an->error), an->error_line)
                                 : an->error);
        return;
    }
    struct file_hits hits;
    struct report_file *f = &b->r->files[b->r->n_files++];
    *f = (struct report_file){
        .name = name, .path = g->local->path, .text = g->local->text, .imported = g->n > 0};
    hits_of(b->arena, g, &hits);
    numbers_file(b->arena, an, &hits, b->r->branches, &f->result);
    first_of(b, g, f);
    groups_of(b, g, f);
    numbers_add(&b->r->totals, &f->result.numbers);
}

static int analyse(struct building *b)
{
    struct analysis_source *sources = ARENA_ARRAY(b->arena, struct analysis_source, b->n);
    struct analysis_options options =
        b->q->analysis ? *b->q->analysis : (struct analysis_options){0};
    for (size_t i = 0; i < b->n; i++) {
        const struct gathered *g = b->files[i];
        sources[i] = (struct analysis_source){
            .path = name_of(b, g->local->path), .text = g->local->text, .raw = raw_of(b->arena, g)};
        if (g->n && !options.python.n && str_starts(g->data[0]->runtime, S("python")))
            options.python = str_slice(g->data[0]->runtime, 6, g->data[0]->runtime.n);
    }
    struct analysis_report said = {0};
    struct analysis **all;
    int r = analysis_run(b->arena, &options, sources, b->n, &said, &all);
    b->r->warning = said.warning;
    if (r < 0)
        return r;
    b->r->files = ARENA_ARRAY(b->arena, struct report_file, b->n);
    for (size_t i = 0; i < b->n; i++)
        add_file(b, b->files[i], all[i]);
    return 0;
}

int report_build(struct arena *a, const struct report_request *q, struct coverage_report *ret)
{
    *ret = (struct coverage_report){.branches = q->branches && q->data->has_arcs,
                                    .precision = q->precision,
                                    .now_ms = clock_now_ms(),
                                    .root = q->cwd,
                                    .sources = q->sources,
                                    .n_sources = q->n_sources,
                                    .groups = q->data->groups,
                                    .n_groups = q->data->n_groups};
    struct building b = {.arena = a, .q = q, .r = ret};
    map_init(&b.by_path);
    sources_init(&b.sources, a, q);
    contexts_of(&b);
    gather_data(&b);
    gather_sources(&b);
    if (b.n)
        qsort(b.files, b.n, sizeof *b.files, path_cmp);
    int r = b.n ? analyse(&b) : 0;
    ret->left_out = b.left_out;
    ret->n_left_out = b.n_left_out;
    sources_done(&b.sources);
    map_done(&b.by_path);
    return r;
}
