/* client - typed, synchronous calls to AWS or to an endpoint that speaks like it. */
#include "aws/client.h"
#include <errno.h>
#include <unistd.h>
#include "aws/client_own.h"
#include "aws/endpoint.h"
#include "aws/retry.h"
#include "base/clock.h"
#include "wire/eventstream.h"
#include "wire/walk.h"

#define ANSWER_MAX (1024ll * 1024 * 1024)
#define LOCAL_ENDPOINT "http://127.0.0.1:4566"

/* An event stream while it is read. */
struct events {
    struct arena *arena;
    aws_event_fn *on_event;
    void *user;
    struct buf rest; /* the beginning of an event */
    struct str exception, message;
};

static struct str first_of(struct str x, struct str y)
{
    return x.n ? x : y;
}

static int check_endpoint(struct str endpoint, struct arena *a, struct aws_error *err)
{
    if (!endpoint.n || str_starts(endpoint, S("http://")) || str_starts(endpoint, S("https://")))
        return 0;
    return aws_fail(
        err, -EINVAL,
        str_printf(a, "the endpoint %.*s is not http://HOST[:PORT] or https://...", STR(endpoint)));
}

/* A profile or a variable that leads to the real AWS must not be enough to get there. */
static int check_local(struct aws_client *c, struct str endpoint, struct aws_error *err)
{
    struct str scheme, rest, host, tail;
    int r = check_endpoint(endpoint, c->arena, err);
    if (r < 0 || !endpoint.n)
        return r;
    str_cut(endpoint, ':', &scheme, &rest);
    str_cut(str_slice(rest, 2, rest.n), '/', &host, &tail);
    str_cut(host, ':', &host, &tail);
    host = str_lower(c->arena, host);
    if (!str_ends(host, S("amazonaws.com")) && !str_ends(host, S("amazonaws.com.cn")) &&
        !str_ends(host, S("api.aws")))
        return 0;
    return aws_fail(err, -EINVAL,
                    str_printf(c->arena,
                               "the endpoint %.*s is AWS itself: give --target aws for that",
                               STR(endpoint)));
}

static int check_local_all(struct aws_client *c, struct aws_error *err)
{
    if (c->options.endpoint.n)
        return check_local(c, c->options.endpoint, err);
    struct str name = S("AWS_ENDPOINT_URL_"), head, url;
    for (char **v = environ; *v; v++)
        if (str_starts(str_from(*v), name) && str_cut(str_from(*v), '=', &head, &url) &&
            check_local(c, url, err) < 0)
            return -EINVAL;
    url = credentials_variable("AWS_ENDPOINT_URL");
    if (!url.n && c->profile)
        url = c->profile->endpoint_url;
    return check_local(c, url, err);
}

/* A variable says true, or else the profile does. */
static bool wished(const char *name, const struct profile *p, struct str in_profile)
{
    struct str v = credentials_variable(name);
    return str_eq_nocase(v.n || !p ? v : in_profile, S("true"));
}

static int check_region(struct aws_client *c, struct aws_error *err)
{
    const struct profile *p = c->profile;
    c->fips = wished("AWS_USE_FIPS_ENDPOINT", p, p ? p->use_fips_endpoint : (struct str){0});
    c->dual_stack =
        wished("AWS_USE_DUALSTACK_ENDPOINT", p, p ? p->use_dualstack_endpoint : (struct str){0});
    if (c->options.target == AWS_TARGET_LOCAL)
        return 0;
    if (c->fips && str_starts(c->region, S("cn-")))
        return aws_fail(err, -EINVAL,
                        S("China's regions have no FIPS endpoints: unset AWS_USE_FIPS_ENDPOINT"));
    if (endpoint_region_valid(c->region))
        return 0;
    return aws_fail(err, -EINVAL,
                    str_printf(c->arena, "\"%.*s\" is no name of a region", STR(c->region)));
}

int aws_client_open(const struct aws_options *options, struct arena *a, struct aws_client **ret,
                    struct aws_error *err)
{
    struct aws_client *c = ARENA_NEW(a, struct aws_client);
    c->arena = a;
    c->options = *options;
    if (options->target == AWS_TARGET_AWS && options->endpoint.n)
        return aws_fail(err, -EINVAL,
                        S("the target aws has its own endpoints: leave --endpoint out"));
    int r = profiles_load(a, &c->profiles);
    if (r < 0)
        return aws_fail(err, r, str_printf(a, "reading ~/.aws: %s", strerror(-r)));
    struct str name =
        first_of(first_of(options->profile, credentials_variable("AWS_PROFILE")), S("default"));
    c->profile = profile_find(c->profiles, name);
    if (options->target == AWS_TARGET_LOCAL) {
        r = check_local_all(c, err);
        if (r < 0)
            return r;
    }
    r = credentials_plan(options, c->profiles, name, a, &c->plan, err);
    if (r < 0)
        return r;
    c->region = first_of(options->region, first_of(credentials_variable("AWS_REGION"),
                                                   credentials_variable("AWS_DEFAULT_REGION")));
    if (!c->region.n && c->profile)
        c->region = c->profile->region;
    if (!c->region.n && options->target == AWS_TARGET_AWS)
        return aws_fail(err, -EINVAL,
                        S("no region: give --region, AWS_REGION, or one in the profile"));
    if (!c->region.n)
        c->region = S("us-east-1");
    r = check_region(c, err);
    if (r < 0)
        return r;
    c->transport = transport_new();
    arena_init(&c->last_arena);
    *ret = c;
    return 0;
}

void aws_client_close(struct aws_client *client)
{
    if (!client)
        return;
    transport_free(client->transport);
    arena_done(&client->last_arena);
}

const volatile sig_atomic_t *aws_client_cancel_on(struct aws_client *client,
                                                  const volatile sig_atomic_t *flag)
{
    const volatile sig_atomic_t *before = client->cancel;
    client->cancel = flag;
    return before;
}

struct str aws_client_region(const struct aws_client *client)
{
    return client->region;
}

int64_t aws_client_skew_ms(const struct aws_client *client)
{
    return client->skew_ms;
}

bool aws_client_is_local(const struct aws_client *client)
{
    return client->options.target == AWS_TARGET_LOCAL;
}

struct str aws_last_header(const struct aws_client *client, const char *name)
{
    return wire_find_header(client->last.headers, client->last.n_headers, name);
}

/* ---- endpoints ---- */

static struct str strip_slash(struct str url)
{
    while (url.n && url.p[url.n - 1] == '/')
        url.n--;
    return url;
}

/* AWS_ENDPOINT_URL_CLOUDWATCH_LOGS would be right for logs by AWS's serviceId; ours takes the
 * model's id, AWS_ENDPOINT_URL_LOGS, too. */
static struct str service_variable(const struct service_model *service, struct arena *a)
{
    char *name = str_c(a, str_printf(a, "AWS_ENDPOINT_URL_%s", service->id));
    for (char *p = name; *p; p++)
        *p = *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p == '-' ? '_' : *p;
    struct str url = credentials_variable(name);
    if (!url.n && strcmp(service->id, "logs") == 0)
        url = credentials_variable("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS");
    return url;
}

static struct endpoint amazon_endpoint(const struct aws_client *c,
                                       const struct service_model *service, struct str region,
                                       struct arena *a)
{
    struct endpoint_wish wish = {.region = region, .fips = c->fips, .dual_stack = c->dual_stack};
    return endpoint_find(service, &wish, a);
}

struct str aws_client_endpoint(const struct aws_client *client, const struct service_model *service,
                               struct arena *a)
{
    if (client->options.target == AWS_TARGET_AWS)
        return amazon_endpoint(client, service, client->region, a).url;
    struct str url = client->options.endpoint;
    if (!url.n)
        url = service_variable(service, a);
    if (!url.n)
        url = credentials_variable("AWS_ENDPOINT_URL");
    if (!url.n && client->profile)
        url = client->profile->endpoint_url;
    return strip_slash(url.n ? url : S(LOCAL_ENDPOINT));
}

/* Scheme and host of a URL, and the path it may have. */
struct place {
    struct str origin, host, base_path;
    bool bucket_in_host;
    struct str signing_region;
};

static bool dns_bucket(struct str bucket)
{
    if (bucket.n < 3 || bucket.n > 63)
        return false;
    for (size_t i = 0; i < bucket.n; i++)
        if (!((bucket.p[i] >= 'a' && bucket.p[i] <= 'z') ||
              (bucket.p[i] >= '0' && bucket.p[i] <= '9') || bucket.p[i] == '-'))
            return false;
    return true;
}

static struct str bucket_of(const struct operation *op, const void *in)
{
    const struct member *bucket =
        operation_input(op) && in ? member_find(operation_input(op), S("Bucket")) : NULL;
    if (strcmp(operation_service(op)->id, "s3") != 0 || !bucket ||
        member_shape(bucket)->type != SHAPE_STRING)
        return (struct str){0};
    return *(const struct str *)wire_slot(bucket, in);
}

static void find_place(const struct aws_client *c, const struct operation *op, struct str bucket,
                       struct arena *a, struct place *ret)
{
    bool amazon = c->options.target == AWS_TARGET_AWS;
    struct str url, scheme, rest;
    ret->signing_region = c->region;
    if (amazon) {
        bool moved = bucket.n && str_eq(bucket, c->moved_bucket);
        struct endpoint e =
            amazon_endpoint(c, operation_service(op), moved ? c->moved_region : c->region, a);
        url = e.url;
        ret->signing_region = e.signing_region;
    } else {
        url = aws_client_endpoint(c, operation_service(op), a);
    }
    ssize_t colon = str_find(url, S("://"));
    scheme = str_slice(url, 0, (size_t)colon + 3);
    rest = str_slice(url, (size_t)colon + 3, url.n);
    bool path = str_cut(rest, '/', &ret->host, &rest);
    ret->base_path = path ? str_printf(a, "/%.*s", STR(rest)) : S("");
    ret->bucket_in_host =
        amazon && dns_bucket(bucket) && strcmp(operation_name(op), "CreateBucket") != 0;
    if (ret->bucket_in_host)
        ret->host = str_printf(a, "%.*s.%.*s", STR(bucket), STR(ret->host));
    ret->origin = str_printf(a, "%.*s%.*s", STR(scheme), STR(ret->host));
}

/* S3 says where a bucket is when it is asked in another region. */
static bool follow_bucket(struct aws_client *c, struct str bucket, const struct place *place)
{
    struct str region = aws_last_header(c, "x-amz-bucket-region");
    if (c->options.target != AWS_TARGET_AWS || !bucket.n || str_eq(c->moved_bucket, bucket) ||
        str_eq(region, place->signing_region) || !endpoint_region_valid(region))
        return false;
    c->moved_bucket = str_copy(c->arena, bucket);
    c->moved_region = str_copy(c->arena, region);
    return true;
}

/* ---- sending ---- */

static void remember(struct aws_client *c, const struct wire_response *response)
{
    struct wire_headers h = {0};
    arena_reset(&c->last_arena);
    for (size_t i = 0; i < response->n_headers; i++)
        wire_headers_add(&c->last_arena, &h, str_copy(&c->last_arena, response->headers[i].name),
                         str_copy(&c->last_arena, response->headers[i].value));
    c->last =
        (struct wire_response){.status = response->status, .headers = h.items, .n_headers = h.n};
}

static int on_event(struct events *e, const struct eventstream_message *m)
{
    if (!str_is(eventstream_text(m, ":message-type"), "exception"))
        return e->on_event(e->user, m);
    struct json *body;
    e->exception = str_copy(e->arena, eventstream_text(m, ":exception-type"));
    e->message = str_copy(e->arena, m->payload);
    if (json_parse(e->arena, e->message, &body, NULL) == 0 &&
        str_has(json_get_str(body, "message")))
        e->message = json_get_str(body, "message");
    return -EREMOTEIO;
}

static int on_event_bytes(void *user, struct str bytes)
{
    struct events *e = user;
    struct eventstream_message m;
    size_t size;
    int r;
    auto_arena struct arena a;
    arena_init(&a);
    buf_str(&e->rest, bytes);
    while ((r = eventstream_parse(&a, buf_view(&e->rest), &m, &size)) > 0) {
        r = on_event(e, &m);
        if (r < 0)
            return r;
        buf_drop(&e->rest, size);
    }
    return buf_failed(&e->rest) ? -EBADMSG : r;
}

static int attempt(struct aws_client *c, struct arena *a, const struct operation *op,
                   const struct wire_request *plain, const struct place *place, int fd,
                   void **ret_out, int64_t *ret_written, struct wire_error *wire,
                   struct aws_error *err)
{
    struct wire_request req = *plain;
    struct wire_response response;
    struct sigv4_signer signer = {.credentials = &c->credentials,
                                  .region = place->signing_region,
                                  .service = str_from(operation_service(op)->signing_name),
                                  .now_ms = clock_now_ms() + c->skew_ms};
    if (c->credentials.access_key.n) {
        int r = sigv4_sign(&signer, &req, a);
        if (r < 0)
            return aws_fail(err, r,
                            str_printf(a, "signing %s: %s", operation_name(op), strerror(-r)));
    }
    struct transport_limits limits = {
        .connect_timeout_ms = c->options.connect_timeout_ms ? c->options.connect_timeout_ms : 5000,
        .timeout_ms = c->options.timeout_ms ? c->options.timeout_ms : 60000,
        .max_bytes = ANSWER_MAX,
        .cancel = c->cancel,
        .on_bytes = c->events ? on_event_bytes : NULL,
        .user = c->events,
        .out_fd = fd};
    int r =
        transport_send(c->transport, place->origin, &req, &limits, a, &response, ret_written, err);
    if (r < 0)
        return r;
    remember(c, &response);
    void *out = NULL;
    if (wire_decode_output(op, &response, a, &out, wire) < 0) {
        *err = (struct aws_error){.r = -EREMOTEIO,
                                  .code = wire->code,
                                  .message = wire->message,
                                  .status = wire->status,
                                  .request_id = wire->request_id};
        return -EREMOTEIO;
    }
    if (ret_out)
        *ret_out = out;
    return 0;
}

static int attempts_of(const struct aws_client *c)
{
    int64_t n;
    struct str v = credentials_variable("AWS_MAX_ATTEMPTS");
    if (!v.n && c->profile)
        v = c->profile->max_attempts;
    if (c->options.attempts)
        return c->options.attempts;
    if (str_to_int64(v, &n) == 0 && n > 0 && n < 100)
        return (int)n;
    return c->options.target == AWS_TARGET_AWS ? 5 : 4;
}

static int encode(const struct operation *op, const void *in, const struct place *place,
                  struct arena *a, struct wire_request *ret, struct aws_error *err)
{
    struct wire_error wire = {0};
    struct wire_encode_options options = {.base_path = place->base_path,
                                          .bucket_in_host = place->bucket_in_host};
    int r = wire_encode_input(op, in, &options, a, ret, &wire);
    if (r < 0)
        return aws_fail(err, r, wire.message);
    struct wire_headers h = {0};
    wire_headers_add(a, &h, S("Host"), place->host);
    for (size_t i = 0; i < ret->n_headers; i++)
        wire_headers_add(a, &h, ret->headers[i].name, ret->headers[i].value);
    ret->headers = h.items;
    ret->n_headers = h.n;
    return 0;
}

int client_send(struct aws_client *c, struct arena *a, const struct operation *op, const void *in,
                int fd, void **ret_out, struct aws_error *err)
{
    struct place place;
    struct wire_request req;
    struct str bucket = bucket_of(op, in);
    struct retry retry = {.patient = c->options.target == AWS_TARGET_AWS,
                          .attempts = attempts_of(c)};
    find_place(c, op, bucket, a, &place);
    int r = encode(op, in, &place, a, &req, err);
    while (r == 0) {
        int64_t written = 0, wait_ms;
        struct wire_error wire = {0};
        r = attempt(c, a, op, &req, &place, fd, ret_out, &written, &wire, err);
        if (r == 0 || written)
            break;
        if (r == -EREMOTEIO && retry_corrects_clock(&retry, wire.code, &c->last, &c->skew_ms)) {
            r = 0;
        } else if (r == -EREMOTEIO && follow_bucket(c, bucket, &place)) {
            find_place(c, op, bucket, a, &place);
            r = encode(op, in, &place, a, &req, err);
        } else if (retry_after(&retry, r, &wire, &c->last, &wait_ms)) {
            r = retry_pause(wait_ms, c->cancel) ? 0 : aws_fail(err, -ECANCELED, S("interrupted"));
        }
    }
    return r;
}

int aws_call_to_fd(struct aws_client *client, struct arena *a, const struct operation *op,
                   const void *in, int fd, void **ret_out, struct aws_error *err)
{
    int r = client_sign_in(client, err);
    return r < 0 ? r : client_send(client, a, op, in, fd, ret_out, err);
}

int aws_call(struct aws_client *client, struct arena *a, const struct operation *op, const void *in,
             void **ret_out, struct aws_error *err)
{
    return aws_call_to_fd(client, a, op, in, -1, ret_out, err);
}

int aws_call_events(struct aws_client *client, struct arena *a, const struct operation *op,
                    const void *in, aws_event_fn *on_event_fn, void *user, void **ret_out,
                    struct aws_error *err)
{
    int r = client_sign_in(client, err);
    if (r < 0)
        return r;
    struct events e = {.arena = a, .on_event = on_event_fn, .user = user};
    buf_init(&e.rest, EVENTSTREAM_PAYLOAD_MAX + EVENTSTREAM_HEADERS_MAX + 65536);
    client->events = &e;
    r = client_send(client, a, op, in, -1, ret_out, err);
    client->events = NULL;
    if (e.exception.n)
        *err = (struct aws_error){.r = r, .code = e.exception, .message = e.message};
    else if (r == 0 && e.rest.n)
        r = aws_fail(err, -EBADMSG, S("the answer's event stream is incomplete"));
    buf_done(&e.rest);
    return r;
}
