/* test_template_sam - every folder of tests/vectors/sam transforms to its expected.json. */
#include "base/cleanup.h"
#include "base/fs.h"
#include "template/process.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define VECTORS TEST_VECTORS "/sam"

static size_t read_params(struct arena *a, const char *path, struct template_param **ret)
{
    struct str text;
    struct json *object;
    if (fs_read(path, 65536, a, &text) < 0)
        return 0;
    assert_int_equal(json_parse(a, text, &object, NULL), 0);
    struct template_param *params = ARENA_ARRAY(a, struct template_param, object->n + 1);
    size_t n = 0;
    JSON_EACH(object, member)
        params[n++] = (struct template_param){.key = member->key, .value = member->text};
    *ret = params;
    return n;
}

static bool run_case(const char *name)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str text;
    struct json *root, *expected, *result = NULL;
    struct template_error err = {0};
    struct sam_input in = {.region = S("us-east-1")};
    assert_int_equal(
        fs_read(str_printf(&a, VECTORS "/%s/expected.json", name).p, 1 << 22, &a, &text), 0);
    assert_int_equal(json_parse(&a, text, &expected, NULL), 0);
    assert_int_equal(fs_read(str_printf(&a, VECTORS "/%s/input.yaml", name).p, 1 << 22, &a, &text),
                     0);
    assert_int_equal(template_parse(&a, text, &root, &err), 0);
    struct str before = template_canonical(&a, root);
    struct template_param *params = NULL;
    in.n_params = read_params(&a, str_printf(&a, VECTORS "/%s/params.json", name).p, &params);
    in.params = params;
    in.root = root;
    int r = sam_transform(&a, &in, &result, &err);
    if (r < 0) {
        result = json_new(&a, JSON_OBJECT);
        json_set(&a, result, S("error"), json_new_str(&a, err.message));
    }
    bool same = json_equal(result, expected) && str_eq(before, template_canonical(&a, root));
    if (!same)
        print_error("%s:\n%.*s\n", name, STR(template_to_json(&a, result, 2)));
    return same;
}

static void results_are_the_translators(void **state)
{
    DIR *dir = opendir(VECTORS);
    assert_non_null(dir);
    size_t cases = 0, wrong = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        char path[1024];
        snprintf(path, sizeof path, VECTORS "/%s/input.yaml", e->d_name);
        if (e->d_name[0] == '.' || !fs_exists(path))
            continue;
        cases++;
        wrong += !run_case(e->d_name);
    }
    closedir(dir);
    assert_int_equal(wrong, 0);
    assert_true(cases >= 80);
}

static struct str transform_text(struct arena *a, const char *text, const char *region)
{
    struct json *root, *result;
    struct template_error err = {0};
    assert_int_equal(template_parse(a, str_from(text), &root, &err), 0);
    struct sam_input in = {.root = root, .region = str_from(region)};
    if (sam_transform(a, &in, &result, &err) < 0)
        return str_printf(a, "%d: %.*s", err.line, STR(err.message));
    return template_to_json(a, result, -1);
}

static void what_is_not_supported_is_refused_by_name(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"Resources:\n  A: {Type: AWS::Serverless::Api}\n",
         "2: Invalid Serverless Application Specification document. Number of errors found: 1. "
         "Resource with id [A] is invalid. Resources of type AWS::Serverless::Api are not "
         "supported "
         "yet."},
        {"Resources:\n  A:\n    Type: AWS::Serverless::Function\n    Properties: {Handler: a.b, "
         "Runtime: r, CodeUri: s3://b/k, Events: {E: {Type: Api, Properties: {}}}}\n",
         "2: Invalid Serverless Application Specification document. Number of errors found: 1. "
         "Resource with id [A] is invalid. Event with id [E] is invalid. Events of type 'Api' are "
         "not supported yet."},
        {"Resources:\n  A:\n    Type: AWS::Serverless::Function\n    Properties: {Handler: a.b, "
         "Runtime: r, CodeUri: s3://b/k, DeploymentPreference: {Type: AllAtOnce}}\n",
         "2: Invalid Serverless Application Specification document. Number of errors found: 1. "
         "Resource with id [A] is invalid. Property 'DeploymentPreference' is not supported yet."},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_arena struct arena a;
        arena_init(&a);
        assert_string_equal(transform_text(&a, cases[i].text, NULL).p, cases[i].message);
    }
}

static void partition_follows_the_region(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str out = transform_text(&a,
                                    "Resources:\n  A:\n    Type: AWS::Serverless::Function\n    "
                                    "Properties: {Handler: a.b, Runtime: r, CodeUri: s3://b/k, "
                                    "Tracing: Active}\n",
                                    "cn-north-1");
    assert_true(str_find(out, S("arn:aws-cn:iam::aws:policy/AWSXRayDaemonWriteAccess")) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_the_translators),
        cmocka_unit_test(what_is_not_supported_is_refused_by_name),
        cmocka_unit_test(partition_follows_the_region),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
