/* test_lambda_concurrency - how fast a function may grow; loops, as a trace header counts them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "service/lambda/concurrency.h"
#include "service/lambda/recursion.h"

#define SECOND 1000000000LL
#define ARN "arn:aws:lambda:us-east-1:000000000000:function:f"

static int taken(struct bucket *b, int tries, int64_t now)
{
    int n = 0;
    for (int i = 0; i < tries; i++)
        n += bucket_take(b, GROWTH_PER_S, GROWTH_BURST, now);
    return n;
}

/* 1,000 environments at once, then 100 a second; what is not taken does not add up. */
static void growth_is_refilled_steadily(void **state)
{
    struct bucket b = {0};
    assert_int_equal(taken(&b, 3000, SECOND), 1000);
    assert_int_equal(taken(&b, 3000, SECOND + SECOND / 100), 1);
    assert_int_equal(taken(&b, 3000, 2 * SECOND), 99);
    assert_int_equal(taken(&b, 3000, 12 * SECOND), 1000);
    assert_int_equal(taken(&b, 3000, 1000 * SECOND), 1000);
    assert_int_equal(taken(&b, 3000, 1000 * SECOND), 0);
    assert_int_equal(taken(&b, 1, 999 * SECOND), 0);
}

static void a_bucket_of_nothing_gives_nothing(void **state)
{
    struct bucket b = {0};
    assert_false(bucket_take(&b, 0, 0, SECOND));
    assert_false(bucket_take(&b, 0, 0, 100 * SECOND));
}

static void reasons_are_awss(void **state)
{
    assert_string_equal(throttle_reason(THROTTLE_ACCOUNT).p, "ConcurrentInvocationLimitExceeded");
    assert_string_equal(throttle_reason(THROTTLE_RESERVED).p,
                        "ReservedFunctionConcurrentInvocationLimitExceeded");
    assert_string_equal(throttle_reason(THROTTLE_RESERVED_RATE).p,
                        "ReservedFunctionInvocationRateLimitExceeded");
    assert_string_equal(throttle_reason(THROTTLE_GROWTH).p, "FunctionInvocationRateLimitExceeded");
}

/* sha256 of the ARN begins with this */
#define HASH "03574033"

static void step_is(const char *header, const char *expected, int64_t times)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str out;
    int64_t n;
    lineage_step(&a, str_from(header), S(ARN), &out, &n);
    assert_string_equal(str_c(&a, out), expected);
    assert_int_equal(n, times);
}

static void each_invocation_is_counted(void **state)
{
    step_is("Root=1-5;Parent=6;Sampled=0", "Root=1-5;Parent=6;Sampled=0;Lineage=1:" HASH ":0", 0);
    step_is("Root=1-5;Parent=6;Sampled=0;Lineage=1:" HASH ":0",
            "Root=1-5;Parent=6;Sampled=0;Lineage=1:" HASH ":1", 1);
    step_is("Root=1-5;Lineage=a87bd80c:1|" HASH ":15|c512fbe3:2;Sampled=1",
            "Root=1-5;Sampled=1;Lineage=a87bd80c:1|c512fbe3:2|1:" HASH ":16", 16);
    step_is("", "Lineage=1:" HASH ":0", 0);
}

/* What somebody has made up neither counts nor grows without end. */
static void bad_lineages_do_no_harm(void **state)
{
    step_is("Lineage=", "Lineage=1:" HASH ":0", 0);
    step_is("Lineage=|||", "Lineage=1:" HASH ":0", 0);
    step_is("Lineage=1:" HASH ":-3", "Lineage=1:" HASH ":-3|1:" HASH ":0", 0);
    step_is("Lineage=1:" HASH ":99999999999999999999",
            "Lineage=1:" HASH ":99999999999999999999|1:" HASH ":0", 0);
    auto_arena struct arena a;
    arena_init(&a);
    struct str header = S("Lineage=x:1");
    for (int i = 0; i < 500; i++)
        header = str_printf(&a, "%.*s|%d:1", STR(header), i);
    int64_t n;
    lineage_step(&a, header, S(ARN), &header, &n);
    assert_true(header.n < 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(growth_is_refilled_steadily),
        cmocka_unit_test(a_bucket_of_nothing_gives_nothing),
        cmocka_unit_test(reasons_are_awss),
        cmocka_unit_test(each_invocation_is_counted),
        cmocka_unit_test(bad_lineages_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
