/* chart - axes and marks of SVG pictures in a page (output_html.c).
 *
 * Colours are classes of html/bench.css, so that a picture is light or dark as its page is; there
 * are no style attributes, which the page's policy forbids. Numbers are written with one digit: a
 * tenth of a pixel. */
#pragma once
#include "base/buf.h"
#include "bench/output.h"

struct axis {
    double from, to; /* values; to > from */
    bool log;
    double at, size; /* pixels; a negative size runs upwards */
};
/* An axis over [from, to], widened where both are (almost) the same. */
struct axis axis_of(double from, double to, bool log, double at, double size);
double axis_at(const struct axis *x, double value); /* clipped to the axis */

struct chart {
    struct buf *b;
    struct arena *a;
    double width, height;
    struct axis x, y;
};
/* <figure>, its title and one sentence, and an <svg> of the chart's size. Texts are escaped. */
void chart_begin(struct chart *c, struct str title, struct str sentence, const char *classes);
void chart_end(struct chart *c);

enum chart_unit { CHART_MS, CHART_SECONDS, CHART_COUNT, CHART_USD, CHART_MB, CHART_ODDS };
struct str chart_value(struct arena *a, double value, enum chart_unit unit);
/* Ticks, their lines and words. y_right: at the right edge instead of the left one. */
void chart_x_axis(struct chart *c, enum chart_unit unit, const char *name);
void chart_y_axis(struct chart *c, enum chart_unit unit, const char *name);
void chart_y_axis_right(struct chart *c, const struct axis *y, enum chart_unit unit,
                        const char *name);

void chart_rect(struct chart *c, const char *class, double x, double y, double w, double h);
void chart_line(struct chart *c, const char *class, double x1, double y1, double x2, double y2);
void chart_circle(struct chart *c, const char *class, double x, double y, double r);
/* anchor: "start", "middle", "end". */
void chart_text(struct chart *c, const char *class, const char *anchor, double x, double y,
                struct str text);
/* <title> for the next mark, inside a <g> that chart_tip_end() closes: a tooltip without script. */
void chart_tip(struct chart *c, struct str text);
void chart_tip_end(struct chart *c);

/* Round values in [from, to], at most `max`; returns how many. */
size_t chart_ticks(const struct axis *x, double *ret, size_t max);

void html_escape(struct buf *b, struct str s); /* also for attributes in quotes */

/* The pictures of a report, one function each; nothing when the run has no such data. */
void chart_histogram(struct buf *b, const struct bench_summary *sum);
void chart_percentiles(struct buf *b, const struct bench_summary *sum);
void chart_timeline(struct buf *b, const struct bench_summary *sum);
void chart_gantt(struct buf *b, const struct bench_summary *sum);
void chart_phases(struct buf *b, const struct bench_summary *sum);
void chart_sweep(struct buf *b, const struct bench_summary *sum);
void chart_compare(struct buf *b, const struct bench_summary *sum);
void chart_stages(struct buf *b, const struct bench_summary *sum);
