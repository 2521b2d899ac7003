/* summary - all figures of a run, each with its interval of 95 % (stats.h): what tables, reports
 * and gates are made from.
 *
 * Latency is what a caller waits for an answer that is a success: from the time a request was due
 * (open loop: no coordinated omission) to the answer's last byte. Failures are counted, by outcome
 * and error, and have a spread of their own: an error that comes fast makes no percentile better.
 * What was not measured is figure_none(). Everything lives in the arena; the run must outlive it.
 */
#pragma once
#include "bench/histogram.h"
#include "bench/price.h"
#include "bench/run.h"
#include "bench/stats.h"

/* A set of values: times in ms, memory in MB. */
struct bench_spread {
    size_t n;
    struct figure mean, p50, p75, p90, p95, p99, p999;
    double min, max; /* NAN: n is 0 */
    double worth; /* independent samples that p50, p90 or the mean, whichever is worth least, says
                     as much as (serial.h); 0: not known */
    bool alike;   /* one of them is worth less beyond all chance */
    double deviation, mad;
    size_t outliers; /* beyond STATS_OUTLIER_Z */
};

/* The parts of a request's time, in their order; REST is what the known ones leave over. WAIT is
 * before `sent`: an open loop's requests that left late. */
enum bench_phase {
    BENCH_WAIT,
    BENCH_QUEUE,
    BENCH_SANDBOX,
    BENCH_INIT,
    BENCH_HANDLER,
    BENCH_RESPONSE,
    BENCH_AFTER,
    BENCH_REST,
};
#define BENCH_PHASES (BENCH_REST + 1)
extern const char *const bench_phase_names[BENCH_PHASES]; /* "wait", "queue", ... */

struct bench_population {
    struct bench_spread latency;     /* ms, done - due */
    struct bench_spread uncorrected; /* ms, done - sent; n 0 in a closed loop */
    /* Of successes whose handler's time is known. part_ms are means over all of them (a phase that
     * is not known counts 0, and is in REST): they add up to phased_ms. */
    size_t phased;
    double phased_ms, part_ms[BENCH_PHASES];
    struct bench_spread phases[BENCH_PHASES];
    struct bench_spread billed;  /* ms; of all that were billed, failures too */
    struct histogram *histogram; /* of latency, ns; NULL: n is 0 */
    struct figure cost;          /* USD a million invocations like these */
};

struct bench_group {
    struct str name;
    const struct bench_series *series; /* NULL: all of the run */
    int memory_mb;                     /* 0: not known, or not the same in all of them */
    struct str architecture;
    size_t n, outcomes[BENCH_OUTCOMES], n_cold;
    size_t dropped;                /* due, and never sent; of the whole run only */
    struct figure success, errors; /* rates of n + dropped; errors: all that is no success */
    struct figure rates[BENCH_OUTCOMES], cold_rate;
    struct bench_population all, cold, warm;
    struct bench_spread failed;  /* ms, done - due, of all that is no success */
    double throughput;           /* successes a second of the run's time; NAN: none, or one that
                                    is not the requests' (cold, memory, compare, ramp) */
    double gb_seconds, cost_usd; /* of what was billed in the run; NAN: not known */
    int memory_used;             /* MB, the most; -1: not known */
    int memory_advice;           /* MB that would do; 0: no advice */
};

struct bench_summary {
    const struct bench_run *run;
    bool open; /* open loop: corrected and uncorrected differ */
    struct bench_group all;
    struct bench_group *groups; /* one a series, when there are several */
    size_t n_groups;
    struct prices prices;
    bool priced;          /* prices hold */
    struct str price_why; /* not priced: because of what */
    struct str *warnings;
    size_t n_warnings, cap_warnings;
};

/* A million samples take about a second. */
struct bench_summary *bench_summarize(struct arena *a, const struct bench_run *run);

/* Spread of values in the order of time, which are sorted by it. */
void bench_spread_of(struct bench_spread *s, double *values, size_t n);
/* The least size, in steps of 64 MB, that leaves a fifth of itself free; 0: no smaller one than
 * `size` by a quarter does. */
int bench_memory_advice(int used_mb, int size_mb);
