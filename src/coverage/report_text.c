/* report_text - the table of `coverage report`, column by column as coverage.py 7 prints it.
 *
 * On a terminal there is a bar behind the percentage; elsewhere the bytes are coverage.py's. */
#include <errno.h>
#include "base/table.h"
#include "coverage/report_rows.h"

#define BAR 10 /* columns */

struct shape {
    size_t name, cover;
    bool branches, missing, colour;
};

static void pad(struct buf *b, size_t n)
{
    for (; n; n--)
        buf_byte(b, ' ');
}

static void right(struct buf *b, struct str text, size_t width)
{
    if (text.n < width)
        pad(b, width - text.n);
    buf_str(b, text);
}

static void end_line(struct buf *b)
{
    while (b->n && b->p[b->n - 1] == ' ')
        b->n--;
    buf_byte(b, '\n');
}

static enum style style_of(double percent)
{
    return percent >= 90 ? STYLE_GREEN : percent >= 70 ? STYLE_YELLOW : STYLE_RED;
}

/* "███████▊  ": eighths of a column. */
static void bar(struct buf *b, struct arena *a, double percent)
{
    static const char *const parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    int eighths = (int)(percent * BAR * 8 / 100), full = eighths / 8, part = eighths % 8;
    struct buf text;
    buf_init(&text, 256);
    for (int i = 0; i < full; i++)
        buf_text(&text, "█");
    buf_text(&text, parts[part]);
    buf_text(b, "  ");
    buf_str(b, term_style(a, true, style_of(percent), buf_view(&text)));
    pad(b, (size_t)(BAR - full - (part > 0)));
    buf_done(&text);
}

static void line(struct buf *b, struct arena *a, const struct shape *s, struct str name,
                 const struct coverage_numbers *n, struct str cover, struct str missing)
{
    double percent = numbers_percent(n);
    size_t width = report_width(name);
    buf_str(b, name);
    pad(b, s->name > width ? s->name - width : 0);
    buf_printf(b, "%7llu%7llu", (unsigned long long)n->statements, (unsigned long long)n->missing);
    if (s->branches)
        buf_printf(b, "%7llu%7llu", (unsigned long long)n->branches,
                   (unsigned long long)n->partial_branches);
    struct str text = str_printf(a, "%.*s%%", STR(cover));
    pad(b, s->cover > text.n ? s->cover - text.n : 0);
    buf_str(b, term_style(a, s->colour, style_of(percent), text));
    if (s->colour)
        bar(b, a, percent);
    if (missing.n) {
        buf_text(b, "   ");
        buf_str(b, missing);
    }
    end_line(b);
}

static size_t head(struct buf *b, const struct shape *s)
{
    size_t from = b->n;
    buf_text(b, "Name");
    pad(b, s->name - 4);
    buf_text(b, "  Stmts   Miss");
    if (s->branches)
        buf_text(b, " Branch BrPart");
    right(b, S("Cover"), s->cover);
    size_t width = b->n - from;
    if (s->colour) {
        pad(b, BAR + 2);
        width += BAR + 2;
    }
    if (s->missing) {
        buf_text(b, "   Missing");
        width += 10;
    }
    end_line(b);
    return width;
}

static void rule(struct buf *b, size_t n)
{
    for (; n; n--)
        buf_byte(b, '-');
    buf_byte(b, '\n');
}

static void skipped(struct buf *b, size_t n, const char *what, const char *why)
{
    if (n)
        buf_printf(b, "\n%zu %s%s skipped%s.\n", n, what, n == 1 ? "" : "s", why);
}

int coverage_write_text(struct buf *b, const struct coverage_report *r,
                        const struct report_text_options *o)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct report_rows rows;
    int e = report_rows(&a, r, o, &rows);
    if (e < 0)
        return e;
    struct shape s = {
        .name = 5, .branches = r->branches, .missing = o->show_missing, .colour = o->colour};
    s.cover = (rows.total.n + 2 > 6 ? rows.total.n + 2 : 6) + 1;
    for (size_t i = 0; i < rows.n; i++) {
        size_t width = report_width(rows.items[i].name);
        if (width > s.name)
            s.name = width;
        if (rows.items[i].cover.n + 2 > s.cover)
            s.cover = rows.items[i].cover.n + 2;
    }
    s.name++;
    size_t width = head(b, &s);
    rule(b, width);
    for (size_t i = 0; i < rows.n; i++)
        line(b, &a, &s, rows.items[i].name, rows.items[i].numbers, rows.items[i].cover,
             rows.items[i].missing);
    if (rows.n)
        rule(b, width);
    line(b, &a, &s, S("TOTAL"), &r->totals, rows.total, S(""));
    if (o->skip_covered)
        skipped(b, rows.skipped, "file", " due to complete coverage");
    if (o->skip_empty)
        skipped(b, rows.empty, "empty file", "");
    return 0;
}
