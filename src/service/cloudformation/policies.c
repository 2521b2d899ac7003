/* policies - SetStackPolicy and GetStackPolicy. What policies say is enforced by the worker. */
#include <errno.h>
#include "service/cloudformation/prepare.h"

static bool has_resource(void *user, struct str logical_id)
{
    const struct policy_scope *scope = user;
    if (scope->view && template_resource_find(scope->view, logical_id))
        return true;
    for (size_t i = 0; i < scope->resources.n; i++)
        if (str_eq(scope->resources.items[i].logical_id, logical_id))
            return true;
    return false;
}

int policy_validate(struct call *call, struct str text, struct policy_scope *scope)
{
    struct stack_policy *policy;
    if (text.n > STACK_POLICY_MAX || stack_policy_parse(call->arena, text, &policy) < 0)
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                         "Error validating stack policy: Invalid stack policy");
    struct str unknown = stack_policy_unknown(policy, has_resource, scope);
    if (unknown.n)
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                         "Error validating stack policy: Unknown logical id '%.*s' in statement {} "
                         "- stack policies can only be applied to logical ids referenced in the "
                         "template",
                         STR(unknown));
    return 0;
}

/* The worker of an operation keeps a record of its own. */
static int set_policy(struct call *call, struct str text)
{
    const struct cloudformation_set_stack_policy_input *in = call->in;
    struct cloudformation_stack_record stack = {0};
    struct template_processed processed = {0};
    struct template_error err = {0};
    struct policy_scope scope = {0};
    int r = stack_find(call, in->stack_name, &stack);
    if (r < 0)
        return r;
    if (stack_is_busy(&stack) || stack.deleted_ms.has)
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                         "The policy of stack [%.*s] cannot be changed while in status %.*s",
                         STR(stack.stack_name), STR(stack.status));
    if (stack.source && prepare_source(call, stack.source, NULL, stack.stack_name, stack.stack_id,
                                       &stack, &processed, &err) == 0)
        scope.view = processed.view;
    r = stack_resources_load(call, stack_uuid(stack.stack_id), &scope.resources);
    if (r == 0)
        r = policy_validate(call, text, &scope);
    if (r < 0)
        return r;
    stack.policy = text;
    return stack_save(call, &stack);
}

static int got_document(void *user, struct str text)
{
    return set_policy(user, text);
}

static int set_stack_policy(struct call *call,
                            const struct cloudformation_set_stack_policy_input *in, void *out)
{
    (void)out;
    struct cloudformation_stack_record stack = {0};
    int r = stack_find(call, in->stack_name, &stack);
    if (r < 0)
        return r;
    if (str_has(in->stack_policy_body) && str_has(in->stack_policy_url))
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                         "You cannot specify both StackPolicyURL and StackPolicyBody");
    if (str_has(in->stack_policy_url))
        return prepare_document(call, "StackPolicyURL", in->stack_policy_url, got_document, call);
    if (!str_has(in->stack_policy_body))
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                         "You must specify either StackPolicyURL or StackPolicyBody");
    return set_policy(call, in->stack_policy_body);
}

/* During an update, the one that holds meanwhile. */
static int get_stack_policy(struct call *call,
                            const struct cloudformation_get_stack_policy_input *in,
                            struct cloudformation_get_stack_policy_output *out)
{
    struct cloudformation_stack_record stack = {0};
    int r = stack_find(call, in->stack_name, &stack);
    if (r == 0)
        out->stack_policy_body = str_has(stack.policy_during) ? stack.policy_during : stack.policy;
    return r;
}

const struct handler cloudformation_policy_handlers[] = {
    {cloudformation_set_stack_policy_run(set_stack_policy), "SetStackPolicy",
     "stack/{StackName}/*"},
    {cloudformation_get_stack_policy_run(get_stack_policy), "GetStackPolicy",
     "stack/{StackName}/*"},
    {0},
};
