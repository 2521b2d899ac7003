/* proxy - see proxy.h. */
#include "bench/proxy.h"
#include <errno.h>
#include <stdlib.h>
#include "base/digest.h"
#include "wire/request.h"

#define PORT ":1080" /* as curl has it, when none is named */

static struct str variable(const char *upper, const char *lower)
{
    struct str value = str_from(getenv(lower));
    return value.n ? value : str_from(getenv(upper));
}

static bool is_own(struct str host)
{
    return str_is(host, "localhost") || str_ends(host, S(".localhost")) ||
           str_starts(host, S("127.")) || str_is(host, "::1");
}

/* "example.com" and ".example.com" are for it and for all below it. */
static bool is_below(struct str host, struct str domain)
{
    while (domain.n && domain.p[0] == '.')
        domain = str_slice(domain, 1, domain.n);
    if (!domain.n || !str_ends(host, domain))
        return false;
    return host.n == domain.n || host.p[host.n - domain.n - 1] == '.';
}

static bool is_excepted(struct arena *a, struct str host)
{
    struct str part, rest = variable("NO_PROXY", "no_proxy");
    if (str_is(str_trim(rest), "*"))
        return true;
    for (bool more = rest.n > 0; more;) {
        more = str_cut(rest, ',', &part, &rest);
        if (is_below(host, str_lower(a, str_trim(part))))
            return true;
    }
    return false;
}

static bool has_port(struct str authority)
{
    return str_find_last_byte(authority, ':') > str_find_last_byte(authority, ']');
}

/* [http://][user:password@]host[:port] */
static int parse(struct arena *a, struct str text, struct address *ret, struct str *ret_user,
                 struct str *why)
{
    struct str rest = text, authority, path;
    if (str_starts(text, S("http://")))
        rest = str_slice(text, 7, text.n);
    else if (str_find(text, S("://")) >= 0) {
        *why = str_printf(a, "a proxy that is not asked by HTTP is not supported: \"%.*s\"",
                          (int)str_find(text, S("://")), text.p);
        return -EINVAL;
    }
    str_cut(rest, '/', &authority, &path);
    ssize_t at = str_find_last_byte(authority, '@');
    if (at >= 0) {
        *ret_user = str_slice(authority, 0, (size_t)at);
        authority = str_slice(authority, (size_t)at + 1, authority.n);
    }
    return address_parse(
        a, str_printf(a, "http://%.*s%s", STR(authority), has_port(authority) ? "" : PORT), ret,
        why);
}

int proxy_find(struct arena *a, const struct address *to, struct proxy *ret, struct str *why)
{
    struct str host = str_lower(a, to->host), user = {0};
    struct str text = variable("HTTPS_PROXY", "https_proxy");
    *ret = (struct proxy){0};
    if (!text.n)
        text = variable("ALL_PROXY", "all_proxy");
    if (!to->tls || !text.n || is_own(host) || is_excepted(a, host))
        return 0;
    int r = parse(a, str_trim(text), &ret->address, &user, why);
    if (r < 0)
        return r;
    bool v6 = str_find_byte(to->host, ':') >= 0;
    struct str at = str_printf(a, v6 ? "[%.*s]:%d" : "%.*s:%d", STR(to->host), to->port);
    struct str key = S("");
    if (user.n)
        key = str_printf(a, "Proxy-Authorization: Basic %.*s\r\n", /* written as in URLs */
                         STR(base64_encode(a, wire_percent_decode(a, user, false))));
    ret->connect = str_printf(a, "CONNECT %.*s HTTP/1.1\r\nHost: %.*s\r\n%.*s\r\n", STR(at),
                              STR(at), STR(key));
    return 0;
}
