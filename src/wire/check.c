/* check - what the model demands of an input: required, length, range, enum, pattern.
 *
 * All violations are collected and told in one message, in the words of AWS's framework:
 *   2 validation errors detected: Value 'x' at 'name' failed to satisfy constraint: Member must
 * ...; ... */
#include <errno.h>
#include "wire/pattern.h"
#include "wire/server.h"
#include "wire/text.h"

#define VIOLATIONS_MAX 64
#define SHOWN_MAX 4096 /* bytes of a value that are echoed */

struct checker {
    struct arena *arena;
    const struct wire_route *route;
    struct buf message;
    size_t n;
    struct buf path;
    bool sensitive;
    /* S3 says little: what the first violation was about. */
    const struct member *first;
    const struct shape *first_shape;
    struct str first_value;
    bool first_missing;
    const struct member *top; /* the input's member we are inside of */
};

static void members(struct checker *c, const struct shape *shape, const void *object);

/* ---- values as text ---- */

static void show(struct buf *b, const struct shape *shape, const void *slot, int depth)
{
    if (depth > 4) {
        buf_text(b, "...");
    } else if (wire_slot_absent(shape, slot)) {
        buf_text(b, "null");
    } else if (shape->sensitive) {
        buf_text(b, "***Sensitive Data Redacted***");
    } else if (shape->type == SHAPE_STRUCTURE) {
        wire_json_write(b, shape, *(void *const *)slot);
    } else if (shape->type == SHAPE_LIST || shape->type == SHAPE_MAP) {
        const struct any_list *list = slot;
        buf_byte(b, shape->type == SHAPE_MAP ? '{' : '[');
        for (size_t i = 0; i < list->n && b->n < SHOWN_MAX; i++) {
            const char *item = (const char *)list->items + i * shape->stride;
            if (i)
                buf_text(b, ", ");
            if (shape->type == SHAPE_MAP) {
                buf_str(b, *(const struct str *)(const void *)item);
                buf_byte(b, '=');
                show(b, shape_element(shape), item + shape->value_offset, depth + 1);
            } else if (shape_element(shape)->type == SHAPE_STRUCTURE) {
                wire_json_write(b, shape_element(shape), item);
            } else {
                show(b, shape_element(shape), item, depth + 1);
            }
        }
        buf_byte(b, shape->type == SHAPE_MAP ? '}' : ']');
    } else if (shape->type == SHAPE_BLOB || shape->type == SHAPE_STREAM) {
        buf_text(b, "java.nio.HeapByteBuffer");
    } else {
        text_write(b, shape, TIMESTAMP_ISO8601, false, slot);
    }
}

/* ---- violations ---- */

/* text: a whole sentence, or NULL for the beginning of one that the caller ends. */
static void violation(struct checker *c, const struct shape *shape, const void *slot,
                      const char *constraint)
{
    if (c->n++ >= VIOLATIONS_MAX)
        return;
    auto_buf struct buf value;
    buf_init(&value, 1024 * 1024);
    if (!slot)
        buf_text(&value, "null");
    else if (c->sensitive)
        buf_text(&value, "***Sensitive Data Redacted***");
    else
        show(&value, shape, slot, 0);
    if (c->n == 1) {
        c->first = c->top;
        c->first_shape = shape;
        c->first_value = buf_copy(&value, c->arena);
        c->first_missing = !slot;
    } else {
        buf_text(&c->message, "; ");
    }
    const char *quote = slot ? "'" : "";
    buf_printf(&c->message, "Value %s%.*s%s at '%.*s' failed to satisfy constraint: %s", quote,
               STR(buf_view(&value)), quote, STR(buf_view(&c->path)), constraint);
}

static const char *limit_text(struct arena *a, const char *what, const char *side, double v)
{
    return str_printf(a, "Member must have %s%s than or equal to %.0f", what, side, v).p;
}

static struct str enum_text(struct arena *a, const struct shape *shape)
{
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX);
    buf_text(&b, "Member must satisfy enum value set: [");
    const char *value = shape_enum_values(shape);
    for (size_t i = 0; i < shape->n_enum_values; i++, value += strlen(value) + 1) {
        if (i)
            buf_text(&b, ", ");
        buf_text(&b, value);
    }
    buf_byte(&b, ']');
    return buf_copy(&b, a);
}

static bool enum_has(const struct shape *shape, struct str s)
{
    const char *value = shape_enum_values(shape);
    for (size_t i = 0; i < shape->n_enum_values; i++, value += strlen(value) + 1)
        if (str_is(s, value))
            return true;
    return false;
}

/* Java counts UTF-16 units. */
static double text_length(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = (uint8_t)s.p[i];
        n += (c & 0xc0) != 0x80;
        n += c >= 0xf0;
    }
    return (double)n;
}

static bool measure(const struct shape *shape, const void *slot, double *ret)
{
    switch (shape->type) {
    case SHAPE_STRING:
        *ret = text_length(*(const struct str *)slot);
        return true;
    case SHAPE_BLOB:
        *ret = (double)((const struct str *)slot)->n;
        return true;
    case SHAPE_LIST:
    case SHAPE_MAP:
        *ret = (double)((const struct any_list *)slot)->n;
        return true;
    case SHAPE_INTEGER:
        *ret = (double)((const struct opt_int *)slot)->is;
        return true;
    case SHAPE_DOUBLE:
        *ret = ((const struct opt_double *)slot)->is;
        return true;
    default:
        return false;
    }
}

/* The constraints of one value that it does not meet; at most 4. */
static size_t failed(struct checker *c, const struct shape *shape, const void *slot,
                     const char *ret[4])
{
    size_t n = 0;
    double size;
    bool number = shape->type == SHAPE_INTEGER || shape->type == SHAPE_DOUBLE;
    if ((shape->has_min || shape->has_max) && measure(shape, slot, &size)) {
        const char *what = number ? "value " : "length ";
        if (shape->has_max && size > shape->max)
            ret[n++] = limit_text(c->arena, what, "less", shape->max);
        if (shape->has_min && size < shape->min)
            ret[n++] = limit_text(c->arena, what, "greater", shape->min);
    }
    if (shape->type != SHAPE_STRING)
        return n;
    struct str s = *(const struct str *)slot;
    if (shape->pattern && !pattern_fits(shape, s))
        ret[n++] = str_printf(c->arena, "Member must satisfy regular expression pattern: %s",
                              shape_pattern(shape))
                       .p;
    if (shape->n_enum_values && !enum_has(shape, s))
        ret[n++] = enum_text(c->arena, shape).p;
    return n;
}

/* ---- walking ---- */

static void down(struct checker *c, const char *name)
{
    if (c->path.n)
        buf_byte(&c->path, '.');
    char first = name[0] >= 'A' && name[0] <= 'Z' ? (char)(name[0] | 0x20) : name[0];
    buf_byte(&c->path, first);
    buf_text(&c->path, name + 1);
}

/* Elements that are not structures are told about with the whole list: "Member must satisfy
 * constraint: [...]". */
static void simple_elements(struct checker *c, const struct shape *shape, const void *slot,
                            const struct shape *element, size_t offset, const char *intro)
{
    const struct any_list *list = slot;
    const char *why[4];
    for (size_t i = 0; i < list->n; i++) {
        const char *item = (const char *)list->items + i * shape->stride + offset;
        if (wire_slot_absent(element, item))
            continue;
        size_t n = failed(c, element, item, why);
        if (!n)
            continue;
        auto_buf struct buf all;
        buf_init(&all, SIZE_MAX);
        buf_printf(&all, "%s: [", intro);
        for (size_t k = 0; k < n; k++) {
            if (k)
                buf_text(&all, ", ");
            buf_text(&all, why[k]);
        }
        buf_add(&all, "]", 2); /* with its NUL */
        bool before = c->sensitive;
        c->sensitive |= element->sensitive;
        violation(c, shape, slot, buf_view(&all).p);
        c->sensitive = before;
        return;
    }
}

static void value(struct checker *c, const struct shape *shape, const void *slot);

static void items(struct checker *c, const struct shape *shape, const void *slot)
{
    const struct any_list *list = slot;
    const struct shape *element = shape_element(shape);
    bool nested = element->type == SHAPE_STRUCTURE || element->type == SHAPE_LIST ||
                  element->type == SHAPE_MAP;
    if (shape->type == SHAPE_MAP)
        simple_elements(c, shape, slot, shape_key(shape), 0, "Map keys must satisfy constraint");
    if (!nested) {
        simple_elements(c, shape, slot, element, shape->type == SHAPE_MAP ? shape->value_offset : 0,
                        shape->type == SHAPE_MAP ? "Map value must satisfy constraint"
                                                 : "Member must satisfy constraint");
        return;
    }
    size_t back = c->path.n;
    for (size_t i = 0; i < list->n && c->n < VIOLATIONS_MAX; i++) {
        const char *item = (const char *)list->items + i * shape->stride;
        c->path.n = back;
        if (shape->type == SHAPE_MAP) {
            buf_byte(&c->path, '.');
            buf_str(&c->path, *(const struct str *)(const void *)item);
            buf_text(&c->path, ".member");
            value(c, element, item + shape->value_offset);
            continue;
        }
        buf_printf(&c->path, ".%zu.member", i + 1);
        if (element->type == SHAPE_STRUCTURE)
            members(c, element, item);
        else
            value(c, element, item);
    }
    c->path.n = back;
}

static void value(struct checker *c, const struct shape *shape, const void *slot)
{
    if (wire_slot_absent(shape, slot))
        return;
    if (shape->type == SHAPE_STRUCTURE) {
        members(c, shape, *(void *const *)slot);
        return;
    }
    const char *why[4];
    size_t n = failed(c, shape, slot, why);
    for (size_t i = 0; i < n; i++)
        violation(c, shape, slot, why[i]);
    if (shape->type == SHAPE_LIST || shape->type == SHAPE_MAP)
        items(c, shape, slot);
}

static void members(struct checker *c, const struct shape *shape, const void *object)
{
    size_t back = c->path.n;
    for (uint32_t i = 0; i < shape->n_members; i++) {
        const struct member *m = shape_member(shape, i);
        const void *slot = wire_slot(m, object);
        bool absent = wire_slot_absent(member_shape(m), slot), before = c->sensitive;
        /* A request without a body is a stream of no bytes. */
        if (absent && (!m->required || member_shape(m)->type == SHAPE_STREAM))
            continue;
        if (!back)
            c->top = m;
        down(c, member_name(m));
        c->sensitive |= m->sensitive || member_shape(m)->sensitive;
        if (absent)
            violation(c, member_shape(m), NULL, "Member must not be null");
        else
            value(c, member_shape(m), slot);
        c->sensitive = before;
        c->path.n = back;
    }
}

/* ---- what is answered ---- */

static void refuse_rest_xml(struct checker *c, struct wire_error *err)
{
    const struct service_model *s = c->route->service;
    const struct member *m = c->first;
    struct arena *a = c->arena;
    if (m && m->location == LOCATION_BODY) {
        if (c->first_missing && shape_payload(operation_input(c->route->op)) == m)
            wire_error_set(err, s, S("MissingRequestBodyError"), S("Request Body is empty"));
        else
            wire_error_set(err, s, S("MalformedXML"),
                           S("The XML you provided was not well-formed or did not validate against "
                             "our published schema"));
        return;
    }
    if (c->first_missing) {
        wire_error_set(err, s, S("InvalidRequest"),
                       str_printf(a, "Missing required %s for this request: %s",
                                  m->location == LOCATION_HEADER ? "header" : "parameter",
                                  member_wire_name(m)));
        return;
    }
    wire_error_set(err, s, S("InvalidArgument"),
                   str_printf(a, "Invalid value for %s", member_wire_name(m)));
    struct wire_pair *extra = ARENA_ARRAY(a, struct wire_pair, 2);
    extra[0] = (struct wire_pair){S("ArgumentName"), str_from(member_wire_name(m))};
    extra[1] = (struct wire_pair){S("ArgumentValue"), c->first_value};
    err->extra = extra;
    err->n_extra = 2;
}

static void refuse(struct checker *c, struct wire_error *err)
{
    const struct service_model *s = c->route->service;
    if (c->first_shape && c->first_shape->violation_code && !c->first_missing) {
        const char *text = shape_violation_message(c->first_shape);
        wire_error_set(err, s, str_from(shape_violation_code(c->first_shape)),
                       text ? str_from(text) : buf_copy(&c->message, c->arena));
        return;
    }
    if (c->route->protocol == PROTOCOL_REST_XML) {
        refuse_rest_xml(c, err);
        return;
    }
    struct str code = s->validation_code                     ? str_from(s->validation_code)
                      : c->route->protocol == PROTOCOL_QUERY ? S("ValidationError")
                                                             : S("ValidationException");
    wire_error_set(err, s, code,
                   str_printf(c->arena, "%zu validation error%s detected: %.*s", c->n,
                              c->n == 1 ? "" : "s", STR(buf_view(&c->message))));
}

int wire_check_input(const struct wire_route *route, const void *in, struct arena *a,
                     struct wire_error *err)
{
    if (!operation_input(route->op) || !in)
        return 0;
    struct checker c = {.arena = a, .route = route};
    buf_init(&c.message, 1024 * 1024);
    buf_init(&c.path, 64 * 1024);
    members(&c, operation_input(route->op), in);
    if (c.n)
        refuse(&c, err);
    buf_done(&c.message);
    buf_done(&c.path);
    return c.n ? -EBADMSG : 0;
}
