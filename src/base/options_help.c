/* options_help - the same rows as --help, man page and completion. */
#include "base/options.h"
#include "base/table.h"
#include "base/utf8.h"

static void write_spelling(struct buf *b, const struct option_row *row, const char *mark,
                           const char *mark_value)
{
    if (row->letter)
        buf_printf(b, "%s-%c%s, ", mark, row->letter, mark);
    buf_printf(b, "%s--%s%s", mark, row->name, mark);
    if (row->type == OPTION_FLAG)
        return;
    const char *metavar = row->metavar ? row->metavar : row->choices ? row->choices : "VALUE";
    buf_printf(b, "%s%s%s%s%s%s", row->optional_value ? "[=" : " ", mark_value, metavar, mark_value,
               row->optional_value ? "]" : "",
               row->many && !str_ends(str_from(metavar), S("...")) ? "..." : "");
}

/* The sentence with what the other columns know: choices, default, environment. */
static void write_meaning(struct buf *b, const struct option_row *row)
{
    buf_text(b, row->help ? row->help : "");
    if (row->choices && row->metavar)
        buf_printf(b, " (%s)", row->choices);
    if (row->type == OPTION_LIST && !row->many)
        buf_text(b, "; repeatable");
    if (row->default_value && *row->default_value) {
        char last = row->default_value[strlen(row->default_value) - 1];
        bool unit = row->unit && last >= '0' && last <= '9'; /* 10m has its own */
        buf_printf(b, " [%s%s%s]", row->default_value, unit ? " " : "", unit ? row->unit : "");
    }
    if (row->environment)
        buf_printf(b, " [$%s]", row->environment);
}

/* Words of text, broken so that lines are at most width long; further lines begin indented. */
static void write_wrapped(struct buf *b, struct str text, size_t column, size_t indent,
                          size_t width)
{
    bool first = true;
    while (text.n) {
        struct str word;
        str_cut(text, ' ', &word, &text);
        if (!word.n)
            continue;
        size_t w = utf8_width(word);
        if (!first && column + 1 + w > width) {
            buf_printf(b, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            buf_byte(b, ' ');
            column++;
        }
        buf_str(b, word);
        column += w;
        first = false;
    }
    buf_byte(b, '\n');
}

#define HELP_INDENT 30

void options_help(struct buf *b, const struct option_page *page, size_t width)
{
    if (width < 60 || width > 100)
        width = width < 60 && width ? 60 : 100;
    buf_printf(b, "usage: %s [options]%s%s\n", page->program, page->operands ? " " : "",
               page->operands ? page->operands : "");
    if (page->summary)
        buf_printf(b, "\n%s\n", page->summary);
    if (page->details)
        buf_printf(b, "\n%s\n", page->details);
    buf_text(b, "\noptions:\n");
    for (const struct option_row *const *table = page->tables; table && *table; table++) {
        for (const struct option_row *row = *table; row->name; row++) {
            if (row->hidden)
                continue;
            size_t start = b->n;
            buf_text(b, row->letter ? "  " : "      ");
            write_spelling(b, row, "", "");
            size_t used = b->n - start;
            if (used + 2 > HELP_INDENT)
                buf_printf(b, "\n%*s", HELP_INDENT, "");
            else
                buf_printf(b, "%*s", (int)(HELP_INDENT - used), "");
            auto_buf struct buf meaning;
            buf_init(&meaning, 4096);
            write_meaning(&meaning, row);
            write_wrapped(b, buf_view(&meaning), HELP_INDENT, HELP_INDENT, width);
        }
    }
    buf_printf(b, "  -h, --help%*sShow this help\n", HELP_INDENT - 12, "");
}

/* In scdoc _ and * are marks, and a backslash takes their meaning away. */
static void write_scdoc(struct buf *b, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\\' || text.p[i] == '*' || text.p[i] == '_')
            buf_byte(b, '\\');
        buf_byte(b, text.p[i]);
    }
}

void options_man(struct buf *b, const struct option_page *page)
{
    for (const struct option_row *const *table = page->tables; table && *table; table++) {
        for (const struct option_row *row = *table; row->name; row++) {
            if (row->hidden)
                continue;
            write_spelling(b, row, "*", row->type == OPTION_FLAG ? "" : "_");
            auto_buf struct buf meaning;
            buf_init(&meaning, 4096);
            write_meaning(&meaning, row);
            buf_text(b, "\n\t");
            write_scdoc(b, buf_view(&meaning));
            buf_text(b, ".\n\n");
        }
    }
    buf_text(b, "*-h*, *--help*\n\tShow a short help.\n\n");
}
