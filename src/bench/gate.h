/* gate - conditions on the figures of a run: thresholds, and a comparison with an earlier run.
 *
 * A threshold is text like
 *     p99<500ms   cold.p90<=1.2s   init.p50<300ms   handler.p99<20ms   errors<1%   throttles==0
 *     success>=95%   throughput>100/s   billed.mean<50ms   cost<$5   memory<=200MB cold-starts<10%
 * several of them divided by commas. The grammar:
 *     threshold = [ series ":" ] metric op number unit
 *     metric    = [ "cold." | "warm." ] [ part "." ] statistic | part | name
 *     part      = "latency" | "uncorrected" | "queue" | "sandbox" | "init" | "handler" | "response"
 *               | "after" | "wait" | "rest" | "billed" | "failed"
 *     statistic = "p50" | "p75" | "p90" | "p95" | "p99" | "p99.9" | "min" | "mean" | "max"
 *     name      = "success" | "errors" | "function-errors" | "throttles" | "timeouts" | "refused"
 *               | "transport" | "cold-starts" | "throughput" | "cost" | "gb-seconds" | "memory"
 *               | "environments" | "concurrency" | "dropped" | "late" | "requests"
 *     op        = "<" | "<=" | ">" | ">=" | "==" | "!="
 *     unit      = "ns" | "us" | "ms" | "s" | "m" for times; "%" or none (a count) for rates;
 *                 "MB" | "GB" or none for memory; "$" before the number or none for cost
 * A part alone is its p99, but "billed" its mean. Times must have a unit. "cost" is USD a million
 * invocations. A figure that was not measured meets no condition. Without a series the whole run is
 * judged; runs whose series are to be told apart ("memory", "compare") are judged series by series,
 * but for sizes beyond the machine.
 *
 * Exit codes of `lamina bench`: 0 all conditions hold, 1 it could not be measured, 2 wrong usage,
 * BENCH_EXIT_GATE a condition does not hold. */
#pragma once
#include "bench/summary.h"

#define BENCH_EXIT_GATE 3
#define GATE_MAX 64 /* conditions in a run */

enum gate_unit { GATE_MS, GATE_RATE, GATE_COUNT, GATE_MB, GATE_USD, GATE_PER_SECOND, GATE_GBS };
enum gate_op { GATE_LT, GATE_LE, GATE_GT, GATE_GE, GATE_EQ, GATE_NE };

/* Where a figure is. */
struct gate_metric {
    struct str name; /* as it was written */
    int population;  /* 0 all, 1 cold, 2 warm */
    int part;        /* gate_parts[]; -1: a plain name */
    int statistic;   /* gate_statistics[]; of a plain name: gate_names[] */
    enum gate_unit unit;
};

struct gate_threshold {
    struct str text;
    struct str series; /* its name; absent: see above */
    struct gate_metric metric;
    enum gate_op op;
    double limit; /* in the metric's unit; rates 0..1 unless `count` */
    bool count;   /* of a rate: how many, not the share */
};

/* What metrics are made of; each table ends with NULL. The JSON report has the same names. */
extern const char *const gate_populations[]; /* "all", "cold", "warm" */
extern const char *const gate_parts[];       /* "latency", "uncorrected", "wait" ... */
extern const char *const gate_statistics[];  /* "p50" ... */
extern const char *const gate_names[];       /* "success" ... */
const struct bench_spread *gate_spread(const struct bench_group *g, int population, int part);
struct figure gate_statistic(const struct bench_spread *s, int statistic);

/* -EINVAL with *why; the texts live in the arena. Of several conditions each is appended to
 * list[*n], GATE_MAX at most. */
int gate_parse(struct arena *a, struct str text, struct gate_threshold *list, size_t *n,
               struct str *why);
/* "p99", "cold.init.p90", "errors"; -EINVAL with *why: there is no such metric. */
int gate_metric_parse(struct arena *a, struct str name, struct gate_metric *ret, struct str *why);
struct figure gate_figure(const struct bench_summary *sum, const struct bench_group *g,
                          const struct gate_metric *m);

enum gate_verdict {
    GATE_PASSED,
    GATE_FAILED,
    GATE_IMPROVED,  /* a baseline: shown to be better */
    GATE_NOT_SHOWN, /* a baseline: nothing is shown either way; no failure */
    GATE_REGRESSED, /* a baseline: shown to be worse by more than is allowed */
};
const char *gate_verdict_name(enum gate_verdict v);

struct gate_result {
    struct str text;   /* the condition, as it was written, or the metric's name */
    struct str series; /* of which series; absent: the whole run */
    enum gate_verdict verdict;
    bool close;           /* a threshold: the interval reaches over the limit */
    struct figure figure; /* measured */
    struct figure before; /* the baseline's */
    struct figure ratio;  /* of a baseline: now / before; of rates: now - before */
    enum gate_unit unit;
    struct str why; /* one sentence */
};

struct gate_report {
    struct gate_result *results;
    size_t n, cap;
    size_t failed;       /* GATE_FAILED and GATE_REGRESSED */
    struct str baseline; /* the file's name; absent: none */
    struct str *notes;   /* why the baseline is hardly comparable */
    size_t n_notes, cap_notes;
};

void gate_check(struct arena *a, const struct bench_summary *sum, const struct gate_threshold *list,
                size_t n, struct gate_report *report);

/* A baseline is what bench_write_json() wrote. -EBADMSG with *why. */
struct gate_baseline;
int gate_baseline_parse(struct arena *a, struct str json, struct gate_baseline **ret,
                        struct str *why);
/* The name of the file is for the report. max_regression: 0.1 allows 10 % more. Latency, billed
 * time, cost, memory and failures are compared where both have them, on the intervals: regressed is
 * what is worse by more than that with all of its interval. The intervals hold for all figures
 * together (95 %), so that ten figures are not ten chances to be red. */
void gate_compare(struct arena *a, const struct bench_summary *sum,
                  const struct gate_baseline *base, struct str name, double max_regression,
                  struct gate_report *report);

/* "12.3 ms", "0.4 %", "$1.25": a figure for people. */
struct str gate_value(struct arena *a, double value, enum gate_unit unit);
