/* test_lambda_name - the ways to name functions and layers, and what is no JSON. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "service/lambda/json_check.h"
#include "service/lambda/lambda.h"

static void functions_have_many_names(void **state)
{
    static const struct {
        const char *text, *region, *account, *name, *qualifier;
    } good[] = {
        {"f", "", "", "f", ""},
        {"my_function-2:$LATEST", "", "", "my_function-2", "$LATEST"},
        {"function:f", "", "", "f", ""},
        {"function:f:3", "", "", "f", "3"},
        {"123456789012:function:f", "", "123456789012", "f", ""},
        {"123456789012:f:live", "", "123456789012", "f", "live"},
        {"arn:aws:lambda:eu-west-1:123456789012:function:f", "eu-west-1", "123456789012", "f", ""},
        {"arn:aws:lambda:us-gov-west-1:123456789012:function:f:1", "us-gov-west-1", "123456789012",
         "f", "1"},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        struct function_name n;
        assert_true(function_name_parse(str_from(good[i].text), &n));
        assert_true(str_is(n.region, good[i].region));
        assert_true(str_is(n.account, good[i].account));
        assert_true(str_is(n.name, good[i].name));
        assert_true(str_is(n.qualifier, good[i].qualifier));
    }
    static const char *const bad[] = {"",
                                      "a b",
                                      "f:",
                                      "f:a:b",
                                      "arn:aws:s3:::bucket",
                                      "../f",
                                      "f/g",
                                      "arn:aws:lambda:us-east-1:123456789012:layer:l:1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct function_name n;
        assert_false(function_name_parse(str_from(bad[i]), &n));
    }
}

static void layers_have_two(void **state)
{
    struct layer_name n;
    assert_true(layer_name_parse(S("sdk"), &n));
    assert_true(str_is(n.name, "sdk") && n.version == 0 && !n.account.n);
    assert_true(layer_name_parse(S("arn:aws:lambda:us-east-1:123456789012:layer:sdk:17"), &n));
    assert_true(str_is(n.name, "sdk") && n.version == 17);
    assert_true(str_is(n.account, "123456789012") && str_is(n.region, "us-east-1"));
    assert_false(layer_name_parse(S("arn:aws:lambda:us-east-1:123456789012:layer:sdk:x"), &n));
    assert_false(layer_name_parse(S("arn:aws:lambda:us-east-1:123456789012:function:sdk"), &n));
    assert_false(layer_name_parse(S("a b"), &n));
}

static void json_is_told_from_other_text(void **state)
{
    static const char *const good[] = {
        "{}",       "[]",           "0",
        "-1.5e+3",  "\"\"",         " {\"a\" : [1, true, null, {\"b\":\"\\u00e9\"}]} \n",
        "[[[[]]]]", "\"\xc3\xa9\"",
    };
    static const char *const bad[] = {
        "",    " ",      "{",       "[1,]",  "{\"a\"}", "{\"a\":}", "{a:1}",    "01",          "1.",
        "nul", "\"\n\"", "\"\\x\"", "{} {}", "[}",      "\"abc",    "\"\xff\"", "\"\\u12g4\"", "-",
    };
    size_t at;
    const char *why;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_true(json_check(str_from(good[i]), &at, &why));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        why = NULL;
        assert_false(json_check(str_from(bad[i]), &at, &why));
        assert_non_null(why);
        assert_true(at <= strlen(bad[i]));
    }
}

static void depth_of_json_is_limited(void **state)
{
    char text[4000];
    size_t at;
    const char *why;
    for (size_t i = 0; i < 2000; i++) {
        text[i] = '[';
        text[3999 - i] = ']';
    }
    assert_false(json_check(str_of(text, 4000), &at, &why));
    assert_true(json_check(str_of(text + 1000, 2000), &at, &why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_have_many_names),
        cmocka_unit_test(layers_have_two),
        cmocka_unit_test(json_is_told_from_other_text),
        cmocka_unit_test(depth_of_json_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
