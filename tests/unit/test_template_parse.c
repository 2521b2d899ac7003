/* test_template_parse - text of a template to a tree: types, short tags, places, refusals. */
#include "base/cleanup.h"
#include "template/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* The tree as compact JSON, or "line:column message". */
static struct str parse(struct arena *a, struct str text)
{
    struct json *tree;
    struct template_error err = {0};
    if (template_parse(a, text, &tree, &err) < 0)
        return str_printf(a, "%d:%d %.*s", err.line, err.column, STR(err.message));
    return template_to_json(a, tree, -1);
}

static const struct {
    const char *text, *result;
} cases[] = {
    /* scalars */
    {"A: yes\nB: Off\nC: 'yes'\nD: y\nE: TRUE", "{\"A\":true,\"B\":false,\"C\":\"yes\",\"D\":\"y\","
                                                "\"E\":true}"},
    {"A: 1.10\nB: -5\nC: 1e3\nD: 1.5e+3", "{\"A\":1.10,\"B\":-5,\"C\":\"1e3\",\"D\":1.5e+3}"},
    {"A: 012345678901\nB: +1\nC: 0x1F\nD: 1_000\nE: 12:30\nF: .5",
     "{\"A\":\"012345678901\",\"B\":\"+1\",\"C\":\"0x1F\",\"D\":\"1_000\",\"E\":\"12:30\","
     "\"F\":\".5\"}"},
    {"A: 2010-09-09\nB: '2010-09-09'", "{\"A\":\"2010-09-09\",\"B\":\"2010-09-09\"}"},
    {"A: ~\nB:\nC: ''", "{\"A\":null,\"B\":null,\"C\":\"\"}"},
    {"A: !!str 5\nB: !!int '5'", "{\"A\":\"5\",\"B\":5}"},
    {"A: |\n  x\n  y\nB: >-\n  x\n  y\n", "{\"A\":\"x\\ny\\n\",\"B\":\"x y\"}"},
    /* short tags */
    {"A: !Ref X", "{\"A\":{\"Ref\":\"X\"}}"},
    {"A: !Ref 5", "{\"A\":{\"Ref\":\"5\"}}"},
    {"A: !GetAtt X.Y.Z", "{\"A\":{\"Fn::GetAtt\":[\"X\",\"Y.Z\"]}}"},
    {"A: !GetAtt [X, Y]", "{\"A\":{\"Fn::GetAtt\":[\"X\",\"Y\"]}}"},
    {"A: !GetAtt X", "{\"A\":{\"Fn::GetAtt\":\"X\"}}"},
    {"A: !If [C, !Sub '${X}', !Ref 'AWS::NoValue']",
     "{\"A\":{\"Fn::If\":[\"C\",{\"Fn::Sub\":\"${X}\"},{\"Ref\":\"AWS::NoValue\"}]}}"},
    {"A: !And [!Condition X, !Not [!Equals [a, b]]]",
     "{\"A\":{\"Fn::And\":[{\"Condition\":\"X\"},{\"Fn::Not\":[{\"Fn::Equals\":[\"a\",\"b\"]}]}]}"
     "}"},
    {"A: !Transform {Name: X}", "{\"A\":{\"Fn::Transform\":{\"Name\":\"X\"}}}"},
    {"A: !Foo x", "1:4 Template format error: YAML not well-formed. Unknown tag !Foo (line 1, "
                  "column 4)"},
    {"A: !!binary x", "1:4 Template format error: YAML not well-formed. Unknown tag "
                      "tag:yaml.org,2002:binary (line 1, column 4)"},
    /* anchors and merges */
    {"A: &x {k: v}\nB: *x", "{\"A\":{\"k\":\"v\"},\"B\":{\"k\":\"v\"}}"},
    {"A: &x {k: v, m: 1}\nB:\n  <<: *x\n  k: own",
     "{\"A\":{\"k\":\"v\",\"m\":1},\"B\":{\"k\":\"own\",\"m\":1}}"},
    {"A: *x", "1:4 Template format error: YAML not well-formed. Unknown alias (line 1, column 4)"},
    {"A: &x [*x]", "1:8 Template format error: YAML not well-formed. Unknown alias (line 1, column "
                   "8)"},
    /* what is refused */
    {"A: 1\nA: 2", "2:1 Template format error: YAML not well-formed. Duplicate key 'A' (line 2, "
                   "column 1)"},
    {"{\"A\": 1,\n \"B\": {\"x\": 1, \"x\": 2}}",
     "2:16 Template format error: JSON not well-formed. Duplicate key 'x' (line 2, column 16)"},
    {"{\"A\": }", "1:7 Template format error: JSON not well-formed. (line 1, column 7)"},
    {"A: [1, 2", "2:1 Template format error: YAML not well-formed. (line 2, column 1)"},
    {"- a", "1:1 Template format error: unsupported structure."},
    {"text", "1:1 Template format error: unsupported structure."},
    {"", "0:0 Template format error: unsupported structure."},
    {"A: 1\n---\nB: 2", "2:1 Template format error: YAML not well-formed. More than one document "
                        "(line 2, column 1)"},
    {"? [a]\n: b", "1:3 Template format error: YAML not well-formed. Keys must be scalars (line 1, "
                   "column 3)"},
    {"A: {<<: 5}", "1:4 Template format error: YAML not well-formed. Only mappings can be merged "
                   "(line 1, column 4)"},
};

static void trees_and_messages(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_arena struct arena a;
        arena_init(&a);
        assert_string_equal(parse(&a, str_from(cases[i].text)).p, cases[i].result);
    }
}

static void values_know_their_place(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct json *tree;
    assert_int_equal(template_parse(&a, S("A:\n  B: !Ref X\n  C: [1,\n    two]\n"), &tree, NULL),
                     0);
    struct json *inner = json_get(tree, "A"), *two = json_at(json_get(inner, "C"), 1);
    assert_int_equal(inner->first->key_line, 2);
    assert_int_equal(inner->first->key_column, 3);
    assert_int_equal(json_get(inner->first, "Ref")->line, 2);
    assert_int_equal(two->line, 4);
    assert_int_equal(two->column, 5);
}

static void what_would_grow_without_bound_is_refused(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct buf b;
    buf_init(&b, 4 << 20);
    /* 10^9 values out of 500 bytes */
    buf_text(&b, "A: &a [x,x,x,x,x,x,x,x,x,x]\n");
    for (char c = 'b'; c < 'j'; c++)
        buf_printf(&b, "%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c - 32, c, c - 1,
                   c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1);
    assert_true(str_find(parse(&a, buf_view(&b)), S("Too many values")) > 0);
    buf_clear(&b);
    for (int i = 0; i < 200; i++)
        buf_text(&b, "{a: ");
    assert_true(str_find(parse(&a, buf_view(&b)), S("JSON not well-formed")) > 0);
    buf_clear(&b);
    buf_text(&b, "A: ");
    for (int i = 0; i < 200; i++)
        buf_byte(&b, '[');
    assert_true(str_find(parse(&a, buf_view(&b)), S("Too deeply nested")) > 0);
    buf_clear(&b);
    while (b.n <= TEMPLATE_MAX_BYTES)
        buf_text(&b, "# a comment of some length that fills the template with nothing at all\n");
    assert_true(str_find(parse(&a, buf_view(&b)), S("may not exceed 1048576 bytes")) > 0);
    buf_done(&b);
}

static void equal_templates_have_equal_hashes(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct json *x, *y, *z;
    assert_int_equal(template_parse(&a, S("B: {d: 1, c: !Ref X}\nA: [1, 2]"), &x, NULL), 0);
    assert_int_equal(
        template_parse(&a, S("{\"A\":[1,2],\"B\":{\"c\":{\"Ref\":\"X\"},\"d\":1}}"), &y, NULL), 0);
    assert_int_equal(template_parse(&a, S("B: {d: 1, c: !Ref X}\nA: [2, 1]"), &z, NULL), 0);
    assert_string_equal(template_canonical(&a, x).p,
                        "{\"A\":[1,2],\"B\":{\"c\":{\"Ref\":\"X\"},\"d\":1}}");
    assert_true(str_eq(template_hash(&a, x), template_hash(&a, y)));
    assert_false(str_eq(template_hash(&a, x), template_hash(&a, z)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees_and_messages),
        cmocka_unit_test(values_know_their_place),
        cmocka_unit_test(what_would_grow_without_bound_is_refused),
        cmocka_unit_test(equal_templates_have_equal_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
