/* report_text - the table of `coverage report`, column by column as coverage.py 7 prints it.
 *
 * On a terminal there is a bar behind the percentage; elsewhere the bytes are coverage.py's. */
#include <errno.h>
#include "base/table.h"
#include "coverage/report_rows.h"

#define BAR 10        /* columns */
#define NAME_LEAST 24 /* that a name keeps on a narrow terminal */
#define MISSING_LEAST 20

struct shape {
    size_t name, cover;
    size_t width; /* of the terminal; 0: it does not matter */
    bool branches, missing, colour, bar;
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

/* The end of a name tells most. */
static struct str short_name(struct arena *a, struct str name, size_t columns)
{
    size_t n = report_width(name), from = 0;
    if (n <= columns)
        return name;
    for (n = n - columns + 1; n && from < name.n; n--)
        for (from++; from < name.n && ((unsigned char)name.p[from] & 0xc0) == 0x80;)
            from++;
    return str_printf(a, "…%.*s", STR(str_slice(name, from, name.n)));
}

static size_t columns(const struct shape *s)
{
    return s->name + (s->branches ? 28 : 14) + s->cover + (s->bar ? BAR + 2 : 0);
}

/* What is missing goes on below itself. */
static void put_missing(struct buf *b, const struct shape *s, struct str missing)
{
    size_t from = columns(s) + 3, room = s->width > from ? s->width - from : 0;
    bool below = s->width && room < MISSING_LEAST;
    if (below) {
        from = 4;
        room = s->width > from + MISSING_LEAST ? s->width - from : MISSING_LEAST;
        end_line(b);
    }
    pad(b, below ? from : 3);
    size_t at = 0;
    while (missing.n) {
        ssize_t comma = str_find(missing, S(", "));
        size_t n = comma < 0 ? missing.n : (size_t)comma + 1;
        if (s->width && at && at + n > room) {
            end_line(b);
            pad(b, from);
            at = 0;
        }
        buf_add(b, missing.p, n);
        if (comma >= 0)
            buf_byte(b, ' ');
        at += n + 1;
        missing = str_slice(missing, n + (comma >= 0), missing.n);
    }
}

/* Bars go first, then the beginnings of names. */
static void fit(struct shape *s)
{
    if (!s->width)
        return;
    size_t rest = columns(s) - s->name;
    if (s->name + rest > s->width && rest + NAME_LEAST > s->width) {
        s->bar = false;
        rest = columns(s) - s->name;
    }
    if (s->name + rest > s->width)
        s->name = s->width > rest + NAME_LEAST ? s->width - rest : NAME_LEAST;
}

static void line(struct buf *b, struct arena *a, const struct shape *s, struct str name,
                 const struct coverage_numbers *n, struct str cover, struct str missing)
{
    double percent = numbers_percent(n);
    name = short_name(a, name, s->name - 1);
    buf_str(b, name);
    pad(b, s->name - report_width(name));
    buf_printf(b, "%7llu%7llu", (unsigned long long)n->statements, (unsigned long long)n->missing);
    if (s->branches)
        buf_printf(b, "%7llu%7llu", (unsigned long long)n->branches,
                   (unsigned long long)n->partial_branches);
    struct str text = str_printf(a, "%.*s%%", STR(cover));
    pad(b, s->cover > text.n ? s->cover - text.n : 0);
    buf_str(b, term_style(a, s->colour, style_of(percent), text));
    if (s->bar)
        bar(b, a, percent);
    if (missing.n)
        put_missing(b, s, missing);
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
    if (s->bar) {
        pad(b, BAR + 2);
        width += BAR + 2;
    }
    if (s->missing && (!s->width || width + 3 + MISSING_LEAST <= s->width)) {
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
    struct shape s = {.name = 5,
                      .branches = r->branches,
                      .missing = o->show_missing,
                      .colour = o->colour,
                      .bar = o->colour,
                      .width = o->width};
    s.cover = (rows.total.n + 2 > 6 ? rows.total.n + 2 : 6) + 1;
    for (size_t i = 0; i < rows.n; i++) {
        size_t width = report_width(rows.items[i].name);
        if (width > s.name)
            s.name = width;
        if (rows.items[i].cover.n + 2 > s.cover)
            s.cover = rows.items[i].cover.n + 2;
    }
    s.name++;
    fit(&s);
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
    if (o->by.n)
        report_groups_text(b, r, o->by);
    return 0;
}
