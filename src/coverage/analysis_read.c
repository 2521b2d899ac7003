/* analysis_read - what the script answers, as structs; nothing of it is taken on trust. */
#include "base/digest.h"
#include "base/json.h"
#include "coverage/analysis_internal.h"
#include <errno.h>

static bool int_in(const struct json *v, int64_t min, int64_t max, int64_t *ret)
{
    return json_int(v, ret) == 0 && *ret >= min && *ret <= max;
}

/* Integers of an array; false when one is none or out of bounds. */
static bool ints(struct arena *a, const struct json *array, int64_t min, int32_t **ret,
                 size_t *ret_n)
{
    if (!json_is(array, JSON_ARRAY))
        return false;
    int32_t *p = ARENA_ARRAY(a, int32_t, array->n + 1);
    size_t n = 0;
    JSON_EACH(array, v) {
        int64_t value;
        if (!int_in(v, min, ANALYSIS_LINE_MAX, &value))
            return false;
        p[n++] = (int32_t)value;
    }
    *ret = p;
    *ret_n = n;
    return true;
}

static bool set_of(struct arena *a, const struct json *o, const char *key, struct bits *ret)
{
    struct str hex = json_get_str(o, key), bytes;
    if (!str_has(hex) || hex_decode(a, hex, &bytes) < 0)
        return false;
    *ret = (struct bits){(const uint8_t *)bytes.p, bytes.n};
    return true;
}

int analysis_set_spans(struct arena *a, struct analysis *an, const uint32_t *spans, size_t n)
{
    uint32_t last = n ? spans[n - 1] : 0;
    if (n % 2 || last > an->n_lines + 1)
        return -EBADMSG;
    uint32_t *first_line = ARENA_ARRAY(a, uint32_t, last + 1), before = 0;
    for (size_t i = 0; i < n; i += 2) {
        if (spans[i] <= before || spans[i + 1] < spans[i] || spans[i + 1] > last)
            return -EBADMSG;
        before = spans[i + 1];
        for (uint32_t l = spans[i]; l <= before; l++)
            first_line[l] = spans[i];
    }
    an->first_line = first_line;
    an->n_first = n ? last + 1 : 0;
    return 0;
}

static bool read_arcs(struct arena *a, const struct json *o, struct analysis *an)
{
    const struct json *texts = json_get(o, "texts");
    int32_t *ends, *sure;
    size_t n, n_sure;
    if (!ints(a, json_get(o, "arcs"), -ANALYSIS_LINE_MAX, &ends, &n) || n % 2 ||
        !json_is(texts, JSON_ARRAY) || texts->n != n ||
        !ints(a, json_get(o, "sure"), 0, &sure, &n_sure) || n_sure != n / 2)
        return false;
    struct analysis_arc *arcs = ARENA_ARRAY(a, struct analysis_arc, n / 2 + 1);
    const struct json *text = texts->first;
    for (size_t i = 0; i < n / 2; i++) {
        arcs[i].arc = (struct object_arc){ends[2 * i], ends[2 * i + 1]};
        if (sure[i] > ANALYSIS_IF_SOURCE)
            return false;
        arcs[i].sure = (enum analysis_sure)sure[i];
        arcs[i].action = str_copy(a, json_str(text));
        text = text->next;
        arcs[i].missing = str_copy(a, json_str(text));
        text = text->next;
        if (!str_has(arcs[i].action) || !str_has(arcs[i].missing))
            return false;
    }
    an->arcs = arcs;
    an->n_arcs = n / 2;
    return true;
}

static bool read_withs(struct arena *a, const struct json *list, struct analysis *an)
{
    if (!json_is(list, JSON_ARRAY))
        return false;
    struct analysis_with *withs = ARENA_ARRAY(a, struct analysis_with, list->n + 1);
    JSON_EACH(list, v) {
        int32_t *e;
        size_t n;
        if (!ints(a, v, -ANALYSIS_LINE_MAX, &e, &n) || n < 4 || n % 2)
            return false;
        struct object_arc *none = ARENA_ARRAY(a, struct object_arc, n / 2);
        for (size_t i = 4; i < n; i += 2)
            none[i / 2 - 2] = (struct object_arc){e[i], e[i + 1]};
        withs[an->n_withs++] = (struct analysis_with){{e[0], e[1]}, {e[2], e[3]}, none, n / 2 - 2};
    }
    an->withs = withs;
    return true;
}

/* ["function", "Class.method", line, first, last, [first, last, ...]] */
static bool read_region(struct arena *a, const struct json *v, uint32_t n_lines,
                        struct analysis_region *ret)
{
    struct str kind = json_str(json_at(v, 0)), name = json_str(json_at(v, 1));
    int64_t start, first, last;
    int32_t *ranges;
    size_t n;
    if (!str_has(kind) || !str_has(name) || !int_in(json_at(v, 2), 1, n_lines + 1, &start) ||
        !int_in(json_at(v, 3), 1, n_lines + 1, &first) ||
        !int_in(json_at(v, 4), first, n_lines + 1, &last) ||
        !ints(a, json_at(v, 5), 1, &ranges, &n) || n % 2)
        return false;
    uint32_t most = n ? (uint32_t)ranges[n - 1] : 0;
    if (most > n_lines + 1)
        return false;
    uint8_t *lines = arena_alloc(a, bits_size(most));
    for (size_t i = 0; i < n; i += 2) {
        if (ranges[i + 1] > (int32_t)most || (i && ranges[i] <= ranges[i - 1]))
            return false;
        for (int32_t l = ranges[i]; l <= ranges[i + 1]; l++)
            bits_set(lines, (uint32_t)l);
    }
    *ret = (struct analysis_region){
        .kind = str_is(kind, "class") ? ANALYSIS_CLASS : ANALYSIS_FUNCTION,
        .name = str_copy(a, name),
        .start = (int)start,
        .first = (int)first,
        .last = (int)last,
        .lines = {lines, n ? bits_size(most) : 0},
    };
    return true;
}

static bool read_regions(struct arena *a, const struct json *list, struct analysis *an)
{
    if (!json_is(list, JSON_ARRAY))
        return false;
    struct analysis_region *regions = ARENA_ARRAY(a, struct analysis_region, list->n + 1);
    JSON_EACH(list, v)
        if (!read_region(a, v, an->n_lines, &regions[an->n_regions++]))
            return false;
    an->regions = regions;
    return true;
}

static bool fits(struct bits set, uint32_t n_lines)
{
    return set.n <= bits_size(n_lines + 1);
}

bool analysis_valid(const struct analysis *an)
{
    int32_t most = (int32_t)an->n_lines + 1;
    if (an->n_lines > ANALYSIS_LINE_MAX || !fits(an->statements, an->n_lines) ||
        !fits(an->excluded, an->n_lines) || !fits(an->no_branch, an->n_lines))
        return false;
    for (size_t i = 0; i < an->n_arcs; i++) {
        struct object_arc arc = an->arcs[i].arc;
        if (arc.from < 1 || arc.from > most || arc.to > most || arc.to < -most)
            return false;
        if (!i)
            continue;
        struct object_arc last = an->arcs[i - 1].arc;
        if (arc.from < last.from || (arc.from == last.from && arc.to <= last.to))
            return false;
    }
    return true;
}

static bool read_spans(struct arena *a, const struct json *list, struct analysis *an)
{
    int32_t *spans;
    size_t n;
    return ints(a, list, 1, &spans, &n) && analysis_set_spans(a, an, (uint32_t *)spans, n) == 0;
}

int analysis_read(struct arena *a, struct str line, int64_t *ret_id, struct analysis **ret)
{
    auto_arena struct arena scratch;
    arena_init(&scratch);
    struct json *o;
    int64_t id, n;
    if (json_parse(&scratch, line, &o, NULL) < 0 || !int_in(json_get(o, "id"), -1, INT32_MAX, &id))
        return -EBADMSG;
    struct analysis *an = ARENA_NEW(a, struct analysis);
    struct str error = json_get_str(o, "error");
    if (str_has(error)) {
        an->error = str_copy(a, error);
        if (int_in(json_get(o, "line"), 0, ANALYSIS_LINE_MAX, &n))
            an->error_line = (int)n;
    } else {
        if (!int_in(json_get(o, "lines"), 0, ANALYSIS_LINE_MAX, &n))
            return -EBADMSG;
        an->n_lines = (uint32_t)n;
        if (!set_of(a, o, "statements", &an->statements) ||
            !set_of(a, o, "excluded", &an->excluded) ||
            !set_of(a, o, "no_branch", &an->no_branch) ||
            !read_spans(a, json_get(o, "spans"), an) || !read_arcs(a, o, an) ||
            !read_withs(a, json_get(o, "withs"), an) ||
            !read_regions(a, json_get(o, "regions"), an) || !analysis_valid(an))
            return -EBADMSG;
    }
    *ret_id = id;
    *ret = an;
    return 0;
}
