/* validate - `lamina validate`: what is wrong with a template, each with its place and a
 * suggestion. */
#include "cli/source.h"
#include "cli/target.h"
#include "cli/verbs_all.h"
#include "template/validate.h"

struct validate_options {
    struct str template;
};

static const struct option_row rows[] = {
    {OPTION(struct validate_options, template), .name = "template", .letter = 't',
     .type = OPTION_TEXT, .metavar = "FILE", .help = "the template; template.yaml otherwise"},
    {OPTION(struct validate_options, template), .name = "template-file", .type = OPTION_TEXT,
     .hidden = true, .help = "the same as --template"},
    {0},
};

static void print_json(struct arena *a, struct str path, const struct template_problem *problems,
                       size_t n)
{
    struct json *list = json_new(a, JSON_ARRAY);
    for (size_t i = 0; i < n; i++) {
        struct json *o = json_add(list, json_new(a, JSON_OBJECT));
        json_set(a, o, S("file"), json_new_str(a, path));
        json_set(a, o, S("line"), json_new_int(a, problems[i].line));
        json_set(a, o, S("column"), json_new_int(a, problems[i].column));
        json_set(
            a, o, S("severity"),
            json_new_str(a, problems[i].severity == TEMPLATE_ERROR ? S("error") : S("warning")));
        json_set(a, o, S("message"), json_new_str(a, problems[i].message));
    }
    target_print_json(a, list);
}

static int run_validate(struct verb_run *run)
{
    const struct validate_options *o = run->values[0];
    struct str path, text;
    struct json *root;
    struct template_problem *problems;
    size_t n;
    int e = source_find(run, o->template, false, &path);
    if (!e)
        e = source_read(run, path, &text, &root);
    if (e)
        return e;
    int errors = template_validate(run->arena, root, &problems, &n);
    if (target_of(run)->json) {
        print_json(run->arena, path, problems, n);
        return errors ? 1 : 0;
    }
    for (size_t i = 0; i < n; i++)
        fprintf(
            stderr, "lamina: validate: %.*s:%d: %s%.*s\n", STR(path), problems[i].line,
            problems[i].severity == TEMPLATE_ERROR ? "" : "warning: ", STR(problems[i].message));
    if (errors)
        return 1;
    printf("%.*s is valid%s\n", STR(path), n ? ", with warnings" : "");
    return 0;
}

const struct verb validate_verb = {
    .name = "validate",
    .run = run_validate,
    .sets = {{rows, sizeof(struct validate_options)}, TARGET_SET},
    .preset = target_preset,
    .summary = "check a template; errors name file and line, with a suggestion",
    .details = "Exit code 1 when there is an error; warnings alone give 0.\n\n    lamina validate "
               "-t template.yaml",
};
