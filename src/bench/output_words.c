/* output_words - figures as words, for all outputs (output.h). */
#include <math.h>
#include "base/utf8.h"
#include "bench/output.h"
#include "bench/pareto.h"

struct str bench_count(struct arena *a, uint64_t n)
{
    char digits[32], out[48];
    int length = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n), at = 0;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    return str_copy(a, str_of(out, (size_t)at));
}

/* Would it move the cursor, turn the direction of writing, or not be seen? */
static bool harmful(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

struct str bench_clean(struct arena *a, struct str s, size_t max)
{
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX);
    size_t columns = 0, i = 0;
    while (i < s.n && columns + 1 < max) {
        size_t n = utf8_length(s.p + i, s.p + s.n);
        uint32_t c = n ? utf8_char(s.p + i, n) : 0;
        if (!n || harmful(c))
            buf_byte(&b, c == '\n' || c == '\t' ? ' ' : '?');
        else
            buf_add(&b, s.p + i, n);
        columns += n ? utf8_width(str_of(s.p + i, n)) : 1;
        i += n ? n : 1;
    }
    if (i < s.n)
        buf_text(&b, "…");
    return buf_copy(&b, a);
}

struct str bench_interval(struct arena *a, const struct figure *f, enum gate_unit unit)
{
    bool low = !isnan(f->low), high = !isnan(f->high);
    if ((!low && !high) || f->low == f->high)
        return S("");
    if (!high)
        return str_printf(a, "at least %.*s", STR(gate_value(a, f->low, unit)));
    if (!low)
        return str_printf(a, "at most %.*s", STR(gate_value(a, f->high, unit)));
    return str_printf(a, "%.*s to %.*s", STR(gate_value(a, f->low, unit)),
                      STR(gate_value(a, f->high, unit)));
}

struct str bench_bracketed(struct arena *a, const struct figure *f, enum gate_unit unit)
{
    struct str range = bench_interval(a, f, unit);
    return range.n ? str_printf(a, " (%.*s)", STR(range)) : range;
}

static void item(struct buf *b, struct str text)
{
    if (!text.n)
        return;
    if (b->n)
        buf_text(b, ", ");
    buf_str(b, text);
}

struct str bench_title(struct arena *a, const struct bench_run *run)
{
    const struct bench_function *f = &run->function;
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX);
    item(&b, bench_clean(a, f->name, 120));
    if (f->qualifier.n)
        buf_printf(&b, ":%.*s", STR(bench_clean(a, f->qualifier, 60)));
    item(&b, bench_clean(a, f->runtime, 40));
    if (f->memory_mb && !str_is(run->mode, "memory"))
        item(&b, str_printf(a, "%d MB", f->memory_mb));
    item(&b, bench_clean(a, f->architecture, 20));
    item(&b, bench_clean(a, f->init_type, 40));
    if (f->code_bytes >= 0)
        item(&b, f->code_bytes < 1000000
                     ? str_printf(a, "code %.1f kB", (double)f->code_bytes / 1e3)
                     : str_printf(a, "code %.1f MB", (double)f->code_bytes / 1e6));
    return buf_copy(&b, a);
}

static struct str plan_text(struct arena *a, const struct bench_run *run)
{
    struct str loop = run->loop == BENCH_OPEN
                          ? run->rate > 0 ? str_printf(a, "open loop at %g/s%s", run->rate,
                                                       run->poisson ? " (Poisson)" : "")
                                          : S("open loop")
                          : str_printf(a, "closed loop, %d connection%s", run->connections,
                                       run->connections == 1 ? "" : "s");
    double seconds = (double)run->elapsed_ns / 1e9;
    struct str warmup =
        run->warmup ? str_printf(a, " after %lld of warm-up", (long long)run->warmup) : S("");
    return str_printf(a, "%.*s request%s in %.*f s, %.*s%.*s, seed %llu",
                      STR(bench_count(a, run->n_samples)), run->n_samples == 1 ? "" : "s",
                      seconds < 10    ? 2
                      : seconds < 100 ? 1
                                      : 0,
                      seconds, STR(loop), STR(warmup), (unsigned long long)run->seed);
}

struct str bench_conditions(struct arena *a, const struct bench_run *run)
{
    const struct bench_machine *m = &run->machine;
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX);
    buf_str(&b, plan_text(a, run));
    buf_text(&b, "; ");
    buf_str(&b, str_is(run->target, "aws")     ? str_printf(a, "AWS %.*s", STR(run->region))
                : str_is(run->target, "other") ? bench_clean(a, run->endpoint, 60)
                                               : S("embedded cloud"));
    if (m->cores > 0)
        buf_printf(&b, ", %d core%s", m->cores, m->cores == 1 ? "" : "s");
    if (m->load_before >= 0)
        buf_printf(&b, ", load %.1f", m->load_before);
    if (m->load_after >= 0)
        buf_printf(&b, " to %.1f", m->load_after);
    if (m->others >= 0)
        buf_printf(&b, ", other tasks %.0f %%", m->others * 100);
    if (m->steal >= 0)
        buf_printf(&b, ", steal %.0f %%", m->steal * 100);
    return buf_copy(&b, a);
}

struct str bench_outcomes(struct arena *a, const struct bench_group *g)
{
    static const char *const one[] = {"ok",        "function error", "throttled",
                                      "timed out", "refused",        "transport error"};
    static const char *const many[] = {"ok",        "function errors", "throttled",
                                       "timed out", "refused",         "transport errors"};
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX);
    for (int i = 0; i < BENCH_OUTCOMES; i++)
        if (g->outcomes[i] || i == BENCH_OK)
            item(&b, str_printf(a, "%.*s %s", STR(bench_count(a, g->outcomes[i])),
                                g->outcomes[i] == 1 ? one[i] : many[i]));
    return buf_copy(&b, a);
}

struct str bench_cost_text(struct arena *a, const struct bench_summary *sum)
{
    const struct bench_group *g = &sum->all;
    const struct bench_spread *s = &g->all.billed;
    if (!s->n)
        return str_from(NULL);
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX);
    buf_printf(&b, "mean %.*s", STR(bench_ms(a, s->mean.value)));
    item(&b, str_printf(a, "p99 %.*s", STR(bench_ms(a, s->p99.value))));
    if (!isnan(g->gb_seconds))
        item(&b, str_printf(a, g->gb_seconds < 100 ? "%.3g GB-s in all" : "%.0f GB-s in all",
                            g->gb_seconds));
    struct figure cost = g->all.cost;
    if (figure_known(&cost))
        item(&b, str_printf(a, "%.*s a million invocations%.*s",
                            STR(gate_value(a, cost.value, GATE_USD)),
                            STR(bench_bracketed(a, &cost, GATE_USD))));
    if (figure_known(&cost) && g->cold.billed.n && g->warm.billed.n)
        item(&b, str_printf(a, "cold ones %.*s, warm ones %.*s",
                            STR(gate_value(a, g->cold.cost.value, GATE_USD)),
                            STR(gate_value(a, g->warm.cost.value, GATE_USD))));
    return buf_copy(&b, a);
}

struct str bench_memory_text(struct arena *a, const struct bench_group *g)
{
    if (g->memory_used < 0)
        return str_from(NULL);
    struct str of = g->memory_mb ? str_printf(a, " of %d", g->memory_mb) : S("");
    if (!g->memory_advice)
        return str_printf(a, "at most %d%.*s MB used", g->memory_used, STR(of));
    return str_printf(a,
                      "at most %d%.*s MB used: %d MB would hold it (less memory is less CPU, too: "
                      "lamina bench memory)",
                      g->memory_used, STR(of), g->memory_advice);
}

/* ---- memory sweeps ---- */

double bench_sweep_time(const struct bench_group *g)
{
    const struct bench_population *p = &g->all;
    if (!p->phased)
        return p->latency.n ? p->latency.mean.value : NAN;
    return p->part_ms[BENCH_HANDLER] + p->part_ms[BENCH_INIT];
}

/* With its interval, as far as one is known. */
static struct figure sweep_figure(const struct bench_group *g)
{
    const struct bench_population *p = &g->all;
    struct figure f = {bench_sweep_time(g), NAN, NAN, p->latency.n};
    const struct figure *handler = &p->phases[BENCH_HANDLER].mean;
    const struct bench_spread *init = &p->phases[BENCH_INIT];
    if (!p->phased)
        return p->latency.mean;
    if (!init->n || (init->min == 0 && init->max == 0))
        return (struct figure){f.value, handler->low, handler->high, f.n};
    if (init->n == p->phased) {
        f.low = handler->low + init->mean.low;
        f.high = handler->high + init->mean.high;
    }
    return f;
}

static const char *mark(const struct pareto_point *points, size_t n, size_t best,
                        enum pareto_strategy strategy)
{
    return best == n || pareto_all_shown(points, n, best, strategy, 0.5) ? "" : "?";
}

bool bench_choose(struct arena *a, const struct bench_summary *sum, struct bench_choice *ret)
{
    size_t n = sum->n_groups;
    if (!n || !str_is(sum->run->mode, "memory"))
        return false;
    struct pareto_point *points = ARENA_ARRAY(a, struct pareto_point, n);
    for (size_t i = 0; i < n; i++) {
        const struct bench_group *g = &sum->groups[i];
        double cost = g->all.cost.value, time = bench_sweep_time(g);
        bool usable =
            cost > 0 && time > 0 && g->outcomes[BENCH_OK] == g->n && !g->series->extrapolated;
        points[i] = (struct pareto_point){.cost = usable ? cost : 1,
                                          .time = usable ? time : 1,
                                          .p99 = g->all.latency.p99.value,
                                          .cost_is = g->all.cost,
                                          .time_is = sweep_figure(g),
                                          .usable = usable};
    }
    pareto_mark(points, n);
    ret->cheapest = pareto_best(points, n, PARETO_COST, 0);
    ret->fastest = pareto_best(points, n, PARETO_SPEED, 0);
    ret->balanced = pareto_best(points, n, PARETO_BALANCED, 0.5);
    ret->cheapest_mark = mark(points, n, ret->cheapest, PARETO_COST);
    ret->fastest_mark = mark(points, n, ret->fastest, PARETO_SPEED);
    ret->balanced_mark = mark(points, n, ret->balanced, PARETO_BALANCED);
    ret->front = ARENA_ARRAY(a, bool, n);
    for (size_t i = 0; i < n; i++)
        ret->front[i] = points[i].usable && points[i].front;
    return true;
}
