/* output_terminal - a run on a terminal: tables, a histogram, results, gates (output.h). */
#include <math.h>
#include "base/cleanup.h"
#include "base/table.h"
#include "bench/gate_parts.h"
#include "bench/output.h"

struct screen {
    struct arena *a;
    struct buf *b;
    const struct bench_summary *sum;
    size_t width;
    bool colour;
};

static struct str styled(struct screen *s, enum style style, struct str text)
{
    return term_style(s->a, s->colour, style, text);
}

static void line(struct screen *s, struct str text)
{
    buf_str(s->b, text);
    buf_byte(s->b, '\n');
}

/* Words, broken at blanks to the width; lines behind the first begin under its `indent`. */
static void wrapped(struct screen *s, size_t indent, struct str text)
{
    size_t room = s->width > indent + 20 ? s->width - indent : 20, column = 0;
    while (text.n) {
        struct str word, rest;
        bool more = str_cut(text, ' ', &word, &rest);
        size_t columns = 0; /* of the word; bytes that continue a character are none */
        for (size_t i = 0; i < word.n; i++)
            columns += ((unsigned char)word.p[i] & 0xc0) != 0x80;
        if (column && column + 1 + columns > room) {
            buf_printf(s->b, "\n%*s", (int)indent, "");
            column = 0;
        } else if (column) {
            buf_byte(s->b, ' ');
            column++;
        }
        buf_str(s->b, word);
        column += columns;
        text = more ? rest : S("");
    }
    buf_byte(s->b, '\n');
}

/* ---- latency ---- */

static void ms_cell(struct screen *s, struct table *t, const struct figure *f)
{
    table_cell(t, figure_known(f) ? bench_ms(s->a, f->value) : str_from(NULL));
}

static void spread_row(struct screen *s, struct table *t, const char *name,
                       const struct bench_spread *v, bool intervals)
{
    if (!v->n)
        return;
    table_row(t);
    table_cell(t, str_from(name));
    table_cell(t, bench_count(s->a, v->n));
    ms_cell(s, t, &v->mean);
    table_cell_style(t, STYLE_BOLD, bench_ms(s->a, v->p50.value));
    if (intervals)
        table_cell_style(t, STYLE_DIM, bench_interval(s->a, &v->p50, GATE_MS));
    ms_cell(s, t, &v->p90);
    table_cell_style(t, STYLE_BOLD, bench_ms(s->a, v->p99.value));
    if (intervals)
        table_cell_style(t, STYLE_DIM, bench_interval(s->a, &v->p99, GATE_MS));
    ms_cell(s, t, &v->p999);
    table_cell(t, bench_ms(s->a, v->max));
}

static struct str said(struct arena *a, const struct bench_spread *s, const struct figure *f)
{
    if (isnan(f->low) && isnan(f->high))
        return s->alike ? S("not known: they are alike in a row") : S("not known from so few");
    return f->low == f->high ? bench_ms(a, f->value) : bench_interval(a, f, GATE_MS);
}

static void latency_table(struct screen *s)
{
    static const struct table_column wide[] = {
        {"latency", false, false}, {"n", true, false},     {"mean", true, false},
        {"p50", true, false},      {"95 %", false, false}, {"p90", true, false},
        {"p99", true, false},      {"95 %", false, false}, {"p99.9", true, false},
        {"max", true, false},      {NULL, false, false}};
    static const struct table_column narrow[] = {
        {"latency", false, false}, {"n", true, false},   {"mean", true, false},
        {"p50", true, false},      {"p90", true, false}, {"p99", true, false},
        {"p99.9", true, false},    {"max", true, false}, {NULL, false, false}};
    const struct bench_group *g = &s->sum->all;
    bool intervals = s->width >= 110;
    struct table *t = table_new(s->a, intervals ? wide : narrow);
    bool apart = gate_by_series(s->sum); /* all of several sizes say nothing */
    for (size_t i = 0; apart && i < s->sum->n_groups; i++)
        spread_row(s, t, bench_clean(s->a, s->sum->groups[i].name, 30).p,
                   &s->sum->groups[i].all.latency, intervals);
    if (!apart)
        spread_row(s, t, "all", &g->all.latency, intervals);
    if (!apart && g->cold.latency.n && g->warm.latency.n) {
        spread_row(s, t, "cold", &g->cold.latency, intervals);
        spread_row(s, t, "warm", &g->warm.latency, intervals);
    }
    spread_row(s, t, "from when it left", &g->all.uncorrected, intervals);
    spread_row(s, t, "failed ones", &g->failed, intervals);
    table_write(s->b, t, s->width, s->colour);
    if (!intervals && !apart && g->all.latency.n) {
        struct str p50 = said(s->a, &g->all.latency, &g->all.latency.p50),
                   p99 = said(s->a, &g->all.latency, &g->all.latency.p99);
        wrapped(s, 0, str_printf(s->a, "95 %% intervals: p50 %.*s, p99 %.*s", STR(p50), STR(p99)));
    }
    buf_byte(s->b, '\n');
}

/* ---- phases ---- */

static void phase_rows(struct screen *s, struct table *t, const char *which,
                       const struct bench_population *p)
{
    if (!p->phased)
        return;
    for (int i = 0; i < BENCH_PHASES; i++) {
        const struct bench_spread *v = &p->phases[i];
        if (!v->n || (i != BENCH_REST && v->max < 0.0005))
            continue; /* it never took any time */
        table_row(t);
        table_cell(t, str_printf(s->a, "%s %s", which, bench_phase_names[i]));
        table_cell(t, bench_ms(s->a, p->part_ms[i]));
        table_cell_style(t, STYLE_DIM,
                         str_printf(s->a, "%.1f %%", 100 * p->part_ms[i] / p->phased_ms));
        ms_cell(s, t, &v->p50);
        ms_cell(s, t, &v->p90);
        ms_cell(s, t, &v->p99);
        table_cell(t, bench_ms(s->a, v->max));
    }
    table_row(t);
    table_cell_style(t, STYLE_BOLD, str_printf(s->a, "%s sum", which));
    table_cell_style(t, STYLE_BOLD, bench_ms(s->a, p->phased_ms));
    table_cell_style(t, STYLE_DIM, S("100 %"));
}

static void phase_table(struct screen *s)
{
    static const struct table_column columns[] = {{"where it went", false, false},
                                                  {"mean", true, false},
                                                  {"share", true, false},
                                                  {"p50", true, false},
                                                  {"p90", true, false},
                                                  {"p99", true, false},
                                                  {"max", true, false},
                                                  {NULL, false, false}};
    const struct bench_group *g = &s->sum->all;
    if (!g->all.phased || gate_by_series(s->sum))
        return;
    struct table *t = table_new(s->a, columns);
    phase_rows(s, t, "cold", &g->cold);
    phase_rows(s, t, "warm", &g->warm);
    table_write(s->b, t, s->width, s->colour);
    if (g->all.phased < g->all.latency.n)
        line(s, str_printf(s->a, "(of %.*s of %.*s answers; the others did not tell)",
                           STR(bench_count(s->a, g->all.phased)),
                           STR(bench_count(s->a, g->all.latency.n))));
    buf_byte(s->b, '\n');
}

/* ---- the histogram ---- */

#define BARS 14

/* Latencies fall into BARS classes of equal width on a logarithmic scale. */
static void classify(const struct histogram *h, double low, double step, uint64_t *classes)
{
    for (size_t i = 0; h && i < h->n_counts; i++) {
        int64_t from, to;
        uint64_t n = histogram_bucket(h, i, &from, &to);
        if (!n)
            continue;
        double middle = (double)from + (double)(to - from) / 2;
        double at = floor(log(fmax(middle, 1) / low) / step);
        classes[at < 0 ? 0 : at >= BARS ? BARS - 1 : (int)at] += n;
    }
}

static void bar(struct screen *s, enum style style, const char *glyph, size_t n)
{
    auto_buf struct buf b;
    buf_init(&b, 4096);
    for (size_t i = 0; i < n; i++)
        buf_text(&b, glyph);
    if (n)
        buf_str(s->b, styled(s, style, buf_copy(&b, s->a)));
}

static void histogram_rows(struct screen *s, const uint64_t *cold, const uint64_t *warm, double low,
                           double step)
{
    uint64_t most = 1;
    for (int i = 0; i < BARS; i++)
        most = cold[i] + warm[i] > most ? cold[i] + warm[i] : most;
    size_t room = s->width > 110 ? 80 : s->width > 50 ? s->width - 30 : 20;
    for (int i = 0; i < BARS; i++) {
        size_t n = (size_t)(cold[i] + warm[i]);
        size_t length = (size_t)ceil((double)n * (double)room / (double)most);
        size_t c = cold[i] ? (size_t)ceil((double)length * (double)cold[i] / (double)n) : 0;
        struct str from = bench_ms(s->a, low * exp(step * i) / 1e6);
        /* "µ" is two bytes */
        int pad = 10 + (str_find(from, S("µ")) >= 0);
        buf_printf(s->b, "%*.*s ", pad, STR(from));
        bar(s, STYLE_CYAN, "█", length - c);
        bar(s, STYLE_YELLOW, "▒", c);
        if (n)
            buf_printf(s->b, " %.*s", STR(bench_count(s->a, n)));
        buf_byte(s->b, '\n');
    }
}

static void histogram_text(struct screen *s)
{
    const struct bench_group *g = &s->sum->all;
    const struct histogram *h = g->all.histogram;
    if (!h || h->total < 5 || gate_by_series(s->sum))
        return;
    double low = fmax((double)h->min, 1), high = fmax((double)h->max, low * 1.0001);
    double step = log(high / low) / BARS;
    if (high < low * 1.02)
        return; /* all the same */
    uint64_t cold[BARS] = {0}, warm[BARS] = {0};
    classify(g->cold.histogram, low, step, cold);
    classify(g->warm.histogram, low, step, warm);
    buf_text(s->b, "latency from, requests");
    if (g->cold.latency.n && g->warm.latency.n)
        buf_printf(s->b, " (%.*s warm, %.*s cold)", STR(styled(s, STYLE_CYAN, S("█"))),
                   STR(styled(s, STYLE_YELLOW, S("▒"))));
    buf_byte(s->b, '\n');
    histogram_rows(s, cold, warm, low, step);
    buf_byte(s->b, '\n');
}

/* ---- series ---- */

static struct str series_note(struct screen *s, const struct bench_choice *c, size_t i)
{
    const struct bench_group *g = &s->sum->groups[i];
    auto_buf struct buf b;
    buf_init(&b, 4096);
    if (c && c->cheapest == i)
        buf_printf(&b, "cheapest%s ", c->cheapest_mark);
    if (c && c->fastest == i)
        buf_printf(&b, "fastest%s ", c->fastest_mark);
    if (c && c->balanced == i)
        buf_printf(&b, "balanced%s ", c->balanced_mark);
    if (c && c->front[i])
        buf_text(&b, "* ");
    if (g->series->extrapolated)
        buf_text(&b, "beyond this machine ");
    buf_str(&b, bench_clean(s->a, g->series->note, 60));
    return str_trim(buf_copy(&b, s->a));
}

static void series_table(struct screen *s)
{
    static const struct table_column columns[] = {
        {"series", false, true},      {"n", true, false},      {"ok", true, false},
        {"latency p50", true, false}, {"p99", true, false},    {"billed", true, false},
        {"$/million", true, false},   {"max MB", true, false}, {"", false, true},
        {NULL, false, false}};
    if (!s->sum->n_groups)
        return;
    struct bench_choice choice;
    bool sweep = bench_choose(s->a, s->sum, &choice);
    struct table *t = table_new(s->a, columns);
    for (size_t i = 0; i < s->sum->n_groups; i++) {
        const struct bench_group *g = &s->sum->groups[i];
        table_row(t);
        table_cell_style(t, STYLE_BOLD, bench_clean(s->a, g->name, 60));
        table_cell(t, bench_count(s->a, g->n));
        table_cell_style(t, g->outcomes[BENCH_OK] < g->n ? STYLE_RED : STYLE_NONE,
                         bench_percent(s->a, g->success.value));
        ms_cell(s, t, &g->all.latency.p50);
        ms_cell(s, t, &g->all.latency.p99);
        table_cell(t, bench_ms(s->a, g->all.billed.mean.n ? g->all.billed.mean.value : NAN));
        table_cell(t, gate_value(s->a, g->all.cost.value, GATE_USD));
        table_cell(t, g->memory_used < 0 ? str_from(NULL) : str_printf(s->a, "%d", g->memory_used));
        table_cell(t, series_note(s, sweep ? &choice : NULL, i));
    }
    table_write(s->b, t, s->width, s->colour);
    if (sweep)
        line(s,
             S("* no other size is both cheaper and faster; ? to some other size no difference is "
               "shown"));
    buf_byte(s->b, '\n');
}

static void compare_lines(struct screen *s)
{
    if (s->sum->n_groups != 2 || !str_is(s->sum->run->mode, "compare"))
        return;
    const struct bench_group *a = &s->sum->groups[0], *b = &s->sum->groups[1];
    static const char *const names[] = {"p50", "p99"};
    bool warm = a->warm.latency.n > 1 && b->warm.latency.n > 1; /* as contrast_rows() */
    const struct bench_spread *x = warm ? &a->warm.latency : &a->all.latency,
                              *y = warm ? &b->warm.latency : &b->all.latency;
    const struct figure *of[][2] = {{&x->p50, &y->p50}, {&x->p99, &y->p99}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct figure r = stats_ratio(of[i][1], of[i][0]);
        r = stats_together(&r, true);
        if (!figure_known(&r))
            continue;
        struct str range = isnan(r.low) || isnan(r.high)
                               ? S("too few to bound it")
                               : str_printf(s->a, "%.3f to %.3f", r.low, r.high);
        const char *said = r.low > 1 ? "slower" : r.high < 1 ? "faster" : "no difference is shown";
        wrapped(s, 4,
                str_printf(s->a, "%s of %.*s is %.3f times that of %.*s (%.*s): %s", names[i],
                           STR(bench_clean(s->a, b->name, 40)), r.value,
                           STR(bench_clean(s->a, a->name, 40)), STR(range), said));
    }
    buf_byte(s->b, '\n');
}

/* ---- results ---- */

static void fact(struct screen *s, const char *name, struct str text)
{
    if (!str_has(text))
        return;
    buf_printf(s->b, "%-13s", name);
    wrapped(s, 13, text);
}

static void stage_lines(struct screen *s)
{
    const struct bench_run *run = s->sum->run;
    if (!run->n_stages)
        return;
    static const struct table_column columns[] = {{"rate", true, false},
                                                  {"achieved", true, false},
                                                  {"p99", true, false},
                                                  {"", false, true},
                                                  {NULL, false, false}};
    struct table *t = table_new(s->a, columns);
    for (size_t i = 0; i < run->n_stages; i++) {
        const struct bench_stage *g = &run->stages[i];
        table_row(t);
        table_cell(t, g->rate > 0 ? gate_value(s->a, g->rate, GATE_PER_SECOND) : str_from(NULL));
        table_cell(t, gate_value(s->a, g->achieved, GATE_PER_SECOND));
        table_cell(t, g->p99_ms > 0 ? bench_ms(s->a, g->p99_ms) : str_from(NULL));
        table_cell_style(t, g->passed ? STYLE_GREEN : STYLE_RED,
                         g->passed && g->close
                             ? str_printf(s->a, "holds; %.*s", STR(bench_clean(s->a, g->why, 60)))
                         : g->passed ? S("holds")
                                     : bench_clean(s->a, g->why, 60));
    }
    table_write(s->b, t, s->width, s->colour);
    buf_byte(s->b, '\n');
}

static void error_lines(struct screen *s)
{
    const struct bench_run *run = s->sum->run;
    size_t shown = 0;
    for (size_t i = 1; i < run->n_errors; i++) {
        const struct bench_error *e = &run->errors[i];
        if (!e->count)
            continue;
        if (shown++ == 10) {
            line(s, str_printf(s->a, "%13s… and %zu other kinds (--json has them all)", "",
                               run->n_errors - i));
            return;
        }
        buf_printf(s->b, "%13s", "");
        wrapped(s, 15,
                str_printf(s->a, "%.*s × %s %.*s%s%.*s", STR(bench_count(s->a, e->count)),
                           bench_outcome_name(e->outcome), STR(bench_clean(s->a, e->type, 80)),
                           e->message.n ? ": " : "", STR(bench_clean(s->a, e->message, 160))));
    }
}

static void results(struct screen *s)
{
    const struct bench_run *run = s->sum->run;
    const struct bench_group *g = &s->sum->all;
    fact(s, "answers",
         str_printf(s->a, "%.*s; success %.*s%.*s", STR(bench_outcomes(s->a, g)),
                    STR(bench_percent(s->a, g->success.value)),
                    STR(bench_bracketed(s->a, &g->success, GATE_RATE))));
    error_lines(s);
    if (!isnan(g->throughput))
        fact(s, "throughput",
             str_printf(s->a, "%.*s successes",
                        STR(gate_value(s->a, g->throughput, GATE_PER_SECOND))));
    if (run->knee_rate > 0 && run->knee_precision <= 0)
        fact(s, "knee",
             str_printf(s->a, "%g requests a second hold; no higher rate was tried",
                        run->knee_rate));
    else if (run->knee_rate > 0)
        fact(s, "knee",
             str_printf(s->a, "%g requests a second hold; %.0f %% more do not", run->knee_rate,
                        run->knee_precision * 100));
    else if (str_is(run->mode, "ramp"))
        fact(s, "knee", S("no rate held"));
    fact(s, "environments",
         str_printf(
             s->a, "%.*s, %zu of %zu cold, at most %d requests at once",
             STR(run->environments_started < 0
                     ? S("how many were started is not known")
                     : str_printf(s->a, "%lld started", (long long)run->environments_started)),
             g->n_cold, g->n, run->peak_concurrency));
    fact(s, "billed", bench_cost_text(s->a, s->sum));
    if (s->sum->priced && figure_known(&g->all.cost))
        fact(s, "", price_said(s->a, &s->sum->prices));
    fact(s, "memory", bench_memory_text(s->a, g));
}

static void warnings(struct screen *s)
{
    for (size_t i = 0; i < s->sum->n_warnings; i++) {
        buf_printf(s->b, "%.*s ", STR(styled(s, STYLE_YELLOW, S("warning:"))));
        wrapped(s, 9, bench_clean(s->a, s->sum->warnings[i], 400));
    }
}

static void gate_lines(struct screen *s, const struct gate_report *gates)
{
    static const enum style styles[] = {[GATE_PASSED] = STYLE_GREEN,
                                        [GATE_FAILED] = STYLE_RED,
                                        [GATE_IMPROVED] = STYLE_GREEN,
                                        [GATE_NOT_SHOWN] = STYLE_YELLOW,
                                        [GATE_REGRESSED] = STYLE_RED};
    if (!gates || !gates->n)
        return;
    buf_byte(s->b, '\n');
    for (size_t i = 0; i < gates->n; i++) {
        const struct gate_result *r = &gates->results[i];
        struct str series = str_has(r->series)
                                ? str_printf(s->a, "%.*s: ", STR(bench_clean(s->a, r->series, 40)))
                                : S("");
        buf_printf(s->b, "%.*s ",
                   STR(styled(s, styles[r->verdict],
                              str_printf(s->a, "%-9s", gate_verdict_name(r->verdict)))));
        wrapped(s, 10,
                str_printf(s->a, "%.*s%.*s: %.*s", STR(series), STR(bench_clean(s->a, r->text, 80)),
                           STR(bench_clean(s->a, r->why, 300))));
    }
    for (size_t i = 0; i < gates->n_notes; i++) {
        buf_printf(s->b, "%.*s ", STR(styled(s, STYLE_YELLOW, S("baseline:"))));
        wrapped(s, 10, bench_clean(s->a, gates->notes[i], 300));
    }
}

void bench_write_terminal(struct buf *b, const struct bench_summary *sum,
                          const struct gate_report *gates, size_t width, bool colour)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct screen s = {&a, b, sum, width ? width : 100, colour};
    s.width = s.width < 40 ? 40 : s.width;
    buf_printf(b, "%.*s ",
               STR(styled(&s, STYLE_BOLD, str_printf(&a, "%.*s:", STR(sum->run->mode)))));
    wrapped(&s, 4, bench_title(&a, sum->run));
    wrapped(&s, 4, bench_conditions(&a, sum->run));
    buf_byte(b, '\n');
    if (sum->all.all.latency.n || sum->all.failed.n)
        latency_table(&s);
    phase_table(&s);
    series_table(&s);
    compare_lines(&s);
    histogram_text(&s);
    stage_lines(&s);
    results(&s);
    if (sum->n_warnings)
        buf_byte(b, '\n');
    warnings(&s);
    gate_lines(&s, gates);
}
