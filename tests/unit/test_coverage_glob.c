/* Patterns of files, and the order of names, as coverage.py has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "coverage/glob.h"
#include "coverage/report_rows.h"

static void patterns_match_as_coverage_py_7_does(void **state)
{
    static const struct {
        const char *pattern, *path;
        bool matches;
    } cases[] = {
        {"app.py", "/p/src/app.py", true},
        {"app.py", "/p/src/my_app.py", false},
        {"*.py", "/p/src/deep/app.py", true},
        {"*.py", "/p/src/app.pyc", false},
        {"src/*", "/p/src/deep/er/app.py", true},
        {"src/*", "/p/src", false},
        {"src/*.py", "/p/src/app.py", true},
        {"src/*.py", "/p/src/deep/app.py", false},
        {"src/**/*.py", "/p/src/deep/er/app.py", true},
        {"src/**/*.py", "/p/src/app.py", true},
        {"./src/*", "/p/src/app.py", true},
        {"/p/src/*", "/p/src/app.py", true},
        {"/q/*", "/p/q/app.py", false},
        {"*/tests/*", "/p/src/tests/t.py", true},
        {"*/tests/*", "/p/src/tests", false},
        {"**/tests/*", "/tests/t.py", true},
        {"src/?.py", "/p/src/a.py", true},
        {"src/?.py", "/p/src/ab.py", false},
        {"src/[a-c]x.py", "/p/src/bx.py", true},
        {"src/[a-c]x.py", "/p/src/dx.py", false},
        {"src/[!a]x.py", "/p/src/bx.py", true},
        {"src\\app.py", "/p/src/app.py", true},
        {"", "/p/src/app.py", false},
    };
    auto_arena struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (glob_match(&a, str_from(cases[i].pattern), S("/p"), str_from(cases[i].path)) !=
            cases[i].matches)
            fail_msg("%s and %s", cases[i].pattern, cases[i].path);
}

static void what_is_no_pattern_is_refused(void **state)
{
    static const char *const good[] = {"**/x", "x/**", "x/**/y", "*", "a[b-c]", "x/*/y*"};
    static const char *const bad[] = {"x**", "**x", "a/***/b", "***", "a]", "a[b", "**/**"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(glob_check(str_from(good[i])), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_true(glob_check(str_from(bad[i])) < 0);
}

static void the_beginning_of_a_path_matches_a_folder(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str path = S("/ci/job-7/src/x/app.py"), dir = S("/p");
    assert_int_equal(glob_prefix(&a, S("/ci/*/src"), dir, path), 14);
    assert_int_equal(glob_prefix(&a, S("/ci/*/src/"), dir, path), 14);
    assert_int_equal(glob_prefix(&a, S("*/src"), dir, path), 14);
    assert_int_equal(glob_prefix(&a, S("/ci/job-?"), dir, path), 10);
    assert_int_equal(glob_prefix(&a, S("src"), dir, path), 0);
    assert_int_equal(glob_prefix(&a, S("src"), dir, S("/p/src/app.py")), 7);
    assert_int_equal(glob_prefix(&a, S("/ci/job"), dir, path), 0);
}

static void names_sort_as_people_do(void **state)
{
    static const char *const sorted[] = {"a1.py", "a2.py", "a02b.py", "a10.py",
                                         "a.py",  "b.py",  "b/1.py",  "c"};
    for (size_t i = 0; i < sizeof sorted / sizeof *sorted; i++)
        for (size_t k = 0; k < sizeof sorted / sizeof *sorted; k++) {
            int r = report_name_cmp(str_from(sorted[i]), str_from(sorted[k]));
            if ((r > 0) - (r < 0) != (i > k) - (i < k))
                fail_msg("%s and %s: %d", sorted[i], sorted[k], r);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_as_coverage_py_7_does),
        cmocka_unit_test(what_is_no_pattern_is_refused),
        cmocka_unit_test(the_beginning_of_a_path_matches_a_folder),
        cmocka_unit_test(names_sort_as_people_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
