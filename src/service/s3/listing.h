/* listing - what the listings of objects, versions and uploads have in common. */
#pragma once
#include "service/s3/record.h"
#include "wire/request.h"

/* The key up to the delimiter that follows the prefix; absent when none does. */
struct str s3_common_prefix(struct str key, struct str prefix, struct str delimiter);
/* A place in the store behind all keys that begin like this one. */
struct str s3_behind(struct arena *a, struct str store_key);
int s3_max_keys(struct call *call, struct opt_int given, const char *name, size_t *ret);
/* Percent-encoded when the client asked for encoding-type=url. */
struct str s3_shown_key(struct call *call, struct str key, struct str encoding);
