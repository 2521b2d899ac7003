/* managed - the policies that AWS itself provides, as far as Lamina knows their documents. */
#pragma once
#include "base/str.h"

struct managed_policy {
    const char *path; /* "/service-role/" */
    const char *name;
    const char *id; /* ANPA... */
    const char *version;
    const char *description;
    const char *document;
};

extern const struct managed_policy managed_policies[]; /* name NULL ends; sorted by nothing */
/* By arn:aws:iam::aws:policy/PATH/NAME; NULL. */
const struct managed_policy *managed_policy_find(struct str arn);
