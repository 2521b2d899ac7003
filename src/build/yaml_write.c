/* yaml_write - which scalars need quotes, and blocks: see yaml_write.h. */
#include "build/yaml_write.h"
#include <ctype.h>
#include "base/cleanup.h"

static void value(struct buf *b, const struct json *v, int indent, bool in_list);

static bool reserved(struct str s)
{
    static const char *const words[] = {"y",    "n", "yes", "no", "true", "false", "on",    "off",
                                        "null", "~", "<<",  "=",  ".inf", "-.inf", "+.inf", ".nan"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq_nocase(s, str_from(words[i])))
            return true;
    return false;
}

/* Only what certainly is a plain string everywhere: the rest is quoted. */
static bool plain(struct str s)
{
    if (!s.n || reserved(s) || !(isalpha((unsigned char)s.p[0]) || s.p[0] == '/' || s.p[0] == '_'))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool colon = c == ':' && i + 1 < s.n && s.p[i + 1] != ' ';
        if (!isalnum(c) && !strchr("_-./+@$ ()=", c) && !colon)
            return false;
    }
    return s.p[s.n - 1] != ' ';
}

/* The next character of UTF-8, which the tree's strings are. */
static uint32_t next_char(struct str s, size_t *i)
{
    unsigned char c = (unsigned char)s.p[(*i)++];
    int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
    uint32_t u = more ? c & (0x3fu >> more) : c;
    while (more-- > 0 && *i < s.n)
        u = u << 6 | ((unsigned char)s.p[(*i)++] & 0x3f);
    return u;
}

/* Characters that YAML takes for line breaks or refuses to read as they are. */
static bool printable(uint32_t u)
{
    return (u >= 0x20 && u < 0x7f) ||
           (u >= 0xa0 && u < 0xfffe && u != 0x2028 && u != 0x2029 && !(u >= 0xd800 && u < 0xe000) &&
            u != 0xfeff) ||
           (u >= 0x10000 && u <= 0x10ffff);
}

static bool literal(struct str s)
{
    if (str_find_byte(s, '\n') < 0 || s.p[0] == ' ' || s.p[0] == '\n')
        return false;
    for (size_t i = 0; i < s.n;) {
        uint32_t u = next_char(s, &i);
        if ((u != '\n' && !printable(u)) || (u == ' ' && i < s.n && s.p[i] == '\n'))
            return false;
    }
    return true;
}

static void quoted(struct buf *b, struct str s)
{
    buf_byte(b, '"');
    for (size_t i = 0; i < s.n;) {
        size_t from = i;
        uint32_t u = next_char(s, &i);
        if (u == '"' || u == '\\')
            buf_printf(b, "\\%c", (char)u);
        else if (u == '\n')
            buf_text(b, "\\n");
        else if (u == '\t')
            buf_text(b, "\\t");
        else if (printable(u))
            buf_str(b, str_slice(s, from, i));
        else
            buf_printf(b, u < 0x100 ? "\\x%02x" : u < 0x10000 ? "\\u%04x" : "\\U%08x", u);
    }
    buf_byte(b, '"');
}

static void pad(struct buf *b, int indent)
{
    for (int i = 0; i < indent; i++)
        buf_byte(b, ' ');
}

static void block(struct buf *b, struct str s, int indent)
{
    bool ends = str_ends(s, S("\n"));
    bool more = s.n > 1 && str_ends(s, S("\n\n"));
    buf_text(b, more ? "|+\n" : ends ? "|\n" : "|-\n");
    struct str line;
    if (ends)
        s.n--;
    bool again = true;
    while (again) {
        again = str_cut(s, '\n', &line, &s);
        if (line.n)
            pad(b, indent);
        buf_str(b, line);
        buf_byte(b, '\n');
    }
}

static void scalar(struct buf *b, const struct json *v, int indent)
{
    if (v->type == JSON_STRING && literal(v->text)) {
        block(b, v->text, indent);
        return;
    }
    if (v->type == JSON_STRING && plain(v->text))
        buf_str(b, v->text);
    else if (v->type == JSON_STRING)
        quoted(b, v->text);
    else
        json_write(b, v, -1);
    buf_byte(b, '\n');
}

static bool is_container(const struct json *v)
{
    return (v->type == JSON_OBJECT || v->type == JSON_ARRAY) && v->n;
}

static void member(struct buf *b, const struct json *v, int indent)
{
    if (plain(v->key))
        buf_str(b, v->key);
    else
        quoted(b, v->key);
    buf_byte(b, ':');
    if (!is_container(v)) {
        buf_byte(b, ' ');
        scalar(b, v, indent + 2);
        return;
    }
    buf_byte(b, '\n');
    value(b, v, v->type == JSON_ARRAY ? indent : indent + 2, false);
}

/* in_list: the first line goes on behind the dash. */
static void value(struct buf *b, const struct json *v, int indent, bool in_list)
{
    JSON_EACH(v, item) {
        if (!(in_list && item == v->first))
            pad(b, indent);
        if (v->type == JSON_OBJECT) {
            member(b, item, indent);
            continue;
        }
        buf_text(b, "- ");
        if (is_container(item))
            value(b, item, indent + 2, true);
        else
            scalar(b, item, indent + 2);
    }
}

void yaml_write(struct buf *b, const struct json *v)
{
    if (is_container(v))
        value(b, v, 0, false);
    else
        scalar(b, v, 2);
}
