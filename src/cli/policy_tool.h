/* policy_tool - `lamina policy ...`: what its actions share. A need is one thing that somebody has
 * to be allowed: a line of a record, or what deploying a template takes. */
#pragma once
#include "base/json.h"
#include "cli/verb.h"
#include "service/policy.h"

#define POLICY_MANAGED_MAX 6144 /* characters without blanks, as IAM counts */
#define POLICY_INLINE_MAX 10240

struct policy_output_options {
    struct str output;
};
struct policy_source_options {
    struct str from, principal;
};
struct policy_table_options {
    bool markdown;
};
struct policy_record_options {
    bool start, stop;
};
struct policy_template_options {
    struct str stack_name, s3_bucket, s3_prefix, account;
    struct option_list overrides;
};
struct policy_derive_options {
    struct option_list widen;
    bool generated;
};
struct policy_simulate_options {
    struct option_list policies, boundary, session, scp, actions, resources, context;
    struct str resource_policy, template, role;
};

struct need {
    struct str principal, session; /* absent: of a template */
    struct str action, resource;
    const struct json *context; /* object of lists, or NULL */
    struct str time;            /* when it was asked for: aws:CurrentTime */
    bool allowed;
    int64_t count;
    struct str because; /* of a template: what needs it */
};
struct needs {
    struct need *items;
    size_t n, cap;
};

/* The verb's option sets: places in verb_run.values. */
enum policy_set {
    POLICY_SET_OUTPUT,
    POLICY_SET_SOURCE,
    POLICY_SET_TABLE,
    POLICY_SET_RECORD,
    POLICY_SET_TEMPLATE,
    POLICY_SET_DERIVE,
    POLICY_SET_SIMULATE,
    POLICY_SET_TARGET,
};

/* 0, or an exit code after a message. */
int policy_read_record(struct verb_run *run, struct str path, struct needs *ret);
int policy_read_json(struct verb_run *run, struct str path, struct str *ret_text,
                     struct json **ret);
/* --region, AWS_REGION, AWS_DEFAULT_REGION, us-east-1: partitions of ARNs go by it. */
struct str policy_region(struct verb_run *run);
int policy_read_template(struct verb_run *run, struct str path, struct needs *ret);
/* Writes to --output, or to stdout. */
int policy_write(struct verb_run *run, struct str text);

/* Values of context keys out of a need. */
bool policy_need_value(const struct need *need, struct arena *a, struct str key,
                       struct policy_values *ret);
struct policy_request policy_need_request(struct need *need, struct arena *a);
/* Adds it unless an equal one is there. */
void policy_need_add(struct arena *a, struct needs *needs, const struct need *need);

int policy_derive_run(struct verb_run *run);
int policy_record_run(struct verb_run *run);
int policy_simulate_run(struct verb_run *run);
int policy_simulate_api_run(struct verb_run *run);
int policy_diff_run(struct verb_run *run);
