/* put - PutObject. */
#include <errno.h>
#include "service/s3/record.h"

struct put {
    struct s3_intake intake;
    const struct s3_put_object_input *in;
    struct s3_put_object_output *out;
    struct s3_object_record object;
};

static int put_finish(struct s3_intake *intake)
{
    struct put *put = intake->user;
    struct call *call = intake->call;
    const struct s3_put_object_input *in = put->in;
    struct s3_object_record *o = &put->object;
    /* Again, for big bodies: the world has gone on while the pool was busy. */
    struct s3_bucket_record bucket;
    int r = s3_bucket_get(call, in->bucket, in->expected_bucket_owner, &bucket);
    if (r == 0)
        r = s3_write_condition(call, in->bucket, in->key, in->if_match, in->if_none_match);
    if (r < 0)
        return r;

    o->modified = opt_int(call->now_ms / 1000 * 1000);
    o->size = opt_int(intake->body.size);
    o->e_tag = s3_intake_etag(intake);
    o->checksum_algorithm = opt_int(intake->algorithm);
    o->checksum = s3_intake_checksum(intake);
    struct str data = S("");
    r = s3_intake_store(intake, S3_INLINE_MAX, &data, &o->blob);
    if (r == 0)
        r = s3_version_add(call, &bucket, in->key, o, data);
    if (r < 0)
        return r;

    struct s3_put_object_output *out = put->out;
    out->e_tag = s3_etag(call, o->e_tag);
    s3_checksum_show(&out->checksum_crc32, o);
    out->checksum_type = s3_checksum_type(o);
    out->server_side_encryption = o->encryption.n ? o->encryption : S("AES256");
    out->ssekms_key_id = o->kms_key;
    out->bucket_key_enabled = o->bucket_key;
    if (s3_versioned(&bucket) && !s3_is_null_version(o))
        out->version_id = o->version;
    return 0;
}

static int put_object(struct call *call, const struct s3_put_object_input *in,
                      struct s3_put_object_output *out)
{
    struct s3_bucket_record bucket;
    int r = s3_key_check(call, in->key);
    if (r == 0)
        r = s3_bucket_get(call, in->bucket, in->expected_bucket_owner, &bucket);
    if (r < 0)
        return r;
    if (in->write_offset_bytes.has)
        return call_fail(call, S3_NOT_IMPLEMENTED,
                         "Appending to objects (x-amz-write-offset-bytes) is not supported.");
    struct put *put = ARENA_NEW(call->arena, struct put);
    put->in = in;
    put->out = out;
    put->intake = (struct s3_intake){
        .call = call,
        .body = in->body,
        .path = call->body_path,
        .finish = put_finish,
        .user = put,
    };
    struct s3_headers headers = S3_HEADERS(in);
    r = s3_headers_apply(call, &bucket, &headers, &put->object);
    if (r == 0)
        r = s3_intake_prepare(&put->intake, &in->checksum_crc32, in->checksum_algorithm,
                              in->content_md5);
    return r < 0 ? r : s3_intake_run(&put->intake);
}

const struct handler s3_put_handlers[] = {
    {s3_put_object_run(put_object), NULL, "arn:aws:s3:::{Bucket}/{Key}"},
    {0},
};
