/* service - CloudFormation: stacks and change sets. */
#include "service/cloudformation/service.h"
#include "service/cloudformation/worker.h"

static int cloudformation_open(struct cloud *cloud, struct store *store, uv_loop_t *loop,
                               void **ret_state)
{
    (void)loop;
    *ret_state = NULL;
    return worker_resume_all(cloud, store);
}

static const struct handler *const handlers[] = {
    cloudformation_stack_handlers,
    cloudformation_describe_handlers,
    cloudformation_change_set_handlers,
    cloudformation_template_handlers,
    NULL,
};

const struct service cloudformation_service = {
    .model = &cloudformation_model,
    .handlers = handlers,
    .open = cloudformation_open,
};
