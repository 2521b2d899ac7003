/* test_logs_pattern - the filter pattern language of CloudWatch Logs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "service/logs/pattern.h"

static const struct {
    const char *pattern, *message;
    bool want;
} cases[] = {
    {"", "anything", true},
    {"  ", "anything", true},
    {"ERROR", "[ERROR 400] BAD REQUEST", true},
    {"error", "[ERROR 400] BAD REQUEST", false},
    {"ERROR REQUEST", "[ERROR 400] BAD REQUEST", true},
    {"ERROR ARGUMENTS", "[ERROR 400] BAD REQUEST", false},
    {"?ERROR ?WARN", "WARN: disk", true},
    {"?ERROR ?WARN", "INFO: disk", false},
    {"ERROR -BAD", "[ERROR 400] BAD REQUEST", false},
    {"ERROR -BAD", "[ERROR 401] UNAUTHORIZED", true},
    {"-BAD", "fine", true},
    {"ERROR ?BAD", "[ERROR 401] UNAUTHORIZED", true},
    {"\"BAD REQUEST\"", "[ERROR 400] BAD REQUEST", true},
    {"\"BAD REQUEST\"", "BAD A REQUEST", false},
    {"-\"BAD REQUEST\"", "[ERROR 400] BAD REQUEST", false},
    {"?\"a b\" ?\"c d\"", "x c d y", true},
    {"\"say \\\"hi\\\"\"", "I say \"hi\" to you", true},
    {"%5[0-9]{2}%", "status 503", true},
    {"%5[0-9]{2}%", "status 403", false},
    {"%^START%", "START RequestId: 1", true},
    {"%^START%", "  START", false},
    {"-%5[0-9]{2}%", "status 503", false},

    {"{ $.user = \"alice\" }", "{\"user\": \"alice\"}", true},
    {"{ $.user = \"al*\" }", "{\"user\": \"alice\"}", true},
    {"{ $.user = \"ali\" }", "{\"user\": \"alice\"}", false},
    {"{ $.user != \"bob\" }", "{\"user\": \"alice\"}", true},
    {"{ $.user != \"bob\" }", "{\"other\": \"alice\"}", false},
    {"{ $.user = alice }", "{\"user\": \"alice\"}", true},
    {"{$.n>3}", "{\"n\": 4}", true},
    {"{$.n>3}", "{\"n\": 3}", false},
    {"{$.n>=3}", "{\"n\": 3.0}", true},
    {"{$.n=300}", "{\"n\": 3e2}", true},
    {"{$.n<-1}", "{\"n\": -2}", true},
    {"{$.n=4*}", "{\"n\": 404}", true},
    {"{$.a.b[1].c = \"x\"}", "{\"a\":{\"b\":[{},{\"c\":\"x\"}]}}", true},
    {"{$.a[*] = \"x\"}", "{\"a\":[\"y\",\"x\"]}", true},
    {"{$.a[*].id = 2}", "{\"a\":[{\"id\":1},{\"id\":3}]}", false},
    {"{$[0].id = 2}", "[{\"id\":2}]", true},
    {"{$.['user-agent'] = \"curl*\"}", "{\"user-agent\":\"curl/8\"}", true},
    {"{$.a = 1 && $.b = 2}", "{\"a\":1,\"b\":2}", true},
    {"{$.a = 1 && $.b = 2}", "{\"a\":1,\"b\":3}", false},
    {"{$.a = 1 || $.b = 2 && $.c = 3}", "{\"a\":1}", true},
    {"{($.a = 1 || $.b = 2) && $.c = 3}", "{\"a\":1}", false},
    {"{$.x IS NULL}", "{\"x\":null}", true},
    {"{$.x IS NULL}", "{}", false},
    {"{$.x NOT EXISTS}", "{}", true},
    {"{$.x NOT EXISTS}", "{\"x\":null}", false},
    {"{$.x IS TRUE}", "{\"x\":true}", true},
    {"{$.x is false}", "{\"x\":true}", false},
    {"{$.ip = %10[.]0%}", "{\"ip\":\"10.0.0.1\"}", true},
    {"{$.user = \"alice\"}", "user alice", false},
    {"{$.user = \"alice\"}", "{\"user\": ", false},

    {"[ip, user, status]", "1.2.3.4 bob 404", true},
    {"[ip, user]", "1.2.3.4 bob 404", false},
    {"[ip, user, status=4*]", "1.2.3.4 bob 404", true},
    {"[ip, user, status=4*]", "1.2.3.4 bob 504", false},
    {"[ip, ..., status=4*, bytes>100]", "1.2.3.4 - bob [10/Oct/2000 13:55] \"GET /a b\" 404 1534",
     true},
    {"[ip, ..., status=4*, bytes>100]", "1.2.3.4 - bob 404 99", false},
    {"[..., size]", "", false},
    {"[..., size]", "1", true},
    {"[a, b, time, request=\"GET /a b\", ...]", "x y [10/Oct/2000 13:55] \"GET /a b\" 404", true},
    {"[w1=ERROR || w1=WARN, ...]", "WARN disk", true},
    {"[w1!=ERROR && w1!=WARN, ...]", "WARN disk", false},
    {"[code=%4[0-9]4%, ...]", "414 x", true},
};

static void patterns_match(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        auto_arena struct arena a;
        arena_init(&a);
        struct logs_pattern *p;
        struct str why = {0};
        if (logs_pattern_parse(&a, str_from(cases[i].pattern), &p, &why) < 0)
            fail_msg("%s: %.*s", cases[i].pattern, STR(why));
        if (logs_pattern_match(p, str_from(cases[i].message), &a) != cases[i].want)
            fail_msg("%s on %s: want %d", cases[i].pattern, cases[i].message, cases[i].want);
    }
}

/* What would take hours of a long message ends, and says so; short ones are as quick as ever. */
static void expressions_that_explode_give_up(void **state)
{
    static const char *const patterns[] = {"%a*a*a*[0-9]%", "%.*.*.*[0-9][0-9]%",
                                           "{ $.m = %.*.*.*[0-9][0-9]% || $.n = 1 }"};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        auto_arena struct arena a;
        arena_init(&a);
        struct logs_pattern *p;
        struct str why = {0};
        char *message = arena_alloc(&a, 60000);
        memset(message, 'a', 60000);
        memcpy(message, "{\"m\":\"", 6);
        memcpy(message + 59998, "\"}", 2);
        assert_int_equal(logs_pattern_parse(&a, str_from(patterns[i]), &p, &why), 0);
        assert_false(logs_pattern_match(p, S("{\"m\":\"aa\"}"), &a));
        assert_false(logs_pattern_gave_up(p));
        assert_false(logs_pattern_match(p, str_of(message, 60000), &a));
        assert_true(logs_pattern_gave_up(p));
        assert_false(logs_pattern_match(p, S("aa01"), &a));
    }
}

static const struct {
    const char *pattern, *why;
} bad[] = {
    {"RequestId:", "Invalid character(s) in term 'RequestId:'"},
    {"\"open", "Invalid filter pattern: missing closing quote behind 'open'"},
    {"%a(b)%", "Invalid character(s) in regex 'a(b)'"},
    {"%[%", "Invalid regex '['"},
    {"%a", "Invalid filter pattern: missing % behind 'a'"},
    {"{ $.a }", "Invalid filter pattern: expected an operator at '}'"},
    {"{ a = 1 }", "Invalid filter pattern: a property selector must begin with $: 'a = 1 }'"},
    {"{ $.a > x }", "Invalid filter pattern: a number is needed instead of 'x'"},
    {"{ $.a = 1", "Invalid filter pattern: missing } at ''"},
    {"{ $.a = 1 } x", "Invalid filter pattern: unexpected 'x'"},
    {"{ ($.a = 1 }", "Invalid filter pattern: missing ) at '}'"},
    {"[]", "Invalid filter pattern: no fields in '[]'"},
    {"[a, ..., ...]", "Invalid filter pattern: more than one '...'"},
    {"[a, , b]", "Invalid filter pattern: a field name is missing at ', b]'"},
    {"[a", "Invalid filter pattern: missing ] at ''"},
    {"[a=%x%, b=%y%, c=%z%]", "Invalid filter pattern: too many or empty regex 'z'"},
};

static void bad_patterns_say_why(void **state)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        auto_arena struct arena a;
        arena_init(&a);
        struct logs_pattern *p;
        struct str why = {0};
        if (logs_pattern_parse(&a, str_from(bad[i].pattern), &p, &why) == 0)
            fail_msg("%s is taken", bad[i].pattern);
        assert_string_equal(str_c(&a, why), bad[i].why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match),
        cmocka_unit_test(expressions_that_explode_give_up),
        cmocka_unit_test(bad_patterns_say_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
