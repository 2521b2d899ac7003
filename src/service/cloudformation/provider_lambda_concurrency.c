/* provider_lambda_concurrency - reserved and provisioned concurrency, loops, and
 * AWS::Lambda::EventInvokeConfig. */
#include <errno.h>
#include "service/cloudformation/provider_lambda.h"
#include "wire/lambda.h"

/* ---- of functions ---- */

static void plan_reserved(struct task *t, struct str name)
{
    struct str wanted = task_prop(t, "ReservedConcurrentExecutions");
    int64_t n;
    if (str_has(wanted) && str_to_int64(wanted, &n) == 0) {
        struct lambda_put_function_concurrency_input *in =
            TASK_IN(t, lambda_put_function_concurrency_input);
        in->function_name = name;
        in->reserved_concurrent_executions = opt_int(n);
        task_step(t, &lambda_put_function_concurrency_op, in);
    } else if (str_has(task_old_prop(t, "ReservedConcurrentExecutions"))) {
        struct lambda_delete_function_concurrency_input *in =
            TASK_IN(t, lambda_delete_function_concurrency_input);
        in->function_name = name;
        task_step(t, &lambda_delete_function_concurrency_op, in);
    }
}

void lambda_plan_limits(struct task *t, struct str name)
{
    if (!t->old_props || task_changed(t, "ReservedConcurrentExecutions"))
        plan_reserved(t, name);
    struct str loop = task_prop(t, "RecursiveLoop");
    if (!str_has(loop) && !str_has(task_old_prop(t, "RecursiveLoop")))
        return;
    if (t->old_props && !task_changed(t, "RecursiveLoop"))
        return;
    struct lambda_put_function_recursion_config_input *in =
        TASK_IN(t, lambda_put_function_recursion_config_input);
    in->function_name = name;
    in->recursive_loop = str_has(loop) ? loop : S("Terminate");
    task_step(t, &lambda_put_function_recursion_config_op, in);
}

/* ---- of aliases and versions ---- */

static int settled(struct task *t, struct call *answer)
{
    const struct lambda_get_provisioned_concurrency_config_output *out = answer->out;
    if (str_is(out->status, "IN_PROGRESS"))
        return -EAGAIN;
    if (str_is(out->status, "FAILED"))
        return task_fail(t,
                         "Provisioned Concurrency configuration failed to be applied. Reason: "
                         "%.*s",
                         STR(out->status_reason));
    return 0;
}

int lambda_plan_provisioned(struct task *t, struct str function, struct str qualifier)
{
    const struct json *config = json_get(t->props, "ProvisionedConcurrencyConfig");
    if (!config) {
        if (!t->old_props || !json_get(t->old_props, "ProvisionedConcurrencyConfig"))
            return 0;
        struct lambda_delete_provisioned_concurrency_config_input *in =
            TASK_IN(t, lambda_delete_provisioned_concurrency_config_input);
        in->function_name = function;
        in->qualifier = qualifier;
        task_step(t, &lambda_delete_provisioned_concurrency_config_op, in);
        return 0;
    }
    struct lambda_put_provisioned_concurrency_config_input *in =
        TASK_IN(t, lambda_put_provisioned_concurrency_config_input);
    int r =
        task_fill(t, operation_input(&lambda_put_provisioned_concurrency_config_op), config, in);
    in->function_name = function;
    in->qualifier = qualifier;
    task_step(t, &lambda_put_provisioned_concurrency_config_op, in);
    struct lambda_get_provisioned_concurrency_config_input *look =
        TASK_IN(t, lambda_get_provisioned_concurrency_config_input);
    look->function_name = function;
    look->qualifier = qualifier;
    task_step(t, &lambda_get_provisioned_concurrency_config_op, look)->result = settled;
    return r;
}

void lambda_qualify(struct task *t, struct str version)
{
    for (size_t i = t->at; i < t->n_steps; i++) {
        void *in = (void *)(uintptr_t)t->steps[i].in; /* made by lambda_plan_provisioned() */
        if (t->steps[i].op == &lambda_put_provisioned_concurrency_config_op)
            ((struct lambda_put_provisioned_concurrency_config_input *)in)->qualifier = version;
        if (t->steps[i].op == &lambda_get_provisioned_concurrency_config_op)
            ((struct lambda_get_provisioned_concurrency_config_input *)in)->qualifier = version;
    }
}

/* ---- AWS::Lambda::EventInvokeConfig ---- */

static void put_config(struct task *t, int *r)
{
    struct lambda_put_function_event_invoke_config_input *in =
        TASK_IN(t, lambda_put_function_event_invoke_config_input);
    *r = task_fill(t, operation_input(&lambda_put_function_event_invoke_config_op), t->props, in);
    task_step(t, &lambda_put_function_event_invoke_config_op, in);
}

int event_config_create(struct task *t)
{
    int r;
    put_config(t, &r);
    t->physical_id = str_printf(t->arena, "%.*s|%.*s", STR(task_prop(t, "FunctionName")),
                                STR(task_prop(t, "Qualifier")));
    return r;
}

int event_config_update(struct task *t)
{
    int r;
    put_config(t, &r);
    return r;
}

int event_config_remove(struct task *t)
{
    struct lambda_delete_function_event_invoke_config_input *in =
        TASK_IN(t, lambda_delete_function_event_invoke_config_input);
    str_cut(t->physical_id, '|', &in->function_name, &in->qualifier);
    task_step(t, &lambda_delete_function_event_invoke_config_op, in)->ignore =
        "ResourceNotFoundException";
    return 0;
}
