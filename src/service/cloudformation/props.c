/* props - JSON into input structs by their shapes: see props.h. */
#include "service/cloudformation/props.h"
#include <errno.h>
#include <stdlib.h>

struct str props_text(struct arena *a, const struct json *v)
{
    if (!v || v->type == JSON_NULL)
        return (struct str){0};
    if (v->type == JSON_STRING || v->type == JSON_NUMBER)
        return v->text;
    if (v->type == JSON_BOOL)
        return v->boolean ? S("true") : S("false");
    return json_text(a, v, -1);
}

struct str props_get(struct arena *a, const struct json *object, const char *name)
{
    return props_text(a, json_get(object, name));
}

bool props_bool(const struct json *object, const char *name, bool otherwise)
{
    const struct json *v = json_get(object, name);
    if (json_is(v, JSON_BOOL))
        return v->boolean;
    if (json_is(v, JSON_STRING))
        return str_eq_nocase(v->text, S("true"));
    return otherwise;
}

static int fill(struct arena *a, const struct shape *shape, const struct json *v, struct str name,
                bool inline_struct, void *slot, struct str *why);

static int wrong(struct arena *a, struct str name, const char *want, struct str *why)
{
    *why = str_printf(a, "Value of property %.*s must be %s", STR(name), want);
    return -EINVAL;
}

static int fill_list(struct arena *a, const struct shape *shape, const struct json *v,
                     struct str name, struct any_list *ret, struct str *why)
{
    if (v->type != JSON_ARRAY)
        return wrong(a, name, "a List", why);
    char *items = arena_alloc(a, shape->stride * (v->n + 1));
    size_t n = 0;
    JSON_EACH(v, item) {
        int r = fill(a, shape_element(shape), item, name, true, items + shape->stride * n++, why);
        if (r < 0)
            return r;
    }
    *ret = (struct any_list){items, n};
    return 0;
}

static int fill_map(struct arena *a, const struct shape *shape, const struct json *v,
                    struct str name, struct any_list *ret, struct str *why)
{
    if (v->type != JSON_OBJECT)
        return wrong(a, name, "an object", why);
    char *items = arena_alloc(a, shape->stride * (v->n + 1));
    size_t n = 0;
    JSON_EACH(v, item) {
        char *entry = items + shape->stride * n++;
        *(struct str *)(void *)entry = item->key;
        int r =
            fill(a, shape_element(shape), item, item->key, false, entry + shape->value_offset, why);
        if (r < 0)
            return r;
    }
    *ret = (struct any_list){items, n};
    return 0;
}

static int fill_scalar(struct arena *a, const struct shape *shape, const struct json *v,
                       struct str name, void *slot, struct str *why)
{
    struct str text = props_text(a, v);
    char *end;
    switch (shape->type) {
    case SHAPE_BOOLEAN:
        if (!str_eq_nocase(text, S("true")) && !str_eq_nocase(text, S("false")))
            return wrong(a, name, "of type Boolean", why);
        *(struct opt_bool *)slot = opt_bool(str_eq_nocase(text, S("true")));
        return 0;
    case SHAPE_INTEGER: {
        int64_t i;
        if (v->type == JSON_BOOL || str_to_int64(text, &i) < 0)
            return wrong(a, name, "of type Integer", why);
        *(struct opt_int *)slot = opt_int(i);
        return 0;
    }
    case SHAPE_DOUBLE: {
        double d = strtod(str_c(a, text), &end);
        if (!text.n || *end)
            return wrong(a, name, "of type Number", why);
        *(struct opt_double *)slot = opt_double(d);
        return 0;
    }
    default:
        *(struct str *)slot = text;
        return 0;
    }
}

static int fill(struct arena *a, const struct shape *shape, const struct json *v, struct str name,
                bool inline_struct, void *slot, struct str *why)
{
    if (v->type == JSON_NULL)
        return 0;
    switch (shape->type) {
    case SHAPE_STRUCTURE: {
        if (v->type != JSON_OBJECT)
            return wrong(a, name, "an object", why);
        void *object = inline_struct ? slot : arena_alloc(a, shape->size);
        if (!inline_struct)
            *(void **)slot = object;
        return props_fill(a, shape, v, object, why);
    }
    case SHAPE_LIST:
        return fill_list(a, shape, v, name, slot, why);
    case SHAPE_MAP:
        return fill_map(a, shape, v, name, slot, why);
    case SHAPE_STREAM:
    case SHAPE_DOCUMENT:
    case SHAPE_TIMESTAMP:
        return wrong(a, name, "of a supported type", why);
    default:
        return fill_scalar(a, shape, v, name, slot, why);
    }
}

/* Some services spell their members with a small first letter: RetentionInDays, retentionInDays. */
static const struct member *member_of(struct arena *a, const struct shape *shape, struct str name)
{
    const struct member *m = member_find(shape, name);
    if (m || !name.n)
        return m;
    struct str small = str_copy(a, name);
    *(char *)(uintptr_t)small.p |= 0x20;
    return member_find(shape, small);
}

int props_fill(struct arena *a, const struct shape *shape, const struct json *object, void *ret,
               struct str *why)
{
    if (!json_is(object, JSON_OBJECT))
        return 0;
    JSON_EACH(object, v) {
        const struct member *m = member_of(a, shape, v->key);
        if (!m)
            continue;
        int r = fill(a, member_shape(m), v, v->key, false, (char *)ret + m->offset, why);
        if (r < 0)
            return r;
    }
    return 0;
}
