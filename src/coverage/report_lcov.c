/* report_lcov - LCOV's tracefile as coverage.py 7 writes it: FN with first and last line, branches
 * by what they do. */
#include <stdlib.h>
#include "base/mem.h"
#include "coverage/report_rows.h"

struct function {
    uint32_t first, last;
    struct str name;
    uint64_t statements, executed;
};

static int function_cmp(const void *va, const void *vb)
{
    const struct function *a = va, *b = vb;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    if (a->last != b->last)
        return a->last < b->last ? -1 : 1;
    return str_cmp(a->name, b->name);
}

static void lines(struct buf *b, const struct file_result *f)
{
    struct bits all = f->analysis->statements;
    for (int64_t l = bits_next(all, 0); l >= 0; l = bits_next(all, (uint32_t)l + 1))
        buf_printf(b, "DA:%lld,%d\n", (long long)l, !bits_has(f->missing, (uint32_t)l));
    const struct coverage_numbers *n = &f->numbers;
    if (n->statements)
        buf_printf(b, "LF:%llu\nLH:%llu\n", (unsigned long long)n->statements,
                   (unsigned long long)(n->statements - n->missing));
}

static uint32_t last_of(struct bits set)
{
    set = bits_trim(set);
    return (uint32_t)((set.n - 1) * 8) + 31u - (uint32_t)__builtin_clz(set.p[set.n - 1]);
}

static size_t functions_of(struct arena *a, const struct file_result *f, struct function *out)
{
    size_t n = 0;
    for (size_t i = 0; i < f->analysis->n_regions; i++) {
        const struct analysis_region *g = &f->analysis->regions[i];
        if (g->kind != ANALYSIS_FUNCTION || bits_none(g->lines))
            continue;
        uint32_t start = (uint32_t)g->start, low = (uint32_t)bits_next(g->lines, 0),
                 high = last_of(g->lines);
        struct file_result part;
        numbers_part(a, f, g->lines, &part);
        if (!part.numbers.statements)
            continue;
        out[n++] = (struct function){.first = start < low ? start : low,
                                     .last = start > high ? start : high,
                                     .name = g->name,
                                     .statements = part.numbers.statements,
                                     .executed = part.numbers.statements - part.numbers.missing};
    }
    if (n)
        qsort(out, n, sizeof *out, function_cmp);
    return n;
}

static void functions(struct buf *b, struct arena *a, const struct file_result *f)
{
    struct function *all = ARENA_ARRAY(a, struct function, f->analysis->n_regions);
    size_t n = functions_of(a, f, all), hit = 0;
    for (size_t i = 0; i < n; i++) {
        struct str name = report_safe_name(a, all[i].name);
        hit += all[i].executed > 0;
        buf_printf(b, "FN:%u,%u,%.*s\nFNDA:%d,%.*s\n", all[i].first, all[i].last, STR(name),
                   all[i].executed > 0, STR(name));
    }
    if (n)
        buf_printf(b, "FNF:%zu\nFNH:%zu\n", n, hit);
}

static void branch(struct buf *b, struct arena *a, const struct branch_arc *arc, bool none)
{
    struct str what = arc->what ? arc->what->action : S("");
    buf_printf(b, "BRDA:%d,0,%.*s,%c\n", arc->arc.from, STR(report_safe_name(a, what)),
               none            ? '-'
               : arc->executed ? '1'
                               : '0');
}

/* Exits of the code object after jumps within it; what is neither executed nor missing (waved
 * through by a comment) has no line. */
static void exits(struct buf *b, struct arena *a, const struct branch_arc *arcs, size_t n)
{
    size_t missing = 0;
    for (size_t i = 0; i < n; i++)
        missing += arcs[i].counts_missing;
    for (int out = 0; out < 2; out++)
        for (size_t i = 0; i < n; i++)
            if ((arcs[i].arc.to < 0) == out && (arcs[i].executed || arcs[i].counts_missing))
                branch(b, a, &arcs[i], missing == n);
}

static void branches(struct buf *b, struct arena *a, const struct file_result *f)
{
    for (size_t i = 0, end; i < f->n_branches; i = end) {
        int32_t from = f->branches[i].arc.from;
        for (end = i; end < f->n_branches && f->branches[end].arc.from == from; end++)
            ;
        if (bits_has(f->analysis->statements, (uint32_t)from))
            exits(b, a, f->branches + i, end - i);
    }
    const struct coverage_numbers *n = &f->numbers;
    if (n->branches)
        buf_printf(b, "BRF:%llu\nBRH:%llu\n", (unsigned long long)n->branches,
                   (unsigned long long)(n->branches - n->missing_branches));
}

static int name_cmp(const void *va, const void *vb)
{
    const struct report_file *a = *(const struct report_file *const *)va,
                             *b = *(const struct report_file *const *)vb;
    return str_cmp(a->name, b->name);
}

void coverage_write_lcov(struct buf *b, const struct coverage_report *r)
{
    auto_arena struct arena a;
    arena_init(&a);
    const struct report_file **files = mem_alloc((r->n_files + 1) * sizeof *files);
    for (size_t i = 0; i < r->n_files; i++)
        files[i] = &r->files[i];
    if (r->n_files)
        qsort(files, r->n_files, sizeof *files, name_cmp);
    for (size_t i = 0; i < r->n_files; i++) {
        const struct report_file *f = files[i];
        buf_printf(b, "SF:%.*s\n", STR(report_safe_name(&a, f->name)));
        lines(b, &f->result);
        functions(b, &a, &f->result);
        if (r->branches)
            branches(b, &a, &f->result);
        buf_text(b, "end_of_record\n");
        arena_reset(&a);
    }
    free(files);
}
