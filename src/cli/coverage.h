/* coverage - `lamina coverage ACTION`: the options that its actions share, and their list. */
#pragma once
#include "aws/client.h"
#include "cli/verb.h"

#define COVERAGE_PREFIX "coverage/" /* COVERAGE_S3_PREFIX unless given */

/* Where functions' objects are, and which functions are meant. */
struct coverage_options {
    struct str stack_name, bucket, prefix;
    bool branch;
    struct option_list include, exclude;
};
extern const struct verb_action coverage_actions[];
extern const struct option_row coverage_rows[];
const struct coverage_options *coverage_options_of(const struct verb_run *run);

/* An action; operands[0] of the verb is its name. */
int coverage_enable_run(struct verb_run *run);
int coverage_disable_run(struct verb_run *run);
int coverage_status_run(struct verb_run *run);
int coverage_helper_run(struct verb_run *run);

/* The bucket in which this account keeps its coverage in this region, unless one is named:
 * lamina-coverage-ACCOUNT-REGION. 0 or an exit code after a message. */
int coverage_default_bucket(struct verb_run *run, struct aws_client *aws, struct str *ret);
