/* policy - managed policies: the account's own, and AWS's, which only can be read. */
#include <errno.h>
#include "service/iam/iam.h"
#include "wire/walk.h"

#define POLICIES_MAX 1500
#define DOCUMENT_MAX 6144

/* Inline policies may be of the old version, or name none; managed ones may not. */
int policy_document_check(struct call *call, struct str document)
{
    struct json *root;
    int r = iam_document_check(call, POLICY_IDENTITY, document);
    if (r < 0 || json_parse(call->arena, document, &root, NULL) < 0)
        return r;
    if (!str_is(json_get_str(root, "Version"), "2012-10-17"))
        return call_fail(call, IAM_MALFORMED_POLICY_DOCUMENT,
                         "Policy document must be version 2012-10-17 or greater.");
    return 0;
}

static int create_policy_check(struct call *call, const struct iam_create_policy_input *in)
{
    int64_t n = 0;
    int r = policy_document_check(call, in->policy_document);
    if (r == 0)
        r = tags_check(call, &in->tags);
    if (r < 0)
        return r;
    if (iam_document_size(in->policy_document) > DOCUMENT_MAX)
        return call_fail(call, IAM_LIMIT_EXCEEDED, "Cannot exceed quota for PolicySize: %d",
                         DOCUMENT_MAX);
    r = store_count(call->store, store_prefix(call->arena, 3, S("iam"), call->account, S("policy")),
                    &n);
    if (r == 0 && n >= POLICIES_MAX)
        return call_fail(call, IAM_LIMIT_EXCEEDED, "Cannot exceed quota for PoliciesPerAccount: %d",
                         POLICIES_MAX);
    return r;
}

/* Names are unique in an account, whatever their paths. */
static int name_is_free(struct call *call, struct str name)
{
    struct str prefix = store_prefix(call->arena, 3, S("iam"), call->account, S("policy"));
    struct str after = {0};
    for (;;) {
        struct store_row *rows;
        size_t n;
        int r = store_scan(call->store, prefix, after, 200, call->arena, &rows, &n);
        if (r < 0)
            return r;
        for (size_t i = 0; i < n; i++) {
            struct str full = store_key_part(call->arena, rows[i].key, 3);
            ssize_t slash = str_find_last_byte(full, '/');
            if (str_eq_nocase(str_slice(full, (size_t)(slash + 1), full.n), name))
                return call_fail(call, IAM_ENTITY_ALREADY_EXISTS,
                                 "A policy called %.*s already exists. Duplicate names are not "
                                 "allowed.",
                                 STR(name));
        }
        if (n < 200)
            return 0;
        after = rows[n - 1].key;
    }
}

static int create_policy(struct call *call, const struct iam_create_policy_input *in,
                         struct iam_create_policy_output *out)
{
    int r = create_policy_check(call, in);
    if (r == 0)
        r = name_is_free(call, in->policy_name);
    if (r < 0)
        return r;
    struct str path = in->path.n ? in->path : S("/");
    struct opt_time now = opt_time(call->now_ms / 1000 * 1000);
    struct iam_version_record *version = ARENA_NEW(call->arena, struct iam_version_record);
    *version = (struct iam_version_record){
        .version_id = S("v1"), .document = in->policy_document, .create_date = now};
    struct iam_policy_record policy = {
        .policy_name = in->policy_name,
        .policy_id = iam_id(call, "ANPA"),
        .arn = call_arn(call, "iam", "policy%.*s%.*s", STR(path), STR(in->policy_name)),
        .path = path,
        .description = in->description,
        .create_date = now,
        .update_date = now,
        .default_version_id = version->version_id,
        .last_version = opt_int(1),
        .tags = in->tags,
        .versions = {version, 1},
    };
    r = policy_save(call, &policy);
    if (r < 0)
        return r;
    out->policy = policy_show(call, &policy, true);
    out->policy->description = (struct str){0}; /* as AWS does */
    return 0;
}

static int get_policy(struct call *call, const struct iam_get_policy_input *in,
                      struct iam_get_policy_output *out)
{
    const struct managed_policy *aws = managed_policy_find(in->policy_arn);
    struct iam_policy_record policy;
    if (aws) {
        out->policy = policy_show_aws(call, aws, true);
        return 0;
    }
    int r = policy_get_own(call, in->policy_arn, &policy);
    if (r == 0)
        out->policy = policy_show(call, &policy, true);
    return r;
}

static int delete_policy(struct call *call, const struct iam_delete_policy_input *in, void *out)
{
    struct iam_policy_record policy;
    int64_t attached = 0, boundaries = 0;
    int r = policy_get_own(call, in->policy_arn, &policy);
    if (r == 0)
        r = store_count(call->store, iam_use_prefix(call, "attached", in->policy_arn), &attached);
    if (r == 0)
        r = store_count(call->store, iam_use_prefix(call, "boundary", in->policy_arn), &boundaries);
    if (r < 0)
        return r;
    if (attached + boundaries > 0)
        return call_fail(call, IAM_DELETE_CONFLICT, "Cannot delete a policy attached to entities.");
    if (policy.versions.n > 1)
        return call_fail(call, IAM_DELETE_CONFLICT,
                         "This policy has more than one version. Before you delete a policy, you "
                         "must delete the policy's versions. The default version is deleted with "
                         "the policy.");
    struct str name =
        str_slice(policy.arn, (size_t)str_find_byte(policy.arn, '/') + 1, policy.arn.n);
    return record_delete(call, iam_policy_key(call->arena, call->account, name));
}

struct policy_list {
    const struct iam_list_policies_input *in;
    struct iam_policy_list_type all;
    size_t cap;
};

static void offer(struct call *call, struct policy_list *list, const struct iam_policy *policy)
{
    const struct iam_list_policies_input *in = list->in;
    bool boundary = str_is(in->policy_usage_filter, "PermissionsBoundary");
    int64_t uses =
        boundary ? policy->permissions_boundary_usage_count.is : policy->attachment_count.is;
    if (in->path_prefix.n && !str_starts(policy->path, in->path_prefix))
        return;
    if ((in->policy_usage_filter.n || (in->only_attached.has && in->only_attached.is)) && uses == 0)
        return;
    struct iam_policy *slot =
        arena_push(call->arena, (void **)&list->all.items, &list->all.n, &list->cap, sizeof(*slot));
    *slot = *policy;
}

static int offer_own(struct call *call, struct policy_list *list)
{
    struct store_row *rows;
    size_t n;
    int r =
        store_scan(call->store, store_prefix(call->arena, 3, S("iam"), call->account, S("policy")),
                   (struct str){0}, POLICIES_MAX, call->arena, &rows, &n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct iam_policy_record policy = {0};
        if (wire_json_read(call->arena, rows[i].value, &iam_policy_record_shape, &policy, NULL) < 0)
            return -EIO;
        offer(call, list, policy_show(call, &policy, false));
    }
    return r;
}

static int list_policies(struct call *call, const struct iam_list_policies_input *in,
                         struct iam_list_policies_output *out)
{
    struct policy_list list = {.in = in};
    struct page page = {in->marker, in->max_items};
    size_t from, to;
    int r = 0;
    if (!str_is(in->scope, "AWS"))
        r = offer_own(call, &list);
    if (r < 0)
        return r;
    for (const struct managed_policy *p = managed_policies; p->name && !str_is(in->scope, "Local");
         p++)
        offer(call, &list, policy_show_aws(call, p, false));
    r = page_cut(call, &page, list.all.n, &from, &to, &out->is_truncated, &out->marker);
    if (r < 0)
        return r;
    out->policies.items =
        list.all.items ? &list.all.items[from] : ARENA_NEW(call->arena, struct iam_policy);
    out->policies.n = to - from;
    return 0;
}

struct user_list {
    struct iam_list_entities_for_policy_output *out;
    size_t cap;
    struct str path_prefix;
    struct str filter;
    size_t cap_users, cap_groups;
};

static int accept_entity(struct call *call, const struct store_row *row, void *user)
{
    struct user_list *list = user;
    struct iam_role_record role;
    struct str name = store_key_part(call->arena, row->key, 4), kind, rest;
    bool of_role = !str_cut(name, '/', &kind, &rest); /* user/NAME, group/NAME */
    const char *word = of_role ? "role" : str_is(kind, "user") ? "user" : "group";
    int r = iam_entity_find(call->store, call->arena, call->account, word, of_role ? name : rest,
                            &role);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    if (list->path_prefix.n && !str_starts(role.path, list->path_prefix))
        return 0;
    if (list->filter.n && !str_eq_nocase(list->filter, str_from(word)))
        return 0;
    if (str_is(kind, "user")) {
        *(struct iam_policy_user *)arena_push(call->arena, (void **)&list->out->policy_users.items,
                                              &list->out->policy_users.n, &list->cap_users,
                                              sizeof(struct iam_policy_user)) =
            (struct iam_policy_user){.user_name = role.role_name, .user_id = role.role_id};
        return 1;
    }
    if (!of_role) {
        *(struct iam_policy_group *)arena_push(
            call->arena, (void **)&list->out->policy_groups.items, &list->out->policy_groups.n,
            &list->cap_groups, sizeof(struct iam_policy_group)) =
            (struct iam_policy_group){.group_name = role.role_name, .group_id = role.role_id};
        return 1;
    }
    struct iam_policy_role *slot =
        arena_push(call->arena, (void **)&list->out->policy_roles.items, &list->out->policy_roles.n,
                   &list->cap, sizeof(*slot));
    *slot = (struct iam_policy_role){.role_name = role.role_name, .role_id = role.role_id};
    return 1;
}

static int list_entities_for_policy(struct call *call,
                                    const struct iam_list_entities_for_policy_input *in,
                                    struct iam_list_entities_for_policy_output *out)
{
    struct user_list list = {.out = out,
                             .cap = 1,
                             .cap_users = 1,
                             .cap_groups = 1,
                             .path_prefix = in->path_prefix,
                             .filter = in->entity_filter};
    struct page page = {in->marker, in->max_items};
    if (policy_exists(call, in->policy_arn) < 0)
        return call_fail(call, IAM_NO_SUCH_ENTITY, "Policy %.*s was not found.",
                         STR(in->policy_arn));
    out->policy_groups.items = ARENA_NEW(call->arena, struct iam_policy_group);
    out->policy_users.items = ARENA_NEW(call->arena, struct iam_policy_user);
    out->policy_roles.items = ARENA_NEW(call->arena, struct iam_policy_role);
    out->is_truncated = opt_bool(false);
    if (str_is(in->entity_filter, "AWSManagedPolicy") ||
        str_is(in->entity_filter, "LocalManagedPolicy"))
        return 0;
    const char *what =
        str_is(in->policy_usage_filter, "PermissionsBoundary") ? "boundary" : "attached";
    return page_rows(call, &page, iam_use_prefix(call, what, in->policy_arn), accept_entity, &list,
                     &out->is_truncated, &out->marker);
}

const struct handler iam_policy_handlers[] = {
    {iam_create_policy_run(create_policy), .resource = "policy/{PolicyName}"},
    {iam_get_policy_run(get_policy), .resource = "{PolicyArn}"},
    {iam_delete_policy_run(delete_policy), .resource = "{PolicyArn}"},
    {iam_list_policies_run(list_policies), .resource = "policy/"},
    {iam_list_entities_for_policy_run(list_entities_for_policy), .resource = "{PolicyArn}"},
    {0},
};
