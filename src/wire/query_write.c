/* query_write - structs as parameters of the query protocol. */
#include "wire/query.h"
#include "wire/request.h"
#include "wire/text.h"

struct writer {
    struct buf *out;
    struct arena *arena;
    struct buf name; /* the path to where we are: Tags.member.1 */
};

static void value(struct writer *w, const struct shape *shape, const struct member *m,
                  const void *slot);

static void parameter(struct writer *w, struct str text)
{
    buf_byte(w->out, '&');
    buf_str(w->out, wire_percent_encode(w->arena, buf_view(&w->name), false));
    buf_byte(w->out, '=');
    buf_str(w->out, wire_percent_encode(w->arena, text, false));
}

static void down(struct writer *w, const char *part)
{
    if (w->name.n)
        buf_byte(&w->name, '.');
    buf_text(&w->name, part);
}

static void members(struct writer *w, const struct shape *shape, const void *object)
{
    for (uint32_t i = 0; i < shape->n_members; i++) {
        const struct member *m = shape_member(shape, i);
        const void *slot = wire_slot(m, object);
        if (wire_slot_absent(member_shape(m), slot))
            continue;
        size_t back = w->name.n;
        bool renamed = m->flattened && member_shape(m)->type == SHAPE_LIST &&
                       strcmp(shape_element_name(member_shape(m)), "member") != 0;
        down(w, renamed ? shape_element_name(member_shape(m)) : member_wire_name(m));
        value(w, member_shape(m), m, slot);
        w->name.n = back;
    }
}

static void items(struct writer *w, const struct shape *shape, const struct member *m,
                  const struct any_list *list)
{
    size_t back = w->name.n;
    if (!list->n) {
        parameter(w, S(""));
        return;
    }
    if (!m || !m->flattened)
        down(w, shape->type == SHAPE_MAP ? "entry" : shape_element_name(shape));
    size_t at = w->name.n;
    for (size_t i = 0; i < list->n; i++) {
        const char *item = (const char *)list->items + i * shape->stride;
        w->name.n = at;
        buf_printf(&w->name, ".%zu", i + 1);
        size_t here = w->name.n;
        if (shape->type == SHAPE_MAP) {
            down(w, shape_key_name(shape));
            parameter(w, *(const struct str *)(const void *)item);
            w->name.n = here;
            down(w, shape_element_name(shape));
            value(w, shape_element(shape), NULL, item + shape->value_offset);
        } else if (shape_element(shape)->type == SHAPE_STRUCTURE) {
            members(w, shape_element(shape), item);
        } else {
            value(w, shape_element(shape), NULL, item);
        }
    }
    w->name.n = back;
}

static void value(struct writer *w, const struct shape *shape, const struct member *m,
                  const void *slot)
{
    if (wire_slot_absent(shape, slot))
        return;
    switch (shape->type) {
    case SHAPE_STRUCTURE:
        members(w, shape, *(void *const *)slot);
        break;
    case SHAPE_LIST:
    case SHAPE_MAP:
        items(w, shape, m, slot);
        break;
    case SHAPE_STRING:
        parameter(w, *(const struct str *)slot);
        break;
    default: {
        auto_buf struct buf text;
        buf_init(&text, SIZE_MAX);
        text_write(&text, shape, text_timestamp(m, shape, TIMESTAMP_ISO8601), false, slot);
        parameter(w, buf_view(&text));
    }
    }
}

void query_write(struct buf *b, struct arena *a, const struct shape *shape, const void *object)
{
    struct writer w = {.out = b, .arena = a};
    buf_init(&w.name, SIZE_MAX);
    members(&w, shape, object);
    buf_done(&w.name);
}
