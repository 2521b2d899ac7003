/* histogram - HdrHistogram: counts of values in log-linear buckets, exact to 3 significant digits.
 *
 * Made for latencies in nanoseconds up to an hour; larger values count as the largest, negative
 * ones as 0, and both are counted in `clipped`. The text form is HdrHistogram's "V2 compressed"
 * encoding in base64, which the other readers (Java, C, Go, Rust, JavaScript, .NET, Python) decode:
 * big-endian cookie 0x1c849314, length, and a zlib stream of cookie 0x1c849313, payload length,
 * normalizing offset 0, digits, lowest, highest, ratio 1.0 as a double, and the counts as ZigZag
 * LEB128 numbers, a run of n zeros as -n (github.com/HdrHistogram/HdrHistogram). */
#pragma once
#include <stdbool.h>
#include "base/arena.h"
#include "base/buf.h"

#define HISTOGRAM_HIGHEST INT64_C(3600000000000) /* an hour in ns */

struct histogram {
    int64_t lowest, highest; /* as created */
    int digits;              /* significant decimal digits, 0 to 5 */
    int unit_magnitude;      /* log2 of lowest */
    int half_magnitude;      /* log2 of half the sub-buckets of a bucket */
    size_t n_counts;
    uint64_t *counts;
    uint64_t total, clipped;
    int64_t min, max; /* of what was recorded, exactly; of a decoded one, its buckets' ends */
};

/* For 1 ns to an hour, 3 digits. Lives in the arena (some 270 kB). */
struct histogram *histogram_new(struct arena *a);
void histogram_record(struct histogram *h, int64_t value, uint64_t count);
/* Counts of `from`, which may have another layout, are added where their buckets' middles belong.
 */
void histogram_merge(struct histogram *h, const struct histogram *from);

/* HdrHistogram's rule: the highest value equivalent to that of rank max(1, ceil(q * total)); 0 when
 * nothing was recorded. q: 0 to 1. */
int64_t histogram_quantile(const struct histogram *h, double q);
double histogram_mean(const struct histogram *h);
double histogram_deviation(const struct histogram *h);

/* Bucket i as a range of values [*low, *high]; its count. */
uint64_t histogram_bucket(const struct histogram *h, size_t i, int64_t *low, int64_t *high);

struct str histogram_encode(struct arena *a, const struct histogram *h); /* base64 */
/* -EBADMSG: not that format, or larger than 4 million buckets; -ENOTSUP: an older version. */
int histogram_decode(struct arena *a, struct str base64, struct histogram **ret);

/* The percentile spectrum as HdrHistogram and wrk2 print it (Value, Percentile, TotalCount,
 * 1/(1-Percentile)), in milliseconds of values that are nanoseconds; for hdrplot. */
void histogram_plot(struct buf *b, const struct histogram *h);
