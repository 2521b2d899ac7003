/* local_api - `lamina local start-api`: the HTTP events of a template's functions, served on one
 * port as API Gateway and function URLs would.
 *
 *     request --> route_find --HttpApi, Api--> event, local_invoke_function(), answer
 *                     |
 *                     +--FunctionUrlConfig--> cloud_answer_url(): as in the cloud, streams too */
#include <errno.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "cli/local.h"
#include "http/server.h"
#include "service/lambda/http_event.h"

#define DEFAULT_PORT 3000
#define BODY_MAX 6291456
#define PARAMETERS_MAX 32
#define ACCOUNT "000000000000"
#define API_ID "1234567890"
#define ASIDE "/_url/"

enum route_kind { ROUTE_HTTP, ROUTE_REST, ROUTE_URL };

struct route {
    enum route_kind kind;
    struct str method; /* GET; ANY */
    struct str path;   /* /items/{id}, /{proxy+}; $default: what no other route takes */
    struct str logical_id;
    const struct local_function *function;
    struct str url_id;
};

struct api {
    struct local *l;
    struct route *routes;
    size_t n_routes, cap;
    size_t n_urls, asking;
    int port;
};

/* One request on its way through a function. */
struct visit {
    struct api *api;
    const struct route *route;
    struct http_request *req; /* NULL: its client has left */
};

/* ---- routes of the template ---- */

static struct route *add(struct api *api, enum route_kind kind, struct str logical_id)
{
    struct route *r =
        arena_push(api->l->arena, (void **)&api->routes, &api->n_routes, &api->cap, sizeof(*r));
    *r = (struct route){
        .kind = kind, .logical_id = logical_id, .method = S("ANY"), .path = S("$default")};
    r->function = local_function_find(api->l, logical_id);
    return r;
}

/* What API Gateway would do and this does not is said, not passed over. */
static void tell_unsupported(const struct api *api, struct str where, const struct json *settings)
{
    static const char *const names[] = {"Auth", "CorsConfiguration", "Cors"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (json_get(settings, names[i]))
            fprintf(stderr, "lamina: local: %.*s: %.*s: %s is not applied by start-api\n",
                    STR(api->l->template_path), STR(where), names[i]);
}

static void tell_all_unsupported(const struct api *api)
{
    const struct json *globals = json_get(api->l->root, "Globals");
    tell_unsupported(api, S("Globals.HttpApi"), json_get(globals, "HttpApi"));
    tell_unsupported(api, S("Globals.Api"), json_get(globals, "Api"));
    JSON_EACH(json_get(api->l->root, "Resources"), r)
        if (str_is(json_get_str(r, "Type"), "AWS::Serverless::HttpApi") ||
            str_is(json_get_str(r, "Type"), "AWS::Serverless::Api"))
            tell_unsupported(api, r->key, json_get(r, "Properties"));
}

/* False: a message has been printed. */
static bool add_event(struct api *api, struct str logical_id, const struct json *event)
{
    const struct json *p = json_get(event, "Properties");
    const struct json *path = json_get(p, "Path"), *method = json_get(p, "Method");
    bool http = str_is(json_get_str(event, "Type"), "HttpApi");
    if (!http && !str_is(json_get_str(event, "Type"), "Api"))
        return true;
    if ((path && !json_is(path, JSON_STRING)) || (method && !json_is(method, JSON_STRING)) ||
        (!http && (!path || !method))) {
        verb_fail(api->l->run, "%.*s: event %.*s of %.*s: Path and Method must be plain texts",
                  STR(api->l->template_path), STR(event->key), STR(logical_id));
        return false;
    }
    tell_unsupported(api, str_printf(api->l->arena, "%.*s.%.*s", STR(logical_id), STR(event->key)),
                     p);
    bool old = str_is(json_get_str(p, "PayloadFormatVersion"), "1.0");
    struct route *r = add(api, http && !old ? ROUTE_HTTP : ROUTE_REST, logical_id);
    if (path)
        r->path = path->text;
    if (method && !str_eq_nocase(method->text, S("any")) && !str_is(method->text, "*")) {
        char *upper = str_c(api->l->arena, method->text);
        for (char *c = upper; *c; c++)
            *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c;
        r->method = str_from(upper);
    }
    return true;
}

static bool add_events(struct api *api)
{
    JSON_EACH(json_get(api->l->root, "Resources"), resource) {
        if (!str_is(json_get_str(resource, "Type"), "AWS::Serverless::Function") ||
            !local_function_find(api->l, resource->key))
            continue;
        JSON_EACH(json_get(json_get(resource, "Properties"), "Events"), event)
            if (!add_event(api, resource->key, event))
                return false;
    }
    return true;
}

/* ---- finding a route ---- */

static bool is_parameter(struct str segment)
{
    return segment.n > 2 && segment.p[0] == '{' && segment.p[segment.n - 1] == '}';
}

/* The better route is the one with the better first difference: text, {name}, {name+}. */
struct match {
    const struct route *route;
    struct http_event_pair parameters[PARAMETERS_MAX];
    size_t n;
    int64_t rank;
};

static bool match_path(struct arena *a, struct str pattern, struct str path, struct match *m)
{
    struct str want, have;
    m->n = 0;
    m->rank = 0;
    if (str_is(pattern, "$default")) {
        m->rank = -1;
        return true;
    }
    pattern = str_slice(pattern, 1, pattern.n);
    path = str_slice(path, 1, path.n);
    for (int depth = 0; depth < 31; depth++) {
        bool more = str_cut(pattern, '/', &want, &pattern);
        bool greedy = is_parameter(want) && want.p[want.n - 2] == '+';
        bool there = true;
        if (greedy)
            have = path;
        else
            there = str_cut(path, '/', &have, &path);
        if (is_parameter(want)) {
            if (!have.n || m->n == PARAMETERS_MAX)
                return false;
            m->parameters[m->n++] = (struct http_event_pair){
                str_slice(want, 1, want.n - (greedy ? 2 : 1)), wire_percent_decode(a, have, false)};
        } else if (!str_eq(want, have)) {
            return false;
        }
        m->rank += (int64_t)(greedy ? 1 : is_parameter(want) ? 2 : 3) << (62 - 2 * depth);
        if (greedy || !more)
            return greedy || !there;
        if (!there)
            return false;
    }
    return false;
}

static bool route_find(const struct api *api, const struct http_request *req, struct match *ret)
{
    struct match m;
    ret->route = NULL;
    for (size_t i = 0; i < api->n_routes; i++) {
        const struct route *r = &api->routes[i];
        bool any = str_is(r->method, "ANY");
        if (r->kind == ROUTE_URL || (!any && !str_eq(r->method, req->method)) ||
            !match_path(req->arena, r->path, req->path, &m))
            continue;
        m.route = r;
        m.rank += m.rank < 0 || any ? 0 : 1; /* a method of its own goes first */
        if (!ret->route || m.rank > ret->rank)
            *ret = m;
    }
    return ret->route != NULL;
}

/* A function URL: by host, aside, or as the only thing there is. */
static const struct route *url_find(const struct api *api, const struct http_request *req,
                                    struct str *ret_path)
{
    struct str host = http_header_get(req, "Host"), label, rest;
    str_cut(host, '.', &label, &rest);
    for (size_t i = 0; i < api->n_routes; i++) {
        const struct route *r = &api->routes[i];
        if (r->kind != ROUTE_URL)
            continue;
        struct str aside = str_printf(req->arena, ASIDE "%.*s", STR(r->logical_id));
        struct str tail = str_slice(req->path, aside.n, req->path.n);
        *ret_path = req->path;
        if (str_eq_nocase(label, r->logical_id) && str_starts(rest, S("localhost")))
            return r;
        if (str_starts(req->path, aside) && (!tail.n || tail.p[0] == '/')) {
            *ret_path = tail.n ? tail : S("/");
            return r;
        }
        if (api->n_routes == 1)
            return r;
    }
    return NULL;
}

/* ---- answers ---- */

static void say(struct http_request *req, int status, const char *message)
{
    static const struct http_header json[] = {{S_INIT("Content-Type"), S_INIT("application/json")}};
    http_reply(req, status, json, 1,
               body_mem(str_printf(req->arena, "{\"message\":\"%s\"}", message)));
}

static void fault(struct visit *v)
{
    if (v->route->kind == ROUTE_REST)
        say(v->req, 502, "Internal server error");
    else
        say(v->req, 500, "Internal Server Error");
}

static void reply(struct visit *v, const struct http_answer *answer)
{
    struct arena *a = v->req->arena;
    struct http_header *headers = ARENA_ARRAY(a, struct http_header, answer->headers.n + 1);
    for (size_t i = 0; i < answer->headers.n; i++)
        headers[i] = (struct http_header){str_copy(a, answer->headers.items[i].name),
                                          str_copy(a, answer->headers.items[i].value)};
    http_reply(v->req, answer->status, headers, answer->headers.n,
               body_mem(str_copy(a, answer->body)));
}

static void visited(struct call *call, void *user)
{
    struct visit *v = user;
    const struct lambda_invoke_output *out = call->out;
    struct http_answer answer;
    int r = -EBADMSG;
    if (call->result < 0) {
        fprintf(stderr, "lamina: local: %.*s: %.*s\n", STR(v->route->logical_id),
                STR(call->message));
    } else {
        if (str_has(out->function_error))
            fprintf(stderr, "lamina: local: %.*s failed: %.*s\n", STR(v->route->logical_id),
                    STR(out->payload));
        else if (v->route->kind == ROUTE_REST)
            r = http_answer_rest(call->arena, out->payload, &answer);
        else
            r = http_answer_of(call->arena, out->payload, &answer);
        if (r < 0 && !str_has(out->function_error))
            fprintf(stderr, "lamina: local: %.*s returned what is no HTTP answer: %.*s\n",
                    STR(v->route->logical_id), STR(str_slice(out->payload, 0, 500)));
    }
    if (v->req) {
        v->req->on_gone = NULL;
        if (r < 0)
            fault(v);
        else
            reply(v, &answer);
    }
    free(v);
}

static void visitor_gone(struct http_request *req)
{
    struct visit *v = req->user;
    v->req = NULL;
}

/* ---- requests ---- */

static struct str event_of(struct visit *v, const struct match *m, struct str body)
{
    struct http_request *req = v->req;
    struct arena *a = req->arena;
    struct wire_header *headers = ARENA_ARRAY(a, struct wire_header, req->n_headers + 1);
    struct str name, port;
    bool route_default = str_is(v->route->path, "$default");
    for (size_t i = 0; i < req->n_headers; i++)
        headers[i] = (struct wire_header){req->headers[i].name, req->headers[i].value};
    str_cut(http_header_get(req, "Host"), ':', &name, &port);
    struct http_event_request e = {
        .method = req->method,
        .path = req->path,
        .query = req->query,
        .headers = headers,
        .n_headers = req->n_headers,
        .body = body,
        .source_ip = req->peer,
        .request_id = random_uuid(a),
        .now_ms = clock_now_ms(),
        .domain_name = name,
        .domain_prefix = S(API_ID),
        .api_id = S(API_ID),
        .account_id = S(ACCOUNT),
        .route_key = route_default
                         ? S("$default")
                         : str_printf(a, "%.*s %.*s", STR(v->route->method), STR(v->route->path)),
        .scheme = S("http"),
        .port = port.n ? port : S("80"),
        .path_parameters = m->parameters,
        .n_path_parameters = m->n,
    };
    return v->route->kind == ROUTE_REST ? http_event_rest(a, &e, v->route->path, S("Prod"))
                                        : http_event(a, &e);
}

static void on_request(void *user, struct http_request *req)
{
    struct api *api = user;
    struct match m;
    struct str path, body = S("");
    const struct route *url = url_find(api, req, &path);
    if (url) {
        cloud_answer_url(api->l->daemon.cloud, req, url->url_id, path);
        return;
    }
    if (!route_find(api, req, &m)) {
        say(req, 404, "Not Found");
        return;
    }
    if (body_load(&req->body, BODY_MAX, req->arena, &body) < 0) {
        say(req, 413, "Request Entity Too Large");
        return;
    }
    struct visit *v = MEM_NEW(struct visit);
    *v = (struct visit){api, m.route, req};
    req->user = v;
    req->on_gone = visitor_gone;
    struct lambda_invoke_input in = {
        .function_name = m.route->function->name,
        .payload = event_of(v, &m, body),
    };
    local_invoke_function(api->l, &in, visited, v);
}

/* ---- beginning ---- */

static void print_route(const struct api *api, const struct route *r, const char *host)
{
    if (r->kind != ROUTE_URL)
        printf("Mounting %.*s at http://%s:%d%.*s [%.*s]\n", STR(r->logical_id), host, api->port,
               STR(str_is(r->path, "$default") ? S("/*") : r->path), STR(r->method));
    else if (api->n_routes == 1)
        printf("Mounting %.*s at http://%s:%d/ [function URL]\n", STR(r->logical_id), host,
               api->port);
    else
        printf("Mounting %.*s at http://%.*s.localhost:%d/ and http://%s:%d" ASIDE
               "%.*s/ [function URL]\n",
               STR(r->logical_id), STR(str_lower(api->l->arena, r->logical_id)), api->port, host,
               api->port, STR(r->logical_id));
}

static void serve(struct api *api)
{
    struct local *l = api->l;
    struct cloud_error err = {{0}};
    const char *host = str_c(l->arena, l->o->host);
    if (!api->n_routes) {
        local_leave(l, verb_fail(l->run,
                                 "%.*s: no function has an HttpApi or Api event, or a "
                                 "FunctionUrlConfig",
                                 STR(l->template_path)));
        return;
    }
    bool given = options_given(&l->run->parsed, l->run->sets, l->run->n_sets, "port");
    if (cloud_listen(l->daemon.cloud, host, given ? (int)l->o->port : DEFAULT_PORT, on_request, api,
                     &api->port, &err) < 0) {
        local_leave(l, verb_fail(l->run, "%s", err.message));
        return;
    }
    for (size_t i = 0; i < api->n_routes; i++)
        print_route(api, &api->routes[i], host);
    printf("ready http://%s:%d\n", host, api->port);
    fflush(stdout);
}

/* http://ID.lambda-url...: of each function that has one. */
static void urls_listed(struct call *call, void *user)
{
    struct api *api = user;
    const struct lambda_list_function_url_configs_input *in = call->in;
    const struct lambda_list_function_url_configs_output *out = call->out;
    const struct local_function *f = local_function_find(api->l, in->function_name);
    for (size_t i = 0; call->result == 0 && i < out->function_url_configs.n; i++) {
        struct str url = out->function_url_configs.items[i].function_url, id, rest;
        if (i == 0 && str_starts(url, S("http://")) &&
            str_cut(str_slice(url, 7, url.n), '.', &id, &rest))
            add(api, ROUTE_URL, f->logical_id)->url_id = str_copy(api->l->arena, id);
    }
    if (--api->asking == 0)
        serve(api);
}

static void ready(struct local *l)
{
    struct api *api = ARENA_NEW(l->arena, struct api);
    api->l = l;
    tell_all_unsupported(api);
    if (!add_events(api)) {
        local_leave(l, 1);
        return;
    }
    api->asking = l->n_functions;
    for (size_t i = 0; i < l->n_functions; i++) {
        struct lambda_list_function_url_configs_input *in =
            ARENA_NEW(l->arena, struct lambda_list_function_url_configs_input);
        in->function_name = l->functions[i].name;
        call_send(l->call, &lambda_list_function_url_configs_op, in, urls_listed, api);
    }
    if (!l->n_functions)
        serve(api);
}

int local_start_api(struct verb_run *run)
{
    return local_run(run, ready, NULL);
}
