/* provider_iam_holders - who holds policies: the same steps for roles, users and groups. */
#include "service/cloudformation/provider_iam.h"
#include "wire/iam.h"

/* Their operations differ in nothing but the word. */
#define HOLDER(word)                                                                               \
    static void word##_put(struct task *t, struct str name, struct str policy,                     \
                           struct str document)                                                    \
    {                                                                                              \
        struct iam_put_##word##_policy_input *in = TASK_IN(t, iam_put_##word##_policy_input);      \
        in->word##_name = name;                                                                    \
        in->policy_name = policy;                                                                  \
        in->policy_document = document;                                                            \
        task_step(t, &iam_put_##word##_policy_op, in);                                             \
    }                                                                                              \
    static void word##_drop(struct task *t, struct str name, struct str policy)                    \
    {                                                                                              \
        struct iam_delete_##word##_policy_input *in =                                              \
            TASK_IN(t, iam_delete_##word##_policy_input);                                          \
        in->word##_name = name;                                                                    \
        in->policy_name = policy;                                                                  \
        task_step(t, &iam_delete_##word##_policy_op, in)->ignore = IAM_MISSING;                    \
    }                                                                                              \
    static void word##_attach(struct task *t, struct str name, struct str arn)                     \
    {                                                                                              \
        struct iam_attach_##word##_policy_input *in =                                              \
            TASK_IN(t, iam_attach_##word##_policy_input);                                          \
        in->word##_name = name;                                                                    \
        in->policy_arn = arn;                                                                      \
        task_step(t, &iam_attach_##word##_policy_op, in);                                          \
    }                                                                                              \
    static void word##_detach(struct task *t, struct str name, struct str arn)                     \
    {                                                                                              \
        struct iam_detach_##word##_policy_input *in =                                              \
            TASK_IN(t, iam_detach_##word##_policy_input);                                          \
        in->word##_name = name;                                                                    \
        in->policy_arn = arn;                                                                      \
        task_step(t, &iam_detach_##word##_policy_op, in)->ignore = IAM_MISSING;                    \
    }

HOLDER(role)
HOLDER(user)
HOLDER(group)

const struct iam_holder iam_holders[] = {
    {"Roles", role_put, role_drop, role_attach, role_detach},
    {"Users", user_put, user_drop, user_attach, user_detach},
    {"Groups", group_put, group_drop, group_attach, group_detach},
    {0},
};
const struct iam_holder *const iam_holder_role = &iam_holders[0],
                               *const iam_holder_user = &iam_holders[1],
                               *const iam_holder_group = &iam_holders[2];

bool iam_list_holds(struct arena *a, const struct json *list, struct str value)
{
    JSON_EACH(list, v)
        if (str_eq(props_text(a, v), value))
            return true;
    return false;
}

static const struct json *policy_named(struct arena *a, const struct json *list, struct str name)
{
    JSON_EACH(list, v)
        if (str_eq(props_get(a, v, "PolicyName"), name))
            return v;
    return NULL;
}

void iam_put_policy(struct task *t, const struct iam_holder *h, struct str name,
                    const struct json *policy)
{
    h->put(t, name, props_get(t->arena, policy, "PolicyName"),
           task_policy_text(t, json_get(policy, "PolicyDocument")));
}

void iam_policies_create(struct task *t, const struct iam_holder *h, struct str name)
{
    JSON_EACH(json_get(t->props, "ManagedPolicyArns"), arn)
        h->attach(t, name, props_text(t->arena, arn));
    JSON_EACH(json_get(t->props, "Policies"), policy)
        iam_put_policy(t, h, name, policy);
}

void iam_policies_update(struct task *t, const struct iam_holder *h, struct str name)
{
    struct arena *a = t->arena;
    const struct json *arns = json_get(t->props, "ManagedPolicyArns"),
                      *old_arns = json_get(t->old_props, "ManagedPolicyArns"),
                      *policies = json_get(t->props, "Policies"),
                      *old_policies = json_get(t->old_props, "Policies");
    JSON_EACH(old_arns, arn)
        if (!iam_list_holds(a, arns, props_text(a, arn)))
            h->detach(t, name, props_text(a, arn));
    JSON_EACH(arns, arn)
        if (!iam_list_holds(a, old_arns, props_text(a, arn)))
            h->attach(t, name, props_text(a, arn));
    JSON_EACH(old_policies, policy)
        if (!policy_named(a, policies, props_get(a, policy, "PolicyName")))
            h->drop(t, name, props_get(a, policy, "PolicyName"));
    JSON_EACH(policies, policy) {
        const struct json *old = policy_named(a, old_policies, props_get(a, policy, "PolicyName"));
        if (!old || !json_equal(old, policy))
            iam_put_policy(t, h, name, policy);
    }
}

void iam_policies_remove(struct task *t, const struct iam_holder *h, struct str name)
{
    JSON_EACH(json_get(t->old_props, "ManagedPolicyArns"), arn)
        h->detach(t, name, props_text(t->arena, arn));
    JSON_EACH(json_get(t->old_props, "Policies"), policy)
        h->drop(t, name, props_get(t->arena, policy, "PolicyName"));
}
