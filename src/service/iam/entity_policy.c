/* entity_policy - inline and attached policies of roles, users and groups. */
#include "service/iam/entity.h"

static int put_role_policy(struct call *call, const struct iam_put_role_policy_input *in, void *out)
{
    return entity_put_policy(call, &iam_roles, in->role_name, in->policy_name, in->policy_document);
}

static int get_role_policy(struct call *call, const struct iam_get_role_policy_input *in,
                           struct iam_get_role_policy_output *out)
{
    out->policy_name = in->policy_name;
    return entity_get_policy(call, &iam_roles, in->role_name, in->policy_name, &out->role_name,
                             &out->policy_document);
}

static int delete_role_policy(struct call *call, const struct iam_delete_role_policy_input *in,
                              void *out)
{
    return entity_delete_policy(call, &iam_roles, in->role_name, in->policy_name);
}

static int list_role_policies(struct call *call, const struct iam_list_role_policies_input *in,
                              struct iam_list_role_policies_output *out)
{
    struct page page = {in->marker, in->max_items};
    return entity_list_policies(call, &iam_roles, in->role_name, &page, &out->policy_names,
                                &out->is_truncated, &out->marker);
}

static int attach_role_policy(struct call *call, const struct iam_attach_role_policy_input *in,
                              void *out)
{
    return entity_attach(call, &iam_roles, in->role_name, in->policy_arn);
}

static int detach_role_policy(struct call *call, const struct iam_detach_role_policy_input *in,
                              void *out)
{
    return entity_detach(call, &iam_roles, in->role_name, in->policy_arn);
}

static int list_attached_role_policies(struct call *call,
                                       const struct iam_list_attached_role_policies_input *in,
                                       struct iam_list_attached_role_policies_output *out)
{
    struct page page = {in->marker, in->max_items};
    return entity_list_attached(call, &iam_roles, in->role_name, in->path_prefix, &page,
                                &out->attached_policies, &out->is_truncated, &out->marker);
}

static int put_user_policy(struct call *call, const struct iam_put_user_policy_input *in, void *out)
{
    return entity_put_policy(call, &iam_users, in->user_name, in->policy_name, in->policy_document);
}

static int get_user_policy(struct call *call, const struct iam_get_user_policy_input *in,
                           struct iam_get_user_policy_output *out)
{
    out->policy_name = in->policy_name;
    return entity_get_policy(call, &iam_users, in->user_name, in->policy_name, &out->user_name,
                             &out->policy_document);
}

static int delete_user_policy(struct call *call, const struct iam_delete_user_policy_input *in,
                              void *out)
{
    return entity_delete_policy(call, &iam_users, in->user_name, in->policy_name);
}

static int list_user_policies(struct call *call, const struct iam_list_user_policies_input *in,
                              struct iam_list_user_policies_output *out)
{
    struct page page = {in->marker, in->max_items};
    return entity_list_policies(call, &iam_users, in->user_name, &page, &out->policy_names,
                                &out->is_truncated, &out->marker);
}

static int attach_user_policy(struct call *call, const struct iam_attach_user_policy_input *in,
                              void *out)
{
    return entity_attach(call, &iam_users, in->user_name, in->policy_arn);
}

static int detach_user_policy(struct call *call, const struct iam_detach_user_policy_input *in,
                              void *out)
{
    return entity_detach(call, &iam_users, in->user_name, in->policy_arn);
}

static int list_attached_user_policies(struct call *call,
                                       const struct iam_list_attached_user_policies_input *in,
                                       struct iam_list_attached_user_policies_output *out)
{
    struct page page = {in->marker, in->max_items};
    return entity_list_attached(call, &iam_users, in->user_name, in->path_prefix, &page,
                                &out->attached_policies, &out->is_truncated, &out->marker);
}

static int put_group_policy(struct call *call, const struct iam_put_group_policy_input *in,
                            void *out)
{
    return entity_put_policy(call, &iam_groups, in->group_name, in->policy_name,
                             in->policy_document);
}

static int get_group_policy(struct call *call, const struct iam_get_group_policy_input *in,
                            struct iam_get_group_policy_output *out)
{
    out->policy_name = in->policy_name;
    return entity_get_policy(call, &iam_groups, in->group_name, in->policy_name, &out->group_name,
                             &out->policy_document);
}

static int delete_group_policy(struct call *call, const struct iam_delete_group_policy_input *in,
                               void *out)
{
    return entity_delete_policy(call, &iam_groups, in->group_name, in->policy_name);
}

static int list_group_policies(struct call *call, const struct iam_list_group_policies_input *in,
                               struct iam_list_group_policies_output *out)
{
    struct page page = {in->marker, in->max_items};
    return entity_list_policies(call, &iam_groups, in->group_name, &page, &out->policy_names,
                                &out->is_truncated, &out->marker);
}

static int attach_group_policy(struct call *call, const struct iam_attach_group_policy_input *in,
                               void *out)
{
    return entity_attach(call, &iam_groups, in->group_name, in->policy_arn);
}

static int detach_group_policy(struct call *call, const struct iam_detach_group_policy_input *in,
                               void *out)
{
    return entity_detach(call, &iam_groups, in->group_name, in->policy_arn);
}

static int list_attached_group_policies(struct call *call,
                                        const struct iam_list_attached_group_policies_input *in,
                                        struct iam_list_attached_group_policies_output *out)
{
    struct page page = {in->marker, in->max_items};
    return entity_list_attached(call, &iam_groups, in->group_name, in->path_prefix, &page,
                                &out->attached_policies, &out->is_truncated, &out->marker);
}

const struct handler iam_entity_policy_handlers[] = {
    {iam_put_role_policy_run(put_role_policy), .resource = "role/{RoleName}"},
    {iam_get_role_policy_run(get_role_policy), .resource = "role/{RoleName}"},
    {iam_delete_role_policy_run(delete_role_policy), .resource = "role/{RoleName}"},
    {iam_list_role_policies_run(list_role_policies), .resource = "role/{RoleName}"},
    {iam_attach_role_policy_run(attach_role_policy), .resource = "role/{RoleName}"},
    {iam_detach_role_policy_run(detach_role_policy), .resource = "role/{RoleName}"},
    {iam_list_attached_role_policies_run(list_attached_role_policies),
     .resource = "role/{RoleName}"},
    {iam_put_user_policy_run(put_user_policy), .resource = "user/{UserName}"},
    {iam_get_user_policy_run(get_user_policy), .resource = "user/{UserName}"},
    {iam_delete_user_policy_run(delete_user_policy), .resource = "user/{UserName}"},
    {iam_list_user_policies_run(list_user_policies), .resource = "user/{UserName}"},
    {iam_attach_user_policy_run(attach_user_policy), .resource = "user/{UserName}"},
    {iam_detach_user_policy_run(detach_user_policy), .resource = "user/{UserName}"},
    {iam_list_attached_user_policies_run(list_attached_user_policies),
     .resource = "user/{UserName}"},
    {iam_put_group_policy_run(put_group_policy), .resource = "group/{GroupName}"},
    {iam_get_group_policy_run(get_group_policy), .resource = "group/{GroupName}"},
    {iam_delete_group_policy_run(delete_group_policy), .resource = "group/{GroupName}"},
    {iam_list_group_policies_run(list_group_policies), .resource = "group/{GroupName}"},
    {iam_attach_group_policy_run(attach_group_policy), .resource = "group/{GroupName}"},
    {iam_detach_group_policy_run(detach_group_policy), .resource = "group/{GroupName}"},
    {iam_list_attached_group_policies_run(list_attached_group_policies),
     .resource = "group/{GroupName}"},
    {0},
};
