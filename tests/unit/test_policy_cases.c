/* test_policy_cases - tests/vectors/policy: each condition operator, each kind of policy beside
 * others; what the explanation says, and where statements stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/fs.h"
#include "base/json.h"
#include "service/policy.h"

#define SESSION "arn:aws:sts::000000000000:assumed-role/R/S"
#define ROLE "arn:aws:iam::000000000000:role/R"

static bool lookup(void *user, struct arena *a, struct str key, struct policy_values *ret)
{
    JSON_EACH((const struct json *)user, m) {
        if (!str_eq_nocase(m->key, key))
            continue;
        ret->items = ARENA_ARRAY(a, struct str, m->n + 1);
        ret->n = 0;
        JSON_EACH(m, v)
            ret->items[ret->n++] = v->text;
        return true;
    }
    return false;
}

static struct policy *parse(struct arena *a, enum policy_kind kind, struct str text)
{
    struct policy *p = NULL;
    struct str message;
    if (policy_parse(a, kind, text, &p, &message) < 0)
        fail_msg("%.*s: %.*s", STR(message), STR(text));
    return p;
}

static const struct json *cases(struct arena *a, const char *name)
{
    struct str text;
    struct json *root;
    struct str path = str_printf(a, "%s/policy/%s", TEST_VECTORS, name);
    assert_int_equal(fs_read(path.p, 1 << 20, a, &text), 0);
    assert_int_equal(json_parse(a, text, &root, NULL), 0);
    assert_true(json_get(root, "cases")->n > 0);
    return json_get(root, "cases");
}

static struct str with_statements(struct arena *a, struct str list)
{
    return str_printf(a, "{\"Version\":\"2012-10-17\",\"Statement\":%.*s}", STR(list));
}

static struct policy_request request(struct arena *a, const struct json *context)
{
    return (struct policy_request){
        .arena = a,
        .action = S("s3:GetObject"),
        .resource = S("arn:aws:s3:::b/k"),
        .who = {.account = S("000000000000"), .arn = S(SESSION), .role_arn = S(ROLE)},
        .lookup = lookup,
        .user = (void *)(uintptr_t)context,
    };
}

static void conditions(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a);
    JSON_EACH(cases(&a, "conditions.json"), c) {
        struct str text = with_statements(
            &a, str_printf(&a,
                           "{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\","
                           "\"Condition\":%.*s}",
                           STR(json_text(&a, json_get(c, "condition"), -1))));
        struct policy *p = parse(&a, POLICY_IDENTITY, text);
        struct policy_request r = request(&a, json_get(c, "context"));
        bool allowed = policy_evaluate(p, &r) == POLICY_ALLOWS;
        if (allowed != json_get(c, "allowed")->boolean)
            fail_msg("%.*s: %s", STR(json_get_str(c, "name")), allowed ? "holds" : "does not hold");
        size_t n;
        struct policy_finding *f = policy_explain(p, &r, &n);
        assert_int_equal(n, 1);
        assert_int_equal(f->miss, allowed ? POLICY_MATCHES : POLICY_MISSES_CONDITION);
        if (!allowed)
            assert_true(str_eq(f->key, json_get(c, "condition")->first->first->key));
    }
}

static void layers(void **state)
{
    (void)state;
    static const char *const names[] = {"organization", "resource", "identity", "boundary",
                                        "session"};
    auto_arena struct arena a;
    arena_init(&a);
    JSON_EACH(cases(&a, "layers.json"), c) {
        struct policy_case all = {.cross_account = json_get(c, "crossAccount")->boolean};
        struct policy_source sources[POLICY_LAYERS];
        for (int i = 0; i < POLICY_LAYERS; i++) {
            const struct json *list = json_get(c, names[i]);
            if (!list)
                continue;
            enum policy_kind kind = i == POLICY_LAYER_RESOURCE ? POLICY_RESOURCE : POLICY_IDENTITY;
            struct str text = with_statements(&a, json_text(&a, list, -1));
            sources[i] = (struct policy_source){str_from(names[i]), parse(&a, kind, text)};
            all.layers[i] = (struct policy_sources){true, &sources[i], 1, 1};
        }
        struct policy_request r = request(&a, NULL);
        struct policy_decision d;
        policy_decide(&all, &r, &d);
        struct str name = json_get_str(c, "name"), layer = json_get_str(c, "layer");
        const char *effect = policy_effect_name(d.effect);
        if (!str_is(json_get_str(c, "decision"), effect))
            fail_msg("%.*s: %s", STR(name), effect);
        if (layer.n && !str_is(layer, policy_layer_name(d.layer)))
            fail_msg("%.*s: by %s", STR(name), policy_layer_name(d.layer));
        assert_true((d.effect == POLICY_IMPLICIT_DENY) == (d.n_hits == 0));
    }
}

static void place(struct arena *a, const char *text, size_t statement, int from_line,
                  int from_column, int to_line, int to_column)
{
    struct policy_place at = policy_place_of(parse(a, POLICY_IDENTITY, str_from(text)), statement);
    assert_int_equal(at.start_line, from_line);
    assert_int_equal(at.start_column, from_column);
    assert_int_equal(at.end_line, to_line);
    assert_int_equal(at.end_column, to_column);
}

/* The first two are AWS's own examples (simulate-custom-policy, simulate-principal-policy). */
static void places(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a);
    place(
        &a,
        "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"dynamodb:*\","
        "\"Resource\":\"*\",\"Condition\":{\"DateGreaterThan\":{\"aws:CurrentTime\":\"2018-08-"
        "16T12:"
        "00:00Z\"}}}}",
        0, 1, 38, 1, 167);
    const char *list =
        "{\n    \"Version\": \"2012-10-17\",\n    \"Statement\": [\n        {\n"
        "            \"Effect\": \"Allow\",\n            \"Action\": [\n"
        "                \"a:B\"], \"Resource\": \"*\",\n \"Sid\": \"\"\n        },\n"
        "  {\"Effect\":\"Deny\",\"Action\":\"a:\\\"]}\",\"Resource\":\"*\"}\n]}";
    place(&a, list, 0, 3, 19, 9, 10);
    place(&a, list, 1, 9, 10, 10, 53);
    place(&a,
          "{\"Id\":\"{[\\\"\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":"
          "\"*\"}],\"Version\":\"2012-10-17\"}",
          0, 1, 27, 1, 73);
}

static void keys(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a);
    struct policy *p =
        parse(&a, POLICY_IDENTITY,
              with_statements(
                  &a, S("[{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":"
                        "\"arn:aws:s3:::${aws:username, 'x'}/*\",\"Condition\":{"
                        "\"StringEquals\":{\"aws:A\":\"${aws:B}\",\"aws:C\":\"1\"}}},"
                        "{\"Effect\":\"Allow\",\"Action\":\"iam:*\",\"Resource\":\"*\","
                        "\"Condition\":{\"Bool\":{\"AWS:a\":\"true\",\"aws:D\":\"true\"}}}]")));
    struct policy_values all, missing;
    struct policy_request r = request(&a, NULL);
    policy_context_keys(p, &a, &all);
    assert_true(
        str_is(str_join(&a, S(" "), all.items, all.n), "aws:username aws:A aws:B aws:C aws:D"));
    policy_missing_keys(p, &r, &missing); /* only of statements about what is asked */
    assert_int_equal(missing.n, 0);
    r.resource = S("arn:aws:s3:::x/k");
    policy_missing_keys(p, &r, &missing);
    assert_true(str_is(str_join(&a, S(" "), missing.items, missing.n), "aws:A aws:C"));
}

static void cache(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a);
    struct policy_cache *kept = policy_cache_new();
    struct policy_request r = request(&a, NULL);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < POLICY_CACHE_MAX + 10; i++) {
            struct str text = with_statements(
                &a, str_printf(&a,
                               "{\"Effect\":\"Allow\",\"Action\":\"s3:%s\",\"Resource\":"
                               "\"arn:aws:s3:::b/%s%d\"}",
                               i % 2 ? "*" : "Put*", i % 3 ? "*" : "", i));
            const struct policy *p = policy_cache_get(kept, POLICY_IDENTITY, text);
            assert_non_null(p);
            assert_ptr_equal(p, policy_cache_get(kept, POLICY_IDENTITY, text));
            assert_int_equal(policy_evaluate(p, &r), POLICY_SILENT);
            assert_null(policy_cache_get(kept, POLICY_TRUST, text)); /* no Principal */
        }
    assert_null(policy_cache_get(kept, POLICY_IDENTITY, S("")));
    assert_null(policy_cache_get(kept, POLICY_IDENTITY, S("{}")));
    policy_cache_free(kept);
    policy_cache_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions), cmocka_unit_test(layers), cmocka_unit_test(places),
        cmocka_unit_test(keys),       cmocka_unit_test(cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
