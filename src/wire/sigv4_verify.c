/* sigv4_verify - whether a request was signed by whom it names.
 *
 * What is wrong is told in the words of the kind of service that was asked: S3, query, JSON, REST.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include "base/clock.h"
#include "base/digest.h"
#include "wire/canonical.h"
#include "wire/sigv4_parts.h"

/* ---- the parts in order ---- */

static int check_scope(struct arena *a, enum kind kind, const struct service_model *service,
                       const struct parts *p, struct wire_error *err)
{
    if (!str_is(p->terminator, "aws4_request"))
        return sigv4_refuse(WRONG_SCOPE, kind,
                            str_printf(a,
                                       "Credential should be scoped with a valid terminator: "
                                       "'aws4_request', not '%.*s'.",
                                       STR(p->terminator)),
                            err);
    if (service && !str_is(p->service, service->signing_name)) {
        if (kind == KIND_S3)
            return sigv4_refuse(
                WRONG_SCOPE, kind,
                str_printf(a,
                           "The authorization header is malformed; incorrect service "
                           "\"%.*s\". This endpoint belongs to \"s3\".",
                           STR(p->service)),
                err);
        return sigv4_refuse(WRONG_SCOPE, kind,
                            str_printf(a, "Credential should be scoped to correct service: '%s'. ",
                                       service->signing_name),
                            err);
    }
    if (!str_eq(p->date, str_slice(p->amz_date, 0, 8)))
        return sigv4_refuse(
            WRONG_SCOPE, kind,
            str_printf(a,
                       "Date in Credential scope does not match YYYYMMDD from ISO-8601 "
                       "version of date from HTTP: '%.*s' != '%.*s', from '%.*s'.",
                       STR(p->date), STR(str_slice(p->amz_date, 0, 8)), STR(p->amz_date)),
            err);
    return 0;
}

static int check_time(const struct sigv4_verifier *v, struct arena *a, enum kind kind,
                      const struct parts *p, int64_t signed_ms, struct wire_error *err)
{
    int64_t minutes = kind == KIND_S3 ? 15 : 5, allowed = minutes * 60000, expires = 0;
    bool late = !p->presigned && v->now_ms - signed_ms > allowed;
    bool early = signed_ms - v->now_ms > allowed;
    if (!p->presigned && !late && !early)
        return 0;
    struct str now = clock_amz_date(a, v->now_ms);
    if (p->presigned) {
        bool given = p->expires.p != NULL;
        if (given && (str_to_int64(p->expires, &expires) < 0 || expires < 0 || expires > 604800)) {
            sigv4_refuse(INCOMPLETE, kind,
                         S("X-Amz-Expires must be a number of seconds, at most 604800 (a week)"),
                         err);
            if (kind == KIND_S3)
                err->code = S("AuthorizationQueryParametersError");
            return -EACCES;
        }
        int64_t end = signed_ms + (given ? expires * 1000 : allowed);
        if (v->now_ms > end)
            return sigv4_refuse(EXPIRED_URL, kind,
                                str_printf(a, "Signature expired: %.*s is now earlier than %.*s",
                                           STR(clock_amz_date(a, end)), STR(now)),
                                err);
    } else if (late) {
        struct str limit = clock_amz_date(a, v->now_ms - allowed);
        return sigv4_refuse(
            SKEWED, kind,
            str_printf(a,
                       "Signature expired: %.*s is now earlier than %.*s (%.*s - %lld "
                       "min.)",
                       STR(p->amz_date), STR(limit), STR(now), (long long)minutes),
            err);
    }
    if (early) {
        struct str limit = clock_amz_date(a, v->now_ms + allowed);
        return sigv4_refuse(
            SKEWED, kind,
            str_printf(a,
                       "Signature not yet current: %.*s is still later than %.*s (%.*s "
                       "+ %lld min.)",
                       STR(p->amz_date), STR(limit), STR(now), (long long)minutes),
            err);
    }
    return 0;
}

static int check_key(const struct sigv4_verifier *v, enum kind kind, const struct parts *p,
                     struct sigv4_secret *secret, struct wire_error *err)
{
    int r = v->lookup(v->user, p->access_key, p->token, secret);
    if (r == -ESTALE)
        return sigv4_refuse(EXPIRED_TOKEN, kind, (struct str){0}, err);
    if (r < 0)
        return sigv4_refuse(UNKNOWN_KEY, kind, (struct str){0}, err);
    if (secret->token.n && !str_eq(secret->token, p->token))
        return sigv4_refuse(p->token.n ? WRONG_TOKEN : UNKNOWN_KEY, kind, (struct str){0}, err);
    return 0;
}

static bool is_hash(struct str s)
{
    if (s.n != 64)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
            return false;
    return true;
}

/* claimed absent: only *ret_text is wanted. */
static int check_hash(enum kind kind, const struct wire_request *req, struct str claimed,
                      struct arena *a, struct str *ret_text, struct wire_error *err)
{
    uint8_t hash[32];
    if (!req->body.has)
        digest_sha256(S(""), hash);
    else if (digest_body(DIGEST_SHA256, &req->body, hash) < 0)
        return -EIO;
    struct str actual = hex_encode(a, hash, sizeof(hash));
    *ret_text = actual;
    if (!claimed.p || str_eq(claimed, actual))
        return 0;
    if (kind != KIND_S3)
        return sigv4_refuse(WRONG_SIGNATURE, kind, (struct str){0}, err);
    struct wire_pair *extra = ARENA_ARRAY(a, struct wire_pair, 2);
    extra[0] = (struct wire_pair){S("ClientComputedContentSHA256"), claimed};
    extra[1] = (struct wire_pair){S("S3ComputedContentSHA256"), actual};
    *err = (struct wire_error){
        .code = S("XAmzContentSHA256Mismatch"),
        .status = 400,
        .message = S("The provided 'x-amz-content-sha256' header does not match what was "
                     "computed."),
        .extra = extra,
        .n_extra = 2};
    return -EACCES;
}

/* What the signature says about the body. *ret_text goes into the canonical request. */
static int payload(const struct sigv4_verifier *v, enum kind kind, const struct wire_request *req,
                   const struct parts *p, struct arena *a, struct sigv4_result *result,
                   struct str *ret_text, struct wire_error *err)
{
    static const struct {
        const char *text;
        enum sigv4_payload payload;
    } forms[] = {
        {"UNSIGNED-PAYLOAD", SIGV4_PAYLOAD_UNSIGNED},
        {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", SIGV4_PAYLOAD_CHUNKED},
        {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", SIGV4_PAYLOAD_CHUNKED_TRAILER},
        {"STREAMING-UNSIGNED-PAYLOAD-TRAILER", SIGV4_PAYLOAD_UNSIGNED_CHUNKED_TRAILER},
    };
    struct str claimed = wire_header(req, "X-Amz-Content-Sha256");
    if (p->presigned && kind == KIND_S3 && !claimed.p)
        claimed = S("UNSIGNED-PAYLOAD");
    if (!claimed.p && kind == KIND_S3) {
        *err = (struct wire_error){
            .code = S("InvalidRequest"),
            .status = 400,
            .message = S("Missing required header for this request: x-amz-content-sha256")};
        return -EACCES;
    }
    *ret_text = claimed;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (claimed.p && str_is(claimed, forms[i].text)) {
            result->payload = forms[i].payload;
            return 0;
        }
    result->payload = SIGV4_PAYLOAD_SIGNED;
    if (claimed.p && !is_hash(claimed) && kind == KIND_S3) {
        *err = (struct wire_error){
            .code = S("InvalidArgument"),
            .status = 400,
            .message = S("x-amz-content-sha256 must be UNSIGNED-PAYLOAD, "
                         "STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "
                         "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.")};
        return -EACCES;
    }
    if (!claimed.p || !v->body_unchecked) {
        int r = check_hash(kind, req, claimed, a, ret_text, err);
        if (r < 0)
            return r;
    }
    result->payload_sha256 = *ret_text;
    return 0;
}

static int mismatch(enum kind kind, const struct parts *p, struct str to_sign, struct str canonical,
                    struct arena *a, struct wire_error *err)
{
    sigv4_refuse(WRONG_SIGNATURE, kind, (struct str){0}, err);
    if (kind == KIND_S3) {
        struct wire_pair *extra = ARENA_ARRAY(a, struct wire_pair, 4);
        extra[0] = (struct wire_pair){S("AWSAccessKeyId"), p->access_key};
        extra[1] = (struct wire_pair){S("StringToSign"), to_sign};
        extra[2] = (struct wire_pair){S("SignatureProvided"), p->signature};
        extra[3] = (struct wire_pair){S("CanonicalRequest"), canonical};
        err->extra = extra;
        err->n_extra = 4;
        return -EACCES;
    }
    if (kind != KIND_QUERY)
        err->message =
            str_printf(a,
                       SIGV4_MISMATCH "\n\nThe Canonical String for this request should have "
                                      "been\n'%.*s'\n\nThe String-to-Sign should have "
                                      "been\n'%.*s'\n",
                       STR(canonical), STR(to_sign));
    return -EACCES;
}

static bool signs(struct str signed_headers, struct str wanted)
{
    struct str name, rest = signed_headers;
    while (rest.n) {
        str_cut(rest, ';', &name, &rest);
        if (str_eq_nocase(name, wanted))
            return true;
    }
    return false;
}

/* S3 takes no x-amz-* header that somebody could have added on the way. The hash of the body is one
 * that signers leave out, but its value is part of what they sign. */
static bool signs_enough(enum kind kind, const struct wire_request *req, const struct parts *p)
{
    if (!signs(p->signed_headers, S("host")))
        return false;
    for (size_t i = 0; kind == KIND_S3 && i < req->n_headers; i++) {
        struct str name = req->headers[i].name;
        if (name.n > 6 && str_eq_nocase(str_slice(name, 0, 6), S("x-amz-")) &&
            !str_eq_nocase(name, S("x-amz-content-sha256")) &&
            !str_eq_nocase(name, S("x-amz-date")) && !signs(p->signed_headers, name))
            return false;
    }
    return true;
}

static int check_signature(enum kind kind, const struct wire_request *req, const struct parts *p,
                           struct str secret_key, struct str hash, struct arena *a,
                           struct sigv4_result *result, struct wire_error *err)
{
    auto_buf struct buf canonical;
    buf_init(&canonical, SIZE_MAX);
    (void)buf_room(&canonical, 1024); /* of most requests: it need not grow */
    int r = canonical_request(&canonical, a, req, kind == KIND_S3, p->presigned, p->signed_headers,
                              hash);
    if (r < 0 || !signs_enough(kind, req, p)) {
        if (kind == KIND_S3) {
            *err =
                (struct wire_error){.code = S("AccessDenied"),
                                    .status = 403,
                                    .message = S("There were headers present in the request which "
                                                 "were not signed")};
            return -EACCES;
        }
        return sigv4_refuse(
            WRONG_SCOPE, kind,
            S("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."), err);
    }
    struct str scope = credential_scope(a, p->date, p->region, p->service);
    struct str to_sign = string_to_sign(a, p->amz_date, scope, buf_view(&canonical));
    signing_key(secret_key, p->date, p->region, p->service, result->signing_key);
    sign_hex(result->signing_key, to_sign, result->signature);
    if (p->signature.n != 64 || CRYPTO_memcmp(p->signature.p, result->signature, 64) != 0)
        return mismatch(kind, p, to_sign, buf_copy(&canonical, a), a, err);
    return 0;
}

int sigv4_verify(const struct sigv4_verifier *v, const struct service_model *service,
                 const struct wire_request *req, struct arena *a, struct sigv4_result *ret,
                 struct wire_error *err)
{
    struct sigv4_result result = {0};
    struct parts p = {0};
    struct sigv4_secret secret = {0};
    struct str hash;
    int64_t signed_ms;
    enum kind kind = sigv4_kind_of(service);
    if (!wire_header(req, "Authorization").p && !sigv4_is_presigned(req->query)) {
        *ret = (struct sigv4_result){.anonymous = true};
        return 0;
    }
    int r = sigv4_parse(a, kind, req, &p, &signed_ms, err);
    if (r == 0)
        r = check_scope(a, kind, service, &p, err);
    if (r == 0)
        r = check_time(v, a, kind, &p, signed_ms, err);
    if (r == 0)
        r = check_key(v, kind, &p, &secret, err);
    if (r == 0)
        r = payload(v, kind, req, &p, a, &result, &hash, err);
    if (r == 0)
        r = check_signature(kind, req, &p, secret.secret_key, hash, a, &result, err);
    if (r < 0)
        return r;
    result.presigned = p.presigned;
    result.access_key = p.access_key;
    result.token = p.token;
    result.date = p.date;
    result.amz_date = p.amz_date;
    result.region = p.region;
    result.service = p.service;
    result.owner = secret.user;
    *ret = result;
    return 0;
}
