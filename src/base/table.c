/* table - aligned columns for a terminal. */
#include "base/table.h"
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/utf8.h"

struct cell {
    struct str text;
    enum style style;
};

struct table {
    struct arena *arena;
    const struct table_column *columns;
    size_t n_columns;
    struct cell *cells; /* row by row */
    size_t n, cap;
    size_t in_row;
};

struct table *table_new(struct arena *a, const struct table_column *columns)
{
    struct table *t = ARENA_NEW(a, struct table);
    t->arena = a;
    t->columns = columns;
    while (columns[t->n_columns].title)
        t->n_columns++;
    return t;
}

static struct cell *cell_add(struct table *t)
{
    return arena_push(t->arena, (void **)&t->cells, &t->n, &t->cap, sizeof(struct cell));
}

/* A row that was left short is filled up, so that every row has all its cells. */
static void row_end(struct table *t)
{
    while (t->n % t->n_columns)
        *cell_add(t) = (struct cell){S(""), STYLE_NONE};
}

void table_row(struct table *t)
{
    row_end(t);
    t->in_row = 0;
}

struct str table_printable(struct arena *a, struct str s)
{
    bool clean = true;
    for (size_t i = 0; i < s.n && clean; i++)
        clean = (uint8_t)s.p[i] >= 0x20 && s.p[i] != 0x7f;
    s = str_copy(a, s);
    if (clean)
        return s;
    char *p = (char *)s.p;
    for (size_t i = 0; i < s.n; i++)
        if ((uint8_t)p[i] < 0x20 || p[i] == 0x7f)
            p[i] = p[i] == '\n' || p[i] == '\t' ? ' ' : '?';
    return s;
}

void table_cell_style(struct table *t, enum style style, struct str text)
{
    if (t->in_row++ >= t->n_columns)
        return;
    struct str shown = str_has(text) ? table_printable(t->arena, text) : S("-");
    *cell_add(t) = (struct cell){shown, style};
}

void table_cell(struct table *t, struct str text)
{
    table_cell_style(t, STYLE_NONE, text);
}

void table_printf(struct table *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct str text = str_vprintf(t->arena, fmt, ap);
    va_end(ap);
    table_cell(t, text);
}

static const char *const style_codes[] = {
    [STYLE_NONE] = "",         [STYLE_BOLD] = "\033[1m",   [STYLE_DIM] = "\033[2m",
    [STYLE_RED] = "\033[31m",  [STYLE_GREEN] = "\033[32m", [STYLE_YELLOW] = "\033[33m",
    [STYLE_CYAN] = "\033[36m",
};

static void blanks(struct buf *b, size_t n)
{
    while (n-- > 0)
        buf_byte(b, ' ');
}

/* As much of s as fits into width columns, ending with an ellipsis when it was cut. */
static struct str fit(struct str s, size_t width, bool *ret_cut)
{
    *ret_cut = utf8_width(s) > width;
    if (!*ret_cut)
        return s;
    size_t i = 0;
    while (i < s.n) {
        size_t n = utf8_length(s.p + i, s.p + s.n);
        n = n ? n : 1;
        if (utf8_width(str_slice(s, 0, i + n)) + 1 > width)
            break;
        i += n;
    }
    return str_slice(s, 0, i);
}

static void write_cell(struct buf *b, struct cell c, size_t width, bool right, bool last,
                       bool colour)
{
    bool cut;
    struct str text = fit(c.text, width, &cut);
    size_t shown = utf8_width(text) + cut, pad = width > shown ? width - shown : 0;
    bool styled = colour && c.style != STYLE_NONE && text.n;
    if (right)
        blanks(b, pad);
    if (styled)
        buf_text(b, style_codes[c.style]);
    buf_str(b, text);
    if (cut && width > 0)
        buf_text(b, "…");
    if (styled)
        buf_text(b, "\033[0m");
    if (!last)
        blanks(b, (right ? 0 : pad) + 2);
}

/* Takes from the widest shrinkable column until the line fits; no column goes below 8. */
static void shrink(const struct table *t, size_t *widths, size_t max)
{
    for (;;) {
        size_t total = 2 * (t->n_columns - 1), widest = t->n_columns;
        for (size_t i = 0; i < t->n_columns; i++) {
            total += widths[i];
            if (t->columns[i].shrink && widths[i] > 8 &&
                (widest == t->n_columns || widths[i] > widths[widest]))
                widest = i;
        }
        if (total <= max || widest == t->n_columns)
            return;
        size_t over = total - max, can = widths[widest] - 8;
        widths[widest] -= over < can ? (over + 1) / 2 : (can + 1) / 2;
    }
}

void table_write(struct buf *b, const struct table *t, size_t width, bool colour)
{
    auto_arena struct arena scratch;
    arena_init(&scratch);
    size_t *widths = ARENA_ARRAY(&scratch, size_t, t->n_columns ? t->n_columns : 1);
    for (size_t i = 0; i < t->n_columns; i++)
        widths[i] = utf8_width(str_from(t->columns[i].title));
    for (size_t i = 0; i < t->n; i++) {
        size_t w = utf8_width(t->cells[i].text);
        if (w > widths[i % t->n_columns])
            widths[i % t->n_columns] = w;
    }
    if (width)
        shrink(t, widths, width);
    size_t rows = t->n_columns ? (t->n + t->n_columns - 1) / t->n_columns : 0;
    bool titled = false; /* without any title there is no line of titles */
    for (size_t i = 0; i < t->n_columns; i++)
        titled = titled || *t->columns[i].title;
    for (size_t row = titled ? 0 : 1; row <= rows; row++) {
        for (size_t i = 0; i < t->n_columns; i++) {
            struct cell c = {str_from(t->columns[i].title), STYLE_BOLD};
            size_t at = row ? (row - 1) * t->n_columns + i : 0;
            if (row)
                c = at < t->n ? t->cells[at] : (struct cell){S(""), STYLE_NONE};
            write_cell(b, c, widths[i], t->columns[i].right, i + 1 == t->n_columns, colour);
        }
        while (b->n && b->p[b->n - 1] == ' ') /* cells at the end may be empty */
            b->n--;
        buf_byte(b, '\n');
    }
}

void table_print(FILE *f, const struct table *t)
{
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX);
    table_write(&b, t, term_width(f), term_colour(f));
    fwrite(b.p, 1, b.n, f);
}

bool term_colour(FILE *f)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
    if (no_colour && *no_colour) /* no-color.org: set and not empty */
        return false;
    return isatty(fileno(f)) && !(term && strcmp(term, "dumb") == 0);
}

size_t term_width(FILE *f)
{
    struct winsize size;
    if (!isatty(fileno(f)))
        return 0;
    if (ioctl(fileno(f), TIOCGWINSZ, &size) == 0 && size.ws_col)
        return size.ws_col;
    int64_t columns;
    if (str_to_int64(str_from(getenv("COLUMNS")), &columns) == 0 && columns > 0 && columns < 10000)
        return (size_t)columns;
    return 80;
}

struct str term_style(struct arena *a, bool on, enum style style, struct str text)
{
    if (!on || style == STYLE_NONE)
        return text;
    return str_printf(a, "%s%.*s\033[0m", style_codes[style], STR(text));
}
