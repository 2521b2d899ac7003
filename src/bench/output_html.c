/* output_html - a run as one page that needs nothing else (output.h).
 *
 * Its policy allows no resource, and of style and script only those that are in it, by their
 * hashes. Everything is readable without the script, which only makes tooltips quicker. */
#include <math.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "bench/chart.h"
#include "bench/gate_parts.h"

extern const unsigned char bench_css[], bench_js[];
extern const size_t bench_css_size, bench_js_size;

struct page {
    struct buf *b;
    struct arena *a;
    const struct bench_summary *sum;
    const struct gate_report *gates;
};

static struct str hash(struct arena *a, struct str text)
{
    uint8_t digest[32];
    digest_sha256(text, digest);
    return base64_encode(a, str_of((const char *)digest, sizeof(digest)));
}

static void head(struct page *p)
{
    struct str css = str_of((const char *)bench_css, bench_css_size),
               js = str_of((const char *)bench_js, bench_js_size);
    buf_text(p->b, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                   "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                   "<meta name=\"referrer\" content=\"no-referrer\">\n"
                   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                   "base-uri 'none'; form-action 'none'; ");
    buf_printf(p->b, "style-src 'sha256-%.*s'; script-src 'sha256-%.*s'\">\n", STR(hash(p->a, css)),
               STR(hash(p->a, js)));
    buf_text(p->b, "<title>");
    html_escape(p->b, str_printf(p->a, "bench %.*s: %.*s", STR(p->sum->run->mode),
                                 STR(p->sum->run->function.name)));
    buf_text(p->b, "</title>\n<style>");
    buf_str(p->b, css);
    buf_text(p->b, "</style></head>\n<body><main>\n<h1>");
    html_escape(p->b, bench_title(p->a, p->sum->run));
    buf_text(p->b, "<small>");
    html_escape(p->b, str_printf(p->a, "lamina bench %.*s", STR(p->sum->run->mode)));
    if (p->sum->run->started_ms > 0)
        html_escape(
            p->b, str_printf(p->a, ", %.*s", STR(clock_iso8601_s(p->a, p->sum->run->started_ms))));
    buf_text(p->b, "</small></h1>\n<p class=\"soft\">");
    html_escape(p->b, bench_conditions(p->a, p->sum->run));
    buf_text(p->b, "</p>\n");
}

/* ---- the most important figures ---- */

static void tile(struct page *p, const char *class, const char *name, struct str value,
                 struct str small)
{
    buf_printf(p->b, "<div class=\"tile %s\"><span>%s</span><b>", class, name);
    html_escape(p->b, value);
    buf_text(p->b, "</b><span>");
    html_escape(p->b, small);
    buf_text(p->b, "</span></div>\n");
}

static void figure_tile(struct page *p, const char *name, const struct figure *f,
                        enum gate_unit unit)
{
    if (f->n && figure_known(f))
        tile(p, "", name, gate_value(p->a, f->value, unit), bench_interval(p->a, f, unit));
}

/* A run of several sizes has no latency of its own. */
static void series_tiles(struct page *p)
{
    const struct bench_summary *sum = p->sum;
    struct bench_choice c;
    if (bench_choose(p->a, sum, &c)) {
        const size_t picks[] = {c.cheapest, c.balanced, c.fastest};
        static const char *const names[] = {"cheapest", "balanced", "fastest"};
        const char *const marks[] = {c.cheapest_mark, c.balanced_mark, c.fastest_mark};
        for (size_t i = 0; i < ARRAY_LEN(picks); i++)
            if (picks[i] < sum->n_groups)
                tile(p, "", str_printf(p->a, "%s%s", names[i], marks[i]).p,
                     sum->groups[picks[i]].name,
                     str_printf(
                         p->a, "%.*s, %.*s a million",
                         STR(bench_ms(p->a, bench_sweep_time(&sum->groups[picks[i]]))),
                         STR(gate_value(p->a, sum->groups[picks[i]].all.cost.value, GATE_USD))));
        return;
    }
    for (size_t i = 0; i < sum->n_groups; i++)
        if (sum->groups[i].all.latency.n)
            tile(p, "", "p50, p99",
                 str_printf(p->a, "%.*s, %.*s",
                            STR(bench_ms(p->a, sum->groups[i].all.latency.p50.value)),
                            STR(bench_ms(p->a, sum->groups[i].all.latency.p99.value))),
                 bench_clean(p->a, sum->groups[i].name, 60));
}

static void tiles(struct page *p)
{
    const struct bench_group *g = &p->sum->all;
    bool failed = g->outcomes[BENCH_OK] < g->n || !g->n;
    buf_text(p->b, "<div class=\"tiles\">\n");
    if (p->gates && p->gates->n)
        tile(p, p->gates->failed ? "bad" : "fine", "conditions",
             p->gates->failed ? str_printf(p->a, "%zu failed", p->gates->failed) : S("all hold"),
             str_printf(p->a, "of %zu", p->gates->n));
    tile(p, failed ? "bad" : "fine", "success", bench_percent(p->a, g->success.value),
         failed ? bench_outcomes(p->a, g)
                : str_printf(p->a, "%.*s requests", STR(bench_count(p->a, g->n))));
    if (gate_by_series(p->sum)) {
        series_tiles(p);
        buf_text(p->b, "</div>\n");
        return;
    }
    figure_tile(p, "p50", &g->all.latency.p50, GATE_MS);
    figure_tile(p, "p99", &g->all.latency.p99, GATE_MS);
    if (g->warm.latency.n)
        figure_tile(p, "cold p50", &g->cold.latency.p50, GATE_MS);
    if (!isnan(g->throughput))
        tile(p, "", "throughput", gate_value(p->a, g->throughput, GATE_PER_SECOND),
             S("successes a second"));
    figure_tile(p, "a million invocations", &g->all.cost, GATE_USD);
    if (g->memory_used >= 0)
        tile(p, "", "memory", str_printf(p->a, "%d MB", g->memory_used),
             g->memory_mb ? str_printf(p->a, "at most, of %d MB", g->memory_mb) : S("at most"));
    buf_text(p->b, "</div>\n");
}

/* ---- tables ---- */

static void cell(struct page *p, const char *class, struct str text)
{
    buf_printf(p->b, class ? "<td class=\"%s\">" : "<td>", class);
    html_escape(p->b, text.n ? text : S("-"));
    buf_text(p->b, "</td>");
}

static void figure_cell(struct page *p, const struct figure *f, enum gate_unit unit)
{
    buf_text(p->b, "<td>");
    html_escape(p->b, f->n ? gate_value(p->a, f->value, unit) : S("-"));
    struct str range = f->n ? bench_interval(p->a, f, unit) : S("");
    if (range.n) {
        buf_text(p->b, "<small>");
        html_escape(p->b, range);
        buf_text(p->b, "</small>");
    }
    buf_text(p->b, "</td>");
}

static void spread_row(struct page *p, struct str name, const struct bench_spread *s)
{
    if (!s->n)
        return;
    buf_text(p->b, "<tr>");
    cell(p, "text", name);
    cell(p, NULL, bench_count(p->a, s->n));
    const struct figure *figures[] = {&s->mean, &s->p50, &s->p90, &s->p95, &s->p99, &s->p999};
    for (size_t i = 0; i < ARRAY_LEN(figures); i++)
        figure_cell(p, figures[i], GATE_MS);
    cell(p, NULL, bench_ms(p->a, s->max));
    buf_text(p->b, "</tr>\n");
}

static void latency_table(struct page *p)
{
    const struct bench_summary *sum = p->sum;
    const struct bench_group *g = &sum->all;
    if (!g->all.latency.n && !g->failed.n)
        return;
    buf_text(p->b, "<div class=\"card\"><h2>Latency</h2><div class=\"scroll\"><table><tr><th></th>"
                   "<th>n</th><th>mean</th><th>p50</th><th>p90</th><th>p95</th><th>p99</th>"
                   "<th>p99.9</th><th>max</th></tr>\n");
    if (!gate_by_series(sum))
        spread_row(p, S("all"), &g->all.latency);
    if (!gate_by_series(sum) && g->cold.latency.n && g->warm.latency.n) {
        spread_row(p, S("cold"), &g->cold.latency);
        spread_row(p, S("warm"), &g->warm.latency);
    }
    spread_row(p, S("from when it left"), &g->all.uncorrected);
    spread_row(p, S("failed ones"), &g->failed);
    for (size_t i = 0; i < sum->n_groups; i++)
        spread_row(p, sum->groups[i].name, &sum->groups[i].all.latency);
    buf_text(p->b,
             "</table></div><p class=\"soft\">Of requests that succeeded. Quantiles are order "
             "statistics by nearest rank; small figures are 95 % intervals.</p></div>\n");
}

static void series_row(struct page *p, const struct bench_group *g, const char *mark)
{
    buf_text(p->b, "<tr>");
    cell(p, "text", g->name);
    cell(p, NULL, bench_count(p->a, g->n));
    figure_cell(p, &g->success, GATE_RATE);
    figure_cell(p, &g->all.latency.p50, GATE_MS);
    figure_cell(p, &g->all.latency.p99, GATE_MS);
    figure_cell(p, &g->all.billed.mean, GATE_MS);
    figure_cell(p, &g->all.cost, GATE_USD);
    cell(p, NULL, g->memory_used < 0 ? S("-") : str_printf(p->a, "%d", g->memory_used));
    cell(p, "text wide",
         str_printf(p->a, "%s%s%.*s", mark, g->series->extrapolated ? "beyond this machine; " : "",
                    STR(bench_clean(p->a, g->series->note, 200))));
    buf_text(p->b, "</tr>\n");
}

static void series_table(struct page *p)
{
    const struct bench_summary *sum = p->sum;
    struct bench_choice c;
    if (!sum->n_groups)
        return;
    bool sweep = bench_choose(p->a, sum, &c);
    buf_text(p->b, "<div class=\"card\"><h2>Series</h2><div class=\"scroll\"><table><tr><th></th>"
                   "<th>n</th><th>success</th><th>latency p50</th><th>p99</th><th>billed</th>"
                   "<th>a million</th><th>max MB</th><th class=\"text\"></th></tr>\n");
    for (size_t i = 0; i < sum->n_groups; i++) {
        struct str said = S("");
        if (sweep && c.cheapest == i)
            said = str_printf(p->a, "cheapest%s; ", c.cheapest_mark);
        if (sweep && c.fastest == i)
            said = str_printf(p->a, "%.*sfastest%s; ", STR(said), c.fastest_mark);
        if (sweep && c.balanced == i && !said.n)
            said = str_printf(p->a, "balanced%s; ", c.balanced_mark);
        series_row(p, &sum->groups[i], said.p);
    }
    buf_text(p->b, "</table></div></div>\n");
}

static void gates_table(struct page *p)
{
    static const char *const classes[] = {"pass", "fail", "pass", "open", "fail"};
    if (!p->gates || !p->gates->n)
        return;
    buf_text(p->b, "<div class=\"card\"><h2>Conditions</h2><div class=\"scroll\"><table>\n");
    for (size_t i = 0; i < p->gates->n; i++) {
        const struct gate_result *r = &p->gates->results[i];
        buf_printf(p->b, "<tr><td class=\"text %s\">%s</td>", classes[r->verdict],
                   gate_verdict_name(r->verdict));
        cell(p, "text",
             str_has(r->series) ? str_printf(p->a, "%.*s: %.*s", STR(r->series), STR(r->text))
                                : r->text);
        cell(p, "text wide", r->why);
        buf_text(p->b, "</tr>\n");
    }
    buf_text(p->b, "</table></div>");
    for (size_t i = 0; i < p->gates->n_notes; i++) {
        buf_text(p->b, "<p class=\"soft\">baseline: ");
        html_escape(p->b, p->gates->notes[i]);
        buf_text(p->b, "</p>");
    }
    buf_text(p->b, "</div>\n");
}

static void error_table(struct page *p)
{
    const struct bench_run *run = p->sum->run;
    if (run->n_errors < 2)
        return;
    buf_text(p->b, "<div class=\"card\"><h2>Errors</h2><div class=\"scroll\"><table><tr>"
                   "<th>count</th><th class=\"text\">what</th><th class=\"text\">type</th>"
                   "<th class=\"text\">message of the first</th></tr>\n");
    for (size_t i = 1; i < run->n_errors && i <= 50; i++) {
        const struct bench_error *e = &run->errors[i];
        buf_text(p->b, "<tr>");
        cell(p, NULL, bench_count(p->a, e->count));
        cell(p, "text", str_from(bench_outcome_name(e->outcome)));
        cell(p, "text", bench_clean(p->a, e->type, 120));
        cell(p, "text wide", bench_clean(p->a, e->message, 300));
        buf_text(p->b, "</tr>\n");
    }
    buf_text(p->b, "</table></div>");
    if (run->n_errors > 51)
        buf_printf(p->b, "<p class=\"soft\">and %zu other kinds</p>", run->n_errors - 51);
    buf_text(p->b, "</div>\n");
}

static void fact(struct page *p, const char *name, struct str text)
{
    if (!text.n)
        return;
    buf_printf(p->b, "<dt>%s</dt><dd>", name);
    html_escape(p->b, text);
    buf_text(p->b, "</dd>\n");
}

static void facts(struct page *p)
{
    const struct bench_summary *sum = p->sum;
    const struct bench_run *run = sum->run;
    buf_text(p->b, "<div class=\"card\"><dl>\n");
    fact(p, "answers", bench_outcomes(p->a, &sum->all));
    fact(p, "environments",
         run->environments_started < 0
             ? S("")
             : str_printf(p->a, "%lld started, %zu of %zu requests cold, at most %d at once",
                          (long long)run->environments_started, sum->all.n_cold, sum->all.n,
                          run->peak_concurrency));
    fact(p, "billed", bench_cost_text(p->a, sum));
    fact(p, "prices", sum->priced ? price_said(p->a, &sum->prices) : S(""));
    fact(p, "memory", bench_memory_text(p->a, &sum->all));
    fact(p, "processor", run->machine.cpu);
    fact(p, "endpoint", run->endpoint);
    fact(p, "function", run->function.arn);
    buf_text(p->b, "</dl></div>\n");
}

static void notes(struct page *p)
{
    if (!p->sum->n_warnings)
        return;
    buf_text(p->b, "<ul class=\"notes\">\n");
    for (size_t i = 0; i < p->sum->n_warnings; i++) {
        buf_text(p->b, "<li>");
        html_escape(p->b, p->sum->warnings[i]);
        buf_text(p->b, "</li>\n");
    }
    buf_text(p->b, "</ul>\n");
}

void bench_write_html(struct buf *b, const struct bench_summary *sum,
                      const struct gate_report *gates)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct page p = {b, &a, sum, gates};
    head(&p);
    tiles(&p);
    notes(&p);
    gates_table(&p);
    buf_text(b, "<div class=\"grid\">\n");
    chart_sweep(b, sum);
    chart_compare(b, sum);
    chart_stages(b, sum);
    chart_histogram(b, sum);
    chart_percentiles(b, sum);
    chart_phases(b, sum);
    chart_timeline(b, sum);
    chart_gantt(b, sum);
    buf_text(b, "</div>\n");
    series_table(&p);
    latency_table(&p);
    error_table(&p);
    facts(&p);
    buf_text(b, "<footer>Made by lamina ");
    html_escape(b, sum->run->lamina);
    buf_text(b, ".</footer>\n</main>\n<script>");
    buf_str(b, str_of((const char *)bench_js, bench_js_size));
    buf_text(b, "</script>\n</body></html>\n");
}
