/* memory_sizes - "128,512-1024:256,ALL" to a list: see memory.h. */
#include <errno.h>
#include <stdlib.h>
#include "bench/memory.h"

#define STEP 128
#define ALL_TO 3008 /* what was the greatest size when aws-lambda-power-tuning was made */
#define ALL_STEP 64

struct sizes {
    int items[MEMORY_SIZES_MAX];
    size_t n;
};

static int add(struct sizes *s, int64_t mb)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->items[i] == mb)
            return 0;
    if (s->n == MEMORY_SIZES_MAX)
        return -E2BIG;
    s->items[s->n++] = (int)mb;
    return 0;
}

static int add_range(struct sizes *s, int64_t from, int64_t to, int64_t step)
{
    for (int64_t mb = from; mb <= to; mb += step)
        if (add(s, mb) < 0)
            return -E2BIG;
    return add(s, to);
}

static bool size_of(struct str text, int64_t *ret)
{
    return str_to_int64(text, ret) == 0 && *ret >= MEMORY_MIN_MB && *ret <= MEMORY_MAX_MB;
}

static int add_part(struct sizes *s, struct str part)
{
    struct str range, step_text, from_text, to_text;
    int64_t from, to, step = STEP;
    if (str_eq_nocase(part, S("all")))
        return add_range(s, MEMORY_MIN_MB, ALL_TO, ALL_STEP);
    bool stepped = str_cut(part, ':', &range, &step_text);
    bool ranged = str_cut(range, '-', &from_text, &to_text);
    if (!size_of(from_text, &from) || (stepped && !ranged))
        return -EINVAL;
    if (!ranged)
        return add(s, from);
    if (!size_of(to_text, &to) || to < from ||
        (stepped && (str_to_int64(step_text, &step) < 0 || step < 1)))
        return -EINVAL;
    return add_range(s, from, to, step);
}

static int ascending(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

int memory_sizes_parse(struct arena *a, struct str text, int **ret, size_t *ret_n, struct str *why)
{
    struct sizes s = {.n = 0};
    struct str part, rest = text;
    bool more = true;
    while (more) {
        more = str_cut(rest, ',', &part, &rest);
        part = str_trim(part);
        int r = add_part(&s, part);
        if (r == -E2BIG)
            *why = str_printf(a, "more than %d sizes: give a step, as in 128-3008:256",
                              MEMORY_SIZES_MAX);
        else if (r < 0)
            *why = str_printf(a,
                              "\"%.*s\" is no memory size: sizes are %d to %d, as in "
                              "512,1024,1536 or 512-3008:256 or ALL",
                              STR(part), MEMORY_MIN_MB, MEMORY_MAX_MB);
        if (r < 0)
            return -EINVAL;
    }
    qsort(s.items, s.n, sizeof(s.items[0]), ascending);
    *ret = arena_copy(a, s.items, s.n * sizeof(s.items[0]));
    *ret_n = s.n;
    return 0;
}
