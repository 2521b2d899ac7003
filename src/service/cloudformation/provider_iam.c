/* provider_iam - AWS::IAM::Role, Policy and ManagedPolicy. */
#include <errno.h>
#include "service/cloudformation/provider_iam.h"
#include "wire/iam.h"

/* ---- AWS::IAM::Role ---- */

static int role_made(struct task *t, struct call *answer)
{
    const struct iam_create_role_output *out = answer->out;
    t->physical_id = out->role->role_name;
    task_attribute(t, "Arn", out->role->arn);
    task_attribute(t, "RoleId", out->role->role_id);
    return 0;
}

static int role_create(struct task *t)
{
    struct iam_create_role_input *in = TASK_IN(t, iam_create_role_input);
    int r = task_fill(t, operation_input(&iam_create_role_op), t->props, in);
    if (r < 0)
        return r;
    in->role_name = task_name_or(t, "RoleName", 64, false);
    const struct json *tags = task_tags(t, "Tags", false);
    in->tags.items = ARENA_ARRAY(t->arena, struct iam_tag, tags->n + 1);
    in->tags.n = 0;
    JSON_EACH(tags, tag)
        in->tags.items[in->tags.n++] =
            (struct iam_tag){json_get_str(tag, "Key"), json_get_str(tag, "Value")};
    task_step(t, &iam_create_role_op, in)->result = role_made;
    iam_policies_create(t, iam_holder_role, in->role_name);
    return 0;
}

static void role_tags(struct task *t, struct str role)
{
    struct iam_untag_role_input *un = TASK_IN(t, iam_untag_role_input);
    struct iam_tag_role_input *in = TASK_IN(t, iam_tag_role_input);
    struct json *gone, *now;
    task_tag_changes(t, "Tags", &gone, &now);
    un->role_name = in->role_name = role;
    un->tag_keys.items = ARENA_ARRAY(t->arena, struct str, gone->n + 1);
    in->tags.items = ARENA_ARRAY(t->arena, struct iam_tag, now->n + 1);
    JSON_EACH(gone, key)
        un->tag_keys.items[un->tag_keys.n++] = key->text;
    JSON_EACH(now, tag)
        in->tags.items[in->tags.n++] =
            (struct iam_tag){json_get_str(tag, "Key"), json_get_str(tag, "Value")};
    if (un->tag_keys.n)
        task_step(t, &iam_untag_role_op, un);
    if (in->tags.n)
        task_step(t, &iam_tag_role_op, in);
}

static int role_update(struct task *t)
{
    struct str role = t->physical_id;
    if (task_changed(t, "AssumeRolePolicyDocument")) {
        struct iam_update_assume_role_policy_input *in =
            TASK_IN(t, iam_update_assume_role_policy_input);
        in->role_name = role;
        in->policy_document = task_policy_text(t, json_get(t->props, "AssumeRolePolicyDocument"));
        task_step(t, &iam_update_assume_role_policy_op, in);
    }
    if (task_changed(t, "Description") || task_changed(t, "MaxSessionDuration")) {
        struct iam_update_role_input *in = TASK_IN(t, iam_update_role_input);
        int r = task_fill(t, operation_input(&iam_update_role_op), t->props, in);
        if (r < 0)
            return r;
        in->role_name = role;
        if (!str_has(in->description))
            in->description = S("");
        if (!in->max_session_duration.has)
            in->max_session_duration = opt_int(3600);
        task_step(t, &iam_update_role_op, in);
    }
    iam_policies_update(t, iam_holder_role, role);
    if (task_changed(t, "PermissionsBoundary")) {
        struct str arn = task_prop(t, "PermissionsBoundary");
        if (str_has(arn)) {
            struct iam_put_role_permissions_boundary_input *in =
                TASK_IN(t, iam_put_role_permissions_boundary_input);
            in->role_name = role;
            in->permissions_boundary = arn;
            task_step(t, &iam_put_role_permissions_boundary_op, in);
        } else {
            struct iam_delete_role_permissions_boundary_input *in =
                TASK_IN(t, iam_delete_role_permissions_boundary_input);
            in->role_name = role;
            task_step(t, &iam_delete_role_permissions_boundary_op, in);
        }
    }
    if (task_tags_changed(t, "Tags"))
        role_tags(t, role);
    return 0;
}

static int role_remove(struct task *t)
{
    struct str role = t->physical_id;
    iam_policies_remove(t, iam_holder_role, role);
    struct iam_delete_role_input *in = TASK_IN(t, iam_delete_role_input);
    in->role_name = role;
    task_step(t, &iam_delete_role_op, in)->ignore = IAM_MISSING;
    return 0;
}

/* ---- AWS::IAM::Policy: an inline policy in roles, users and groups ---- */

static int somebody(struct task *t)
{
    for (const struct iam_holder *h = iam_holders; h->list; h++) {
        const struct json *names = json_get(t->props, h->list);
        if (names && names->n)
            return 0;
    }
    return task_fail(t, "At least one of [Groups,Roles,Users] must be non-empty.");
}

static int inline_create(struct task *t)
{
    int r = somebody(t);
    if (r < 0)
        return r;
    for (const struct iam_holder *h = iam_holders; h->list; h++)
        JSON_EACH(json_get(t->props, h->list), name)
            iam_put_policy(t, h, props_text(t->arena, name), t->props);
    t->physical_id = task_name(t, 128, false);
    return 0;
}

static int inline_update(struct task *t)
{
    struct arena *a = t->arena;
    int r = somebody(t);
    if (r < 0)
        return r;
    struct str policy = task_prop(t, "PolicyName"), old_policy = task_old_prop(t, "PolicyName");
    for (const struct iam_holder *h = iam_holders; h->list; h++) {
        const struct json *names = json_get(t->props, h->list);
        JSON_EACH(json_get(t->old_props, h->list), name)
            if (!str_eq(policy, old_policy) || !iam_list_holds(a, names, props_text(a, name)))
                h->drop(t, props_text(a, name), old_policy);
        JSON_EACH(names, name)
            iam_put_policy(t, h, props_text(a, name), t->props);
    }
    return 0;
}

static int inline_remove(struct task *t)
{
    for (const struct iam_holder *h = iam_holders; h->list; h++)
        JSON_EACH(json_get(t->old_props, h->list), name)
            h->drop(t, props_text(t->arena, name), task_old_prop(t, "PolicyName"));
    return 0;
}

/* ---- AWS::IAM::ManagedPolicy ---- */

static int managed_made(struct task *t, struct call *answer)
{
    const struct iam_create_policy_output *out = answer->out;
    t->physical_id = out->policy->arn;
    task_attribute(t, "PolicyArn", out->policy->arn);
    task_attribute(t, "PolicyId", out->policy->policy_id);
    return 0;
}

static int managed_create(struct task *t)
{
    struct iam_create_policy_input *in = TASK_IN(t, iam_create_policy_input);
    int r = task_fill(t, operation_input(&iam_create_policy_op), t->props, in);
    if (r < 0)
        return r;
    in->policy_name = task_name_or(t, "ManagedPolicyName", 128, false);
    task_step(t, &iam_create_policy_op, in)->result = managed_made;
    struct str path = str_has(in->path) ? in->path : S("/");
    struct str arn = str_printf(t->arena, "arn:aws:iam::%.*s:policy%.*s%.*s", STR(t->call->account),
                                STR(path), STR(in->policy_name));
    for (const struct iam_holder *h = iam_holders; h->list; h++)
        JSON_EACH(json_get(t->props, h->list), name)
            h->attach(t, props_text(t->arena, name), arn);
    return 0;
}

static int managed_update(struct task *t)
{
    struct arena *a = t->arena;
    if (task_changed(t, "PolicyDocument")) {
        struct iam_create_policy_version_input *in = TASK_IN(t, iam_create_policy_version_input);
        in->policy_arn = t->physical_id;
        in->policy_document = task_policy_text(t, json_get(t->props, "PolicyDocument"));
        in->set_as_default = opt_bool(true);
        task_step(t, &iam_create_policy_version_op, in);
    }
    for (const struct iam_holder *h = iam_holders; h->list; h++) {
        const struct json *names = json_get(t->props, h->list),
                          *old = json_get(t->old_props, h->list);
        JSON_EACH(old, name)
            if (!iam_list_holds(a, names, props_text(a, name)))
                h->detach(t, props_text(a, name), t->physical_id);
        JSON_EACH(names, name)
            if (!iam_list_holds(a, old, props_text(a, name)))
                h->attach(t, props_text(a, name), t->physical_id);
    }
    return 0;
}

/* A policy with several versions must lose the others first. */
static int versions_listed(struct task *t, struct call *answer)
{
    const struct iam_list_policy_versions_output *out = answer->out;
    if (!out)
        return 0;
    size_t at = t->at + 1; /* the deletions go in front of DeletePolicy, which is the last step */
    struct step last = t->steps[at];
    t->n_steps = at;
    for (size_t i = 0; i < out->versions.n; i++) {
        if (out->versions.items[i].is_default_version.is)
            continue;
        struct iam_delete_policy_version_input *in = TASK_IN(t, iam_delete_policy_version_input);
        in->policy_arn = t->physical_id;
        in->version_id = out->versions.items[i].version_id;
        task_step(t, &iam_delete_policy_version_op, in)->ignore = IAM_MISSING;
    }
    *task_step(t, last.op, last.in) = last;
    return 0;
}

static int managed_remove(struct task *t)
{
    for (const struct iam_holder *h = iam_holders; h->list; h++)
        JSON_EACH(json_get(t->old_props, h->list), name)
            h->detach(t, props_text(t->arena, name), t->physical_id);
    struct iam_list_policy_versions_input *list = TASK_IN(t, iam_list_policy_versions_input);
    list->policy_arn = t->physical_id;
    struct step *s = task_step(t, &iam_list_policy_versions_op, list);
    s->ignore = IAM_MISSING;
    s->result = versions_listed;
    struct iam_delete_policy_input *in = TASK_IN(t, iam_delete_policy_input);
    in->policy_arn = t->physical_id;
    task_step(t, &iam_delete_policy_op, in)->ignore = IAM_MISSING;
    return 0;
}

const struct provider iam_providers[] = {
    {"AWS::IAM::Role", role_create, role_update, role_remove},
    {"AWS::IAM::Policy", inline_create, inline_update, inline_remove},
    {"AWS::IAM::ManagedPolicy", managed_create, managed_update, managed_remove},
    {0},
};
