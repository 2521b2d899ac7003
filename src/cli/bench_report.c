/* bench_report - what comes out of `lamina bench`: the table, the files, the gates. */
#include <errno.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/table.h"
#include "bench/gate.h"
#include "bench/output.h"
#include "cli/bench_options.h"

#define BASELINE_MAX (256 * 1024 * 1024)

/* ---- gates ---- */

struct gates {
    struct gate_threshold list[GATE_MAX];
    size_t n;
    struct gate_baseline *baseline;
    double max_regression;
};

static int take_min_success(struct bench_call *call, struct gates *g, struct str *why)
{
    double share;
    struct str given = call->options->min_success;
    if (!str_has(given))
        return 0;
    if (bench_share_parse(given, &share) < 0 || share < 0 || share > 1)
        return verb_usage(call->run, "--min-success %.*s: no share like 95%% or 0.95", STR(given));
    struct str text = str_printf(call->run->arena, "success>=%.10g%%", share * 100);
    return gate_parse(call->run->arena, text, g->list, &g->n, why);
}

static int read_baseline(struct bench_call *call, struct gates *g)
{
    struct verb_run *run = call->run;
    struct str text, why, file = call->options->baseline, share = call->options->max_regression;
    if (bench_share_parse(share, &g->max_regression) < 0 || g->max_regression < 0)
        return verb_usage(run, "--max-regression %.*s: no share like 10%% or 0.1", STR(share));
    if (!str_has(file))
        return 0;
    int r = fs_read(str_c(run->arena, file), BASELINE_MAX, run->arena, &text);
    if (r < 0)
        return verb_fail(run, "%.*s: %s", STR(file), strerror(-r));
    if (gate_baseline_parse(run->arena, text, &g->baseline, &why) < 0)
        return verb_fail(run, "%.*s: %.*s", STR(file), STR(why));
    return 0;
}

static int read_gates(struct bench_call *call, struct gates *g)
{
    struct verb_run *run = call->run;
    const struct option_list *given = &call->options->threshold;
    struct str why;
    *g = (struct gates){0};
    for (size_t i = 0; i < given->n; i++)
        if (gate_parse(run->arena, given->items[i], g->list, &g->n, &why) < 0)
            return verb_usage(run, "--threshold '%.*s': %.*s", STR(given->items[i]), STR(why));
    int r = take_min_success(call, g, &why);
    if (r < 0)
        return verb_usage(run, "--min-success: %.*s", STR(why));
    return r ? r : read_baseline(call, g);
}

int bench_report_check(struct bench_call *call)
{
    struct gates g;
    return read_gates(call, &g);
}

/* ---- outputs ---- */

static void show(struct bench_call *call, const struct bench_summary *sum,
                 const struct gate_report *gates)
{
    auto_buf struct buf b;
    const struct bench_options *o = call->options;
    bool stdout_taken = str_is(o->csv, "-") || str_is(o->markdown, "-") || str_is(o->html, "-");
    buf_init(&b, 64 << 20);
    if (stdout_taken || (o->quiet && !target_of(call->run)->json))
        return;
    if (target_of(call->run)->json)
        bench_write_json(&b, sum, gates, false);
    else
        bench_write_terminal(&b, sum, gates, term_width(stdout), term_colour(stdout));
    fwrite(b.p, 1, b.n, stdout);
    fflush(stdout);
}

static int write_files(struct bench_call *call, const struct bench_summary *sum,
                       const struct gate_report *gates)
{
    const struct bench_options *o = call->options;
    struct str path;
    struct bench_output out = {
        .dir = o->out, .csv = o->csv, .markdown = o->markdown, .html = o->html, .samples = true};
    int r = bench_write(call->run->arena, sum, gates, &out, &path);
    if (r == -EPIPE && verb_reader_left())
        return VERB_READER_LEFT;
    return r < 0 ? verb_fail(call->run, "%.*s: %s", STR(path), strerror(-r)) : 0;
}

int bench_call_report(struct bench_call *call)
{
    struct arena *a = call->run->arena;
    struct gates g;
    struct gate_report report = {0};
    progress_clear(&call->line);
    if (call->result.interrupted && !call->result.n_samples) {
        verb_fail(call->run, "interrupted before anything was measured");
        return 130;
    }
    int code = read_gates(call, &g);
    if (code)
        return code;
    struct bench_summary *sum = bench_summarize(a, &call->result);
    gate_check(a, sum, g.list, g.n, &report);
    if (g.baseline)
        gate_compare(a, sum, g.baseline, call->options->baseline, g.max_regression, &report);
    bool gated = g.n || g.baseline;
    show(call, sum, gated ? &report : NULL);
    code = write_files(call, sum, gated ? &report : NULL);
    if (code)
        return code;
    if (call->result.interrupted)
        return 130;
    if (report.failed)
        return BENCH_EXIT_GATE;
    /* Nothing was measured: who has set no condition shall not take that for a success. */
    return gated || sum->all.outcomes[BENCH_OK] ? 0 : verb_fail(call->run, "every request failed");
}
