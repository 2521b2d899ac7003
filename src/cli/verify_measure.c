/* verify_measure - the measured half of `lamina verify`. What could not be measured never passes.
 */
#include <errno.h>
#include <math.h>
#include <sys/stat.h>
#include "base/clock.h"
#include "base/fs.h"
#include "bench/cold.h"
#include "bench/memory.h"
#include "bench/output.h"
#include "cli/cost.h"
#include "cli/target.h"
#include "cli/verify.h"

#define NOTHING ((struct str){0})
#define BASELINE_MAX (64 << 20)

struct measurer {
    struct verify *v;
    const struct verify_function *f;
    const struct lambda_function_configuration *c;
    struct verify_measured *last; /* the step just measured */
};

static void row(struct measurer *k, const char *group, struct str check,
                enum verify_verdict verdict, struct str message, struct str advice)
{
    verify_add(k->v, k->f->name, group, check, verdict, message, advice);
}

/* ---- conditions ---- */

/* ", most with ValueError: no such thing" */
static struct str top_error(struct measurer *k)
{
    const struct bench_run *run = k->last->run;
    const struct bench_error *e = NULL;
    for (size_t i = 1; i < run->n_errors; i++)
        if (!e || run->errors[i].count > e->count)
            e = &run->errors[i];
    return e ? str_printf(k->v->a, ", most with %.*s%s%.*s%s", STR(e->type),
                          e->message.n ? ": " : "", STR(str_slice(e->message, 0, 200)),
                          e->message.n > 200 ? "..." : "")
             : S("");
}

static void check_failures(struct measurer *k, const char *name, const struct verify_step *step)
{
    const struct bench_group *g = &k->last->summary->all;
    size_t failed = verify_unasked_failures(step, g);
    if (!failed)
        return;
    row(k, name, S("errors==0"), VERIFY_FAIL,
        str_printf(k->v->a, "%zu of %zu failed%s%.*s", failed, g->n + g->dropped,
                   g->dropped ? " or were never sent" : "", STR(top_error(k))),
        S("a condition on errors in verify.yaml says how many are right"));
}

static enum verify_verdict verdict_of(const struct gate_result *r)
{
    return r->verdict == GATE_FAILED || r->verdict == GATE_REGRESSED ? VERIFY_FAIL
           : r->close || r->verdict == GATE_NOT_SHOWN                ? VERIFY_WARN
                                                                     : VERIFY_PASS;
}

static void check_gates(struct measurer *k, const char *name, const struct verify_step *step)
{
    struct arena *a = k->v->a;
    struct gate_report report = {0};
    gate_check(a, k->last->summary, step->gates, step->n_gates, &report);
    for (size_t i = 0; i < report.n; i++) {
        const struct gate_result *r = &report.results[i];
        enum verify_verdict verdict = verdict_of(r);
        struct str check = str_has(r->series)
                               ? str_printf(a, "%.*s (%.*s)", STR(r->text), STR(r->series))
                               : r->text;
        row(k, name, check, verdict, r->why.n ? r->why : gate_value(a, r->figure.value, r->unit),
            verdict == VERIFY_WARN ? S("more samples make it certain") : NOTHING);
    }
}

static void say_figures(struct measurer *k, const char *name)
{
    struct arena *a = k->v->a;
    const struct bench_group *g = &k->last->summary->all;
    const struct bench_spread *l = &g->all.latency;
    const struct bench_machine *m = &k->last->run->machine;
    struct str init = NOTHING;
    if (g->all.phases[BENCH_INIT].n && !strcmp(name, "cold"))
        init = str_printf(a, ", init p50 %.*s",
                          STR(gate_value(a, g->all.phases[BENCH_INIT].p50.value, GATE_MS)));
    struct str text =
        l->n ? str_printf(a, "%zu of %zu succeeded, p50 %.*s, p95 %.*s, longest %.*s%.*s",
                          g->outcomes[BENCH_OK], g->n + g->dropped,
                          STR(gate_value(a, l->p50.value, GATE_MS)),
                          STR(gate_value(a, l->p95.value, GATE_MS)),
                          STR(gate_value(a, l->max, GATE_MS)), STR(init))
             : str_printf(a, "none of %zu succeeded", g->n);
    if (g->outcomes[BENCH_OK] < g->n)
        text = str_printf(a, "%.*s%.*s", STR(text), STR(top_error(k)));
    row(k, name, S("measured"), l->n ? VERIFY_PASS : VERIFY_FAIL, text, NOTHING);
    if (m->noisy)
        row(k, name, S("machine"), VERIFY_WARN,
            str_printf(a, "the machine was busy: %.*s", STR(m->why)),
            S("times are longer than they need be"));
}

/* ---- baselines ---- */

static struct str baseline_path(struct measurer *k, const char *step)
{
    struct arena *a = k->v->a;
    char *name = str_c(a, k->f->name);
    for (char *p = name; *p; p++)
        if (*p == '/' || *p == ':' || *p == '$')
            *p = '_';
    return fs_join(a, k->v->plan->baseline, str_printf(a, "%s.%s.json", name, step));
}

static void compare(struct measurer *k, const char *step, struct str path, struct str text)
{
    struct verify *v = k->v;
    struct gate_baseline *base;
    struct gate_report report = {0};
    struct str why;
    if (gate_baseline_parse(v->a, text, &base, &why) < 0) {
        row(k, "baseline", str_from(step), VERIFY_FAIL,
            str_printf(v->a, "%.*s: %.*s", STR(path), STR(why)), NOTHING);
        return;
    }
    gate_compare(v->a, k->last->summary, base, path, v->plan->max_regression, &report);
    for (size_t i = 0; i < report.n; i++) {
        const struct gate_result *r = &report.results[i];
        row(k, "baseline", str_printf(v->a, "%s %.*s", step, STR(r->text)), verdict_of(r),
            r->why.n ? r->why : str_from(gate_verdict_name(r->verdict)), NOTHING);
    }
    for (size_t i = 0; i < report.n_notes; i++)
        row(k, "baseline", str_printf(v->a, "%s conditions", step), VERIFY_WARN, report.notes[i],
            NOTHING);
}

static void check_baseline(struct measurer *k, const char *step)
{
    struct verify *v = k->v;
    struct str text;
    if (!v->plan->baseline.n || v->update_baseline)
        return;
    struct str path = baseline_path(k, step);
    int r = fs_read(path.p, BASELINE_MAX, v->a, &text);
    if (r == -ENOENT)
        row(k, "baseline", str_from(step), VERIFY_SKIPPED,
            str_printf(v->a, "there is no %.*s yet", STR(path)), S("--update-baseline writes it"));
    else if (r < 0)
        row(k, "baseline", str_from(step), VERIFY_FAIL,
            str_printf(v->a, "%.*s: %s", STR(path), strerror(-r)), NOTHING);
    else
        compare(k, step, path, text);
}

/* Only what has passed becomes what later runs are measured by. */
static void write_baseline(struct measurer *k, const struct verify_measured *m)
{
    struct verify *v = k->v;
    struct buf b;
    struct str path = baseline_path(k, m->step);
    buf_init(&b, BASELINE_MAX);
    bench_write_json(&b, m->summary, NULL, false);
    int r = buf_failed(&b) ? -EMSGSIZE : fs_mkdirs(str_c(v->a, v->plan->baseline), 0755);
    if (r == 0)
        r = fs_write(path.p, buf_view(&b), 0644);
    buf_done(&b);
    row(k, "baseline", str_from(m->step), r < 0 ? VERIFY_FAIL : VERIFY_PASS,
        r < 0 ? str_printf(v->a, "%.*s: %s", STR(path), strerror(-r))
              : str_printf(v->a, "written: %.*s", STR(path)),
        NOTHING);
}

static void update_baselines(struct measurer *k, size_t from)
{
    struct verify *v = k->v;
    bool failed = false;
    for (size_t i = 0; i < v->n; i++)
        failed = failed ||
                 (v->rows[i].verdict == VERIFY_FAIL && str_eq(v->rows[i].function, k->f->name));
    if (!v->update_baseline || !v->plan->baseline.n)
        return;
    if (failed)
        row(k, "baseline", S("update"), VERIFY_SKIPPED,
            S("not written: a check has failed, and what fails is no measure"), NOTHING);
    for (size_t i = from; !failed && i < v->n_measured; i++)
        write_baseline(k, &v->measured[i]);
}

/* ---- steps ---- */

static struct bench_plan plan_of(struct measurer *k, enum bench_mode mode,
                                 const struct verify_step *step)
{
    return (struct bench_plan){.mode = mode,
                               .function = k->f->physical,
                               .n = step->n,
                               .payloads = &k->f->event,
                               .n_payloads = 1,
                               .seed = 1,
                               .stop = k->v->stop};
}

/* Runs one step; false after a row that says why there is nothing. */
static bool take(struct measurer *k, const char *name, const struct verify_step *step, int r,
                 struct bench_run *run, const struct aws_error *err, int64_t from_ns)
{
    struct verify *v = k->v;
    if (r < 0 || !run->n_samples || run->interrupted) {
        row(k, name, S("measured"), VERIFY_FAIL,
            run->interrupted || *v->stop ? S("interrupted")
            : r < 0                      ? str_printf(v->a, "it could not be measured: %.*s",
                                                      STR(err->message.n ? err->message : str_from(strerror(-r))))
                                         : S("it could not be measured: no request was sent"),
            NOTHING);
        bench_run_done(run);
        return false;
    }
    struct verify_measured *m =
        arena_push(v->a, (void **)&v->measured, &v->n_measured, &v->cap_measured, sizeof *m);
    *m = (struct verify_measured){.function = k->f->name,
                                  .step = name,
                                  .run = run,
                                  .summary = bench_summarize(v->a, run),
                                  .seconds = (double)(clock_mono_ns() - from_ns) / 1e9};
    k->last = m;
    say_figures(k, name);
    check_failures(k, name, step);
    check_gates(k, name, step);
    check_baseline(k, name);
    return true;
}

static bool off(struct measurer *k, const char *name, const struct verify_step *step)
{
    enum verify_mode mode = k->v->mode;
    if (*k->v->stop) {
        row(k, name, S("measured"), VERIFY_FAIL, S("interrupted"), NOTHING);
        return true;
    }
    if (!step->off)
        return false;
    bool memory = !strcmp(name, "memory");
    row(k, name, S("measured"), VERIFY_SKIPPED,
        mode == VERIFY_QUICK            ? S("not with --quick")
        : memory && mode != VERIFY_FULL ? S("only with --full, as it changes the configuration "
                                            "for a while")
                                        : S("turned off in the file"),
        NOTHING);
    return true;
}

static void begin(struct measurer *k, const char *name)
{
    if (k->v->on_step)
        k->v->on_step(k->v, k->f->name, name);
}

static void not_restored(struct measurer *k, const char *name, const struct change_report *report)
{
    if (report->failed)
        row(k, name, S("configuration restored"), VERIFY_FAIL,
            S("what the run had changed could not be put back"), S("run lamina bench restore"));
}

static void measure_cold(struct measurer *k)
{
    struct verify *v = k->v;
    const struct verify_step *step = &v->plan->cold;
    struct bench_run *run = ARENA_NEW(v->a, struct bench_run);
    struct aws_error err = {0};
    struct cold_result result = {0};
    int64_t from = clock_mono_ns();
    if (off(k, "cold", step))
        return;
    begin(k, "cold");
    struct bench_plan plan = plan_of(k, BENCH_COLD, step);
    struct cold_options options = {.n = step->n, .profile = target_of(v->run)->profile};
    int r = bench_cold(v->a, v->aws, &plan, &options, run, NULL, &result, &err);
    if (take(k, "cold", step, r, run, &err, from) && result.cold < step->n)
        row(k, "cold", S("samples"), VERIFY_WARN,
            str_printf(v->a, "%lld of %lld were cold", (long long)result.cold, (long long)step->n),
            NOTHING);
    not_restored(k, "cold", &result.report);
}

static void measure_plain(struct measurer *k, const char *name, enum bench_mode mode,
                          const struct verify_step *step)
{
    struct verify *v = k->v;
    struct bench_run *run = ARENA_NEW(v->a, struct bench_run);
    struct aws_error err = {0};
    int64_t from = clock_mono_ns();
    if (off(k, name, step))
        return;
    begin(k, name);
    struct bench_plan plan = plan_of(k, mode, step);
    plan.connections = (int)step->connections;
    plan.duration_ms = step->duration_ms;
    if (mode == BENCH_WARM)
        plan.warmup = 5;
    if (step->rate.n) {
        plan.mode = BENCH_RATE;
        plan.rate = strtod(str_c(v->a, step->rate), NULL);
    }
    int r = bench_execute(v->a, v->aws, &plan, run, NULL, &err);
    take(k, name, step, r, run, &err, from);
}

/* ---- memory ---- */

static void judge_sizes(struct measurer *k, const struct memory_result *result)
{
    struct arena *a = k->v->a;
    const struct bench_summary *sum = k->last->summary;
    const struct bench_group *best = NULL, *now = NULL;
    for (size_t i = 0; i < sum->n_groups; i++) {
        const struct bench_group *g = &sum->groups[i];
        bool known = figure_known(&g->all.cost) && g->outcomes[BENCH_OK] == g->n && g->n &&
                     !g->series->extrapolated;
        if (g->memory_mb == result->was_mb)
            now = g;
        if (known && (!best || g->all.cost.value < best->all.cost.value))
            best = g;
    }
    if (!best) {
        row(k, "memory", S("cost by size"), VERIFY_FAIL, S("no size works without failures"),
            NOTHING);
        return;
    }
    bool alone = true;
    for (size_t i = 0; i < sum->n_groups; i++)
        alone = alone && (&sum->groups[i] == best || sum->groups[i].series->extrapolated ||
                          best->all.cost.high < sum->groups[i].all.cost.low);
    struct str is = str_printf(a, "%d MB is cheapest%s, %.*s a million invocations, p50 %.*s",
                               best->memory_mb, alone ? "" : " (not of all sizes this is shown)",
                               STR(cost_money(a, best->all.cost.value)),
                               STR(gate_value(a, best->all.latency.p50.value, GATE_MS)));
    bool shown = now && now != best && figure_known(&now->all.cost) &&
                 best->all.cost.high < now->all.cost.low;
    if (now && now != best && figure_known(&now->all.cost))
        is = str_printf(a, "%.*s; as it is (%d MB) %.*s, p50 %.*s", STR(is), now->memory_mb,
                        STR(cost_money(a, now->all.cost.value)),
                        STR(gate_value(a, now->all.latency.p50.value, GATE_MS)));
    row(k, "memory", S("cost by size"), shown ? VERIFY_WARN : VERIFY_PASS, is,
        shown ? S("lamina bench memory --strategy says more, --apply takes it") : NOTHING);
}

static void measure_memory(struct measurer *k)
{
    struct verify *v = k->v;
    const struct verify_step *step = &v->plan->memory;
    struct bench_run *run = ARENA_NEW(v->a, struct bench_run);
    struct aws_error err = {0};
    struct memory_result result = {0};
    struct str why;
    int *sizes;
    int64_t from = clock_mono_ns();
    if (off(k, "memory", step))
        return;
    begin(k, "memory");
    struct bench_plan plan = plan_of(k, BENCH_MEMORY, step);
    struct memory_options options = {.n = step->n, .profile = target_of(v->run)->profile};
    struct str wanted = str_printf(v->a, "%.*s,%lld", STR(step->sizes),
                                   (long long)k->c->memory_size.is); /* to compare with */
    if (memory_sizes_parse(v->a, wanted, &sizes, &options.n_sizes, &why) < 0) {
        row(k, "memory", S("measured"), VERIFY_FAIL, why, NOTHING);
        return;
    }
    options.sizes = sizes;
    int r = bench_memory(v->a, v->aws, &plan, &options, run, NULL, &result, &err);
    if (take(k, "memory", step, r, run, &err, from))
        judge_sizes(k, &result);
    not_restored(k, "memory", &result.report);
}

/* ---- what follows from the figures ---- */

static const struct verify_measured *measured_of(const struct measurer *k, const char *step,
                                                 size_t from)
{
    for (size_t i = from; i < k->v->n_measured; i++)
        if (!strcmp(k->v->measured[i].step, step))
            return &k->v->measured[i];
    return NULL;
}

static void check_head_room(struct measurer *k, const struct verify_measured *m)
{
    struct arena *a = k->v->a;
    const struct bench_group *g = &m->summary->all;
    int64_t size = k->c->memory_size.is, limit_ms = k->c->timeout.is * 1000;
    if (g->memory_used > 0) {
        bool tight = g->memory_used * 10 >= size * 9;
        row(k, m->step, S("memory used"), tight ? VERIFY_WARN : VERIFY_PASS,
            str_printf(a, "%d of %lld MB at most", g->memory_used, (long long)size),
            tight              ? S("little is left: a larger event may end it")
            : g->memory_advice ? str_printf(a,
                                            "%d MB would hold it; less memory is less processor, "
                                            "too: lamina bench memory measures",
                                            g->memory_advice)
                               : NOTHING);
    }
    if (g->all.billed.n && limit_ms) {
        bool tight = g->all.billed.max > 0.8 * (double)limit_ms;
        row(k, m->step, S("time left"), tight ? VERIFY_WARN : VERIFY_PASS,
            str_printf(a, "longest billed %.*s, timeout %lld s",
                       STR(gate_value(a, g->all.billed.max, GATE_MS)), (long long)k->c->timeout.is),
            tight ? S("the slowest is near the timeout") : NOTHING);
    }
}

static void limit(struct measurer *k, const char *check, const struct figure *f, double most,
                  struct str formula)
{
    struct arena *a = k->v->a;
    struct str is =
        str_printf(a, "%.*s%.*s%s%.*s", STR(cost_money(a, f->value)),
                   STR(cost_interval(a, f, cost_money)), formula.n ? "; " : "", STR(formula));
    if (!(most > 0))
        row(k, "cost", str_from(check), VERIFY_PASS, is, NOTHING);
    else if (!(f->value <= most))
        row(k, "cost", str_from(check), VERIFY_FAIL,
            str_printf(a, "%.*s, more than %.*s", STR(is), STR(cost_money(a, most))), NOTHING);
    else
        row(k, "cost", str_from(check), f->high > most ? VERIFY_WARN : VERIFY_PASS,
            str_printf(a, "%.*s, at most %.*s", STR(is), STR(cost_money(a, most))),
            f->high > most ? S("more samples make it certain") : NOTHING);
}

static void check_cost(struct measurer *k, const struct verify_measured *m)
{
    struct verify *v = k->v;
    const struct verify_plan *p = v->plan;
    const struct bench_spread *billed = m ? &m->summary->all.all.billed : NULL;
    bool limited = p->max_usd_per_month > 0 || p->max_usd_per_million > 0;
    struct cost_measured c = {.region = v->region, .log_bytes = -1};
    struct cost_case how = {.invocations = p->invocations_per_month, .free_tier = p->free_tier};
    struct cost_result r;
    if (!billed || !billed->n || !m->summary->all.outcomes[BENCH_OK]) {
        row(k, "cost", S("measured"), limited ? VERIFY_FAIL : VERIFY_SKIPPED,
            billed && billed->n ? S("nothing but failures was billed")
                                : S("no billed durations were measured"),
            NOTHING);
        return;
    }
    c.architecture = k->c->architectures.n ? k->c->architectures.items[0] : S("x86_64");
    c.storage_mb = k->c->ephemeral_storage ? (double)k->c->ephemeral_storage->size.is : 512;
    c.memory_mb = (double)k->c->memory_size.is;
    c.n = billed->n;
    c.billed_ms = billed->mean;
    c.gb_seconds = figure_scale(&c.billed_ms, c.memory_mb / 1024 / 1000);
    int e = cost_month(&c, &how, &r);
    if (e < 0) {
        row(k, "cost", S("priced"), limited ? VERIFY_FAIL : VERIFY_SKIPPED,
            S("prices of this region are not known in dollars"), NOTHING);
        return;
    }
    struct str said = price_said(v->a, &r.prices);
    limit(k, "a million invocations", &r.per_million, p->max_usd_per_million,
          str_printf(v->a, "mean billed %.*s of %s, %.*s",
                     STR(gate_value(v->a, billed->mean.value, GATE_MS)), m->step, STR(said)));
    if (p->invocations_per_month > 0)
        limit(k, "a month", &r.total, p->max_usd_per_month,
              str_printf(v->a, "%.*s invocations, without logs",
                         STR(cost_count(v->a, p->invocations_per_month))));
    else if (p->max_usd_per_month > 0)
        row(k, "cost", S("a month"), VERIFY_FAIL,
            S("max_usd_per_month needs invocations_per_month"), NOTHING);
}

void verify_measure(struct verify *v, const struct verify_function *f,
                    const struct lambda_function_configuration *c)
{
    struct measurer k = {.v = v, .f = f, .c = c};
    size_t from = v->n_measured;
    measure_cold(&k);
    measure_plain(&k, "warm", BENCH_WARM, &v->plan->warm);
    measure_plain(&k, "load", BENCH_LOAD, &v->plan->load);
    measure_memory(&k);
    const struct verify_measured *usual = measured_of(&k, "load", from);
    if (!usual)
        usual = measured_of(&k, "warm", from);
    if (usual)
        check_head_room(&k, usual);
    check_cost(&k, usual);
    update_baselines(&k, from);
}
