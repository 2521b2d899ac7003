/* test_bench_memory - lists of sizes, and which of several is worth its price. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include "base/cleanup.h"
#include "bench/memory.h"
#include "bench/pareto.h"

static struct str sizes_of(struct arena *a, const char *text)
{
    int *sizes;
    size_t n;
    struct str why = {0}, list = S("");
    if (memory_sizes_parse(a, str_from(text), &sizes, &n, &why) < 0) {
        assert_true(why.n > 0);
        return S("refused");
    }
    for (size_t i = 0; i < n; i++)
        list = str_printf(a, "%.*s%s%d", STR(list), i ? " " : "", sizes[i]);
    return list;
}

static void lists_of_sizes(void **state)
{
    static const struct {
        const char *text, *sizes;
    } cases[] = {
        {"512", "512"},
        {"512,1024,1536", "512 1024 1536"},
        {" 1024 , 512,512 ", "512 1024"},
        {"128-512", "128 256 384 512"},
        {"128-1000:400", "128 528 928 1000"},
        {"10240", "10240"},
        {"256,128-200:50", "128 178 200 256"},
        {"300-300", "300"},
        {"", "refused"},
        {"127", "refused"},
        {"10241", "refused"},
        {"512,", "refused"},
        {"512;1024", "refused"},
        {"512:64", "refused"},
        {"1024-512", "refused"},
        {"128-512:0", "refused"},
        {"128-512:-1", "refused"},
        {"-512", "refused"},
        {"512-", "refused"},
        {"128-10240", "refused"}, /* 80 of them */
        {"128-10240:1", "refused"},
        {"1e3", "refused"},
        {"99999999999999999999", "refused"},
    };
    auto_arena struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str got = sizes_of(&a, cases[i].text);
        if (!str_is(got, cases[i].sizes))
            fail_msg("%s: %.*s", cases[i].text, STR(got));
    }
    int *sizes;
    size_t n;
    struct str why;
    assert_int_equal(memory_sizes_parse(&a, S("all"), &sizes, &n, &why), 0);
    assert_int_equal(n, 46);
    assert_int_equal(sizes[0], 128);
    assert_int_equal(sizes[45], 3008);
}

/* cost and time fall and rise as on AWS; 512 is beaten by 1024 in both, 3008 has failed. */
static const struct pareto_point some[] = {
    {.cost = 2.0, .time = 1000, .p99 = 1500, .usable = true}, /* 128 */
    {.cost = 2.2, .time = 520, .p99 = 900, .usable = true},   /* 256 */
    {.cost = 2.6, .time = 300, .p99 = 400, .usable = true},   /* 512 */
    {.cost = 2.5, .time = 130, .p99 = 200, .usable = true},   /* 1024 */
    {.cost = 4.0, .time = 120, .p99 = 190, .usable = true},   /* 2048 */
    {.cost = 0.1, .time = 1, .p99 = 2, .usable = false},      /* 3008 */
};

static void sizes_that_nothing_beats_are_the_front(void **state)
{
    struct pareto_point p[6];
    const bool front[] = {true, true, false, true, true, false};
    memcpy(p, some, sizeof(p));
    pareto_mark(p, 6);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(p[i].front, front[i]);
    struct pareto_point twins[2] = {some[0], some[0]};
    pareto_mark(twins, 2);
    assert_true(twins[0].front && twins[1].front);
}

/* As aws-lambda-power-tuning does: weight 1 is cost alone, 0 is speed alone. */
static void strategies(void **state)
{
    assert_int_equal(pareto_best(some, 6, PARETO_COST, .5), 0);
    assert_int_equal(pareto_best(some, 6, PARETO_SPEED, .5), 4);
    assert_int_equal(pareto_best(some, 6, PARETO_BALANCED, 1), 0);
    assert_int_equal(pareto_best(some, 6, PARETO_BALANCED, 0), 4);
    /* .5 * 2.5 / 4 + .5 * 130 / 1000 = .3775 is less than .5 * 2.2 / 4 + .5 * .52 = .535 */
    assert_int_equal(pareto_best(some, 6, PARETO_BALANCED, .5), 3);
    assert_int_equal(pareto_best(some + 5, 1, PARETO_COST, .5), 1); /* none */
    assert_int_equal(pareto_best(some, 0, PARETO_COST, .5), 0);
}

/* The best one by its figure is told apart from another one only where intervals show it. */
static void what_is_best_may_not_be_shown(void **state)
{
    struct pareto_point p[] = {
        {.cost = 2,
         .time = 9,
         .usable = true,
         .cost_is = {2, 1.9, 2.1, 9},
         .time_is = {9, 8, 10, 9}},
        {.cost = 3,
         .time = 5,
         .usable = true,
         .cost_is = {3, 2.9, 3.1, 9},
         .time_is = {5, 4, 6, 9}},
        {.cost = 2.1,
         .time = 5.1,
         .usable = true,
         .cost_is = {2.1, 2, 2.2, 9},
         .time_is = {5.1, 4.1, 6.1, 9}},
        {.cost = 9,
         .time = 99,
         .usable = true,
         .cost_is = {9, NAN, NAN, 1},
         .time_is = {99, NAN, NAN, 1}},
    };
    assert_true(pareto_shown(p, 3, 0, 1, PARETO_COST, .5));
    assert_false(pareto_shown(p, 3, 0, 2, PARETO_COST, .5));
    assert_true(pareto_shown(p, 3, 1, 0, PARETO_SPEED, .5));
    assert_false(pareto_shown(p, 3, 1, 2, PARETO_SPEED, .5));
    assert_false(pareto_all_shown(p, 3, 0, PARETO_COST, .5));
    assert_true(pareto_all_shown(p, 2, 0, PARETO_COST, .5));
    assert_false(pareto_shown(p, 4, 0, 3, PARETO_COST, .5)); /* one answer has no interval */
    assert_true(pareto_shown(p, 3, 2, 0, PARETO_BALANCED, .5));
}

static void the_cheapest_that_is_quick_enough(void **state)
{
    assert_int_equal(pareto_cheapest_below(some, 6, 1000), 1);
    assert_int_equal(pareto_cheapest_below(some, 6, 900), 3); /* below, not at */
    assert_int_equal(pareto_cheapest_below(some, 6, 195), 4);
    assert_int_equal(pareto_cheapest_below(some, 6, 10), 6);
    struct pareto_point unknown = {.cost = 1, .time = 1, .p99 = NAN, .usable = true};
    assert_int_equal(pareto_cheapest_below(&unknown, 1, 10), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_of_sizes),
        cmocka_unit_test(sizes_that_nothing_beats_are_the_front),
        cmocka_unit_test(strategies),
        cmocka_unit_test(what_is_best_may_not_be_shown),
        cmocka_unit_test(the_cheapest_that_is_quick_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
