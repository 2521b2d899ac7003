/* sigv4_sign - signatures of requests that we send. */
#include <errno.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/digest.h"
#include "wire/canonical.h"
#include "wire/sigv4.h"

static struct str body_sha256(struct arena *a, const struct body *body)
{
    uint8_t hash[32];
    if (!body->has)
        return sha256_hex(a, S(""));
    if (digest_body(DIGEST_SHA256, body, hash) < 0)
        return (struct str){0};
    return hex_encode(a, hash, sizeof(hash));
}

static int compare_names(const void *x, const void *y)
{
    return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

/* What proxies and HTTP libraries change on the way is not signed. */
static bool unsigned_header(struct str name)
{
    static const char *const names[] = {"authorization", "connection",        "user-agent",
                                        "expect",        "transfer-encoding", "x-amzn-trace-id"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_is(name, names[i]))
            return true;
    return false;
}

static struct str signed_names(struct arena *a, const struct wire_header *headers, size_t n)
{
    struct str *names = ARENA_ARRAY(a, struct str, n + 1);
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < n; i++) {
        struct str name = str_lower(a, headers[i].name);
        if (!unsigned_header(name))
            names[count++] = name;
    }
    if (count)
        qsort(names, count, sizeof(*names), compare_names);
    for (size_t i = 0; i < count; i++)
        if (!kept || !str_eq(names[kept - 1], names[i]))
            names[kept++] = names[i];
    return str_join(a, S(";"), names, kept);
}

int sigv4_sign(const struct sigv4_signer *signer, struct wire_request *req, struct arena *a)
{
    const struct sigv4_credentials *cred = signer->credentials;
    bool s3 = str_is(signer->service, "s3");
    struct wire_headers h = {0};
    if (!wire_header(req, "Host").n)
        return -EINVAL;
    for (size_t i = 0; i < req->n_headers; i++)
        wire_headers_add(a, &h, req->headers[i].name, req->headers[i].value);
    struct str amz_date = clock_amz_date(a, signer->now_ms), date = str_slice(amz_date, 0, 8);
    struct str hash =
        signer->payload_sha256.p ? signer->payload_sha256 : body_sha256(a, &req->body);
    if (!hash.p)
        return -EIO;
    wire_headers_add(a, &h, S("X-Amz-Date"), amz_date);
    if (s3 || signer->payload_sha256.p)
        wire_headers_add(a, &h, S("X-Amz-Content-Sha256"), hash);
    if (cred->token.n)
        wire_headers_add(a, &h, S("X-Amz-Security-Token"), cred->token);
    struct wire_request whole = *req;
    whole.headers = h.items;
    whole.n_headers = h.n;

    auto_buf struct buf canonical;
    buf_init(&canonical, SIZE_MAX);
    struct str names = signed_names(a, h.items, h.n);
    int r = canonical_request(&canonical, a, &whole, s3, false, names, hash);
    if (r < 0)
        return r;
    struct str scope = credential_scope(a, date, signer->region, signer->service);
    uint8_t key[32];
    char signature[65];
    signing_key(cred->secret_key, date, signer->region, signer->service, key);
    sign_hex(key, string_to_sign(a, amz_date, scope, buf_view(&canonical)), signature);
    wire_headers_add(a, &h, S("Authorization"),
                     str_printf(a,
                                "AWS4-HMAC-SHA256 Credential=%.*s/%.*s, SignedHeaders=%.*s, "
                                "Signature=%s",
                                STR(cred->access_key), STR(scope), STR(names), signature));
    req->headers = h.items;
    req->n_headers = h.n;
    return 0;
}

int sigv4_presign(const struct sigv4_signer *signer, const struct wire_request *req,
                  int64_t expires_s, struct arena *a, struct str *ret)
{
    const struct sigv4_credentials *cred = signer->credentials;
    bool s3 = str_is(signer->service, "s3");
    if (!wire_header(req, "Host").n)
        return -EINVAL;
    struct str amz_date = clock_amz_date(a, signer->now_ms), date = str_slice(amz_date, 0, 8);
    struct str scope = credential_scope(a, date, signer->region, signer->service);
    struct str names = signed_names(a, req->headers, req->n_headers);
    struct str hash = signer->payload_sha256.p ? signer->payload_sha256
                      : s3                     ? S("UNSIGNED-PAYLOAD")
                                               : body_sha256(a, &req->body);
    if (!hash.p)
        return -EIO;
    struct wire_request whole = *req;
    struct str credential = str_printf(a, "%.*s/%.*s", STR(cred->access_key), STR(scope));
    whole.query = str_printf(
        a,
        "%.*s%sX-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%.*s&X-Amz-Date=%.*s"
        "&X-Amz-Expires=%lld&X-Amz-SignedHeaders=%.*s%s%.*s",
        STR(req->query), req->query.n ? "&" : "", STR(wire_percent_encode(a, credential, false)),
        STR(amz_date), (long long)expires_s, STR(wire_percent_encode(a, names, false)),
        cred->token.n ? "&X-Amz-Security-Token=" : "",
        STR(wire_percent_encode(a, cred->token, false)));
    auto_buf struct buf canonical;
    buf_init(&canonical, SIZE_MAX);
    int r = canonical_request(&canonical, a, &whole, s3, true, names, hash);
    if (r < 0)
        return r;
    uint8_t key[32];
    char signature[65];
    signing_key(cred->secret_key, date, signer->region, signer->service, key);
    sign_hex(key, string_to_sign(a, amz_date, scope, buf_view(&canonical)), signature);
    *ret = str_printf(a, "%.*s&X-Amz-Signature=%s", STR(whole.query), signature);
    return 0;
}
