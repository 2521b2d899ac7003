/* chunked - bodies in aws-chunked encoding: signed or unsigned chunks, with or without trailers.
 *
 *     1000;chunk-signature=<64 hex>\r\n<4096 bytes>\r\n ... 0;chunk-signature=...\r\n
 *     x-amz-checksum-crc32c:...\r\nx-amz-trailer-signature:...\r\n\r\n
 *
 * The decoder is fed as bytes arrive, or over a whole body at once. */
#pragma once
#include "wire/sigv4.h"

struct chunked;
/* auth: what sigv4_verify() found (its payload says which form); decoded_length: of
 * X-Amz-Decoded-Content-Length, -1 unknown; trailer: the value of X-Amz-Trailer (a checksum
 * header's name), or absent. The strings must live as long as the decoder. */
struct chunked *chunked_open(const struct sigv4_result *auth, int64_t decoded_length,
                             struct str trailer);
void chunked_close(struct chunked *c); /* accepts NULL */

/* Decoded bytes go to sink, in order; it returns 0 or -errno, which ends the feeding. Returns 0,
 * the sink's error, or -EBADMSG with *err: SignatureDoesNotMatch, BadDigest, IncompleteBody,
 * InvalidChunkSizeError, MalformedTrailerError. */
typedef int chunked_sink_fn(void *user, const void *p, size_t n);
int chunked_feed(struct chunked *c, const void *p, size_t n, chunked_sink_fn *sink, void *user,
                 struct arena *a, struct wire_error *err);
/* After the last byte: everything must have come and fit. *ret_checksum (name and base64 value of
 * the verified trailer; absent parts when there was none) may be stored with the object. */
int chunked_end(struct chunked *c, struct arena *a, struct wire_pair *ret_checksum,
                struct wire_error *err);

/* The whole of body at once. In memory: decoded into the arena. In a file: written to out_fd from
 * its current end, *ret is that range of out_fd. */
int chunked_body(const struct sigv4_result *auth, const struct wire_request *req, int out_fd,
                 struct arena *a, struct body *ret, struct wire_pair *ret_checksum,
                 struct wire_error *err);
