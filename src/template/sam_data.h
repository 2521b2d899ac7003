/* template/sam_data - what SAM knows by name: policy templates and AWS-managed policies. */
#pragma once
#include <stddef.h>

/* A row of zeros ends each table. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

struct sam_policy_template {
    const char *name;
    const char *parameters; /* names, a blank between them */
    const char *definition; /* JSON with ' for " */
};
extern const struct sam_policy_template sam_policy_templates[];

enum { IN_AWS = 1, IN_AWS_CN = 2, IN_AWS_US_GOV = 4, IN_AWS_EUSC = 8 };

struct sam_managed_policy {
    const char *name;
    const char *path; /* between "policy/" and the name */
    int partitions;
};
extern const struct sam_managed_policy sam_managed_policies[]; /* sorted by name */
