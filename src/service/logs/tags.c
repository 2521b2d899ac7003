/* tags - of log groups, by both families of operations: by name and by ARN. */
#include <errno.h>
#include "service/logs/record.h"

#define TAGS_MAX 50

static int save(struct call *call, const struct logs_group_record *group)
{
    return record_put(call, logs_group_key(call, group->name), &logs_group_record_shape, group);
}

static int group_by_arn(struct call *call, struct str arn, struct logs_group_record *ret)
{
    struct str name = logs_arn_group(arn);
    if (!name.n)
        return call_fail(call, LOGS_INVALID_PARAMETER,
                         "The specified resourceArn is not the ARN of a log group.");
    return logs_group_get(call, name, ret);
}

static int add_tags(struct call *call, struct logs_group_record *group,
                    const struct logs_tags *tags)
{
    struct logs_tags all = {
        .items = ARENA_ARRAY(call->arena, struct logs_tags_entry, group->tags.n + tags->n),
        .n = group->tags.n,
    };
    for (size_t i = 0; i < all.n; i++)
        all.items[i] = group->tags.items[i];
    for (size_t i = 0; i < tags->n; i++) {
        size_t at = 0;
        while (at < all.n && !str_eq(all.items[at].key, tags->items[i].key))
            at++;
        all.items[at] = tags->items[i];
        if (at == all.n)
            all.n++;
    }
    if (all.n > TAGS_MAX)
        return call_fail(call, LOGS_INVALID_PARAMETER, "The resource has more than %d tags.",
                         TAGS_MAX);
    group->tags = all;
    return save(call, group);
}

static int remove_tags(struct call *call, struct logs_group_record *group, const struct str *keys,
                       size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < group->tags.n; i++) {
        bool gone = false;
        for (size_t k = 0; k < n; k++)
            gone |= str_eq(group->tags.items[i].key, keys[k]);
        if (!gone)
            group->tags.items[kept++] = group->tags.items[i];
    }
    group->tags.n = kept;
    return save(call, group);
}

static void show_tags(struct call *call, const struct logs_group_record *group,
                      struct logs_tags *ret)
{
    *ret = group->tags;
    if (!ret->items)
        ret->items = ARENA_NEW(call->arena, struct logs_tags_entry); /* {}, not absent */
}

static int tag_log_group(struct call *call, const struct logs_tag_log_group_input *in, void *out)
{
    struct logs_group_record group = {0};
    int r = logs_group_get(call, in->log_group_name, &group);
    return r < 0 ? r : add_tags(call, &group, &in->tags);
}

static int untag_log_group(struct call *call, const struct logs_untag_log_group_input *in,
                           void *out)
{
    struct logs_group_record group = {0};
    int r = logs_group_get(call, in->log_group_name, &group);
    return r < 0 ? r : remove_tags(call, &group, in->tags.items, in->tags.n);
}

static int list_tags_log_group(struct call *call, const struct logs_list_tags_log_group_input *in,
                               struct logs_list_tags_log_group_output *out)
{
    struct logs_group_record group = {0};
    int r = logs_group_get(call, in->log_group_name, &group);
    if (r == 0)
        show_tags(call, &group, &out->tags);
    return r;
}

static int tag_resource(struct call *call, const struct logs_tag_resource_input *in, void *out)
{
    struct logs_group_record group = {0};
    int r = group_by_arn(call, in->resource_arn, &group);
    return r < 0 ? r : add_tags(call, &group, &in->tags);
}

static int untag_resource(struct call *call, const struct logs_untag_resource_input *in, void *out)
{
    struct logs_group_record group = {0};
    int r = group_by_arn(call, in->resource_arn, &group);
    return r < 0 ? r : remove_tags(call, &group, in->tag_keys.items, in->tag_keys.n);
}

static int list_tags_for_resource(struct call *call,
                                  const struct logs_list_tags_for_resource_input *in,
                                  struct logs_list_tags_for_resource_output *out)
{
    struct logs_group_record group = {0};
    int r = group_by_arn(call, in->resource_arn, &group);
    if (r == 0)
        show_tags(call, &group, &out->tags);
    return r;
}

const struct handler logs_tag_handlers[] = {
    {logs_tag_log_group_run(tag_log_group), NULL, "log-group:{logGroupName}:log-stream:"},
    {logs_untag_log_group_run(untag_log_group), NULL, "log-group:{logGroupName}:log-stream:"},
    {logs_list_tags_log_group_run(list_tags_log_group), NULL,
     "log-group:{logGroupName}:log-stream:"},
    {logs_tag_resource_run(tag_resource), NULL, "arn:{resourceArn}"},
    {logs_untag_resource_run(untag_resource), NULL, "arn:{resourceArn}"},
    {logs_list_tags_for_resource_run(list_tags_for_resource), NULL, "arn:{resourceArn}"},
    {0},
};
