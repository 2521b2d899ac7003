/* histogram - buckets, ranks and moments (histogram.h). */
#include "bench/histogram.h"
#include <errno.h>
#include <math.h>
#include "bench/histogram_layout.h"

int histogram_layout(struct histogram *h, int64_t lowest, int64_t highest, int digits)
{
    if (lowest < 1 || digits < 0 || digits > 5 || highest < 2 * lowest)
        return -EBADMSG;
    int64_t single = 2;
    for (int i = 0; i < digits; i++)
        single *= 10;
    int magnitude = 0;
    while ((INT64_C(1) << magnitude) < single)
        magnitude++;
    h->lowest = lowest;
    h->highest = highest;
    h->digits = digits;
    h->half_magnitude = magnitude > 1 ? magnitude - 1 : 0;
    h->unit_magnitude = 63 - __builtin_clzll((uint64_t)lowest);
    if (h->unit_magnitude + h->half_magnitude > 61)
        return -EBADMSG;
    size_t buckets = 1;
    int64_t limit = INT64_C(1) << (h->half_magnitude + 1 + h->unit_magnitude);
    for (; limit <= highest; buckets++) {
        if (limit > INT64_MAX / 2) {
            buckets++;
            break;
        }
        limit <<= 1;
    }
    h->n_counts = (buckets + 1) << h->half_magnitude;
    return h->n_counts <= HISTOGRAM_BUCKETS_MAX ? 0 : -EBADMSG;
}

struct histogram *histogram_new(struct arena *a)
{
    struct histogram *h = ARENA_NEW(a, struct histogram);
    if (histogram_layout(h, 1, HISTOGRAM_HIGHEST, 3) < 0)
        abort();
    h->counts = ARENA_ARRAY(a, uint64_t, h->n_counts);
    h->min = INT64_MAX;
    return h;
}

static size_t index_of(const struct histogram *h, int64_t value)
{
    uint64_t mask = ((UINT64_C(2) << h->half_magnitude) - 1) << h->unit_magnitude;
    int ceiling = 64 - __builtin_clzll((uint64_t)value | mask);
    int bucket = ceiling - h->unit_magnitude - h->half_magnitude - 1;
    int64_t sub = value >> (bucket + h->unit_magnitude);
    return ((size_t)(bucket + 1) << h->half_magnitude) + (size_t)sub -
           ((size_t)1 << h->half_magnitude);
}

uint64_t histogram_bucket(const struct histogram *h, size_t i, int64_t *low, int64_t *high)
{
    size_t half = (size_t)1 << h->half_magnitude;
    int bucket = (int)(i >> h->half_magnitude) - 1;
    int64_t sub = (int64_t)((i & (half - 1)) + half);
    if (bucket < 0) {
        bucket = 0;
        sub -= (int64_t)half;
    }
    int shift = bucket + h->unit_magnitude;
    *low = sub << shift;
    *high = *low + ((INT64_C(1) << shift) - 1);
    return h->counts[i];
}

void histogram_record(struct histogram *h, int64_t value, uint64_t count)
{
    if (!count)
        return;
    if (value < 0 || value > h->highest) {
        h->clipped += count;
        value = value < 0 ? 0 : h->highest;
    }
    h->counts[index_of(h, value)] += count;
    h->total += count;
    if (value < h->min)
        h->min = value;
    if (value > h->max)
        h->max = value;
}

void histogram_merge(struct histogram *h, const struct histogram *from)
{
    bool same =
        h->lowest == from->lowest && h->highest == from->highest && h->digits == from->digits;
    int64_t low, high, min = h->min, max = h->max;
    for (size_t i = 0; i < from->n_counts; i++) {
        uint64_t count = histogram_bucket(from, i, &low, &high);
        if (count && same) {
            h->counts[i] += count;
            h->total += count;
        } else if (count) {
            histogram_record(h, low + (high - low) / 2, count);
        }
    }
    h->clipped += from->clipped;
    if (!from->total)
        return;
    h->min = from->min < min ? from->min : min;
    h->max = from->max > max ? from->max : max;
}

int64_t histogram_quantile(const struct histogram *h, double q)
{
    if (!h->total)
        return 0;
    double wanted = ceil(q * (double)h->total - 1e-9);
    uint64_t rank = wanted < 1 ? 1 : wanted > (double)h->total ? h->total : (uint64_t)wanted;
    uint64_t seen = 0;
    for (size_t i = 0; i < h->n_counts; i++) {
        int64_t low, high;
        seen += histogram_bucket(h, i, &low, &high);
        if (seen >= rank)
            return high > h->max ? h->max : high;
    }
    return h->max;
}

double histogram_mean(const struct histogram *h)
{
    double sum = 0;
    for (size_t i = 0; i < h->n_counts; i++) {
        int64_t low, high;
        uint64_t count = histogram_bucket(h, i, &low, &high);
        sum += (double)count * ((double)low + (double)(high - low) / 2);
    }
    return h->total ? sum / (double)h->total : 0;
}

double histogram_deviation(const struct histogram *h)
{
    double mean = histogram_mean(h), sum = 0;
    for (size_t i = 0; i < h->n_counts; i++) {
        int64_t low, high;
        uint64_t count = histogram_bucket(h, i, &low, &high);
        double d = (double)low + (double)(high - low) / 2 - mean;
        sum += (double)count * d * d;
    }
    return h->total ? sqrt(sum / (double)h->total) : 0;
}

/* ---- the percentile spectrum ---- */

/* The next percentile to print: five steps in each halving of what is left, as HdrHistogram's
 * percentile iterator has it. */
static double next_level(double level)
{
    double halvings = floor(log2(1 / (1 - level))) + 1;
    return level + 1 / (5 * pow(2, halvings));
}

void histogram_plot(struct buf *b, const struct histogram *h)
{
    buf_printf(b, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
               "1/(1-Percentile)");
    double level = 0;
    uint64_t seen = 0;
    for (size_t i = 0; i < h->n_counts && h->total; i++) {
        int64_t low, high;
        uint64_t count = histogram_bucket(h, i, &low, &high);
        seen += count;
        if (!count)
            continue;
        double value = (double)(high > h->max ? h->max : high) / 1e6;
        double reached = (double)seen / (double)h->total;
        while (level <= reached && seen < h->total) {
            buf_printf(b, "%12.6f %2.12f %10llu %14.2f\n", value, level, (unsigned long long)seen,
                       1 / (1 - level));
            level = next_level(level);
        }
        if (seen == h->total) {
            buf_printf(b, "%12.6f %2.12f %10llu %14.2f\n", value, level, (unsigned long long)seen,
                       1 / (1 - level));
            buf_printf(b, "%12.6f %2.12f %10llu\n", value, 1.0, (unsigned long long)seen);
            break;
        }
    }
    buf_printf(b, "#[Mean    = %12.6f, StdDeviation   = %12.6f]\n", histogram_mean(h) / 1e6,
               histogram_deviation(h) / 1e6);
    buf_printf(b, "#[Max     = %12.6f, Total count    = %12llu]\n", (double)h->max / 1e6,
               (unsigned long long)h->total);
    buf_printf(b, "#[Buckets = %12zu, SubBuckets     = %12zu]\n",
               (h->n_counts >> h->half_magnitude) - 1, (size_t)2 << h->half_magnitude);
}
