/* provider_iam - inline and managed policies of roles, users and groups, as steps: what the types
 * of AWS::IAM share. */
#pragma once
#include "service/cloudformation/provider.h"

#define IAM_MISSING "NoSuchEntity"

struct iam_holder {
    const char *list; /* the property of policies that names them: "Roles" */
    void (*put)(struct task *t, struct str name, struct str policy, struct str document);
    void (*drop)(struct task *t, struct str name, struct str policy); /* missing is fine */
    void (*attach)(struct task *t, struct str name, struct str arn);
    void (*detach)(struct task *t, struct str name, struct str arn); /* missing is fine */
};
extern const struct iam_holder iam_holders[]; /* end: list NULL */
extern const struct iam_holder *const iam_holder_role, *const iam_holder_user,
                                                           *const iam_holder_group;
extern const struct provider iam_user_providers[]; /* end: type NULL */

/* PolicyName and PolicyDocument of a property. */
void iam_put_policy(struct task *t, const struct iam_holder *h, struct str name,
                    const struct json *policy);
/* All of ManagedPolicyArns and Policies: given, changed, taken away. */
void iam_policies_create(struct task *t, const struct iam_holder *h, struct str name);
void iam_policies_update(struct task *t, const struct iam_holder *h, struct str name);
void iam_policies_remove(struct task *t, const struct iam_holder *h, struct str name);
/* Is the text in the list (NULL: empty)? */
bool iam_list_holds(struct arena *a, const struct json *list, struct str value);
