/* test_case - cases of a test file: read, checked against an invocation, reported. Pure but for
 * payload_file. */
#pragma once
#include "cli/expect.h"
#include "cli/invocation.h"

struct test_case {
    struct str name, function, qualifier, payload;
    int64_t repeat;
    bool cold;
    const struct json *expect; /* may be NULL */
    int line;
};

struct test_result {
    const struct test_case *test;
    int64_t number; /* of the repetition, from 1 */
    struct invocation invocation;
    struct expect_result checks;
};

/* -EINVAL with *why naming file and line: unknown keys are errors, a misspelt expectation must not
 * pass. */
int test_cases_read(struct arena *a, const struct json *root, struct str file,
                    struct test_case **ret, size_t *ret_n, struct str *why);
void test_case_check(const struct test_case *c, const struct invocation *inv,
                     struct expect_result *ret);

struct json *test_report_json(struct arena *a, const struct test_result *results, size_t n);
struct str test_report_junit(struct arena *a, struct str suite, const struct test_result *results,
                             size_t n, double seconds);
