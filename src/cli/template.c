/* template - `lamina template`: the template as CloudFormation will see it. Asks no cloud. */
#include <errno.h>
#include "build/project.h"
#include "cli/source.h"
#include "cli/target.h"
#include "cli/verbs_all.h"

struct template_options {
    struct str template;
    struct option_list overrides;
};

static const struct option_row rows[] = {
    {OPTION(struct template_options, template), .name = "template", .letter = 't',
     .type = OPTION_TEXT, .metavar = "FILE", .help = "the template; template.yaml otherwise"},
    {OPTION(struct template_options, overrides), .name = "parameter-overrides", .type = OPTION_LIST,
     .many = true, .metavar = "NAME=VALUE...",
     .help = "values of parameters (env:NAME and file://PATH too)"},
    {0},
};

/* Local code is shown as the object it will be: s3://BUCKET/PATH, the bucket being known at
 * deployment only. */
static int stand_in(struct verb_run *run, struct json *root, struct str path)
{
    struct local_code *codes;
    size_t n;
    struct str why;
    if (project_local_code(run->arena, root, path, &codes, &n, &why) < 0)
        return verb_fail(run, "%.*s", STR(why));
    for (size_t i = 0; i < n; i++) {
        struct str key = str_copy(run->arena, codes[i].value->text);
        while (str_ends(key, S("/")))
            key.n--;
        if (codes[i].serverless) {
            codes[i].value->text = str_printf(run->arena, "s3://BUCKET/%.*s", STR(key));
            continue;
        }
        struct json *o = json_new(run->arena, JSON_OBJECT);
        json_set(run->arena, o, S("S3Bucket"), json_new_str(run->arena, S("BUCKET")));
        json_set(run->arena, o, S("S3Key"), json_new_str(run->arena, key));
        json_set(run->arena, codes[i].properties, codes[i].property, o);
    }
    return 0;
}

static int run_template(struct verb_run *run)
{
    const struct template_options *o = run->values[0];
    struct arena *a = run->arena;
    struct str path, text;
    struct json *root, *out;
    struct template_param *params;
    size_t n;
    int e = source_find(run, o->template, false, &path);
    if (!e)
        e = source_read(run, path, &text, &root);
    if (!e)
        e = source_parameters(run, &o->overrides, &params, &n);
    if (e)
        return e;
    e = stand_in(run, root, path);
    if (e)
        return e;
    struct template_error err = {0};
    struct str region = target_of(run)->region;
    out = root;
    if (template_has_transform(root, S(SAM_TRANSFORM))) {
        struct sam_input in = {.root = root,
                               .params = params,
                               .n_params = n,
                               .region = str_has(region) ? region : S("us-east-1")};
        if (sam_transform(a, &in, &out, &err) < 0)
            return verb_fail(run, "%.*s: %.*s", STR(path), STR(err.message));
    }
    struct template *view;
    if (template_open(a, out, &view, &err) < 0)
        return verb_fail(run, "%.*s:%d:%d: %.*s", STR(path), err.line, err.column,
                         STR(err.message));
    target_print_json(a, out);
    return 0;
}

const struct verb template_verb = {
    .name = "template",
    .run = run_template,
    .sets = {{rows, sizeof(struct template_options)}, TARGET_SET},
    .preset = target_preset,
    .summary = "print the template as CloudFormation will see it, the SAM transform done",
    .details = "Asks no cloud. Local code stands as s3://BUCKET/PATH: deploy uploads it, which "
               "also gives a layer\n"
               "another logical id.\n\n    lamina template -t template.yaml",
};
