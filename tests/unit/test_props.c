/* test_props - properties of a template put into operations' inputs: lenient in spelling, strict in
 * kind. */
#include "check.h"
#include <errno.h>
#include "service/cloudformation/props.h"
#include "wire/lambda.h"
#include "wire/logs.h"

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

static struct lambda_create_function_input *filled(const char *text)
{
    struct lambda_create_function_input *in =
        ARENA_NEW(&arena, struct lambda_create_function_input);
    struct str why = {0};
    int r =
        props_fill(&arena, operation_input(&lambda_create_function_op), read_json(text), in, &why);
    if (r < 0)
        print_error("%.*s\n", STR(why));
    assert_int_equal(r, 0);
    return in;
}

static void refused(const char *text, const char *message)
{
    struct lambda_create_function_input in = {0};
    struct str why = {0};
    assert_int_equal(
        props_fill(&arena, operation_input(&lambda_create_function_op), read_json(text), &in, &why),
        -EINVAL);
    assert_str(why, message);
}

static void scalars_in_every_spelling(void **state)
{
    struct lambda_create_function_input *in =
        filled("{\"MemorySize\":\"256\",\"Timeout\":30,\"Description\":7,\"Publish\":\"TRUE\"}");
    assert_int_equal(in->memory_size.is, 256);
    assert_int_equal(in->timeout.is, 30);
    assert_str(in->description, "7");
    assert_true(in->publish.is);
    in = filled("{\"Description\":true,\"Publish\":false}");
    assert_str(in->description, "true");
    assert_true(in->publish.has && !in->publish.is);
}

static void structures_lists_and_maps(void **state)
{
    struct lambda_create_function_input *in = filled(
        "{\"Layers\":[\"one\",\"two\"],\"Environment\":{\"Variables\":{\"AA\":1,\"BB\":\"x\"}},"
        "\"TracingConfig\":{\"Mode\":\"Active\"}}");
    assert_int_equal(in->layers.n, 2);
    assert_str(in->layers.items[1], "two");
    assert_int_equal(in->environment->variables.n, 2);
    assert_str(in->environment->variables.items[0].key, "AA");
    assert_str(in->environment->variables.items[0].value, "1");
    assert_str(in->tracing_config->mode, "Active");
}

static void the_first_letter_may_be_small_in_the_api(void **state)
{
    struct logs_put_retention_policy_input in = {0};
    struct str why;
    assert_int_equal(props_fill(&arena, operation_input(&logs_put_retention_policy_op),
                                read_json("{\"LogGroupName\":\"g\",\"RetentionInDays\":\"5\"}"),
                                &in, &why),
                     0);
    assert_str(in.log_group_name, "g");
    assert_int_equal(in.retention_in_days.is, 5);
}

static void what_is_absent_or_foreign_changes_nothing(void **state)
{
    struct lambda_create_function_input *in =
        filled("{\"Tags\":null,\"NoSuchProperty\":{\"a\":1},\"Timeout\":null}");
    assert_false(in->timeout.has);
    assert_false(str_has(in->description));
    struct str why;
    assert_int_equal(
        props_fill(&arena, operation_input(&lambda_create_function_op), NULL, in, &why), 0);
}

static void a_wrong_kind_is_told_by_name(void **state)
{
    refused("{\"MemorySize\":\"much\"}", "Value of property MemorySize must be of type Integer");
    refused("{\"MemorySize\":true}", "Value of property MemorySize must be of type Integer");
    refused("{\"MemorySize\":1.5}", "Value of property MemorySize must be of type Integer");
    refused("{\"Layers\":\"one\"}", "Value of property Layers must be a List");
    refused("{\"Environment\":[]}", "Value of property Environment must be an object");
    refused("{\"Environment\":{\"Variables\":\"x\"}}",
            "Value of property Variables must be an object");
    refused("{\"Publish\":\"perhaps\"}", "Value of property Publish must be of type Boolean");
}

static void values_as_text(void **state)
{
    struct json *o = read_json("{\"a\":\"x\",\"b\":1.50,\"c\":false,\"d\":null,\"e\":{\"f\":[1]}}");
    assert_str(props_get(&arena, o, "a"), "x");
    assert_str(props_get(&arena, o, "b"), "1.50");
    assert_str(props_get(&arena, o, "c"), "false");
    assert_false(str_has(props_get(&arena, o, "d")));
    assert_false(str_has(props_get(&arena, o, "nope")));
    assert_str(props_get(&arena, o, "e"), "{\"f\":[1]}");
    assert_true(props_bool(o, "nope", true));
    assert_false(props_bool(o, "c", true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(scalars_in_every_spelling),
        CASE(structures_lists_and_maps),
        CASE(the_first_letter_may_be_small_in_the_api),
        CASE(what_is_absent_or_foreign_changes_nothing),
        CASE(a_wrong_kind_is_told_by_name),
        CASE(values_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
