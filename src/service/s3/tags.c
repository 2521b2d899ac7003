/* tags - of objects. */
#include <errno.h>
#include "service/s3/record.h"

#define TAGS_MAX 10

static int look_up(struct call *call, struct str bucket, struct str key, struct str version_id,
                   struct str owner, struct s3_version *ret, struct str *ret_version)
{
    struct s3_bucket_record b;
    int r = s3_bucket_get(call, bucket, owner, &b);
    if (r == 0)
        r = s3_version_get(call, bucket, key, version_id, ret);
    if (r == 0 && s3_versioned(&b))
        *ret_version = s3_version_shown(&ret->record);
    return r;
}

static int put_object_tagging(struct call *call, const struct s3_put_object_tagging_input *in,
                              struct s3_put_object_tagging_output *out)
{
    struct s3_version v;
    int r = look_up(call, in->bucket, in->key, in->version_id, in->expected_bucket_owner, &v,
                    &out->version_id);
    if (r < 0)
        return r;
    if (!in->tagging)
        return call_fail(call, S3_MALFORMED_XML,
                         "The XML you provided was not well-formed or did not validate against our "
                         "published schema");
    r = s3_tags_check(call, &in->tagging->tag_set, TAGS_MAX);
    if (r < 0)
        return r;
    v.record.tags = in->tagging->tag_set;
    return s3_version_write(call, v.key, &v.record, v.data);
}

static int get_object_tagging(struct call *call, const struct s3_get_object_tagging_input *in,
                              struct s3_get_object_tagging_output *out)
{
    struct s3_version v;
    int r = look_up(call, in->bucket, in->key, in->version_id, in->expected_bucket_owner, &v,
                    &out->version_id);
    if (r < 0)
        return r;
    out->tag_set = v.record.tags;
    if (!out->tag_set.items)
        out->tag_set.items = ARENA_NEW(call->arena, struct s3_tag); /* <TagSet/>, not absent */
    return 0;
}

static int delete_object_tagging(struct call *call, const struct s3_delete_object_tagging_input *in,
                                 struct s3_delete_object_tagging_output *out)
{
    struct s3_version v;
    int r = look_up(call, in->bucket, in->key, in->version_id, in->expected_bucket_owner, &v,
                    &out->version_id);
    if (r < 0)
        return r;
    v.record.tags = (struct s3_tag_set){0};
    return s3_version_write(call, v.key, &v.record, v.data);
}

const struct handler s3_tag_handlers[] = {
    {s3_put_object_tagging_run(put_object_tagging), NULL, "arn:aws:s3:::{Bucket}/{Key}"},
    {s3_get_object_tagging_run(get_object_tagging), NULL, "arn:aws:s3:::{Bucket}/{Key}"},
    {s3_delete_object_tagging_run(delete_object_tagging), NULL, "arn:aws:s3:::{Bucket}/{Key}"},
    {0},
};
