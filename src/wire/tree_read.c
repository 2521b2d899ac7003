/* tree_read - fills structs from a tree made of XML or of query parameters.
 *
 * Both say the same in two spellings: a list is <L><member/>...</L> or L.member.1, flattened it is
 * <L/><L/> or L.1; a map is <M><entry><key/><value/></entry></M> or M.entry.1.key. */
#include <errno.h>
#include <stdlib.h>
#include "wire/text.h"
#include "wire/tree.h"

struct reader {
    struct arena *arena;
    enum tree_kind kind;
    struct tree_error *err;
};

static int value(struct reader *r, const struct node *node, const struct shape *shape,
                 const struct member *m, void *slot);
static int members(struct reader *r, const struct node *node, const struct shape *shape,
                   void *object);

static int element(struct reader *r, const struct node *node, const struct shape *shape,
                   struct text_items *items)
{
    void *slot = text_items_push(r->arena, shape, items);
    if (shape_element(shape)->type == SHAPE_STRUCTURE)
        return members(r, node, shape_element(shape), slot);
    return value(r, node, shape_element(shape), NULL, slot);
}

static int entry(struct reader *r, const struct node *node, const struct shape *shape,
                 struct text_items *items)
{
    const struct node *key = tree_find(node, shape_key_name(shape));
    const struct node *val = tree_find(node, shape_element_name(shape));
    if (!key)
        return 0;
    char *into = text_items_push(r->arena, shape, items);
    *(struct str *)(void *)into = key->text;
    return val ? value(r, val, shape_element(shape), NULL, into + shape->value_offset) : 0;
}

static int one(struct reader *r, const struct node *node, const struct shape *shape,
               struct text_items *items)
{
    return shape->type == SHAPE_MAP ? entry(r, node, shape, items) : element(r, node, shape, items);
}

static void begin(struct reader *r, struct text_items *items)
{
    if (!items->list->items)
        items->list->items = arena_alloc(r->arena, 1);
}

/* ---- query: children named 1, 2, 10 ... ---- */

struct numbered {
    int64_t number;
    const struct node *node;
};

static int compare_numbered(const void *x, const void *y)
{
    const struct numbered *p = x, *q = y;
    return p->number < q->number ? -1 : p->number > q->number;
}

static int by_number(struct reader *r, const struct node *parent, const struct shape *shape,
                     struct text_items *items)
{
    struct numbered *order = ARENA_ARRAY(r->arena, struct numbered, parent->n + 1);
    size_t n = 0;
    for (const struct node *c = parent->first; c; c = c->next)
        if (str_to_int64(c->name, &order[n].number) == 0)
            order[n++].node = c;
    if (n)
        qsort(order, n, sizeof(*order), compare_numbered);
    begin(r, items);
    for (size_t i = 0; i < n; i++) {
        int e = one(r, order[i].node, shape, items);
        if (e < 0)
            return e;
    }
    return 0;
}

static int query_items(struct reader *r, const struct node *node, const struct shape *shape,
                       const struct member *m, struct any_list *into)
{
    struct text_items items = {.list = into};
    const char *wrapper = shape->type == SHAPE_MAP ? "entry" : shape_element_name(shape);
    const struct node *inner = m && m->flattened ? node : tree_find(node, wrapper);
    /* "Tags=" is the empty list; some clients number the elements without the wrapper. */
    return by_number(r, inner ? inner : node, shape, &items);
}

/* ---- XML ---- */

static int xml_items(struct reader *r, const struct node *node, const struct shape *shape,
                     struct any_list *into)
{
    struct text_items items = {.list = into};
    const char *name = shape->type == SHAPE_MAP ? "entry" : shape_element_name(shape);
    begin(r, &items);
    for (const struct node *c = node->first; c; c = c->next) {
        if (!str_is(c->name, name))
            continue;
        int e = one(r, c, shape, &items);
        if (e < 0)
            return e;
    }
    return 0;
}

/* What a flattened list's elements are called. */
static const char *flat_name(const struct member *m)
{
    if (member_shape(m)->type == SHAPE_LIST &&
        strcmp(shape_element_name(member_shape(m)), "member") != 0)
        return shape_element_name(member_shape(m));
    return member_wire_name(m);
}

static int xml_flattened(struct reader *r, const struct node *parent, const struct member *m,
                         struct any_list *into)
{
    struct text_items items = {.list = into};
    const char *name = flat_name(m);
    for (const struct node *c = parent->first; c; c = c->next) {
        if (!str_is(c->name, name))
            continue;
        begin(r, &items);
        int e = one(r, c, member_shape(m), &items);
        if (e < 0)
            return e;
    }
    return 0;
}

static int xml_attribute(struct reader *r, const struct node *node, const struct member *m,
                         void *slot)
{
    for (const struct node *c = node->attributes; c; c = c->next)
        if (str_is(c->name, member_wire_name(m)))
            return value(r, c, member_shape(m), m, slot);
    return 0;
}

/* ---- both ---- */

static int value(struct reader *r, const struct node *node, const struct shape *shape,
                 const struct member *m, void *slot)
{
    switch (shape->type) {
    case SHAPE_STRUCTURE: {
        void *object = arena_alloc(r->arena, shape->size);
        int e = members(r, node, shape, object);
        if (e == 0)
            *(void **)slot = object;
        return e;
    }
    case SHAPE_LIST:
    case SHAPE_MAP:
        return r->kind == TREE_QUERY ? query_items(r, node, shape, m, slot)
                                     : xml_items(r, node, shape, slot);
    default:
        break;
    }
    int e =
        text_read(r->arena, shape, text_timestamp(m, shape, TIMESTAMP_ISO8601), node->text, slot);
    if (e < 0 && !str_trim(node->text).n)
        return 0; /* an empty element of a number or a time says nothing */
    if (e < 0)
        *r->err = (struct tree_error){m, shape, node->text};
    return e;
}

/* In queries names begin with a capital letter even where the model's does not. */
static const struct node *query_child(const struct node *node, const struct member *m)
{
    const struct node *c = tree_find(node, member_wire_name(m));
    if (c || strcmp(member_wire_name(m), member_name(m)) == 0)
        return c;
    return tree_find(node, member_name(m));
}

static int members(struct reader *r, const struct node *node, const struct shape *shape,
                   void *object)
{
    for (uint32_t i = 0; i < shape->n_members; i++) {
        const struct member *m = shape_member(shape, i);
        void *slot = wire_slot(m, object);
        bool repeats = member_shape(m)->type == SHAPE_LIST || member_shape(m)->type == SHAPE_MAP;
        int e = 0;
        if (m->location != LOCATION_BODY || member_shape(m)->type == SHAPE_STREAM) {
            continue;
        } else if (r->kind == TREE_QUERY) {
            const struct node *c = query_child(node, m);
            e = c ? value(r, c, member_shape(m), m, slot) : 0;
        } else if (m->xml_attribute) {
            e = xml_attribute(r, node, m, slot);
        } else if (repeats && m->flattened) {
            e = xml_flattened(r, node, m, slot);
        } else {
            const struct node *c = tree_find(node, member_wire_name(m));
            e = c ? value(r, c, member_shape(m), m, slot) : 0;
        }
        if (e < 0)
            return e;
    }
    return 0;
}

int tree_read(struct arena *a, enum tree_kind kind, const struct node *node,
              const struct shape *shape, void *ret, struct tree_error *err)
{
    struct tree_error ignored;
    struct reader r = {a, kind, err ? err : &ignored};
    return members(&r, node, shape, ret);
}
