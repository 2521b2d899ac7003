/* tags - a resource's tags: its own, the stack's and CloudFormation's. */
#include "service/cloudformation/operation.h"
#include "service/cloudformation/worker.h"

static void tag_add(struct arena *a, struct json *tags, struct str key, struct str value)
{
    JSON_EACH(tags, t) {
        if (str_eq(json_get_str(t, "Key"), key)) {
            json_set(a, t, S("Value"), json_new_str(a, value));
            return;
        }
    }
    struct json *tag = json_add(tags, json_new(a, JSON_OBJECT));
    json_set(a, tag, S("Key"), json_new_str(a, key));
    json_set(a, tag, S("Value"), json_new_str(a, value));
}

/* Tags of a stack's source and of properties, which may be a list of pairs or an object. */
static struct json *collect(struct arena *a, const struct cloudformation_record_source *source,
                            const struct json *own)
{
    struct json *tags = json_new(a, JSON_ARRAY);
    for (size_t i = 0; source && i < source->tags.n; i++)
        tag_add(a, tags, source->tags.items[i].key, source->tags.items[i].value);
    JSON_EACH(own, t) {
        if (own->type == JSON_OBJECT)
            tag_add(a, tags, t->key, props_text(a, t));
        else
            tag_add(a, tags, props_get(a, t, "Key"), props_get(a, t, "Value"));
    }
    return tags;
}

static const struct cloudformation_record_source *wanted(const struct task *task)
{
    const struct cloudformation_stack_record *stack = &task->worker->stack;
    return task->action == ACTION_REVERT && stack->previous ? stack->previous : stack->source;
}

struct json *task_tags(struct task *task, const char *property, bool own)
{
    struct arena *a = task->arena;
    const struct cloudformation_stack_record *stack = &task->worker->stack;
    struct json *tags = collect(a, wanted(task), json_get(task->props, property));
    if (own) {
        tag_add(a, tags, S("aws:cloudformation:stack-name"), stack->stack_name);
        tag_add(a, tags, S("aws:cloudformation:stack-id"), stack->stack_id);
        tag_add(a, tags, S("aws:cloudformation:logical-id"), task->record->logical_id);
    }
    return tags;
}

void task_tag_changes(struct task *task, const char *property, struct json **ret_gone,
                      struct json **ret_set)
{
    struct arena *a = task->arena;
    const struct cloudformation_stack_record *stack = &task->worker->stack;
    const struct cloudformation_record_source *before =
        task->action == ACTION_REVERT ? stack->source : stack->previous;
    struct json *now = task_tags(task, property, false), *gone = json_new(a, JSON_ARRAY);
    JSON_EACH(collect(a, before, json_get(task->old_props, property)), old) {
        bool kept = false;
        JSON_EACH(now, tag)
            kept = kept || str_eq(json_get_str(tag, "Key"), json_get_str(old, "Key"));
        if (!kept)
            json_add(gone, json_new_str(a, json_get_str(old, "Key")));
    }
    *ret_gone = gone;
    *ret_set = now;
}

bool worker_tags_changed(struct worker *w)
{
    return (w->phase == PHASE_UPDATE || w->phase == PHASE_UPDATE_ROLLBACK) && w->stack.previous &&
           !pairs_same(&w->stack.source->tags, &w->stack.previous->tags);
}

bool task_tags_changed(struct task *task, const char *property)
{
    return task_changed(task, property) || worker_tags_changed(task->worker);
}
