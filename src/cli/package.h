/* package - a project's local code and its template as objects of a bucket. */
#pragma once
#include "aws/client.h"
#include "base/progress.h"
#include "cli/verb.h"

#define MANAGED_STACK "aws-sam-cli-managed-default"

struct package_request {
    struct verb_run *run;
    struct aws_client *aws;
    struct progress *progress;
    struct str template_path;
    struct json *root; /* is changed: local paths become addresses in the bucket */
    struct str s3_bucket, s3_prefix;
    bool resolve_s3; /* the bucket of the stack aws-sam-cli-managed-default, made when missing */
    bool force_upload;
};

struct package_result {
    struct str bucket; /* absent: nothing had to be uploaded */
    struct str *keys;  /* of all artifacts, uploaded now or there before */
    size_t n_keys, uploaded;
    int64_t bytes; /* uploaded */
};

/* 0, or an exit code after a message. */
int package_run(struct package_request *request, struct package_result *ret);

/* An object under the digest of its content: uploads unless it is there. suffix: "" or ".template".
 */
int package_put(struct package_request *request, const char *path, const char *suffix,
                struct package_result *result, struct str *ret_key);
/* The bucket of the managed stack, made when missing. */
int package_managed_bucket(struct verb_run *run, struct aws_client *aws, bool create,
                           struct str *ret);
/* Where CloudFormation finds an object of the bucket. */
struct str package_url(struct aws_client *aws, struct arena *a, struct str bucket, struct str key);
