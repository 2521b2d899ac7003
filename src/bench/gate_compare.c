/* gate_compare - a run against an earlier one's report, on the intervals (gate.h). */
#include <errno.h>
#include <math.h>
#include "base/cleanup.h"
#include "base/json.h"
#include "bench/gate_parts.h"
#include "bench/output.h"

struct gate_baseline {
    struct json *root;
};

/* What is compared; of each less is better, but of success. */
static const char *const compared[] = {"p50",      "p90",      "p99",         "cold.p50",
                                       "cold.p99", "init.p50", "handler.p50", "billed",
                                       "cost",     "memory",   "errors",      NULL};

/* ---- the earlier report ---- */

int gate_baseline_parse(struct arena *a, struct str text, struct gate_baseline **ret,
                        struct str *why)
{
    struct json_error e = {0};
    struct gate_baseline *base = ARENA_NEW(a, struct gate_baseline);
    if (json_parse(a, text, &base->root, &e) < 0) {
        *why = str_printf(a, "line %d, column %d: %s", e.line, e.column, e.message);
        return -EBADMSG;
    }
    struct str format = json_get_str(base->root, "format");
    if (!str_is(format, BENCH_FORMAT)) {
        *why = str_has(format)
                   ? str_printf(a, "its format is \"%.*s\", not " BENCH_FORMAT, STR(format))
                   : S("it is no report of lamina bench (--json, or report.json)");
        return -EBADMSG;
    }
    if (!json_is(json_get(base->root, "all"), JSON_OBJECT)) {
        *why = S("it has no figures (\"all\")");
        return -EBADMSG;
    }
    *ret = base;
    return 0;
}

/* A finite number >= 0; otherwise NAN. */
static double number(const struct json *object, const char *key)
{
    const struct json *v = json_get(object, key);
    char text[64];
    if (!json_is(v, JSON_NUMBER) || v->text.n >= sizeof(text))
        return NAN;
    memcpy(text, v->text.p, v->text.n);
    text[v->text.n] = '\0';
    double d = strtod(text, NULL);
    return isfinite(d) && d >= 0 ? d : NAN;
}

static struct figure figure_read(const struct json *v)
{
    double n = number(v, "n");
    struct figure f = {number(v, "value"), number(v, "low"), number(v, "high"),
                       n >= 1 && n < 1e15 ? (size_t)n : 0};
    /* An interval that does not hold its value is none. */
    if (!(f.low <= f.value))
        f.low = NAN;
    if (!(f.high >= f.value))
        f.high = NAN;
    return f;
}

static struct figure figure_before(const struct json *group, const struct gate_metric *m)
{
    if (m->part < 0)
        return figure_read(json_get(json_get(group, "figures"), gate_names[m->statistic]));
    const struct json *p = json_get(group, gate_populations[m->population]);
    return figure_read(json_get(json_get(p, gate_parts[m->part]), gate_statistics[m->statistic]));
}

static const struct json *series_before(const struct gate_baseline *base, struct str name)
{
    JSON_EACH(json_get(base->root, "series"), s)
        if (str_eq(json_get_str(s, "name"), name))
            return s;
    return NULL;
}

/* ---- is it the same thing? ---- */

static void note(struct arena *a, struct gate_report *report, struct str text)
{
    struct str *t =
        arena_push(a, (void **)&report->notes, &report->n_notes, &report->cap_notes, sizeof(*t));
    *t = text;
}

static void differs(struct arena *a, struct gate_report *report, const char *what,
                    struct str before, struct str now)
{
    if (str_has(before) && str_has(now) && !str_eq(before, now))
        note(a, report, str_printf(a, "%s: %.*s before, %.*s now", what, STR(before), STR(now)));
}

static struct str said(struct arena *a, double v)
{
    return isnan(v) ? str_from(NULL) : str_printf(a, "%g", v);
}

/* Texts of a hash say nothing to people. */
static void compare_payloads(struct arena *a, const struct bench_run *run, const struct json *r,
                             struct gate_report *report)
{
    struct str before = json_get_str(r, "payloads_sha256");
    if (str_has(before) && str_has(run->payloads) && !str_eq(before, run->payloads))
        note(a, report, S("payloads: others were sent before"));
}

static void compare_conditions(struct arena *a, const struct bench_run *run,
                               const struct gate_baseline *base, struct gate_report *report)
{
    const struct json *r = json_get(base->root, "run"), *f = json_get(base->root, "function"),
                      *m = json_get(base->root, "machine");
    differs(a, report, "function", json_get_str(f, "name"), run->function.name);
    differs(a, report, "mode", json_get_str(r, "mode"), run->mode);
    differs(a, report, "target", json_get_str(r, "target"), run->target);
    differs(a, report, "region", json_get_str(r, "region"), run->region);
    differs(a, report, "runtime", json_get_str(f, "runtime"), run->function.runtime);
    differs(a, report, "architecture", json_get_str(f, "architecture"), run->function.architecture);
    compare_payloads(a, run, r, report);
    differs(a, report, "asked", str_has(json_get_str(f, "url")) ? S("by its URL") : S("by Invoke"),
            str_has(run->function.url) ? S("by its URL") : S("by Invoke"));
    differs(a, report, "initialised", json_get_str(f, "init_type"), run->function.init_type);
    differs(a, report, "machine's processor", json_get_str(m, "cpu"), run->machine.cpu);
    if (run->machine.cores > 0)
        differs(a, report, "machine's cores", said(a, number(m, "cores")),
                said(a, run->machine.cores));
    if (run->function.memory_mb && !str_is(run->mode, "memory"))
        differs(a, report, "memory (MB)", said(a, number(f, "memory_mb")),
                said(a, run->function.memory_mb));
    differs(a, report, "connections", said(a, number(r, "connections")), said(a, run->connections));
    differs(a, report, "rate", said(a, number(r, "rate")), said(a, run->rate));
    if (json_is(json_get(m, "noisy"), JSON_BOOL) && json_get(m, "noisy")->boolean)
        note(a, report, S("the machine was not quiet when the baseline was measured"));
}

/* ---- the judgement ---- */

/* Worse by more than allowed with all of the interval; better with all of it; or not shown. */
static enum gate_verdict verdict_of(const struct gate_result *r, double max)
{
    if (r->unit == GATE_RATE) {
        double allowed = max * r->before.value;
        return r->ratio.low > allowed     ? GATE_REGRESSED
               : r->ratio.high < 0        ? GATE_IMPROVED
               : r->ratio.high <= allowed ? GATE_PASSED
                                          : GATE_NOT_SHOWN;
    }
    return r->ratio.low > 1 + max     ? GATE_REGRESSED
           : r->ratio.high < 1        ? GATE_IMPROVED
           : r->ratio.high <= 1 + max ? GATE_PASSED
                                      : GATE_NOT_SHOWN;
}

static struct str change_text(struct arena *a, double v, enum gate_unit unit)
{
    if (unit == GATE_RATE)
        return str_printf(a, "%+.2f points", v * 100);
    return str_printf(a, "%+.1f %%", (v - 1) * 100);
}

static struct str explain(struct arena *a, const struct gate_result *r, double max)
{
    struct str low =
                   isnan(r->ratio.low) ? S("no lower end") : change_text(a, r->ratio.low, r->unit),
               high = isnan(r->ratio.high) ? S("no upper end")
                                           : change_text(a, r->ratio.high, r->unit);
    struct str allowed = str_printf(a, "%+.4g %%", max * 100);
    struct str words =
        r->verdict == GATE_IMPROVED ? S("better")
        : r->verdict == GATE_PASSED ? str_printf(a, "no more than %.*s", STR(allowed))
        : r->verdict == GATE_REGRESSED
            ? str_printf(a, "worse by more than %.*s", STR(allowed))
            : str_printf(a, "not known to be within %.*s: more samples would tell", STR(allowed));
    return str_printf(
        a, "%.*s, was %.*s: %.*s (%.*s to %.*s), %.*s",
        STR(gate_value(a, r->figure.value, r->unit)), STR(gate_value(a, r->before.value, r->unit)),
        STR(change_text(a, r->ratio.value, r->unit)), STR(low), STR(high), STR(words));
}

/* REPORT lines tell whole megabytes: 5 and 6 may be the same. */
static struct figure as_rounded(const struct figure *f)
{
    return (struct figure){f->value, fmax(f->value - 1, 0), f->value + 1, f->n};
}

static void compare_metric(struct arena *a, const struct bench_summary *sum,
                           const struct bench_group *g, const struct json *before, const char *name,
                           double max, struct gate_report *report)
{
    struct gate_metric m;
    struct str why;
    if (gate_metric_parse(a, str_from(name), &m, &why) < 0)
        abort(); /* a name of our own table */
    struct figure now = gate_figure(sum, g, &m), then = figure_before(before, &m);
    if (!figure_known(&then) || (!figure_known(&now) && !g->n))
        return;
    if (m.unit == GATE_MB && figure_known(&now)) {
        now = as_rounded(&now);
        then = as_rounded(&then);
    }
    struct gate_result r = {.text = str_from(name),
                            .series = g == &sum->all ? str_from(NULL) : g->name,
                            .figure = now,
                            .before = then,
                            .unit = m.unit};
    bool cold = !strncmp(name, "cold.", 5) || !strncmp(name, "init.", 5);
    bool unasked = !figure_known(&now) && g->outcomes[BENCH_OK];
    if (unasked && cold)
        return; /* no cold start this time */
    r.ratio = m.unit == GATE_RATE ? stats_difference(&now, &then) : stats_ratio(&now, &then);
    /* Ten figures are not ten chances to be red. */
    r.ratio = stats_together(&r.ratio, m.unit != GATE_RATE);
    if (unasked) {
        r.verdict = GATE_NOT_SHOWN;
        r.why = S("the baseline has it, and it was not measured this time");
    } else if (!figure_known(&now)) {
        r.verdict = GATE_REGRESSED;
        r.why = S("it cannot be measured any more: every request failed");
    } else if (m.unit == GATE_RATE && now.value == 0 && then.value == 0) {
        r.verdict = GATE_PASSED;
        r.why = S("none, and none before");
    } else if (!figure_known(&r.ratio)) {
        if (now.value == then.value)
            return; /* 0 and 0 */
        r.verdict = GATE_NOT_SHOWN;
        r.why = S("one of the two is 0: there is no ratio");
    } else {
        r.verdict = verdict_of(&r, max);
        r.why = explain(a, &r, max);
    }
    *gate_add(a, report) = r;
    report->failed += r.verdict == GATE_REGRESSED;
}

static size_t compare_group(struct arena *a, const struct bench_summary *sum,
                            const struct bench_group *g, const struct json *before, double max,
                            struct gate_report *report)
{
    size_t had = report->n;
    for (size_t i = 0; before && compared[i]; i++)
        compare_metric(a, sum, g, before, compared[i], max, report);
    return report->n - had;
}

void gate_compare(struct arena *a, const struct bench_summary *sum,
                  const struct gate_baseline *base, struct str name, double max_regression,
                  struct gate_report *report)
{
    size_t compared_now = 0;
    report->baseline = name;
    compare_conditions(a, sum->run, base, report);
    if (!gate_by_series(sum))
        compared_now =
            compare_group(a, sum, &sum->all, json_get(base->root, "all"), max_regression, report);
    for (size_t i = 0; gate_by_series(sum) && i < sum->n_groups; i++)
        compared_now +=
            compare_group(a, sum, &sum->groups[i], series_before(base, sum->groups[i].name),
                          max_regression, report);
    if (compared_now)
        return;
    struct gate_result *r = gate_add(a, report);
    r->text = S("baseline");
    r->verdict = GATE_FAILED;
    r->why = S("the baseline and this run have no figure in common");
    report->failed++;
}
