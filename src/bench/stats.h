/* stats - figures of a sample and how well they are known.
 *
 * Pure. Every interval is one of 95 % (two-sided). Methods, and why:
 *  - Quantiles are order statistics by nearest rank: the value of rank ceil(p n), a value that was
 *    really measured. Their intervals lie between the order statistics whose ranks the binomial
 *    distribution gives: right for every distribution, however skewed, and never too narrow. Where
 *    there are too few samples an end does not exist (p99 has no upper end below 368 samples, p99.9
 *    below 3,688) and is absent, not invented.
 *  - Means: Student's t with Hall's cubic correction for skewness; latencies are skewed to the
 *    right, and the plain t interval then misses the mean on one side.
 *  - Rates: Clopper and Pearson's interval: of rare failures Wilson's holds in 91 % only.
 *  - Ratios of two figures: from the two intervals, on the logarithm (MOVER, Zou and Donner 2008),
 *    so that a report read from a file can be compared without its samples. Differences of two
 *    rates: the same way, as Newcombe does.
 *  - Samples that are alike in a row say less than as many independent ones. serial.h tells how
 *    many they are worth, and the functions named ..._worth make the intervals of so many: order
 *    statistics and rates by their binomial distribution, means by the root.
 * tests/unit/test_bench_stats.c and test_bench_serial.c count how often they hold. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* NAN: not known. Test with figure_known() and isnan(). */
struct figure {
    double value, low, high; /* low or high NAN: no end on that side is known */
    size_t n;                /* samples behind it */
};
bool figure_known(const struct figure *f);
struct figure figure_none(void);
struct figure figure_exact(double value);                      /* low = high = value */
struct figure figure_scale(const struct figure *f, double by); /* by > 0 */

void stats_sort(double *values, size_t n); /* ascending; no NANs */

/* Of sorted values. p: 0 < p < 1. n 0: figure_none(). */
double stats_quantile(const double *sorted, size_t n, double p);
struct figure stats_quantile_interval(const double *sorted, size_t n, double p);
/* Ranks (1-based) of the interval's ends; 0: none on that side. */
void stats_quantile_ranks(size_t n, double p, size_t *low, size_t *high);
/* Of values that are worth so many independent ones (0..n). Are these too few for an interval of the
 * median, then it is from the least to the greatest of all; higher quantiles are above the least. */
struct figure stats_quantile_worth(const double *sorted, size_t n, double p, double worth);
/* The least n with which quantile p has both ends. */
size_t stats_quantile_needs(double p);

/* n 1: a value without interval. Of values >= 0 the interval is not below 0. */
struct figure stats_mean(const double *values, size_t n);
double stats_deviation(const double *values, size_t n); /* of the sample, n - 1; 0 below 2 */
struct figure stats_rate(size_t hits, size_t n);        /* 0..1 */
/* The same, of samples that are worth so many independent ones; 0: no end is known. */
struct figure stats_mean_worth(const double *values, size_t n, double worth);
struct figure stats_rate_worth(size_t hits, size_t n, double worth);

/* a / b of independent figures > 0; none where a point is not known or not > 0. */
struct figure stats_ratio(const struct figure *a, const struct figure *b);
/* a - b of independent figures. */
struct figure stats_difference(const struct figure *a, const struct figure *b);

/* The interval of one of about ten figures that are judged at once, so that in 95 % all of them
 * hold: ends 1.43 times as far away, on the logarithm when it is that of a ratio. */
struct figure stats_together(const struct figure *f, bool log_scale);

/* Median absolute deviation from the median of sorted values, as it is (not scaled). */
double stats_mad(const double *sorted, size_t n);
/* (x - median) / (1.4826 MAD); 0 when MAD is. */
double stats_modified_z(double x, double median, double mad);
/* How many of the sorted values are farther than `limit` modified Z. */
size_t stats_outliers(const double *sorted, size_t n, double limit);
#define STATS_OUTLIER_Z 14.826 /* ten MADs: latencies have tails; this is beyond them */

/* P(X <= k) for X binomial(n, p). */
double stats_binomial_cdf(size_t k, size_t n, double p);
/* The 97.5 % quantile of Student's t. */
double stats_t975(size_t degrees);

/* A generator for simulations and shuffles: the same numbers for a seed everywhere. */
struct stats_random {
    uint64_t state;
};
uint64_t stats_random_bits(struct stats_random *r);
double stats_random_unit(struct stats_random *r);   /* [0, 1) */
double stats_random_normal(struct stats_random *r); /* mean 0, deviation 1 */
