/* test_bench_output - summaries, gates and every output, of runs whose truth is known.
 *
 * Expected texts are in tests/vectors/bench; LAMINA_VECTORS_WRITE=1 writes them anew, to be looked
 * at before they are committed. */
#include <errno.h>
#include <math.h>
#include "check.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/json.h"
#include "bench/output.h"
#include "bench_fake.h"

static struct bench_run run;

static int setup(void **state)
{
    *state = arena_new();
    return 0;
}

static int teardown(void **state)
{
    bench_run_done(&run);
    arena_free(*state);
    return 0;
}

static const struct bench_fake load = {.mode = "load",
                                       .seed = 3,
                                       .n = 800,
                                       .median_ms = 11,
                                       .sigma = 0.35,
                                       .slow_share = 0.02,
                                       .slow_by = 8,
                                       .error_share = 0.01,
                                       .throttle_share = 0.02,
                                       .cold_share = 0.03,
                                       .init_ms = 140,
                                       .environments = 4};

static struct bench_summary *summary_of(struct arena *a, struct bench_fake f)
{
    bench_fake_run(a, &f, &run);
    return bench_summarize(a, &run);
}

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

/* The cheapest size that fails now and then is no advice. */
static void sizes_that_fail_are_not_tuned_to(void **state)
{
    struct arena *a = *state;
    struct bench_fake f = load;
    f.mode = "memory";
    f.series = 3;
    f.error_share = f.throttle_share = f.cold_share = 0;
    struct bench_summary *s = summary_of(a, f);
    auto_buf struct buf b;
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < run.n_samples; i++)
        if (run.samples[i].series == 0) { /* 128 MB would be the cheapest */
            run.samples[i].billed_ms = 1;
            run.samples[i].outcome = i % 30 ? BENCH_OK : BENCH_FUNCTION_ERROR;
        }
    s = bench_summarize(a, &run);
    assert_int_equal(bench_write_tuning(&b, s, S("cost"), 0.5), 0);
    struct json *root;
    assert_int_equal(json_parse(a, buf_view(&b), &root, NULL), 0);
    assert_false(str_is(json_get(root, "power")->text, "128"));
    assert_int_equal(json_get(root, "stats")->n, 2);
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

/* ---- figures ---- */

static void parts_add_up(void **state)
{
    const struct bench_summary *s = summary_of(*state, load);
    const struct bench_population *of[] = {&s->all.all, &s->all.cold, &s->all.warm};
    for (size_t i = 0; i < ARRAY_LEN(of); i++) {
        double sum = 0;
        for (int k = 0; k < BENCH_PHASES; k++)
            sum += of[i]->part_ms[k];
        assert_true(of[i]->phased > 10);
        assert_true(fabs(sum - of[i]->phased_ms) < 1e-6 * sum);
        assert_true(fabs(of[i]->phased_ms - of[i]->latency.mean.value) < 1e-6 * sum);
    }
    assert_int_equal(s->all.cold.latency.n + s->all.warm.latency.n, s->all.all.latency.n);
    assert_int_equal(s->all.all.histogram->total, s->all.all.latency.n);
}

static void one_and_none_and_equal_ones(void **state)
{
    struct bench_fake f = {.mode = "warm", .n = 0, .median_ms = 10};
    const struct bench_summary *s = summary_of(*state, f);
    assert_false(figure_known(&s->all.all.latency.p50));
    assert_true(isnan(s->all.gb_seconds));
    bench_run_done(&run);
    f.n = 1;
    s = summary_of(*state, f);
    assert_true(s->all.all.latency.p50.value > 10 && isnan(s->all.all.latency.p50.high));
    bench_run_done(&run);
    f.n = 500;
    s = summary_of(*state, f); /* constant */
    assert_true(s->all.all.latency.p99.low == s->all.all.latency.p99.high);
    assert_int_equal(s->all.all.latency.outliers, 0);
}

/* By hand: 512 MB, 100 ms billed: 0.05 GB-s at $0.0000166667 and $0.0000002 a request. */
static void costs_are_those_computed_by_hand(void **state)
{
    struct bench_fake f = {.mode = "warm", .n = 1000, .median_ms = 99.5};
    const struct bench_summary *s = summary_of(*state, f);
    assert_true(fabs(s->all.all.cost.value - (0.2 + 0.05 * 16.6667)) < 1e-4);
    assert_true(fabs(s->all.gb_seconds - 50) < 1e-9);
    assert_int_equal(s->all.memory_advice, 128);
    assert_int_equal(bench_memory_advice(200, 512), 256);
    assert_int_equal(bench_memory_advice(300, 512), 384);
    assert_int_equal(bench_memory_advice(400, 512), 0);
    assert_int_equal(bench_memory_advice(-1, 512), 0);
}

static void tuning_is_what_its_page_reads(void **state)
{
    const double sizes[] = {128, 3008}, times[] = {1.5, 0.25}, costs[] = {2.5e-7, 1};
    /* Buffer.from(new Uint8Array(new Int16Array([128, 3008]).buffer)).toString("base64"), ... */
    assert_str(bench_tuning_fragment(*state, sizes, times, costs, 2),
               "gADACw==;AADAPwAAgD4=;vTeGNAAAgD8=");
}

/* ---- texts ---- */

static void golden(struct arena *a, const char *name, const struct buf *b)
{
    struct str wanted, path = str_printf(a, "%s/bench/%s", TEST_VECTORS, name);
    if (getenv("LAMINA_VECTORS_WRITE"))
        assert_int_equal(fs_write(path.p, buf_view(b), 0644), 0);
    assert_int_equal(fs_read(path.p, 1 << 20, a, &wanted), 0);
    if (str_eq(buf_view(b), wanted))
        return;
    size_t at = 0, line = 1;
    for (; at < b->n && at < wanted.n && b->p[at] == wanted.p[at]; at++)
        line += b->p[at] == '\n';
    print_error("%s differs in line %zu\n", name, line);
    fail();
}

static void texts_are_as_agreed(void **state)
{
    static const struct {
        const char *name, *mode;
        size_t n, series;
        double errors, rate, cold;
    } cases[] = {
        {"load", "load", 800, 0, 0.01, 0, 0.03},  {"rate", "rate", 800, 0, 0.01, 400, 0.03},
        {"failed", "load", 20, 0, 1, 0, 0.03},    {"nothing", "load", 0, 0, 0, 0, 0},
        {"one", "warm", 1, 0, 0, 0, 0},           {"cold", "cold", 20, 0, 0, 0, 1},
        {"memory", "memory", 600, 6, 0, 0, 0.01}, {"compare", "compare", 600, 2, 0, 0, 0}};
    struct arena *a = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench_fake f = load;
        f.mode = cases[i].mode;
        f.n = cases[i].n;
        f.series = cases[i].series;
        f.error_share = cases[i].errors;
        f.throttle_share = cases[i].errors == 0.01 ? 0.02 : 0;
        f.rate = cases[i].rate;
        f.cold_share = cases[i].cold;
        const struct bench_summary *s = summary_of(a, f);
        struct gate_threshold t[GATE_MAX];
        size_t n = 0;
        struct str why;
        struct gate_report gates = {0};
        gate_parse(a, S("p99<100ms,errors<=1%,cold.p50<1s"), t, &n, &why);
        gate_check(a, s, t, n, &gates);
        auto_buf struct buf b;
        buf_init(&b, SIZE_MAX);
        bench_write_terminal(&b, s, &gates, 120, false);
        golden(a, str_printf(a, "%s.txt", cases[i].name).p, &b);
        buf_clear(&b);
        bench_write_markdown(&b, s, &gates);
        golden(a, str_printf(a, "%s.md", cases[i].name).p, &b);
        bench_run_done(&run);
    }
}

static void terminals_get_no_controls(void **state)
{
    struct arena *a = *state;
    const struct bench_summary *s = summary_of(a, load);
    run.function.name = S("x\x1b[2J\r\n<b>\xff\xe2\x80\xae");
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX);
    bench_write_terminal(&b, s, NULL, 80, false);
    for (size_t i = 0; i < b.n; i++)
        assert_true((unsigned char)b.p[i] >= 0x20 || b.p[i] == '\n');
    assert_int_equal(str_find(buf_view(&b), S("\xe2\x80\xae")), -1);
    buf_clear(&b);
    bench_write_terminal(&b, s, NULL, 80, true);
    assert_true(str_find(buf_view(&b), S("\x1b[")) >= 0);
}

/* Everything foreign is text in the page, and the page asks nobody for anything. */
static void pages_are_closed(void **state)
{
    static const char *const modes[] = {"load", "memory", "compare", "cold", "ramp"};
    struct arena *a = *state;
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        struct bench_fake f = load;
        f.mode = modes[i];
        f.series = i == 1 ? 6 : i == 2 ? 2 : 0;
        const struct bench_summary *s = summary_of(a, f);
        run.function.name = S("<img src=x onerror=alert(1)>\"'");
        run.function.arn = S("</style><script>alert(2)</script>");
        for (size_t k = 0; k < run.n_series; k++)
            run.series[k].note = S("\"><script>alert(3)</script>");
        auto_buf struct buf b;
        buf_init(&b, SIZE_MAX);
        bench_write_html(&b, s, NULL);
        struct str page = buf_view(&b);
        assert_int_equal(str_find(page, S("<img")), -1);
        assert_int_equal(str_find(page, S("alert(2)</script>")), -1);
        assert_int_equal(str_find(page, S("<script>alert")), -1);
        assert_int_equal(str_find(page, S(" style=")), -1);
        assert_int_equal(str_find(page, S("src=\"")), -1);
        assert_int_equal(str_find(page, S("@import")), -1);
        assert_int_equal(str_find(page, S("nan")), -1);
        assert_int_equal(str_find(page, S("inf\"")), -1);
        assert_true(str_find(page, S("default-src 'none'")) > 0);
        assert_true(str_ends(page, S("</body></html>\n")));
        bench_run_done(&run);
    }
}

static void large_runs_have_small_pages(void **state)
{
    struct bench_fake f = load;
    f.n = 200000;
    f.cold_share = 0;
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX);
    bench_write_html(&b, summary_of(*state, f), NULL);
    print_message("# %zu bytes of HTML for %zu requests\n", b.n, f.n);
    assert_true(b.n < 400000);
    assert_true(str_find(buf_view(&b), S(" requests: those at the same place are one")) > 0);
    buf_clear(&b);
    bench_write_json(&b, bench_summarize(*state, &run), NULL, false);
    assert_true(b.n < 100000);
}

static void json_and_csv_have_all_samples(void **state)
{
    struct arena *a = *state;
    const struct bench_summary *s = summary_of(a, load);
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX);
    bench_write_json(&b, s, NULL, true);
    struct json *root;
    assert_int_equal(json_parse(a, buf_copy(&b, a), &root, NULL), 0);
    const struct json *samples = json_get(root, "samples");
    assert_int_equal(json_get(samples, "rows")->n, 800);
    assert_int_equal(json_get(samples, "columns")->n, json_at(json_get(samples, "rows"), 0)->n);
    struct histogram *h;
    struct str text = json_get_str(json_get(json_get(root, "all"), "all"), "histogram");
    assert_int_equal(histogram_decode(a, text, &h), 0);
    assert_int_equal(h->total, s->all.outcomes[BENCH_OK]);
    buf_clear(&b);
    bench_write_csv_samples(&b, &run);
    size_t lines = 0;
    for (size_t i = 0; i < b.n; i++)
        lines += b.p[i] == '\n';
    assert_int_equal(lines, 801);
}

static void files_are_whole_or_not_there(void **state)
{
    struct arena *a = *state;
    char dir[] = "/tmp/lamina-bench-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct bench_fake f = load;
    f.mode = "memory";
    f.series = 4;
    f.error_share = f.throttle_share = 0;
    const struct bench_summary *s = summary_of(a, f);
    struct str path, out = str_printf(a, "%s/deep/er", dir);
    struct bench_output o = {.dir = out, .samples = true};
    assert_int_equal(bench_write(a, s, NULL, &o, &path), 0);
    static const char *const names[] = {"report.json",    "report.html", "summary.md",
                                        "summary.csv",    "samples.csv", "tuning.json",
                                        "latency.hdrplot"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_true(fs_exists(fs_join(a, out, str_from(names[i])).p));
    assert_false(fs_exists(fs_join(a, out, S("junit.xml")).p)); /* no conditions were given */
    assert_int_equal(fs_remove_tree(dir), 0);
    struct bench_output full = {.html = S("/dev/full")};
    assert_int_equal(bench_write(a, s, NULL, &full, &path), -ENOSPC);
    assert_str(path, "/dev/full");
    struct bench_output below = {.dir = S("/dev/null/x")};
    assert_int_equal(bench_write(a, s, NULL, &below, &path), -ENOTDIR);
}

/* Clocks that stand still or go back, and indices that lead nowhere, end no report. */
static void odd_samples_are_survived(void **state)
{
    struct arena *a = *state;
    const struct bench_summary *s = summary_of(a, load);
    for (size_t i = 0; i < run.n_samples; i++) {
        struct bench_sample *p = &run.samples[i];
        p->error = 60000;
        p->environment = (uint32_t)(i * 7);
        p->done_ns = i % 3 ? p->done_ns : p->due_ns - 5;
        p->outcome = i % 50 ? p->outcome : 250;
    }
    run.elapsed_ns = 0;
    s = bench_summarize(a, &run);
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX);
    bench_write_terminal(&b, s, NULL, 10, false);
    bench_write_json(&b, s, NULL, true);
    bench_write_csv_samples(&b, &run);
    bench_write_csv_summary(&b, s);
    bench_write_markdown(&b, s, NULL);
    bench_write_html(&b, s, NULL);
    bench_write_hdrplot(&b, s);
    assert_false(buf_failed(&b));
    assert_int_equal(str_find(buf_view(&b), S("\"nan\"")), -1);
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
        CASE(sizes_that_fail_are_not_tuned_to),
        CASE(what_is_not_measured_any_more_is_told),
        CASE(a_megabyte_more_is_no_regression),
        CASE(nothing_regresses_without_reason),
        CASE(baselines_that_are_none_are_refused),
        CASE(parts_add_up),
        CASE(one_and_none_and_equal_ones),
        CASE(costs_are_those_computed_by_hand),
        CASE(tuning_is_what_its_page_reads),
        CASE(texts_are_as_agreed),
        CASE(terminals_get_no_controls),
        CASE(pages_are_closed),
        CASE(large_runs_have_small_pages),
        CASE(json_and_csv_have_all_samples),
        CASE(files_are_whole_or_not_there),
        CASE(odd_samples_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
