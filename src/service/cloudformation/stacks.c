/* stacks - CreateStack, UpdateStack, DeleteStack: what is checked and written down before a worker
 * takes over. */
#include <errno.h>
#include "base/digest.h"
#include "service/cloudformation/operation.h"
#include "service/cloudformation/prepare.h"

struct cloudformation_stack_record stack_new(struct call *call, struct str name)
{
    return (struct cloudformation_stack_record){
        .stack_name = name,
        .stack_id = call_arn(call, "cloudformation", "stack/%.*s/%s", STR(name),
                             random_uuid(call->arena).p),
        .created_ms = opt_int(call->now_ms),
    };
}

int stack_begin(struct call *call, struct cloudformation_stack_record *stack, struct str status,
                struct str reason, enum phase phase)
{
    stack->status = status;
    stack->status_reason = reason;
    stack->caller = stack_caller(call, call->who);
    struct cloudformation_event_record e = {
        .event_id = random_uuid(call->arena),
        .logical_id = stack->stack_name,
        .physical_id = stack->stack_id,
        .type = S("AWS::CloudFormation::Stack"),
        .status = status,
        .reason = str_has(reason) ? reason : S("User Initiated"),
    };
    int r = stack_save(call, stack);
    if (r == 0)
        r = stack_name_bind(call, stack);
    if (r == 0)
        r = stack_mark_busy(call, stack, true);
    if (r == 0)
        r = stack_event(call, stack, &e);
    if (r == 0)
        r = worker_start(call->cloud, call->account, call->region, stack_uuid(stack->stack_id),
                         phase);
    return r;
}

int stack_refuse(struct call *call, const struct unsupported *list)
{
    for (; list->name; list++)
        if (list->given)
            return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                             "%s is not supported by this cloud", list->name);
    return 0;
}

bool rollback_triggers(const struct cloudformation_rollback_configuration *c)
{
    return c && (c->rollback_triggers.n || c->monitoring_time_in_minutes.is);
}

/* The same request once more (a client that lost the answer) gets the same answer; a token of one
 * operation cannot begin another one. */
static int token_used(struct call *call, const struct cloudformation_stack_record *stack,
                      struct str token)
{
    if (!str_has(token) || !str_eq(stack->client_token, token))
        return 0;
    return call_fail(call, CLOUDFORMATION_TOKEN_ALREADY_EXISTS,
                     "Token %.*s has been used by another operation on stack %.*s", STR(token),
                     STR(stack->stack_name));
}

static int refuse_existing(struct call *call, struct str name, struct str token)
{
    struct cloudformation_stack_record old = {0};
    int r = stack_lookup(call, name, &old);
    if (r == 0)
        r = token_used(call, &old, token);
    if (r == 0)
        return call_fail(call, CLOUDFORMATION_ALREADY_EXISTS, "Stack [%.*s] already exists",
                         STR(name));
    return r == -ENOENT ? 0 : r;
}

/* The model has no pattern for it: elsewhere it may be an id. */
int stack_check_name(struct call *call, struct str name)
{
    bool good = name.n && ((name.p[0] | 0x20) >= 'a' && (name.p[0] | 0x20) <= 'z');
    for (size_t i = 0; good && i < name.n; i++) {
        char c = name.p[i];
        good = ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9') || c == '-';
    }
    if (name.n > 128)
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                         "1 validation error detected: Value '%.*s' at 'stackName' failed to "
                         "satisfy constraint: Member must have length less than or equal to 128",
                         STR(name));
    if (!good)
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                         "1 validation error detected: Value '%.*s' at 'stackName' failed to "
                         "satisfy constraint: Member must satisfy regular expression pattern: "
                         "[a-zA-Z][-a-zA-Z0-9]*",
                         STR(name));
    return 0;
}

int stack_check_role(struct call *call, struct str role_arn)
{
    struct str why;
    if (!str_has(role_arn))
        return 0;
    if (call_allowed(call, call->who, S("iam:PassRole"), role_arn, &why) < 0)
        return call_fail(call, CLOUDFORMATION_ACCESS_DENIED, "%.*s", STR(why));
    return 0;
}

static int create_prepared(struct request *q)
{
    struct call *call = q->call;
    const struct cloudformation_create_stack_input *in = call->in;
    struct cloudformation_create_stack_output *out = call->out;
    struct cloudformation_stack_record *stack = q->user;
    struct cloudformation_stack_record old = {0};
    if (str_has(in->client_request_token) && stack_lookup(call, in->stack_name, &old) == 0 &&
        str_eq(old.client_token, in->client_request_token) && !old.updated_ms.has &&
        source_same(call->arena, old.source, &q->source)) {
        out->stack_id = old.stack_id;
        return 0;
    }
    int r = refuse_existing(call, in->stack_name, in->client_request_token);
    if (r < 0)
        return r;
    stack->source = &q->source;
    stack->policy = q->policy_body;
    stack->description = q->processed.view->description;
    r = stack_begin(call, stack, CLOUDFORMATION_STACK_STATUS_CREATE_IN_PROGRESS, (struct str){0},
                    PHASE_CREATE);
    out->stack_id = stack->stack_id;
    return r;
}

static int create_stack(struct call *call, const struct cloudformation_create_stack_input *in,
                        struct cloudformation_create_stack_output *out)
{
    (void)out;
    const struct unsupported unsupported[] = {
        {"RollbackConfiguration", rollback_triggers(in->rollback_configuration)},
        {"NotificationARNs", in->notification_ar_ns.n > 0},
        {0},
    };
    int r = stack_refuse(call, unsupported);
    if (r == 0)
        r = stack_check_name(call, in->stack_name);
    if (r == 0 && !str_has(in->client_request_token))
        r = refuse_existing(call, in->stack_name, (struct str){0});
    if (r == 0)
        r = stack_check_role(call, in->role_arn);
    if (r < 0)
        return r;
    if (str_has(in->on_failure) && in->disable_rollback.has)
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                         "You can specify either DisableRollback or OnFailure, but not both.");
    struct cloudformation_stack_record *stack =
        ARENA_NEW(call->arena, struct cloudformation_stack_record);
    *stack = stack_new(call, in->stack_name);
    stack->role_arn = in->role_arn;
    stack->disable_rollback = in->disable_rollback;
    stack->on_failure = in->on_failure;
    stack->retain_except_on_create = in->retain_except_on_create;
    stack->timeout_minutes = in->timeout_in_minutes;
    stack->protection = in->enable_termination_protection;
    stack->client_token = in->client_request_token;
    struct request *q = ARENA_NEW(call->arena, struct request);
    *q = (struct request){
        .call = call,
        .template_body = in->template_body,
        .template_url = in->template_url,
        .parameters = &in->parameters,
        .tags = &in->tags,
        .capabilities = &in->capabilities,
        .types = &in->resource_types,
        .policy_body = in->stack_policy_body,
        .policy_url = in->stack_policy_url,
        .role_arn = in->role_arn,
        .expands = true,
        .stack_name = stack->stack_name,
        .stack_id = stack->stack_id,
        .then = create_prepared,
        .user = stack,
    };
    return prepare(q);
}

bool pairs_same(const struct cloudformation_record_pairs *a,
                const struct cloudformation_record_pairs *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        size_t k = 0;
        while (k < b->n && !(str_eq(a->items[i].key, b->items[k].key) &&
                             str_eq(a->items[i].value, b->items[k].value)))
            k++;
        if (k == b->n)
            return false;
    }
    return true;
}

bool source_same(struct arena *a, const struct cloudformation_record_source *x,
                 const struct cloudformation_record_source *y)
{
    struct json *j, *k;
    if (!x || !y || x->parameters.n != y->parameters.n || !pairs_same(&x->tags, &y->tags) ||
        json_parse(a, x->processed, &j, NULL) < 0 || json_parse(a, y->processed, &k, NULL) < 0 ||
        !json_equal(j, k))
        return false;
    for (size_t i = 0; i < x->parameters.n; i++) {
        size_t p = 0;
        while (p < y->parameters.n &&
               !(str_eq(x->parameters.items[i].key, y->parameters.items[p].key) &&
                 str_eq(x->parameters.items[i].value, y->parameters.items[p].value)))
            p++;
        if (p == y->parameters.n)
            return false;
    }
    return true;
}

int stack_check_updatable(struct call *call, const struct cloudformation_stack_record *stack)
{
    static const struct str states[] = {
        S_INIT("CREATE_COMPLETE"), S_INIT("UPDATE_COMPLETE"), S_INIT("UPDATE_ROLLBACK_COMPLETE"),
        S_INIT("UPDATE_FAILED"),   S_INIT("CREATE_FAILED"),   S_INIT("IMPORT_COMPLETE")};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (str_eq(stack->status, states[i]))
            return 0;
    return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                     "Stack:%.*s is in %.*s state and can not be updated.", STR(stack->stack_id),
                     STR(stack->status));
}

/* What a failed update can go back to is the template before it, however often it is tried again.
 */
void stack_replace_source(struct cloudformation_stack_record *stack,
                          struct cloudformation_record_source *source)
{
    bool again = str_eq(stack->status, CLOUDFORMATION_STACK_STATUS_UPDATE_FAILED);
    if (!again || !stack->previous)
        stack->previous = stack->source;
    stack->source = source;
}

static int update_prepared(struct request *q)
{
    struct call *call = q->call;
    const struct cloudformation_update_stack_input *in = call->in;
    struct cloudformation_update_stack_output *out = call->out;
    struct cloudformation_stack_record *stack = q->user;
    if (!in->tags.items)
        q->source.tags = stack->source->tags;
    if (str_has(in->client_request_token) &&
        str_eq(stack->client_token, in->client_request_token)) {
        out->stack_id = stack->stack_id;
        return source_same(call->arena, &q->source, stack->source)
                   ? 0
                   : token_used(call, stack, in->client_request_token);
    }
    int r = stack_check_updatable(call, stack);
    if (r < 0)
        return r;
    if (!str_eq(stack->status, CLOUDFORMATION_STACK_STATUS_UPDATE_FAILED) &&
        source_same(call->arena, &q->source, stack->source) &&
        (!str_has(in->role_arn) || str_eq(in->role_arn, stack->role_arn)))
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR, "No updates are to be performed.");
    stack_replace_source(stack, &q->source);
    stack->description = q->processed.view->description;
    stack->updated_ms = opt_int(call->now_ms);
    if (str_has(in->role_arn))
        stack->role_arn = in->role_arn;
    stack->policy_during = q->during_body;
    stack->policy_next = q->policy_body;
    stack->disable_rollback = in->disable_rollback;
    stack->client_token = in->client_request_token;
    stack->retain_except_on_create = in->retain_except_on_create;
    out->stack_id = stack->stack_id;
    return stack_begin(call, stack, CLOUDFORMATION_STACK_STATUS_UPDATE_IN_PROGRESS, (struct str){0},
                       PHASE_UPDATE);
}

static int update_stack(struct call *call, const struct cloudformation_update_stack_input *in,
                        struct cloudformation_update_stack_output *out)
{
    (void)out;
    const struct unsupported unsupported[] = {
        {"RollbackConfiguration", rollback_triggers(in->rollback_configuration)},
        {"NotificationARNs", in->notification_ar_ns.n > 0},
        {0},
    };
    struct cloudformation_stack_record *stack =
        ARENA_NEW(call->arena, struct cloudformation_stack_record);
    int r = stack_refuse(call, unsupported);
    if (r == 0)
        r = stack_lookup(call, in->stack_name, stack);
    if (r == -ENOENT)
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR, "Stack [%.*s] does not exist",
                         STR(in->stack_name));
    if (r == 0 && !str_has(in->client_request_token))
        r = stack_check_updatable(call, stack);
    if (r == 0)
        r = stack_check_role(call, in->role_arn);
    if (r < 0)
        return r;
    struct request *q = ARENA_NEW(call->arena, struct request);
    *q = (struct request){
        .call = call,
        .template_body = in->template_body,
        .template_url = in->template_url,
        .use_previous_template = in->use_previous_template.is,
        .parameters = &in->parameters,
        .tags = &in->tags,
        .capabilities = &in->capabilities,
        .types = &in->resource_types,
        .policy_body = in->stack_policy_body,
        .policy_url = in->stack_policy_url,
        .during_body = in->stack_policy_during_update_body,
        .during_url = in->stack_policy_during_update_url,
        .role_arn = in->role_arn,
        .expands = true,
        .stack = stack,
        .stack_name = stack->stack_name,
        .stack_id = stack->stack_id,
        .then = update_prepared,
        .user = stack,
    };
    return prepare(q);
}

static int check_deletable(struct call *call, const struct cloudformation_stack_record *stack)
{
    if (stack->protection.is)
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                         "Stack [%.*s] cannot be deleted while TerminationProtection is enabled",
                         STR(stack->stack_name));
    for (size_t i = 0; i < stack->outputs.n; i++) {
        struct str name = stack->outputs.items[i].export_name, *by;
        size_t n;
        if (str_has(name) && stack_importers(call, name, &by, &n) == 0 && n)
            return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                             "Export %.*s cannot be deleted as it is in use by %.*s", STR(name),
                             STR(by[0]));
    }
    return 0;
}

static int delete_stack(struct call *call, const struct cloudformation_delete_stack_input *in,
                        void *out)
{
    (void)out;
    const struct unsupported unsupported[] = {
        {"DeletionMode FORCE_DELETE_STACK", str_is(in->deletion_mode, "FORCE_DELETE_STACK")},
        {0},
    };
    struct cloudformation_stack_record stack = {0};
    int r = stack_refuse(call, unsupported);
    if (r == 0)
        r = stack_lookup(call, in->stack_name, &stack);
    if (r == -ENOENT)
        return 0; /* AWS says nothing about a stack that is not there */
    if (r < 0)
        return r;
    if (str_eq(stack.status, CLOUDFORMATION_STACK_STATUS_DELETE_COMPLETE) ||
        str_eq(stack.status, CLOUDFORMATION_STACK_STATUS_DELETE_IN_PROGRESS))
        return 0;
    bool in_the_making = str_eq(stack.status, CLOUDFORMATION_STACK_STATUS_CREATE_IN_PROGRESS) ||
                         str_eq(stack.status, CLOUDFORMATION_STACK_STATUS_ROLLBACK_IN_PROGRESS);
    if (stack_is_busy(&stack) && !in_the_making)
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                         "Stack [%.*s] cannot be deleted while in status %.*s",
                         STR(stack.stack_name), STR(stack.status));
    r = check_deletable(call, &stack);
    if (r == 0)
        r = stack_check_role(call, in->role_arn);
    if (r < 0)
        return r;
    if (in_the_making && !in->retain_resources.n)
        return worker_delete(call, stack_uuid(stack.stack_id), in->role_arn,
                             in->client_request_token);
    if (in->retain_resources.n && !str_eq(stack.status, CLOUDFORMATION_STACK_STATUS_DELETE_FAILED))
        return call_fail(
            call, CLOUDFORMATION_VALIDATION_ERROR,
            "Invalid operation on stack [%.*s]. Specify which resources to retain only "
            "when the stack is in the DELETE_FAILED state.",
            STR(stack.stack_id));
    if (str_has(in->role_arn))
        stack.role_arn = in->role_arn;
    stack.client_token = in->client_request_token;
    stack.retained.items = in->retain_resources.items;
    stack.retained.n = in->retain_resources.n;
    return stack_begin(call, &stack, CLOUDFORMATION_STACK_STATUS_DELETE_IN_PROGRESS,
                       (struct str){0}, PHASE_DELETE);
}

static int
update_termination_protection(struct call *call,
                              const struct cloudformation_update_termination_protection_input *in,
                              struct cloudformation_update_termination_protection_output *out)
{
    struct cloudformation_stack_record stack = {0};
    int r = stack_lookup(call, in->stack_name, &stack);
    if (r == -ENOENT || (r == 0 && stack.deleted_ms.has))
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR, "Stack [%.*s] does not exist",
                         STR(in->stack_name));
    if (r < 0)
        return r;
    if (stack_is_busy(&stack)) /* its worker keeps a record of its own */
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                         "TerminationProtection of stack [%.*s] cannot be changed while in status "
                         "%.*s",
                         STR(stack.stack_name), STR(stack.status));
    stack.protection = in->enable_termination_protection;
    out->stack_id = stack.stack_id;
    return stack_save(call, &stack);
}

const struct handler cloudformation_stack_handlers[] = {
    {cloudformation_create_stack_run(create_stack), "CreateStack", "stack/{StackName}/*"},
    {cloudformation_update_stack_run(update_stack), "UpdateStack", "stack/{StackName}/*"},
    {cloudformation_delete_stack_run(delete_stack), "DeleteStack", "stack/{StackName}/*"},
    {cloudformation_update_termination_protection_run(update_termination_protection),
     "UpdateTerminationProtection", "stack/{StackName}/*"},
    {0},
};
