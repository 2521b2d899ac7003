/* summary_cost - what a group used: memory, GB-seconds, dollars (summary.h). */
#include <errno.h>
#include <math.h>
#include "bench/summary_parts.h"

void bench_find_prices(struct arena *a, struct bench_summary *sum)
{
    const struct bench_run *run = sum->run;
    int r = price_find(run->region, run->function.architecture, &sum->prices);
    sum->priced = r == 0;
    if (r == -ENOTSUP)
        sum->price_why = str_printf(a, "prices of %.*s are not known in dollars", STR(run->region));
    else if (r < 0)
        sum->price_why = str_printf(a, "no prices are known of the architecture \"%.*s\"",
                                    STR(run->function.architecture));
}

int bench_memory_advice(int used_mb, int size_mb)
{
    if (used_mb <= 0 || size_mb <= 0)
        return 0;
    int needed = (used_mb * 5 + 3) / 4; /* a fifth stays free */
    int size = (needed + 63) / 64 * 64;
    size = size < 128 ? 128 : size;
    return size * 4 <= size_mb * 3 ? size : 0;
}

void bench_group_size(struct bench_group *g, const struct bench_run *run)
{
    const struct bench_series *s = g->series ? g->series : run->n_series ? &run->series[0] : NULL;
    g->memory_mb = s && s->memory_mb ? s->memory_mb : run->function.memory_mb;
    g->architecture = s && str_has(s->architecture) ? s->architecture : run->function.architecture;
    for (size_t i = 1; !g->series && i < run->n_series; i++) {
        if (run->series[i].memory_mb != run->series[0].memory_mb)
            g->memory_mb = 0;
        if (!str_eq(run->series[i].architecture, run->series[0].architecture))
            g->architecture = str_from(NULL);
    }
    g->memory_advice = bench_memory_advice(g->memory_used, g->memory_mb);
}

static struct figure cost_of(const struct prices *p, int memory_mb, const struct figure *billed)
{
    if (!figure_known(billed))
        return figure_none();
    struct figure f = {1e6 * price_invocation(p, memory_mb, billed->value, 0), NAN, NAN, billed->n};
    if (!isnan(billed->low))
        f.low = 1e6 * price_invocation(p, memory_mb, fmax(0, billed->low), 0);
    if (!isnan(billed->high))
        f.high = 1e6 * price_invocation(p, memory_mb, billed->high, 0);
    return f;
}

void bench_group_cost(const struct bench_summary *sum, struct bench_group *g)
{
    struct prices p = sum->prices;
    bool priced = sum->priced;
    if (!str_eq(g->architecture, sum->run->function.architecture))
        priced = str_has(g->architecture) && price_find(sum->run->region, g->architecture, &p) == 0;
    struct bench_population *parts[] = {&g->all, &g->cold, &g->warm};
    for (size_t i = 0; i < 3; i++)
        parts[i]->cost = priced && g->memory_mb ? cost_of(&p, g->memory_mb, &parts[i]->billed.mean)
                                                : figure_none();
    double n = (double)g->all.billed.n;
    double mean = n ? g->all.billed.mean.value : 0;
    bool known = n && g->memory_mb;
    g->gb_seconds = known ? n * price_gb_seconds(mean, g->memory_mb) : NAN;
    g->cost_usd = known && priced ? n * price_invocation(&p, g->memory_mb, mean, 0) : NAN;
}

void bench_add_groups(struct bench_summary *sum)
{
    double gb_seconds = 0, usd = 0;
    for (size_t i = 0; i < sum->n_groups; i++) {
        const struct bench_group *g = &sum->groups[i];
        if (!g->all.billed.n)
            continue;
        gb_seconds += g->gb_seconds;
        usd += g->cost_usd;
    }
    if (!sum->all.all.billed.n)
        return;
    sum->all.gb_seconds = gb_seconds;
    sum->all.cost_usd = usd;
}
