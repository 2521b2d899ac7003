/* versions - ListObjectVersions: every key, and of each its versions, the newest first. */
#include <errno.h>
#include "service/s3/listing.h"

#define BATCH 64

struct walk {
    struct call *call;
    const struct s3_list_object_versions_input *in;
    struct s3_owner *owner;
    struct str prefix;
    size_t max, n;
    struct str skip_key, skip_version; /* of the markers: what comes behind is shown */
    struct s3_object_version_list versions;
    struct s3_delete_markers markers;
    struct s3_common_prefix_list prefixes;
    size_t cap_versions, cap_markers, cap_prefixes;
    bool full;
    struct str last_key, last_version, last_prefix;
};

static void show_version(struct walk *w, struct str key, const struct s3_object_record *o,
                         bool latest)
{
    struct arena *a = w->call->arena;
    struct str shown_key = s3_shown_key(w->call, key, w->in->encoding_type);
    struct str id = str_copy(a, s3_version_shown(o));
    w->last_key = key;
    w->last_version = id;
    if (o->delete_marker.is) {
        struct s3_delete_marker_entry *m =
            arena_push(a, (void **)&w->markers.items, &w->markers.n, &w->cap_markers, sizeof *m);
        *m = (struct s3_delete_marker_entry){
            .owner = w->owner,
            .key = shown_key,
            .version_id = id,
            .is_latest = opt_bool(latest),
            .last_modified = opt_time(o->modified.is),
        };
        return;
    }
    struct s3_object_version *v =
        arena_push(a, (void **)&w->versions.items, &w->versions.n, &w->cap_versions, sizeof *v);
    *v = (struct s3_object_version){
        .e_tag = s3_etag(w->call, o->e_tag),
        .size = o->size,
        .storage_class = o->storage_class.n ? str_copy(a, o->storage_class) : S("STANDARD"),
        .key = shown_key,
        .version_id = id,
        .is_latest = opt_bool(latest),
        .last_modified = opt_time(o->modified.is),
        .owner = w->owner,
    };
}

/* One version of a key; false when the page is full. */
static bool take(struct walk *w, struct str key, const struct s3_object_record *o, bool latest)
{
    /* Ids sort as they are listed. The one named may be gone: clients delete as they list. */
    if (w->skip_version.n && str_eq(key, w->skip_key) && str_cmp(o->version, w->skip_version) <= 0)
        return true;
    if (w->n == w->max) {
        w->full = true;
        return false;
    }
    w->n++;
    show_version(w, key, o, latest);
    return true;
}

static int earlier_versions(struct walk *w, struct str key)
{
    auto_arena struct arena scratch;
    arena_init(&scratch);
    struct str prefix = s3_version_prefix(w->call->arena, w->in->bucket, key), after = {0};
    for (;;) {
        struct store_row *rows;
        size_t n;
        int r = store_scan(w->call->store, prefix, after, BATCH, &scratch, &rows, &n);
        if (r < 0)
            return r;
        for (size_t i = 0; i < n; i++) {
            struct s3_version v;
            if (s3_version_parse(&scratch, rows[i], &v) == 0 && !take(w, key, &v.record, false))
                return 0;
        }
        if (n < BATCH)
            return 0;
        after = str_copy(w->call->arena, rows[n - 1].key);
        arena_reset(&scratch);
    }
}

static int one_key(struct walk *w, const struct store_row *row, struct arena *scratch)
{
    struct str key = str_copy(w->call->arena, store_key_part(scratch, row->key, 2));
    struct str folder = s3_common_prefix(key, w->prefix, w->in->delimiter);
    if (str_has(folder)) {
        if (str_eq(folder, w->last_prefix))
            return 0;
        if (w->n == w->max) {
            w->full = true;
            return 0;
        }
        w->n++;
        struct s3_common_prefix *p = arena_push(w->call->arena, (void **)&w->prefixes.items,
                                                &w->prefixes.n, &w->cap_prefixes, sizeof *p);
        p->prefix = s3_shown_key(w->call, folder, w->in->encoding_type);
        w->last_prefix = w->last_key = folder;
        w->last_version = (struct str){0};
        return 0;
    }
    struct s3_version v;
    int r = s3_version_parse(scratch, *row, &v);
    if (r < 0 || !take(w, key, &v.record, true))
        return r;
    return earlier_versions(w, key);
}

static int walk(struct walk *w, struct str after)
{
    auto_arena struct arena scratch;
    arena_init(&scratch);
    struct str prefix = s3_object_key(w->call->arena, w->in->bucket, w->prefix);
    for (;;) {
        struct store_row *rows;
        size_t n;
        int r = store_scan(w->call->store, prefix, after, BATCH, &scratch, &rows, &n);
        for (size_t i = 0; r == 0 && i < n && !w->full; i++)
            r = one_key(w, &rows[i], &scratch);
        if (r < 0 || n < BATCH || w->full)
            return r;
        after = str_copy(w->call->arena, rows[n - 1].key);
        arena_reset(&scratch);
    }
}

/* A place right before a key of the store. */
static struct str before(struct arena *a, struct str key)
{
    struct str place = s3_behind(a, key);
    ((char *)(uintptr_t)place.p)[key.n - 1]--;
    return place;
}

/* Where the markers say to begin. */
static struct str begin(struct walk *w)
{
    const struct s3_list_object_versions_input *in = w->in;
    struct arena *a = w->call->arena;
    if (!in->key_marker.n)
        return (struct str){0};
    struct str key = s3_object_key(a, in->bucket, in->key_marker);
    if (in->version_id_marker.n) {
        struct s3_version v;
        w->skip_key = in->key_marker;
        w->skip_version = in->version_id_marker;
        if (str_is(in->version_id_marker, "null"))
            w->skip_version =
                s3_version_find(w->call, in->bucket, in->key_marker, S("null"), &v) == 0
                    ? v.record.version
                    : (struct str){0};
        return before(a, key);
    }
    struct str folder = str_starts(in->key_marker, w->prefix)
                            ? s3_common_prefix(in->key_marker, w->prefix, in->delimiter)
                            : (struct str){0};
    return str_has(folder) && str_eq(folder, in->key_marker) ? s3_behind(a, key) : key;
}

static int list_object_versions(struct call *call, const struct s3_list_object_versions_input *in,
                                struct s3_list_object_versions_output *out)
{
    struct s3_bucket_record bucket;
    struct walk w = {.call = call, .in = in, .prefix = str_has(in->prefix) ? in->prefix : S("")};
    int r = s3_bucket_get(call, in->bucket, in->expected_bucket_owner, &bucket);
    if (r == 0)
        r = s3_max_keys(call, in->max_keys, "max-keys", &w.max);
    if (r == 0 && in->version_id_marker.n && !in->key_marker.n)
        return call_fail(call, S3_INVALID_ARGUMENT,
                         "A version-id marker cannot be specified without a key marker.");
    if (r < 0)
        return r;
    w.owner = s3_owner(call, bucket.account);
    r = w.max ? walk(&w, begin(&w)) : 0;
    out->is_truncated = opt_bool(w.full);
    out->key_marker =
        s3_shown_key(call, str_has(in->key_marker) ? in->key_marker : S(""), in->encoding_type);
    out->version_id_marker = str_has(in->version_id_marker) ? in->version_id_marker : S("");
    if (w.full) {
        out->next_key_marker = s3_shown_key(call, w.last_key, in->encoding_type);
        out->next_version_id_marker = w.last_version;
    }
    out->versions = w.versions;
    out->delete_markers = w.markers;
    out->common_prefixes = w.prefixes;
    out->name = in->bucket;
    out->prefix = s3_shown_key(call, w.prefix, in->encoding_type);
    out->delimiter =
        s3_shown_key(call, in->delimiter.n ? in->delimiter : (struct str){0}, in->encoding_type);
    out->max_keys = opt_int((int64_t)w.max);
    out->encoding_type = in->encoding_type;
    return r;
}

const struct handler s3_version_handlers[] = {
    {s3_list_object_versions_run(list_object_versions), "ListBucketVersions",
     "arn:aws:s3:::{Bucket}"},
    {0},
};
