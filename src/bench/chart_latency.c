/* chart_latency - how latencies are distributed: histogram, percentiles, parts (chart.h). */
#include <math.h>
#include "base/cleanup.h"
#include "bench/chart.h"
#include "bench/gate_parts.h"

#define CLASSES 56 /* at most; fewer requests are divided less finely */

/* ---- histogram ---- */

struct classes {
    double low, step; /* of a logarithmic scale, ms */
    int n;
    uint64_t cold[CLASSES], warm[CLASSES], most;
};

static void classify(const struct histogram *h, const struct classes *k, uint64_t *counts)
{
    for (size_t i = 0; h && i < h->n_counts; i++) {
        int64_t from, to;
        uint64_t n = histogram_bucket(h, i, &from, &to);
        if (!n)
            continue;
        double ms = fmax(((double)from + (double)(to - from) / 2) / 1e6, 1e-6);
        double at = floor(log(ms / k->low) / k->step);
        counts[at < 0 ? 0 : at >= k->n ? k->n - 1 : (int)at] += n;
    }
}

static void bars(struct chart *c, const struct classes *k)
{
    for (int i = 0; i < k->n; i++) {
        uint64_t n = k->cold[i] + k->warm[i];
        if (!n)
            continue;
        double from = k->low * exp(k->step * i), to = k->low * exp(k->step * (i + 1));
        double x = axis_at(&c->x, from), w = axis_at(&c->x, to) - x - 0.6;
        double base = c->y.at, warm = axis_at(&c->y, (double)k->warm[i]),
               top = axis_at(&c->y, (double)n);
        top = base - top < 1 ? base - 1 : top; /* one is seen, too */
        chart_tip(c, str_printf(c->a, "%.*s to %.*s: %.*s requests (%.*s cold)",
                                STR(bench_ms(c->a, from)), STR(bench_ms(c->a, to)),
                                STR(bench_count(c->a, n)), STR(bench_count(c->a, k->cold[i]))));
        if (k->warm[i])
            chart_rect(c, "warm", x, k->cold[i] ? warm : top, w, base - (k->cold[i] ? warm : top));
        if (k->cold[i])
            chart_rect(c, "cold", x, top, w, (k->warm[i] ? warm : base) - top);
        chart_tip_end(c);
    }
}

/* A line at a percentile, its interval as a band; their words on different heights. */
static void mark(struct chart *c, const char *name, const struct figure *f, double y)
{
    double x = axis_at(&c->x, f->value), top = c->y.at + c->y.size;
    double low = isnan(f->low) ? c->x.from : f->low, high = isnan(f->high) ? c->x.to : f->high;
    chart_tip(c, str_printf(c->a, "%s %.*s, 95 %%: %.*s", name, STR(bench_ms(c->a, f->value)),
                            STR(bench_interval(c->a, f, GATE_MS))));
    if (!isnan(f->low) || !isnan(f->high)) /* with neither there is no interval: no band */
        chart_rect(c, "band", axis_at(&c->x, low), top,
                   fmax(axis_at(&c->x, high) - axis_at(&c->x, low), 1), c->y.at - top);
    chart_line(c, "mark", x, c->y.at, x, top);
    chart_tip_end(c);
    bool right = x < c->x.at + c->x.size - 110;
    chart_text(c, "marked", right ? "start" : "end", x + (right ? 4 : -4), y,
               str_printf(c->a, "%s %.*s", name, STR(bench_ms(c->a, f->value))));
}

static void legend(struct chart *c, bool cold, bool warm)
{
    double x = c->x.at + c->x.size;
    if (cold) {
        chart_text(c, "label", "end", x, 14, S("cold"));
        chart_rect(c, "cold", x - 42, 5, 9, 9);
        x -= 58;
    }
    if (warm) {
        chart_text(c, "label", "end", x, 14, S("warm"));
        chart_rect(c, "warm", x - 48, 5, 9, 9);
    }
}

void chart_histogram(struct buf *b, const struct bench_summary *sum)
{
    const struct bench_group *g = &sum->all;
    const struct bench_spread *s = &g->all.latency;
    if (!s->n || gate_by_series(sum))
        return; /* several sizes in one histogram say nothing */
    auto_arena struct arena a;
    arena_init(&a);
    struct chart c = {.b = b, .a = &a, .width = 640, .height = 320};
    c.x = axis_of(s->min * 0.97, s->max * 1.03, true, 52, 572);
    struct classes k = {.low = c.x.from, .most = 1};
    k.n = (int)fmin(CLASSES, fmax(10, 4 * cbrt((double)s->n)));
    k.step = log(c.x.to / c.x.from) / k.n;
    classify(g->cold.histogram, &k, k.cold);
    classify(g->warm.histogram, &k, k.warm);
    for (int i = 0; i < k.n; i++)
        k.most = k.cold[i] + k.warm[i] > k.most ? k.cold[i] + k.warm[i] : k.most;
    c.y = axis_of(0, (double)k.most * 1.08, false, 274, -236);
    chart_begin(&c, S("Latency"),
                S("Requests by latency, on a logarithmic scale. Bands are 95 % intervals."),
                "half");
    chart_y_axis(&c, CHART_COUNT, "requests");
    chart_x_axis(&c, CHART_MS, "latency");
    bars(&c, &k);
    mark(&c, "p50", &s->p50, 52);
    mark(&c, "p99", &s->p99, 70);
    legend(&c, g->cold.latency.n > 0, g->warm.latency.n > 0);
    chart_end(&c);
}

/* ---- percentiles ---- */

static void curve(struct chart *c, const char *class, const struct histogram *h)
{
    if (!h || !h->total)
        return;
    uint64_t seen = 0;
    bool first = true;
    double drawn = -10;
    buf_printf(c->b, "<path class=\"curve %s\" d=\"", class);
    for (size_t i = 0; i < h->n_counts && seen < h->total; i++) {
        int64_t from, to;
        uint64_t n = histogram_bucket(h, i, &from, &to);
        if (!n)
            continue;
        seen += n;
        double odds =
            seen < h->total ? (double)h->total / (double)(h->total - seen) : 2 * (double)h->total;
        double x = axis_at(&c->x, odds);
        if (x - drawn < 0.7 && seen < h->total)
            continue; /* the next one stands at the same pixel */
        double ms = (double)(to > h->max ? h->max : to) / 1e6;
        buf_printf(c->b, "%s%.1f %.1f", first ? "M" : "L", first ? c->x.at : x,
                   axis_at(&c->y, first ? (double)h->min / 1e6 : ms));
        if (first)
            buf_printf(c->b, "L%.1f %.1f", x, axis_at(&c->y, ms));
        first = false;
        drawn = x;
    }
    buf_text(c->b, "\"/>\n");
}

static void odds_axis(struct chart *c)
{
    static const double odds[] = {1, 2, 4, 10, 20, 100, 1000, 10000, 100000, 1000000};
    static const char *const names[] = {"0 %",  "50 %",   "75 %",    "90 %",     "95 %",
                                        "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %"};
    double top = c->y.at + c->y.size, last = -100;
    for (size_t i = 0; i < ARRAY_LEN(odds); i++) {
        if (odds[i] > c->x.to)
            break;
        double x = axis_at(&c->x, odds[i]);
        chart_line(c, "grid", x, c->y.at, x, top);
        if (x - last < 44)
            continue;
        chart_text(c, "tick", "middle", x, c->y.at + 16, str_from(names[i]));
        last = x;
    }
    chart_line(c, "axis", c->x.at, c->y.at, c->x.at + c->x.size, c->y.at);
    chart_text(c, "label", "end", c->x.at + c->x.size, c->y.at + 32, S("percentile, as 1/(1 - p)"));
}

static struct histogram *uncorrected(struct arena *a, const struct bench_run *run)
{
    struct histogram *h = histogram_new(a);
    for (size_t i = 0; i < run->n_samples; i++)
        if (run->samples[i].outcome == BENCH_OK)
            histogram_record(h, run->samples[i].done_ns - run->samples[i].sent_ns, 1);
    return h;
}

struct named_curve {
    const char *class;
    struct str name;
    const struct histogram *h;
};

static void key_row(struct chart *c, const struct named_curve *curves, size_t n)
{
    double x = c->x.at + 8;
    for (size_t i = 0; i < n; i++) {
        struct str name = bench_clean(c->a, curves[i].name, 22);
        buf_printf(c->b, "<path class=\"curve %s\" d=\"M%.1f 10h18\"/>", curves[i].class, x + 60);
        chart_text(c, "label", "start", x + 83, 14, name);
        x += 38 + 6.9 * (double)name.n;
    }
}

static void draw_curves(struct buf *b, struct arena *a, const struct named_curve *curves, size_t n,
                        const char *sentence, bool full)
{
    double low = INFINITY, high = 0;
    uint64_t most = 2;
    for (size_t i = 0; i < n; i++) {
        low = fmin(low, (double)curves[i].h->min / 1e6);
        high = fmax(high, (double)curves[i].h->max / 1e6);
        most = curves[i].h->total > most ? curves[i].h->total : most;
    }
    struct chart c = {.b = b, .a = a, .width = full ? 1100 : 640, .height = 320};
    c.x = axis_of(1, 2 * (double)most, true, 56, c.width - 84);
    c.y = axis_of(low * 0.9, high * 1.1, true, 274, -236);
    chart_begin(&c, S("Percentiles"), str_from(sentence), full ? "full" : "half");
    chart_y_axis(&c, CHART_MS, "latency");
    odds_axis(&c);
    for (size_t i = 0; i < n; i++)
        curve(&c, curves[i].class, curves[i].h);
    key_row(&c, curves, n);
    chart_end(&c);
}

void chart_percentiles(struct buf *b, const struct bench_summary *sum)
{
    static const char *const classes[] = {"s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"};
    const struct bench_group *g = &sum->all;
    auto_arena struct arena a;
    arena_init(&a);
    struct named_curve curves[8];
    size_t n = 0;
    bool apart = !str_is(sum->run->mode, "cold"); /* its series are its populations */
    for (size_t i = 0; apart && i < sum->n_groups && n < ARRAY_LEN(curves); i++)
        if (sum->groups[i].all.histogram) {
            curves[n] =
                (struct named_curve){classes[n], sum->groups[i].name, sum->groups[i].all.histogram};
            n++;
        }
    if (n < 2) {
        n = 0;
        if (g->all.histogram)
            curves[n++] = (struct named_curve){"total", S("all"), g->all.histogram};
        if (g->warm.histogram && g->cold.histogram) {
            curves[n++] = (struct named_curve){"warm", S("warm"), g->warm.histogram};
            curves[n++] = (struct named_curve){"cold", S("cold"), g->cold.histogram};
        }
        if (sum->open && g->all.histogram)
            curves[n++] =
                (struct named_curve){"dashed", S("from when it left"), uncorrected(&a, sum->run)};
    }
    if (n)
        draw_curves(b, &a, curves, n,
                    sum->open ? "Latency from when a request was due; dashed: from when it left."
                              : "How long a share of the requests took at most.",
                    str_is(sum->run->mode, "memory"));
}

/* ---- parts ---- */

static const char *const part_classes[BENCH_PHASES] = {"p0", "p1", "p2", "p3",
                                                       "p4", "p5", "p6", "p7"};

static void part_bar(struct chart *c, const struct bench_population *p, struct str name, double y)
{
    double x = c->x.at;
    chart_text(c, "name", "start", 4, y + 15, bench_clean(c->a, name, 17));
    chart_text(c, "tick", "start", 4, y + 30, bench_ms(c->a, p->phased_ms));
    for (int i = 0; i < BENCH_PHASES; i++) {
        double share = fmax(p->part_ms[i], 0) / p->phased_ms, w = share * c->x.size;
        if (!(w >= 0.05))
            continue;
        w = fmin(w, c->x.at + c->x.size - x);
        chart_tip(c, str_printf(c->a, "%.*s, %s: mean %.*s, %.1f %%; p50 %.*s, p99 %.*s",
                                STR(bench_clean(c->a, name, 40)), bench_phase_names[i],
                                STR(bench_ms(c->a, p->part_ms[i])), share * 100,
                                STR(bench_ms(c->a, p->phases[i].p50.value)),
                                STR(bench_ms(c->a, p->phases[i].p99.value))));
        chart_rect(c, part_classes[i], x, y, fmax(w - 0.8, 0.6), 34);
        if (w > 60)
            chart_text(c, "inside", "middle", x + w / 2, y + 21, bench_ms(c->a, p->part_ms[i]));
        chart_tip_end(c);
        x += w;
    }
}

static void part_key(struct chart *c, const struct bench_population *p)
{
    double x = c->x.at;
    for (int i = 0; i < BENCH_PHASES; i++) {
        if (p->part_ms[i] <= 0)
            continue;
        chart_rect(c, part_classes[i], x, 7, 10, 10);
        chart_text(c, "label", "start", x + 15, 16, str_from(bench_phase_names[i]));
        x += 30 + 7.5 * (double)strlen(bench_phase_names[i]);
    }
}

void chart_phases(struct buf *b, const struct bench_summary *sum)
{
    const struct bench_group *g = &sum->all;
    if (!g->all.phased)
        return;
    auto_arena struct arena a;
    arena_init(&a);
    size_t n = 0;
    const struct bench_population **bars =
        ARENA_ARRAY(&a, const struct bench_population *, sum->n_groups + 2);
    struct str *names = ARENA_ARRAY(&a, struct str, sum->n_groups + 2);
    for (size_t i = 0; gate_by_series(sum) && i < sum->n_groups; i++) {
        bars[n] = &sum->groups[i].all;
        names[n++] = sum->groups[i].name;
    }
    if (!n) {
        bars[0] = &g->cold;
        names[0] = S("cold");
        bars[1] = &g->warm;
        names[1] = S("warm");
        n = 2;
    }
    size_t known = 0;
    for (size_t i = 0; i < n; i++)
        known += bars[i]->phased > 0;
    struct chart c = {.b = b,
                      .a = &a,
                      .width = 1100,
                      .height = 36 + 52 * (double)known,
                      .x = {.at = 128, .size = 962}};
    chart_begin(&c, S("Where the time goes"),
                S("Means of the parts of a request, as shares of its latency; \"rest\" is what no "
                  "part explains: network, client, service."),
                "full");
    double y = 34;
    for (size_t i = 0; i < n; i++) {
        if (!bars[i]->phased)
            continue;
        part_bar(&c, bars[i], names[i], y);
        y += 52;
    }
    part_key(&c, &g->all);
    chart_end(&c);
}
