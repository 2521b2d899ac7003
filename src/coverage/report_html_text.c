/* report_html_text - text in pages: escaped, and sources with their words marked.
 *
 * The marks are a help for the eye only: a construct that is read wrongly is coloured wrongly. Each
 * byte is written by html_text() in any case. */
#include "base/utf8.h"
#include "coverage/report_html.h"

/* ---- escapes ---- */

/* Characters that show text in another order than it has, or not at all. */
static bool invisible(uint32_t c)
{
    return (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0x80 && c < 0xa0);
}

static void put_control(struct buf *b, uint32_t c)
{
    if (c == '\t' || c == '\n')
        buf_byte(b, (char)c);
    else if (c < 0x20 || c == 0x7f)
        buf_printf(b, "&#x%x;", c == 0x7f ? 0x2421 : 0x2400 + c); /* its picture */
    else
        buf_printf(b, "[U+%04X]", c);
}

static const char *entity(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void html_text(struct buf *b, struct str s)
{
    size_t from = 0;
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t n = c < 0x80 ? 1 : utf8_length(s.p + i, s.p + s.n);
        const char *name = entity((char)c);
        uint32_t code = n > 1 ? utf8_char(s.p + i, n) : c;
        bool plain = n && !name && c >= 0x20 && c != 0x7f && (n == 1 || !invisible(code));
        if (!plain) {
            buf_add(b, s.p + from, i - from);
            from = i + (n ? n : 1);
            if (!n)
                buf_text(b, "&#xfffd;");
            else if (name)
                buf_text(b, name);
            else
                put_control(b, code);
        }
        i += n ? n : 1;
    }
    buf_add(b, s.p + from, s.n - from);
}

void html_script_text(struct buf *b, struct str s)
{
    buf_byte(b, '"');
    for (size_t i = 0; i < s.n;) {
        size_t n = utf8_length(s.p + i, s.p + s.n);
        uint32_t c = n ? utf8_char(s.p + i, n) : 0xfffd;
        if (c >= 0x10000)
            buf_printf(b, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
                       0xdc00 + ((c - 0x10000) & 0x3ff));
        else if (c < 0x20 || c >= 0x7f || strchr("\"\\<>&'`", (int)c))
            buf_printf(b, "\\u%04x", c);
        else
            buf_byte(b, (char)c);
        i += n ? n : 1;
    }
    buf_byte(b, '"');
}

/* ---- words of languages ---- */

struct html_language {
    const char *const *endings;
    const char *words; /* " and as ... " */
    const char *names; /* words before a name that is defined */
    bool python;
};

static const char *const python_endings[] = {".py", ".pyi", ".pyw", NULL};
static const char *const curly_endings[] = {".js", ".mjs", ".cjs", ".ts",  ".mts", ".cts",
                                            ".c",  ".h",   ".cc",  ".cpp", ".hpp", ".rs",
                                            ".go", ".jsx", ".tsx", NULL};
static const struct html_language languages[] = {
    {.endings = python_endings,
     .python = true,
     .names = " def class ",
     .words = " False None True and as assert async await break class continue def del elif else "
              "except finally for from global if import in is lambda nonlocal not or pass raise "
              "return try while with yield "},
    {.endings = curly_endings,
     .names = " function class struct enum union interface fn func type ",
     .words = " as async await auto bool break case catch char class const continue default delete "
              "do double else enum export extends extern false float fn for from func function if "
              "impl import in instanceof int interface let long match mut namespace new null of "
              "package private protected public pub return short signed sizeof static struct super "
              "switch this throw true try type typedef typeof undefined union unsigned use var "
              "void volatile while yield "},
};

enum { CODE, COMMENT, TEXT, LONG_TEXT };

void html_syntax_begin(struct html_syntax *s, struct str name)
{
    *s = (struct html_syntax){0};
    for (size_t i = 0; i < sizeof languages / sizeof *languages; i++)
        for (const char *const *e = languages[i].endings; *e; e++)
            if (str_ends(name, str_from(*e)))
                s->language = &languages[i];
}

static bool listed(const char *list, struct str word)
{
    char key[24];
    if (!word.n || word.n + 3 > sizeof key)
        return false;
    key[0] = ' ';
    memcpy(key + 1, word.p, word.n);
    key[word.n + 1] = ' ';
    key[word.n + 2] = 0;
    return strstr(list, key) != NULL;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

static void mark(struct buf *b, const char *tag, struct str text)
{
    if (!text.n)
        return;
    buf_printf(b, "<%s>", tag);
    html_text(b, text);
    buf_printf(b, "</%s>", tag);
}

/* ---- texts ---- */

static bool closes(const struct html_syntax *s, struct str line, size_t i)
{
    if (line.p[i] != s->quote)
        return false;
    return s->state == TEXT ||
           (i + 2 < line.n && line.p[i + 1] == s->quote && line.p[i + 2] == s->quote);
}

/* From i within a text to behind its end, or to the line's. */
static size_t text_end(struct html_syntax *s, struct str line, size_t i)
{
    int depth = 0;
    for (; i < line.n; i++) {
        char c = line.p[i];
        if (c == '\\') {
            i++;
        } else if (s->format && c == '{' && i + 1 < line.n && line.p[i + 1] == '{' && !depth) {
            i++;
        } else if (s->format && (c == '{' || c == '}')) {
            depth += c == '{' ? 1 : depth ? -1 : 0;
        } else if (!depth && closes(s, line, i)) {
            i += s->state == TEXT ? 1 : 3;
            s->state = CODE;
            return i;
        }
    }
    /* A short text ends with its line, unless a backslash takes it further. */
    if (s->state == TEXT && s->quote != '`' && (!line.n || line.p[line.n - 1] != '\\'))
        s->state = CODE;
    return line.n;
}

static size_t comment_end(struct html_syntax *s, struct str line, size_t i)
{
    for (; i + 1 < line.n; i++)
        if (line.p[i] == '*' && line.p[i + 1] == '/') {
            s->state = CODE;
            return i + 2;
        }
    return line.n;
}

static size_t put_text(struct buf *b, struct html_syntax *s, struct str line, size_t from,
                       size_t quote)
{
    bool python = s->language->python;
    s->quote = line.p[quote];
    s->state = TEXT;
    size_t i = quote + 1;
    s->format = python ? false : s->quote == '`';
    for (size_t k = from; python && k < quote; k++)
        s->format = s->format || (line.p[k] | 0x20) == 'f';
    if (python && i + 1 < line.n && line.p[i] == s->quote && line.p[i + 1] == s->quote) {
        s->state = LONG_TEXT;
        i += 2;
    }
    i = text_end(s, line, i);
    mark(b, "u", str_slice(line, from, i));
    return i;
}

/* ---- code ---- */

static bool begins_text(const struct html_language *l, char c)
{
    return c == '"' || c == '\'' || (!l->python && c == '`');
}

static bool only_blanks(struct str line, size_t n)
{
    return str_trim(str_slice(line, 0, n)).n == 0;
}

/* A word at i: keyword, name that is defined, number, or a text's prefix. */
static size_t put_word(struct buf *b, struct html_syntax *s, struct str line, size_t i,
                       bool *defines)
{
    size_t end = i;
    while (end < line.n && is_word(line.p[end]))
        end++;
    struct str word = str_slice(line, i, end);
    bool number = word.p[0] >= '0' && word.p[0] <= '9';
    if (s->language->python && word.n <= 2 && end < line.n && begins_text(s->language, line.p[end]))
        return put_text(b, s, line, i, end);
    bool keyword = listed(s->language->words, word);
    if (keyword)
        mark(b, "b", word);
    else if (number)
        mark(b, "var", word);
    else if (*defines)
        mark(b, "dfn", word);
    else
        html_text(b, word);
    *defines = keyword && listed(s->language->names, word);
    return end;
}

static size_t put_code(struct buf *b, struct html_syntax *s, struct str line, size_t i,
                       bool *defines)
{
    const struct html_language *l = s->language;
    char c = line.p[i], next = i + 1 < line.n ? line.p[i + 1] : 0;
    if ((l->python && c == '#') || (!l->python && c == '/' && next == '/')) {
        mark(b, "i", str_slice(line, i, line.n));
        return line.n;
    }
    if (!l->python && c == '/' && next == '*') {
        s->state = COMMENT;
        size_t end = comment_end(s, line, i + 2);
        mark(b, "i", str_slice(line, i, end));
        return end;
    }
    if (begins_text(l, c))
        return put_text(b, s, line, i, i);
    if (is_word(c))
        return put_word(b, s, line, i, defines);
    if (l->python && c == '@' && only_blanks(line, i)) {
        size_t end = i + 1;
        while (end < line.n && (is_word(line.p[end]) || line.p[end] == '.'))
            end++;
        mark(b, "dfn", str_slice(line, i, end));
        return end;
    }
    size_t end = i + 1;
    while (end < line.n && !is_word(line.p[end]) && !begins_text(l, line.p[end]) &&
           line.p[end] != '#' && line.p[end] != '/')
        end++;
    html_text(b, str_slice(line, i, end));
    *defines = *defines && only_blanks(str_slice(line, i, end), end - i);
    return end;
}

void html_code(struct buf *b, struct html_syntax *s, struct str line)
{
    size_t i = 0;
    bool defines = false;
    if (!s->language) {
        html_text(b, line);
        return;
    }
    const char *tag = s->state == COMMENT ? "i" : "u";
    if (s->state == COMMENT)
        i = comment_end(s, line, 0);
    else if (s->state != CODE)
        i = text_end(s, line, 0);
    mark(b, tag, str_slice(line, 0, i));
    while (i < line.n)
        i = put_code(b, s, line, i, &defines);
}
