/* url_cors - the CORS rules of a function URL: preflights, and headers of answers. */
#include "service/lambda/url.h"
#include "wire/request.h"

/* An origin rule may have a wildcard in it: any subdomain of a site, say. */
static bool covers(struct str rule, struct str text)
{
    ssize_t star = str_find_byte(rule, '*');
    if (star < 0)
        return str_eq_nocase(rule, text);
    struct str head = str_slice(rule, 0, (size_t)star),
               tail = str_slice(rule, (size_t)star + 1, rule.n);
    return text.n >= head.n + tail.n && str_eq_nocase(str_slice(text, 0, head.n), head) &&
           str_eq_nocase(str_slice(text, text.n - tail.n, text.n), tail);
}

static bool allows(const struct str *rules, size_t n, struct str text)
{
    for (size_t i = 0; i < n; i++)
        if (covers(rules[i], text))
            return true;
    return false;
}

static void put_list(struct arena *a, struct wire_headers *h, const char *name,
                     const struct str *items, size_t n)
{
    if (n)
        wire_headers_add(a, h, str_from(name), str_join(a, S(","), items, n));
}

static void put_origin(struct arena *a, const struct lambda_cors *rules, struct str origin,
                       struct wire_headers *h)
{
    bool any = false;
    for (size_t i = 0; i < rules->allow_origins.n; i++)
        any = any || str_is(rules->allow_origins.items[i], "*");
    bool credentials = rules->allow_credentials.is;
    wire_headers_add(a, h, S("Access-Control-Allow-Origin"), any && !credentials ? S("*") : origin);
    if (!any || credentials)
        wire_headers_add(a, h, S("Vary"), S("Origin"));
    if (credentials)
        wire_headers_add(a, h, S("Access-Control-Allow-Credentials"), S("true"));
}

bool cors_preflight(struct arena *a, const struct lambda_cors *rules,
                    const struct wire_request *req, struct wire_headers *ret)
{
    struct str origin = wire_header(req, "Origin"),
               method = wire_header(req, "Access-Control-Request-Method");
    if (!rules || !str_is(req->method, "OPTIONS") || !origin.n || !method.n)
        return false;
    *ret = (struct wire_headers){0};
    if (!allows(rules->allow_origins.items, rules->allow_origins.n, origin) ||
        !allows(rules->allow_methods.items, rules->allow_methods.n, method))
        return true; /* answered, but without leave */
    put_origin(a, rules, origin, ret);
    put_list(a, ret, "Access-Control-Allow-Methods", rules->allow_methods.items,
             rules->allow_methods.n);
    put_list(a, ret, "Access-Control-Allow-Headers", rules->allow_headers.items,
             rules->allow_headers.n);
    if (rules->max_age.has)
        wire_headers_add(a, ret, S("Access-Control-Max-Age"),
                         str_printf(a, "%lld", (long long)rules->max_age.is));
    return true;
}

void cors_apply(struct arena *a, const struct lambda_cors *rules, const struct wire_request *req,
                struct wire_headers *headers)
{
    if (!rules)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < headers->n; i++)
        if (headers->items[i].name.n < 15 ||
            !str_eq_nocase(str_slice(headers->items[i].name, 0, 15), S("access-control-")))
            headers->items[kept++] = headers->items[i];
    headers->n = kept;
    struct str origin = wire_header(req, "Origin");
    if (!origin.n || !allows(rules->allow_origins.items, rules->allow_origins.n, origin))
        return;
    put_origin(a, rules, origin, headers);
    put_list(a, headers, "Access-Control-Expose-Headers", rules->expose_headers.items,
             rules->expose_headers.n);
}
