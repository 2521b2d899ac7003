/* summary - from samples to figures (summary.h). */
#include "bench/summary.h"
#include <math.h>
#include "base/cleanup.h"
#include "base/mem.h"
#include "bench/serial.h"
#include "bench/summary_parts.h"

const char *const bench_phase_names[BENCH_PHASES] = {"wait",    "queue",    "sandbox", "init",
                                                     "handler", "response", "after",   "rest"};

/* ---- spreads ---- */

static struct figure quantile(struct bench_spread *s, const double *sorted, const double *in_time,
                              double p)
{
    struct serial serial = serial_of_quantile(in_time, sorted, s->n, p);
    if (p == 0.5 || p == 0.9) {
        s->worth = fmin(s->worth, serial.worth);
        s->alike = s->alike || serial.alike;
    }
    return stats_quantile_worth(sorted, s->n, p, serial.worth);
}

static void spread_sorted(struct bench_spread *s, const double *v, const double *in_time, size_t n)
{
    struct serial serial = serial_of(in_time, n);
    *s = (struct bench_spread){.n = n,
                               .worth = serial.worth,
                               .alike = serial.alike,
                               .mean = stats_mean_worth(v, n, serial.worth),
                               .min = n ? v[0] : NAN,
                               .max = n ? v[n - 1] : NAN,
                               .deviation = stats_deviation(v, n),
                               .mad = stats_mad(v, n),
                               .outliers = stats_outliers(v, n, STATS_OUTLIER_Z)};
    s->p50 = quantile(s, v, in_time, 0.5);
    s->p75 = quantile(s, v, in_time, 0.75);
    s->p90 = quantile(s, v, in_time, 0.9);
    s->p95 = quantile(s, v, in_time, 0.95);
    s->p99 = quantile(s, v, in_time, 0.99);
    s->p999 = quantile(s, v, in_time, 0.999);
}

void bench_spread_of(struct bench_spread *s, double *values, size_t n)
{
    auto_free double *in_time = mem_alloc((n + 1) * sizeof(*in_time));
    memcpy(in_time, values, n * sizeof(*values));
    stats_sort(values, n);
    spread_sorted(s, values, in_time, n);
}

/* Room for the values of one group: in the order of time, and sorted. */
struct scratch {
    double *cold, *warm, *both, *sorted_cold, *sorted_warm, *sorted_both;
    size_t n_cold, n_warm, n_both;
};

/* The spreads of three populations by sorting each value once. */
static void spread_three(struct scratch *v, struct bench_spread *all, struct bench_spread *cold,
                         struct bench_spread *warm)
{
    memcpy(v->sorted_cold, v->cold, v->n_cold * sizeof(double));
    memcpy(v->sorted_warm, v->warm, v->n_warm * sizeof(double));
    stats_sort(v->sorted_cold, v->n_cold);
    stats_sort(v->sorted_warm, v->n_warm);
    spread_sorted(cold, v->sorted_cold, v->cold, v->n_cold);
    spread_sorted(warm, v->sorted_warm, v->warm, v->n_warm);
    if (!v->n_cold || !v->n_warm) {
        *all = v->n_cold ? *cold : *warm;
        return;
    }
    const double *c = v->sorted_cold, *w = v->sorted_warm;
    size_t i = 0, j = 0, n = 0;
    while (i < v->n_cold || j < v->n_warm)
        v->sorted_both[n++] = j == v->n_warm || (i < v->n_cold && c[i] <= w[j]) ? c[i++] : w[j++];
    spread_sorted(all, v->sorted_both, v->both, n);
}

/* ---- a request's parts ---- */

static double part_ms(const struct bench_sample *s, enum bench_phase phase)
{
    const int32_t us[BENCH_PHASES] = {
        [BENCH_QUEUE] = s->queue_us,       [BENCH_SANDBOX] = s->sandbox_us,
        [BENCH_INIT] = s->init_us,         [BENCH_HANDLER] = s->handler_us,
        [BENCH_RESPONSE] = s->response_us, [BENCH_AFTER] = s->after_us,
    };
    if (phase == BENCH_WAIT)
        return (double)(s->sent_ns - s->due_ns) / 1e6;
    if (phase != BENCH_REST)
        return us[phase] < 0 ? NAN : us[phase] / 1e3;
    double rest = (double)(s->done_ns - s->sent_ns) / 1e6;
    for (int i = BENCH_QUEUE; i < BENCH_REST; i++)
        rest -= us[i] < 0 ? 0 : us[i] / 1e3;
    return rest;
}

static bool phased(const struct bench_sample *s)
{
    return s->outcome == BENCH_OK && s->handler_us >= 0;
}

/* What a value of a sample is, by kind; NAN: it has none. */
enum value_kind { LATENCY, UNCORRECTED, BILLED, PHASE /* + enum bench_phase */ };
static double value_of(const struct bench_sample *s, int kind)
{
    switch (kind) {
    case LATENCY:
        return s->outcome == BENCH_OK ? (double)(s->done_ns - s->due_ns) / 1e6 : NAN;
    case UNCORRECTED:
        return s->outcome == BENCH_OK ? (double)(s->done_ns - s->sent_ns) / 1e6 : NAN;
    case BILLED:
        return s->billed_ms < 0 ? NAN : s->billed_ms;
    default:
        return phased(s) ? part_ms(s, (enum bench_phase)(kind - PHASE)) : NAN;
    }
}

/* series -1: all of them. */
static void collect(struct scratch *v, const struct bench_run *run, int series, int kind)
{
    v->n_cold = v->n_warm = v->n_both = 0;
    for (size_t i = 0; i < run->n_samples; i++) {
        const struct bench_sample *s = &run->samples[i];
        if (series >= 0 && s->series != series)
            continue;
        double value = value_of(s, kind);
        if (isnan(value))
            continue;
        v->both[v->n_both++] = value;
        if (s->cold)
            v->cold[v->n_cold++] = value;
        else
            v->warm[v->n_warm++] = value;
    }
}

/* ---- one group ---- */

/* Is the run's time that of its requests? Otherwise environments were made, sizes changed, turns
 * taken or stages led in between them. */
static bool flows(const struct bench_run *run)
{
    static const char *const others[] = {"cold", "memory", "compare", "ramp"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (str_is(run->mode, others[i]))
            return false;
    return true;
}

/* How many of a group's requests ended so, -1: that were no success, -2: that were cold. */
static struct figure rate_of(const struct bench_group *g, const struct bench_run *run, int series,
                             int what, double *room)
{
    size_t n = 0, hits = 0;
    for (size_t i = 0; i < run->n_samples; i++) {
        const struct bench_sample *s = &run->samples[i];
        if (series >= 0 && s->series != series)
            continue;
        int outcome = s->outcome < BENCH_OUTCOMES ? s->outcome : BENCH_TRANSPORT;
        bool hit = what == -2 ? s->cold : what == -1 ? outcome != BENCH_OK : outcome == what;
        room[n++] = hit;
        hits += hit;
    }
    /* What was due and never left is no success. It has no place in time here, and no series. */
    double worth = serial_of(room, n).worth;
    size_t dropped = what == -1 || what == BENCH_OK ? g->dropped : 0;
    worth = n ? worth * (double)(n + dropped) / (double)n : (double)dropped;
    return stats_rate_worth(hits + (what == -1 ? dropped : 0), n + dropped, worth);
}

static void count(struct bench_group *g, const struct bench_run *run, int series, double *room)
{
    for (size_t i = 0; i < run->n_samples; i++) {
        const struct bench_sample *s = &run->samples[i];
        if (series >= 0 && s->series != series)
            continue;
        g->n++;
        g->outcomes[s->outcome < BENCH_OUTCOMES ? s->outcome : BENCH_TRANSPORT]++;
        g->n_cold += s->cold;
        if (s->memory_mb > g->memory_used)
            g->memory_used = s->memory_mb;
    }
    g->dropped = series < 0 ? run->dropped : 0;
    for (int i = 0; i < BENCH_OUTCOMES; i++)
        g->rates[i] = rate_of(g, run, series, i, room);
    g->success = g->rates[BENCH_OK];
    g->errors = rate_of(g, run, series, -1, room);
    g->cold_rate = rate_of(g, run, series, -2, room);
    g->throughput = run->elapsed_ns > 0 && flows(run)
                        ? (double)g->outcomes[BENCH_OK] * 1e9 / (double)run->elapsed_ns
                        : NAN;
}

static struct bench_population *population(struct bench_group *g, const struct bench_sample *s)
{
    return s->cold ? &g->cold : &g->warm;
}

static void fill_histograms(struct arena *a, struct bench_group *g, const struct bench_run *run,
                            int series)
{
    for (size_t i = 0; i < run->n_samples; i++) {
        const struct bench_sample *s = &run->samples[i];
        if ((series >= 0 && s->series != series) || s->outcome != BENCH_OK)
            continue;
        struct bench_population *p = population(g, s);
        if (!p->histogram)
            p->histogram = histogram_new(a);
        histogram_record(p->histogram, s->done_ns - s->due_ns, 1);
    }
    const struct histogram *parts[] = {g->cold.histogram, g->warm.histogram};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (parts[i] && !g->all.histogram)
            g->all.histogram = histogram_new(a);
        if (parts[i])
            histogram_merge(g->all.histogram, parts[i]);
    }
}

static void mean_parts(struct bench_population *p)
{
    for (int i = 0; i < BENCH_PHASES; i++)
        p->part_ms[i] /= p->phased ? (double)p->phased : 1;
    p->phased_ms /= p->phased ? (double)p->phased : 1;
}

static void fill_phases(struct bench_group *g, const struct bench_run *run, int series,
                        struct scratch *v)
{
    for (size_t i = 0; i < run->n_samples; i++) {
        const struct bench_sample *s = &run->samples[i];
        if ((series >= 0 && s->series != series) || !phased(s))
            continue;
        struct bench_population *both[] = {population(g, s), &g->all};
        for (size_t k = 0; k < ARRAY_LEN(both); k++) {
            both[k]->phased++;
            both[k]->phased_ms += (double)(s->done_ns - s->due_ns) / 1e6;
            for (int i_phase = 0; i_phase < BENCH_PHASES; i_phase++) {
                double ms = part_ms(s, (enum bench_phase)i_phase);
                both[k]->part_ms[i_phase] += isnan(ms) ? 0 : ms;
            }
        }
    }
    mean_parts(&g->all);
    mean_parts(&g->cold);
    mean_parts(&g->warm);
    for (int i = 0; i < BENCH_PHASES && g->all.phased; i++) {
        collect(v, run, series, PHASE + i);
        spread_three(v, &g->all.phases[i], &g->cold.phases[i], &g->warm.phases[i]);
    }
}

static void fill_failed(struct bench_group *g, const struct bench_run *run, int series,
                        double *room)
{
    size_t n = 0;
    for (size_t i = 0; i < run->n_samples; i++) {
        const struct bench_sample *s = &run->samples[i];
        if ((series < 0 || s->series == series) && s->outcome != BENCH_OK)
            room[n++] = (double)(s->done_ns - s->due_ns) / 1e6;
    }
    bench_spread_of(&g->failed, room, n);
}

static void summarize_group(struct arena *a, struct bench_summary *sum, struct bench_group *g,
                            int series, struct scratch *v)
{
    const struct bench_run *run = sum->run;
    g->memory_used = -1;
    g->series = series < 0 ? NULL : &run->series[series];
    count(g, run, series, v->both);
    collect(v, run, series, LATENCY);
    spread_three(v, &g->all.latency, &g->cold.latency, &g->warm.latency);
    collect(v, run, series, sum->open ? UNCORRECTED : LATENCY);
    if (sum->open)
        spread_three(v, &g->all.uncorrected, &g->cold.uncorrected, &g->warm.uncorrected);
    collect(v, run, series, BILLED);
    spread_three(v, &g->all.billed, &g->cold.billed, &g->warm.billed);
    fill_phases(g, run, series, v);
    fill_failed(g, run, series, v->both);
    fill_histograms(a, g, run, series);
    bench_group_size(g, run);
    bench_group_cost(sum, g);
}

/* ---- the whole ---- */

struct bench_summary *bench_summarize(struct arena *a, const struct bench_run *run)
{
    struct bench_summary *sum = ARENA_NEW(a, struct bench_summary);
    size_t room = run->n_samples + 1;
    auto_free double *all = mem_alloc(6 * room * sizeof(double));
    struct scratch v = {.cold = all,
                        .warm = all + room,
                        .both = all + 2 * room,
                        .sorted_cold = all + 3 * room,
                        .sorted_warm = all + 4 * room,
                        .sorted_both = all + 5 * room};
    sum->run = run;
    sum->open = run->loop == BENCH_OPEN;
    bench_find_prices(a, sum);
    sum->all.name = run->function.name;
    summarize_group(a, sum, &sum->all, -1, &v);
    if (run->n_series > 1) {
        sum->n_groups = run->n_series;
        sum->groups = ARENA_ARRAY(a, struct bench_group, sum->n_groups);
        for (size_t i = 0; i < sum->n_groups; i++) {
            sum->groups[i].name = run->series[i].name;
            summarize_group(a, sum, &sum->groups[i], (int)i, &v);
        }
        bench_add_groups(sum);
    }
    bench_warn(a, sum);
    return sum;
}
