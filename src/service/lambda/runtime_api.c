/* runtime_api - the Runtime API (2018-06-01): one listener an environment, inside of its network.
 *
 * Which environment asks is known by the listener that accepted; nothing in the request has to say
 * so. `next` is held until there is an event; it has no time limit. */
#include <errno.h>
#include <ctype.h>
#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "service/lambda/instance.h"
#include "service/lambda/response_stream.h"
#include "service/lambda/runtime_api.h"

#define PREFIX "/2018-06-01/"
#define SPOOLED_MAX (256LL * 1024 * 1024)
#define READ_MAX (64LL * 1024 * 1024)
#define CONNECTIONS_MAX 64
/* Our own runtimes send the next request without looking at this one's answer. */
#define PIPELINED "Lamina-Pipelined"

static const struct http_header json_type[] = {
    {S_INIT("Content-Type"), S_INIT("application/json")}};

void api_accept(struct http_request *req)
{
    http_reply(req, 202, json_type, 1, body_mem(S("{\"status\":\"OK\"}\n")));
}

void api_refuse(struct http_request *req, int status, const char *type, const char *fmt, ...)
{
    struct arena *a = req->arena;
    va_list ap;
    va_start(ap, fmt);
    struct str message = str_vprintf(a, fmt, ap);
    va_end(ap);
    struct json *o = json_new(a, JSON_OBJECT);
    json_set(a, o, S("errorMessage"), json_new_str(a, message));
    json_set(a, o, S("errorType"), json_new_str(a, str_from(type)));
    http_reply(req, status, json_type, 1,
               body_mem(str_printf(a, "%.*s\n", STR(json_text(a, o, -1)))));
}

void api_not_found(struct http_request *req)
{
    static const struct http_header headers[] = {
        {S_INIT("Content-Type"), S_INIT("text/plain; charset=utf-8")},
        {S_INIT("X-Content-Type-Options"), S_INIT("nosniff")},
    };
    http_reply(req, 404, headers, ARRAY_LEN(headers), body_mem(S("404 page not found\n")));
}

bool api_method(struct http_request *req, const char *method)
{
    if (str_is(req->method, method))
        return true;
    struct http_header *allow = ARENA_NEW(req->arena, struct http_header);
    *allow = (struct http_header){S("Allow"), str_from(method)};
    http_reply(req, 405, allow, 1, body_mem(S("")));
    return false;
}

static void bad_transition(struct http_request *req, const char *from, const char *to)
{
    api_refuse(
        req, 403, "InvalidStateTransition",
        "State transition from %s to %s failed for runtime. Error: State transition is not allowed",
        from, to);
}

static const char *state_name(const struct instance *in)
{
    switch (in->state) {
    case INSTANCE_INIT:
        return in->init_error ? "InitError" : in->runtime_ready ? "Ready" : "Started";
    case INSTANCE_IDLE:
        return "Ready";
    case INSTANCE_BUSY:
        return "Running";
    case INSTANCE_ANSWERED:
        return "RuntimeResponseSentState";
    default:
        return "Started";
    }
}

/* ---- next ---- */

static void poll_gone(struct http_request *req)
{
    struct instance *in = req->listener_user;
    if (in->poll == req)
        in->poll = NULL;
}

static void next(struct instance *in, struct http_request *req)
{
    if (in->init_error && instance_in_init(in)) {
        bad_transition(req, "InitError", "Ready");
        return;
    }
    req->on_gone = poll_gone;
    in->poll = req;
    instance_next(in);
}

static void add(struct http_header *headers, size_t *n, const char *name, struct str value)
{
    if (value.n)
        headers[(*n)++] = (struct http_header){str_from(name), value};
}

void runtime_api_deliver(struct instance *in)
{
    struct http_request *req = TAKE(in->poll);
    const struct invocation *inv = in->inv;
    if (!req)
        return;
    struct arena *a = req->arena;
    struct http_header *headers = ARENA_ARRAY(a, struct http_header, 8);
    size_t n = 0;
    add(headers, &n, "Content-Type", S("application/json"));
    add(headers, &n, "Lambda-Runtime-Aws-Request-Id", str_copy(a, inv->request_id));
    add(headers, &n, "Lambda-Runtime-Deadline-Ms",
        str_printf(a, "%lld", (long long)in->work.deadline_ms));
    add(headers, &n, "Lambda-Runtime-Invoked-Function-Arn", str_copy(a, inv->arn));
    add(headers, &n, "Lambda-Runtime-Trace-Id", str_copy(a, inv->trace_id));
    add(headers, &n, "Lambda-Runtime-Client-Context",
        inv->client_context.n ? str_copy(a, inv->client_context) : S(""));
    req->on_gone = NULL;
    http_reply(req, 200, headers, n, body_mem(str_copy(a, inv->payload)));
}

/* ---- answers ---- */

/* 0, or the request has been refused: the id must be of the invocation that runs. */
static int check_id(struct instance *in, struct http_request *req, struct str id, const char *to)
{
    if (in->state == INSTANCE_BUSY && in->inv && str_eq(id, in->inv->request_id))
        return 0;
    if (in->state != INSTANCE_BUSY && in->work.request_id.n && str_eq(id, in->work.request_id))
        bad_transition(req, state_name(in), to);
    else
        api_refuse(req, 400, "InvalidRequestID", "Invalid request ID");
    return -EINVAL;
}

static int load_body(struct http_request *req, struct str *ret)
{
    *ret = S("");
    if (!req->body.has)
        return 0;
    return body_load(&req->body, SPOOLED_MAX, req->arena, ret);
}

static bool looks_like_a_type(struct str type)
{
    ssize_t dot = str_find_byte(type, '.');
    if (dot < 0)
        return false;
    struct str head = str_slice(type, 0, (size_t)dot),
               tail = str_slice(type, (size_t)dot + 1, type.n);
    if ((!str_is(head, "Runtime") && !str_is(head, "Function")) || tail.n < 2)
        return false;
    for (size_t i = 0; i < tail.n; i++)
        if (!isalpha((unsigned char)tail.p[i]))
            return false;
    return isupper((unsigned char)tail.p[0]);
}

/* What the header says is kept when it looks like Runtime.Something. */
static struct str error_type(struct http_request *req)
{
    struct str type = http_header_get(req, "Lambda-Runtime-Function-Error-Type");
    if (looks_like_a_type(type))
        return type;
    return str_starts(type, S("Function.")) ? S("Function.Unknown") : S("Runtime.Unknown");
}

static bool is_too_large(const struct http_request *req)
{
    return req->body.has && req->body.size > RESPONSE_MAX;
}

static void too_large(struct instance *in, struct http_request *req)
{
    api_refuse(req, 413, "RequestEntityTooLarge",
               "Exceeded maximum allowed payload size (%d bytes).", RESPONSE_MAX);
    instance_answer_too_large(in);
}

static void respond(struct instance *in, struct http_request *req, struct str id)
{
    struct str mode = http_header_get(req, "Lambda-Runtime-Function-Response-Mode"), body;
    if (check_id(in, req, id, "InvocationResponse") < 0)
        return;
    if (mode.n && !str_eq_nocase(mode, S("streaming"))) {
        api_refuse(req, 400, "InvalidFunctionResponseMode", "Invalid function response mode");
        instance_answer_error(in, S("Runtime.InvalidResponseModeHeader"),
                              S("Invalid function response mode"));
        return;
    }
    if (is_too_large(req)) {
        too_large(in, req);
        return;
    }
    if (load_body(req, &body) < 0) {
        api_refuse(req, 500, "InternalServerError", "the body cannot be read");
        return;
    }
    struct str type, error;
    bool failed = response_trailers_error(req, &type, &error);
    if (http_header_get(req, PIPELINED).n)
        http_reply_may_wait(req);
    api_accept(req);
    instance_answer(in, failed ? error : body, failed);
}

/* A body that brings X-Ray's cause along; the client gets the rest of it. Nobody reads causes yet,
 * not those in the header Lambda-Runtime-Function-XRay-Error-Cause either. */
static struct str without_cause(struct http_request *req, struct str body)
{
    static const char *const members[] = {"errorMessage", "errorType", "stackTrace"};
    struct arena *a = req->arena;
    struct json *all, *kept = json_new(a, JSON_OBJECT);
    if (!str_is(http_header_get(req, "Content-Type"),
                "application/vnd.aws.lambda.error.cause+json"))
        return body;
    if (json_parse(a, body, &all, NULL) < 0 || !json_is(all, JSON_OBJECT))
        return S("\"Invalid error body\"");
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        struct json *member = json_get(all, members[i]);
        if (member || i < 2)
            json_set(a, kept, str_from(members[i]),
                     member ? json_copy(a, member) : json_new_str(a, S("")));
    }
    return json_text(a, kept, -1);
}

static void respond_error(struct instance *in, struct http_request *req, struct str id)
{
    struct str body;
    if (check_id(in, req, id, "InvocationErrorResponse") < 0)
        return;
    if (is_too_large(req)) {
        too_large(in, req);
        return;
    }
    if (load_body(req, &body) < 0) {
        api_refuse(req, 500, "InternalServerError", "the body cannot be read");
        return;
    }
    api_accept(req);
    instance_answer(in, without_cause(req, body), true);
}

static void init_error(struct instance *in, struct http_request *req)
{
    struct str body;
    if (!instance_in_init(in) || in->init_error || in->runtime_ready) {
        bad_transition(req, state_name(in), "InitError");
        return;
    }
    if (load_body(req, &body) < 0 || is_too_large(req)) {
        api_refuse(req, 413, "RequestEntityTooLarge",
                   "Exceeded maximum allowed payload size (%d bytes).", RESPONSE_MAX);
        return;
    }
    instance_init_error(in, body, error_type(req));
    api_accept(req);
}

/* ---- routes ---- */

static void invocation(struct instance *in, struct http_request *req, struct str path)
{
    struct str id, what;
    if (!str_cut(path, '/', &id, &what))
        api_not_found(req);
    else if (str_is(what, "response"))
        api_method(req, "POST") ? respond(in, req, id) : (void)0;
    else if (str_is(what, "error"))
        api_method(req, "POST") ? respond_error(in, req, id) : (void)0;
    else
        api_not_found(req);
}

/* /runtime/restore/... and /2021-04-23/credentials are there for SnapStart only: without it AWS's
 * router does not know them either. */
static void runtime_api(struct instance *in, struct http_request *req, struct str path)
{
    if (str_is(path, "ping")) {
        if (api_method(req, "GET"))
            http_reply(req, 200, NULL, 0, body_mem(S("pong")));
    } else if (str_is(path, "runtime/invocation/next")) {
        if (api_method(req, "GET"))
            next(in, req);
    } else if (str_is(path, "runtime/init/error")) {
        if (api_method(req, "POST"))
            init_error(in, req);
    } else if (str_starts(path, S("runtime/invocation/"))) {
        invocation(in, req, str_slice(path, sizeof("runtime/invocation/") - 1, path.n));
    } else {
        api_not_found(req);
    }
}

static void on_request(struct http_request *req)
{
    struct instance *in = req->listener_user;
    struct str path = req->path;
    if (req->on_data)
        response_stream_end(req);
    else if (str_starts(path, S(PREFIX)))
        runtime_api(in, req, str_slice(path, sizeof(PREFIX) - 1, path.n));
    else if (str_starts(path, S("/2020-01-01/")))
        extension_api(in, req, str_slice(path, 12, path.n));
    else if (telemetry_wants(path))
        extension_api_subscribe(in, req);
    else
        api_not_found(req);
}

/* What is much too large need not be read, let alone kept on the disk, to be refused. */
static void on_head(struct http_request *req)
{
    struct instance *in = req->listener_user;
    struct str path = req->path, id, what;
    if (!str_is(req->method, "POST") || !str_starts(path, S(PREFIX "runtime/invocation/")) ||
        !str_cut(str_slice(path, sizeof(PREFIX) - 1 + 19, path.n), '/', &id, &what) ||
        (!str_is(what, "response") && !str_is(what, "error")))
        return;
    if (in->state == INSTANCE_BUSY && in->inv && str_eq(id, in->inv->request_id) &&
        str_is(what, "response") && response_stream_wants(in, req))
        return;
    if (req->content_length <= READ_MAX)
        return;
    if (check_id(in, req, id, "InvocationResponse") == 0)
        too_large(in, req);
}

static void on_refuse(struct http_request *req, int status)
{
    response_stream_refused(req);
}

static void on_starved(void *user, int error)
{
    instance_starved(user, error);
}

int runtime_api_listen(struct instance *in, int fd, struct http_listener **ret)
{
    if (fd < 0)
        return fd;
    struct http_listener_options options = {
        .fd = fd,
        .user = in,
        .max_body = SPOOLED_MAX,
        .max_spooled = SPOOLED_MAX,
        .max_connections = CONNECTIONS_MAX,
        .spool_dir = store_tmp(in->lambda->store),
        .on_request = on_request,
        .on_head = on_head,
        .on_refuse = on_refuse,
        .on_starved = on_starved,
    };
    return http_listen(in->lambda->http, &options, ret);
}
