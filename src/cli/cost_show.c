/* cost_show - bills as figures, formulas and notes (cost.h). */
#include <math.h>
#include "cli/cost.h"

/* ---- figures ---- */

/* "1234567.5" to "1,234,567.5". */
static struct str with_commas(struct arena *a, struct str plain)
{
    size_t whole = 0;
    while (whole < plain.n && plain.p[whole] >= '0' && plain.p[whole] <= '9')
        whole++;
    struct buf b;
    buf_init(&b, 256);
    for (size_t i = 0; i < plain.n; i++) {
        if (i && i < whole && (whole - i) % 3 == 0)
            buf_byte(&b, ',');
        buf_byte(&b, plain.p[i]);
    }
    struct str s = buf_copy(&b, a);
    buf_done(&b);
    return s;
}

static struct str without_zeros(struct str s)
{
    if (str_find_byte(s, '.') < 0)
        return s;
    while (s.n && s.p[s.n - 1] == '0')
        s.n--;
    if (s.n && s.p[s.n - 1] == '.')
        s.n--;
    return s;
}

/* Three significant digits below 1, two decimals below 1000, none above. */
struct str cost_count(struct arena *a, double v)
{
    double size = fabs(v);
    int places = size >= 1000 || size == floor(size) ? 0
                 : size >= 1                         ? 2
                                                     : 2 - (int)floor(log10(size));
    return with_commas(a, without_zeros(str_printf(a, "%.*f", places > 12 ? 12 : places, v)));
}

struct str cost_money(struct arena *a, double usd)
{
    double size = fabs(usd);
    if (size == 0)
        return S("$0");
    int places = size >= 0.1 ? 2 : 1 - (int)floor(log10(size));
    struct str digits = str_printf(a, "%.*f", places > 12 ? 12 : places, size);
    return str_printf(a, "%s$%.*s", usd < 0 ? "-" : "", STR(with_commas(a, digits)));
}

/* A price as the list has it: all its decimals. */
static struct str price(struct arena *a, double usd)
{
    return str_printf(a, "$%.*s", STR(without_zeros(str_printf(a, "%.10f", usd))));
}

struct str cost_interval(struct arena *a, const struct figure *f,
                         struct str (*text)(struct arena *, double))
{
    if (isnan(f->low) || isnan(f->high))
        return S("");
    return str_printf(a, " [%.*s, %.*s]", STR(text(a, f->low)), STR(text(a, f->high)));
}

/* ---- one bill ---- */

/* "$0.50", or the tiers that were reached. */
static struct str tiers(struct arena *a, const struct price_tier *t, size_t n, double units)
{
    struct str parts[PRICE_TIERS];
    size_t used = 0;
    double from = 0;
    for (size_t i = 0; i < n && (units > from || !i); i++) {
        double upto = t[i].upto > 0 && t[i].upto < units ? t[i].upto : units;
        struct str each = price(a, t[i].usd);
        parts[used] = used || upto < units
                          ? str_printf(a, "%.*s x %.*s", STR(cost_count(a, upto - from)), STR(each))
                          : each;
        used++;
        from = upto;
    }
    return used == 1 ? str_printf(a, "x %.*s", STR(parts[0]))
                     : str_printf(a, "= %.*s", STR(str_join(a, S(" + "), parts, used)));
}

static struct str requests_formula(struct arena *a, const struct cost_row *row)
{
    const struct cost_result *r = &row->r;
    struct str n = cost_count(a, r->invocations), each = price(a, r->prices.request);
    if (r->bill.free_requests > 0)
        return str_printf(a, "(%.*s - %.*s free) x %.*s", STR(n),
                          STR(cost_count(a, r->bill.free_requests)), STR(each));
    return str_printf(a, "%.*s x %.*s", STR(n), STR(each));
}

/* "3,000,000 x 200 ms x 512/1024 GB = 300,000 GB-s" */
static struct str gb_seconds_formula(struct arena *a, const struct cost_row *row, double all)
{
    const struct cost_result *r = &row->r;
    bool mixed = row->measured->mixed_memory && !(row->how.memory_mb > 0);
    struct str n = cost_count(a, r->invocations), sum = cost_count(a, all);
    if (mixed)
        return str_printf(a, "%.*s x %.*s GB-s = %.*s GB-s", STR(n),
                          STR(cost_count(a, r->gb_seconds.value)), STR(sum));
    return str_printf(a, "%.*s x %.*s ms x %.*s/1024 GB = %.*s GB-s", STR(n),
                      STR(cost_count(a, r->billed_ms.value)), STR(cost_count(a, r->memory_mb)),
                      STR(sum));
}

static struct str duration_formula(struct arena *a, const struct cost_row *row)
{
    const struct cost_result *r = &row->r;
    struct str sum = gb_seconds_formula(a, row, r->usage.gb_seconds);
    struct str rate = tiers(a, r->prices.duration, r->prices.n_duration, r->bill.billed_gb_seconds);
    if (r->bill.free_gb_seconds > 0)
        return str_printf(a, "%.*s, - %.*s free, %.*s", STR(sum),
                          STR(cost_count(a, r->bill.free_gb_seconds)), STR(rate));
    return str_printf(a, "%.*s, %.*s", STR(sum), STR(rate));
}

static size_t provisioned_items(struct arena *a, const struct cost_row *row,
                                struct cost_item *items)
{
    const struct cost_result *r = &row->r;
    const struct price_usage *u = &r->usage;
    items[0] = (struct cost_item){
        S("ready"),
        str_printf(a, "%.*s x %.*s/1024 GB x %g h x 3600 s = %.*s GB-s, x %.*s",
                   STR(cost_count(a, row->how.provisioned)), STR(cost_count(a, r->memory_mb)),
                   COST_MONTH_HOURS, STR(cost_count(a, u->provisioned_gb_seconds)),
                   STR(price(a, r->prices.provisioned))),
        u->provisioned_gb_seconds * r->prices.provisioned};
    items[1] = (struct cost_item){
        S("duration"),
        str_printf(a, "%.*s, x %.*s",
                   STR(gb_seconds_formula(a, row, u->provisioned_duration_gb_seconds)),
                   STR(price(a, r->prices.provisioned_duration))),
        u->provisioned_duration_gb_seconds * r->prices.provisioned_duration};
    return 2;
}

size_t cost_items(struct arena *a, const struct cost_row *row, struct cost_item items[6])
{
    const struct cost_result *r = &row->r;
    size_t n = 0;
    items[n++] = (struct cost_item){S("requests"), requests_formula(a, row), r->bill.requests};
    if (row->how.provisioned > 0)
        n += provisioned_items(a, row, items + n);
    else
        items[n++] = (struct cost_item){S("duration"), duration_formula(a, row), r->bill.duration};
    if (r->usage.storage_gb_seconds > 0)
        items[n++] = (struct cost_item){
            S("/tmp"),
            str_printf(a, "%.*s x %.*s ms x (%.*s - 512)/1024 GB = %.*s GB-s, x %.*s",
                       STR(cost_count(a, r->invocations)), STR(cost_count(a, r->billed_ms.value)),
                       STR(cost_count(a, r->storage_mb)),
                       STR(cost_count(a, r->usage.storage_gb_seconds)),
                       STR(price(a, r->prices.storage))),
            r->bill.storage};
    if (row->measured->log_bytes > 0)
        items[n++] = (struct cost_item){
            S("logs"),
            str_printf(a, "%.*s x %.*s bytes = %.*s GB, %.*s", STR(cost_count(a, r->invocations)),
                       STR(cost_count(a, row->measured->log_bytes)),
                       STR(cost_count(a, r->usage.log_gb)),
                       STR(tiers(a, r->prices.logs, r->prices.n_logs, r->usage.log_gb))),
            r->bill.logs};
    return n;
}

size_t cost_notes(struct arena *a, const struct cost_row *row, struct str notes[8])
{
    const struct cost_measured *m = row->measured;
    const struct cost_result *r = &row->r;
    size_t n = 0;
    if (r->invocations_from == COST_WINDOW)
        notes[n++] = str_printf(
            a, "%.*s invocations a month: as often as in the window, %zu in %.*s h",
            STR(cost_count(a, r->invocations)), m->n, STR(cost_count(a, m->window_ms / 3600000)));
    if (r->invocations_from == COST_WINDOW && m->first_ms &&
        (double)(m->first_ms - m->from_ms) > m->window_ms / 2)
        notes[n++] =
            S("nothing was called in the window's first half, so a month may be more: give "
              "--invocations-per-month");
    else if (r->invocations_from == COST_MILLION)
        notes[n++] = S("a million invocations a month, as --invocations-per-month is not given");
    if (r->other_memory)
        notes[n++] = str_printf(
            a,
            "durations as measured at %.*s MB, though they change with memory: measure with "
            "`lamina bench memory`",
            STR(cost_count(a, m->memory_mb)));
    else if (m->mixed_memory)
        notes[n++] = S("REPORT lines of several memory sizes: GB-seconds as they were billed");
    if (r->other_architecture)
        notes[n++] = str_printf(a, "durations as measured on %.*s", STR(m->architecture));
    if (r->architecture_assumed)
        notes[n++] = S("the architecture is not known: x86_64");
    if (r->storage_assumed)
        notes[n++] = S("the size of /tmp is not known: 512 MB, which costs nothing");
    if (m->log_bytes < 0)
        notes[n++] = S("without logs: their size was not measured");
    if (m->n < 30)
        notes[n++] = str_printf(a, "only %zu invocations: the interval is wide%s", m->n,
                                m->n < 2 ? ", and of one alone there is none" : "");
    return n;
}

/* ---- several ---- */

struct figure cost_change(const struct cost_row *now, const struct cost_row *before)
{
    if (!(before->r.total.value > 0))
        return figure_none();
    if (now->measured == before->measured)
        return figure_exact(now->r.total.value / before->r.total.value);
    return stats_ratio(&now->r.total, &before->r.total);
}

struct figure cost_sum(const struct cost_report *report, double *ret_free)
{
    struct figure sum = {0, 0, 0, 0};
    double low = 0, high = 0, requests = 0, request_usd = 0, gb_seconds = 0, duration_usd = 0;
    for (size_t i = 0; i < report->n; i++) {
        const struct cost_result *r = &report->rows[i].r;
        sum.value += r->total.value;
        sum.n += r->total.n;
        low += (r->total.value - r->total.low) * (r->total.value - r->total.low);
        high += (r->total.high - r->total.value) * (r->total.high - r->total.value);
        if (!(r->usage.provisioned_gb_seconds > 0)) { /* those have no free tier */
            requests += r->usage.requests;
            request_usd += r->bill.requests;
        }
        gb_seconds += r->usage.gb_seconds;
        duration_usd += r->bill.duration;
    }
    *ret_free = 0;
    if (report->free_tier && requests > 0)
        *ret_free += fmin(1, PRICE_FREE_REQUESTS / requests) * request_usd;
    if (report->free_tier && gb_seconds > 0)
        *ret_free += fmin(1, PRICE_FREE_GB_SECONDS / gb_seconds) * duration_usd;
    sum.value -= *ret_free;
    sum.low = fmax(0, sum.value - sqrt(low));
    sum.high = sum.value + sqrt(high);
    if (isnan(low))
        sum.low = NAN;
    return sum;
}
