/* provider_lambda_url - AWS::Lambda::Url. Its physical id is the ARN of the function or alias. */
#include "service/cloudformation/provider_lambda.h"
#include "wire/lambda.h"

static int url_made(struct task *t, struct call *answer)
{
    const struct lambda_create_function_url_config_output *out = answer->out;
    t->physical_id = out->function_arn;
    task_attribute(t, "FunctionArn", out->function_arn);
    task_attribute(t, "FunctionUrl", out->function_url);
    return 0;
}

static int url_changed(struct task *t, struct call *answer)
{
    const struct lambda_update_function_url_config_output *out = answer->out;
    task_attribute(t, "FunctionArn", out->function_arn);
    task_attribute(t, "FunctionUrl", out->function_url);
    return 0;
}

int url_create(struct task *t)
{
    struct lambda_create_function_url_config_input *in =
        TASK_IN(t, lambda_create_function_url_config_input);
    int r = task_fill(t, operation_input(&lambda_create_function_url_config_op), t->props, in);
    in->function_name = task_prop(t, "TargetFunctionArn");
    task_step(t, &lambda_create_function_url_config_op, in)->result = url_made;
    return r;
}

int url_update(struct task *t)
{
    struct lambda_update_function_url_config_input *in =
        TASK_IN(t, lambda_update_function_url_config_input);
    int r = task_fill(t, operation_input(&lambda_update_function_url_config_op), t->props, in);
    in->function_name = t->physical_id;
    in->qualifier = (struct str){0}; /* it stands in the ARN */
    if (!in->cors)                   /* taken out of the template */
        in->cors = TASK_IN(t, lambda_cors);
    if (!in->invoke_mode.n)
        in->invoke_mode = S("BUFFERED");
    task_step(t, &lambda_update_function_url_config_op, in)->result = url_changed;
    return r;
}

int url_remove(struct task *t)
{
    struct lambda_delete_function_url_config_input *in =
        TASK_IN(t, lambda_delete_function_url_config_input);
    in->function_name = t->physical_id;
    task_step(t, &lambda_delete_function_url_config_op, in)->ignore = "ResourceNotFoundException";
    return 0;
}
