/* test_wire_sigv4 - signatures against vectors (tests/vectors/sigv4: each step a file), what a
 * verifier says about wrong ones, and bodies in signed chunks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "wire/canonical.h"
#include "wire/chunked.h"
#include "wire/lambda.h"
#include "wire/logs.h"
#include "wire/s3.h"
#include "wire/sts.h"

#define MAX (1024 * 1024)

static struct str load(struct arena *a, struct str dir, const char *name)
{
    struct str text;
    struct str path = str_printf(a, "%s/sigv4/%.*s%s", TEST_VECTORS, STR(dir), name);
    if (fs_read(path.p, MAX, a, &text) < 0)
        fail_msg("cannot read %s", path.p);
    return text;
}

static void parse_request(struct arena *a, struct str text, struct wire_request *ret)
{
    struct wire_headers h = {0};
    struct str line, target, name, value;
    *ret = (struct wire_request){0};
    str_cut(text, '\n', &line, &text);
    str_cut(line, ' ', &ret->method, &line);
    str_cut(line, ' ', &target, &line);
    str_cut(target, '?', &ret->path, &ret->query);
    while (str_cut(text, '\n', &line, &text) && line.n) {
        str_cut(line, ':', &name, &value);
        wire_headers_add(a, &h, name, value);
    }
    ret->headers = h.items;
    ret->n_headers = h.n;
    ret->body = text.n ? body_mem(text) : (struct body){0};
}

static void check(const char *what, struct str dir, struct str got, struct str want)
{
    if (!str_eq(got, want))
        fail_msg("%.*s: %s\n got  %.*s\n want %.*s", STR(dir), what, STR(got), STR(want));
}

static int lookup(void *user, struct str access_key, struct str token, struct sigv4_secret *ret)
{
    const struct sigv4_credentials *known = user;
    if (str_eq(access_key, S("OLD")))
        return -ESTALE;
    if (!str_eq(access_key, known->access_key))
        return -ENOENT;
    *ret = (struct sigv4_secret){known->secret_key, known->token, user};
    return 0;
}

/* The signed request is taken, and refused when anything about it is changed. */
static void verify_both_ways(struct arena *a, struct str dir, const struct wire_request *req,
                             struct sigv4_credentials *cred, const struct service_model *service,
                             int64_t now)
{
    struct sigv4_verifier v = {.lookup = lookup, .user = cred, .now_ms = now};
    struct sigv4_result result;
    struct wire_error err = {0};
    if (sigv4_verify(&v, service, req, a, &result, &err) < 0)
        fail_msg("%.*s: %.*s: %.*s", STR(dir), STR(err.code), STR(err.message));
    assert_false(result.anonymous);
    assert_true(str_eq(result.access_key, cred->access_key));
    struct wire_request changed = *req;
    changed.path = str_printf(a, "%.*sx", STR(req->path));
    assert_int_equal(sigv4_verify(&v, service, &changed, a, &result, &err), -EACCES);
    changed = *req;
    changed.method = S("PATCH");
    assert_int_equal(sigv4_verify(&v, service, &changed, a, &result, &err), -EACCES);
    changed = *req;
    changed.query = str_printf(a, "%.*s&more=1", STR(req->query));
    assert_int_equal(sigv4_verify(&v, service, &changed, a, &result, &err), -EACCES);
    if (req->body.has) {
        changed = *req;
        changed.body = body_mem(S("something else"));
        assert_int_equal(sigv4_verify(&v, service, &changed, a, &result, &err), -EACCES);
    }
}

static const struct service_model *model_of(struct str service)
{
    return str_is(service, "s3")       ? &s3_model
           : str_is(service, "lambda") ? &lambda_model
           : str_is(service, "sts")    ? &sts_model
                                       : NULL;
}

static void vector(struct arena *a, struct str dir)
{
    struct json *context;
    struct wire_request req;
    assert_int_equal(json_parse(a, load(a, dir, "context.json"), &context, NULL), 0);
    parse_request(a, load(a, dir, "request.txt"), &req);
    struct sigv4_credentials cred = {json_get_str(context, "access_key"),
                                     json_get_str(context, "secret_key"),
                                     json_get_str(context, "token")};
    struct sigv4_signer signer = {.credentials = &cred,
                                  .region = json_get_str(context, "region"),
                                  .service = json_get_str(context, "service")};
    struct str time = json_get_str(context, "time");
    assert_int_equal(clock_parse_amz_date(time, &signer.now_ms), 0);
    bool s3 = str_is(signer.service, "s3");

    /* The steps, on the headers that are signed. */
    struct str want = load(a, dir, "canonical-request.txt"), names, hash, rest = want;
    ssize_t at = str_find_last_byte(want, '\n');
    hash = str_slice(want, (size_t)at + 1, want.n);
    rest = str_slice(want, 0, (size_t)at);
    at = str_find_last_byte(rest, '\n');
    names = str_slice(rest, (size_t)at + 1, rest.n);
    int64_t expires = 0;
    bool presigned = json_int(json_get(context, "expires"), &expires) == 0;
    struct wire_request whole = req;
    struct wire_headers h = {0};
    for (size_t i = 0; i < req.n_headers; i++)
        wire_headers_add(a, &h, req.headers[i].name, req.headers[i].value);
    wire_headers_add(a, &h, S("X-Amz-Date"), time);
    wire_headers_add(a, &h, S("X-Amz-Content-SHA256"), hash);
    if (cred.token.n)
        wire_headers_add(a, &h, S("X-Amz-Security-Token"), cred.token);
    whole.headers = h.items;
    whole.n_headers = h.n;
    if (presigned)
        whole.query = load(a, dir, "query.txt");
    auto_buf struct buf canonical;
    buf_init(&canonical, SIZE_MAX);
    assert_int_equal(canonical_request(&canonical, a, &whole, s3, true, names, hash), 0);
    check("canonical request", dir, buf_view(&canonical), want);
    struct str date = str_slice(time, 0, 8);
    struct str to_sign = string_to_sign(
        a, time, credential_scope(a, date, signer.region, signer.service), buf_view(&canonical));
    check("string to sign", dir, to_sign, load(a, dir, "string-to-sign.txt"));
    uint8_t key[32];
    char signature[65];
    signing_key(cred.secret_key, date, signer.region, signer.service, key);
    sign_hex(key, to_sign, signature);
    check("signature", dir, str_from(signature), load(a, dir, "signature.txt"));

    /* All at once, and back. */
    const struct service_model *service = model_of(signer.service);
    if (presigned) {
        struct str query;
        assert_int_equal(sigv4_presign(&signer, &req, expires, a, &query), 0);
        check("presigned", dir, str_slice(query, query.n - 64, query.n),
              load(a, dir, "signature.txt"));
        req.query = query;
        verify_both_ways(a, dir, &req, &cred, service, signer.now_ms + expires * 1000);
        struct sigv4_verifier late = {
            .lookup = lookup, .user = &cred, .now_ms = signer.now_ms + expires * 1000 + 1};
        struct sigv4_result result;
        struct wire_error err;
        assert_int_equal(sigv4_verify(&late, service, &req, a, &result, &err), -EACCES);
        if (s3)
            assert_true(str_is(err.message, "Request has expired"));
        return;
    }
    assert_int_equal(sigv4_sign(&signer, &req, a), 0);
    check("authorization", dir, wire_header(&req, "Authorization"),
          load(a, dir, "authorization.txt"));
    verify_both_ways(a, dir, &req, &cred, service, signer.now_ms + 299000);
}

static void vectors(void **unused)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str *names, root = str_printf(&a, "%s/sigv4", TEST_VECTORS);
    size_t n, seen = 0;
    assert_int_equal(fs_walk(&a, root.p, &names, &n), 0);
    for (size_t i = 0; i < n; i++)
        if (str_ends(names[i], S("/"))) {
            vector(&a, names[i]);
            seen++;
        }
    assert_true(seen >= 19);
}

/* ---- refusals ---- */

struct refusal {
    const char *name;
    const struct service_model *service;
    const char *header; /* name of the header that is changed */
    const char *value;  /* NULL: taken away */
    int64_t later_ms;
    const char *code;
    int status;
    const char *message; /* what it begins with */
};

#define CRED(key, date, service, end)                                                              \
    "AWS4-HMAC-SHA256 Credential=" key "/" date "/us-east-1/" service "/" end                      \
    ", SignedHeaders=host;x-amz-date, "                                                            \
    "Signature=0000000000000000000000000000000000000000000000000000000000000000"

static const struct refusal refusals[] = {
    {"wrong signature, query", &sts_model, "Authorization",
     CRED("AK", "20251124", "sts", "aws4_request"), 0, "SignatureDoesNotMatch", 403,
     "The request signature we calculated does not match the signature you provided. Check your "
     "AWS "
     "Secret Access Key and signing method."},
    {"wrong signature, json", &logs_model, "Authorization",
     CRED("AK", "20251124", "logs", "aws4_request"), 0, "InvalidSignatureException", 400,
     "The request signature we calculated"},
    {"wrong signature, rest", &lambda_model, "Authorization",
     CRED("AK", "20251124", "lambda", "aws4_request"), 0, "InvalidSignatureException", 403,
     "The request signature we calculated"},
    {"wrong signature, s3", &s3_model, "Authorization",
     CRED("AK", "20251124", "s3", "aws4_request"), 0, "SignatureDoesNotMatch", 403,
     "The request signature we calculated does not match the signature you provided. Check your "
     "key "
     "and signing method."},
    {"unknown key, query", &sts_model, "Authorization",
     CRED("NOBODY", "20251124", "sts", "aws4_request"), 0, "InvalidClientTokenId", 403,
     "The security token included in the request is invalid."},
    {"unknown key, json", &logs_model, "Authorization",
     CRED("NOBODY", "20251124", "logs", "aws4_request"), 0, "UnrecognizedClientException", 400,
     "The security token included in the request is invalid."},
    {"unknown key, rest", &lambda_model, "Authorization",
     CRED("NOBODY", "20251124", "lambda", "aws4_request"), 0, "UnrecognizedClientException", 403,
     "The security token included in the request is invalid."},
    {"unknown key, s3", &s3_model, "Authorization",
     CRED("NOBODY", "20251124", "s3", "aws4_request"), 0, "InvalidAccessKeyId", 403,
     "The AWS Access Key Id you provided does not exist in our records."},
    {"expired session, query", &sts_model, "Authorization",
     CRED("OLD", "20251124", "sts", "aws4_request"), 0, "ExpiredToken", 403,
     "The security token included in the request is expired"},
    {"expired session, s3", &s3_model, "Authorization",
     CRED("OLD", "20251124", "s3", "aws4_request"), 0, "ExpiredToken", 400,
     "The provided token has expired."},
    {"five minutes and a bit", &sts_model, NULL, NULL, 300001, "SignatureDoesNotMatch", 403,
     "Signature expired: 20251124T231120Z is now earlier than 20251124T231120Z (20251124T231620Z - "
     "5 "
     "min.)"},
    {"from the future", &sts_model, NULL, NULL, -301000, "SignatureDoesNotMatch", 403,
     "Signature not yet current: 20251124T231120Z is still later than 20251124T231119Z "
     "(20251124T230619Z + 5 min.)"},
    {"fifteen minutes and a bit, s3", &s3_model, NULL, NULL, 900001, "RequestTimeTooSkewed", 403,
     "The difference between the request time and the current time is too large."},
    {"another service's scope", &sts_model, "Authorization",
     CRED("AK", "20251124", "iam", "aws4_request"), 0, "SignatureDoesNotMatch", 403,
     "Credential should be scoped to correct service: 'sts'."},
    {"another day's scope", &sts_model, "Authorization",
     CRED("AK", "20251123", "sts", "aws4_request"), 0, "SignatureDoesNotMatch", 403,
     "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
     "'20251123' != '20251124', from '20251124T231120Z'."},
    {"another terminator", &sts_model, "Authorization", CRED("AK", "20251124", "sts", "aws3"), 0,
     "SignatureDoesNotMatch", 403,
     "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws3'."},
    {"no signature in the header", &sts_model, "Authorization",
     "AWS4-HMAC-SHA256 Credential=AK/20251124/us-east-1/sts/aws4_request, SignedHeaders=host", 0,
     "IncompleteSignature", 400, "Authorization header requires 'Signature' parameter."},
    {"no date", &sts_model, "X-Amz-Date", NULL, 0, "IncompleteSignature", 400,
     "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."},
    {"basic authorization", &sts_model, "Authorization", "Basic Zm9vOmJhcg==", 0,
     "IncompleteSignature", 400, "Authorization header requires 'Credential' parameter."},
    {"basic authorization, s3", &s3_model, "Authorization", "Basic Zm9vOmJhcg==", 0,
     "InvalidArgument", 400, "Unsupported Authorization Type"},
    {"host is not signed", &sts_model, "Authorization",
     "AWS4-HMAC-SHA256 Credential=AK/20251124/us-east-1/sts/aws4_request, "
     "SignedHeaders=x-amz-date, "
     "Signature=0000000000000000000000000000000000000000000000000000000000000000",
     0, "SignatureDoesNotMatch", 403, "'Host' or ':authority' must be a 'SignedHeader'"},
    {"no content hash, s3", &s3_model, "X-Amz-Content-Sha256", NULL, 0, "InvalidRequest", 400,
     "Missing required header for this request: x-amz-content-sha256"},
};

static void refuse(struct arena *a, const struct refusal *t)
{
    struct sigv4_credentials cred = {S("AK"), S("SK"), {0}};
    struct wire_header host = {S("Host"), S("example.com")};
    struct wire_request req = {
        .method = S("POST"), .path = S("/"), .headers = &host, .n_headers = 1};
    struct sigv4_signer signer = {.credentials = &cred,
                                  .region = S("us-east-1"),
                                  .service = str_from(t->service->signing_name)};
    assert_int_equal(clock_parse_amz_date(S("20251124T231120Z"), &signer.now_ms), 0);
    assert_int_equal(sigv4_sign(&signer, &req, a), 0);
    struct wire_headers h = {0};
    for (size_t i = 0; i < req.n_headers; i++) {
        struct wire_header one = req.headers[i];
        if (t->header && str_is(one.name, t->header)) {
            if (!t->value)
                continue;
            one.value = str_from(t->value);
        }
        wire_headers_add(a, &h, one.name, one.value);
    }
    req.headers = h.items;
    req.n_headers = h.n;
    struct sigv4_verifier v = {
        .lookup = lookup, .user = &cred, .now_ms = signer.now_ms + t->later_ms};
    struct sigv4_result result;
    struct wire_error err = {0};
    if (sigv4_verify(&v, t->service, &req, a, &result, &err) != -EACCES)
        fail_msg("%s: was taken", t->name);
    if (!str_is(err.code, t->code) || err.status != t->status ||
        !str_starts(err.message, str_from(t->message)))
        fail_msg("%s: %d %.*s: %.*s", t->name, err.status, STR(err.code), STR(err.message));
}

static void refused(void **unused)
{
    auto_arena struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        refuse(&a, &refusals[i]);
}

static void unsigned_is_anonymous(void **unused)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct sigv4_verifier v = {.lookup = lookup};
    struct wire_request req = {.method = S("GET"), .path = S("/")};
    struct sigv4_result result;
    struct wire_error err;
    assert_int_equal(sigv4_verify(&v, &sts_model, &req, &a, &result, &err), 0);
    assert_true(result.anonymous);
}

static void session_tokens(void **unused)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct sigv4_credentials cred = {S("AK"), S("SK"), S("right")}, other = {S("AK"), S("SK"), {0}};
    struct wire_header host = {S("Host"), S("example.com")};
    struct wire_request req = {
        .method = S("GET"), .path = S("/"), .headers = &host, .n_headers = 1};
    struct sigv4_signer signer = {.credentials = &other,
                                  .region = S("us-east-1"),
                                  .service = S("s3"),
                                  .now_ms = clock_now_ms()};
    struct sigv4_verifier v = {.lookup = lookup, .user = &cred, .now_ms = signer.now_ms};
    struct sigv4_result result;
    struct wire_error err;
    assert_int_equal(sigv4_sign(&signer, &req, &a), 0);
    assert_int_equal(sigv4_verify(&v, &s3_model, &req, &a, &result, &err), -EACCES);
    assert_true(str_is(err.code, "InvalidAccessKeyId"));
    other.token = S("wrong");
    req =
        (struct wire_request){.method = S("GET"), .path = S("/"), .headers = &host, .n_headers = 1};
    assert_int_equal(sigv4_sign(&signer, &req, &a), 0);
    assert_int_equal(sigv4_verify(&v, &s3_model, &req, &a, &result, &err), -EACCES);
    assert_true(str_is(err.code, "InvalidToken"));
}

/* ---- chunks: the examples of Amazon S3's API reference ---- */

#define SEED_KEY "AKIAIOSFODNN7EXAMPLE"
#define SEED_SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
static const char *const chunk_signatures[] = {
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"};
static const char *const trailer_signatures[] = {
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"};

static void chunked_body_text(struct buf *b, const char *const *signatures, const char *trailer)
{
    static const size_t sizes[] = {65536, 1024, 0};
    for (size_t i = 0; i < 3; i++) {
        buf_printf(b, "%zx;chunk-signature=%s\r\n", sizes[i], signatures[i]);
        for (size_t k = 0; k < sizes[i]; k++)
            buf_byte(b, 'a');
        if (sizes[i] || !trailer)
            buf_text(b, "\r\n");
    }
    if (trailer)
        buf_printf(b, "%s\r\n", trailer);
}

static int decode_example(struct arena *a, bool trailer, struct str body, struct body *ret,
                          struct wire_pair *sum, struct wire_error *err)
{
    struct sigv4_credentials cred = {S(SEED_KEY), S(SEED_SECRET), {0}};
    struct wire_headers h = {0};
    wire_headers_add(a, &h, S("Host"), S("s3.amazonaws.com"));
    wire_headers_add(a, &h, S("x-amz-storage-class"), S("REDUCED_REDUNDANCY"));
    wire_headers_add(a, &h, S("Content-Encoding"), S("aws-chunked"));
    wire_headers_add(a, &h, S("x-amz-decoded-content-length"), S("66560"));
    if (trailer)
        wire_headers_add(a, &h, S("x-amz-trailer"), S("x-amz-checksum-crc32c"));
    else
        wire_headers_add(a, &h, S("Content-Length"), S("66824"));
    struct wire_request req = {.method = S("PUT"),
                               .path = S("/examplebucket/chunkObject.txt"),
                               .headers = h.items,
                               .n_headers = h.n,
                               .body = body_mem(body)};
    struct sigv4_signer signer = {.credentials = &cred,
                                  .region = S("us-east-1"),
                                  .service = S("s3"),
                                  .payload_sha256 =
                                      trailer ? S("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
                                              : S("STREAMING-AWS4-HMAC-SHA256-PAYLOAD")};
    assert_int_equal(clock_parse_amz_date(S("20130524T000000Z"), &signer.now_ms), 0);
    assert_int_equal(sigv4_sign(&signer, &req, a), 0);
    struct sigv4_verifier v = {.lookup = lookup, .user = &cred, .now_ms = signer.now_ms};
    struct sigv4_result auth;
    assert_int_equal(sigv4_verify(&v, &s3_model, &req, a, &auth, err), 0);
    const char *seed = trailer ? "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
                               : "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
    assert_string_equal(auth.signature, seed);
    return chunked_body(&auth, &req, -1, a, ret, sum, err);
}

static void signed_chunks(void **unused)
{
    auto_arena struct arena a;
    arena_init(&a);
    auto_buf struct buf b;
    struct body body;
    struct wire_pair sum;
    struct wire_error err = {0};
    buf_init(&b, SIZE_MAX);
    chunked_body_text(&b, chunk_signatures, NULL);
    assert_int_equal(b.n, 66824);
    if (decode_example(&a, false, buf_view(&b), &body, &sum, &err) < 0)
        fail_msg("%.*s: %.*s", STR(err.code), STR(err.message));
    assert_int_equal(body.size, 66560);
    b.p[70000 - 4000] = 'b';
    assert_int_equal(decode_example(&a, false, buf_view(&b), &body, &sum, &err), -EBADMSG);
    assert_true(str_is(err.code, "SignatureDoesNotMatch"));
    b.p[70000 - 4000] = 'a';
    assert_int_equal(
        decode_example(&a, false, str_slice(buf_view(&b), 0, b.n - 100), &body, &sum, &err),
        -EBADMSG);
    assert_true(str_is(err.code, "IncompleteBody"));
}

static void signed_trailers(void **unused)
{
    auto_arena struct arena a;
    arena_init(&a);
    auto_buf struct buf b;
    struct body body;
    struct wire_pair sum;
    struct wire_error err = {0};
    buf_init(&b, SIZE_MAX);
    chunked_body_text(&b, trailer_signatures,
                      "x-amz-checksum-crc32c:sOO8/Q==\r\n"
                      "x-amz-trailer-signature:"
                      "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n");
    if (decode_example(&a, true, buf_view(&b), &body, &sum, &err) < 0)
        fail_msg("%.*s: %.*s", STR(err.code), STR(err.message));
    assert_int_equal(body.size, 66560);
    assert_true(str_is(sum.value, "sOO8/Q=="));
    buf_clear(&b);
    chunked_body_text(&b, trailer_signatures, "x-amz-checksum-crc32c:sOO8/Q==\r\n");
    assert_int_equal(decode_example(&a, true, buf_view(&b), &body, &sum, &err), -EBADMSG);
    assert_true(str_is(err.code, "SignatureDoesNotMatch"));
}

static int keep(void *user, const void *p, size_t n)
{
    buf_add(user, p, n);
    return 0;
}

/* Fed byte by byte: the state machine must not care where the pieces end. */
static void unsigned_trailers(void **unused)
{
    static const struct {
        const char *text, *code;
    } cases[] = {
        {"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n", NULL},
        {"b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "BadDigest"},
        {"b\r\nhello world\r\n0\r\n\r\n", "MalformedTrailerError"},
        {"b\r\nhello world\r\n0\r\nnonsense\r\n\r\n", "MalformedTrailerError"},
        {"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n", "IncompleteBody"},
        {"ffffffffffff\r\nhello", "IncompleteBody"},
        {"zz\r\n", "IncompleteBody"},
        {"b\r\nhello worldX\r\n", "IncompleteBody"},
        {"", "IncompleteBody"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        auto_arena struct arena a;
        arena_init(&a);
        auto_buf struct buf out;
        buf_init(&out, SIZE_MAX);
        struct sigv4_result auth = {.payload = SIGV4_PAYLOAD_UNSIGNED_CHUNKED_TRAILER};
        struct wire_error err = {0};
        struct wire_pair sum = {0};
        struct chunked *c = chunked_open(&auth, 11, S("x-amz-checksum-crc32"));
        int r = 0;
        for (const char *p = cases[i].text; *p && r == 0; p++)
            r = chunked_feed(c, p, 1, keep, &out, &a, &err);
        if (r == 0)
            r = chunked_end(c, &a, &sum, &err);
        chunked_close(c);
        if (!cases[i].code) {
            assert_int_equal(r, 0);
            assert_true(str_is(buf_view(&out), "hello world"));
            assert_true(str_is(sum.value, "DUoRhQ=="));
        } else {
            assert_int_equal(r, -EBADMSG);
            if (!str_is(err.code, cases[i].code))
                fail_msg("case %zu: %.*s", i, STR(err.code));
        }
    }
}

/* A small request is verified within 15 us; ten times that even under sanitizers on a busy machine.
 */
static void speed(void **unused)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct sigv4_credentials cred = {S("AK"), S("SK"), {0}};
    struct wire_header host[] = {{S("Host"), S("127.0.0.1:4566")},
                                 {S("Content-Type"), S("application/json")}};
    struct wire_request req = {.method = S("POST"),
                               .path = S("/2015-03-31/functions/f/invocations"),
                               .headers = host,
                               .n_headers = 2,
                               .body = body_mem(S("{\"a\":1}"))};
    struct sigv4_signer signer = {.credentials = &cred,
                                  .region = S("us-east-1"),
                                  .service = S("lambda"),
                                  .now_ms = clock_now_ms()};
    assert_int_equal(sigv4_sign(&signer, &req, &a), 0);
    struct sigv4_verifier v = {.lookup = lookup, .user = &cred, .now_ms = signer.now_ms};
    int64_t best = INT64_MAX;
    for (int i = 0; i < 2000; i++) {
        auto_arena struct arena scratch;
        arena_init(&scratch);
        struct sigv4_result result;
        struct wire_error err;
        int64_t start = clock_mono_ns();
        assert_int_equal(sigv4_verify(&v, &lambda_model, &req, &scratch, &result, &err), 0);
        int64_t took = clock_mono_ns() - start;
        best = took < best ? took : best;
    }
    print_message("# verify: %.1f us\n", (double)best / 1000);
    assert_true(best < 150000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
        cmocka_unit_test(refused),
        cmocka_unit_test(unsigned_is_anonymous),
        cmocka_unit_test(session_tokens),
        cmocka_unit_test(signed_chunks),
        cmocka_unit_test(signed_trailers),
        cmocka_unit_test(unsigned_trailers),
        cmocka_unit_test(speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
