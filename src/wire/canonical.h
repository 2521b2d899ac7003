/* canonical - what SigV4 signs, step by step. Internal to wire/; each step has its own test
 * vectors. */
#pragma once
#include "base/buf.h"
#include "wire/request.h"

/* once: S3's way (the path as it is on the wire); otherwise normalized and encoded once more. */
void canonical_path(struct buf *b, struct arena *a, struct str raw_path, bool once);
void canonical_query(struct buf *b, struct arena *a, struct str raw_query, bool drop_signature);
/* signed_headers: "host;x-amz-date", in the order in which they are signed. -ENOENT: one of them is
 * not among the request's headers. */
int canonical_headers(struct buf *b, const struct wire_request *req, struct str signed_headers);
int canonical_request(struct buf *b, struct arena *a, const struct wire_request *req, bool once,
                      bool drop_signature, struct str signed_headers, struct str payload_sha256);
/* AWS4-HMAC-SHA256 \n date \n scope \n hash */
struct str string_to_sign(struct arena *a, struct str amz_date, struct str scope,
                          struct str canonical);
struct str credential_scope(struct arena *a, struct str date, struct str region,
                            struct str service);
/* Cached: the same key signs all requests of a day. */
void signing_key(struct str secret, struct str date, struct str region, struct str service,
                 uint8_t ret[32]);
void sign_hex(const uint8_t key[32], struct str text, char ret[65]);
