/* canonical - what SigV4 signs, step by step. */
#include "wire/canonical.h"
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <strings.h>
#include "base/digest.h"

/* RFC 3986 5.2.4, and no empty segments. */
static struct str normalize(struct arena *a, struct str path)
{
    char *out = arena_alloc(a, path.n + 2), *to = out;
    struct str part, rest = path;
    *to++ = '/';
    while (rest.n) {
        bool more = str_cut(rest, '/', &part, &rest);
        if (str_eq(part, S("..")) && part.n) {
            if (to > out + 1)
                to--;
            while (to[-1] != '/')
                to--;
        } else if (part.n && !str_eq(part, S("."))) {
            memcpy(to, part.p, part.n);
            to += part.n;
            if (more)
                *to++ = '/';
        }
    }
    if (to > out + 1 && to[-1] == '/' && !str_ends(path, S("/")))
        to--; /* as botocore does with a path that ends in "/." */
    return str_of(out, (size_t)(to - out));
}

void canonical_path(struct buf *b, struct arena *a, struct str raw_path, bool once)
{
    if (!raw_path.n)
        raw_path = S("/");
    if (once)
        buf_str(b, wire_percent_encode(a, wire_percent_decode(a, raw_path, false), true));
    else
        buf_str(b, wire_percent_encode(a, normalize(a, raw_path), true));
}

static int compare_parameters(const void *x, const void *y)
{
    const struct wire_header *p = x, *q = y;
    int order = str_cmp(p->name, q->name);
    return order ? order : str_cmp(p->value, q->value);
}

void canonical_query(struct buf *b, struct arena *a, struct str raw_query, bool drop_signature)
{
    struct wire_headers list = {0};
    struct str part, rest = raw_query, name, value;
    while (rest.n) {
        str_cut(rest, '&', &part, &rest);
        if (!part.n)
            continue;
        str_cut(part, '=', &name, &value);
        name = wire_percent_encode(a, wire_percent_decode(a, name, true), false);
        value = wire_percent_encode(a, wire_percent_decode(a, value, true), false);
        if (!drop_signature || !str_eq(name, S("X-Amz-Signature")))
            wire_headers_add(a, &list, name, value);
    }
    if (list.n > 1)
        qsort(list.items, list.n, sizeof(*list.items), compare_parameters);
    for (size_t i = 0; i < list.n; i++) {
        if (i)
            buf_byte(b, '&');
        buf_str(b, list.items[i].name);
        buf_byte(b, '=');
        buf_str(b, list.items[i].value);
    }
}

/* Blanks around a value go, runs of blanks inside become one. */
static void header_value(struct buf *b, struct str s)
{
    bool blank = false;
    s = str_trim(s);
    for (size_t i = 0; i < s.n; i++) {
        bool is = s.p[i] == ' ' || s.p[i] == '\t' || s.p[i] == '\n' || s.p[i] == '\r';
        if (!is && blank)
            buf_byte(b, ' ');
        if (!is)
            buf_byte(b, s.p[i]);
        blank = is;
    }
}

int canonical_headers(struct buf *b, const struct wire_request *req, struct str signed_headers)
{
    struct str name, rest = signed_headers;
    while (rest.n) {
        bool found = false;
        str_cut(rest, ';', &name, &rest);
        buf_str(b, name);
        buf_byte(b, ':');
        for (size_t i = 0; i < req->n_headers; i++) {
            const struct wire_header *h = &req->headers[i];
            if (h->name.n != name.n || strncasecmp(h->name.p, name.p, name.n) != 0)
                continue;
            if (found)
                buf_byte(b, ',');
            header_value(b, h->value);
            found = true;
        }
        if (!found)
            return -ENOENT;
        buf_byte(b, '\n');
    }
    return 0;
}

int canonical_request(struct buf *b, struct arena *a, const struct wire_request *req, bool once,
                      bool drop_signature, struct str signed_headers, struct str payload_sha256)
{
    buf_str(b, req->method);
    buf_byte(b, '\n');
    canonical_path(b, a, req->path, once);
    buf_byte(b, '\n');
    canonical_query(b, a, req->query, drop_signature);
    buf_byte(b, '\n');
    int r = canonical_headers(b, req, signed_headers);
    if (r < 0)
        return r;
    buf_byte(b, '\n');
    buf_str(b, signed_headers);
    buf_byte(b, '\n');
    buf_str(b, payload_sha256);
    return 0;
}

struct str credential_scope(struct arena *a, struct str date, struct str region, struct str service)
{
    return str_printf(a, "%.*s/%.*s/%.*s/aws4_request", STR(date), STR(region), STR(service));
}

struct str string_to_sign(struct arena *a, struct str amz_date, struct str scope,
                          struct str canonical)
{
    return str_printf(a, "AWS4-HMAC-SHA256\n%.*s\n%.*s\n%.*s", STR(amz_date), STR(scope),
                      STR(sha256_hex(a, canonical)));
}

/* ---- keys ---- */

#define CACHED 32

struct cached_key {
    uint8_t of[32]; /* hash of secret, date, region and service */
    uint8_t key[32];
    bool set;
};

/* Used on one thread: the daemon's loop, or the tool's only one. */
static struct cached_key cache[CACHED];

static void derive(struct str secret, struct str date, struct str region, struct str service,
                   uint8_t ret[32])
{
    auto_buf struct buf start;
    uint8_t key[32];
    buf_init(&start, SIZE_MAX);
    buf_text(&start, "AWS4");
    buf_str(&start, secret);
    digest_hmac_sha256(buf_view(&start), date, key);
    digest_hmac_sha256(str_of((char *)key, 32), region, key);
    digest_hmac_sha256(str_of((char *)key, 32), service, key);
    digest_hmac_sha256(str_of((char *)key, 32), S("aws4_request"), ret);
    OPENSSL_cleanse(start.p, start.n);
}

void signing_key(struct str secret, struct str date, struct str region, struct str service,
                 uint8_t ret[32])
{
    uint8_t of[32];
    auto_buf struct buf id;
    buf_init(&id, SIZE_MAX);
    const struct str parts[] = {secret, date, region, service};
    for (size_t i = 0; i < 4; i++) {
        buf_int(&id, (int64_t)parts[i].n);
        buf_byte(&id, ':');
        buf_str(&id, parts[i]);
    }
    digest_sha256(buf_view(&id), of);
    struct cached_key *c = &cache[of[0] % CACHED];
    if (!c->set || memcmp(c->of, of, sizeof(of)) != 0) {
        derive(secret, date, region, service, c->key);
        memcpy(c->of, of, sizeof(of));
        c->set = true;
    }
    memcpy(ret, c->key, 32);
    OPENSSL_cleanse(id.p, id.n);
}

void sign_hex(const uint8_t key[32], struct str text, char ret[65])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t mac[32];
    digest_hmac_sha256(str_of((const char *)key, 32), text, mac);
    for (size_t i = 0; i < 32; i++) {
        ret[2 * i] = digits[mac[i] >> 4];
        ret[2 * i + 1] = digits[mac[i] & 15];
    }
    ret[64] = 0;
}
