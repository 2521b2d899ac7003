/* test_deployment - records of deployments: ids, what differs, what must not be in them. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "cli/deployment.h"

static struct json *parse(struct arena *a, const char *text)
{
    struct json *v = NULL;
    assert_int_equal(json_parse(a, str_copy(a, str_from(text)), &v, NULL), 0);
    return v;
}

static void keys_of_records_have_their_form(void **state)
{
    static const struct {
        const char *key, *id;
    } cases[] = {
        {"app/deployments/20261121T223500123Z-1a2b3c4d.json", "20261121T223500123Z-1a2b3c4d"},
        {"deployments/20261121T223500123Z-1a2b3c4d.json", "20261121T223500123Z-1a2b3c4d"},
        {"a/b/deployments/20261121T223500123Z-1a2b3c4d.json", "20261121T223500123Z-1a2b3c4d"},
        {"app/mydeployments/20261121T223500123Z-1a2b3c4d.json", NULL},
        {"20261121T223500123Z-1a2b3c4d.json", NULL},
        {"app/deployments/20261121T223500123Z-1a2b3c4d", NULL},
        {"app/deployments/20261121T223500123Z-1A2B3C4D.json", NULL},
        {"app/deployments/20261121T223500123Z-1a2b3c4.json", NULL},
        {"app/deployments/.json", NULL},
        {"app/deployments/", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str id = deployment_key_id(str_from(cases[i].key));
        assert_true(cases[i].id ? str_is(id, cases[i].id) : !id.n);
    }
}

static const char entry[] =
    "{\"name\":\"f\",\"code\":{\"sha256\":\"AA\"},\"layers\":[{\"arn\":\"l:1\",\"sha256\":\"LL\"}],"
    "\"configuration\":{\"MemorySize\":128,\"Environment\":{\"Variables\":{\"A\":\"1\","
    "\"S\":{\"no_echo\":true}}}},\"aliases\":[{\"name\":\"live\",\"version\":\"1\","
    "\"sha256\":\"AA\",\"description\":\"\"}]}";

static void equal_content_under_other_numbers_is_equal_where_asked_for(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct json *from = parse(&a, entry);
    struct json *to = parse(
        &a, "{\"name\":\"f\",\"code\":{\"sha256\":\"AA\"},\"layers\":[{\"arn\":\"l:9\",\"sha256\":"
            "\"LL\"}],\"configuration\":{\"MemorySize\":128,\"Environment\":{\"Variables\":{\"A\":"
            "\"1\",\"S\":\"secret\"}}},\"aliases\":[{\"name\":\"live\",\"version\":\"7\","
            "\"sha256\":\"AA\",\"description\":\"\"}]}");
    struct deployment_changes exact = {0}, content = {0};
    deployment_diff_function(&a, S("f"), from, to, false, &exact);
    assert_int_equal(exact.n, 2);
    assert_true(str_is(exact.items[0].what, "layers"));
    assert_true(str_is(exact.items[1].what, "alias live"));
    deployment_diff_function(&a, S("f"), from, to, true, &content);
    assert_int_equal(content.n, 0);
}

static void each_difference_is_named_once(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct json *from = parse(&a, entry);
    struct json *to =
        parse(&a, "{\"name\":\"f\",\"code\":{\"sha256\":\"BB\"},\"configuration\":{\"MemorySize\":"
                  "128.0,\"Timeout\":3,\"Environment\":{\"Variables\":{\"A\":\"2\"}}}}");
    struct deployment_changes c = {0};
    deployment_diff_function(&a, S("f"), from, to, true, &c);
    static const char *const wanted[] = {"code", "layers", "configuration.Environment.Variables.A",
                                         "configuration.Timeout", "alias live"};
    assert_int_equal(c.n, 5);
    for (size_t i = 0; i < 5; i++)
        assert_true(str_is(c.items[i].what, wanted[i]));
    /* silly records are compared, too */
    struct deployment_changes silly = {0};
    deployment_diff(&a, parse(&a, "{\"functions\":[1,\"x\",{}],\"parameters\":[]}"),
                    parse(&a, "[]"), &silly);
    deployment_diff(&a, NULL, NULL, &silly);
    assert_true(silly.n > 0);
}

static struct json *redacted(struct arena *a, const char *properties, const char *configuration,
                             const char *secret)
{
    struct str secrets[] = {str_from(secret)};
    struct json *c = parse(a, configuration);
    deployment_redact(a, c, parse(a, properties),
                      parse(a, "{\"P\":{\"NoEcho\":\"true\"},\"Q\":{},\"R\":{\"NoEcho\":true}}"),
                      secrets, secret ? 1 : 0);
    return c;
}

static void what_a_template_makes_of_secrets_is_marked(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    static const char configuration[] = "{\"Description\":\"d\",\"Environment\":{\"Variables\":{"
                                        "\"A\":\"1\",\"B\":\"2\",\"C\":\"3\","
                                        "\"D\":\"4\"}}}";
    struct json *c = redacted(
        &a,
        "{\"Description\":{\"Fn::Sub\":\"about ${R}\"},\"Environment\":{\"Variables\":{"
        "\"A\":{\"Ref\":\"P\"},\"B\":{\"Ref\":\"Q\"},\"C\":{\"Fn::Join\":[\"\",[\"x\",{\"Fn::Sub\":"
        "\"y ${ P }\"}]]},\"D\":\"plain\"}}}",
        configuration, NULL);
    struct json *v = json_get(json_get(c, "Environment"), "Variables");
    assert_true(deployment_is_redacted(json_get(v, "A")));
    assert_true(json_is(json_get(v, "B"), JSON_STRING));
    assert_true(deployment_is_redacted(json_get(v, "C")));
    assert_true(json_is(json_get(v, "D"), JSON_STRING));
    assert_true(deployment_is_redacted(json_get(c, "Description")));
    /* a map that is computed may hold it anywhere */
    c = redacted(
        &a, "{\"Environment\":{\"Variables\":{\"Fn::If\":[\"X\",{\"A\":{\"Ref\":\"P\"}},{}]}}}",
        configuration, NULL);
    JSON_EACH(json_get(json_get(c, "Environment"), "Variables"), variable)
        assert_true(deployment_is_redacted(variable));
}

static void known_secrets_are_found_wherever_they_stand(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct json *c = redacted(&a, "{}",
                              "{\"Role\":\"r\",\"X\":{\"Y\":[{\"Z\":\"in-hunter2-it\"}]},"
                              "\"K\":\"hunter2\",\"L\":\"hunter2\",\"M\":\"hunter\"}",
                              "hunter2");
    struct str text = json_text(&a, c, -1);
    assert_true(str_find(text, S("hunter2")) < 0);
    assert_true(str_is(json_get_str(c, "M"), "hunter"));
    assert_true(str_is(json_get_str(c, "Role"), "r"));
}

static void names_of_resources_made_again_are_those_of_now(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct json *e = deployment_rename(
        &a,
        parse(&a, "{\"name\":\"x\",\"configuration\":{\"Role\":\"arn:aws:iam::0:role/app-R-OLD\","
                  "\"L\":[\"none\"]}}"),
        parse(&a, "{\"R\":\"app-R-OLD\",\"Q\":\"gone\"}"), parse(&a, "{\"R\":\"app-R-NEW\"}"));
    struct json *c = json_get(e, "configuration");
    assert_true(str_is(json_get_str(c, "Role"), "arn:aws:iam::0:role/app-R-NEW"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_records_have_their_form),
        cmocka_unit_test(equal_content_under_other_numbers_is_equal_where_asked_for),
        cmocka_unit_test(each_difference_is_named_once),
        cmocka_unit_test(what_a_template_makes_of_secrets_is_marked),
        cmocka_unit_test(known_secrets_are_found_wherever_they_stand),
        cmocka_unit_test(names_of_resources_made_again_are_those_of_now),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
