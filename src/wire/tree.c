/* tree - XML documents (by expat) and query parameters as trees of names. */
#include "wire/tree.h"
#include <errno.h>
#include <expat.h>
#include <stdlib.h>

#define NODES_MAX 200000
#define PARAMETERS_MAX 100000

struct node *tree_find(const struct node *parent, const char *name)
{
    for (struct node *n = parent ? parent->first : NULL; n; n = n->next)
        if (str_is(n->name, name))
            return n;
    return NULL;
}

static struct node *node_add(struct arena *a, struct node *parent, struct str name)
{
    struct node *n = ARENA_NEW(a, struct node);
    n->name = name;
    n->text = S("");
    if (parent) {
        if (parent->last)
            parent->last->next = n;
        else
            parent->first = n;
        parent->last = n;
        parent->n++;
    }
    return n;
}

/* ---- XML ---- */

struct xml {
    struct arena *arena;
    XML_Parser expat;
    struct node *stack[WIRE_DEPTH + 1];
    struct buf text[WIRE_DEPTH + 1]; /* of the element at that depth */
    int depth;
    size_t nodes;
    struct node *root;
    bool refused;
};

static void refuse(struct xml *x)
{
    x->refused = true;
    XML_StopParser(x->expat, XML_FALSE);
}

static struct str local_name(struct arena *a, const char *name)
{
    const char *colon = strchr(name, ':');
    return str_copy(a, str_from(colon ? colon + 1 : name));
}

static void on_start(void *user, const char *name, const char **attributes)
{
    struct xml *x = user;
    if (x->refused)
        return;
    if (x->depth >= WIRE_DEPTH || ++x->nodes > NODES_MAX) {
        refuse(x);
        return;
    }
    struct node *n =
        node_add(x->arena, x->depth ? x->stack[x->depth - 1] : NULL, local_name(x->arena, name));
    for (size_t i = 0; attributes[i]; i += 2) {
        struct node *attribute =
            node_add(x->arena, NULL, str_copy(x->arena, str_from(attributes[i])));
        attribute->text = str_copy(x->arena, str_from(attributes[i + 1]));
        attribute->next = n->attributes;
        n->attributes = attribute;
    }
    if (!x->depth)
        x->root = n;
    buf_clear(&x->text[x->depth]);
    x->stack[x->depth++] = n;
}

static void on_end(void *user, const char *name)
{
    struct xml *x = user;
    if (x->refused)
        return;
    x->depth--;
    if (x->text[x->depth].n)
        x->stack[x->depth]->text = buf_copy(&x->text[x->depth], x->arena);
}

static void on_text(void *user, const char *p, int n)
{
    struct xml *x = user;
    if (!x->refused && x->depth)
        buf_add(&x->text[x->depth - 1], p, (size_t)n);
}

static void on_doctype(void *user, const char *name, const char *system_id, const char *public_id,
                       int internal)
{
    refuse(user); /* entities could make a small document huge; no AWS client sends a DTD */
}

int tree_parse_xml(struct arena *a, struct str text, struct node **ret)
{
    if (text.n > INT32_MAX)
        return -EBADMSG;
    struct xml *x = ARENA_NEW(a, struct xml);
    x->arena = a;
    for (int i = 0; i <= WIRE_DEPTH; i++)
        buf_init(&x->text[i], text.n + 1);
    x->expat = XML_ParserCreate(NULL);
    if (!x->expat)
        abort();
    XML_SetUserData(x->expat, x);
    XML_SetElementHandler(x->expat, on_start, on_end);
    XML_SetCharacterDataHandler(x->expat, on_text);
    XML_SetStartDoctypeDeclHandler(x->expat, on_doctype);
    bool parsed = XML_Parse(x->expat, text.p ? text.p : "", (int)text.n, 1) == XML_STATUS_OK;
    XML_ParserFree(x->expat);
    for (int i = 0; i <= WIRE_DEPTH; i++)
        buf_done(&x->text[i]);
    if (!parsed || x->refused || !x->root)
        return -EBADMSG;
    *ret = x->root;
    return 0;
}

/* ---- query ---- */

struct parameter {
    struct str key, value;
    size_t position;
};

/* Names are compared part by part, so that those that share a parent stand together. */
static int compare_parameters(const void *x, const void *y)
{
    const struct parameter *p = x, *q = y;
    size_t n = p->key.n < q->key.n ? p->key.n : q->key.n;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)p->key.p[i], d = (uint8_t)q->key.p[i];
        if (c != d)
            return (c == '.' ? -1 : (int)c) - (d == '.' ? -1 : (int)d);
    }
    if (p->key.n != q->key.n)
        return p->key.n < q->key.n ? -1 : 1;
    return p->position < q->position ? -1 : 1;
}

static int insert(struct arena *a, struct node *root, struct parameter *p)
{
    struct node *at = root;
    struct str part, rest = p->key;
    int depth = 0;
    do {
        str_cut(rest, '.', &part, &rest);
        if (++depth > WIRE_DEPTH)
            return -EBADMSG;
        at = at->last && str_eq(at->last->name, part) ? at->last : node_add(a, at, part);
    } while (rest.n);
    at->text = p->value;
    return 0;
}

int tree_parse_query(struct arena *a, struct str query, struct node **ret)
{
    struct parameter *items = NULL;
    size_t n = 0, cap = 0;
    struct str part, rest = query, key, value;
    while (rest.n) {
        str_cut(rest, '&', &part, &rest);
        if (!part.n)
            continue;
        if (n >= PARAMETERS_MAX)
            return -EBADMSG;
        str_cut(part, '=', &key, &value);
        struct parameter *p = arena_push(a, (void **)&items, &n, &cap, sizeof(*items));
        *p = (struct parameter){wire_percent_decode(a, key, true),
                                wire_percent_decode(a, value.p ? value : S(""), true), n};
    }
    if (n)
        qsort(items, n, sizeof(*items), compare_parameters);
    struct node *root = node_add(a, NULL, S(""));
    for (size_t i = 0; i < n; i++)
        if (insert(a, root, &items[i]) < 0)
            return -EBADMSG;
    *ret = root;
    return 0;
}
