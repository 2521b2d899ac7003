/* test_bench_output - summaries and every output, of runs whose truth is known.
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
#include "bench_summarized.h"

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
        CASE(parts_add_up),
        CASE(one_and_none_and_equal_ones),
        CASE(costs_are_those_computed_by_hand),
        CASE(tuning_is_what_its_page_reads),
        CASE(sizes_that_fail_are_not_tuned_to),
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
