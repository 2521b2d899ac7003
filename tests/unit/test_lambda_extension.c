/* test_lambda_extension - states of extensions, and which files of layers are extensions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/fs.h"
#include "service/lambda/extension.h"

static struct extensions x;

static int set_up(void **state)
{
    extensions_init(&x);
    return 0;
}

static int tear_down(void **state)
{
    extensions_clear(&x);
    extensions_done(&x);
    x = (struct extensions){0};
    return 0;
}

static void expect_state(const struct extension *e, const char *name)
{
    assert_string_equal(extension_state_name(e), name);
}

static void test_life_of_an_external_one(void **state)
{
    struct extension *e = extension_add(&x, S("one"), true);
    expect_state(e, "Started");
    assert_false(extensions_registered(&x));
    assert_false(extension_next(e)); /* not before it has registered */
    assert_true(extension_register(e, true, true));
    assert_false(extension_register(e, true, true));
    assert_true(extensions_registered(&x));
    assert_false(extensions_ready(&x));
    assert_true(extension_next(e));
    expect_state(e, "Ready");
    assert_true(extensions_ready(&x) && extensions_idle(&x));
    assert_false(extension_next(e)); /* once at a time */
    e->state = EXTENSION_RUNNING;
    assert_false(extensions_idle(&x));
    assert_true(extension_next(e));
    assert_true(extensions_idle(&x));
}

static void test_only_those_that_want_invocations_hold_them_up(void **state)
{
    struct extension *e = extension_add(&x, S("quiet"), true);
    extension_register(e, false, true);
    assert_false(extensions_ready(&x)); /* but its init is waited for */
    assert_true(extensions_idle(&x));
}

static void test_errors(void **state)
{
    struct extension *e = extension_add(&x, S("one"), true);
    assert_false(extension_init_error(e, &x.arena, S("Early"))); /* it has not registered */
    assert_false(extension_exit_error(e, &x.arena, S("Early")));
    extension_register(e, true, false);
    assert_true(extension_init_error(e, &x.arena, S("First")));
    assert_true(extension_init_error(e, &x.arena, S("Second")));
    expect_state(e, "InitError");
    assert_true(str_is(e->error_type, "First"));
    assert_false(extension_next(e));
    assert_false(extension_exit_error(e, &x.arena, S("Third")));

    struct extension *other = extension_add(&x, S("two"), false);
    extension_register(other, true, false);
    extension_next(other);
    assert_false(extension_init_error(other, &x.arena, S("Late")));
    assert_true(extension_exit_error(other, &x.arena, S("Enough")));
    expect_state(other, "ExitError");
    assert_false(extensions_idle(&x));
}

static void test_who_is_who(void **state)
{
    struct extension *one = extension_add(&x, S("one"), true);
    struct extension *two = extension_add(&x, S("two"), false);
    one->alive = true;
    one->process = 7;
    assert_int_equal(one->id.n, 36);
    assert_false(str_eq(one->id, two->id));
    assert_ptr_equal(extension_by_id(&x, one->id), one);
    assert_ptr_equal(extension_by_name(&x, S("two")), two);
    assert_ptr_equal(extension_by_process(&x, 7), one);
    assert_null(extension_by_process(&x, 0)); /* an internal one has no process */
    assert_int_equal(extensions_external(&x), 1);
    assert_true(extensions_alive(&x));
    extensions_clear(&x);
    assert_null(extension_by_name(&x, S("one")));
    assert_false(extensions_alive(&x));
}

static void test_ten_at_most(void **state)
{
    for (int i = 0; i < EXTENSIONS_MAX; i++)
        assert_non_null(extension_add(&x, S("e"), i % 2));
    assert_null(extension_add(&x, S("inside"), false));
    assert_non_null(extension_add(&x, S("file"), true)); /* is told of, not started */
    assert_null(extension_add(&x, S("file"), true));
}

static void put(const char *dir, const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/extensions", dir);
    assert_int_equal(fs_mkdirs(path, 0755), 0);
    snprintf(path, sizeof(path), "%s/extensions/%s", dir, name);
    assert_int_equal(fs_write(path, S("x"), 0644), 0);
}

static void test_files_of_layers(void **state)
{
    char one[] = "/tmp/test-extension-XXXXXX", two[] = "/tmp/test-extension-XXXXXX", inner[512];
    struct arena a;
    arena_init(&a);
    assert_non_null(mkdtemp(one));
    assert_non_null(mkdtemp(two));
    put(one, "zebra");
    put(one, "both");
    put(two, "both");
    put(two, "apple");
    snprintf(inner, sizeof(inner), "%s/extensions/folder", two);
    assert_int_equal(mkdir(inner, 0755), 0); /* no extension */
    extensions_look(&x, &a, (const char *[]){one, "/nowhere", two}, 3, "extensions");
    assert_int_equal(x.n_files, 3);
    assert_true(str_is(x.files[0], "apple"));
    assert_true(str_is(x.files[1], "both"));
    assert_true(str_is(x.files[2], "zebra"));
    extensions_look(&x, &a, (const char *[]){"/nowhere"}, 1, "extensions");
    assert_int_equal(x.n_files, 0);
    fs_remove_tree(one);
    fs_remove_tree(two);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life_of_an_external_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_those_that_want_invocations_hold_them_up, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_errors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_is_who, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ten_at_most, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files_of_layers, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("lambda_extension", tests, NULL, NULL);
}
