/* rules - what S3 decides from text alone: names, ranges, conditions, copy sources. Pure. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

/* May a bucket have that name? */
bool s3_bucket_name_valid(struct str name);

/* "bytes=2-5" of a body of that size: 0 and [*ret_first, *ret_last]; -ERANGE nothing of it is
 * there; -EINVAL not a range S3 knows (it then answers the whole body). */
int s3_range_parse(struct str text, int64_t size, int64_t *ret_first, int64_t *ret_last);

/* Is the ETag (without quotes) in an If-Match list: "a", "b", W/"c", or *? */
bool s3_etag_listed(struct str list, struct str etag);

/* What a reader's conditions say about an object. */
struct s3_conditions {
    struct str if_match, if_none_match;
    bool has_modified_since, has_unmodified_since;
    int64_t modified_since_ms, unmodified_since_ms;
};
enum s3_condition { S3_CONDITION_HOLDS, S3_CONDITION_FAILED, S3_CONDITION_UNCHANGED };
enum s3_condition s3_conditions_check(const struct s3_conditions *c, struct str etag,
                                      int64_t modified_ms);

/* x-amz-copy-source: bucket/key?versionId=v, percent-encoded, perhaps with a slash in front. */
struct s3_source {
    struct str bucket, key, version_id;
};
int s3_source_parse(struct arena *a, struct str text, struct s3_source *ret); /* -EINVAL */

/* "a=1&b=2%203" of x-amz-tagging. -EINVAL. */
struct s3_pair {
    struct str key, value;
};
int s3_pairs_parse(struct arena *a, struct str text, struct s3_pair **ret, size_t *ret_n);

/* 32 characters that sort the other way round than the time: later versions come first. */
struct str s3_version_make(struct arena *a, int64_t time_us);
bool s3_version_valid(struct str version);
