/* coverage_bucket - where objects go, and who may put them there: see coverage_switch.h. */
#include <errno.h>
#include "cli/coverage.h"
#include "cli/coverage_switch.h"
#include "cli/target.h"
#include "wire/iam.h"
#include "wire/s3.h"
#include "wire/sts.h"

#define EXPIRE_DAYS 30
#define EXPIRE_COMBINED_DAYS 90
#define EXPIRE_OLD_VERSIONS_DAYS 7

int coverage_default_bucket(struct verb_run *run, struct aws_client *aws, struct str *ret)
{
    struct sts_get_caller_identity_input in = {0};
    struct sts_get_caller_identity_output *out;
    struct aws_error err = {0};
    if (aws_call(aws, run->arena, &sts_get_caller_identity_op, &in, (void **)&out, &err) < 0)
        return target_fail(run, &err, "the account is not known");
    *ret = str_printf(run->arena, "lamina-coverage-%.*s-%.*s", STR(out->account),
                      STR(aws_client_region(aws)));
    return 0;
}

/* ---- the bucket ---- */

static int encrypt(struct coverage_switch *s, struct str bucket, struct aws_error *err)
{
    struct s3_server_side_encryption_by_default by = {.sse_algorithm = S("AES256")};
    struct s3_server_side_encryption_rule rule = {.apply_server_side_encryption_by_default = &by};
    struct s3_server_side_encryption_configuration config = {.rules = {&rule, 1}};
    struct s3_put_bucket_encryption_input in = {.bucket = bucket,
                                                .server_side_encryption_configuration = &config};
    return aws_call(s->aws, s->a, &s3_put_bucket_encryption_op, &in, NULL, err);
}

static int hide(struct coverage_switch *s, struct str bucket, struct aws_error *err)
{
    struct s3_public_access_block_configuration config = {
        .block_public_acls = opt_bool(true),
        .ignore_public_acls = opt_bool(true),
        .block_public_policy = opt_bool(true),
        .restrict_public_buckets = opt_bool(true),
    };
    struct s3_put_public_access_block_input in = {.bucket = bucket,
                                                  .public_access_block_configuration = &config};
    return aws_call(s->aws, s->a, &s3_put_public_access_block_op, &in, NULL, err);
}

static int keep_versions(struct coverage_switch *s, struct str bucket, struct aws_error *err)
{
    struct s3_versioning_configuration config = {.status = S("Enabled")};
    struct s3_put_bucket_versioning_input in = {.bucket = bucket,
                                                .versioning_configuration = &config};
    return aws_call(s->aws, s->a, &s3_put_bucket_versioning_op, &in, NULL, err);
}

static struct s3_lifecycle_rule expiry(struct arena *a, struct str id, struct str prefix, int days)
{
    struct s3_lifecycle_rule rule = {.id = id, .status = S("Enabled")};
    rule.filter = ARENA_NEW(a, struct s3_lifecycle_rule_filter);
    rule.filter->prefix = prefix;
    rule.expiration = ARENA_NEW(a, struct s3_lifecycle_expiration);
    rule.expiration->days = opt_int(days);
    rule.noncurrent_version_expiration = ARENA_NEW(a, struct s3_noncurrent_version_expiration);
    rule.noncurrent_version_expiration->noncurrent_days = opt_int(EXPIRE_OLD_VERSIONS_DAYS);
    return rule;
}

/* Objects' keys have the year behind the prefix, reports have "combined/": two rules, since S3
 * takes the shorter time where two apply. */
static int expire(struct coverage_switch *s, struct str bucket, struct aws_error *err)
{
    struct str prefix = str_has(s->prefix) ? s->prefix : S(COVERAGE_PREFIX);
    struct s3_lifecycle_rule rules[] = {
        expiry(s->a, S("coverage"), str_printf(s->a, "%.*s2", STR(prefix)), EXPIRE_DAYS),
        expiry(s->a, S("combined"), str_printf(s->a, "%.*scombined", STR(prefix)),
               EXPIRE_COMBINED_DAYS),
    };
    struct s3_bucket_lifecycle_configuration config = {.rules = {rules, 2}};
    struct s3_put_bucket_lifecycle_configuration_input in = {.bucket = bucket,
                                                             .lifecycle_configuration = &config};
    return aws_call(s->aws, s->a, &s3_put_bucket_lifecycle_configuration_op, &in, NULL, err);
}

static bool has_lifecycle(struct coverage_switch *s, struct str bucket)
{
    struct s3_get_bucket_lifecycle_configuration_input in = {.bucket = bucket};
    struct aws_error err = {0};
    return aws_call(s->aws, s->a, &s3_get_bucket_lifecycle_configuration_op, &in, NULL, &err) ==
               0 ||
           !target_error_is(&err, "NoSuchLifecycleConfiguration");
}

/* The lifecycle comes last: a bucket of ours that has none was not finished. */
static int settle(struct coverage_switch *s, struct str bucket)
{
    struct aws_error err = {0};
    const char *what = "its encryption";
    int r = encrypt(s, bucket, &err);
    if (r == 0) {
        what = "its public access block";
        r = hide(s, bucket, &err);
    }
    if (r == 0) {
        what = "its versions";
        r = keep_versions(s, bucket, &err);
    }
    if (r == 0) {
        what = "its lifecycle";
        r = expire(s, bucket, &err);
    }
    return r < 0 ? target_fail(s->run, &err,
                               str_printf(s->a, "the bucket %.*s: %s", STR(bucket), what).p)
                 : 0;
}

static int create(struct coverage_switch *s, struct str bucket)
{
    struct str region = aws_client_region(s->aws);
    struct s3_create_bucket_configuration where = {.location_constraint = region};
    struct s3_create_bucket_input in = {.bucket = bucket};
    struct aws_error err = {0};
    if (!str_is(region, "us-east-1"))
        in.create_bucket_configuration = &where;
    if (aws_call(s->aws, s->a, &s3_create_bucket_op, &in, NULL, &err) < 0)
        return target_fail(s->run, &err,
                           str_printf(s->a, "the bucket %.*s cannot be made", STR(bucket)).p);
    if (!s->quiet)
        fprintf(stderr,
                "lamina: coverage: made the bucket %.*s (encrypted, private, versioned; objects "
                "go after %d days)\n",
                STR(bucket), EXPIRE_DAYS);
    return settle(s, bucket);
}

int coverage_bucket_make(struct coverage_switch *s, struct str bucket)
{
    struct s3_head_bucket_input in = {.bucket = bucket};
    struct aws_error err = {0};
    if (aws_call(s->aws, s->a, &s3_head_bucket_op, &in, NULL, &err) < 0) {
        if (err.status == 404)
            return create(s, bucket);
        if (err.status == 403)
            err.message = S("it belongs to somebody else, or you may not look at it");
        return target_fail(s->run, &err, str_printf(s->a, "the bucket %.*s", STR(bucket)).p);
    }
    /* One that the user named is the user's, as it is. */
    struct str ours = {0};
    int e = coverage_default_bucket(s->run, s->aws, &ours);
    return e || !str_eq(bucket, ours) || has_lifecycle(s, bucket) ? e : settle(s, bucket);
}

/* ---- the role ---- */

static struct str role_name(const struct covered *c)
{
    struct str arn = c->config->role;
    ssize_t slash = str_find_last_byte(arn, '/');
    return str_slice(arn, (size_t)(slash + 1), arn.n);
}

static struct str policy_name(struct coverage_switch *s, const struct covered *c)
{
    return str_printf(s->a, "lamina-coverage-%.*s", STR(c->config->function_name));
}

static struct str policy_text(struct coverage_switch *s, const struct covered *c, struct str bucket,
                              struct str prefix)
{
    struct str arn, partition;
    str_cut(c->config->function_arn, ':', &arn, &partition);
    str_cut(partition, ':', &partition, &arn);
    struct json *v = json_new(s->a, JSON_OBJECT), *list = json_new(s->a, JSON_ARRAY),
                *one = json_new(s->a, JSON_OBJECT);
    json_set(s->a, v, S("Version"), json_new_str(s->a, S("2012-10-17")));
    json_set(s->a, v, S("Statement"), list);
    json_add(list, one);
    json_set(s->a, one, S("Effect"), json_new_str(s->a, S("Allow")));
    json_set(s->a, one, S("Action"), json_new_str(s->a, S("s3:PutObject")));
    json_set(s->a, one, S("Resource"),
             json_new_str(s->a, str_printf(s->a, "arn:%.*s:s3:::%.*s/%.*s*", STR(partition),
                                           STR(bucket), STR(prefix))));
    return json_text(s->a, v, -1);
}

int coverage_permit(struct coverage_switch *s, const struct covered *c, struct str bucket,
                    struct str prefix, bool *ret_told)
{
    struct iam_put_role_policy_input in = {
        .role_name = role_name(c),
        .policy_name = policy_name(s, c),
        .policy_document = policy_text(s, c, bucket, prefix),
    };
    struct aws_error err = {0};
    *ret_told = false;
    int r = aws_call(s->aws, s->a, &iam_put_role_policy_op, &in, NULL, &err);
    if (r == 0)
        return 0;
    if (!str_has(err.code))
        return target_fail(s->run, &err, str_c(s->a, c->config->role));
    *ret_told = true;
    fprintf(stderr,
            "lamina: coverage: the role of %.*s cannot be changed: %.*s (%.*s)\n"
            "  Unless it may do so already, have this policy added to %.*s:\n  %.*s\n",
            STR(c->config->function_name), STR(err.message), STR(err.code), STR(c->config->role),
            STR(in.policy_document));
    return 0;
}

int coverage_forbid(struct coverage_switch *s, const struct covered *c)
{
    struct iam_delete_role_policy_input in = {.role_name = role_name(c),
                                              .policy_name = policy_name(s, c)};
    struct aws_error err = {0};
    if (aws_call(s->aws, s->a, &iam_delete_role_policy_op, &in, NULL, &err) == 0 ||
        target_error_is(&err, "NoSuchEntity"))
        return 0;
    if (!str_has(err.code))
        return target_fail(s->run, &err, str_c(s->a, c->config->role));
    fprintf(stderr, "lamina: coverage: the policy %.*s stays on the role %.*s: %.*s (%.*s)\n",
            STR(in.policy_name), STR(in.role_name), STR(err.message), STR(err.code));
    return 0;
}
