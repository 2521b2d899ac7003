/* phases - what follows when a phase of an operation has ended: see worker.h. */
#include "base/clock.h"
#include "base/log.h"
#include "service/cloudformation/worker.h"

/* The operation is over: what was kept for the way back goes. */
static void forget_update(struct worker *w)
{
    struct str uuid = stack_uuid(w->stack.stack_id);
    for (size_t i = 0; i < w->resources.n; i++) {
        struct cloudformation_resource_record *rec = &w->resources.items[i];
        if (!str_has(rec->status) || /* never begun */
            str_eq(rec->status, CLOUDFORMATION_RESOURCE_STATUS_DELETE_COMPLETE) ||
            str_eq(rec->status, CLOUDFORMATION_RESOURCE_STATUS_DELETE_SKIPPED))
            continue;
        if (str_eq(rec->status, CLOUDFORMATION_RESOURCE_STATUS_UPDATE_FAILED)) {
            rec->status = CLOUDFORMATION_RESOURCE_STATUS_UPDATE_COMPLETE;
            rec->status_reason = (struct str){0};
        }
        rec->touched = rec->old_physical_id = rec->old_properties = rec->old_attributes =
            rec->old_shown = (struct str){0};
        worker_wrote(w, stack_resource_save(w->call, uuid, rec));
    }
    w->stack.previous = NULL;
}

/* The stack is what it was: its records say again what the template of then says of them. */
static void restore_source(struct worker *w)
{
    struct template_error err = {0};
    if (w->stack.previous)
        w->stack.source = w->stack.previous;
    if (prepare_source(w->call, w->stack.source, NULL, w->stack.stack_name, w->stack.stack_id,
                       &w->stack, &w->processed, &err) < 0) {
        log_error("cloudformation: template of %.*s: %.*s", STR(w->stack.stack_name),
                  STR(err.message));
        return;
    }
    w->stack.description = w->processed.view->description;
    worker_describe(w);
    worker_settle_imports(w);
}

static struct str failure_reason(struct worker *w, struct str why, const char *end)
{
    struct arena *a = w->call->arena;
    if (str_has(why))
        return str_printf(a, "%.*s%s", STR(why), end);
    return str_printf(a, "The following resource(s) failed to %.*s: [%.*s].%s", STR(w->failed_verb),
                      STR(w->failed_ids), end);
}

static void create_ended(struct worker *w)
{
    struct str why = {0};
    if (!w->failed && worker_publish(w, &why) == 0) {
        worker_settle_imports(w);
        forget_update(w);
        worker_finish(w, CLOUDFORMATION_STACK_STATUS_CREATE_COMPLETE, (struct str){0});
        return;
    }
    if (w->stack.disable_rollback.is || str_is(w->stack.on_failure, "DO_NOTHING")) {
        worker_finish(w, CLOUDFORMATION_STACK_STATUS_CREATE_FAILED, failure_reason(w, why, ""));
        return;
    }
    bool away = str_is(w->stack.on_failure, "DELETE");
    worker_status(
        w,
        away ? CLOUDFORMATION_STACK_STATUS_DELETE_IN_PROGRESS
             : CLOUDFORMATION_STACK_STATUS_ROLLBACK_IN_PROGRESS,
        failure_reason(w, why,
                       away ? " Delete requested by user." : " Rollback requested by user."));
    worker_begin(w, away ? PHASE_DELETE : PHASE_ROLLBACK);
}

static void update_ended(struct worker *w)
{
    struct str why = {0};
    if (!w->failed && worker_publish(w, &why) == 0) {
        if (str_has(w->stack.policy_next)) /* it is for later updates, if this one succeeds */
            w->stack.policy = w->stack.policy_next;
        worker_status(w, CLOUDFORMATION_STACK_STATUS_UPDATE_COMPLETE_CLEANUP_IN_PROGRESS,
                      (struct str){0});
        worker_begin(w, PHASE_CLEANUP);
        return;
    }
    if (w->stack.disable_rollback.is) {
        worker_finish(w, CLOUDFORMATION_STACK_STATUS_UPDATE_FAILED, failure_reason(w, why, ""));
        return;
    }
    worker_status(w, CLOUDFORMATION_STACK_STATUS_UPDATE_ROLLBACK_IN_PROGRESS,
                  failure_reason(w, why, " "));
    worker_begin(w, PHASE_UPDATE_ROLLBACK);
}

static void delete_ended(struct worker *w)
{
    if (w->failed) {
        worker_finish(w,
                      w->phase == PHASE_DELETE ? CLOUDFORMATION_STACK_STATUS_DELETE_FAILED
                                               : CLOUDFORMATION_STACK_STATUS_ROLLBACK_FAILED,
                      failure_reason(w, (struct str){0}, " "));
        return;
    }
    worker_wrote(w, stack_imports_clear(w->call, &w->stack));
    worker_wrote(w, stack_exports_remove(w->call, &w->stack, NULL));
    if (w->phase == PHASE_ROLLBACK) {
        worker_finish(w, CLOUDFORMATION_STACK_STATUS_ROLLBACK_COMPLETE, (struct str){0});
        return;
    }
    w->stack.deleted_ms = opt_int(clock_now_ms());
    worker_wrote(w, stack_name_release(w->call, &w->stack));
    worker_finish(w, CLOUDFORMATION_STACK_STATUS_DELETE_COMPLETE, (struct str){0});
}

void worker_phase_end(struct worker *w)
{
    if (w->deleting && w->phase != PHASE_DELETE) {
        worker_begin(w, PHASE_DELETE);
        return;
    }
    if (w->cancelled && w->phase == PHASE_UPDATE) {
        worker_begin(w, PHASE_UPDATE_ROLLBACK);
        return;
    }
    switch (w->phase) {
    case PHASE_CREATE:
        create_ended(w);
        return;
    case PHASE_UPDATE:
        update_ended(w);
        return;
    case PHASE_ROLLBACK:
    case PHASE_DELETE:
        delete_ended(w);
        return;
    case PHASE_CLEANUP:
        /* AWS tries, tells in the events, and lets the update stand. */
        worker_settle_imports(w);
        forget_update(w);
        worker_finish(w, CLOUDFORMATION_STACK_STATUS_UPDATE_COMPLETE, (struct str){0});
        return;
    case PHASE_UPDATE_ROLLBACK:
        if (w->failed) {
            worker_finish(w, CLOUDFORMATION_STACK_STATUS_UPDATE_ROLLBACK_FAILED,
                          failure_reason(w, (struct str){0}, " "));
            return;
        }
        worker_status(w, CLOUDFORMATION_STACK_STATUS_UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS,
                      (struct str){0});
        worker_begin(w, PHASE_ROLLBACK_CLEANUP);
        return;
    case PHASE_ROLLBACK_CLEANUP:
        restore_source(w);
        forget_update(w);
        worker_finish(w, CLOUDFORMATION_STACK_STATUS_UPDATE_ROLLBACK_COMPLETE, (struct str){0});
        return;
    }
}

/* What would be removed is known before anything is done; the rest is asked one by one. */
static void look_at_policy(struct worker *w)
{
    struct arena *a = w->call->arena;
    const struct cloudformation_stack_record *s = &w->stack;
    struct str why, text = str_has(s->policy_during) ? s->policy_during : s->policy;
    if (!str_has(text) || stack_policy_parse(a, text, &w->policy) < 0)
        return; /* it was checked when it was set */
    for (size_t i = 0; i < w->resources.n; i++) {
        struct cloudformation_resource_record *rec = &w->resources.items[i];
        const struct template_resource *res =
            template_resource_find(w->processed.view, rec->logical_id);
        if ((res && res->active) || !str_has(rec->physical_id) ||
            stack_policy_allows(a, w->policy, "Update:Delete", rec->logical_id, rec->type, &why))
            continue;
        worker_resource_event(w, rec, CLOUDFORMATION_RESOURCE_STATUS_UPDATE_FAILED, why, true);
        w->failed_ids = w->failed
                            ? str_printf(a, "%.*s, %.*s", STR(w->failed_ids), STR(rec->logical_id))
                            : rec->logical_id;
        w->failed_verb = S("update");
        w->failed = true;
    }
}

void worker_begin(struct worker *w, enum phase phase)
{
    w->phase = phase;
    w->failed = false;
    w->failed_ids = w->failed_verb = (struct str){0};
    worker_plan(w);
    if (phase == PHASE_UPDATE)
        look_at_policy(w);
    worker_advance(w);
}
