/* rollback - CancelUpdateStack, RollbackStack, ContinueUpdateRollback: an update that is under way,
 * was left as it failed, or could not be taken back, goes back. */
#include <errno.h>
#include "service/cloudformation/operation.h"

static int find(struct call *call, struct str name, struct cloudformation_stack_record *ret)
{
    int r = stack_lookup(call, name, ret);
    if (r == -ENOENT || (r == 0 && ret->deleted_ms.has))
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR, "Stack [%.*s] does not exist",
                         STR(name));
    return r;
}

static bool is_again(struct call *call, const struct cloudformation_stack_record *stack,
                     struct str token)
{
    return str_has(token) && str_eq(stack->client_token, token);
}

static int wrong_status(struct call *call, const char *operation)
{
    return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                     "%s cannot be called from current stack status", operation);
}

static int cancel_update_stack(struct call *call,
                               const struct cloudformation_cancel_update_stack_input *in, void *out)
{
    struct cloudformation_stack_record stack = {0};
    (void)out;
    int r = find(call, in->stack_name, &stack);
    if (r < 0)
        return r;
    if (str_eq(stack.status, CLOUDFORMATION_STACK_STATUS_UPDATE_ROLLBACK_IN_PROGRESS) &&
        is_again(call, &stack, in->client_request_token))
        return 0;
    if (!str_eq(stack.status, CLOUDFORMATION_STACK_STATUS_UPDATE_IN_PROGRESS))
        return wrong_status(call, "CancelUpdateStack");
    return worker_cancel(call, stack_uuid(stack.stack_id), in->client_request_token);
}

static int rollback_stack(struct call *call, const struct cloudformation_rollback_stack_input *in,
                          struct cloudformation_rollback_stack_output *out)
{
    struct cloudformation_stack_record stack = {0};
    int r = find(call, in->stack_name, &stack);
    if (r == 0)
        r = stack_check_role(call, in->role_arn);
    if (r < 0)
        return r;
    out->stack_id = stack.stack_id;
    if (stack_is_busy(&stack) && is_again(call, &stack, in->client_request_token))
        return 0;
    bool made = str_eq(stack.status, CLOUDFORMATION_STACK_STATUS_CREATE_FAILED);
    bool updated =
        str_eq(stack.status, CLOUDFORMATION_STACK_STATUS_UPDATE_FAILED) && stack.previous;
    if (!made && !updated)
        return wrong_status(call, "RollbackStack");
    if (str_has(in->role_arn))
        stack.role_arn = in->role_arn;
    if (in->retain_except_on_create.has)
        stack.retain_except_on_create = in->retain_except_on_create;
    stack.client_token = in->client_request_token;
    return made ? stack_begin(call, &stack, CLOUDFORMATION_STACK_STATUS_ROLLBACK_IN_PROGRESS,
                              (struct str){0}, PHASE_ROLLBACK)
                : stack_begin(call, &stack, CLOUDFORMATION_STACK_STATUS_UPDATE_ROLLBACK_IN_PROGRESS,
                              (struct str){0}, PHASE_UPDATE_ROLLBACK);
}

/* It is left as it is, and counts as put back. */
static int skip(struct call *call, const struct cloudformation_stack_record *stack,
                struct str logical_id)
{
    struct cloudformation_resource_record rec = {0};
    struct str uuid = stack_uuid(stack->stack_id);
    int r = stack_resource_load(call, uuid, logical_id, &rec);
    if (r == -ENOENT)
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                         "Resource [%.*s] does not exist in stack [%.*s]", STR(logical_id),
                         STR(stack->stack_name));
    if (r < 0)
        return r;
    if (!str_eq(rec.status, CLOUDFORMATION_RESOURCE_STATUS_UPDATE_FAILED))
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                         "Only resources in the UPDATE_FAILED state can be skipped: [%.*s] is %.*s",
                         STR(logical_id), STR(rec.status));
    rec.status = CLOUDFORMATION_RESOURCE_STATUS_UPDATE_COMPLETE;
    rec.status_reason = rec.touched = rec.old_physical_id = rec.old_properties =
        rec.old_attributes = rec.old_shown = (struct str){0};
    return stack_resource_save(call, uuid, &rec);
}

static int continue_update_rollback(struct call *call,
                                    const struct cloudformation_continue_update_rollback_input *in,
                                    struct cloudformation_continue_update_rollback_output *out)
{
    struct cloudformation_stack_record stack = {0};
    (void)out;
    int r = find(call, in->stack_name, &stack);
    if (r == 0)
        r = stack_check_role(call, in->role_arn);
    if (r < 0)
        return r;
    if (stack_is_busy(&stack) && is_again(call, &stack, in->client_request_token))
        return 0;
    if (!str_eq(stack.status, CLOUDFORMATION_STACK_STATUS_UPDATE_ROLLBACK_FAILED))
        return wrong_status(call, "RollbackUpdatedStack"); /* so it is called in AWS's answer */
    for (size_t i = 0; i < in->resources_to_skip.n && r == 0; i++)
        r = skip(call, &stack, in->resources_to_skip.items[i]);
    if (r < 0)
        return r;
    if (str_has(in->role_arn))
        stack.role_arn = in->role_arn;
    stack.client_token = in->client_request_token;
    return stack_begin(call, &stack, CLOUDFORMATION_STACK_STATUS_UPDATE_ROLLBACK_IN_PROGRESS,
                       (struct str){0}, PHASE_UPDATE_ROLLBACK);
}

const struct handler cloudformation_rollback_handlers[] = {
    {cloudformation_cancel_update_stack_run(cancel_update_stack), "CancelUpdateStack",
     "stack/{StackName}/*"},
    {cloudformation_rollback_stack_run(rollback_stack), "RollbackStack", "stack/{StackName}/*"},
    {cloudformation_continue_update_rollback_run(continue_update_rollback),
     "ContinueUpdateRollback", "stack/{StackName}/*"},
    {0},
};
