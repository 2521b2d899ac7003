/* package - what is uploaded, and the template that names it: see package.h. */
#include "cli/package.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "aws/endpoint.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "build/layer.h"
#include "build/project.h"
#include "build/yaml_write.h"
#include "cli/source.h"
#include "cli/stacks.h"
#include "cli/target.h"
#include "cli/verbs_all.h"
#include "wire/cloudformation.h"
#include "wire/s3.h"

/* What SAM CLI keeps its artifacts in, so that both may be used on the same account. */
static const char managed_template[] =
    "{\"AWSTemplateFormatVersion\":\"2010-09-09\",\"Description\":\"Managed Stack for AWS SAM "
    "CLI\","
    "\"Resources\":{\"SamCliSourceBucket\":{\"Type\":\"AWS::S3::Bucket\",\"Properties\":{"
    "\"VersioningConfiguration\":{\"Status\":\"Enabled\"},"
    "\"Tags\":[{\"Key\":\"ManagedStackSource\",\"Value\":\"AwsSamCli\"}]}},"
    "\"SamCliSourceBucketBucketPolicy\":{\"Type\":\"AWS::S3::BucketPolicy\",\"Properties\":{"
    "\"Bucket\":{\"Ref\":\"SamCliSourceBucket\"},\"PolicyDocument\":{\"Statement\":[{\"Action\":["
    "\"s3:GetObject\"],"
    "\"Effect\":\"Allow\",\"Resource\":{\"Fn::Join\":[\"\",[\"arn:\",{\"Ref\":\"AWS::Partition\"},"
    "\":s3:::\","
    "{\"Ref\":\"SamCliSourceBucket\"},\"/"
    "*\"]]},\"Principal\":{\"Service\":\"serverlessrepo.amazonaws.com\"},"
    "\"Condition\":{\"StringEquals\":{\"aws:SourceAccount\":{\"Ref\":\"AWS::AccountId\"}}}}]}}}},"
    "\"Outputs\":{\"SourceBucket\":{\"Value\":{\"Ref\":\"SamCliSourceBucket\"}}}}";

/* Why the stack of the bucket could not be made: the first thing that failed; or absent. */
static struct str managed_failure(struct verb_run *run, struct aws_client *aws)
{
    struct cloudformation_describe_stack_events_input in = {.stack_name = S(MANAGED_STACK)};
    struct cloudformation_describe_stack_events_output *out;
    struct aws_error err = {0};
    struct str why = {0};
    if (aws_call(aws, run->arena, &cloudformation_describe_stack_events_op, &in, (void **)&out,
                 &err) < 0)
        return why;
    for (size_t i = 0; i < out->stack_events.n; i++) { /* newest first */
        const struct cloudformation_stack_event *e = &out->stack_events.items[i];
        if (str_ends(e->resource_status, S("_FAILED")) && e->resource_status_reason.n)
            why = e->resource_status_reason;
    }
    return why;
}

int package_managed_bucket(struct verb_run *run, struct aws_client *aws, bool create,
                           struct str *ret)
{
    struct arena *a = run->arena;
    struct cloudformation_stack *stack;
    struct aws_error err = {0};
    int e = stacks_describe(run, aws, S(MANAGED_STACK), &stack, &err);
    if (e == -ENOENT && create) {
        struct cloudformation_create_stack_input *in =
            ARENA_NEW(a, struct cloudformation_create_stack_input);
        in->stack_name = S(MANAGED_STACK);
        in->template_body = str_from(managed_template);
        if (aws_call(aws, a, &cloudformation_create_stack_op, in, NULL, &err) < 0)
            return target_fail(run, &err, "the stack " MANAGED_STACK " cannot be made");
        e = stacks_wait(run, aws, S(MANAGED_STACK), NULL, &stack);
        if (e)
            return e;
        if (!str_is(stack->stack_status, "CREATE_COMPLETE")) {
            struct str why = managed_failure(run, aws);
            return verb_fail(run, "the stack " MANAGED_STACK " is %.*s: %.*s",
                             STR(stack->stack_status),
                             STR(why.n ? why : stack->stack_status_reason));
        }
    } else if (e == -ENOENT) {
        *ret = (struct str){0};
        return 0;
    } else if (e < 0) {
        return target_fail(run, &err, "the stack " MANAGED_STACK " cannot be described");
    }
    for (size_t i = 0; i < stack->outputs.n; i++)
        if (str_is(stack->outputs.items[i].output_key, "SourceBucket")) {
            *ret = stack->outputs.items[i].output_value;
            return 0;
        }
    return verb_fail(run,
                     "the stack " MANAGED_STACK
                     " (%.*s) has no output SourceBucket; delete it, or name a "
                     "bucket with --s3-bucket",
                     STR(stack->stack_status));
}

static int choose_bucket(struct package_request *q, struct package_result *ret)
{
    if (str_has(ret->bucket))
        return 0;
    if (str_has(q->s3_bucket)) {
        ret->bucket = q->s3_bucket;
        return 0;
    }
    if (!q->resolve_s3)
        return verb_usage(q->run,
                          "there is code to upload: give --resolve-s3, or --s3-bucket NAME");
    return package_managed_bucket(q->run, q->aws, true, &ret->bucket);
}

static bool there(struct package_request *q, struct str bucket, struct str key)
{
    struct s3_head_object_input in = {.bucket = bucket, .key = key};
    struct aws_error err = {0};
    return aws_call(q->aws, q->run->arena, &s3_head_object_op, &in, NULL, &err) == 0;
}

int package_put(struct package_request *q, const char *path, const char *suffix,
                struct package_result *ret, struct str *ret_key)
{
    struct arena *a = q->run->arena;
    int e = choose_bucket(q, ret);
    if (e)
        return e;
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return verb_fail(q->run, "%s: %s", path, strerror(errno));
    struct body body = body_file(fd, 0, st.st_size);
    uint8_t sum[32];
    int n = digest_body(DIGEST_MD5, &body, sum);
    if (n < 0)
        return verb_fail(q->run, "%s: %s", path, strerror(-n));
    struct str name = hex_encode(a, sum, (size_t)n);
    struct str key = str_has(q->s3_prefix)
                         ? str_printf(a, "%.*s/%.*s%s", STR(q->s3_prefix), STR(name), suffix)
                         : str_printf(a, "%.*s%s", STR(name), suffix);
    *ret_key = key;
    size_t cap = ret->n_keys; /* few: grown one by one */
    *(struct str *)arena_push(a, (void **)&ret->keys, &ret->n_keys, &cap, sizeof key) = key;
    if (!q->force_upload && there(q, ret->bucket, key))
        return 0;
    struct s3_put_object_input in = {.bucket = ret->bucket, .key = key, .body = body};
    struct aws_error err = {0};
    progress_status(q->progress, "uploading %.1f kB to %.*s/%.*s", (double)st.st_size / 1024,
                    STR(ret->bucket), STR(key));
    if (aws_call(q->aws, a, &s3_put_object_op, &in, NULL, &err) < 0)
        return target_fail(q->run, &err, "upload");
    ret->uploaded++;
    ret->bytes += st.st_size;
    return 0;
}

struct str package_url(struct aws_client *aws, struct arena *a, struct str bucket, struct str key)
{
    if (aws_client_is_local(aws))
        return str_printf(a, "%.*s/%.*s/%.*s",
                          STR(aws_client_endpoint(aws, &cloudformation_model, a)), STR(bucket),
                          STR(key));
    /* CloudFormation reads it, by the ordinary address, whichever is chosen here. */
    struct endpoint_wish wish = {.region = aws_client_region(aws)};
    return str_printf(a, "%.*s/%.*s/%.*s", STR(endpoint_find(&s3_model, &wish, a).url), STR(bucket),
                      STR(key));
}

/* A folder is packed, a zip or jar is taken as it is. */
static int upload(struct package_request *q, const struct local_code *code,
                  struct package_result *ret, struct str *ret_key)
{
    struct stat st;
    if (stat(str_c(q->run->arena, code->path), &st) < 0)
        return verb_fail(q->run, "%.*s: %s", STR(code->path), strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return package_put(q, str_c(q->run->arena, code->path), "", ret, ret_key);
    char zip[] = "/tmp/lamina-package-XXXXXX";
    auto_close int fd = mkstemp(zip);
    struct str why;
    if (fd < 0)
        return verb_fail(q->run, "/tmp: %s", strerror(errno));
    progress_status(q->progress, "packing %.*s", STR(code->logical_id));
    int e = layer_pack(q->run->arena, str_c(q->run->arena, code->path), zip, &why) < 0
                ? verb_fail(q->run, "%.*s", STR(why))
                : package_put(q, zip, "", ret, ret_key);
    unlink(zip);
    return e;
}

static void point_to(struct arena *a, const struct local_code *code, struct str bucket,
                     struct str key)
{
    if (code->serverless) {
        code->value->text = str_printf(a, "s3://%.*s/%.*s", STR(bucket), STR(key));
        return;
    }
    struct json *o = json_new(a, JSON_OBJECT);
    json_set(a, o, S("S3Bucket"), json_new_str(a, bucket));
    json_set(a, o, S("S3Key"), json_new_str(a, key));
    json_set(a, code->properties, code->property, o);
}

int package_run(struct package_request *q, struct package_result *ret)
{
    struct local_code *codes;
    size_t n;
    struct str why, key;
    *ret = (struct package_result){0};
    if (project_images(q->run->arena, q->root, q->template_path, &why) < 0)
        return verb_fail(q->run, "%.*s", STR(why));
    struct str disk = project_disk_image(q->root);
    if (disk.n && !aws_client_is_local(q->aws))
        return verb_fail(
            q->run,
            "the image of %.*s is a file of this machine, which AWS cannot reach: push "
            "it to Amazon ECR, and name that as its ImageUri",
            STR(disk));
    if (project_local_code(q->run->arena, q->root, q->template_path, &codes, &n, &why) < 0)
        return verb_fail(q->run, "%.*s", STR(why));
    for (size_t i = 0; i < n; i++) {
        int e = upload(q, &codes[i], ret, &key);
        if (e)
            return e;
        point_to(q->run->arena, &codes[i], ret->bucket, key);
    }
    return 0;
}

/* ---- the verb ---- */

struct package_options {
    struct str template, s3_bucket, s3_prefix, output;
    bool resolve_s3, force_upload;
};

static const struct option_row rows[] = {
    {OPTION(struct package_options, template), .name = "template", .letter = 't',
     .type = OPTION_TEXT, .metavar = "FILE",
     .help = "the template; .aws-sam/build/template.yaml or template.yaml otherwise"},
    {OPTION(struct package_options, template), .name = "template-file", .type = OPTION_TEXT,
     .hidden = true, .help = "the same as --template"},
    {OPTION(struct package_options, s3_bucket), .name = "s3-bucket", .type = OPTION_TEXT,
     .metavar = "NAME", .help = "bucket the artifacts go to"},
    {OPTION(struct package_options, s3_prefix), .name = "s3-prefix", .type = OPTION_TEXT,
     .metavar = "PREFIX", .help = "in front of the artifacts' keys"},
    {OPTION(struct package_options, resolve_s3), .name = "resolve-s3", .type = OPTION_FLAG,
     .help = "use SAM's managed bucket, and make it when it is missing"},
    {OPTION(struct package_options, force_upload), .name = "force-upload", .type = OPTION_FLAG,
     .help = "upload also what is there"},
    {OPTION(struct package_options, output), .name = "output-template-file", .type = OPTION_TEXT,
     .metavar = "FILE", .help = "write the template there; stdout otherwise"},
    {0},
};

static int run_package(struct verb_run *run)
{
    const struct package_options *o = run->values[0];
    struct str path, text;
    struct json *root;
    struct aws_client *aws;
    int e = source_find(run, o->template, true, &path);
    if (!e)
        e = source_read(run, path, &text, &root);
    if (!e)
        e = target_open(run, &aws);
    if (e)
        return e;
    struct progress progress;
    progress_init(&progress, stderr);
    struct package_request q = {
        .run = run,
        .aws = aws,
        .progress = &progress,
        .template_path = path,
        .root = root,
        .s3_bucket = o->s3_bucket,
        .s3_prefix = o->s3_prefix,
        .resolve_s3 = o->resolve_s3,
        .force_upload = o->force_upload,
    };
    struct package_result result;
    e = package_run(&q, &result);
    progress_clear(&progress);
    if (!e) {
        auto_buf struct buf b;
        buf_init(&b, 16 * 1024 * 1024);
        if (target_of(run)->json)
            json_write(&b, root, 2);
        else
            yaml_write(&b, root);
        if (!str_has(o->output))
            fwrite(b.p, 1, b.n, stdout);
        else if (fs_write(str_c(run->arena, o->output), buf_view(&b), 0644) < 0)
            e = verb_fail(run, "%.*s: %s", STR(o->output), strerror(errno));
    }
    aws_client_close(aws);
    return e;
}

const struct verb package_verb = {
    .name = "package",
    .run = run_package,
    .sets = {{rows, sizeof(struct package_options)}, TARGET_SET},
    .preset = target_preset,
    .summary = "upload a project's code and print the template that refers to it",
    .details = "    lamina package --resolve-s3 --output-template-file packaged.yaml",
};
