/* policy - `lamina policy`: least-privilege policies from a template or from a recorded run, and
 * what a policy would deny before it does. */
#include "cli/policy_tool.h"
#include "cli/target.h"
#include "cli/verbs_all.h"

static const struct option_row output_rows[] = {
    {OPTION(struct policy_output_options, output), .name = "output", .letter = 'o',
     .type = OPTION_TEXT, .metavar = "FILE",
     .help = "where to write; stdout otherwise, policy-record.json of record"},
    {0},
};

static const struct option_row source_rows[] = {
    {OPTION(struct policy_source_options, from), .name = "from", .type = OPTION_TEXT,
     .metavar = "RECORD", .help = "a file that `lamina policy record` has written"},
    {OPTION(struct policy_source_options, principal), .name = "principal", .type = OPTION_TEXT,
     .metavar = "ARN", .help = "only what this role or account asked for (* and ? match)"},
    {0},
};

static const struct option_row table_rows[] = {
    {OPTION(struct policy_table_options, markdown), .name = "markdown", .type = OPTION_FLAG,
     .help = "tables as Markdown"},
    {0},
};

static const struct option_row record_rows[] = {
    {OPTION(struct policy_record_options, start), .name = "start", .type = OPTION_FLAG,
     .help = "begin to record, and return"},
    {OPTION(struct policy_record_options, stop), .name = "stop", .type = OPTION_FLAG,
     .help = "end what --start began, and write it"},
    {0},
};

static const struct option_row template_rows[] = {
    {OPTION(struct policy_template_options, stack_name), .name = "stack-name", .type = OPTION_TEXT,
     .metavar = "NAME", .help = "the stack that the template makes"},
    {OPTION(struct policy_template_options, s3_bucket), .name = "s3-bucket", .type = OPTION_TEXT,
     .metavar = "NAME", .help = "bucket the code is uploaded to; SAM's managed one otherwise"},
    {OPTION(struct policy_template_options, s3_prefix), .name = "s3-prefix", .type = OPTION_TEXT,
     .metavar = "PREFIX", .help = "prefix of the uploaded keys; the stack's name otherwise"},
    {OPTION(struct policy_template_options, account), .name = "account", .type = OPTION_TEXT,
     .metavar = "ID", .default_value = "000000000000", .help = "the account that is deployed to"},
    {OPTION(struct policy_template_options, overrides), .name = "parameter-overrides",
     .type = OPTION_LIST, .many = true, .metavar = "NAME=VALUE...", .help = "values of parameters"},
    {0},
};

static const struct option_row derive_rows[] = {
    {OPTION(struct policy_derive_options, widen), .name = "widen", .type = OPTION_LIST,
     .metavar = "PATTERN",
     .help = "this pattern with * and ? stands for all resources that it matches"},
    {OPTION(struct policy_derive_options, generated), .name = "generated", .type = OPTION_FLAG,
     .help = "* for what is made up anew each time: ids of stacks, suffixes of names, "
             "digests of "
             "uploads"},
    {0},
};

static const struct option_row simulate_rows[] = {
    {OPTION(struct policy_simulate_options, policies), .name = "policy", .letter = 'f',
     .type = OPTION_LIST, .metavar = "FILE", .help = "an identity-based policy"},
    {OPTION(struct policy_simulate_options, actions), .name = "action", .letter = 'a',
     .type = OPTION_LIST, .many = true, .metavar = "ACTION...",
     .help = "actions that are asked for"},
    {OPTION(struct policy_simulate_options, resources), .name = "resource", .letter = 'r',
     .type = OPTION_LIST, .many = true, .metavar = "ARN...", .help = "on these; * otherwise"},
    {OPTION(struct policy_simulate_options, context), .name = "context", .type = OPTION_LIST,
     .many = true, .metavar = "KEY=VALUE...",
     .help = "values of condition keys; a key that is repeated has several"},
    {OPTION(struct policy_simulate_options, template), .name = "template", .letter = 't',
     .type = OPTION_TEXT, .metavar = "FILE", .help = "ask for all that deploying this takes"},
    {OPTION(struct policy_simulate_options, boundary), .name = "boundary", .type = OPTION_LIST,
     .metavar = "FILE", .help = "a permissions boundary"},
    {OPTION(struct policy_simulate_options, session), .name = "session", .type = OPTION_LIST,
     .metavar = "FILE", .help = "a session policy"},
    {OPTION(struct policy_simulate_options, scp), .name = "scp", .type = OPTION_LIST,
     .metavar = "FILE", .help = "a service control policy; several count as of one level"},
    {OPTION(struct policy_simulate_options, resource_policy), .name = "resource-policy",
     .type = OPTION_TEXT, .metavar = "FILE", .help = "the policy that the resources have"},
    {OPTION(struct policy_simulate_options, role), .name = "role", .type = OPTION_TEXT,
     .metavar = "ARN",
     .help = "ask the cloud about this role's (or user's) own policies, besides those given"},
    {0},
};

enum {
    OUTPUT = 1 << POLICY_SET_OUTPUT,
    SOURCE = 1 << POLICY_SET_SOURCE,
    TABLE = 1 << POLICY_SET_TABLE,
    RECORD = 1 << POLICY_SET_RECORD,
    TEMPLATE = 1 << POLICY_SET_TEMPLATE,
    DERIVE = 1 << POLICY_SET_DERIVE,
    SIMULATE = 1 << POLICY_SET_SIMULATE,
    TARGET = 1 << POLICY_SET_TARGET,
};

static const struct verb_action actions[] = {
    {.name = "derive",
     .run = policy_derive_run,
     .sets = OUTPUT | SOURCE | TEMPLATE | DERIVE | TARGET,
     .max_operands = 1,
     .operands = "TEMPLATE | --from RECORD",
     .summary = "make a policy that allows what a template's deployment takes, or what a run took",
     .details = "Actions and resources are those that are needed, and no others: a wildcard stands "
                "only where\n--generated or --widen puts it. The size is told beside IAM's limits. "
                "A template asks for no cloud.\n\n"
                "    lamina policy derive template.yaml --stack-name app > ci.json\n"
                "    lamina policy derive --from run.json --generated"},
    {.name = "record",
     .run = policy_record_run,
     .sets = OUTPUT | RECORD | TARGET,
     .operands = "-- CMD... | --start | --stop",
     .summary = "keep every decision that the embedded cloud makes while a command runs",
     .details =
         "Equal decisions are one line with a count; 20,000 are kept at most. The exit code is "
         "the command's.\n\n"
         "    lamina policy record -o run.json -- lamina deploy --stack-name app\n"
         "    lamina policy record --start; ...; lamina policy record --stop -o run.json"},
    {.name = "simulate",
     .run = policy_simulate_run,
     .sets = SOURCE | TABLE | TEMPLATE | SIMULATE | TARGET,
     .summary = "tell what policies would deny, and which statement and condition decide",
     .details =
         "Exit code 0 when everything is allowed, 1 when something is denied. With --role or "
         "--target aws\nthe cloud's own simulator is asked.\n\n"
         "    lamina policy simulate -f ci.json --action s3:PutObject --resource "
         "arn:aws:s3:::b/k\n"
         "    lamina policy simulate -f ci.json --template template.yaml --stack-name app\n"
         "    lamina policy simulate -f ci.json --from run.json"},
    {.name = "diff",
     .run = policy_diff_run,
     .sets = SOURCE | TABLE | TARGET,
     .min_operands = 2,
     .max_operands = 2,
     .operands = "A B",
     .summary = "tell what B allows that A does not, and the reverse",
     .details =
         "Decisions are compared, not texts: over all actions of the services known here, those "
         "that\nthe policies name and those of --from, on the resources that the policies "
         "name. Exit code 1 when\nthey differ.\n\n"
         "    lamina policy diff old.json new.json"},
    {0},
};

const struct verb policy_verb = {
    .name = "policy",
    .actions = actions,
    .sets =
        {/* in the order of policy_set */
         {output_rows, sizeof(struct policy_output_options)},
         {source_rows, sizeof(struct policy_source_options)},
         {table_rows, sizeof(struct policy_table_options)},
         {record_rows, sizeof(struct policy_record_options)},
         {template_rows, sizeof(struct policy_template_options)},
         {derive_rows, sizeof(struct policy_derive_options)},
         {simulate_rows, sizeof(struct policy_simulate_options)},
         TARGET_SET},
    .preset = target_preset,
    .operands = "derive TEMPLATE | record -- CMD... | simulate -f FILE | diff A B",
    .min_operands = 1,
    .max_operands = 3,
    .takes_command = true,
    .summary = "derive IAM policies, record what is asked for, simulate what is denied",
};
