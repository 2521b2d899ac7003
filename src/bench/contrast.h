/* contrast - two sides' figures beside each other: ratio, its interval, and what that shows.
 *
 * A difference is shown when the interval of the ratio (of rates: of the difference) does not reach
 * 1 (0). Pure. */
#pragma once
#include "base/json.h"
#include "bench/summary.h"

enum contrast_verdict {
    CONTRAST_UNKNOWN, /* too few samples for an interval, or nothing measured */
    CONTRAST_NONE,    /* no difference is shown */
    CONTRAST_LESS,    /* B is less than A */
    CONTRAST_MORE,
};
const char *contrast_verdict_name(enum contrast_verdict v);

struct contrast_row {
    const char *name; /* "latency p50" */
    const char *unit; /* "ms", "MB", "USD/1M", "" for a rate */
    struct figure sides[2];
    struct figure ratio; /* B / A; of a rate: B - A */
    bool rate;
    enum contrast_verdict verdict;
};
#define CONTRAST_ROWS 16

/* Times are of warm environments, as far as there are two of each side; rows of which neither side
 * knows anything are left out. rows[0] is the one to tell by: the median of the latency. */
size_t contrast_rows(const struct bench_group *a, const struct bench_group *b,
                     struct contrast_row rows[CONTRAST_ROWS]);
/* For run->details. */
struct json *contrast_json(struct arena *a, const struct contrast_row *rows, size_t n);
/* "B is faster than A", "no difference shown", ... of rows[0]. */
const char *contrast_said(const struct contrast_row *row);
