/* service - Amazon S3: what its operations are, and how bucket policies speak. */
#include <errno.h>
#include "base/mem.h"
#include "service/s3/record.h"

static const struct handler *const handlers[] = {
    s3_bucket_handlers, s3_setting_handlers, s3_put_handlers,      s3_get_handlers,
    s3_delete_handlers, s3_copy_handlers,    s3_list_handlers,     s3_version_handlers,
    s3_upload_handlers, s3_tag_handlers,     s3_complete_handlers, NULL,
};

/* The bucket's policy. Somebody of another account needs its permission beside that of his own. */
static int resource_policy(struct call *call, struct str action, struct str resource)
{
    if (!str_starts(resource, S("arn:aws:s3:::")))
        return 0;
    struct str name, rest;
    str_cut(str_slice(resource, 13, resource.n), '/', &name, &rest);
    struct s3_bucket_record bucket = {0};
    int r = record_get(call, s3_bucket_key(call->arena, name), &s3_bucket_record_shape, &bucket);
    if (r < 0)
        return r == -ENOENT ? 0 : r; /* the operation will say that there is no such bucket */
    r = call_policy_says_of(call, bucket.account, bucket.policy, action, resource);
    /* Everybody is told about a name that is taken. */
    if (r == -EPERM && str_is(action, "s3:CreateBucket"))
        return 0;
    return r;
}

static int s3_open(struct cloud *cloud, struct store *store, uv_loop_t *loop, void **ret_state)
{
    *ret_state = MEM_NEW(struct s3_state);
    return 0;
}

const struct service s3_service = {
    .model = &s3_model,
    .handlers = handlers,
    .open = s3_open,
    .close = free,
    .resource_policy = resource_policy,
};
