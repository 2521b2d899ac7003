/* chart_series - series against each other: memory sizes, A and B (chart.h). */
#include <math.h>
#include "base/cleanup.h"
#include "bench/chart.h"

/* ---- memory sizes ---- */

struct point {
    double mb;
    struct figure time, cost;
    bool beyond, front;
    const char *label;
};

/* The mean of handler and init has the interval of the mean latency, as its share. */
static struct figure sweep_time(const struct bench_group *g)
{
    struct figure f = g->all.latency.mean;
    double time = bench_sweep_time(g);
    if (!(f.value > 0) || isnan(time))
        return figure_none();
    return figure_scale(&f, time / f.value);
}

static size_t collect(struct arena *a, const struct bench_summary *sum, struct point *points)
{
    struct bench_choice choice;
    size_t n = 0;
    if (!bench_choose(a, sum, &choice))
        return 0;
    for (size_t i = 0; i < sum->n_groups; i++) {
        const struct bench_group *g = &sum->groups[i];
        struct point p = {g->memory_mb,    sweep_time(g), g->all.cost, g->series->extrapolated,
                          choice.front[i], NULL};
        if (!figure_known(&p.time) || !figure_known(&p.cost) || p.mb <= 0)
            continue;
        p.label = i == choice.cheapest && i == choice.fastest
                      ? *choice.cheapest_mark || *choice.fastest_mark ? "cheapest and fastest?"
                                                                      : "cheapest and fastest"
                  : i == choice.cheapest ? *choice.cheapest_mark ? "cheapest?" : "cheapest"
                  : i == choice.fastest  ? *choice.fastest_mark ? "fastest?" : "fastest"
                  : i == choice.balanced ? *choice.balanced_mark ? "balanced?" : "balanced"
                                         : NULL;
        points[n++] = p;
    }
    return n;
}

static double end_of(const struct figure *f, bool high)
{
    double v = high ? f->high : f->low;
    return isnan(v) ? f->value : v;
}

static struct axis axis_over(const struct point *points, size_t n, bool cost)
{
    double low = INFINITY, high = 0;
    for (size_t i = 0; i < n; i++) {
        const struct figure *f = cost ? &points[i].cost : &points[i].time;
        low = fmin(low, end_of(f, false));
        high = fmax(high, end_of(f, true));
    }
    bool log = low > 0 && high / low > 12;
    return axis_of(log ? low * 0.85 : 0, high * (log ? 1.2 : 1.1), log, 300, -256);
}

static void series_curve(struct chart *c, const struct point *points, size_t n, bool cost,
                         const struct axis *y)
{
    buf_printf(c->b, "<path class=\"%s\" d=\"", cost ? "costband" : "timeband");
    for (size_t i = 0; i < 2 * n; i++) {
        size_t k = i < n ? i : 2 * n - 1 - i;
        const struct figure *f = cost ? &points[k].cost : &points[k].time;
        buf_printf(c->b, "%s%.1f %.1f", i ? "L" : "M", axis_at(&c->x, points[k].mb),
                   axis_at(y, end_of(f, i < n)));
    }
    buf_printf(c->b, "Z\"/>\n<path class=\"curve %s\" d=\"", cost ? "cost" : "time");
    for (size_t i = 0; i < n; i++) {
        const struct figure *f = cost ? &points[i].cost : &points[i].time;
        buf_printf(c->b, "%s%.1f %.1f", i ? "L" : "M", axis_at(&c->x, points[i].mb),
                   axis_at(y, f->value));
    }
    buf_text(c->b, "\"/>\n");
    for (size_t i = 0; i < n; i++) {
        const struct figure *f = cost ? &points[i].cost : &points[i].time;
        chart_tip(c, str_printf(c->a, "%.0f MB: %.*s (%.*s), %.*s a million%s", points[i].mb,
                                STR(bench_ms(c->a, points[i].time.value)),
                                STR(bench_interval(c->a, &points[i].time, GATE_MS)),
                                STR(gate_value(c->a, points[i].cost.value, GATE_USD)),
                                points[i].beyond ? "; beyond this machine" : ""));
        chart_circle(c,
                     points[i].beyond ? "hollow"
                     : cost           ? "costdot"
                                      : "timedot",
                     axis_at(&c->x, points[i].mb), axis_at(y, f->value), 4);
        chart_tip_end(c);
    }
}

static void size_axis(struct chart *c, const struct point *points, size_t n)
{
    double last = -100;
    for (size_t i = 0; i < n; i++) {
        double x = axis_at(&c->x, points[i].mb);
        chart_line(c, "grid", x, 300, x, 44);
        if (x - last >= 40)
            chart_text(c, "tick", "middle", x, 316, str_printf(c->a, "%.0f", points[i].mb));
        last = x - last >= 40 ? x : last;
        if (points[i].front)
            chart_text(c, "front", "middle", x, 332, S("●"));
        if (points[i].label)
            chart_text(c, "marked",
                       i + 1 == n ? "end"
                       : i        ? "middle"
                                  : "start",
                       x, 38, str_from(points[i].label));
    }
    chart_line(c, "axis", c->x.at, 300, c->x.at + c->x.size, 300);
    chart_text(c, "label", "end", c->x.at + c->x.size, 348,
               S("memory, MB; ● no other size is both cheaper and faster"));
}

void chart_sweep(struct buf *b, const struct bench_summary *sum)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct point *points = ARENA_ARRAY(&a, struct point, sum->n_groups + 1);
    size_t n = collect(&a, sum, points);
    if (n < 2)
        return;
    struct chart c = {.b = b, .a = &a, .width = 1100, .height = 356};
    double low = INFINITY, high = 0;
    for (size_t i = 0; i < n; i++) {
        low = fmin(low, points[i].mb);
        high = fmax(high, points[i].mb);
    }
    c.x = axis_of(low, high, true, 70, 960);
    c.y = axis_over(points, n, false);
    struct axis cost = axis_over(points, n, true);
    chart_begin(
        &c, S("Memory: time and cost"),
        S("Mean time (handler and init) and cost of a million invocations, with 95 % bands. "
          "Hollow: beyond this machine."),
        "full");
    size_axis(&c, points, n);
    chart_y_axis(&c, CHART_MS, "time");
    chart_y_axis_right(&c, &cost, CHART_USD, "cost a million");
    series_curve(&c, points, n, true, &cost);
    series_curve(&c, points, n, false, &c.y);
    buf_printf(b, "<path class=\"curve time\" d=\"M40 31h18\"/><path class=\"curve cost\" "
                  "d=\"M990 31h18\"/>\n");
    chart_end(&c);
}

/* ---- A and B ---- */

struct contrast_row {
    struct str name;
    struct figure ratio;
};

static size_t ratios(struct arena *a, const struct bench_group *base, const struct bench_group *g,
                     struct contrast_row *rows)
{
    const struct {
        const char *name;
        const struct figure *of, *to;
    } pairs[] = {
        {"p50", &g->all.latency.p50, &base->all.latency.p50},
        {"p90", &g->all.latency.p90, &base->all.latency.p90},
        {"p99", &g->all.latency.p99, &base->all.latency.p99},
        {"mean", &g->all.latency.mean, &base->all.latency.mean},
        {"cold p50", &g->cold.latency.p50, &base->cold.latency.p50},
        {"billed, mean", &g->all.billed.mean, &base->all.billed.mean},
        {"cost", &g->all.cost, &base->all.cost},
    };
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct figure r = pairs[i].of->n && pairs[i].to->n ? stats_ratio(pairs[i].of, pairs[i].to)
                                                           : figure_none();
        if (figure_known(&r))
            rows[n++] = (struct contrast_row){str_copy(a, str_from(pairs[i].name)), r};
    }
    return n;
}

static void ratio_row(struct chart *c, const struct contrast_row *r, double y)
{
    double low = isnan(r->ratio.low) ? c->x.from : r->ratio.low,
           high = isnan(r->ratio.high) ? c->x.to : r->ratio.high;
    const char *class = r->ratio.low > 1 ? "worse" : r->ratio.high < 1 ? "better" : "same";
    chart_text(c, "name", "end", c->x.at - 10, y + 4, r->name);
    chart_tip(c, str_printf(c->a, "%.*s: %.3f times (%.3f to %.3f)", STR(r->name), r->ratio.value,
                            low, high));
    chart_rect(c, class, axis_at(&c->x, low), y - 2,
               fmax(axis_at(&c->x, high) - axis_at(&c->x, low), 1), 4);
    chart_circle(c, class, axis_at(&c->x, r->ratio.value), y, 5);
    chart_tip_end(c);
    chart_text(c, "tick", "start", c->x.at + c->x.size + 10, y + 4,
               str_printf(c->a, "%+.1f %%", 100 * (r->ratio.value - 1)));
}

void chart_compare(struct buf *b, const struct bench_summary *sum)
{
    if (sum->n_groups != 2 || !str_is(sum->run->mode, "compare"))
        return;
    auto_arena struct arena a;
    arena_init(&a);
    struct contrast_row rows[8];
    size_t n = ratios(&a, &sum->groups[0], &sum->groups[1], rows);
    double reach = 1.05;
    for (size_t i = 0; i < n; i++) {
        reach = fmax(reach, fmax(rows[i].ratio.value, 1 / rows[i].ratio.value));
        if (rows[i].ratio.high > 0)
            reach = fmax(reach, fmin(rows[i].ratio.high, 20));
        if (rows[i].ratio.low > 0)
            reach = fmax(reach, fmin(1 / rows[i].ratio.low, 20));
    }
    if (!n)
        return;
    double bottom = 24 + 26 * (double)n;
    struct chart c = {.b = b, .a = &a, .width = 640, .height = bottom + 40};
    c.x = axis_of(1 / (reach * 1.05), reach * 1.05, true, 100, 460);
    c.y = (struct axis){0, 1, false, bottom, 20 - bottom};
    chart_begin(&c,
                str_printf(&a, "%.*s against %.*s", STR(bench_clean(&a, sum->groups[1].name, 40)),
                           STR(bench_clean(&a, sum->groups[0].name, 40))),
                S("Ratios with 95 % intervals: one that does not reach over 1 is a difference that "
                  "is shown."),
                "half");
    double ticks[12];
    size_t n_ticks = chart_ticks(&c.x, ticks, 6);
    for (size_t i = 0; i < n_ticks; i++) {
        double x = axis_at(&c.x, ticks[i]);
        chart_line(&c, "grid", x, bottom, x, 14);
        chart_text(&c, "tick", "middle", x, bottom + 16, str_printf(&a, "× %.3g", ticks[i]));
    }
    chart_line(&c, "mark", axis_at(&c.x, 1), bottom, axis_at(&c.x, 1), 14);
    for (size_t i = 0; i < n; i++)
        ratio_row(&c, &rows[i], 30 + 26 * (double)i);
    chart_end(&c);
}
