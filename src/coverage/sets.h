/* sets - lines and arcs that grow as data come in. Internal to data. */
#pragma once
#include "coverage/object.h"

/* A set of lines that grows. */
struct line_set {
    uint8_t *p;
    size_t n;
};

/* A set of arcs: open addressing, 0 is an empty slot (there is no arc from line 0 to line 0). */
struct arc_set {
    uint64_t *slots;
    size_t n, cap;
};

struct hits {
    struct line_set lines;
    struct arc_set arcs;
    uint32_t group;
    struct object_arc *sorted;
};

void lines_join(struct line_set *l, struct bits from);
void hits_add(struct hits *h, struct bits lines, const struct object_arc *arcs, size_t n);
void hits_join(struct hits *to, const struct hits *from);
/* Fills h->sorted; how many there are. */
size_t hits_sort(struct hits *h);
void hits_done(struct hits *h);
