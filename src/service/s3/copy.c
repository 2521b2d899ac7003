/* copy - CopyObject. Bytes in a blob are not copied: the copy gets a name of its own for them. */
#include <errno.h>
#include <unistd.h>
#include "service/s3/record.h"
#include "service/s3/source.h"

int s3_source_open(struct call *call, const struct s3_source_input *in,
                   struct s3_source *ret_source, struct s3_version *ret)
{
    struct s3_source source;
    if (s3_source_parse(call->arena, in->copy_source, &source) < 0)
        return call_fail(
            call, S3_INVALID_ARGUMENT,
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
    struct str why;
    struct str arn =
        str_printf(call->arena, "arn:aws:s3:::%.*s/%.*s", STR(source.bucket), STR(source.key));
    if (call_allowed(call, call->who, S("s3:GetObject"), arn, &why) < 0)
        return call_fail(call, S3_ACCESS_DENIED, "%.*s", STR(why));
    struct s3_bucket_record bucket;
    int r = s3_bucket_get(call, source.bucket, in->expected_owner, &bucket);
    if (r == 0)
        r = s3_version_get(call, source.bucket, source.key, source.version_id, ret);
    if (r < 0)
        return r;
    /* Unlike for readers, "unchanged" is a failed condition, too. */
    if (s3_conditions_check(&in->conditions, ret->record.e_tag, ret->record.modified.is) !=
        S3_CONDITION_HOLDS)
        return call_fail(call, S3_PRECONDITION_FAILED,
                         "At least one of the pre-conditions you specified did not hold");
    if (s3_versioned(&bucket) && !str_has(source.version_id))
        source.version_id = s3_version_shown(&ret->record);
    *ret_source = source;
    return 0;
}

int s3_source_body(struct call *call, const struct s3_version *v, struct s3_intake *intake)
{
    if (!v->record.blob.n) {
        intake->body = body_mem(v->data);
        return 0;
    }
    struct arena *a = call->arena;
    struct str from = blob_path(call->store, v->record.blob, a);
    struct str to = str_printf(a, "%s/s3-%.*s", store_tmp(call->store), STR(random_hex(a, 32)));
    if (link(from.p, to.p) < 0)
        return -errno;
    int fd;
    int64_t size;
    int r = blob_open(call->store, v->record.blob, &fd, &size);
    if (r < 0) {
        unlink(to.p);
        return r;
    }
    intake->body = body_file(fd, 0, size);
    intake->path = to.p;
    intake->own_file = true;
    return 0;
}

struct copy {
    struct s3_intake intake;
    const struct s3_copy_object_input *in;
    struct s3_copy_object_output *out;
    struct s3_bucket_record bucket;
    struct s3_source source;
    struct s3_version from;
    struct s3_object_record to;
};

static bool directive(struct str value, const char *word)
{
    return str_is(value, word);
}

/* What the copy keeps of the original and what the request says about it. */
static int describe_copy(struct call *call, struct copy *copy)
{
    const struct s3_copy_object_input *in = copy->in;
    const struct s3_object_record *from = &copy->from.record;
    struct s3_headers headers = S3_HEADERS(in);
    struct s3_object_record *to = &copy->to;
    bool replace = directive(in->metadata_directive, "REPLACE");
    bool replace_tags = directive(in->tagging_directive, "REPLACE");
    if (!replace_tags)
        headers.tagging = (struct str){0};
    if (!replace)
        headers.metadata = (struct s3_metadata){0};
    int r = s3_headers_apply(call, &copy->bucket, &headers, to);
    if (r < 0)
        return r;
    if (!replace_tags)
        to->tags = from->tags;
    if (!replace) {
        to->content_type = from->content_type;
        to->cache_control = from->cache_control;
        to->content_disposition = from->content_disposition;
        to->content_encoding = from->content_encoding;
        to->content_language = from->content_language;
        to->expires = from->expires;
        to->metadata = from->metadata;
    }
    bool changes = replace || replace_tags || in->storage_class.n || in->server_side_encryption.n ||
                   in->website_redirect_location.n || in->checksum_algorithm.n;
    if (str_eq(copy->source.bucket, in->bucket) && str_eq(copy->source.key, in->key) && !changes &&
        !str_has(copy->source.version_id))
        return call_fail(call, S3_INVALID_REQUEST,
                         "This copy request is illegal because it is trying to copy an object to "
                         "itself without changing the object's metadata, storage class, website "
                         "redirect location or encryption attributes.");
    return 0;
}

static int copy_finish(struct s3_intake *intake)
{
    struct copy *copy = intake->user;
    struct call *call = intake->call;
    struct s3_object_record *to = &copy->to;
    to->modified = opt_int(call->now_ms / 1000 * 1000);
    to->size = copy->from.record.size;
    to->e_tag = s3_intake_etag(intake);
    to->checksum_algorithm = opt_int(intake->algorithm);
    to->checksum = s3_intake_checksum(intake);
    struct str data = S("");
    int r = s3_intake_store(intake, S3_INLINE_MAX, &data, &to->blob);
    if (r == 0)
        r = s3_version_add(call, &copy->bucket, copy->in->key, to, data);
    if (r < 0)
        return r;

    struct s3_copy_object_output *out = copy->out;
    out->copy_object_result = ARENA_NEW(call->arena, struct s3_copy_object_result);
    out->copy_object_result->e_tag = s3_etag(call, to->e_tag);
    out->copy_object_result->last_modified = opt_time(to->modified.is);
    s3_checksum_show(&out->copy_object_result->checksum_crc32, to);
    out->copy_object_result->checksum_type = s3_checksum_type(to);
    out->copy_source_version_id = copy->source.version_id;
    out->server_side_encryption = to->encryption.n ? to->encryption : S("AES256");
    out->ssekms_key_id = to->kms_key;
    if (s3_versioned(&copy->bucket) && !s3_is_null_version(to))
        out->version_id = to->version;
    return 0;
}

static int copy_object(struct call *call, const struct s3_copy_object_input *in,
                       struct s3_copy_object_output *out)
{
    struct copy *copy = ARENA_NEW(call->arena, struct copy);
    copy->in = in;
    copy->out = out;
    struct s3_source_input source = {
        .copy_source = in->copy_source,
        .expected_owner = in->expected_source_bucket_owner,
        .conditions = S3_SOURCE_CONDITIONS(in),
    };
    int r = s3_key_check(call, in->key);
    if (r == 0)
        r = s3_bucket_get(call, in->bucket, in->expected_bucket_owner, &copy->bucket);
    if (r == 0)
        r = s3_source_open(call, &source, &copy->source, &copy->from);
    if (r == 0)
        r = describe_copy(call, copy);
    if (r == 0)
        r = s3_write_condition(call, in->bucket, in->key, in->if_match, in->if_none_match);
    if (r < 0)
        return r;
    copy->intake = (struct s3_intake){.call = call, .finish = copy_finish, .user = copy};
    struct str algorithm = in->checksum_algorithm;
    if (!algorithm.n && str_has(copy->from.record.checksum))
        algorithm = str_from(s3_algorithm_name((int)copy->from.record.checksum_algorithm.is));
    struct str none[S3_MEMBERS] = {0};
    r = s3_intake_prepare(&copy->intake, none, algorithm, (struct str){0});
    if (r == 0)
        r = s3_source_body(call, &copy->from, &copy->intake);
    return r < 0 ? r : s3_intake_run(&copy->intake);
}

const struct handler s3_copy_handlers[] = {
    {s3_copy_object_run(copy_object), "PutObject", "arn:aws:s3:::{Bucket}/{Key}"},
    {0},
};
