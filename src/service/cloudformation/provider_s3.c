/* provider_s3 - AWS::S3::Bucket and BucketPolicy. */
#include <errno.h>
#include "service/cloudformation/provider.h"
#include "wire/s3.h"

#define MISSING "NoSuchBucket"

static int bucket_made(struct task *t, struct call *answer)
{
    const struct s3_create_bucket_input *in = answer->in;
    t->physical_id = in->bucket;
    return 0;
}

static void attributes(struct task *t, struct str bucket)
{
    struct arena *a = t->arena;
    struct str region = t->call->region;
    task_attribute(t, "Arn", str_printf(a, "arn:aws:s3:::%.*s", STR(bucket)));
    task_attribute(t, "DomainName", str_printf(a, "%.*s.s3.amazonaws.com", STR(bucket)));
    task_attribute(t, "RegionalDomainName",
                   str_printf(a, "%.*s.s3.%.*s.amazonaws.com", STR(bucket), STR(region)));
    task_attribute(t, "DualStackDomainName",
                   str_printf(a, "%.*s.s3.dualstack.%.*s.amazonaws.com", STR(bucket), STR(region)));
    task_attribute(
        t, "WebsiteURL",
        str_printf(a, "http://%.*s.s3-website-%.*s.amazonaws.com", STR(bucket), STR(region)));
}

/* Takes a property's value for an API member of another name. */
static struct json *renamed(struct task *t, const char *name, const struct json *value)
{
    struct json *o = json_new(t->arena, JSON_OBJECT);
    json_set(t->arena, o, str_from(name), json_copy(t->arena, value));
    return o;
}

static int encryption(struct task *t, struct str bucket)
{
    const struct json *p = json_get(t->props, "BucketEncryption");
    if (!p) {
        struct s3_delete_bucket_encryption_input *in =
            TASK_IN(t, s3_delete_bucket_encryption_input);
        in->bucket = bucket;
        task_step(t, &s3_delete_bucket_encryption_op, in);
        return 0;
    }
    struct s3_put_bucket_encryption_input *in = TASK_IN(t, s3_put_bucket_encryption_input);
    in->bucket = bucket;
    in->server_side_encryption_configuration = TASK_IN(t, s3_server_side_encryption_configuration);
    struct json *rules = json_new(t->arena, JSON_ARRAY);
    JSON_EACH(json_get(p, "ServerSideEncryptionConfiguration"), from) {
        struct json *rule = json_add(rules, json_new(t->arena, JSON_OBJECT));
        const struct json *by = json_get(from, "ServerSideEncryptionByDefault");
        if (by)
            json_set(t->arena, rule, S("ApplyServerSideEncryptionByDefault"),
                     json_copy(t->arena, by));
        if (json_get(from, "BucketKeyEnabled"))
            json_set(t->arena, rule, S("BucketKeyEnabled"),
                     json_copy(t->arena, json_get(from, "BucketKeyEnabled")));
    }
    int r = task_fill(t,
                      member_shape(member_find(operation_input(&s3_put_bucket_encryption_op),
                                               S("ServerSideEncryptionConfiguration"))),
                      renamed(t, "Rules", rules), in->server_side_encryption_configuration);
    for (size_t i = 0; r == 0 && i < in->server_side_encryption_configuration->rules.n; i++) {
        struct s3_server_side_encryption_rule *rule =
            &in->server_side_encryption_configuration->rules.items[i];
        const struct json *by = json_get(json_at(rules, i), "ApplyServerSideEncryptionByDefault");
        if (rule->apply_server_side_encryption_by_default)
            rule->apply_server_side_encryption_by_default->kms_master_key_id =
                props_get(t->arena, by, "KMSMasterKeyID");
    }
    task_step(t, &s3_put_bucket_encryption_op, in);
    return r;
}

static int versioning(struct task *t, struct str bucket)
{
    struct s3_put_bucket_versioning_input *in = TASK_IN(t, s3_put_bucket_versioning_input);
    in->bucket = bucket;
    in->versioning_configuration = TASK_IN(t, s3_versioning_configuration);
    struct str status =
        props_get(t->arena, json_get(t->props, "VersioningConfiguration"), "Status");
    in->versioning_configuration->status = str_has(status) ? status : S("Suspended");
    task_step(t, &s3_put_bucket_versioning_op, in);
    return 0;
}

static int public_access(struct task *t, struct str bucket)
{
    struct s3_put_public_access_block_input *in = TASK_IN(t, s3_put_public_access_block_input);
    in->bucket = bucket;
    in->public_access_block_configuration = TASK_IN(t, s3_public_access_block_configuration);
    const struct json *p = json_get(t->props, "PublicAccessBlockConfiguration");
    int r = task_fill(t,
                      member_shape(member_find(operation_input(&s3_put_public_access_block_op),
                                               S("PublicAccessBlockConfiguration"))),
                      p, in->public_access_block_configuration);
    task_step(t, &s3_put_public_access_block_op, in);
    return r;
}

static int tags(struct task *t, struct str bucket)
{
    struct s3_put_bucket_tagging_input *in = TASK_IN(t, s3_put_bucket_tagging_input);
    in->bucket = bucket;
    in->tagging = TASK_IN(t, s3_tagging);
    const struct json *all = task_tags(t, "Tags", false);
    in->tagging->tag_set.items = ARENA_ARRAY(t->arena, struct s3_tag, all->n + 1);
    JSON_EACH(all, tag)
        in->tagging->tag_set.items[in->tagging->tag_set.n++] =
            (struct s3_tag){.key = json_get_str(tag, "Key"), .value = json_get_str(tag, "Value")};
    if (in->tagging->tag_set.n) {
        task_step(t, &s3_put_bucket_tagging_op, in);
    } else if (t->old_props) {
        struct s3_delete_bucket_tagging_input *none = TASK_IN(t, s3_delete_bucket_tagging_input);
        none->bucket = bucket;
        task_step(t, &s3_delete_bucket_tagging_op, none);
    }
    return 0;
}

static void flat(struct task *t, struct json *rule, const char *from, const char *object,
                 const char *to)
{
    struct json *v = json_get(rule, from);
    if (!v)
        return;
    json_set(t->arena, rule, str_from(object), renamed(t, to, v));
}

static int lifecycle(struct task *t, struct str bucket)
{
    const struct json *p = json_get(t->props, "LifecycleConfiguration");
    if (!p) {
        struct s3_delete_bucket_lifecycle_input *none =
            TASK_IN(t, s3_delete_bucket_lifecycle_input);
        none->bucket = bucket;
        task_step(t, &s3_delete_bucket_lifecycle_op, none);
        return 0;
    }
    struct json *rules = json_new(t->arena, JSON_ARRAY);
    JSON_EACH(json_get(p, "Rules"), from) {
        struct json *rule = json_add(rules, json_copy(t->arena, from));
        if (json_get(rule, "Id"))
            json_set(t->arena, rule, S("ID"), json_copy(t->arena, json_get(rule, "Id")));
        flat(t, rule, "Prefix", "Filter", "Prefix");
        json_remove(rule, S("Prefix"));
        if (!json_get(rule, "Filter"))
            json_set(t->arena, rule, S("Filter"),
                     renamed(t, "Prefix", json_new_str(t->arena, S(""))));
        flat(t, rule, "ExpirationInDays", "Expiration", "Days");
        flat(t, rule, "NoncurrentVersionExpirationInDays", "NoncurrentVersionExpiration",
             "NoncurrentDays");
        if (json_get(rule, "ExpirationDate") || json_get(rule, "TagFilters") ||
            json_get(rule, "Transition"))
            return task_fail(
                t, "Lifecycle rules with ExpirationDate, TagFilters or Transition are not "
                   "supported by this cloud");
    }
    struct s3_put_bucket_lifecycle_configuration_input *in =
        TASK_IN(t, s3_put_bucket_lifecycle_configuration_input);
    in->bucket = bucket;
    in->lifecycle_configuration = TASK_IN(t, s3_bucket_lifecycle_configuration);
    int r = task_fill(
        t,
        member_shape(member_find(operation_input(&s3_put_bucket_lifecycle_configuration_op),
                                 S("LifecycleConfiguration"))),
        renamed(t, "Rules", rules), in->lifecycle_configuration);
    task_step(t, &s3_put_bucket_lifecycle_configuration_op, in);
    return r;
}

static int ownership(struct task *t, struct str bucket)
{
    struct s3_put_bucket_ownership_controls_input *in =
        TASK_IN(t, s3_put_bucket_ownership_controls_input);
    const struct json *p = json_get(t->props, "OwnershipControls");
    if (!p) {
        struct s3_delete_bucket_ownership_controls_input *none =
            TASK_IN(t, s3_delete_bucket_ownership_controls_input);
        none->bucket = bucket;
        task_step(t, &s3_delete_bucket_ownership_controls_op, none);
        return 0;
    }
    in->bucket = bucket;
    in->ownership_controls = TASK_IN(t, s3_ownership_controls);
    int r =
        task_fill(t,
                  member_shape(member_find(operation_input(&s3_put_bucket_ownership_controls_op),
                                           S("OwnershipControls"))),
                  p, in->ownership_controls);
    task_step(t, &s3_put_bucket_ownership_controls_op, in);
    return r;
}

/* What of a bucket can be set here; other properties are refused by name. */
static const struct setting {
    const char *property;
    int (*apply)(struct task *t, struct str bucket);
} settings[] = {
    {"BucketEncryption", encryption},
    {"VersioningConfiguration", versioning},
    {"PublicAccessBlockConfiguration", public_access},
    {"LifecycleConfiguration", lifecycle},
    {"OwnershipControls", ownership},
};

static int check(struct task *t)
{
    JSON_EACH(t->props, p) {
        bool known = str_is(p->key, "BucketName") || str_is(p->key, "Tags");
        for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
            known = known || str_is(p->key, settings[i].property);
        if (!known)
            return task_fail(t, "Property %.*s of AWS::S3::Bucket is not supported by this cloud",
                             STR(p->key));
    }
    return 0;
}

static int bucket_create(struct task *t)
{
    int r = check(t);
    if (r < 0)
        return r;
    struct s3_create_bucket_input *in = TASK_IN(t, s3_create_bucket_input);
    in->bucket = task_name_or(t, "BucketName", 63, true);
    if (!str_is(t->call->region, "us-east-1")) {
        in->create_bucket_configuration = TASK_IN(t, s3_create_bucket_configuration);
        in->create_bucket_configuration->location_constraint = t->call->region;
    }
    task_step(t, &s3_create_bucket_op, in)->result = bucket_made;
    attributes(t, in->bucket);
    for (size_t i = 0; r == 0 && i < sizeof settings / sizeof settings[0]; i++)
        if (json_get(t->props, settings[i].property))
            r = settings[i].apply(t, in->bucket);
    return r == 0 ? tags(t, in->bucket) : r;
}

static int bucket_update(struct task *t)
{
    int r = check(t);
    attributes(t, t->physical_id);
    for (size_t i = 0; r == 0 && i < sizeof settings / sizeof settings[0]; i++)
        if (task_changed(t, settings[i].property))
            r = settings[i].apply(t, t->physical_id);
    return r == 0 && task_tags_changed(t, "Tags") ? tags(t, t->physical_id) : r;
}

static int bucket_remove(struct task *t)
{
    struct s3_delete_bucket_input *in = TASK_IN(t, s3_delete_bucket_input);
    in->bucket = t->physical_id;
    task_step(t, &s3_delete_bucket_op, in)->ignore = MISSING;
    return 0;
}

static int policy_put(struct task *t)
{
    struct s3_put_bucket_policy_input *in = TASK_IN(t, s3_put_bucket_policy_input);
    in->bucket = task_prop(t, "Bucket");
    in->policy = task_policy_text(t, json_get(t->props, "PolicyDocument"));
    task_step(t, &s3_put_bucket_policy_op, in);
    t->physical_id = in->bucket;
    return 0;
}

static int policy_remove(struct task *t)
{
    struct s3_delete_bucket_policy_input *in = TASK_IN(t, s3_delete_bucket_policy_input);
    in->bucket = t->physical_id;
    task_step(t, &s3_delete_bucket_policy_op, in)->ignore = MISSING;
    return 0;
}

const struct provider s3_providers[] = {
    {"AWS::S3::Bucket", bucket_create, bucket_update, bucket_remove},
    {"AWS::S3::BucketPolicy", policy_put, policy_put, policy_remove},
    {0},
};
