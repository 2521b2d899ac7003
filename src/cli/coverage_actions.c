/* coverage_actions - the actions of `lamina coverage`, and what people are told of each. */
#include "cli/coverage.h"
#include "cli/coverage_report.h"
#include "cli/coverage_watch.h"

/* The verb's option sets: its own, of reports, of watch, of the target. */
enum { COMMON = 1, REPORT = 2, WATCH = 4, TARGET = 8 };

#define WORDS_MAX 31
#define SWITCHES .operands = "FUNCTION|STACK|all...", .max_operands = WORDS_MAX
#define REPORTS .sets = COMMON | REPORT | TARGET, .operands = "[FUNCTION|STACK...]", \
                .max_operands = WORDS_MAX
#define WATCHES .sets = COMMON | REPORT | WATCH | TARGET, .operands = "[FUNCTION|STACK...]", \
                .max_operands = WORDS_MAX

/* clang-format off */
const struct verb_action coverage_actions[] = {
    {.name = "enable", .run = coverage_enable_run, .sets = COMMON | TARGET, SWITCHES,
     .summary = "count what functions execute",
     .details =
         "Gives functions the coverage layer and the variables that it needs, beside what they\n"
         "have, and their roles leave to write to the bucket, which is made when it is missing.\n"
         "Whoever is interrupted repeats the command.\n\n"
         "    lamina coverage enable my-stack\n"
         "    lamina coverage enable HelloFunction --stack-name my-stack --no-branch\n"
         "    lamina coverage enable all --target aws --bucket my-coverage"},
    {.name = "disable", .run = coverage_disable_run, .sets = COMMON | TARGET, SWITCHES,
     .summary = "give functions the configuration back that they had",
     .details = "    lamina coverage disable my-stack"},
    {.name = "status", .run = coverage_status_run, .sets = COMMON | TARGET,
     .operands = "[FUNCTION|STACK...]", .max_operands = WORDS_MAX,
     .summary = "list functions: covered or why not, and the newest object of each",
     .details = "    lamina coverage status\n"
                "    lamina coverage status my-stack --json"},
    {.name = "helper", .run = coverage_helper_run, .sets = COMMON,
     .summary = "print the C file that functions of C, C++ or Rust are linked with",
     .details = "    lamina coverage helper > lamina_coverage.c\n"
                "    gcc --coverage -o bootstrap app.c lamina_coverage.c"},
    {.name = "report", .run = coverage_text_run, REPORTS,
     .summary = "print which lines of the sources here have run",
     .details =
         "Sources are where the template here has them, or in --source. Only a file that is the\n"
         "one that was deployed is counted. Exit code 2 when the total is below --fail-under.\n\n"
         "    lamina coverage report my-stack -m\n"
         "    lamina coverage report my-stack --fail-under 85 --xml coverage.xml\n"
         "    lamina coverage report --from objects/ --source src"},
    {.name = "html", .run = coverage_html_run, REPORTS,
     .summary = "the same as pages to look at",
     .details = "    lamina coverage html my-stack -o htmlcov"},
    {.name = "json", .run = coverage_json_run, REPORTS,
     .summary = "the same as coverage.py's JSON",
     .details = "    lamina coverage json my-stack -o coverage.json --pretty"},
    {.name = "xml", .run = coverage_xml_run, REPORTS,
     .summary = "the same as Cobertura XML",
     .details = "    lamina coverage xml my-stack -o coverage.xml"},
    {.name = "lcov", .run = coverage_lcov_run, REPORTS,
     .summary = "the same as LCOV",
     .details = "    lamina coverage lcov my-stack -o coverage.lcov"},
    {.name = "markdown", .run = coverage_markdown_run, REPORTS,
     .summary = "the same as a Markdown table",
     .details = "    lamina coverage markdown my-stack >> \"$GITHUB_STEP_SUMMARY\""},
    {.name = "combine", .run = coverage_combine_run, REPORTS,
     .summary = "make one file of all objects: .coverage, unless --to names another one",
     .details = "    lamina coverage combine my-stack\n"
                "    lamina coverage combine --since 1d --to coverage.json\n"
                "    lamina coverage combine --to s3://my-coverage/coverage/combined/all.json"},
    {.name = "contexts", .run = coverage_contexts_run, WATCHES,
     .summary = "which tests and invocations ran what",
     .details = "    lamina coverage contexts my-stack\n"
                "    lamina coverage contexts my-stack --file app.py:12"},
    {.name = "watch", .run = coverage_watch_run, WATCHES,
     .summary = "show lines as functions run them",
     .details = "    lamina coverage watch my-stack\n"
                "    lamina coverage watch my-stack --file app.py"},
    {0},
};
/* clang-format on */
