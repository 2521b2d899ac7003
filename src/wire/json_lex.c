/* json_lex - the tokens of JSON text: see json_lex.h. */
#include "wire/json_lex.h"
#include <errno.h>
#include "base/utf8.h"

int lex_fail(struct lex *r, const char *message, const struct shape *shape, const char *found)
{
    if (r->err && !r->err->message)
        *r->err = (struct wire_read_error){.offset = (size_t)(r->p - r->start),
                                           .message = message,
                                           .shape = shape,
                                           .found = found};
    return -EBADMSG;
}

int lex_bad(struct lex *r)
{
    return lex_fail(r, "not JSON", NULL, NULL);
}

int lex_expect(struct lex *r, char c)
{
    if (lex_peek(r) != c)
        return lex_bad(r);
    r->p++;
    return 0;
}

static int hex4(struct lex *r, uint32_t *ret)
{
    uint32_t v = 0;
    if (r->end - r->p < 4)
        return lex_bad(r);
    for (int i = 0; i < 4; i++) {
        char c = *r->p++;
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            v = v << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
        else
            return lex_bad(r);
    }
    *ret = v;
    return 0;
}

/* p behind the backslash. */
static int escape(struct lex *r, char **to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    if (r->p == r->end)
        return lex_bad(r);
    char c = *r->p++;
    if (c != 'u') {
        const char *at = c ? strchr(from, c) : NULL;
        if (!at)
            return lex_bad(r);
        *(*to)++ = into[at - from];
        return 0;
    }
    uint32_t v, low;
    if (hex4(r, &v) < 0)
        return -EBADMSG;
    if (v >= 0xd800 && v <= 0xdfff) {
        if (v >= 0xdc00 || r->end - r->p < 6 || r->p[0] != '\\' || r->p[1] != 'u')
            return lex_bad(r);
        r->p += 2;
        if (hex4(r, &low) < 0 || low < 0xdc00 || low > 0xdfff)
            return lex_bad(r);
        v = 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00);
    }
    *to = utf8_put(*to, v);
    return 0;
}

int lex_string(struct lex *r, struct str *ret)
{
    if (lex_expect(r, '"') < 0)
        return -EBADMSG;
    const char *from = r->p;
    while (r->p < r->end && *r->p != '"' && *r->p != '\\') {
        uint8_t c = (uint8_t)*r->p;
        size_t n = c < 0x20 ? 0 : c < 0x80 ? 1 : utf8_length(r->p, r->end);
        if (!n)
            return lex_bad(r);
        r->p += n;
    }
    if (r->p == r->end)
        return lex_bad(r);
    if (*r->p == '"') {
        *ret = str_of(from, (size_t)(r->p++ - from));
        return 0;
    }
    /* The closing quote bounds the size of what the escapes stand for. */
    const char *close = r->p;
    while (close < r->end && *close != '"')
        close += *close == '\\' && close + 1 < r->end ? 2 : 1;
    if (close >= r->end)
        return lex_bad(r);
    char *out = arena_alloc(r->arena, (size_t)(close - from) + 1), *to = out;
    memcpy(to, from, (size_t)(r->p - from));
    to += r->p - from;
    while (r->p < close) {
        uint8_t c = (uint8_t)*r->p;
        if (c == '\\') {
            r->p++;
            if (escape(r, &to) < 0)
                return -EBADMSG;
            continue;
        }
        size_t n = c < 0x20 ? 0 : c < 0x80 ? 1 : utf8_length(r->p, close);
        if (!n)
            return lex_bad(r);
        memcpy(to, r->p, n);
        to += n;
        r->p += n;
    }
    r->p = close + 1;
    *ret = str_of(out, (size_t)(to - out));
    return 0;
}

int lex_number(struct lex *r, struct str *ret)
{
    const char *p = r->p, *from = p;
    if (p < r->end && *p == '-')
        p++;
    const char *digits = p;
    while (p < r->end && *p >= '0' && *p <= '9')
        p++;
    if (p == digits || (*digits == '0' && p > digits + 1))
        return lex_bad(r);
    if (p < r->end && *p == '.') {
        for (digits = ++p; p < r->end && *p >= '0' && *p <= '9'; p++)
            ;
        if (p == digits)
            return lex_bad(r);
    }
    if (p < r->end && (*p | 0x20) == 'e') {
        p++;
        if (p < r->end && (*p == '+' || *p == '-'))
            p++;
        for (digits = p; p < r->end && *p >= '0' && *p <= '9'; p++)
            ;
        if (p == digits)
            return lex_bad(r);
    }
    *ret = str_of(from, (size_t)(p - from));
    r->p = p;
    return 0;
}

int lex_word(struct lex *r, const char *text)
{
    size_t n = strlen(text);
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, text, n) != 0)
        return lex_bad(r);
    r->p += n;
    return 0;
}

int lex_skip(struct lex *r)
{
    struct str text;
    char c = lex_peek(r);
    switch (c) {
    case '"':
        return lex_string(r, &text);
    case 't':
        return lex_word(r, "true");
    case 'f':
        return lex_word(r, "false");
    case 'n':
        return lex_word(r, "null");
    case '{':
    case '[':
        break;
    default:
        return lex_number(r, &text);
    }
    if (++r->depth > WIRE_DEPTH)
        return lex_fail(r, "too deep", NULL, NULL);
    char close = c == '{' ? '}' : ']';
    r->p++;
    if (lex_peek(r) == close) {
        r->p++;
        r->depth--;
        return 0;
    }
    for (;;) {
        if (c == '{') {
            if (lex_peek(r) != '"')
                return lex_bad(r);
            if (lex_string(r, &text) < 0 || lex_expect(r, ':') < 0)
                return -EBADMSG;
        }
        if (lex_skip(r) < 0)
            return -EBADMSG;
        char next = lex_peek(r);
        if (next != ',' && next != close)
            return lex_bad(r);
        r->p++;
        if (next == close)
            break;
    }
    r->depth--;
    return 0;
}
