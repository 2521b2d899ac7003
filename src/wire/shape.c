/* shape - finding things in the generated tables, and generic work on structs they describe. */
#include "wire/shape.h"
#include "wire/walk.h"

const struct operation *operation_find(const struct service_model *service, struct str name)
{
    /* modelgen sorts operations by name. */
    size_t low = 0, high = service->n_operations;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = str_cmp(name, str_from(operation_name(&service->operations[mid])));
        if (order == 0)
            return &service->operations[mid];
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

const struct error_shape *error_find(const struct service_model *service, struct str code)
{
    for (uint32_t i = 0; i < service->n_errors; i++)
        if (str_is(code, service->errors[i].code) || str_is(code, service->errors[i].name))
            return &service->errors[i];
    return NULL;
}

const struct member *member_find(const struct shape *shape, struct str name)
{
    for (uint32_t i = 0; i < shape->n_members; i++)
        if (str_is(name, member_name(shape_member(shape, i))))
            return shape_member(shape, i);
    return NULL;
}

bool wire_slot_absent(const struct shape *shape, const void *slot)
{
    switch (shape->type) {
    case SHAPE_STRUCTURE:
    case SHAPE_DOCUMENT:
        return *(void *const *)slot == NULL;
    case SHAPE_LIST:
    case SHAPE_MAP:
        return ((const struct any_list *)slot)->items == NULL;
    case SHAPE_STRING:
    case SHAPE_BLOB:
        return ((const struct str *)slot)->p == NULL;
    case SHAPE_BOOLEAN:
        return !((const struct opt_bool *)slot)->has;
    case SHAPE_INTEGER:
        return !((const struct opt_int *)slot)->has;
    case SHAPE_DOUBLE:
        return !((const struct opt_double *)slot)->has;
    case SHAPE_TIMESTAMP:
        return !((const struct opt_time *)slot)->has;
    case SHAPE_STREAM:
        return !((const struct body *)slot)->has;
    }
    return true;
}

static void copy_slot(struct arena *a, const struct shape *shape, const void *from, void *to)
{
    if (wire_slot_absent(shape, from)) {
        return;
    } else if (shape->type == SHAPE_STRUCTURE) {
        void *object = arena_alloc(a, shape->size);
        wire_copy(a, shape, *(void *const *)from, object);
        *(void **)to = object;
    } else if (shape->type == SHAPE_DOCUMENT) {
        *(struct json **)to = json_copy(a, *(struct json *const *)from);
    } else if (shape->type == SHAPE_LIST || shape->type == SHAPE_MAP) {
        const struct any_list *list = from;
        struct any_list *copy = to;
        copy->items = arena_alloc(a, list->n * shape->stride);
        copy->n = list->n;
        for (size_t i = 0; i < list->n; i++) {
            const char *item = (const char *)list->items + i * shape->stride;
            char *into = (char *)copy->items + i * shape->stride;
            if (shape->type == SHAPE_MAP) {
                *(struct str *)(void *)into = str_copy(a, *(const struct str *)(const void *)item);
                copy_slot(a, shape_element(shape), item + shape->value_offset,
                          into + shape->value_offset);
            } else if (shape_element(shape)->type == SHAPE_STRUCTURE) {
                wire_copy(a, shape_element(shape), item, into);
            } else {
                copy_slot(a, shape_element(shape), item, into);
            }
        }
    } else if (shape->type == SHAPE_STRING || shape->type == SHAPE_BLOB) {
        *(struct str *)to = str_copy(a, *(const struct str *)from);
    } else if (shape->type == SHAPE_STREAM) {
        struct body *body = to;
        *body = *(const struct body *)from;
        if (!body->in_file)
            body->mem = str_copy(a, body->mem);
    } else {
        memcpy(to, from, shape->size);
    }
}

void wire_copy(struct arena *a, const struct shape *shape, const void *from, void *ret)
{
    for (uint32_t i = 0; i < shape->n_members; i++) {
        const struct member *m = shape_member(shape, i);
        copy_slot(a, member_shape(m), wire_slot(m, from), wire_slot(m, ret));
    }
}

static bool slot_equal(const struct shape *shape, const void *x, const void *y);

static bool items_equal(const struct shape *shape, const struct any_list *x,
                        const struct any_list *y)
{
    if (x->n != y->n)
        return false;
    for (size_t i = 0; i < x->n; i++) {
        const char *p = (const char *)x->items + i * shape->stride;
        const char *q = (const char *)y->items + i * shape->stride;
        bool same;
        if (shape->type == SHAPE_MAP)
            same =
                str_eq(*(const struct str *)(const void *)p,
                       *(const struct str *)(const void *)q) &&
                slot_equal(shape_element(shape), p + shape->value_offset, q + shape->value_offset);
        else if (shape_element(shape)->type == SHAPE_STRUCTURE)
            same = wire_equal(shape_element(shape), p, q);
        else
            same = slot_equal(shape_element(shape), p, q);
        if (!same)
            return false;
    }
    return true;
}

static bool body_equal(const struct body *x, const struct body *y)
{
    if (x->in_file || y->in_file)
        return x->in_file && y->in_file && x->fd == y->fd && x->offset == y->offset &&
               x->size == y->size;
    return str_eq(x->mem, y->mem);
}

static bool slot_equal(const struct shape *shape, const void *x, const void *y)
{
    if (wire_slot_absent(shape, x) || wire_slot_absent(shape, y))
        return wire_slot_absent(shape, x) && wire_slot_absent(shape, y);
    switch (shape->type) {
    case SHAPE_STRUCTURE:
        return wire_equal(shape, *(void *const *)x, *(void *const *)y);
    case SHAPE_DOCUMENT:
        return json_equal(*(struct json *const *)x, *(struct json *const *)y);
    case SHAPE_LIST:
    case SHAPE_MAP:
        return items_equal(shape, x, y);
    case SHAPE_STRING:
    case SHAPE_BLOB:
        return str_eq(*(const struct str *)x, *(const struct str *)y);
    case SHAPE_BOOLEAN:
        return ((const struct opt_bool *)x)->is == ((const struct opt_bool *)y)->is;
    case SHAPE_INTEGER:
        return ((const struct opt_int *)x)->is == ((const struct opt_int *)y)->is;
    case SHAPE_DOUBLE:
        return ((const struct opt_double *)x)->is == ((const struct opt_double *)y)->is;
    case SHAPE_TIMESTAMP:
        return ((const struct opt_time *)x)->ms == ((const struct opt_time *)y)->ms;
    case SHAPE_STREAM:
        return body_equal(x, y);
    }
    return false;
}

bool wire_equal(const struct shape *shape, const void *x, const void *y)
{
    for (uint32_t i = 0; i < shape->n_members; i++) {
        const struct member *m = shape_member(shape, i);
        if (!slot_equal(member_shape(m), wire_slot(m, x), wire_slot(m, y)))
            return false;
    }
    return true;
}
