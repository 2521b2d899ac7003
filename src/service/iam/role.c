/* role - roles themselves. */
#include <errno.h>
#include "service/iam/entity.h"
#include "wire/walk.h"

#define ROLES_MAX 1000
#define TRUST_POLICY_MAX 2048
#define MAX_SESSION_DEFAULT 3600

/* Whom a policy trusts has to be there, as far as that is known: in the own account. Groups can be
 * trusted in none. */
static bool trusted_exists(struct call *call, struct str principal)
{
    static const char *const kinds[] = {"role", "user"};
    struct str account, resource, kind, name;
    struct iam_role_record found;
    if (!str_starts(principal, S("arn:aws:iam::")))
        return true;
    str_cut(str_slice(principal, sizeof("arn:aws:iam::") - 1, principal.n), ':', &account,
            &resource);
    if (!str_cut(resource, '/', &kind, &name))
        return str_is(resource, "root");
    name = str_slice(resource, (size_t)(str_find_last_byte(resource, '/') + 1), resource.n);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (str_is(kind, kinds[i]))
            return !str_eq(account, call->account) ||
                   (iam_entity_find(call->store, call->arena, account, kinds[i], name, &found) ==
                        0 &&
                    str_eq(found.arn, principal));
    return false;
}

static int trusted_check(struct call *call, struct str document)
{
    struct policy *policy;
    struct policy_values trusted;
    struct str message;
    if (policy_parse(call->arena, POLICY_TRUST, document, &policy, &message) < 0)
        return call_fail(call, IAM_MALFORMED_POLICY_DOCUMENT, "%.*s", STR(message));
    policy_aws_principals(policy, call->arena, &trusted);
    for (size_t i = 0; i < trusted.n; i++)
        if (!trusted_exists(call, trusted.items[i]))
            return call_fail(call, IAM_MALFORMED_POLICY_DOCUMENT,
                             "Invalid principal in policy: \"AWS\":\"%.*s\"",
                             STR(trusted.items[i]));
    return 0;
}

static int trust_check(struct call *call, struct str document)
{
    int r = trusted_check(call, document);
    if (r == 0 && iam_document_size(document) > TRUST_POLICY_MAX)
        r = call_fail(call, IAM_LIMIT_EXCEEDED, "Cannot exceed quota for ACLSizePerRole: %d",
                      TRUST_POLICY_MAX);
    return r;
}

static int create_role_check(struct call *call, const struct iam_create_role_input *in)
{
    struct str key = iam_role_key(call->arena, call->account, in->role_name);
    int64_t n = 0;
    int r = trust_check(call, in->assume_role_policy_document);
    if (r == 0)
        r = tags_check(call, &in->tags);
    if (r == 0)
        r = entity_boundary_check(call, in->permissions_boundary);
    if (r < 0)
        return r;
    if (store_has(call->store, key))
        return call_fail(call, IAM_ENTITY_ALREADY_EXISTS, "Role with name %.*s already exists.",
                         STR(in->role_name));
    r = store_count(call->store, store_prefix(call->arena, 3, S("iam"), call->account, S("role")),
                    &n);
    if (r == 0 && n >= ROLES_MAX)
        return call_fail(call, IAM_LIMIT_EXCEEDED, "Cannot exceed quota for RolesPerAccount: %d",
                         ROLES_MAX);
    return r;
}

static int create_role(struct call *call, const struct iam_create_role_input *in,
                       struct iam_create_role_output *out)
{
    int r = create_role_check(call, in);
    if (r < 0)
        return r;
    struct str path = in->path.n ? in->path : S("/");
    struct iam_role_record role = {
        .path = path,
        .role_name = in->role_name,
        .role_id = iam_id(call, "AROA"),
        .arn = call_arn(call, "iam", "role%.*s%.*s", STR(path), STR(in->role_name)),
        .create_date = opt_time(call->now_ms / 1000 * 1000),
        .trust_policy = in->assume_role_policy_document,
        .description = in->description,
        .max_session_duration =
            in->max_session_duration.has ? in->max_session_duration : opt_int(MAX_SESSION_DEFAULT),
        .tags = in->tags,
    };
    r = entity_boundary_set(call, &iam_roles, &role, in->permissions_boundary);
    if (r == 0)
        r = role_save(call, &role);
    if (r < 0)
        return r;
    out->role = role_show(call, &role, true);
    out->role->role_last_used = NULL;
    return 0;
}

static int get_role(struct call *call, const struct iam_get_role_input *in,
                    struct iam_get_role_output *out)
{
    struct iam_role_record role;
    int r = role_get(call, in->role_name, &role);
    if (r == 0)
        out->role = role_show(call, &role, true);
    return r;
}

static int delete_role(struct call *call, const struct iam_delete_role_input *in, void *out)
{
    struct iam_role_record role;
    int r = role_get(call, in->role_name, &role);
    if (r < 0)
        return r;
    if (role.attached.n)
        return call_fail(call, IAM_DELETE_CONFLICT,
                         "Cannot delete entity, must detach all policies first.");
    if (role.inline_policies.n)
        return call_fail(call, IAM_DELETE_CONFLICT,
                         "Cannot delete entity, must delete policies first.");
    r = entity_boundary_set(call, &iam_roles, &role, (struct str){0});
    if (r < 0)
        return r;
    return record_delete(call, iam_role_key(call->arena, call->account, in->role_name));
}

struct role_list {
    const struct iam_list_roles_input *in;
    struct iam_list_roles_output *out;
    size_t cap;
};

static int accept_role(struct call *call, const struct store_row *row, void *user)
{
    struct role_list *list = user;
    struct iam_role_record role = {0};
    if (wire_json_read(call->arena, row->value, &iam_role_record_shape, &role, NULL) < 0)
        return -EIO;
    if (list->in->path_prefix.n && !str_starts(role.path, list->in->path_prefix))
        return 0;
    struct iam_role *slot = arena_push(call->arena, (void **)&list->out->roles.items,
                                       &list->out->roles.n, &list->cap, sizeof(*slot));
    *slot = *role_show(call, &role, false);
    return 1;
}

static int list_roles(struct call *call, const struct iam_list_roles_input *in,
                      struct iam_list_roles_output *out)
{
    struct role_list list = {.in = in, .out = out};
    struct page page = {in->marker, in->max_items};
    out->roles.items = ARENA_NEW(call->arena, struct iam_role); /* none is an empty list */
    list.cap = 1;
    return page_rows(call, &page, store_prefix(call->arena, 3, S("iam"), call->account, S("role")),
                     accept_role, &list, &out->is_truncated, &out->marker);
}

static int update_role(struct call *call, const struct iam_update_role_input *in,
                       struct iam_update_role_output *out)
{
    struct iam_role_record role;
    int r = role_get(call, in->role_name, &role);
    if (r < 0)
        return r;
    if (str_has(in->description))
        role.description = in->description;
    if (in->max_session_duration.has)
        role.max_session_duration = in->max_session_duration;
    return role_save(call, &role);
}

static int update_role_description(struct call *call,
                                   const struct iam_update_role_description_input *in,
                                   struct iam_update_role_description_output *out)
{
    struct iam_role_record role;
    int r = role_get(call, in->role_name, &role);
    if (r < 0)
        return r;
    role.description = in->description;
    out->role = role_show(call, &role, false);
    return role_save(call, &role);
}

static int update_assume_role_policy(struct call *call,
                                     const struct iam_update_assume_role_policy_input *in,
                                     void *out)
{
    struct iam_role_record role;
    int r = role_get(call, in->role_name, &role);
    if (r == 0)
        r = trust_check(call, in->policy_document);
    if (r < 0)
        return r;
    role.trust_policy = in->policy_document;
    return role_save(call, &role);
}

static int put_role_permissions_boundary(struct call *call,
                                         const struct iam_put_role_permissions_boundary_input *in,
                                         void *out)
{
    struct iam_role_record role;
    int r = role_get(call, in->role_name, &role);
    if (r == 0)
        r = entity_boundary_check(call, in->permissions_boundary);
    if (r == 0)
        r = entity_boundary_set(call, &iam_roles, &role, in->permissions_boundary);
    return r < 0 ? r : role_save(call, &role);
}

static int delete_role_permissions_boundary(
    struct call *call, const struct iam_delete_role_permissions_boundary_input *in, void *out)
{
    struct iam_role_record role;
    int r = role_get(call, in->role_name, &role);
    if (r < 0)
        return r;
    if (!role.boundary.n)
        return call_fail(call, IAM_NO_SUCH_ENTITY,
                         "Role %.*s does not have a permissions boundary.", STR(in->role_name));
    r = entity_boundary_set(call, &iam_roles, &role, (struct str){0});
    return r < 0 ? r : role_save(call, &role);
}

static int
list_instance_profiles_for_role(struct call *call,
                                const struct iam_list_instance_profiles_for_role_input *in,
                                struct iam_list_instance_profiles_for_role_output *out)
{
    struct iam_role_record role;
    int r = role_get(call, in->role_name, &role);
    if (r < 0)
        return r;
    /* there are no instance profiles: none can be made */
    out->instance_profiles.items = ARENA_NEW(call->arena, struct iam_instance_profile);
    out->is_truncated = opt_bool(false);
    return 0;
}

const struct handler iam_role_handlers[] = {
    {iam_create_role_run(create_role), .resource = "role/{RoleName}"},
    {iam_get_role_run(get_role), .resource = "role/{RoleName}"},
    {iam_delete_role_run(delete_role), .resource = "role/{RoleName}"},
    {iam_list_roles_run(list_roles), .resource = "role/"},
    {iam_update_role_run(update_role), .resource = "role/{RoleName}"},
    {iam_update_role_description_run(update_role_description), .resource = "role/{RoleName}"},
    {iam_update_assume_role_policy_run(update_assume_role_policy), .resource = "role/{RoleName}"},
    {iam_put_role_permissions_boundary_run(put_role_permissions_boundary),
     .resource = "role/{RoleName}"},
    {iam_delete_role_permissions_boundary_run(delete_role_permissions_boundary),
     .resource = "role/{RoleName}"},
    {iam_list_instance_profiles_for_role_run(list_instance_profiles_for_role),
     .resource = "role/{RoleName}"},
    {0},
};
