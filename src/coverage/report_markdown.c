/* report_markdown - a table for pull requests and job summaries: coverage.py's, under a heading. */
#include <errno.h>
#include "coverage/report_rows.h"

/* All punctuation but ".,/-" means something in a table of Markdown. */
struct str report_markdown_escape(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, 2 * s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != 0 && strchr("!\"#$%&'()*+:;<=>?@[\\]^_`{|}~", s.p[i]))
            p[n++] = '\\';
        p[n++] = s.p[i];
    }
    return str_of(p, n);
}

static void left(struct buf *b, struct str text, size_t width)
{
    buf_str(b, text);
    for (size_t n = report_width(text); n < width; n++)
        buf_byte(b, ' ');
}

static void right(struct buf *b, struct str text, size_t width)
{
    for (size_t n = report_width(text); n < width; n++)
        buf_byte(b, ' ');
    buf_str(b, text);
}

static void cell(struct buf *b, struct str text, size_t width)
{
    right(b, text, width);
    buf_text(b, " |");
}

/* "--------: |" as wide as a cell. */
static void rule(struct buf *b, size_t width)
{
    buf_byte(b, ' ');
    for (size_t i = 2; i < width; i++)
        buf_byte(b, '-');
    buf_text(b, ": |");
}

struct shape {
    size_t name, cover;
    bool branches, missing;
};

static void head(struct buf *b, const struct shape *s)
{
    buf_text(b, "| ");
    left(b, S("Name"), s->name);
    buf_byte(b, '|');
    cell(b, S("Stmts"), 9);
    cell(b, S("Miss"), 9);
    if (s->branches) {
        cell(b, S("Branch"), 9);
        cell(b, S("BrPart"), 9);
    }
    cell(b, S("Cover"), s->cover);
    if (s->missing)
        cell(b, S("Missing"), 10);
    buf_text(b, "\n|");
    for (size_t i = 0; i < s->name; i++)
        buf_byte(b, '-');
    buf_text(b, " |");
    for (int i = 0; i < (s->branches ? 4 : 2); i++)
        rule(b, 9);
    rule(b, s->cover);
    if (s->missing)
        rule(b, 10);
    buf_byte(b, '\n');
}

static void line(struct buf *b, struct arena *a, const struct shape *s,
                 const struct report_row *row)
{
    const struct coverage_numbers *n = row->numbers;
    buf_text(b, "| ");
    left(b, report_markdown_escape(a, row->name), s->name);
    buf_byte(b, '|');
    cell(b, str_printf(a, "%llu", (unsigned long long)n->statements), 9);
    cell(b, str_printf(a, "%llu", (unsigned long long)n->missing), 9);
    if (s->branches) {
        cell(b, str_printf(a, "%llu", (unsigned long long)n->branches), 9);
        cell(b, str_printf(a, "%llu", (unsigned long long)n->partial_branches), 9);
    }
    cell(b, str_printf(a, "%.*s%%", STR(row->cover)), s->cover);
    if (s->missing)
        cell(b, report_markdown_escape(a, row->missing), 10);
    buf_byte(b, '\n');
}

static struct str bold(struct arena *a, uint64_t v)
{
    return str_printf(a, " **%llu**", (unsigned long long)v);
}

static void total(struct buf *b, struct arena *a, const struct shape *s,
                  const struct coverage_numbers *n, struct str cover)
{
    buf_byte(b, '|');
    left(b, S(" **TOTAL**"), s->name);
    buf_text(b, " |");
    cell(b, bold(a, n->statements), 9);
    cell(b, bold(a, n->missing), 9);
    if (s->branches) {
        cell(b, bold(a, n->branches), 9);
        cell(b, bold(a, n->partial_branches), 9);
    }
    cell(b, str_printf(a, " **%.*s%%**", STR(cover)), s->cover);
    if (s->missing)
        cell(b, S(""), 10);
    buf_byte(b, '\n');
}

static void list(struct buf *b, struct arena *a, const char *title,
                 const struct report_left_out *items, size_t n)
{
    if (!n)
        return;
    buf_printf(b, "\n%s:\n\n", title);
    for (size_t i = 0; i < n; i++)
        buf_printf(b, "- %.*s: %.*s\n",
                   STR(report_markdown_escape(a, report_safe_name(a, items[i].name))),
                   STR(report_markdown_escape(a, report_safe_name(a, items[i].reason))));
}

int coverage_write_markdown(struct buf *b, const struct coverage_report *r,
                            const struct report_text_options *o)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct report_rows rows;
    int e = report_rows(&a, r, o, &rows);
    if (e < 0)
        return e;
    struct shape s = {.name = 9, .branches = r->branches, .missing = o->show_missing};
    for (size_t i = 0; i < rows.n; i++) {
        size_t width = report_width(report_markdown_escape(&a, rows.items[i].name));
        if (width > s.name)
            s.name = width;
    }
    s.name++;
    s.cover = rows.total.n + 6 > 7 ? rows.total.n + 6 : 7;
    buf_printf(b, "### Coverage: %.*s%%\n\n", STR(rows.total));
    head(b, &s);
    for (size_t i = 0; i < rows.n; i++)
        line(b, &a, &s, &rows.items[i]);
    total(b, &a, &s, &r->totals, rows.total);
    if (o->skip_covered && rows.skipped)
        buf_printf(b, "\n%zu file%s skipped due to complete coverage.\n", rows.skipped,
                   rows.skipped == 1 ? "" : "s");
    if (o->skip_empty && rows.empty)
        buf_printf(b, "\n%zu empty file%s skipped.\n", rows.empty, rows.empty == 1 ? "" : "s");
    if (o->by.n)
        report_groups_markdown(b, r, o->by);
    list(b, &a, "Not counted", r->left_out, r->n_left_out);
    list(b, &a, "Not readable", r->unreadable, r->n_unreadable);
    list(b, &a, "Not complete", r->missing, r->n_missing);
    return 0;
}
