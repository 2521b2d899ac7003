/* delete - DeleteObject, DeleteObjects. */
#include <errno.h>
#include "service/s3/record.h"

#define MANY_MAX 1000

struct deleted {
    bool marker; /* a delete marker was made or taken away */
    struct str marker_version, version;
};

static int delete_version(struct call *call, const struct s3_bucket_record *bucket, struct str key,
                          struct str version_id, struct deleted *ret)
{
    struct s3_version v;
    if (!s3_version_valid(version_id))
        return call_fail(call, S3_INVALID_ARGUMENT, "Invalid version id specified");
    ret->version = version_id;
    int r = s3_version_find(call, bucket->name, key, version_id, &v);
    if (r < 0)
        return r == -ENOENT ? 0 : r; /* gone is gone */
    if (v.record.delete_marker.is) {
        ret->marker = true;
        ret->marker_version = version_id;
    }
    return s3_version_remove(call, bucket->name, key, &v);
}

/* Without a version id: gone, or in a versioned bucket hidden behind a marker. */
static int delete_latest(struct call *call, const struct s3_bucket_record *bucket, struct str key,
                         struct deleted *ret)
{
    if (s3_versioned(bucket)) {
        struct s3_object_record marker = {
            .delete_marker = opt_bool(true),
            .modified = opt_int(call->now_ms / 1000 * 1000),
        };
        int r = s3_version_add(call, bucket, key, &marker, S(""));
        ret->marker = true;
        ret->marker_version = s3_version_shown(&marker);
        return r;
    }
    struct s3_version v;
    int r = s3_latest_find(call, bucket->name, key, &v);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    return s3_version_remove(call, bucket->name, key, &v);
}

static int delete_one(struct call *call, const struct s3_bucket_record *bucket, struct str key,
                      struct str version_id, struct str if_match, struct deleted *ret)
{
    *ret = (struct deleted){0};
    int r = s3_key_check(call, key);
    if (r == 0 && str_has(if_match))
        r = s3_write_condition(call, bucket->name, key, if_match, (struct str){0});
    if (r < 0)
        return r;
    return str_has(version_id) ? delete_version(call, bucket, key, version_id, ret)
                               : delete_latest(call, bucket, key, ret);
}

static int delete_object(struct call *call, const struct s3_delete_object_input *in,
                         struct s3_delete_object_output *out)
{
    struct s3_bucket_record bucket;
    struct deleted deleted;
    int r = s3_bucket_get(call, in->bucket, in->expected_bucket_owner, &bucket);
    if (r == 0)
        r = delete_one(call, &bucket, in->key, in->version_id, in->if_match, &deleted);
    if (r < 0)
        return r;
    if (deleted.marker)
        out->delete_marker = opt_bool(true);
    out->version_id = str_has(deleted.version) ? deleted.version : deleted.marker_version;
    return 0;
}

/* ---- many ---- */

/* Somebody who may delete some of them is told which he may not. */
static int check_allowed(struct call *call, struct str bucket,
                         const struct s3_object_identifier *id)
{
    struct str why = {0};
    struct str arn = str_printf(call->arena, "arn:aws:s3:::%.*s/%.*s", STR(bucket), STR(id->key));
    struct str action =
        str_has(id->version_id) ? S("s3:DeleteObjectVersion") : S("s3:DeleteObject");
    int r = call_allowed(call, call->who, action, arn, &why);
    return r == -EACCES ? call_fail(call, S3_ACCESS_DENIED, "%.*s", STR(why)) : r;
}

static int delete_objects(struct call *call, const struct s3_delete_objects_input *in,
                          struct s3_delete_objects_output *out)
{
    struct s3_bucket_record bucket;
    int r = s3_bucket_get(call, in->bucket, in->expected_bucket_owner, &bucket);
    if (r < 0)
        return r;
    if (!in->delete || !in->delete->objects.n || in->delete->objects.n > MANY_MAX)
        return call_fail(call, S3_MALFORMED_XML,
                         "The XML you provided was not well-formed or did not validate against our "
                         "published schema");
    const struct s3_object_identifier_list *ids = &in->delete->objects;
    out->deleted.items = ARENA_ARRAY(call->arena, struct s3_deleted_object, ids->n);
    out->errors.items = ARENA_ARRAY(call->arena, struct s3_error_2, ids->n);
    for (size_t i = 0; i < ids->n; i++) {
        const struct s3_object_identifier *id = &ids->items[i];
        struct deleted deleted;
        struct store_mark mark = store_mark(call->store);
        r = check_allowed(call, in->bucket, id);
        if (r == 0)
            r = delete_one(call, &bucket, id->key, id->version_id, id->e_tag, &deleted);
        if (r == CALL_FAILED) {
            store_undo_to(call->store, mark);
            out->errors.items[out->errors.n++] = (struct s3_error_2){
                .key = id->key,
                .version_id = id->version_id,
                .code = str_from(call->error->code),
                .message = call->message,
            };
            continue;
        }
        store_release(call->store, mark);
        if (r < 0)
            return r;
        if (in->delete->quiet.is)
            continue;
        struct s3_deleted_object *d = &out->deleted.items[out->deleted.n++];
        *d = (struct s3_deleted_object){.key = id->key, .version_id = deleted.version};
        if (deleted.marker) {
            d->delete_marker = opt_bool(true);
            d->delete_marker_version_id = deleted.marker_version;
        }
    }
    return 0;
}

const struct handler s3_delete_handlers[] = {
    {s3_delete_object_run(delete_object), NULL, "arn:aws:s3:::{Bucket}/{Key}"},
    {s3_delete_objects_run(delete_objects), "", NULL}, /* asks for every key: check_allowed() */
    {0},
};
