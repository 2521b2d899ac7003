/* test_toml - samconfig's language: what is read and what is refused, with line and column. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "base/toml.h"

static const struct {
    const char *name, *text, *json; /* json NULL: refused */
    int line;
} cases[] = {
    {"samconfig",
     "version = 0.1\n[default.deploy.parameters]\nstack_name = \"s\" # why\nresolve_s3 = true\n",
     "{\"version\":0.1,\"default\":{\"deploy\":{\"parameters\":{\"stack_name\":\"s\",\"resolve_"
     "s3\":true}}}}",
     0},
    {"arrays over lines", "a = [\n 'x', # one\n \"y\",\n]\n", "{\"a\":[\"x\",\"y\"]}", 0},
    {"dotted and quoted keys", "a.\"b c\".d = 1\n", "{\"a\":{\"b c\":{\"d\":1}}}", 0},
    {"inline table", "p = {x = 1, y = \"z\"}\n", "{\"p\":{\"x\":1,\"y\":\"z\"}}", 0},
    {"array of tables", "[[f]]\nn = 1\n[[f]]\nn = 2\n", "{\"f\":[{\"n\":1},{\"n\":2}]}", 0},
    {"escapes", "s = \"a\\tb\\u00e9\\\\\"\n", "{\"s\":\"a\\tb\xc3\xa9\\\\\"}", 0},
    {"long string", "s = \"\"\"\none\\\n   two\"\"\"\n", "{\"s\":\"onetwo\"}", 0},
    {"numbers", "a = 1_000\nb = 0x1f\nc = -2.5e3\n", "{\"a\":1000,\"b\":31,\"c\":-2.5e3}", 0},
    {"date as text", "d = 2026-01-02T03:04:05Z\n", "{\"d\":\"2026-01-02T03:04:05Z\"}", 0},
    {"windows line ends", "a = 1\r\nb = 2\r\n", "{\"a\":1,\"b\":2}", 0},
    {"key twice", "a = 1\na = 2\n", NULL, 2},
    {"table twice", "[a]\n[a]\n", NULL, 2},
    {"no value", "a =\n", NULL, 1},
    {"bare word", "a = yes\n", NULL, 1},
    {"open string", "a = \"x\nb = 1\n", NULL, 1},
    {"two on a line", "a = 1 b = 2\n", NULL, 1},
    {"open table", "x = 1\n[a\n", NULL, 2},
};

static void reads(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_arena struct arena a;
        arena_init(&a);
        struct json *v;
        struct json_error err = {0};
        int r = toml_parse(&a, str_from(cases[i].text), &v, &err);
        if (!cases[i].json) {
            assert_true(r < 0);
            assert_int_equal(err.line, cases[i].line);
            continue;
        }
        if (r < 0)
            fail_msg("%s: %d:%d %s", cases[i].name, err.line, err.column, err.message);
        assert_string_equal(json_text(&a, v, -1).p, cases[i].json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
