/* project - builds a SAM project as SAM CLI lays it out: BUILD/template.yaml and one folder an
 * artifact. May use base, template's trees come from the caller. Blocks.
 *
 *   .aws-sam/build/template.yaml        paths replaced by the artifacts' folders
 *   .aws-sam/build/FunctionId/...       what the function's zip will hold
 *   .aws-sam/build/LayerId/python/...
 *   .aws-sam/cache/DIGEST/...           with cached: results by their inputs
 *   .aws-sam/build.toml                 which artifact was built from what */
#pragma once
#include "base/json.h"

struct project_options {
    struct str template_path; /* for paths relative to it and for messages */
    struct str build_dir;     /* .aws-sam/build */
    bool cached, parallel;
    struct str only; /* one logical id, or absent */
};

enum artifact_state { ARTIFACT_BUILT, ARTIFACT_CACHED, ARTIFACT_SHARED, ARTIFACT_FAILED };

struct artifact {
    struct str logical_id;
    bool layer;
    struct str runtime;  /* or build method */
    struct str source;   /* absolute folder */
    struct str property; /* CodeUri, ContentUri, Code, Content */
    struct str method;   /* "python3.11", "nodejs20.x", "makefile", "copy" */
    struct str architecture;
    struct str digest;
    struct artifact *same_as; /* built from the same inputs */
    enum artifact_state state;
    struct str error;
    int64_t milliseconds, bytes, files;
    const struct json *resource; /* its declaration in the tree */
};

struct project {
    struct artifact *artifacts;
    size_t n_artifacts;
    struct str template_out; /* BUILD/template.yaml */
    struct str error; /* with -EINVAL: what is wrong before anything was built, or which failed */
};

/* Called as artifacts are finished, from the caller's thread. May be NULL. */
typedef void project_progress(const struct artifact *artifact, void *user);

/* root: the parsed template (before the transform); is changed: local paths point into the build
 * folder afterwards. -EINVAL with ret->error; artifacts say which failed. */
int project_build(struct arena *a, struct json *root, const struct project_options *options,
                  project_progress *progress, void *user, struct project *ret);

/* What project_build() would build, with digests; nothing is built. -EINVAL with ret->error. */
int project_artifacts(struct arena *a, struct json *root, const struct project_options *options,
                      struct project *ret);

/* Images named by a path become file:// URIs; -EINVAL with *why for those that would have to be
 * built. project_build() does it, too. */
int project_images(struct arena *a, struct json *root, struct str template_path, struct str *why);

/* The first function whose image is on this machine's disk; absent: none. After project_images().
 */
struct str project_disk_image(struct json *root);

/* What of a template is local code: functions and layers whose property is a path. For packaging.
 */
struct local_code {
    struct str logical_id, property;
    struct json *value; /* the path in the tree */
    struct json *properties;
    bool serverless, layer;
    struct str path; /* absolute */
};
int project_local_code(struct arena *a, struct json *root, struct str template_path,
                       struct local_code **ret, size_t *ret_n, struct str *why);
