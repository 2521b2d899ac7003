/* list - ListObjects and ListObjectsV2: keys in order, with folders made of a delimiter. */
#include <errno.h>
#include <limits.h>
#include "service/s3/listing.h"

#define BATCH 64

struct str s3_common_prefix(struct str key, struct str prefix, struct str delimiter)
{
    if (!delimiter.n)
        return (struct str){0};
    ssize_t at = str_find(str_slice(key, prefix.n, key.n), delimiter);
    if (at < 0)
        return (struct str){0};
    return str_slice(key, 0, prefix.n + (size_t)at + delimiter.n);
}

struct str s3_behind(struct arena *a, struct str store_key)
{
    char *place = arena_alloc(a, store_key.n + 1);
    memcpy(place, store_key.p, store_key.n);
    place[store_key.n] = '\xff'; /* stands in no UTF-8 */
    return str_of(place, store_key.n + 1);
}

int s3_max_keys(struct call *call, struct opt_int given, const char *name, size_t *ret)
{
    if (given.has && (given.is < 0 || given.is > INT_MAX))
        return call_fail(call, S3_INVALID_ARGUMENT,
                         "Argument %s must be an integer between 0 and 2147483647", name);
    *ret = given.has && given.is < 1000 ? (size_t)given.is : 1000;
    return 0;
}

struct str s3_shown_key(struct call *call, struct str key, struct str encoding)
{
    if (!str_has(key) || !str_is(encoding, "url"))
        return key;
    return wire_percent_encode(call->arena, key, true);
}

struct listing {
    struct call *call;
    struct str bucket, prefix, delimiter, encoding;
    struct str after; /* the store's key to begin behind, or absent */
    bool fetch_owner;
    struct s3_owner *owner;
    size_t max;
    struct s3_object *objects;
    size_t n_objects, cap_objects;
    struct s3_common_prefix *prefixes;
    size_t n_prefixes, cap_prefixes;
    bool truncated;
    bool last_is_prefix;
    struct str last; /* key or common prefix shown last */
};

static void add_object(struct listing *l, struct str key, const struct s3_object_record *o)
{
    struct arena *a = l->call->arena;
    struct s3_object *shown =
        arena_push(a, (void **)&l->objects, &l->n_objects, &l->cap_objects, sizeof *shown);
    *shown = (struct s3_object){
        .key = s3_shown_key(l->call, key, l->encoding),
        .last_modified = opt_time(o->modified.is),
        .e_tag = s3_etag(l->call, o->e_tag),
        .size = o->size,
        .storage_class = o->storage_class.n ? str_copy(a, o->storage_class) : S("STANDARD"),
        .owner = l->fetch_owner ? l->owner : NULL,
    };
    if (str_has(o->checksum)) {
        shown->checksum_algorithm.items = ARENA_NEW(a, struct str);
        shown->checksum_algorithm.items[0] =
            str_from(s3_algorithm_name((int)o->checksum_algorithm.is));
        shown->checksum_algorithm.n = 1;
        shown->checksum_type = s3_checksum_type(o);
    }
    l->last = key;
    l->last_is_prefix = false;
}

static void add_prefix(struct listing *l, struct str prefix)
{
    struct s3_common_prefix *shown = arena_push(l->call->arena, (void **)&l->prefixes,
                                                &l->n_prefixes, &l->cap_prefixes, sizeof *shown);
    shown->prefix = s3_shown_key(l->call, prefix, l->encoding);
    l->last = prefix;
    l->last_is_prefix = true;
}

/* One row; false when the page is full. */
static bool list_row(struct listing *l, const struct store_row *row, struct arena *scratch)
{
    struct str key = store_key_part(scratch, row->key, 2);
    struct str folder = s3_common_prefix(key, l->prefix, l->delimiter);
    if (str_has(folder) && l->last_is_prefix && str_eq(folder, l->last))
        return true;
    struct s3_version v;
    if (s3_version_parse(scratch, *row, &v) < 0 || v.record.delete_marker.is)
        return true;
    if (l->n_objects + l->n_prefixes == l->max) {
        l->truncated = true;
        return false;
    }
    if (str_has(folder))
        add_prefix(l, str_copy(l->call->arena, folder));
    else
        add_object(l, str_copy(l->call->arena, key), &v.record);
    return true;
}

static int list(struct listing *l)
{
    if (!l->max)
        return 0;
    struct arena *a = l->call->arena;
    auto_arena struct arena scratch;
    arena_init(&scratch);
    struct str prefix = s3_object_key(a, l->bucket, l->prefix), after = l->after;
    for (;;) {
        struct store_row *rows;
        size_t n;
        int r = store_scan(l->call->store, prefix, after, BATCH, &scratch, &rows, &n);
        if (r < 0)
            return r;
        for (size_t i = 0; i < n; i++)
            if (!list_row(l, &rows[i], &scratch))
                return 0;
        if (n < BATCH)
            return 0;
        after = str_copy(a, rows[n - 1].key);
        /* What is left of the folder seen last need not be read. */
        struct str folder =
            s3_common_prefix(store_key_part(&scratch, after, 2), l->prefix, l->delimiter);
        if (str_has(folder) && l->last_is_prefix && str_eq(folder, l->last))
            after = s3_behind(a, s3_object_key(a, l->bucket, l->last));
        arena_reset(&scratch);
    }
}

/* The key after which to go on. A folder that was shown is passed by as a whole. */
static struct str resume(struct listing *l, struct str marker, bool folder)
{
    struct arena *a = l->call->arena;
    struct str key = s3_object_key(a, l->bucket, marker);
    struct str common = str_starts(marker, l->prefix)
                            ? s3_common_prefix(marker, l->prefix, l->delimiter)
                            : (struct str){0};
    if (folder || (str_has(common) && str_eq(common, marker)))
        return s3_behind(a, key);
    return key;
}

static int list_objects(struct call *call, const struct s3_list_objects_input *in,
                        struct s3_list_objects_output *out)
{
    struct s3_bucket_record bucket;
    struct listing l = {
        .call = call,
        .bucket = in->bucket,
        .prefix = in->prefix,
        .delimiter = in->delimiter,
        .encoding = in->encoding_type,
        .fetch_owner = true,
    };
    int r = s3_bucket_get(call, in->bucket, in->expected_bucket_owner, &bucket);
    if (r == 0)
        r = s3_max_keys(call, in->max_keys, "max-keys", &l.max);
    if (r < 0)
        return r;
    l.owner = s3_owner(call, bucket.account);
    if (in->marker.n)
        l.after = resume(&l, in->marker, false);
    r = list(&l);
    out->is_truncated = opt_bool(l.truncated);
    out->marker = s3_shown_key(call, str_has(in->marker) ? in->marker : S(""), l.encoding);
    if (l.truncated && in->delimiter.n) /* without a delimiter the last key says it */
        out->next_marker = s3_shown_key(call, l.last, l.encoding);
    out->contents = (struct s3_object_list){l.objects, l.n_objects};
    out->common_prefixes = (struct s3_common_prefix_list){l.prefixes, l.n_prefixes};
    out->name = in->bucket;
    out->prefix = s3_shown_key(call, str_has(in->prefix) ? in->prefix : S(""), l.encoding);
    out->delimiter =
        s3_shown_key(call, in->delimiter.n ? in->delimiter : (struct str){0}, l.encoding);
    out->max_keys = opt_int((int64_t)l.max);
    out->encoding_type = in->encoding_type;
    return r;
}

/* A token is the last thing shown, "k" and a key or "p" and a folder, in base64. */
static int read_token(struct call *call, struct listing *l, struct str token)
{
    struct str text;
    if (base64_decode(call->arena, token, &text) < 0 || !text.n ||
        (text.p[0] != 'k' && text.p[0] != 'p'))
        return call_fail(call, S3_INVALID_ARGUMENT, "The continuation token provided is incorrect");
    l->after = resume(l, str_slice(text, 1, text.n), text.p[0] == 'p');
    return 0;
}

static int list_objects_v2(struct call *call, const struct s3_list_objects_v2_input *in,
                           struct s3_list_objects_v2_output *out)
{
    struct s3_bucket_record bucket;
    struct listing l = {
        .call = call,
        .bucket = in->bucket,
        .prefix = in->prefix,
        .delimiter = in->delimiter,
        .encoding = in->encoding_type,
        .fetch_owner = in->fetch_owner.is,
    };
    int r = s3_bucket_get(call, in->bucket, in->expected_bucket_owner, &bucket);
    if (r == 0)
        r = s3_max_keys(call, in->max_keys, "max-keys", &l.max);
    if (r < 0)
        return r;
    l.owner = s3_owner(call, bucket.account);
    if (str_has(in->continuation_token))
        r = read_token(call, &l, in->continuation_token);
    else if (in->start_after.n)
        l.after = resume(&l, in->start_after, false);
    if (r == 0)
        r = list(&l);
    if (r < 0)
        return r;
    out->is_truncated = opt_bool(l.truncated);
    if (l.truncated)
        out->next_continuation_token =
            base64_encode(call->arena, str_printf(call->arena, "%c%.*s",
                                                  l.last_is_prefix ? 'p' : 'k', STR(l.last)));
    out->contents = (struct s3_object_list){l.objects, l.n_objects};
    out->common_prefixes = (struct s3_common_prefix_list){l.prefixes, l.n_prefixes};
    out->name = in->bucket;
    out->prefix = s3_shown_key(call, str_has(in->prefix) ? in->prefix : S(""), l.encoding);
    out->delimiter =
        s3_shown_key(call, in->delimiter.n ? in->delimiter : (struct str){0}, l.encoding);
    out->max_keys = opt_int((int64_t)l.max);
    out->encoding_type = in->encoding_type;
    out->key_count = opt_int((int64_t)(l.n_objects + l.n_prefixes));
    out->continuation_token = in->continuation_token;
    out->start_after = s3_shown_key(call, in->start_after, l.encoding);
    return 0;
}

const struct handler s3_list_handlers[] = {
    {s3_list_objects_run(list_objects), "ListBucket", "arn:aws:s3:::{Bucket}"},
    {s3_list_objects_v2_run(list_objects_v2), "ListBucket", "arn:aws:s3:::{Bucket}"},
    {0},
};
