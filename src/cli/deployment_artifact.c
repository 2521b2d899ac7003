/* deployment_artifact - templates and code of deployments, kept: see deployment_artifact.h. */
#include "cli/deployment_artifact.h"
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include "aws/fetch.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "cli/package.h"
#include "cli/stacks.h"
#include "cli/target.h"
#include "wire/lambda.h"
#include "wire/s3.h"

static int choose_bucket(struct deployment_record *r)
{
    struct str bucket = {0};
    if (!r->bucket.n && package_managed_bucket(r->run, r->aws, false, &bucket) == 0)
        r->bucket = bucket;
    return r->bucket.n ? 0 : -ENOENT;
}

static struct str key_of(struct deployment_record *r, const struct body *body, const char *suffix)
{
    struct arena *a = r->run->arena;
    uint8_t sum[32];
    int n = digest_body(DIGEST_MD5, body, sum);
    return n < 0 ? (struct str){0}
                 : str_printf(a, "%.*s%s%.*s%s", STR(r->prefix), r->prefix.n ? "/" : "",
                              STR(hex_encode(a, sum, (size_t)n)), suffix);
}

/* An object under its content's digest; what is there is not sent again. */
static int keep(struct deployment_record *r, struct body body, const char *suffix,
                struct str *ret_key, struct aws_error *err)
{
    struct arena *a = r->run->arena;
    struct str key = key_of(r, &body, suffix);
    if (!key.n)
        return aws_fail(err, -EIO, S("it cannot be read"));
    struct s3_head_object_input head = {.bucket = r->bucket, .key = key};
    struct s3_put_object_input put = {.bucket = r->bucket, .key = key, .body = body};
    *ret_key = key;
    if (aws_call(r->aws, a, &s3_head_object_op, &head, NULL, err) == 0)
        return 0;
    return aws_call(r->aws, a, &s3_put_object_op, &put, NULL, err);
}

int deployment_keep_template(struct deployment_record *r, struct str text, struct aws_error *err)
{
    struct arena *a = r->run->arena;
    struct str key;
    if (choose_bucket(r) < 0)
        return 0; /* deployment_write() tells */
    int e = keep(r, body_mem(text), ".template", &key, err);
    if (e < 0)
        return e;
    struct json *o = json_set(a, r->json, S("template"), json_new(a, JSON_OBJECT));
    json_set(a, o, S("bucket"), json_new_str(a, r->bucket));
    json_set(a, o, S("key"), json_new_str(a, key));
    json_set(a, o, S("sha256"), json_new_str(a, sha256_hex(a, text)));
    return 0;
}

int deployment_fetch_code(struct arena *a, struct aws_client *aws, struct str function,
                          struct str qualifier, int fd, struct aws_error *err)
{
    struct lambda_get_function_input in = {.function_name = function, .qualifier = qualifier};
    struct lambda_get_function_output *out;
    int r = aws_call(aws, a, &lambda_get_function_op, &in, (void **)&out, err);
    if (r < 0)
        return r;
    if (!out->code || !out->code->location.n)
        return aws_fail(err, -ENOTSUP, S("its code is no zip that can be fetched"));
    return aws_fetch(a, out->code->location, fd, err);
}

int deployment_keep_code(struct deployment_record *r, struct json *entry, struct aws_error *err)
{
    struct arena *a = r->run->arena;
    struct json *code = json_get(entry, "code");
    char path[] = "/tmp/lamina-code-XXXXXX";
    struct stat st;
    struct str key;
    if (json_get_str(code, "image_uri").n)
        return 0; /* the image is in its repository */
    if (choose_bucket(r) < 0)
        return aws_fail(err, -ENOENT, S("there is no bucket for it"));
    auto_close int fd = mkstemp(path);
    if (fd < 0)
        return aws_fail(err, -errno, S("/tmp cannot be written to"));
    unlink(path);
    int e = deployment_fetch_code(a, r->aws, json_get_str(entry, "name"), (struct str){0}, fd, err);
    if (e == 0 && fstat(fd, &st) < 0)
        e = aws_fail(err, -errno, S("/tmp cannot be read"));
    if (e < 0)
        return e;
    struct body body = body_file(fd, 0, st.st_size);
    uint8_t sum[32];
    int n = digest_body(DIGEST_SHA256, &body, sum);
    if (n < 0 ||
        !str_eq(base64_encode(a, str_of((char *)sum, sizeof sum)), json_get_str(code, "sha256")))
        return aws_fail(err, -EIO, S("what was fetched is not the code it has"));
    e = keep(r, body, "", &key, err);
    if (e < 0)
        return e;
    json_set(a, code, S("bucket"), json_new_str(a, r->bucket));
    json_set(a, code, S("key"), json_new_str(a, key));
    return 0;
}

int deployment_artifact_look(struct arena *a, struct aws_client *aws, const struct json *from,
                             struct aws_error *err)
{
    struct s3_head_object_input in = {.bucket = json_get_str(from, "bucket"),
                                      .key = json_get_str(from, "key"),
                                      .version_id = json_get_str(from, "version_id")};
    int r = aws_call(aws, a, &s3_head_object_op, &in, NULL, err);
    return r < 0 && err->status == 404 ? -ENOENT : r;
}

/* ---- what somebody else has deployed ---- */

static int capture_stack(struct deployment_record *r, struct str name, struct aws_error *err)
{
    struct arena *a = r->run->arena;
    struct cloudformation_get_template_input in = {.stack_name = name,
                                                   .template_stage = S("Original")};
    struct cloudformation_get_template_output *out;
    int e = aws_call(r->aws, a, &cloudformation_get_template_op, &in, (void **)&out, err);
    if (e == 0)
        e = deployment_keep_template(r, out->template_body, err);
    return e < 0 ? e : deployment_add_stack(r, name, err);
}

int deployment_capture(struct deployment_record *r, struct str name, struct str *why)
{
    struct cloudformation_stack *stack;
    struct aws_error err = {0};
    int e = stacks_describe(r->run, r->aws, name, &stack, &err);
    if (e == 0) {
        e = capture_stack(r, name, &err);
    } else {
        err = (struct aws_error){0};
        e = deployment_add_function(r, name, &err);
        if (e < 0 && target_error_is(&err, "ResourceNotFoundException"))
            err.message =
                str_printf(r->run->arena, "there is no stack and no function %.*s", STR(name));
        if (e == 0)
            e = deployment_keep_code(r, json_at(json_get(r->json, "functions"), 0), &err);
    }
    if (e < 0)
        *why = err.message;
    return e;
}
