/* headers - what writers say about an object: system and user metadata, tags, encryption, class. */
#include <errno.h>
#include "service/s3/record.h"

#define METADATA_MAX 2048
#define TAGS_MAX 10

int s3_tags_check(struct call *call, const struct s3_tag_set *tags, size_t max)
{
    if (tags->n > max)
        return call_fail(call, max == TAGS_MAX ? S3_INVALID_ARGUMENT : S3_INVALID_TAG,
                         max == TAGS_MAX ? "Object tags cannot be greater than 10"
                                         : "Bucket tag count cannot be greater than 50");
    for (size_t i = 0; i < tags->n; i++) {
        const struct s3_tag *tag = &tags->items[i];
        if (!tag->key.n || tag->key.n > 128 * 4)
            return call_fail(call, S3_INVALID_TAG, "The TagKey you have provided is invalid");
        if (tag->value.n > 256 * 4)
            return call_fail(call, S3_INVALID_TAG, "The TagValue you have provided is invalid");
        if (str_starts(tag->key, S("aws:")))
            return call_fail(call, S3_INVALID_TAG,
                             "System tags cannot be added/updated by requester");
        for (size_t j = 0; j < i; j++)
            if (str_eq(tags->items[j].key, tag->key))
                return call_fail(call, S3_INVALID_TAG,
                                 "Cannot provide multiple Tags with the same key");
    }
    return 0;
}

static int apply_tagging(struct call *call, struct str tagging, struct s3_object_record *o)
{
    struct s3_pair *pairs;
    size_t n;
    if (s3_pairs_parse(call->arena, tagging, &pairs, &n) < 0)
        return call_fail(call, S3_INVALID_ARGUMENT,
                         "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL "
                         "query parameters without tag name duplicates.");
    o->tags.items = ARENA_ARRAY(call->arena, struct s3_tag, n);
    o->tags.n = n;
    for (size_t i = 0; i < n; i++)
        o->tags.items[i] = (struct s3_tag){pairs[i].key, pairs[i].value};
    int r = s3_tags_check(call, &o->tags, TAGS_MAX);
    if (!n)
        o->tags.items = NULL;
    return r;
}

int s3_encryption_apply(struct call *call, const struct s3_bucket_record *bucket,
                        const struct s3_headers *h, struct s3_object_record *o)
{
    if (h->sse_customer_algorithm.n)
        return call_fail(call, S3_NOT_IMPLEMENTED,
                         "Encryption with keys of the customer (SSE-C) is not supported.");
    struct str algorithm = h->server_side_encryption, key = h->ssekms_key_id;
    struct opt_bool bucket_key = h->bucket_key_enabled;
    if (!algorithm.n && bucket->encryption && bucket->encryption->rules.n) {
        const struct s3_server_side_encryption_rule *rule = &bucket->encryption->rules.items[0];
        if (rule->apply_server_side_encryption_by_default) {
            algorithm = rule->apply_server_side_encryption_by_default->sse_algorithm;
            key = rule->apply_server_side_encryption_by_default->kms_master_key_id;
        }
        if (!bucket_key.has)
            bucket_key = rule->bucket_key_enabled;
    }
    bool kms = str_starts(algorithm, S("aws:kms"));
    if (key.n && !kms)
        return call_fail(call, S3_INVALID_ARGUMENT,
                         "Server Side Encryption with AWS KMS managed key requires HTTP header "
                         "x-amz-server-side-encryption : aws:kms");
    o->encryption = algorithm;
    o->kms_key = key;
    if (kms && !key.n)
        o->kms_key = call_arn(call, "kms", "alias/aws/s3");
    o->bucket_key = kms ? bucket_key : (struct opt_bool){0};
    return 0;
}

static int check_unsupported(struct call *call, const struct s3_bucket_record *bucket,
                             const struct s3_headers *h)
{
    const struct s3_ownership_controls *oc = bucket->ownership;
    bool enforced =
        !oc || !oc->rules.n || str_is(oc->rules.items[0].object_ownership, "BucketOwnerEnforced");
    if (h->acl.n && !str_is(h->acl, "private") && !str_is(h->acl, "bucket-owner-full-control")) {
        if (enforced)
            return call_fail(call, S3_ACCESS_CONTROL_LIST_NOT_SUPPORTED,
                             "The bucket does not allow ACLs");
        return call_fail(call, S3_NOT_IMPLEMENTED, "ACL %.*s is not supported.", STR(h->acl));
    }
    if (h->object_lock_mode.n || h->object_lock_legal_hold_status.n)
        return call_fail(call, S3_INVALID_REQUEST, "Bucket is missing Object Lock Configuration");
    return 0;
}

int s3_headers_apply(struct call *call, const struct s3_bucket_record *bucket,
                     const struct s3_headers *h, struct s3_object_record *o)
{
    int r = check_unsupported(call, bucket, h);
    if (r < 0)
        return r;
    size_t size = 0;
    for (size_t i = 0; i < h->metadata.n; i++)
        size += h->metadata.items[i].key.n + h->metadata.items[i].value.n;
    if (size > METADATA_MAX)
        return call_fail(call, S3_METADATA_TOO_LARGE,
                         "Your metadata headers exceed the maximum allowed metadata size");
    o->content_type = h->content_type;
    o->cache_control = h->cache_control;
    o->content_disposition = h->content_disposition;
    o->content_encoding = h->content_encoding;
    o->content_language = h->content_language;
    o->expires = h->expires;
    o->redirect = h->website_redirect_location;
    if (h->storage_class.n && !str_is(h->storage_class, "STANDARD"))
        o->storage_class = h->storage_class;
    o->metadata = h->metadata;
    if (!o->metadata.n)
        o->metadata.items = NULL;
    if (str_has(h->tagging))
        r = apply_tagging(call, h->tagging, o);
    return r < 0 ? r : s3_encryption_apply(call, bucket, h, o);
}
