/* json_read - JSON text straight into a struct, in one pass.
 *
 * What the shape does not know is skipped, but checked to be JSON.
 */
#include <errno.h>
#include "base/digest.h"
#include "wire/json_lex.h"
#include "wire/text.h"

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

static int wrong_type(struct lex *r, const struct shape *shape)
{
    const char *found = kind(lex_peek(r));
    /* "not JSON" must win where the value is none at all. */
    struct lex copy = *r;
    if (lex_skip(&copy) < 0)
        return -EBADMSG;
    return lex_fail(r, "unexpected type", shape, found);
}

static int value(struct lex *r, const struct shape *shape, const struct member *m, void *slot);

static const struct member *member_of(const struct shape *shape, struct str name, uint32_t *hint)
{
    /* Clients mostly send members in the model's order: begin where the last one was found. */
    for (uint32_t k = 0; k < shape->n_members; k++) {
        uint32_t i = *hint + k;
        if (i >= shape->n_members)
            i -= shape->n_members;
        const struct member *m = shape_member(shape, i);
        if (member_wire_name(m)[0] == (name.n ? name.p[0] : 0) &&
            str_is(name, member_wire_name(m))) {
            *hint = i + 1 == shape->n_members ? 0 : i + 1;
            return m;
        }
    }
    return NULL;
}

static int members(struct lex *r, const struct shape *shape, void *object)
{
    if (lex_peek(r) != '{')
        return wrong_type(r, shape);
    if (++r->depth > WIRE_DEPTH)
        return lex_fail(r, "too deep", NULL, NULL);
    r->p++;
    uint32_t hint = 0;
    if (lex_peek(r) == '}') {
        r->p++;
        r->depth--;
        return 0;
    }
    for (;;) {
        struct str name;
        if (lex_peek(r) != '"')
            return lex_bad(r);
        if (lex_string(r, &name) < 0 || lex_expect(r, ':') < 0)
            return -EBADMSG;
        const struct member *m = member_of(shape, name, &hint);
        int e = m && m->location == LOCATION_BODY
                    ? value(r, member_shape(m), m, wire_slot(m, object))
                    : lex_skip(r);
        if (e < 0)
            return e;
        char next = lex_peek(r);
        if (next != ',' && next != '}')
            return lex_bad(r);
        r->p++;
        if (next == '}')
            break;
    }
    r->depth--;
    return 0;
}

static int is_null(struct lex *r)
{
    if (lex_peek(r) != 'n')
        return 0;
    int e = lex_word(r, "null");
    return e < 0 ? e : 1;
}

static int list(struct lex *r, const struct shape *shape, struct any_list *into)
{
    struct text_items items = {.list = into};
    if (lex_peek(r) != '[')
        return wrong_type(r, shape);
    if (++r->depth > WIRE_DEPTH)
        return lex_fail(r, "too deep", NULL, NULL);
    r->p++;
    into->n = 0;
    into->items = arena_alloc(r->arena, 1);
    if (lex_peek(r) == ']') {
        r->p++;
        r->depth--;
        return 0;
    }
    for (;;) {
        /* A null among the elements has no slot to be absent in: AWS leaves it out. */
        int e = is_null(r);
        if (e == 0) {
            void *slot = text_items_push(r->arena, shape, &items);
            if (shape_element(shape)->type == SHAPE_STRUCTURE)
                e = members(r, shape_element(shape), slot);
            else
                e = value(r, shape_element(shape), NULL, slot);
        }
        if (e < 0)
            return e;
        char next = lex_peek(r);
        if (next != ',' && next != ']')
            return lex_bad(r);
        r->p++;
        if (next == ']')
            break;
    }
    r->depth--;
    return 0;
}

static int map(struct lex *r, const struct shape *shape, struct any_list *into)
{
    struct text_items items = {.list = into};
    if (lex_peek(r) != '{')
        return wrong_type(r, shape);
    if (++r->depth > WIRE_DEPTH)
        return lex_fail(r, "too deep", NULL, NULL);
    r->p++;
    into->n = 0;
    into->items = arena_alloc(r->arena, 1);
    if (lex_peek(r) == '}') {
        r->p++;
        r->depth--;
        return 0;
    }
    for (;;) {
        struct str key;
        if (lex_peek(r) != '"')
            return lex_bad(r);
        if (lex_string(r, &key) < 0 || lex_expect(r, ':') < 0)
            return -EBADMSG;
        int e = is_null(r);
        if (e == 0) {
            char *entry = text_items_push(r->arena, shape, &items);
            *(struct str *)(void *)entry = key;
            e = value(r, shape_element(shape), NULL, entry + shape->value_offset);
        }
        if (e < 0)
            return e;
        char next = lex_peek(r);
        if (next != ',' && next != '}')
            return lex_bad(r);
        r->p++;
        if (next == '}')
            break;
    }
    r->depth--;
    return 0;
}

static int integer(struct lex *r, const struct shape *shape, struct opt_int *slot)
{
    struct str text;
    int64_t v;
    char c = lex_peek(r);
    if (c != '-' && (c < '0' || c > '9'))
        return wrong_type(r, shape);
    if (lex_number(r, &text) < 0)
        return -EBADMSG;
    if (str_to_int64(text, &v) < 0) {
        double d; /* 5.0 and 1e3 are integers too; a fraction is cut, as AWS does */
        if (text_read_double(text, &d) < 0 || !(d > -9.2e18 && d < 9.2e18))
            return lex_fail(r, "out of range", shape, "NUMBER_VALUE");
        v = (int64_t)d;
    }
    *slot = opt_int(v);
    return 0;
}

static int real(struct lex *r, const struct shape *shape, struct opt_double *slot)
{
    struct str text;
    double v;
    char c = lex_peek(r);
    if (c == '"') {
        if (lex_string(r, &text) < 0)
            return -EBADMSG;
        if (!str_eq(text, S("NaN")) && !str_eq(text, S("Infinity")) &&
            !str_eq(text, S("-Infinity")))
            return lex_fail(r, "unexpected type", shape, "STRING_VALUE");
    } else if (c != '-' && (c < '0' || c > '9')) {
        return wrong_type(r, shape);
    } else if (lex_number(r, &text) < 0) {
        return -EBADMSG;
    }
    if (text_read_double(text, &v) < 0)
        return lex_fail(r, "out of range", shape, "NUMBER_VALUE");
    *slot = opt_double(v);
    return 0;
}

static int timestamp(struct lex *r, const struct shape *shape, const struct member *m,
                     struct opt_time *slot)
{
    struct str text;
    char c = lex_peek(r);
    if (c == '"') {
        if (lex_string(r, &text) < 0)
            return -EBADMSG;
        if (text_read(r->arena, shape, text_timestamp(m, shape, TIMESTAMP_ISO8601), text, slot) < 0)
            return lex_fail(r, "unexpected type", shape, "STRING_VALUE");
        return 0;
    }
    if (c != '-' && (c < '0' || c > '9'))
        return wrong_type(r, shape);
    int64_t ms;
    if (lex_number(r, &text) < 0)
        return -EBADMSG;
    if (text_read_unix(text, &ms) < 0)
        return lex_fail(r, "out of range", shape, "NUMBER_VALUE");
    *slot = opt_time(ms);
    return 0;
}

static int document(struct lex *r, struct json **slot)
{
    const char *from = r->p;
    if (lex_skip(r) < 0)
        return -EBADMSG;
    if (json_parse(r->arena, str_of(from, (size_t)(r->p - from)), slot, NULL) < 0)
        return lex_bad(r);
    return 0;
}

static int value(struct lex *r, const struct shape *shape, const struct member *m, void *slot)
{
    char c = lex_peek(r);
    if (c == 'n')
        return lex_word(r, "null");
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
        return c == '"' ? lex_string(r, slot) : wrong_type(r, shape);
    case SHAPE_BLOB: {
        struct str text;
        if (c != '"')
            return wrong_type(r, shape);
        if (lex_string(r, &text) < 0)
            return -EBADMSG;
        if (base64_decode(r->arena, text, slot) < 0)
            return lex_fail(r, "not base64", shape, "STRING_VALUE");
        return 0;
    }
    case SHAPE_BOOLEAN:
        if (c != 't' && c != 'f')
            return wrong_type(r, shape);
        *(struct opt_bool *)slot = opt_bool(c == 't');
        return lex_word(r, c == 't' ? "true" : "false");
    case SHAPE_INTEGER:
        return integer(r, shape, slot);
    case SHAPE_DOUBLE:
        return real(r, shape, slot);
    case SHAPE_TIMESTAMP:
        return timestamp(r, shape, m, slot);
    case SHAPE_DOCUMENT:
        return document(r, slot);
    case SHAPE_STREAM:
        return lex_skip(r);
    }
    return lex_bad(r);
}

int wire_json_read(struct arena *a, struct str text, const struct shape *shape, void *ret,
                   struct wire_read_error *err)
{
    struct lex r = {.arena = a, .start = text.p, .p = text.p, .end = text.p + text.n, .err = err};
    if (err)
        *err = (struct wire_read_error){0};
    int e = members(&r, shape, ret);
    if (e == 0 && (lex_peek(&r) || r.p < r.end))
        e = lex_bad(&r);
    return e;
}
