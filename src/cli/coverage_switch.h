/* coverage_switch - coverage of one function turned on and off, by the operations that everybody
 * may call: the same on the embedded cloud and on AWS.
 *
 * On means: the layer after the function's own, AWS_LAMBDA_EXEC_WRAPPER and COVERAGE_* among its
 * variables, and a permission to write objects on its role. What was added is remembered in the
 * function's tag COVERAGE_TAG (names of variables), values that had to give way in one tag each, so
 * that off gives back exactly what was there. The tag is written before the configuration and
 * removed after it: who is interrupted does the rest by doing the same again. */
#pragma once
#include "aws/client.h"
#include "cli/verb.h"
#include "wire/lambda.h"

#define COVERAGE_TAG "lamina:coverage"
/* What native functions have instead of the wrapper: where gcc's and llvm's counters go. */
#define COVERAGE_GCOV_PREFIX "/tmp/.lamina-coverage/gcov"
#define COVERAGE_PROFILE "%c/tmp/.lamina-coverage/%p.profraw"

#define COVERAGE_LAYER_NAME "lamina-python-coverage" /* and lamina-python-coverage-arm64 */

struct coverage_switch {
    struct verb_run *run;
    struct arena *a;
    struct aws_client *aws;
    /* What is wished; absent: as it is, or the default. */
    struct str bucket, prefix, branch, include, exclude, contexts;
    struct str arns[2]; /* the layer's version for each processor, once it was needed */
    bool quiet;         /* says only what went wrong */
    bool any;           /* functions that cannot be covered are named by users, too */
};

/* A function as it is now. */
struct covered {
    struct lambda_function_configuration *config;
    struct lambda_environment_variables variables;
    struct str record; /* value of COVERAGE_TAG; absent: not turned on by us */
    struct lambda_tags tags;
    struct str layer; /* ARN of our layer's version; absent */
    struct str architecture;
    bool native;      /* its runtime is a program of its own: wrappers are not for it */
    bool has_wrapper; /* AWS_LAMBDA_EXEC_WRAPPER is ours; native: its counters go where we look */
};

/* Waits until the function is at rest. -errno with *err. */
int covered_read(struct coverage_switch *s, struct str function, struct covered *ret,
                 struct aws_error *err);
struct str covered_variable(const struct covered *c, const char *name); /* absent */
/* Why it cannot be covered at all: an image, another language; absent when it can. */
struct str covered_obstacle(struct coverage_switch *s, const struct covered *c);
/* The newest object of the last seven days, not older than since_ms: its key and time, or "".
 * -errno with *err. */
int covered_newest(struct coverage_switch *s, const struct covered *c, int64_t since_ms,
                   struct str *ret_key, int64_t *ret_ms, struct aws_error *err);
/* Set up by its template or by hand: left alone. */
bool covered_by_itself(const struct covered *c);
/* Empty when it is on; otherwise what is missing. */
struct str covered_missing(struct coverage_switch *s, const struct covered *c);

/* What happened: "on", "on already", "off", "off already". 0, or an exit code after a message. */
int coverage_switch_on(struct coverage_switch *s, struct covered *c, struct str *ret_what);
int coverage_switch_off(struct coverage_switch *s, struct covered *c, struct str *ret_what);

/* Functions that the verb's operands from the first-th on name: functions, stacks, all. Those of a
 * stack, or all, that cannot be covered are told by name and left out. */
int coverage_targets(struct coverage_switch *s, size_t first, struct covered **ret, size_t *ret_n);
/* The functions of a stack (may be absent), and those of these names; what cannot be covered is
 * told and left out. */
int coverage_targets_of(struct coverage_switch *s, struct str stack, const struct str *names,
                        size_t n_names, struct covered **ret, size_t *ret_n);

/* The bucket with its settings: encrypted, private, versioned, objects removed in time. Made when
 * it is missing. 0, or an exit code after a message. */
int coverage_bucket_make(struct coverage_switch *s, struct str bucket);
/* The role may write objects below bucket/prefix; *ret_told: it was not permitted to say so, and
 * what to do has been told. */
int coverage_permit(struct coverage_switch *s, const struct covered *c, struct str bucket,
                    struct str prefix, bool *ret_told);
int coverage_forbid(struct coverage_switch *s, const struct covered *c);
