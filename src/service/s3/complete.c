/* complete - CompleteMultipartUpload: parts become an object. Their files are joined in the pool.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "service/s3/record.h"

#define PART_SIZE_MIN (5 * 1024 * 1024)

struct join {
    struct call *call;
    const struct s3_complete_multipart_upload_input *in;
    struct s3_complete_multipart_upload_output *out;
    struct s3_part_record *parts;
    struct str *paths;
    size_t n;
    int64_t size;
    struct s3_object_record object;
    struct str tmp;
    bool full_object; /* the checksum is over the bytes, not over the parts' */
    uint8_t checksum[32];
    size_t checksum_size;
};

static int malformed(struct call *call)
{
    return call_fail(call, S3_MALFORMED_XML,
                     "The XML you provided was not well-formed or did not validate against our "
                     "published schema");
}

static struct str unquoted(struct str etag)
{
    if (etag.n >= 2 && etag.p[0] == '"' && etag.p[etag.n - 1] == '"')
        return str_slice(etag, 1, etag.n - 1);
    return etag;
}

/* The parts the request names, checked one by one. */
static int find_parts(struct join *join)
{
    struct call *call = join->call;
    const struct s3_completed_part_list *list = &join->in->multipart_upload->parts;
    join->n = list->n;
    join->parts = ARENA_ARRAY(call->arena, struct s3_part_record, list->n);
    join->paths = ARENA_ARRAY(call->arena, struct str, list->n);
    for (size_t i = 0; i < list->n; i++)
        if (i && list->items[i].part_number.is <= list->items[i - 1].part_number.is)
            return call_fail(
                call, S3_INVALID_PART_ORDER,
                "The list of parts was not in ascending order. Parts must be ordered by "
                "part number.");
    for (size_t i = 0; i < list->n; i++) {
        const struct s3_completed_part *named = &list->items[i];
        struct s3_part_record *part = &join->parts[i];
        struct str key = s3_part_key(call->arena, join->in->upload_id, named->part_number.is);
        int r = named->part_number.is < 1 || named->part_number.is > 10000
                    ? -ENOENT
                    : record_get(call, key, &s3_part_record_shape, part);
        int given = s3_checksum_given(&named->checksum_crc32);
        if (r == -ENOENT || (r == 0 && !str_eq(unquoted(named->e_tag), part->e_tag)) ||
            (r == 0 && given >= 0 && given == part->checksum_algorithm.is &&
             !str_eq((&named->checksum_crc32)[given], part->checksum)))
            return call_fail(
                call, S3_INVALID_PART,
                "One or more of the specified parts could not be found.  The part may "
                "not have been uploaded, or the specified entity tag may not match the "
                "part's entity tag.");
        if (r < 0)
            return r;
        join->size += part->size.is;
        if (part->blob.n)
            join->paths[i] = blob_path(call->store, part->blob, call->arena);
    }
    for (size_t i = 0; i + 1 < join->n; i++)
        if (join->parts[i].size.is < PART_SIZE_MIN)
            return call_fail(call, S3_ENTITY_TOO_SMALL,
                             "Your proposed upload is smaller than the minimum allowed size");
    return 0;
}

/* ETag and checksum over all parts, the record's list of them. */
static int sum_parts(struct join *join, const struct s3_upload_record *upload)
{
    struct call *call = join->call;
    struct s3_object_record *o = &join->object;
    struct str *etags = ARENA_ARRAY(call->arena, struct str, join->n);
    struct str *sums = ARENA_ARRAY(call->arena, struct str, join->n);
    o->parts.items = ARENA_ARRAY(call->arena, struct s3_object_part_record, join->n);
    o->parts.n = join->n;
    bool composite = str_is(upload->checksum_type, "COMPOSITE");
    for (size_t i = 0; i < join->n; i++) {
        const struct s3_part_record *p = &join->parts[i];
        etags[i] = p->e_tag;
        sums[i] = p->checksum;
        /* What was uploaded as part 7 may be the object's second. */
        o->parts.items[i] = (struct s3_object_part_record){.number = p->number, .size = p->size};
        if (composite)
            o->parts.items[i].checksum = p->checksum;
    }
    if (s3_etag_of_parts(call->arena, etags, join->n, &o->e_tag) < 0)
        return -EIO;
    int algorithm =
        upload->checksum_algorithm.n ? s3_algorithm_find(upload->checksum_algorithm) : S3_CRC64NVME;
    o->checksum_algorithm = opt_int(algorithm);
    join->full_object = !composite;
    if (!composite)
        return 0;
    o->checksum_composite = opt_bool(true);
    return s3_checksum_of_parts(call->arena, algorithm, sums, join->n, &o->checksum) < 0 ? -EIO : 0;
}

static int append(int to, const char *path, struct digest *digest)
{
    auto_close int from = open(path, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return -errno;
    char chunk[65536];
    for (;;) {
        ssize_t n = read(from, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        if (digest)
            digest_add(digest, chunk, (size_t)n);
        int r = fs_write_all(to, chunk, (size_t)n);
        if (r < 0)
            return r;
    }
}

/* In the pool. */
static int join_files(void *user)
{
    struct join *join = user;
    auto_close int to = open(join->tmp.p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (to < 0)
        return -errno;
    struct digest *digest =
        join->full_object
            ? digest_open(s3_algorithm_digest((int)join->object.checksum_algorithm.is))
            : NULL;
    int r = 0;
    for (size_t i = 0; r == 0 && i < join->n; i++)
        if (join->paths[i].n)
            r = append(to, join->paths[i].p, digest);
    if (digest)
        join->checksum_size = digest_close(digest, join->checksum);
    return r;
}

static int check_checksum(struct join *join)
{
    struct call *call = join->call;
    struct s3_object_record *o = &join->object;
    if (join->full_object)
        o->checksum =
            base64_encode(call->arena, str_of((const char *)join->checksum, join->checksum_size));
    int given = s3_checksum_given(&join->in->checksum_crc32);
    if (given < 0 || given != o->checksum_algorithm.is)
        return 0;
    struct str sum = (&join->in->checksum_crc32)[given];
    /* Some clients leave the "-n" of a composite checksum out. */
    if (str_eq(sum, o->checksum) || (o->checksum_composite.is && str_starts(o->checksum, sum) &&
                                     sum.n < o->checksum.n && o->checksum.p[sum.n] == '-'))
        return 0;
    return call_fail(call, S3_BAD_DIGEST,
                     "The %s you specified did not match the calculated checksum.",
                     s3_algorithm_name(given));
}

static int store_object(struct join *join)
{
    struct call *call = join->call;
    const struct s3_complete_multipart_upload_input *in = join->in;
    struct s3_object_record *o = &join->object;
    struct s3_bucket_record bucket;
    struct s3_upload_record upload;
    int r = s3_bucket_get(call, in->bucket, in->expected_bucket_owner, &bucket);
    if (r == 0)
        r = s3_upload_get(call, in->bucket, in->key, in->upload_id, &upload);
    if (r == 0)
        r = check_checksum(join);
    if (r == 0)
        r = s3_write_condition(call, in->bucket, in->key, in->if_match, in->if_none_match);
    if (r == 0)
        r = blob_adopt(call->store, join->tmp.p, call->arena, &o->blob);
    o->size = opt_int(join->size);
    o->modified = opt_int(call->now_ms / 1000 * 1000);
    if (r == 0)
        r = s3_version_add(call, &bucket, in->key, o, S(""));
    if (r == 0)
        r = s3_upload_remove(call, s3_upload_key(call->arena, in->bucket, in->key, in->upload_id),
                             in->upload_id);
    if (r < 0)
        return r;

    struct s3_complete_multipart_upload_output *out = join->out;
    out->location = str_printf(call->arena, "%.*s/%.*s/%.*s", STR(cloud_endpoint(call->cloud)),
                               STR(in->bucket), STR(in->key));
    out->bucket = in->bucket;
    out->key = in->key;
    out->e_tag = s3_etag(call, o->e_tag);
    s3_checksum_show(&out->checksum_crc32, o);
    out->checksum_type = s3_checksum_type(o);
    out->server_side_encryption = o->encryption.n ? o->encryption : S("AES256");
    out->ssekms_key_id = o->kms_key;
    if (s3_versioned(&bucket) && !s3_is_null_version(o))
        out->version_id = o->version;
    return 0;
}

static void joined(struct call *call, void *user, int result)
{
    struct join *join = user;
    struct store_mark mark = store_mark(call->store);
    struct s3_upload_record upload;
    const struct s3_complete_multipart_upload_input *in = join->in;
    int r = result;
    if (r == -ENOENT) /* a part's file went away: the upload was aborted meanwhile */
        r = s3_upload_get(call, in->bucket, in->key, in->upload_id, &upload) < 0 ? CALL_FAILED
                                                                                 : -EIO;
    else if (r == 0)
        r = store_object(join);
    if (r < 0) {
        store_undo_to(call->store, mark);
        unlink(join->tmp.p);
    } else {
        store_release(call->store, mark);
    }
    call_finish(call, r);
}

static int complete_multipart_upload(struct call *call,
                                     const struct s3_complete_multipart_upload_input *in,
                                     struct s3_complete_multipart_upload_output *out)
{
    struct s3_bucket_record bucket;
    struct s3_upload_record upload;
    int r = s3_bucket_get(call, in->bucket, in->expected_bucket_owner, &bucket);
    if (r == 0)
        r = s3_upload_get(call, in->bucket, in->key, in->upload_id, &upload);
    if (r < 0)
        return r;
    if (!in->multipart_upload || !in->multipart_upload->parts.n)
        return malformed(call);
    struct join *join = ARENA_NEW(call->arena, struct join);
    join->call = call;
    join->in = in;
    join->out = out;
    if (upload.object)
        join->object = *upload.object;
    r = find_parts(join);
    if (r == 0)
        r = sum_parts(join, &upload);
    if (r < 0)
        return r;
    if (in->mpu_object_size.has && in->mpu_object_size.is != join->size)
        return call_fail(call, S3_INVALID_REQUEST,
                         "The provided 'x-amz-mp-object-size' header value %" PRId64
                         " does not match what was computed: %" PRId64,
                         in->mpu_object_size.is, join->size);
    join->tmp = str_printf(call->arena, "%s/s3-%.*s", store_tmp(call->store),
                           STR(random_hex(call->arena, 32)));
    call_offload(call, join_files, joined, join);
    return CALL_LATER;
}

const struct handler s3_complete_handlers[] = {
    {s3_complete_multipart_upload_run(complete_multipart_upload), "PutObject",
     "arn:aws:s3:::{Bucket}/{Key}"},
    {0},
};
