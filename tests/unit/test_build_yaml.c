/* test_build_yaml - a template written as YAML reads back as the same tree, in the form people
 * write. */
#include "check.h"
#include "build/yaml_write.h"
#include "template/parse.h"

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

static struct str written(const struct json *v)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    yaml_write(&b, v);
    assert_false(buf_failed(&b));
    struct str s = buf_copy(&b, &arena);
    buf_done(&b);
    return s;
}

static void survives(const char *text)
{
    struct json *v = read_json(text), *again = NULL;
    struct template_error err = {0};
    struct str yaml = written(v);
    if (template_parse(&arena, yaml, &again, &err) < 0 || !json_equal(v, again)) {
        print_error("%s became\n%.*s\n%.*s\n", text, STR(yaml), STR(err.message));
        fail();
    }
}

static void the_form(void **state)
{
    assert_str(
        written(read_json("{\"Resources\":{\"A\":{\"Type\":\"AWS::Logs::LogGroup\",\"DependsOn\":"
                          "[\"B\",\"C\"],\"Properties\":{\"RetentionInDays\":7,\"On\":true}}}}")),
        "Resources:\n"
        "  A:\n"
        "    Type: AWS::Logs::LogGroup\n"
        "    DependsOn:\n"
        "    - B\n"
        "    - C\n"
        "    Properties:\n"
        "      RetentionInDays: 7\n"
        "      \"On\": true\n");
}

static void what_looks_like_something_else_is_quoted(void **state)
{
    static const char *const words[] = {
        "yes",  "no",   "ON",  "off", "null",     "~",    "true", "1",          "1.5",
        "0x1f", "010",  "1e3", "-",   "- a",      "a: b", "a #b", "#a",         "!Ref a",
        "&a",   "*a",   "a:",  ":a",  "{a",       "[a",   "'a",   "|",          ">",
        "%a",   "@a",   "`a",  "",    " ",        " a",   "a ",   "2012-10-17", "=",
        "<<",   ".inf", "?",   "? a", "12:30:45",
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        struct json *o = json_new(&arena, JSON_OBJECT);
        json_set(&arena, o, S("Value"), json_new_str(&arena, str_from(words[i])));
        survives(json_text(&arena, o, -1).p);
        o = json_new(&arena, JSON_OBJECT);
        json_set(&arena, o, str_from(words[i]), json_new_str(&arena, S("v")));
        if (strcmp(words[i], "<<")) /* a merge, however it is quoted, to some readers */
            survives(json_text(&arena, o, -1).p);
    }
}

static void texts_of_several_lines(void **state)
{
    static const char *const texts[] = {
        "\"a\\nb\"",        "\"a\\nb\\n\"",  "\"a\\nb\\n\\n\"", "\"a\\n\\n  b\\n\"",
        "\"\\n\"",          "\"\\na\"",      "\" a\\nb\"",      "\"a \\nb\"",
        "\"a\\n b\\n  c\"", "\"a\\tb\\nc\"", "\"a\\r\\nb\"",    "\"a\\n \"",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        survives(str_printf(&arena, "{\"K\":%s,\"L\":[%s,[%s]]}", texts[i], texts[i], texts[i]).p);
        survives(str_printf(&arena, "{\"R\":[[%s],{\"K\":%s,\"Z\":1}]}", texts[i], texts[i]).p);
    }
}

/* Line breaks of Unicode, a byte order mark, control characters: read as they are they would
 * change. */
static void unusual_characters(void **state)
{
    survives("{\"K\":\"a\\u0085b\\nc\",\"L\":\"\\u2028 \\u2029\",\"M\":\"\\ufeffx\\ny\"}");
    survives("{\"K\":\"\\u007f\\u0001\\u009f\",\"\\u2028\":\"key\",\"M\":\"\\u00e4 "
             "\\ud83d\\ude00\\nz\"}");
    survives("{\"K\":\"tab\\there\",\"L\":\"back\\\\slash \\\"quote\\\"\"}");
}

static void empty_and_nested_things(void **state)
{
    survives("{\"A\":{},\"B\":[],\"C\":[[],{}],\"D\":[[1,[2,{\"e\":[3]}]],null],\"F\":null,\"G\":-"
             "1.50}");
    survives("{\"A\":[{\"B\":[{\"C\":{\"D\":[1]}}]},{\"E\":\"x\\ny\"}]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_form),
        CASE(what_looks_like_something_else_is_quoted),
        CASE(texts_of_several_lines),
        CASE(unusual_characters),
        CASE(empty_and_nested_things),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
