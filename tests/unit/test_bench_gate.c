/* test_bench_gate - thresholds and baselines, of runs whose truth is known. */
#include <math.h>
#include "check.h"
#include "base/cleanup.h"
#include "bench/output.h"
#include "bench_summarized.h"

static struct gate_result judged(struct arena *a, const struct bench_summary *s, const char *text)
{
    struct gate_threshold list[GATE_MAX];
    size_t n = 0;
    struct str why = S("");
    struct gate_report *report = ARENA_NEW(a, struct gate_report);
    if (gate_parse(a, str_from(text), list, &n, &why) < 0)
        fail_msg("%.*s", STR(why));
    gate_check(a, s, list, n, report);
    assert_true(report->n >= 1);
    return report->results[0];
}

/* ---- thresholds ---- */

static void thresholds_are_read(void **state)
{
    struct arena *a = *state;
    struct gate_threshold t[GATE_MAX];
    size_t n = 0;
    struct str why;
    assert_int_equal(gate_parse(a,
                                S("p99<500ms, cold.init.p90 <= 1.2s,errors<1%,throttles==0, "
                                  "1024 MB:cost<$5,memory<0.5GB,throughput>100/s,p99.9<3m"),
                                t, &n, &why),
                     0);
    assert_int_equal(n, 8);
    assert_true(t[0].op == GATE_LT && t[0].limit == 500 && t[0].metric.unit == GATE_MS);
    assert_true(t[1].op == GATE_LE && t[1].limit == 1200 && t[1].metric.population == 1);
    assert_true(fabs(t[2].limit - 0.01) < 1e-12 && !t[2].count);
    assert_true(t[3].count && t[3].limit == 0 && t[3].op == GATE_EQ);
    assert_str(t[4].series, "1024 MB");
    assert_true(t[5].limit == 512);
    assert_true(t[7].limit == 180000);
}

static void thresholds_say_what_is_wrong(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "an empty condition: write one like p99<500ms"},
        {"p99", "\"p99\" is no condition: write one like p99<500ms"},
        {"<5ms", "\"<5ms\" is no condition: write one like p99<500ms"},
        {"p99<", "\"\" is no number"},
        {"p99<fast", "\"fast\" is no number"},
        {"p99<500", "\"500\" lacks a unit: p99 is given as 500ms or 1.2s"},
        {"p99<5%", "\"5%\": p99 is given as 500ms or 1.2s"},
        {"errors<5ms", "\"5ms\": errors is given as 1% or a count"},
        {"errors<0.5", "\"0.5\": a share is written with %, a count is whole"},
        {"success>=950%", "\"950%\" is more than all of them"},
        {"cost<$5USD", "\"$5USD\" has two units"},
        {"p99<1ms,", "\"\" is no condition: write one like p99<500ms"},
        {"p99<nan", "\"nan\" is no number"},
        {"p99<-5ms", "\"-5ms\" is no number"},
    };
    struct gate_threshold t[GATE_MAX];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t n = 0;
        struct str why = S("");
        assert_true(gate_parse(*state, str_from(cases[i].text), t, &n, &why) < 0);
        assert_str(why, cases[i].why);
    }
    static const char *const unknown[] = {"p98<5ms", "cold.success>5%", "warm.failed.p50<1ms",
                                          "lukewarm.p50<1ms", "init.<1ms"};
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
        size_t n = 0;
        struct str why = S("");
        assert_true(gate_parse(*state, str_from(unknown[i]), t, &n, &why) < 0);
        assert_true(str_find(why, S("there is no figure")) == 0);
    }
}

static void thresholds_are_judged(void **state)
{
    struct arena *a = *state;
    const struct bench_summary *s = summary_of(a, load);
    assert_int_equal(judged(a, s, "p50<20ms").verdict, GATE_PASSED);
    assert_int_equal(judged(a, s, "p50<5ms").verdict, GATE_FAILED);
    assert_int_equal(judged(a, s, "cold.init.p50<300ms").verdict, GATE_PASSED);
    assert_int_equal(judged(a, s, "warm.p50>=20ms").verdict, GATE_FAILED);
    assert_int_equal(judged(a, s, "throttles<=1000").verdict, GATE_PASSED);
    assert_int_equal(judged(a, s, "throttles==0").verdict, GATE_FAILED);
    assert_int_equal(judged(a, s, "success>=95%").verdict, GATE_PASSED);
    assert_int_equal(judged(a, s, "success>=99.9%").verdict, GATE_FAILED);
    assert_int_equal(judged(a, s, "memory<100MB").verdict, GATE_PASSED);
    assert_int_equal(judged(a, s, "cost<$100").verdict, GATE_PASSED);
    struct gate_result r = judged(a, s, "nowhere:p50<20ms");
    assert_int_equal(r.verdict, GATE_FAILED);
    assert_str(r.why, "the run has no series \"nowhere\"");
    double p50 = s->all.all.latency.p50.value;
    char text[64];
    snprintf(text, sizeof(text), "p50<%.6fms", p50 * 1.0001);
    assert_true(judged(a, s, text).close);
    snprintf(text, sizeof(text), "p50<%.6fms", p50 * 3);
    assert_false(judged(a, s, text).close);
}

/* What the scripts before us took for success: function errors behind HTTP 200. */
static void failures_pass_no_gate(void **state)
{
    struct arena *a = *state;
    struct bench_fake f = load;
    f.throttle_share = 0;
    f.error_share = 1;
    const struct bench_summary *s = summary_of(a, f);
    for (size_t i = 0; i < run.n_samples; i++)
        assert_int_equal(run.samples[i].status, 200);
    assert_int_equal(s->all.outcomes[BENCH_OK], 0);
    assert_int_equal(judged(a, s, "success>=95%").verdict, GATE_FAILED);
    struct gate_result r = judged(a, s, "p99<10s"); /* fast failures make no percentile good */
    assert_int_equal(r.verdict, GATE_FAILED);
    assert_str(r.why, "p99: not measured: every request failed");
    assert_int_equal(s->all.failed.n, 800);
    assert_true(s->all.all.billed.n == 800); /* but they cost */
}

/* ---- baselines ---- */

static struct gate_baseline *baseline_of(struct arena *a, const struct bench_summary *s)
{
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX);
    bench_write_json(&b, s, NULL, true);
    struct gate_baseline *base;
    struct str why;
    assert_int_equal(gate_baseline_parse(a, buf_copy(&b, a), &base, &why), 0);
    return base;
}

static struct gate_result compared(struct arena *a, struct bench_fake before, struct bench_fake now,
                                   const char *metric)
{
    struct gate_report *report = ARENA_NEW(a, struct gate_report);
    const struct bench_summary *s = summary_of(a, before);
    const struct gate_baseline *base = baseline_of(a, s);
    bench_run_done(&run);
    s = summary_of(a, now);
    gate_compare(a, s, base, S("before.json"), 0.1, report);
    for (size_t i = 0; i < report->n; i++)
        if (str_is(report->results[i].text, metric))
            return report->results[i];
    fail_msg("%s was not compared", metric);
    return (struct gate_result){0};
}

static void regressions_are_shown_by_intervals(void **state)
{
    struct bench_fake before = load, slower = load, little = load, faster = load;
    slower.median_ms = 16;
    slower.seed = 4;
    little.median_ms = 12.1; /* exactly what is allowed: cannot be shown */
    little.seed = 5;
    faster.median_ms = 8;
    faster.seed = 6;
    assert_int_equal(compared(*state, before, slower, "p50").verdict, GATE_REGRESSED);
    bench_run_done(&run);
    assert_int_equal(compared(*state, before, little, "p50").verdict, GATE_NOT_SHOWN);
    bench_run_done(&run);
    assert_int_equal(compared(*state, before, faster, "p50").verdict, GATE_IMPROVED);
    bench_run_done(&run);
    struct gate_result r = compared(*state, before, before, "p50");
    assert_int_equal(r.verdict, GATE_PASSED);
    assert_true(r.ratio.value > 0.999999 && r.ratio.value < 1.000001);
}

static bool noted(const struct gate_report *report, const char *what)
{
    for (size_t i = 0; i < report->n_notes; i++)
        if (str_starts(report->notes[i], str_from(what)))
            return true;
    return false;
}

/* Another payload, machine or way of asking is not compared without a word. */
static void other_conditions_are_told(void **state)
{
    struct arena *a = *state;
    for (int other = 0; other < 2; other++) {
        struct bench_summary *s = summary_of(a, load);
        run.payloads = S("a");
        const struct gate_baseline *base = baseline_of(a, s);
        struct gate_report report = {0};
        if (other) {
            run.payloads = S("b");
            run.machine.cores++;
            run.function.url = S("https://example.lambda-url.us-east-1.on.aws");
        }
        gate_compare(a, s, base, S("x"), 0.05, &report);
        assert_int_equal(noted(&report, "payloads"), other);
        assert_int_equal(noted(&report, "machine's cores"), other);
        assert_int_equal(noted(&report, "asked"), other);
        bench_run_done(&run);
    }
}

/* A gate does not get fewer figures without a word. */
static void what_is_not_measured_any_more_is_told(void **state)
{
    struct arena *a = *state;
    const struct gate_baseline *base = baseline_of(a, summary_of(a, load));
    for (size_t i = 0; i < run.n_samples; i++) /* as with --no-log */
        run.samples[i].billed_ms = run.samples[i].handler_us = -1;
    struct gate_report report = {0};
    gate_compare(a, bench_summarize(a, &run), base, S("x"), 0.05, &report);
    int told = 0;
    for (size_t i = 0; i < report.n; i++)
        told += report.results[i].verdict == GATE_NOT_SHOWN &&
                str_find(report.results[i].why, S("not measured this time")) >= 0;
    assert_int_equal(told, 3); /* handler.p50, billed, cost */
    assert_int_equal(report.failed, 0);
}

static void a_megabyte_more_is_no_regression(void **state)
{
    static const struct {
        int before, now;
        enum gate_verdict verdict;
    } cases[] = {{5, 6, GATE_NOT_SHOWN}, {6, 5, GATE_NOT_SHOWN}, {100, 130, GATE_REGRESSED}};
    struct arena *a = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench_summary *s = summary_of(a, load);
        s->all.memory_used = cases[i].before;
        const struct gate_baseline *base = baseline_of(a, s);
        struct gate_report report = {0};
        s->all.memory_used = cases[i].now;
        gate_compare(a, s, base, S("x"), 0.1, &report);
        for (size_t k = 0; k < report.n; k++)
            if (str_is(report.results[k].text, "memory"))
                assert_int_equal(report.results[k].verdict, cases[i].verdict);
        bench_run_done(&run);
    }
}

static void more_failures_are_a_regression(void **state)
{
    struct bench_fake before = load, now = load;
    now.error_share = 0.2;
    assert_int_equal(compared(*state, before, now, "errors").verdict, GATE_REGRESSED);
    bench_run_done(&run);
    now.throttle_share = 0;
    now.error_share = 1;
    assert_int_equal(compared(*state, before, now, "p50").verdict, GATE_REGRESSED);
}

/* 100 pairs of runs of the same function: a gate that is red without a reason is switched off. */
static void nothing_regresses_without_reason(void **state)
{
    int regressed = 0, judgements = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        auto_arena struct arena a;
        arena_init(&a);
        struct bench_fake f = load;
        f.n = 400;
        f.seed = seed + 100;
        const struct gate_baseline *base = baseline_of(&a, summary_of(&a, f));
        bench_run_done(&run);
        f.seed = seed + 1000;
        struct gate_report report = {0};
        gate_compare(&a, summary_of(&a, f), base, S("x"), 0.05, &report);
        bench_run_done(&run);
        regressed += (int)report.failed;
        judgements += (int)report.n;
    }
    (void)state;
    print_message("# %d of %d comparisons of equals say regressed\n", regressed, judgements);
    assert_true(judgements > 300);
    assert_true(regressed * 100 <= judgements);
}

static void baselines_that_are_none_are_refused(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"{}", "it is no report of lamina bench (--json, or report.json)"},
        {"[1,2]", "it is no report of lamina bench (--json, or report.json)"},
        {"{\"format\":\"lamina-bench/9\"}", "its format is \"lamina-bench/9\", not lamina-bench/1"},
        {"{\"format\":\"lamina-bench/1\"}", "it has no figures (\"all\")"},
    };
    struct gate_baseline *base;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str why = S("");
        assert_true(gate_baseline_parse(*state, str_from(cases[i].text), &base, &why) < 0);
        assert_str(why, cases[i].why);
    }
    struct str why;
    assert_true(gate_baseline_parse(*state, S("{\"format\""), &base, &why) < 0);
    /* Right in form, empty of figures: nothing to compare is no success. */
    struct str empty = S("{\"format\":\"lamina-bench/1\",\"all\":{\"all\":{\"latency\":{\"p50\":"
                         "{\"value\":-1,\"low\":5,\"high\":\"x\"}}}}}");
    assert_int_equal(gate_baseline_parse(*state, empty, &base, &why), 0);
    struct gate_report report = {0};
    gate_compare(*state, summary_of(*state, load), base, S("x"), 0.1, &report);
    assert_int_equal(report.failed, 1);
    assert_str(report.results[0].why, "the baseline and this run have no figure in common");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(thresholds_are_read),
        CASE(thresholds_say_what_is_wrong),
        CASE(thresholds_are_judged),
        CASE(failures_pass_no_gate),
        CASE(regressions_are_shown_by_intervals),
        CASE(more_failures_are_a_regression),
        CASE(other_conditions_are_told),
        CASE(what_is_not_measured_any_more_is_told),
        CASE(a_megabyte_more_is_no_regression),
        CASE(nothing_regresses_without_reason),
        CASE(baselines_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
