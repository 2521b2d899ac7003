/* cost - what a function costs in a month, from what was measured of it.
 *
 * Pure. Billed durations are those of REPORT lines: nothing is estimated from wall time. The
 * interval of a cost is that of the mean billed duration (95 %, stats.h); requests, logs and prices
 * are taken as exact. A measurement is used at another memory size or architecture only with
 * cost_case's members, and the result says so: durations do not stay the same when memory changes.
 * May use price.h, stats.h, report_line.h. */
#pragma once
#include "bench/price.h"
#include "bench/stats.h"

#define COST_MONTH_HOURS 730.0 /* 365 days of 24 h in 12 months, as AWS's calculator counts */

/* One REPORT line. */
struct cost_line {
    double billed_ms;
    double memory_mb; /* configured; 0: not said */
    bool cold;
};

struct cost_measured {
    struct str from;     /* what was read: "before.json", "/aws/lambda/hello, 24h" */
    struct str function; /* absent: not known, as the next three */
    struct str region, architecture;
    double memory_mb;  /* of the newest line; 0: not known */
    double storage_mb; /* of /tmp; 0: not known, taken as 512 */
    size_t n, cold;    /* REPORT lines; those with an Init Duration */
    size_t cold_known; /* lines of which that is known */
    bool mixed_memory; /* lines of several sizes: gb_seconds is right, memory_mb is the newest */
    struct figure billed_ms;      /* mean */
    struct figure gb_seconds;     /* mean of an invocation, each line at its own memory size */
    double median_ms, largest_ms; /* NAN: not known */
    double log_bytes;             /* of an invocation, with CloudWatch's overhead; -1: not known */
    double window_ms;             /* in which all of them were; 0: not a count of real use */
    int64_t from_ms, to_ms;       /* the window; 0: none */
    int64_t first_ms;             /* when the first line in it was written; 0: not known */
};

/* From lines, in the order of time. n 0: ret->n 0 and figures not known. */
void cost_measure(struct arena *a, const struct cost_line *lines, size_t n,
                  struct cost_measured *ret);

/* What is asked for. */
struct cost_case {
    double memory_mb;        /* 0: as measured */
    struct str architecture; /* absent: as measured, x86_64 when not known */
    struct str region;       /* absent: as measured */
    double storage_mb;       /* 0: as measured */
    double invocations;      /* a month; 0: as often as in the window, or a million */
    double provisioned;      /* environments kept ready all month; all invocations run on them */
    bool free_tier;
};

enum cost_invocations { COST_GIVEN, COST_WINDOW, COST_MILLION };

struct cost_result {
    struct prices prices;
    double memory_mb, storage_mb;
    double invocations; /* a month */
    enum cost_invocations invocations_from;
    struct figure billed_ms, gb_seconds; /* of an invocation, in this case */
    struct price_usage usage;
    struct price_bill bill;
    struct figure total;       /* USD a month */
    struct figure per_million; /* USD a million invocations, without provisioned and free tier */
    bool other_memory, other_architecture; /* than measured: durations are taken as they were */
    bool storage_assumed, architecture_assumed;
};

/* -EINVAL: the architecture is none, or memory is not known. -ENOTSUP: see price_find().
 * -ENODATA: nothing was measured. */
int cost_month(const struct cost_measured *m, const struct cost_case *c, struct cost_result *ret);
