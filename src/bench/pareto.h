/* pareto - which of several sizes is worth its price, and whether that is shown. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "bench/stats.h"

enum pareto_strategy { PARETO_COST, PARETO_SPEED, PARETO_BALANCED };

struct pareto_point {
    double cost, time;              /* > 0 */
    double p99;                     /* of the time, or NAN */
    struct figure cost_is, time_is; /* the same with intervals, for pareto_shown() only */
    bool usable;                    /* it can be recommended: measured, and without failures */
    /* Filled in by pareto_mark(): no usable one is at least as good in both and better in one. */
    bool front;
};

void pareto_mark(struct pareto_point *points, size_t n);
/* The usable point with the least cost, time, or weight * cost / greatest cost + (1 - weight) *
 * time / greatest time (as aws-lambda-power-tuning weighs: 1 is cost alone, 0 speed alone). Equal
 * ones: the first. n: there is none. */
size_t pareto_best(const struct pareto_point *points, size_t n, enum pareto_strategy strategy,
                   double weight);
/* Is `other` shown to be worse than the best one? Not when their intervals, as far as they are
 * known, let it be the better one. */
bool pareto_shown(const struct pareto_point *points, size_t n, size_t best, size_t other,
                  enum pareto_strategy strategy, double weight);
/* ... and all usable ones but the best? */
bool pareto_all_shown(const struct pareto_point *points, size_t n, size_t best,
                      enum pareto_strategy strategy, double weight);
/* The cheapest usable one whose p99 is below. n: none. */
size_t pareto_cheapest_below(const struct pareto_point *points, size_t n, double p99);
