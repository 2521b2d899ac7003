/* json_write - a struct as JSON text. */
#include "base/digest.h"
#include "wire/text.h"

static void value(struct buf *b, const struct shape *shape, const struct member *m,
                  const void *slot);

void wire_json_write(struct buf *b, const struct shape *shape, const void *object)
{
    char before = '{';
    for (uint32_t i = 0; i < shape->n_members; i++) {
        const struct member *m = shape_member(shape, i);
        const void *slot = wire_slot(m, object);
        if (m->location != LOCATION_BODY || member_shape(m)->type == SHAPE_STREAM ||
            wire_slot_absent(member_shape(m), slot))
            continue;
        buf_byte(b, before);
        before = ',';
        buf_byte(b, '"'); /* names in models need no escapes */
        buf_text(b, member_wire_name(m));
        buf_add(b, "\":", 2);
        value(b, member_shape(m), m, slot);
    }
    if (before == '{')
        buf_byte(b, '{');
    buf_byte(b, '}');
}

static void items(struct buf *b, const struct shape *shape, const struct any_list *list)
{
    bool is_map = shape->type == SHAPE_MAP;
    buf_byte(b, is_map ? '{' : '[');
    for (size_t i = 0; i < list->n; i++) {
        const char *item = (const char *)list->items + i * shape->stride;
        if (i)
            buf_byte(b, ',');
        if (is_map) {
            json_write_str(b, *(const struct str *)(const void *)item);
            buf_byte(b, ':');
            value(b, shape_element(shape), NULL, item + shape->value_offset);
        } else if (shape_element(shape)->type == SHAPE_STRUCTURE) {
            wire_json_write(b, shape_element(shape), item);
        } else {
            value(b, shape_element(shape), NULL, item);
        }
    }
    buf_byte(b, is_map ? '}' : ']');
}

static void timestamp(struct buf *b, const struct shape *shape, const struct member *m,
                      const void *slot)
{
    enum timestamp_format format = text_timestamp(m, shape, TIMESTAMP_UNIX);
    if (format != TIMESTAMP_UNIX)
        buf_byte(b, '"');
    text_write(b, shape, format, false, slot);
    if (format != TIMESTAMP_UNIX)
        buf_byte(b, '"');
}

static void value(struct buf *b, const struct shape *shape, const struct member *m,
                  const void *slot)
{
    if (wire_slot_absent(shape, slot)) {
        buf_text(b, "null");
        return;
    }
    switch (shape->type) {
    case SHAPE_STRUCTURE:
        wire_json_write(b, shape, *(void *const *)slot);
        break;
    case SHAPE_LIST:
    case SHAPE_MAP:
        items(b, shape, slot);
        break;
    case SHAPE_STRING:
        json_write_str(b, *(const struct str *)slot);
        break;
    case SHAPE_DOUBLE: {
        double v = ((const struct opt_double *)slot)->is;
        bool quoted = v != v || v - v != 0; /* NaN, infinities */
        if (quoted)
            buf_byte(b, '"');
        text_write_double(b, v);
        if (quoted)
            buf_byte(b, '"');
        break;
    }
    case SHAPE_BLOB:
        buf_byte(b, '"');
        text_write(b, shape, TIMESTAMP_UNIX, false, slot);
        buf_byte(b, '"');
        break;
    case SHAPE_TIMESTAMP:
        timestamp(b, shape, m, slot);
        break;
    case SHAPE_DOCUMENT:
        json_write(b, *(struct json *const *)slot, -1);
        break;
    case SHAPE_STREAM:
        buf_text(b, "null");
        break;
    default:
        text_write(b, shape, TIMESTAMP_UNIX, false, slot);
    }
}
