/* tree - names with text and children: what XML documents and query parameters are read into before
 * one walker fills structs from them. Internal to wire/. */
#pragma once
#include "wire/request.h"
#include "wire/walk.h"

struct node {
    struct str name;         /* XML: without its prefix */
    struct str text;         /* XML: character data of this element alone; "" when there is none */
    struct node *attributes; /* XML: as nodes, linked by next */
    struct node *first, *last, *next;
    size_t n;
};

/* The document's root. -EBADMSG: not well-formed, or deeper than WIRE_DEPTH; no DTD is taken. */
int tree_parse_xml(struct arena *a, struct str text, struct node **ret);
/* application/x-www-form-urlencoded: "A.member.1.B=x" is A > member > 1 > B. */
int tree_parse_query(struct arena *a, struct str query, struct node **ret);
struct node *tree_find(const struct node *parent, const char *name); /* NULL: not there */

enum tree_kind { TREE_XML, TREE_QUERY };
/* Fills a zeroed struct. -EBADMSG with *err: what was expected and the text found. */
struct tree_error {
    const struct member *member;
    const struct shape *shape;
    struct str text;
};
int tree_read(struct arena *a, enum tree_kind kind, const struct node *node,
              const struct shape *shape, void *ret, struct tree_error *err);
