/* output_markdown - a run as the summary of a job in CI (output.h). */
#include <math.h>
#include "base/cleanup.h"
#include "bench/output.h"

/* Text that is no markup: GitHub shows HTML and knows more signs than the first Markdown. */
static void plain(struct buf *b, struct arena *a, struct str s, size_t max)
{
    struct str clean = bench_clean(a, s, max);
    for (size_t i = 0; i < clean.n; i++) {
        char c = clean.p[i];
        if (c == '<')
            buf_text(b, "&lt;");
        else if (c == '&')
            buf_text(b, "&amp;");
        else if (c == '@') /* no mention of a person */
            buf_text(b, "&#64;");
        else if (strchr("\\`*_{}[]()#!|~>", c) && c)
            buf_printf(b, "\\%c", c);
        else
            buf_byte(b, c);
    }
}

static void cell(struct buf *b, struct str s)
{
    buf_printf(b, " %.*s |", STR(s.n ? s : S("-")));
}

static void ms_cell(struct buf *b, struct arena *a, const struct figure *f)
{
    struct str range = bench_interval(a, f, GATE_MS);
    cell(b, range.n ? str_printf(a, "**%.*s** (%.*s)", STR(bench_ms(a, f->value)), STR(range))
                    : bench_ms(a, f->value));
}

static void spread_row(struct buf *b, struct arena *a, const char *name,
                       const struct bench_spread *s)
{
    if (!s->n)
        return;
    buf_printf(b, "| %s |", name);
    cell(b, bench_count(a, s->n));
    cell(b, bench_ms(a, s->mean.value));
    ms_cell(b, a, &s->p50);
    cell(b, bench_ms(a, s->p90.value));
    ms_cell(b, a, &s->p99);
    cell(b, bench_ms(a, s->p999.value));
    cell(b, bench_ms(a, s->max));
    buf_byte(b, '\n');
}

static void latency(struct buf *b, struct arena *a, const struct bench_group *g)
{
    if (!g->all.latency.n && !g->failed.n)
        return;
    buf_text(b, "| latency | n | mean | p50 (95 %) | p90 | p99 (95 %) | p99.9 | max |\n"
                "|---|--:|--:|--:|--:|--:|--:|--:|\n");
    spread_row(b, a, "all", &g->all.latency);
    if (g->cold.latency.n && g->warm.latency.n) {
        spread_row(b, a, "cold", &g->cold.latency);
        spread_row(b, a, "warm", &g->warm.latency);
    }
    spread_row(b, a, "from when it left", &g->all.uncorrected);
    spread_row(b, a, "failed ones", &g->failed);
    buf_byte(b, '\n');
}

static void phases(struct buf *b, struct arena *a, const struct bench_group *g)
{
    const struct bench_population *populations[] = {&g->cold, &g->warm};
    static const char *const names[] = {"cold", "warm"};
    if (!g->all.phased)
        return;
    buf_text(b, "<details><summary>Where the time went</summary>\n\n"
                "| part | mean | share | p50 | p90 | p99 | max |\n"
                "|---|--:|--:|--:|--:|--:|--:|\n");
    for (size_t k = 0; k < 2; k++) {
        const struct bench_population *p = populations[k];
        for (int i = 0; i < BENCH_PHASES && p->phased; i++) {
            const struct bench_spread *s = &p->phases[i];
            if (!s->n || (i != BENCH_REST && s->max < 0.0005))
                continue;
            buf_printf(b, "| %s %s |", names[k], bench_phase_names[i]);
            cell(b, bench_ms(a, p->part_ms[i]));
            cell(b, str_printf(a, "%.1f %%", 100 * p->part_ms[i] / p->phased_ms));
            cell(b, bench_ms(a, s->p50.value));
            cell(b, bench_ms(a, s->p90.value));
            cell(b, bench_ms(a, s->p99.value));
            cell(b, bench_ms(a, s->max));
            buf_byte(b, '\n');
        }
    }
    buf_text(b, "\n</details>\n\n");
}

static void series(struct buf *b, struct arena *a, const struct bench_summary *sum)
{
    if (!sum->n_groups)
        return;
    struct bench_choice c;
    bool sweep = bench_choose(a, sum, &c);
    buf_text(b,
             "| series | n | success | latency p50 | p90 | p99 | billed | $/million | max MB | |\n"
             "|---|--:|--:|--:|--:|--:|--:|--:|--:|---|\n");
    for (size_t i = 0; i < sum->n_groups; i++) {
        const struct bench_group *g = &sum->groups[i];
        buf_text(b, "| ");
        plain(b, a, g->name, 60);
        buf_text(b, " |");
        cell(b, bench_count(a, g->n));
        cell(b, bench_percent(a, g->success.value));
        cell(b, bench_ms(a, g->all.latency.n ? g->all.latency.p50.value : NAN));
        cell(b, bench_ms(a, g->all.latency.n ? g->all.latency.p90.value : NAN));
        cell(b, bench_ms(a, g->all.latency.n ? g->all.latency.p99.value : NAN));
        cell(b, bench_ms(a, g->all.billed.n ? g->all.billed.mean.value : NAN));
        cell(b, gate_value(a, g->all.cost.value, GATE_USD));
        cell(b, g->memory_used < 0 ? S("-") : str_printf(a, "%d", g->memory_used));
        buf_byte(b, ' ');
        if (sweep && c.cheapest == i)
            buf_printf(b, "**cheapest%s** ", c.cheapest_mark);
        if (sweep && c.fastest == i)
            buf_printf(b, "**fastest%s** ", c.fastest_mark);
        if (g->series->extrapolated)
            buf_text(b, "beyond this machine ");
        plain(b, a, g->series->note, 80);
        buf_text(b, " |\n");
    }
    buf_byte(b, '\n');
}

static void gates_table(struct buf *b, struct arena *a, const struct gate_report *gates)
{
    if (!gates || !gates->n)
        return;
    buf_text(b, "| | condition | |\n|---|---|---|\n");
    for (size_t i = 0; i < gates->n; i++) {
        const struct gate_result *r = &gates->results[i];
        bool failed = r->verdict == GATE_FAILED || r->verdict == GATE_REGRESSED;
        buf_printf(b, "| %s %s | ",
                   failed                         ? "❌"
                   : r->verdict == GATE_NOT_SHOWN ? "❔"
                                                  : "✅",
                   gate_verdict_name(r->verdict));
        if (str_has(r->series)) {
            plain(b, a, r->series, 60);
            buf_text(b, ": ");
        }
        plain(b, a, r->text, 100);
        buf_text(b, " | ");
        plain(b, a, r->why, 400);
        buf_text(b, " |\n");
    }
    buf_byte(b, '\n');
    for (size_t i = 0; i < gates->n_notes; i++) {
        buf_text(b, "- baseline: ");
        plain(b, a, gates->notes[i], 300);
        buf_byte(b, '\n');
    }
    if (gates->n_notes)
        buf_byte(b, '\n');
}

static void fact(struct buf *b, struct arena *a, const char *name, struct str text)
{
    if (!str_has(text))
        return;
    buf_printf(b, "- %s: ", name);
    plain(b, a, text, 600);
    buf_byte(b, '\n');
}

static void facts(struct buf *b, struct arena *a, const struct bench_summary *sum)
{
    const struct bench_group *g = &sum->all;
    const struct bench_run *run = sum->run;
    fact(b, a, "answers",
         str_printf(a, "%.*s; success %.*s", STR(bench_outcomes(a, g)),
                    STR(bench_percent(a, g->success.value))));
    for (size_t i = 1; i < run->n_errors && i <= 10; i++) {
        const struct bench_error *e = &run->errors[i];
        buf_printf(b, "  - %.*s × %s ", STR(bench_count(a, e->count)),
                   bench_outcome_name(e->outcome));
        plain(b, a, e->type, 80);
        buf_text(b, e->message.n ? ": " : "");
        plain(b, a, e->message, 160);
        buf_byte(b, '\n');
    }
    if (!isnan(g->throughput))
        fact(b, a, "throughput", gate_value(a, g->throughput, GATE_PER_SECOND));
    fact(b, a, "billed", bench_cost_text(a, sum));
    if (sum->priced && figure_known(&g->all.cost))
        fact(b, a, "prices", price_said(a, &sum->prices));
    fact(b, a, "memory", bench_memory_text(a, g));
    for (size_t i = 0; i < sum->n_warnings; i++)
        fact(b, a, "⚠️", sum->warnings[i]);
}

void bench_write_markdown(struct buf *b, const struct bench_summary *sum,
                          const struct gate_report *gates)
{
    auto_arena struct arena a;
    arena_init(&a);
    buf_printf(b, "### lamina bench %.*s: ", STR(sum->run->mode));
    plain(b, &a, bench_title(&a, sum->run), 300);
    buf_text(b, "\n\n");
    plain(b, &a, bench_conditions(&a, sum->run), 600);
    buf_text(b, "\n\n");
    gates_table(b, &a, gates);
    latency(b, &a, &sum->all);
    series(b, &a, sum);
    phases(b, &a, &sum->all);
    facts(b, &a, sum);
}
