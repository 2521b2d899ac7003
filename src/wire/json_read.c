/* json_read - JSON text straight into a struct, in one pass.
 *
 * The cursor only moves forward; what the shape does not know is skipped, but checked to be JSON.
 */
#include <errno.h>
#include "base/digest.h"
#include "base/utf8.h"
#include "wire/text.h"

struct reader {
    struct arena *arena;
    const char *start, *p, *end;
    int depth;
    struct wire_read_error *err;
};

static int fail(struct reader *r, const char *message, const struct shape *shape, const char *found)
{
    if (r->err && !r->err->message)
        *r->err = (struct wire_read_error){.offset = (size_t)(r->p - r->start),
                                           .message = message,
                                           .shape = shape,
                                           .found = found};
    return -EBADMSG;
}

static int bad(struct reader *r)
{
    return fail(r, "not JSON", NULL, NULL);
}

static inline char peek(struct reader *r) /* 0 at the end: NUL is no JSON either */
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t'))
        r->p++;
    return r->p < r->end ? *r->p : 0;
}

static int expect(struct reader *r, char c)
{
    if (peek(r) != c)
        return bad(r);
    r->p++;
    return 0;
}

static int hex4(struct reader *r, uint32_t *ret)
{
    uint32_t v = 0;
    if (r->end - r->p < 4)
        return bad(r);
    for (int i = 0; i < 4; i++) {
        char c = *r->p++;
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            v = v << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
        else
            return bad(r);
    }
    *ret = v;
    return 0;
}

/* p behind the backslash. */
static int escape(struct reader *r, char **to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    if (r->p == r->end)
        return bad(r);
    char c = *r->p++;
    if (c != 'u') {
        const char *at = c ? strchr(from, c) : NULL;
        if (!at)
            return bad(r);
        *(*to)++ = into[at - from];
        return 0;
    }
    uint32_t v, low;
    if (hex4(r, &v) < 0)
        return -EBADMSG;
    if (v >= 0xd800 && v <= 0xdfff) {
        if (v >= 0xdc00 || r->end - r->p < 6 || r->p[0] != '\\' || r->p[1] != 'u')
            return bad(r);
        r->p += 2;
        if (hex4(r, &low) < 0 || low < 0xdc00 || low > 0xdfff)
            return bad(r);
        v = 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00);
    }
    *to = utf8_put(*to, v);
    return 0;
}

/* p at the quote. Without escapes the result points into the text. */
static int string(struct reader *r, struct str *ret)
{
    if (expect(r, '"') < 0)
        return -EBADMSG;
    const char *from = r->p;
    while (r->p < r->end && *r->p != '"' && *r->p != '\\') {
        uint8_t c = (uint8_t)*r->p;
        size_t n = c < 0x20 ? 0 : c < 0x80 ? 1 : utf8_length(r->p, r->end);
        if (!n)
            return bad(r);
        r->p += n;
    }
    if (r->p == r->end)
        return bad(r);
    if (*r->p == '"') {
        *ret = str_of(from, (size_t)(r->p++ - from));
        return 0;
    }
    /* The closing quote bounds the size of what the escapes stand for. */
    const char *close = r->p;
    while (close < r->end && *close != '"')
        close += *close == '\\' && close + 1 < r->end ? 2 : 1;
    if (close >= r->end)
        return bad(r);
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
            return bad(r);
        memcpy(to, r->p, n);
        to += n;
        r->p += n;
    }
    r->p = close + 1;
    *ret = str_of(out, (size_t)(to - out));
    return 0;
}

static int number(struct reader *r, struct str *ret)
{
    const char *p = r->p, *from = p;
    if (p < r->end && *p == '-')
        p++;
    const char *digits = p;
    while (p < r->end && *p >= '0' && *p <= '9')
        p++;
    if (p == digits || (*digits == '0' && p > digits + 1))
        return bad(r);
    if (p < r->end && *p == '.') {
        for (digits = ++p; p < r->end && *p >= '0' && *p <= '9'; p++)
            ;
        if (p == digits)
            return bad(r);
    }
    if (p < r->end && (*p | 0x20) == 'e') {
        p++;
        if (p < r->end && (*p == '+' || *p == '-'))
            p++;
        for (digits = p; p < r->end && *p >= '0' && *p <= '9'; p++)
            ;
        if (p == digits)
            return bad(r);
    }
    *ret = str_of(from, (size_t)(p - from));
    r->p = p;
    return 0;
}

static int word(struct reader *r, const char *text)
{
    size_t n = strlen(text);
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, text, n) != 0)
        return bad(r);
    r->p += n;
    return 0;
}

/* Any value, checked and forgotten. */
static int skip(struct reader *r)
{
    struct str text;
    char c = peek(r);
    switch (c) {
    case '"':
        return string(r, &text);
    case 't':
        return word(r, "true");
    case 'f':
        return word(r, "false");
    case 'n':
        return word(r, "null");
    case '{':
    case '[':
        break;
    default:
        return number(r, &text);
    }
    if (++r->depth > WIRE_DEPTH)
        return fail(r, "too deep", NULL, NULL);
    char close = c == '{' ? '}' : ']';
    r->p++;
    if (peek(r) == close) {
        r->p++;
        r->depth--;
        return 0;
    }
    for (;;) {
        if (c == '{') {
            if (peek(r) != '"')
                return bad(r);
            if (string(r, &text) < 0 || expect(r, ':') < 0)
                return -EBADMSG;
        }
        if (skip(r) < 0)
            return -EBADMSG;
        char next = peek(r);
        if (next != ',' && next != close)
            return bad(r);
        r->p++;
        if (next == close)
            break;
    }
    r->depth--;
    return 0;
}

static const char *kind(char c)
{
    switch (c) {
    case '"':
        return "STRING_VALUE";
    case 't':
        return "TRUE_VALUE";
    case 'f':
        return "FALSE_VALUE";
    case '{':
        return "START_OBJECT";
    case '[':
        return "START_ARRAY";
    default:
        return "NUMBER_VALUE";
    }
}

static int wrong_type(struct reader *r, const struct shape *shape)
{
    const char *found = kind(peek(r));
    /* "not JSON" must win where the value is none at all. */
    struct reader copy = *r;
    if (skip(&copy) < 0)
        return -EBADMSG;
    return fail(r, "unexpected type", shape, found);
}

static int value(struct reader *r, const struct shape *shape, const struct member *m, void *slot);

static const struct member *member_of(const struct shape *shape, struct str name, uint32_t *hint)
{
    /* Clients mostly send members in the model's order: begin where the last one was found. */
    for (uint32_t k = 0; k < shape->n_members; k++) {
        uint32_t i = *hint + k;
        if (i >= shape->n_members)
            i -= shape->n_members;
        const struct member *m = &shape->members[i];
        if (m->wire_name[0] == (name.n ? name.p[0] : 0) && str_is(name, m->wire_name)) {
            *hint = i + 1 == shape->n_members ? 0 : i + 1;
            return m;
        }
    }
    return NULL;
}

static int members(struct reader *r, const struct shape *shape, void *object)
{
    if (peek(r) != '{')
        return wrong_type(r, shape);
    if (++r->depth > WIRE_DEPTH)
        return fail(r, "too deep", NULL, NULL);
    r->p++;
    uint32_t hint = 0;
    if (peek(r) == '}') {
        r->p++;
        r->depth--;
        return 0;
    }
    for (;;) {
        struct str name;
        if (peek(r) != '"')
            return bad(r);
        if (string(r, &name) < 0 || expect(r, ':') < 0)
            return -EBADMSG;
        const struct member *m = member_of(shape, name, &hint);
        int e = m && m->location == LOCATION_BODY ? value(r, m->shape, m, wire_slot(m, object))
                                                  : skip(r);
        if (e < 0)
            return e;
        char next = peek(r);
        if (next != ',' && next != '}')
            return bad(r);
        r->p++;
        if (next == '}')
            break;
    }
    r->depth--;
    return 0;
}

static int is_null(struct reader *r)
{
    if (peek(r) != 'n')
        return 0;
    int e = word(r, "null");
    return e < 0 ? e : 1;
}

static int list(struct reader *r, const struct shape *shape, struct any_list *into)
{
    struct text_items items = {.list = into};
    if (peek(r) != '[')
        return wrong_type(r, shape);
    if (++r->depth > WIRE_DEPTH)
        return fail(r, "too deep", NULL, NULL);
    r->p++;
    into->n = 0;
    into->items = arena_alloc(r->arena, 1);
    if (peek(r) == ']') {
        r->p++;
        r->depth--;
        return 0;
    }
    for (;;) {
        /* A null among the elements has no slot to be absent in: AWS leaves it out. */
        int e = is_null(r);
        if (e == 0) {
            void *slot = text_items_push(r->arena, shape, &items);
            if (shape->element->type == SHAPE_STRUCTURE)
                e = members(r, shape->element, slot);
            else
                e = value(r, shape->element, NULL, slot);
        }
        if (e < 0)
            return e;
        char next = peek(r);
        if (next != ',' && next != ']')
            return bad(r);
        r->p++;
        if (next == ']')
            break;
    }
    r->depth--;
    return 0;
}

static int map(struct reader *r, const struct shape *shape, struct any_list *into)
{
    struct text_items items = {.list = into};
    if (peek(r) != '{')
        return wrong_type(r, shape);
    if (++r->depth > WIRE_DEPTH)
        return fail(r, "too deep", NULL, NULL);
    r->p++;
    into->n = 0;
    into->items = arena_alloc(r->arena, 1);
    if (peek(r) == '}') {
        r->p++;
        r->depth--;
        return 0;
    }
    for (;;) {
        struct str key;
        if (peek(r) != '"')
            return bad(r);
        if (string(r, &key) < 0 || expect(r, ':') < 0)
            return -EBADMSG;
        int e = is_null(r);
        if (e == 0) {
            char *entry = text_items_push(r->arena, shape, &items);
            *(struct str *)(void *)entry = key;
            e = value(r, shape->element, NULL, entry + shape->value_offset);
        }
        if (e < 0)
            return e;
        char next = peek(r);
        if (next != ',' && next != '}')
            return bad(r);
        r->p++;
        if (next == '}')
            break;
    }
    r->depth--;
    return 0;
}

static int integer(struct reader *r, const struct shape *shape, struct opt_int *slot)
{
    struct str text;
    int64_t v;
    char c = peek(r);
    if (c != '-' && (c < '0' || c > '9'))
        return wrong_type(r, shape);
    if (number(r, &text) < 0)
        return -EBADMSG;
    if (str_to_int64(text, &v) < 0) {
        double d; /* 5.0 and 1e3 are integers too; a fraction is cut, as AWS does */
        if (text_read_double(text, &d) < 0 || !(d > -9.2e18 && d < 9.2e18))
            return fail(r, "out of range", shape, "NUMBER_VALUE");
        v = (int64_t)d;
    }
    *slot = opt_int(v);
    return 0;
}

static int real(struct reader *r, const struct shape *shape, struct opt_double *slot)
{
    struct str text;
    double v;
    char c = peek(r);
    if (c == '"') {
        if (string(r, &text) < 0)
            return -EBADMSG;
        if (!str_eq(text, S("NaN")) && !str_eq(text, S("Infinity")) &&
            !str_eq(text, S("-Infinity")))
            return fail(r, "unexpected type", shape, "STRING_VALUE");
    } else if (c != '-' && (c < '0' || c > '9')) {
        return wrong_type(r, shape);
    } else if (number(r, &text) < 0) {
        return -EBADMSG;
    }
    if (text_read_double(text, &v) < 0)
        return fail(r, "out of range", shape, "NUMBER_VALUE");
    *slot = opt_double(v);
    return 0;
}

static int timestamp(struct reader *r, const struct shape *shape, const struct member *m,
                     struct opt_time *slot)
{
    struct str text;
    char c = peek(r);
    if (c == '"') {
        if (string(r, &text) < 0)
            return -EBADMSG;
        if (text_read(r->arena, shape, text_timestamp(m, shape, TIMESTAMP_ISO8601), text, slot) < 0)
            return fail(r, "unexpected type", shape, "STRING_VALUE");
        return 0;
    }
    if (c != '-' && (c < '0' || c > '9'))
        return wrong_type(r, shape);
    int64_t ms;
    if (number(r, &text) < 0)
        return -EBADMSG;
    if (text_read_unix(text, &ms) < 0)
        return fail(r, "out of range", shape, "NUMBER_VALUE");
    *slot = opt_time(ms);
    return 0;
}

static int document(struct reader *r, struct json **slot)
{
    const char *from = r->p;
    if (skip(r) < 0)
        return -EBADMSG;
    if (json_parse(r->arena, str_of(from, (size_t)(r->p - from)), slot, NULL) < 0)
        return bad(r);
    return 0;
}

static int value(struct reader *r, const struct shape *shape, const struct member *m, void *slot)
{
    char c = peek(r);
    if (c == 'n')
        return word(r, "null");
    switch (shape->type) {
    case SHAPE_STRUCTURE: {
        void *object = arena_alloc(r->arena, shape->size);
        int e = members(r, shape, object);
        if (e == 0)
            *(void **)slot = object;
        return e;
    }
    case SHAPE_LIST:
        return list(r, shape, slot);
    case SHAPE_MAP:
        return map(r, shape, slot);
    case SHAPE_STRING:
        return c == '"' ? string(r, slot) : wrong_type(r, shape);
    case SHAPE_BLOB: {
        struct str text;
        if (c != '"')
            return wrong_type(r, shape);
        if (string(r, &text) < 0)
            return -EBADMSG;
        if (base64_decode(r->arena, text, slot) < 0)
            return fail(r, "not base64", shape, "STRING_VALUE");
        return 0;
    }
    case SHAPE_BOOLEAN:
        if (c != 't' && c != 'f')
            return wrong_type(r, shape);
        *(struct opt_bool *)slot = opt_bool(c == 't');
        return word(r, c == 't' ? "true" : "false");
    case SHAPE_INTEGER:
        return integer(r, shape, slot);
    case SHAPE_DOUBLE:
        return real(r, shape, slot);
    case SHAPE_TIMESTAMP:
        return timestamp(r, shape, m, slot);
    case SHAPE_DOCUMENT:
        return document(r, slot);
    case SHAPE_STREAM:
        return skip(r);
    }
    return bad(r);
}

int wire_json_read(struct arena *a, struct str text, const struct shape *shape, void *ret,
                   struct wire_read_error *err)
{
    struct reader r = {
        .arena = a, .start = text.p, .p = text.p, .end = text.p + text.n, .err = err};
    if (err)
        *err = (struct wire_read_error){0};
    int e = members(&r, shape, ret);
    if (e == 0 && (peek(&r) || r.p < r.end))
        e = bad(&r);
    return e;
}
