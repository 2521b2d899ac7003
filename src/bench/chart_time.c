/* chart_time - a run along its time: every request, concurrency, environments, stages (chart.h). */
#include <math.h>
#include "base/cleanup.h"
#include "base/mem.h"
#include "bench/chart.h"

#define COLUMNS 500 /* cells of the timeline: in one cell dots are one dot */
#define ROWS 120
#define MANY 200000 /* from so many requests on, cells are twice as wide and high */
#define GANTT_ROWS 40

/* ---- timeline ---- */

enum dot { DOT_WARM, DOT_COLD, DOT_FAILED, DOT_THROTTLED, DOTS };
static const char *const dot_classes[DOTS] = {"dots warm", "dots cold", "dots failed",
                                              "dots throttled"};
static const char *const dot_names[DOTS] = {"warm", "cold", "failed", "throttled"};

static enum dot dot_of(const struct bench_sample *s)
{
    if (s->outcome == BENCH_THROTTLED)
        return DOT_THROTTLED;
    return s->outcome != BENCH_OK ? DOT_FAILED : s->cold ? DOT_COLD : DOT_WARM;
}

/* The dots of a kind as one path of strokes without length, which round caps make dots. */
static size_t dots(struct chart *c, const struct bench_run *run, enum dot kind, size_t *ret_drawn)
{
    auto_free unsigned char *taken = mem_zalloc(COLUMNS * ROWS);
    size_t n = 0;
    int columns = run->n_samples < MANY ? COLUMNS : COLUMNS / 2;
    int rows = run->n_samples < MANY ? ROWS : ROWS / 2;
    for (size_t i = 0; i < run->n_samples; i++) {
        const struct bench_sample *s = &run->samples[i];
        if (dot_of(s) != kind)
            continue;
        double x = axis_at(&c->x, (double)s->due_ns / 1e9);
        double y = axis_at(&c->y, fmax((double)(s->done_ns - s->due_ns) / 1e6, 1e-6));
        int column = (int)((x - c->x.at) / c->x.size * (columns - 1));
        int row = (int)((y - c->y.at) / c->y.size * (rows - 1));
        unsigned char *cell = &taken[column * rows + row];
        if (!n++)
            buf_printf(c->b, "<path class=\"%s\" d=\"", dot_classes[kind]);
        if (*cell)
            continue;
        *cell = 1;
        ++*ret_drawn;
        buf_printf(c->b, "M%.1f %.1fh0", x, y);
    }
    if (n)
        buf_text(c->b, "\"/>\n");
    return n;
}

/* Requests under way, the most in each column. */
static void concurrency(struct arena *a, const struct bench_run *run, const struct axis *time,
                        double *ret)
{
    size_t n = run->n_samples;
    double *sent = arena_alloc(a, (n + 1) * sizeof(*sent));
    double *done = arena_alloc(a, (n + 1) * sizeof(*done));
    for (size_t i = 0; i < n; i++) {
        sent[i] = (double)run->samples[i].sent_ns / 1e9;
        done[i] = (double)run->samples[i].done_ns / 1e9;
    }
    stats_sort(sent, n);
    stats_sort(done, n);
    memset(ret, 0, COLUMNS * sizeof(*ret));
    size_t i = 0, j = 0;
    int last = 0;
    while (i < n || j < n) {
        bool leaves = i == n || done[j] <= sent[i];
        double at = leaves ? done[j] : sent[i];
        double share = (at - time->from) / (time->to - time->from);
        int column = (int)(fmin(fmax(share, 0), 1) * (COLUMNS - 1));
        double now = (double)(i - j);
        for (; last < column; last++) /* nothing changed in these */
            ret[last + 1] = fmax(ret[last + 1], now);
        if (leaves)
            j++;
        else
            i++;
        ret[column] = fmax(ret[column], fmax(now, (double)(i - j)));
    }
}

static void concurrency_line(struct chart *c, const struct bench_run *run)
{
    double counts[COLUMNS], most = 1;
    concurrency(c->a, run, &c->x, counts);
    for (int i = 0; i < COLUMNS; i++)
        most = fmax(most, counts[i]);
    struct axis y = axis_of(0, most * 1.1, false, c->height - 36, -64);
    double base = y.at;
    chart_line(c, "axis", c->x.at, base, c->x.at + c->x.size, base);
    chart_text(c, "tick", "end", c->x.at - 6, axis_at(&y, most) + 4,
               chart_value(c->a, most, CHART_COUNT));
    chart_text(c, "tick", "end", c->x.at - 6, base + 4, S("0"));
    chart_text(c, "label", "start", 4, base - 76, S("requests under way"));
    buf_printf(c->b, "<path class=\"area\" d=\"M%.1f %.1f", c->x.at, base);
    for (int i = 0; i < COLUMNS; i++)
        if (!i || counts[i] != counts[i - 1] || i == COLUMNS - 1)
            buf_printf(c->b, "H%.1fV%.1f", c->x.at + c->x.size * i / (COLUMNS - 1),
                       axis_at(&y, counts[i]));
    buf_printf(c->b, "V%.1fZ\"/>\n", base);
}

static void time_words(struct chart *c, double bottom)
{
    double ticks[12];
    size_t n = chart_ticks(&c->x, ticks, 10);
    for (size_t i = 0; i < n; i++)
        chart_text(c, "tick", "middle", axis_at(&c->x, ticks[i]), bottom + 16,
                   chart_value(c->a, ticks[i], CHART_SECONDS));
    chart_text(c, "label", "end", c->x.at + c->x.size, bottom + 32, S("time since the start"));
}

static void time_grid(struct chart *c, double bottom, double top)
{
    double ticks[12];
    size_t n = chart_ticks(&c->x, ticks, 10);
    for (size_t i = 0; i < n; i++) {
        double x = axis_at(&c->x, ticks[i]);
        chart_line(c, "grid", x, bottom, x, top);
    }
}

static double run_seconds(const struct bench_run *run)
{
    int64_t end = run->elapsed_ns;
    for (size_t i = 0; i < run->n_samples; i++)
        end = run->samples[i].done_ns > end ? run->samples[i].done_ns : end;
    return fmax((double)end / 1e9, 1e-6);
}

/* Where the time axis begins: what is before the first request was no measuring. */
static double run_begin(const struct bench_run *run)
{
    double first = (double)run->samples[0].due_ns / 1e9;
    return first > 0.1 * run_seconds(run) ? first : 0;
}

/* Of all requests: the axis of the dots. */
static struct axis latency_axis(const struct bench_run *run, double at, double size)
{
    double low = INFINITY, high = 0;
    for (size_t i = 0; i < run->n_samples; i++) {
        double ms = (double)(run->samples[i].done_ns - run->samples[i].due_ns) / 1e6;
        low = fmin(low, ms);
        high = fmax(high, ms);
    }
    return axis_of(fmax(low, 1e-3) * 0.9, high * 1.15, true, at, size);
}

static void dots_key(struct chart *c, const size_t *counts)
{
    static const char *const classes[DOTS] = {"warm", "cold", "failed", "throttled"};
    double x = c->x.at + c->x.size;
    for (int i = DOTS - 1; i >= 0; i--) {
        if (!counts[i])
            continue;
        struct str name =
            str_printf(c->a, "%s (%.*s)", dot_names[i], STR(bench_count(c->a, counts[i])));
        chart_text(c, "label", "end", x, 14, name);
        x -= 10 + 7.1 * (double)name.n;
        chart_circle(c, classes[i], x, 10, 4);
        x -= 14;
    }
}

void chart_timeline(struct buf *b, const struct bench_summary *sum)
{
    const struct bench_run *run = sum->run;
    if (!run->n_samples)
        return;
    auto_arena struct arena a;
    arena_init(&a);
    auto_buf struct buf marks;
    buf_init(&marks, SIZE_MAX);
    struct chart c = {.b = &marks, .a = &a, .width = 1100, .height = 460};
    c.x = axis_of(run_begin(run), run_seconds(run), false, 62, 1012);
    c.y = latency_axis(run, 320, -284);
    size_t counts[DOTS] = {0}, drawn = 0;
    for (int i = 0; i < DOTS; i++)
        counts[i] = dots(&c, run, i, &drawn);
    c.b = b;
    struct str said = S("Each request when it was due, and how long it took.");
    if (drawn < run->n_samples)
        said = str_printf(&a,
                          "Each request when it was due, and how long it took. %.*s dots stand for "
                          "%.*s requests: those at the same place are one.",
                          STR(bench_count(&a, drawn)), STR(bench_count(&a, run->n_samples)));
    chart_begin(&c, S("Timeline"), said, "full");
    chart_y_axis(&c, CHART_MS, "latency");
    time_grid(&c, 424, 36);
    chart_line(&c, "axis", c.x.at, 320, c.x.at + c.x.size, 320);
    buf_str(b, buf_view(&marks));
    concurrency_line(&c, run);
    time_words(&c, 424);
    dots_key(&c, counts);
    chart_end(&c);
}

/* ---- environments ---- */

/* Where nobody has told an environment's spans they follow from its requests: an init ends, and an
 * invocation begins, so long before the answer as their parts say. */
static void spans_of_samples(struct arena *a, const struct bench_run *run,
                             struct bench_environment *copies)
{
    for (size_t i = 0; i < run->n_samples; i++) {
        const struct bench_sample *s = &run->samples[i];
        uint32_t at = s->environment;
        if (!at || at >= run->n_environments || run->environments[at].n_spans)
            continue;
        struct bench_environment *e = &copies[at];
        int64_t begun = s->sent_ns;
        if (s->handler_us >= 0) {
            int64_t parts = s->handler_us;
            parts += s->response_us > 0 ? s->response_us : 0;
            parts += s->after_us > 0 ? s->after_us : 0;
            begun = s->done_ns - parts * 1000 > begun ? s->done_ns - parts * 1000 : begun;
        }
        if (s->init_us > 0)
            *(struct bench_span *)arena_push(a, (void **)&e->spans, &e->n_spans, &e->cap_spans,
                                             sizeof(*e->spans)) =
                (struct bench_span){BENCH_SPAN_INIT, begun - (int64_t)s->init_us * 1000, begun};
        *(struct bench_span *)arena_push(a, (void **)&e->spans, &e->n_spans, &e->cap_spans,
                                         sizeof(*e->spans)) =
            (struct bench_span){BENCH_SPAN_INVOKE, begun, s->done_ns};
    }
}

static int by_start(const void *a, const void *b)
{
    const struct bench_environment *x = *(const struct bench_environment *const *)a,
                                   *y = *(const struct bench_environment *const *)b;
    return x->started_ns < y->started_ns ? -1 : x->started_ns > y->started_ns;
}

/* Spans that touch at the same pixel are one rectangle. */
static void spans(struct chart *c, const struct bench_environment *e, enum bench_span_kind kind,
                  const char *class, double y)
{
    double from = -1, to = -1;
    for (size_t i = 0; i <= e->n_spans; i++) {
        const struct bench_span *s = i < e->n_spans ? &e->spans[i] : NULL;
        if (s && s->kind != kind)
            continue;
        double x1 = s ? axis_at(&c->x, (double)s->from_ns / 1e9) : 1e9;
        if (x1 > to + 0.4 || !s) {
            if (to >= 0)
                chart_rect(c, class, from, y, fmax(to - from, 0.6), 9);
            from = x1;
        }
        to = s ? fmax(axis_at(&c->x, (double)s->to_ns / 1e9), x1) : to;
    }
}

static double last_of(const struct bench_environment *e)
{
    int64_t end = e->ended_ns;
    for (size_t i = 0; i < e->n_spans; i++)
        end = e->spans[i].to_ns > end ? e->spans[i].to_ns : end;
    return (double)end / 1e9;
}

static void gantt_row(struct chart *c, const struct bench_environment *e, double y)
{
    double from = axis_at(&c->x, (double)e->started_ns / 1e9), to = axis_at(&c->x, last_of(e));
    struct str id = e->id.n > 8 ? str_slice(e->id, e->id.n - 8, e->id.n) : e->id;
    chart_text(c, "tick", "end", c->x.at - 6, y + 8, bench_clean(c->a, id, 12));
    chart_tip(c, str_printf(c->a, "%.*s: %llu requests, from %.3f s to %.3f s%s",
                            STR(bench_clean(c->a, e->id, 80)), (unsigned long long)e->requests,
                            (double)e->started_ns / 1e9, last_of(e),
                            e->ended ? ", where it ended" : ""));
    chart_rect(c, "frozen", from, y, fmax(to - from, 0.6), 9);
    spans(c, e, BENCH_SPAN_INVOKE, "warm", y);
    spans(c, e, BENCH_SPAN_INIT, "cold", y);
    chart_tip_end(c);
}

static void gantt_key(struct chart *c)
{
    static const char *const names[] = {"init", "invocation", "idle or frozen"},
                             *const classes[] = {"cold", "warm", "frozen"};
    double x = c->x.at;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        chart_rect(c, classes[i], x, 5, 10, 10);
        chart_text(c, "label", "start", x + 15, 14, str_from(names[i]));
        x += 34 + 7 * (double)strlen(names[i]);
    }
}

void chart_gantt(struct buf *b, const struct bench_summary *sum)
{
    const struct bench_run *run = sum->run;
    size_t n = 0;
    auto_arena struct arena a;
    arena_init(&a);
    const struct bench_environment **rows =
        arena_alloc(&a, sizeof(*rows) * (run->n_environments + 1));
    struct bench_environment *copies =
        arena_copy(&a, run->environments, run->n_environments * sizeof(*copies));
    spans_of_samples(&a, run, copies);
    for (size_t i = 1; i < run->n_environments; i++)
        if (copies[i].n_spans)
            rows[n++] = &copies[i];
    if (!n || !run->n_samples)
        return;
    qsort(rows, n, sizeof(*rows), by_start);
    size_t shown = n < GANTT_ROWS ? n : GANTT_ROWS;
    double bottom = 30 + 13 * (double)shown;
    struct chart c = {.b = b, .a = &a, .width = 1100, .height = bottom + 40};
    c.x = axis_of(run_begin(run), run_seconds(run), false, 82, 992);
    struct str said = S("What each environment did; a row begins with its first request.");
    if (shown < n)
        said = str_printf(&a, "What each environment did: the first %zu of %zu.", shown, n);
    chart_begin(&c, S("Environments"), said, "full");
    time_grid(&c, bottom, 24);
    for (size_t i = 0; i < shown; i++)
        gantt_row(&c, rows[i], 28 + 13 * (double)i);
    chart_line(&c, "axis", c.x.at, bottom, c.x.at + c.x.size, bottom);
    time_words(&c, bottom);
    gantt_key(&c);
    chart_end(&c);
}

/* ---- stages of a ramp ---- */

void chart_stages(struct buf *b, const struct bench_summary *sum)
{
    const struct bench_run *run = sum->run;
    double rate = 0, low = INFINITY, high = 0;
    for (size_t i = 0; i < run->n_stages; i++) {
        const struct bench_stage *s = &run->stages[i];
        rate = fmax(rate, s->rate);
        if (s->p99_ms > 0) {
            low = fmin(low, s->p99_ms);
            high = fmax(high, s->p99_ms);
        }
    }
    if (run->n_stages < 2 || !(rate > 0) || !(high > 0))
        return;
    auto_arena struct arena a;
    arena_init(&a);
    struct chart c = {.b = b, .a = &a, .width = 640, .height = 320};
    c.x = axis_of(0, rate * 1.05, false, 56, 568);
    c.y = axis_of(low * 0.8, high * 1.25, true, 274, -236);
    struct str said =
        run->knee_rate > 0
            ? str_printf(&a, "p99 of each stage: %g requests a second hold.", run->knee_rate)
            : S("p99 of each stage.");
    chart_begin(&c, S("Ramp"), said, "half");
    chart_y_axis(&c, CHART_MS, "p99");
    chart_x_axis(&c, CHART_COUNT, "requests a second");
    if (run->knee_rate > 0)
        chart_line(&c, "mark", axis_at(&c.x, run->knee_rate), 274, axis_at(&c.x, run->knee_rate),
                   38);
    for (size_t i = 0; i < run->n_stages; i++) {
        const struct bench_stage *s = &run->stages[i];
        if (!(s->p99_ms > 0))
            continue;
        chart_tip(&c, str_printf(&a, "%g/s: p99 %.*s, %.*s successes%s%.*s", s->rate,
                                 STR(bench_ms(&a, s->p99_ms)),
                                 STR(gate_value(&a, s->achieved, GATE_PER_SECOND)),
                                 s->passed ? "" : "; ", STR(bench_clean(&a, s->why, 80))));
        chart_circle(&c, s->passed ? "good" : "failed", axis_at(&c.x, s->rate),
                     axis_at(&c.y, s->p99_ms), 5);
        chart_tip_end(&c);
    }
    chart_end(&c);
}
