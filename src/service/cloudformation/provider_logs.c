/* provider_logs - AWS::Logs::LogGroup. */
#include "service/cloudformation/provider.h"
#include "wire/logs.h"

#define MISSING "ResourceNotFoundException"

static void attributes(struct task *t, struct str name)
{
    task_attribute(t, "Arn",
                   str_printf(t->arena, "arn:aws:logs:%.*s:%.*s:log-group:%.*s:*",
                              STR(t->call->region), STR(t->call->account), STR(name)));
}

static int retention(struct task *t, struct str name)
{
    struct str days = task_prop(t, "RetentionInDays");
    if (!str_has(days)) {
        struct logs_delete_retention_policy_input *in =
            TASK_IN(t, logs_delete_retention_policy_input);
        in->log_group_name = name;
        task_step(t, &logs_delete_retention_policy_op, in);
        return 0;
    }
    struct logs_put_retention_policy_input *in = TASK_IN(t, logs_put_retention_policy_input);
    int r = task_fill(t, operation_input(&logs_put_retention_policy_op), t->props, in);
    in->log_group_name = name;
    task_step(t, &logs_put_retention_policy_op, in);
    return r;
}

static int group_made(struct task *t, struct call *answer)
{
    const struct logs_create_log_group_input *in = answer->in;
    t->physical_id = in->log_group_name;
    return 0;
}

static void fill_tags(struct task *t, const struct json *tags, struct logs_tags *ret)
{
    ret->items = ARENA_ARRAY(t->arena, struct logs_tags_entry, tags->n + 1);
    JSON_EACH(tags, tag)
        ret->items[ret->n++] =
            (struct logs_tags_entry){json_get_str(tag, "Key"), json_get_str(tag, "Value")};
}

static int group_create(struct task *t)
{
    struct logs_create_log_group_input *in = TASK_IN(t, logs_create_log_group_input);
    in->log_group_name = task_name_or(t, "LogGroupName", 512, false);
    in->kms_key_id = task_prop(t, "KmsKeyId");
    in->log_group_class = task_prop(t, "LogGroupClass");
    const struct json *tags = task_tags(t, "Tags", false);
    if (tags->n)
        fill_tags(t, tags, &in->tags);
    task_step(t, &logs_create_log_group_op, in)->result = group_made;
    attributes(t, in->log_group_name);
    return str_has(task_prop(t, "RetentionInDays")) ? retention(t, in->log_group_name) : 0;
}

static int group_update(struct task *t)
{
    struct arena *a = t->arena;
    attributes(t, t->physical_id);
    if (task_changed(t, "KmsKeyId") || task_changed(t, "LogGroupClass") ||
        task_changed(t, "DataProtectionPolicy"))
        return task_fail(
            t, "Only RetentionInDays and Tags of a log group can be changed by this cloud");
    if (task_tags_changed(t, "Tags")) {
        struct str arn =
            str_printf(a, "arn:aws:logs:%.*s:%.*s:log-group:%.*s", STR(t->call->region),
                       STR(t->call->account), STR(t->physical_id));
        struct logs_untag_resource_input *un = TASK_IN(t, logs_untag_resource_input);
        struct logs_tag_resource_input *in = TASK_IN(t, logs_tag_resource_input);
        struct json *gone, *now;
        task_tag_changes(t, "Tags", &gone, &now);
        un->resource_arn = in->resource_arn = arn;
        un->tag_keys.items = ARENA_ARRAY(a, struct str, gone->n + 1);
        JSON_EACH(gone, key)
            un->tag_keys.items[un->tag_keys.n++] = key->text;
        fill_tags(t, now, &in->tags);
        if (un->tag_keys.n)
            task_step(t, &logs_untag_resource_op, un);
        if (in->tags.n)
            task_step(t, &logs_tag_resource_op, in);
    }
    return task_changed(t, "RetentionInDays") ? retention(t, t->physical_id) : 0;
}

static int group_remove(struct task *t)
{
    struct logs_delete_log_group_input *in = TASK_IN(t, logs_delete_log_group_input);
    in->log_group_name = t->physical_id;
    task_step(t, &logs_delete_log_group_op, in)->ignore = MISSING;
    return 0;
}

const struct provider logs_providers[] = {
    {"AWS::Logs::LogGroup", group_create, group_update, group_remove},
    {0},
};
