/* test_lambda_http_event - results of functions as HTTP answers, streamed heads, and the rate of
 * streams; events are looked at end to end. */
#include "check.h"
#include <errno.h>
#include "base/json.h"
#include "service/lambda/http_event.h"
#include "service/lambda/response_stream.h"

static struct arena arena;

static int setup(void **state)
{
    arena_init(&arena);
    return 0;
}

static int teardown(void **state)
{
    arena_done(&arena);
    return 0;
}

static struct str header(const struct http_answer *a, const char *name)
{
    return wire_find_header(a->headers.items, a->headers.n, name);
}

static void test_answers(void **state)
{
    static const struct {
        const char *result;
        int status; /* 0: it is none */
        const char *body, *type;
    } cases[] = {
        {"{\"a\": 1}", 200, "{\"a\": 1}", "application/json"},
        {"\"text\"", 200, "text", "application/json"},
        {" 5 ", 200, "5", "application/json"},
        {"null", 200, "null", "application/json"},
        {"[]", 200, "[]", "application/json"},
        {"{\"statusCode\":201,\"body\":\"b\"}", 201, "b", "application/json"},
        {"{\"statusCode\":\"204\"}", 204, "", "application/json"},
        {"{\"statusCode\":200,\"headers\":{\"content-type\":\"x/y\"},\"body\":null}", 200, "",
         "x/y"},
        {"{\"statusCode\":200,\"body\":{\"a\":1}}", 200, "{\"a\":1}", "application/json"},
        {"{\"statusCode\":200,\"body\":\"aGk=\",\"isBase64Encoded\":true}", 200, "hi",
         "application/json"},
        {"{\"statusCode\":200,\"body\":\"%\",\"isBase64Encoded\":true}", 0, NULL, NULL},
        {"{\"statusCode\":100}", 0, NULL, NULL},
        {"{\"statusCode\":600}", 0, NULL, NULL},
        {"{\"statusCode\":[]}", 0, NULL, NULL},
        {"{\"statusCode\":200,\"headers\":[]}", 0, NULL, NULL},
        {"{\"statusCode\":200,\"cookies\":{}}", 0, NULL, NULL},
        {"no json", 0, NULL, NULL},
        {"", 0, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_answer answer;
        int r = http_answer_of(&arena, str_from(cases[i].result), &answer);
        if (!cases[i].status) {
            assert_int_equal(r, -EBADMSG);
            continue;
        }
        assert_int_equal(r, 0);
        assert_int_equal(answer.status, cases[i].status);
        assert_str(answer.body, cases[i].body);
        assert_str(header(&answer, "Content-Type"), cases[i].type);
    }
}

/* Nothing that frames the answer comes from the function, nor a name that is none. */
static void test_headers(void **state)
{
    struct http_answer a;
    assert_int_equal(
        http_answer_of(&arena,
                       S("{\"statusCode\":200,\"headers\":{\"X-A\":\"1\",\"Content-Length\":\"9\","
                         "\"transfer-encoding\":\"chunked\",\"B\\r\\nC\":\"x\",\"\":\"y\","
                         "\"N\":5,\"T\":true,\"Z\":null},\"cookies\":[\"a=1\",\"b=2\"]}"),
                       &a),
        0);
    assert_str(header(&a, "X-A"), "1");
    assert_str(header(&a, "N"), "5");
    assert_str(header(&a, "T"), "true");
    assert_str(header(&a, "Set-Cookie"), "a=1");
    assert_int_equal(a.headers.n, 6); /* two cookies, and the type */
}

static void test_rest_answers(void **state)
{
    struct http_answer a;
    assert_int_equal(http_answer_rest(&arena, S("{\"a\":1}"), &a), -EBADMSG);
    assert_int_equal(http_answer_rest(&arena, S("\"x\""), &a), -EBADMSG);
    assert_int_equal(http_answer_rest(&arena, S("{\"statusCode\":200,\"body\":{}}"), &a), -EBADMSG);
    assert_int_equal(
        http_answer_rest(
            &arena,
            S("{\"statusCode\":200,\"body\":\"b\",\"multiValueHeaders\":{\"X\":[\"1\",\"2\"]}}"),
            &a),
        0);
    assert_str(header(&a, "X"), "1");
    assert_int_equal(a.headers.n, 3);
}

static void test_names_of_headers(void **state)
{
    struct http_answer a;
    struct str result = S("{\"statusCode\":200,\"headers\":{\"a\\u0000b\":\"1\",\"\":\"1\","
                          "\"c d\":\"1\",\"\\r\\ne\":\"1\",\"Upgrade\":\"1\",\"TE\":\"1\","
                          "\"Content-Length\":\"1\",\"good\":\"1\"}}");
    assert_int_equal(http_answer_of(&arena, result, &a), 0);
    assert_int_equal(a.headers.n, 2); /* and the type */
    assert_true(str_is(header(&a, "good"), "1"));
}

static void test_prelude(void **state)
{
    const struct str whole =
        S("{\"statusCode\":203,\"headers\":{\"A\":\"b\"}}\0\0\0\0\0\0\0\0body");
    struct http_answer a;
    size_t size = 0;
    for (size_t n = 0; n < whole.n - 4; n++)
        assert_int_equal(http_prelude(&arena, str_slice(whole, 0, n), &a, &size), 0);
    assert_int_equal(http_prelude(&arena, whole, &a, &size), 1);
    assert_int_equal(a.status, 203);
    assert_int_equal(size, whole.n - 4);
    assert_str(header(&a, "A"), "b");
    assert_int_equal(http_prelude(&arena, S("[]\0\0\0\0\0\0\0\0"), &a, &size), -EBADMSG);
    assert_int_equal(http_prelude(&arena, S("{\0\0\0\0\0\0\0\0"), &a, &size), -EBADMSG);
    char *endless = arena_alloc(&arena, 70000);
    memset(endless, ' ', 70000);
    assert_int_equal(http_prelude(&arena, str_of(endless, 70000), &a, &size), -EBADMSG);
}

/* The first 6 MB at once, then 2 MB a second. */
static void test_bucket(void **state)
{
    const int64_t mb = 1024 * 1024, second = 1000000000;
    struct token_bucket b;
    int64_t now = 5 * second;
    token_bucket_init(&b, STREAM_BURST, STREAM_RATE, now);
    for (int i = 0; i < 6; i++)
        assert_int_equal(token_bucket_take(&b, mb, now), 0);
    assert_int_equal(token_bucket_take(&b, mb, now), second / 2);
    assert_int_equal(token_bucket_take(&b, mb, now), second);
    now += second; /* the debt is paid */
    assert_int_equal(token_bucket_take(&b, 0, now), 0);
    assert_int_equal(token_bucket_take(&b, 2 * mb, now), second);
    now += 3600 * second; /* no more than it holds */
    assert_int_equal(token_bucket_take(&b, 6 * mb, now), 0);
    assert_int_equal(token_bucket_take(&b, 2 * mb, now), second);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(test_answers),          CASE(test_headers), CASE(test_rest_answers),
        CASE(test_names_of_headers), CASE(test_prelude), CASE(test_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
