/* settings - what is kept about a bucket: encryption, versioning, public access, tags, policy,
 * lifecycle, ownership. */
#include <errno.h>
#include "service/policy.h"
#include "service/s3/record.h"

#define POLICY_MAX 20480
#define TAGS_MAX 50
#define RULES_MAX 1000

/* Every operation here begins with the bucket and most end with it. */
#define BUCKET_OR_RETURN(bucket)                                                                   \
    struct s3_bucket_record bucket;                                                                \
    do {                                                                                           \
        int bucket_r = s3_bucket_get(call, in->bucket, in->expected_bucket_owner, &bucket);        \
        if (bucket_r < 0)                                                                          \
            return bucket_r;                                                                       \
    } while (0)

static int malformed(struct call *call)
{
    return call_fail(call, S3_MALFORMED_XML,
                     "The XML you provided was not well-formed or did not validate against our "
                     "published schema");
}

/* ---- encryption ---- */

static int put_bucket_encryption(struct call *call, const struct s3_put_bucket_encryption_input *in,
                                 void *out)
{
    BUCKET_OR_RETURN(bucket);
    const struct s3_server_side_encryption_configuration *c =
        in->server_side_encryption_configuration;
    if (!c || c->rules.n != 1)
        return malformed(call);
    const struct s3_server_side_encryption_by_default *d =
        c->rules.items[0].apply_server_side_encryption_by_default;
    if (d && d->kms_master_key_id.n && !str_starts(d->sse_algorithm, S("aws:kms")))
        return call_fail(call, S3_INVALID_ARGUMENT,
                         "a KMSMasterKeyID is not applicable if the default sse algorithm is not "
                         "aws:kms or aws:kms:dsse");
    bucket.encryption = in->server_side_encryption_configuration;
    return s3_bucket_put(call, &bucket);
}

/* S3 has encrypted every bucket since January 2023, asked or not. */
static int get_bucket_encryption(struct call *call, const struct s3_get_bucket_encryption_input *in,
                                 struct s3_get_bucket_encryption_output *out)
{
    BUCKET_OR_RETURN(bucket);
    struct s3_server_side_encryption_configuration *c = bucket.encryption;
    if (!c) {
        c = ARENA_NEW(call->arena, struct s3_server_side_encryption_configuration);
        c->rules.items = ARENA_NEW(call->arena, struct s3_server_side_encryption_rule);
        c->rules.n = 1;
        c->rules.items[0].apply_server_side_encryption_by_default =
            ARENA_NEW(call->arena, struct s3_server_side_encryption_by_default);
        c->rules.items[0].apply_server_side_encryption_by_default->sse_algorithm =
            S3_SERVER_SIDE_ENCRYPTION_AES256;
        c->rules.items[0].bucket_key_enabled = opt_bool(false);
    }
    out->server_side_encryption_configuration = c;
    return 0;
}

static int delete_bucket_encryption(struct call *call,
                                    const struct s3_delete_bucket_encryption_input *in, void *out)
{
    BUCKET_OR_RETURN(bucket);
    bucket.encryption = NULL;
    return s3_bucket_put(call, &bucket);
}

/* ---- versioning ---- */

static int put_bucket_versioning(struct call *call, const struct s3_put_bucket_versioning_input *in,
                                 void *out)
{
    BUCKET_OR_RETURN(bucket);
    const struct s3_versioning_configuration *c = in->versioning_configuration;
    if (!c || (!str_is(c->status, "Enabled") && !str_is(c->status, "Suspended")))
        return call_fail(call, S3_MALFORMED_XML, "The Versioning element must be specified");
    if (str_is(c->mfa_delete, "Enabled"))
        return call_fail(call, S3_NOT_IMPLEMENTED, "MFA Delete is not supported.");
    bucket.versioning = c->status;
    return s3_bucket_put(call, &bucket);
}

static int get_bucket_versioning(struct call *call, const struct s3_get_bucket_versioning_input *in,
                                 struct s3_get_bucket_versioning_output *out)
{
    BUCKET_OR_RETURN(bucket);
    out->status = bucket.versioning;
    return 0;
}

/* ---- public access ---- */

static int put_public_access_block(struct call *call,
                                   const struct s3_put_public_access_block_input *in, void *out)
{
    BUCKET_OR_RETURN(bucket);
    const struct s3_public_access_block_configuration *c = in->public_access_block_configuration;
    if (!c)
        return malformed(call);
    struct s3_public_access_block_configuration kept = {
        .block_public_acls = opt_bool(c->block_public_acls.is),
        .ignore_public_acls = opt_bool(c->ignore_public_acls.is),
        .block_public_policy = opt_bool(c->block_public_policy.is),
        .restrict_public_buckets = opt_bool(c->restrict_public_buckets.is),
    };
    bucket.public_access = &kept;
    return s3_bucket_put(call, &bucket);
}

static int get_public_access_block(struct call *call,
                                   const struct s3_get_public_access_block_input *in,
                                   struct s3_get_public_access_block_output *out)
{
    BUCKET_OR_RETURN(bucket);
    if (!bucket.public_access)
        return call_fail(call, S3_NO_SUCH_PUBLIC_ACCESS_BLOCK_CONFIGURATION,
                         "The public access block configuration was not found");
    out->public_access_block_configuration = bucket.public_access;
    return 0;
}

static int delete_public_access_block(struct call *call,
                                      const struct s3_delete_public_access_block_input *in,
                                      void *out)
{
    BUCKET_OR_RETURN(bucket);
    bucket.public_access = NULL;
    return s3_bucket_put(call, &bucket);
}

/* ---- tags ---- */

static int put_bucket_tagging(struct call *call, const struct s3_put_bucket_tagging_input *in,
                              void *out)
{
    BUCKET_OR_RETURN(bucket);
    if (!in->tagging)
        return malformed(call);
    int r = s3_tags_check(call, &in->tagging->tag_set, TAGS_MAX);
    if (r < 0)
        return r;
    bucket.tags = in->tagging->tag_set;
    if (!bucket.tags.n)
        bucket.tags.items = NULL;
    return s3_bucket_put(call, &bucket);
}

static int get_bucket_tagging(struct call *call, const struct s3_get_bucket_tagging_input *in,
                              struct s3_get_bucket_tagging_output *out)
{
    BUCKET_OR_RETURN(bucket);
    if (!bucket.tags.n)
        return call_fail(call, S3_NO_SUCH_TAG_SET, "The TagSet does not exist");
    out->tag_set = bucket.tags;
    return 0;
}

static int delete_bucket_tagging(struct call *call, const struct s3_delete_bucket_tagging_input *in,
                                 void *out)
{
    BUCKET_OR_RETURN(bucket);
    bucket.tags = (struct s3_tag_set){0};
    return s3_bucket_put(call, &bucket);
}

/* ---- policy ---- */

static int put_bucket_policy(struct call *call, const struct s3_put_bucket_policy_input *in,
                             void *out)
{
    BUCKET_OR_RETURN(bucket);
    struct str why;
    if (in->policy.n > POLICY_MAX)
        return call_fail(call, S3_MALFORMED_POLICY,
                         "Normalized policy document exceeds the maximum "
                         "allowed size of 20480 bytes");
    if (policy_check(call->arena, POLICY_BUCKET, in->policy, &why) < 0)
        return call_fail(call, S3_MALFORMED_POLICY, "%.*s", STR(why));
    bucket.policy = in->policy;
    return s3_bucket_put(call, &bucket);
}

static int get_bucket_policy(struct call *call, const struct s3_get_bucket_policy_input *in,
                             struct s3_get_bucket_policy_output *out)
{
    BUCKET_OR_RETURN(bucket);
    if (!bucket.policy.n)
        return call_fail(call, S3_NO_SUCH_BUCKET_POLICY, "The bucket policy does not exist");
    out->policy = bucket.policy;
    return 0;
}

static int delete_bucket_policy(struct call *call, const struct s3_delete_bucket_policy_input *in,
                                void *out)
{
    BUCKET_OR_RETURN(bucket);
    bucket.policy = (struct str){0};
    return s3_bucket_put(call, &bucket);
}

/* ---- lifecycle ---- */

static bool rule_acts(const struct s3_lifecycle_rule *r)
{
    return r->expiration || r->transitions.n || r->noncurrent_version_transitions.n ||
           r->noncurrent_version_expiration || r->abort_incomplete_multipart_upload;
}

static int put_lifecycle(struct call *call,
                         const struct s3_put_bucket_lifecycle_configuration_input *in,
                         struct s3_put_bucket_lifecycle_configuration_output *out)
{
    BUCKET_OR_RETURN(bucket);
    struct s3_bucket_lifecycle_configuration *c = in->lifecycle_configuration;
    if (!c || !c->rules.n || c->rules.n > RULES_MAX)
        return malformed(call);
    for (size_t i = 0; i < c->rules.n; i++) {
        struct s3_lifecycle_rule *rule = &c->rules.items[i];
        if (!rule_acts(rule))
            return call_fail(call, S3_INVALID_REQUEST,
                             "At least one action needs to be specified in a rule");
        if (rule->id.n > 255)
            return call_fail(call, S3_INVALID_ARGUMENT,
                             "ID length should not exceed allowed limit of "
                             "255");
        if (!rule->filter && !str_has(rule->prefix))
            return malformed(call);
        if (!rule->id.n)
            rule->id = random_uuid(call->arena);
        for (size_t j = 0; j < i; j++)
            if (str_eq(c->rules.items[j].id, rule->id))
                return call_fail(call, S3_INVALID_ARGUMENT,
                                 "Rule ID must be unique. Found same ID for "
                                 "more than one rule");
    }
    bucket.lifecycle = c->rules;
    bucket.lifecycle_minimum = in->transition_default_minimum_object_size;
    return s3_bucket_put(call, &bucket);
}

static int get_lifecycle(struct call *call,
                         const struct s3_get_bucket_lifecycle_configuration_input *in,
                         struct s3_get_bucket_lifecycle_configuration_output *out)
{
    BUCKET_OR_RETURN(bucket);
    if (!bucket.lifecycle.n)
        return call_fail(call, S3_NO_SUCH_LIFECYCLE_CONFIGURATION,
                         "The lifecycle configuration does not exist");
    out->rules = bucket.lifecycle;
    out->transition_default_minimum_object_size =
        bucket.lifecycle_minimum.n
            ? bucket.lifecycle_minimum
            : S3_TRANSITION_DEFAULT_MINIMUM_OBJECT_SIZE_ALL_STORAGE_CLASSES_128K;
    return 0;
}

static int delete_lifecycle(struct call *call, const struct s3_delete_bucket_lifecycle_input *in,
                            void *out)
{
    BUCKET_OR_RETURN(bucket);
    bucket.lifecycle = (struct s3_lifecycle_rules){0};
    return s3_bucket_put(call, &bucket);
}

/* ---- ownership ---- */

static int put_ownership(struct call *call, const struct s3_put_bucket_ownership_controls_input *in,
                         void *out)
{
    BUCKET_OR_RETURN(bucket);
    if (!in->ownership_controls || in->ownership_controls->rules.n != 1)
        return malformed(call);
    bucket.ownership = in->ownership_controls;
    return s3_bucket_put(call, &bucket);
}

static int get_ownership(struct call *call, const struct s3_get_bucket_ownership_controls_input *in,
                         struct s3_get_bucket_ownership_controls_output *out)
{
    BUCKET_OR_RETURN(bucket);
    if (!bucket.ownership)
        return call_fail(call, S3_OWNERSHIP_CONTROLS_NOT_FOUND_ERROR,
                         "The bucket ownership controls were not found");
    out->ownership_controls = bucket.ownership;
    return 0;
}

static int delete_ownership(struct call *call,
                            const struct s3_delete_bucket_ownership_controls_input *in, void *out)
{
    BUCKET_OR_RETURN(bucket);
    bucket.ownership = NULL;
    return s3_bucket_put(call, &bucket);
}

#define BUCKET_ARN "arn:aws:s3:::{Bucket}"

const struct handler s3_setting_handlers[] = {
    {s3_put_bucket_encryption_run(put_bucket_encryption), "PutEncryptionConfiguration", BUCKET_ARN},
    {s3_get_bucket_encryption_run(get_bucket_encryption), "GetEncryptionConfiguration", BUCKET_ARN},
    {s3_delete_bucket_encryption_run(delete_bucket_encryption), "PutEncryptionConfiguration",
     BUCKET_ARN},
    {s3_put_bucket_versioning_run(put_bucket_versioning), NULL, BUCKET_ARN},
    {s3_get_bucket_versioning_run(get_bucket_versioning), NULL, BUCKET_ARN},
    {s3_put_public_access_block_run(put_public_access_block), "PutBucketPublicAccessBlock",
     BUCKET_ARN},
    {s3_get_public_access_block_run(get_public_access_block), "GetBucketPublicAccessBlock",
     BUCKET_ARN},
    {s3_delete_public_access_block_run(delete_public_access_block), "PutBucketPublicAccessBlock",
     BUCKET_ARN},
    {s3_put_bucket_tagging_run(put_bucket_tagging), NULL, BUCKET_ARN},
    {s3_get_bucket_tagging_run(get_bucket_tagging), NULL, BUCKET_ARN},
    {s3_delete_bucket_tagging_run(delete_bucket_tagging), "PutBucketTagging", BUCKET_ARN},
    {s3_put_bucket_policy_run(put_bucket_policy), NULL, BUCKET_ARN},
    {s3_get_bucket_policy_run(get_bucket_policy), NULL, BUCKET_ARN},
    {s3_delete_bucket_policy_run(delete_bucket_policy), NULL, BUCKET_ARN},
    {s3_put_bucket_lifecycle_configuration_run(put_lifecycle), "PutLifecycleConfiguration",
     BUCKET_ARN},
    {s3_get_bucket_lifecycle_configuration_run(get_lifecycle), "GetLifecycleConfiguration",
     BUCKET_ARN},
    {s3_delete_bucket_lifecycle_run(delete_lifecycle), "PutLifecycleConfiguration", BUCKET_ARN},
    {s3_put_bucket_ownership_controls_run(put_ownership), NULL, BUCKET_ARN},
    {s3_get_bucket_ownership_controls_run(get_ownership), NULL, BUCKET_ARN},
    {s3_delete_bucket_ownership_controls_run(delete_ownership), "PutBucketOwnershipControls",
     BUCKET_ARN},
    {0},
};
