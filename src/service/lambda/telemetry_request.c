/* telemetry_request - see telemetry_request.h. */
#include "service/lambda/telemetry_request.h"
#include <errno.h>
#include "base/cleanup.h"
#include "base/json.h"

#define RUNTIME_API_PORT 9001

struct reader {
    struct arena *a;
    struct telemetry_request *to;
    struct str wrong;
};

static void wrong(struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void wrong(struct reader *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct str text = str_vprintf(r->a, fmt, ap);
    va_end(ap);
    r->wrong = r->wrong.n ? str_printf(r->a, "%.*s; %.*s", STR(r->wrong), STR(text)) : text;
}

static void read_schema(struct reader *r, enum telemetry_api api, const struct json *body)
{
    static const struct {
        const char *name;
        enum telemetry_api api;
        enum report_schema schema;
    } schemas[] = {
        {"2020-08-15", API_LOGS, SCHEMA_LOGS_2020_08_15},
        {"2021-03-18", API_LOGS, SCHEMA_LOGS_2021_03_18},
        {"2022-07-01", API_TELEMETRY, SCHEMA_TELEMETRY_2022_07_01},
        {"2022-12-13", API_TELEMETRY, SCHEMA_TELEMETRY_2022_12_13},
        {"2025-01-29", API_TELEMETRY, SCHEMA_TELEMETRY_2025_01_29},
    };
    const struct json *given = json_get(body, "schemaVersion");
    if (!given && api == API_LOGS) {
        r->to->schema = SCHEMA_LOGS_2020_08_15;
        return;
    }
    struct str name = json_str(given);
    for (size_t i = 0; i < ARRAY_LEN(schemas); i++) {
        if (schemas[i].api != api || !str_is(name, schemas[i].name))
            continue;
        r->to->schema = schemas[i].schema;
        return;
    }
    if (given)
        wrong(r, "schemaVersion '%.*s' is not supported", STR(name));
    else
        wrong(r, "schemaVersion is not provided");
}

static void read_types(struct reader *r, const struct json *types)
{
    static const char *const names[] = {"platform", "function", "extension"};
    if (!json_is(types, JSON_ARRAY) || !types->n) {
        wrong(r, "types should not be empty");
        return;
    }
    JSON_EACH(types, one) {
        size_t i = 0;
        while (i < ARRAY_LEN(names) && !str_is(json_str(one), names[i]))
            i++;
        if (i == ARRAY_LEN(names)) {
            wrong(r, "type '%.*s' is not one of platform, function, extension", STR(json_str(one)));
        } else if (!(r->to->types & 1U << i)) {
            r->to->types |= 1U << i;
            r->to->type_list[r->to->n_types++] = str_from(names[i]);
        }
    }
}

static void read_limit(struct reader *r, const struct json *buffering, const char *name,
                       int64_t min, int64_t max, int64_t usual, int64_t *ret)
{
    const struct json *given = json_get(buffering, name);
    *ret = usual;
    if (given && (json_int(given, ret) < 0 || *ret < min || *ret > max))
        wrong(r, "%s should be between %lld and %lld", name, (long long)min, (long long)max);
}

static void check_port(struct reader *r, int64_t port, const char *what)
{
    if (port < 1 || port > 65535 || port == RUNTIME_API_PORT)
        wrong(r, "%s port should be between 1 and 65535, and not %d", what, RUNTIME_API_PORT);
    else
        r->to->port = (uint16_t)port;
}

static void read_uri(struct reader *r, struct str uri)
{
    struct str rest, host, port, path;
    if (!uri.n) {
        wrong(r, "URI is not provided");
        return;
    }
    if (!str_starts(uri, S("http://"))) {
        wrong(r, "URI should begin with http://");
        return;
    }
    rest = str_slice(uri, 7, uri.n);
    ssize_t slash = str_find_byte(rest, '/');
    path = slash < 0 ? S("/") : str_slice(rest, (size_t)slash, rest.n);
    r->to->host = slash < 0 ? rest : str_slice(rest, 0, (size_t)slash);
    r->to->path = path;
    for (size_t i = 0; i < uri.n; i++)
        if ((unsigned char)uri.p[i] <= ' ' || (unsigned char)uri.p[i] >= 0x7f) {
            wrong(r, "URI is not valid");
            return;
        }
    bool has_port = str_cut(r->to->host, ':', &host, &port);
    if (!has_port)
        host = r->to->host;
    if (!str_is(host, "sandbox.localdomain") && !str_is(host, "sandbox"))
        wrong(r, "URI host should be sandbox.localdomain");
    int64_t number = 0;
    if (!has_port || !port.n)
        wrong(r, "URI port is not provided");
    else
        check_port(r, str_to_int64(port, &number) < 0 ? 0 : number, "URI");
}

static void read_destination(struct reader *r, const struct json *to)
{
    struct str protocol = json_get_str(to, "protocol"), method = json_get_str(to, "method");
    const struct json *encoding = json_get(to, "encoding");
    if (!json_is(to, JSON_OBJECT)) {
        wrong(r, "destination is not provided");
        return;
    }
    if (encoding && !str_is(json_str(encoding), "JSON"))
        wrong(r, "encoding '%.*s' is not supported", STR(json_str(encoding)));
    if (str_eq_nocase(protocol, S("TCP"))) {
        int64_t port = 0;
        r->to->tcp = true;
        if (!json_get(to, "port"))
            wrong(r, "port is not provided");
        else
            check_port(r, json_int(json_get(to, "port"), &port) < 0 ? 0 : port, "TCP");
    } else if (str_eq_nocase(protocol, S("HTTP"))) {
        r->to->method = method.n ? method : S("POST");
        if (!str_is(r->to->method, "POST") && !str_is(r->to->method, "PUT"))
            wrong(r, "method '%.*s' is not one of POST, PUT", STR(method));
        read_uri(r, json_get_str(to, "URI"));
    } else {
        wrong(r, "protocol '%.*s' is not one of HTTP, TCP", STR(protocol));
    }
}

int telemetry_request_parse(struct arena *a, enum telemetry_api api, struct str text,
                            struct telemetry_request *ret, struct str *ret_wrong)
{
    struct reader r = {.a = a, .to = ret};
    struct json *body;
    *ret = (struct telemetry_request){0};
    if (json_parse(a, text, &body, NULL) < 0 || !json_is(body, JSON_OBJECT)) {
        *ret_wrong = S("the body is not a JSON object");
        return -EINVAL;
    }
    const struct json *buffering = json_get(body, "buffering");
    read_schema(&r, api, body);
    read_destination(&r, json_get(body, "destination"));
    read_types(&r, json_get(body, "types"));
    read_limit(&r, buffering, "maxItems", 1000, 10000, 10000, &ret->max_items);
    read_limit(&r, buffering, "maxBytes", 262144, 1048576, 262144, &ret->max_bytes);
    read_limit(&r, buffering, "timeoutMs", 25, 30000, 1000, &ret->timeout_ms);
    *ret_wrong = r.wrong;
    return r.wrong.n ? -EINVAL : 0;
}
