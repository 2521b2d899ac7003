/* policy_template - what deploying a template takes: making, changing and deleting its resources,
 * and the calls of `lamina deploy` and `lamina delete` themselves.
 *
 * Names that CloudFormation makes up are STACK-ID-*: what follows is known when they are made. */
#include <ctype.h>
#include <stdlib.h>
#include "build/project.h"
#include "cli/package.h"
#include "cli/policy_tool.h"
#include "cli/source.h"
#include "cli/stacks.h"
#include "cli/target.h"
#include "template/resolve.h"
#include "template/sam.h"

#define SUFFIX_MAX 14 /* of a name that is made up, its dash included */

struct reader {
    struct verb_run *run;
    struct arena *a;
    struct needs *needs;
    struct template *view;
    struct str account, region, partition, stack;
    struct str bucket, prefix; /* of the code */
    struct json *no_context;
};

/* One type: where its ARN has the name, and what is asked on it. */
struct kind {
    const char *type;
    const char *name_property; /* NULL: it has no name of its own */
    size_t name_max;
    const char *arn; /* %T partition, %R region, %A account, %P path, %N name */
    const char *actions;
};

/* Those of the resource itself; properties add theirs. */
static const struct kind kinds[] = {
    {"AWS::Lambda::Function", "FunctionName", 64, "arn:%T:lambda:%R:%A:function:%N",
     "lambda:CreateFunction lambda:GetFunction lambda:GetFunctionConfiguration "
     "lambda:UpdateFunctionCode lambda:UpdateFunctionConfiguration lambda:DeleteFunction "
     "lambda:ListVersionsByFunction lambda:ListAliases"},
    {"AWS::Lambda::Version", "FunctionName", 0, "arn:%T:lambda:%R:%A:function:%N",
     "lambda:PublishVersion lambda:GetFunctionConfiguration"},
    {"AWS::Lambda::Version", "FunctionName", 0, "arn:%T:lambda:%R:%A:function:%N:*",
     "lambda:DeleteFunction lambda:GetFunctionConfiguration"},
    {"AWS::Lambda::Alias", "FunctionName", 0, "arn:%T:lambda:%R:%A:function:%N",
     "lambda:CreateAlias lambda:UpdateAlias lambda:DeleteAlias"},
    {"AWS::Lambda::Alias", "FunctionName", 0, "arn:%T:lambda:%R:%A:function:%N:*",
     "lambda:CreateAlias lambda:UpdateAlias lambda:DeleteAlias lambda:GetFunctionConfiguration"},
    {"AWS::Lambda::Permission", "FunctionName", 0, "arn:%T:lambda:%R:%A:function:%N",
     "lambda:AddPermission lambda:RemovePermission"},
    {"AWS::Lambda::Url", "TargetFunctionArn", 0, "arn:%T:lambda:%R:%A:function:%N",
     "lambda:CreateFunctionUrlConfig lambda:UpdateFunctionUrlConfig "
     "lambda:DeleteFunctionUrlConfig"},
    {"AWS::Lambda::EventInvokeConfig", "FunctionName", 0, "arn:%T:lambda:%R:%A:function:%N",
     "lambda:PutFunctionEventInvokeConfig lambda:DeleteFunctionEventInvokeConfig"},
    {"AWS::Lambda::LayerVersion", "LayerName", 140, "arn:%T:lambda:%R:%A:layer:%N",
     "lambda:PublishLayerVersion"},
    {"AWS::Lambda::LayerVersion", "LayerName", 140, "arn:%T:lambda:%R:%A:layer:%N:*",
     "lambda:GetLayerVersion lambda:DeleteLayerVersion"},
    {"AWS::IAM::Role", "RoleName", 64, "arn:%T:iam::%A:role%P%N",
     "iam:CreateRole iam:GetRole iam:UpdateRole iam:UpdateAssumeRolePolicy iam:DeleteRole"},
    {"AWS::IAM::ManagedPolicy", "ManagedPolicyName", 128, "arn:%T:iam::%A:policy%P%N",
     "iam:CreatePolicy iam:CreatePolicyVersion iam:ListPolicyVersions iam:DeletePolicyVersion "
     "iam:DeletePolicy"},
    {"AWS::S3::Bucket", "BucketName", 63, "arn:%T:s3:::%N",
     "s3:CreateBucket s3:ListBucket s3:DeleteBucket"},
    {"AWS::S3::BucketPolicy", "Bucket", 0, "arn:%T:s3:::%N",
     "s3:PutBucketPolicy s3:DeleteBucketPolicy"},
    {"AWS::Logs::LogGroup", "LogGroupName", 512,
     "arn:%T:logs:%R:%A:log-group:%N:log-stream:", "logs:CreateLogGroup logs:DeleteLogGroup"},
};

/* A property that is there asks for these, too. */
static const struct {
    const char *type, *property, *actions;
} extras[] = {
    {"AWS::Lambda::Function", "Tags", "lambda:TagResource lambda:UntagResource"},
    {"AWS::Lambda::Function", "ReservedConcurrentExecutions",
     "lambda:PutFunctionConcurrency lambda:DeleteFunctionConcurrency"},
    {"AWS::Lambda::Function", "RecursiveLoop", "lambda:PutFunctionRecursionConfig"},
    {"AWS::Lambda::Alias", "ProvisionedConcurrencyConfig",
     "lambda:PutProvisionedConcurrencyConfig lambda:GetProvisionedConcurrencyConfig "
     "lambda:DeleteProvisionedConcurrencyConfig"},
    {"AWS::Lambda::Version", "ProvisionedConcurrencyConfig",
     "lambda:PutProvisionedConcurrencyConfig lambda:GetProvisionedConcurrencyConfig "
     "lambda:DeleteProvisionedConcurrencyConfig"},
    {"AWS::IAM::Role", "Policies", "iam:PutRolePolicy iam:DeleteRolePolicy"},
    {"AWS::IAM::Role", "ManagedPolicyArns", "iam:AttachRolePolicy iam:DetachRolePolicy"},
    {"AWS::IAM::Role", "PermissionsBoundary",
     "iam:PutRolePermissionsBoundary iam:DeleteRolePermissionsBoundary"},
    {"AWS::IAM::Role", "Tags", "iam:TagRole iam:UntagRole"},
    {"AWS::S3::Bucket", "Tags", "s3:PutBucketTagging"},
    {"AWS::S3::Bucket", "VersioningConfiguration", "s3:PutBucketVersioning"},
    {"AWS::S3::Bucket", "BucketEncryption", "s3:PutEncryptionConfiguration"},
    {"AWS::S3::Bucket", "LifecycleConfiguration", "s3:PutLifecycleConfiguration"},
    {"AWS::S3::Bucket", "OwnershipControls", "s3:PutBucketOwnershipControls"},
    {"AWS::S3::Bucket", "PublicAccessBlockConfiguration", "s3:PutBucketPublicAccessBlock"},
    {"AWS::Logs::LogGroup", "RetentionInDays",
     "logs:PutRetentionPolicy logs:DeleteRetentionPolicy"},
    {"AWS::Logs::LogGroup", "Tags", "logs:TagResource logs:UntagResource"},
};

static const struct kind *kind_of(struct str type)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (str_is(type, kinds[i].type))
            return &kinds[i];
    return NULL;
}

static void need(struct reader *r, struct str because, struct str action, struct str resource,
                 struct json *context)
{
    struct need n = {.action = action,
                     .resource = resource,
                     .context = context ? context : r->no_context,
                     .count = 1,
                     .because = because};
    policy_need_add(r->a, r->needs, &n);
}

static void need_all(struct reader *r, struct str because, const char *actions, struct str resource)
{
    struct str rest = str_from(actions), action;
    while (rest.n) {
        str_cut(rest, ' ', &action, &rest);
        if (action.n)
            need(r, because, action, resource, NULL);
    }
}

/* ---- names ---- */

/* The name that CloudFormation will make up, as far as it is known. Long ones lose the middle. */
static struct str made_up(struct reader *r, const struct template_resource *res,
                          const struct kind *k)
{
    struct str name = str_printf(r->a, "%.*s-%.*s-*", STR(r->stack), STR(res->logical_id));
    if (str_is(res->type, "AWS::Lambda::LayerVersion"))
        return res->logical_id;
    if (k && k->name_max && name.n - 2 + SUFFIX_MAX > k->name_max)
        name = str_printf(r->a, "%.*s-*", STR(r->stack));
    return str_is(res->type, "AWS::S3::Bucket") ? str_lower(r->a, name) : name;
}

static struct str name_of(struct reader *r, const struct template_resource *res,
                          const struct json *properties)
{
    const struct kind *k = kind_of(res->type);
    struct str given = k && k->name_property && k->name_max
                           ? json_get_str(properties, k->name_property)
                           : (struct str){0};
    return given.n ? given : made_up(r, res, k);
}

static struct str form(struct reader *r, const char *arn, struct str name, struct str path)
{
    struct buf b;
    buf_init(&b, 64 * 1024);
    for (const char *p = arn; *p; p++) {
        if (*p != '%') {
            buf_byte(&b, *p);
            continue;
        }
        p++;
        buf_str(&b, *p == 'R'   ? r->region
                    : *p == 'T' ? r->partition
                    : *p == 'A' ? r->account
                    : *p == 'P' ? (path.n ? path : S("/"))
                                : name);
    }
    struct str out = buf_copy(&b, r->a);
    buf_done(&b);
    return out;
}

/* What Ref and GetAtt come to, with * for what is not known. */
static int resolve_ref(void *user, struct arena *a, const struct template_resource *res,
                       struct json **ret, struct template_error *err)
{
    struct reader *r = user;
    struct str name = name_of(r, res, res->properties);
    *ret = json_new_str(a, name);
    return 0;
}

static int resolve_attribute(void *user, struct arena *a, const struct template_resource *res,
                             struct str attribute, struct json **ret, struct template_error *err)
{
    struct reader *r = user;
    const struct kind *k = kind_of(res->type);
    struct str value = S("*");
    if (k && k->name_max && str_is(attribute, "Arn"))
        value = form(r, k->arn, name_of(r, res, res->properties),
                     json_get_str(res->properties, "Path"));
    *ret = json_new_str(a, value);
    return 0;
}

static int resolve_import(void *user, struct arena *a, struct str name, struct json **ret,
                          struct template_error *err)
{
    *ret = json_new_str(a, S("*"));
    return 0;
}

/* ---- resources ---- */

/* "function:NAME" out of a name or an ARN, its qualifier left out. */
static struct str function_name(struct str text)
{
    ssize_t at = str_find(text, S(":function:"));
    struct str name = at >= 0 ? str_slice(text, (size_t)at + 10, text.n) : text, rest;
    str_cut(name, ':', &name, &rest);
    return name;
}

static void pass_role(struct reader *r, struct str because, struct str role, const char *service)
{
    if (!str_starts(role, S("arn:")))
        return;
    struct json *context = json_new(r->a, JSON_OBJECT), *list = json_new(r->a, JSON_ARRAY);
    json_add(list, json_new_str(r->a, str_from(service)));
    json_set(r->a, context, S("iam:PassedToService"), list);
    need(r, because, S("iam:PassRole"), role, context);
}

static void add_function(struct reader *r, const struct template_resource *res,
                         const struct json *p)
{
    pass_role(r, res->logical_id, json_get_str(p, "Role"), "lambda.amazonaws.com");
    const struct json *layers = json_get(p, "Layers"), *code = json_get(p, "Code");
    JSON_EACH(layers, layer) {
        struct str arn = json_str(layer);
        if (!str_starts(arn, S("arn:")))
            arn = str_printf(r->a, "arn:%.*s:lambda:%.*s:%.*s:layer:%.*s:*", STR(r->partition),
                             STR(r->region), STR(r->account), STR(arn));
        need(r, res->logical_id, S("lambda:GetLayerVersion"), arn, NULL);
    }
    if (json_get_str(code, "S3Bucket").n)
        need(r, res->logical_id, S("s3:GetObject"),
             str_printf(r->a, "arn:%.*s:s3:::%.*s/%.*s", STR(r->partition),
                        STR(json_get_str(code, "S3Bucket")), STR(json_get_str(code, "S3Key"))),
             NULL);
    /* lamina delete looks for the group that Lambda makes. */
    struct str group = str_printf(
        r->a, "arn:%.*s:logs:%.*s:%.*s:log-group:/aws/lambda/%.*s:log-stream:", STR(r->partition),
        STR(r->region), STR(r->account), STR(name_of(r, res, p)));
    need(r, res->logical_id, S("logs:DeleteLogGroup"), group, NULL);
    need(r, res->logical_id, S("logs:DescribeLogGroups"),
         str_printf(r->a, "arn:%.*s:logs:%.*s:%.*s:log-group::log-stream:", STR(r->partition),
                    STR(r->region), STR(r->account)),
         NULL);
}

static void add_inline_policy(struct reader *r, const struct template_resource *res,
                              const struct json *p)
{
    JSON_EACH(json_get(p, "Roles"), role)
        need_all(r, res->logical_id, "iam:PutRolePolicy iam:DeleteRolePolicy",
                 form(r, "arn:%T:iam::%A:role/%N", json_str(role), (struct str){0}));
}

static int add_resource(struct reader *r, const struct template_resource *res)
{
    struct template_source source = {.user = r,
                                     .resolve_ref = resolve_ref,
                                     .resolve_attribute = resolve_attribute,
                                     .resolve_import = resolve_import};
    struct template_error err = {0};
    struct json *p;
    if (template_resolve_properties(r->view, r->a, &source, res, &p, &err) < 0)
        return verb_fail(r->run, "%.*s: %.*s", STR(res->logical_id), STR(err.message));
    if (str_is(res->type, "AWS::IAM::Policy")) {
        add_inline_policy(r, res, p);
        return 0;
    }
    if (!kind_of(res->type)) {
        fprintf(stderr,
                "lamina: policy: %.*s: what a %.*s takes is not known; the policy lacks it\n",
                STR(res->logical_id), STR(res->type));
        return 0;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const struct kind *k = &kinds[i];
        if (!str_is(res->type, k->type))
            continue;
        struct str name =
            k->name_max ? name_of(r, res, p) : function_name(json_get_str(p, k->name_property));
        struct str arn = form(r, k->arn, name, json_get_str(p, "Path"));
        need_all(r, res->logical_id, k->actions, arn);
        for (size_t j = 0; j < sizeof extras / sizeof extras[0]; j++)
            if (str_is(res->type, extras[j].type) && json_get(p, extras[j].property))
                need_all(r, res->logical_id, extras[j].actions, arn);
    }
    if (str_is(res->type, "AWS::Lambda::Function"))
        add_function(r, res, p);
    return 0;
}

/* ---- the deployment itself ---- */

static void add_stack(struct reader *r, bool transform)
{
    struct str stack =
        str_printf(r->a, "arn:%.*s:cloudformation:%.*s:%.*s:stack/%.*s/*", STR(r->partition),
                   STR(r->region), STR(r->account), STR(r->stack));
    need_all(r, S("deploy"),
             "cloudformation:DescribeStacks cloudformation:CreateChangeSet "
             "cloudformation:DescribeChangeSet cloudformation:ExecuteChangeSet "
             "cloudformation:DeleteChangeSet cloudformation:DescribeStackEvents "
             "cloudformation:GetTemplate cloudformation:ListStackResources "
             "cloudformation:DescribeStackResource cloudformation:DescribeStackResources "
             "cloudformation:DeleteStack",
             stack);
    if (transform)
        need(r, S("transform"), S("cloudformation:CreateChangeSet"),
             str_printf(r->a, "arn:%.*s:cloudformation:%.*s:aws:transform/Serverless-2016-10-31",
                        STR(r->partition), STR(r->region)),
             NULL);
}

static void add_code(struct reader *r)
{
    bool managed = str_has(r->bucket) && str_starts(r->bucket, S(MANAGED_STACK));
    struct str bucket = str_printf(r->a, "arn:%.*s:s3:::%.*s", STR(r->partition), STR(r->bucket));
    struct str objects = str_printf(r->a, "%.*s/%.*s/*", STR(bucket), STR(r->prefix));
    need_all(r, S("code"), "s3:ListBucket s3:ListBucketVersions", bucket);
    need_all(r, S("code"), "s3:GetObject s3:PutObject s3:DeleteObject s3:DeleteObjectVersion",
             objects);
    /* lamina delete looks whether SAM's bucket is there in any case. */
    struct str stack =
        str_printf(r->a, "arn:%.*s:cloudformation:%.*s:%.*s:stack/" MANAGED_STACK "/*",
                   STR(r->partition), STR(r->region), STR(r->account));
    need(r, S("code"), S("cloudformation:DescribeStacks"), stack, NULL);
    if (!managed)
        return;
    need_all(r, S("code"),
             "cloudformation:CreateStack cloudformation:DeleteStack "
             "cloudformation:DescribeStackEvents",
             stack);
    need_all(r, S("code"),
             "s3:CreateBucket s3:PutBucketVersioning s3:PutBucketTagging s3:PutBucketPolicy "
             "s3:DeleteBucketPolicy s3:DeleteBucket",
             bucket);
}

/* Local code stands in the bucket when it is deployed. */
static int stand_in(struct reader *r, struct json *root, struct str path)
{
    struct local_code *codes;
    size_t n;
    struct str why;
    if (project_local_code(r->a, root, path, &codes, &n, &why) < 0)
        return verb_fail(r->run, "%.*s", STR(why));
    for (size_t i = 0; i < n; i++) {
        if (codes[i].serverless) {
            codes[i].value->text =
                str_printf(r->a, "s3://%.*s/%.*s/*", STR(r->bucket), STR(r->prefix));
            continue;
        }
        struct json *o = json_new(r->a, JSON_OBJECT);
        json_set(r->a, o, S("S3Bucket"), json_new_str(r->a, r->bucket));
        json_set(r->a, o, S("S3Key"),
                 json_new_str(r->a, str_printf(r->a, "%.*s/*", STR(r->prefix))));
        json_set(r->a, codes[i].properties, codes[i].property, o);
    }
    return 0;
}

static int open_view(struct reader *r, struct json *root, struct str path, bool transform)
{
    const struct policy_template_options *o = r->run->values[POLICY_SET_TEMPLATE];
    struct template_param *params;
    struct template_error err = {0};
    size_t n;
    int e = source_parameters(r->run, &o->overrides, &params, &n);
    if (e)
        return e;
    struct json *out = root;
    struct sam_input in = {.root = root, .params = params, .n_params = n, .region = r->region};
    struct template_env env = {
        .account_id = r->account, .region = r->region, .stack_name = r->stack, .stack_id = S("*")};
    if ((transform && sam_transform(r->a, &in, &out, &err) < 0) ||
        template_open(r->a, out, &r->view, &err) < 0 ||
        template_bind(r->view, params, n, NULL, 0, &env, &err) < 0)
        return verb_fail(r->run, "%.*s: %.*s", STR(path), STR(err.message));
    return 0;
}

static int check_account(struct verb_run *run, struct str account)
{
    for (size_t i = 0; i < account.n; i++)
        if (!isdigit((unsigned char)account.p[i]))
            return verb_usage(run, "--account: an account has 12 digits, not %.*s", STR(account));
    if (account.n != 12)
        return verb_usage(run, "--account: an account has 12 digits, not %.*s", STR(account));
    return 0;
}

/* No client is opened: nobody has to be asked. */
struct str policy_region(struct verb_run *run)
{
    const char *region = getenv("AWS_REGION"), *standard = getenv("AWS_DEFAULT_REGION");
    if (target_of(run)->region.n)
        return target_of(run)->region;
    return str_from(region && *region ? region : standard && *standard ? standard : "us-east-1");
}

int policy_read_template(struct verb_run *run, struct str path, struct needs *ret)
{
    const struct policy_template_options *o = run->values[POLICY_SET_TEMPLATE];
    struct str text;
    struct reader r = {
        .run = run,
        .a = run->arena,
        .needs = ret,
        .account = o->account,
        .region = policy_region(run),
        .no_context = json_new(run->arena, JSON_OBJECT),
        .bucket = o->s3_bucket.n ? o->s3_bucket : S(MANAGED_STACK "-samclisourcebucket-*"),
    };
    struct json *root;
    r.partition = template_partition(r.region);
    *ret = (struct needs){0};
    int e = check_account(run, o->account);
    if (!e)
        e = stacks_name(run, o->stack_name, &r.stack);
    if (!e)
        e = source_read(run, path, &text, &root);
    if (e)
        return e;
    r.prefix = o->s3_prefix.n ? o->s3_prefix : r.stack;
    bool transform = template_has_transform(root, S(SAM_TRANSFORM));
    e = stand_in(&r, root, path);
    if (!e)
        e = open_view(&r, root, path, transform);
    if (e)
        return e;
    add_stack(&r, transform);
    add_code(&r);
    for (size_t i = 0; i < r.view->n_resources && !e; i++)
        if (r.view->resources[i].active)
            e = add_resource(&r, &r.view->resources[i]);
    return e;
}
