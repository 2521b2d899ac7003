/* get - GetObject, HeadObject, GetObjectAttributes. */
#include <errno.h>
#include <inttypes.h>
#include "base/clock.h"
#include "service/s3/record.h"

#define PARTS_MAX 1000

/* What part of an object is asked for. */
struct portion {
    bool partial;
    int64_t first, last;
    int64_t parts; /* in all, when one was asked for by its number; 0 otherwise */
};

static int part_portion(struct call *call, const struct s3_object_record *o, int64_t number,
                        struct portion *ret)
{
    int64_t at = 0;
    if (!o->parts.n && number == 1) {
        *ret = (struct portion){.partial = o->size.is > 0, .last = o->size.is - 1};
        return 0;
    }
    /* Parts count from one as they stand in the object, whatever numbers they were uploaded with.
     */
    for (size_t i = 0; i < o->parts.n; i++) {
        int64_t size = o->parts.items[i].size.is;
        if (o->parts.items[i].number.is == number) {
            *ret = (struct portion){true, at, at + size - 1, (int64_t)o->parts.n};
            return 0;
        }
        at += size;
    }
    return call_fail(call, S3_INVALID_PART_NUMBER, "The requested partnumber is not satisfiable");
}

static int find_portion(struct call *call, const struct s3_object_record *o, struct str range,
                        struct opt_int part, struct portion *ret)
{
    *ret = (struct portion){.last = o->size.is - 1};
    if (range.n && part.has)
        return call_fail(call, S3_INVALID_REQUEST,
                         "Cannot specify both Range header and partNumber query parameter");
    if (part.has)
        return part_portion(call, o, part.is, ret);
    if (!range.n)
        return 0;
    int r = s3_range_parse(range, o->size.is, &ret->first, &ret->last);
    if (r == -ERANGE)
        return call_fail(call, S3_INVALID_RANGE, "The requested range is not satisfiable");
    ret->partial = r == 0;
    return 0;
}

static int check_conditions(struct call *call, const struct s3_get_object_input *in,
                            const struct s3_object_record *o)
{
    struct s3_conditions c = {
        .if_match = in->if_match,
        .if_none_match = in->if_none_match,
        .has_modified_since = in->if_modified_since.has,
        .has_unmodified_since = in->if_unmodified_since.has,
        .modified_since_ms = in->if_modified_since.ms,
        .unmodified_since_ms = in->if_unmodified_since.ms,
    };
    switch (s3_conditions_check(&c, o->e_tag, o->modified.is)) {
    case S3_CONDITION_FAILED:
        return call_fail(call, S3_PRECONDITION_FAILED,
                         "At least one of the pre-conditions you specified did not hold");
    case S3_CONDITION_UNCHANGED:
        call_fail(call, S3_NOT_MODIFIED, "Not Modified");
        call_fail_header(call, "ETag", s3_etag(call, o->e_tag));
        return call_fail_header(call, "Last-Modified",
                                clock_http_date(call->arena, o->modified.is));
    default:
        return 0;
    }
}

/* The version that readers ask for. Without it: who may not list the bucket is not told that the
 * key is missing; who may is told when a delete marker hides it. */
static int find_version(struct call *call, struct str bucket, struct str key, struct str version_id,
                        struct s3_version *ret)
{
    struct s3_version marker;
    struct str why;
    int r = s3_version_get(call, bucket, key, version_id, ret);
    if (r != CALL_FAILED)
        return r;
    if (call->error->status == 404 && !str_has(version_id)) {
        struct str arn = str_printf(call->arena, "arn:aws:s3:::%.*s", STR(bucket));
        r = call_allowed(call, call->who, S("s3:ListBucket"), arn, &why);
        if (r == -EACCES)
            return call_fail(call, S3_ACCESS_DENIED, "%.*s", STR(why));
        if (r < 0)
            return r;
    }
    if (str_has(version_id) && !s3_version_valid(version_id))
        return CALL_FAILED;
    r = str_has(version_id) ? s3_version_find(call, bucket, key, version_id, &marker)
                            : s3_latest_find(call, bucket, key, &marker);
    if (r < 0)
        return r == -ENOENT ? CALL_FAILED : r;
    call_fail_header(call, "x-amz-delete-marker", S("true"));
    if (str_has(version_id)) {
        call_fail_header(call, "Allow", S("DELETE"));
        call_fail_header(call, "Last-Modified",
                         clock_http_date(call->arena, marker.record.modified.is));
    }
    return call_fail_header(call, "x-amz-version-id", s3_version_shown(&marker.record));
}

static struct str choose(struct str first, struct str second)
{
    return str_has(first) ? first : second;
}

/* All but the bytes. */
static void describe(struct call *call, const struct s3_get_object_input *in,
                     const struct s3_bucket_record *bucket, const struct s3_object_record *o,
                     const struct portion *portion, struct s3_get_object_output *out)
{
    out->accept_ranges = S("bytes");
    out->last_modified = opt_time(o->modified.is);
    out->content_length = opt_int(portion->last - portion->first + 1);
    out->e_tag = s3_etag(call, o->e_tag);
    out->cache_control = choose(in->response_cache_control, o->cache_control);
    out->content_disposition = choose(in->response_content_disposition, o->content_disposition);
    out->content_encoding = choose(in->response_content_encoding, o->content_encoding);
    out->content_language = choose(in->response_content_language, o->content_language);
    out->content_type =
        choose(in->response_content_type, choose(o->content_type, S("binary/octet-stream")));
    out->expires = in->response_expires.has ? clock_http_date(call->arena, in->response_expires.ms)
                                            : o->expires;
    out->website_redirect_location = o->redirect;
    out->server_side_encryption = o->encryption.n ? o->encryption : S("AES256");
    out->ssekms_key_id = o->kms_key;
    out->bucket_key_enabled = o->bucket_key;
    out->metadata = o->metadata;
    out->storage_class = o->storage_class;
    if (o->tags.n)
        out->tag_count = opt_int((int64_t)o->tags.n);
    if (s3_versioned(bucket))
        out->version_id = s3_version_shown(o);
    if (portion->parts)
        out->parts_count = opt_int(portion->parts);
    if (portion->partial) {
        out->content_range = str_printf(call->arena, "bytes %" PRId64 "-%" PRId64 "/%" PRId64,
                                        portion->first, portion->last, o->size.is);
        call->status_override = 206;
    }
    if (str_is(in->checksum_mode, "ENABLED") && !portion->partial) {
        s3_checksum_show(&out->checksum_crc32, o);
        if (str_has(o->checksum))
            out->checksum_type = s3_checksum_type(o);
    }
}

static int look_up(struct call *call, const struct s3_get_object_input *in,
                   struct s3_get_object_output *out, struct s3_version *v, struct portion *portion)
{
    struct s3_bucket_record bucket;
    int r = s3_key_check(call, in->key);
    if (r == 0)
        r = s3_bucket_get(call, in->bucket, in->expected_bucket_owner, &bucket);
    if (r == 0)
        r = find_version(call, in->bucket, in->key, in->version_id, v);
    if (r == 0)
        r = check_conditions(call, in, &v->record);
    if (r == 0)
        r = find_portion(call, &v->record, in->range, in->part_number, portion);
    if (r == 0)
        describe(call, in, &bucket, &v->record, portion, out);
    return r;
}

static int get_object(struct call *call, const struct s3_get_object_input *in,
                      struct s3_get_object_output *out)
{
    struct s3_version v;
    struct portion portion;
    int r = look_up(call, in, out, &v, &portion);
    if (r < 0)
        return r;
    int64_t size = portion.last - portion.first + 1;
    if (!v.record.blob.n) {
        out->body = body_mem(str_slice(v.data, (size_t)portion.first, (size_t)(portion.last + 1)));
        return 0;
    }
    int fd;
    int64_t there;
    r = blob_open(call->store, v.record.blob, &fd, &there);
    if (r < 0)
        return r;
    out->body = body_file(fd, portion.first, size); /* the server closes it */
    return 0;
}

static int head_object(struct call *call, const struct s3_head_object_input *in,
                       struct s3_head_object_output *out)
{
    struct s3_get_object_input get = {
        .bucket = in->bucket,
        .key = in->key,
        .if_match = in->if_match,
        .if_none_match = in->if_none_match,
        .if_modified_since = in->if_modified_since,
        .if_unmodified_since = in->if_unmodified_since,
        .range = in->range,
        .response_cache_control = in->response_cache_control,
        .response_content_disposition = in->response_content_disposition,
        .response_content_encoding = in->response_content_encoding,
        .response_content_language = in->response_content_language,
        .response_content_type = in->response_content_type,
        .response_expires = in->response_expires,
        .version_id = in->version_id,
        .part_number = in->part_number,
        .expected_bucket_owner = in->expected_bucket_owner,
        .checksum_mode = in->checksum_mode,
    };
    struct s3_get_object_output got = {0};
    struct s3_version v;
    struct portion portion;
    int r = look_up(call, &get, &got, &v, &portion);
    if (r < 0)
        return r;
    out->accept_ranges = got.accept_ranges;
    out->last_modified = got.last_modified;
    out->content_length = got.content_length;
    out->e_tag = got.e_tag;
    out->cache_control = got.cache_control;
    out->content_disposition = got.content_disposition;
    out->content_encoding = got.content_encoding;
    out->content_language = got.content_language;
    out->content_type = got.content_type;
    out->content_range = got.content_range;
    out->expires = got.expires;
    out->website_redirect_location = got.website_redirect_location;
    out->server_side_encryption = got.server_side_encryption;
    out->ssekms_key_id = got.ssekms_key_id;
    out->bucket_key_enabled = got.bucket_key_enabled;
    out->metadata = got.metadata;
    out->storage_class = got.storage_class;
    out->tag_count = got.tag_count;
    out->version_id = got.version_id;
    out->parts_count = got.parts_count;
    memcpy(&out->checksum_crc32, &got.checksum_crc32, S3_ALGORITHMS * sizeof(struct str));
    out->checksum_type = got.checksum_type;
    return 0;
}

/* ---- attributes ---- */

static bool asked(const struct s3_get_object_attributes_input *in, const char *attribute)
{
    for (size_t i = 0; i < in->object_attributes.n; i++)
        if (str_is(in->object_attributes.items[i], attribute))
            return true;
    return false;
}

static void show_parts(struct call *call, const struct s3_get_object_attributes_input *in,
                       const struct s3_object_record *o,
                       struct s3_get_object_attributes_output *out)
{
    struct s3_get_object_attributes_parts *parts =
        ARENA_NEW(call->arena, struct s3_get_object_attributes_parts);
    size_t max = in->max_parts.has && in->max_parts.is >= 0 && in->max_parts.is < PARTS_MAX
                     ? (size_t)in->max_parts.is
                     : PARTS_MAX;
    int64_t last = in->part_number_marker.is;
    parts->total_parts_count = opt_int((int64_t)o->parts.n);
    parts->part_number_marker = opt_int(last);
    parts->max_parts = opt_int((int64_t)max);
    parts->is_truncated = opt_bool(false);
    if (o->checksum_composite.is)
        parts->parts.items = ARENA_ARRAY(call->arena, struct s3_object_part, o->parts.n);
    size_t shown = 0;
    for (size_t i = 0; i < o->parts.n; i++) {
        const struct s3_object_part_record *p = &o->parts.items[i];
        if (p->number.is <= in->part_number_marker.is)
            continue;
        if (shown++ == max) {
            parts->is_truncated = opt_bool(true);
            break;
        }
        last = p->number.is;
        if (!parts->parts.items)
            continue;
        struct s3_object_part *part = &parts->parts.items[parts->parts.n++];
        *part = (struct s3_object_part){.part_number = p->number, .size = p->size};
        if (p->checksum.n)
            (&part->checksum_crc32)[o->checksum_algorithm.is] = p->checksum;
    }
    parts->next_part_number_marker = opt_int(last);
    out->object_parts = parts;
}

static int get_object_attributes(struct call *call, const struct s3_get_object_attributes_input *in,
                                 struct s3_get_object_attributes_output *out)
{
    struct s3_bucket_record bucket;
    struct s3_version v;
    int r = s3_bucket_get(call, in->bucket, in->expected_bucket_owner, &bucket);
    if (r == 0)
        r = find_version(call, in->bucket, in->key, in->version_id, &v);
    if (r < 0)
        return r;
    const struct s3_object_record *o = &v.record;
    out->last_modified = opt_time(o->modified.is);
    if (s3_versioned(&bucket))
        out->version_id = s3_version_shown(o);
    if (asked(in, "ETag"))
        out->e_tag = o->e_tag; /* without quotes here, as S3 answers it */
    if (asked(in, "ObjectSize"))
        out->object_size = o->size;
    if (asked(in, "StorageClass"))
        out->storage_class = o->storage_class.n ? o->storage_class : S("STANDARD");
    if (asked(in, "Checksum") && str_has(o->checksum)) {
        out->checksum = ARENA_NEW(call->arena, struct s3_checksum);
        s3_checksum_show(&out->checksum->checksum_crc32, o);
        out->checksum->checksum_type = s3_checksum_type(o);
    }
    if (asked(in, "ObjectParts") && o->parts.n)
        show_parts(call, in, o, out);
    return 0;
}

const struct handler s3_get_handlers[] = {
    {s3_get_object_run(get_object), NULL, "arn:aws:s3:::{Bucket}/{Key}"},
    {s3_head_object_run(head_object), "GetObject", "arn:aws:s3:::{Bucket}/{Key}"},
    {s3_get_object_attributes_run(get_object_attributes), NULL, "arn:aws:s3:::{Bucket}/{Key}"},
    {0},
};
