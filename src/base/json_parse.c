/* json_parse - RFC 8259 text to a tree, strictly. */
#include "base/json.h"
#include <errno.h>
#include "base/utf8.h"

struct parser {
    struct arena *arena;
    const char *p, *end;
    const char *line_start;
    int line;
    int depth;
    const char *message; /* what is wrong at p */
};

static int fail(struct parser *ps, const char *message)
{
    if (!ps->message)
        ps->message = message;
    return -EBADMSG;
}

static int column(const struct parser *ps)
{
    return (int)(ps->p - ps->line_start) + 1;
}

static void skip_blanks(struct parser *ps)
{
    for (; ps->p < ps->end; ps->p++) {
        char c = *ps->p;
        if (c == '\n') {
            ps->line++;
            ps->line_start = ps->p + 1;
        } else if (c != ' ' && c != '\t' && c != '\r') {
            return;
        }
    }
}

static int hex4(const char *p, const char *end, uint32_t *ret)
{
    if (end - p < 4)
        return -EBADMSG;
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        uint32_t digit;
        if (c >= '0' && c <= '9')
            digit = (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (uint32_t)((c | 0x20) - 'a' + 10);
        else
            return -EBADMSG;
        v = v << 4 | digit;
    }
    *ret = v;
    return 0;
}

/* \uXXXX with p behind the 'u'; a pair of surrogates is one character. */
static int unicode_escape(struct parser *ps, const char **p, const char *end, uint32_t *ret)
{
    uint32_t c, low;
    if (hex4(*p, end, &c) < 0)
        return fail(ps, "invalid \\u escape");
    *p += 4;
    if (c >= 0xdc00 && c <= 0xdfff)
        return fail(ps, "lone surrogate in \\u escape");
    if (c >= 0xd800 && c <= 0xdbff) {
        if (end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u' || hex4(*p + 2, end, &low) < 0 ||
            low < 0xdc00 || low > 0xdfff)
            return fail(ps, "lone surrogate in \\u escape");
        *p += 6;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    *ret = c;
    return 0;
}

/* The content of a string between from and to, which is checked UTF-8 and holds escapes. */
static int unescape(struct parser *ps, const char *from, const char *end, struct str *ret)
{
    /* An escape is never shorter than what it stands for. */
    char *out = arena_alloc(ps->arena, (size_t)(end - from) + 1), *to = out;
    for (const char *p = from; p < end;) {
        if (*p != '\\') {
            *to++ = *p++;
            continue;
        }
        ps->p = p++;
        switch (*p++) {
        case '"':
            *to++ = '"';
            break;
        case '\\':
            *to++ = '\\';
            break;
        case '/':
            *to++ = '/';
            break;
        case 'b':
            *to++ = '\b';
            break;
        case 'f':
            *to++ = '\f';
            break;
        case 'n':
            *to++ = '\n';
            break;
        case 'r':
            *to++ = '\r';
            break;
        case 't':
            *to++ = '\t';
            break;
        case 'u': {
            uint32_t c;
            if (unicode_escape(ps, &p, end, &c) < 0)
                return -EBADMSG;
            to = utf8_put(to, c);
            break;
        }
        default:
            return fail(ps, "invalid escape");
        }
    }
    *ret = (struct str){out, (size_t)(to - out)};
    return 0;
}

/* p at the opening quote. */
static int parse_string(struct parser *ps, struct str *ret)
{
    const char *from = ps->p + 1, *p = from;
    bool escaped = false;
    for (;;) {
        if (p == ps->end) {
            ps->p = p;
            return fail(ps, "unterminated string");
        }
        uint8_t c = (uint8_t)*p;
        if (c == '"')
            break;
        if (c == '\\') {
            escaped = true;
            p += 2;
            if (p > ps->end)
                p = ps->end;
        } else if (c >= 0x80) {
            size_t n = utf8_length(p, ps->end);
            ps->p = p;
            if (!n)
                return fail(ps, "invalid UTF-8");
            p += n;
        } else if (c < 0x20) {
            ps->p = p;
            return fail(ps, "control character in string");
        } else {
            p++;
        }
    }
    *ret = (struct str){from, (size_t)(p - from)};
    if (escaped && unescape(ps, from, p, ret) < 0)
        return -EBADMSG;
    ps->p = p + 1;
    return 0;
}

static const char *digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

static int parse_number(struct parser *ps, struct str *ret)
{
    const char *from = ps->p, *p = from, *end = ps->end, *at;
    if (*p == '-')
        p++;
    at = p;
    p = digits(p, end);
    if (p == at || (*at == '0' && p - at > 1))
        return fail(ps, "invalid number");
    if (p < end && *p == '.') {
        at = ++p;
        p = digits(p, end);
        if (p == at)
            return fail(ps, "invalid number");
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        at = p;
        p = digits(p, end);
        if (p == at)
            return fail(ps, "invalid number");
    }
    ps->p = p;
    *ret = (struct str){from, (size_t)(p - from)};
    return 0;
}

static int parse_word(struct parser *ps, struct str word)
{
    if (!str_starts(str_of(ps->p, (size_t)(ps->end - ps->p)), word))
        return fail(ps, "unexpected character");
    ps->p += word.n;
    return 0;
}

static int parse_value(struct parser *ps, struct json **ret);

static int parse_member(struct parser *ps, struct json **ret)
{
    if (ps->p == ps->end || *ps->p != '"')
        return fail(ps, "expected a member name in quotes");
    struct str key;
    int key_line = ps->line, key_column = column(ps);
    int r = parse_string(ps, &key);
    if (r < 0)
        return r;
    skip_blanks(ps);
    if (ps->p == ps->end || *ps->p != ':')
        return fail(ps, "expected ':'");
    ps->p++;
    skip_blanks(ps);
    r = parse_value(ps, ret);
    if (r < 0)
        return r;
    (*ret)->key = key;
    (*ret)->key_line = key_line;
    (*ret)->key_column = key_column;
    return 0;
}

/* The children of an array or object, p behind the opening bracket. */
static int parse_children(struct parser *ps, struct json *v, char close)
{
    if (++ps->depth > JSON_DEPTH)
        return fail(ps, "nested too deeply");
    skip_blanks(ps);
    if (ps->p < ps->end && *ps->p == close) {
        ps->p++;
        ps->depth--;
        return 0;
    }
    for (;;) {
        struct json *child;
        int r = v->type == JSON_OBJECT ? parse_member(ps, &child) : parse_value(ps, &child);
        if (r < 0)
            return r;
        json_add(v, child);
        skip_blanks(ps);
        if (ps->p == ps->end)
            return fail(ps, "unexpected end");
        char c = *ps->p;
        if (c != ',' && c != close)
            return fail(ps, close == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
        ps->p++;
        if (c == close)
            break;
        skip_blanks(ps);
    }
    ps->depth--;
    return 0;
}

static int parse_value(struct parser *ps, struct json **ret)
{
    if (ps->p == ps->end)
        return fail(ps, "unexpected end");
    struct json *v = ARENA_NEW(ps->arena, struct json);
    v->line = ps->line;
    v->column = column(ps);
    int r;
    switch (*ps->p) {
    case '{':
        ps->p++;
        v->type = JSON_OBJECT;
        r = parse_children(ps, v, '}');
        break;
    case '[':
        ps->p++;
        v->type = JSON_ARRAY;
        r = parse_children(ps, v, ']');
        break;
    case '"':
        v->type = JSON_STRING;
        r = parse_string(ps, &v->text);
        break;
    case 't':
        v->type = JSON_BOOL;
        v->boolean = true;
        r = parse_word(ps, S("true"));
        break;
    case 'f':
        v->type = JSON_BOOL;
        r = parse_word(ps, S("false"));
        break;
    case 'n':
        r = parse_word(ps, S("null"));
        break;
    case '-':
    case '0' ... '9':
        v->type = JSON_NUMBER;
        r = parse_number(ps, &v->text);
        break;
    default:
        r = fail(ps, "unexpected character");
    }
    if (r < 0)
        return r;
    *ret = v;
    return 0;
}

int json_parse(struct arena *a, struct str text, struct json **ret, struct json_error *err)
{
    const char *from = text.p ? text.p : "";
    struct parser ps = {.arena = a, .p = from, .end = from + text.n, .line_start = from, .line = 1};
    struct json *v = NULL;
    skip_blanks(&ps);
    int r = parse_value(&ps, &v);
    if (r == 0) {
        skip_blanks(&ps);
        if (ps.p != ps.end)
            r = fail(&ps, "unexpected text after the value");
    }
    if (r < 0) {
        if (err)
            *err = (struct json_error){ps.line, column(&ps), ps.message};
        return r;
    }
    *ret = v;
    return 0;
}
