/* bind - the members of a REST operation that are not in the body. */
#include "wire/bind.h"
#include <errno.h>
#include <strings.h>
#include "wire/text.h"

bool bind_has_body_members(const struct shape *shape)
{
    for (uint32_t i = 0; i < shape->n_members; i++)
        if (shape_member(shape, i)->location == LOCATION_BODY)
            return true;
    return false;
}

static enum timestamp_format usual_format(enum location location)
{
    return location == LOCATION_HEADER || location == LOCATION_HEADERS ? TIMESTAMP_RFC822
                                                                       : TIMESTAMP_ISO8601;
}

static int read_scalar(struct arena *a, const struct member *m, const struct shape *shape,
                       struct str text, void *slot)
{
    return text_read(a, shape, text_timestamp(m, shape, usual_format(m->location)), text, slot);
}

static int push_scalar(struct arena *a, const struct member *m, struct text_items *items,
                       struct str text)
{
    return read_scalar(a, m, shape_element(member_shape(m)), text,
                       text_items_push(a, member_shape(m), items));
}

/* ---- URI ---- */

/* The next "{Name}" or "{Name+}" of a template from *pos on. */
static bool next_label(struct str uri, size_t *pos, struct str *ret_name, size_t *ret_open)
{
    ssize_t open = str_find_byte(str_slice(uri, *pos, uri.n), '{');
    if (open < 0)
        return false;
    *ret_open = *pos + (size_t)open;
    ssize_t close = str_find_byte(str_slice(uri, *ret_open, uri.n), '}');
    if (close < 0)
        return false;
    *ret_name = str_slice(uri, *ret_open + 1, *ret_open + (size_t)close);
    *pos = *ret_open + (size_t)close + 1;
    return true;
}

static const struct member *uri_member(const struct shape *shape, struct str label)
{
    if (str_ends(label, S("+")))
        label.n--;
    for (uint32_t i = 0; shape && i < shape->n_members; i++)
        if (shape_member(shape, i)->location == LOCATION_URI &&
            str_is(label, member_wire_name(shape_member(shape, i))))
            return shape_member(shape, i);
    return NULL;
}

int bind_read_labels(struct arena *a, const struct operation *op, const struct str *labels,
                     size_t n, void *object, const struct member **ret_bad)
{
    struct str uri = str_from(operation_uri(op)), name;
    size_t pos = 0, open;
    for (size_t i = 0; i < n && next_label(uri, &pos, &name, &open); i++) {
        const struct member *m = uri_member(operation_input(op), name);
        if (m && read_scalar(a, m, member_shape(m), labels[i], wire_slot(m, object)) < 0) {
            *ret_bad = m;
            return -EBADMSG;
        }
    }
    return 0;
}

static struct str scalar_text(struct arena *a, const struct service_model *service,
                              const struct member *m, const struct shape *shape, const void *slot)
{
    if (shape->type == SHAPE_STRING)
        return *(const struct str *)slot;
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX);
    text_write(&b, shape, text_timestamp(m, shape, usual_format(m->location)),
               service->whole_seconds, slot);
    return buf_copy(&b, a);
}

static void query_add(struct arena *a, struct buf *query, struct str name, struct str value)
{
    if (query->n)
        buf_byte(query, '&');
    buf_str(query, wire_percent_encode(a, name, false));
    buf_byte(query, '=');
    buf_str(query, wire_percent_encode(a, value, false));
}

static void write_query_member(struct arena *a, const struct service_model *service,
                               const struct member *m, const void *slot, struct buf *query)
{
    const struct shape *shape = member_shape(m);
    if (shape->type != SHAPE_LIST && shape->type != SHAPE_MAP) {
        query_add(a, query, str_from(member_wire_name(m)), scalar_text(a, service, m, shape, slot));
        return;
    }
    const struct any_list *list = slot;
    for (size_t i = 0; i < list->n; i++) {
        const char *item = (const char *)list->items + i * shape->stride;
        if (shape->type == SHAPE_LIST)
            query_add(a, query, str_from(member_wire_name(m)),
                      scalar_text(a, service, m, shape_element(shape), item));
        else if (shape_element(shape)->type == SHAPE_STRING)
            query_add(a, query, *(const struct str *)(const void *)item,
                      *(const struct str *)(const void *)(item + shape->value_offset));
    }
}

static int write_path(struct arena *a, const struct operation *op, const void *object,
                      bool bucket_in_host, struct str template, struct buf *path,
                      const struct member **ret_bad)
{
    size_t pos = 0, from = 0, open;
    struct str name;
    while (next_label(template, &pos, &name, &open)) {
        const struct member *m = uri_member(operation_input(op), name);
        struct str text = {0};
        buf_str(path, str_slice(template, from, open));
        from = pos;
        if (bucket_in_host && str_eq(name, S("Bucket"))) {
            if (from < template.n && template.p[from] == '/')
                from++;
            continue;
        }
        if (m && object && !wire_slot_absent(member_shape(m), wire_slot(m, object)))
            text = scalar_text(a, operation_service(op), m, member_shape(m), wire_slot(m, object));
        if (!text.n) {
            *ret_bad = m;
            return -EINVAL;
        }
        buf_str(path, wire_percent_encode(a, text, str_ends(name, S("+"))));
    }
    buf_str(path, str_slice(template, from, template.n));
    return 0;
}

int bind_write_uri(struct arena *a, const struct operation *op, const void *object,
                   bool bucket_in_host, struct str *ret_path, struct str *ret_query,
                   const struct member **ret_bad)
{
    auto_buf struct buf path, query;
    buf_init(&path, SIZE_MAX);
    buf_init(&query, SIZE_MAX);
    struct str template, literals;
    str_cut(str_from(operation_uri(op)), '?', &template, &literals);
    int r = write_path(a, op, object, bucket_in_host, template, &path, ret_bad);
    if (r < 0)
        return r;
    if (literals.n)
        buf_str(&query, literals);
    for (uint32_t i = 0; operation_input(op) && object && i < operation_input(op)->n_members; i++) {
        const struct member *m = shape_member(operation_input(op), i);
        const void *slot = wire_slot(m, object);
        if (m->location == LOCATION_QUERY && !wire_slot_absent(member_shape(m), slot))
            write_query_member(a, operation_service(op), m, slot, &query);
    }
    *ret_path = buf_copy(&path, a);
    *ret_query = buf_copy(&query, a);
    return 0;
}

/* ---- query ---- */

static int read_query_rest(struct arena *a, struct str query, const struct shape *shape,
                           const struct member *m, struct any_list *list)
{
    struct text_items items = {.list = list};
    struct str part, rest = query, key, value;
    while (rest.n) {
        str_cut(rest, '&', &part, &rest);
        str_cut(part, '=', &key, &value);
        key = wire_percent_decode(a, key, true);
        bool named = false;
        for (uint32_t i = 0; i < shape->n_members && !named; i++)
            named = shape_member(shape, i)->location == LOCATION_QUERY &&
                    shape_member(shape, i) != m &&
                    str_is(key, member_wire_name(shape_member(shape, i)));
        if (named || !key.n || shape_element(member_shape(m))->type != SHAPE_STRING)
            continue;
        char *entry = text_items_push(a, member_shape(m), &items);
        *(struct str *)(void *)entry = key;
        *(struct str *)(void *)(entry + member_shape(m)->value_offset) =
            wire_percent_decode(a, value.p ? value : S(""), true);
    }
    return 0;
}

int bind_read_query(struct arena *a, struct str query, const struct shape *shape, void *object,
                    const struct member **ret_bad)
{
    if (!query.n)
        return 0;
    for (uint32_t i = 0; i < shape->n_members; i++) {
        const struct member *m = shape_member(shape, i);
        if (m->location != LOCATION_QUERY)
            continue;
        void *slot = wire_slot(m, object);
        struct text_items items = {.list = slot};
        struct str part, rest = query, key, value;
        int r = 0;
        if (member_shape(m)->type == SHAPE_MAP) {
            r = read_query_rest(a, query, shape, m, slot);
            continue;
        }
        while (rest.n && r == 0) {
            str_cut(rest, '&', &part, &rest);
            str_cut(part, '=', &key, &value);
            if (!str_is(wire_percent_decode(a, key, true), member_wire_name(m)))
                continue;
            value = wire_percent_decode(a, value.p ? value : S(""), true);
            if (member_shape(m)->type == SHAPE_LIST)
                r = push_scalar(a, m, &items, value);
            else
                r = read_scalar(a, m, member_shape(m), value, slot);
        }
        if (r < 0) {
            *ret_bad = m;
            return r;
        }
    }
    return 0;
}

/* ---- headers ---- */

static void read_prefixed(struct arena *a, const struct wire_header *headers, size_t n,
                          const struct member *m, struct any_list *list)
{
    struct text_items items = {.list = list};
    size_t prefix = strlen(member_wire_name(m));
    for (size_t i = 0; i < n; i++) {
        if (headers[i].name.n < prefix ||
            strncasecmp(headers[i].name.p, member_wire_name(m), prefix) != 0 ||
            shape_element(member_shape(m))->type != SHAPE_STRING)
            continue;
        char *entry = text_items_push(a, member_shape(m), &items);
        *(struct str *)(void *)entry =
            str_lower(a, str_slice(headers[i].name, prefix, headers[i].name.n));
        *(struct str *)(void *)(entry + member_shape(m)->value_offset) =
            headers[i].value.p ? headers[i].value : S("");
    }
}

static int read_header_list(struct arena *a, const struct member *m, struct str text,
                            struct any_list *list)
{
    struct text_items items = {.list = list};
    struct str part, rest = text;
    bool date =
        shape_element(member_shape(m))->type == SHAPE_TIMESTAMP; /* dates hold a comma themselves */
    while (rest.n) {
        str_cut(rest, ',', &part, &rest);
        if (date && rest.n) {
            struct str tail;
            str_cut(rest, ',', &tail, &rest);
            part = str_of(part.p, (size_t)(tail.p + tail.n - part.p));
        }
        int r = push_scalar(a, m, &items, str_trim(part));
        if (r < 0)
            return r;
    }
    return 0;
}

int bind_read_headers(struct arena *a, const struct wire_header *headers, size_t n,
                      const struct shape *shape, void *object, const struct member **ret_bad)
{
    for (uint32_t i = 0; i < shape->n_members; i++) {
        const struct member *m = shape_member(shape, i);
        void *slot = wire_slot(m, object);
        if (m->location == LOCATION_HEADERS && member_shape(m)->type == SHAPE_MAP)
            read_prefixed(a, headers, n, m, slot);
        if (m->location != LOCATION_HEADER)
            continue;
        struct str text = wire_find_header(headers, n, member_wire_name(m));
        if (!text.p)
            continue;
        int r = member_shape(m)->type == SHAPE_LIST
                    ? read_header_list(a, m, text, slot)
                    : read_scalar(a, m, member_shape(m), text, slot);
        /* A date that is none is as good as no condition (RFC 9110 13.1.3). */
        if (r < 0 && member_shape(m)->type != SHAPE_TIMESTAMP) {
            *ret_bad = m;
            return r;
        }
    }
    return 0;
}

/* What would break out of the header's line is left out. */
static struct str header_value(struct arena *a, struct str s)
{
    bool clean = true;
    for (size_t i = 0; i < s.n && clean; i++)
        clean = s.p[i] != '\r' && s.p[i] != '\n' && s.p[i] != 0;
    if (clean)
        return s;
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '\r' && s.p[i] != '\n' && s.p[i] != 0)
            out[n++] = s.p[i];
    return str_of(out, n);
}

static void write_header_items(struct arena *a, const struct service_model *service,
                               const struct member *m, const struct any_list *list,
                               struct wire_headers *ret)
{
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX);
    for (size_t i = 0; i < list->n; i++) {
        const char *item = (const char *)list->items + i * member_shape(m)->stride;
        if (m->location == LOCATION_HEADERS) {
            if (shape_element(member_shape(m))->type == SHAPE_STRING)
                wire_headers_add(
                    a, ret,
                    header_value(a, str_printf(a, "%s%.*s", member_wire_name(m),
                                               STR(*(const struct str *)(const void *)item))),
                    header_value(
                        a,
                        *(const struct str *)(const void *)(item + member_shape(m)->value_offset)));
            continue;
        }
        if (i)
            buf_byte(&b, ',');
        buf_str(&b, scalar_text(a, service, m, shape_element(member_shape(m)), item));
    }
    if (m->location == LOCATION_HEADER && list->n)
        wire_headers_add(a, ret, str_from(member_wire_name(m)), header_value(a, buf_copy(&b, a)));
}

void bind_write_headers(struct arena *a, const struct service_model *service,
                        const struct shape *shape, const void *object, struct wire_headers *ret)
{
    for (uint32_t i = 0; i < shape->n_members; i++) {
        const struct member *m = shape_member(shape, i);
        const void *slot = wire_slot(m, object);
        if ((m->location != LOCATION_HEADER && m->location != LOCATION_HEADERS) ||
            wire_slot_absent(member_shape(m), slot))
            continue;
        if (member_shape(m)->type == SHAPE_LIST || member_shape(m)->type == SHAPE_MAP)
            write_header_items(a, service, m, slot, ret);
        else
            wire_headers_add(a, ret, str_from(member_wire_name(m)),
                             header_value(a, scalar_text(a, service, m, member_shape(m), slot)));
    }
}
