#include "service/cloudformation/worker.h"
#include <errno.h>
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "template/resource_types.h"

static void advance(struct worker *w);
static void begin(struct worker *w, enum phase phase);
static void phase_end(struct worker *w);

/* ---- records and events ---- */

static void stack_status(struct worker *w, struct str status, struct str reason)
{
    w->stack.status = status;
    w->stack.status_reason = reason;
    stack_save(w->call, &w->stack);
    struct cloudformation_event_record e = {
        .event_id = random_uuid(w->call->arena),
        .logical_id = w->stack.stack_name,
        .physical_id = w->stack.stack_id,
        .type = S("AWS::CloudFormation::Stack"),
        .status = status,
        .reason = reason,
    };
    stack_event(w->call, &w->stack, &e);
}

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
    stack_event(w->call, &w->stack, &e);
    if (!save)
        return;
    struct cloudformation_resource_record r = *rec;
    r.status = status;
    r.status_reason = reason;
    r.updated_ms = opt_int(clock_now_ms());
    stack_resource_save(w->call, stack_uuid(w->stack.stack_id), &r);
    *(struct cloudformation_resource_record *)(uintptr_t)rec = r;
}

/* ---- a task's beginning and end ---- */

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

static void start(struct worker *w, struct task *t)
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
            stack_resource_delete(w->call, uuid, rec->logical_id);
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
    stack_resource_save(w->call, uuid, rec);
}

static void made(struct worker *w, struct task *t)
{
    struct cloudformation_resource_record *rec = t->record;
    rec->settled = worker_operation(w);
    if (t->change == CHANGE_NONE && t->action == ACTION_UPDATE) {
        stack_resource_save(w->call, stack_uuid(w->stack.stack_id), rec);
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
    advance(w);
}

/* ---- the engine ---- */

static bool ready(const struct task *t)
{
    for (size_t i = 0; i < t->n_after; i++)
        if (t->after[i]->state != TASK_DONE)
            return false;
    return true;
}

/* A removal that failed must not keep the others from being tried; a creation stops at once. */
static bool goes_on(const struct worker *w)
{
    return !w->failed || (w->phase != PHASE_CREATE && w->phase != PHASE_UPDATE);
}

static void advance(struct worker *w)
{
    if (w->advancing)
        return;
    w->advancing = true;
    bool again = true;
    while (again && goes_on(w)) {
        again = false;
        for (size_t i = 0; i < w->n_tasks && goes_on(w); i++)
            if (w->tasks[i].state == TASK_WAITING && ready(&w->tasks[i])) {
                start(w, &w->tasks[i]);
                again = true;
            }
    }
    w->advancing = false;
    if (!w->running)
        phase_end(w);
}

static bool late(const struct worker *w)
{
    return w->phase == PHASE_CREATE && w->stack.timeout_minutes.has &&
           clock_now_ms() - w->stack.created_ms.is > w->stack.timeout_minutes.is * 60000;
}

static void timer_fired(uv_timer_t *timer)
{
    struct worker *w = timer->data;
    bool cancel = late(w);
    for (size_t i = 0; i < w->n_tasks; i++) {
        struct task *t = &w->tasks[i];
        if (t->state != TASK_RETRYING)
            continue;
        if (!cancel) {
            task_retry(t);
            continue;
        }
        /* The last one's end ends the worker. */
        bool last = w->running == 1;
        task_fail(t, "Resource creation cancelled");
        w->failed = true;
        fail_at_once(t);
        if (last)
            return;
    }
}

void worker_wait(struct worker *w)
{
    if (!w->timer) {
        w->timer = malloc(sizeof *w->timer);
        if (!w->timer)
            abort();
        uv_timer_init(w->call->loop, w->timer);
        w->timer->data = w;
    }
    uv_timer_start(w->timer, timer_fired, 2, 0);
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle);
}

static void finish(struct worker *w, struct str status, struct str reason)
{
    stack_status(w, status, reason);
    stack_mark_busy(w->call, &w->stack, false);
    if (w->timer) {
        uv_timer_stop(w->timer);
        uv_close((uv_handle_t *)w->timer, timer_closed);
    }
    struct call *call = w->call;
    free(w);
    call_close(call);
}

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
        stack_resource_save(w->call, uuid, rec);
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
        finish(w, CLOUDFORMATION_STACK_STATUS_CREATE_COMPLETE, (struct str){0});
        return;
    }
    if (w->stack.disable_rollback.is || str_is(w->stack.on_failure, "DO_NOTHING")) {
        finish(w, CLOUDFORMATION_STACK_STATUS_CREATE_FAILED, failure_reason(w, why, ""));
        return;
    }
    bool away = str_is(w->stack.on_failure, "DELETE");
    stack_status(w,
                 away ? CLOUDFORMATION_STACK_STATUS_DELETE_IN_PROGRESS
                      : CLOUDFORMATION_STACK_STATUS_ROLLBACK_IN_PROGRESS,
                 failure_reason(
                     w, why, away ? " Delete requested by user." : " Rollback requested by user."));
    begin(w, away ? PHASE_DELETE : PHASE_ROLLBACK);
}

static void update_ended(struct worker *w)
{
    struct str why = {0};
    if (!w->failed && worker_publish(w, &why) == 0) {
        stack_status(w, CLOUDFORMATION_STACK_STATUS_UPDATE_COMPLETE_CLEANUP_IN_PROGRESS,
                     (struct str){0});
        begin(w, PHASE_CLEANUP);
        return;
    }
    if (w->stack.disable_rollback.is) {
        finish(w, CLOUDFORMATION_STACK_STATUS_UPDATE_FAILED, failure_reason(w, why, ""));
        return;
    }
    stack_status(w, CLOUDFORMATION_STACK_STATUS_UPDATE_ROLLBACK_IN_PROGRESS,
                 failure_reason(w, why, " "));
    begin(w, PHASE_UPDATE_ROLLBACK);
}

static void delete_ended(struct worker *w)
{
    if (w->failed) {
        finish(w,
               w->phase == PHASE_DELETE ? CLOUDFORMATION_STACK_STATUS_DELETE_FAILED
                                        : CLOUDFORMATION_STACK_STATUS_ROLLBACK_FAILED,
               failure_reason(w, (struct str){0}, " "));
        return;
    }
    stack_imports_clear(w->call, &w->stack);
    stack_exports_remove(w->call, &w->stack, NULL);
    if (w->phase == PHASE_ROLLBACK) {
        finish(w, CLOUDFORMATION_STACK_STATUS_ROLLBACK_COMPLETE, (struct str){0});
        return;
    }
    w->stack.deleted_ms = opt_int(clock_now_ms());
    stack_name_release(w->call, &w->stack);
    finish(w, CLOUDFORMATION_STACK_STATUS_DELETE_COMPLETE, (struct str){0});
}

static void phase_end(struct worker *w)
{
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
        finish(w, CLOUDFORMATION_STACK_STATUS_UPDATE_COMPLETE, (struct str){0});
        return;
    case PHASE_UPDATE_ROLLBACK:
        if (w->failed) {
            finish(w, CLOUDFORMATION_STACK_STATUS_UPDATE_ROLLBACK_FAILED,
                   failure_reason(w, (struct str){0}, " "));
            return;
        }
        stack_status(w, CLOUDFORMATION_STACK_STATUS_UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS,
                     (struct str){0});
        begin(w, PHASE_ROLLBACK_CLEANUP);
        return;
    case PHASE_ROLLBACK_CLEANUP:
        restore_source(w);
        forget_update(w);
        finish(w, CLOUDFORMATION_STACK_STATUS_UPDATE_ROLLBACK_COMPLETE, (struct str){0});
        return;
    }
}

static void begin(struct worker *w, enum phase phase)
{
    w->phase = phase;
    w->failed = false;
    w->failed_ids = w->failed_verb = (struct str){0};
    worker_plan(w);
    advance(w);
}

/* Tasks start from the loop, never inside the call that asked for the operation. */
static void first_turn(uv_timer_t *timer)
{
    struct worker *w = timer->data;
    begin(w, w->phase);
}

static struct principal role_principal(struct worker *w, struct str role_arn)
{
    struct arena *a = w->call->arena;
    ssize_t slash = str_find_last_byte(role_arn, '/');
    struct str name = slash < 0 ? role_arn : str_slice(role_arn, (size_t)slash + 1, role_arn.n);
    return (struct principal){
        .type = PRINCIPAL_ROLE_SESSION,
        .account = w->call->account,
        .arn = str_printf(a, "arn:aws:sts::%.*s:assumed-role/%.*s/AWSCloudFormation",
                          STR(w->call->account), STR(name)),
        .user_id = str_printf(a, "AROA:AWSCloudFormation"),
        .role_name = name,
    };
}

static const struct principal self = {.type = PRINCIPAL_SERVICE,
                                      .service = S_INIT("cloudformation.amazonaws.com")};

int worker_start(struct cloud *cloud, struct str account, struct str region, struct str uuid,
                 enum phase phase)
{
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->call = call_open(cloud, account, region, &self);
    w->phase = phase;
    int r = stack_load(w->call, uuid, &w->stack);
    if (r == 0)
        r = stack_resources_load(w->call, uuid, &w->resources);
    if (r < 0) {
        log_error("cloudformation: stack %.*s cannot be read: %s", STR(uuid), strerror(-r));
        call_close(w->call);
        free(w);
        return r;
    }
    w->who = str_has(w->stack.role_arn) ? role_principal(w, w->stack.role_arn)
                                        : stack_principal(w->stack.caller);
    if (phase == PHASE_CREATE || phase == PHASE_UPDATE || phase == PHASE_CLEANUP) {
        struct template_error err = {0};
        r = prepare_source(w->call, w->stack.source, w->stack.previous, w->stack.stack_name,
                           w->stack.stack_id, &w->stack, &w->processed, &err);
        if (r < 0) {
            log_error("cloudformation: template of %.*s: %.*s", STR(w->stack.stack_name),
                      STR(err.message));
            finish(w,
                   phase == PHASE_CREATE ? CLOUDFORMATION_STACK_STATUS_CREATE_FAILED
                                         : CLOUDFORMATION_STACK_STATUS_UPDATE_FAILED,
                   err.message);
            return 0;
        }
    }
    worker_wait(w);
    uv_timer_start(w->timer, first_turn, 0, 0);
    return 0;
}

static enum phase phase_of(struct str status)
{
    static const struct {
        struct str status;
        enum phase phase;
    } phases[] = {
        {S_INIT("CREATE_IN_PROGRESS"), PHASE_CREATE},
        {S_INIT("ROLLBACK_IN_PROGRESS"), PHASE_ROLLBACK},
        {S_INIT("UPDATE_IN_PROGRESS"), PHASE_UPDATE},
        {S_INIT("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), PHASE_CLEANUP},
        {S_INIT("UPDATE_ROLLBACK_IN_PROGRESS"), PHASE_UPDATE_ROLLBACK},
        {S_INIT("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"), PHASE_ROLLBACK_CLEANUP},
    };
    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++)
        if (str_eq(status, phases[i].status))
            return phases[i].phase;
    return PHASE_DELETE;
}

int worker_resume_all(struct cloud *cloud, struct store *store)
{
    struct arena *a = arena_new();
    struct store_row *rows;
    size_t n;
    int r =
        store_scan(store, store_prefix(a, 1, S("cfn-busy")), (struct str){0}, 100000, a, &rows, &n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct str account = store_key_part(a, rows[i].key, 1);
        struct str region = store_key_part(a, rows[i].key, 2);
        struct str uuid = store_key_part(a, rows[i].key, 3);
        struct call *look = call_open(cloud, account, region, &self);
        struct cloudformation_stack_record stack = {0};
        if (stack_load(look, uuid, &stack) == 0) {
            log_info("cloudformation: going on with %.*s (%.*s)", STR(stack.stack_name),
                     STR(stack.status));
            worker_start(cloud, account, region, uuid, phase_of(stack.status));
        }
        call_close(look);
    }
    arena_free(a);
    return r;
}
