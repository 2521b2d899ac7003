/* contrast - see contrast.h. */
#include "bench/contrast.h"
#include <math.h>

const char *contrast_verdict_name(enum contrast_verdict v)
{
    static const char *const names[] = {"unknown", "no-difference-shown", "less", "more"};
    return (size_t)v <= CONTRAST_MORE ? names[v] : "unknown";
}

static enum contrast_verdict judge(const struct figure *f, double even)
{
    if (!figure_known(f) || isnan(f->low) || isnan(f->high))
        return CONTRAST_UNKNOWN;
    return f->high < even ? CONTRAST_LESS : f->low > even ? CONTRAST_MORE : CONTRAST_NONE;
}

struct rows {
    struct contrast_row *items;
    size_t n;
};

static void add(struct rows *rows, const char *name, const char *unit, const struct figure *a,
                const struct figure *b)
{
    if (!figure_known(a) && !figure_known(b))
        return;
    struct contrast_row *row = &rows->items[rows->n++];
    *row = (struct contrast_row){.name = name, .unit = unit, .sides = {*a, *b}};
    row->ratio = stats_ratio(b, a);
    row->ratio = stats_together(&row->ratio, true);
    row->verdict = judge(&row->ratio, 1);
}

static void add_rate(struct rows *rows, const char *name, const struct figure *a,
                     const struct figure *b)
{
    struct contrast_row *row = &rows->items[rows->n++];
    *row = (struct contrast_row){.name = name, .unit = "", .sides = {*a, *b}, .rate = true};
    row->ratio = stats_difference(b, a);
    row->ratio = stats_together(&row->ratio, false);
    row->verdict = judge(&row->ratio, 0);
}

/* Nothing but what was seen: the most that any of its environments used. */
static void add_memory(struct rows *rows, const struct bench_group *a, const struct bench_group *b)
{
    if (a->memory_used < 0 || b->memory_used < 0)
        return;
    struct contrast_row *row = &rows->items[rows->n++];
    *row = (struct contrast_row){
        .name = "memory used",
        .unit = "MB",
        .sides = {figure_exact(a->memory_used), figure_exact(b->memory_used)}};
    row->ratio = stats_ratio(&row->sides[1], &row->sides[0]);
    row->verdict = CONTRAST_UNKNOWN;
}

size_t contrast_rows(const struct bench_group *a, const struct bench_group *b,
                     struct contrast_row items[CONTRAST_ROWS])
{
    struct rows rows = {.items = items};
    bool warm = a->warm.latency.n > 1 && b->warm.latency.n > 1;
    const struct bench_population *x = warm ? &a->warm : &a->all, *y = warm ? &b->warm : &b->all;
    const struct bench_spread *lx = &x->latency, *ly = &y->latency;
    const struct bench_spread *hx = &x->phases[BENCH_HANDLER], *hy = &y->phases[BENCH_HANDLER];
    add(&rows, "latency p50", "ms", &lx->p50, &ly->p50);
    add(&rows, "latency mean", "ms", &lx->mean, &ly->mean);
    add(&rows, "latency p90", "ms", &lx->p90, &ly->p90);
    add(&rows, "latency p99", "ms", &lx->p99, &ly->p99);
    add(&rows, "duration p50", "ms", &hx->p50, &hy->p50);
    add(&rows, "duration mean", "ms", &hx->mean, &hy->mean);
    add(&rows, "duration p99", "ms", &hx->p99, &hy->p99);
    add(&rows, "init p50", "ms", &a->cold.phases[BENCH_INIT].p50, &b->cold.phases[BENCH_INIT].p50);
    add(&rows, "billed mean", "ms", &x->billed.mean, &y->billed.mean);
    add(&rows, "cost", "USD/1M", &x->cost, &y->cost);
    add_memory(&rows, a, b);
    add_rate(&rows, "errors", &a->errors, &b->errors);
    return rows.n;
}

const char *contrast_said(const struct contrast_row *row)
{
    static const char *const words[] = {"too few answers to tell", "no difference shown",
                                        "B is faster than A", "B is slower than A"};
    return words[row->verdict];
}

/* ---- as JSON ---- */

static struct json *figure_json(struct arena *a, const struct figure *f)
{
    const struct {
        const char *name;
        double v;
    } parts[] = {{"value", f->value}, {"low", f->low}, {"high", f->high}};
    struct json *o = json_new(a, JSON_OBJECT);
    for (size_t i = 0; i < 3; i++) {
        struct json *n = json_new(a, isnan(parts[i].v) ? JSON_NULL : JSON_NUMBER);
        n->text = str_printf(a, "%.9g", parts[i].v);
        json_set(a, o, str_from(parts[i].name), n);
    }
    return o;
}

struct json *contrast_json(struct arena *a, const struct contrast_row *rows, size_t n)
{
    struct json *list = json_new(a, JSON_ARRAY);
    for (size_t i = 0; i < n; i++) {
        struct json *o = json_add(list, json_new(a, JSON_OBJECT));
        json_set(a, o, S("figure"), json_new_str(a, str_from(rows[i].name)));
        json_set(a, o, S("unit"), json_new_str(a, str_from(rows[i].unit)));
        json_set(a, o, S("a"), figure_json(a, &rows[i].sides[0]));
        json_set(a, o, S("b"), figure_json(a, &rows[i].sides[1]));
        json_set(a, o, rows[i].rate ? S("difference") : S("ratio"), figure_json(a, &rows[i].ratio));
        json_set(a, o, S("verdict"),
                 json_new_str(a, str_from(contrast_verdict_name(rows[i].verdict))));
    }
    return list;
}
