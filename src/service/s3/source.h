/* source - the original that CopyObject and UploadPartCopy copy from. */
#pragma once
#include "service/s3/record.h"

struct s3_source_input {
    struct str copy_source, expected_owner;
    struct s3_conditions conditions;
};
#define S3_SOURCE_CONDITIONS(in)                                                                   \
    ((struct s3_conditions){                                                                       \
        .if_match = (in)->copy_source_if_match,                                                    \
        .if_none_match = (in)->copy_source_if_none_match,                                          \
        .has_modified_since = (in)->copy_source_if_modified_since.has,                             \
        .has_unmodified_since = (in)->copy_source_if_unmodified_since.has,                         \
        .modified_since_ms = (in)->copy_source_if_modified_since.ms,                               \
        .unmodified_since_ms = (in)->copy_source_if_unmodified_since.ms,                           \
    })

/* Finds it, asks whether the caller may read it, checks the conditions. ret_source->version_id is
 * set when the bucket has versions. */
int s3_source_open(struct call *call, const struct s3_source_input *in,
                   struct s3_source *ret_source, struct s3_version *ret);
/* Gives its bytes to an intake. A file gets a second name, which may be taken over: blobs never
 * change, so a copy costs nothing, and the original may go while it is being read. */
int s3_source_body(struct call *call, const struct s3_version *v, struct s3_intake *intake);
