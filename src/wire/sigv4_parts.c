/* sigv4_parts - see sigv4_parts.h. */
#include "wire/sigv4_parts.h"
#include <errno.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"

enum kind sigv4_kind_of(const struct service_model *service)
{
    if (!service)
        return KIND_QUERY;
    switch (service->protocol) {
    case PROTOCOL_REST_XML:
        return KIND_S3;
    case PROTOCOL_QUERY:
        return KIND_QUERY;
    case PROTOCOL_REST_JSON:
        return KIND_REST;
    default:
        return KIND_JSON;
    }
}

#define S3_MISMATCH                                                                                \
    "The request signature we calculated does not match the signature you provided. Check your "   \
    "key and signing method."
#define BAD_TOKEN "The security token included in the request is invalid."
#define OLD_TOKEN "The security token included in the request is expired"

/* message NULL: the caller words it. The status of KIND_REST is 403 where KIND_JSON has 400. */
static const struct {
    const char *code;
    int status;
    const char *message;
} failures[][4] = {
    [UNKNOWN_KEY] = {{"InvalidAccessKeyId", 403,
                      "The AWS Access Key Id you provided does not exist in our records."},
                     {"InvalidClientTokenId", 403, BAD_TOKEN},
                     {"UnrecognizedClientException", 400, BAD_TOKEN},
                     {"UnrecognizedClientException", 403, BAD_TOKEN}},
    [WRONG_SIGNATURE] = {{"SignatureDoesNotMatch", 403, S3_MISMATCH},
                         {"SignatureDoesNotMatch", 403, SIGV4_MISMATCH},
                         {"InvalidSignatureException", 400, SIGV4_MISMATCH},
                         {"InvalidSignatureException", 403, SIGV4_MISMATCH}},
    [WRONG_TOKEN] = {{"InvalidToken", 400, "The provided token is malformed or otherwise invalid."},
                     {"InvalidClientTokenId", 403, BAD_TOKEN},
                     {"UnrecognizedClientException", 400, BAD_TOKEN},
                     {"UnrecognizedClientException", 403, BAD_TOKEN}},
    [EXPIRED_TOKEN] = {{"ExpiredToken", 400, "The provided token has expired."},
                       {"ExpiredToken", 403, OLD_TOKEN},
                       {"ExpiredTokenException", 400, OLD_TOKEN},
                       {"ExpiredTokenException", 403, OLD_TOKEN}},
    [INCOMPLETE] = {{"AuthorizationHeaderMalformed", 400, NULL},
                    {"IncompleteSignature", 400, NULL},
                    {"IncompleteSignatureException", 400, NULL},
                    {"IncompleteSignatureException", 403, NULL}},
    [SKEWED] = {{"RequestTimeTooSkewed", 403,
                 "The difference between the request time and the current time is too large."},
                {"SignatureDoesNotMatch", 403, NULL},
                {"InvalidSignatureException", 400, NULL},
                {"InvalidSignatureException", 403, NULL}},
    [EXPIRED_URL] = {{"AccessDenied", 403, "Request has expired"},
                     {"SignatureDoesNotMatch", 403, NULL},
                     {"InvalidSignatureException", 400, NULL},
                     {"InvalidSignatureException", 403, NULL}},
    [WRONG_SCOPE] = {{"AuthorizationHeaderMalformed", 400, NULL},
                     {"SignatureDoesNotMatch", 403, NULL},
                     {"InvalidSignatureException", 400, NULL},
                     {"InvalidSignatureException", 403, NULL}},
};

/* text is used where the table has none. */
int sigv4_refuse(enum failure what, enum kind kind, struct str text, struct wire_error *err)
{
    const char *message = failures[what][kind].message;
    *err = (struct wire_error){.code = str_from(failures[what][kind].code),
                               .status = failures[what][kind].status,
                               .message = message ? str_from(message) : text};
    return -EACCES;
}

static struct str trim_all(struct str s)
{
    return str_trim(s);
}

/* AWS4-HMAC-SHA256 Credential=K/D/R/S/aws4_request, SignedHeaders=a;b, Signature=hex */
static void parse_header(struct str value, struct parts *p)
{
    struct str part, rest = str_slice(value, strlen("AWS4-HMAC-SHA256"), value.n), name, text;
    while (rest.n) {
        str_cut(rest, ',', &part, &rest);
        str_cut(trim_all(part), '=', &name, &text);
        if (str_eq(name, S("Credential")))
            p->credential = text;
        else if (str_eq(name, S("SignedHeaders")))
            p->signed_headers = text;
        else if (str_eq(name, S("Signature")))
            p->signature = text;
    }
}

/* The access key may itself hold a slash: the scope is counted from the end. */
static bool split_credential(struct parts *p)
{
    struct str rest = p->credential;
    struct str *into[] = {&p->terminator, &p->service, &p->region, &p->date};
    for (size_t i = 0; i < 4; i++) {
        ssize_t slash = rest.p ? str_find_last_byte(rest, '/') : -1;
        if (slash < 0)
            return false;
        *into[i] = str_slice(rest, (size_t)slash + 1, rest.n);
        rest = str_slice(rest, 0, (size_t)slash);
    }
    p->access_key = rest;
    return rest.n > 0;
}

static void parse_query(struct arena *a, struct str query, struct parts *p)
{
    p->presigned = true;
    p->credential = wire_query_get(a, query, S("X-Amz-Credential"));
    p->signed_headers = wire_query_get(a, query, S("X-Amz-SignedHeaders"));
    p->signature = wire_query_get(a, query, S("X-Amz-Signature"));
    p->amz_date = wire_query_get(a, query, S("X-Amz-Date"));
    p->expires = wire_query_get(a, query, S("X-Amz-Expires"));
    p->token = wire_query_get(a, query, S("X-Amz-Security-Token"));
}

bool sigv4_is_presigned(struct str query)
{
    return query.n && (str_find(query, S("X-Amz-Algorithm=")) >= 0 ||
                       str_find(query, S("X-Amz-Signature=")) >= 0);
}

static void scope_of(struct arena *a, const struct wire_request *req, struct parts *p)
{
    struct str header = wire_header(req, "Authorization");
    if (header.p && str_starts(header, S("AWS4-HMAC-SHA256")))
        parse_header(header, p);
    else if (sigv4_is_presigned(req->query))
        parse_query(a, req->query, p);
    if (!split_credential(p))
        p->service = p->region = (struct str){0};
}

struct str sigv4_scope_service(struct arena *a, const struct wire_request *req)
{
    struct parts p = {0};
    scope_of(a, req, &p);
    return p.service;
}

static int incomplete(struct arena *a, enum kind kind, const struct parts *p, struct str header,
                      struct wire_error *err)
{
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX);
    if (kind == KIND_S3) {
        buf_text(&b, p->presigned ? "Query-string authentication version 4 requires the "
                                    "X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
                                    "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
                                  : "The authorization header is malformed; the Credential is "
                                    "mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/"
                                    "aws4_request\".");
        sigv4_refuse(INCOMPLETE, kind, buf_copy(&b, a), err);
        if (p->presigned)
            err->code = S("AuthorizationQueryParametersError");
        return -EACCES;
    }
    const char *where = p->presigned ? "AWS query-string parameters must include" : NULL;
    const struct {
        const char *name, *query_name;
        struct str value;
    } wanted[] = {{"Credential", "X-Amz-Credential", p->credential},
                  {"Signature", "X-Amz-Signature", p->signature},
                  {"SignedHeaders", "X-Amz-SignedHeaders", p->signed_headers}};
    for (size_t i = 0; i < 3; i++) {
        if (wanted[i].value.n)
            continue;
        if (where)
            buf_printf(&b, "%s '%s'. ", where, wanted[i].query_name);
        else
            buf_printf(&b, "Authorization header requires '%s' parameter. ", wanted[i].name);
    }
    if (!p->amz_date.n)
        buf_text(&b, where ? "AWS query-string parameters must include 'X-Amz-Date'. "
                           : "Authorization header requires existence of either a 'X-Amz-Date' or "
                             "a 'Date' header. ");
    if (!b.n)
        buf_printf(&b,
                   "Credential must have exactly 5 slash-delimited elements, e.g. "
                   "keyid/date/region/service/term, got '%.*s'. ",
                   STR(p->credential));
    if (header.p) {
        ssize_t blank = str_find_byte(header, ' ');
        buf_printf(&b, "Authorization=%.*s",
                   STR(str_slice(header, 0, blank < 0 ? header.n : (size_t)blank)));
    }
    return sigv4_refuse(INCOMPLETE, kind, str_trim(buf_copy(&b, a)), err);
}

int sigv4_parse(struct arena *a, enum kind kind, const struct wire_request *req, struct parts *p,
                int64_t *ret_ms, struct wire_error *err)
{
    struct str header = wire_header(req, "Authorization");
    if (header.p) {
        if (str_starts(header, S("AWS4-HMAC-SHA256"))) {
            parse_header(header, p);
        } else if (kind == KIND_S3) {
            *err = (struct wire_error){.code = S("InvalidArgument"),
                                       .status = 400,
                                       .message = S("Unsupported Authorization Type")};
            return -EACCES;
        }
        p->amz_date = wire_header(req, "X-Amz-Date");
        p->token = wire_header(req, "X-Amz-Security-Token");
        int64_t ms;
        struct str date = wire_header(req, "Date");
        if (!p->amz_date.n && date.n && clock_parse_http_date(date, &ms) == 0)
            p->amz_date = clock_amz_date(a, ms);
    } else {
        parse_query(a, req->query, p);
    }
    if (!p->signature.n || !p->signed_headers.n || !p->amz_date.n || !split_credential(p))
        return incomplete(a, kind, p, header, err);
    if (clock_parse_amz_date(p->amz_date, ret_ms) < 0)
        return sigv4_refuse(INCOMPLETE, kind,
                            str_printf(a,
                                       "Date must be in ISO-8601 'basic format'. Got '%.*s'. See "
                                       "http://en.wikipedia.org/wiki/ISO_8601",
                                       STR(p->amz_date)),
                            err);
    return 0;
}
