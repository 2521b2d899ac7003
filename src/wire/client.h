/* client - typed structs to requests, responses to typed structs: the other side of server.h, from
 * the same tables. */
#pragma once
#include "wire/server.h"

/* Method, path, query, headers (Content-Type, X-Amz-Target, modelled ones) and body; not Host, not
 * the signature. base_path goes in front of the path ("" mostly). For S3, bucket_in_host leaves the
 * {Bucket} label out of the path. -EINVAL with *err when a URI label is absent or empty. */
struct wire_encode_options {
    struct str base_path;
    bool bucket_in_host;
};
int wire_encode_input(const struct operation *op, const void *in,
                      const struct wire_encode_options *options, struct arena *a,
                      struct wire_request *ret, struct wire_error *err);

/* *ret: zeroed struct of op->output, filled (NULL without output). A status of 300 and more, or a
 * body that is not what the protocol says, is -EBADMSG with *err. */
int wire_decode_output(const struct operation *op, const struct wire_response *response,
                       struct arena *a, void **ret, struct wire_error *err);
