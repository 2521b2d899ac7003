/* test_template_validate - problems with place and suggestion; the tables of resource types. */
#include "base/cleanup.h"
#include "template/resource_types.h"
#include "template/validate.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct str validate(struct arena *a, const char *text)
{
    struct json *root;
    struct template_error err = {0};
    struct template_problem *problems;
    size_t n;
    assert_int_equal(template_parse(a, str_from(text), &root, &err), 0);
    template_validate(a, root, &problems, &n);
    struct buf b;
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s%d:%d %s%.*s", i ? "\n" : "", problems[i].line, problems[i].column,
                   problems[i].severity == TEMPLATE_WARNING ? "warning: " : "",
                   STR(problems[i].message));
    struct str all = buf_copy(&b, a);
    buf_done(&b);
    return all;
}

#define SAM "Transform: AWS::Serverless-2016-10-31\n"
#define FN "Resources:\n  F:\n    Type: AWS::Lambda::Function\n    Properties:\n      Role: r\n"

static const struct {
    const char *text, *problems;
} cases[] = {
    {"Resources: {B: {Type: AWS::S3::Bucket}}", ""},
    {FN "      Code: {ZipFile: x}\n      Runtimee: python3.11\n",
     "7:7 unknown property \"Runtimee\" of AWS::Lambda::Function (did you mean Runtime?)"},
    {FN "      Code: {ZipFil: x}\n",
     "6:14 unknown property \"ZipFil\" of AWS::Lambda::Function.Code "
     "(did you mean ZipFile?)"},
    {FN, "4:5 AWS::Lambda::Function needs the property \"Code\""},
    {FN "      Code: {ZipFile: x}\n      Timeout: long\n",
     "7:16 property \"Timeout\" of AWS::Lambda::Function must be an integer"},
    {FN "      Code: {ZipFile: x}\n      Timeout: '30'\n      Layers: !If [C, [a], b]\nConditions: "
        "{C: "
        "!Equals [a, b]}\n",
     "8:28 property \"Layers\" of AWS::Lambda::Function must be a list"},
    {FN "      Code: {ZipFile: x}\n      Layers: [a, [b]]\n",
     "7:19 property \"Layers\" of AWS::Lambda::Function must be made of items each of which is a "
     "string"},
    {FN
     "      Code: {ZipFile: x}\n      Environment: {Variables: {A: x, AB: y, _C: z, 1D: q, A-B: q, "
     "AWS_REGION: r}}\n",
     "7:33 environment variable \"A\" of AWS::Lambda::Function.Environment: a name is a letter, "
     "and "
     "behind it at least one letter, digit or _\n"
     "7:46 environment variable \"_C\" of AWS::Lambda::Function.Environment: a name is a letter, "
     "and behind it at least one letter, digit or _\n"
     "7:53 environment variable \"1D\" of AWS::Lambda::Function.Environment: a name is a letter, "
     "and behind it at least one letter, digit or _\n"
     "7:60 environment variable \"A-B\" of AWS::Lambda::Function.Environment: a name is a letter, "
     "and behind it at least one letter, digit or _\n"
     "7:68 environment variable \"AWS_REGION\" of AWS::Lambda::Function.Environment is reserved: "
     "Lambda sets it"},
    {FN "      Code: {ZipFile: x}\n      Environment: {Variables: !If [C, {A: x}, {AB: x}]}\n"
        "Conditions: {C: !Equals [a, b]}\n",
     "7:41 environment variable \"A\" of AWS::Lambda::Function.Environment: a name is a letter, "
     "and "
     "behind it at least one letter, digit or _"},
    /* a loop makes names; what is no text is not taken for names */
    {FN "      Code: {ZipFile: x}\n      Environment: {Variables: {\"Fn::ForEach::N\": [I, [A], "
        "{\"V${I}\": x}], AB: {C: d}, EF: [g]}}\n",
     ""},
    {SAM
     "Globals: {Function: {Runtime: r, Handler: h, CodeUri: s, Environment: {Variables: {B: 1}}}}\n"
     "Resources: {F: {Type: AWS::Serverless::Function}}\n",
     "2:84 environment variable \"B\" of Globals.Function.Environment: a name is a letter, and "
     "behind it at least one letter, digit or _"},
    {"Resources: {B: {Type: AWS::S3::Bukket}}",
     "1:23 unknown resource type \"AWS::S3::Bukket\" (did you mean AWS::S3::Bucket?)"},
    {"Resources: {B: {Type: AWS::Serverless::Function}}",
     "1:23 AWS::Serverless::Function needs \"Transform: AWS::Serverless-2016-10-31\" in the "
     "template"},
    {"Resources: {B: {Type: AWS::S3::Bucket, Propertys: {}}}",
     "1:40 unknown attribute \"Propertys\" of resource \"B\" (did you mean Properties?)"},
    {"Resources: {Bucket: {Type: AWS::S3::Bucket}}\nOutputs: {O: {Value: !Ref Buket}}",
     "2:22 Ref of \"Buket\", which is neither a parameter nor a resource (did you mean Bucket?)"},
    {"Resources: {Bucket: {Type: AWS::S3::Bucket}}\nOutputs: {O: {Value: !GetAtt Bucket.Ann}}",
     "2:22 AWS::S3::Bucket \"Bucket\" has no attribute \"Ann\" (did you mean Arn?)"},
    {"Parameters: {P: {Type: String}}\nResources: {B: {Type: AWS::S3::Bucket}}",
     "1:14 warning: parameter \"P\" is not used"},
    {"Resourcs: {}\nResources: {B: {Type: AWS::S3::Bucket}}",
     "1:1 unknown section \"Resourcs\" (did you mean Resources?)"},
    {"Resources: {A: {Type: AWS::S3::Bucket, DependsOn: C}, B: {Type: AWS::S3::Bucket, DependsOn: "
     "A}}",
     "1:51 DependsOn \"C\", which is no resource (did you mean A?)"},
    /* found by opening it */
    {"Resources: {A: {Type: AWS::S3::Bucket, DependsOn: B}, B: {Type: AWS::S3::Bucket, DependsOn: "
     "A}}",
     "1:16 Circular dependency between resources: [A, B]"},
    /* SAM: local code is fine, what the transform will make may be used, Globals fill gaps */
    {SAM "Globals: {Function: {Runtime: python3.11, CodeUri: ./src}}\nResources:\n  F:\n    Type: "
         "AWS::Serverless::Function\n    Properties: {Handler: a.b, AutoPublishAlias: live}\n"
         "Outputs: {O: {Value: !GetAtt FRole.Arn}, P: {Value: !Ref F.Alias}, Q: {Value: !Ref "
         "FAliaslive}}",
     ""},
    {SAM "Globals: {Function: {Runtme: x}}\nResources:\n  F:\n    Type: "
         "AWS::Serverless::Function\n    Properties: {Handler: a.b, CodeUri: ./src}\n",
     "2:22 unknown property \"Runtme\" of Globals.Function (did you mean Runtime?)"},
    {SAM "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {Runtime: r, "
         "CodeUri: ./src}\n",
     "3:3 Invalid Serverless Application Specification document. Number of errors found: 1. "
     "Resource with id [F] is invalid. Runtime and Handler needs to be present when PackageType is "
     "of type `Zip`"},
};

static void problems_have_a_place_and_a_suggestion(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_arena struct arena a;
        arena_init(&a);
        assert_string_equal(validate(&a, cases[i].text).p, cases[i].problems);
    }
}

static void suggestions_are_near_or_none(void **state)
{
    static const char *const words[] = {"Runtime", "Handler", "Role", NULL};
    assert_string_equal(template_suggest(S("runtime"), words), "Runtime");
    assert_string_equal(template_suggest(S("Handel"), words), "Handler");
    assert_string_equal(template_suggest(S("Rol"), words), "Role");
    assert_null(template_suggest(S("Timeout"), words));
    assert_null(template_suggest(S(""), words));
}

static struct json *object(struct arena *a, const char *text)
{
    struct json *v;
    assert_int_equal(template_parse(a, str_from(text), &v, NULL), 0);
    return v;
}

static void updates_replace_or_modify(void **state)
{
    static const struct {
        const char *type, *before, *after;
        enum resource_change change;
        size_t n;
    } rows[] = {
        {"AWS::Lambda::Function", "{\"Timeout\": 3}", "{\"Timeout\": \"3\"}", CHANGE_NONE, 0},
        {"AWS::Lambda::Function", "{\"Timeout\": 3}", "{\"Timeout\": 4}", CHANGE_MODIFY, 1},
        {"AWS::Lambda::Function", "{\"Timeout\": 3}", "{\"FunctionName\": \"x\"}", CHANGE_REPLACE,
         2},
        {"AWS::Lambda::LayerVersion", "{\"Content\": {\"S3Key\": \"a\"}}",
         "{\"Content\": {\"S3Key\": \"b\"}}", CHANGE_REPLACE, 1},
        {"AWS::IAM::Role", "{\"Tags\": []}", "{\"Tags\": [1]}", CHANGE_MODIFY, 1},
        {"AWS::IAM::Role", "{\"Path\": \"/\"}", "{\"Path\": \"/a/\"}", CHANGE_REPLACE, 1},
        {"AWS::S3::Bucket", "{\"BucketName\": \"a\"}", "{\"BucketName\": \"b\"}", CHANGE_REPLACE,
         1},
        {"AWS::Lambda::Function", "{\"DurableConfig\": {\"ExecutionTimeout\": 1}}",
         "{\"Timeout\": 3}", CHANGE_CONDITIONAL, 2},
        {"AWS::Logs::LogGroup", "{\"RetentionInDays\": 1}", "{\"RetentionInDays\": 3}",
         CHANGE_MODIFY, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_arena struct arena a;
        arena_init(&a);
        struct property_change *changes;
        size_t n;
        const struct resource_type *type = resource_type_find(str_from(rows[i].type));
        assert_non_null(type);
        assert_int_equal(resource_type_compare(&a, type, object(&a, rows[i].before),
                                               object(&a, rows[i].after), &changes, &n),
                         rows[i].change);
        assert_int_equal(n, rows[i].n);
    }
}

static void properties_are_checked_before_use(void **state)
{
    static const struct {
        const char *properties, *message;
    } rows[] = {
        {"{\"Code\": {\"ZipFile\": \"x\"}, \"Role\": \"r\", \"Timeout\": \"5\"}", NULL},
        {"{\"Code\": {\"ZipFile\": \"x\"}, \"Role\": \"r\", \"X\": 1}",
         "Encountered unsupported property X"},
        {"{\"Code\": {\"ZipFile\": \"x\"}}", "Property Role cannot be empty."},
        {"{\"Code\": {\"ZipFile\": \"x\"}, \"Role\": \"r\", \"MemorySize\": \"big\"}",
         "Properties validation failed for resource with message: #/MemorySize: expected type: "
         "Integer"},
        {"{\"Code\": {\"ZipFile\": \"x\"}, \"Role\": \"r\", \"Tags\": [{\"Key\": \"k\"}, 5]}",
         "Properties validation failed for resource with message: #/Tags/1: expected type: "
         "Object"},
    };
    const struct resource_type *type = resource_type_find(S("AWS::Lambda::Function"));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_arena struct arena a;
        arena_init(&a);
        struct template_error err = {0};
        int r = resource_type_check(&a, type, object(&a, rows[i].properties), &err);
        assert_int_equal(r, rows[i].message ? -EBADMSG : 0);
        if (rows[i].message)
            assert_string_equal(err.message.p, rows[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(problems_have_a_place_and_a_suggestion),
        cmocka_unit_test(suggestions_are_near_or_none),
        cmocka_unit_test(updates_replace_or_modify),
        cmocka_unit_test(properties_are_checked_before_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
