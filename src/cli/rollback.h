/* rollback - back to a recorded deployment. Shared by rollback.c (the verb), rollback_function.c
 * (one function put back), rollback_stack.c (a stack, by a change set), rollback_verify.c
 * (comparing, invoking) and rollback_report.c (what was done, told and written). */
#pragma once
#include "cli/deployment_artifact.h"
#include "wire/lambda.h"

enum rollback_state { ROLLBACK_PLANNED, ROLLBACK_DONE, ROLLBACK_FAILED };

/* One change, in the order in which they are made. */
struct rollback_step {
    struct str where, what, from, to, how;
    enum rollback_state state;
    struct str error;
};

struct rollback_options {
    struct str to, s3_bucket, s3_prefix, tests, report;
    struct option_list verify, overrides;
    bool plan, yes;
};

struct rollback {
    struct verb_run *run;
    const struct rollback_options *o;
    struct arena *a;
    struct aws_client *aws;
    struct deployment_query query;
    struct str name;
    struct json *target; /* the record to return to */
    bool stack, exists;
    struct str stack_id;
    struct deployment_record record; /* of the rollback itself */
    struct rollback_step *steps;
    size_t n_steps, cap_steps;
    struct str *notes, *obstacles;
    size_t n_notes, cap_notes, n_obstacles, cap_obstacles;
    struct json *validation;
    bool planned; /* what is shown is yet to be asked about */
    bool valid;   /* everything that was verified is as it should be */
};

struct rollback_step *rollback_step(struct rollback *r, struct str where, struct str what,
                                    struct str from, struct str to, struct str how);
void rollback_note(struct rollback *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void rollback_obstacle(struct rollback *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Differences that no operation of ours puts back, and that are no part of what was deployed. */
bool rollback_is_beyond(const struct deployment_change *c);

/* One function: the steps from `now` to `want` (entries of records), which are added to r->steps;
 * with `make` they are carried out as well. by_content: as for deployment_diff_function(). 0, or 1
 * after what failed is in its step. */
int rollback_function(struct rollback *r, const struct json *want, const struct json *now,
                      bool by_content, bool make);
/* Is the code that it needs still there? Adds obstacles. */
void rollback_check_function(struct rollback *r, const struct json *want, const struct json *now);

/* What a step came to: 0, or 1 with the error in it. */
int rollback_done(struct rollback *r, struct rollback_step *step, bool make, int e,
                  const struct aws_error *err);
/* A change of tags, retries, addresses, provisioned concurrency, permissions; 0 for others. As
 * rollback_function(). */
int rollback_setting(struct rollback *r, const struct json *want, const struct json *now,
                     const struct deployment_change *c, bool make);
/* It is one of an alias that the record does not have: nobody's loss. */
bool rollback_setting_stays(const struct json *want, const struct deployment_change *c);
void rollback_check_settings(struct rollback *r, const struct json *want, const struct json *now,
                             bool by_content);

/* 0, or an exit code after a message. */
int rollback_plan_stack(struct rollback *r);
int rollback_make_stack(struct rollback *r);
/* The function of the stack that an entry means, as it is now; NULL: it is not there. */
int rollback_now(struct rollback *r, const struct json *want, struct json **ret);
/* The entry with the names that the stack's resources have now. */
const struct json *rollback_wanted(struct rollback *r, const struct json *want);

/* Compares and invokes; fills r->validation and r->valid. An exit code after a message. */
int rollback_verify(struct rollback *r);

void rollback_show(struct rollback *r);
struct json *rollback_report_json(struct rollback *r, const char *result);
/* Both files; an exit code after a message. */
int rollback_report_write(struct rollback *r, const char *result);
