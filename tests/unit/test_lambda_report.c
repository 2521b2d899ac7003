/* test_lambda_report - the platform's log lines, compared with recorded ones. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "service/lambda/frame.h"
#include "service/lambda/report.h"

#define ID "8476a536-e9f4-11e8-9739-2dfe598c3fcd"

static void same(struct buf *b, const char *expected)
{
    buf_byte(b, 0);
    assert_string_equal(b->p, expected);
    buf_done(b);
}

static const struct report_facts usual = {
    .runtime = S_INIT("python:3.13.v60"),
    .runtime_arn = S_INIT("arn:aws:lambda:us-east-1::runtime:ab"),
    .function = S_INIT("f"),
    .function_arn = S_INIT("arn:aws:lambda:us-east-1:000000000000:function:f"),
    .version = S_INIT("$LATEST"),
    .stream = S_INIT("2025/11/24/[$LATEST]ab"),
    .memory_mb = 128,
    .peak_bytes = 36 << 20,
};

/* 2025-11-24T23:11:20.123Z */
#define TIME_MS 1764025880123
#define TIME "{\"time\":\"2025-11-24T23:11:20.123Z\","

static struct platform_event event(enum platform_event_type type)
{
    return (struct platform_event){
        .type = type, .time_ms = TIME_MS, .mono_ns = 5000000000, .request_id = S(ID)};
}

static struct platform_event reported(double duration_ms, double init_ms)
{
    struct platform_event e = event(PLATFORM_REPORT);
    e.duration_ns = (int64_t)(duration_ms * 1e6 + .5);
    e.init_ns = (int64_t)(init_ms * 1e6 + .5);
    return e;
}

static void text_is(const struct platform_event *e, const char *expected)
{
    struct buf b;
    buf_init(&b, 4096);
    report_text(&b, &usual, e);
    same(&b, expected);
}

static void json_is_in(const struct platform_event *e, enum report_schema schema,
                       const char *expected)
{
    struct buf b;
    buf_init(&b, 4096);
    assert_int_equal(report_json(&b, &usual, e, schema), expected != NULL);
    same(&b, expected ? expected : "");
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
    for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++)
        assert_int_equal(report_billed_ms((int64_t)(vectors[i].duration * 1e6 + .5),
                                          (int64_t)(vectors[i].init * 1e6 + .5)),
                         vectors[i].billed);
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
        struct platform_event e = reported(vectors[i].duration, vectors[i].init);
        struct buf b;
        buf_init(&b, 4096);
        report_text(&b, &usual, &e);
        assert_true(str_find(buf_view(&b), str_from(vectors[i].text)) > 0);
        buf_done(&b);
    }
}

static void a_cold_start(void **state)
{
    struct platform_event init = event(PLATFORM_INIT_START), start = event(PLATFORM_START),
                          end = reported(3.01, 110.10);
    text_is(&init, "INIT_START Runtime Version: python:3.13.v60\tRuntime Version ARN: "
                   "arn:aws:lambda:us-east-1::runtime:ab\n");
    text_is(&start, "START RequestId: " ID " Version: $LATEST\n");
    text_is(&end,
            "END RequestId: " ID "\n"
            "REPORT RequestId: " ID "\tDuration: 3.01 ms\tBilled Duration: 114 ms\tMemory Size: "
            "128 MB\tMax Memory Used: 36 MB\tInit Duration: 110.10 ms\t\n");
}

static void a_warm_invocation(void **state)
{
    struct platform_event e = reported(1.31, 0);
    text_is(&e, "END RequestId: " ID "\n"
                "REPORT RequestId: " ID "\tDuration: 1.31 ms\tBilled Duration: 2 ms\tMemory Size: "
                "128 MB\tMax Memory Used: 36 MB\t\n");
}

static void failures_end_without_a_tab(void **state)
{
    struct platform_event e = reported(600000, 476.75);
    e.status = REPORT_TIMEOUT;
    text_is(&e, "END RequestId: " ID "\n"
                "REPORT RequestId: " ID "\tDuration: 600000.00 ms\tBilled Duration: 600477 ms\t"
                "Memory Size: 128 MB\tMax Memory Used: 36 MB\tInit Duration: 476.75 ms\tStatus: "
                "timeout\n");
    e = reported(1.31, 0);
    e.status = REPORT_ERROR;
    e.error_type = S("Runtime.OutOfMemory");
    struct report_facts full = usual;
    full.peak_bytes = 500 << 20;
    struct buf b;
    buf_init(&b, 4096);
    report_text(&b, &full, &e);
    same(&b, "END RequestId: " ID "\n"
             "REPORT RequestId: " ID "\tDuration: 1.31 ms\tBilled Duration: 2 ms\tMemory Size: 128 "
             "MB\tMax Memory Used: 128 MB\tStatus: error\tError Type: Runtime.OutOfMemory\n");
}

static void inits_are_reported_when_they_fail_or_were_provisioned(void **state)
{
    struct platform_event e = event(PLATFORM_INIT_REPORT);
    e.duration_ns = 10008530000;
    text_is(&e, "");
    e.status = REPORT_TIMEOUT;
    text_is(&e, "INIT_REPORT Init Duration: 10008.53 ms\tPhase: init\tStatus: timeout\n");
    e.phase = PLATFORM_PHASE_INVOKE;
    e.duration_ns = 12340000;
    e.status = REPORT_ERROR;
    e.error_type = S("Runtime.ExitError");
    text_is(&e, "INIT_REPORT Init Duration: 12.34 ms\tPhase: invoke\tStatus: error\tError Type: "
                "Runtime.ExitError\n");
    struct report_facts provisioned = usual;
    provisioned.provisioned = true;
    struct platform_event ok = event(PLATFORM_INIT_REPORT);
    ok.duration_ns = 12340000;
    struct buf b;
    buf_init(&b, 4096);
    report_text(&b, &provisioned, &ok);
    same(&b, "INIT_REPORT Init Duration: 12.34 ms\tPhase: init\tStatus: success\n");
}

static const struct str invoke_shutdown[] = {S_INIT("INVOKE"), S_INIT("SHUTDOWN")};
static const struct str platform_function[] = {S_INIT("platform"), S_INIT("function")};

static void extensions_and_subscriptions_have_lines(void **state)
{
    struct platform_event e = event(PLATFORM_EXTENSION);
    e.name = S("x");
    e.state = S("Ready");
    e.items = invoke_shutdown;
    e.n_items = 2;
    text_is(&e, "EXTENSION\tName: x\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n");
    json_is_in(&e, SCHEMA_LOG,
               TIME
               "\"type\":\"platform.extension\",\"record\":{\"name\":\"x\",\"state\":\"Ready\","
               "\"events\":[\"INVOKE\",\"SHUTDOWN\"]}}");
    e.type = PLATFORM_TELEMETRY_SUBSCRIPTION;
    e.state = S("Subscribed");
    e.items = platform_function;
    text_is(&e, "TELEMETRY\tName: x\tState: Subscribed\tTypes: [Platform, Function]\n");
    json_is_in(&e, SCHEMA_TELEMETRY_2022_12_13,
               TIME "\"type\":\"platform.telemetrySubscription\",\"record\":{\"name\":\"x\","
                    "\"state\":\"Subscribed\",\"types\":[\"platform\",\"function\"]}}");
    json_is_in(&e, SCHEMA_LOGS_2020_08_15, NULL);
}

static void json_has_one_object_a_line_and_no_end(void **state)
{
    struct platform_event start = event(PLATFORM_START), end = reported(1233.96, 463.512);
    json_is_in(&start, SCHEMA_LOG,
               TIME "\"type\":\"platform.start\",\"record\":"
                    "{\"requestId\":\"" ID "\",\"version\":\"$LATEST\"}}");
    json_is_in(&end, SCHEMA_LOG,
               TIME "\"type\":\"platform.report\",\"record\":{\"requestId\":\"" ID
                    "\",\"metrics\":{\"durationMs\":1233.96,\"billedDurationMs\":1698,"
                    "\"memorySizeMB\":128,\"maxMemoryUsedMB\":36,\"initDurationMs\":463.512},"
                    "\"status\":\"success\"}}");
}

static void schemas_grow_with_the_years(void **state)
{
    struct platform_event init = event(PLATFORM_INIT_START), start = event(PLATFORM_START);
    start.arn = S("arn:aws:lambda:us-east-1:000000000000:function:f:live");
    start.trace_id = S("Root=1-5;Parent=6;Sampled=1");
#define INIT_2022                                                                                  \
    TIME "\"type\":\"platform.initStart\",\"record\":{\"initializationType\":\"on-demand\","       \
         "\"phase\":\"init\",\"runtimeVersion\":\"python:3.13.v60\","                              \
         "\"runtimeVersionArn\":\"arn:aws:lambda:us-east-1::runtime:ab\""
    json_is_in(&init, SCHEMA_LOGS_2020_08_15, NULL);
    json_is_in(&init, SCHEMA_TELEMETRY_2022_07_01, INIT_2022 "}}");
    json_is_in(&init, SCHEMA_TELEMETRY_2022_12_13,
               INIT_2022 ",\"functionName\":\"f\",\"functionVersion\":\"$LATEST\","
                         "\"instanceId\":\"2025/11/24/[$LATEST]ab\","
                         "\"instanceMaxMemory\":134217728}}");
    json_is_in(&init, SCHEMA_TELEMETRY_2025_01_29,
               INIT_2022
               ",\"functionName\":\"f\",\"functionArn\":\"arn:aws:lambda:us-east-1:000000000000:"
               "function:f\",\"functionVersion\":\"$LATEST\","
               "\"instanceId\":\"2025/11/24/[$LATEST]ab\",\"instanceMaxMemory\":134217728}}");
    json_is_in(&start, SCHEMA_TELEMETRY_2025_01_29,
               TIME "\"type\":\"platform.start\",\"record\":{\"requestId\":\"" ID
                    "\",\"version\":\"$LATEST\",\"functionArn\":"
                    "\"arn:aws:lambda:us-east-1:000000000000:function:f:live\",\"tracing\":"
                    "{\"type\":\"X-Amzn-Trace-Id\",\"value\":\"Root=1-5;Parent=6;Sampled=1\"}}}");
}

static void spans_begin_at_wall_clock_times(void **state)
{
    const struct platform_span spans[] = {
        {"responseLatency", 4877000000, 20000000},
        {"responseDuration", 4897000000, 1500000},
    };
    struct platform_event e = event(PLATFORM_RUNTIME_DONE);
    e.spans = spans;
    e.n_spans = 2;
    e.duration_ns = 123456789;
    e.produced_bytes = 16;
    json_is_in(&e, SCHEMA_TELEMETRY_2022_12_13,
               TIME "\"type\":\"platform.runtimeDone\",\"record\":{\"requestId\":\"" ID
                    "\",\"status\":\"success\",\"spans\":["
                    "{\"name\":\"responseLatency\",\"start\":\"2025-11-24T23:11:20.000Z\","
                    "\"durationMs\":20},"
                    "{\"name\":\"responseDuration\",\"start\":\"2025-11-24T23:11:20.020Z\","
                    "\"durationMs\":1.5}],"
                    "\"metrics\":{\"durationMs\":123.457,\"producedBytes\":16}}}");
    json_is_in(&e, SCHEMA_LOGS_2021_03_18,
               TIME "\"type\":\"platform.runtimeDone\",\"record\":{\"requestId\":\"" ID
                    "\",\"status\":\"success\"}}");
    json_is_in(&e, SCHEMA_LOGS_2020_08_15, NULL);
}

static void what_is_lost_is_counted(void **state)
{
    struct platform_event e = event(PLATFORM_LOGS_DROPPED);
    e.dropped_records = 123;
    e.dropped_bytes = 12345;
    e.text = S("too slow");
    json_is_in(&e, SCHEMA_TELEMETRY_2022_07_01,
               TIME "\"type\":\"platform.logsDropped\",\"record\":{\"droppedBytes\":12345,"
                    "\"droppedRecords\":123,\"reason\":\"too slow\"}}");
    text_is(&e, "");
}

static void what_is_printed_is_a_string_or_an_object(void **state)
{
    struct buf b;
    buf_init(&b, 4096);
    report_json_output(&b, PLATFORM_FUNCTION, TIME_MS, S("hello \"you\"\n"), false);
    same(&b, TIME "\"type\":\"function\",\"record\":\"hello \\\"you\\\"\\n\"}");
    buf_init(&b, 4096);
    report_json_output(&b, PLATFORM_EXTENSION_OUTPUT, TIME_MS, S("{\"a\":1}"), true);
    same(&b, TIME "\"type\":\"extension\",\"record\":{\"a\":1}}");
}

static void system_levels(void **state)
{
    struct platform_event e = event(PLATFORM_INIT_REPORT);
    assert_int_equal(report_level(&usual, &e), PLATFORM_DEBUG);
    e.status = REPORT_ERROR;
    assert_int_equal(report_level(&usual, &e), PLATFORM_WARN);
    e = event(PLATFORM_START);
    assert_int_equal(report_level(&usual, &e), PLATFORM_INFO);
    e = event(PLATFORM_RUNTIME_DONE);
    assert_int_equal(report_level(&usual, &e), PLATFORM_DEBUG);
    e = event(PLATFORM_REPORT);
    assert_int_equal(report_level(&usual, &e), PLATFORM_INFO);
    e.status = REPORT_TIMEOUT;
    assert_int_equal(report_level(&usual, &e), PLATFORM_WARN);
    e = event(PLATFORM_LOGS_DROPPED);
    assert_int_equal(report_level(&usual, &e), PLATFORM_WARN);
}

/* ---- frames ---- */

static void frames_have_a_mark_a_length_and_a_time(void **state)
{
    const int64_t now_us = 1764025880123000;
    const char head[] = "\xa5\x5a\x00\x17\x00\x00\x01\x02\x00\x06\x44\x5f\x47\xf5\x96\x78";
    struct frame_head f;
    assert_true(frame_parse(str_of(head, 16), now_us, &f));
    assert_int_equal(f.level, PLATFORM_ERROR);
    assert_int_equal(f.size, 0x102);
    assert_int_equal(f.time_us, now_us);
    assert_false(frame_parse(str_of(head, 16), now_us + 3LL * 24 * 3600 * 1000000, &f));
    assert_false(frame_parse(str_of(head, 15), now_us, &f));
    assert_true(frame_begins(str_of(head, 1)));
    assert_false(frame_begins(S("\xa5Z text")));
    assert_false(frame_begins(S("\xa5\x5a"
                                "a")));
    assert_false(frame_begins(str_of("\xa5\x5a\x00\x01", 4)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_billed_is_duration_and_init_rounded_up),
        cmocka_unit_test(what_is_billed_is_what_is_printed),
        cmocka_unit_test(a_cold_start),
        cmocka_unit_test(a_warm_invocation),
        cmocka_unit_test(failures_end_without_a_tab),
        cmocka_unit_test(inits_are_reported_when_they_fail_or_were_provisioned),
        cmocka_unit_test(extensions_and_subscriptions_have_lines),
        cmocka_unit_test(json_has_one_object_a_line_and_no_end),
        cmocka_unit_test(schemas_grow_with_the_years),
        cmocka_unit_test(spans_begin_at_wall_clock_times),
        cmocka_unit_test(what_is_lost_is_counted),
        cmocka_unit_test(what_is_printed_is_a_string_or_an_object),
        cmocka_unit_test(system_levels),
        cmocka_unit_test(frames_have_a_mark_a_length_and_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
