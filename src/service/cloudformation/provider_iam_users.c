/* provider_iam_users - AWS::IAM::User, Group, AccessKey and UserToGroupAddition. */
#include "service/cloudformation/provider_iam.h"
#include "wire/iam.h"

static void join(struct task *t, struct str group, struct str user)
{
    struct iam_add_user_to_group_input *in = TASK_IN(t, iam_add_user_to_group_input);
    in->group_name = group;
    in->user_name = user;
    task_step(t, &iam_add_user_to_group_op, in);
}

static void leave(struct task *t, struct str group, struct str user)
{
    struct iam_remove_user_from_group_input *in = TASK_IN(t, iam_remove_user_from_group_input);
    in->group_name = group;
    in->user_name = user;
    task_step(t, &iam_remove_user_from_group_op, in)->ignore = IAM_MISSING;
}

/* Absent is "/" again. */
static struct str new_path(struct task *t)
{
    struct str path = task_prop(t, "Path");
    return path.n ? path : S("/");
}

/* ---- AWS::IAM::User ---- */

static void tag_list(struct task *t, const struct json *tags, struct iam_tag_list_type *ret)
{
    ret->items = ARENA_ARRAY(t->arena, struct iam_tag, tags->n + 1);
    ret->n = 0;
    JSON_EACH(tags, tag)
        ret->items[ret->n++] =
            (struct iam_tag){json_get_str(tag, "Key"), json_get_str(tag, "Value")};
}

static int no_login(struct task *t)
{
    if (json_get(t->props, "LoginProfile"))
        return task_fail(t, "AWS::IAM::User: LoginProfile is not supported by this cloud: it has "
                            "no console to log in to");
    return 0;
}

static int user_made(struct task *t, struct call *answer)
{
    const struct iam_create_user_output *out = answer->out;
    t->physical_id = out->user->user_name;
    task_attribute(t, "Arn", out->user->arn);
    return 0;
}

static int user_create(struct task *t)
{
    struct iam_create_user_input *in = TASK_IN(t, iam_create_user_input);
    int r = no_login(t);
    if (r < 0)
        return r;
    in->user_name = task_name_or(t, "UserName", 64, false);
    in->path = task_prop(t, "Path");
    in->permissions_boundary = task_prop(t, "PermissionsBoundary");
    tag_list(t, task_tags(t, "Tags", false), &in->tags);
    task_step(t, &iam_create_user_op, in)->result = user_made;
    iam_policies_create(t, iam_holder_user, in->user_name);
    JSON_EACH(json_get(t->props, "Groups"), group)
        join(t, props_text(t->arena, group), in->user_name);
    return 0;
}

static void user_tags(struct task *t)
{
    struct iam_untag_user_input *un = TASK_IN(t, iam_untag_user_input);
    struct iam_tag_user_input *in = TASK_IN(t, iam_tag_user_input);
    struct json *gone, *now;
    task_tag_changes(t, "Tags", &gone, &now);
    un->user_name = in->user_name = t->physical_id;
    un->tag_keys.items = ARENA_ARRAY(t->arena, struct str, gone->n + 1);
    JSON_EACH(gone, key)
        un->tag_keys.items[un->tag_keys.n++] = key->text;
    tag_list(t, now, &in->tags);
    if (un->tag_keys.n)
        task_step(t, &iam_untag_user_op, un);
    if (in->tags.n)
        task_step(t, &iam_tag_user_op, in);
}

static void user_boundary(struct task *t)
{
    struct str arn = task_prop(t, "PermissionsBoundary");
    if (str_has(arn)) {
        struct iam_put_user_permissions_boundary_input *in =
            TASK_IN(t, iam_put_user_permissions_boundary_input);
        in->user_name = t->physical_id;
        in->permissions_boundary = arn;
        task_step(t, &iam_put_user_permissions_boundary_op, in);
        return;
    }
    struct iam_delete_user_permissions_boundary_input *in =
        TASK_IN(t, iam_delete_user_permissions_boundary_input);
    in->user_name = t->physical_id;
    task_step(t, &iam_delete_user_permissions_boundary_op, in)->ignore = IAM_MISSING;
}

static int user_moved(struct task *t, struct call *answer)
{
    const struct iam_get_user_output *out = answer->out;
    task_attribute(t, "Arn", out->user->arn);
    return 0;
}

static void user_path(struct task *t)
{
    struct iam_update_user_input *in = TASK_IN(t, iam_update_user_input);
    struct iam_get_user_input *get = TASK_IN(t, iam_get_user_input);
    in->user_name = get->user_name = t->physical_id;
    in->new_path = new_path(t);
    task_step(t, &iam_update_user_op, in);
    task_step(t, &iam_get_user_op, get)->result = user_moved;
}

static int user_update(struct task *t)
{
    struct arena *a = t->arena;
    const struct json *groups = json_get(t->props, "Groups"),
                      *old_groups = json_get(t->old_props, "Groups");
    int r = no_login(t);
    if (r < 0)
        return r;
    if (task_changed(t, "Path"))
        user_path(t);
    iam_policies_update(t, iam_holder_user, t->physical_id);
    JSON_EACH(old_groups, group)
        if (!iam_list_holds(a, groups, props_text(a, group)))
            leave(t, props_text(a, group), t->physical_id);
    JSON_EACH(groups, group)
        if (!iam_list_holds(a, old_groups, props_text(a, group)))
            join(t, props_text(a, group), t->physical_id);
    if (task_changed(t, "PermissionsBoundary"))
        user_boundary(t);
    if (task_tags_changed(t, "Tags"))
        user_tags(t);
    return 0;
}

static int user_remove(struct task *t)
{
    iam_policies_remove(t, iam_holder_user, t->physical_id);
    JSON_EACH(json_get(t->old_props, "Groups"), group)
        leave(t, props_text(t->arena, group), t->physical_id);
    struct iam_delete_user_input *in = TASK_IN(t, iam_delete_user_input);
    in->user_name = t->physical_id;
    task_step(t, &iam_delete_user_op, in)->ignore = IAM_MISSING;
    return 0;
}

/* ---- AWS::IAM::Group ---- */

static int group_made(struct task *t, struct call *answer)
{
    const struct iam_create_group_output *out = answer->out;
    t->physical_id = out->group->group_name;
    task_attribute(t, "Arn", out->group->arn);
    return 0;
}

static int group_create(struct task *t)
{
    struct iam_create_group_input *in = TASK_IN(t, iam_create_group_input);
    in->group_name = task_name_or(t, "GroupName", 128, false);
    in->path = task_prop(t, "Path");
    task_step(t, &iam_create_group_op, in)->result = group_made;
    iam_policies_create(t, iam_holder_group, in->group_name);
    return 0;
}

static int group_moved(struct task *t, struct call *answer)
{
    const struct iam_get_group_output *out = answer->out;
    task_attribute(t, "Arn", out->group->arn);
    return 0;
}

static int group_update(struct task *t)
{
    if (task_changed(t, "Path")) {
        struct iam_update_group_input *in = TASK_IN(t, iam_update_group_input);
        struct iam_get_group_input *get = TASK_IN(t, iam_get_group_input);
        in->group_name = get->group_name = t->physical_id;
        in->new_path = new_path(t);
        task_step(t, &iam_update_group_op, in);
        task_step(t, &iam_get_group_op, get)->result = group_moved;
    }
    iam_policies_update(t, iam_holder_group, t->physical_id);
    return 0;
}

static int group_remove(struct task *t)
{
    iam_policies_remove(t, iam_holder_group, t->physical_id);
    struct iam_delete_group_input *in = TASK_IN(t, iam_delete_group_input);
    in->group_name = t->physical_id;
    task_step(t, &iam_delete_group_op, in)->ignore = IAM_MISSING;
    return 0;
}

/* ---- AWS::IAM::AccessKey ---- */

static void key_status(struct task *t)
{
    struct iam_update_access_key_input *in = TASK_IN(t, iam_update_access_key_input);
    struct str status = task_prop(t, "Status");
    in->user_name = task_prop(t, "UserName");
    in->access_key_id = t->physical_id;
    in->status = status.n ? status : S("Active");
    task_step(t, &iam_update_access_key_op, in);
}

static int key_made(struct task *t, struct call *answer)
{
    const struct iam_create_access_key_output *out = answer->out;
    t->physical_id = out->access_key->access_key_id;
    task_attribute(t, "SecretAccessKey", out->access_key->secret_access_key);
    if (str_is(task_prop(t, "Status"), "Inactive"))
        key_status(t);
    return 0;
}

static int key_create(struct task *t)
{
    struct iam_create_access_key_input *in = TASK_IN(t, iam_create_access_key_input);
    in->user_name = task_prop(t, "UserName");
    task_step(t, &iam_create_access_key_op, in)->result = key_made;
    return 0;
}

static int key_update(struct task *t)
{
    if (task_changed(t, "Status"))
        key_status(t);
    return 0;
}

static int key_remove(struct task *t)
{
    struct iam_delete_access_key_input *in = TASK_IN(t, iam_delete_access_key_input);
    in->user_name = task_old_prop(t, "UserName");
    in->access_key_id = t->physical_id;
    task_step(t, &iam_delete_access_key_op, in)->ignore = IAM_MISSING;
    return 0;
}

/* ---- AWS::IAM::UserToGroupAddition ---- */

static int members_create(struct task *t)
{
    JSON_EACH(json_get(t->props, "Users"), user)
        join(t, task_prop(t, "GroupName"), props_text(t->arena, user));
    t->physical_id = task_name(t, 128, false);
    return 0;
}

static int members_update(struct task *t)
{
    struct arena *a = t->arena;
    bool moved = task_changed(t, "GroupName");
    const struct json *users = json_get(t->props, "Users"), *old = json_get(t->old_props, "Users");
    JSON_EACH(old, user)
        if (moved || !iam_list_holds(a, users, props_text(a, user)))
            leave(t, task_old_prop(t, "GroupName"), props_text(a, user));
    JSON_EACH(users, user)
        join(t, task_prop(t, "GroupName"), props_text(a, user));
    return 0;
}

static int members_remove(struct task *t)
{
    JSON_EACH(json_get(t->old_props, "Users"), user)
        leave(t, task_old_prop(t, "GroupName"), props_text(t->arena, user));
    return 0;
}

const struct provider iam_user_providers[] = {
    {"AWS::IAM::User", user_create, user_update, user_remove},
    {"AWS::IAM::Group", group_create, group_update, group_remove},
    {"AWS::IAM::AccessKey", key_create, key_update, key_remove},
    {"AWS::IAM::UserToGroupAddition", members_create, members_update, members_remove},
    {0},
};
