/* report_build - from what was executed, somewhere, to what is covered of the sources here. */
#include <errno.h>
#include <stdlib.h>
#include "base/clock.h"
#include "coverage/report_foreign.h"

struct building {
    struct arena *arena;
    const struct report_request *q;
    struct coverage_report *r;
    struct mapping *mapping;
};

static bool earlier(const struct report_context *x, const struct report_context *y)
{
    int64_t s = x->start_ms > 0 ? x->start_ms : INT64_MAX;
    int64_t t = y->start_ms > 0 ? y->start_ms : INT64_MAX;
    return s != t ? s < t : str_cmp(x->name, y->name) < 0;
}

static void first_of(const struct building *b, const struct mapped *g, struct report_file *f)
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

static void groups_of(const struct building *b, const struct mapped *g, struct report_file *f)
{
    size_t n_all = b->q->data->n_groups;
    struct bits *lines = ARENA_ARRAY(b->arena, struct bits, n_all);
    size_t n = 0;
    for (size_t i = 0; i < g->n; i++)
        for (size_t k = 0; k < g->data[i]->n_groups; k++) {
            const struct data_hits *h = &g->data[i]->groups[k];
            n += !lines[h->group].n && h->lines.n;
            lines[h->group] = mapped_join(b->arena, lines[h->group], h->lines);
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
                                         .id = v->contexts[i].id,
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
    b->r->n_lines_only = v->n_lines_only;
}

/* ---- the report ---- */

static void add_file(struct building *b, const struct mapped *g, struct analysis *an)
{
    struct str name = mapping_name(b->mapping, g->local->path);
    if (str_has(an->error)) {
        mapping_leave_out(b->mapping, name,
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
    mapped_hits(b->arena, g, &hits);
    numbers_file(b->arena, an, &hits, b->r->branches, &f->result);
    first_of(b, g, f);
    groups_of(b, g, f);
    numbers_add(&b->r->totals, &f->result.numbers);
}

static int analyse(struct building *b)
{
    struct analysis_source *sources = ARENA_ARRAY(b->arena, struct analysis_source, b->mapping->n);
    struct analysis_options options =
        b->q->analysis ? *b->q->analysis : (struct analysis_options){0};
    for (size_t i = 0; i < b->mapping->n; i++) {
        const struct mapped *g = b->mapping->files[i];
        sources[i] = (struct analysis_source){.path = mapping_name(b->mapping, g->local->path),
                                              .text = g->local->text,
                                              .raw = mapped_raw(b->arena, g)};
        if (g->n && !options.python.n && str_starts(g->data[0]->runtime, S("python")))
            options.python = str_slice(g->data[0]->runtime, 6, g->data[0]->runtime.n);
    }
    struct analysis_report said = {0};
    struct analysis **all;
    int r = analysis_run(b->arena, &options, sources, b->mapping->n, &said, &all);
    b->r->warning = said.warning;
    if (r < 0)
        return r;
    for (size_t i = 0; i < b->mapping->n; i++)
        add_file(b, b->mapping->files[i], all[i]);
    return 0;
}

/* ---- other languages ---- */

static int file_cmp(const void *va, const void *vb)
{
    return str_cmp(((const struct report_file *)va)->path, ((const struct report_file *)vb)->path);
}

static void add_foreign(struct building *b, struct lines *lines)
{
    struct coverage_report *r = b->r;
    for (size_t i = 0; i < lines->n; i++) {
        struct report_file *f = &r->files[r->n_files];
        if (lines->files[i]->told || b->q->n_sources) {
            lines_result(lines, lines->files[i], r->branches, f);
            f->name = mapping_name(b->mapping, f->path);
            numbers_add(&r->totals, &f->result.numbers);
            r->n_files++;
        }
    }
    if (lines->n && r->n_files)
        qsort(r->files, r->n_files, sizeof *r->files, file_cmp);
}

int report_build(struct arena *a, const struct report_request *q, struct coverage_report *ret)
{
    *ret = (struct coverage_report){.branches =
                                        q->branches && (q->data->has_arcs || q->data->has_foreign),
                                    .precision = q->precision,
                                    .now_ms = clock_now_ms(),
                                    .root = q->cwd,
                                    .sources = q->sources,
                                    .n_sources = q->n_sources,
                                    .groups = q->data->groups,
                                    .n_groups = q->data->n_groups};
    struct mapping mapping;
    struct building b = {.arena = a, .q = q, .r = ret, .mapping = &mapping};
    mapping_build(a, q, &mapping);
    contexts_of(&b);
    struct lines lines;
    lines_init(&lines, a);
    lines.n_groups = ret->n_groups;
    report_scripts(&mapping, &lines);
    report_native(&mapping, &lines);
    ret->files = ARENA_ARRAY(a, struct report_file, mapping.n + lines.n + 1);
    int r = mapping.n ? analyse(&b) : 0;
    add_foreign(&b, &lines);
    lines_done(&lines);
    ret->left_out = mapping.left_out;
    ret->n_left_out = mapping.n_left_out;
    mapping_done(&mapping);
    return r;
}
