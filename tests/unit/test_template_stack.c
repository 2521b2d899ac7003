/* test_template_stack - opening, binding and resolving: values, order, and AWS's words for what is
 * wrong. */
#include "base/cleanup.h"
#include "template/process.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const struct template_env env = {
    .account_id = S_INIT("123456789012"),
    .region = S_INIT("eu-west-1"),
    .stack_name = S_INIT("shop"),
    .stack_id = S_INIT("arn:aws:cloudformation:eu-west-1:123456789012:stack/shop/1"),
};

static int given_ref(void *user, struct arena *a, const struct template_resource *resource,
                     struct json **ret, struct template_error *err)
{
    *ret = json_new_str(a, str_printf(a, "id-%.*s", STR(resource->logical_id)));
    return 0;
}

static int given_attribute(void *user, struct arena *a, const struct template_resource *resource,
                           struct str attribute, struct json **ret, struct template_error *err)
{
    *ret = json_new_str(a, str_printf(a, "%.*s/%.*s", STR(resource->logical_id), STR(attribute)));
    return 0;
}

static int given_import(void *user, struct arena *a, struct str name, struct json **ret,
                        struct template_error *err)
{
    if (!str_is(name, "there"))
        return -ENOENT;
    *ret = json_new_str(a, S("imported"));
    return 0;
}

static const struct template_source source = {
    .resolve_ref = given_ref,
    .resolve_attribute = given_attribute,
    .resolve_import = given_import,
};

/* "a=b c=d" */
static size_t read_params(struct arena *a, const char *text, struct template_param **ret)
{
    struct template_param *list = ARENA_ARRAY(a, struct template_param, 8);
    struct str rest = str_from(text), pair, value;
    size_t n = 0;
    for (bool more = rest.n > 0; more;) {
        more = str_cut(rest, ' ', &pair, &rest);
        struct str key;
        bool has = str_cut(pair, '=', &key, &value);
        list[n++] = (struct template_param){key, value, !has};
    }
    *ret = list;
    return n;
}

static int process(struct arena *a, const char *text, const char *params,
                   struct template_processed *ret, struct template_error *err)
{
    struct template_request request = {.text = str_from(text), .env = env};
    struct template_param *list = NULL;
    request.n_params = read_params(a, params ? params : "", &list);
    request.params = list;
    return template_process(a, &request, ret, err);
}

/* ---- what goes wrong ---- */

#define BUCKET "Resources:\n  B: {Type: AWS::S3::Bucket}\n"

static const struct {
    const char *text, *params, *message;
} failures[] = {
    {"Outputs: {}", NULL, "Template format error: At least one Resources member must be defined."},
    {"Resourcez: {}\nFoo: 1\n" BUCKET, NULL,
     "Invalid template property or properties [Resourcez, Foo]"},
    {"AWSTemplateFormatVersion: 2010-09-10\n" BUCKET, NULL,
     "Template format error: unsupported value for AWSTemplateFormatVersion."},
    {"Resources:\n  B: {Properties: {}}\n", NULL,
     "Template format error: [/Resources/B] Every Resources object must contain a Type member."},
    {"Resources:\n  B: {Type: T, Handler: x}\n", NULL,
     "Invalid template resource property "
     "'Handler'"},
    {"Resources:\n  B-1: {Type: T}\n", NULL,
     "Template format error: Resource name B-1 is non alphanumeric."},
    {"Resources:\n  B: {Type: T, Properties: {A: {C: null}}}\n", NULL,
     "Template format error: [/Resources/B/Properties/A/C] 'null' values are not allowed in "
     "templates"},
    {"Resources:\n  B: {Type: T, DeletionPolicy: Keep}\n", NULL,
     "Template format error: Unrecognized DeletionPolicy Keep for B"},
    {"Transform: Foo\n" BUCKET, NULL, "No transform named Foo found."},
    {"Rules: {}\n" BUCKET, NULL, "The Rules section is not supported"},
    /* references */
    {"Resources:\n  B: {Type: T, Properties: {A: !Ref X, C: !Sub '${Y.Z} ${X}'}}\n", NULL,
     "Template format error: Unresolved resource dependencies [X, Y] in the Resources block of the "
     "template"},
    {BUCKET "Outputs: {O: {Value: !Ref X}}", NULL,
     "Template format error: Unresolved resource dependencies [X] in the Outputs block of the "
     "template"},
    {"Resources:\n  B: {Type: T, DependsOn: X}\n", NULL,
     "Template format error: Unresolved resource dependencies [X] in the Resources block of the "
     "template"},
    {"Resources:\n  B: {Type: T, Properties: {A: !GetAtt X.Arn}}\n", NULL,
     "Template error: instance of Fn::GetAtt references undefined resource X"},
    {"Resources:\n  B: {Type: T, Properties: {A: !GetAtt X}}\n", NULL,
     "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name "
     "and the resource attribute"},
    {"Resources:\n  B: {Type: T, Properties: {A: !Sub '${X-Y}'}}\n", NULL,
     "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, "
     "underscores, periods, and colons"},
    {"Resources:\n  A: {Type: T, Properties: {P: !Ref B}}\n  B: {Type: T, DependsOn: C}\n"
     "  C: {Type: T, Properties: {P: !Sub '${A.x}'}}\n  D: {Type: T, DependsOn: A}\n",
     NULL, "Circular dependency between resources: [A, B, C]"},
    {"Resources:\n  A: {Type: T, Properties: {P: !Ref A}}\n", NULL,
     "Circular dependency between resources: [A]"},
    {BUCKET "Outputs: {O: {Value: !GetAtt B.Colour}}", NULL,
     "Template error: resource B does not support attribute type Colour in Fn::GetAtt"},
    {BUCKET "  C: {Type: T, Properties: {P: !Sub '${B.Colour.X}'}}", NULL,
     "Template error: resource B does not support attribute type Colour.X in Fn::GetAtt"},
    /* conditions */
    {"Conditions: {C: !Equals [!Ref B, x]}\n" BUCKET, NULL,
     "Template format error: Unresolved dependencies [B]. Cannot reference resources in the "
     "Conditions block of the template"},
    {"Conditions: {C: !Not [!Condition D], D: !Not [!Condition C]}\n" BUCKET, NULL,
     "Template format error: Found circular condition dependency: C"},
    {"Conditions: {C: !And [!Equals [a, a]]}\n" BUCKET, NULL,
     "Template error: every Fn::And object requires a list of at least 2 and at most 10 boolean "
     "parameters."},
    {"Conditions: {C: !Not [!Equals [a, a], !Equals [a, a]]}\n" BUCKET, NULL,
     "Template error: every Fn::Not object requires one boolean parameter."},
    {"Conditions: {C: !Equals [a]}\n" BUCKET, NULL,
     "Template error: every Fn::Equals object requires a list of 2 string parameters."},
    {"Resources:\n  B: {Type: T, Condition: X}\n", NULL,
     "Template format error: Unresolved condition dependency X in the Resources block of the "
     "template"},
    {"Conditions: {Neg: !Equals [a, b]}\nResources:\n  A: {Type: T, Condition: Neg}\n"
     "  B: {Type: T, Properties: {P: !Ref A}}\n",
     NULL,
     "Template format error: Unresolved resource dependencies [A] in the Resources block of the "
     "template"},
    /* parameters */
    {"Parameters: {HHApiKey: {Type: String, NoEcho: true}, P: {Type: String}, D: {Type: String, "
     "Default: x}}\n" BUCKET,
     NULL, "Parameters: [HHApiKey, P] must have values"},
    {BUCKET, "Foo=1 Bar=2", "Parameters: [Foo, Bar] do not exist in the template"},
    {"Parameters: {P: {Type: String, AllowedValues: [a, b, 3]}}\n" BUCKET, "P=c",
     "Parameter 'P' must be one of AllowedValues"},
    {"Parameters: {P: {Type: String, AllowedValues: [a], ConstraintDescription: be a}}\n" BUCKET,
     "P=c", "Parameter 'P' failed to satisfy constraint: be a"},
    {"Parameters: {P: {Type: String, AllowedPattern: '[a-z]+'}}\n" BUCKET, "P=ab1",
     "Parameter 'P' must match pattern [a-z]+"},
    {"Parameters: {P: {Type: String, AllowedPattern: '(a+)+[xy]'}}\n" BUCKET,
     "P=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac",
     "AllowedPattern of parameter 'P' needs too many steps on this value"},
    {"Parameters: {P: {Type: String, AllowedPattern: '['}}\n" BUCKET, "P=a",
     "Template format error: AllowedPattern of parameter 'P' is not a valid regular expression"},
    {"Parameters: {P: {Type: String, MinLength: 3}}\n" BUCKET, "P=\xc3\xa4\xc3\xb6",
     "Parameter 'P' must contain at least 3 characters"},
    {"Parameters: {P: {Type: String, MaxLength: '2'}}\n" BUCKET, "P=abc",
     "Parameter 'P' must contain at most 2 characters"},
    {"Parameters: {P: {Type: Number}}\n" BUCKET, "P=x", "Parameter 'P' must be a number"},
    {"Parameters: {P: {Type: Number, MinValue: 5}}\n" BUCKET, "P=4.5",
     "Parameter 'P' must be a number not less than 5"},
    {"Parameters: {P: {Type: List<Number>, MaxValue: 5}}\n" BUCKET, "P=1,6",
     "Parameter 'P' must be a number not greater than 5"},
    {"Parameters: {P: {Type: Strin}}\n" BUCKET, "P=x",
     "Template format error: Unrecognized parameter type: Strin"},
    {"Parameters: {P: {Type: 'AWS::SSM::Parameter::Value<String>'}}\n" BUCKET, "P=/x",
     "Parameter type AWS::SSM::Parameter::Value<String> is not supported: values from Systems "
     "Manager cannot be read yet"},
    {"Parameters: {P: {Type: String}}\n" BUCKET, "P",
     "Invalid input for parameter key P. Cannot specify usePreviousValue as true for a parameter "
     "key not in the previous template"},
    {"Parameters: {P: {Default: x}}\n" BUCKET, NULL,
     "Template format error: Every Parameters object must contain a Type member."},
    /* the transform */
    {"Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: "
     "AWS::Serverless::Function\n    Properties: {CodeUri: ./src, Handler: a.b, Runtime: r}\n",
     NULL,
     "Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless Application "
     "Specification document. Number of errors found: 1. Resource with id [F] is invalid. "
     "'CodeUri' "
     "is not a valid S3 Uri of the form 's3://bucket/key' with optional versionId query "
     "parameter."},
};

static void failures_are_worded_as_aws_does(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
        auto_arena struct arena a;
        arena_init(&a);
        struct template_processed out;
        struct template_error err = {.message = S("it passed")};
        process(&a, failures[i].text, failures[i].params, &out, &err);
        assert_string_equal(err.message.p, failures[i].message);
    }
}

/* ---- values ---- */

#define HEAD                                                                                       \
    "Transform: AWS::LanguageExtensions\nParameters:\n  P: {Type: String, Default: pv}\n  L: "     \
    "{Type: CommaDelimitedList, Default: 'x, y,z'}\n  N: {Type: Number, Default: 5}\nMappings: "   \
    "{M: {eu-west-1: {k: mapped, l: [m1, m2]}}}\nConditions:\n  On1: !Equals [!Ref P, pv]\n  "     \
    "Neg: "                                                                                        \
    "!Not [!Condition On1]\n  Both: !And [!Condition On1, !Or [!Condition Neg, !Equals [1, "       \
    "'1']]]\n"                                                                                     \
    "Resources:\n  B: {Type: AWS::S3::Bucket}\n  R:\n    Type: T\n    Properties:\n      V: "

static const struct {
    const char *value, *result;
} values[] = {
    {"!Ref P", "\"pv\""},
    {"!Ref L", "[\"x\",\"y\",\"z\"]"},
    {"!Ref N", "\"5\""},
    {"!Ref B", "\"id-B\""},
    {"!Ref AWS::Region", "\"eu-west-1\""},
    {"[!Ref AWS::AccountId, !Ref AWS::Partition, !Ref AWS::URLSuffix, !Ref AWS::StackName]",
     "[\"123456789012\",\"aws\",\"amazonaws.com\",\"shop\"]"},
    {"{a: !Ref AWS::NoValue, b: [!Ref AWS::NoValue, 1]}", "{\"b\":[1]}"},
    {"!GetAtt B.Arn", "\"B/Arn\""},
    {"!Sub '${P}-${B}-${B.Arn}-${AWS::Region}-${!P}-$x'", "\"pv-id-B-B/Arn-eu-west-1-${P}-$x\""},
    {"!Sub ['${a}${b}', {a: !Ref N, b: !Join ['', [x, 1, true]]}]", "\"5x1true\""},
    {"!Join [',', !Ref L]", "\"x,y,z\""},
    {"!Join ['', []]", "\"\""},
    {"!Select [1, !Ref L]", "\"y\""},
    {"!Select ['0', !Split [a, xaya]]", "\"x\""},
    {"!Split ['::', 'a::b::']", "[\"a\",\"b\",\"\"]"},
    {"!FindInMap [M, !Ref 'AWS::Region', k]", "\"mapped\""},
    {"!FindInMap [M, eu-west-1, l]", "[\"m1\",\"m2\"]"},
    {"!FindInMap [M, nowhere, k, {DefaultValue: !Ref P}]", "\"pv\""},
    {"!If [On1, 1, 2]", "1"},
    {"!If [Neg, 1, {x: !If [Both, yes, no]}]", "{\"x\":true}"},
    {"!Base64 abc", "\"YWJj\""},
    {"!Base64 {Fn::Sub: '${P}'}", "\"cHY=\""},
    {"!ImportValue there", "\"imported\""},
    {"!GetAZs ''", "[\"eu-west-1a\",\"eu-west-1b\",\"eu-west-1c\"]"},
    {"!Cidr [10.0.0.0/16, 3, 8]", "[\"10.0.0.0/24\",\"10.0.1.0/24\",\"10.0.2.0/24\"]"},
    {"!Cidr ['2001:db8::/56', 2, 64]", "[\"2001:db8::/64\",\"2001:db8:0:1::/64\"]"},
    {"!Length [1, 2, 3]", "3"},
    {"!ToJsonString {a: [!Ref P, 1]}", "\"{\\\"a\\\":[\\\"pv\\\",1]}\""},
    {"!Equals [a, a]", "true"},
    {"{Statement: {Condition: {StringEquals: {a: !Ref P}}}}",
     "{\"Statement\":{\"Condition\":{\"StringEquals\":{\"a\":\"pv\"}}}}"},
    {"{a: 1.10, b: yes}", "{\"a\":1.10,\"b\":true}"},
};

static void functions_give_their_values(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        auto_arena struct arena a;
        arena_init(&a);
        struct template_processed out;
        struct template_error err = {0};
        struct json *properties = NULL;
        int r = process(&a, str_printf(&a, HEAD "%s\n", values[i].value).p, NULL, &out, &err);
        if (r == 0)
            r = template_resolve_properties(
                out.view, &a, &source, template_resource_find(out.view, S("R")), &properties, &err);
        if (r < 0)
            print_error("%s: %.*s\n", values[i].value, STR(err.message));
        assert_int_equal(r, 0);
        assert_string_equal(template_to_json(&a, json_get(properties, "V"), -1).p,
                            values[i].result);
    }
}

static const struct {
    const char *value, *message;
} errors[] = {
    {"!Select [7, !Ref L]",
     "Template error: Fn::Select cannot select nonexistent value at index 7"},
    {"!FindInMap [M, x, k]", "Template error: Unable to get mapping for M::x::k"},
    {"!FindInMap [X, x, k]",
     "Template error: Mapping named 'X' is not present in the 'Mappings' section of template."},
    {"!ImportValue gone", "No export named gone found."},
    {"!Join [a]",
     "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and "
     "(2) "
     "a list of strings to be joined or a function that returns a list of strings (such as "
     "Fn::GetAZs) to be joined."},
    {"!Split ['', a]",
     "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and "
     "(2) a string to be split or a function that returns a string to be split."},
    {"!Base64 [a]", "Template error: every Fn::Base64 object must have a String-typed value."},
    {"!Sub ['${L}', {L: !Ref L}]",
     "Template error: variable L in Fn::Sub expression does not resolve to a string"},
    {"!Cidr [nonsense, 1, 8]", "Template error: Fn::Cidr cannot parse IP address block nonsense"},
    {"!Transform {Name: AWS::Include}", "Template error: function Fn::Transform is not supported"},
};

static void functions_fail_as_aws_words_it(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        auto_arena struct arena a;
        arena_init(&a);
        struct template_processed out;
        struct template_error err = {0};
        struct json *properties;
        assert_int_equal(
            process(&a, str_printf(&a, HEAD "%s\n", errors[i].value).p, NULL, &out, &err), 0);
        assert_int_equal(template_resolve_properties(out.view, &a, &source,
                                                     template_resource_find(out.view, S("R")),
                                                     &properties, &err),
                         -EBADMSG);
        assert_string_equal(err.message.p, errors[i].message);
        assert_true(err.line > 0);
    }
}

/* ---- order, policies, outputs ---- */

static void resources_come_after_what_they_need(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct template_processed out;
    struct template_error err = {0};
    assert_int_equal(
        process(&a,
                "Conditions: {Neg: !Equals [a, b]}\nResources:\n"
                "  F: {Type: T, Properties: {Role: !GetAtt R.Arn, X: !If [Neg, !Ref V, "
                "1]}}\n"
                "  V: {Type: T, Properties: {F: !Ref F}, DeletionPolicy: Retain, "
                "UpdateReplacePolicy: Snapshot}\n"
                "  R: {Type: T, DependsOn: [B, Gone]}\n"
                "  B: {Type: T}\n"
                "  Gone: {Type: T, Condition: Neg}\n",
                NULL, &out, &err),
        0);
    struct buf b;
    buf_init(&b, 100);
    for (size_t i = 0; i < out.view->n_resources; i++) {
        const struct template_resource *r = &out.view->resources[out.view->order[i]];
        if (r->active)
            buf_str(&b, r->logical_id);
    }
    assert_string_equal(buf_copy(&b, &a).p, "BRFV");
    buf_done(&b);
    const struct template_resource *v = template_resource_find(out.view, S("V"));
    assert_int_equal(v->deletion_policy, POLICY_RETAIN);
    assert_int_equal(v->update_replace_policy, POLICY_SNAPSHOT);
    assert_int_equal(v->n_depends, 1);
}

static void outputs_are_text_and_may_be_exported(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct template_processed out;
    struct template_error err = {0};
    assert_int_equal(process(&a,
                             BUCKET "Outputs:\n  O: {Description: d, Value: !GetAtt B.Arn, Export: "
                                    "{Name: !Sub '${AWS::StackName}-b'}}\n  N: {Value: 5}\n",
                             NULL, &out, &err),
                     0);
    struct str value, name;
    assert_int_equal(
        template_resolve_output(out.view, &a, &source, &out.view->outputs[0], &value, &name, &err),
        0);
    assert_string_equal(value.p, "B/Arn");
    assert_string_equal(name.p, "shop-b");
    assert_int_equal(
        template_resolve_output(out.view, &a, &source, &out.view->outputs[1], &value, &name, &err),
        0);
    assert_true(str_is(value, "5"));
    assert_false(str_has(name));
}

static void previous_values_are_kept(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct template_processed out;
    struct template_error err = {0};
    struct template_param given = {S("P"), {0}, true}, previous = {S("P"), S("old"), false};
    struct template_request request = {.text = S("Parameters: {P: {Type: String}}\n" BUCKET),
                                       .params = &given,
                                       .n_params = 1,
                                       .previous = &previous,
                                       .n_previous = 1,
                                       .env = env};
    assert_int_equal(template_process(&a, &request, &out, &err), 0);
    assert_string_equal(out.view->parameters[0].value.p, "old");
}

static void capabilities_are_asked_for(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct json *root;
    struct str *types;
    size_t n;
    assert_int_equal(template_parse(&a,
                                    S("Resources:\n  A: {Type: AWS::IAM::Role}\n  B: {Type: "
                                      "AWS::IAM::Role, Properties: {RoleName: x}}\n"),
                                    &root, NULL),
                     0);
    assert_int_equal(template_capabilities(&a, root, &types, &n),
                     CAPABILITY_IAM | CAPABILITY_NAMED_IAM);
    assert_int_equal(n, 1);
    assert_true(str_is(types[0], "AWS::IAM::Role"));
}

/* Each of these is under 1 MB and stands for gigabytes. */
static void small_templates_stay_small(void **state)
{
    struct buf b;
    buf_init(&b, TEMPLATE_MAX_BYTES);
    char *long_text = malloc(100001);
    memset(long_text, 'x', 100000);
    long_text[100000] = '\0';
    for (int kind = 0; kind < 3; kind++) {
        auto_arena struct arena a;
        arena_init(&a);
        buf_clear(&b);
        if (kind == 0) { /* aliases to a long text */
            buf_printf(&b, "Metadata: {A: &a '%s', L: [", long_text);
            for (int i = 0; i < 20000; i++)
                buf_text(&b, "*a ,");
            buf_text(&b, "]}\n" BUCKET);
        } else if (kind == 1) { /* Globals for many functions */
            buf_printf(&b,
                       "Transform: " SAM_TRANSFORM "\nGlobals: {Function: {Description: '%s%s'}}\n"
                       "Resources:\n",
                       long_text, long_text);
            for (int i = 0; i < 499; i++)
                buf_printf(&b,
                           "  F%d: {Type: AWS::Serverless::Function, Properties: {Handler: h, "
                           "Runtime: r, CodeUri: s3://b/k, Role: r}}\n",
                           i);
        } else { /* many reads of a long mapping */
            buf_printf(&b,
                       "Mappings: {M: {a: {b: '%s'}}}\nResources:\n  B:\n    Type: T\n    "
                       "Properties:\n      L:\n",
                       long_text);
            for (int i = 0; i < 10000; i++)
                buf_text(&b, "      - !FindInMap [M, a, b]\n");
        }
        assert_false(buf_failed(&b));
        struct template_processed out;
        struct template_error err = {0};
        struct json *properties;
        int r = process(&a, buf_copy(&b, &a).p, NULL, &out, &err);
        if (r == 0)
            r = template_resolve_properties(out.view, &a, &source, &out.view->resources[0],
                                            &properties, &err);
        assert_int_equal(r, -EBADMSG);
        assert_true(err.message.n > 0);
        assert_true(a.used < 4 * TEMPLATE_MAX_WORK_BYTES);
    }
    free(long_text);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_are_worded_as_aws_does),
        cmocka_unit_test(functions_give_their_values),
        cmocka_unit_test(functions_fail_as_aws_words_it),
        cmocka_unit_test(resources_come_after_what_they_need),
        cmocka_unit_test(outputs_are_text_and_may_be_exported),
        cmocka_unit_test(previous_values_are_kept),
        cmocka_unit_test(capabilities_are_asked_for),
        cmocka_unit_test(small_templates_stay_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
