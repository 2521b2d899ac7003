/* test_coverage - `lamina test --coverage`: functions are covered while their cases run. */
#pragma once
#include "cli/coverage_switch.h"

struct test_coverage {
    struct coverage_switch s;
    struct covered *functions;
    bool *switched; /* by us: off again at the end */
    size_t n;
    struct str stack;
    struct str prefix; /* where this run's objects go */
    int64_t began_ms;
};

/* Functions of the stack, and those named, are covered from here on; those that are covered already
 * stay as they are. 0, or an exit code after a message: nothing is left switched then. */
int test_coverage_begin(struct verb_run *run, struct aws_client *aws, struct str stack,
                        const struct str *names, size_t n, struct test_coverage *ret);
/* Whether a function, as it is called, was covered before and still is. */
bool test_coverage_stays(const struct test_coverage *t, struct str function);
/* One case that was run: contexts are called by its name. */
struct test_coverage_case {
    struct str name, function, request_id;
};
/* Waits for what was executed, shows it (report: on stdout; otherwise stderr), and gives functions
 * their configuration back. 0, or an exit code after a message. */
int test_coverage_end(struct test_coverage *t, const struct test_coverage_case *cases, size_t n,
                      bool report);
/* Only gives configurations back. */
int test_coverage_abandon(struct test_coverage *t);
