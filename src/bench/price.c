/* price - the table, and sums with it. */
#include "bench/price.h"
#include <errno.h>

#define UNIT 1e-10 /* price lists have ten decimals */

/* In units of 1e-10 USD; 0: not known. provisioned ones are x86_64's. */
struct row {
    const char *region;
    int request, x86_64, arm64, provisioned, provisioned_duration, storage;
    bool listed; /* first tier seen in the price list of PRICE_DATE, not only in older records */
};

static const struct row rows[] = {
    {"us-east-1", 2000, 166667, 133334, 41667, 97222, 309, true},
    {"us-east-2", 2000, 166667, 133334, 41667, 97222, 309, false},
    {"us-west-1", 2000, 166667, 133334, 49041, 114430, 370, false},
    {"us-west-2", 2000, 166667, 133334, 41667, 97222, 309, false},
    {"af-south-1", 2700, 221000, 176800, 55300, 129000, 404, true},
    {"ap-east-1", 2800, 229200, 183000, 57153, 133358, 407, true},
    {"ap-south-1", 2000, 166667, 133334, 44985, 104966, 352, true},
    {"ap-northeast-1", 2000, 166667, 133334, 53835, 125615, 370, true},
    {"ap-northeast-2", 2000, 166667, 133334, 51254, 119592, 352, false},
    {"ap-northeast-3", 2000, 166667, 133334, 53835, 125615, 370, false},
    {"ap-southeast-1", 2000, 166667, 133334, 51991, 121313, 370, true},
    {"ap-southeast-2", 2000, 166667, 133334, 52360, 122173, 370, false},
    {"ap-southeast-3", 2000, 166667, 133334, 0, 0, 0, false},
    {"ap-southeast-4", 2000, 166667, 133334, 52360, 122173, 370, false},
    {"ap-southeast-5", 1800, 150000, 120000, 46791, 109181, 333, false},
    {"ca-central-1", 2000, 166667, 133334, 46460, 108407, 340, false},
    {"ca-west-1", 2000, 166667, 0, 0, 0, 0, false},
    {"eu-central-1", 2000, 166667, 133334, 50147, 117011, 367, true},
    {"eu-central-2", 2200, 183334, 146667, 55162, 128712, 441, false},
    {"eu-north-1", 2000, 166667, 133334, 44248, 103245, 323, true},
    {"eu-south-1", 2300, 195172, 156138, 48783, 113827, 357, true},
    {"eu-south-2", 2000, 166667, 0, 0, 0, 0, false},
    {"eu-west-1", 2000, 166667, 133334, 46460, 108407, 340, true},
    {"eu-west-2", 2000, 166667, 133334, 48304, 112709, 358, false},
    {"eu-west-3", 2000, 166667, 133334, 48673, 113569, 358, false},
    {"il-central-1", 2100, 175000, 0, 0, 0, 0, false},
    {"me-central-1", 2500, 206667, 165334, 0, 0, 0, false},
    {"me-south-1", 2500, 206667, 165334, 51108, 119251, 374, true},
    {"sa-east-1", 2000, 166667, 133334, 66372, 154867, 586, false},
};
#define HOME (&rows[0]) /* whose prices stand for unknown ones */

static const struct row *find(struct str region)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (str_is(region, rows[i].region))
            return &rows[i];
    return NULL;
}

/* Billions of GB-seconds a month end a tier: 6 and 15 for x86_64, a quarter more for arm64. */
static void set_tiers(struct prices *p, const struct row *row, int first, bool arm)
{
    double scale = arm ? 1.25 : 1;
    p->n_duration = 3;
    p->duration[0] = (struct price_tier){6e9 * scale, first * UNIT};
    p->duration[1] = (struct price_tier){15e9 * scale, first * 0.9 * UNIT};
    p->duration[2] = (struct price_tier){0, first * 0.8 * UNIT};
    if (first == HOME->x86_64 && !arm) { /* as listed: rounded up to the last decimal */
        p->duration[1].usd = 150000 * UNIT;
        p->duration[2].usd = 133334 * UNIT;
    } else if (first == HOME->arm64 && arm) {
        p->duration[1].usd = 120001 * UNIT;
        p->duration[2].usd = 106667 * UNIT;
    }
    p->tiers_assumed = row != HOME;
}

static void set_provisioned(struct prices *p, const struct row *row, bool arm)
{
    const struct row *from = row->provisioned ? row : HOME;
    double ratio = arm ? 0.8 : 1;
    p->provisioned = from->provisioned * ratio * UNIT;
    p->provisioned_duration = from->provisioned_duration * ratio * UNIT;
    p->provisioned_assumed = from != row || (arm && row != HOME);
    if (from == HOME && arm) { /* as listed */
        p->provisioned = 33334 * UNIT;
        p->provisioned_duration = 77778 * UNIT;
    }
}

/* The first tier of what Lambda writes to CloudWatch Logs, USD a GB, and when it was seen. */
static const struct {
    const char *region, *date;
    double first;
} logs[] = {
    {"us-east-1", "2025-10-28", 0.50},
    {"eu-central-1", "2026-03", 0.63},
    {"ap-northeast-1", "an undated source", 0.76},
};

/* Tiers since 2025-05-01, in GB; where they begin, and their ratios, are the same everywhere. */
static void set_logs(struct prices *p)
{
    static const struct price_tier ratios[] = {
        {10 * 1024.0, 1}, {30 * 1024.0, 0.5}, {50 * 1024.0, 0.2}, {0, 0.1}};
    size_t row = 0;
    p->logs_assumed = true;
    for (size_t i = 0; i < sizeof logs / sizeof *logs && p->logs_assumed; i++)
        if (str_is(p->asked, logs[i].region)) {
            row = i;
            p->logs_assumed = false;
        }
    p->logs_date = str_from(logs[row].date);
    p->n_logs = sizeof ratios / sizeof *ratios;
    for (size_t i = 0; i < p->n_logs; i++)
        p->logs[i] = (struct price_tier){ratios[i].upto, ratios[i].usd * logs[row].first};
}

int price_find(struct str region, struct str architecture, struct prices *ret)
{
    if (!region.n)
        region = S("us-east-1");
    if (!architecture.n)
        architecture = S("x86_64");
    bool arm = str_is(architecture, "arm64");
    if (!arm && !str_is(architecture, "x86_64"))
        return -EINVAL;
    if (str_starts(region, S("cn-")))
        return -ENOTSUP;
    const struct row *row = find(region);
    struct prices p = {
        .asked = region, .architecture = arm ? S("arm64") : S("x86_64"), .region_assumed = !row};
    if (!row)
        row = HOME;
    p.region = str_from(row->region);
    p.source = row->listed ? S("AWS Price List") : S("AWS Pricing Calculator");
    p.date = row->listed ? S(PRICE_DATE) : S("2024-09"); /* no older than that */
    p.request = row->request * UNIT;
    int first = arm ? row->arm64 : row->x86_64;
    p.duration_assumed = !first;
    set_tiers(&p, row, first ? first : (row->x86_64 * 8 + 9) / 10, arm);
    set_provisioned(&p, row, arm);
    p.storage = (row->storage ? row->storage : HOME->storage) * UNIT;
    p.storage_assumed = !row->storage;
    set_logs(&p);
    *ret = p;
    return 0;
}

struct str price_said(struct arena *a, const struct prices *p)
{
    struct str notes[5];
    size_t n = 0;
    if (p->region_assumed)
        notes[n++] = str_printf(a, "those of %.*s are not known here", STR(p->asked));
    if (p->duration_assumed)
        notes[n++] = S("arm64 taken as 80 % of x86_64");
    if (p->storage_assumed)
        notes[n++] = S("/tmp at us-east-1's price");
    if (p->logs_assumed)
        notes[n++] =
            str_printf(a, "CloudWatch Logs price of us-east-1 (%.*s) used: none known for %.*s",
                       STR(p->logs_date), STR(p->asked));
    else if (!str_is(p->asked, HOME->region))
        notes[n++] = str_printf(a, "CloudWatch Logs price of %.*s", STR(p->logs_date));
    struct str list = str_join(a, S("; "), notes, n);
    return str_printf(a, "prices of %.*s, %.*s, %.*s (%.*s)%s%.*s", STR(p->date), STR(p->region),
                      STR(p->architecture), STR(p->source), n ? "; " : "", STR(list));
}

double price_gb_seconds(double billed_ms, double memory_mb)
{
    return billed_ms / 1000 * memory_mb / 1024;
}

double price_storage_gb_seconds(double billed_ms, double storage_mb)
{
    return storage_mb > PRICE_FREE_STORAGE_MB
               ? price_gb_seconds(billed_ms, storage_mb - PRICE_FREE_STORAGE_MB)
               : 0;
}

double price_duration(const struct prices *p, double memory_mb, double billed_ms)
{
    return price_gb_seconds(billed_ms, memory_mb) * p->duration[0].usd;
}

double price_invocation(const struct prices *p, double memory_mb, double billed_ms,
                        double storage_mb)
{
    return p->request + price_duration(p, memory_mb, billed_ms) +
           price_storage_gb_seconds(billed_ms, storage_mb) * p->storage;
}

double price_tiered(const struct price_tier *tiers, size_t n, double units)
{
    double usd = 0, from = 0;
    for (size_t i = 0; i < n && units > from; i++) {
        double upto = tiers[i].upto > 0 && tiers[i].upto < units ? tiers[i].upto : units;
        usd += (upto - from) * tiers[i].usd;
        from = upto;
    }
    return usd;
}

static double less(double a, double b)
{
    return a < b ? a : b;
}

void price_month(const struct prices *p, const struct price_usage *u, bool free_tier,
                 struct price_bill *ret)
{
    struct price_bill b = {0};
    /* "does not apply to functions that have Provisioned Concurrency enabled": not for requests
     * either. */
    if (free_tier && !(u->provisioned_gb_seconds > 0)) {
        b.free_requests = less(u->requests, PRICE_FREE_REQUESTS);
        b.free_gb_seconds = less(u->gb_seconds, PRICE_FREE_GB_SECONDS);
    }
    b.billed_requests = u->requests - b.free_requests;
    b.billed_gb_seconds = u->gb_seconds - b.free_gb_seconds;
    b.requests = b.billed_requests * p->request;
    b.duration = price_tiered(p->duration, p->n_duration, b.billed_gb_seconds);
    b.storage = u->storage_gb_seconds * p->storage;
    b.logs = price_tiered(p->logs, p->n_logs, u->log_gb);
    b.provisioned = u->provisioned_gb_seconds * p->provisioned +
                    u->provisioned_duration_gb_seconds * p->provisioned_duration;
    b.total = b.requests + b.duration + b.storage + b.logs + b.provisioned;
    *ret = b;
}
