/* sigv4_parts - what a request says of its signature, and the words in which a service refuses it.
 * Internal to wire/. */
#pragma once
#include "wire/request.h"
#include "wire/sigv4.h"

enum kind { KIND_S3, KIND_QUERY, KIND_JSON, KIND_REST };

enum failure {
    UNKNOWN_KEY,
    WRONG_SIGNATURE,
    WRONG_TOKEN,
    EXPIRED_TOKEN,
    INCOMPLETE,
    SKEWED,
    EXPIRED_URL,
    WRONG_SCOPE,
};

#define SIGV4_MISMATCH                                                                             \
    "The request signature we calculated does not match the signature you provided. Check your "   \
    "AWS Secret Access Key and signing method. Consult the service documentation for details."

struct parts {
    struct str credential, signed_headers, signature, amz_date, token;
    struct str access_key, date, region, service, terminator; /* of the credential */
    struct str expires;
    bool presigned;
};

enum kind sigv4_kind_of(const struct service_model *service);
/* -EACCES with *err. text is used where the service has no fixed words. */
int sigv4_refuse(enum failure what, enum kind kind, struct str text, struct wire_error *err);
bool sigv4_is_presigned(struct str query);
/* All that is needed is there and looks right: 0, with the time of signing; else refused. */
int sigv4_parse(struct arena *a, enum kind kind, const struct wire_request *req, struct parts *p,
                int64_t *ret_ms, struct wire_error *err);
