/* iam - AWS Identity and Access Management: its tables put together. */
#include "service/iam/iam.h"

static const struct handler *const handler_lists[] = {
    iam_role_handlers,  iam_policy_handlers,        iam_version_handlers,
    iam_tag_handlers,   iam_simulate_handlers,      iam_user_handlers,
    iam_group_handlers, iam_entity_policy_handlers, NULL,
};

const struct service iam_service = {
    .model = &iam_model,
    .handlers = handler_lists,
};
