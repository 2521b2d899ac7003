/* s3 - see s3.h. Buckets are part of the host's name on AWS, of the path elsewhere. */
#include "s3.h"
#include <errno.h>
#include <poll.h>
#include <time.h>
#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "coverage/object.h"
#include "wire/sigv4.h"

#define ATTEMPT_MAX_MS 5000
#define ATTEMPT_MIN_MS 700

/* Where the bucket is; again after another region was learnt. */
static void settle(struct s3 *s)
{
    const struct settings *o = s->settings;
    struct arena *a = &s->arena;
    conn_done(&s->conn);
    if (o->has_endpoint) {
        s->endpoint = o->endpoint;
        s->path_style = true;
    } else {
        const char *end = str_starts(s->region, S("cn-")) ? "amazonaws.com.cn" : "amazonaws.com";
        /* A certificate for *.s3.… does not fit a name with two dots before it. */
        s->path_style = str_find_byte(o->bucket, '.') >= 0;
        s->endpoint = (struct endpoint){.tls = true, .port = 443};
        s->endpoint.host =
            str_printf(a, "%.*s%ss3%s%s.%.*s.%s", STR(s->path_style ? S("") : o->bucket),
                       s->path_style ? "" : ".", o->fips ? "-fips" : "",
                       o->dual_stack ? ".dualstack" : "", STR(s->region), end);
    }
    conn_init(&s->conn, &s->endpoint);
    s->conn.ca_file = o->ca_file;
    s->conn.idle_max_ms = 20000; /* what S3 keeps open, about */
}

void s3_init(struct s3 *s, const struct settings *settings)
{
    *s = (struct s3){.settings = settings, .region = settings->region};
    s->conn.fd = -1;
    arena_init(&s->arena);
    settle(s);
}

void s3_done(struct s3 *s)
{
    conn_done(&s->conn);
    arena_done(&s->arena);
}

struct str s3_key(struct arena *a, struct str prefix, int64_t started_ms, struct str function,
                  struct str environment)
{
    time_t t = (time_t)(started_ms / 1000);
    struct tm tm;
    gmtime_r(&t, &tm);
    return str_printf(a, "%.*s%04d/%02d/%02d/%.*s/%02d%02d%02d-%.*s.coverage", STR(prefix),
                      tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, STR(function), tm.tm_hour,
                      tm.tm_min, tm.tm_sec, STR(environment));
}

/* ---- credentials ---- */

/* SnapStart's environments have no keys in their variables, but a place to ask for them. */
static int fetch_credentials(struct s3 *s, struct arena *a, int64_t deadline_ms,
                             struct sigv4_credentials *ret)
{
    const struct settings *o = s->settings;
    struct endpoint to;
    struct str path;
    if (endpoint_parse(o->credentials_uri, &to, &path) < 0)
        return -EINVAL;
    struct conn c;
    conn_init(&c, &to);
    struct str head = str_printf(a,
                                 "GET %.*s HTTP/1.1\r\nHost: %.*s:%u\r\nAuthorization: %.*s\r\n"
                                 "Connection: close\r\n\r\n",
                                 STR(path), STR(to.host), to.port, STR(o->credentials_token));
    struct reply reply;
    struct json *json = NULL;
    int r = conn_ask(&c, head, S(""), deadline_ms, &reply);
    if (!r && (reply.status != 200 || json_parse(a, reply.body, &json, NULL) < 0))
        r = -EBADMSG;
    if (!r) {
        ret->access_key = str_copy(a, json_get_str(json, "AccessKeyId"));
        ret->secret_key = str_copy(a, json_get_str(json, "SecretAccessKey"));
        ret->token = str_copy(a, json_get_str(json, "Token"));
    }
    conn_done(&c);
    return r;
}

static int find_credentials(struct s3 *s, struct arena *a, int64_t deadline_ms,
                            struct sigv4_credentials *ret)
{
    const struct settings *o = s->settings;
    *ret = (struct sigv4_credentials){o->access_key, o->secret_key, o->token};
    if (!ret->access_key.n && o->credentials_uri.n) {
        int r = fetch_credentials(s, a, deadline_ms, ret);
        if (r < 0)
            return r;
    }
    return ret->access_key.n && ret->secret_key.n ? 0 : -ENOKEY;
}

/* ---- one attempt ---- */

static struct str host_header(struct s3 *s, struct arena *a)
{
    const struct endpoint *e = &s->endpoint;
    bool v6 = str_find_byte(e->host, ':') >= 0;
    bool usual = e->port == (e->tls ? 443 : 80);
    struct str port = usual ? S("") : str_printf(a, ":%u", e->port);
    return str_printf(a, "%s%.*s%s%.*s", v6 ? "[" : "", STR(e->host), v6 ? "]" : "", STR(port));
}

static struct str request_path(struct s3 *s, struct arena *a, struct str key)
{
    struct str encoded = wire_percent_encode(a, key, true);
    if (!s->path_style)
        return str_printf(a, "/%.*s", STR(encoded));
    struct str base = s->settings->has_endpoint ? s->settings->base_path : S("");
    return str_printf(a, "%.*s/%.*s/%.*s", STR(base),
                      STR(wire_percent_encode(a, s->settings->bucket, false)), STR(encoded));
}

static int request_head(struct s3 *s, struct arena *a, const struct sigv4_credentials *credentials,
                        struct str key, struct str bytes, struct str *ret)
{
    struct wire_headers h = {0};
    wire_headers_add(a, &h, S("Host"), host_header(s, a));
    wire_headers_add(a, &h, S("Content-Length"), str_printf(a, "%zu", bytes.n));
    wire_headers_add(a, &h, S("Content-Type"), S(OBJECT_CONTENT_TYPE));
    wire_headers_add(a, &h, S("x-amz-server-side-encryption"), S("AES256"));
    struct wire_request req = {
        .method = S("PUT"),
        .path = request_path(s, a, key),
        .headers = h.items,
        .n_headers = h.n,
        .body = body_mem(bytes),
    };
    struct sigv4_signer signer = {
        .credentials = credentials,
        .region = s->region,
        .service = S("s3"),
        .now_ms = clock_now_ms() + s->skew_ms,
    };
    int r = sigv4_sign(&signer, &req, a);
    if (r < 0)
        return r;
    auto_buf struct buf b;
    buf_init(&b, REPLY_HEAD_MAX);
    buf_printf(&b, "PUT %.*s HTTP/1.1\r\n", STR(req.path));
    for (size_t i = 0; i < req.n_headers; i++)
        buf_printf(&b, "%.*s: %.*s\r\n", STR(req.headers[i].name), STR(req.headers[i].value));
    buf_text(&b, "User-Agent: lamina/" LAMINA_VERSION " coverage\r\n\r\n");
    if (buf_failed(&b))
        return -EMSGSIZE;
    *ret = buf_copy(&b, a);
    return 0;
}

static int attempt(struct s3 *s, struct arena *a, struct str key, struct str bytes,
                   int64_t deadline_ms, struct reply *ret)
{
    struct sigv4_credentials credentials;
    struct str head;
    int r = find_credentials(s, a, deadline_ms, &credentials);
    if (!r)
        r = request_head(s, a, &credentials, key, bytes, &head);
    if (r < 0) {
        snprintf(s->conn.why, sizeof(s->conn.why), "the request cannot be signed: %s",
                 r == -ENOKEY ? "no credentials" : strerror(-r));
        return r == -ENOKEY ? -EINVAL : r;
    }
    return conn_ask(&s->conn, head, bytes, deadline_ms, ret);
}

/* ---- learning ---- */

enum learnt { LEARNT_REGION = 1, LEARNT_CLOCK = 2 };

static struct str other_region(const struct s3 *s, const struct reply *reply)
{
    struct str region = reply_header(reply, "x-amz-bucket-region");
    if (!region.n)
        region = reply_element(reply, "Region");
    if (region.n > 40 || str_eq(region, s->region))
        return (struct str){0};
    for (size_t i = 0; i < region.n; i++) /* it becomes a part of a host's name */
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-", region.p[i]))
            return (struct str){0};
    return region;
}

/* Does the answer name another region or another time of day, for the first time? */
static bool teaches(const struct s3 *s, const struct reply *reply, struct str code, unsigned learnt)
{
    int64_t theirs;
    if (str_is(code, "RequestTimeTooSkewed"))
        return !(learnt & LEARNT_CLOCK) &&
               clock_parse_http_date(reply_header(reply, "Date"), &theirs) == 0;
    return !(learnt & LEARNT_REGION) && other_region(s, reply).n;
}

static void learn(struct s3 *s, const struct reply *reply, struct str code, unsigned *learnt)
{
    int64_t theirs;
    if (str_is(code, "RequestTimeTooSkewed")) {
        if (clock_parse_http_date(reply_header(reply, "Date"), &theirs) == 0)
            s->skew_ms = theirs - clock_now_ms();
        *learnt |= LEARNT_CLOCK;
        return;
    }
    s->region = str_copy(&s->arena, other_region(s, reply));
    *learnt |= LEARNT_REGION;
    settle(s);
}

static uint32_t random_u32(void)
{
    uint32_t v;
    random_bytes(&v, sizeof(v));
    return v;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* An attempt gets half of the time, so that there can be another one. */
static int64_t attempt_deadline(int64_t deadline_ms)
{
    int64_t now = conn_now_ms(), half = (deadline_ms - now) / 2;
    half = half < ATTEMPT_MIN_MS ? ATTEMPT_MIN_MS : least(half, ATTEMPT_MAX_MS);
    return least(deadline_ms, now + half);
}

static void explain(struct s3_result *ret, struct s3 *s, int error, const struct reply *reply,
                    struct str code)
{
    struct str message = error ? (struct str){0} : reply_element(reply, "Message");
    const char *advice = NULL;
    if (ret->verdict == RETRY_NEVER)
        advice = retry_advice(error, error ? 0 : reply->status, code);
    if (error)
        snprintf(ret->why, sizeof(ret->why), "%s%s%s", s->conn.why, advice ? "; " : "",
                 advice ? advice : "");
    else
        snprintf(ret->why, sizeof(ret->why), "S3 answered %d %.*s%s%.*s%s%s", reply->status,
                 STR(code), message.n ? ": " : "", (int)(message.n < 200 ? message.n : 200),
                 message.n ? message.p : "", advice ? "; " : "", advice ? advice : "");
}

void s3_put(struct s3 *s, struct str key, struct str bytes, int64_t deadline_ms,
            unsigned attempts_max, struct s3_result *ret)
{
    *ret = (struct s3_result){.verdict = RETRY_LATER};
    snprintf(ret->why, sizeof(ret->why), "there was no time left");
    unsigned learnt = 0;
    while (conn_now_ms() < deadline_ms) {
        auto_arena struct arena a;
        arena_init(&a);
        struct reply reply = {0};
        int error = attempt(s, &a, key, bytes, attempt_deadline(deadline_ms), &reply);
        struct str code = error ? (struct str){0} : reply_element(&reply, "Code");
        ret->attempts++;
        ret->verdict = retry_judge(error, reply.status, code);
        if (ret->verdict == RETRY_DONE)
            return;
        if (ret->verdict == RETRY_NOW && !teaches(s, &reply, code, learnt))
            ret->verdict = RETRY_NEVER;
        explain(ret, s, error, &reply, code);
        bool now = ret->verdict == RETRY_NOW;
        if (now)
            learn(s, &reply, code, &learnt); /* the answer is gone afterwards */
        if (ret->verdict == RETRY_NEVER || (attempts_max && ret->attempts >= attempts_max))
            break;
        if (now)
            continue;
        int64_t pause = retry_pause_ms(ret->attempts, random_u32());
        if (conn_now_ms() + pause >= deadline_ms)
            break;
        poll(NULL, 0, (int)pause);
    }
    if (ret->verdict == RETRY_NOW)
        ret->verdict = RETRY_LATER;
}
