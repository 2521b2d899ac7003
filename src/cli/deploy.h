/* deploy - what the files of `lamina deploy` share. */
#pragma once
#include "cli/deployment_artifact.h"
#include "cli/package.h"
#include "cli/stacks.h"

struct deploy_options {
    struct str template, stack_name, s3_bucket, s3_prefix, role_arn, action;
    struct option_list overrides, capabilities, tags;
    bool resolve_s3, force_upload, confirm, fail_on_empty, execute, disable_rollback;
};

struct deployment {
    struct verb_run *run;
    const struct deploy_options *o;
    struct arena *a;
    struct aws_client *aws;
    struct progress progress;
    struct str stack_name, path;
    struct json *root;
    struct template_param *params;
    size_t n_params;
    bool exists; /* the stack is there, and not only in review */
    struct cloudformation_stack *stack;
    struct package_result package;
    struct str change_set, stack_id;
    struct deployment_record record;
};

/* deploy_change_set.c: 0, or the verb's exit status with the error told. */

/* A missing value is told before anything is sent. */
int deploy_check_parameters(struct deployment *d);
int deploy_create_change_set(struct deployment *d, struct package_request *q);
/* Waits until it is made, or has failed. */
int deploy_describe_change_set(struct deployment *d,
                               struct cloudformation_describe_change_set_output **ret);
void deploy_show_changes(struct deployment *d,
                         const struct cloudformation_describe_change_set_output *set);
/* Also the stack that only ever was in review. */
void deploy_drop_change_set(struct deployment *d);
