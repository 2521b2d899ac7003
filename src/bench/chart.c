/* chart - axes and marks (chart.h). */
#include "bench/chart.h"
#include <math.h>
#include "base/utf8.h"

void html_escape(struct buf *b, struct str s)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str clean = bench_clean(&a, s, 2000);
    for (size_t i = 0; i < clean.n; i++) {
        char ch = clean.p[i];
        if (ch == '&' || ch == '<' || ch == '>' || ch == '"' || ch == '\'')
            buf_printf(b, "&#%d;", ch);
        else
            buf_byte(b, ch);
    }
}

/* ---- axes ---- */

struct axis axis_of(double from, double to, bool log, double at, double size)
{
    if (log) {
        from = from > 0 ? from : 1e-6;
        if (!(to > from * 1.05)) {
            from /= 1.5;
            to = from * 2.25;
        }
    } else if (!(to > from)) {
        to = from + (from > 0 ? from * 0.1 : 1);
    }
    return (struct axis){from, to, log, at, size};
}

double axis_at(const struct axis *x, double v)
{
    v = v < x->from ? x->from : v > x->to ? x->to : v;
    double share =
        x->log ? log(v / x->from) / log(x->to / x->from) : (v - x->from) / (x->to - x->from);
    return x->at + x->size * share;
}

static size_t log_ticks(const struct axis *x, double *ret, size_t max, const double *steps,
                        size_t n_steps)
{
    size_t n = 0;
    for (double decade = pow(10, floor(log10(x->from))); decade <= x->to; decade *= 10)
        for (size_t i = 0; i < n_steps; i++) {
            double v = decade * steps[i];
            if (v < x->from * 0.9999 || v > x->to * 1.0001)
                continue;
            if (n == max)
                return max + 1;
            ret[n++] = v;
        }
    return n;
}

static size_t linear_ticks(const struct axis *x, double *ret, size_t max)
{
    double rough = (x->to - x->from) / (double)max, unit = pow(10, floor(log10(rough)));
    double step = unit * (rough / unit <= 1   ? 1
                          : rough / unit <= 2 ? 2
                          : rough / unit <= 5 ? 5
                                              : 10);
    size_t n = 0;
    for (double v = ceil(x->from / step - 1e-9) * step; v <= x->to * (1 + 1e-9) && n < max;
         v += step)
        ret[n++] = fabs(v) < step / 1e6 ? 0 : v;
    return n;
}

size_t chart_ticks(const struct axis *x, double *ret, size_t max)
{
    static const double fine[] = {1, 1.5, 2, 3, 5, 7}, few[] = {1, 2, 5}, one[] = {1};
    if (!x->log)
        return linear_ticks(x, ret, max);
    size_t n = log_ticks(x, ret, max, fine, 6);
    if (n > max)
        n = log_ticks(x, ret, max, few, 3);
    if (n > max)
        n = log_ticks(x, ret, max, one, 1);
    if (n >= 2 && n <= max)
        return n;
    struct axis plain = *x;
    return linear_ticks(&plain, ret, max);
}

struct str chart_value(struct arena *a, double v, enum chart_unit unit)
{
    switch (unit) {
    case CHART_MS:
        if (v == 0)
            return S("0");
        if (v < 1)
            return str_printf(a, "%.4g µs", v * 1e3);
        return v < 1000 ? str_printf(a, "%.4g ms", v) : str_printf(a, "%.4g s", v / 1e3);
    case CHART_SECONDS:
        return v < 600 ? str_printf(a, "%.4g s", v)
                       : str_printf(a, "%d:%02d min", (int)v / 60, (int)v % 60);
    case CHART_USD:
        return str_printf(a, "$%.3g", v);
    case CHART_MB:
        return str_printf(a, "%.0f MB", v);
    case CHART_ODDS: /* 1 / (1 - p) */
        return v < 1.5 ? S("0 %")
                       : str_printf(a, "%.*f %%",
                                    v < 15      ? 0
                                    : v < 150   ? 0
                                    : v < 1500  ? 1
                                    : v < 15000 ? 2
                                                : 3,
                                    100 * (1 - 1 / v));
    default:
        return v >= 1e6   ? str_printf(a, "%.4gM", v / 1e6)
               : v >= 1e4 ? str_printf(a, "%.4gk", v / 1e3)
                          : str_printf(a, "%.4g", v);
    }
}

/* ---- the frame ---- */

void chart_begin(struct chart *c, struct str title, struct str sentence, const char *classes)
{
    buf_printf(c->b, "<figure class=\"%s\"><figcaption><h2>", classes);
    html_escape(c->b, title);
    buf_text(c->b, "</h2><p>");
    html_escape(c->b, sentence);
    buf_text(c->b, "</p></figcaption>\n<div class=\"scroll\">");
    buf_printf(c->b, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"", c->width,
               c->height);
    html_escape(c->b, title);
    buf_text(c->b, "\">\n");
}

void chart_end(struct chart *c)
{
    buf_text(c->b, "</svg></div></figure>\n");
}

void chart_x_axis(struct chart *c, enum chart_unit unit, const char *name)
{
    double ticks[12], bottom = c->y.at, top = c->y.at + c->y.size;
    size_t n = chart_ticks(&c->x, ticks, c->x.size > 800 ? 12 : 8);
    double last = -1e9;
    for (size_t i = 0; i < n; i++) {
        double x = axis_at(&c->x, ticks[i]);
        chart_line(c, "grid", x, bottom, x, top);
        if (x - last < 44)
            continue;
        chart_text(c, "tick", "middle", x, bottom + 16, chart_value(c->a, ticks[i], unit));
        last = x;
    }
    chart_line(c, "axis", c->x.at, bottom, c->x.at + c->x.size, bottom);
    chart_text(c, "label", "end", c->x.at + c->x.size, bottom + 32, str_from(name));
}

void chart_y_axis(struct chart *c, enum chart_unit unit, const char *name)
{
    double ticks[8];
    size_t n = chart_ticks(&c->y, ticks, 7);
    for (size_t i = 0; i < n; i++) {
        double y = axis_at(&c->y, ticks[i]);
        if (unit == CHART_COUNT && ticks[i] != floor(ticks[i]))
            continue;
        chart_line(c, "grid", c->x.at, y, c->x.at + c->x.size, y);
        chart_text(c, "tick", "end", c->x.at - 6, y + 4, chart_value(c->a, ticks[i], unit));
    }
    chart_text(c, "label", "start", 4, c->y.at + c->y.size - 10, str_from(name));
}

void chart_y_axis_right(struct chart *c, const struct axis *y, enum chart_unit unit,
                        const char *name)
{
    double ticks[8];
    size_t n = chart_ticks(y, ticks, 7);
    for (size_t i = 0; i < n; i++)
        chart_text(c, "tick", "start", c->x.at + c->x.size + 6, axis_at(y, ticks[i]) + 4,
                   chart_value(c->a, ticks[i], unit));
    chart_text(c, "label", "end", c->width - 4, y->at + y->size - 10, str_from(name));
}

/* ---- marks ---- */

void chart_rect(struct chart *c, const char *class, double x, double y, double w, double h)
{
    buf_printf(c->b, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
               class, x, y, w > 0 ? w : 0, h > 0 ? h : 0);
}

void chart_line(struct chart *c, const char *class, double x1, double y1, double x2, double y2)
{
    buf_printf(c->b, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
               class, x1, y1, x2, y2);
}

void chart_circle(struct chart *c, const char *class, double x, double y, double r)
{
    buf_printf(c->b, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>\n", class, x, y, r);
}

void chart_text(struct chart *c, const char *class, const char *anchor, double x, double y,
                struct str text)
{
    buf_printf(c->b, "<text class=\"%s\" text-anchor=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, anchor,
               x, y);
    html_escape(c->b, text);
    buf_text(c->b, "</text>\n");
}

void chart_tip(struct chart *c, struct str text)
{
    buf_text(c->b, "<g class=\"tip\"><title>");
    html_escape(c->b, text);
    buf_text(c->b, "</title>");
}

void chart_tip_end(struct chart *c)
{
    buf_text(c->b, "</g>\n");
}
