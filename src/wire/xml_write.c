/* xml_write - structs as XML elements. */
#include "base/utf8.h"
#include "wire/text.h"
#include "wire/xml.h"

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
    case '\r':
        return "&#13;"; /* a bare one would be read back as a line feed */
    default:
        return NULL;
    }
}

void xml_write_text(struct buf *b, struct str s)
{
    const char *p = s.p, *end = p + s.n, *from = p;
    while (p < end) {
        uint8_t c = (uint8_t)*p;
        size_t n = c < 0x80 ? 1 : utf8_length(p, end);
        const char *instead = n ? entity(*p) : "\xef\xbf\xbd";
        if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
            instead = "\xef\xbf\xbd";
        if (instead) {
            buf_add(b, from, (size_t)(p - from));
            buf_text(b, instead);
            from = p + 1;
        }
        p += n ? n : 1;
    }
    if (p > from)
        buf_add(b, from, (size_t)(p - from));
}

static void open_tag(struct buf *b, const char *name)
{
    buf_byte(b, '<');
    buf_text(b, name);
    buf_byte(b, '>');
}

static void close_tag(struct buf *b, const char *name)
{
    buf_add(b, "</", 2);
    buf_text(b, name);
    buf_byte(b, '>');
}

void xml_write_element(struct buf *b, const char *name, struct str text)
{
    open_tag(b, name);
    xml_write_text(b, text);
    close_tag(b, name);
}

static void value(struct buf *b, const struct service_model *service, const struct shape *shape,
                  const struct member *m, const char *name, const void *slot);

static void entries(struct buf *b, const struct service_model *service, const struct shape *shape,
                    const struct any_list *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++) {
        const char *item = (const char *)list->items + i * shape->stride;
        open_tag(b, name);
        xml_write_element(b, shape_key_name(shape), *(const struct str *)(const void *)item);
        value(b, service, shape_element(shape), NULL, shape_element_name(shape),
              item + shape->value_offset);
        close_tag(b, name);
    }
}

static void structure_open(struct buf *b, const struct shape *shape, const struct member *m,
                           const char *name, const char *xml_namespace, const void *object)
{
    buf_byte(b, '<');
    buf_text(b, name);
    if (xml_namespace) {
        buf_text(b, m && m->xml_prefix ? " xmlns:" : " xmlns");
        if (m && m->xml_prefix)
            buf_text(b, member_xml_prefix(m));
        buf_text(b, "=\"");
        buf_text(b, xml_namespace);
        buf_byte(b, '"');
    }
    for (uint32_t i = 0; i < shape->n_members; i++) {
        const struct member *attribute = shape_member(shape, i);
        const void *slot = wire_slot(attribute, object);
        if (!attribute->xml_attribute || member_shape(attribute)->type != SHAPE_STRING ||
            wire_slot_absent(member_shape(attribute), slot))
            continue;
        buf_byte(b, ' ');
        buf_text(b, member_wire_name(attribute));
        buf_text(b, "=\"");
        xml_write_text(b, *(const struct str *)slot);
        buf_byte(b, '"');
    }
    buf_byte(b, '>');
}

static void elements(struct buf *b, const struct service_model *service, const struct shape *shape,
                     const struct any_list *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++) {
        const char *item = (const char *)list->items + i * shape->stride;
        if (shape_element(shape)->type == SHAPE_STRUCTURE) {
            structure_open(b, shape_element(shape), NULL, name, NULL, item);
            xml_write_members(b, service, shape_element(shape), item);
            close_tag(b, name);
        } else {
            value(b, service, shape_element(shape), NULL, name, item);
        }
    }
}

static void items(struct buf *b, const struct service_model *service, const struct shape *shape,
                  const struct member *m, const char *name, const struct any_list *list)
{
    bool flat = m && m->flattened;
    if (!flat)
        open_tag(b, name);
    if (shape->type == SHAPE_MAP)
        entries(b, service, shape, list, flat ? name : "entry");
    else if (flat && strcmp(shape_element_name(shape), "member") != 0)
        elements(b, service, shape, list, shape_element_name(shape));
    else
        elements(b, service, shape, list, flat ? name : shape_element_name(shape));
    if (!flat)
        close_tag(b, name);
}

static void value(struct buf *b, const struct service_model *service, const struct shape *shape,
                  const struct member *m, const char *name, const void *slot)
{
    if (wire_slot_absent(shape, slot))
        return;
    switch (shape->type) {
    case SHAPE_STRUCTURE: {
        const void *object = *(void *const *)slot;
        structure_open(b, shape, m, name, m ? member_xml_namespace(m) : NULL, object);
        xml_write_members(b, service, shape, object);
        close_tag(b, name);
        break;
    }
    case SHAPE_LIST:
    case SHAPE_MAP:
        items(b, service, shape, m, name, slot);
        break;
    case SHAPE_STRING:
        xml_write_element(b, name, *(const struct str *)slot);
        break;
    default:
        open_tag(b, name);
        text_write(b, shape, text_timestamp(m, shape, TIMESTAMP_ISO8601), service->whole_seconds,
                   slot);
        close_tag(b, name);
    }
}

void xml_write_members(struct buf *b, const struct service_model *service,
                       const struct shape *shape, const void *object)
{
    for (uint32_t i = 0; i < shape->n_members; i++) {
        const struct member *m = shape_member(shape, i);
        if (m->location == LOCATION_BODY && !m->xml_attribute)
            value(b, service, member_shape(m), m, member_wire_name(m), wire_slot(m, object));
    }
}

void xml_write_root(struct buf *b, const struct service_model *service, const char *name,
                    const char *xml_namespace, const struct shape *shape, const void *object)
{
    structure_open(b, shape, NULL, name, xml_namespace, object);
    if (shape->unwrapped) {
        const struct member *m = shape_member(shape, 0);
        const void *slot = wire_slot(m, object);
        if (member_shape(m)->type == SHAPE_STRING)
            xml_write_text(b, *(const struct str *)slot);
    } else {
        xml_write_members(b, service, shape, object);
    }
    close_tag(b, name);
}
