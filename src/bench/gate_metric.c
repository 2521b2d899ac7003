/* gate_metric - names of figures, and the figures behind them (gate.h). */
#include <errno.h>
#include <math.h>
#include "base/cleanup.h"
#include "bench/output.h"

const char *const gate_populations[] = {"all", "cold", "warm", NULL};
const char *const gate_parts[] = {"latency", "uncorrected", "billed", "failed",  "wait",
                                  "queue",   "sandbox",     "init",   "handler", "response",
                                  "after",   "rest",        NULL};
enum { PART_LATENCY, PART_UNCORRECTED, PART_BILLED, PART_FAILED, PART_PHASES };
const char *const gate_statistics[] = {"p50",   "p75", "p90", "p95",  "p99",
                                       "p99.9", "min", "max", "mean", NULL};
enum { P50, P75, P90, P95, P99, P999, MIN, MAX, MEAN };
const char *const gate_names[] = {
    "success", "function-errors", "throttles", "timeouts",     "refused",     "transport",
    "errors",  "cold-starts",     "cost",      "throughput",   "gb-seconds",  "memory",
    "late",    "dropped",         "requests",  "environments", "concurrency", NULL};
enum {
    NAME_SUCCESS, /* the outcomes, in their order */
    NAME_ERRORS = BENCH_OUTCOMES,
    NAME_COLD,
    NAME_COST,
    NAME_THROUGHPUT,
    NAME_GBS,
    NAME_MEMORY,
    NAME_LATE,
    NAME_DROPPED,
    NAME_REQUESTS,
    NAME_ENVIRONMENTS,
    NAME_CONCURRENCY
};

/* ---- names ---- */

static int position(const char *const *names, struct str name)
{
    for (int i = 0; names[i]; i++)
        if (str_is(name, names[i]))
            return i;
    return -1;
}

static enum gate_unit unit_of_name(int name)
{
    if (name <= NAME_COLD)
        return GATE_RATE;
    switch (name) {
    case NAME_COST:
        return GATE_USD;
    case NAME_THROUGHPUT:
        return GATE_PER_SECOND;
    case NAME_GBS:
        return GATE_GBS;
    case NAME_MEMORY:
        return GATE_MB;
    default:
        return GATE_COUNT;
    }
}

static struct str join_names(struct arena *a, const char *const *names)
{
    auto_buf struct buf b;
    buf_init(&b, 4096);
    for (int i = 0; names[i]; i++)
        buf_printf(&b, "%s%s", i ? ", " : "", names[i]);
    return buf_copy(&b, a);
}

static int no_metric(struct arena *a, struct str name, struct str *why)
{
    *why =
        str_printf(a,
                   "there is no figure \"%.*s\"; there are %.*s of latency (p99) or of cold. and "
                   "warm. (cold.p99) and of their parts %.*s (init.p90), and %.*s",
                   STR(name), STR(join_names(a, gate_statistics)), STR(join_names(a, gate_parts)),
                   STR(join_names(a, gate_names)));
    return -EINVAL;
}

/* "init.p90", "init", "p90"; the population is cut off already. */
static int parse_part(struct str rest, struct gate_metric *m)
{
    struct str head, tail;
    str_cut(rest, '.', &head, &tail);
    m->part = position(gate_parts, head);
    m->unit = GATE_MS;
    if (m->part < 0) {
        m->part = PART_LATENCY;
        tail = rest;
    } else if (head.n == rest.n) {
        m->statistic = m->part == PART_BILLED ? MEAN : P99;
        return 0;
    }
    m->statistic = str_is(tail, "median") ? P50 : position(gate_statistics, tail);
    return m->statistic < 0 ? -EINVAL : 0;
}

int gate_metric_parse(struct arena *a, struct str name, struct gate_metric *ret, struct str *why)
{
    struct gate_metric m = {.name = str_copy(a, name), .part = -1};
    struct str head, rest = name;
    if (str_cut(name, '.', &head, &rest) && position(gate_populations, head) >= 0)
        m.population = position(gate_populations, head);
    else
        rest = name;
    if (parse_part(rest, &m) < 0) {
        m.part = -1;
        m.statistic = position(gate_names, rest);
        if (m.statistic < 0 || (m.population && m.statistic != NAME_COST))
            return no_metric(a, name, why);
        m.unit = unit_of_name(m.statistic);
    } else if (m.part == PART_FAILED && m.population) {
        return no_metric(a, name, why);
    }
    *ret = m;
    return 0;
}

/* ---- figures ---- */

static const struct bench_population *population(const struct bench_group *g, int which)
{
    return which == 1 ? &g->cold : which == 2 ? &g->warm : &g->all;
}

const struct bench_spread *gate_spread(const struct bench_group *g, int which, int part)
{
    const struct bench_population *p = population(g, which);
    switch (part) {
    case PART_LATENCY:
        return &p->latency;
    case PART_UNCORRECTED: /* a closed loop's latency is not corrected */
        return p->uncorrected.n ? &p->uncorrected : &p->latency;
    case PART_BILLED:
        return &p->billed;
    case PART_FAILED:
        return &g->failed;
    default:
        return &p->phases[part - PART_PHASES];
    }
}

static struct figure plain(double value, size_t n)
{
    return (struct figure){value, NAN, NAN, n};
}

struct figure gate_statistic(const struct bench_spread *s, int statistic)
{
    if (!s->n)
        return figure_none();
    switch (statistic) {
    case P50:
        return s->p50;
    case P75:
        return s->p75;
    case P90:
        return s->p90;
    case P95:
        return s->p95;
    case P99:
        return s->p99;
    case P999:
        return s->p999;
    case MEAN:
        return s->mean;
    default:
        return plain(statistic == MIN ? s->min : s->max, s->n);
    }
}

static struct figure known(int64_t value)
{
    return value < 0 ? figure_none() : plain((double)value, 1);
}

static struct figure named(const struct bench_summary *sum, const struct bench_group *g,
                           const struct gate_metric *m)
{
    const struct bench_run *run = sum->run;
    switch (m->statistic) {
    case NAME_ERRORS:
        return g->errors;
    case NAME_COLD:
        return g->cold_rate;
    case NAME_COST:
        return population(g, m->population)->cost;
    case NAME_THROUGHPUT:
        return plain(g->throughput, g->n);
    case NAME_GBS:
        return plain(g->gb_seconds, g->all.billed.n);
    case NAME_MEMORY:
        return g->memory_used < 0 ? figure_none() : figure_exact(g->memory_used);
    case NAME_LATE:
        return known((int64_t)run->late_sends);
    case NAME_DROPPED:
        return known((int64_t)run->dropped);
    case NAME_REQUESTS:
        return known((int64_t)g->n);
    case NAME_ENVIRONMENTS:
        return known(run->environments_started);
    case NAME_CONCURRENCY:
        return known(run->peak_concurrency);
    default:
        return g->rates[m->statistic];
    }
}

struct figure gate_figure(const struct bench_summary *sum, const struct bench_group *g,
                          const struct gate_metric *m)
{
    if (m->part < 0)
        return named(sum, g, m);
    return gate_statistic(gate_spread(g, m->population, m->part), m->statistic);
}

/* ---- values for people ---- */

struct str bench_ms(struct arena *a, double ms)
{
    if (isnan(ms))
        return S("-");
    double size = fabs(ms);
    if (size == 0)
        return S("0 µs");
    if (size < 0.9995)
        return str_printf(a, "%.*f µs", size < 0.00995 ? 1 : 0, ms * 1e3);
    if (size < 9999.5)
        return str_printf(a, "%.*f ms", size < 9.995 ? 2 : size < 99.95 ? 1 : 0, ms);
    return str_printf(a, "%.*f s", size < 99950 ? 1 : 0, ms / 1e3);
}

struct str bench_percent(struct arena *a, double share)
{
    double percent = share * 100;
    if (isnan(percent))
        return S("-");
    if (percent == 0 || percent == 100)
        return str_printf(a, "%.0f %%", percent);
    int digits = percent < 0.1 ? 3 : percent < 10 || percent > 99 ? 2 : 1;
    return str_printf(a, "%.*f %%", digits, percent);
}

struct str gate_value(struct arena *a, double value, enum gate_unit unit)
{
    if (isnan(value))
        return S("-");
    switch (unit) {
    case GATE_MS:
        return bench_ms(a, value);
    case GATE_RATE:
        return bench_percent(a, value);
    case GATE_MB:
        return str_printf(a, "%.0f MB", value);
    case GATE_USD:
        return str_printf(a, "$%.*f", value < 1 ? 4 : 2, value);
    case GATE_PER_SECOND:
        return str_printf(a, "%.*f/s", value < 100 ? 1 : 0, value);
    case GATE_GBS:
        return str_printf(a, value < 100 ? "%.3g GB-s" : "%.0f GB-s", value);
    default:
        return str_printf(a, "%.0f", value);
    }
}
