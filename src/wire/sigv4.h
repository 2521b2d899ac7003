/* sigv4 - AWS Signature Version 4: signing, and verifying what others signed.
 *
 * Forms: the Authorization header, presigned queries, and bodies in signed chunks (chunked.h goes
 * on from the signature found here). S3 signs the path as it stands on the wire; every other
 * service encodes it once more and normalizes it. */
#pragma once
#include "wire/request.h"
#include "wire/server.h"

struct sigv4_credentials {
    struct str access_key, secret_key;
    struct str token; /* of a session, or absent */
};

struct sigv4_signer {
    const struct sigv4_credentials *credentials;
    struct str region, service; /* credential scope; service "s3" changes the rules */
    int64_t now_ms;
    struct str payload_sha256; /* hex, or UNSIGNED-PAYLOAD ...; absent: computed of the body */
};

/* Adds X-Amz-Date, X-Amz-Security-Token, X-Amz-Content-Sha256 (s3 only, or when payload_sha256 is
 * given) and Authorization. Host must be among the headers. -EINVAL when it is not. -EIO: body
 * unreadable. */
int sigv4_sign(const struct sigv4_signer *signer, struct wire_request *req, struct arena *a);
/* ret: the query that makes `req` a presigned request (its headers must be just Host, or what the
 * one who uses it will send). */
int sigv4_presign(const struct sigv4_signer *signer, const struct wire_request *req,
                  int64_t expires_s, struct arena *a, struct str *ret);

enum sigv4_payload {
    SIGV4_PAYLOAD_SIGNED,   /* one hash; checked by sigv4_verify() unless body_unchecked was set */
    SIGV4_PAYLOAD_UNSIGNED, /* UNSIGNED-PAYLOAD */
    SIGV4_PAYLOAD_CHUNKED,  /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD: decode by chunked.h */
    SIGV4_PAYLOAD_CHUNKED_TRAILER,          /* ...-TRAILER */
    SIGV4_PAYLOAD_UNSIGNED_CHUNKED_TRAILER, /* STREAMING-UNSIGNED-PAYLOAD-TRAILER */
};

/* Looks up what belongs to an access key. Return 0 with *ret, -ENOENT unknown key, -ESTALE an
 * expired session; ret->token is the token the request must carry, or absent. */
struct sigv4_secret {
    struct str secret_key, token;
    void *user; /* handed through to the result: whose key it is */
};
typedef int sigv4_lookup_fn(void *user, struct str access_key, struct str token,
                            struct sigv4_secret *ret);

struct sigv4_verifier {
    sigv4_lookup_fn *lookup;
    void *user;
    int64_t now_ms;
    bool body_unchecked; /* the caller compares the body with result.payload_sha256 itself */
};

struct sigv4_result {
    bool anonymous; /* the request carries no signature at all: nothing below is set */
    bool presigned;
    struct str access_key, token;
    struct str date;            /* 20251124 */
    struct str amz_date;        /* 20251124T231120Z */
    struct str region, service; /* of the credential scope */
    void *owner;                /* sigv4_secret.user */
    enum sigv4_payload payload;
    struct str payload_sha256; /* as claimed, for SIGV4_PAYLOAD_SIGNED */
    uint8_t signing_key[32];   /* chunk signatures go on with these two */
    char signature[65];
};

/* Who signed? Cheap and unverified: the service's name in the credential scope of header or query,
 * for routing; absent when the request is unsigned or malformed. */
struct str sigv4_scope_service(struct arena *a, const struct wire_request *req);

/* 0 verified (or result.anonymous: the caller decides), else -EACCES with *err in the words of the
 * service (which may be NULL when it is not known yet: SigV4's general ones). Dates may be off by
 * 5 minutes (S3: 15); presigned ones end X-Amz-Expires after they began. */
int sigv4_verify(const struct sigv4_verifier *v, const struct service_model *service,
                 const struct wire_request *req, struct arena *a, struct sigv4_result *ret,
                 struct wire_error *err);
