/* http_event - see http_event.h. */
#include "service/lambda/http_event.h"
#include <ctype.h>
#include <errno.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/map.h"
#include "base/utf8.h"
#include "service/lambda/json_check.h"

#define PRELUDE_MAX (64 * 1024)

/* ---- requests ---- */

static void put(struct arena *a, struct json *o, const char *key, struct str value)
{
    if (str_has(value))
        json_set(a, o, str_from(key), json_new_str(a, value));
}

/* The hosts in between write these themselves: what a client says in them is not believed. */
static bool is_replaced(struct str name)
{
    return str_starts(name, S("x-amzn-")) || str_starts(name, S("x-forwarded-"));
}

/* Names with their values, in the order of their first ones. A megabyte of them is a request like
 * any other: nothing here may cost more than its length. */
struct field {
    struct str name, *values;
    size_t n, cap;
};
struct fields {
    struct arena *a;
    struct field *items;
    size_t n, cap;
    struct map places; /* name: index + 1 */
};

static void fields_init(struct fields *f, struct arena *a)
{
    *f = (struct fields){.a = a};
    map_init(&f->places);
}

static void fields_add(struct fields *f, struct str name, struct str value)
{
    size_t place = (size_t)(uintptr_t)map_find(&f->places, name);
    if (!place) {
        struct field *new =
            arena_push(f->a, (void **)&f->items, &f->n, &f->cap, sizeof(struct field));
        *new = (struct field){.name = str_copy(f->a, str_has(name) ? name : S(""))};
        place = f->n;
        map_put(&f->places, name, (void *)(uintptr_t)place);
    }
    struct field *to = &f->items[place - 1];
    *(struct str *)arena_push(f->a, (void **)&to->values, &to->n, &to->cap, sizeof(struct str)) =
        value;
}

static void fields_add_query(struct fields *f, struct str query)
{
    struct str one, key, value;
    while (query.n) {
        str_cut(query, '&', &one, &query);
        if (!one.n)
            continue;
        str_cut(one, '=', &key, &value);
        fields_add(f, wire_percent_decode(f->a, key, true),
                   str_has(value) ? wire_percent_decode(f->a, value, true) : S(""));
    }
}

static void member(struct json *o, struct str name, struct json *v)
{
    v->key = name;
    json_add(o, v); /* not json_set(): the names differ */
}

/* Several values of a name become one text. */
static struct json *fields_joined(struct fields *f)
{
    struct json *o = json_new(f->a, JSON_OBJECT);
    for (struct field *i = f->items; i < f->items + f->n; i++)
        member(o, i->name, json_new_str(f->a, str_join(f->a, S(","), i->values, i->n)));
    map_done(&f->places);
    return o;
}

/* The last value of a name, and all of them. */
static void fields_both(struct fields *f, struct json **ret_one, struct json **ret_all)
{
    *ret_one = json_new(f->a, JSON_OBJECT);
    *ret_all = json_new(f->a, JSON_OBJECT);
    for (struct field *i = f->items; i < f->items + f->n; i++) {
        struct json *list = json_new(f->a, JSON_ARRAY);
        for (size_t k = 0; k < i->n; k++)
            json_add(list, json_new_str(f->a, i->values[k]));
        member(*ret_all, i->name, list);
        member(*ret_one, i->name, json_new_str(f->a, i->values[i->n - 1]));
    }
    map_done(&f->places);
}

static struct json *headers_of(struct arena *a, const struct http_event_request *req)
{
    struct fields fields;
    fields_init(&fields, a);
    for (size_t i = 0; i < req->n_headers; i++) {
        struct str name = str_lower(a, req->headers[i].name);
        if (!is_replaced(name) && !str_is(name, "connection") &&
            !str_is(name, "transfer-encoding") && !str_is(name, "expect"))
            fields_add(&fields, name, req->headers[i].value);
    }
    struct json *o = fields_joined(&fields);
    put(a, o, "x-amzn-trace-id", req->trace_id);
    put(a, o, "x-forwarded-for", req->source_ip);
    put(a, o, "x-forwarded-proto", req->scheme);
    put(a, o, "x-forwarded-port", req->port);
    return o;
}

static struct json *cookies_of(struct arena *a, const struct http_event_request *req)
{
    struct json *list = NULL;
    for (size_t i = 0; i < req->n_headers; i++) {
        if (!str_eq_nocase(req->headers[i].name, S("cookie")))
            continue;
        struct str one, rest = req->headers[i].value;
        if (!list)
            list = json_new(a, JSON_ARRAY);
        while (rest.n) {
            str_cut(rest, ';', &one, &rest);
            one = str_trim(one);
            if (one.n)
                json_add(list, json_new_str(a, one));
        }
    }
    return list;
}

static struct json *query_of(struct arena *a, struct str query)
{
    struct fields fields;
    fields_init(&fields, a);
    fields_add_query(&fields, query);
    return fields_joined(&fields);
}

/* [20/Nov/2025:19:03:58 +0000] without its brackets. */
static struct str access_log_time(struct arena *a, int64_t ms)
{
    struct str d = clock_http_date(a, ms); /* Mon, 24 Nov 2025 23:11:20 GMT */
    return str_printf(a, "%.2s/%.3s/%.4s:%.8s +0000", d.p + 5, d.p + 8, d.p + 12, d.p + 17);
}

static struct json *iam_of(struct arena *a, const struct http_event_request *req)
{
    struct json *authorizer = json_new(a, JSON_OBJECT), *iam = json_new(a, JSON_OBJECT);
    put(a, iam, "accessKey", req->access_key);
    put(a, iam, "accountId", req->caller_account);
    put(a, iam, "callerId", req->caller_id);
    json_set(a, iam, S("cognitoIdentity"), json_new(a, JSON_NULL));
    json_set(a, iam, S("principalOrgId"), json_new(a, JSON_NULL));
    put(a, iam, "userArn", req->caller_arn);
    put(a, iam, "userId", req->caller_id);
    json_set(a, authorizer, S("iam"), iam);
    return authorizer;
}

static struct json *context_of(struct arena *a, const struct http_event_request *req,
                               struct str route_key)
{
    struct json *o = json_new(a, JSON_OBJECT), *http = json_new(a, JSON_OBJECT);
    struct str agent = wire_find_header(req->headers, req->n_headers, "User-Agent");
    put(a, o, "accountId", req->account_id.n ? req->account_id : S("anonymous"));
    put(a, o, "apiId", req->api_id);
    if (req->access_key.n)
        json_set(a, o, S("authorizer"), iam_of(a, req));
    put(a, o, "domainName", req->domain_name);
    put(a, o, "domainPrefix", req->domain_prefix.n ? req->domain_prefix : req->api_id);
    put(a, http, "method", req->method);
    put(a, http, "path", req->path);
    put(a, http, "protocol", S("HTTP/1.1"));
    put(a, http, "sourceIp", req->source_ip);
    put(a, http, "userAgent", agent);
    json_set(a, o, S("http"), http);
    put(a, o, "requestId", req->request_id);
    put(a, o, "routeKey", route_key);
    put(a, o, "stage", S("$default"));
    put(a, o, "time", access_log_time(a, req->now_ms));
    json_set(a, o, S("timeEpoch"), json_new_int(a, req->now_ms));
    return o;
}

static bool is_text(struct str content_type, struct str content_encoding)
{
    static const char *const types[] = {"application/json", "application/javascript",
                                        "application/xml", "application/graphql"};
    struct str type, rest;
    str_cut(content_type, ';', &type, &rest);
    type = str_trim(type);
    if (content_encoding.n && !str_eq_nocase(content_encoding, S("identity")))
        return false;
    if (type.n > 5 && str_eq_nocase(str_slice(type, 0, 5), S("text/")))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_eq_nocase(type, str_from(types[i])))
            return true;
    return str_ends(type, S("+json")) || str_ends(type, S("+xml"));
}

static void put_body(struct arena *a, struct json *e, const struct http_event_request *req)
{
    bool text = is_text(wire_find_header(req->headers, req->n_headers, "Content-Type"),
                        wire_find_header(req->headers, req->n_headers, "Content-Encoding")) &&
                utf8_valid(req->body);
    if (req->body.n)
        put(a, e, "body", text ? req->body : base64_encode(a, req->body));
    json_set(a, e, S("isBase64Encoded"), json_new_bool(a, req->body.n && !text));
}

struct str http_event(struct arena *a, const struct http_event_request *req)
{
    struct json *e = json_new(a, JSON_OBJECT);
    struct str route_key = req->route_key.n ? req->route_key : S("$default");
    put(a, e, "version", S("2.0"));
    put(a, e, "routeKey", route_key);
    put(a, e, "rawPath", req->path);
    put(a, e, "rawQueryString", str_has(req->query) ? req->query : S(""));
    struct json *cookies = cookies_of(a, req);
    if (cookies)
        json_set(a, e, S("cookies"), cookies);
    json_set(a, e, S("headers"), headers_of(a, req));
    if (req->query.n)
        json_set(a, e, S("queryStringParameters"), query_of(a, req->query));
    json_set(a, e, S("requestContext"), context_of(a, req, route_key));
    if (req->n_path_parameters) {
        struct json *o = json_new(a, JSON_OBJECT);
        for (size_t i = 0; i < req->n_path_parameters; i++)
            json_set(a, o, req->path_parameters[i].name,
                     json_new_str(a, req->path_parameters[i].value));
        json_set(a, e, S("pathParameters"), o);
    }
    put_body(a, e, req);
    return json_text(a, e, -1);
}

/* ---- format 1.0 ---- */

static void rest_query(struct arena *a, struct json *e, struct str query)
{
    struct fields fields;
    struct json *one, *all;
    fields_init(&fields, a);
    fields_add_query(&fields, query);
    fields_both(&fields, &one, &all);
    json_set(a, e, S("queryStringParameters"), one->n ? one : json_new(a, JSON_NULL));
    json_set(a, e, S("multiValueQueryStringParameters"), all->n ? all : json_new(a, JSON_NULL));
}

static void rest_headers(struct arena *a, struct json *e, const struct http_event_request *req)
{
    struct fields fields;
    struct json *one, *all;
    fields_init(&fields, a);
    for (size_t i = 0; i < req->n_headers; i++)
        if (!is_replaced(str_lower(a, req->headers[i].name)) &&
            !str_eq_nocase(req->headers[i].name, S("connection")))
            fields_add(&fields, req->headers[i].name, req->headers[i].value);
    fields_add(&fields, S("X-Forwarded-For"), req->source_ip);
    fields_add(&fields, S("X-Forwarded-Proto"), req->scheme);
    fields_add(&fields, S("X-Forwarded-Port"), req->port);
    fields_both(&fields, &one, &all);
    json_set(a, e, S("headers"), one);
    json_set(a, e, S("multiValueHeaders"), all);
}

static struct json *rest_context(struct arena *a, const struct http_event_request *req,
                                 struct str resource, struct str stage)
{
    struct json *o = json_new(a, JSON_OBJECT), *identity = json_new(a, JSON_OBJECT);
    put(a, o, "accountId", req->account_id);
    put(a, o, "apiId", req->api_id);
    put(a, o, "domainName", req->domain_name);
    put(a, o, "extendedRequestId", req->request_id);
    put(a, o, "httpMethod", req->method);
    put(a, identity, "sourceIp", req->source_ip);
    put(a, identity, "userAgent", wire_find_header(req->headers, req->n_headers, "User-Agent"));
    json_set(a, o, S("identity"), identity);
    put(a, o, "path", req->path);
    put(a, o, "protocol", S("HTTP/1.1"));
    put(a, o, "requestId", req->request_id);
    put(a, o, "requestTime", access_log_time(a, req->now_ms));
    json_set(a, o, S("requestTimeEpoch"), json_new_int(a, req->now_ms));
    put(a, o, "resourcePath", resource);
    put(a, o, "stage", stage);
    return o;
}

struct str http_event_rest(struct arena *a, const struct http_event_request *req,
                           struct str resource, struct str stage)
{
    struct json *e = json_new(a, JSON_OBJECT), *parameters = json_new(a, JSON_OBJECT);
    put(a, e, "resource", resource);
    put(a, e, "path", wire_percent_decode(a, req->path, false));
    put(a, e, "httpMethod", req->method);
    rest_headers(a, e, req);
    rest_query(a, e, req->query);
    for (size_t i = 0; i < req->n_path_parameters; i++)
        json_set(a, parameters, req->path_parameters[i].name,
                 json_new_str(a, req->path_parameters[i].value));
    json_set(a, e, S("pathParameters"), parameters->n ? parameters : json_new(a, JSON_NULL));
    json_set(a, e, S("stageVariables"), json_new(a, JSON_NULL));
    json_set(a, e, S("requestContext"), rest_context(a, req, resource, stage));
    if (!req->body.n)
        json_set(a, e, S("body"), json_new(a, JSON_NULL));
    put_body(a, e, req);
    return json_text(a, e, -1);
}

/* ---- answers ---- */

/* What frames the answer is the server's business. */
static bool is_framing(struct str name)
{
    return str_eq_nocase(name, S("connection")) || str_eq_nocase(name, S("transfer-encoding")) ||
           str_eq_nocase(name, S("content-length")) || str_eq_nocase(name, S("keep-alive")) ||
           str_eq_nocase(name, S("upgrade")) || str_eq_nocase(name, S("trailer")) ||
           str_eq_nocase(name, S("te")) || str_eq_nocase(name, S("proxy-connection"));
}

static bool is_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!isalnum((unsigned char)s.p[i]) && (!s.p[i] || !strchr("!#$%&'*+-.^_`|~", s.p[i])))
            return false;
    return s.n > 0;
}

static struct str text_of(struct arena *a, const struct json *v)
{
    return json_is(v, JSON_STRING) ? v->text : json_text(a, v, -1);
}

/* statusCode, headers, cookies. */
static int head_of(struct arena *a, const struct json *o, struct http_answer *ret)
{
    const struct json *status = json_get(o, "statusCode");
    int64_t number = 200;
    if (status && json_int(status, &number) < 0 && str_to_int64(json_str(status), &number) < 0)
        return -EBADMSG;
    if (number < 200 || number > 599) /* an interim status is no answer */
        return -EBADMSG;
    ret->status = (int)number;
    const struct json *headers = json_get(o, "headers"), *cookies = json_get(o, "cookies");
    if ((headers && !json_is(headers, JSON_OBJECT) && !json_is(headers, JSON_NULL)) ||
        (cookies && !json_is(cookies, JSON_ARRAY) && !json_is(cookies, JSON_NULL)))
        return -EBADMSG;
    JSON_EACH(headers, h)
        if (is_name(h->key) && !is_framing(h->key) && !json_is(h, JSON_NULL))
            wire_headers_add(a, &ret->headers, h->key, text_of(a, h));
    JSON_EACH(cookies, c)
        wire_headers_add(a, &ret->headers, S("Set-Cookie"), text_of(a, c));
    return 0;
}

static void default_type(struct arena *a, struct http_answer *ret, const char *type)
{
    if (!str_has(wire_find_header(ret->headers.items, ret->headers.n, "Content-Type")))
        wire_headers_add(a, &ret->headers, S("Content-Type"), str_from(type));
}

int http_answer_of(struct arena *a, struct str result, struct http_answer *ret)
{
    struct json *v;
    struct http_answer answer = {.status = 200, .body = S("")};
    size_t at;
    const char *why;
    if (json_parse(a, result, &v, NULL) < 0) {
        if (!json_check(result, &at, &why)) /* else it is deeper than trees are */
            return -EBADMSG;
        v = NULL;
    }
    if (!json_is(v, JSON_OBJECT) || !json_get(v, "statusCode")) {
        answer.body = json_is(v, JSON_STRING) ? v->text : str_trim(result);
        default_type(a, &answer, "application/json");
        *ret = answer;
        return 0;
    }
    int r = head_of(a, v, &answer);
    if (r < 0)
        return r;
    const struct json *body = json_get(v, "body"), *encoded = json_get(v, "isBase64Encoded");
    if (body && !json_is(body, JSON_NULL))
        answer.body = text_of(a, body);
    if (json_is(encoded, JSON_BOOL) && encoded->boolean && json_is(body, JSON_STRING) &&
        base64_decode(a, body->text, &answer.body) < 0)
        return -EBADMSG;
    default_type(a, &answer, "application/json");
    *ret = answer;
    return 0;
}

int http_answer_rest(struct arena *a, struct str result, struct http_answer *ret)
{
    struct json *v;
    if (json_parse(a, result, &v, NULL) < 0 || !json_is(v, JSON_OBJECT) ||
        !json_get(v, "statusCode"))
        return -EBADMSG;
    const struct json *body = json_get(v, "body"), *all = json_get(v, "multiValueHeaders");
    if (body && !json_is(body, JSON_STRING) && !json_is(body, JSON_NULL))
        return -EBADMSG;
    int r = http_answer_of(a, result, ret);
    JSON_EACH(all, name)
        JSON_EACH(name, value)
            if (r == 0 && is_name(name->key) && !is_framing(name->key))
                wire_headers_add(a, &ret->headers, name->key, text_of(a, value));
    return r;
}

int http_prelude(struct arena *a, struct str bytes, struct http_answer *ret, size_t *ret_size)
{
    static const char nuls[8];
    ssize_t end = str_find(bytes, str_of(nuls, sizeof(nuls)));
    if (end < 0 || end > PRELUDE_MAX)
        return bytes.n > PRELUDE_MAX ? -EBADMSG : 0;
    struct json *v;
    struct http_answer answer = {.status = 200, .body = S("")};
    struct str text = str_copy(a, str_slice(bytes, 0, (size_t)end));
    if (json_parse(a, text, &v, NULL) < 0 || !json_is(v, JSON_OBJECT) || head_of(a, v, &answer) < 0)
        return -EBADMSG;
    default_type(a, &answer, "application/octet-stream");
    *ret = answer;
    *ret_size = (size_t)end + sizeof(nuls);
    return 1;
}
