/* sets - lines as bits, arcs by open addressing: see sets.h. */
#include "coverage/sets.h"
#include <stdlib.h>
#include "base/mem.h"

static void lines_reach(struct line_set *l, size_t n)
{
    if (n <= l->n)
        return;
    l->p = mem_realloc(l->p, n);
    memset(l->p + l->n, 0, n - l->n);
    l->n = n;
}

void lines_join(struct line_set *l, struct bits from)
{
    lines_reach(l, from.n);
    bits_join(l->p, from);
}

static uint64_t arc_key(struct object_arc arc)
{
    return (uint64_t)(uint32_t)arc.from << 32 | (uint32_t)arc.to;
}

static void arcs_put(struct arc_set *set, uint64_t key)
{
    size_t at = (size_t)((key * 0x9e3779b97f4a7c15u) >> 32) & (set->cap - 1);
    while (set->slots[at] && set->slots[at] != key)
        at = (at + 1) & (set->cap - 1);
    set->n += !set->slots[at];
    set->slots[at] = key;
}

static void arcs_reach(struct arc_set *set, size_t n)
{
    if (n * 2 <= set->cap)
        return;
    struct arc_set old = *set;
    size_t cap = old.cap ? old.cap : 32;
    while (cap < n * 2)
        cap *= 2;
    *set = (struct arc_set){mem_zalloc(cap * sizeof *set->slots), 0, cap};
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i])
            arcs_put(set, old.slots[i]);
    free(old.slots);
}

static void arcs_add(struct arc_set *set, struct object_arc arc)
{
    uint64_t key = arc_key(arc);
    if (!key)
        return;
    if ((set->n + 1) * 2 > set->cap)
        arcs_reach(set, set->n + 1);
    arcs_put(set, key);
}

static int arc_cmp(const void *va, const void *vb)
{
    const struct object_arc *a = va, *b = vb;
    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    return (a->to > b->to) - (a->to < b->to);
}

size_t hits_sort(struct hits *h)
{
    free(h->sorted);
    h->sorted = mem_alloc((h->arcs.n + 1) * sizeof *h->sorted);
    size_t n = 0;
    for (size_t i = 0; i < h->arcs.cap; i++)
        if (h->arcs.slots[i])
            h->sorted[n++] = (struct object_arc){(int32_t)(uint32_t)(h->arcs.slots[i] >> 32),
                                                 (int32_t)(uint32_t)h->arcs.slots[i]};
    qsort(h->sorted, n, sizeof *h->sorted, arc_cmp);
    return n;
}

void hits_add(struct hits *h, struct bits lines, const struct object_arc *arcs, size_t n)
{
    lines_join(&h->lines, lines);
    for (size_t i = 0; i < n; i++)
        arcs_add(&h->arcs, arcs[i]);
}

void hits_done(struct hits *h)
{
    free(h->lines.p);
    free(h->arcs.slots);
    free(h->sorted);
}

void hits_join(struct hits *to, const struct hits *from)
{
    lines_join(&to->lines, (struct bits){from->lines.p, from->lines.n});
    arcs_reach(&to->arcs, from->arcs.n);
    for (size_t i = 0; i < from->arcs.cap; i++)
        if (from->arcs.slots[i]) {
            arcs_reach(&to->arcs, to->arcs.n + 1);
            arcs_put(&to->arcs, from->arcs.slots[i]);
        }
}
