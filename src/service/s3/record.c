/* record - how buckets, objects, versions and uploads stand in the store. */
#include "service/s3/record.h"
#include <endian.h>
#include <errno.h>
#include "base/clock.h"

#define RECORD_MAX (1 << 20)

struct str s3_version_shown(const struct s3_object_record *o)
{
    return s3_is_null_version(o) ? S("null") : o->version;
}

struct str s3_bucket_key(struct arena *a, struct str bucket)
{
    return store_key(a, 2, S("s3-bucket"), bucket);
}

struct str s3_object_key(struct arena *a, struct str bucket, struct str key)
{
    return store_key(a, 3, S("s3-object"), bucket, key);
}

struct str s3_version_key(struct arena *a, struct str bucket, struct str key, struct str version)
{
    return store_key(a, 4, S("s3-version"), bucket, key, version);
}

struct str s3_version_prefix(struct arena *a, struct str bucket, struct str key)
{
    return store_prefix(a, 3, S("s3-version"), bucket, key);
}

struct str s3_upload_key(struct arena *a, struct str bucket, struct str key, struct str id)
{
    return store_key(a, 4, S("s3-upload"), bucket, key, id);
}

struct str s3_part_key(struct arena *a, struct str id, int64_t number)
{
    return store_key(a, 3, S("s3-part"), id, str_printf(a, "%05d", (int)number));
}

struct str s3_part_prefix(struct arena *a, struct str id)
{
    return store_prefix(a, 2, S("s3-part"), id);
}

/* ---- buckets ---- */

int s3_bucket_get(struct call *call, struct str bucket, struct str expected_owner,
                  struct s3_bucket_record *ret)
{
    struct s3_bucket_record b = {0};
    int r = record_get(call, s3_bucket_key(call->arena, bucket), &s3_bucket_record_shape, &b);
    if (r == -ENOENT) {
        call_fail(call, S3_NO_SUCH_BUCKET, "The specified bucket does not exist");
        return call_fail_element(call, "BucketName", bucket);
    }
    if (r < 0)
        return r;
    if (expected_owner.n && !str_eq(expected_owner, b.account))
        return call_fail(call, S3_ACCESS_DENIED, "Access Denied");
    *ret = b;
    return 0;
}

int s3_bucket_put(struct call *call, const struct s3_bucket_record *bucket)
{
    return record_put(call, s3_bucket_key(call->arena, bucket->name), &s3_bucket_record_shape,
                      bucket);
}

/* ---- versions ---- */

int s3_version_parse(struct arena *a, struct store_row row, struct s3_version *ret)
{
    uint32_t size;
    if (row.value.n < sizeof size)
        return -EIO;
    memcpy(&size, row.value.p, sizeof size);
    size = le32toh(size);
    if (size > row.value.n - sizeof size)
        return -EIO;
    *ret = (struct s3_version){.value = row.value, .key = row.key};
    ret->data = str_slice(row.value, sizeof size + size, row.value.n);
    int r = wire_json_read(a, str_slice(row.value, sizeof size, sizeof size + size),
                           &s3_object_record_shape, &ret->record, NULL);
    return r < 0 ? -EIO : 0;
}

int s3_version_write(struct call *call, struct str store_key, const struct s3_object_record *o,
                     struct str data)
{
    auto_buf struct buf b;
    buf_init(&b, RECORD_MAX + S3_INLINE_MAX);
    uint32_t size = 0;
    buf_add(&b, &size, sizeof size);
    wire_json_write(&b, &s3_object_record_shape, o);
    if (buf_failed(&b))
        return -EMSGSIZE;
    size = htole32((uint32_t)(b.n - sizeof size));
    memcpy(b.p, &size, sizeof size);
    buf_str(&b, data);
    return buf_failed(&b) ? -EMSGSIZE : store_put(call->store, store_key, buf_view(&b));
}

int s3_latest_find(struct call *call, struct str bucket, struct str key, struct s3_version *ret)
{
    struct store_row row = {.key = s3_object_key(call->arena, bucket, key)};
    int r = store_get(call->store, row.key, call->arena, &row.value);
    return r < 0 ? r : s3_version_parse(call->arena, row, ret);
}

static int null_version_find(struct call *call, struct str bucket, struct str key,
                             struct s3_version *ret)
{
    struct str prefix = s3_version_prefix(call->arena, bucket, key), after = {0};
    for (;;) {
        struct store_row *rows;
        size_t n;
        int r = store_scan(call->store, prefix, after, 50, call->arena, &rows, &n);
        for (size_t i = 0; r == 0 && i < n; i++) {
            r = s3_version_parse(call->arena, rows[i], ret);
            if (r == 0 && s3_is_null_version(&ret->record))
                return 0;
        }
        if (r < 0)
            return r;
        if (n < 50)
            return -ENOENT;
        after = rows[n - 1].key;
    }
}

int s3_version_find(struct call *call, struct str bucket, struct str key, struct str version_id,
                    struct s3_version *ret)
{
    struct s3_version v;
    int r = s3_latest_find(call, bucket, key, &v);
    if (r < 0)
        return r; /* earlier versions are there only when a latest one is */
    if (!str_eq(version_id, s3_version_shown(&v.record))) {
        if (str_is(version_id, "null")) {
            r = null_version_find(call, bucket, key, &v);
        } else {
            struct store_row row = {.key = s3_version_key(call->arena, bucket, key, version_id)};
            r = store_get(call->store, row.key, call->arena, &row.value);
            if (r == 0)
                r = s3_version_parse(call->arena, row, &v);
            if (r == 0 && s3_is_null_version(&v.record))
                r = -ENOENT;
        }
    }
    if (r == 0)
        *ret = v;
    return r;
}

int s3_version_get(struct call *call, struct str bucket, struct str key, struct str version_id,
                   struct s3_version *ret)
{
    struct s3_version v;
    if (!str_has(version_id)) {
        int r = s3_latest_find(call, bucket, key, &v);
        if (r == -ENOENT || (r == 0 && v.record.delete_marker.is)) {
            call_fail(call, S3_NO_SUCH_KEY, "The specified key does not exist.");
            return call_fail_element(call, "Key", key);
        }
        if (r == 0)
            *ret = v;
        return r;
    }
    if (!s3_version_valid(version_id))
        return call_fail(call, S3_INVALID_ARGUMENT, "Invalid version id specified");
    int r = s3_version_find(call, bucket, key, version_id, &v);
    if (r == -ENOENT)
        return call_fail(call, S3_NO_SUCH_VERSION, "The specified version does not exist.");
    if (r < 0)
        return r;
    if (v.record.delete_marker.is)
        return call_fail(call, S3_METHOD_NOT_ALLOWED,
                         "The specified method is not allowed against this resource.");
    *ret = v;
    return 0;
}

/* The bytes of a version that is going away. */
static int drop_bytes(struct call *call, const struct s3_version *v)
{
    return v->record.blob.n ? blob_delete(call->store, v->record.blob) : 0;
}

/* A null version that is not the latest goes: there is at most one of a key. */
static int drop_earlier_null(struct call *call, struct str bucket, struct str key)
{
    struct s3_version v;
    int r = null_version_find(call, bucket, key, &v);
    if (r == -ENOENT)
        return 0;
    if (r == 0)
        r = drop_bytes(call, &v);
    return r < 0 ? r : store_delete(call->store, v.key);
}

static struct str new_version(struct call *call)
{
    struct s3_state *state = call->state;
    int64_t us = clock_now_us();
    if (us <= state->last_us)
        us = state->last_us + 1;
    state->last_us = us;
    return s3_version_make(call->arena, us);
}

int s3_version_add(struct call *call, const struct s3_bucket_record *bucket, struct str key,
                   struct s3_object_record *o, struct str data)
{
    bool enabled = str_is(bucket->versioning, "Enabled");
    struct s3_version old;
    int r = s3_latest_find(call, bucket->name, key, &old);
    bool has_old = r == 0;
    if (r < 0 && r != -ENOENT)
        return r;
    r = 0;
    if (has_old && !enabled && s3_is_null_version(&old.record))
        r = drop_bytes(call, &old);
    else if (has_old) {
        r = store_put(call->store,
                      s3_version_key(call->arena, bucket->name, key, old.record.version),
                      old.value);
        if (r == 0 && !enabled)
            r = drop_earlier_null(call, bucket->name, key);
    }
    if (r < 0)
        return r;
    o->version = new_version(call);
    o->null_version = enabled ? (struct opt_bool){0} : opt_bool(true);
    return s3_version_write(call, s3_object_key(call->arena, bucket->name, key), o, data);
}

int s3_version_remove(struct call *call, struct str bucket, struct str key,
                      const struct s3_version *v)
{
    struct str latest = s3_object_key(call->arena, bucket, key);
    int r = drop_bytes(call, v);
    if (r < 0 || !str_eq(v->key, latest))
        return r < 0 ? r : store_delete(call->store, v->key);
    struct store_row *rows;
    size_t n;
    r = store_scan(call->store, s3_version_prefix(call->arena, bucket, key), (struct str){0}, 1,
                   call->arena, &rows, &n);
    if (r < 0)
        return r;
    if (!n)
        return store_delete(call->store, latest);
    r = store_put(call->store, latest, rows[0].value);
    return r < 0 ? r : store_delete(call->store, rows[0].key);
}

/* ---- common checks and answers ---- */

int s3_key_check(struct call *call, struct str key)
{
    if (key.n > S3_KEY_MAX)
        return call_fail(call, S3_KEY_TOO_LONG_ERROR, "Your key is too long");
    if (memchr(key.p, 0, key.n)) /* could not be shown in any XML */
        return call_fail(call, S3_INVALID_ARGUMENT, "Keys with NUL characters are not supported.");
    return 0;
}

int s3_write_condition(struct call *call, struct str bucket, struct str key, struct str if_match,
                       struct str if_none_match)
{
    if (!str_has(if_match) && !str_has(if_none_match))
        return 0;
    if (str_has(if_none_match) && (!str_is(if_none_match, "*") || str_has(if_match)))
        return call_fail(call, S3_NOT_IMPLEMENTED,
                         "A header you provided implies functionality that is not implemented");
    struct s3_version v;
    int r = s3_latest_find(call, bucket, key, &v);
    if (r < 0 && r != -ENOENT)
        return r;
    bool there = r == 0 && !v.record.delete_marker.is;
    if (str_has(if_match) && !there) {
        call_fail(call, S3_NO_SUCH_KEY, "The specified key does not exist.");
        return call_fail_element(call, "Key", key);
    }
    if (str_has(if_match) ? !s3_etag_listed(if_match, v.record.e_tag) : there)
        return call_fail(call, S3_PRECONDITION_FAILED,
                         "At least one of the pre-conditions you specified did not hold");
    return 0;
}

struct str s3_etag(struct call *call, struct str etag)
{
    return str_printf(call->arena, "\"%.*s\"", STR(etag));
}

struct s3_owner *s3_owner(struct call *call, struct str account)
{
    struct s3_owner *owner = ARENA_NEW(call->arena, struct s3_owner);
    owner->id = sha256_hex(call->arena, account); /* a canonical user id is 64 hexadecimal digits */
    return owner;
}

struct str s3_checksum_type(const struct s3_object_record *o)
{
    return o->checksum_composite.is ? S("COMPOSITE") : S("FULL_OBJECT");
}
