/* expect - what a test says of an answer, checked: equality, subsets, paths, types, comparisons.
 * Pure.
 *
 * A matcher is an object whose keys are all of: type, matches, contains, lt, le, gt, ge, eq, ne,
 * exists, length. Any other value is meant literally: it must be equal. */
#pragma once
#include "base/json.h"

struct expect_result {
    struct arena *arena;
    struct str *failures; /* sentences: "$.body.status is \"x\", expected \"y\"" */
    size_t n, cap;
};

void expect_fail(struct expect_result *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* name: what is shown. actual NULL: there is no such value. */
void expect_value(struct expect_result *r, struct str name, const struct json *wanted,
                  const struct json *actual);
/* Every member of wanted must be in actual, and so on below; arrays must be as long. */
void expect_subset(struct expect_result *r, struct str name, const struct json *wanted,
                   const struct json *actual);
/* $.a.b[0]['c d'], $ is the whole; NULL when there is nothing. -EINVAL: not a path. */
int expect_path(const struct json *root, struct str path, const struct json **ret);
bool expect_is_matcher(const struct json *v);
/* A regular expression anywhere in text; false with *why set when the expression is wrong. */
bool expect_matches(struct arena *a, struct str pattern, struct str text, struct str *why);
