/* iam - AWS Identity and Access Management: its tables put together. */
#include "service/iam/iam.h"
#include "service/iam/last_used.h"

static const struct handler *const handler_lists[] = {
    iam_role_handlers,  iam_policy_handlers,        iam_version_handlers,
    iam_tag_handlers,   iam_simulate_handlers,      iam_user_handlers,
    iam_group_handlers, iam_entity_policy_handlers, NULL,
};

static int iam_open(struct cloud *cloud, struct store *store, uv_loop_t *loop, void **ret_state)
{
    *ret_state = last_used_new(store);
    return 0;
}

static void iam_close(void *state)
{
    last_used_free(state);
}

static void iam_reset(void *state)
{
    last_used_reset(state);
}

/* Its state is what is known of the use of access keys. */
const struct service iam_service = {
    .model = &iam_model,
    .handlers = handler_lists,
    .open = iam_open,
    .close = iam_close,
    .reset = iam_reset,
};
