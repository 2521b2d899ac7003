/* toml - TOML 1.0, read with the lines that messages need: see toml.h. */
#include "base/toml.h"
#include <errno.h>
#include <ctype.h>

struct reader {
    struct arena *arena;
    const char *p, *end, *line_start;
    int line;
    struct json_error *err;
};

static int bad(struct reader *r, const char *message)
{
    if (r->err)
        *r->err = (struct json_error){r->line, (int)(r->p - r->line_start) + 1, message};
    return -EBADMSG;
}

static bool at_end(const struct reader *r)
{
    return r->p >= r->end;
}

static char peek(const struct reader *r)
{
    return at_end(r) ? '\0' : *r->p;
}

static void blanks(struct reader *r)
{
    while (!at_end(r) && (*r->p == ' ' || *r->p == '\t'))
        r->p++;
}

static void newline(struct reader *r)
{
    r->p++;
    r->line++;
    r->line_start = r->p;
}

static void comment(struct reader *r)
{
    if (peek(r) == '#')
        while (!at_end(r) && *r->p != '\n')
            r->p++;
}

/* Blanks, comments and line ends: between statements and inside arrays. */
static void space(struct reader *r)
{
    for (;;) {
        blanks(r);
        comment(r);
        if (peek(r) == '\r' && r->p + 1 < r->end && r->p[1] == '\n')
            r->p++;
        if (at_end(r) || *r->p != '\n')
            return;
        newline(r);
    }
}

static bool bare(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

static void utf8(struct buf *b, unsigned long c)
{
    if (c < 0x80) {
        buf_byte(b, (char)c);
        return;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    buf_byte(b, (char)(lead[more] | (c >> (6 * more))));
    while (more-- > 0)
        buf_byte(b, (char)(0x80 | ((c >> (6 * more)) & 0x3f)));
}

static int unicode(struct reader *r, struct buf *b, int digits)
{
    unsigned long c = 0;
    for (int i = 0; i < digits; i++, r->p++) {
        if (!isxdigit((unsigned char)peek(r)))
            return bad(r, "\\u needs hexadecimal digits");
        char d = *r->p;
        c = c * 16 + (unsigned long)(d <= '9' ? d - '0' : (d | 32) - 'a' + 10);
    }
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return bad(r, "no such character");
    utf8(b, c);
    return 0;
}

static int escape(struct reader *r, struct buf *b)
{
    static const char from[] = "btnfr\"\\e", to[] = "\b\t\n\f\r\"\\\033";
    char c = peek(r);
    const char *at = c ? strchr(from, c) : NULL;
    r->p++;
    if (at) {
        buf_byte(b, to[at - from]);
        return 0;
    }
    if (c == 'u' || c == 'U')
        return unicode(r, b, c == 'u' ? 4 : 8);
    return bad(r, "unknown escape");
}

/* A line end after a backslash swallows the blanks that follow, in """ strings. */
static bool line_continues(struct reader *r)
{
    const char *p = r->p;
    while (p < r->end && (*p == ' ' || *p == '\t' || *p == '\r'))
        p++;
    if (p >= r->end || *p != '\n')
        return false;
    while (!at_end(r) && isspace((unsigned char)*r->p)) {
        if (*r->p == '\n')
            newline(r);
        else
            r->p++;
    }
    return true;
}

static int string(struct reader *r, struct str *ret)
{
    char quote = *r->p;
    bool many = r->end - r->p >= 3 && r->p[1] == quote && r->p[2] == quote;
    auto_buf struct buf b;
    buf_init(&b, (size_t)(r->end - r->p) + 8);
    r->p += many ? 3 : 1;
    if (many && peek(r) == '\r')
        r->p++;
    if (many && peek(r) == '\n')
        newline(r);
    for (;;) {
        if (at_end(r))
            return bad(r, "string without end");
        char c = *r->p;
        bool three =
            many && r->end - r->p >= 3 && c == quote && r->p[1] == quote && r->p[2] == quote;
        if (three && !(r->end - r->p > 3 && r->p[3] == quote)) {
            r->p += 3;
            break;
        }
        if (!many && c == quote) {
            r->p++;
            break;
        }
        if (c == '\n' && !many)
            return bad(r, "string without end");
        if (c == '\n') {
            buf_byte(&b, c);
            newline(r);
            continue;
        }
        if ((unsigned char)c < 0x20 && c != '\t' && c != '\r')
            return bad(r, "control character in a string");
        r->p++;
        if (c == '\\' && quote == '"') {
            if (many && line_continues(r))
                continue;
            int e = escape(r, &b);
            if (e < 0)
                return e;
            continue;
        }
        buf_byte(&b, c);
    }
    *ret = buf_copy(&b, r->arena);
    return 0;
}

static int key_part(struct reader *r, struct str *ret)
{
    blanks(r);
    if (peek(r) == '"' || peek(r) == '\'')
        return string(r, ret);
    const char *from = r->p;
    while (!at_end(r) && bare(*r->p))
        r->p++;
    if (r->p == from)
        return bad(r, "a key is expected");
    *ret = str_of(from, (size_t)(r->p - from));
    return 0;
}

static struct json *child(struct reader *r, struct json *object, struct str key, struct json *v)
{
    v->line = r->line;
    v->key_line = r->line;
    return json_set(r->arena, object, key, v);
}

/* Walks a dotted key to the object that holds its last part. */
static int walk(struct reader *r, struct json *object, struct json **ret_object,
                struct str *ret_key)
{
    int depth = 0;
    for (;;) {
        struct str key;
        int e = key_part(r, &key);
        if (e < 0)
            return e;
        blanks(r);
        if (peek(r) != '.') {
            *ret_object = object;
            *ret_key = key;
            return 0;
        }
        if (++depth > JSON_DEPTH)
            return bad(r, "too many levels");
        r->p++;
        struct json *next = json_find(object, key);
        if (next && next->type == JSON_ARRAY && next->last && next->last->type == JSON_OBJECT)
            next = next->last;
        if (!next)
            next = child(r, object, key, json_new(r->arena, JSON_OBJECT));
        if (next->type != JSON_OBJECT)
            return bad(r, "this key has a value already");
        object = next;
    }
}

static int value(struct reader *r, int depth, struct json **ret);

static int array(struct reader *r, int depth, struct json **ret)
{
    struct json *a = json_new(r->arena, JSON_ARRAY);
    r->p++;
    for (;;) {
        space(r);
        if (peek(r) == ']')
            break;
        struct json *v;
        int e = value(r, depth + 1, &v);
        if (e < 0)
            return e;
        json_add(a, v);
        space(r);
        if (peek(r) == ',')
            r->p++;
        else if (peek(r) != ']')
            return bad(r, "',' or ']' is expected");
    }
    r->p++;
    *ret = a;
    return 0;
}

static int pair(struct reader *r, struct json *object, int depth)
{
    struct json *holder, *v;
    struct str key;
    int e = walk(r, object, &holder, &key);
    if (e < 0)
        return e;
    if (peek(r) != '=')
        return bad(r, "'=' is expected");
    r->p++;
    blanks(r);
    if (json_find(holder, key))
        return bad(r, "this key has a value already");
    e = value(r, depth, &v);
    if (e == 0)
        child(r, holder, key, v);
    return e;
}

static int inline_table(struct reader *r, int depth, struct json **ret)
{
    struct json *o = json_new(r->arena, JSON_OBJECT);
    r->p++;
    blanks(r);
    while (peek(r) != '}') {
        int e = pair(r, o, depth + 1);
        if (e < 0)
            return e;
        blanks(r);
        if (peek(r) == ',') {
            r->p++;
            blanks(r);
        } else if (peek(r) != '}') {
            return bad(r, "',' or '}' is expected");
        }
    }
    r->p++;
    *ret = o;
    return 0;
}

static bool date_like(struct str s)
{
    return s.n >= 8 && isdigit((unsigned char)s.p[0]) &&
           ((s.n >= 10 && s.p[4] == '-' && s.p[7] == '-') || (s.p[2] == ':' && s.p[5] == ':'));
}

static int number(struct reader *r, struct str word, struct json **ret)
{
    char digits[64];
    size_t n = 0;
    for (size_t i = 0; i < word.n && n < sizeof digits - 1; i++)
        if (word.p[i] != '_' && !(i == 0 && word.p[i] == '+'))
            digits[n++] = word.p[i];
    digits[n] = '\0';
    char *stop;
    bool based = n > 2 && digits[0] == '0' && strchr("xob", digits[1]);
    if (based) {
        int base = digits[1] == 'x' ? 16 : digits[1] == 'o' ? 8 : 2;
        errno = 0;
        long long v = strtoll(digits + 2, &stop, base);
        if (*stop || errno)
            return bad(r, "a value is expected");
        *ret = json_new_int(r->arena, v);
        return 0;
    }
    strtod(digits, &stop);
    if (!n || *stop || !(isdigit((unsigned char)digits[0]) || digits[0] == '-') ||
        digits[n - 1] == '.')
        return bad(r, "a value is expected");
    *ret = json_new(r->arena, JSON_NUMBER);
    (*ret)->text = str_copy(r->arena, str_of(digits, n));
    return 0;
}

static int value(struct reader *r, int depth, struct json **ret)
{
    if (depth > JSON_DEPTH)
        return bad(r, "too many levels");
    char c = peek(r);
    if (c == '"' || c == '\'') {
        struct str s;
        int e = string(r, &s);
        if (e == 0)
            *ret = json_new_str(r->arena, s);
        return e;
    }
    if (c == '[')
        return array(r, depth, ret);
    if (c == '{')
        return inline_table(r, depth, ret);
    const char *from = r->p;
    while (!at_end(r) && (bare(*r->p) || strchr("+.:", *r->p)))
        r->p++;
    struct str word = str_of(from, (size_t)(r->p - from));
    if (str_is(word, "true") || str_is(word, "false")) {
        *ret = json_new_bool(r->arena, str_is(word, "true"));
        return 0;
    }
    if (date_like(word)) {
        *ret = json_new_str(r->arena, word);
        return 0;
    }
    int e = number(r, word, ret);
    if (e < 0)
        r->p = from;
    return e;
}

/* [a.b] opens an object, [[a.b]] adds one to an array. */
static int header(struct reader *r, struct json *root, struct json **ret)
{
    bool list = r->end - r->p > 1 && r->p[1] == '[';
    r->p += list ? 2 : 1;
    struct json *holder;
    struct str key;
    int e = walk(r, root, &holder, &key);
    if (e < 0)
        return e;
    if (peek(r) != ']' || (list && (r->end - r->p < 2 || r->p[1] != ']')))
        return bad(r, "']' is expected");
    r->p += list ? 2 : 1;
    struct json *there = json_find(holder, key);
    if (list) {
        if (!there)
            there = child(r, holder, key, json_new(r->arena, JSON_ARRAY));
        if (there->type != JSON_ARRAY)
            return bad(r, "this key has a value already");
        *ret = json_add(there, json_new(r->arena, JSON_OBJECT));
        return 0;
    }
    if (!there)
        there = child(r, holder, key, json_new(r->arena, JSON_OBJECT));
    /* column marks that the header itself was seen: a table is opened once */
    if (there->type != JSON_OBJECT || there->column)
        return bad(r, "this table is there already");
    there->column = 1;
    *ret = there;
    return 0;
}

int toml_parse(struct arena *a, struct str text, struct json **ret, struct json_error *err)
{
    struct reader r = {.arena = a,
                       .p = text.p,
                       .end = text.p + text.n,
                       .line_start = text.p,
                       .line = 1,
                       .err = err};
    struct json *root = json_new(a, JSON_OBJECT), *table = root;
    for (space(&r); !at_end(&r); space(&r)) {
        int e = peek(&r) == '[' ? header(&r, root, &table) : pair(&r, table, 0);
        if (e < 0)
            return e;
        blanks(&r);
        comment(&r);
        if (peek(&r) == '\r')
            r.p++;
        if (!at_end(&r) && *r.p != '\n')
            return bad(&r, "the line should end here");
    }
    *ret = root;
    return 0;
}
