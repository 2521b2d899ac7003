/* role_policy - what a role may do: inline policies, and managed ones attached to it. */
#include <errno.h>
#include "service/iam/iam.h"

#define INLINE_MAX 10240
#define ATTACHED_MAX 10

static ssize_t find_inline(const struct iam_role_record *role, struct str name)
{
    for (size_t i = 0; i < role->inline_policies.n; i++)
        if (str_eq(role->inline_policies.items[i].name, name))
            return (ssize_t)i;
    return -1;
}

static int put_role_policy(struct call *call, const struct iam_put_role_policy_input *in, void *out)
{
    struct iam_role_record role;
    int r = role_get(call, in->role_name, &role);
    if (r == 0)
        r = iam_document_check(call, POLICY_IDENTITY, in->policy_document);
    if (r < 0)
        return r;
    size_t n = role.inline_policies.n;
    struct iam_inline_policy_record *items =
        ARENA_ARRAY(call->arena, struct iam_inline_policy_record, n + 1);
    if (n)
        memcpy(items, role.inline_policies.items, n * sizeof(*items));
    ssize_t at = find_inline(&role, in->policy_name);
    if (at < 0)
        at = (ssize_t)n++;
    items[at] =
        (struct iam_inline_policy_record){.name = in->policy_name, .document = in->policy_document};
    size_t size = 0;
    for (size_t i = 0; i < n; i++)
        size += iam_document_size(items[i].document);
    if (size > INLINE_MAX)
        return call_fail(call, IAM_LIMIT_EXCEEDED,
                         "Maximum policy size of %d bytes exceeded for role %.*s", INLINE_MAX,
                         STR(in->role_name));
    role.inline_policies.items = items;
    role.inline_policies.n = n;
    return role_save(call, &role);
}

static int no_inline(struct call *call, struct str name)
{
    return call_fail(call, IAM_NO_SUCH_ENTITY, "The role policy with name %.*s cannot be found.",
                     STR(name));
}

static int get_role_policy(struct call *call, const struct iam_get_role_policy_input *in,
                           struct iam_get_role_policy_output *out)
{
    struct iam_role_record role;
    int r = role_get(call, in->role_name, &role);
    if (r < 0)
        return r;
    ssize_t at = find_inline(&role, in->policy_name);
    if (at < 0)
        return no_inline(call, in->policy_name);
    out->role_name = role.role_name;
    out->policy_name = in->policy_name;
    out->policy_document = iam_document_out(call, role.inline_policies.items[at].document);
    return 0;
}

static int delete_role_policy(struct call *call, const struct iam_delete_role_policy_input *in,
                              void *out)
{
    struct iam_role_record role;
    int r = role_get(call, in->role_name, &role);
    if (r < 0)
        return r;
    ssize_t at = find_inline(&role, in->policy_name);
    if (at < 0)
        return no_inline(call, in->policy_name);
    struct iam_inline_policy_record *items = role.inline_policies.items;
    memmove(&items[at], &items[at + 1], (--role.inline_policies.n - (size_t)at) * sizeof(*items));
    return role_save(call, &role);
}

static int list_role_policies(struct call *call, const struct iam_list_role_policies_input *in,
                              struct iam_list_role_policies_output *out)
{
    struct iam_role_record role;
    struct page page = {in->marker, in->max_items};
    size_t from, to;
    int r = role_get(call, in->role_name, &role);
    if (r == 0)
        r = page_cut(call, &page, role.inline_policies.n, &from, &to, &out->is_truncated,
                     &out->marker);
    if (r < 0)
        return r;
    out->policy_names.items = ARENA_ARRAY(call->arena, struct str, to - from + 1);
    for (size_t i = from; i < to; i++)
        out->policy_names.items[out->policy_names.n++] = role.inline_policies.items[i].name;
    return 0;
}

static ssize_t find_attached(const struct iam_role_record *role, struct str arn)
{
    for (size_t i = 0; i < role->attached.n; i++)
        if (str_eq(role->attached.items[i], arn))
            return (ssize_t)i;
    return -1;
}

static int attach_role_policy(struct call *call, const struct iam_attach_role_policy_input *in,
                              void *out)
{
    struct iam_role_record role;
    int r = role_get(call, in->role_name, &role);
    if (r < 0)
        return r;
    if (!str_starts(in->policy_arn, S("arn:")))
        return call_fail(call, IAM_INVALID_INPUT, "ARN %.*s is not valid.", STR(in->policy_arn));
    if (policy_exists(call, in->policy_arn) < 0)
        return call_fail(call, IAM_NO_SUCH_ENTITY,
                         "Policy %.*s does not exist or is not attachable.", STR(in->policy_arn));
    if (find_attached(&role, in->policy_arn) >= 0)
        return 0;
    if (role.attached.n >= ATTACHED_MAX)
        return call_fail(call, IAM_LIMIT_EXCEEDED, "Cannot exceed quota for PoliciesPerRole: %d",
                         ATTACHED_MAX);
    struct str *items = ARENA_ARRAY(call->arena, struct str, role.attached.n + 1);
    if (role.attached.n)
        memcpy(items, role.attached.items, role.attached.n * sizeof(*items));
    items[role.attached.n++] = in->policy_arn;
    role.attached.items = items;
    r = store_put(call->store, iam_use_key(call, "attached", in->policy_arn, role.role_name),
                  role.role_id);
    return r < 0 ? r : role_save(call, &role);
}

static int detach_role_policy(struct call *call, const struct iam_detach_role_policy_input *in,
                              void *out)
{
    struct iam_role_record role;
    int r = role_get(call, in->role_name, &role);
    if (r < 0)
        return r;
    ssize_t at = find_attached(&role, in->policy_arn);
    if (at < 0)
        return call_fail(call, IAM_NO_SUCH_ENTITY, "Policy %.*s was not found.",
                         STR(in->policy_arn));
    memmove(&role.attached.items[at], &role.attached.items[at + 1],
            (--role.attached.n - (size_t)at) * sizeof(struct str));
    r = store_delete(call->store, iam_use_key(call, "attached", in->policy_arn, role.role_name));
    return r < 0 ? r : role_save(call, &role);
}

static int list_attached_role_policies(struct call *call,
                                       const struct iam_list_attached_role_policies_input *in,
                                       struct iam_list_attached_role_policies_output *out)
{
    struct iam_role_record role;
    struct page page = {in->marker, in->max_items};
    size_t from, to;
    int r = role_get(call, in->role_name, &role);
    if (r == 0)
        r = page_cut(call, &page, role.attached.n, &from, &to, &out->is_truncated, &out->marker);
    if (r < 0)
        return r;
    struct iam_attached_policy *items =
        ARENA_ARRAY(call->arena, struct iam_attached_policy, to - from + 1);
    out->attached_policies.items = items;
    for (size_t i = from; i < to; i++) {
        struct str arn = role.attached.items[i];
        struct str full = str_slice(arn, (size_t)str_find_byte(arn, '/'), arn.n);
        size_t slash = (size_t)str_find_last_byte(full, '/');
        if (in->path_prefix.n && !str_starts(str_slice(full, 0, slash + 1), in->path_prefix))
            continue;
        items[out->attached_policies.n++] = (struct iam_attached_policy){
            .policy_name = str_slice(full, slash + 1, full.n), .policy_arn = arn};
    }
    return 0;
}

const struct handler iam_role_policy_handlers[] = {
    {iam_put_role_policy_run(put_role_policy), .resource = "role/{RoleName}"},
    {iam_get_role_policy_run(get_role_policy), .resource = "role/{RoleName}"},
    {iam_delete_role_policy_run(delete_role_policy), .resource = "role/{RoleName}"},
    {iam_list_role_policies_run(list_role_policies), .resource = "role/{RoleName}"},
    {iam_attach_role_policy_run(attach_role_policy), .resource = "role/{RoleName}"},
    {iam_detach_role_policy_run(detach_role_policy), .resource = "role/{RoleName}"},
    {iam_list_attached_role_policies_run(list_attached_role_policies),
     .resource = "role/{RoleName}"},
    {0},
};
