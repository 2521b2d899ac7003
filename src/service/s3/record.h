/* record - how buckets, objects, versions and uploads stand in the store; shared by this folder's
 * files.
 *
 *     s3-bucket  / bucket                     struct s3_bucket_record
 *     s3-object  / bucket / key               the latest version (perhaps a delete marker)
 *     s3-version / bucket / key / version     those before it, the newest first
 *     s3-upload  / bucket / key / upload id   struct s3_upload_record
 *     s3-part    / upload id / 00001          struct s3_part_record
 *
 * A version's value is the length of its record (four bytes, little-endian), the record, and the
 * object's bytes when there are few; more are in a blob that the record names. A version id sorts
 * by time; that of a null version is made in the same way, and shown as "null". */
#pragma once
#include "service/call.h"
#include "service/s3/checksum.h"
#include "service/s3/rules.h"
#include "wire/s3.h"
#include "wire/walk.h"

#define S3_INLINE_MAX (32 * 1024)
#define S3_OFFLOAD_MIN (256 * 1024) /* hashing more than that is not the loop's work */
#define S3_PUT_MAX (INT64_C(5) << 30)
#define S3_KEY_MAX 1024

struct s3_state {
    int64_t last_us; /* of the newest version id */
};

/* A version as it was read. */
struct s3_version {
    struct s3_object_record record;
    struct str data;  /* its bytes when they are in the value */
    struct str value; /* the whole value */
    struct str key;   /* of the row in the store */
};

static inline bool s3_is_null_version(const struct s3_object_record *o)
{
    return o->null_version.is;
}
struct str s3_version_shown(const struct s3_object_record *o); /* its id, or "null" */

struct str s3_bucket_key(struct arena *a, struct str bucket);
struct str s3_object_key(struct arena *a, struct str bucket, struct str key);
struct str s3_version_key(struct arena *a, struct str bucket, struct str key, struct str version);
struct str s3_version_prefix(struct arena *a, struct str bucket, struct str key);
struct str s3_upload_key(struct arena *a, struct str bucket, struct str key, struct str id);
struct str s3_part_key(struct arena *a, struct str id, int64_t number);
struct str s3_part_prefix(struct arena *a, struct str id);

/* Fails the call with NoSuchBucket, or AccessDenied when it is not the expected owner's. */
int s3_bucket_get(struct call *call, struct str bucket, struct str expected_owner,
                  struct s3_bucket_record *ret);
int s3_bucket_put(struct call *call, const struct s3_bucket_record *bucket);

int s3_version_parse(struct arena *a, struct store_row row, struct s3_version *ret);
int s3_version_write(struct call *call, struct str store_key, const struct s3_object_record *o,
                     struct str data);

/* The latest version; -ENOENT. Delete markers are versions, too. */
int s3_latest_find(struct call *call, struct str bucket, struct str key, struct s3_version *ret);
/* The version asked for, or the latest; fails the call with NoSuchKey, NoSuchVersion,
 * MethodNotAllowed (a delete marker asked for by its id). */
int s3_version_get(struct call *call, struct str bucket, struct str key, struct str version_id,
                   struct s3_version *ret);
/* The version with that id wherever it stands; -ENOENT. */
int s3_version_find(struct call *call, struct str bucket, struct str key, struct str version_id,
                    struct s3_version *ret);

/* Makes a version the latest, as the bucket's versioning says. Sets the record's version. */
int s3_version_add(struct call *call, const struct s3_bucket_record *bucket, struct str key,
                   struct s3_object_record *o, struct str data);
/* Takes a version out, with its bytes; the one before it becomes the latest. */
int s3_version_remove(struct call *call, struct str bucket, struct str key,
                      const struct s3_version *v);

/* Does the bucket name versions in its answers? */
static inline bool s3_versioned(const struct s3_bucket_record *bucket)
{
    return str_has(bucket->versioning);
}

/* Checks before any operation on a key. */
int s3_key_check(struct call *call, struct str key);
/* 412, 404 by If-Match and If-None-Match of writers. */
int s3_write_condition(struct call *call, struct str bucket, struct str key, struct str if_match,
                       struct str if_none_match);

/* "<hex>" */
struct str s3_etag(struct call *call, struct str etag);
struct s3_owner *s3_owner(struct call *call, struct str account);
/* Fills the member of the algorithm. */
static inline void s3_checksum_show(struct str *members, const struct s3_object_record *o)
{
    if (str_has(o->checksum))
        members[o->checksum_algorithm.is] = o->checksum;
}
struct str s3_checksum_type(const struct s3_object_record *o);

/* What PutObject, CopyObject and CreateMultipartUpload say about an object in common. */
struct s3_headers {
    struct str acl, cache_control, content_disposition, content_encoding, content_language,
        content_type, expires, server_side_encryption, storage_class, website_redirect_location,
        sse_customer_algorithm, ssekms_key_id, tagging, object_lock_mode,
        object_lock_legal_hold_status;
    struct s3_metadata metadata;
    struct opt_bool bucket_key_enabled;
};
#define S3_HEADERS(in)                                                                             \
    ((struct s3_headers){                                                                          \
        .acl = (in)->acl,                                                                          \
        .cache_control = (in)->cache_control,                                                      \
        .content_disposition = (in)->content_disposition,                                          \
        .content_encoding = (in)->content_encoding,                                                \
        .content_language = (in)->content_language,                                                \
        .content_type = (in)->content_type,                                                        \
        .expires = (in)->expires,                                                                  \
        .server_side_encryption = (in)->server_side_encryption,                                    \
        .storage_class = (in)->storage_class,                                                      \
        .website_redirect_location = (in)->website_redirect_location,                              \
        .sse_customer_algorithm = (in)->sse_customer_algorithm,                                    \
        .ssekms_key_id = (in)->ssekms_key_id,                                                      \
        .tagging = (in)->tagging,                                                                  \
        .object_lock_mode = (in)->object_lock_mode,                                                \
        .object_lock_legal_hold_status = (in)->object_lock_legal_hold_status,                      \
        .metadata = (in)->metadata,                                                                \
        .bucket_key_enabled = (in)->bucket_key_enabled,                                            \
    })
/* Checks them and fills the record's part. */
int s3_headers_apply(struct call *call, const struct s3_bucket_record *bucket,
                     const struct s3_headers *h, struct s3_object_record *o);
/* Encryption alone: what the request says, or the bucket's default. */
int s3_encryption_apply(struct call *call, const struct s3_bucket_record *bucket,
                        const struct s3_headers *h, struct s3_object_record *o);
int s3_tags_check(struct call *call, const struct s3_tag_set *tags, size_t max);

/* ---- the bytes of objects and parts ---- */

/* A body on its way into the store. */
struct s3_intake {
    struct call *call;
    struct body body;
    const char *path; /* of a file that may be taken over, or NULL */
    bool own_file;    /* body and path are the intake's: it closes and removes them at its end */
    int algorithm;
    bool check_checksum, check_md5;
    struct str checksum; /* base64 */
    struct str md5;      /* raw */
    struct s3_sums sums;
    int (*finish)(
        struct s3_intake *in); /* once the sums are known; what it returns ends the call */
    void *user;
};
/* Reads what the request says about its body: 0, or the call has failed. */
int s3_intake_prepare(struct s3_intake *t, const struct str *checksums, struct str algorithm,
                      struct str content_md5);
/* Sums it, now or in the pool, checks what was promised, and goes on with finish. */
int s3_intake_run(struct s3_intake *t);
/* For those who prepared a file and do not run: removes what the intake owns, returns result. */
int s3_intake_end(struct s3_intake *t, int result);
/* Puts the bytes where they belong: small ones are given back, others go to a blob. */
int s3_intake_store(struct s3_intake *t, size_t inline_max, struct str *ret_data,
                    struct str *ret_blob);
struct str s3_intake_etag(struct s3_intake *t);     /* hex */
struct str s3_intake_checksum(struct s3_intake *t); /* base64 */
int s3_upload_get(struct call *call, struct str bucket, struct str key, struct str id,
                  struct s3_upload_record *ret); /* fails with NoSuchUpload */
/* An upload with its parts and their bytes; key is that of its record. */
int s3_upload_remove(struct call *call, struct str key, struct str id);
extern const struct handler s3_bucket_handlers[], s3_setting_handlers[], s3_put_handlers[],
    s3_get_handlers[], s3_delete_handlers[], s3_copy_handlers[], s3_list_handlers[],
    s3_version_handlers[], s3_upload_handlers[], s3_complete_handlers[], s3_tag_handlers[];
extern const struct service s3_service;
