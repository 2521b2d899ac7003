/* summary_warn - what a reader of the figures should be told (summary.h). */
#include <math.h>
#include "base/cleanup.h"
#include "base/mem.h"
#include "bench/output.h"
#include "bench/summary_parts.h"

static void warn(struct arena *a, struct bench_summary *sum, struct str text)
{
    struct str *w =
        arena_push(a, (void **)&sum->warnings, &sum->n_warnings, &sum->cap_warnings, sizeof(*w));
    *w = text;
}

static void warn_of_machine(struct arena *a, struct bench_summary *sum)
{
    const struct bench_run *run = sum->run;
    if (run->interrupted)
        warn(a, sum, S("the run was interrupted: the figures are of what was measured until then"));
    if (run->machine.noisy)
        warn(a, sum, str_printf(a, "the machine was not quiet: %.*s", STR(run->machine.why)));
    if (run->machine.client > 0.9)
        warn(a, sum,
             str_printf(a,
                        "the client used %.0f %% of a core: it may have been the limit, and not "
                        "the function",
                        run->machine.client * 100));
    if (run->dropped)
        warn(a, sum,
             str_printf(a,
                        "%llu requests were never sent: no connection was free when they were due "
                        "(more of them: -c)",
                        (unsigned long long)run->dropped));
    if (run->late_sends && run->late_sends * 100 > run->n_samples)
        warn(a, sum,
             str_printf(a,
                        "%llu of %zu requests left more than 1 ms late; latency counts from when "
                        "they were due",
                        (unsigned long long)run->late_sends, run->n_samples));
}

static void warn_of_failures(struct arena *a, struct bench_summary *sum)
{
    const struct bench_group *g = &sum->all;
    size_t failed = g->n - g->outcomes[BENCH_OK];
    if (!g->n)
        warn(a, sum, S("nothing was measured"));
    else if (failed == g->n)
        warn(a, sum, S("every request failed: there is no latency to show"));
    else if (failed)
        warn(a, sum,
             str_printf(a, "%zu of %zu requests failed; latencies are those of the others", failed,
                        g->n));
    for (size_t i = 0; i < sum->n_groups; i++)
        if (sum->groups[i].n && !sum->groups[i].outcomes[BENCH_OK] && failed != g->n)
            warn(a, sum, str_printf(a, "every request of %.*s failed", STR(sum->groups[i].name)));
}

/* Of one group's warm successes, in the order of time. */
static size_t warm_in_time(const struct bench_run *run, size_t series, double *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < run->n_samples; i++) {
        const struct bench_sample *s = &run->samples[i];
        if (s->outcome == BENCH_OK && !s->cold && s->series == series)
            ret[n++] = (double)(s->done_ns - s->due_ns) / 1e6;
    }
    return n;
}

static void warn_of_first(struct arena *a, struct bench_summary *sum, struct str name, double first,
                          const struct bench_spread *s)
{
    double median = s->p50.value;
    if (s->n < 10 || first < 1.5 * median ||
        stats_modified_z(first, median, s->mad) < STATS_OUTLIER_Z)
        return;
    warn(a, sum,
         str_printf(a, "the first warm request of %.*s took %.*s, the median is %.*s: add --warmup",
                    STR(name), STR(bench_ms(a, first)), STR(bench_ms(a, median))));
}

/* Was the last third slower or faster than the first one? By more than answers that are alike in a
 * row are anyway. */
static void warn_of_drift(struct arena *a, struct bench_summary *sum, struct str name,
                          double *values, size_t n)
{
    size_t third = n / 3;
    if (third < 20)
        return;
    struct bench_spread first, last;
    bench_spread_of(&first, values, third);
    bench_spread_of(&last, values + n - third, third);
    struct figure ratio = stats_ratio(&last.p50, &first.p50);
    if (!(ratio.low > 1.1) && !(ratio.high < 1 / 1.1))
        return;
    warn(
        a, sum,
        str_printf(a,
                   "%.*s changed during the run: the median of the last third of the warm requests "
                   "is %.2f times that of the first third",
                   STR(name), ratio.value));
}

/* ---- answers that are alike in a row ---- */

#define SLICE_MS 20.0 /* of a processor's time: as AWS and the embedded cloud give it out */
#define FULL_CPU_MB 1769

/* How many warm answers waited for the next slice, as far as their times tell: far from the median
 * by about what is left of a slice. 0 when others are as far from it, too. */
static size_t waits_for_slices(const struct bench_run *run, size_t series, double median,
                               double share)
{
    double wait = SLICE_MS * (1 - share);
    size_t waits = 0, others = 0;
    for (size_t i = 0; i < run->n_samples; i++) {
        const struct bench_sample *s = &run->samples[i];
        if (s->outcome != BENCH_OK || s->cold || s->series != series || s->handler_us < 0)
            continue;
        double more = s->handler_us / 1e3 - median;
        bool is_wait = more > wait / 2 && more < SLICE_MS * 1.25;
        waits += is_wait;
        others += !is_wait && more > wait / 4;
    }
    return waits >= 4 * others ? waits : 0;
}

static int memory_of(const struct bench_summary *sum, const struct bench_group *g)
{
    return g->memory_mb ? g->memory_mb : sum->run->function.memory_mb;
}

/* A function with little memory has little of a processor. */
static void warn_of_slices(struct arena *a, struct bench_summary *sum, struct str name,
                           const struct bench_group *g, size_t series)
{
    int mb = memory_of(sum, g);
    const struct bench_spread *s = &g->warm.phases[BENCH_HANDLER];
    if (mb <= 0 || mb >= FULL_CPU_MB || s->n < 20 || str_is(sum->run->target, "other"))
        return;
    double share = (double)mb / FULL_CPU_MB;
    size_t waits = waits_for_slices(sum->run, series, s->p50.value, share);
    if (waits < 3 || waits * 100 < s->n)
        return;
    warn(a, sum,
         str_printf(a,
                    "%.*s probably waited for its processor in %zu of %zu warm answers: %d MB are "
                    "%.1f ms of each %.0f, and those were used up; more memory, or requests at a "
                    "rate as in real life, and it waits less",
                    STR(name), waits, s->n, mb, SLICE_MS * share, SLICE_MS));
}

static void warn_of_alike(struct arena *a, struct bench_summary *sum, struct str name,
                          const struct bench_spread *s)
{
    if (!s->alike || s->worth * 2 > (double)s->n)
        return;
    if (s->worth > 0)
        warn(a, sum,
             str_printf(a,
                        "warm answers of %.*s are alike in a row: %zu of them say as much as %.0f "
                        "independent ones, and the intervals are as wide as that",
                        STR(name), s->n, s->worth));
    else
        warn(a, sum,
             str_printf(
                 a,
                 "warm answers of %.*s are alike for as long as the run: the interval "
                 "of the median is all that was seen, means have none; a longer run would tell",
                 STR(name)));
}

/* Of one group by name; of several how many there are: one line each would hide the others. */
static void warn_of_spread(struct arena *a, struct bench_summary *sum)
{
    size_t outlying = 0, varying = 0, few = 0, needs = stats_quantile_needs(0.99);
    size_t n_groups = sum->n_groups ? sum->n_groups : 1;
    const struct bench_spread *s = NULL;
    for (size_t i = 0; i < n_groups; i++) {
        const struct bench_group *g = sum->n_groups ? &sum->groups[i] : &sum->all;
        s = &g->warm.latency;
        outlying += s->n >= 20 && s->outliers * 50 > s->n;
        varying += s->n >= 20 && s->mad > 0.3 * s->p50.value;
        few += g->all.latency.n && g->all.latency.n < needs;
    }
    struct str of =
        sum->n_groups ? str_printf(a, " of %zu of %zu series", outlying, n_groups) : S("");
    if (outlying)
        warn(a, sum,
             str_printf(a,
                        "more than 2 %% of the warm latencies%.*s are farther than ten deviations "
                        "(MAD) from the median",
                        STR(of)));
    of = sum->n_groups ? str_printf(a, " of %zu of %zu series", varying, n_groups) : S("");
    if (varying)
        warn(a, sum,
             str_printf(a,
                        "warm latencies%.*s vary much: half of them are farther than %.0f %% from "
                        "the median",
                        STR(of), sum->n_groups ? 30 : 100 * s->mad / s->p50.value));
    of = sum->n_groups ? str_printf(a, " in %zu of %zu series", few, n_groups) : S("");
    if (few)
        warn(a, sum,
             str_printf(a, "too few answers%.*s to bound p99 from above: that takes %zu", STR(of),
                        needs));
}

static void warn_of_memory(struct arena *a, struct bench_summary *sum, const struct bench_group *g,
                           struct str name)
{
    if (g->memory_used < 0 || !g->memory_mb)
        return;
    if (g->memory_used * 10 >= g->memory_mb * 9)
        warn(a, sum,
             str_printf(a, "%.*s used up to %d of %d MB: it is close to being killed", STR(name),
                        g->memory_used, g->memory_mb));
}

void bench_warn(struct arena *a, struct bench_summary *sum)
{
    const struct bench_run *run = sum->run;
    warn_of_failures(a, sum);
    warn_of_machine(a, sum);
    auto_free double *values = mem_alloc((run->n_samples + 1) * sizeof(double));
    size_t n_groups = sum->n_groups ? sum->n_groups : 1;
    for (size_t i = 0; i < n_groups; i++) {
        const struct bench_group *g = sum->n_groups ? &sum->groups[i] : &sum->all;
        struct str name = g->name.n ? g->name : S("the function");
        size_t n = warm_in_time(run, i, values);
        if (n)
            warn_of_first(a, sum, name, values[0], &g->warm.latency);
        warn_of_drift(a, sum, name, values, n);
        warn_of_slices(a, sum, name, g, i);
        warn_of_alike(a, sum, name, &g->warm.latency);
        warn_of_memory(a, sum, g, name);
    }
    warn_of_spread(a, sum);
    if (run->streams_why.n)
        warn(a, sum, run->streams_why);
    if (!sum->priced)
        warn(a, sum, sum->price_why);
}
