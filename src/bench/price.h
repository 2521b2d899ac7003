/* price - what AWS Lambda asks for invocations: a dated table, and sums with it.
 *
 * Pure. US dollars before tax, on demand, without savings plans. A figure that is printed goes with
 * price_said(): whose prices, of which day, from where. Where a price of a region is not known, the
 * one of us-east-1 (or a ratio that holds there) stands for it, and price_said() says so.
 *
 * Sources: AWS Price List, offer AWSLambda, published 2026-09-19 (us-east-1 in full; first tiers of
 * af-south-1, ap-east-1, eu-south-1, me-south-1 and the regions that cost what us-east-1 costs);
 * AWS Pricing Calculator's meter map for the other columns of regions; AmazonCloudWatch's price
 * list of 2025-10-28 for logs in us-east-1; a reseller's price book of 2026-03 (0.63 in
 * eu-central-1) and a cost guide without a date (0.76 in ap-northeast-1) for the first tier
 * elsewhere: for other regions none is known. Billing: Billed Duration of REPORT lines, in steps of
 * 1 ms, initialisation included (since 2025-08-01); memory in units of 1024 MB; the free tier is
 * of the account, both architectures together, and does not cover storage, logs, or anything of a
 * function with provisioned concurrency. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

#define PRICE_DATE "2026-09-19"
#define PRICE_FREE_REQUESTS 1e6     /* a month */
#define PRICE_FREE_GB_SECONDS 4e5   /* a month */
#define PRICE_FREE_STORAGE_MB 512   /* of /tmp, in every environment */
#define PRICE_LOG_EVENT_OVERHEAD 26 /* bytes that CloudWatch Logs adds to each event */
#define PRICE_TIERS 4

struct price_tier {
    double upto; /* units a month, from the first one; 0: without end */
    double usd;  /* a unit */
};

struct prices {
    struct str region;       /* whose prices these are */
    struct str asked;        /* the region that was asked for */
    struct str architecture; /* "x86_64" or "arm64" */
    struct str date; /* of the list, YYYY-MM-DD; of a record of unknown day, the earliest YYYY-MM */
    struct str source;
    double request;                          /* USD a request */
    struct price_tier duration[PRICE_TIERS]; /* USD a GB-second of billed duration */
    size_t n_duration;
    double provisioned;          /* USD a GB-second of provisioned concurrency, used or not */
    double provisioned_duration; /* USD a GB-second of duration on it */
    double storage;              /* USD a GB-second of /tmp beyond 512 MB */
    struct price_tier logs[PRICE_TIERS]; /* USD a GB taken in by CloudWatch Logs, standard class */
    size_t n_logs;
    struct str logs_date;     /* of the first tier: YYYY-MM-DD, YYYY-MM, or that it is not known */
    bool region_assumed;      /* nothing is known of the region: us-east-1's prices */
    bool duration_assumed;    /* arm64's is 80 % of x86_64's, as elsewhere */
    bool tiers_assumed;       /* tiers 2 and 3 are 90 % and 80 % of the first, as in us-east-1 */
    bool provisioned_assumed; /* 80 % for arm64, or us-east-1's */
    bool storage_assumed, logs_assumed; /* us-east-1's */
};

/* Absent or empty: us-east-1, x86_64. -EINVAL: no such architecture. -ENOTSUP: prices there are not
 * in dollars (China). An unknown region is us-east-1's prices, and region_assumed. */
int price_find(struct str region, struct str architecture, struct prices *ret);

/* One line: "prices of 2026-09-19, us-east-1, arm64 (AWS Price List ...)", with what is assumed. */
struct str price_said(struct arena *a, const struct prices *p);

double price_gb_seconds(double billed_ms, double memory_mb);
/* Duration alone of one invocation at the first tier, USD: what memory sizes are compared by. */
double price_duration(const struct prices *p, double memory_mb, double billed_ms);
/* All that one invocation costs at the first tier without the free tier, USD: request, duration,
 * and /tmp beyond 512 MB (storage_mb 0: 512). Without logs. */
double price_invocation(const struct prices *p, double memory_mb, double billed_ms,
                        double storage_mb);
/* Units a month through tiers, USD. */
double price_tiered(const struct price_tier *tiers, size_t n, double units);

/* What one function uses in a month. */
struct price_usage {
    double requests;
    double gb_seconds;         /* price_gb_seconds() of all of them */
    double storage_gb_seconds; /* /tmp beyond 512 MB */
    double log_gb;             /* taken in; units of 1024^3 bytes, overhead of events included */
    double provisioned_gb_seconds, provisioned_duration_gb_seconds; /* not in gb_seconds */
};
struct price_bill {
    double free_requests, free_gb_seconds;                        /* what the free tier takes off */
    double billed_requests, billed_gb_seconds;                    /* what is left */
    double requests, duration, storage, logs, provisioned, total; /* USD */
};
void price_month(const struct prices *p, const struct price_usage *u, bool free_tier,
                 struct price_bill *ret);

/* /tmp beyond what is free, in GB-seconds. */
double price_storage_gb_seconds(double billed_ms, double storage_mb);
