/* v8 - see v8.h. */
#include "coverage/v8.h"
#include <errno.h>
#include <stdlib.h>
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"

struct v8_hits {
    struct v8_function *functions;
    size_t n, cap;
    struct map by_place; /* index + 1 */
    bool sorted;
};

struct v8_hits *v8_hits_new(void)
{
    struct v8_hits *h = MEM_NEW(struct v8_hits);
    map_init(&h->by_place);
    h->sorted = true;
    return h;
}

static void function_done(struct v8_function *f)
{
    free((char *)(uintptr_t)f->name.p);
    free(f->run);
    free(f->blocks);
}

void v8_hits_free(struct v8_hits *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->n; i++)
        function_done(&h->functions[i]);
    map_done(&h->by_place);
    free(h->functions);
    free(h);
}

/* ---- sets of ranges ---- */

static int range_cmp(const void *va, const void *vb)
{
    const struct v8_range *a = va, *b = vb;
    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    return a->to != b->to ? (a->to > b->to ? -1 : 1) : 0;
}

/* Sorted ranges to such that touch nowhere. */
static size_t melt(struct v8_range *r, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept && r[i].from <= r[kept - 1].to) {
            if (r[i].to > r[kept - 1].to)
                r[kept - 1].to = r[i].to;
        } else {
            r[kept++] = r[i];
        }
    }
    return kept;
}

static size_t unique(struct v8_range *r, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!kept || range_cmp(&r[i], &r[kept - 1]))
            r[kept++] = r[i];
    return kept;
}

static bool same(const struct v8_range *a, size_t n, const struct v8_range *b, size_t m)
{
    return n == m && (!n || !memcmp(a, b, n * sizeof *a));
}

static void join(struct v8_range **to, size_t *to_n, const struct v8_range *from, size_t n,
                 size_t (*reduce)(struct v8_range *, size_t))
{
    if (!n || same(*to, *to_n, from, n))
        return;
    *to = mem_realloc(*to, (*to_n + n) * sizeof **to);
    memcpy(*to + *to_n, from, n * sizeof *from);
    qsort(*to, *to_n + n, sizeof **to, range_cmp);
    *to_n = reduce(*to, *to_n + n);
}

/* ---- taking in ---- */

static struct v8_function *function_at(struct v8_hits *h, struct str name, struct v8_range at)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%u,%u", at.from, at.to);
    struct str key = str_of(text, (size_t)n);
    uintptr_t known = (uintptr_t)map_find(&h->by_place, key);
    if (known)
        return &h->functions[known - 1];
    if (h->n == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 16;
        h->functions = mem_realloc(h->functions, h->cap * sizeof *h->functions);
    }
    struct v8_function *f = &h->functions[h->n++];
    *f = (struct v8_function){.at = at};
    char *copy = mem_alloc(name.n + 1);
    if (name.n)
        memcpy(copy, name.p, name.n);
    copy[name.n] = 0;
    f->name = str_of(copy, name.n);
    map_put(&h->by_place, key, (void *)(uintptr_t)h->n);
    h->sorted = false;
    return f;
}

static int offset_of(const struct json *v, uint32_t *ret)
{
    int64_t n;
    if (!v || json_int(v, &n) < 0 || n < 0 || n > V8_OFFSET_MAX)
        return -EBADMSG;
    *ret = (uint32_t)n;
    return 0;
}

/* [from, to, from, to ...], within `in`. */
static int ranges_of(struct arena *a, const struct json *list, struct v8_range in,
                     struct v8_range **ret, size_t *ret_n)
{
    if (!json_is(list, JSON_ARRAY) || list->n % 2)
        return -EBADMSG;
    *ret = ARENA_ARRAY(a, struct v8_range, list->n / 2 + 1);
    *ret_n = list->n / 2;
    const struct json *v = list->first;
    for (size_t i = 0; i < *ret_n; i++) {
        struct v8_range *r = &(*ret)[i];
        if (offset_of(v, &r->from) < 0 || offset_of(v->next, &r->to) < 0 || r->from >= r->to ||
            r->from < in.from || r->to > in.to)
            return -EBADMSG;
        v = v->next->next;
    }
    if (*ret_n)
        qsort(*ret, *ret_n, sizeof **ret, range_cmp);
    return 0;
}

static int function_of(struct arena *a, const struct json *v, struct v8_function *ret)
{
    if (!json_is(v, JSON_ARRAY) || v->n < 5 || !json_is(v->first, JSON_STRING))
        return -EBADMSG;
    *ret = (struct v8_function){.name = v->first->text};
    if (offset_of(json_at(v, 1), &ret->at.from) < 0 || offset_of(json_at(v, 2), &ret->at.to) < 0 ||
        ret->at.from > ret->at.to)
        return -EBADMSG;
    int r = ranges_of(a, json_at(v, 3), ret->at, &ret->run, &ret->n_run);
    if (r < 0)
        return r;
    ret->n_run = melt(ret->run, ret->n_run);
    return ranges_of(a, json_at(v, 4), ret->at, &ret->blocks, &ret->n_blocks);
}

static void take(struct v8_hits *h, const struct v8_function *f)
{
    struct v8_function *to = function_at(h, f->name, f->at);
    join(&to->run, &to->n_run, f->run, f->n_run, melt);
    join(&to->blocks, &to->n_blocks, f->blocks, f->n_blocks, unique);
}

int v8_hits_add(struct v8_hits *h, struct str payload)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct json *root;
    if (json_parse(&a, payload, &root, NULL) < 0 || !json_is(root, JSON_ARRAY))
        return -EBADMSG;
    struct v8_function *all = ARENA_ARRAY(&a, struct v8_function, root->n + 1);
    size_t n = 0;
    JSON_EACH(root, v)
        if (function_of(&a, v, &all[n++]) < 0)
            return -EBADMSG;
    for (size_t i = 0; i < n; i++)
        take(h, &all[i]);
    return 0;
}

void v8_hits_join(struct v8_hits *to, const struct v8_hits *from)
{
    for (size_t i = 0; i < from->n; i++)
        take(to, &from->functions[i]);
}

/* ---- what is in it ---- */

static int function_cmp(const void *va, const void *vb)
{
    return range_cmp(&((const struct v8_function *)va)->at, &((const struct v8_function *)vb)->at);
}

const struct v8_function *v8_hits_functions(struct v8_hits *h, size_t *ret_n)
{
    if (!h->sorted) {
        qsort(h->functions, h->n, sizeof *h->functions, function_cmp);
        map_done(&h->by_place);
        map_init(&h->by_place);
        for (size_t i = 0; i < h->n; i++) {
            char text[32];
            int n = snprintf(text, sizeof(text), "%u,%u", h->functions[i].at.from,
                             h->functions[i].at.to);
            map_put(&h->by_place, str_of(text, (size_t)n), (void *)(uintptr_t)(i + 1));
        }
        h->sorted = true;
    }
    *ret_n = h->n;
    return h->functions;
}

bool v8_run_at(const struct v8_function *f, uint32_t offset)
{
    size_t low = 0, high = f->n_run;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (f->run[mid].to <= offset)
            low = mid + 1;
        else
            high = mid;
    }
    return low < f->n_run && f->run[low].from <= offset;
}

struct out {
    struct v8_range *p;
    size_t n, cap;
};

static void put(struct out *o, uint32_t from, uint32_t to)
{
    if (from >= to)
        return;
    if (o->n && o->p[o->n - 1].to >= from) {
        o->p[o->n - 1].to = to;
        return;
    }
    if (o->n == o->cap) {
        o->cap = o->cap ? 2 * o->cap : 64;
        o->p = mem_realloc(o->p, o->cap * sizeof *o->p);
    }
    o->p[o->n++] = (struct v8_range){from, to};
}

/* What f itself has run of [from, to). */
static void put_own(struct out *o, const struct v8_function *f, uint32_t from, uint32_t to)
{
    size_t low = 0, high = f->n_run;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (f->run[mid].to <= from)
            low = mid + 1;
        else
            high = mid;
    }
    for (; low < f->n_run && f->run[low].from < to; low++) {
        struct v8_range r = f->run[low];
        put(o, r.from > from ? r.from : from, r.to < to ? r.to : to);
    }
}

/* Functions lie in each other: a stack of those that are open, one sweep over the source. What
 * overlaps without lying in the other (no V8 says so) is cut at the outer one's end. */
struct v8_range *v8_hits_run(struct v8_hits *h, size_t *ret_n)
{
    size_t n, depth = 0;
    const struct v8_function *all = v8_hits_functions(h, &n);
    const struct v8_function **open = mem_alloc((n + 1) * sizeof(const struct v8_function *));
    struct out o = {0};
    uint32_t at = 0;
    for (size_t i = 0; i <= n; i++) {
        uint32_t begin = i < n ? all[i].at.from : UINT32_MAX;
        while (depth && open[depth - 1]->at.to <= begin) {
            const struct v8_function *f = open[--depth];
            if (f->at.to > at) {
                put_own(&o, f, at, f->at.to);
                at = f->at.to;
            }
        }
        if (i == n)
            break;
        if (depth)
            put_own(&o, open[depth - 1], at, begin);
        at = begin > at ? begin : at;
        open[depth++] = &all[i];
    }
    free(open);
    *ret_n = o.n;
    return o.p;
}
