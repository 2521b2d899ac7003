/* plan - which resources a phase touches, in which order: the tasks of a worker. */
#include "service/cloudformation/worker.h"

static struct task *task_of(struct worker *w, struct str id)
{
    for (size_t i = 0; i < w->n_tasks; i++)
        if (str_eq(w->tasks[i].record->logical_id, id))
            return &w->tasks[i];
    return NULL;
}

static struct task *add(struct worker *w, enum task_action action,
                        struct cloudformation_resource_record *record)
{
    struct task *t = &w->tasks[w->n_tasks++];
    *t = (struct task){.worker = w,
                       .arena = w->call->arena,
                       .call = w->call,
                       .action = action,
                       .record = record,
                       .provider = provider_find(record->type)};
    return t;
}

static void after(struct task *t, struct task *first)
{
    if (!t->after)
        t->after = ARENA_ARRAY(t->arena, struct task *, t->worker->n_tasks + 1);
    t->after[t->n_after++] = first;
}

static const struct json *parsed(struct worker *w, struct str text)
{
    struct json *v = NULL;
    if (!text.n || json_parse(w->call->arena, text, &v, NULL) < 0)
        return NULL;
    return v;
}

static struct str policy_name(enum template_policy p)
{
    switch (p) {
    case POLICY_RETAIN:
        return S("Retain");
    case POLICY_SNAPSHOT:
        return S("Snapshot");
    case POLICY_RETAIN_EXCEPT_ON_CREATE:
        return S("RetainExceptOnCreate");
    default:
        return S("Delete");
    }
}

/* A record says what it depends on, so that it can be removed in order without its template. */
static void describe(struct worker *w, const struct template_resource *res,
                     struct cloudformation_resource_record *record)
{
    struct arena *a = w->call->arena;
    const struct template *view = w->processed.view;
    struct str *ids = ARENA_ARRAY(a, struct str, res->n_depends + 1);
    for (size_t i = 0; i < res->n_depends; i++)
        ids[i] = view->resources[res->depends[i]].logical_id;
    record->depends.items = ids;
    record->depends.n = res->n_depends;
    record->type = res->type;
    record->deletion_policy = policy_name(res->deletion_policy);
    record->update_replace_policy = policy_name(res->update_replace_policy);
    record->metadata = res->metadata ? json_text(a, res->metadata, -1) : (struct str){0};
}

void worker_describe(struct worker *w)
{
    const struct template *view = w->processed.view;
    for (size_t i = 0; i < view->n_resources; i++) {
        struct cloudformation_resource_record *rec =
            worker_record(w, view->resources[i].logical_id);
        if (rec && view->resources[i].active)
            describe(w, &view->resources[i], rec);
    }
}

struct str worker_operation(struct worker *w)
{
    const struct cloudformation_stack_record *s = &w->stack;
    return str_printf(w->call->arena, "%lld",
                      (long long)(s->updated_ms.has ? s->updated_ms.is : s->created_ms.is));
}

/* Room for the records of new resources beside those that are there. */
static void grow(struct worker *w)
{
    size_t n = w->resources.n + w->processed.view->n_resources;
    struct cloudformation_resource_record *items =
        ARENA_ARRAY(w->call->arena, struct cloudformation_resource_record, n + 1);
    if (w->resources.n)
        memcpy(items, w->resources.items, w->resources.n * sizeof *items);
    w->resources.items = items;
}

/* The properties that an existing resource has now: of one that an update has left half changed,
 * the ones before it, so that all of the change is done again. */
static void as_it_is(struct worker *w, struct task *t)
{
    const struct cloudformation_resource_record *rec = t->record;
    bool half = str_is(rec->touched, "updated") && str_has(rec->old_properties) &&
                (str_eq(rec->status, CLOUDFORMATION_RESOURCE_STATUS_UPDATE_IN_PROGRESS) ||
                 str_eq(rec->status, CLOUDFORMATION_RESOURCE_STATUS_UPDATE_FAILED));
    t->old_props = parsed(w, half ? rec->old_properties : rec->properties);
    t->tried_props = half ? parsed(w, rec->properties) : NULL;
    t->half_replaced =
        half && str_has(rec->old_physical_id) && !str_eq(rec->old_physical_id, rec->physical_id);
}

static void plan_forward(struct worker *w, bool update)
{
    const struct template *view = w->processed.view;
    grow(w);
    w->tasks = ARENA_ARRAY(w->call->arena, struct task, view->n_resources + 1);
    int64_t sequence = 0;
    for (size_t i = 0; i < w->resources.n; i++)
        if (w->resources.items[i].sequence.is >= sequence)
            sequence = w->resources.items[i].sequence.is + 1;
    for (size_t i = 0; i < view->n_resources; i++) {
        const struct template_resource *res = &view->resources[view->order[i]];
        if (!res->active)
            continue;
        struct cloudformation_resource_record *rec = worker_record(w, res->logical_id);
        bool exists = rec && str_has(rec->physical_id) &&
                      !str_eq(rec->status, CLOUDFORMATION_RESOURCE_STATUS_CREATE_IN_PROGRESS) &&
                      !str_eq(rec->status, CLOUDFORMATION_RESOURCE_STATUS_CREATE_FAILED);
        if (!rec) {
            rec = &w->resources.items[w->resources.n++];
            *rec = (struct cloudformation_resource_record){.logical_id = res->logical_id,
                                                           .sequence = opt_int(sequence++)};
        }
        struct task *t = add(w, update && exists ? ACTION_UPDATE : ACTION_CREATE, rec);
        t->resource = res;
        if (exists)
            as_it_is(w, t);
        if (exists && str_eq(rec->settled, worker_operation(w)))
            t->state = TASK_DONE; /* before an interruption */
        describe(w, res, rec);
        t->provider = provider_find(rec->type);
    }
    for (size_t i = 0; i < w->n_tasks; i++) {
        struct task *t = &w->tasks[i];
        for (size_t d = 0; d < t->record->depends.n; d++) {
            struct task *first = task_of(w, t->record->depends.items[d]);
            if (first)
                after(t, first);
        }
    }
}

static void reverse_order(struct worker *w)
{
    for (size_t i = 0; i < w->n_tasks; i++)
        for (size_t d = 0; d < w->tasks[i].record->depends.n; d++) {
            struct task *needed = task_of(w, w->tasks[i].record->depends.items[d]);
            if (needed)
                after(needed, &w->tasks[i]);
        }
}

static void plan_delete(struct worker *w)
{
    w->tasks = ARENA_ARRAY(w->call->arena, struct task, w->resources.n + 1);
    for (size_t i = 0; i < w->resources.n; i++) {
        struct cloudformation_resource_record *rec = &w->resources.items[i];
        /* never begun, or gone */
        if (!str_has(rec->status) ||
            str_eq(rec->status, CLOUDFORMATION_RESOURCE_STATUS_DELETE_COMPLETE) ||
            str_eq(rec->status, CLOUDFORMATION_RESOURCE_STATUS_DELETE_SKIPPED))
            continue;
        struct task *t = add(w, ACTION_DELETE, rec);
        t->physical_id = rec->physical_id;
        t->old_props = parsed(w, rec->properties);
    }
    reverse_order(w);
}

/* After an update: what the new template has no more, and what was replaced. */
static void plan_cleanup(struct worker *w)
{
    w->tasks = ARENA_ARRAY(w->call->arena, struct task, 2 * w->resources.n + 1);
    const struct template *view = w->processed.view;
    for (size_t i = 0; i < w->resources.n; i++) {
        struct cloudformation_resource_record *rec = &w->resources.items[i];
        const struct template_resource *res = template_resource_find(view, rec->logical_id);
        if (!res || !res->active) {
            struct task *t = add(w, ACTION_DELETE, rec);
            t->physical_id = rec->physical_id;
            t->old_props = parsed(w, rec->properties);
        }
        if (str_has(rec->old_physical_id)) {
            struct task *t = add(w, ACTION_DELETE_OLD, rec);
            t->physical_id = rec->old_physical_id;
            t->old_props = parsed(w, rec->old_properties);
        }
    }
    reverse_order(w);
}

/* Back: modified ones get their old properties, replaced ones their old selves. */
static void plan_revert(struct worker *w)
{
    w->tasks = ARENA_ARRAY(w->call->arena, struct task, w->resources.n + 1);
    for (size_t i = 0; i < w->resources.n; i++) {
        struct cloudformation_resource_record *rec = &w->resources.items[i];
        bool modified = str_has(rec->old_properties) && !str_has(rec->old_physical_id);
        if (!modified || !str_has(rec->touched) || str_is(rec->touched, "created"))
            continue;
        struct task *t = add(w, ACTION_REVERT, rec);
        t->physical_id = rec->physical_id;
        t->props = parsed(w, rec->old_properties);
        t->old_props = parsed(w, rec->properties);
    }
    reverse_order(w);
}

static void plan_rollback_cleanup(struct worker *w)
{
    w->tasks = ARENA_ARRAY(w->call->arena, struct task, w->resources.n + 1);
    for (size_t i = 0; i < w->resources.n; i++) {
        struct cloudformation_resource_record *rec = &w->resources.items[i];
        bool replaced = str_has(rec->old_physical_id);
        if (!replaced && !str_is(rec->touched, "created"))
            continue;
        struct task *t = add(w, replaced ? ACTION_DELETE_NEW : ACTION_DELETE, rec);
        t->physical_id = rec->physical_id;
        if (replaced && str_eq(rec->physical_id, rec->old_physical_id))
            t->physical_id = (struct str){0}; /* the replacement was never made */
        t->old_props = parsed(w, rec->properties);
    }
    reverse_order(w);
}

void worker_plan(struct worker *w)
{
    w->n_tasks = 0;
    switch (w->phase) {
    case PHASE_CREATE:
    case PHASE_UPDATE:
        plan_forward(w, w->phase == PHASE_UPDATE);
        break;
    case PHASE_ROLLBACK:
    case PHASE_DELETE:
        plan_delete(w);
        break;
    case PHASE_CLEANUP:
        plan_cleanup(w);
        break;
    case PHASE_UPDATE_ROLLBACK:
        plan_revert(w);
        break;
    case PHASE_ROLLBACK_CLEANUP:
        plan_rollback_cleanup(w);
        break;
    }
}
