/* memory_table - see memory_table.h. */
#include "bench/memory_table.h"
#include <math.h>
#include <stdlib.h>
#include "base/cleanup.h"
#include "base/mem.h"

static void durations(const struct bench_run *run, size_t series, bool only_cold,
                      struct bench_spread *ret)
{
    auto_free double *values = mem_alloc((run->n_samples + 1) * sizeof(*values));
    size_t n = 0;
    for (size_t i = 0; i < run->n_samples; i++) {
        const struct bench_sample *s = &run->samples[i];
        if (s->series == series && s->outcome == BENCH_OK && s->cold == only_cold &&
            s->handler_us >= 0)
            values[n++] = (s->handler_us + (s->cold && s->init_us > 0 ? s->init_us : 0)) / 1e3;
    }
    bench_spread_of(ret, values, n);
}

static const struct memory_row *row_at(const struct memory_table *t, size_t i)
{
    return i < t->n_rows ? &t->rows[i] : NULL;
}

static void make_row(const struct bench_summary *sum, const struct memory_result *result, size_t i,
                     bool only_cold, struct memory_row *row)
{
    const struct bench_group *g = sum->n_groups ? &sum->groups[i] : &sum->all;
    const struct bench_population *p = only_cold ? &g->cold : &g->warm;
    row->size = &result->sizes[i];
    row->series = &sum->run->series[i];
    row->billed = p->billed.n ? p->billed.mean : figure_none();
    row->cost = p->latency.n ? p->cost : figure_none();
    row->memory_used = g->memory_used;
    row->delta = NAN;
    durations(sum->run, i, only_cold, &row->duration);
}

static bool is_usable(const struct memory_row *row)
{
    return row->duration.n && figure_known(&row->cost) && !row->size->failed &&
           !row->size->hopeless && !row->size->beyond;
}

static void set_deltas(struct memory_table *t, const struct memory_result *result)
{
    t->base = t->n_rows;
    for (size_t i = t->n_rows; i-- > 0;)
        if (figure_known(&t->rows[i].cost) &&
            (t->base == t->n_rows || t->rows[t->base].size->mb != result->was_mb))
            t->base = i;
    for (size_t i = 0; t->base < t->n_rows && i < t->n_rows; i++)
        if (figure_known(&t->rows[i].cost) && t->rows[t->base].cost.value > 0)
            t->rows[i].delta = t->rows[i].cost.value / t->rows[t->base].cost.value - 1;
}

/* The others that may as well be the best one. */
static struct str doubts(struct arena *a, struct memory_table *t, const struct pareto_point *points)
{
    const struct memory_advice *advice = &t->advice;
    struct str list = S("");
    for (size_t i = 0; i < t->n_rows; i++) {
        t->rows[i].rival =
            i != advice->best && points[i].usable &&
            !pareto_shown(points, t->n_rows, advice->best, i, advice->strategy, advice->weight);
        if (t->rows[i].rival)
            list = str_printf(a, "%.*s%s%d MB", STR(list), list.n ? ", " : "", t->rows[i].size->mb);
    }
    return list.n ? str_printf(a, "; no difference is shown between it and %.*s", STR(list)) : list;
}

static struct str reason(struct arena *a, struct memory_table *t,
                         const struct memory_result *result, const struct pareto_point *points)
{
    static const char *const words[] = {"the cheapest", "the fastest", "the best balance"};
    const struct memory_advice *advice = &t->advice;
    const struct memory_row *best = row_at(t, advice->best), *base = row_at(t, t->base);
    if (!best)
        return S("no size that this machine can show has answers without failures, so none is "
                 "recommended");
    struct str weighed = advice->strategy == PARETO_BALANCED
                             ? str_printf(a, " at weight %g", advice->weight)
                             : S("");
    struct str than = S("");
    if (base && base != best && base->size->mb == result->was_mb && base->duration.n)
        than = str_printf(
            a, "; %+.0f %% cost and %+.0f %% time against the %d MB of now", best->delta * 100,
            (best->duration.mean.value / base->duration.mean.value - 1) * 100, result->was_mb);
    return str_printf(a, "%d MB: %s%.*s, $%.4g a million invocations, mean %.4g ms%.*s%.*s",
                      best->size->mb, words[advice->strategy], STR(weighed), best->cost.value,
                      best->duration.mean.value, STR(than), STR(doubts(a, t, points)));
}

static void advise_below(struct arena *a, struct memory_table *t, const struct pareto_point *points,
                         double below_ms)
{
    struct memory_advice *advice = &t->advice;
    if (!(below_ms > 0))
        return;
    advice->below = pareto_cheapest_below(points, t->n_rows, below_ms);
    const struct memory_row *row = row_at(t, advice->below);
    if (!row) {
        advice->below_why = str_printf(a, "no size has a p99 below %.4g ms", below_ms);
        return;
    }
    const struct figure *p99 = &row->duration.p99;
    bool sure = !isnan(p99->high) && p99->high < below_ms;
    advice->below_why =
        str_printf(a, "%d MB: the cheapest with p99 below %.4g ms (%.4g ms of %zu%s)",
                   row->size->mb, below_ms, p99->value, row->duration.n,
                   sure ? "" : "; too few to be sure: its interval reaches beyond");
}

void memory_table_make(struct arena *a, const struct bench_summary *sum,
                       const struct memory_result *result, bool only_cold,
                       enum pareto_strategy strategy, double weight, double below_ms,
                       struct memory_table *ret)
{
    *ret = (struct memory_table){.n_rows = result->n_sizes};
    ret->rows = ARENA_ARRAY(a, struct memory_row, ret->n_rows);
    struct pareto_point *points = ARENA_ARRAY(a, struct pareto_point, ret->n_rows);
    for (size_t i = 0; i < ret->n_rows; i++) {
        struct memory_row *row = &ret->rows[i];
        make_row(sum, result, i, only_cold, row);
        points[i] = (struct pareto_point){.usable = is_usable(row),
                                          .cost = row->cost.value,
                                          .time = row->duration.n ? row->duration.mean.value : NAN,
                                          .cost_is = row->cost,
                                          .time_is = row->duration.mean,
                                          .p99 = row->duration.n ? row->duration.p99.value : NAN};
    }
    set_deltas(ret, result);
    pareto_mark(points, ret->n_rows);
    for (size_t i = 0; i < ret->n_rows; i++)
        ret->rows[i].front = points[i].front;
    ret->advice = (struct memory_advice){.strategy = strategy, .weight = weight};
    ret->advice.below = ret->n_rows;
    ret->advice.best = pareto_best(points, ret->n_rows, strategy, weight);
    ret->advice.why = reason(a, ret, result, points);
    advise_below(a, ret, points, below_ms);
}

/* ---- as JSON ---- */

static void set_number(struct arena *a, struct json *o, const char *name, double v)
{
    if (isnan(v))
        return;
    struct json *n = json_new(a, JSON_NUMBER);
    n->text = str_printf(a, "%.9g", v);
    json_set(a, o, str_from(name), n);
}

static void set_text(struct arena *a, struct json *o, const char *name, struct str v)
{
    if (v.n)
        json_set(a, o, str_from(name), json_new_str(a, v));
}

static struct json *row_json(struct arena *a, const struct memory_row *row)
{
    struct json *o = json_new(a, JSON_OBJECT);
    set_number(a, o, "memory_mb", row->size->mb);
    set_number(a, o, "vcpu", row->size->vcpu);
    json_set(a, o, S("beyond_machine"), json_new_bool(a, row->size->beyond));
    set_number(a, o, "requests", (double)row->size->sent);
    set_number(a, o, "failures", (double)row->size->failed);
    if (row->duration.n) {
        set_number(a, o, "p50_ms", row->duration.p50.value);
        set_number(a, o, "p90_ms", row->duration.p90.value);
        set_number(a, o, "p99_ms", row->duration.p99.value);
        set_number(a, o, "mean_ms", row->duration.mean.value);
    }
    set_number(a, o, "billed_ms", row->billed.value);
    set_number(a, o, "usd_per_million", row->cost.value);
    set_number(a, o, "usd_delta", row->delta);
    if (row->memory_used >= 0)
        set_number(a, o, "max_memory_mb", row->memory_used);
    json_set(a, o, S("pareto"), json_new_bool(a, row->front));
    json_set(a, o, S("not_told_apart"), json_new_bool(a, row->rival));
    json_set(a, o, S("known_early"), json_new_bool(a, row->size->narrow));
    set_text(a, o, "note", row->series->note);
    return o;
}

struct json *memory_table_json(struct arena *a, const struct memory_table *t,
                               const struct memory_result *result)
{
    static const char *const strategies[] = {"cost", "speed", "balanced"};
    const struct memory_advice *advice = &t->advice;
    struct json *o = json_new(a, JSON_OBJECT), *rows = json_new(a, JSON_ARRAY);
    set_number(a, o, "memory_before_mb", result->was_mb);
    set_text(a, o, "strategy", str_from(strategies[advice->strategy]));
    if (advice->strategy == PARETO_BALANCED)
        set_number(a, o, "balanced_weight", advice->weight);
    if (row_at(t, advice->best))
        set_number(a, o, "recommended_mb", t->rows[advice->best].size->mb);
    set_text(a, o, "why", advice->why);
    if (row_at(t, advice->below))
        set_number(a, o, "cheapest_below_mb", t->rows[advice->below].size->mb);
    set_text(a, o, "cheapest_below_why", advice->below_why);
    for (size_t i = 0; i < t->n_rows; i++)
        json_add(rows, row_json(a, &t->rows[i]));
    json_set(a, o, S("sizes"), rows);
    return o;
}
