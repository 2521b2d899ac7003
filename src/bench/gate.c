/* gate - thresholds judged (gate.h). */
#include <math.h>
#include "bench/gate_parts.h"
#include "bench/output.h"

const char *gate_verdict_name(enum gate_verdict v)
{
    static const char *const names[] = {"passed", "failed", "improved", "not shown", "regressed"};
    return (size_t)v <= GATE_REGRESSED ? names[v] : "unknown";
}

struct gate_result *gate_add(struct arena *a, struct gate_report *report)
{
    struct gate_result *r =
        arena_push(a, (void **)&report->results, &report->n, &report->cap, sizeof(*r));
    *r = (struct gate_result){
        .figure = figure_none(), .before = figure_none(), .ratio = figure_none()};
    return r;
}

bool gate_by_series(const struct bench_summary *sum)
{
    return sum->n_groups && (str_is(sum->run->mode, "memory") || str_is(sum->run->mode, "compare"));
}

static bool holds(double value, enum gate_op op, double limit)
{
    switch (op) {
    case GATE_LT:
        return value < limit;
    case GATE_LE:
        return value <= limit;
    case GATE_GT:
        return value > limit;
    case GATE_GE:
        return value >= limit;
    case GATE_EQ:
        return value == limit;
    default:
        return value != limit;
    }
}

/* A count out of a rate. */
static struct figure in_unit(const struct figure *f, const struct gate_threshold *t)
{
    if (!t->count || !figure_known(f))
        return *f;
    double n = (double)f->n;
    return (struct figure){round(f->value * n), NAN, NAN, f->n};
}

static void judge(struct arena *a, const struct bench_summary *sum, const struct bench_group *g,
                  const struct gate_threshold *t, struct gate_report *report)
{
    struct gate_result *r = gate_add(a, report);
    struct figure f = gate_figure(sum, g, &t->metric);
    r->text = t->text;
    r->series = g == &sum->all ? str_from(NULL) : g->name;
    r->unit = t->count ? GATE_COUNT : t->metric.unit;
    r->figure = in_unit(&f, t);
    if (!figure_known(&r->figure)) {
        r->verdict = GATE_FAILED;
        r->why = str_printf(a, "%.*s: not measured%s", STR(t->metric.name),
                            g->n && !g->outcomes[BENCH_OK] ? ": every request failed" : "");
    } else {
        bool ok = holds(r->figure.value, t->op, t->limit);
        bool low = isnan(r->figure.low) || holds(r->figure.low, t->op, t->limit);
        bool high = holds(r->figure.high, t->op, t->limit); /* no end: not shown */
        bool ranged = !isnan(r->figure.low) || !isnan(r->figure.high);
        r->verdict = ok ? GATE_PASSED : GATE_FAILED;
        r->close = ranged && t->op < GATE_EQ && (low != ok || high != ok);
        r->why =
            str_printf(a, "%.*s: %.*s%.*s%s", STR(t->metric.name),
                       STR(gate_value(a, r->figure.value, r->unit)),
                       STR(bench_bracketed(a, &r->figure, r->unit)),
                       r->close ? ", too few samples to be sure" : "");
    }
    report->failed += r->verdict == GATE_FAILED;
}

static void no_series(struct arena *a, const struct bench_summary *sum,
                      const struct gate_threshold *t, struct gate_report *report)
{
    struct gate_result *r = gate_add(a, report);
    r->text = t->text;
    r->series = t->series;
    r->unit = t->metric.unit;
    r->verdict = GATE_FAILED;
    r->why = str_printf(a, "the run has no series \"%.*s\"", STR(t->series));
    report->failed++;
}

static void check_one(struct arena *a, const struct bench_summary *sum,
                      const struct gate_threshold *t, struct gate_report *report)
{
    bool found = false;
    if (!str_has(t->series) && !gate_by_series(sum)) {
        judge(a, sum, &sum->all, t, report);
        return;
    }
    for (size_t i = 0; i < sum->n_groups; i++) {
        const struct bench_group *g = &sum->groups[i];
        if (str_has(t->series) ? !str_eq(g->name, t->series) : g->series->extrapolated)
            continue;
        judge(a, sum, g, t, report);
        found = true;
    }
    if (!found && str_has(t->series))
        no_series(a, sum, t, report);
    else if (!found)
        judge(a, sum, &sum->all, t, report);
}

void gate_check(struct arena *a, const struct bench_summary *sum, const struct gate_threshold *list,
                size_t n, struct gate_report *report)
{
    for (size_t i = 0; i < n; i++)
        check_one(a, sum, &list[i], report);
}
