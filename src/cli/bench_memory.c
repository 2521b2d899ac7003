/* bench_memory - `lamina bench memory`. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include "base/table.h"
#include "bench/memory_table.h"
#include "cli/bench_sweeps.h"

/* What the options mean. */
struct wishes {
    struct memory_options options;
    enum pareto_strategy strategy;
    double weight, below_ms;
    bool apply;
};

static int read_wishes(struct verb_run *run, struct wishes *ret)
{
    const struct bench_sweep_options *o = bench_sweeps_of(run);
    struct arena *a = run->arena;
    struct str why;
    int *sizes;
    char *end;
    *ret = (struct wishes){
        .below_ms = (double)o->below_ms,
        .apply = o->apply,
        .strategy = str_is(o->strategy, "speed")      ? PARETO_SPEED
                    : str_is(o->strategy, "balanced") ? PARETO_BALANCED
                                                      : PARETO_COST,
        .options = {.only_cold = o->only_cold,
                    .folder = bench_journal_folder(run),
                    .profile = target_of(run)->profile},
    };
    if (memory_sizes_parse(a, o->memory, &sizes, &ret->options.n_sizes, &why) < 0)
        return verb_usage(run, "--memory: %.*s", STR(why));
    ret->options.sizes = sizes;
    ret->weight = strtod(str_c(a, o->balanced_weight), &end);
    if (!o->balanced_weight.n || *end || !(ret->weight >= 0 && ret->weight <= 1))
        return verb_usage(run, "--balanced-weight: \"%.*s\" is not between 0 and 1",
                          STR(o->balanced_weight));
    double narrow;
    if (str_is(o->stop_at, "0"))
        ret->options.narrow = -1;
    else if (bench_share_parse(o->stop_at, &narrow) < 0)
        return verb_usage(run, "--stop-at: \"%.*s\" is no share like 5%%", STR(o->stop_at));
    else
        ret->options.narrow = narrow > 0 ? narrow : -1;
    return 0;
}

/* ---- what is shown ---- */

static void cell_ms(struct table *t, struct arena *a, size_t n, const struct figure *f)
{
    if (!n || !figure_known(f))
        table_cell(t, (struct str){0});
    else
        table_cell(t, str_printf(a, "%.*f",
                                 f->value >= 100  ? 0
                                 : f->value >= 10 ? 1
                                                  : 2,
                                 f->value));
}

static struct str note_of(struct arena *a, const struct memory_table *t, const struct memory_row *r)
{
    struct str note = r->series->note.n ? r->series->note : S("");
    size_t i = (size_t)(r - t->rows);
    struct str marks = S("");
    if (i == t->advice.best)
        marks = S("recommended");
    else if (r->front)
        marks = S("front");
    if (r->rival)
        marks = str_printf(a, "%.*s%snot told apart", STR(marks), marks.n ? ", " : "");
    if (r->size->narrow)
        marks = str_printf(a, "%.*s%sn=%lld", STR(marks), marks.n ? ", " : "",
                           (long long)r->size->sent);
    return marks.n && note.n ? str_printf(a, "%.*s; %.*s", STR(marks), STR(note))
           : marks.n         ? marks
                             : note;
}

static void show_row(struct table *t, struct arena *a, const struct memory_table *m,
                     const struct memory_row *r)
{
    const struct bench_spread *d = &r->duration;
    table_row(t);
    table_printf(t, "%d", r->size->mb);
    table_printf(t, "%.2f%s", r->size->vcpu, r->size->beyond ? "*" : "");
    cell_ms(t, a, d->n, &d->p50);
    cell_ms(t, a, d->n, &d->p90);
    cell_ms(t, a, d->n, &d->p99);
    cell_ms(t, a, figure_known(&r->billed), &r->billed);
    table_cell(t, figure_known(&r->cost) ? str_printf(a, "%.3f", r->cost.value) : (struct str){0});
    table_cell(t, isnan(r->delta) ? (struct str){0} : str_printf(a, "%+.0f %%", r->delta * 100));
    table_cell(t, r->memory_used < 0 ? (struct str){0} : str_printf(a, "%d", r->memory_used));
    table_cell(t, note_of(a, m, r));
}

static void show(struct verb_run *run, const struct bench_summary *sum,
                 const struct memory_table *m)
{
    const struct table_column columns[] = {
        {.title = "MB", .right = true},
        {.title = "vCPU", .right = true},
        {.title = "duration p50", .right = true},
        {.title = "p90", .right = true},
        {.title = "p99", .right = true},
        {.title = "billed", .right = true},
        {.title = "$/1M", .right = true},
        {.title = "delta", .right = true},
        {.title = "max MB", .right = true},
        {.title = "note", .shrink = true},
        {0},
    };
    struct table *t = table_new(run->arena, columns);
    bool beyond = false;
    for (size_t i = 0; i < m->n_rows; i++) {
        show_row(t, run->arena, m, &m->rows[i]);
        beyond = beyond || m->rows[i].size->beyond;
    }
    printf("\n");
    table_print(stdout, t);
    printf("durations in ms, of REPORT lines%s; latencies, above, have the way there and back in "
           "them\n",
           bench_sweeps_of(run)->only_cold ? ", with init" : ", warm");
    if (beyond)
        printf("* more processors than this machine has: measured with those it has, so the times "
               "say nothing about AWS\n");
    if (sum->priced)
        printf("%.*s\n", STR(price_said(run->arena, &sum->prices)));
    printf("recommended (%.*s): %.*s\n", STR(bench_sweeps_of(run)->strategy), STR(m->advice.why));
    if (m->advice.below_why.n)
        printf("%.*s\n", STR(m->advice.below_why));
}

/* ---- --apply ---- */

static int apply(struct verb_run *run, struct bench_call *call, const struct memory_table *m,
                 const struct memory_result *result)
{
    struct aws_error err = {0};
    struct lambda_function_configuration *now;
    struct str name = call->result.function.name;
    if (m->advice.best == m->n_rows)
        return verb_fail(run, "--apply: %.*s", STR(m->advice.why));
    int mb = m->rows[m->advice.best].size->mb;
    if (mb == result->was_mb) {
        fprintf(stderr, "lamina: bench: %.*s has the recommended %d MB already\n", STR(name), mb);
        return 0;
    }
    if (m->rows[m->advice.best].size->beyond)
        return verb_fail(
            run, "--apply: %d MB is more than this machine can show; nothing is changed", mb);
    if (change_settle(run->arena, call->aws, name, (struct str){0}, NULL, &now, &err) < 0)
        return target_fail(run, &err, "--apply");
    if (now->memory_size.is != result->was_mb)
        return verb_fail(run,
                         "--apply: MemorySize was set to %lld MB meanwhile; nothing is changed",
                         (long long)now->memory_size.is);
    struct lambda_update_function_configuration_input in = {
        .function_name = name,
        .memory_size = {.has = true, .is = mb},
        .revision_id = now->revision_id,
    };
    void *out;
    if (aws_call(call->aws, run->arena, &lambda_update_function_configuration_op, &in, &out, &err) <
            0 ||
        change_settle(run->arena, call->aws, name, (struct str){0}, NULL, &now, &err) < 0)
        return target_fail(run, &err, "--apply");
    fprintf(stderr, "lamina: bench: %.*s has %d MB now (%d before)\n", STR(name), mb,
            result->was_mb);
    return 0;
}

static int report(struct verb_run *run, struct bench_call *call, const struct wishes *w,
                  const struct memory_result *result)
{
    struct memory_table m;
    const struct bench_summary *sum = bench_summarize(run->arena, &call->result);
    memory_table_make(run->arena, sum, result, w->options.only_cold, w->strategy, w->weight,
                      w->below_ms, &m);
    call->result.details = memory_table_json(run->arena, &m, result);
    int code = bench_call_report(call);
    if (!call->options->quiet && !target_of(run)->json)
        show(run, sum, &m);
    if (!code && result->report.failed)
        code = 1;
    if (!code && w->apply)
        code = apply(run, call, &m, result);
    return code;
}

int bench_memory_run(struct verb_run *run)
{
    struct bench_call call;
    struct aws_error err = {0};
    struct memory_result result;
    struct wishes wishes;
    int code = bench_sweep_check(run);
    if (!code)
        code = read_wishes(run, &wishes);
    if (!code)
        code = bench_call_open(run, BENCH_MEMORY, &call);
    if (code)
        return code;
    bench_recover(run, call.aws);
    wishes.options.n = call.plan.n;
    int r = bench_memory(run->arena, call.aws, &call.plan, &wishes.options, &call.result,
                         &call.progress, &result, &err);
    bench_sweep_tell(run, &result.report);
    code = r < 0 ? bench_call_fail(&call, &err) : report(run, &call, &wishes, &result);
    bench_call_close(&call);
    return code;
}
