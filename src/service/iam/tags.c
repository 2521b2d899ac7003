/* tags - of roles and policies. */
#include <errno.h>
#include "service/iam/entity.h"

int tags_check(struct call *call, const struct iam_tag_list_type *tags)
{
    if (tags->n > IAM_TAGS_MAX)
        return call_fail(call, IAM_LIMIT_EXCEEDED,
                         "The number of tags has reached the maximum limit.");
    for (size_t i = 0; i < tags->n; i++) {
        if (tags->items[i].key.n >= 4 &&
            str_eq_nocase(str_slice(tags->items[i].key, 0, 4), S("aws:")) &&
            call->who->type != PRINCIPAL_SERVICE && !call->parent)
            return call_fail(call, IAM_INVALID_INPUT,
                             "Tag keys that start with \"aws:\" are reserved for internal use.");
        for (size_t j = 0; j < i; j++)
            if (str_eq_nocase(tags->items[i].key, tags->items[j].key))
                return call_fail(call, IAM_INVALID_INPUT,
                                 "Duplicate tag keys found. Please note that Tag keys are case "
                                 "insensitive.");
    }
    return 0;
}

int tags_merge(struct call *call, struct iam_tag_list_type *tags,
               const struct iam_tag_list_type *more)
{
    int r = tags_check(call, more);
    if (r < 0)
        return r;
    struct iam_tag *items = ARENA_ARRAY(call->arena, struct iam_tag, tags->n + more->n + 1);
    size_t n = tags->n;
    if (n)
        memcpy(items, tags->items, n * sizeof(*items));
    for (size_t i = 0; i < more->n; i++) {
        size_t at = 0;
        while (at < n && !str_eq_nocase(items[at].key, more->items[i].key))
            at++;
        items[at] = more->items[i];
        n += at == n;
    }
    if (n > IAM_TAGS_MAX)
        return call_fail(call, IAM_LIMIT_EXCEEDED,
                         "The number of tags has reached the maximum limit.");
    *tags = (struct iam_tag_list_type){items, n};
    return 0;
}

static void tags_remove(struct iam_tag_list_type *tags, const struct iam_tag_key_list_type *keys)
{
    size_t n = 0;
    for (size_t i = 0; i < tags->n; i++) {
        bool gone = false;
        for (size_t j = 0; j < keys->n; j++)
            gone = gone || str_eq_nocase(tags->items[i].key, keys->items[j]);
        if (!gone)
            tags->items[n++] = tags->items[i];
    }
    tags->n = n;
}

static int show(struct call *call, const struct page *page, const struct iam_tag_list_type *tags,
                struct iam_tag_list_type *out, struct opt_bool *truncated, struct str *marker)
{
    size_t from, to;
    int r = page_cut(call, page, tags->n, &from, &to, truncated, marker);
    if (r < 0)
        return r;
    out->items = tags->n ? &tags->items[from] : ARENA_NEW(call->arena, struct iam_tag);
    out->n = to - from;
    return 0;
}

static int tag_role(struct call *call, const struct iam_tag_role_input *in, void *out)
{
    struct iam_role_record role;
    int r = role_get(call, in->role_name, &role);
    if (r == 0)
        r = tags_merge(call, &role.tags, &in->tags);
    return r < 0 ? r : role_save(call, &role);
}

static int untag_role(struct call *call, const struct iam_untag_role_input *in, void *out)
{
    struct iam_role_record role;
    int r = role_get(call, in->role_name, &role);
    if (r < 0)
        return r;
    tags_remove(&role.tags, &in->tag_keys);
    return role_save(call, &role);
}

static int list_role_tags(struct call *call, const struct iam_list_role_tags_input *in,
                          struct iam_list_role_tags_output *out)
{
    struct iam_role_record role;
    struct page page = {in->marker, in->max_items};
    int r = role_get(call, in->role_name, &role);
    if (r < 0)
        return r;
    return show(call, &page, &role.tags, &out->tags, &out->is_truncated, &out->marker);
}

static int tag_policy(struct call *call, const struct iam_tag_policy_input *in, void *out)
{
    struct iam_policy_record policy;
    int r = policy_get_own(call, in->policy_arn, &policy);
    if (r == 0)
        r = tags_merge(call, &policy.tags, &in->tags);
    return r < 0 ? r : policy_save(call, &policy);
}

static int untag_policy(struct call *call, const struct iam_untag_policy_input *in, void *out)
{
    struct iam_policy_record policy;
    int r = policy_get_own(call, in->policy_arn, &policy);
    if (r < 0)
        return r;
    tags_remove(&policy.tags, &in->tag_keys);
    return policy_save(call, &policy);
}

static int list_policy_tags(struct call *call, const struct iam_list_policy_tags_input *in,
                            struct iam_list_policy_tags_output *out)
{
    struct iam_policy_record policy;
    struct page page = {in->marker, in->max_items};
    int r = policy_get_own(call, in->policy_arn, &policy);
    if (r < 0)
        return r;
    return show(call, &page, &policy.tags, &out->tags, &out->is_truncated, &out->marker);
}

static int tag_user(struct call *call, const struct iam_tag_user_input *in, void *out)
{
    struct iam_role_record user;
    int r = entity_find(call, &iam_users, in->user_name, &user);
    if (r == 0)
        r = tags_merge(call, &user.tags, &in->tags);
    return r < 0 ? r : entity_save(call, &iam_users, &user);
}

static int untag_user(struct call *call, const struct iam_untag_user_input *in, void *out)
{
    struct iam_role_record user;
    int r = entity_find(call, &iam_users, in->user_name, &user);
    if (r < 0)
        return r;
    tags_remove(&user.tags, &in->tag_keys);
    return entity_save(call, &iam_users, &user);
}

static int list_user_tags(struct call *call, const struct iam_list_user_tags_input *in,
                          struct iam_list_user_tags_output *out)
{
    struct iam_role_record user;
    struct page page = {in->marker, in->max_items};
    int r = entity_find(call, &iam_users, in->user_name, &user);
    if (r < 0)
        return r;
    return show(call, &page, &user.tags, &out->tags, &out->is_truncated, &out->marker);
}

const struct handler iam_tag_handlers[] = {
    {iam_tag_user_run(tag_user), .resource = "user/{UserName}"},
    {iam_untag_user_run(untag_user), .resource = "user/{UserName}"},
    {iam_list_user_tags_run(list_user_tags), .resource = "user/{UserName}"},
    {iam_tag_role_run(tag_role), .resource = "role/{RoleName}"},
    {iam_untag_role_run(untag_role), .resource = "role/{RoleName}"},
    {iam_list_role_tags_run(list_role_tags), .resource = "role/{RoleName}"},
    {iam_tag_policy_run(tag_policy), .resource = "{PolicyArn}"},
    {iam_untag_policy_run(untag_policy), .resource = "{PolicyArn}"},
    {iam_list_policy_tags_run(list_policy_tags), .resource = "{PolicyArn}"},
    {0},
};
