/* memory_table - what the sizes of a memory run cost and take, and which is recommended. Pure. */
#pragma once
#include "base/json.h"
#include "bench/memory.h"
#include "bench/pareto.h"
#include "bench/summary.h"

struct memory_row {
    const struct memory_size *size;
    const struct bench_series *series;
    struct bench_spread duration; /* ms: what REPORT calls Duration; with the init when only cold */
    struct figure billed;         /* ms, mean */
    struct figure cost;           /* USD a million */
    double delta;                 /* of the cost to the base's, as a share; NAN */
    int memory_used;              /* MB; -1: not known */
    bool front;                   /* of the Pareto front */
    bool rival;                   /* not shown to be worse than the one that is recommended */
};

struct memory_advice {
    size_t best;          /* index; n_rows: none */
    struct str why;       /* a sentence */
    size_t below;         /* the cheapest with p99 below what was asked; n_rows: none */
    struct str below_why; /* a sentence; absent: not asked */
    enum pareto_strategy strategy;
    double weight;
};

struct memory_table {
    struct memory_row *rows;
    size_t n_rows;
    size_t base; /* what deltas are from: the function's own size, else the first that is known;
                    n_rows: none */
    struct memory_advice advice;
};

/* below_ms 0: not asked. */
void memory_table_make(struct arena *a, const struct bench_summary *sum,
                       const struct memory_result *result, bool only_cold,
                       enum pareto_strategy strategy, double weight, double below_ms,
                       struct memory_table *ret);
/* For run->details. */
struct json *memory_table_json(struct arena *a, const struct memory_table *t,
                               const struct memory_result *result);
