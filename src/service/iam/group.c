/* group - groups, and who is in them. */
#include <errno.h>
#include "service/iam/entity.h"
#include "wire/walk.h"

#define GROUPS_MAX 300
#define GROUPS_PER_USER 10

static struct iam_group *show(struct call *call, const struct iam_role_record *e)
{
    struct iam_group *out = ARENA_NEW(call->arena, struct iam_group);
    *out = (struct iam_group){.path = e->path,
                              .group_name = e->role_name,
                              .group_id = e->role_id,
                              .arn = e->arn,
                              .create_date = e->create_date};
    return out;
}

static int create_group(struct call *call, const struct iam_create_group_input *in,
                        struct iam_create_group_output *out)
{
    struct iam_role_record group;
    int64_t n = 0;
    int r = entity_create(call, &iam_groups, in->path, in->group_name, &group);
    if (r == 0)
        r = store_count(call->store,
                        store_prefix(call->arena, 3, S("iam"), call->account, S("group")), &n);
    if (r == 0 && n >= GROUPS_MAX)
        return call_fail(call, IAM_LIMIT_EXCEEDED, "Cannot exceed quota for GroupsPerAccount: %d",
                         GROUPS_MAX);
    if (r < 0)
        return r;
    out->group = show(call, &group);
    return entity_save(call, &iam_groups, &group);
}

static int get_group(struct call *call, const struct iam_get_group_input *in,
                     struct iam_get_group_output *out)
{
    struct iam_role_record group, user;
    struct page page = {in->marker, in->max_items};
    size_t from, to;
    int r = entity_find(call, &iam_groups, in->group_name, &group);
    if (r == 0)
        r = page_cut(call, &page, group.links.n, &from, &to, &out->is_truncated, &out->marker);
    if (r < 0)
        return r;
    out->group = show(call, &group);
    out->users.items = ARENA_ARRAY(call->arena, struct iam_user, to - from + 1);
    for (size_t i = from; i < to; i++)
        if (iam_entity_find(call->store, call->arena, call->account, "user", group.links.items[i],
                            &user) == 0)
            out->users.items[out->users.n++] = *user_show(call, &user, false);
    return 0;
}

static int update_group(struct call *call, const struct iam_update_group_input *in, void *out)
{
    struct iam_role_record group;
    int r = entity_find(call, &iam_groups, in->group_name, &group);
    return r < 0 ? r : entity_move(call, &iam_groups, &group, in->new_path, in->new_group_name);
}

static int delete_group(struct call *call, const struct iam_delete_group_input *in, void *out)
{
    struct iam_role_record group;
    int r = entity_find(call, &iam_groups, in->group_name, &group);
    return r < 0 ? r : entity_delete(call, &iam_groups, &group);
}

struct group_list {
    struct str path_prefix;
    struct iam_group_list_type *out;
    size_t cap;
};

static int accept_group(struct call *call, const struct store_row *row, void *user)
{
    struct group_list *list = user;
    struct iam_role_record e = {0};
    if (wire_json_read(call->arena, row->value, &iam_role_record_shape, &e, NULL) < 0)
        return -EIO;
    if (list->path_prefix.n && !str_starts(e.path, list->path_prefix))
        return 0;
    *(struct iam_group *)arena_push(call->arena, (void **)&list->out->items, &list->out->n,
                                    &list->cap, sizeof(struct iam_group)) = *show(call, &e);
    return 1;
}

static int list_groups(struct call *call, const struct iam_list_groups_input *in,
                       struct iam_list_groups_output *out)
{
    struct group_list list = {in->path_prefix, &out->groups, 1};
    struct page page = {in->marker, in->max_items};
    out->groups.items = ARENA_NEW(call->arena, struct iam_group);
    return entity_rows(call, &iam_groups, &page, accept_group, &list, &out->is_truncated,
                       &out->marker);
}

/* ---- members ---- */

static int find_both(struct call *call, struct str group, struct str user,
                     struct iam_role_record *ret_group, struct iam_role_record *ret_user)
{
    int r = entity_find(call, &iam_groups, group, ret_group);
    return r < 0 ? r : entity_find(call, &iam_users, user, ret_user);
}

static void link_to(struct call *call, struct iam_role_record *e, struct str name)
{
    struct str *items = ARENA_ARRAY(call->arena, struct str, e->links.n + 1);
    if (e->links.n)
        memcpy(items, e->links.items, e->links.n * sizeof *items);
    items[e->links.n++] = name;
    e->links.items = items;
}

static void unlink_from(struct iam_role_record *e, ssize_t at)
{
    if (at >= 0)
        memmove(&e->links.items[at], &e->links.items[at + 1],
                (--e->links.n - (size_t)at) * sizeof(struct str));
}

static int save_both(struct call *call, const struct iam_role_record *group,
                     const struct iam_role_record *user)
{
    int r = entity_save(call, &iam_groups, group);
    return r < 0 ? r : entity_save(call, &iam_users, user);
}

static int add_user_to_group(struct call *call, const struct iam_add_user_to_group_input *in,
                             void *out)
{
    struct iam_role_record group, user;
    int r = find_both(call, in->group_name, in->user_name, &group, &user);
    if (r < 0 || entity_link(&user, group.role_name) >= 0)
        return r;
    if (user.links.n >= GROUPS_PER_USER)
        return call_fail(call, IAM_LIMIT_EXCEEDED, "Cannot exceed quota for GroupsPerUser: %d",
                         GROUPS_PER_USER);
    link_to(call, &user, group.role_name);
    link_to(call, &group, user.role_name);
    return save_both(call, &group, &user);
}

static int remove_user_from_group(struct call *call,
                                  const struct iam_remove_user_from_group_input *in, void *out)
{
    struct iam_role_record group, user;
    int r = find_both(call, in->group_name, in->user_name, &group, &user);
    if (r < 0)
        return r;
    unlink_from(&user, entity_link(&user, group.role_name));
    unlink_from(&group, entity_link(&group, user.role_name));
    return save_both(call, &group, &user);
}

static int list_groups_for_user(struct call *call, const struct iam_list_groups_for_user_input *in,
                                struct iam_list_groups_for_user_output *out)
{
    struct iam_role_record group, user;
    struct page page = {in->marker, in->max_items};
    size_t from, to;
    int r = entity_find(call, &iam_users, in->user_name, &user);
    if (r == 0)
        r = page_cut(call, &page, user.links.n, &from, &to, &out->is_truncated, &out->marker);
    if (r < 0)
        return r;
    out->groups.items = ARENA_ARRAY(call->arena, struct iam_group, to - from + 1);
    for (size_t i = from; i < to; i++)
        if (iam_entity_find(call->store, call->arena, call->account, "group", user.links.items[i],
                            &group) == 0)
            out->groups.items[out->groups.n++] = *show(call, &group);
    return 0;
}

const struct handler iam_group_handlers[] = {
    {iam_create_group_run(create_group), .resource = "group/{GroupName}"},
    {iam_get_group_run(get_group), .resource = "group/{GroupName}"},
    {iam_update_group_run(update_group), .resource = "group/{GroupName}"},
    {iam_delete_group_run(delete_group), .resource = "group/{GroupName}"},
    {iam_list_groups_run(list_groups), .resource = "group/"},
    {iam_add_user_to_group_run(add_user_to_group), .resource = "group/{GroupName}"},
    {iam_remove_user_from_group_run(remove_user_from_group), .resource = "group/{GroupName}"},
    {iam_list_groups_for_user_run(list_groups_for_user), .resource = "user/{UserName}"},
    {0},
};
