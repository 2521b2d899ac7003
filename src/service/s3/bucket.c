/* bucket - CreateBucket, HeadBucket, DeleteBucket, ListBuckets, GetBucketLocation. */
#include <errno.h>
#include "base/digest.h"
#include "service/s3/record.h"

#define HOME S("us-east-1") /* the region whose name stands for "no constraint" */
#define LIST_MAX 10000

static int check_location(struct call *call, const struct s3_create_bucket_input *in,
                          struct str *ret_region)
{
    struct str constraint = {0};
    if (in->create_bucket_configuration)
        constraint = in->create_bucket_configuration->location_constraint;
    bool home = str_eq(call->region, HOME);
    if (!constraint.n && !home)
        return call_fail(
            call, S3_ILLEGAL_LOCATION_CONSTRAINT,
            "The unspecified location constraint is incompatible for the region specific "
            "endpoint this request was sent to.");
    if (str_is(constraint, "us-east-1"))
        return call_fail(call, S3_INVALID_LOCATION_CONSTRAINT,
                         "The specified location-constraint is not valid");
    if (constraint.n && !home && !str_eq(constraint, call->region) &&
        !(str_is(constraint, "EU") && str_is(call->region, "eu-west-1")))
        return call_fail(call, S3_ILLEGAL_LOCATION_CONSTRAINT,
                         "The %.*s location constraint is incompatible for the region specific "
                         "endpoint this request was sent to.",
                         STR(constraint));
    *ret_region = constraint.n ? constraint : HOME;
    return 0;
}

static int refuse_existing(struct call *call, const struct s3_bucket_record *bucket)
{
    if (!str_eq(bucket->account, call->account))
        return call_fail(
            call, S3_BUCKET_ALREADY_EXISTS,
            "The requested bucket name is not available. The bucket namespace is shared by "
            "all users of the system. Please select a different name and try again.");
    /* us-east-1 alone takes it as done. */
    if (str_eq(call->region, HOME) && str_eq(bucket->region, HOME))
        return 0;
    call_fail(call, S3_BUCKET_ALREADY_OWNED_BY_YOU,
              "Your previous request to create the named bucket succeeded and you already own "
              "it.");
    return call_fail_element(call, "BucketName",
                             ((const struct s3_create_bucket_input *)call->in)->bucket);
}

static int check_acl(struct call *call, const struct s3_create_bucket_input *in)
{
    if (in->object_lock_enabled_for_bucket.is)
        return call_fail(call, S3_NOT_IMPLEMENTED, "Object Lock is not supported.");
    if (!in->acl.n || str_is(in->acl, "private"))
        return 0;
    if (!in->object_ownership.n || str_is(in->object_ownership, "BucketOwnerEnforced"))
        return call_fail(call, S3_INVALID_BUCKET_ACL_WITH_OBJECT_OWNERSHIP,
                         "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced "
                         "setting");
    return call_fail(call, S3_NOT_IMPLEMENTED, "Bucket ACL %.*s is not supported.", STR(in->acl));
}

static struct s3_public_access_block_configuration *block_all(struct call *call)
{
    struct s3_public_access_block_configuration *block =
        ARENA_NEW(call->arena, struct s3_public_access_block_configuration);
    block->block_public_acls = block->ignore_public_acls = opt_bool(true);
    block->block_public_policy = block->restrict_public_buckets = opt_bool(true);
    return block;
}

static int create_bucket(struct call *call, const struct s3_create_bucket_input *in,
                         struct s3_create_bucket_output *out)
{
    if (!s3_bucket_name_valid(in->bucket))
        return call_fail(call, S3_INVALID_BUCKET_NAME, "The specified bucket is not valid.");
    struct s3_bucket_record bucket = {
        .name = in->bucket,
        .account = call->account,
        .created = opt_int(call->now_ms),
        .public_access = block_all(call),
    };
    int r = check_location(call, in, &bucket.region);
    if (r == 0)
        r = check_acl(call, in);
    if (r < 0)
        return r;
    out->location = str_printf(call->arena, "/%.*s", STR(in->bucket));
    out->bucket_arn = str_printf(call->arena, "arn:aws:s3:::%.*s", STR(in->bucket));

    struct s3_bucket_record there = {0};
    r = record_get(call, s3_bucket_key(call->arena, in->bucket), &s3_bucket_record_shape, &there);
    if (r != -ENOENT)
        return r < 0 ? r : refuse_existing(call, &there);
    if (in->object_ownership.n) {
        bucket.ownership = ARENA_NEW(call->arena, struct s3_ownership_controls);
        bucket.ownership->rules.items = ARENA_NEW(call->arena, struct s3_ownership_controls_rule);
        bucket.ownership->rules.items[0].object_ownership = in->object_ownership;
        bucket.ownership->rules.n = 1;
    }
    if (in->create_bucket_configuration && in->create_bucket_configuration->tags.n) {
        bucket.tags = in->create_bucket_configuration->tags;
        r = s3_tags_check(call, &bucket.tags, 50);
        if (r < 0)
            return r;
    }
    return s3_bucket_put(call, &bucket);
}

static int head_bucket(struct call *call, const struct s3_head_bucket_input *in,
                       struct s3_head_bucket_output *out)
{
    struct s3_bucket_record bucket;
    int r = s3_bucket_get(call, in->bucket, in->expected_bucket_owner, &bucket);
    if (r < 0)
        return r;
    out->bucket_region = bucket.region;
    out->bucket_arn = str_printf(call->arena, "arn:aws:s3:::%.*s", STR(in->bucket));
    out->access_point_alias = opt_bool(false);
    return 0;
}

/* Uploads that were never completed go with the bucket. */
static int delete_uploads(struct call *call, struct str bucket)
{
    struct str prefix = store_prefix(call->arena, 2, S("s3-upload"), bucket), after = {0};
    for (;;) {
        struct store_row *rows;
        size_t n;
        int r = store_scan(call->store, prefix, after, 100, call->arena, &rows, &n);
        for (size_t i = 0; r == 0 && i < n; i++)
            r = s3_upload_remove(call, rows[i].key, store_key_part(call->arena, rows[i].key, 3));
        if (r < 0 || n < 100)
            return r;
        after = rows[n - 1].key;
    }
}

static int delete_bucket(struct call *call, const struct s3_delete_bucket_input *in, void *out)
{
    struct s3_bucket_record bucket;
    int r = s3_bucket_get(call, in->bucket, in->expected_bucket_owner, &bucket);
    if (r < 0)
        return r;
    struct store_row *rows;
    size_t n;
    r = store_scan(call->store, store_prefix(call->arena, 2, S("s3-object"), in->bucket),
                   (struct str){0}, 1, call->arena, &rows, &n);
    if (r == 0 && n)
        return call_fail(call, S3_BUCKET_NOT_EMPTY, "%s",
                         s3_versioned(&bucket)
                             ? "The bucket you tried to delete is not empty. You must delete all "
                               "versions in the bucket."
                             : "The bucket you tried to delete is not empty");
    if (r == 0)
        r = delete_uploads(call, in->bucket);
    return r < 0 ? r : record_delete(call, s3_bucket_key(call->arena, in->bucket));
}

static int list_buckets(struct call *call, const struct s3_list_buckets_input *in,
                        struct s3_list_buckets_output *out)
{
    struct str last = {0}, after = {0};
    if (in->continuation_token.n) {
        if (base64_decode(call->arena, in->continuation_token, &last) < 0)
            return call_fail(call, S3_INVALID_ARGUMENT,
                             "The continuation token provided is incorrect");
        after = s3_bucket_key(call->arena, last);
    }
    size_t max = in->max_buckets.has ? (size_t)in->max_buckets.is : LIST_MAX, cap = 0;
    struct str prefix = s3_bucket_key(call->arena, in->prefix);
    out->buckets.items = ARENA_NEW(call->arena, struct s3_bucket); /* <Buckets/>, not absent */
    out->owner = s3_owner(call, call->account);
    out->prefix = in->prefix;
    for (;;) {
        struct store_row *rows;
        size_t n;
        int r = store_scan(call->store, prefix, after, 200, call->arena, &rows, &n);
        for (size_t i = 0; r == 0 && i < n; i++) {
            struct s3_bucket_record b = {0};
            r = wire_json_read(call->arena, rows[i].value, &s3_bucket_record_shape, &b, NULL);
            if (r < 0 || !str_eq(b.account, call->account) ||
                (in->bucket_region.n && !str_eq(in->bucket_region, b.region)))
                continue;
            if (out->buckets.n == max) {
                out->continuation_token = base64_encode(call->arena, last);
                return 0;
            }
            struct s3_bucket *shown = arena_push(call->arena, (void **)&out->buckets.items,
                                                 &out->buckets.n, &cap, sizeof *shown);
            *shown = (struct s3_bucket){.name = b.name, .creation_date = opt_time(b.created.is)};
            if (in->max_buckets.has || in->bucket_region.n)
                shown->bucket_region = b.region; /* paginated requests alone are told */
            last = b.name;
        }
        if (r < 0 || n < 200)
            return r;
        after = rows[n - 1].key;
    }
}

static int get_bucket_location(struct call *call, const struct s3_get_bucket_location_input *in,
                               struct s3_get_bucket_location_output *out)
{
    struct s3_bucket_record bucket;
    int r = s3_bucket_get(call, in->bucket, in->expected_bucket_owner, &bucket);
    if (r == 0 && !str_eq(bucket.region, HOME))
        out->location_constraint = bucket.region;
    return r;
}

const struct handler s3_bucket_handlers[] = {
    {s3_create_bucket_run(create_bucket), NULL, "arn:aws:s3:::{Bucket}"},
    {s3_head_bucket_run(head_bucket), "ListBucket", "arn:aws:s3:::{Bucket}"},
    {s3_delete_bucket_run(delete_bucket), NULL, "arn:aws:s3:::{Bucket}"},
    {s3_list_buckets_run(list_buckets), "ListAllMyBuckets", "*"},
    {s3_get_bucket_location_run(get_bucket_location), NULL, "arn:aws:s3:::{Bucket}"},
    {0},
};
