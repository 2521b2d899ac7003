/* resource - a resource's task begins and ends: what its record and its events say. */
#include <errno.h>
#include "base/clock.h"
#include "service/cloudformation/worker.h"

void worker_resource_event(struct worker *w, const struct cloudformation_resource_record *rec,
                           struct str status, struct str reason, bool save)
{
    struct cloudformation_event_record e = {
        .logical_id = rec->logical_id,
        .physical_id = rec->physical_id,
        .type = rec->type,
        .status = status,
        .reason = reason,
        .properties = str_has(rec->shown) ? rec->shown : rec->properties,
    };
    worker_wrote(w, stack_event(w->call, &w->stack, &e));
    if (!save)
        return;
    struct cloudformation_resource_record r = *rec;
    r.status = status;
    r.status_reason = reason;
    r.updated_ms = opt_int(clock_now_ms());
    worker_wrote(w, stack_resource_save(w->call, stack_uuid(w->stack.stack_id), &r));
    *(struct cloudformation_resource_record *)(uintptr_t)rec = r;
}

static struct str in_progress(const struct task *t)
{
    switch (t->action) {
    case ACTION_CREATE:
        return CLOUDFORMATION_RESOURCE_STATUS_CREATE_IN_PROGRESS;
    case ACTION_UPDATE:
    case ACTION_REVERT:
        return CLOUDFORMATION_RESOURCE_STATUS_UPDATE_IN_PROGRESS;
    default:
        return CLOUDFORMATION_RESOURCE_STATUS_DELETE_IN_PROGRESS;
    }
}

/* Retain: the thing stays, the stack forgets it. */
static bool retained(const struct worker *w, const struct task *t)
{
    for (size_t i = 0; i < w->stack.retained.n; i++)
        if (str_eq(w->stack.retained.items[i], t->record->logical_id))
            return true;
    struct str policy = t->action == ACTION_DELETE_OLD ? t->record->update_replace_policy
                                                       : t->record->deletion_policy;
    bool fresh = w->phase == PHASE_ROLLBACK || w->phase == PHASE_ROLLBACK_CLEANUP;
    if (str_is(policy, "RetainExceptOnCreate") || (w->stack.retain_except_on_create.is && fresh))
        return str_is(policy, "RetainExceptOnCreate") ? !fresh : false;
    return str_is(policy, "Retain") && t->action != ACTION_DELETE_NEW;
}

/* What the resource was before the operation, for the way back. */
static void keep_properties(struct task *t)
{
    struct cloudformation_resource_record *rec = t->record;
    if (t->action != ACTION_UPDATE || str_has(rec->old_properties))
        return;
    rec->old_properties = rec->properties;
    rec->old_shown = rec->shown;
    rec->old_attributes = rec->attributes;
}

/* Modify, replace or nothing; tags of the stack are the resource's as well. */
static enum resource_change decide(struct worker *w, struct task *t)
{
    struct property_change *changes;
    size_t n;
    const struct resource_type *type = resource_type_find(t->record->type);
    enum resource_change change =
        resource_type_compare(t->arena, type, t->old_props, t->props, &changes, &n);
    if (change == CHANGE_NONE && t->tried_props) {
        /* Back to what it was before a failed update. */
        t->old_props = t->tried_props;
        change = resource_type_compare(t->arena, type, t->old_props, t->props, &changes, &n);
    }
    if (t->half_replaced)
        return CHANGE_REPLACE;
    if (change == CHANGE_NONE && t->provider->update && worker_tags_changed(w) &&
        property_type_find(type->properties, S("Tags")))
        return CHANGE_MODIFY;
    return change != CHANGE_NONE && !t->provider->update ? CHANGE_REPLACE : change;
}

static void fail_at_once(struct task *t)
{
    t->state = TASK_FAILED;
    worker_task_ended(t);
}

static void start_forward(struct worker *w, struct task *t)
{
    struct cloudformation_resource_record *rec = t->record;
    struct str reason = {0};
    if (t->action == ACTION_CREATE)
        rec->touched = S("created");
    if (worker_resolve(w, t) < 0) {
        worker_resource_event(w, rec, in_progress(t), (struct str){0}, true);
        fail_at_once(t);
        return;
    }
    t->change = t->action == ACTION_UPDATE ? decide(w, t) : CHANGE_MODIFY;
    if (t->action == ACTION_UPDATE && t->change != CHANGE_NONE &&
        !stack_policy_allows(t->arena, w->policy,
                             t->change == CHANGE_REPLACE ? "Update:Replace" : "Update:Modify",
                             rec->logical_id, rec->type, &reason)) {
        task_fail(t, "%.*s", STR(reason));
        fail_at_once(t);
        return;
    }
    if (t->change != CHANGE_NONE) {
        keep_properties(t);
        rec->properties = json_text(t->arena, t->props, -1);
        rec->shown = t->shown;
        if (t->action == ACTION_UPDATE && !str_is(rec->touched, "created"))
            rec->touched = S("updated");
        if (t->change == CHANGE_REPLACE)
            reason = S("Requested update requires the creation of a new physical resource; hence "
                       "creating one.");
        worker_resource_event(w, rec, in_progress(t), reason, true);
    }
    task_start(t);
}

/* Events of a removal name the thing that is removed, which may be the replaced one. */
static void removal_event(struct worker *w, struct task *t, struct str status, struct str reason)
{
    struct cloudformation_resource_record shown = *t->record;
    shown.physical_id = t->physical_id;
    bool whole = t->action == ACTION_DELETE;
    worker_resource_event(w, whole ? t->record : &shown, status, reason, whole);
}

void worker_task_start(struct worker *w, struct task *t)
{
    w->running++;
    t->state = TASK_RUNNING;
    if (t->action == ACTION_CREATE || t->action == ACTION_UPDATE) {
        start_forward(w, t);
        return;
    }
    if (t->action == ACTION_REVERT) {
        worker_resource_event(w, t->record, in_progress(t), (struct str){0}, true);
    } else if (str_has(t->physical_id)) {
        if (retained(w, t)) {
            t->skipped = true;
            t->state = TASK_DONE;
            worker_task_ended(t);
            return;
        }
        removal_event(w, t, in_progress(t), (struct str){0});
    }
    task_start(t);
}

static void removed(struct worker *w, struct task *t)
{
    struct cloudformation_resource_record *rec = t->record;
    struct str uuid = stack_uuid(w->stack.stack_id);
    struct str status = t->skipped ? CLOUDFORMATION_RESOURCE_STATUS_DELETE_SKIPPED
                                   : CLOUDFORMATION_RESOURCE_STATUS_DELETE_COMPLETE;
    if (t->action == ACTION_DELETE || str_has(t->physical_id))
        removal_event(w, t, status, (struct str){0});
    if (t->action == ACTION_DELETE) {
        if (w->phase != PHASE_DELETE && w->phase != PHASE_ROLLBACK)
            worker_wrote(w, stack_resource_delete(w->call, uuid, rec->logical_id));
        return;
    }
    if (t->action == ACTION_DELETE_NEW) {
        rec->physical_id = rec->old_physical_id;
        rec->properties = rec->old_properties;
        rec->shown = rec->old_shown;
        rec->attributes = rec->old_attributes;
        rec->status = CLOUDFORMATION_RESOURCE_STATUS_UPDATE_COMPLETE;
        rec->status_reason = (struct str){0};
    }
    rec->old_physical_id = rec->old_properties = rec->old_attributes = (struct str){0};
    worker_wrote(w, stack_resource_save(w->call, uuid, rec));
}

static void made(struct worker *w, struct task *t)
{
    struct cloudformation_resource_record *rec = t->record;
    rec->settled = worker_operation(w);
    if (t->change == CHANGE_NONE && t->action == ACTION_UPDATE) {
        worker_wrote(w, stack_resource_save(w->call, stack_uuid(w->stack.stack_id), rec));
        return;
    }
    if (t->action == ACTION_REVERT) {
        rec->properties = rec->old_properties;
        rec->shown = rec->old_shown;
        if (!t->attributes)
            rec->attributes = rec->old_attributes;
    }
    rec->physical_id = t->physical_id;
    if (t->attributes)
        rec->attributes = json_text(t->arena, t->attributes, -1);
    struct str status = t->action == ACTION_CREATE ? CLOUDFORMATION_RESOURCE_STATUS_CREATE_COMPLETE
                                                   : CLOUDFORMATION_RESOURCE_STATUS_UPDATE_COMPLETE;
    worker_resource_event(w, rec, status, (struct str){0}, true);
}

static void broke(struct worker *w, struct task *t)
{
    struct arena *a = w->call->arena;
    struct str status = t->action == ACTION_CREATE ? CLOUDFORMATION_RESOURCE_STATUS_CREATE_FAILED
                        : t->action == ACTION_UPDATE || t->action == ACTION_REVERT
                            ? CLOUDFORMATION_RESOURCE_STATUS_UPDATE_FAILED
                            : CLOUDFORMATION_RESOURCE_STATUS_DELETE_FAILED;
    if (str_has(t->physical_id) && t->action == ACTION_CREATE)
        t->record->physical_id = t->physical_id;
    if (t->action == ACTION_DELETE_OLD || t->action == ACTION_DELETE_NEW)
        removal_event(w, t, status, t->reason);
    else
        worker_resource_event(w, t->record, status, t->reason, true);
    w->failed_ids =
        w->failed ? str_printf(a, "%.*s, %.*s", STR(w->failed_ids), STR(t->record->logical_id))
                  : t->record->logical_id;
    if (!w->failed || !str_is(w->failed_verb, "create"))
        w->failed_verb = t->action == ACTION_CREATE   ? S("create")
                         : t->action == ACTION_UPDATE ? S("update")
                                                      : S("delete");
    w->failed = true;
}

void worker_task_ended(struct task *t)
{
    struct worker *w = t->worker;
    w->running--;
    if (t->state == TASK_FAILED)
        broke(w, t);
    else if (t->action == ACTION_CREATE || t->action == ACTION_UPDATE || t->action == ACTION_REVERT)
        made(w, t);
    else
        removed(w, t);
    worker_advance(w);
}
