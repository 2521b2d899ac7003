/* stats - quantiles, means and rates with their intervals (stats.h). */
#include "bench/stats.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/mem.h"

#define Z975 1.959963984540054

/* ---- figures ---- */

bool figure_known(const struct figure *f)
{
    return !isnan(f->value);
}

struct figure figure_none(void)
{
    return (struct figure){NAN, NAN, NAN, 0};
}

struct figure figure_exact(double value)
{
    return (struct figure){value, value, value, 1};
}

struct figure figure_scale(const struct figure *f, double by)
{
    return (struct figure){f->value * by, f->low * by, f->high * by, f->n};
}

/* ---- sorting ---- */

/* Doubles >= 0 have the order of their bits; negative ones the reverse. */
static uint64_t sort_key(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static double sort_value(uint64_t key)
{
    uint64_t bits = key >> 63 ? key & ~(UINT64_C(1) << 63) : ~key;
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* By digits of 11 bits: a million values in some 40 ms instead of 150. */
static void sort_by_digits(double *values, size_t n)
{
    auto_free uint64_t *from = mem_alloc(n * sizeof(*from));
    auto_free uint64_t *to = mem_alloc(n * sizeof(*to));
    auto_free size_t *at = mem_alloc(2048 * sizeof(*at));
    for (size_t i = 0; i < n; i++)
        from[i] = sort_key(values[i]);
    for (int shift = 0; shift < 64; shift += 11) {
        memset(at, 0, 2048 * sizeof(*at));
        for (size_t i = 0; i < n; i++)
            at[from[i] >> shift & 2047]++;
        if (at[from[0] >> shift & 2047] == n)
            continue; /* one digit for all of them */
        for (size_t i = 0, sum = 0; i < 2048; i++) {
            size_t count = at[i];
            at[i] = sum;
            sum += count;
        }
        for (size_t i = 0; i < n; i++)
            to[at[from[i] >> shift & 2047]++] = from[i];
        uint64_t *other = from;
        from = to;
        to = other;
    }
    for (size_t i = 0; i < n; i++)
        values[i] = sort_value(from[i]);
}

void stats_sort(double *values, size_t n)
{
    if (n > 2048)
        sort_by_digits(values, n);
    else if (n > 1)
        qsort(values, n, sizeof(*values), compare);
}

/* ---- distributions ---- */

/* The incomplete beta function's continued fraction (Lentz). */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double f = d;
    for (int m = 1; m < 20000; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        for (int half = 0; half < 2; half++) {
            double term = half ? odd : even;
            d = 1 + term * d;
            c = 1 + term / c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = fabs(c) < tiny ? tiny : c;
            f *= d * c;
        }
        if (fabs(d * c - 1) < 1e-14)
            break;
    }
    return f;
}

static double log_gamma(double x)
{
    int sign;
    return lgamma_r(x, &sign); /* lgamma() writes to a global */
}

static double beta_incomplete(double a, double b, double x)
{
    if (x <= 0 || x >= 1)
        return x <= 0 ? 0 : 1;
    double front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double stats_binomial_cdf(size_t k, size_t n, double p)
{
    if (k >= n)
        return 1;
    return beta_incomplete((double)(n - k), (double)k + 1, 1 - p);
}

double stats_t975(size_t degrees)
{
    if (!degrees)
        return NAN;
    double nu = (double)degrees, low = 0, high = 13;
    for (int i = 0; i < 60; i++) {
        double t = (low + high) / 2;
        /* P(|T| > t) */
        if (beta_incomplete(nu / 2, 0.5, nu / (nu + t * t)) > 0.05)
            low = t;
        else
            high = t;
    }
    return (low + high) / 2;
}

/* ---- quantiles ---- */

double stats_quantile(const double *sorted, size_t n, double p)
{
    if (!n)
        return NAN;
    double rank = ceil(p * (double)n - 1e-9);
    size_t i = rank < 1 ? 1 : (size_t)rank;
    return sorted[(i > n ? n : i) - 1];
}

/* Of [low, n]: the least k whose P(X <= k) is at least `wanted`. */
static size_t binomial_quantile(size_t n, double p, double wanted)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (stats_binomial_cdf(middle, n, p) >= wanted)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

void stats_quantile_ranks(size_t n, double p, size_t *ret_low, size_t *ret_high)
{
    /* X values of n are at most the quantile. It is not below the value of rank l when X >= l, and
     * not above that of rank u when X < u. */
    *ret_low = n ? binomial_quantile(n, p, 0.025) : 0;
    size_t high = n ? binomial_quantile(n, p, 0.975) + 1 : 0;
    *ret_high = high > n ? 0 : high;
}

struct figure stats_quantile_interval(const double *sorted, size_t n, double p)
{
    struct figure f = figure_none();
    if (!n)
        return f;
    size_t low, high;
    stats_quantile_ranks(n, p, &low, &high);
    f.value = stats_quantile(sorted, n, p);
    f.n = n;
    if (low)
        f.low = sorted[low - 1];
    if (high)
        f.high = sorted[high - 1];
    return f;
}

struct figure stats_quantile_worth(const double *sorted, size_t n, double p, double worth)
{
    size_t m = (size_t)worth, low, high;
    if (m >= n)
        return stats_quantile_interval(sorted, n, p);
    struct figure f = {stats_quantile(sorted, n, p), NAN, NAN, n};
    stats_quantile_ranks(m, p, &low, &high);
    /* A rank of m is that share of n, rounded outwards. */
    if (low)
        f.low = sorted[low * n / m - 1];
    if (high)
        f.high = sorted[(high * n + m - 1) / m - 1];
    /* Not even the median has an end: it is somewhere in what was seen. */
    if (m < stats_quantile_needs(0.5) && n >= stats_quantile_needs(0.5)) {
        f.low = p >= 0.5 ? sorted[0] : f.low;
        f.high = p <= 0.5 ? sorted[n - 1] : f.high;
    }
    return f;
}

size_t stats_quantile_needs(double p)
{
    double side = p > 0.5 ? p : 1 - p;
    return (size_t)ceil(log(0.025) / log(side));
}

/* ---- means and rates ---- */

double stats_deviation(const double *values, size_t n)
{
    double mean = 0, sum = 0;
    for (size_t i = 0; i < n; i++)
        mean += values[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        sum += (values[i] - mean) * (values[i] - mean);
    return n > 1 ? sqrt(sum / (double)(n - 1)) : 0;
}

/* Hall (1992): with U = (mean - mu) / s and its skewness g, U + g U^2 / 3 + g^2 U^3 / 27 + g / 6n
 * is more nearly symmetric; this is where that equals t. */
static double hall_inverse(double t, double skew, double n)
{
    double x = t / sqrt(n);
    if (fabs(skew) < 1e-9)
        return x;
    return 3 / skew * (cbrt(1 + skew * (x - skew / (6 * n))) - 1);
}

struct figure stats_mean(const double *values, size_t n)
{
    struct figure f = figure_none();
    if (!n)
        return f;
    double mean = 0, count = (double)n, square = 0, cube = 0, least = values[0];
    for (size_t i = 0; i < n; i++) {
        mean += values[i];
        least = fmin(least, values[i]);
    }
    mean /= count;
    for (size_t i = 0; i < n; i++) {
        double d = values[i] - mean;
        square += d * d;
        cube += d * d * d;
    }
    f.value = mean;
    f.n = n;
    if (n < 2)
        return f;
    f.low = f.high = mean;
    double deviation = sqrt(square / (count - 1));
    if (deviation <= fabs(mean) * 1e-14)
        return f;
    double skew = cube / count / pow(square / count, 1.5);
    double t = n > 100000 ? Z975 : stats_t975(n - 1);
    f.low = mean - deviation * hall_inverse(t, skew, count);
    f.high = mean - deviation * hall_inverse(-t, skew, count);
    if (least >= 0) /* times and sums: their mean is not below 0 either */
        f.low = fmax(f.low, 0);
    return f;
}

struct figure stats_mean_worth(const double *values, size_t n, double worth)
{
    struct figure f = stats_mean(values, n);
    if (n < 2 || worth >= (double)n)
        return f;
    double wider = worth > 0 ? sqrt((double)n / worth) : NAN;
    bool positive = f.low >= 0;
    f.low = f.value - (f.value - f.low) * wider;
    f.high = f.value + (f.high - f.value) * wider;
    if (positive && f.low < 0)
        f.low = 0;
    return f;
}

/* Clopper and Pearson's end: the rate of which k hits of n, or more (low) or fewer, come in
 * 2.5 %. Both may be parts of samples: what correlated ones are worth. */
static double rate_end(double k, double n, bool is_low)
{
    double a = is_low ? k : k + 1, b = is_low ? n - k + 1 : n - k, low = 0, high = 1;
    for (int i = 0; i < 50; i++) {
        double p = (low + high) / 2;
        if (beta_incomplete(a, b, p) < (is_low ? 0.025 : 0.975))
            low = p;
        else
            high = p;
    }
    return (low + high) / 2;
}

struct figure stats_rate_worth(size_t hits, size_t n, double worth)
{
    struct figure f = figure_none();
    if (!n)
        return f;
    f.value = (double)hits / (double)n;
    f.n = n;
    if (!(worth > 0))
        return f;
    worth = fmin(worth, (double)n);
    double k = f.value * worth;
    f.low = hits ? rate_end(k, worth, true) : 0;
    f.high = hits < n ? rate_end(k, worth, false) : 1;
    return f;
}

struct figure stats_rate(size_t hits, size_t n)
{
    return stats_rate_worth(hits, n, (double)n);
}

/* ---- two groups ---- */

struct figure stats_difference(const struct figure *a, const struct figure *b)
{
    struct figure f = figure_none();
    if (!figure_known(a) || !figure_known(b))
        return f;
    f.value = a->value - b->value;
    f.low = f.value - hypot(a->value - a->low, b->high - b->value);
    f.high = f.value + hypot(a->high - a->value, b->value - b->low);
    f.n = a->n < b->n ? a->n : b->n;
    return f;
}

static struct figure log_figure(const struct figure *f)
{
    struct figure l = {log(f->value), f->low > 0 ? log(f->low) : NAN, log(f->high), f->n};
    return l;
}

struct figure stats_ratio(const struct figure *a, const struct figure *b)
{
    if (!(a->value > 0) || !(b->value > 0))
        return figure_none();
    struct figure la = log_figure(a), lb = log_figure(b);
    struct figure d = stats_difference(&la, &lb);
    return (struct figure){exp(d.value), exp(d.low), exp(d.high), d.n};
}

/* Bonferroni for ten: 2.81 deviations instead of 1.96. */
#define TOGETHER 1.43

static double farther(double end, double value, bool log_scale)
{
    return log_scale ? value * pow(end / value, TOGETHER) : value + (end - value) * TOGETHER;
}

struct figure stats_together(const struct figure *f, bool log_scale)
{
    return (struct figure){f->value, farther(f->low, f->value, log_scale),
                           farther(f->high, f->value, log_scale), f->n};
}

/* ---- outliers ---- */

double stats_mad(const double *sorted, size_t n)
{
    if (!n)
        return 0;
    /* The deviations on either side of the median are sorted already: take the n/2 least of both.
     */
    double median = stats_quantile(sorted, n, 0.5);
    size_t right = 0;
    while (right < n && sorted[right] < median)
        right++;
    size_t left = right; /* the next on the left is left - 1 */
    double deviation = 0;
    for (size_t taken = 0; taken < (n + 1) / 2; taken++) {
        bool take_left =
            left > 0 && (right == n || median - sorted[left - 1] < sorted[right] - median);
        deviation = take_left ? median - sorted[--left] : sorted[right++] - median;
    }
    return deviation;
}

double stats_modified_z(double x, double median, double mad)
{
    return mad > 0 ? (x - median) / (1.4826 * mad) : 0;
}

size_t stats_outliers(const double *sorted, size_t n, double limit)
{
    double median = n ? stats_quantile(sorted, n, 0.5) : 0, mad = stats_mad(sorted, n);
    size_t outside = 0;
    for (size_t i = 0; i < n && stats_modified_z(sorted[i], median, mad) < -limit; i++)
        outside++;
    for (size_t i = n; i > outside && stats_modified_z(sorted[i - 1], median, mad) > limit; i--)
        outside++;
    return outside;
}

/* ---- random numbers ---- */

uint64_t stats_random_bits(struct stats_random *r) /* SplitMix64 (Steele, Lea, Flood 2014) */
{
    uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

double stats_random_unit(struct stats_random *r)
{
    return (double)(stats_random_bits(r) >> 11) / 9007199254740992.0;
}

double stats_random_normal(struct stats_random *r)
{
    double u = 1 - stats_random_unit(r), v = stats_random_unit(r);
    return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}
