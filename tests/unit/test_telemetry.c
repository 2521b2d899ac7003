/* test_telemetry - requests of subscribers; figures of invocations. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/arena.h"
#include "service/lambda/telemetry_request.h"
#include "service/lambda/timeline.h"

#define HTTP                                                                                       \
    "\"destination\":{\"protocol\":\"HTTP\",\"URI\":\"http://sandbox.localdomain:8080/a/b\"}"
#define GOOD "{\"schemaVersion\":\"2022-12-13\",\"types\":[\"platform\",\"function\"]," HTTP

static struct arena arena;

static int parse(enum telemetry_api api, const char *body, struct telemetry_request *r,
                 struct str *wrong)
{
    return telemetry_request_parse(&arena, api, str_from(body), r, wrong);
}

static void is_wrong(enum telemetry_api api, const char *body, const char *expected)
{
    struct telemetry_request r;
    struct str wrong = S("");
    assert_int_not_equal(parse(api, body, &r, &wrong), 0);
    assert_string_equal(str_c(&arena, wrong), expected);
}

static void what_is_left_out_has_the_usual_value(void **state)
{
    struct telemetry_request r;
    struct str wrong;
    assert_int_equal(parse(API_TELEMETRY, GOOD "}", &r, &wrong), 0);
    assert_int_equal(r.schema, SCHEMA_TELEMETRY_2022_12_13);
    assert_int_equal(r.types, TYPE_PLATFORM | TYPE_FUNCTION);
    assert_int_equal(r.n_types, 2);
    assert_false(r.tcp);
    assert_int_equal(r.port, 8080);
    assert_true(str_is(r.method, "POST") && str_is(r.path, "/a/b"));
    assert_true(str_is(r.host, "sandbox.localdomain:8080"));
    assert_int_equal(r.max_items, 10000);
    assert_int_equal(r.max_bytes, 262144);
    assert_int_equal(r.timeout_ms, 1000);
}

static void the_logs_api_needs_no_schema(void **state)
{
    struct telemetry_request r;
    struct str wrong;
    assert_int_equal(parse(API_LOGS,
                           "{\"types\":[\"extension\"],\"destination\":{\"protocol\":\"TCP\","
                           "\"port\":1234},\"buffering\":{\"maxItems\":1000,\"maxBytes\":1048576,"
                           "\"timeoutMs\":25}}",
                           &r, &wrong),
                     0);
    assert_int_equal(r.schema, SCHEMA_LOGS_2020_08_15);
    assert_true(r.tcp);
    assert_int_equal(r.port, 1234);
    assert_int_equal(r.max_items, 1000);
    assert_int_equal(r.max_bytes, 1048576);
    assert_int_equal(r.timeout_ms, 25);
    is_wrong(API_LOGS, GOOD "}", "schemaVersion '2022-12-13' is not supported");
    is_wrong(API_TELEMETRY, "{\"types\":[\"platform\"]," HTTP "}", "schemaVersion is not provided");
}

static void everything_wrong_is_named(void **state)
{
    is_wrong(API_TELEMETRY, "", "the body is not a JSON object");
    is_wrong(API_TELEMETRY, "[]", "the body is not a JSON object");
    is_wrong(API_TELEMETRY, "{}",
             "schemaVersion is not provided; destination is not provided; types should not be "
             "empty");
    is_wrong(API_TELEMETRY, GOOD ",\"buffering\":{\"maxItems\":999}}",
             "maxItems should be between 1000 and 10000");
    is_wrong(API_TELEMETRY, GOOD ",\"buffering\":{\"timeoutMs\":\"25\"}}",
             "timeoutMs should be between 25 and 30000");
}

static void to_uri(const char *uri, const char *expected)
{
    char body[512];
    snprintf(body, sizeof(body),
             "{\"schemaVersion\":\"2022-07-01\",\"types\":[\"function\"],"
             "\"destination\":{\"protocol\":\"HTTP\",\"URI\":\"%s\"}}",
             uri);
    if (expected) {
        is_wrong(API_TELEMETRY, body, expected);
        return;
    }
    struct telemetry_request r;
    struct str wrong;
    assert_int_equal(parse(API_TELEMETRY, body, &r, &wrong), 0);
}

static void destinations_are_inside(void **state)
{
    to_uri("http://sandbox:1", NULL);
    to_uri("http://sandbox.localdomain:65535", NULL);
    to_uri("http://sandbox.localdomain:80?x=1", "URI port should be between 1 and 65535, and not "
                                                "9001");
    to_uri("http://sandbox.localdomain:80/\\r\\nX: y", "URI is not valid");
    to_uri("http://127.0.0.1:80/", "URI host should be sandbox.localdomain");
    to_uri("https://sandbox.localdomain:80/", "URI should begin with http://");
    to_uri("http://sandbox.localdomain:9001/", "URI port should be between 1 and 65535, and not "
                                               "9001");
    to_uri("", "URI is not provided");
}

static void quantiles_come_near(void **state)
{
    static struct figures f;
    for (int64_t ms = 1; ms <= 1000; ms++)
        figures_add(&f, ms * 1000000);
    assert_int_equal(f.invocations, 1000);
    assert_int_equal(f.min_ns, 1000000);
    assert_int_equal(f.max_ns, 1000000000);
    assert_in_range(figures_quantile_ns(&f, .5), 425000000, 575000000);
    assert_in_range(figures_quantile_ns(&f, .99), 840000000, 1000000000);
    assert_int_equal(figures_quantile_ns(&f, 1), figures_quantile_ns(&f, .9999));
}

static void one_invocation_is_all_quantiles(void **state)
{
    static struct figures f;
    figures_add(&f, 123456);
    assert_int_equal(figures_quantile_ns(&f, .5), 123456);
    assert_int_equal(figures_quantile_ns(&f, .99), 123456);
    static struct figures none, tiny;
    assert_int_equal(figures_quantile_ns(&none, .5), 0);
    figures_add(&tiny, 0);
    figures_add(&tiny, INT64_MAX / 2);
    assert_int_equal(figures_quantile_ns(&tiny, .5), 1125);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_out_has_the_usual_value),
        cmocka_unit_test(the_logs_api_needs_no_schema),
        cmocka_unit_test(everything_wrong_is_named),
        cmocka_unit_test(destinations_are_inside),
        cmocka_unit_test(quantiles_come_near),
        cmocka_unit_test(one_invocation_is_all_quantiles),
    };
    arena_init(&arena);
    int r = cmocka_run_group_tests(tests, NULL, NULL);
    arena_done(&arena);
    return r;
}
