/* upload - multipart uploads up to their completion: create, parts, lists, abort. */
#include <errno.h>
#include <inttypes.h>
#include "service/s3/listing.h"
#include "service/s3/source.h"

#define PART_NUMBER_MAX 10000
#define PAGE_MAX 1000

static int create_multipart_upload(struct call *call,
                                   const struct s3_create_multipart_upload_input *in,
                                   struct s3_create_multipart_upload_output *out)
{
    struct s3_bucket_record bucket;
    int r = s3_key_check(call, in->key);
    if (r == 0)
        r = s3_bucket_get(call, in->bucket, in->expected_bucket_owner, &bucket);
    if (r < 0)
        return r;
    int algorithm = in->checksum_algorithm.n ? s3_algorithm_find(in->checksum_algorithm) : 0;
    if (algorithm < 0)
        return call_fail(call, S3_NOT_IMPLEMENTED, "The checksum algorithm %.*s is not supported.",
                         STR(in->checksum_algorithm));
    struct str type = in->checksum_type;
    if (type.n && !in->checksum_algorithm.n)
        return call_fail(call, S3_INVALID_REQUEST,
                         "The x-amz-checksum-type header can only be used with the "
                         "x-amz-checksum-algorithm header.");
    bool crc64 = in->checksum_algorithm.n && algorithm == S3_CRC64NVME;
    if ((str_is(type, "FULL_OBJECT") && !s3_algorithm_is_crc(algorithm)) ||
        (str_is(type, "COMPOSITE") && crc64))
        return call_fail(call, S3_INVALID_REQUEST,
                         "The %.*s checksum type cannot be used with the %.*s checksum algorithm.",
                         STR(type), STR(str_lower(call->arena, in->checksum_algorithm)));
    if (in->checksum_algorithm.n && !type.n)
        type = crc64 ? S("FULL_OBJECT") : S("COMPOSITE");

    struct s3_object_record object = {0};
    struct s3_headers headers = S3_HEADERS(in);
    r = s3_headers_apply(call, &bucket, &headers, &object);
    if (r < 0)
        return r;
    struct s3_upload_record upload = {
        .id = s3_version_make(call->arena, call->now_ms * 1000),
        .key = in->key,
        .initiated = opt_int(call->now_ms),
        .checksum_algorithm = in->checksum_algorithm,
        .checksum_type = type,
        .object = &object,
    };
    r = record_put(call, s3_upload_key(call->arena, in->bucket, in->key, upload.id),
                   &s3_upload_record_shape, &upload);
    if (r < 0)
        return r;
    out->bucket = in->bucket;
    out->key = in->key;
    out->upload_id = upload.id;
    out->server_side_encryption = object.encryption.n ? object.encryption : S("AES256");
    out->ssekms_key_id = object.kms_key;
    out->bucket_key_enabled = object.bucket_key;
    out->checksum_algorithm = upload.checksum_algorithm;
    out->checksum_type = upload.checksum_type;
    return 0;
}

int s3_upload_get(struct call *call, struct str bucket, struct str key, struct str id,
                  struct s3_upload_record *ret)
{
    *ret = (struct s3_upload_record){0};
    int r =
        record_get(call, s3_upload_key(call->arena, bucket, key, id), &s3_upload_record_shape, ret);
    if (r == -ENOENT) {
        call_fail(call, S3_NO_SUCH_UPLOAD,
                  "The specified upload does not exist. The upload ID may be invalid, or the "
                  "upload may have been aborted or completed.");
        return call_fail_element(call, "UploadId", id);
    }
    return r;
}

int s3_upload_remove(struct call *call, struct str key, struct str id)
{
    struct store_row *rows;
    size_t n;
    int r = store_scan(call->store, s3_part_prefix(call->arena, id), (struct str){0},
                       PART_NUMBER_MAX, call->arena, &rows, &n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct s3_part_record part = {0};
        r = wire_json_read(call->arena, rows[i].value, &s3_part_record_shape, &part, NULL);
        if (r == 0 && part.blob.n)
            r = blob_delete(call->store, part.blob);
        if (r == 0)
            r = store_delete(call->store, rows[i].key);
    }
    return r < 0 ? r : store_delete(call->store, key);
}

static int abort_multipart_upload(struct call *call,
                                  const struct s3_abort_multipart_upload_input *in,
                                  struct s3_abort_multipart_upload_output *out)
{
    struct s3_bucket_record bucket;
    struct s3_upload_record upload;
    int r = s3_bucket_get(call, in->bucket, in->expected_bucket_owner, &bucket);
    if (r == 0)
        r = s3_upload_get(call, in->bucket, in->key, in->upload_id, &upload);
    return r < 0 ? r
                 : s3_upload_remove(call,
                                    s3_upload_key(call->arena, in->bucket, in->key, in->upload_id),
                                    in->upload_id);
}

/* ---- parts ---- */

struct part {
    struct s3_intake intake;
    struct str bucket, key, upload_id, owner;
    int64_t number;
    struct s3_upload_record upload;
    struct s3_part_record record;
    void *out;
    void (*show)(struct part *part);
};

static int part_prepare(struct part *part)
{
    struct call *call = part->intake.call;
    struct s3_bucket_record bucket;
    if (part->number < 1 || part->number > PART_NUMBER_MAX)
        return call_fail(call, S3_INVALID_ARGUMENT,
                         "Part number must be an integer between 1 and 10000, inclusive");
    int r = s3_bucket_get(call, part->bucket, part->owner, &bucket);
    return r < 0 ? r : s3_upload_get(call, part->bucket, part->key, part->upload_id, &part->upload);
}

static int part_finish(struct s3_intake *intake)
{
    struct part *part = intake->user;
    struct call *call = intake->call;
    /* Again, for big ones: the upload may be gone by now. */
    int r = s3_upload_get(call, part->bucket, part->key, part->upload_id, &part->upload);
    if (r < 0)
        return r;
    struct str key = s3_part_key(call->arena, part->upload_id, part->number), data = {0};
    struct s3_part_record old = {0}, *p = &part->record;
    r = record_get(call, key, &s3_part_record_shape, &old);
    if (r == 0 && old.blob.n)
        r = blob_delete(call->store, old.blob);
    if (r < 0 && r != -ENOENT)
        return r;
    p->number = opt_int(part->number);
    p->size = opt_int(intake->body.size);
    p->e_tag = s3_intake_etag(intake);
    p->modified = opt_int(call->now_ms / 1000 * 1000);
    p->checksum_algorithm = opt_int(intake->algorithm);
    p->checksum = s3_intake_checksum(intake);
    r = s3_intake_store(intake, 0, &data, &p->blob);
    if (r == 0)
        r = record_put(call, key, &s3_part_record_shape, p);
    if (r == 0)
        part->show(part);
    return r;
}

/* A part's checksum is of the upload's algorithm. */
static struct str part_algorithm(const struct part *part, struct str asked)
{
    return part->upload.checksum_algorithm.n ? part->upload.checksum_algorithm : asked;
}

static void show_part(struct part *part)
{
    struct call *call = part->intake.call;
    struct s3_upload_part_output *out = part->out;
    const struct s3_object_record *o = part->upload.object;
    out->e_tag = s3_etag(call, part->record.e_tag);
    (&out->checksum_crc32)[part->intake.algorithm] = part->record.checksum;
    out->server_side_encryption = o && o->encryption.n ? o->encryption : S("AES256");
    if (o)
        out->ssekms_key_id = o->kms_key;
}

static int upload_part(struct call *call, const struct s3_upload_part_input *in,
                       struct s3_upload_part_output *out)
{
    struct part *part = ARENA_NEW(call->arena, struct part);
    *part = (struct part){
        .intake = {.call = call,
                   .body = in->body,
                   .path = call->body_path,
                   .finish = part_finish,
                   .user = part},
        .bucket = in->bucket,
        .key = in->key,
        .upload_id = in->upload_id,
        .owner = in->expected_bucket_owner,
        .number = in->part_number.is,
        .out = out,
        .show = show_part,
    };
    int r = part_prepare(part);
    if (r < 0)
        return r;
    int given = s3_checksum_given(&in->checksum_crc32);
    if (given >= 0 && given < S3_ALGORITHMS && part->upload.checksum_algorithm.n &&
        given != s3_algorithm_find(part->upload.checksum_algorithm))
        return call_fail(call, S3_INVALID_REQUEST,
                         "Checksum Type mismatch occurred, expected checksum Type: %.*s, actual "
                         "checksum Type: %.*s",
                         STR(str_lower(call->arena, part->upload.checksum_algorithm)),
                         STR(str_lower(call->arena, str_from(s3_algorithm_name(given)))));
    r = s3_intake_prepare(&part->intake, &in->checksum_crc32,
                          part_algorithm(part, in->checksum_algorithm), in->content_md5);
    return r < 0 ? r : s3_intake_run(&part->intake);
}

static void show_part_copy(struct part *part)
{
    struct call *call = part->intake.call;
    struct s3_upload_part_copy_output *out = part->out;
    out->copy_part_result = ARENA_NEW(call->arena, struct s3_copy_part_result);
    out->copy_part_result->e_tag = s3_etag(call, part->record.e_tag);
    out->copy_part_result->last_modified = opt_time(part->record.modified.is);
    if (part->upload.checksum_algorithm.n)
        (&out->copy_part_result->checksum_crc32)[part->intake.algorithm] = part->record.checksum;
    out->server_side_encryption = S("AES256");
}

static int narrow(struct call *call, struct str range, int64_t size, struct s3_intake *t)
{
    int64_t first, last;
    int r = s3_range_parse(range, size, &first, &last);
    if (r < 0 || !str_eq(range, str_printf(call->arena, "bytes=%" PRId64 "-%" PRId64, first, last)))
        return call_fail(call, S3_INVALID_ARGUMENT,
                         "Range specified is not valid for source object of size: %" PRId64, size);
    t->body.size = last - first + 1;
    if (t->body.in_file)
        t->body.offset = first;
    else
        t->body.mem = str_slice(t->body.mem, (size_t)first, (size_t)last + 1);
    return 0;
}

static int upload_part_copy(struct call *call, const struct s3_upload_part_copy_input *in,
                            struct s3_upload_part_copy_output *out)
{
    struct part *part = ARENA_NEW(call->arena, struct part);
    *part = (struct part){
        .intake = {.call = call, .finish = part_finish, .user = part},
        .bucket = in->bucket,
        .key = in->key,
        .upload_id = in->upload_id,
        .owner = in->expected_bucket_owner,
        .number = in->part_number.is,
        .out = out,
        .show = show_part_copy,
    };
    struct s3_source_input from = {
        .copy_source = in->copy_source,
        .expected_owner = in->expected_source_bucket_owner,
        .conditions = S3_SOURCE_CONDITIONS(in),
    };
    struct s3_source source;
    struct s3_version v;
    struct str none[S3_MEMBERS] = {0};
    int r = part_prepare(part);
    if (r == 0)
        r = s3_source_open(call, &from, &source, &v);
    if (r == 0)
        r = s3_intake_prepare(&part->intake, none, part_algorithm(part, (struct str){0}),
                              (struct str){0});
    if (r < 0)
        return r;
    out->copy_source_version_id = source.version_id;
    r = s3_source_body(call, &v, &part->intake);
    if (r == 0 && in->copy_source_range.n) {
        r = narrow(call, in->copy_source_range, v.record.size.is, &part->intake);
        if (r < 0)
            return s3_intake_end(&part->intake, r);
    }
    return r < 0 ? r : s3_intake_run(&part->intake);
}

/* ---- lists ---- */

static int list_parts(struct call *call, const struct s3_list_parts_input *in,
                      struct s3_list_parts_output *out)
{
    struct s3_bucket_record bucket;
    struct s3_upload_record upload;
    int r = s3_bucket_get(call, in->bucket, in->expected_bucket_owner, &bucket);
    if (r == 0)
        r = s3_upload_get(call, in->bucket, in->key, in->upload_id, &upload);
    if (r < 0)
        return r;
    size_t max = in->max_parts.has && in->max_parts.is >= 0 && in->max_parts.is < PAGE_MAX
                     ? (size_t)in->max_parts.is
                     : PAGE_MAX;
    struct str after = {0};
    if (in->part_number_marker.has)
        after = s3_part_key(call->arena, in->upload_id, in->part_number_marker.is);
    struct store_row *rows;
    size_t n;
    r = store_scan(call->store, s3_part_prefix(call->arena, in->upload_id), after, max + 1,
                   call->arena, &rows, &n);
    if (r < 0)
        return r;
    int64_t last = in->part_number_marker.is;
    out->parts.items = ARENA_ARRAY(call->arena, struct s3_part, n);
    for (size_t i = 0; i < n && i < max; i++) {
        struct s3_part_record p = {0};
        r = wire_json_read(call->arena, rows[i].value, &s3_part_record_shape, &p, NULL);
        if (r < 0)
            return r;
        struct s3_part *shown = &out->parts.items[out->parts.n++];
        *shown = (struct s3_part){
            .part_number = p.number,
            .last_modified = opt_time(p.modified.is),
            .e_tag = s3_etag(call, p.e_tag),
            .size = p.size,
        };
        if (upload.checksum_algorithm.n)
            (&shown->checksum_crc32)[p.checksum_algorithm.is] = p.checksum;
        last = p.number.is;
    }
    out->bucket = in->bucket;
    out->key = in->key;
    out->upload_id = in->upload_id;
    out->part_number_marker = opt_int(in->part_number_marker.is);
    out->next_part_number_marker = opt_int(last);
    out->max_parts = opt_int((int64_t)max);
    out->is_truncated = opt_bool(n > max);
    out->owner = s3_owner(call, bucket.account);
    out->initiator = ARENA_NEW(call->arena, struct s3_initiator);
    out->initiator->id = out->owner->id;
    out->storage_class = upload.object && upload.object->storage_class.n
                             ? upload.object->storage_class
                             : S("STANDARD");
    out->checksum_algorithm = upload.checksum_algorithm;
    out->checksum_type = upload.checksum_type;
    return 0;
}

struct uploads {
    struct call *call;
    const struct s3_list_multipart_uploads_input *in;
    struct s3_list_multipart_uploads_output *out;
    struct s3_owner *owner;
    size_t max, cap_uploads, cap_prefixes;
    struct str folder;
};

/* False when the page is full. */
static bool list_upload(struct uploads *u, const struct s3_upload_record *upload)
{
    struct s3_list_multipart_uploads_output *out = u->out;
    struct arena *a = u->call->arena;
    struct str prefix = str_has(u->in->prefix) ? u->in->prefix : S("");
    struct str folder = s3_common_prefix(upload->key, prefix, u->in->delimiter);
    if (str_has(folder) && str_eq(folder, u->folder))
        return true;
    if (out->uploads.n + out->common_prefixes.n == u->max) {
        out->is_truncated = opt_bool(true);
        return false;
    }
    out->next_key_marker = s3_shown_key(u->call, upload->key, u->in->encoding_type);
    out->next_upload_id_marker = upload->id;
    if (str_has(folder)) {
        struct s3_common_prefix *p =
            arena_push(a, (void **)&out->common_prefixes.items, &out->common_prefixes.n,
                       &u->cap_prefixes, sizeof *p);
        p->prefix = s3_shown_key(u->call, folder, u->in->encoding_type);
        u->folder = folder;
        return true;
    }
    struct s3_multipart_upload *shown = arena_push(a, (void **)&out->uploads.items, &out->uploads.n,
                                                   &u->cap_uploads, sizeof *shown);
    *shown = (struct s3_multipart_upload){
        .upload_id = upload->id,
        .key = s3_shown_key(u->call, upload->key, u->in->encoding_type),
        .initiated = opt_time(upload->initiated.is / 1000 * 1000),
        .storage_class = upload->object && upload->object->storage_class.n
                             ? upload->object->storage_class
                             : S("STANDARD"),
        .owner = u->owner,
        .checksum_algorithm = upload->checksum_algorithm,
        .checksum_type = upload->checksum_type,
    };
    shown->initiator = ARENA_NEW(a, struct s3_initiator);
    shown->initiator->id = u->owner->id;
    return true;
}

static int walk_uploads(struct uploads *u)
{
    struct call *call = u->call;
    const struct s3_list_multipart_uploads_input *in = u->in;
    struct str prefix = store_key(call->arena, 3, S("s3-upload"), in->bucket, in->prefix);
    struct str after = {0};
    if (in->key_marker.n && in->upload_id_marker.n)
        after = s3_upload_key(call->arena, in->bucket, in->key_marker, in->upload_id_marker);
    else if (in->key_marker.n) /* behind all uploads of that key */
        after = s3_behind(call->arena,
                          store_prefix(call->arena, 3, S("s3-upload"), in->bucket, in->key_marker));
    for (;;) {
        struct store_row *rows;
        size_t n;
        int r = store_scan(call->store, prefix, after, 100, call->arena, &rows, &n);
        for (size_t i = 0; r == 0 && i < n; i++) {
            struct s3_upload_record upload = {0};
            r = wire_json_read(call->arena, rows[i].value, &s3_upload_record_shape, &upload, NULL);
            if (r == 0 && !list_upload(u, &upload))
                return 0;
        }
        if (r < 0 || n < 100)
            return r;
        after = rows[n - 1].key;
    }
}

static int list_multipart_uploads(struct call *call,
                                  const struct s3_list_multipart_uploads_input *in,
                                  struct s3_list_multipart_uploads_output *out)
{
    struct s3_bucket_record bucket;
    struct uploads u = {.call = call, .in = in, .out = out};
    int r = s3_bucket_get(call, in->bucket, in->expected_bucket_owner, &bucket);
    if (r == 0)
        r = s3_max_keys(call, in->max_uploads, "max-uploads", &u.max);
    if (r < 0)
        return r;
    u.owner = s3_owner(call, bucket.account);
    out->is_truncated = opt_bool(false);
    r = walk_uploads(&u);
    out->bucket = in->bucket;
    out->key_marker = str_has(in->key_marker) ? in->key_marker : S("");
    out->upload_id_marker = str_has(in->upload_id_marker) ? in->upload_id_marker : S("");
    if (!out->is_truncated.is)
        out->next_key_marker = out->next_upload_id_marker = (struct str){0};
    out->max_uploads = opt_int((int64_t)u.max);
    out->prefix =
        s3_shown_key(call, in->prefix.n ? in->prefix : (struct str){0}, in->encoding_type);
    out->delimiter =
        s3_shown_key(call, in->delimiter.n ? in->delimiter : (struct str){0}, in->encoding_type);
    out->encoding_type = in->encoding_type;
    return r;
}

const struct handler s3_upload_handlers[] = {
    {s3_create_multipart_upload_run(create_multipart_upload), "PutObject",
     "arn:aws:s3:::{Bucket}/{Key}"},
    {s3_abort_multipart_upload_run(abort_multipart_upload), NULL, "arn:aws:s3:::{Bucket}/{Key}"},
    {s3_upload_part_run(upload_part), "PutObject", "arn:aws:s3:::{Bucket}/{Key}"},
    {s3_upload_part_copy_run(upload_part_copy), "PutObject", "arn:aws:s3:::{Bucket}/{Key}"},
    {s3_list_parts_run(list_parts), "ListMultipartUploadParts", "arn:aws:s3:::{Bucket}/{Key}"},
    {s3_list_multipart_uploads_run(list_multipart_uploads), "ListBucketMultipartUploads",
     "arn:aws:s3:::{Bucket}"},
    {0},
};
