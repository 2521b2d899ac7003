/* bench_compare - `lamina bench compare A [B]`. */
#include <math.h>
#include "base/cleanup.h"
#include "base/table.h"
#include "bench/compare.h"
#include "bench/contrast.h"
#include "cli/bench_sweeps.h"
#include "cli/stacks.h"

#define ANSWER_SHOWN 160
#define WARMUP 5 /* as bench warm */

/* NAME:QUALIFIER, or an ARN with one. */
static void side_parse(struct verb_run *run, struct aws_client *aws, int i,
                       struct compare_side *ret)
{
    const struct bench_options *o = run->values[0];
    struct str text = run->parsed.operands[1 + i];
    size_t colons = 0;
    ssize_t last = str_find_last_byte(text, ':');
    for (size_t at = 0; at < text.n; at++)
        colons += text.p[at] == ':';
    ret->label = str_printf(run->arena, "%c %.*s", 'A' + i, STR(text));
    if (colons == 1 || colons == 7) {
        ret->qualifier = str_slice(text, (size_t)last + 1, text.n);
        text = str_slice(text, 0, (size_t)last);
    }
    ret->function = stacks_function(run, aws, o->stack_name, text);
}

/* ---- what is shown ---- */

static struct str number(struct arena *a, double v, const struct contrast_row *r)
{
    if (isnan(v))
        return (struct str){0};
    if (r->rate)
        return str_printf(a, "%.2f %%", v * 100);
    const char *unit = !strcmp(r->unit, "USD/1M") ? "$/1M" : r->unit;
    return str_printf(a, "%.*f %s", fabs(v) >= 100 ? 0 : fabs(v) >= 10 ? 1 : 3, v, unit);
}

static struct str change_of(struct arena *a, const struct contrast_row *r)
{
    if (!figure_known(&r->ratio))
        return (struct str){0};
    if (r->rate)
        return str_printf(a, "%+.2f %%", r->ratio.value * 100);
    return str_printf(a, "%.3f", r->ratio.value);
}

static struct str interval_of(struct arena *a, const struct contrast_row *r)
{
    double by = r->rate ? 100 : 1;
    if (!figure_known(&r->ratio) || r->verdict == CONTRAST_UNKNOWN)
        return (struct str){0};
    return str_printf(a, r->rate ? "%+.2f .. %+.2f" : "%.3f .. %.3f", r->ratio.low * by,
                      r->ratio.high * by);
}

static void show_rows(struct arena *a, const struct contrast_row *rows, size_t n)
{
    static const char *const words[] = {"", "no difference shown", "B is less", "B is more"};
    const struct table_column columns[] = {
        {.title = "figure"},
        {.title = "A", .right = true},
        {.title = "B", .right = true},
        {.title = "B/A", .right = true},
        {.title = "95 %", .right = true},
        {.title = "shown"},
        {0},
    };
    struct table *t = table_new(a, columns);
    for (size_t i = 0; i < n; i++) {
        const struct contrast_row *r = &rows[i];
        table_row(t);
        table_cell(t, str_from(r->name));
        table_cell(t, number(a, r->sides[0].value, r));
        table_cell(t, number(a, r->sides[1].value, r));
        table_cell(t, change_of(a, r));
        table_cell(t, interval_of(a, r));
        table_cell(t, str_from(words[r->verdict]));
    }
    table_print(stdout, t);
}

/* What a function answers must not drive the terminal. */
static struct str harmless(struct arena *a, struct str s)
{
    char *copy = str_c(a, s);
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)copy[i] < 32 || copy[i] == 127)
            copy[i] = '?';
    return str_of(copy, s.n);
}

static void show_answers(struct arena *a, const struct compare_result *result)
{
    if (!result->n_answers)
        return;
    if (!result->n_different) {
        printf("answers: the same to %zu payload%s\n", result->n_answers,
               result->n_answers > 1 ? "s" : "");
        return;
    }
    printf("answers: %zu of %zu differ\n", result->n_different, result->n_answers);
    for (size_t i = 0; i < result->n_answers; i++) {
        const struct compare_answer *one = &result->answers[i];
        if (one->same)
            continue;
        printf("  %.*s\n", STR(one->payload));
        for (int side = 0; side < 2; side++)
            printf("    %c%s %.*s\n", 'A' + side, one->failed[side] ? " (error)" : "",
                   STR(harmless(a, str_slice(one->answers[side], 0, ANSWER_SHOWN))));
    }
}

/* Its rows. */
struct contrast {
    struct contrast_row rows[CONTRAST_ROWS];
    size_t n;
};

static void make_rows(struct verb_run *run, const struct bench_call *call, struct contrast *ret)
{
    const struct bench_summary *sum = bench_summarize(run->arena, &call->result);
    ret->n = sum->n_groups > 1 ? contrast_rows(&sum->groups[0], &sum->groups[1], ret->rows) : 0;
}

static struct json *details(struct arena *a, const struct contrast *c,
                            const struct compare_result *result)
{
    struct json *o = json_new(a, JSON_OBJECT), *list = json_new(a, JSON_ARRAY);
    json_set(a, o, S("rows"), contrast_json(a, c->rows, c->n));
    if (c->n)
        json_set(a, o, S("verdict"), json_new_str(a, str_from(contrast_said(&c->rows[0]))));
    for (size_t i = 0; i < result->n_answers; i++) {
        const struct compare_answer *one = &result->answers[i];
        struct json *v = json_add(list, json_new(a, JSON_OBJECT));
        json_set(a, v, S("payload"), json_new_str(a, one->payload));
        json_set(a, v, S("same"), json_new_bool(a, one->same));
    }
    if (result->n_answers)
        json_set(a, o, S("answers"), list);
    return o;
}

static void show(struct verb_run *run, const struct bench_call *call, const struct contrast *c,
                 const struct compare_result *result)
{
    const struct contrast_row *rows = c->rows;
    if (c->n)
        printf("\n");
    for (int i = 0; c->n && i < 2; i++)
        printf("%.*s: version %.*s, %d MB, %.*s\n", STR(call->result.series[i].name),
               STR(result->functions[i].version), result->functions[i].memory_mb,
               STR(result->functions[i].architecture));
    if (c->n)
        show_rows(run->arena, rows, c->n);
    if (c->n && figure_known(&rows[0].ratio) && rows[0].verdict != CONTRAST_UNKNOWN)
        printf("verdict: %s (median latency, B/A %.3f, %.3f .. %.3f)\n", contrast_said(&rows[0]),
               rows[0].ratio.value, rows[0].ratio.low, rows[0].ratio.high);
    else
        printf("verdict: too few successes of a side to tell\n");
    show_answers(run->arena, result);
}

/* ---- against a file ---- */

/* The verb's own baseline does that: the figures of now are measured as `warm` would. */
static int against_baseline(struct bench_call *call)
{
    call->plan.mode = BENCH_WARM;
    call->plan.connections = 1;
    if (!call->plan.warmup)
        call->plan.warmup = WARMUP;
    int code = bench_call_execute(call);
    return code ? code : bench_call_report(call);
}

static int measure(struct verb_run *run, struct bench_call *call)
{
    const struct bench_sweep_options *o = bench_sweeps_of(run);
    struct compare_options options = {
        .n = call->plan.n, .block = o->block, .same_answers = o->same_answers};
    struct compare_result result;
    struct aws_error err = {0};
    for (int i = 0; i < 2; i++)
        side_parse(run, call->aws, i, &options.sides[i]);
    int r = bench_compare(run->arena, call->aws, &call->plan, &options, &call->result,
                          &call->progress, &result, &err);
    if (r < 0)
        return bench_call_fail(call, &err);
    struct contrast contrast;
    make_rows(run, call, &contrast);
    call->result.details = details(run->arena, &contrast, &result);
    int code = bench_call_report(call);
    if (!call->options->quiet && !target_of(run)->json)
        show(run, call, &contrast, &result);
    if (!code && result.n_different)
        code = verb_fail(run, "A and B do not answer alike");
    return code;
}

int bench_compare_run(struct verb_run *run)
{
    struct bench_call call;
    const struct bench_options *o = run->values[0];
    bool two = run->parsed.n_operands > 2;
    int code = bench_sweep_check(run);
    if (code)
        return code;
    if (two == (o->baseline.n > 0))
        return verb_usage(run, two ? "A and B are compared, or a function with --baseline FILE"
                                   : "what shall it be compared with: B, or --baseline FILE?");
    code = bench_call_open(run, BENCH_COMPARE, &call);
    if (code)
        return code;
    bench_recover(run, call.aws);
    code = two ? measure(run, &call) : against_baseline(&call);
    bench_call_close(&call);
    return code;
}
