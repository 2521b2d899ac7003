/* template/resource_types - looking into the tables of properties, and comparing with them. */
#include "template/resource_tables.h"

#include <errno.h>

static const struct resource_type *const tables[] = {
    lambda_resource_types, iam_resource_types,        s3_resource_types,
    logs_resource_types,   serverless_resource_types,
};

const struct resource_type *resource_type_at(size_t i)
{
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const struct resource_type *type = tables[t]; type->name; type++)
            if (i-- == 0)
                return type;
    return NULL;
}

const struct resource_type *resource_type_find(struct str name)
{
    const struct resource_type *type;
    for (size_t i = 0; (type = resource_type_at(i)); i++)
        if (str_is(name, type->name))
            return type;
    return NULL;
}

const struct property_type *property_type_find(const struct property_type *table, struct str name)
{
    for (; table && table->name; table++)
        if (str_is(name, table->name))
            return table;
    return NULL;
}

bool resource_type_has_attribute(const struct resource_type *type, struct str attribute)
{
    for (const char *const *a = type->attributes; a && *a; a++)
        if (str_is(attribute, *a))
            return true;
    return false;
}

/* Text and number or boolean with the same spelling are the same to CloudFormation. */
static bool same(const struct json *a, const struct json *b)
{
    if (!a || !b)
        return a == b;
    if (a->type == JSON_ARRAY && b->type == JSON_ARRAY) {
        const struct json *x = a->first, *y = b->first;
        for (; x && y; x = x->next, y = y->next)
            if (!same(x, y))
                return false;
        return !x && !y;
    }
    if (a->type == JSON_OBJECT && b->type == JSON_OBJECT) {
        if (a->n != b->n)
            return false;
        JSON_EACH(a, member)
            if (!same(member, json_find(b, member->key)))
                return false;
        return true;
    }
    if (json_equal(a, b))
        return true;
    if (a->type == JSON_BOOL && b->type == JSON_STRING)
        return str_is(b->text, a->boolean ? "true" : "false");
    if (b->type == JSON_BOOL && a->type == JSON_STRING)
        return same(b, a);
    bool texts = (a->type == JSON_STRING || a->type == JSON_NUMBER) &&
                 (b->type == JSON_STRING || b->type == JSON_NUMBER);
    return texts && str_eq(a->text, b->text);
}

static void note(struct arena *a, const struct resource_type *type, const struct json *before,
                 const struct json *after, struct property_change **list, size_t *n, size_t *cap,
                 enum resource_change *change)
{
    struct str name = before ? before->key : after->key;
    const struct property_type *p = property_type_find(type->properties, name);
    struct property_change *c = arena_push(a, (void **)list, n, cap, sizeof **list);
    *c = (struct property_change){name, p ? p->update : UPDATE_NO_INTERRUPTION, before, after};
    enum resource_change one = c->update == UPDATE_REPLACEMENT   ? CHANGE_REPLACE
                               : c->update == UPDATE_CONDITIONAL ? CHANGE_CONDITIONAL
                                                                 : CHANGE_MODIFY;
    if (one > *change)
        *change = one;
}

enum resource_change resource_type_compare(struct arena *a, const struct resource_type *type,
                                           const struct json *before, const struct json *after,
                                           struct property_change **ret, size_t *ret_n)
{
    enum resource_change change = CHANGE_NONE;
    struct property_change *list = NULL;
    size_t n = 0, cap = 0;
    JSON_EACH(before, old) {
        const struct json *new = json_find(after, old->key);
        if (!same(old, new))
            note(a, type, old, new, &list, &n, &cap, &change);
    }
    JSON_EACH(after, new)
        if (!json_find(before, new->key))
            note(a, type, NULL, new, &list, &n, &cap, &change);
    *ret = list;
    *ret_n = n;
    return change;
}

static int check_table(struct arena *a, const struct property_type *table, const struct json *v,
                       struct str path, struct template_error *err);

static int check_kind(struct arena *a, const struct property_type *p, enum property_kind kind,
                      const struct json *v, struct str path, struct template_error *err)
{
    static const char *const names[] = {
        [PROPERTY_STRING] = "String", [PROPERTY_INTEGER] = "Integer",
        [PROPERTY_NUMBER] = "Number", [PROPERTY_BOOLEAN] = "Boolean",
        [PROPERTY_JSON] = "Json",     [PROPERTY_ANY] = "",
        [PROPERTY_OBJECT] = "Object", [PROPERTY_MAP] = "Map",
        [PROPERTY_LIST] = "List",
    };
    bool object = v->type == JSON_OBJECT, array = v->type == JSON_ARRAY, ok = true;
    int64_t n;
    switch (kind) {
    case PROPERTY_STRING:
        ok = !object && !array;
        break;
    case PROPERTY_INTEGER:
        ok = (v->type == JSON_NUMBER || v->type == JSON_STRING) && str_to_int64(v->text, &n) == 0;
        break;
    case PROPERTY_NUMBER: {
        struct json number = {.type = JSON_NUMBER, .text = v->text};
        struct json *parsed;
        ok = (v->type == JSON_NUMBER || v->type == JSON_STRING) && number.text.n &&
             json_parse(a, number.text, &parsed, NULL) == 0 && json_is(parsed, JSON_NUMBER);
        break;
    }
    case PROPERTY_BOOLEAN:
        ok = v->type == JSON_BOOL ||
             (v->type == JSON_STRING && (str_is(v->text, "true") || str_is(v->text, "false")));
        break;
    case PROPERTY_JSON:
        ok = object || v->type == JSON_STRING;
        break;
    case PROPERTY_ANY:
        break;
    case PROPERTY_OBJECT:
    case PROPERTY_MAP:
        ok = object;
        break;
    case PROPERTY_LIST:
        ok = array;
        break;
    }
    if (!ok)
        return template_fail(a, err, v,
                             "Properties validation failed for resource with message: #%.*s: "
                             "expected type: %s",
                             STR(path), names[kind]);
    if (kind == PROPERTY_OBJECT && p->object)
        return check_table(a, p->object, v, path, err);
    if (kind != PROPERTY_LIST && kind != PROPERTY_MAP)
        return 0;
    int i = 0;
    JSON_EACH(v, item) {
        struct str below = kind == PROPERTY_LIST
                               ? str_printf(a, "%.*s/%d", STR(path), i++)
                               : str_printf(a, "%.*s/%.*s", STR(path), STR(item->key));
        int r = check_kind(a, p, p->item, item, below, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int check_table(struct arena *a, const struct property_type *table, const struct json *v,
                       struct str path, struct template_error *err)
{
    JSON_EACH(v, member) {
        const struct property_type *p = property_type_find(table, member->key);
        if (!p)
            return template_fail(a, err, member, "Encountered unsupported property %.*s",
                                 STR(member->key));
        int r =
            check_kind(a, p, p->kind, member, str_printf(a, "%.*s/%s", STR(path), p->name), err);
        if (r < 0)
            return r;
    }
    for (const struct property_type *p = table; p->name; p++)
        if (p->required && !json_get(v, p->name))
            return template_fail(a, err, v, "Property %s cannot be empty.", p->name);
    return 0;
}

int resource_type_check(struct arena *a, const struct resource_type *type,
                        const struct json *properties, struct template_error *err)
{
    return check_table(a, type->properties, properties, S(""), err);
}
