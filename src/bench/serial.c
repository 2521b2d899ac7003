/* serial - see serial.h. */
#include "bench/serial.h"
#include <math.h>
#include "base/cleanup.h"
#include "base/mem.h"
#include "bench/stats.h"

#define BATCHES_LEAST 10
#define SHOWN 1.5 /* deviations beyond what independent samples do by chance */
/* As many at the longest batches, and still growing over batches four times as long (a trend: four
 * times): nothing is known. */
#define LASTING 3.0
#define GROWING 2.5
#define TAIL_LEAST 10 /* samples beyond a quantile: fewer do not tell how they lie */

#define ALIKE 5.0 /* deviations; f has a tail to the right: 1 of 100 independent series */

struct estimate {
    double f, beyond; /* above 1, less what chance does */
    size_t batch;     /* 0: none */
    bool lasting, alike;
};

/* How far an f is above 1 by chance, at batches of b. */
static double by_chance(size_t b, size_t n)
{
    return 2.4 * sqrt(4.0 / 3 * (double)b / (double)n);
}

/* Pairs of batches become batches of twice the length; the variance of their means, as a multiple
 * of what it is when samples are independent. */
static double join(double *sums, size_t n_batches, size_t length, double variance)
{
    double squares = 0;
    for (size_t i = 0; i < n_batches; i++) {
        sums[i] = sums[2 * i] + sums[2 * i + 1];
        squares += sums[i] * sums[i];
    }
    return squares / (double)n_batches / (double)length / variance;
}

/* sums: the values without their mean; overwritten. */
static struct estimate estimate_of(double *sums, size_t n, double variance)
{
    struct estimate best = {.f = 1};
    double before = 1, flat_before[2] = {INFINITY, INFINITY};
    size_t n_batches = n / 2;
    for (size_t b = 1; n_batches >= BATCHES_LEAST; b *= 2, n_batches /= 2) {
        double f = join(sums, n_batches, 2 * b, variance);
        /* The mean is the series' own: it takes 3b/n of what is there away. */
        double flat = (2 * f - before) / (1 - 3 * (double)b / (double)n);
        double score = (flat - 1) / by_chance(b, n);
        if ((score - SHOWN) * by_chance(b, n) > best.beyond) {
            best.f = flat;
            best.beyond = (score - SHOWN) * by_chance(b, n);
            best.batch = b;
        }
        best.alike = best.alike || score > ALIKE;
        best.lasting =
            n_batches / 2 < BATCHES_LEAST && score > LASTING && flat > GROWING * flat_before[0];
        before = f;
        flat_before[0] = flat_before[1];
        flat_before[1] = flat;
    }
    return best;
}

struct serial serial_of(const double *in_time, size_t n)
{
    struct serial independent = {(double)n, false};
    if (n < 2 * BATCHES_LEAST)
        return independent;
    auto_free double *v = mem_alloc(n * sizeof(*v));
    double mean = 0, variance = 0;
    for (size_t i = 0; i < n; i++)
        mean += in_time[i];
    mean /= (double)n;
    for (size_t i = 0; i < n; i++) {
        v[i] = in_time[i] - mean;
        variance += v[i] * v[i];
    }
    variance /= (double)n;
    if (!(sqrt(variance) > fabs(mean) * 1e-12))
        return independent; /* all the same */
    struct estimate e = estimate_of(v, n, variance);
    if (e.lasting)
        return (struct serial){0, true};
    if (!e.batch)
        return independent;
    double degrees = (double)n / (8.0 / 3 * (double)e.batch);
    double wider = stats_t975(degrees < 1 ? 1 : (size_t)degrees) / stats_t975(1000000);
    double worth = (double)n / e.f / (wider * wider);
    return (struct serial){fmin(fmax(1, worth), (double)n), e.alike};
}

struct serial serial_of_quantile(const double *in_time, const double *sorted, size_t n, double p)
{
    if (n < 2 * BATCHES_LEAST)
        return (struct serial){(double)n, false};
    double at = fmin(stats_quantile(sorted, n, p), sorted[n - TAIL_LEAST - 1]);
    auto_free double *is_below = mem_alloc(n * sizeof(*is_below));
    for (size_t i = 0; i < n; i++)
        is_below[i] = in_time[i] <= at;
    return serial_of(is_below, n);
}
