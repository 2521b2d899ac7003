/* task - carries out the steps of one resource, one operation after the other. */
#include <errno.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "service/cloudformation/provider_iam.h"
#include "service/cloudformation/worker.h"
#include "template/resource_types.h"

/* A step that asks again: at most this often (with 2 ms between: 60 s). */
#define POLLS_MAX 30000

static void next_step(struct task *task);

const struct provider *provider_find(struct str type)
{
    const struct provider *tables[] = {lambda_providers, iam_providers, iam_user_providers,
                                       s3_providers, logs_providers};
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        for (const struct provider *p = tables[i]; p->type; p++)
            if (str_is(type, p->type))
                return p;
    return NULL;
}

struct step *task_step(struct task *task, const struct operation *op, const void *in)
{
    struct step *s = arena_push(task->arena, (void **)&task->steps, &task->n_steps,
                                &task->cap_steps, sizeof *task->steps);
    *s = (struct step){.op = op, .in = in};
    return s;
}

int task_fail(struct task *task, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    task->reason = str_vprintf(task->arena, fmt, ap);
    va_end(ap);
    return -EINVAL;
}

int task_fill(struct task *task, const struct shape *shape, const struct json *object, void *in)
{
    struct str why = {0};
    int r = props_fill(task->arena, shape, object, in, &why);
    return r < 0 ? task_fail(task, "%.*s", STR(why)) : 0;
}

struct str task_name(struct task *task, size_t max, bool lower)
{
    struct arena *a = task->arena;
    struct str random =
        random_text(a, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 12);
    struct str stack = task->worker->stack.stack_name, id = task->record->logical_id;
    size_t room = max - 14; /* two dashes and the random part */
    id = str_slice(id, 0, 25);
    if (stack.n + id.n > room) {
        stack = str_slice(stack, 0, room - id.n < room / 2 ? room / 2 : room - id.n);
        id = str_slice(id, 0, room - stack.n);
    }
    struct str name = str_printf(a, "%.*s-%.*s-%.*s", STR(stack), STR(id), STR(random));
    return lower ? str_lower(a, name) : name;
}

struct str task_name_or(struct task *task, const char *property, size_t max, bool lower)
{
    struct str given = task_prop(task, property);
    return given.n ? given : task_name(task, max, lower);
}

void task_attribute(struct task *task, const char *name, struct str value)
{
    if (!task->attributes)
        task->attributes = json_new(task->arena, JSON_OBJECT);
    json_set(task->arena, task->attributes, str_from(name), json_new_str(task->arena, value));
}

struct str task_prop(const struct task *task, const char *name)
{
    return props_get(task->arena, task->props, name);
}

struct str task_old_prop(const struct task *task, const char *name)
{
    return props_get(task->arena, task->old_props, name);
}

bool task_changed(const struct task *task, const char *name)
{
    const struct json *a = json_get(task->props, name), *b = json_get(task->old_props, name);
    return a && b ? !json_equal(a, b) : a != b;
}

struct str task_policy_text(struct task *task, const struct json *document)
{
    return props_text(task->arena, document);
}

/* ---- running ---- */

static void end(struct task *task, bool ok)
{
    task->state = ok ? TASK_DONE : TASK_FAILED;
    worker_task_ended(task);
}

static const char *handler_code(struct str code)
{
    static const struct {
        const char *part, *answer;
    } codes[] = {{"AlreadyExist", "AlreadyExists"},
                 {"ResourceConflict", "AlreadyExists"},
                 {"AlreadyOwned", "AlreadyExists"},
                 {"NotFound", "NotFound"},
                 {"NoSuch", "NotFound"},
                 {"AccessDenied", "AccessDenied"},
                 {"LimitExceeded", "ServiceLimitExceeded"},
                 {"Internal", "InternalFailure"},
                 {"TooManyRequests", "Throttling"}};
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (str_find(code, str_from(codes[i].part)) >= 0)
            return codes[i].answer;
    return "InvalidRequest";
}

/* CloudFormation's way to tell what a service refused. */
static void refused(struct task *task, struct call *answer)
{
    struct str code = answer->error ? str_from(answer->error->code) : S("InternalFailure");
    int status = answer->status_override ? answer->status_override
                 : answer->error         ? answer->error->status
                                         : 500;
    task_fail(
        task,
        "Resource handler returned message: \"%.*s (Service: %s, Status Code: %d, Request ID: "
        "%.*s)\" (RequestToken: %s, HandlerErrorCode: %s)",
        STR(answer->message), operation_service(answer->op)->endpoint_prefix, status,
        STR(answer->request_id), random_uuid(task->arena).p, handler_code(code));
}

/* The worker has been abandoned, the operation not: what it has made must be known to whoever
 * resumes the stack. */
static void answered_late(struct task *task, struct call *answer)
{
    struct worker *w = task->worker;
    const struct step *step = &task->steps[task->at];
    struct str uuid = stack_uuid(w->stack.stack_id);
    bool makes = task->action == ACTION_CREATE || task->action == ACTION_UPDATE;
    if (answer->result == 0 && step->result)
        step->result(task, answer);
    if (answer->result == 0 && makes && str_has(task->physical_id)) {
        struct cloudformation_resource_record rec = {0};
        int r = stack_resource_load(w->call, uuid, task->record->logical_id, &rec);
        if (r == -ENOENT) {
            rec = *task->record;
            rec.status = CLOUDFORMATION_RESOURCE_STATUS_CREATE_IN_PROGRESS;
        } else if (task->action == ACTION_UPDATE && !str_has(rec.old_physical_id) &&
                   !str_eq(rec.physical_id, task->physical_id)) { /* a replacement */
            rec.old_physical_id = rec.physical_id;
            rec.old_properties = rec.properties;
            rec.old_attributes = rec.attributes;
            rec.old_shown = rec.shown;
            rec.touched = S("updated");
            rec.status = CLOUDFORMATION_RESOURCE_STATUS_UPDATE_IN_PROGRESS;
        }
        rec.physical_id = task->physical_id;
        if (r == 0 || r == -ENOENT)
            r = stack_resource_save(w->call, uuid, &rec);
        if (r < 0)
            log_error("cloudformation: %.*s of stack %.*s is not recorded: %s",
                      STR(task->physical_id), STR(w->stack.stack_name), strerror(-r));
    }
    worker_let_go(w);
}

static void answered(struct call *answer, void *user)
{
    struct task *task = user;
    const struct step *step = &task->steps[task->at];
    int r = 0;
    task->worker->pending--;
    if (task->worker->abandoned) {
        answered_late(task, answer);
        return;
    }
    if (answer->result < 0) {
        struct str code = answer->error ? str_from(answer->error->code) : (struct str){0};
        if (!step->ignore || !str_is(code, step->ignore)) {
            refused(task, answer);
            end(task, false);
            return;
        }
    } else if (step->result) {
        r = step->result(task, answer);
    }
    if (r == -EAGAIN && task->polls++ < POLLS_MAX) {
        task->state = TASK_RETRYING;
        worker_wait(task->worker);
        return;
    }
    if (r < 0) {
        if (!str_has(task->reason))
            task_fail(task, "Resource did not stabilize in time");
        end(task, false);
        return;
    }
    task->at++;
    next_step(task);
}

static void next_step(struct task *task)
{
    struct worker *w = task->worker;
    /* What exists must be known to whoever cleans up after a crash. */
    if (task->at > 0 && str_has(task->physical_id) && task->action != ACTION_DELETE &&
        task->action != ACTION_DELETE_OLD && task->action != ACTION_DELETE_NEW) {
        bool fresh = !str_eq(task->record->physical_id, task->physical_id);
        task->record->physical_id = task->physical_id;
        worker_wrote(w,
                     stack_resource_save(task->call, stack_uuid(w->stack.stack_id), task->record));
        if (fresh)
            worker_resource_event(w, task->record,
                                  task->action == ACTION_CREATE
                                      ? CLOUDFORMATION_RESOURCE_STATUS_CREATE_IN_PROGRESS
                                      : CLOUDFORMATION_RESOURCE_STATUS_UPDATE_IN_PROGRESS,
                                  S("Resource creation Initiated"), false);
    }
    if (task->at == task->n_steps) {
        end(task, true);
        return;
    }
    const struct step *step = &task->steps[task->at];
    w->pending++;
    call_send_as(task->call, &w->who, step->op, step->in, answered, task);
}

void task_retry(struct task *task)
{
    task->state = TASK_RUNNING;
    next_step(task);
}

static int plan_create(struct task *task)
{
    struct cloudformation_resource_record *rec = task->record;
    /* Left half made by a daemon that was killed or by an update that failed: away with it first.
     */
    bool fresh = task->action == ACTION_CREATE || !str_eq(rec->physical_id, rec->old_physical_id);
    if (str_has(rec->physical_id) && fresh) {
        const struct json *old = task->old_props;
        task->physical_id = rec->physical_id;
        if (task->tried_props || !old)
            task->old_props = task->tried_props ? task->tried_props : task->props;
        int r = task->provider->remove(task);
        if (r < 0)
            return r;
        task->old_props = old;
    }
    task->physical_id = (struct str){0};
    return task->provider->create(task);
}

static int plan_update(struct task *task)
{
    struct cloudformation_resource_record *rec = task->record;
    if (task->change == CHANGE_NONE)
        return 0;
    task->physical_id = rec->physical_id;
    if (task->change != CHANGE_REPLACE)
        return task->provider->update(task);
    /* A second replacement before the operation has succeeded must not lose the first old one. */
    if (!str_has(rec->old_physical_id)) {
        rec->old_physical_id = rec->physical_id;
        worker_wrote(task->worker, stack_resource_save(
                                       task->call, stack_uuid(task->worker->stack.stack_id), rec));
    }
    return plan_create(task);
}

void task_start(struct task *task)
{
    int r = 0;
    task->state = TASK_RUNNING;
    switch (task->action) {
    case ACTION_CREATE:
        r = plan_create(task);
        break;
    case ACTION_UPDATE:
        r = plan_update(task);
        break;
    case ACTION_REVERT:
        r = task->provider->update ? task->provider->update(task) : 0;
        break;
    case ACTION_DELETE:
    case ACTION_DELETE_OLD:
    case ACTION_DELETE_NEW:
        r = str_has(task->physical_id) ? task->provider->remove(task) : 0;
        break;
    }
    if (r < 0) {
        if (!str_has(task->reason))
            task_fail(task, "internal error: %s", strerror(-r));
        end(task, false);
        return;
    }
    next_step(task);
}
