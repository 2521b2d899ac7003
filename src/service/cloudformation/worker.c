/* worker - the steps of an operation on a stack: see worker.h. */
#include "service/cloudformation/worker.h"
#include <errno.h>
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"

static struct worker *at_work; /* linked by next */
static size_t n_abandoned;

void worker_wrote(struct worker *w, int r)
{
    if (r >= 0 || w->lost)
        return;
    log_warn("cloudformation: stack %.*s: %s", STR(w->stack.stack_name), strerror(-r));
    w->lost = r != -EMSGSIZE; /* the store is as it was; all other errors lose the turn */
}

/* ---- records and events ---- */

void worker_status(struct worker *w, struct str status, struct str reason)
{
    w->stack.status = status;
    w->stack.status_reason = reason;
    worker_wrote(w, stack_save(w->call, &w->stack));
    struct cloudformation_event_record e = {
        .event_id = random_uuid(w->call->arena),
        .logical_id = w->stack.stack_name,
        .physical_id = w->stack.stack_id,
        .type = S("AWS::CloudFormation::Stack"),
        .status = status,
        .reason = reason,
    };
    worker_wrote(w, stack_event(w->call, &w->stack, &e));
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
    if (w->lost || (w->deleting && w->phase != PHASE_DELETE) ||
        (w->cancelled && w->phase == PHASE_UPDATE))
        return false;
    return !w->failed || (w->phase != PHASE_CREATE && w->phase != PHASE_UPDATE);
}

void worker_advance(struct worker *w)
{
    if (w->advancing)
        return;
    w->advancing = true;
    bool again = true;
    while (again && goes_on(w)) {
        again = false;
        for (size_t i = 0; i < w->n_tasks && goes_on(w); i++)
            if (w->tasks[i].state == TASK_WAITING && ready(&w->tasks[i])) {
                worker_task_start(w, &w->tasks[i]);
                again = true;
            }
    }
    w->advancing = false;
    if (!w->running && !w->lost)
        worker_phase_end(w);
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
        t->state = TASK_FAILED;
        worker_task_ended(t);
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

static void stop_timer(struct worker *w)
{
    if (!w->timer)
        return;
    uv_timer_stop(w->timer);
    uv_close((uv_handle_t *)w->timer, timer_closed);
    w->timer = NULL;
}

static void worker_free(struct worker *w)
{
    struct call *call = w->call;
    free(w);
    call_close(call);
}

void worker_finish(struct worker *w, struct str status, struct str reason)
{
    w->stack.policy_during = w->stack.policy_next = (struct str){0};
    worker_status(w, status, reason);
    worker_wrote(w, stack_mark_busy(w->call, &w->stack, false));
    if (w->lost) /* the turn's end will say so */
        return;
    stop_timer(w);
    struct worker **link = &at_work;
    while (*link && *link != w)
        link = &(*link)->next;
    if (*link)
        *link = w->next;
    worker_free(w);
}

void worker_abandon_all(void)
{
    while (at_work) {
        struct worker *w = at_work;
        at_work = w->next;
        stop_timer(w);
        w->abandoned = true;
        n_abandoned++;
        if (w->pending == 0)
            worker_let_go(w);
    }
}

bool worker_abandoned_left(void)
{
    return n_abandoned > 0;
}

void worker_let_go(struct worker *w)
{
    if (w->pending > 0)
        return;
    n_abandoned--;
    worker_free(w);
}

/* Tasks start from the loop, never inside the call that asked for the operation. */
static void first_turn(uv_timer_t *timer)
{
    struct worker *w = timer->data;
    worker_begin(w, w->phase);
}

/* The service role as it is now. One that has gone is nobody's: what it would do is denied. */
static struct principal role_principal(struct worker *w, struct str role_arn)
{
    struct principal who;
    if (call_role_principal(w->call, role_arn, S("AWSCloudFormation"), &who) == 0)
        return who;
    struct arena *a = w->call->arena;
    ssize_t slash = str_find_last_byte(role_arn, '/');
    struct str name = slash < 0 ? role_arn : str_slice(role_arn, (size_t)slash + 1, role_arn.n);
    return (struct principal){
        .type = PRINCIPAL_ROLE_SESSION,
        .account = w->call->account,
        .arn = str_printf(a, "arn:aws:sts::%.*s:assumed-role/%.*s/AWSCloudFormation",
                          STR(w->call->account), STR(name)),
        .user_id = S("AROA:AWSCloudFormation"),
        .role_name = name,
    };
}

static const struct principal self = {.type = PRINCIPAL_SERVICE,
                                      .service = S_INIT("cloudformation.amazonaws.com")};

/* The service role, or who asked. */
static void act_as(struct worker *w)
{
    w->who = str_has(w->stack.role_arn) ? role_principal(w, w->stack.role_arn)
                                        : stack_principal(w->stack.caller);
}

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
    w->next = at_work;
    at_work = w;
    act_as(w);
    if (phase == PHASE_CREATE || phase == PHASE_UPDATE || phase == PHASE_CLEANUP) {
        struct template_error err = {0};
        r = prepare_source(w->call, w->stack.source, w->stack.previous, w->stack.stack_name,
                           w->stack.stack_id, &w->stack, &w->processed, &err);
        if (r < 0) {
            log_error("cloudformation: template of %.*s: %.*s", STR(w->stack.stack_name),
                      STR(err.message));
            worker_finish(w,
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

/* Between a turn that was taken back and its resumption: whoever resumes finds it to be deleted. */
static int delete_unattended(struct call *call, struct str uuid, struct str role_arn,
                             struct str token)
{
    struct cloudformation_stack_record stack = {0};
    int r = stack_load(call, uuid, &stack);
    if (r < 0)
        return r;
    stack.caller = stack_caller(call, call->who);
    if (str_has(role_arn))
        stack.role_arn = role_arn;
    stack.client_token = token;
    stack.status = CLOUDFORMATION_STACK_STATUS_DELETE_IN_PROGRESS;
    stack.status_reason = S("User Initiated");
    struct cloudformation_event_record e = {
        .event_id = random_uuid(call->arena),
        .logical_id = stack.stack_name,
        .physical_id = stack.stack_id,
        .type = S("AWS::CloudFormation::Stack"),
        .status = stack.status,
        .reason = stack.status_reason,
    };
    r = stack_save(call, &stack);
    return r < 0 ? r : stack_event(call, &stack, &e);
}

int worker_delete(struct call *call, struct str uuid, struct str role_arn, struct str token)
{
    struct worker *w = at_work;
    while (w && !str_eq(stack_uuid(w->stack.stack_id), uuid))
        w = w->next;
    if (!w)
        return delete_unattended(call, uuid, role_arn, token);
    struct arena *a = w->call->arena;
    struct principal who = *call->who; /* which goes with its call */
    struct str *parts[] = {&who.account,   &who.arn,     &who.user_id,
                           &who.role_name, &who.service, &who.session_policy,
                           &who.access_key};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (str_has(*parts[i]))
            *parts[i] = str_copy(a, *parts[i]);
    w->stack.caller = stack_caller(w->call, &who);
    if (str_has(role_arn))
        w->stack.role_arn = str_copy(a, role_arn);
    w->stack.client_token = str_has(token) ? str_copy(a, token) : (struct str){0};
    w->deleting = true;
    act_as(w);
    worker_status(w, CLOUDFORMATION_STACK_STATUS_DELETE_IN_PROGRESS, S("User Initiated"));
    return 0;
}

/* The status says so at once: who resumes goes back, too. */
int worker_cancel(struct call *call, struct str uuid, struct str token)
{
    struct worker *w = at_work;
    while (w && !str_eq(stack_uuid(w->stack.stack_id), uuid))
        w = w->next;
    if (w) {
        w->stack.client_token = str_has(token) ? str_copy(w->call->arena, token) : token;
        w->cancelled = true;
        worker_status(w, CLOUDFORMATION_STACK_STATUS_UPDATE_ROLLBACK_IN_PROGRESS,
                      S("User Initiated"));
        return 0;
    }
    struct cloudformation_stack_record stack = {0};
    int r = stack_load(call, uuid, &stack);
    if (r < 0)
        return r;
    stack.client_token = token;
    stack.status = CLOUDFORMATION_STACK_STATUS_UPDATE_ROLLBACK_IN_PROGRESS;
    stack.status_reason = S("User Initiated");
    return stack_save(call, &stack);
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

static bool is_at_work(struct str uuid)
{
    for (const struct worker *w = at_work; w; w = w->next)
        if (str_eq(stack_uuid(w->stack.stack_id), uuid))
            return true;
    return false;
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
        if (is_at_work(uuid))
            continue;
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
