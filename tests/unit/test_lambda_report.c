/* test_lambda_report - the platform's log lines, compared with recorded ones. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "service/lambda/report.h"

#define ID "8476a536-e9f4-11e8-9739-2dfe598c3fcd"

static const struct report_format text_format = {0};
static const struct report_format json_format = {true, S_INIT("2025-11-24T23:11:20.123Z")};

static void same(struct buf *b, const char *expected)
{
    buf_byte(b, 0);
    assert_string_equal(b->p, expected);
    buf_done(b);
}

static struct report figures(double duration_ms, double init_ms, int64_t memory, int64_t used)
{
    return (struct report){
        .request_id = S(ID),
        .version = S("$LATEST"),
        .duration_ns = (int64_t)(duration_ms * 1e6 + .5),
        .init_ns = (int64_t)(init_ms * 1e6 + .5),
        .memory_mb = memory,
        .peak_bytes = used << 20,
    };
}

static void what_is_billed_is_duration_and_init_rounded_up(void **state)
{
    static const struct {
        double duration, init;
        int64_t billed;
    } vectors[] = {
        {600000.00, 476.75, 600477}, {2.37, 423.98, 427}, {3.01, 110.10, 114},
        {1233.96, 463.512, 1698},    {1.31, 0, 2},        {5, 0, 5},
    };
    for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
        struct report r = figures(vectors[i].duration, vectors[i].init, 128, 36);
        assert_int_equal(report_billed_ms(&r), vectors[i].billed);
    }
}

static void what_is_billed_is_what_is_printed(void **state)
{
    static const struct {
        double duration, init;
        const char *text;
    } vectors[] = {
        {1.004, 0, "Duration: 1.00 ms\tBilled Duration: 1 ms\t"},
        {1.006, 0, "Duration: 1.01 ms\tBilled Duration: 2 ms\t"},
        {1.504, 2.504, "Duration: 1.50 ms\tBilled Duration: 4 ms\t"},
    };
    for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
        struct report r = figures(vectors[i].duration, vectors[i].init, 128, 36);
        struct buf b;
        buf_init(&b, 4096);
        report_end(&b, &text_format, &r);
        assert_true(str_find(buf_view(&b), str_from(vectors[i].text)) > 0);
        buf_done(&b);
    }
}

static void a_cold_start(void **state)
{
    struct buf b;
    buf_init(&b, 4096);
    struct report r = figures(3.01, 110.10, 128, 36);
    report_init_start(&b, &text_format, S("python:3.13.v60"),
                      S("arn:aws:lambda:us-east-1::runtime:ab"), S("f"), S("$LATEST"), S("stream"),
                      128);
    report_start(&b, &text_format, r.request_id, r.version);
    report_end(&b, &text_format, &r);
    same(&b,
         "INIT_START Runtime Version: python:3.13.v60\tRuntime Version ARN: "
         "arn:aws:lambda:us-east-1::runtime:ab\n"
         "START RequestId: " ID " Version: $LATEST\n"
         "END RequestId: " ID "\n"
         "REPORT RequestId: " ID "\tDuration: 3.01 ms\tBilled Duration: 114 ms\tMemory Size: 128 "
         "MB\tMax Memory Used: 36 MB\tInit Duration: 110.10 ms\t\n");
}

static void a_warm_invocation(void **state)
{
    struct buf b;
    buf_init(&b, 4096);
    struct report r = figures(1.31, 0, 128, 36);
    report_end(&b, &text_format, &r);
    same(&b, "END RequestId: " ID "\n"
             "REPORT RequestId: " ID "\tDuration: 1.31 ms\tBilled Duration: 2 ms\tMemory Size: 128 "
             "MB\tMax Memory Used: 36 MB\t\n");
}

static void failures_end_without_a_tab(void **state)
{
    struct buf b;
    buf_init(&b, 4096);
    struct report r = figures(600000, 476.75, 128, 36);
    r.status = REPORT_TIMEOUT;
    report_end(&b, &text_format, &r);
    r = figures(1.31, 0, 128, 500);
    r.status = REPORT_ERROR;
    r.error_type = S("Runtime.OutOfMemory");
    report_end(&b, &text_format, &r);
    same(&b, "END RequestId: " ID "\n"
             "REPORT RequestId: " ID "\tDuration: 600000.00 ms\tBilled Duration: 600477 ms\tMemory "
             "Size: 128 MB\tMax Memory Used: 36 MB\tInit Duration: 476.75 ms\tStatus: timeout\n"
             "END RequestId: " ID "\n"
             "REPORT RequestId: " ID "\tDuration: 1.31 ms\tBilled Duration: 2 ms\tMemory Size: 128 "
             "MB\tMax Memory Used: 128 MB\tStatus: error\tError Type: Runtime.OutOfMemory\n");
}

static void inits_are_reported_when_they_fail(void **state)
{
    struct buf b;
    buf_init(&b, 4096);
    report_init_report(&b, &text_format, 10008530000, "init", REPORT_TIMEOUT, S(""));
    report_init_report(&b, &text_format, 12340000, "invoke", REPORT_ERROR, S("Runtime.ExitError"));
    same(&b, "INIT_REPORT Init Duration: 10008.53 ms\tPhase: init\tStatus: timeout\n"
             "INIT_REPORT Init Duration: 12.34 ms\tPhase: invoke\tStatus: error\tError Type: "
             "Runtime.ExitError\n");
}

static void json_has_one_object_a_line_and_no_end(void **state)
{
    struct buf b;
    buf_init(&b, 4096);
    struct report r = figures(1233.96, 463.512, 128, 36);
    report_start(&b, &json_format, r.request_id, r.version);
    report_end(&b, &json_format, &r);
    same(&b,
         "{\"time\":\"2025-11-24T23:11:20.123Z\",\"type\":\"platform.start\",\"record\":"
         "{\"requestId\":\"" ID "\",\"version\":\"$LATEST\"}}\n"
         "{\"time\":\"2025-11-24T23:11:20.123Z\",\"type\":\"platform.report\",\"record\":"
         "{\"requestId\":\"" ID "\",\"metrics\":{\"durationMs\":1233.96,\"billedDurationMs\":1698,"
         "\"memorySizeMB\":128,\"maxMemoryUsedMB\":36,\"initDurationMs\":463.512},"
         "\"status\":\"success\"}}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_billed_is_duration_and_init_rounded_up),
        cmocka_unit_test(what_is_billed_is_what_is_printed),
        cmocka_unit_test(a_cold_start),
        cmocka_unit_test(a_warm_invocation),
        cmocka_unit_test(failures_end_without_a_tab),
        cmocka_unit_test(inits_are_reported_when_they_fail),
        cmocka_unit_test(json_has_one_object_a_line_and_no_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
