/* presigned_v2 - S3's older presigned URLs: ?AWSAccessKeyId=...&Expires=...&Signature=...
 *
 * boto3 still makes these by default (generate_presigned_url without signature_version s3v4). What
 * is signed, with HMAC-SHA1: method, Content-MD5, Content-Type, Expires, x-amz- headers, and the
 * path with the parameters that name a sub-resource. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include "base/cleanup.h"
#include "base/digest.h"
#include "cloud/internal.h"

bool presigned_v2(struct arena *a, const struct wire_request *req)
{
    return str_find(req->query, S("AWSAccessKeyId=")) >= 0 &&
           str_has(wire_query_get(a, req->query, S("Signature"))) &&
           str_has(wire_query_get(a, req->query, S("Expires")));
}

static void hmac_sha1(struct str key, struct str data, struct arena *a, uint8_t ret[20])
{
    uint8_t block[64] = {0}, inner[20];
    if (key.n > sizeof(block))
        digest_sha1(key, block);
    else
        memcpy(block, key.p, key.n);
    char *text = arena_alloc(a, sizeof(block) + (data.n > 20 ? data.n : 20));
    for (size_t i = 0; i < sizeof(block); i++)
        text[i] = (char)(block[i] ^ 0x36);
    memcpy(text + sizeof(block), data.p, data.n);
    digest_sha1(str_of(text, sizeof(block) + data.n), inner);
    for (size_t i = 0; i < sizeof(block); i++)
        text[i] = (char)(block[i] ^ 0x5c);
    memcpy(text + sizeof(block), inner, sizeof(inner));
    digest_sha1(str_of(text, sizeof(block) + sizeof(inner)), ret);
}

static int by_name(const void *x, const void *y)
{
    return str_cmp(((const struct wire_header *)x)->name, ((const struct wire_header *)y)->name);
}

static void add_amz_headers(struct buf *b, const struct wire_request *req, struct arena *a)
{
    struct wire_header *amz = ARENA_ARRAY(a, struct wire_header, req->n_headers + 1);
    size_t n = 0;
    for (size_t i = 0; i < req->n_headers; i++) {
        struct str name = str_lower(a, req->headers[i].name);
        if (str_starts(name, S("x-amz-")))
            amz[n++] = (struct wire_header){name, req->headers[i].value};
    }
    /* a session's token stands in the query and is signed as the header it stands for */
    struct str token = wire_query_get(a, req->query, S("x-amz-security-token"));
    if (str_has(token))
        amz[n++] = (struct wire_header){S("x-amz-security-token"), token};
    qsort(amz, n, sizeof(*amz), by_name);
    for (size_t i = 0; i < n; i++) {
        buf_str(b, amz[i].name);
        buf_byte(b, ':');
        buf_str(b, amz[i].value);
        buf_byte(b, '\n');
    }
}

static void add_subresources(struct buf *b, const struct wire_request *req, struct arena *a)
{
    static const char *const signed_names[] = {"accelerate",
                                               "acl",
                                               "analytics",
                                               "cors",
                                               "delete",
                                               "defaultObjectAcl",
                                               "encryption",
                                               "inventory",
                                               "lifecycle",
                                               "location",
                                               "logging",
                                               "metrics",
                                               "notification",
                                               "partNumber",
                                               "policy",
                                               "publicAccessBlock",
                                               "replication",
                                               "requestPayment",
                                               "response-cache-control",
                                               "response-content-disposition",
                                               "response-content-encoding",
                                               "response-content-language",
                                               "response-content-type",
                                               "response-expires",
                                               "restore",
                                               "select",
                                               "storageClass",
                                               "tagging",
                                               "torrent",
                                               "uploadId",
                                               "uploads",
                                               "versionId",
                                               "versioning",
                                               "versions",
                                               "website"}; /* in the order of their bytes */
    char sep = '?';
    for (size_t i = 0; i < ARRAY_LEN(signed_names); i++) {
        struct str name = str_from(signed_names[i]);
        struct str value = wire_query_get(a, req->query, name);
        if (!str_has(value))
            continue;
        buf_byte(b, sep);
        buf_str(b, name);
        if (value.n) {
            buf_byte(b, '=');
            buf_str(b, value);
        }
        sep = '&';
    }
}

static struct str string_to_sign(struct frame *f, struct str expires)
{
    struct arena *a = f->call.arena;
    const struct wire_request *req = &f->wire;
    struct buf b;
    buf_init(&b, 1024 * 1024);
    buf_str(&b, req->method);
    buf_byte(&b, '\n');
    buf_str(&b, wire_header(req, "Content-MD5"));
    buf_byte(&b, '\n');
    buf_str(&b, wire_header(req, "Content-Type"));
    buf_byte(&b, '\n');
    buf_str(&b, expires);
    buf_byte(&b, '\n');
    add_amz_headers(&b, req, a);
    buf_str(&b, f->routed.path); /* with the bucket, wherever it stood */
    add_subresources(&b, req, a);
    struct str text = buf_copy(&b, a);
    buf_done(&b);
    return text;
}

static int refuse(struct frame *f, struct wire_error *err, struct str code, struct str message)
{
    wire_error_set(err, f->mounted->model, code, message);
    err->status = 403;
    return -EACCES;
}

int presigned_v2_verify(struct frame *f, sigv4_lookup_fn *lookup, struct wire_error *err)
{
    struct arena *a = f->call.arena;
    struct str expires = wire_query_get(a, f->wire.query, S("Expires"));
    struct str signature = wire_query_get(a, f->wire.query, S("Signature"));
    struct str access_key = wire_query_get(a, f->wire.query, S("AWSAccessKeyId"));
    struct str token = wire_query_get(a, f->wire.query, S("x-amz-security-token"));
    struct sigv4_secret secret;
    int64_t until;
    if (str_to_int64(expires, &until) < 0)
        return refuse(f, err, S("AccessDenied"), S("Invalid date (should be seconds since epoch)"));
    if (until * 1000 < f->call.now_ms)
        return refuse(f, err, S("AccessDenied"), S("Request has expired"));
    int r = lookup(f, access_key, token, &secret);
    if (r == -ESTALE)
        return refuse(f, err, S("ExpiredToken"), S("The provided token has expired."));
    if (r < 0)
        return refuse(f, err, S("InvalidAccessKeyId"),
                      S("The AWS Access Key Id you provided does not exist in our records."));
    if (str_has(secret.token) && !str_eq(secret.token, token))
        return refuse(f, err, S("InvalidToken"),
                      S("The provided token is malformed or otherwise invalid."));
    uint8_t mac[20];
    hmac_sha1(secret.secret_key, string_to_sign(f, expires), a, mac);
    struct str expected = base64_encode(a, str_of((const char *)mac, sizeof(mac)));
    unsigned differs = expected.n != signature.n;
    for (size_t i = 0; i < expected.n && expected.n == signature.n; i++)
        differs |= (unsigned)(expected.p[i] ^ signature.p[i]);
    if (differs)
        return refuse(f, err, S("SignatureDoesNotMatch"),
                      S("The request signature we calculated does not match the signature you "
                        "provided. Check your key and signing method."));
    f->auth = (struct sigv4_result){.presigned = true,
                                    .access_key = access_key,
                                    .token = token,
                                    .region = S("us-east-1"),
                                    .service = S("s3"),
                                    .payload = SIGV4_PAYLOAD_UNSIGNED};
    return 0;
}
