/* report_groups - the table of who has run how much, below the table of files: with --by, in text
 * and in Markdown. */
#include <stdlib.h>
#include "coverage/report_rows.h"

struct bits report_statements(struct arena *a, const struct report_file *f, struct bits lines)
{
    struct bits executed = f->result.executed;
    uint8_t *p = arena_alloc(a, executed.n + 1);
    for (int64_t l = bits_next(lines, 0); l >= 0; l = bits_next(lines, (uint32_t)l + 1)) {
        uint32_t first = analysis_first_line(f->result.analysis, (uint32_t)l);
        if (bits_has(executed, first))
            bits_set(p, first);
    }
    return (struct bits){p, executed.n};
}

struct group_row {
    struct str name;
    size_t files, alone; /* statements that no other group has run */
    struct coverage_numbers numbers;
};

struct groups {
    struct group_row *rows; /* those that have run something, by name */
    size_t n;
    size_t name; /* the widest one, in columns */
};

static void add_file(struct arena *a, const struct report_file *f, struct group_row *rows)
{
    size_t size = f->result.executed.n;
    struct bits *lines = ARENA_ARRAY(a, struct bits, f->n_groups + 1);
    uint8_t *once = ARENA_ARRAY(a, uint8_t, size + 1), *more = ARENA_ARRAY(a, uint8_t, size + 1);
    for (size_t k = 0; k < f->n_groups; k++) {
        lines[k] = report_statements(a, f, f->groups[k].lines);
        for (size_t i = 0; i < size; i++) {
            more[i] |= once[i] & lines[k].p[i];
            once[i] |= lines[k].p[i];
        }
    }
    for (size_t k = 0; k < f->n_groups; k++) {
        struct group_row *row = &rows[f->groups[k].group];
        size_t n = bits_count(lines[k]);
        if (!n)
            continue;
        row->files++;
        row->numbers.statements += f->result.numbers.statements;
        row->numbers.missing += f->result.numbers.statements - n;
        for (size_t i = 0; i < size; i++)
            row->alone += (size_t)__builtin_popcount(lines[k].p[i] & ~more[i] & 0xff);
    }
}

static int row_cmp(const void *va, const void *vb)
{
    const struct group_row *a = va, *b = vb;
    return report_name_cmp(a->name, b->name);
}

static struct groups groups_of(struct arena *a, const struct coverage_report *r)
{
    struct groups g = {.rows = ARENA_ARRAY(a, struct group_row, r->n_groups + 1), .name = 8};
    auto_arena struct arena of_file; /* contexts may be thousands */
    arena_init(&of_file);
    for (size_t i = 0; i < r->n_files; i++) {
        add_file(&of_file, &r->files[i], g.rows);
        arena_reset(&of_file);
    }
    for (size_t i = 0; i < r->n_groups; i++) {
        if (!g.rows[i].files)
            continue;
        struct group_row *row = &g.rows[g.n++];
        *row = g.rows[i];
        row->name = r->groups[i].n ? report_safe_name(a, r->groups[i]) : S("(not told)");
        if (report_width(row->name) > g.name)
            g.name = report_width(row->name);
    }
    if (g.n)
        qsort(g.rows, g.n, sizeof *g.rows, row_cmp);
    return g;
}

static void name_cell(struct buf *b, struct str name, size_t width)
{
    buf_str(b, name);
    for (size_t n = report_width(name); n < width; n++)
        buf_byte(b, ' ');
}

void report_groups_text(struct buf *b, const struct coverage_report *r, struct str title)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct groups g = groups_of(&a, r);
    if (!g.n)
        return;
    buf_byte(b, '\n');
    name_cell(b, title, g.name);
    buf_text(b, "   Files  Stmts   Miss  Alone  Cover\n");
    for (size_t i = 0; i < g.name + 36; i++)
        buf_byte(b, '-');
    buf_byte(b, '\n');
    for (size_t i = 0; i < g.n; i++) {
        const struct group_row *row = &g.rows[i];
        struct str cover = numbers_display(&a, numbers_percent(&row->numbers), r->precision);
        name_cell(b, row->name, g.name);
        buf_printf(b, " %7zu%7llu%7llu%7zu", row->files,
                   (unsigned long long)row->numbers.statements,
                   (unsigned long long)row->numbers.missing, row->alone);
        for (size_t n = cover.n + 1; n < 7; n++)
            buf_byte(b, ' ');
        buf_printf(b, "%.*s%%\n", STR(cover));
    }
}

void report_groups_markdown(struct buf *b, const struct coverage_report *r, struct str title)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct groups g = groups_of(&a, r);
    if (!g.n)
        return;
    buf_printf(b, "\n| %.*s | Files | Stmts | Miss | Alone | Cover |\n", STR(title));
    buf_text(b, "|---|---:|---:|---:|---:|---:|\n");
    for (size_t i = 0; i < g.n; i++) {
        const struct group_row *row = &g.rows[i];
        struct str cover = numbers_display(&a, numbers_percent(&row->numbers), r->precision);
        buf_printf(b, "| %.*s | %zu | %llu | %llu | %zu | %.*s%% |\n",
                   STR(report_markdown_escape(&a, row->name)), row->files,
                   (unsigned long long)row->numbers.statements,
                   (unsigned long long)row->numbers.missing, row->alone, STR(cover));
    }
}
