/* test_cost - months of invocations, against figures computed by hand (tests/vectors/cost). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/json.h"
#include "bench/cost.h"
#include "bench/report_line.h"

static struct json *parsed(struct arena *a, const char *dir, const char *name)
{
    struct str text;
    struct json *v;
    if (fs_read(str_printf(a, "%s/%s", dir, name).p, 1 << 20, a, &text) < 0 ||
        json_parse(a, text, &v, NULL) < 0)
        fail_msg("%s/%s cannot be read", dir, name);
    return v;
}

static double number(const struct json *v, const char *key)
{
    const struct json *n = json_get(v, key);
    return n ? strtod(n->text.p, NULL) : 0;
}

static size_t lines_of(struct arena *a, const char *dir, struct cost_line *ret)
{
    struct str text, line;
    size_t n = 0;
    assert_int_equal(fs_read(str_printf(a, "%s/log.txt", dir).p, 1 << 20, a, &text), 0);
    while (str_cut(text, '\n', &line, &text)) {
        struct report_line report;
        if (!report_line_parse(a, line, &report))
            fail_msg("%s: no REPORT line: %.*s", dir, STR(line));
        ret[n++] = (struct cost_line){(double)report.billed_ms, (double)report.memory_mb,
                                      report.init_ms >= 0};
    }
    return n;
}

static void near(const char *dir, const char *what, double is, double wanted)
{
    if (!(fabs(is - wanted) <= 1e-12 + 1e-12 * fabs(wanted)))
        fail_msg("%s: %s is %.15g, not %.15g", dir, what, is, wanted);
}

static void check(const char *dir)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct json *in = parsed(&a, dir, "case.json"), *out = parsed(&a, dir, "expected.json");
    struct cost_line lines[64];
    struct cost_measured m = {.region = json_get_str(in, "region"),
                              .architecture = json_get_str(in, "architecture"),
                              .storage_mb = number(in, "storageMb"),
                              .log_bytes = number(in, "logBytes")};
    cost_measure(&a, lines, lines_of(&a, dir, lines), &m);
    const struct json *free_tier = json_get(in, "freeTier");
    struct cost_case c = {.memory_mb = number(in, "memoryMb"),
                          .invocations = number(in, "invocations"),
                          .provisioned = number(in, "provisioned"),
                          .free_tier = free_tier && free_tier->boolean};
    struct cost_result r;
    assert_int_equal(cost_month(&m, &c, &r), 0);
    assert_int_equal(m.n, (size_t)number(out, "n"));
    assert_int_equal(m.cold, (size_t)number(out, "cold"));
    near(dir, "billedMs", r.billed_ms.value, number(out, "billedMs"));
    near(dir, "gbSeconds", r.usage.gb_seconds + r.usage.provisioned_duration_gb_seconds,
         number(out, "gbSeconds"));
    near(dir, "requests", r.bill.requests, number(out, "requests"));
    near(dir, "duration", r.bill.duration, number(out, "duration"));
    near(dir, "storage", r.bill.storage, number(out, "storage"));
    near(dir, "logs", r.bill.logs, number(out, "logs"));
    near(dir, "provisioned", r.bill.provisioned, number(out, "provisioned"));
    near(dir, "total", r.bill.total, number(out, "total"));
    near(dir, "perMillion", r.per_million.value, number(out, "perMillion"));
    assert_int_equal(r.other_memory, json_get(out, "otherMemory") != NULL);
}

static void vectors(void **state)
{
    (void)state;
    DIR *d = opendir(TEST_VECTORS "/cost");
    assert_non_null(d);
    size_t n = 0;
    for (struct dirent *e; (e = readdir(d));) {
        auto_arena struct arena a;
        arena_init(&a);
        if (e->d_name[0] == '.')
            continue;
        check(str_printf(&a, TEST_VECTORS "/cost/%s", e->d_name).p);
        n++;
    }
    closedir(d);
    assert_true(n >= 11);
}

static void interval_is_that_of_the_durations(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a);
    struct cost_line lines[100];
    for (int i = 0; i < 100; i++)
        lines[i] = (struct cost_line){100 + i % 11, 1024, false};
    struct cost_measured m = {0};
    cost_measure(&a, lines, 100, &m);
    struct cost_case c = {.invocations = 1e6};
    struct cost_result r;
    assert_int_equal(cost_month(&m, &c, &r), 0);
    assert_true(r.total.low < r.total.value && r.total.value < r.total.high);
    near("interval", "low", r.total.low, .2 + m.billed_ms.low * 1000 * 0.0000166667);
    near("interval", "high", r.total.high, .2 + m.billed_ms.high * 1000 * 0.0000166667);
    assert_true(r.architecture_assumed && r.storage_assumed && !r.other_memory);
    cost_measure(&a, lines, 1, &m); /* one alone has no interval: none is shown */
    assert_int_equal(cost_month(&m, &c, &r), 0);
    assert_true(isnan(r.total.low) && isnan(r.total.high));
}

static void nothing_measured_is_no_cost(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a);
    struct cost_measured m = {.region = S("us-east-1")};
    struct cost_case c = {.memory_mb = 128, .invocations = 1e6};
    struct cost_result r;
    cost_measure(&a, NULL, 0, &m);
    assert_int_equal(cost_month(&m, &c, &r), -ENODATA);
    struct cost_line line = {10, 0, false}; /* its memory is not known */
    cost_measure(&a, &line, 1, &m);
    assert_int_equal(cost_month(&m, &(struct cost_case){.invocations = 1}, &r), -EINVAL);
    assert_int_equal(cost_month(&m, &c, &r), 0);
    c.architecture = S("mips");
    assert_int_equal(cost_month(&m, &c, &r), -EINVAL);
    c.architecture = S("arm64");
    c.region = S("cn-north-1");
    assert_int_equal(cost_month(&m, &c, &r), -ENOTSUP);
}

static void what_is_assumed_is_said(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a);
    struct prices p;
    assert_int_equal(price_find((struct str){0}, (struct str){0}, &p), 0);
    assert_string_equal(price_said(&a, &p).p,
                        "prices of 2026-09-19, us-east-1, x86_64 (AWS Price List)");
    assert_int_equal(price_find(S("mars-north-1"), S("arm64"), &p), 0);
    assert_true(p.region_assumed);
    assert_non_null(strstr(price_said(&a, &p).p, "those of mars-north-1 are not known here"));
    assert_int_equal(price_find(S("il-central-1"), S("arm64"), &p), 0);
    near("il-central-1", "arm64", p.duration[0].usd, 0.000014);
    assert_non_null(strstr(price_said(&a, &p).p, "arm64 taken as 80 % of x86_64"));
    assert_int_equal(price_find(S("eu-west-1"), S("x86_64"), &p), 0);
    near("eu-west-1", "/tmp", p.storage, 0.0000000340);
    assert_non_null(strstr(price_said(&a, &p).p, "CloudWatch Logs price of us-east-1 (2025-10-28) "
                                                 "used: none known for eu-west-1"));
    near("eu-west-1", "logs", p.logs[0].usd, 0.50);
    assert_int_equal(price_find(S("eu-central-1"), S("x86_64"), &p), 0);
    near("eu-central-1", "logs", p.logs[0].usd, 0.63);
    near("eu-central-1", "logs", p.logs[3].usd, 0.063);
    assert_non_null(strstr(price_said(&a, &p).p, "CloudWatch Logs price of 2026-03"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
        cmocka_unit_test(interval_is_that_of_the_durations),
        cmocka_unit_test(nothing_measured_is_no_cost),
        cmocka_unit_test(what_is_assumed_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
