/* coverage - `lamina coverage`: the verb, and what its actions have in common. */
#include "cli/coverage.h"
#include "cli/coverage_report.h"
#include "cli/coverage_watch.h"
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

const struct verb coverage_verb = {
    .name = "coverage",
    .actions = coverage_actions,
    .sets = {{coverage_rows, sizeof(struct coverage_options)},
             {coverage_report_rows, sizeof(struct coverage_report_options)},
             {coverage_watch_rows, sizeof(struct coverage_watch_options)},
             TARGET_SET},
    .preset = target_preset,
    .operands = "ACTION [FUNCTION|STACK|all...]",
    .min_operands = 1,
    .max_operands = 32,
    .summary = "cover running functions: turn it on and off, and report",
    .details = "    lamina coverage enable my-stack\n"
               "    lamina coverage status\n"
               "    lamina coverage report my-stack -m\n"
               "    lamina coverage html my-stack -o htmlcov\n"
               "    lamina coverage disable my-stack",
};
