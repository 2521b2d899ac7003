/* coverage - `lamina coverage`: the verb, and what its actions have in common. */
#include "cli/coverage.h"
#include "cli/coverage_report.h"
#include "cli/target.h"
#include "cli/verbs_all.h"

const struct option_row coverage_rows[] = {
    {OPTION(struct coverage_options, stack_name), .name = "stack-name", .type = OPTION_TEXT,
     .metavar = "NAME", .help = "stack in which logical ids are looked up"},
    {OPTION(struct coverage_options, stack_name), .name = "stack", .type = OPTION_TEXT,
     .metavar = "NAME", .hidden = true, .help = "the same as --stack-name"},
    {OPTION(struct coverage_options, bucket), .name = "bucket", .type = OPTION_TEXT,
     .metavar = "NAME", .help = "bucket of the coverage; otherwise lamina-coverage-ACCOUNT-REGION"},
    {OPTION(struct coverage_options, prefix), .name = "prefix", .type = OPTION_TEXT,
     .metavar = "PREFIX", .default_value = COVERAGE_PREFIX, .help = "what its keys begin with"},
    {OPTION(struct coverage_options, branch), .name = "branch", .type = OPTION_FLAG,
     .default_value = "true", .help = "branches as well as lines"},
    {OPTION(struct coverage_options, include), .name = "include", .type = OPTION_LIST,
     .metavar = "PATTERN", .help = "only files that match"},
    {OPTION(struct coverage_options, exclude), .name = "exclude", .type = OPTION_LIST,
     .metavar = "PATTERN", .help = "without files that match"},
    {OPTION(struct coverage_options, exclude), .name = "omit", .type = OPTION_LIST,
     .metavar = "PATTERN", .hidden = true, .help = "the same as --exclude"},
    {0},
};

const struct coverage_options *coverage_options_of(const struct verb_run *run)
{
    for (size_t i = 0; i < run->n_sets; i++)
        if (run->sets[i].rows == coverage_rows)
            return run->sets[i].values;
    return NULL;
}

static const struct action {
    const char *name;
    int (*run)(struct verb_run *run);
} actions[] = {
    {"enable", coverage_enable_run},   {"disable", coverage_disable_run},
    {"status", coverage_status_run},   {"report", coverage_text_run},
    {"json", coverage_json_run},       {"xml", coverage_xml_run},
    {"lcov", coverage_lcov_run},       {"markdown", coverage_markdown_run},
    {"combine", coverage_combine_run}, {0},
};

static int run_coverage(struct verb_run *run)
{
    struct str name = run->parsed.operands[0];
    for (const struct action *a = actions; a->name; a++)
        if (str_is(name, a->name))
            return a->run(run);
    struct str known = {0};
    for (const struct action *a = actions; a->name; a++)
        known = str_printf(run->arena, "%.*s%s%s", STR(known), a == actions ? "" : ", ", a->name);
    return verb_usage(run, "unknown action \"%.*s\"; there are: %.*s", STR(name), STR(known));
}

const struct verb coverage_verb = {
    .name = "coverage",
    .run = run_coverage,
    .sets = {{coverage_rows, sizeof(struct coverage_options)},
             {coverage_report_rows, sizeof(struct coverage_report_options)},
             TARGET_SET},
    .preset = target_preset,
    .operands = "ACTION [FUNCTION|STACK|all...]",
    .min_operands = 1,
    .max_operands = 32,
    .summary = "cover running functions: turn it on and off, and report",
    .details =
        "enable FUNCTION|STACK|all gives python functions the coverage layer and the variables\n"
        "that it needs, beside what they have. disable takes both away again: the configuration\n"
        "is what it was. status lists functions with what they have, and the newest object.\n\n"
        "report prints what was run of the sources here; json, xml, lcov and markdown write the\n"
        "same in other formats. combine makes one file of all objects: coverage.py's .coverage\n"
        "unless --to names another one.\n\n"
        "    lamina coverage enable my-stack\n"
        "    lamina coverage status\n"
        "    lamina coverage report my-stack -m --fail-under 85 --xml coverage.xml\n"
        "    lamina coverage combine --since 1d --to .coverage",
};
