/* test_expect - what test files say of answers: equality, subsets, matchers, paths. */
#include "check.h"
#undef expect_value /* cmocka has a macro of this name */
#include <errno.h>
#include "cli/expect.h"

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

static struct json *read_json(const char *text)
{
    struct json *v = NULL;
    assert_int_equal(json_parse(&arena, str_from(text), &v, NULL), 0);
    return v;
}

/* The sentences of all failures, joined; "" when everything is as wanted. */
static struct str judged(bool subset, const char *wanted, const char *actual)
{
    struct expect_result r = {.arena = &arena};
    const struct json *v = actual ? read_json(actual) : NULL;
    if (subset)
        expect_subset(&r, S("$"), read_json(wanted), v);
    else
        expect_value(&r, S("$"), read_json(wanted), v);
    return str_join(&arena, S("; "), r.failures, r.n);
}
#define value(wanted, actual) judged(false, wanted, actual)
#define subset(wanted, actual) judged(true, wanted, actual)

static void equality(void **state)
{
    assert_str(value("1", "1"), "");
    assert_str(value("1", "1.0"), "");
    assert_str(value("{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}"), "");
    assert_str(value("\"1\"", "1"), "$ is 1, expected \"1\"");
    assert_str(value("{\"a\":1}", "{\"a\":1,\"b\":2}"),
               "$ is {\"a\":1,\"b\":2}, expected {\"a\":1}");
    assert_str(value("null", NULL), "$ is not there, expected null");
}

static void subsets(void **state)
{
    assert_str(subset("{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1,\"c\":2},\"d\":3}"), "");
    assert_str(subset("{\"a\":{\"b\":1}}", "{\"a\":{\"b\":2}}"), "$.a.b is 2, expected 1");
    assert_str(subset("{\"a\":1}", "{}"), "$.a is not there, expected 1");
    assert_str(subset("[{\"a\":1},2]", "[{\"a\":1,\"b\":2},2]"), "");
    assert_str(subset("[1]", "[1,2]"), "$ is [1,2], expected [1]");
    assert_str(subset("{\"a\":{\"gt\":1}}", "{\"a\":2}"), "");
    assert_str(subset("{\"a\":1,\"b\":2}", "{\"a\":2,\"b\":1}"),
               "$.a is 2, expected 1; $.b is 1, expected 2");
}

static void matchers(void **state)
{
    assert_str(value("{\"type\":\"integer\"}", "3"), "");
    assert_str(value("{\"type\":\"integer\"}", "3.5"),
               "$ is of type number (3.5), expected integer");
    assert_str(value("{\"type\":\"integer\"}", "1e-3"),
               "$ is of type number (1e-3), expected integer");
    assert_str(value("{\"type\":\"string\"}", "3"), "$ is of type number (3), expected string");
    assert_str(value("{\"matches\":\"^a.c$\"}", "\"abc\""), "");
    assert_str(value("{\"matches\":\"^b\"}", "\"abc\""), "$ is \"abc\", expected a match of /^b/");
    assert_true(str_find(value("{\"matches\":\"(\"}", "\"abc\""), S("is no regular expression")) >
                0);
    assert_str(value("{\"contains\":\"b\"}", "\"abc\""), "");
    assert_str(value("{\"contains\":2}", "[1,2]"), "");
    assert_str(value("{\"contains\":3}", "[1,2]"), "$ is [1,2], which does not contain 3");
    assert_str(value("{\"ge\":1,\"lt\":3}", "2"), "");
    assert_str(value("{\"ge\":1,\"lt\":3}", "3"), "$ is 3, expected lt 3");
    assert_str(value("{\"lt\":3}", "\"2\""), "$ is \"2\", which cannot be compared with 3");
    assert_str(value("{\"ne\":2}", "2"), "$ is 2, expected something else");
    assert_str(value("{\"eq\":{\"eq\":1}}", "{\"eq\":1}"), "");
    assert_str(value("{\"length\":2}", "[1,2]"), "");
    assert_str(value("{\"length\":2}", "\"abc\""), "$ has length 3, expected 2");
    assert_str(value("{\"exists\":false}", NULL), "");
    assert_str(value("{\"exists\":true}", NULL), "$ is not there");
    assert_str(value("{\"exists\":false}", "1"), "$ is 1");
    assert_str(value("{\"gt\":1}", NULL), "$ is not there");
}

static void an_object_with_other_keys_is_no_matcher(void **state)
{
    assert_false(expect_is_matcher(read_json("{\"type\":\"a\",\"name\":\"b\"}")));
    assert_false(expect_is_matcher(read_json("{}")));
    assert_true(expect_is_matcher(read_json("{\"type\":\"a\"}")));
}

static struct str at(const char *path)
{
    struct json *v = read_json("{\"a\":{\"b\":[1,{\"c d\":2,\"e]\":3}]}}");
    const struct json *found;
    if (expect_path(v, str_from(path), &found) < 0)
        return S("no path");
    return found ? json_text(&arena, found, -1) : S("nothing");
}

static void paths(void **state)
{
    assert_str(at("$.a.b[0]"), "1");
    assert_str(at("$['a'][\"b\"][0]"), "1");
    assert_str(at("$.a.b[-1]['c d']"), "2");
    assert_str(at("$.a.b[1]['e]']"), "3");
    assert_str(at("$.a.b[2]"), "nothing");
    assert_str(at("$.a.b[-3]"), "nothing");
    assert_str(at("$.x.y.z[0]"), "nothing");
    assert_str(at("$.a.b.c"), "nothing");
    assert_str(at("a.b"), "no path");
    assert_str(at("$a"), "no path");
    assert_str(at("$.a..b"), "no path");
    assert_str(at("$.a.b[x]"), "no path");
    assert_str(at("$.a.b["), "no path");
    assert_str(at("$.a.b[]"), "no path");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(equality), CASE(subsets),
        CASE(matchers), CASE(an_object_with_other_keys_is_no_matcher),
        CASE(paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
