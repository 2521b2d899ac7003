/* cost - measured durations times prices. */
#include "bench/cost.h"
#include <errno.h>
#include <math.h>

#define GB (1024.0 * 1024 * 1024)

/* NAN stays so, which fmax() would lose. */
static double at_least(double v, double least)
{
    return v < least ? least : v;
}

void cost_measure(struct arena *a, const struct cost_line *lines, size_t n,
                  struct cost_measured *ret)
{
    ret->n = ret->cold_known = n;
    ret->cold = 0;
    ret->mixed_memory = false;
    ret->billed_ms = ret->gb_seconds = figure_none();
    ret->median_ms = ret->largest_ms = NAN;
    if (!n)
        return;
    double *billed = ARENA_ARRAY(a, double, n), *used = ARENA_ARRAY(a, double, n);
    bool memory_known = true;
    for (size_t i = 0; i < n; i++) {
        billed[i] = lines[i].billed_ms;
        used[i] = price_gb_seconds(lines[i].billed_ms, lines[i].memory_mb);
        ret->cold += lines[i].cold;
        memory_known = memory_known && lines[i].memory_mb > 0;
        ret->mixed_memory = ret->mixed_memory || lines[i].memory_mb != lines[n - 1].memory_mb;
    }
    ret->billed_ms = stats_mean(billed, n);
    ret->billed_ms.low = at_least(ret->billed_ms.low, 1); /* nothing is billed less */
    if (memory_known) {
        ret->gb_seconds = stats_mean(used, n);
        ret->gb_seconds.low = at_least(ret->gb_seconds.low, 0);
        ret->memory_mb = lines[n - 1].memory_mb;
    }
    stats_sort(billed, n);
    ret->median_ms = stats_quantile(billed, n, 0.5);
    ret->largest_ms = billed[n - 1];
}

/* The usage of a month when an invocation takes so many GB-seconds. */
static struct price_usage usage_of(const struct cost_measured *m, const struct cost_case *c,
                                   const struct cost_result *r, double gb_seconds, double billed_ms)
{
    struct price_usage u = {.requests = r->invocations};
    double all = r->invocations * gb_seconds;
    if (c->provisioned > 0) {
        u.provisioned_gb_seconds = c->provisioned * r->memory_mb / 1024 * COST_MONTH_HOURS * 3600;
        u.provisioned_duration_gb_seconds = all;
    } else {
        u.gb_seconds = all;
    }
    u.storage_gb_seconds = r->invocations * price_storage_gb_seconds(billed_ms, r->storage_mb);
    u.log_gb = m->log_bytes > 0 ? r->invocations * m->log_bytes / GB : 0;
    return u;
}

static double total_of(const struct cost_measured *m, const struct cost_case *c,
                       const struct cost_result *r, double gb_seconds, double billed_ms)
{
    if (isnan(gb_seconds) || isnan(billed_ms))
        return NAN;
    struct price_usage u = usage_of(m, c, r, gb_seconds, billed_ms);
    struct price_bill b;
    price_month(&r->prices, &u, c->free_tier, &b);
    return b.total;
}

static void set_figures(const struct cost_measured *m, const struct cost_case *c,
                        struct cost_result *r)
{
    struct figure ms = r->billed_ms, gb = r->gb_seconds;
    r->usage = usage_of(m, c, r, gb.value, ms.value);
    price_month(&r->prices, &r->usage, c->free_tier, &r->bill);
    r->total = (struct figure){.value = r->bill.total, .n = m->n};
    r->total.low = total_of(m, c, r, gb.low, ms.low);
    r->total.high = total_of(m, c, r, gb.high, ms.high);
    struct cost_result one = *r;
    struct cost_case plain = {0};
    one.invocations = 1e6;
    r->per_million = (struct figure){.value = total_of(m, &plain, &one, gb.value, ms.value),
                                     .low = total_of(m, &plain, &one, gb.low, ms.low),
                                     .high = total_of(m, &plain, &one, gb.high, ms.high),
                                     .n = m->n};
}

int cost_month(const struct cost_measured *m, const struct cost_case *c, struct cost_result *ret)
{
    struct cost_result r = {.memory_mb = c->memory_mb > 0 ? c->memory_mb : m->memory_mb};
    if (!m->n || !figure_known(&m->billed_ms))
        return -ENODATA;
    if (!(r.memory_mb > 0))
        return -EINVAL;
    struct str measured_on = m->architecture.n ? m->architecture : S("x86_64");
    struct str architecture = c->architecture.n ? c->architecture : measured_on;
    int e = price_find(c->region.n ? c->region : m->region, architecture, &r.prices);
    if (e < 0)
        return e;
    r.architecture_assumed = !c->architecture.n && !m->architecture.n;
    r.other_architecture = m->architecture.n && !str_eq(architecture, m->architecture);
    r.other_memory = c->memory_mb > 0 && c->memory_mb != m->memory_mb;
    r.storage_mb = c->storage_mb > 0 ? c->storage_mb : m->storage_mb;
    r.storage_assumed = !(r.storage_mb > 0);
    if (r.storage_assumed)
        r.storage_mb = PRICE_FREE_STORAGE_MB;
    r.invocations = c->invocations;
    if (!(r.invocations > 0)) {
        r.invocations_from = m->window_ms > 0 ? COST_WINDOW : COST_MILLION;
        r.invocations =
            m->window_ms > 0 ? (double)m->n * COST_MONTH_HOURS * 3600000 / m->window_ms : 1e6;
    }
    r.billed_ms = m->billed_ms;
    bool own = !(c->memory_mb > 0) && figure_known(&m->gb_seconds);
    r.gb_seconds = own ? m->gb_seconds : figure_scale(&m->billed_ms, r.memory_mb / 1024 / 1000);
    set_figures(m, c, &r);
    *ret = r;
    return 0;
}
