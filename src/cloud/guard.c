/* guard - who may talk to the daemon at all: this machine's own programs, and no web page of
 * somebody else. A page may make a browser send requests to 127.0.0.1, or let its own name resolve
 * to it (DNS rebinding); the first is told by Origin and Sec-Fetch-Site, the second by Host. */
#include <arpa/inet.h>
#include "base/cleanup.h"
#include "cloud/internal.h"

static bool name_is_local(const struct cloud *cloud, struct str host)
{
    char text[64];
    struct in_addr v4;
    ssize_t bracket = str_find_byte(host, ']');
    struct str port = {0};
    if (bracket > 0 && host.p[0] == '[')
        host = str_slice(host, 1, (size_t)bracket);
    else
        str_cut(host, ':', &host, &port);
    if (host.n == 0 || host.n > 253)
        return false;
    for (size_t i = 0; i < port.n; i++) /* nothing but a port: localhost:1@evil.example is none */
        if (port.p[i] < '0' || port.p[i] > '9')
            return false;
    if (str_eq_nocase(host, S("localhost")) ||
        (host.n > 10 && str_eq_nocase(str_slice(host, host.n - 10, host.n), S(".localhost"))))
        return true;
    if (str_is(host, "::1") || str_is(host, "169.254.100.1"))
        return true;
    if (cloud->options.host && str_is(host, cloud->options.host))
        return true;
    if (host.n >= sizeof(text))
        return false;
    memcpy(text, host.p, host.n);
    text[host.n] = 0;
    return inet_pton(AF_INET, text, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

static bool origin_is_local(const struct cloud *cloud, struct str origin)
{
    struct str host, id, path;
    ssize_t at = str_find(origin, S("://"));
    if (at <= 0)
        return false;
    host = str_slice(origin, (size_t)at + 3, origin.n);
    /* A function's pages are as strange as the function. */
    return name_is_local(cloud, host) && !route_url(host, S(""), &id, &path);
}

const char *guard_refuses(const struct cloud *cloud, const struct http_request *req)
{
    struct str host = http_header_get(req, "Host"), origin = http_header_get(req, "Origin");
    if (str_has(host) && !cloud->options.allow_remote && !name_is_local(cloud, host))
        return "lamina: the Host header names another machine; this cloud answers to localhost "
               "only (DNS rebinding protection)\n";
    struct str url_id, url_path;
    if (route_url(host, req->path, &url_id, &url_path))
        return NULL; /* made for web pages; its id cannot be guessed, and its CORS rules hold */
    for (size_t i = 0; i < req->n_headers; i++)
        if (str_eq_nocase(req->headers[i].name, S("Origin")) &&
            !origin_is_local(cloud, req->headers[i].value))
            return "lamina: a web page of another site may not use this cloud (Origin header)\n";
    if (!str_has(origin) && str_is(http_header_get(req, "Sec-Fetch-Site"), "cross-site"))
        return "lamina: a web page of another site may not use this cloud (Sec-Fetch-Site "
               "header)\n";
    return NULL;
}

bool guard_region_known(struct str region)
{
    static const char *const regions[] = {
        "us-east-1",      "us-east-2",      "us-west-1",      "us-west-2",      "af-south-1",
        "ap-east-1",      "ap-east-2",      "ap-south-1",     "ap-south-2",     "ap-northeast-1",
        "ap-northeast-2", "ap-northeast-3", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3",
        "ap-southeast-4", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "ca-central-1",
        "ca-west-1",      "eu-central-1",   "eu-central-2",   "eu-west-1",      "eu-west-2",
        "eu-west-3",      "eu-north-1",     "eu-south-1",     "eu-south-2",     "il-central-1",
        "mx-central-1",   "me-central-1",   "me-south-1",     "sa-east-1",      "cn-north-1",
        "cn-northwest-1", "us-gov-east-1",  "us-gov-west-1",
    };
    for (size_t i = 0; i < ARRAY_LEN(regions); i++)
        if (str_is(region, regions[i]))
            return true;
    return false;
}
